"""An independent recount of whatever is compiled finds nothing lost and nothing twice, and would find it."""

import random
import tempfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.properties.estates import API, CLASSES, DATASTORES, NETWORKS, Estate, build, clone, estates
from tests.properties.recount import Data, Recount
from tests.properties.soak import recount, written


@given(estates(), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_nothing_is_lost_and_nothing_is_there_twice(estate: Estate, dice: random.Random) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        tally = recount(estate, Path(scratch), dice)
    assert tally.problems == []
    assert tally.figures["vms"] + tally.figures["retired"] == len(estate.vms)


def vm(index: int, **more: Any) -> Data:
    nics = [{"network": name, "mac": f"00:50:56:{index:02x}:00:0{n}"} for n, name in enumerate(("VM Network", "dmz"))]
    disks = [{"size": size, "datastore": "vsan gold", "controller": "scsi"} for size in ("20Gi", "40Gi")]
    facts = {"uuid": f"42301f6e-1c5d-4c6e-9d3a-{index:012x}", "datacenter": "DC1", "host": "esx1.example.com"}
    size = {"cpu": {"count": 2, "coresPerSocket": 1}, "memory": "2Gi", "powerState": "poweredOff"}
    guest = {"os": "linux", "firmware": "bios", "namespace": "web", "phase": "p0", "path": "virt-v2v"}
    return {"name": f"vm-{index}", "id": f"vm-{index}"} | facts | size | guest | {"nics": nics, "disks": disks} | more


TEMPLATE = vm(5, method="image", template=True)
ONE_OF_EACH = [
    vm(1, path="forklift", method="cold"),
    vm(2, path="forklift", method="cold"),
    vm(3, method="job"),
    vm(4, method="image"),
    TEMPLATE,
    clone(vm(6, method="image"), TEMPLATE),
    {
        "name": "app",
        "uuid": "42301f6e-1c5d-4c6e-9d3a-000000000007",
        "namespace": "web",
        "phase": "p0",
        "disposition": "rebuild",
        "application": {
            "image": "registry.example.com/app:1.4.2",
            "kind": "Deployment",
            "state": [{"name": "data", "mountPath": "/data", "size": "5Gi", "tier": "gold"}],
        },
    },
    {"name": "old", "uuid": "42301f6e-1c5d-4c6e-9d3a-000000000008", "disposition": "retire", "reason": "unused"},
]
SPEC = {
    "apiVersion": API,
    "kind": "MigrationSpec",
    "metadata": {"name": "acme"},
    "sources": [
        {
            "name": "vc1",
            "vcenter": {
                "url": "https://vc1.example.com/sdk",
                "credentials": {"secretRef": {"name": "vc1-vcenter"}},
                "conversionCredentials": {"secretRef": {"name": "vc1-conversion"}},
                "thumbprint": ":".join(["5A"] * 20),
                "vddkImage": "registry.example.com/vddk:8.0.3",
            },
        }
    ],
    "target": {
        "cluster": {"name": "prod-a", "cni": "ovn-kubernetes"},
        "gitops": {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"},
    },
    "networks": list(NETWORKS.values()),
    "storage": {
        "classes": CLASSES,
        "map": [{"source": {"datastore": name}, "tier": tier} for name, tier in DATASTORES.items()],
    },
    "namespaces": [{"name": "web", "source": {"folder": "/Prod/web"}}],
    "phases": [{"name": "p0", "kind": "dev-test"}],
}

Change = Callable[[Data], Data | None]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], bytes]:
    return written(build(Estate(SPEC, ONE_OF_EACH), tmp_path_factory.mktemp("estate") / "spec"))


def counted(files: dict[str, bytes], assignments: bytes) -> list[str]:
    return Recount(SPEC, ONE_OF_EACH, files, assignments).problems()


def changed(files: dict[str, bytes], kind: str, change: Change) -> dict[str, bytes]:
    """Return the files with a change in the first object of a kind; None takes the object out."""
    for path, content in sorted(files.items()):
        if f"\nkind: {kind}\n".encode() in content:
            documents = list(yaml.safe_load_all(content))
            at = next(number for number, each in enumerate(documents) if each["kind"] == kind)
            obj = change(documents.pop(at))
            documents[at:at] = [] if obj is None else [obj]
            return files | {path: yaml.safe_dump_all(documents).encode()}
    raise AssertionError(f"there is no {kind}")


