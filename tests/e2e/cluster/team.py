"""A team's repository, in git, that a real engine syncs: people change the spec, compile and commit."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import yaml
from tests.e2e.cluster.crds import Object
from tests.e2e.cluster.engines import Report
from tests.e2e.cluster.server import Cluster, Key, key_of
from tests.e2e.cluster.walk import EXAMPLES, Syncs, precious
from tests.invocation import Result, vmferry
from tests.resolve.projects import vm

ENTRY = "gitops/clusters/prod-a"


class Engine(Syncs, Protocol):
    """One that tells what is wrong."""

    def fails(self, part: str) -> str:
        """Sync, and return what is said of that which fails and has a part of its name."""


class Team:
    """A migration in which each phase has VMs of its own, so that one situation does not disturb another."""

    def __init__(self, cluster: Cluster, repository: Path, engine: str, follow: Callable[[Path], Engine]) -> None:
        self.cluster = cluster
        self.repository = repository
        self.follower = follow(repository)
        self.precious: dict[Key, str] = {}
        self.spec: Object = yaml.safe_load((EXAMPLES / "minimal" / "spec.yaml").read_text())
        self.spec["sources"][0]["vcenter"] |= {
            "conversionCredentials": {"secretRef": {"name": "vc1-conversion"}},
            "thumbprint": ":".join(["0F"] * 20),
        }
        self.spec["target"]["gitops"]["engine"] = engine
        self.spec["namespaces"] = [{"name": "web"}]
        self.spec["defaults"] = {"namespace": "web", "path": "forklift", "method": "cold"}
        self.spec |= {"phases": [], "groups": {}, "vms": []}
        repository.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        """Run git in the repository as somebody of the team."""
        who = ("-c", "user.name=Team", "-c", "user.email=team@example.com", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(self.repository), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def has(self, phase: str, *names: str, **decisions: Any) -> None:
        """Add a phase with VMs to the spec."""
        self.spec["phases"].append({"name": phase, "windows": [{"start": "2027-01-16T20:00:00Z", "duration": "6h"}]})
        self.spec["vms"] += [_vm(len(self.spec["vms"]) + at, name, phase) | decisions for at, name in enumerate(names)]

    def entry(self, name: str) -> Object:
        """Return the spec's entry of a VM."""
        return next(each for each in self.spec["vms"] if each["name"] == name)

    def compile(self, *options: str) -> Result:
        """Write the spec and compile it."""
        (self.repository / "spec.yaml").write_text(yaml.safe_dump(self.spec, sort_keys=False))
        return vmferry("compile", self.repository, "--out", self.repository, *options)

    def commit(self, message: str) -> None:
        """Commit all that there is."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def step(self, group: str, stage: str, **more: Any) -> Report:
        """Set a group to a stage, compile, commit, and let the engine sync it."""
        self.spec["groups"][group] = {"stage": stage, **more}
        done = self.compile()
        assert done.code == 0, done.text
        self.commit(f"{group} to {stage}")
        return self.sync()

    def moves(self, group: str, *stages: str) -> None:
        """Take a group from stage to stage."""
        for stage in stages:
            self.step(group, stage)

    def sync(self) -> Report:
        """Let the engine sync what is committed."""
        report = self.follower.sync()
        assert report.refused == []
        for key, obj in report.applied.items():
            if precious(obj):
                self.precious.setdefault(key, obj["metadata"]["uid"])
        return report

    def again(self) -> Report:
        """Let the engine look at everything once more, as it does from time to time."""
        report = self.follower.sync(again=True)
        assert report.refused == []
        return report

    def live(self, kind: str, part: str) -> dict[Key, Object]:
        """Return what the cluster has of a kind, with a part of its name."""
        return {key: obj for key, obj in self.cluster.objects().items() if key.kind == kind and part in key.name}

    def layer_of(self, key: Key, group: str) -> Path:
        """Return the overlay of a group that builds an object."""
        for layer in sorted((self.repository / "gitops/overlays" / group).iterdir()):
            built = yaml.safe_load_all(self.cluster.kubectl("kustomize", str(layer)).stdout)
            if any(key_of(obj) == key for obj in built):
                return layer
        raise AssertionError(f"no overlay of {group} builds {key}")

    def lost(self) -> list[str]:
        """Return what held data, or copied it, and is gone, going or another object by now."""
        now = {key: obj for key, obj in self.cluster.objects().items() if "deletionTimestamp" not in obj["metadata"]}
        return [str(key) for key, uid in self.precious.items() if key not in now or now[key]["metadata"]["uid"] != uid]


def _vm(number: int, name: str, phase: str) -> Object:
    return vm(
        name,
        id=f"vm-{100 + number}",
        uuid=f"42301f6e-1c5d-4c6e-9d3a-{number:012x}",
        phase=phase,
        guestId="rhel9_64Guest",
        disks=[{"size": "40Gi", "datastore": "datastore1"}],
        nics=[{"network": "VM Network", "mac": f"00:50:56:9a:20:{number:02x}"}],
    )
