"""The layers of a move group's base, and the roots that its stage composes from them."""

from vmferry.estate.methods import METHODS
from vmferry.model.blueprint import Machine, Step
from vmferry.model.spec import Method, Stage

ALL = "all"
"""The one step of a group under Argo CD, where sync waves order what is in it."""


def layers(method: Method, machines: tuple[Machine, ...]) -> tuple[str, ...]:
    """Return the non-empty layers of a group."""
    holds = {
        "volumes": any(machine.clone_of is None for machine in machines),
        "images": any(machine.golden for machine in machines),
        "machines": any(not machine.golden for machine in machines),
        "config": any(machine.state or (machine.application and machine.application.config) for machine in machines),
    }
    return tuple(layer for layer in METHODS[method].layers if holds.get(layer, True))


def steps(method: Method, stage: Stage, present: tuple[str, ...], engine: str) -> tuple[Step, ...]:
    """Return the roots that a group has at a stage."""
    selected = [layer for layer in present if stage in METHODS[method].layers[layer].stages]
    if engine == "argocd":
        return (Step(name=ALL, layers=tuple(selected)),) if selected else ()
    result: list[Step] = []
    for name, wanted in METHODS[method].steps:
        chosen = tuple(layer for layer in wanted if layer in selected)
        if chosen:
            result.append(Step(name=name, layers=chosen, after=tuple(step.name for step in result[-1:])))
    return tuple(result)
