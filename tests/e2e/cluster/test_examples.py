"""Every example on a real API server: accepted, without drift, and through all stages without losing data."""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from tests.e2e.cluster import server
from tests.e2e.cluster.crds import Object
from tests.e2e.cluster.engines import ArgoCD, Engine, Flux, Report
from tests.e2e.cluster.server import Cluster, Key

from vmferry.compile import assignments_path, check, compile_tree, write
from vmferry.model.blueprint import Blueprint

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
ENGINES: dict[str, type[Engine]] = {"minimal": Flux, "acme": Flux, "acme-argocd": ArgoCD}
BOOTSTRAP = "gitops/clusters/prod-a"
STAGES = ("prepared", "migrating", "cutover")

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.environ.get("VMFERRY_E2E") != "1", reason="takes minutes and an API server: make e2e"),
]


class Synced(NamedTuple):
    """The committed output of an example, synced into a server of its own."""

    cluster: Cluster
    engine: Engine
    report: Report


@pytest.fixture(scope="module", params=sorted(ENGINES))
def synced(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synced]:
    name: str = request.param
    with server.running(tmp_path_factory.mktemp(name)) as cluster:
        engine = ENGINES[name](cluster, EXAMPLES / name, BOOTSTRAP)
        yield Synced(cluster, engine, engine.sync())


def test_every_object_is_accepted_without_a_warning(synced: Synced, tally: Counter[str]) -> None:
    report = synced.report
    tally.update(applied=len(report.applied), refused=len(report.refused), warned=len(report.warned))
    assert report.refused == []
    assert report.warned == []
    assert set(report.applied) <= set(synced.cluster.objects())


def test_applying_again_changes_nothing(synced: Synced, tally: Counter[str]) -> None:
    before = synced.cluster.objects()
    again = synced.engine.sync(again=True)
    after = synced.cluster.objects()
    assert again.refused == []
    assert set(again.applied) == set(synced.report.applied)
    drifted = [str(key) for key in before | after if _version(before, key) != _version(after, key)]
    tally.update(drifted=len(drifted))
    assert drifted == []


def _version(objects: dict[Key, Object], key: Key) -> tuple[Any, ...]:
    found = objects.get(key, {"metadata": {}})
    return (found["metadata"].get("resourceVersion"), found["metadata"].get("generation"), found.get("spec"))


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_the_stages_lose_nothing_that_holds_data(name: str, tmp_path: Path, tally: Counter[str]) -> None:
    with server.running(tmp_path) as cluster:
        walk = Walk(cluster, name, tmp_path)
        walk.step({})
        for group in walk.groups():
            for stage in STAGES:
                walk.step(walk.stages | {group: walk.state(group, stage)})
        walk.step({group: state | {"attempt": 2} for group, state in walk.stages.items()})  # everything once more
        walk.revert({group: walk.state(group, "prepared") for group in walk.groups()})
        walk.revert({})
        walk.drop_roots()
        tally.update(applied=walk.applied, deleted=len(walk.deleted), kept=len(walk.kept))
        tally.update(refused=len(walk.refused), lost=len(walk.lost()), stranded=len(walk.stranded))
        assert walk.refused == []
        assert walk.lost() == []
        assert walk.precious


class Walk:
    """Takes an example from stage to stage by changing its spec, as pull requests do, and syncs after each change."""

    def __init__(self, cluster: Cluster, name: str, scratch: Path) -> None:
        self._cluster = cluster
        self._repository = scratch / name
        shutil.copytree(EXAMPLES / name, self._repository, ignore=shutil.ignore_patterns("gitops", "assignments.yaml"))
        self._spec = yaml.safe_load((self._repository / "spec.yaml").read_text())
        self._stated: Object = self._spec.get("groups", {})
        self._engine = ENGINES[name](cluster, self._repository, BOOTSTRAP)
        self._blueprint: Blueprint | None = None
        self.stages: dict[str, Object] = {}
        self.precious: dict[Key, str] = {}  # what holds data, or what copies it, with its uid
        self.refused: list[str] = []
        self.deleted: list[Key] = []
        self.kept: list[Key] = []
        self.stranded: set[Key] = set()
        self.applied = 0

    def groups(self) -> list[str]:
        """Return the names of all groups, in the order of their phases."""
        assert self._blueprint is not None
        phases = [phase.name for phase in self._blueprint.phases]
        return [group.name for group in sorted(self._blueprint.groups, key=lambda each: phases.index(each.phase))]

    def state(self, name: str, stage: str) -> Object:
        """Return what the spec says of a group at a stage; one that migrates warm has a cutover in a window."""
        assert self._blueprint is not None
        [group] = [group for group in self._blueprint.groups if group.name == name]
        result: Object = {"stage": stage}
        if stage == "cutover" and group.method == "warm":
            [phase] = [phase for phase in self._blueprint.phases if phase.name == group.phase]
            result["cutover"] = phase.windows[0].start if phase.windows else "2027-01-01T00:00:00Z"
        return result

    def step(self, stages: dict[str, Object]) -> None:
        """Compile the spec with these stages, and sync."""
        self.stages = stages
        self._spec["groups"] = stages
        (self._repository / "spec.yaml").write_text(yaml.safe_dump(self._spec))
        assignments = assignments_path(self._repository)
        compiled = compile_tree(check(self._repository, assignments), self._repository, assignments)
        write(compiled)
        self._blueprint = compiled.blueprint
        self._sync()

    def revert(self, stages: dict[str, Object]) -> None:
        """Set the groups back as if nothing had run: git reverts the assignments too, else vmferry refuses (VMF411)."""
        (self._repository / "assignments.yaml").unlink()
        self.step(stages)

    def drop_roots(self) -> None:
        """Take every root but one out of each part of the entry point, by hand."""
        for path in (self._repository / BOOTSTRAP).glob("*/kustomization.yaml"):
            part = yaml.safe_load(path.read_text())
            path.write_text(yaml.safe_dump(part | {"resources": part["resources"][:1]}))
        self._sync()

    def lost(self) -> list[str]:
        """Return what held data and is gone, going, or another object by now."""
        now = self._cluster.objects()
        return [
            str(key)
            for key, uid in self.precious.items()
            if key not in now or now[key]["metadata"]["uid"] != uid or "deletionTimestamp" in now[key]["metadata"]
        ]

    def _sync(self) -> None:
        report = self._engine.sync()
        where = ", ".join(f"{group} {state['stage']}" for group, state in list(self.stages.items())[-1:])
        self.refused.extend(f"[{where}] {line}" for line in report.refused)
        self.deleted.extend(report.deleted)
        self.kept.extend(report.kept)
        self.stranded.update(report.stranded)
        self.applied += len(report.applied)
        for key, obj in report.applied.items():
            if _precious(obj):
                self.precious.setdefault(key, obj["metadata"]["uid"])


def _precious(obj: Object) -> bool:
    """Tell whether an object holds data, or everything below it does, or whether it copies data."""
    if obj["kind"] == "VirtualMachine":
        volumes = obj["spec"]["template"]["spec"].get("volumes", ())
        return any("dataVolume" in volume or "persistentVolumeClaim" in volume for volume in volumes)
    return obj["kind"] in ("DataVolume", "Migration", "Namespace", "PersistentVolumeClaim", "Plan")
