"""Decisions that a path has no field for: they must not be lost silently."""

from collections.abc import Callable, Iterator

from vmferry.model.blueprint import Machine, Path, PlanOptions
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import rule

_PLAN = "kubev2v/forklift operator/config/crd/bases (Plan, spec and spec.vms)"


@rule("VMF507", "error", "not possible with this path", source=_PLAN, essential=True)
def lost(review: Review) -> Iterator[Problem]:
    """Each path writes different manifests; a Forklift Plan, which covers many VMs, can express the least.

    A decision that the path cannot express would be lost silently, so it has to be removed by hand.
    """
    for group in review.blueprint.groups:
        for machine in group.machines:
            if fields := sorted(_LOST[group.path](machine)):
                yield _problem(review, machine, fields, "use another path, or remove the decision")


@rule("VMF508", "warning", "a Plan cannot express this, it takes effect later", source=_PLAN)
def later(review: Review) -> Iterator[Problem]:
    """Forklift creates the VM with its own defaults; until vmferry's manifest takes it over, it runs without this.

    Whether that matters for some days is for someone to decide who knows the VM.
    """
    for group in review.blueprint.groups:
        for machine in group.machines if group.path == "forklift" else ():
            if fields := sorted(_later(machine)):
                fix = "it takes effect once vmferry manages the VM; until then Forklift's defaults apply"
                yield _problem(review, machine, fields, fix)


def _problem(review: Review, machine: Machine, fields: list[str], fix: str) -> Problem:
    message = f"VM {machine.name}: path {machine.path} ({machine.method}) does not support {', '.join(fields)}"
    return Problem(message, fix, review.blueprint.places.get(machine.key), (machine.name,))


def _forklift(machine: Machine) -> Iterator[str]:
    """Yield what the VM needs and a Plan cannot express (forklift.konveyor.io/v1beta1 Plan.spec)."""
    if machine.placement.tolerations:
        yield "tolerations"
    yield from _hardware(machine)
    if any(nic.readdress is not None for nic in machine.nics):
        yield "new addresses (staticIP: cloud-init)"
    bus, model = _devices(machine)
    if any(disk.bus != bus for disk in machine.disks):
        yield "the bus of a disk" + " (a Plan has one for all)" * machine.raw
    if any(nic.model != model for nic in machine.nics):
        yield "the model of a NIC" + " (a Plan has one for all)" * machine.raw
    if any(not nic.connected for nic in machine.nics):
        yield "a NIC that is not connected"
    # Every NIC that is not on the pod network gets `bridge: {}` (mapNetworks in adapter/vsphere/builder.go).
    yield from sorted({f"the {_BOUND[nic.binding]} binding of a NIC" for nic in machine.nics if nic.binding in _BOUND})


def _hardware(machine: Machine) -> Iterator[str]:
    """Yield CPU and memory settings that only vmferry's own VirtualMachine can express."""
    if machine.dedicated_cpus:
        yield "dedicated CPUs"
    if machine.hugepages is not None:
        yield "huge pages"
    if machine.numa_passthrough:
        yield "the NUMA topology"


_BOUND = {"sriov": "SR-IOV", "macvtap": "macvtap"}
"""NIC bindings that Forklift cannot create, with their usual names."""


def _devices(machine: Machine) -> tuple[str, str]:
    """Return the bus and the NIC model that Forklift gives all VMs of a Plan."""
    options = machine.forklift or PlanOptions()
    return ("sata", "e1000e") if options.raw and options.emulated else ("virtio", "virtio")


def _virt_v2v(machine: Machine) -> Iterator[str]:
    if machine.hooks:
        yield "Forklift hooks"
    if machine.method == "image" and (machine.luks_secret or machine.nbde_clevis):
        yield "LUKS keys"


def _rebuild(machine: Machine) -> Iterator[str]:
    if machine.ports:
        yield "ports (use application.ports)"


_LOST: dict[Path, Callable[[Machine], Iterator[str]]] = {
    "forklift": _forklift,
    "virt-v2v": _virt_v2v,
    "rebuild": _rebuild,
}


def _another_app(machine: Machine) -> bool:
    return machine.placement.labels.get("app", machine.target_name) != machine.target_name


def _later(machine: Machine) -> Iterator[str]:
    """Yield what takes effect once vmferry manages the VM's manifest."""
    fields = {
        "cpuModel": machine.cpu_model,
        # Set after targetLabels, to the VM's name (virtualMachine in pkg/controller/plan/kubevirt.go).
        "label app (Forklift sets it to the VM's name)": _another_app(machine),
        "preference": machine.preference,
        "priorityClass": machine.priority_class,
        "runStrategy Manual": machine.run_strategy == "Manual",
        "runStrategy RerunOnFailure": machine.run_strategy == "RerunOnFailure",
    }
    yield from (name for name, wanted in fields.items() if wanted)
