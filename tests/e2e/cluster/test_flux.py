"""The real kustomize-controller makes every root of the examples ready, and prunes nothing that holds data."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from tests.e2e.cluster import flux, operators, server
from tests.e2e.cluster.crds import Object
from tests.e2e.cluster.engines import Report
from tests.e2e.cluster.flux import Flux, Follower
from tests.e2e.cluster.server import Cluster, Key, key_of
from tests.e2e.cluster.walk import BOOTSTRAP, EXAMPLES, Walk

FOLLOWED = ("acme", "minimal")

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.environ.get("VMFERRY_E2E_FLUX") != "1", reason="takes minutes and servers: make e2e-flux"),
]


class Synced(NamedTuple):
    """An example as it is committed, synced by a kustomize-controller of its own."""

    name: str
    cluster: Cluster
    flux: Flux
    follower: Follower
    report: Report


@pytest.fixture(scope="module", params=FOLLOWED)
def synced(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synced]:
    name: str = request.param
    scratch = tmp_path_factory.mktemp(name)
    with server.running(scratch) as cluster, flux.running(cluster, scratch) as controller, operators.playing(cluster):
        follower = Follower(cluster, controller, EXAMPLES / name, BOOTSTRAP)
        yield Synced(name, cluster, controller, follower, follower.sync())


def test_every_kustomization_gets_ready_after_those_it_depends_on(synced: Synced, tally: Counter[str]) -> None:
    roots = synced.follower.roots
    tally.update(ready=len(roots))
    early = [
        f"{root.name} at {root.since}, {other} at {roots[other].since}"
        for root in roots.values()
        for other in root.after
        if root.since < roots[other].since
    ]
    assert early == []
    assert any(root.after for root in roots.values())


def test_what_is_applied_is_what_kustomize_builds(synced: Synced, tally: Counter[str]) -> None:
    tally.update(applied=len(synced.report.applied))
    built: set[Key] = set()
    tree = EXAMPLES / synced.name / "gitops"
    for path in sorted(tree.rglob("kustomization.yaml")):
        by_hand = path.parent == tree / "infra/applier"  # an administrator applies it
        if path.relative_to(tree).parts[0] in ("clusters", "infra", "overlays") and not by_hand:
            built |= _built(synced.cluster, path.parent)
    assert set(synced.report.applied) == built


def _built(cluster: Cluster, directory: Path) -> set[Key]:
    """Return what a root builds; a Component builds nothing by itself."""
    if "kind: Component" in (directory / "kustomization.yaml").read_text():
        return set()
    built = cluster.kubectl("kustomize", str(directory)).stdout
    return {key_of(obj) for obj in yaml.safe_load_all(built)}


def test_reconciling_again_changes_nothing(synced: Synced, tally: Counter[str]) -> None:
    before = _versions(synced.cluster.objects())
    synced.flux.reconcile()
    after = _versions(synced.cluster.objects())
    drifted = [str(key) for key in before | after if before.get(key) != after.get(key)]
    tally.update(drifted=len(drifted))
    assert drifted == []


def _versions(objects: dict[Key, Object]) -> dict[Key, str]:
    """Return the version of each object but of those in which the controller notes that it was there."""
    return {key: obj["metadata"]["resourceVersion"] for key, obj in objects.items() if key.kind != "Kustomization"}


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_stages_lose_nothing_that_holds_data(name: str, tmp_path: Path, tally: Counter[str]) -> None:
    with server.running(tmp_path) as cluster, flux.running(cluster, tmp_path) as controller, operators.playing(cluster):
        walk = Walk(cluster, name, tmp_path, lambda repository: Follower(cluster, controller, repository, BOOTSTRAP))
        walk.all_the_way()
        walk.count(tally)
        assert walk.lost() == []
        assert walk.precious
        assert walk.kept
