"""Decisions that a path has no field for: they must not be lost without a word."""

from collections.abc import Callable, Iterator

from vmferry.model.blueprint import Blueprint, Machine, Path
from vmferry.model.finding import Finding


def check(blueprint: Blueprint) -> Iterator[Finding]:
    """Yield what the path of a VM cannot say of it; a Plan of Forklift has the fewest fields."""
    for group in blueprint.groups:
        for machine in group.machines:
            if lost := sorted(_LOST[group.path](machine)):
                yield _finding(blueprint, machine, "VMF507", lost, "use another path, or drop the decision")
            if group.path == "forklift" and (later := sorted(_later(machine))):
                fix = "it is set once vmferry owns the VM; until then Forklift's defaults hold"
                yield _finding(blueprint, machine, "VMF508", later, fix)


def _finding(blueprint: Blueprint, machine: Machine, code: str, fields: list[str], fix: str) -> Finding:
    return Finding(
        code=code,
        message=f"VM {machine.name}: path {machine.path} ({machine.method}) has no field for {', '.join(fields)}",
        help=fix,
        where=blueprint.places.get(machine.key),
        vms=(machine.name,),
    )


def _forklift(machine: Machine) -> Iterator[str]:
    """Yield what a Plan cannot say and the VM would need (forklift.konveyor.io/v1beta1 Plan.spec)."""
    if machine.placement.tolerations:
        yield "tolerations"
    if any(nic.readdress is not None for nic in machine.nics):
        yield "new addresses (staticIP: cloud-init)"
    if any(disk.bus != "virtio" for disk in machine.disks):
        yield "the bus of a disk"
    if any(nic.model != "virtio" for nic in machine.nics):
        yield "the model of a NIC"
    if any(not nic.connected for nic in machine.nics):
        yield "a NIC that is not connected"


def _virt_v2v(machine: Machine) -> Iterator[str]:
    if machine.hooks:
        yield "Forklift hooks"
    if machine.method == "image" and (machine.luks_secret or machine.nbde_clevis):
        yield "LUKS keys"


def _rebuild(machine: Machine) -> Iterator[str]:
    if machine.ports:
        yield "ports (say application.ports)"


_LOST: dict[Path, Callable[[Machine], Iterator[str]]] = {
    "forklift": _forklift,
    "virt-v2v": _virt_v2v,
    "rebuild": _rebuild,
}


def _later(machine: Machine) -> Iterator[str]:
    """Yield what takes effect once the VM's manifest is vmferry's own."""
    fields = {
        "cpuModel": machine.cpu_model,
        "preference": machine.preference,
        "priorityClass": machine.priority_class,
        "runStrategy Manual": machine.run_strategy == "Manual",
        "runStrategy RerunOnFailure": machine.run_strategy == "RerunOnFailure",
    }
    yield from (name for name, wanted in fields.items() if wanted)
