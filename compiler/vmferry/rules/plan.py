"""Decisions that a Forklift Plan has no field for: they must not be lost without a word."""

from collections.abc import Iterator

from vmferry.model.blueprint import Blueprint, Machine
from vmferry.model.finding import Finding


def check(blueprint: Blueprint) -> Iterator[Finding]:
    """Yield what a Plan cannot say of its VMs (forklift.konveyor.io/v1beta1 Plan.spec)."""
    for group in blueprint.groups:
        for machine in group.machines if group.path == "forklift" else ():
            where = blueprint.places.get(machine.key)
            if machine.placement.tolerations:
                yield Finding(
                    code="VMF507",
                    message=f"VM {machine.name}: Forklift cannot give a VM tolerations",
                    help="use path virt-v2v, or nodes without that taint: the VM would not be scheduled",
                    where=where,
                    vms=(machine.name,),
                )
            if later := sorted(_later(machine)):
                yield Finding(
                    code="VMF508",
                    message=f"VM {machine.name}: Forklift does not know {', '.join(later)}",
                    help="it is set once vmferry owns the VM; until then Forklift's defaults hold",
                    where=where,
                    vms=(machine.name,),
                )


def _later(machine: Machine) -> Iterator[str]:
    fields = {
        "cpuModel": machine.cpu_model,
        "preference": machine.preference,
        "priorityClass": machine.priority_class,
        "runStrategy Manual": machine.run_strategy == "Manual",
        "runStrategy RerunOnFailure": machine.run_strategy == "RerunOnFailure",
    }
    yield from (name for name, wanted in fields.items() if wanted)
