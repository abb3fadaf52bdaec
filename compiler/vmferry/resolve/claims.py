"""Names of volume claims: the same name in a namespace is the same volume."""

from collections.abc import Iterable, Iterator, Mapping

from vmferry.estate.statements import DEFINED_TWICE
from vmferry.model.blueprint import Machine
from vmferry.model.finding import Where
from vmferry.model.keys import VmKey
from vmferry.resolve.notes import Noting


def check_claims(machines: Iterable[Machine], places: Mapping[VmKey, Where]) -> Noting[None]:
    """Report claims that two machines would create: both would write to the same volume.

    ``places`` are the VMs' entries.
    """
    owners: dict[tuple[str, str], Machine] = {}
    for machine in machines:
        for claim in _claims(machine):
            other = owners.setdefault((machine.namespace, claim), machine)
            if other is not machine:
                yield DEFINED_TWICE.finding(
                    f"VMs {other.name} and {machine.name} would both make claim {claim} in {machine.namespace}",
                    "rename the volume in `application.state`, or give one of the two another targetName",
                    where=places.get(machine.key),
                    vms=(other.name, machine.name),
                )


def _claims(machine: Machine) -> Iterator[str]:
    yield from (disk.claim for disk in machine.disks if disk.owner)
    application = machine.application
    replicas = application.replicas if application is not None and application.kind == "StatefulSet" else 0
    for volume in machine.state:
        if replicas and volume.access_mode != "ReadWriteMany":
            # names that its controller uses (kubernetes pkg/controller/statefulset getPersistentVolumeClaimName)
            yield from (f"{volume.name}-{machine.target_name}-{each}" for each in range(replicas))
        else:
            yield volume.claim
