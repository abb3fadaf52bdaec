"""What a schedule rests on: each number with whether it is stated, measured or assumed, and where it comes from."""

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct

from vmferry.estate.copying import VMS_PER_HOST, Basis, Figure
from vmferry.estate.timetable.works import Prepared
from vmferry.estate.wording import counted
from vmferry.model.review import Review
from vmferry.model.spec import ScheduleSettings

_MIB = 1 << 20
_PERFORMANCE = "Forklift's documentation, mtv-performance-recommendation.adoc: Red Hat's lab, a best case"
_OWN = "assumption of vmferry, not measured anywhere: docs/schedule.md"


class Assumption(Struct, frozen=True, kw_only=True):
    """A number that the schedule rests on."""

    what: str
    value: str
    basis: Basis | Literal["unknown"]
    source: str  # where it comes from, and what states another
    setting: str = ""  # where the spec states it


def assumptions(review: Review, prepared: Prepared) -> Iterator[Assumption]:
    """Yield all of them."""
    yield from _rates(prepared)
    yield from _facts(prepared)
    settings = review.spec.settings.schedule
    conversion = settings.conversion
    times = f"Linux {conversion.linux}, Windows {conversion.windows}, other {conversion.other}"
    standard = ScheduleSettings()
    for what, value, field, source in (
        ("conversion of a guest", f"{times}; and {conversion.per_disk} per disk", "conversion", _OWN),
        ("guest shuts down", settings.shutdown, "shutdown", _OWN),
        ("start, DNS and checks", settings.start, "start", _OWN),
        (
            "time between warm copies",
            settings.precopy_interval,
            "precopyInterval",
            "Forklift's default of controller_precopy_interval",
        ),
        ("first copies begin before a window", settings.copy_ahead, "copyAhead", _OWN),
        ("best case", f"assumed times by {settings.best:g}", "best", _OWN),
        ("worst case", f"all times by {settings.worst:g}", "worst", _OWN),
    ):
        stated = getattr(settings, _field(field)) != getattr(standard, _field(field))
        yield _assumption(what, value, f"settings.schedule.{field}", source, stated=stated)
    yield from _limits(settings)
    copy = review.spec.settings.copy
    yield _assumption(
        "VMs at once per ESXi host",
        str(prepared.plan.vms_per_host),
        "settings.copy.vmsPerHost",
        "Forklift's default of controller_max_vm_inflight",
        stated=copy.vms_per_host not in (None, VMS_PER_HOST),
    )


def _rates(prepared: Prepared) -> Iterator[Assumption]:
    for (source, method), rates in sorted(prepared.rates.items()):
        for figure, per, setting in (
            (rates.per_vm, "VM", "perVm"),
            (rates.per_host, "ESXi host", "perHost"),
            (rates.total, "vCenter", "total"),
        ):
            yield _rate(f"copy from {source}, {method}, per {per}", figure, f"settings.copy.{setting}")
        if rates.at_once is not None:
            yield Assumption(
                what=f"conversions at once from {source}",
                value=str(rates.at_once),
                basis="stated",
                source="the spec, or the default of parallelConversions",
                setting="sources[].vcenter.parallelConversions",
            )


def _rate(what: str, figure: Figure, setting: str) -> Assumption:
    """Return a rate with where it is from."""
    measured = f"evidence.yaml, {counted(figure.copies, 'copy', 'copies')}"
    sources = {"assumed": _PERFORMANCE, "stated": "the spec", "measured": measured}
    return Assumption(
        what=what,
        value=f"{figure.value / _MIB:.1f} MiB/s",
        basis=figure.basis,
        source=sources[figure.basis],
        setting=setting,
    )


def _facts(prepared: Prepared) -> Iterator[Assumption]:
    unknown = prepared.copied - prepared.used
    if prepared.used:
        yield Assumption(
            what=f"bytes that are copied, of {counted(prepared.used, 'VM')}",
            value="bytes in use",
            basis="measured",
            source="the inventory",
        )
    if unknown:
        yield Assumption(
            what=f"bytes that are copied, of {counted(unknown, 'VM')}",
            value="capacity of the disks",
            basis="assumed",
            source="bytes in use are not known: import them (usedStorage)",
        )
    yield from _elsewhere(prepared)
    if prepared.written:
        yield Assumption(
            what=f"writes of {counted(prepared.written, 'warm VM')}",
            value="average; peak in the worst case",
            basis="measured",
            source="the inventory's baseline",
        )


_ELSEWHERE = {"offload": "by storage array", "image": "by image"}


def _elsewhere(prepared: Prepared) -> Iterator[Assumption]:
    """Yield the rates of copies by storage array and by image, and how many VMs lack one."""
    for way, (figure, vms) in prepared.elsewhere.items():
        yield _rate(f"copies of {counted(vms, 'VM')} {_ELSEWHERE[way]}, per VM", figure, f"settings.copy.{way}")
    if prepared.unknown:
        yield Assumption(
            what=f"copies of {counted(len(prepared.unknown), 'VM')} by storage array or image",
            value="",
            basis="unknown",
            source="there is no published rate: windows are filled with their other times alone",
            setting="settings.copy.offload, settings.copy.image",
        )
    if prepared.rebuilt:
        yield Assumption(
            what=f"the work before {counted(prepared.rebuilt, 'rebuilt VM')} cut over",
            value="",
            basis="unknown",
            source="it is done before the window: only start and checks are in it",
        )


def _limits(settings: ScheduleSettings) -> Iterator[Assumption]:
    """Yield the limits that exist only if they are stated, and what is assumed of writes."""
    yield _assumption(
        "writes of warm VMs without a baseline",
        f"{settings.daily_change:g} % of the bytes in use a day",
        "settings.schedule.dailyChange",
        "Veeam's average for backups (blog.dewin.me/2015/08): most VMs 1 to 2 %, databases up to 20 %",
        stated=settings.daily_change != ScheduleSettings().daily_change,
    )
    limits: tuple[tuple[str, str, Any], ...] = (
        ("VMs at once per datastore", "vmsPerDatastore", settings.vms_per_datastore),
        ("VMs per window", "vmsPerWindow", settings.vms_per_window),
        ("groups per window", "groupsPerWindow", settings.groups_per_window),
        ("business cycle", "businessCycle", settings.business_cycle),
        ("limits of bandwidth", "bandwidth", len(settings.bandwidth) or None),
        ("change freezes", "freezes", len(settings.freezes) or None),
    )
    for what, field, value in limits:
        text = "none" if value is None else str(value)
        yield _assumption(what, text, f"settings.schedule.{field}", "no limit is stated", stated=value is not None)


def _field(name: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name)


def _assumption(what: str, value: str, setting: str, source: str, *, stated: bool) -> Assumption:
    where = "the spec" if stated else source
    return Assumption(what=what, value=value, basis="stated" if stated else "assumed", source=where, setting=setting)
