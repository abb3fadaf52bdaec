"""VMs that git takes over as they are in the cluster."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from vmferry.estate.adoption import lacks, recorded
from vmferry.estate.stages import OWNED
from vmferry.estate.statements import ADOPTED_MISFIT
from vmferry.estate.wording import counted
from vmferry.model.blueprint import Group, Machine
from vmferry.model.finding import Where
from vmferry.model.keys import VmKey
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import also, rule


@rule(
    "VMF881",
    "error",
    "VM is adopted without a record",
    source="kubev2v/forklift pkg/controller/plan/adapter/vsphere/builder.go (mapDisks, mapNetworks), "
    "pkg/controller/plan/kubevirt.go (virtualMachine)",
    essential=True,
    blueprint=True,
)
def unrecorded(review: Review) -> Iterator[Problem]:
    """From `adopted` on, git owns the VMs, and nobody but Forklift and KubeVirt knows what they made of them.

    The preference, the PCI addresses of NICs, the serial numbers of disks and the disk that boots are found at run
    time. Server-side apply replaces the lists of disks and interfaces as a whole, so a manifest that guessed any of
    this would change the VM. `vmferry adopt` records it from what `kubectl get` shows. A record is of one attempt: a
    VM that was made again is recorded again.
    """
    known = recorded(review.project.adopted.values())
    for group in review.blueprint.groups:
        if group.path != "forklift" or group.stage not in OWNED or group.graduated:
            continue
        missing = [machine for machine in group.machines if not machine.golden and machine.key not in group.adopted]
        if missing:
            stale = all(machine.key in known for machine in missing)
            why = "recorded in an earlier attempt" if stale else "not recorded as they are in the cluster"
            yield Problem(
                f"group {group.name} is {group.stage}, and {counted(len(missing), 'VM')} of it "
                f"{'was' if len(missing) == 1 else 'were'} {why}: {_some(missing)}",
                f"record what Forklift made, and commit it: `{command(review.project.given, group)}`",
                review.at("groups", group.name, "stage"),
                tuple(machine.name for machine in missing),
            )


def command(spec: str, group: Group) -> str:
    """Return the command that records the VMs of a group."""
    get = f"kubectl get vm,pvc -n {group.namespace} -o json"
    return f"{get} | vmferry adopt {shlex.quote(spec or '.')} {group.name} --from -"


def _some(machines: list[Machine]) -> str:
    names = [machine.name for machine in machines]
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


@also(ADOPTED_MISFIT, groups=True)
def foreign(review: Review) -> Iterator[Problem]:
    """Yield a problem if recorded VMs are of another migration, or lack what was decided for them."""
    name = review.spec.metadata.name
    for file, found in sorted(review.project.adopted.items()):
        if found.metadata.name != name:
            yield Problem(
                f"{Path(file).name} in adopted/ belongs to migration {found.metadata.name}, not {name}",
                "move it back to its migration",
                Where(file=file).at("metadata", "name"),
            )
    files = review.project.adopted.items()
    places = {key: Where(file=file).at("vms", key) for file, found in files for key in found.vms}
    for group, machine in review.machines:
        yield from _lost(group, machine, places)


def _lost(group: Group, machine: Machine, places: dict[VmKey, Where]) -> Iterator[Problem]:
    spec = group.adopted.get(machine.key)
    few = lacks(spec, len(machine.disks), len(machine.nics)) if spec is not None else None
    if few is not None:
        yield Problem(
            f"VM {machine.name}: its record has {few}",
            "restore the file from git: a disk or NIC that is not in it would be taken off the VM",
            places[machine.key].at("spec"),
            (machine.name,),
        )
