"""Argo CD's own code syncs every Application, waits for nothing in vain, and prunes nothing that holds data."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from tests.e2e.cluster import argocd, operators, server
from tests.e2e.cluster.api import Api
from tests.e2e.cluster.argocd import Follower
from tests.e2e.cluster.crds import Object
from tests.e2e.cluster.engines import Report
from tests.e2e.cluster.server import Cluster
from tests.e2e.cluster.walk import BOOTSTRAP, EXAMPLES, Walk

NAME = "acme-argocd"

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(
        os.environ.get("VMFERRY_E2E_ARGOCD") != "1", reason="takes minutes and servers: make e2e-argocd"
    ),
]


SERVER = "https://kubernetes.default.svc"
PROJECT: Object = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AppProject",
    "metadata": {"name": "states", "namespace": "argocd"},
    "spec": {"sourceRepos": ["*"], "destinations": [{"server": SERVER, "namespace": "*"}]},
}
APPLICATION: Object = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "states", "namespace": "argocd"},
    "spec": {
        "project": "states",
        "source": {"repoURL": "https://git.example.com/states", "path": "."},
        "destination": {"server": SERVER, "namespace": "states"},
        "syncPolicy": {"automated": {"prune": False}, "syncOptions": ["ServerSideApply=true"]},
    },
}


def conditions(*found: Object) -> Object:
    """Return a status with conditions that are true."""
    time = "2026-01-01T00:00:00Z"
    return {"conditions": [{"status": "True", "lastTransitionTime": time, "message": "", **each} for each in found]}


@cache
def example(kind: str) -> Object:
    """Return an object of a kind, as an example has it."""
    for path in sorted((EXAMPLES / NAME / "gitops").rglob("*.yaml")):
        for obj in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if isinstance(obj, dict) and obj.get("kind") == kind:
                return obj
    raise LookupError(kind)


def stated(kind: str, name: str) -> Object:
    """Return an object of a kind, of which only its kind and its status matter."""
    metadata = {"name": name, "namespace": "states"}
    if kind == "VirtualMachineSnapshot":
        source = {"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": "web-01"}
        return {
            "apiVersion": "snapshot.kubevirt.io/v1beta1",
            "kind": kind,
            "metadata": metadata,
            "spec": {"source": source},
        }
    return {key: example(kind)[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": metadata}


class Synced(NamedTuple):
    """The example as it is committed, synced."""

    cluster: Cluster
    follower: Follower
    report: Report


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synced]:
    with (
        server.running(tmp_path_factory.mktemp(NAME)) as cluster,
        operators.playing(cluster),
        argocd.running(cluster) as program,
    ):
        argocd.check_health(cluster, EXAMPLES / NAME / "gitops")
        follower = Follower(cluster, program, EXAMPLES / NAME, BOOTSTRAP)
        yield Synced(cluster, follower, follower.sync())


def test_every_application_syncs(synced: Synced, tally: Counter[str]) -> None:
    """A wave that waits for a health which never comes would end in an error."""
    tally.update(applied=len(synced.report.applied), refused=len(synced.report.refused))
    assert synced.report.refused == []
    assert set(synced.report.applied) <= set(synced.cluster.objects())


def test_nothing_is_out_of_sync_once_the_operators_have_spoken(synced: Synced, tally: Counter[str]) -> None:
    again = synced.follower.sync(again=True)
    assert again.refused == []
    drifted = {str(key): told for key, told in synced.follower.out_of_sync.items() if told}
    tally.update(drifted=len(drifted))
    assert drifted == {}


def test_health_is_what_a_person_should_see(synced: Synced, tally: Counter[str]) -> None:
    """Nothing is Degraded, suspended, missing or in progress for ever; of most kinds Argo CD has no opinion."""
    synced.follower.sync(again=True)  # the operators have spoken
    told: dict[str, set[str]] = {}
    for key, health in synced.follower.health.items():
        told.setdefault(health, set()).add(key.kind)
    tally.update(ready=sum(health == "Healthy" for health in synced.follower.health.values()))
    assert set(told) == {"", "Healthy"}
    kinds = {"DataVolume", "Deployment", "ExternalSecret", "Job", "PodDisruptionBudget", "SealedSecret"}
    forklift = {"Hook", "Host", "Migration", "NetworkMap", "Plan", "Provider", "StorageMap"}
    assert kinds | forklift | {"VirtualMachine"} <= told["Healthy"]


READY = {"type": "Ready", "category": "Required", "message": "It is ready."}
CRITICAL = {"type": "NotValid", "category": "Critical", "message": "It is not valid."}
UNREACHED = {"type": "SourceProviderNotReady", "category": "Critical", "message": "Its Provider is not ready."}
FORKLIFT = ("Hook", "Host", "NetworkMap", "Provider", "StorageMap")
STATES: list[tuple[str, Object, str]] = [
    *((kind, conditions(READY), "Healthy") for kind in (*FORKLIFT, "Plan")),
    *((kind, conditions(CRITICAL), "Degraded") for kind in (*FORKLIFT, "Plan", "Migration")),
    *((kind, {}, "Progressing") for kind in (*FORKLIFT, "Plan", "Migration", "VirtualMachineSnapshot")),
    ("NetworkMap", conditions(UNREACHED), "Healthy"),
    ("StorageMap", conditions(UNREACHED), "Healthy"),
    ("Migration", conditions({"type": "Running", "category": "Advisory"}), "Healthy"),
    ("Migration", conditions({"type": "Failed", "category": "Advisory"}), "Degraded"),
    ("VirtualMachineSnapshot", {"phase": "Succeeded", "readyToUse": True}, "Healthy"),
    ("VirtualMachineSnapshot", {"phase": "Failed", "error": {"message": "no room"}}, "Degraded"),
]


def test_argo_cds_own_lua_says_what_each_state_of_the_operators_means(tmp_path: Path) -> None:
    """Without anyone playing the operators: the states are written by hand."""
    with server.running(tmp_path) as cluster, argocd.running(cluster) as program:
        argocd.check_health(cluster, EXAMPLES / NAME / "gitops")
        cluster.kubectl("create", "namespace", "states", check=False)
        api = Api(cluster.kubeconfig)
        objects = [stated(kind, f"state-{number}") for number, (kind, *_) in enumerate(STATES)]
        for obj, (kind, status, _) in zip(objects, STATES, strict=True):
            cluster.apply(json.dumps(obj), "argocd-controller")
            if status:
                resource = f"{kind.lower()}.{obj['apiVersion'].partition('/')[0]}"
                assert api.patch(resource, obj["metadata"], {"status": status}, "status")
        answer = program.sync(APPLICATION, PROJECT, objects)
    assert answer.error == ""
    told = {outcome.key.name: outcome.health for outcome in answer.outcomes}
    assert [(*state[:2], told[f"state-{number}"]) for number, state in enumerate(STATES)] == STATES


def test_the_stages_lose_nothing_that_holds_data(tmp_path: Path, tally: Counter[str]) -> None:
    with (
        server.running(tmp_path) as cluster,
        operators.playing(cluster),
        argocd.running(cluster) as program,
    ):
        walk = Walk(cluster, NAME, tmp_path, lambda repository: Follower(cluster, program, repository, BOOTSTRAP))
        walk.all_the_way()
        walk.count(tally)
        assert walk.refused == []
        assert walk.lost() == []
        assert walk.stranded == set()
        assert walk.precious
        assert walk.kept
