"""All reports as one static site, or as a single file: pages, the table of VMs, and the decisions on each of them."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from vmferry import __version__
from vmferry.model.blueprint import Decision
from vmferry.model.finding import Finding, Where
from vmferry.model.keys import VmKey
from vmferry.model.report import Column, Report, Row, Table
from vmferry.render import html
from vmferry.render.links import VMS, Links
from vmferry.render.report import as_spreadsheet
from vmferry.reports import REPORTS, builder
from vmferry.reports.census import FACETS, Vm, meant
from vmferry.reports.content import Material
from vmferry.yaml.positions import spans_of

FRONT = "assessment"
"""The report on the first page."""


_SUFFIX = {"badge": "svg"}
"""What the files of formats end with, where that is not their name."""


class Shown(NamedTuple):
    """A column of the table of VMs: the VM's name, a facet, or one of the numbers in `_numbers`."""

    name: str
    facet: str | None = None
    number: int | None = None
    unit: str = "text"


_COLUMNS = (
    Shown("VM"),
    Shown("phase", "phase"),
    Shown("group", "group"),
    Shown("stage", "stage"),
    Shown("path", "path"),
    Shown("method", "method"),
    Shown("guest system", "system"),
    Shown("power", "power"),
    Shown("vCPUs", number=0, unit="count"),
    Shown("memory", number=1, unit="bytes"),
    Shown("disks", number=2, unit="bytes"),
    Shown("used", number=3, unit="bytes"),
    Shown("findings", "code"),
)


def site(material: Material) -> dict[str, bytes]:
    """Return the files of the site by name. The same material gives the same bytes."""
    pages = _pages(material)
    frame = _frame(material, pages, Links(single=False))
    files = {"style.css": html.asset("style.css"), "site.js": html.asset("site.js")}
    files["data.js"] = f"globalThis.VMFERRY = {html.in_script(_data(material))};\n"
    for page in pages:
        downloads: list[tuple[str, str]] = []
        downloads.append(("CSV", f"{page.name}.csv"))
        files[f"{page.name}.csv"] = as_spreadsheet(page.report.spreadsheet)
        for kind, text in sorted(page.report.extra.items()):
            downloads.append((kind.upper(), f"{page.name}.{_SUFFIX.get(kind, kind)}"))
            files[f"{page.name}.{_SUFFIX.get(kind, kind)}"] = text
        files[f"{page.name}.html"] = html.page(frame, page._replace(downloads=tuple(downloads)))
    files["index.html"] = files[f"{FRONT}.html"]
    return {name: text.encode() for name, text in sorted(files.items())}


def single_file(material: Material, only: str | None = None) -> bytes:
    """Return the site as one HTML file, which needs no other; ``only`` this report of it, and the VMs."""
    pages = _pages(material, only)
    return html.single(_frame(material, pages, Links(single=True)), pages, _data(material)).encode()


def _pages(material: Material, only: str | None = None) -> tuple[html.Page, ...]:
    names = [only] if only is not None else sorted(REPORTS, key=lambda name: name != FRONT)
    found = [html.Page(name, name.capitalize(), builder(name).build(material)) for name in names]
    return (*found, html.Page(VMS, "VMs", all_vms(material)))


def _frame(material: Material, pages: Sequence[html.Page], links: Links) -> html.Frame:
    now = material.review.now
    when = f", as of {now:%Y-%m-%d %H:%M} UTC" if now is not None else ""
    partial = "" if material.complete else " The spec has errors, so that most rules did not run."
    return html.Frame(
        title=material.review.blueprint.name,
        stamp=f"Made by vmferry {__version__}{when}.{partial}",
        pages=tuple((page.name, page.label) for page in pages),
        links=links,
    )


def all_vms(material: Material) -> Report:
    """Return the table of VMs as a report, for its CSV file; the page draws its own from the data."""
    columns = tuple(Column(each, "text") for each in FACETS)
    numbers = tuple(
        Column(each.name, "bytes" if each.unit == "bytes" else "count") for each in _COLUMNS if each.number is not None
    )
    rows: list[Row] = [
        (vm.name, *(" ".join(values(vm)) for values in FACETS.values()), *_numbers(vm)) for vm in material.vms.vms
    ]
    return Report("VMs", "", (Table("", "VM", (Column("VM"), *columns, *numbers), rows),), None)


def _numbers(vm: Vm) -> tuple[int | None, ...]:
    return (vm.vcpus, vm.memory, vm.capacity, vm.used)


# --- the data behind the table ----------------------------------------------------------------


class _Strings:
    """Every text once, by number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    @property
    def texts(self) -> list[str]:
        return list(self._numbers)


def _data(material: Material) -> str:
    """Return what the page needs to show, filter and explain VMs, as JSON."""
    strings = _Strings()
    decisions = material.review.blueprint.decisions
    places = (decision.where for found in decisions.values() for decision in found if decision.where is not None)
    lines = {where: span.line for where, span in spans_of(places, material.review.project.texts).items()}
    findings = _findings(material)
    rows = [
        [
            [[strings(value) for value in values(vm)] for values in FACETS.values()],
            _numbers(vm),
            strings(vm.name),
            [_decision(each, strings, lines, material.base) for each in decisions.get(vm.key, ())],
            [[strings(each.severity), strings(each.code), strings(each.message)] for each in findings[vm.key]],
        ]
        for vm in material.vms.vms
    ]
    columns = [{name: value for name, value in each._asdict().items() if value is not None} for each in _COLUMNS]
    found: dict[str, Any] = {"facets": list(FACETS), "columns": columns, "rows": rows, "strings": strings.texts}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def _decision(decision: Decision, strings: _Strings, lines: Mapping[Where, int], base: str) -> list[int]:
    where = decision.where
    file = strings(where.file.removeprefix(base)) if where is not None else -1
    line = lines.get(where, 0) if where is not None else 0
    return [strings(decision.subject), strings(decision.value), strings(decision.reason), file, line]


def _findings(material: Material) -> Mapping[VmKey, Iterable[Finding]]:
    found: defaultdict[VmKey, list[Finding]] = defaultdict(list)
    for finding, keys in meant(material.findings, material.review.subjects):
        for key in keys:
            found[key].append(finding)
    return found
