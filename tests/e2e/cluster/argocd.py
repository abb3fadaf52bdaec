"""Argo CD's own code on the test API server: waves, health, pruning and what is out of sync (tests/e2e/argocd).

Its controller is played: which Application is synced when, and what its finalizer does.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from tests.e2e.cluster.crds import Object
from tests.e2e.cluster.engines import ArgoCD as Imitation
from tests.e2e.cluster.engines import Report
from tests.e2e.cluster.server import TOOLS, Cluster, Key
from tests.ran import module_version, ran

_LOOKS = 10  # at all Applications, until what fails has to be seen


class Outcome(NamedTuple):
    """What a sync made of one object."""

    key: Key
    status: str  # Synced, SyncFailed, Pruned, PruneSkipped
    message: str
    health: str  # empty where Argo CD has no opinion
    out_of_sync: str  # what it would be; empty where it is that already
    live: Object | None


class Answer(NamedTuple):
    """What a sync of an Application came to; `error` says that it did not end well."""

    error: str
    outcomes: list[Outcome]


class Program:
    """The running program."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._read()

    def sync(self, application: Object, project: Object, manifests: list[Object]) -> Answer:
        """Sync an Application, and wait for the health that its waves wait for."""
        assert self._process.stdin is not None
        asked = {"application": application, "project": project, "manifests": manifests}
        self._process.stdin.write(f"{json.dumps(asked)}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Answer:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "argocd-sync ended; its standard error tells why"
        told = json.loads(line)
        outcomes = [
            Outcome(
                Key(each["group"], each["kind"], each["namespace"], each["name"]),
                each["status"],
                each["message"],
                each.get("health", ""),
                each.get("outOfSync", ""),
                each.get("live"),
            )
            for each in told["objects"] or ()
        ]
        return Answer(told.get("error", ""), outcomes)


@contextmanager
def running(cluster: Cluster) -> Iterator[Program]:
    """Run the program."""
    path = TOOLS / "argocd-sync"
    if not path.is_file():
        pytest.fail(f"argocd-sync is not in {TOOLS}: make e2e-argocd builds it")
    version = module_version(path, "github.com/argoproj/argo-cd/v3")
    how = "its sync engine, health scripts, normalizers and diff, over every Application, in all stages, with pruning"
    ran("Argo CD", version, how)
    command = [path, "--kubeconfig", cluster.kubeconfig]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Program(process)
    finally:
        process.terminate()
        process.communicate(timeout=60)


def check_health(cluster: Cluster, tree: Path) -> None:
    """Do what README.md has an administrator do once: add the health checks of a tree to Argo CD's ConfigMap."""
    checks = tree / "infra/argocd/argocd-cm.yaml"
    if checks.is_file():
        own = {"name": "argocd-cm", "namespace": "argocd", "labels": {"app.kubernetes.io/part-of": "argocd"}}
        cluster.apply(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": own}), "argocd")
        cluster.kubectl("apply", "--server-side", "--field-manager=vmferry-health", "--filename", str(checks))


class Follower(Imitation):
    """Syncs what the Applications in the cluster say from a repository."""

    def __init__(self, cluster: Cluster, program: Program, repository: Path, bootstrap: str) -> None:
        super().__init__(cluster, repository, bootstrap)
        self._program = program
        self.health: dict[Key, str] = {}
        self.out_of_sync: dict[Key, str] = {}

    def _apply(self, path: str, name: str, report: Report) -> None:
        if not name:  # what a person applies once
            super()._apply(path, name, report)
            return
        built = self._cluster.kubectl("kustomize", str(self._repository / path), check=False)
        if built.returncode != 0:
            report.refused.append(f"{path}: {built.stderr.strip()}")
            return
        application = self._live[self._entries[name].key]
        namespace, project = application["metadata"]["namespace"], application["spec"]["project"]
        found = self._cluster.kubectl("get", "appproject", project, "--namespace", namespace, "--output=json")
        answer = self._program.sync(application, json.loads(found.stdout), list(yaml.safe_load_all(built.stdout)))
        if answer.error:
            report.refused.append(f"{path}: {answer.error}")
        for outcome in answer.outcomes:
            self._note(outcome, name, report)

    def fails(self, part: str) -> str:
        """Sync until an object with a part of its name is Degraded; return what Argo CD says of its health."""
        for _ in range(_LOOKS):
            self.sync(again=True)
            for key, health in self.health.items():
                if part in key.name and health == "Degraded":
                    return f"{key}: {health}"
        pytest.fail(f"nothing of {part} is Degraded: {self.health}")

    def healths(self) -> dict[str, str]:
        """Return the health of Applications that are Degraded, by what each of their objects was when it was synced."""
        degraded = (self._owner.get(key) for key, health in self.health.items() if health == "Degraded")
        return {name: "Degraded" for name in degraded if name is not None}

    def _note(self, outcome: Outcome, name: str, report: Report) -> None:
        key = outcome.key
        if outcome.status == "Pruned":
            self._finish(key, report)
        elif outcome.status == "PruneSkipped":
            if self._owner.get(key) == name:  # not every time anew
                report.kept.append(key)
                del self._owner[key]
        elif outcome.status != "Synced" or outcome.live is None:
            report.refused.append(f"{name}: {key}: {outcome.status} {outcome.message}")
        else:
            report.applied[key] = self._live[key] = outcome.live
            self._owner[key] = name
            self.health[key], self.out_of_sync[key] = outcome.health, outcome.out_of_sync
            if (key.group, key.kind) == self.kind:
                entry = self.entry(outcome.live)
                self._entries[entry.name] = entry

    def _finish(self, key: Key, report: Report) -> None:
        """Note that an object is pruned; an Application's finalizer takes along what it tracks first."""
        report.deleted.append(key)
        obj = self._live.pop(key)
        self._owner.pop(key, None)
        if (key.group, key.kind) != self.kind:
            return
        entry = self._entries.pop(key.name)
        self._synced.pop(entry.name, None)
        for each in sorted(each for each, owner in self._owner.items() if owner == entry.name):
            if entry.takes_along and not self._stays(self._live[each]):
                self._cluster.delete(each)
                self._finish(each, report)
            else:
                del self._owner[each]
        if obj["metadata"].get("finalizers"):
            patch = json.dumps({"metadata": {"finalizers": None}})
            where = ("--namespace", key.namespace, "--type=merge", "--patch", patch)
            self._cluster.kubectl("patch", "application", key.name, *where, check=False)

    @staticmethod
    def _stays(obj: Object) -> bool:
        """Tell whether an object stays when its Application is deleted."""
        options = obj["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-options", "")
        return "Delete=false" in [option.strip() for option in options.split(",")]
