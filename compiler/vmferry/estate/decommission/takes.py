"""What phases of kind decommission take out of vSphere: which hosts, and which vCenters as a whole."""

from collections.abc import Iterable, Iterator, Mapping

from vmferry.estate.hardware import HostKey
from vmferry.model.inventory import InventoryHost
from vmferry.model.spec import MigrationSpec, Phase, Taken


def takes_of(phase: Phase, spec: MigrationSpec) -> tuple[Taken, ...]:
    """Return what a phase takes; every source, if it does not say."""
    if phase.kind != "decommission":
        return ()
    return phase.takes or tuple(Taken(source=source.name) for source in spec.sources)


def begun(spec: MigrationSpec) -> Iterator[Phase]:
    """Yield the phases whose hosts are being taken out of vSphere, or are gone."""
    return (phase for phase in spec.phases if phase.kind == "decommission" and phase.state != "planned")


def covers(taken: Taken, source: str, cluster: str | None, host: str | None) -> bool:
    """Return whether a host, or a VM in that cluster and on that host, is among what is taken."""
    if taken.source != source:
        return False
    if taken.host is not None:
        return taken.host == host
    return taken.cluster in (None, cluster)


def is_whole(taken: Taken) -> bool:
    """Return whether a whole vCenter is taken."""
    return taken.cluster is None and taken.host is None


def named(taken: Taken) -> str:
    """Return what is taken, in words."""
    if taken.host is not None:
        return f"host {taken.host} of {taken.source}"
    return f"cluster {taken.cluster} of {taken.source}" if taken.cluster is not None else taken.source


def whole_sources(spec: MigrationSpec) -> frozenset[str]:
    """Return the sources that are gone as a whole: nothing that reads from them is synced any more."""
    return frozenset(
        taken.source
        for phase in spec.phases
        if phase.state == "done"
        for taken in takes_of(phase, spec)
        if is_whole(taken)
    )


def taken_hosts(takes: Iterable[Taken], hosts: Mapping[HostKey, InventoryHost]) -> list[HostKey]:
    """Return the hosts that are taken, of those in the inventory."""
    rows = tuple(takes)
    return [
        key for key, host in sorted(hosts.items()) if any(covers(each, key[0], host.cluster, key[1]) for each in rows)
    ]
