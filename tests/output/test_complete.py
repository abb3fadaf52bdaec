"""What backends forget is noticed before anything is written."""

import re
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.cli.test_check import SPEC
from tests.cli.test_check import vm as entry
from tests.invocation import vmferry
from tests.resolve.projects import Data, resolved, vm
from tests.rules.ruling import app

from vmferry import backends
from vmferry.model.blueprint import Blueprint
from vmferry.model.manifest import Item, KubeObject, Resource
from vmferry.output.complete import Ledger, LostError

TWO_DISKS = {"disks": [{"size": "40Gi", "datastore": "ds1"}, {"size": "1Gi", "datastore": "ds1"}]}
STATE = {"name": "data", "mountPath": "/data", "size": "1Gi", "tier": "gold"}
NIC = {"network": "vlan-7", "mac": "00:50:56:00:00:01"}
BACKUP = {"network": "backup", "mac": "00:50:56:00:00:09"}
NETWORKS = [
    {"source": {"portGroup": "vlan-7", "vlan": 7}, "target": {"type": "bridge", "bridge": "br-vm"}},
    {"source": {"portGroup": "backup"}, "target": {"type": "ignored", "reason": "nobody needs it any more"}},
]
MACHINES: dict[str, Data] = {
    "job": vm("web", **TWO_DISKS),
    "image": vm("web", method="image", **TWO_DISKS),
    "forklift": vm("web", path="forklift", method="cold", **TWO_DISKS),
    "forklift by id": vm("web", path="forklift", method="cold", id="vm-7", **TWO_DISKS),
    "twins": vm("web", path="forklift", method="cold", nics=[NIC, {**NIC, "mac": "00:50:56:00:00:02"}]),
    "dropped": vm("web", path="forklift", method="cold", nics=[NIC, BACKUP]),
    "dropped by job": vm("web", nics=[BACKUP, NIC]),
    "deployment": app("web", state=[STATE]),
    "statefulset": app("web", state=[STATE], kind="StatefulSet", replicas=2),
    "unmounted": app("web", state=[{**STATE, "mountPath": "/tmp"}]),
    "golden": vm("web", template=True, method="image", nics=[], **TWO_DISKS),
}

Fault = Callable[[KubeObject], KubeObject | None]


def items(blueprint: Blueprint) -> list[Item]:
    return list(backends.emit(blueprint))


def counted(blueprint: Blueprint, passing: Iterable[Item]) -> None:
    ledger = Ledger()
    assert list(ledger.passing(passing))
    ledger.check(blueprint, blueprint.groups)


def faulty(passing: Iterable[Item], kind: str, fault: Fault) -> Iterator[Item]:
    """Yield the items with a fault in the first object of a kind, which may vanish by it."""
    done = False
    for item in passing:
        if done or not isinstance(item, Resource) or item.object["kind"] != kind:
            yield item
            continue
        done = True
        changed = fault(deepcopy(item.object))
        if changed is not None:
            yield replace(item, object=changed)
    assert done, f"there is no {kind}"


@pytest.mark.parametrize("name", MACHINES)
def test_all_that_backends_emit_is_complete(name: str) -> None:
    blueprint = resolved(MACHINES[name], networks=NETWORKS).blueprint
    assert blueprint.groups
    counted(blueprint, items(blueprint))


def gone(_: KubeObject) -> None:
    """Leave the object out."""


def without(*path: Any) -> Fault:
    """Return a fault that takes something out of an object, by keys and places."""

    def fault(obj: KubeObject) -> KubeObject:
        parent: Any = obj
        for key in path[:-1]:
            parent = parent[key]
        del parent[path[-1]]
        return obj

    return fault


def with_value(value: Any, *path: Any) -> Fault:
    """Return a fault that puts another value into an object."""

    def fault(obj: KubeObject) -> KubeObject:
        parent: Any = obj
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = value
        return obj

    return fault


def renamed(name: str) -> Fault:
    """Return a fault that gives an object another's name."""
    return with_value(name, "metadata", "name")


def with_second_interface(obj: KubeObject) -> KubeObject:
    """Give a VM another NIC, on its first network."""
    interfaces = obj["spec"]["template"]["spec"]["domain"]["devices"]["interfaces"]
    interfaces.append({**interfaces[0], "macAddress": BACKUP["mac"]})
    return obj


POD = ("spec", "template", "spec")


