"""Takes an example from stage to stage by changing its spec, as pull requests do, while an engine syncs it."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import yaml
from tests.e2e.cluster.crds import Object
from tests.e2e.cluster.engines import Report
from tests.e2e.cluster.server import Cluster, Key

from vmferry.compile import assignments_path, check, compile_tree, write
from vmferry.model.blueprint import Blueprint

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
BOOTSTRAP = "gitops/clusters/prod-a"
STAGES = ("prepared", "migrating", "cutover")


class Syncs(Protocol):
    """An engine that follows a repository: an imitation, or the real one."""

    def sync(self, *, again: bool = False) -> Report:
        """Bring the cluster to what the repository says, and tell what was done; ``again`` looks at all of it."""


class Walk:
    """A copy of an example, and a cluster that follows it."""

    def __init__(self, cluster: Cluster, name: str, scratch: Path, engine: Callable[[Path], Syncs]) -> None:
        self._cluster = cluster
        self._repository = scratch / name
        shutil.copytree(EXAMPLES / name, self._repository, ignore=shutil.ignore_patterns("gitops", "assignments.yaml"))
        self._spec = yaml.safe_load((self._repository / "spec.yaml").read_text())
        self._stated: Object = self._spec.get("groups", {})
        self._engine = engine(self._repository)
        self._blueprint: Blueprint | None = None
        self.stages: dict[str, Object] = {}
        self.precious: dict[Key, str] = {}  # what holds data, or what copies it, with its uid
        self.refused: list[str] = []
        self.deleted: list[Key] = []
        self.kept: list[Key] = []
        self.stranded: set[Key] = set()
        self.applied = 0
        self._release = 0

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
        if attempt := self.stages.get(name, {}).get("attempt"):
            result["attempt"] = attempt
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

    def edit(self, change: Callable[[Object], None]) -> None:
        """Change the spec, compile it with the stages as they are, and sync."""
        change(self._spec)
        self.step(self.stages)

    def renew(self) -> None:
        """Change what people change while groups are on their way: newer images, another certificate and secret."""
        self._release += 1
        images = {name: f"registry.example.com/{name}:{self._release}".lower() for name in ("v2vImage", "smokeImage")}
        self._spec["target"]["cluster"] |= images
        for source in self._spec["sources"]:
            thumbprint = ":".join([f"{self._release:02X}"] * 20)
            source["vcenter"] |= {"vddkImage": f"registry.example.com/vddk:{self._release}", "thumbprint": thumbprint}
            if "conversionCredentials" in source["vcenter"]:
                source["vcenter"]["conversionCredentials"] = {"secretRef": {"name": f"read-{self._release}"}}
        self.step(self.stages)

    def revert(self, stages: dict[str, Object]) -> None:
        """Set the groups back as if nothing had run: git reverts the assignments too, else vmferry refuses (VMF411)."""
        (self._repository / "assignments.yaml").unlink()
        self.step(stages)

    def all_at(self, stage: str) -> dict[str, Object]:
        """Return what the spec says when all groups are at one stage."""
        return {group: self.state(group, stage) for group in self.groups()}

    def retry(self, *groups: str) -> None:
        """Have groups that migrate begin a second attempt."""
        self.step(self.stages | {group: self.stages[group] | {"attempt": 2} for group in groups})

    def all_the_way(self) -> None:
        """Take all groups through every stage together, with what people change meanwhile, twice copied; and back."""
        self.step({})
        for stage in STAGES:
            self.step(self.all_at(stage))
            self.renew()
            if stage == "migrating":
                self.retry(*self.groups())
        self.revert({group: {"stage": "prepared"} for group in self.groups()})
        self.revert({})

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

    def count(self, tally: Counter[str]) -> None:
        """Add up what became of objects."""
        tally.update(applied=self.applied, deleted=len(self.deleted), kept=len(self.kept))
        tally.update(refused=len(self.refused), lost=len(self.lost()), stranded=len(self.stranded))

    def _sync(self) -> None:
        report = self._engine.sync()
        where = ", ".join(f"{group} {state['stage']}" for group, state in list(self.stages.items())[-1:])
        self.refused.extend(f"[{where}] {line}" for line in report.refused)
        self.deleted.extend(report.deleted)
        self.kept.extend(report.kept)
        self.stranded.update(report.stranded)
        self.applied += len(report.applied)
        for key, obj in report.applied.items():
            if precious(obj):
                self.precious.setdefault(key, obj["metadata"]["uid"])


def precious(obj: Object) -> bool:
    """Tell whether an object holds data, or everything below it does, or whether it copies data."""
    if obj["kind"] == "VirtualMachine":
        volumes = obj["spec"]["template"]["spec"].get("volumes", ())
        return any("dataVolume" in volume or "persistentVolumeClaim" in volume for volume in volumes)
    return obj["kind"] in ("DataVolume", "Migration", "Namespace", "PersistentVolumeClaim", "Plan")
