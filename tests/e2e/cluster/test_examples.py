"""Every example on a real API server: accepted, without drift, and through all stages without losing data."""

import os
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
from tests.e2e.cluster.walk import BOOTSTRAP, EXAMPLES, STAGES, Walk

ENGINES: dict[str, type[Engine]] = {"minimal": Flux, "dual-run": Flux, "acme": Flux, "acme-argocd": ArgoCD}

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
    # the API server itself writes any claim once more when it is applied again, and never after that
    version = found["metadata"].get("resourceVersion") if key.kind != "PersistentVolumeClaim" else "any"
    return (version, found["metadata"].get("generation"), found.get("spec"))


@pytest.mark.parametrize("name", ["acme", "acme-argocd"])
def test_the_applier_needs_no_other_rights_than_the_tree_states(name: str, tmp_path: Path, tally: Counter[str]) -> None:
    with server.running(tmp_path) as administrator:
        rights = EXAMPLES / name / "gitops" / "infra" / "applier"
        administrator.kubectl("apply", "--server-side", "--kustomize", str(rights))
        built = yaml.safe_load_all(administrator.kubectl("kustomize", str(rights)).stdout)
        [[subject]] = (each["subjects"] for each in built if each["kind"] == "ClusterRoleBinding")
        user = f"system:serviceaccount:{subject['namespace']}:{subject['name']}"
        applier = Cluster(administrator.kubeconfig, applier=user)
        report = ENGINES[name](applier, EXAMPLES / name, BOOTSTRAP).sync()
        tally.update(applied=len(report.applied), refused=len(report.refused))
        assert report.refused == []
        applier.delete(next(key for key in report.applied if key.kind == "NetworkPolicy"))
        assert administrator.kubectl("get", "secrets", f"--as={user}", check=False).returncode != 0
        # Flux tries a root out before it applies any of it: its Roles are not there yet.
        for key in report.applied:
            if key.kind == "RoleBinding" and key.name == "vmferry-applier":
                administrator.delete(key)
        for root in sorted((EXAMPLES / name / "gitops" / "infra" / "namespaces").iterdir()):
            built = administrator.kubectl("kustomize", str(root)).stdout
            options = ("--server-side", "--force-conflicts", "--dry-run=server", f"--as={user}", "--filename=-")
            tried = administrator.kubectl("apply", *options, text=built, check=False)
            assert "orbidden" not in tried.stderr


def test_an_operator_stops_vms_and_changes_none(tmp_path: Path) -> None:
    with server.running(tmp_path) as cluster:
        assert Flux(cluster, EXAMPLES / "acme", BOOTSTRAP).sync().refused == []
        operator, somebody = "oidc:vm-operators", "oidc:nobody"
        assert may(cluster, operator, "update", "subresources.kubevirt.io", "virtualmachines/stop", "web")
        assert may(cluster, operator, "get", "subresources.kubevirt.io", "virtualmachineinstances/vnc", "web")
        assert may(cluster, operator, "list", "kubevirt.io", "virtualmachines", "web")
        for verb in ("create", "update", "patch", "delete"):
            assert not may(cluster, operator, verb, "kubevirt.io", "virtualmachines", "web")
        assert not may(cluster, operator, "get", "", "secrets", "web")
        assert not may(cluster, operator, "update", "subresources.kubevirt.io", "virtualmachines/stop", "dev")
        assert not may(cluster, somebody, "list", "kubevirt.io", "virtualmachines", "web")


def may(cluster: Cluster, people: str, verb: str, group: str, resource: str, namespace: str) -> bool:
    """Return whether the API server would allow something to a person in a group."""
    what, _, part = resource.partition("/")
    attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": what, "subresource": part}
    question = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": "somebody", "groups": [people, "system:authenticated"], "resourceAttributes": attributes},
    }
    said = cluster.kubectl("create", "--filename=-", "--output=yaml", text=yaml.safe_dump(question)).stdout
    return bool(yaml.safe_load(said)["status"]["allowed"])


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_the_stages_lose_nothing_that_holds_data(name: str, tmp_path: Path, tally: Counter[str]) -> None:
    with server.running(tmp_path) as cluster:
        walk = Walk(cluster, name, tmp_path, lambda repository: ENGINES[name](cluster, repository, BOOTSTRAP))
        walk.step({})
        for group in walk.groups():
            for stage in STAGES:
                walk.step(walk.stages | {group: walk.state(group, stage)})
                if stage == "migrating":
                    walk.retry(group)
        walk.revert({group: {"stage": "prepared"} for group in walk.groups()})
        walk.revert({})
        walk.drop_roots()
        walk.count(tally)
        assert walk.refused == []
        assert walk.lost() == []
        assert walk.stranded == set()
        assert walk.precious
