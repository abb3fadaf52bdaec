"""The rules on what comes to nothing, where their examples do not reach."""

from typing import Any

import msgspec
import pytest
from tests.resolve.projects import Data, defaults, project, vm

from vmferry import rules
from vmferry.check import review
from vmferry.model.finding import Finding
from vmferry.model.inventory import Inventory
from vmferry.model.project import Entry
from vmferry.resolve.blueprint import resolve

BRIDGE: Data = {"type": "bridge", "bridge": "br-vm"}
NETWORK: Data = {"source": {"portGroup": "vlan-7", "vlan": 7}, "target": BRIDGE}
SECOND: Data = {"source": {"portGroup": "vlan-8", "vlan": 8}, "target": BRIDGE}
GOLD: Data = {"name": "ceph-block", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"}


HERE = defaults(namespace=None)
NO_PATH = defaults(path=None, method=None)


def found(*vms: Data, repeats: tuple[str, ...] = (), **sections: Any) -> list[Finding]:
    """Return what the rules on the spec find; the spec has no error.

    ``repeats`` are facts that the entries state as the inventory does.
    """
    inventory = sections.pop("inventory", None)
    made = project(*vms, **sections)
    if repeats:
        entries = tuple(
            Entry(vm=entry.vm, where=entry.where, imported=entry.vm, stated=("name", *repeats))
            for entry in made.entries
        )
        made = msgspec.structs.replace(made, entries=entries)
    if inventory is not None:
        part = {"metadata": {"name": "vc1"}, "source": {"name": "vc1", "kind": "vcenter"}, **inventory}
        made = msgspec.structs.replace(made, inventories=(msgspec.convert(part, Inventory),))
    resolution = resolve(made)
    assert [finding.message for finding in resolution.findings if finding.is_error] == []
    return [each for each in rules.check(review(made, resolution)) if "VMF120" <= each.code <= "VMF139"]


def codes(*vms: Data, **arguments: Any) -> list[str]:
    return sorted({finding.code for finding in found(*vms, **arguments)})


def test_a_spec_in_which_everything_is_of_use_has_no_finding() -> None:
    assert found(vm()) == []


# --- entries that nothing uses


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["VMF120"]),
        ({"target": {"type": "nad", "name": "x"}}, ["VMF120"]),
        ({"smokeTest": {"addresses": ["10.0.8.8/24", "10.0.8.9/24"], "namespace": "web"}}, []),
    ],
)
def test_a_network_is_of_use_to_a_smoke_test_too(fields: Data, expected: list[str]) -> None:
    assert codes(vm(), networks=[NETWORK, SECOND | fields]) == expected


@pytest.mark.parametrize(
    ("name", "to"),
    [
        ("carrier", {"type": "nad", "name": "migration", "namespace": "default"}),
        ("carrier", {"type": "ovn-layer2", "subnets": ["10.9.0.0/24"]}),
        (None, {"type": "ovn-layer2", "subnets": ["10.9.0.0/24"]}),
    ],
)
def test_a_network_that_disks_are_copied_over_is_of_use(name: str | None, to: Data) -> None:
    row = SECOND | {"target": to} | ({"name": name} if name else {})
    decided = defaults(transferNetwork=name or "vlan-8", path="forklift", method="cold")
    assert codes(vm(), networks=[NETWORK, row], defaults=decided) == []


def test_a_row_for_another_vcenter_is_of_no_use_to_this_one() -> None:
    other = {"name": "vc2", "vcenter": {"url": "https://vc2/sdk", "credentials": {"secretRef": {"name": "vc2"}}}}
    first = {
        "name": "vc1",
        "vcenter": {
            "url": "https://vc1/sdk",
            "credentials": {"secretRef": {"name": "vc1"}},
            "conversionCredentials": {"secretRef": {"name": "c"}},
        },
    }
    network = NETWORK | {"name": "other", "source": NETWORK["source"] | {"source": "vc2"}}
    rows = [{"source": {"datastore": "ds1", "source": source}, "tier": "gold"} for source in ("vc1", "vc2")]
    got = found(
        vm(source="vc1"), sources=[first, other], networks=[NETWORK, network], storage={"classes": [GOLD], "map": rows}
    )
    assert [(each.code, each.where.path[-2] if each.where else None) for each in got] == [
        ("VMF120", 1),
        ("VMF121", 1),
        ("VMF126", 1),
    ]


def test_a_datastore_is_of_use_by_its_id_and_to_a_disk_that_names_its_own_class() -> None:
    rows = [{"source": {"datastore": "renamed", "id": "ds1"}, "tier": "gold"}]
    storage = {"classes": [GOLD], "map": rows}
    assert codes(vm(), storage=storage) == []
    own = [{"size": "40Gi", "datastore": "ds1", "storageClass": "ceph-block"}]
    assert codes(vm(disks=own), storage=storage) == []


def test_the_network_of_a_rebuilt_vm_is_of_use_as_its_nic_is_mapped_all_the_same() -> None:
    rebuilt = vm(path="rebuild", method=None, application={"image": "r/app:1"})
    assert "VMF120" not in codes(rebuilt)


def test_a_rebuilt_vm_uses_the_classes_of_its_volumes_and_no_datastore() -> None:
    state = [{"name": "data", "mountPath": "/data", "size": "1Gi", "tier": "files"}]
    files = {"name": "cephfs", "provisioner": "rook-ceph.cephfs.csi.ceph.com", "tier": "files"}
    rebuilt = vm(path="rebuild", method=None, application={"image": "r/app:1", "state": state})
    storage = {"classes": [files], "map": [{"source": {"datastore": "ds1"}, "tier": "files"}]}
    assert codes(rebuilt, storage=storage, defaults=NO_PATH) == ["VMF121"]


