"""Argo CD's own code syncs every Application, waits for nothing in vain, and prunes nothing that holds data."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.e2e.cluster import argocd, operators, server
from tests.e2e.cluster.argocd import Follower
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
    told: dict[str, set[str]] = {}
    for key, health in synced.follower.health.items():
        told.setdefault(health, set()).add(key.kind)
    tally.update(ready=sum(health == "Healthy" for health in synced.follower.health.values()))
    assert set(told) == {"", "Healthy"}
    kinds = {"DataVolume", "Deployment", "ExternalSecret", "Job", "PodDisruptionBudget", "SealedSecret"}
    assert kinds | {"VirtualMachine"} <= told["Healthy"]


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
