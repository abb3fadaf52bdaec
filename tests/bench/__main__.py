"""Prints what vmferry takes beside a Jinja2 script that prints the same VMs: ratios, measured in one run.

Nothing is asserted of the times: machines differ, and a slow one is no bug.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench import measure
from tests.bench.measure import Measures, Place

VMS = 10_000
GROWTH = (20_000, 100_000)
SITE = 5_000  # VMs of the estate whose reports are built, at most
PARTS = ("compile", "verify", "compare", "memory", "import", "site", "start")


class Bar(NamedTuple):
    """One row of the table: a measure, or the ratio of two, and what it must and should be."""

    what: str
    measure: str
    base: str | None
    must: float
    aim: float | None


BARS = (
    Bar("first compile ÷ Jinja2 printing the same VMs", "compile", "jinja", 1.0, 0.5),
    Bar("compile, nothing changed ÷ first compile", "compile unchanged", "compile", 0.10, 0.04),
    Bar("compile, one VM edited ÷ first compile", "compile edited", "compile", 0.15, 0.05),
    Bar("check, one VM edited ÷ check from nothing", "check edited", "check", 0.30, 0.12),
    Bar("verify after one edit ÷ first verify", "verify edited", "verify", 0.10, 0.03),
    Bar("first verify ÷ Jinja2", "verify", "jinja", 8, 4),
    Bar("status ÷ first compile", "status", "compile committed", 0.10, None),
    Bar("diff, a group moved ÷ first compile", "diff", "compile committed", 0.10, None),
    Bar("diff, one VM edited ÷ first compile", "diff edited", "compile committed", 0.10, None),
    Bar("advance ÷ first compile", "advance", "compile committed", 0.10, None),
    Bar("peak memory of a first compile, MiB", "mebibytes", None, 300, 200),
    Bar("files", "files", None, 12_500, None),
    Bar("first compile of 20,000 ÷ 10,000", "compile 20000", "compile", 2.1, None),
    Bar("first compile of 100,000 ÷ 10,000", "compile 100000", "compile", 11, None),
    Bar("site of all reports of 5,000 ÷ Jinja2, CPU", "site", "site, Jinja2", 3, 2),
    Bar("site of 5,000, MB", "site megabytes", None, 15, None),
    Bar("site of 5,000 in one file, MB", "file megabytes", None, 20, None),
    Bar("check of the minimal example, s", "check minimal", None, 0.15, 0.10),
    Bar("import of a workbook ÷ openpyxl reading its cells", "import", "openpyxl", 0.25, 0.10),
)


def measured(options: argparse.Namespace, top: Path) -> Measures:
    """Return all that was asked for."""
    place, parts = Place(top), options.only
    found: Measures = {}
    if {"compile", "verify", "compare", "memory"} & {*parts}:
        pristine = measure.written(place, options.vms)
        verify = "verify" in parts and any(map(shutil.which, ("kustomize", "kubectl")))
        if {"compile", "verify"} & {*parts}:
            found |= measure.fastest(
                measure.compile_and_verify(place, pristine, verify=verify) for _ in range(options.repeat)
            )
        if "compare" in parts:
            found |= measure.fastest(measure.comparisons(place, pristine) for _ in range(options.repeat))
        if "memory" in parts:
            found |= measure.memory(place, pristine)
    for size in options.growth:
        grown = measure.first_compile(place, measure.written(place, size))
        found[f"compile {size}"] = grown["compile"]
    if "import" in parts:
        book = measure.written_workbook(place, options.vms)
        found |= measure.fastest(measure.imports(place, book) for _ in range(options.repeat))
    if "site" in parts:
        pristine = measure.written(place, min(options.vms, SITE))
        found |= measure.fastest(measure.site(place, pristine) for _ in range(options.repeat))
    if "start" in parts:
        found |= measure.start_up(place)
    return found


def table(found: Measures) -> Iterator[str]:
    """Yield the lines of the table, and below it the seconds that its ratios are made of."""
    yield f"{'what':<52} {'measured':>9} {'must':>8} {'aim':>8}"
    for bar in BARS:
        value = _value(bar, found)
        shown = "-" if value is None else _number(value)
        missed = " " if value is None or value <= bar.must else "!"
        aim = "" if bar.aim is None else _number(bar.aim)
        yield f"{bar.what:<52} {shown:>9}{missed}{_number(bar.must):>8} {aim:>8}"
    yield ""
    seconds = {name: value for name, value in found.items() if name != "files" and "bytes" not in name}
    yield "seconds: " + ", ".join(f"{name} {value:.2f}" for name, value in seconds.items())
    if "jinja" in found:
        yield (
            "The script reads with PyYAML's C loader. With yaml-rs, which vmferry reads with, it would be "
            f"{found['compile'] / found['jinja, fastest reader']:.1f} instead of "
            f"{found['compile'] / found['jinja']:.1f} in the first row."
        )


def _value(bar: Bar, found: Measures) -> float | None:
    if bar.measure not in found or (bar.base is not None and bar.base not in found):
        return None
    return found[bar.measure] / (found[bar.base] if bar.base is not None else 1)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3f}" if value < 0.095 else f"{value:.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--vms", type=int, default=VMS, help="VMs of the estate (%(default)s)")
    parser.add_argument("--growth", nargs="*", type=int, default=(), help=f"larger estates, such as {GROWTH}")
    parser.add_argument("--repeat", type=int, default=3, help="rounds; the fastest counts (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts of the table")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="vmferry-bench-") as name:
        found = measured(options, Path(name))
    if options.json:
        rows = [bar._asdict() | {"value": _value(bar, found)} for bar in BARS]
        json.dump({"rows": rows, "measures": found}, sys.stdout, indent=2, ensure_ascii=False)
        print()
    else:
        print(*table(found), sep="\n")


if __name__ == "__main__":
    main()
