"""What hosts that leave vSphere become, and whether licences last until then."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from vmferry.estate.decommission.takes import taken_hosts
from vmferry.estate.decommission.today import node_vendor, unfit_host
from vmferry.estate.phases import bounds, is_day, is_time, time_text
from vmferry.estate.timetable.works import dual_run
from vmferry.estate.wording import counted
from vmferry.model.review import Problem, Review
from vmferry.model.spec import SriovNetwork
from vmferry.rules.decommission import phase_at
from vmferry.rules.registry import rule

_SHOWN = 5  # names a message shows
_LATEST = datetime(9000, 1, 1).timestamp()  # noqa: DTZ001 - any zone will do


@rule("VMF458", "warning", "a licence ends before the last source may go")
def licence_ends(review: Review) -> Iterator[Problem]:
    """Hosts run without a licence, or the way back is gone before its time.

    The last source may go when the windows of all phases are over, with `dualRun.atLeast` and `businessCycle`; hosts
    go in the windows of phases of kind `decommission`. If a phase that is not of this kind has no window, nothing is
    known.
    """
    costs, until = review.spec.costs, _last_day(review)
    for index, licence in enumerate(costs.licences if costs is not None and until is not None else ()):
        if licence.of == "target" or licence.ends is None or not is_day(licence.ends) or until is None:
            continue
        days = (until - date.fromisoformat(licence.ends)).days
        if days > 0:
            yield Problem(
                f"licence {licence.name} ends on {licence.ends}, {counted(days, 'day')} before the last source may go "
                f"({until.isoformat()})",
                "renew it until then, or move the windows; `vmferry report cost` says what a week costs",
                review.at("costs", "licences", index, "ends"),
            )


@rule(
    "VMF459",
    "error",
    "a host is to become a node, and its hardware does not serve",
    source="https://docs.redhat.com/en/documentation/red_hat_enterprise_linux/9/html/considerations_in_adopting_rhel_9 "
    "(x86-64-v2)",
)
def unfit_as_node(review: Review) -> Iterator[Problem]:
    """KVM does not migrate a running VM between CPUs of Intel and AMD, and nodes need at least x86-64-v2.

    It fires for hosts in `takes` with `asNode: true`. The nodes' vendor is that of `cpuModel` in target.cluster.nodes;
    without it, that of most cores of all ESXi hosts. A CPU whose name says nothing fires nothing.
    """
    vendor = node_vendor(review)
    for phase in review.spec.phases:
        for index, taken in enumerate(phase.takes):
            for key in taken_hosts((taken,), review.hosts) if taken.as_node else ():
                why = unfit_host(review.hosts[key], vendor)
                if why is not None and "unknown" not in why:
                    yield Problem(
                        f"phase {phase.name}: host {key[1]} of {key[0]} is to become a node, and {why}",
                        "remove `asNode`, or take this host in a row of its own",
                        phase_at(review, phase.name, "takes", index, "asNode"),
                    )


@rule(
    "VMF460",
    "warning",
    "a host is to become a node, and its IOMMU is off",
    source="kubevirt docs user-guide/docs/compute/host-devices.md (IOMMU)",
)
def without_iommu(review: Review) -> Iterator[Problem]:
    """PCI devices and SR-IOV functions reach a VM by VFIO, which needs the IOMMU: VT-d or AMD-Vi, set in the firmware.

    It fires if VMs of the migration have devices or networks of type `sriov`. Only imports from vCenter know about the
    IOMMU.
    """
    devices = any(machine.gpus or machine.host_devices for _, machine in review.machines)
    if not devices and not any(isinstance(each.target, SriovNetwork) for each in review.spec.networks):
        return
    for phase in review.spec.phases:
        for index, taken in enumerate(phase.takes):
            keys = taken_hosts((taken,), review.hosts) if taken.as_node else []
            off = [name for source, name in keys if review.hosts[source, name].iommu is False]
            if off:
                become = "is to become a node" if len(off) == 1 else "are to become nodes"
                yield Problem(
                    f"phase {phase.name}: {_listed(off)} {become}, and VMs need an IOMMU for devices, which is off",
                    "turn on VT-d or AMD-Vi in the firmware when the hosts are installed as nodes",
                    phase_at(review, phase.name, "takes", index, "asNode"),
                )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{'host' if len(names) == 1 else 'hosts'} {', '.join(names[:_SHOWN])}{more}"


def _last_day(review: Review) -> date | None:
    """Return the day on which the last source may go; None if nobody knows."""
    ends = []
    for phase in review.spec.phases:
        over = [bounds(window)[1] for window in phase.windows if is_time(window.start)]
        if not over and phase.kind != "decommission":
            return None
        kept = dual_run(phase, review.spec.settings.schedule) if phase.kind != "decommission" else 0
        ends += [end + kept for end in over]
    if not ends or max(ends) > _LATEST:
        return None
    text = time_text(max(ends))
    return (datetime.fromisoformat(text) + timedelta(days=1)).date() if text is not None else None
