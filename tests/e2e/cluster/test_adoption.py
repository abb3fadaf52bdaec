"""On a real API server: syncing what `vmferry adopt` recorded changes no field of a VM that serves.

The live VMs are those of `tests/adoption/forklift.py`, as Forklift makes them and KubeVirt stores them. They are
created by Forklift's field manager, dumped with kubectl, recorded, compiled, built with kustomize, and applied as Flux
and Argo CD do it. KubeVirt asks for a restart if the template's spec changes (kubevirt/kubevirt
pkg/virt-controller/watch/vm/vm.go, syncRestartRequired), so nothing of the spec may.
"""

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.adoption.forklift import NAMES, NAMESPACE, RELEASES
from tests.adoption.migrated import Migrated
from tests.e2e.cluster import server
from tests.e2e.cluster.server import Cluster
from tests.invocation import vmferry

from vmferry.verify.kustomize import build

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.environ.get("VMFERRY_E2E") != "1", reason="takes an API server: make e2e"),
]

Data = dict[str, Any]
MANAGERS = ("kustomize-controller", "argocd-controller")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with server.running(tmp_path_factory.mktemp("adoption")) as cluster:
        yield cluster


class Moved:
    """A migration by Forklift whose VMs are in the cluster."""

    def __init__(self, cluster: Cluster, top: Path, release: str, **sections: Any) -> None:
        self.cluster, self.migrated = cluster, Migrated(top, release, **sections)
        self._clear()
        vms = [{key: value for key, value in vm.items() if key != "status"} for vm in self.migrated.vms.values()]
        for vm in vms:
            for field in ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"):
                vm["metadata"].pop(field, None)
            # kubectl would take all fields of the manager that has this annotation for those of an earlier `apply`
            vm["metadata"]["annotations"].pop("kubectl.kubernetes.io/last-applied-configuration")
        self._create("forklift-controller", vms + [bindable(claim) for claim in self.migrated.claims])
        for claim in self.migrated.claims:
            self.bind(claim["metadata"]["name"])

    def _clear(self) -> None:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        self.cluster.kubectl("apply", "-f", "-", text=json.dumps(namespace))
        everything = ("virtualmachine.kubevirt.io,persistentvolumeclaim", "--all", "--wait=false")
        self.cluster.kubectl("delete", *everything, "--namespace", NAMESPACE)
        for name in self.cluster.kubectl("get", "pvc", "--namespace", NAMESPACE, "--output=name").stdout.split():
            patch = '{"metadata":{"finalizers":null}}'  # no controller is there to remove it
            self.cluster.kubectl("patch", name, "--namespace", NAMESPACE, "--type=merge", "--patch", patch)

    def _create(self, manager: str, objects: list[Data]) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.cluster.kubectl("create", f"--field-manager={manager}", "-f", "-", text=text)

    def bind(self, claim: str) -> None:
        where = ("--namespace", NAMESPACE, "--subresource=status", "--type=merge")
        self.cluster.kubectl("patch", "pvc", claim, *where, "--patch", '{"status":{"phase":"Bound"}}')

    def claim(self, name: str) -> None:
        """Create another claim that is bound."""
        self._create("virt-controller", [bindable({"metadata": {"name": name, "namespace": NAMESPACE}})])
        self.bind(name)

    def live(self) -> dict[str, Data]:
        """Return the VMs as they are."""
        return by_name(json.loads(self._get("virtualmachine.kubevirt.io"))["items"])

    def _get(self, resources: str) -> str:
        return self.cluster.kubectl("get", resources, "--namespace", NAMESPACE, "--output=json").stdout

    def adopt(self) -> Data:
        """Record what kubectl shows; return what differs."""
        dump = self._get("virtualmachine.kubevirt.io,persistentvolumeclaim").encode()
        done = vmferry("adopt", self.migrated.spec, "--from", "-", "--format", "json", stdin=dump)
        assert done.code == 0, done.text
        return {vm["name"]: vm["differences"] for vm in done.data["adopted"]}

    def synced(self, stage: str, **more: Any) -> list[Data]:
        """Return the VMs that an engine would apply at a stage."""
        self.migrated.stage(stage, **more)
        done = self.migrated.compile()
        assert done.code == 0, done.text
        return self.root("machines")

    def root(self, step: str) -> list[Data]:
        """Return the VMs and snapshots of a root of the group."""
        root = self.migrated.spec / "gitops/overlays/first/first-01" / step
        kinds = ("VirtualMachine", "VirtualMachineSnapshot")
        return [obj for obj in yaml.safe_load_all(build(root)) if obj["kind"] in kinds]

    def applied(self, manager: str, objects: list[Data], *options: str) -> dict[str, Data]:
        """Return what objects become when an engine applies them."""
        text = yaml.safe_dump_all(objects)
        how = ("--server-side", "--force-conflicts", f"--field-manager={manager}", "--validate=strict")
        done = self.cluster.kubectl("apply", *how, *options, "--output=json", "-f", "-", text=text)
        data = json.loads(done.stdout)
        return by_name(data.get("items", [data]))


