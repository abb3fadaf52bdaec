"""The Service by which clients in the cluster find a VM on either side: where it leads before and after cutover."""

from vmferry.estate.services import has_service
from vmferry.model.blueprint import Machine, MachineAlias
from vmferry.resolve.notes import Noting, decide
from vmferry.resolve.selection import Candidate


def alias(candidate: Candidate, machine: Machine) -> Noting[MachineAlias | None]:
    """Return the alias of a VM. Without a Service of its own, only the spec can say where the target is."""
    stated = candidate.vm.alias
    if stated is None or machine.golden:
        return None
    served = bool(machine.application.ports) if machine.application is not None else has_service(machine)
    own = f"{machine.target_name}.{machine.namespace}.svc.cluster.local" if served else None
    found = MachineAlias(name=stated.name, before=stated.before, after=stated.after or own)
    why = "the spec says so" if stated.after is not None else "the Service of its ports"
    yield decide(candidate.key, f"alias {found.name}", f"{found.before} → {found.after or 'unknown'}", why)
    return found
