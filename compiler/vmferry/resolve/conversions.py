"""What fills the disks of VMs on path virt-v2v, and with which settings: those of a started attempt, or current."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from msgspec import structs

from vmferry.estate.stages import begun
from vmferry.kube.versions import GARBAGE_COLLECTION, HTTP_CHECKSUM, VDDK_INSTANCE_UUID, certain_in, possible_in
from vmferry.model.blueprint import Conversion, Machine, Origin
from vmferry.model.keys import Reference, VmKey
from vmferry.model.project import Project
from vmferry.model.spec import Cluster, GroupState, VCenter
from vmferry.resolve.notes import value_of
from vmferry.resolve.sources import conversion_credentials


def conversion_now(
    cluster: Cluster,
    vcenter: VCenter,
    secret: str | None,
    attempt: int | None = None,
    places_at: Reference | None = None,
) -> Conversion:
    """Return the settings of an attempt that starts now. With Kueue, its queue limits how many run at once."""
    placed = places_at is not None and cluster.kueue_queue is None
    return Conversion(
        image=cluster.v2v_image,
        cdi=cluster.versions.cdi,
        url=vcenter.url,
        sdk_endpoint=vcenter.sdk_endpoint,
        thumbprint=vcenter.thumbprint,
        insecure_skip_verify=vcenter.insecure_skip_verify,
        vddk_image=vcenter.vddk_image,
        secret=secret,
        attempt=attempt,
        places=vcenter.parallel_conversions if placed else None,
        places_at=places_at if placed else None,
        queue=cluster.kueue_queue,
        sized=True,
        scratch=cluster.conversion_scratch,
    )


class Conversions:
    """The settings of conversions that start now. ``places`` is the result of `turns`."""

    def __init__(self, project: Project, places: Mapping[str, Reference]) -> None:
        self._project = project
        self._places = places
        self._vcenters = {source.name: source.vcenter for source in project.spec.sources}
        self._known: dict[tuple[str, str, int | None], Conversion] = {}

    def now(self, machine: Machine, attempt: int | None = None) -> Conversion | None:
        """Return the settings of the machine's attempt; None if its source is gone, which is an error."""
        place = (machine.source, machine.namespace, attempt)
        vcenter = self._vcenters.get(machine.source)
        if place not in self._known and vcenter is not None:
            # its findings are reported with the namespace
            found = value_of(conversion_credentials(self._project, machine.source, machine.namespace, ()))
            cluster, turns = self._project.spec.target.cluster, self._places.get(machine.source)
            self._known[place] = conversion_now(cluster, vcenter, found.name if found else None, attempt, turns)
        return self._known.get(place)

    def origins(self, machines: Iterable[Machine]) -> dict[VmKey, Origin]:
        """Return for each machine on path virt-v2v what fills its disks."""
        found = {}
        for machine in machines:
            if machine.path == "virt-v2v" and (now := self.now(machine)) is not None:
                found[machine.key] = origin(machine, machine.conversion or now, now.secret)
        return found


def origin(machine: Machine, conversion: Conversion, secret: str | None) -> Origin:
    """Return the origin of a machine's disks. ``secret`` is for a record without one."""
    by_instance, checksums, collected = _abilities(conversion.cdi)
    return Origin(
        conversion=conversion,
        secret=conversion.secret or secret,
        # A BIOS UUID may belong to several VMs, and vCenter answers with the first; an instance UUID belongs to one.
        uuid=(machine.instance_uuid if by_instance else None) or machine.uuid,
        checksums=checksums,
        collected=collected,
    )


@cache
def _abilities(cdi: str) -> tuple[bool, bool, bool]:
    """Return whether a version of CDI finds VMs by instance UUID, checks images, and may collect DataVolumes."""
    return (
        certain_in(cdi, VDDK_INSTANCE_UUID),
        certain_in(cdi, HTTP_CHECKSUM),
        possible_in(cdi, GARBAGE_COLLECTION),
    )


def begin(project: Project, machines: Iterable[Machine], conversions: Conversions) -> Iterator[Machine]:
    """Yield the machines, each with its attempt's settings if it has started: recorded ones, or today's.

    A newer image or another thumbprint only applies to later attempts. Flux would leave a Job alone (`ssa:
    IfNotPresent`); Argo CD has no equivalent, and one refused object fails the sync of the whole root.
    """
    for machine in machines:
        state = project.spec.groups.get(machine.group, GroupState())
        was = machine.conversion
        if machine.path != "virt-v2v" or not begun(state.stage):
            yield structs.replace(machine, conversion=None)
        elif was is not None and was.attempt == state.attempt:
            yield machine
        else:
            yield structs.replace(machine, conversion=conversions.now(machine, state.attempt) or was)