def test_one_of_each_is_complete(files: tuple[dict[str, bytes], bytes]) -> None:
    assert counted(*files) == []


def put(*path: Any, value: Any) -> Change:
    def change(obj: Data) -> Data:
        *way, last = path
        here: Any = obj
        for part in way:
            here = here[part]
        here[last] = value
        return obj

    return change


def cut(*path: Any) -> Change:
    def change(obj: Data) -> Data:
        *way, last = path
        here: Any = obj
        for part in way:
            here = here[part]
        del here[last]
        return obj

    return change


def again(*path: Any) -> Change:
    """Return a change that has the first entry of a list in it twice."""

    def change(obj: Data) -> Data:
        here: Any = obj
        for part in path:
            here = here[part]
        here.append(deepcopy(here[0]))
        return obj

    return change


def gone(_: Data) -> None:
    """Take the object out."""


GUEST = ("spec", "template", "spec")


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("Plan", cut("spec", "vms", 0), "VMs of Plans: lost {'vm-1': 1}"),
        ("Plan", again("spec", "vms"), "VMs of Plans: too many {'vm-1': 1}"),
        ("Plan", put("spec", "vms", 0, "pvcNameTemplate", value="vm-2-disk-{{.DiskIndex}}"), "is written by vm-2 and"),
        ("Plan", put("spec", "vms", 0, "targetName", value="vm-2"), "2 things run as ('web', 'vm-2')"),
        ("NetworkMap", cut("spec", "map", 0), "has 0 rows for the 1 NICs"),
        ("NetworkMap", again("spec", "map"), "is there 2 times"),
        ("NetworkMap", put("spec", "map", 0, "destination", value={"type": "ignored"}), "has ['ignored'] for network"),
        ("StorageMap", cut("spec", "map", 0), "lost {'vsan gold': 1}"),
        ("StorageMap", again("spec", "map"), "too many {'vsan gold': 1}"),
        ("VirtualMachine", gone, "VirtualMachines: lost"),
        ("VirtualMachine", cut(*GUEST, "domain", "devices", "interfaces", 0), "has the MACs"),
        ("VirtualMachine", cut(*GUEST, "networks", 0), "has interfaces without a network"),
        ("VirtualMachine", cut(*GUEST, "domain", "devices", "disks", 0), "disks of vm-"),
        ("VirtualMachine", put("metadata", "namespace", value="db"), "refers to volumes that are not there"),
        ("DataVolume", gone, "refers to volumes that are not there"),
        ("DataVolume", put("metadata", "name", value="another"), "volumes of no VM"),
        ("DataSource", gone, "disks of golden images: lost"),
        ("Job", gone, "0 Jobs for 1 VMs"),
        ("Job", cut(*GUEST, "volumes", -1), "Jobs write 1 claims for 2 disks"),
        ("Deployment", gone, "0 Deployments for 1 applications"),
        ("PersistentVolumeClaim", gone, "volumes of applications: lost"),
    ],
)
def test_what_is_lost_or_there_twice_is_found(
    files: tuple[dict[str, bytes], bytes], kind: str, change: Change, words: str
) -> None:
    manifests, assignments = files
    assert words in "\n".join(counted(changed(manifests, kind, change), assignments))


def test_a_vm_in_two_groups_is_found(files: tuple[dict[str, bytes], bytes]) -> None:
    manifests, assignments = files
    [path] = [
        path for path, text in manifests.items() if b"\nkind: VirtualMachine\n" in text and b"name: vm-4\n" in text
    ]
    twice = manifests | {"bases/p0/another/machines/vm-4.yaml": manifests[path]}
    found = "\n".join(counted(twice, assignments))
    assert "VirtualMachines: too many" in found
    assert "vm-4 is in group another" in found
    assert "2 things run as ('web', 'vm-4')" in found
