"""A team's repository, in git, that a real engine syncs: people change the spec, compile and commit."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest
import yaml
from tests.e2e.cluster import argocd, flux, operators, server
from tests.e2e.cluster.api import Api
from tests.e2e.cluster.crds import Object
from tests.e2e.cluster.engines import Report
from tests.e2e.cluster.server import Cluster, Key, key_of
from tests.e2e.cluster.walk import EXAMPLES, Syncs, precious
from tests.invocation import Result, vmferry
from tests.resolve.projects import vm

ENTRY = "gitops/clusters/prod-a"
_PRECIOUS = (
    *("namespace", "persistentvolumeclaim", "datavolume.cdi.kubevirt.io", "virtualmachine.kubevirt.io"),
    *("plan.forklift.konveyor.io", "migration.forklift.konveyor.io"),
)
"""What `precious` is about."""


class Engine(Syncs, Protocol):
    """One that tells what is wrong."""

    def fails(self, part: str) -> str:
        """Sync, and return what is said of that which fails and has a part of its name."""


class Played(NamedTuple):
    """A cluster with a real engine, in which the operators are played."""

    engine: str
    cluster: Cluster
    scratch: Path
    follow: Callable[[Path], Engine]
    outcomes: operators.Outcomes


def engine(name: str) -> object:
    """Return an engine as a parameter of a fixture, which is skipped where its `make` target does not run."""
    asked = f"VMFERRY_E2E_{name.upper()}"
    reason = f"takes minutes and servers: make e2e-{name}"
    return pytest.param(name, marks=pytest.mark.skipif(os.environ.get(asked) != "1", reason=reason))


@contextmanager
def playing(name: str, scratch: Path) -> Iterator[Played]:
    """Run a server, the operators, and an engine."""
    outcomes: operators.Outcomes = {}
    with server.running(scratch) as cluster, operators.playing(cluster, outcomes), ExitStack() as stack:
        if name == "flux":
            controller = stack.enter_context(flux.running(cluster, scratch))
            yield Played(name, cluster, scratch, lambda at: flux.Follower(cluster, controller, at, ENTRY), outcomes)
        else:
            program = stack.enter_context(argocd.running(cluster))
            yield Played(name, cluster, scratch, lambda at: argocd.Follower(cluster, program, at, ENTRY), outcomes)


def minimal(engine: str) -> Object:
    """Return a spec in which each phase has VMs of its own, so that one situation does not disturb another."""
    spec: Object = yaml.safe_load((EXAMPLES / "minimal" / "spec.yaml").read_text())
    spec["sources"][0]["vcenter"] |= {
        "conversionCredentials": {"secretRef": {"name": "vc1-conversion"}},
        "thumbprint": ":".join(["0F"] * 20),
    }
    spec["target"]["gitops"]["engine"] = engine
    spec["namespaces"] = [{"name": "web"}]
    spec["defaults"] = {"namespace": "web", "path": "forklift", "method": "cold"}
    return spec | {"phases": [], "groups": {}, "vms": []}


class Team:
    """A migration and the cluster that follows it."""

    def __init__(self, played: "Played", spec: Object) -> None:
        self.cluster = played.cluster
        self.api = Api(played.cluster.kubeconfig)
        self.repository = played.scratch / "repository"
        self.follower = played.follow(self.repository)
        self.precious: dict[Key, str] = {}
        self.spec = spec
        self.repository.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def begin(self) -> None:
        """Commit the plan, do what README.md has an administrator do once, and let the engine sync."""
        done = self.compile()
        assert done.code == 0, done.text
        self.cluster.kubectl("apply", "--server-side", "--kustomize", str(self.repository / "gitops/infra/applier"))
        argocd.check_health(self.cluster, self.repository / "gitops")
        self.commit("The plan")
        self.sync()

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
        assert not report.refused, "\n".join(report.refused)
        for key, obj in report.applied.items():
            if precious(obj):
                self.precious.setdefault(key, obj["metadata"]["uid"])
        return report

    def again(self) -> Report:
        """Let the engine look at everything once more, as it does from time to time."""
        report = self.follower.sync(again=True)
        assert not report.refused, "\n".join(report.refused)
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
        listed = [obj for resource in _PRECIOUS for obj in self.api.objects(resource)]
        now = {key_of(obj): obj for obj in listed if "deletionTimestamp" not in obj["metadata"]}
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
