"""The layers of a move group's base, and the roots that its stage composes from them."""

from vmferry.estate.methods import METHODS
from vmferry.estate.methods.traits import Layer
from vmferry.estate.services import has_service
from vmferry.estate.stages import in_order
from vmferry.model.blueprint import Machine, Step
from vmferry.model.spec import Method, Stage

ALL = "all"
"""The one step of a group under Argo CD, where sync waves order what is in it."""


def layers(
    method: Method,
    machines: tuple[Machine, ...],
    stage: Stage = "planned",
    reached: Stage | None = None,
    *,
    graduated: bool = False,
    snapshots: bool = False,
    dns: bool = False,
    checks: bool = False,
    gone: bool = False,
) -> tuple[str, ...]:
    """Return the non-empty layers of a group. ``reached`` is the stage from which it was rolled back.

    A ``graduated`` group has no VMs any more. ``snapshots``: some of its VMs get one before they are accepted.
    ``dns``: ExternalDNS changes records of its VMs. ``checks``: a Job checks some of its VMs. When its source is
    ``gone``, nothing of Forklift's is left, and of the layer of a Plan only the Services of its VMs.
    """
    routed = not graduated and any(machine.route is not None and machine.route.known for machine in machines)
    holds = {
        "plan": not gone or (not graduated and any(map(has_service, machines))),
        "migration": not gone,
        "volumes": any(machine.clone_of is None for machine in machines),
        "images": any(machine.golden for machine in machines),
        "machines": any(not machine.golden for machine in machines) and not graduated,
        "snapshots": snapshots,
        "alias": any(machine.alias is not None and machine.alias.after is not None for machine in machines),
        "route-source": routed,
        "route": routed,
        "dns": dns,
        "checks": checks,
        "config": any(machine.state or (machine.application and machine.application.config) for machine in machines),
    }
    return tuple(
        name
        for name, layer in METHODS[method].layers.items()
        if holds.get(name, True) and (not layer.late or _synced(layer, stage, reached))
    )


def _synced(layer: Layer, stage: Stage, reached: Stage | None) -> bool:
    return reached in layer.kept if stage == "rolled-back" else stage in layer.stages


def steps(
    method: Method, stage: Stage, present: tuple[str, ...], engine: str, reached: Stage | None = None
) -> tuple[Step, ...]:
    """Return the roots that a group has at a stage: each waits for the one before while the group moves."""
    selected = [layer for layer in present if _synced(METHODS[method].layers[layer], stage, reached)]
    waits = in_order(stage)
    if engine == "argocd":
        return (Step(name=ALL, layers=tuple(selected)),) if selected else ()
    result: list[Step] = []
    for name, wanted in METHODS[method].steps:
        chosen = tuple(layer for layer in wanted if layer in selected)
        if chosen:
            result.append(Step(name=name, layers=chosen, after=tuple(step.name for step in result[-1:] if waits)))
    return tuple(result)