def test_a_namespace_is_of_use_to_forklift_a_smoke_test_or_a_copy() -> None:
    names = [{"name": name} for name in ("web", "konveyor-forklift", "proof", "net")]
    smoke = {"smokeTest": {"addresses": ["10.0.7.8/24", "10.0.7.9/24"], "namespace": "proof"}}
    assert codes(vm(), networks=[NETWORK | smoke], namespaces=names[:3]) == []
    assert codes(vm(), namespaces=[names[0], names[3]]) == ["VMF123"]


@pytest.mark.parametrize(
    ("host", "known", "expected"),
    [
        ({"name": "esx1.example.com"}, [], []),
        ({"name": "10.0.0.1", "id": "host-1"}, [{"name": "esx1.example.com", "id": "host-1"}], []),
        ({"name": "esx9.example.com"}, [], ["VMF133"]),
    ],
)
def test_an_esxi_host_is_found_by_name_or_id(host: Data, known: list[Data], expected: list[str]) -> None:
    assert codes(forklift(), sources=[with_host(host)], defaults=NO_PATH, inventory={"hosts": known}) == expected


def test_where_the_vms_are_is_unknown_no_host_is_called_unused() -> None:
    assert codes(forklift(host=None), sources=[with_host({"name": "esx9.example.com"})], defaults=NO_PATH) == []


def test_without_a_vm_that_forklift_copies_every_host_is_unused() -> None:
    assert codes(vm(), sources=[with_host({"name": "esx1.example.com"})]) == ["VMF133"]


def forklift(**fields: Any) -> Data:
    return vm(path="forklift", method="cold", **fields)


def with_host(host: Data) -> Data:
    secret = {"secretRef": {"name": "vc1"}}
    hosts = [{"ipAddress": "192.0.2.1", "credentials": {"secretRef": {"name": "esx"}}, **host}]
    settings = {"url": "https://vc1/sdk", "credentials": secret, "conversionCredentials": secret, "hosts": hosts}
    return {"name": "vc1", "vcenter": settings}


# --- decisions that come to nothing


def rule(match: Data, **decided: Any) -> Data:
    return {"match": match, "set": decided}


@pytest.mark.parametrize(
    "match",
    [
        {"name": "web-*"},
        {"name": ["db-*", "web-*"]},
        {"source": "vc1"},
        {"folder": "/Prod/*"},
        {"network": "vlan-*"},
        {"datastore": "ds?"},
        {"tags": "tier:*"},
        {"os": "linux"},
        {"template": False},
        {"customAttributes": {"owner": "a*"}},
    ],
)
def test_a_rule_that_matches_and_never_wins_is_overridden(match: Data) -> None:
    facts = {"folder": "/Prod", "tags": ["tier:web"], "customAttributes": {"owner": "alice"}}
    [finding] = found(vm(**facts, runStrategy="Always"), assign=[rule(match, runStrategy="Manual")])
    assert (finding.code, finding.where.path[-1] if finding.where else None) == ("VMF127", "runStrategy")


@pytest.mark.parametrize(
    "match",
    [
        {"name": "db-*"},
        {"folder": "/Prod/*"},
        {"datacenter": "DC1", "cluster": "*"},
        {"template": True},
        {"customAttributes": {"owner": "*"}, "tags": "a"},
        {"customAttributes": {"owner": "?"}},
    ],
)
def test_a_rule_that_matches_nothing_is_left_to_its_own_finding(match: Data) -> None:
    assert codes(vm(runStrategy="Always"), assign=[rule(match, runStrategy="Manual")]) == []


def test_of_a_rule_that_wins_in_part_the_rest_is_named() -> None:
    vms = (vm("web-01", runStrategy="Always", tier="gold"), vm("web-02", runStrategy="Always", tier="gold"))
    assigned = [rule({"name": "*"}, tier="gold", runStrategy="Manual", cpuModel="Nehalem")]
    [finding] = found(*vms, assign=assigned)
    assert finding.message == "tier, runStrategy of this `assign` rule are overridden for every VM"


def test_a_default_that_one_vm_has_holds() -> None:
    decided = defaults(runStrategy="Manual")
    assert codes(vm("web-01", runStrategy="Always"), vm("web-02"), defaults=decided) == []
    assert codes(vm("web-01", runStrategy="Always"), defaults=decided) == ["VMF128"]


def test_an_entry_may_name_its_vm_and_say_what_the_inventory_does_not() -> None:
    assert codes(vm(), repeats=("phase",)) == []
    [finding] = found(vm(), repeats=("memory", "power_state"))
    assert finding.message == "VM web-01: its entry repeats memory, powerState from the inventory"
    assert finding.help == "remove them from the entry"


def test_what_rules_decide_of_a_vm_that_stays_is_no_leftover() -> None:
    stays = vm("web-02", disposition="retain", reason="its licence")
    assert codes(vm(), stays, assign=[rule({"name": "*"}, tier="gold")]) == []


def test_a_name_that_a_retired_and_a_moving_vm_share_is_not_called_retired() -> None:
    vms = (
        vm("web-01", dependsOn=["db", {"external": "db:5432"}, "vm-1"]),
        vm("db", id="vm-1"),
    )
    assert codes(*vms) == []
    retired = vm("db", id="vm-1", disposition="retire", reason="replaced")
    assert codes(vms[0], retired) == ["VMF131"]


def test_a_set_of_vms_in_two_namespaces_is_two_sets() -> None:
    vms = (vm("web-01", apartFrom="web"), vm("web-02", apartFrom="web", namespace="other"))
    names = [{"name": "web"}, {"name": "other"}]
    assert codes(*vms, namespaces=names) == ["VMF132"]
    assert codes(*(machine | {"namespace": "web"} for machine in vms), namespaces=names[:1], defaults=HERE) == []
