"""Specs compiled for other releases than they name: the examples, and the near misses of the rules."""

import functools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml
from tests.rules.laying import EXAMPLES as RULES
from tests.rules.laying import lay_out

from vmferry import backends
from vmferry.check import check
from vmferry.kube.versions import BY_COMPONENT, MAIN, Component
from vmferry.model.finding import SpecError
from vmferry.model.manifest import KubeObject, Resource
from vmferry.yaml.write import dump

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
Named = dict[Component, str]

AXES = (Component.FORKLIFT, Component.KUBEVIRT, Component.CDI, Component.KUBERNETES)
DEFAULT: Named = {component: BY_COMPONENT[component].newest for component in AXES}
OLDEST: Named = {component: BY_COMPONENT[component].tested[0] for component in AXES}
NEWEST: Named = DEFAULT | {Component.FORKLIFT: MAIN}


def matrix() -> Iterator[Named]:
    """Yield the releases to compile for: each of each component, the others by default; all oldest; all newest."""
    yield DEFAULT
    for component in AXES:
        for version in BY_COMPONENT[component].tested:
            if version != DEFAULT[component]:
                yield DEFAULT | {component: version}
    yield OLDEST
    yield NEWEST | {Component.KUBERNETES: OLDEST[Component.KUBERNETES]}


def label(versions: Named) -> str:
    """Return in what a row of the matrix differs from the defaults."""
    other = [f"{component}-{version}" for component, version in versions.items() if version != DEFAULT[component]]
    return "+".join(other) or "default"


def of_example(name: str, scratch: Path, versions: Named) -> list[KubeObject]:
    """Return all that an example is compiled to for these releases, for every stage of its groups."""
    project = scratch / name
    shutil.copytree(EXAMPLES / name, project, ignore=shutil.ignore_patterns("gitops", "assignments.yaml", "reports"))
    return compiled(project, versions)


def of_near_miss(code: str, scratch: Path, versions: Named) -> list[KubeObject]:
    """Return all that the near miss of a rule is compiled to for these releases; nothing where it can't be decided."""
    project = scratch / code
    lay_out(RULES / code / "passes.yaml", project)
    try:
        return compiled(project, versions)
    except SpecError:
        return []  # some are about what cannot be read


def compiled(project: Path, versions: Named) -> list[KubeObject]:
    """Return what the spec of a project is compiled to for these releases.

    Whether the spec may be compiled for them is another question: a field that a release lacks is left out, and a
    finding says what that means.
    """
    path = project / "spec.yaml"
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    spec.pop("groups", None)  # stages come one after the other; what is emitted for them does not differ
    cluster = spec["target"]["cluster"]
    cluster["versions"] = cluster.get("versions", {}) | {str(each): version for each, version in versions.items()}
    path.write_bytes(dump(spec))
    emitted = backends.emit(check(project).resolution.blueprint)
    return [item.object for item in emitted if isinstance(item, Resource)]


@functools.cache
def everything(*, newest: bool) -> dict[str, list[KubeObject]]:
    """Return what examples and near misses of rules are compiled to, by their name: for all the oldest, or newest."""
    versions = NEWEST if newest else OLDEST
    with tempfile.TemporaryDirectory() as scratch:
        found = {name: of_example(name, Path(scratch), versions) for name in ("acme", "minimal")}
        for path in sorted(RULES.glob("*/passes.yaml")):
            found[path.parent.name] = of_near_miss(path.parent.name, Path(scratch), versions)
        return found
