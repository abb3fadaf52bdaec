"""The examples on a cluster with the operators themselves: their webhooks take every object, and nothing drifts.

The cluster is the one of VMFERRY_E2E_OPERATORS, a kubeconfig: tests/e2e/kind makes one. What is applied stays there.
"""

import os
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.e2e.cluster.engines import Engine, Flux, Report
from tests.e2e.cluster.server import Cluster, Key
from tests.e2e.cluster.walk import BOOTSTRAP, EXAMPLES

KUBECONFIG = os.environ.get("VMFERRY_E2E_OPERATORS", "")

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not KUBECONFIG, reason="wants a cluster with operators: make e2e-operators"),
]


class Synced(NamedTuple):
    """An example as it is committed, applied as Flux would."""

    engine: Engine
    report: Report


@pytest.fixture(scope="module", params=["minimal", "acme"])
def synced(request: pytest.FixtureRequest) -> Synced:
    cluster = Cluster(Path(KUBECONFIG), played=False)
    engine = Flux(cluster, EXAMPLES / request.param, BOOTSTRAP)
    return Synced(engine, engine.sync())


def test_the_operators_take_every_object_without_a_warning(synced: Synced, tally: Counter[str]) -> None:
    report = synced.report
    tally.update(applied=len(report.applied), refused=len(report.refused), warned=len(report.warned))
    assert report.refused == []
    assert report.warned == []


def test_applying_again_changes_nothing(synced: Synced, tally: Counter[str]) -> None:
    """An operator may write annotations and statuses at any time; a spec it changes, GitOps would change back."""
    again = synced.engine.sync(again=True)
    assert again.refused == []
    assert set(again.applied) == set(synced.report.applied)
    drifted = [str(key) for key in again.applied if _spec(again, key) != _spec(synced.report, key)]
    tally.update(drifted=len(drifted))
    assert drifted == []


def _spec(report: Report, key: Key) -> tuple[Any, ...]:
    obj = report.applied[key]
    return obj["metadata"]["uid"], obj["metadata"].get("generation"), obj.get("spec"), obj.get("data")
