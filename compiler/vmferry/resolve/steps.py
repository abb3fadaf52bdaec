"""The layers of a move group's base, and the roots that its stage makes of them."""

from vmferry.estate.stages import LAYERS
from vmferry.model.blueprint import Machine, Step
from vmferry.model.spec import Method, Stage

# Layers that Flux applies as one root, in order: a later step waits for the earlier one. Flux dry-runs
# all of a root before it applies any of it, and Forklift's webhook refuses a Migration without its Plan.
_STEPS: dict[Method, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "warm": (("plan", ("plan",)), ("migration", ("migration",))),
    "cold": (("plan", ("plan",)), ("migration", ("migration",))),
    "job": (("convert", ("access", "conversion")), ("machines", ("machines",))),
    "image": (("import", ("volumes", "images")), ("machines", ("machines",))),
    "rebuild": (("workload", ("config", "workload")),),
}

ALL = "all"
"""The one step of a group under Argo CD, where sync waves order what is in it."""


def layers(method: Method, machines: tuple[Machine, ...]) -> tuple[str, ...]:
    """Return the layers of a group that hold anything."""
    holds = {
        "volumes": any(machine.clone_of is None for machine in machines),
        "images": any(machine.golden for machine in machines),
        "machines": any(not machine.golden for machine in machines),
        "config": any(machine.state or (machine.application and machine.application.config) for machine in machines),
    }
    return tuple(layer for layer in LAYERS[method] if holds.get(layer, True))


def steps(method: Method, stage: Stage, present: tuple[str, ...], engine: str) -> tuple[Step, ...]:
    """Return the roots that a group has at a stage."""
    selected = [layer for layer in present if stage in LAYERS[method][layer]]
    if engine == "argocd":
        return (Step(name=ALL, layers=tuple(selected)),) if selected else ()
    result: list[Step] = []
    for name, wanted in _STEPS[method]:
        chosen = tuple(layer for layer in wanted if layer in selected)
        if chosen:
            result.append(Step(name=name, layers=chosen, after=tuple(step.name for step in result[-1:])))
    return tuple(result)