def test_snapshots_are_taken_once_and_changed_by_no_later_sync(cluster: Cluster, tmp_path: Path) -> None:
    """KubeVirt refuses any change of a snapshot's spec, and a server that filled a field in would make one."""
    moved = Moved(cluster, tmp_path, "2.12", phases=[{"name": "first", "kind": "dev-test", "acceptanceSnapshot": True}])
    moved.adopt()
    moved.applied("kustomize-controller", moved.synced("adopted"))
    text = yaml.safe_dump_all(moved.root("snapshots"))
    versions = []
    for manager in ("kustomize-controller", "kustomize-controller", "argocd-controller"):
        how = ("--server-side", "--force-conflicts", f"--field-manager={manager}", "--validate=strict")
        done = moved.cluster.kubectl("apply", *how, "--output=json", "-f", "-", text=text)
        items = json.loads(done.stdout)["items"]
        versions.append({each["metadata"]["name"]: each["metadata"]["generation"] for each in items})
    assert versions[0] == versions[1] == versions[2]
    assert sorted(versions[0]) == sorted(f"{name}-acceptance-1" for name in NAMES)


def by_name(vms: list[Data]) -> dict[str, Data]:
    """Return VMs by name, without `creationTimestamp: null` in their templates: writing any field drops it."""
    for vm in vms:
        if vm["spec"]["template"]["metadata"].get("creationTimestamp", "") is None:
            del vm["spec"]["template"]["metadata"]["creationTimestamp"]
    return {vm["metadata"]["name"]: vm for vm in vms}


def bindable(claim: Data) -> Data:
    """Return a claim as an API server takes it."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": claim["metadata"], "spec": spec}


@pytest.fixture(params=RELEASES)
def moved(request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path) -> Moved:
    """Return a migration by a release of Forklift."""
    return Moved(cluster, tmp_path, request.param)


def test_the_first_sync_of_adopted_vms_changes_nothing_of_their_specs(moved: Moved) -> None:
    assert moved.adopt() == {name: [] for name in NAMES}
    manifests = moved.synced("adopted")
    assert sorted(vm["metadata"]["name"] for vm in manifests) == sorted(NAMES)
    before = moved.live()
    for manager in MANAGERS:
        after = moved.applied(manager, manifests, "--dry-run=server")
        assert {name: vm["spec"] for name, vm in after.items()} == {name: vm["spec"] for name, vm in before.items()}
        assert all(vm["metadata"]["generation"] == before[name]["metadata"]["generation"] for name, vm in after.items())


def test_syncing_for_real_and_again_changes_nothing_and_keeps_forklifts_labels(moved: Moved) -> None:
    moved.adopt()
    manifests, before = moved.synced("adopted"), moved.live()
    once = moved.applied("kustomize-controller", manifests)
    again = moved.applied("kustomize-controller", manifests)
    for name, vm in before.items():
        assert once[name]["spec"] == vm["spec"]
        assert once[name]["metadata"]["labels"].items() >= vm["metadata"]["labels"].items()
        assert again[name]["metadata"]["resourceVersion"] == once[name]["metadata"]["resourceVersion"]
    assert moved.adopt() == {name: [] for name in NAMES}


def test_this_test_would_see_a_guessed_serial_number_or_a_lost_pci_address(moved: Moved) -> None:
    moved.adopt()
    manifests, before = moved.synced("adopted"), moved.live()
    for path in (("disks", "serial"), ("interfaces", "model")):
        guessed = copy.deepcopy(manifests)
        for vm in guessed:
            vm["spec"]["template"]["spec"]["domain"]["devices"][path[0]][0].pop(path[1])
        after = moved.applied("kustomize-controller", guessed, "--dry-run=server")
        assert all(after[name]["spec"] != before[name]["spec"] for name in NAMES)


def test_restored_claims_are_recorded_and_not_undone_by_the_next_sync(moved: Moved) -> None:
    moved.adopt()
    moved.applied("kustomize-controller", moved.synced("adopted"))
    restored = moved.live()["lin-01"]
    volumes = restored["spec"]["template"]["spec"]["volumes"]
    old = volumes[0]["persistentVolumeClaim"]["claimName"]
    volumes[0]["persistentVolumeClaim"]["claimName"] = "restore-8f1c-lin-01-disk-0"
    moved.claim("restore-8f1c-lin-01-disk-0")
    moved.cluster.kubectl("replace", "--field-manager=virt-api", "-f", "-", text=json.dumps(restored))
    [difference] = moved.adopt()["lin-01"]
    assert difference["field"] == "template.spec.volumes[disk-0].persistentVolumeClaim.claimName"
    assert (old in difference["decided"], "restore-8f1c" in difference["live"]) == (True, True)
    before = moved.live()
    after = moved.applied("kustomize-controller", moved.synced("adopted"), "--dry-run=server")
    assert {name: vm["spec"] for name, vm in after.items()} == {name: vm["spec"] for name, vm in before.items()}


def test_a_roll_back_stops_vms_and_changes_nothing_else(moved: Moved) -> None:
    """Without a record, too: it must not have to wait for one."""
    before = moved.live()
    stopped = moved.synced("rolled-back", dataLoss="accepted", reason="slow disks")
    after = moved.applied("kustomize-controller", stopped, "--dry-run=server")
    assert after.keys() == before.keys()
    for name, vm in after.items():
        assert vm["spec"] == before[name]["spec"] | {"runStrategy": "Halted"}
