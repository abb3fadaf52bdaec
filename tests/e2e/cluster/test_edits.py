"""What people change in a spec while its groups are on their way: the server takes it, and no data is lost.

Much of a Job, a Service or a claim cannot change once it is there. Flux would leave a Job as it is, and a refusal
alone; Argo CD fails the sync of all beside it. The imitation of Flux here applies everything.
"""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.cluster import server
from tests.e2e.cluster.crds import Object
from tests.e2e.cluster.engines import Flux
from tests.e2e.cluster.walk import BOOTSTRAP, STAGES, Walk

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.environ.get("VMFERRY_E2E") != "1", reason="takes minutes and an API server: make e2e"),
]


def put(value: Any, *path: str | int) -> Callable[[Object], None]:
    """Return an edit that sets a field; None takes it away."""

    def change(spec: Object) -> None:
        parent: Any = spec
        for key in path[:-1]:
            parent = parent[key]
        if value is None:
            del parent[path[-1]]
        else:
            parent[path[-1]] = value

    return change


VCENTER = ("sources", 0, "vcenter")
CLUSTER = ("target", "cluster")
GITOPS = ("target", "gitops")
NEWER = {"kubernetes": "1.34", "kubevirt": "1.7", "cdi": "1.66", "forklift": "2.13"}
EDITS = {
    "an interval": put("5m", *GITOPS, "interval"),
    "another branch": put("prod", *GITOPS, "branch"),
    "another repository": put("ssh://git@git2.acme.example/platform/gitops", *GITOPS, "repoURL"),
    "an applier": put({"name": "one", "namespace": "flux-system"}, *GITOPS, "applier"),
    "another applier": put({"name": "two", "namespace": "flux-system"}, *GITOPS, "applier"),
    "no applier": put(None, *GITOPS, "applier"),
    "newer versions": put(NEWER, *CLUSTER, "versions"),
    "another image for conversions": put("registry.example.com/v2v:next", *CLUSTER, "v2vImage"),
    "another ratio of CPUs": put(8, *CLUSTER, "cpuAllocationRatio"),
    "more live migrations at once": put(5, *CLUSTER, "parallelMigrations"),
    "another machine type": put("pc-q35-rhel9.4.0", *CLUSTER, "machineType"),
    "another port of a bridge": put("bond2", *CLUSTER, "bridges", 0, "port"),
    "an existing Provider of the target": put("host", "target", "forklift", "provider"),
    "another vCenter address": put("https://vc9.acme.example/sdk", *VCENTER, "url"),
    "another thumbprint": put(":".join(["0F"] * 20), *VCENTER, "thumbprint"),
    "another VDDK": put("registry.example.com/vddk:next", *VCENTER, "vddkImage"),
    "no settings of the Provider": put({}, *VCENTER, "settings"),
    "another Secret for Forklift": put({"secretRef": {"name": "vc1-forklift"}}, *VCENTER, "credentials"),
    "another Secret for conversions": put({"secretRef": {"name": "vc1-convert"}}, *VCENTER, "conversionCredentials"),
    "another address of a host": put("10.20.0.99", *VCENTER, "hosts", 0, "ipAddress"),
    "a host less": put(None, *VCENTER, "hosts", 1),
    "no quota": put("none", "namespaces", 0, "quota"),
    "a stated quota": put({"cpu": "900", "memory": "90Ti", "storage": "900Ti"}, "namespaces", 1, "quota"),
    "other labels of a namespace": put({"acme.example/team": "others"}, "namespaces", 2, "labels"),
    "no labels of a namespace": put(None, "namespaces", 2, "labels"),
    "a namespace that is isolated": put("isolate", "namespaces", 0, "networkPolicy"),
    "a namespace that is not isolated": put("none", "namespaces", 1, "networkPolicy"),
    "another MTU": put(1400, "networks", 0, "target", "mtu"),
    "another bridge": put("br-other", "networks", 3, "target", "bridge"),
    "other addresses of a smoke test": put(
        ["10.20.120.252/24", "10.20.120.253/24"], "networks", 0, "smokeTest", "addresses"
    ),
    "no smoke test": put(None, "networks", 0, "smokeTest"),
    "another kind of a phase": put("migrate", "phases", 1, "kind"),
    "other windows": put([{"start": "2027-01-30T20:00:00Z", "duration": "12h"}], "phases", 1, "windows"),
    "another image of a hook": put("registry.example.com/hook:next", "hooks", 0, "image"),
    "classes in another order": lambda spec: spec["storage"]["classes"].reverse(),
    "another distribution": put("openshift", *CLUSTER, "distribution"),
}


def test_the_server_takes_every_edit_after_the_cutover(tmp_path: Path, tally: Counter[str]) -> None:
    with server.running(tmp_path) as cluster:
        walk = Walk(cluster, "acme", tmp_path, lambda repository: Flux(cluster, repository, BOOTSTRAP))
        walk.step({})
        for stage in STAGES:
            walk.step(walk.all_at(stage))
        assert walk.refused == []
        refused = {}
        for name, change in EDITS.items():
            walk.edit(change)
            if walk.refused:
                refused[name] = [*walk.refused]
                walk.refused.clear()
        tally.update(applied=walk.applied, refused=len(refused), lost=len(walk.lost()))
        assert refused == {}
        assert walk.lost() == []
