"""VMs compared with what they were in vSphere: baselines that say too little, and settings that compare nothing."""

from collections.abc import Iterator

from vmferry.estate.checks import checkable
from vmferry.estate.wording import duration
from vmferry.kube.quantity import parse_duration
from vmferry.model.facts import Baseline
from vmferry.model.review import Problem, Review, Subject
from vmferry.rules.registry import rule

_DAY = 86400
_SHORTEST = {"window": 600, "period": 3600}  # seconds
_IMPORT = "vmferry import vcenter … --baseline 7d"


def _compared(review: Review) -> Iterator[tuple[Subject, Baseline | None, bool]]:
    """Yield the VMs that are to be compared, with their baseline, and whether a gate needs it."""
    for subject, group, machine in review.moving:
        if group.performance is not None and checkable(machine):
            yield subject, machine.baseline, group.performance.gate


@rule("VMF170", "error", "performance gate without a baseline", each=True)
def no_baseline(review: Review) -> Iterator[Problem]:
    """Nobody can say whether a VM is slower than it was if nothing was measured, and later its source is off.

    A baseline is frozen with its VM when the group is prepared. One that is imported afterwards does not count: it may
    be of a VM that has moved.
    """
    for subject, was, gate in _compared(review):
        if was is not None or not gate:
            continue
        if subject.vm.baseline is None or not (subject.vm.baseline.cpu or subject.vm.baseline.disks):
            fix = f"measure it: `{_IMPORT}`; or set `performance: {{gate: false}}` in its phase"
        else:
            fix = (
                "it was measured after its group was prepared: set the group to rolled-back, then to planned, and "
                "prepare it again; or set `performance: {gate: false}` in its phase"
            )
        yield subject.problem("its phase compares VMs with their baseline, and it has none", fix, "name")


@rule(
    "VMF171",
    "warning",
    "baseline without the latency of disks",
    source="vSphere Performance Counters: virtualDisk.totalReadLatency, totalWriteLatency, statistics level 3",
    each=True,
)
def no_latency(review: Review) -> Iterator[Problem]:
    """What single disks do is kept at statistics level 3, and many vCenters have level 1 or 2 for more than a day.

    The VM is compared by CPU, memory and network alone, and slow storage is what most migrations suffer from.
    """
    for subject, was, _ in _compared(review):
        if was is None:
            continue
        known = {disk.label for disk in was.disks if disk.read_latency is not None or disk.write_latency is not None}
        disks = subject.machine.disks if subject.machine is not None else ()
        lost = [disk.name for disk in disks if disk.name not in known]
        if lost:
            yield subject.problem(
                f"its baseline has no latency of {', '.join(lost)}",
                "set the statistics level of vCenter's intervals to 3 for some days, or import `--baseline 1d`, and "
                "import it before the group is prepared; disks also need their `unit`, such as scsi0:1, in the facts",
                "name",
            )


@rule("VMF172", "warning", "baseline covers less than a day", each=True)
def short_baseline(review: Review) -> Iterator[Problem]:
    """Nights, backups and month ends are part of what a VM does: a few hours are no measure of it."""
    for subject, was, _ in _compared(review):
        if was is not None and (known := was.coverage * was.days * _DAY) < _DAY * 0.9:
            yield subject.problem(
                f"its baseline covers {duration(known)}",
                f"measure at least a day, better a week: `{_IMPORT}`; `coverage` says how much of it vCenter had",
                "name",
            )


@rule("VMF173", "warning", "alerts look at less than one sample of the baseline", each=True)
def short_window(review: Review) -> Iterator[Problem]:
    """A peak of a baseline is its highest sample, and a sample is an average over its interval.

    Averages over less time are higher at times, so that a VM would seem slower than it ever was. vCenter keeps samples
    of 5 minutes for a day, of 30 minutes for a week, of 2 hours for a month.
    """
    for subject, was, _ in _compared(review):
        settings = subject.group.performance.settings if subject.group and subject.group.performance else None
        if settings is None or was is None or was.interval is None:
            continue
        if was.interval > parse_duration(settings.window):
            yield subject.problem(
                f"samples of its baseline are averages over {duration(was.interval)}, and alerts look at "
                f"{settings.window}",
                "raise `window` in settings.performance, or import fewer days, which vCenter keeps in finer samples",
                "name",
            )


@rule("VMF174", "error", "time too short to compare", blueprint=True)
def too_short(review: Review) -> Iterator[Problem]:
    """Prometheus needs several samples for a rate, and a VM needs some load before it can be judged."""
    settings = review.blueprint.performance
    for name, least in _SHORTEST.items() if settings is not None else ():
        stated = getattr(settings, name)
        if parse_duration(stated) < least:
            yield Problem(
                f"settings.performance.{name} is {stated}",
                f"set at least {duration(least)}",
                review.at("settings", "performance", name),
            )


@rule("VMF175", "error", "performance gate in a phase without gates", blueprint=True)
def no_gates(review: Review) -> Iterator[Problem]:
    """A gate reads evidence, and `gates: none` says that no move needs any: the comparison would stop nothing."""
    for index, phase in enumerate(review.spec.phases):
        if phase.performance is None or not phase.performance.gate:
            continue
        if (phase.gates or review.spec.settings.gates) == "none":
            yield Problem(
                f"phase {phase.name} has a performance gate, and gates: none",
                "set `gates: recorded` or `required` in the phase, or `performance: {gate: false}`",
                review.at("phases", index, "performance"),
            )


@rule("VMF176", "warning", "nothing alerts on slower VMs", blueprint=True)
def no_alerts(review: Review) -> Iterator[Problem]:
    """Alerts on VMs that are slower than in vSphere are PrometheusRules; without them, only the gate compares."""
    compared = [index for index, phase in enumerate(review.spec.phases) if phase.performance is not None]
    if compared and review.spec.target.monitoring.prometheus_rules is None:
        yield Problem(
            "phases compare VMs with their baseline, and no alerts are compiled",
            "state `prometheusRules` in target.monitoring, or accept this with a reason in `suppress`",
            review.at("phases", compared[0], "performance"),
        )


@rule("VMF177", "warning", "dashboards without data", blueprint=True)
def empty_dashboards(review: Review) -> Iterator[Problem]:
    """A dashboard shows the series that PrometheusRules record, of phases with `performance`: without both, nothing."""
    monitoring = review.spec.target.monitoring
    if monitoring.dashboards is None:
        return
    lacks = [] if review.blueprint.performance is not None else ["no phase has `performance`"]
    lacks += [] if monitoring.prometheus_rules is not None else ["no `prometheusRules` record what they show"]
    if lacks:
        yield Problem(
            f"the dashboards have nothing to show: {' and '.join(lacks)}",
            "state it, or remove `dashboards`",
            review.at("target", "monitoring", "dashboards"),
        )