@pytest.mark.parametrize(
    ("name", "kind", "fault", "says"),
    [
        ("job", "VirtualMachine", gone, "VM web"),
        ("job", "VirtualMachine", without(*POD, "volumes", 1), "VM web, disk-1"),
        ("job", "VirtualMachine", without(*POD, "domain", "devices", "disks", 0), "VM web, disk-0"),
        ("job", "VirtualMachine", without(*POD, "domain", "devices", "interfaces", 0), "VM web, nic-0: network vlan-7"),
        ("job", "VirtualMachine", without(*POD, "networks", 0), "VM web, nic-0: network vlan-7"),
        (
            "job",
            "VirtualMachine",
            with_value("00:50:56:00:00:99", *POD, "domain", "devices", "interfaces", 0, "macAddress"),
            "VM web, nic-0",
        ),
        (
            "job",
            "VirtualMachine",
            with_value("web/other", *POD, "networks", 0, "multus", "networkName"),
            "VM web, nic-0",
        ),
        ("job", "DataVolume", gone, "VM web, disk-0: volume web-disk-0"),
        ("job", "Job", gone, "no Job fills volume web-disk-0"),
        (
            "job",
            "Job",
            with_value([{"name": "disk-1", "persistentVolumeClaim": {"claimName": "web-disk-1"}}], *POD, "volumes"),
            "no Job fills volume web-disk-0",
        ),
        ("image", "DataVolume", gone, "volume web-disk-0"),
        ("forklift", "Plan", gone, "VM web of Plan"),
        ("forklift", "Plan", with_value([], "spec", "vms"), "VM web of Plan"),
        ("forklift", "Plan", with_value("other", "spec", "vms", 0, "name"), "VM web of Plan"),
        ("forklift by id", "Plan", with_value("vm-8", "spec", "vms", 0, "id"), "VM web of Plan"),
        ("forklift", "NetworkMap", with_value([], "spec", "map"), "nic-0: network vlan-7"),
        (
            "forklift",
            "NetworkMap",
            with_value("other", "spec", "map", 0, "destination", "name"),
            "nic-0: network vlan-7",
        ),
        ("twins", "NetworkMap", without("spec", "map", 1), "nic-1: network vlan-7"),
        ("dropped", "NetworkMap", without("spec", "map", 0), "NIC 2: that backup is not connected"),
        ("dropped", "NetworkMap", with_value("pod", "spec", "map", 0, "destination", "type"), "NIC 2: that backup"),
        (
            "dropped by job",
            "VirtualMachine",
            with_second_interface,
            "VM web: 2 NICs are attached, and 1 were decided",
        ),
        ("forklift", "StorageMap", gone, "disk-0: datastore ds1"),
        ("deployment", "Deployment", gone, "application web"),
        ("deployment", "PersistentVolumeClaim", gone, "application web: volume data, claim web-data"),
        ("deployment", "Deployment", without(*POD, "containers", 0, "volumeMounts"), "volume data is not mounted"),
        ("deployment", "Deployment", without(*POD, "volumes"), "volume data is not mounted"),
        ("unmounted", "Deployment", without(*POD, "volumes"), "volume data is not mounted"),
        ("statefulset", "StatefulSet", gone, "application web"),
        ("statefulset", "StatefulSet", with_value([], "spec", "volumeClaimTemplates"), "volume data is not mounted"),
        ("statefulset", "PersistentVolumeClaim", gone, "application web: volume data, claim data-web-0"),
        (
            "statefulset",
            "PersistentVolumeClaim",
            renamed("data-web-1"),
            "application web: volume data, claim data-web-0",
        ),
        ("golden", "DataSource", gone, "DataSource web-disk-0"),
    ],
)
def test_what_a_backend_forgets_is_named(name: str, kind: str, fault: Fault, says: str) -> None:
    blueprint = resolved(MACHINES[name], networks=NETWORKS).blueprint
    with pytest.raises(LostError, match=re.escape(says)):
        counted(blueprint, faulty(items(blueprint), kind, fault))


def test_two_datastores_of_one_name_are_two_rows_of_a_storage_map() -> None:
    """They were one: the first of them was left out."""
    classes = [{"name": "ceph-block", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"}]
    rows = [
        {"source": {"datastore": "ds1", "id": "datastore-1"}, "tier": "gold"},
        {"source": {"datastore": "ds1", "id": "datastore-2", "source": "vc1"}, "tier": "gold"},
    ]
    disks = [{"size": "1Gi", "datastore": name} for name in ("datastore-1", "datastore-2")]
    moved = vm("web", path="forklift", method="cold", disks=disks)
    blueprint = resolved(moved, storage={"classes": classes, "map": rows}).blueprint
    assert [pair.source.id for group in blueprint.groups for pair in group.storage] == ["datastore-1", "datastore-2"]
    counted(blueprint, items(blueprint))


def test_a_clone_without_its_volume_is_noticed() -> None:
    template = vm("tpl", template=True, method="image", nics=[])
    clone = vm("web", method="image", cloneOf="tpl", disks=[{"size": "40Gi", "tier": "gold"}])
    blueprint = resolved(template, clone).blueprint
    counted(blueprint, items(blueprint))
    with pytest.raises(LostError, match=re.escape("VM web, disk-0: volume web-disk-0")):
        counted(blueprint, faulty(items(blueprint), "VirtualMachine", with_value([], "spec", "dataVolumeTemplates")))


def test_an_application_that_nobody_described_is_noticed() -> None:
    blueprint = resolved(MACHINES["deployment"]).blueprint
    [group] = blueprint.groups
    [machine] = group.machines
    silent = replace(blueprint, groups=(replace(group, machines=(replace(machine, application=None),)),))
    with pytest.raises(LostError, match="application web"):
        counted(silent, items(silent))


def test_nothing_is_written_when_something_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spec.yaml").write_text(f"{SPEC}vms:\n{entry('web-01')}")
    assert vmferry("compile", tmp_path, "--out", tmp_path).code == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    (tmp_path / "spec.yaml").write_text(f"{SPEC}vms:\n{entry('web-01')}{entry('web-02')}")

    def forgetful(blueprint: Blueprint) -> Iterator[Item]:
        return faulty(backends.forklift.emit_plans(blueprint), "Plan", gone)

    monkeypatch.setitem(backends.BACKENDS, "plans", backends.Backend(forgetful, of_groups=True))
    result = vmferry("compile", tmp_path, "--out", tmp_path)
    assert result.code == 3
    assert "in no manifest: VM web-01 of Plan" in result.err
    before[tmp_path / "spec.yaml"] = (tmp_path / "spec.yaml").read_bytes()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
