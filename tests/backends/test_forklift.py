"""Tests of `vmferry.backends.forklift`."""

import base64
from typing import Any

import pytest
from msgspec.structs import replace
from tests.backends import estate, schemas
from tests.backends.estate import disk, group, machine

from vmferry.backends import forklift
from vmferry.model.blueprint import (
    Blueprint,
    Credential,
    Group,
    HookPlan,
    Machine,
    NetworkPair,
    Placement,
    SourceRef,
)
from vmferry.model.manifest import Item, Resource
from vmferry.model.spec import ExternalSecret, HookUse, InstancetypeRef, StoreRef, Toleration


def emitted(*groups: Group, **fields: Any) -> list[Item]:
    return list(forklift.emit(estate.blueprint(*groups, **fields)))


def plan(*machines: Machine, version: str = "2.12", **fields: Any) -> dict[str, Any]:
    found = schemas.named(
        emitted(group("stateless-01", fields.pop("method", "warm"), *machines, **fields), forklift=version),
        "Plan",
        "acme-stateless-01",
    )
    spec: dict[str, Any] = found["spec"]
    return spec


def entry(version: str = "2.12", **fields: Any) -> dict[str, Any]:
    [found] = plan(machine("web-01", **fields), version=version)["vms"]
    result: dict[str, Any] = found
    return result


def rendered(template: str, index: int) -> str:
    """Return what Go makes of a claim template."""
    return template.replace("{{.DiskIndex}}", str(index))


@pytest.mark.parametrize("method", ["warm", "cold"])
@pytest.mark.parametrize("version", ["2.9", "2.12.5"])
def test_every_object_fits_its_schema(method: Any, version: str) -> None:
    vm = machine(
        "web-01",
        hooks=(HookUse(name="drain", step="PreHook"), HookUse(name="drain", step="PostHook")),
        luks_secret="web-01-luks",
        root_disk="/dev/sda",
        instancetype=InstancetypeRef(name="u1.large"),
    )
    placement = Placement(labels={"tier": "web"}, node_selector={"zone": "a"}, apart_from="web")
    items = emitted(
        group("stateless-01", method, vm, placement=placement, transfer_network="web/migration"),
        forklift=version,
    )
    kinds = [obj["kind"] for obj in schemas.objects(items)]
    assert sorted(kinds) == sorted(
        ["Provider", "Provider", "Hook", "Host", "NetworkMap", "StorageMap", "Plan", "Migration"]
    )
    for obj in schemas.objects(items):
        schemas.assert_fits(obj)
        assert obj["metadata"]["namespace"] == "konveyor-forklift"


def test_a_migration_without_forklift_groups_gets_no_forklift_object() -> None:
    assert emitted(group("stateful-01", "job")) == []


def test_only_a_source_that_forklift_copies_from_gets_a_provider() -> None:
    other = replace(estate.SOURCE, name="vc2", provider="acme-vc2")
    items = emitted(group("stateless-01", "warm"), sources=(other, estate.SOURCE))
    directories = {item.directory for item in items if isinstance(item, Resource)}
    assert "infra/source/vc1" in directories
    assert "infra/source/vc2" not in directories


# --- infra -----------------------------------------------------------------------------------


def test_the_provider_says_what_forklift_would_add_to_it() -> None:
    provider = schemas.named(emitted(), "Provider", "acme-vc1")
    assert provider["spec"] == {
        "type": "vsphere",
        "url": "https://vc1.acme.example/sdk",
        "secret": {"namespace": "konveyor-forklift", "name": "vc1-creds"},
        "settings": {
            "sdkEndpoint": "vcenter",
            "useVddkAioOptimization": "true",
            "vddkInitImage": "registry.acme.example/vddk:8.0.3",
        },
    }


def test_the_target_is_the_cluster_forklift_runs_in() -> None:
    provider = schemas.named(emitted(), "Provider", "acme--host")
    assert provider["spec"] == {"type": "openshift", "url": "", "secret": {}}


def test_an_existing_provider_of_the_target_is_referred_to_and_not_emitted() -> None:
    items = emitted(forklift_provider="host")
    assert [obj["metadata"]["name"] for obj in schemas.objects(items) if obj["kind"] == "Provider"] == ["acme-vc1"]
    destination = schemas.named(items, "Plan", "acme-stateless-01")["spec"]["provider"]["destination"]
    assert destination == {"namespace": "konveyor-forklift", "name": "host"}


def test_a_credential_from_a_store_lies_beside_its_provider() -> None:
    external = ExternalSecret(store_ref=StoreRef(name="vault"), key="vc1")
    credential = Credential(source="vc1", name="vc1-vcenter", namespace="konveyor-forklift", external=external)
    items = emitted(group("stateless-01", "warm"), sources=(replace(estate.SOURCE, credential=credential),))
    [found] = [each for each in items if isinstance(each, Resource) and each.object["kind"] == "ExternalSecret"]
    assert found.directory == "infra/source/vc1"


def test_hosts_that_share_one_encrypted_file_get_it_once() -> None:
    sealed = Credential(source="vc1", name="esxi", namespace="konveyor-forklift", content=b"kind: SealedSecret\n")
    [host] = estate.SOURCE.hosts
    hosts = tuple(replace(host, name=f"vc1-esx{number}", credential=sealed) for number in range(3))
    items = emitted(group("stateless-01", "warm"), sources=(replace(estate.SOURCE, hosts=hosts),))
    assert len([item for item in items if isinstance(item, Resource) and item.raw is not None]) == 1


def test_a_host_is_found_by_its_id() -> None:
    host = schemas.named(emitted(), "Host", "vc1-esx1")
    assert (host["spec"]["id"], host["spec"]["name"]) == ("host-21", "esx1")
    assert host["spec"]["provider"]["name"] == "acme-vc1"


def test_the_playbook_of_a_hook_is_base64() -> None:
    hook = HookPlan(
        name="drain",
        full_name="acme-drain",
        image="runner:1",
        playbook="- hosts: all\n  # größe\n",
        service_account="runner",
        deadline=600,
    )
    found = schemas.named(emitted(group("stateless-01", "warm"), hooks=(hook,)), "Hook", "acme-drain")
    schemas.assert_fits(found)
    assert base64.b64decode(found["spec"]["playbook"]).decode() == hook.playbook
    assert found["spec"]["deadline"] == 600


@pytest.mark.parametrize("kind", ["Provider", "NetworkMap", "StorageMap", "Plan", "Migration"])
def test_what_cancels_a_run_when_it_goes_is_never_pruned(kind: str) -> None:
    for obj in schemas.objects(emitted()):
        if obj["kind"] == kind:
            notes = obj["metadata"]["annotations"]
            assert notes["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
            assert notes["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"


# --- maps ------------------------------------------------------------------------------------


def test_a_network_that_is_not_connected_and_several_definitions_of_one_are_rows_of_the_map() -> None:
    lan, backup = SourceRef(name="lan"), SourceRef(name="backup", id="network-9")
    pairs = (
        NetworkPair(source=backup, nad=None, ignored=True),
        NetworkPair(source=lan, nad="web/lan"),
        NetworkPair(source=lan, nad="web/lan-2"),
    )
    items = emitted(group("stateless-01", "warm", networks=pairs))
    table = schemas.named(items, "NetworkMap", "acme-stateless-01")
    schemas.assert_fits(table)
    assert table["spec"]["map"] == [
        {"source": {"id": "network-9", "name": "backup"}, "destination": {"type": "ignored"}},
        {"source": {"name": "lan"}, "destination": {"type": "multus", "namespace": "web", "name": "lan"}},
        {"source": {"name": "lan"}, "destination": {"type": "multus", "namespace": "web", "name": "lan-2"}},
    ]


def test_the_maps_use_ids_where_known() -> None:
    items = emitted()
    networks = schemas.named(items, "NetworkMap", "acme-stateless-01")["spec"]["map"]
    assert networks == [
        {
            "source": {"id": "dvportgroup-7", "name": "web-prod"},
            "destination": {"type": "multus", "namespace": "web", "name": "web-prod"},
        },
        {"source": {"name": "VM Network"}, "destination": {"type": "pod"}},
    ]
    [datastore] = schemas.named(items, "StorageMap", "acme-stateless-01")["spec"]["map"]
    assert datastore == {
        "source": {"id": "datastore-1", "name": "ds1"},
        "destination": {
            "storageClass": "ceph-block",
            "volumeMode": "Block",
            "accessMode": "ReadWriteMany",
        },
    }


# --- Plan ------------------------------------------------------------------------------------


def test_the_plan_leaves_nothing_to_the_defaults_of_its_crd() -> None:
    spec = plan()
    defaulted = {
        "deleteVmOnFailMigration": False,
        "migrateSharedDisks": True,
        "preserveStaticIPs": True,
        "runPreflightInspection": True,
        "skipGuestConversion": False,
        "useCompatibilityMode": True,
        "pvcNameTemplateUseGenerateName": False,
        "archived": False,
    }
    assert {key: spec[key] for key in defaulted} == defaulted


@pytest.mark.parametrize(("method", "warm"), [("warm", True), ("cold", False)])
def test_warm_and_type_agree(method: Any, warm: bool) -> None:
    spec = plan(method=method)
    assert (spec["type"], spec["warm"]) == (method, warm)


def test_a_field_that_this_forklift_lacks_is_not_emitted() -> None:
    vm = machine("web-01", nbde_clevis=True)
    spec = plan(vm, version="2.9", placement=Placement(node_selector={"zone": "a"}, apart_from="web"))
    newer = {"type", "targetLabels", "targetNodeSelector", "targetAffinity", "runPreflightInspection"}
    assert newer.isdisjoint(spec)
    assert {"targetPowerState", "deleteVmOnFailMigration", "nbdeClevis"}.isdisjoint(spec["vms"][0])
    assert spec["warm"] is True


def test_placement_is_the_plans() -> None:
    placement = Placement(
        labels={"tier": "web"},
        node_selector={"zone": "a"},
        tolerations=(Toleration(key="kvm"),),
        apart_from="web",
    )
    spec = plan(placement=placement)
    assert spec["targetLabels"] == {
        "tier": "web",
        "vmferry.dev/apart-from": "web",
        "vmferry.dev/group": "stateless-01",
        "vmferry.dev/migration": "acme",
        "vmferry.dev/phase": "stateless",
    }
    assert spec["targetNodeSelector"] == {"zone": "a"}
    [term] = spec["targetAffinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["labelSelector"] == {"matchLabels": {"vmferry.dev/apart-from": "web"}}


def test_the_transfer_network_is_a_reference() -> None:
    assert plan(transfer_network="web/copy")["transferNetwork"] == {"namespace": "web", "name": "copy"}
    assert "transferNetwork" not in plan()


def test_a_vm_is_named_by_id_and_name_in_one_entry() -> None:
    found = entry()
    assert (found["id"], found["name"], found["targetName"]) == ("vm-web-01", "WEB-01", "web-01")
    assert "id" not in entry(id=None)


@pytest.mark.parametrize(
    ("strategy", "state"),
    [("Always", "on"), ("RerunOnFailure", "on"), ("Manual", "off"), ("Halted", "off")],
)
def test_the_power_state_follows_from_the_run_strategy(strategy: Any, state: str) -> None:
    assert entry(run_strategy=strategy)["targetPowerState"] == state


def test_a_failed_vm_is_cleared_away_unless_it_may_have_run() -> None:
    assert entry()["deleteVmOnFailMigration"] is True
    assert "deleteVmOnFailMigration" not in entry(hooks=(HookUse(name="drain", step="PostHook"),))


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"os": "windows"}, True),
        ({"os": "other", "guest_id": "windows2019srv_64Guest"}, True),
        ({"os": "windows", "run_strategy": "Halted"}, False),
        ({"os": "windows", "run_strategy": "Manual"}, False),
        ({"os": "windows", "version": "2.11"}, False),
        ({"os": "windows", "raw": True}, False),
        ({"os": "linux"}, False),
    ],
)
def test_a_windows_that_is_started_and_waited_for_is_never_cleared_away(fields: Any, *, kept: bool) -> None:
    assert ("deleteVmOnFailMigration" not in entry(**fields)) is kept


def test_hooks_and_secrets_are_beside_the_plan() -> None:
    found = entry(hooks=(HookUse(name="drain", step="PreHook"),), luks_secret="keys")
    drain = {"namespace": "konveyor-forklift", "name": "acme-drain"}
    assert found["hooks"] == [{"step": "PreHook", "hook": drain}]
    assert found["luks"] == {"namespace": "konveyor-forklift", "name": "keys"}


# --- names of claims -------------------------------------------------------------------------


def test_usual_claims_need_the_index_only() -> None:
    vm = machine("web-01", disks=(disk("web-01", 0), disk("web-01", 1)))
    assert forklift.claim_template(vm) == "web-01-disk-{{.DiskIndex}}"


def test_the_template_yields_the_claims_of_a_name_that_was_cut() -> None:
    disks = tuple(disk("web-01", index, claim=f"long-name-1a2b3c-disk-{index}") for index in range(3))
    template = forklift.claim_template(machine("web-01", disks=disks))
    assert [rendered(template, index) for index in range(3)] == [each.claim for each in disks]


# --- Migration -------------------------------------------------------------------------------


def test_every_attempt_is_a_migration_of_its_own_without_cutover() -> None:
    items = emitted(group("stateless-01", "warm", attempt=2, cutover="2027-01-11T20:00:00Z"))
    found = schemas.named(items, "Migration", "acme-stateless-01-2")
    assert found["spec"] == {"plan": {"namespace": "konveyor-forklift", "name": "acme-stateless-01"}}


def test_plan_and_migration_are_in_layers_of_their_own() -> None:
    items = [item for item in emitted() if isinstance(item, Resource)]
    where = {item.object["kind"]: (item.directory, item.file) for item in items}
    assert where["Plan"] == where["NetworkMap"] == where["StorageMap"]
    assert where["Plan"] == ("bases/stateless/stateless-01/plan", "plan-stateless-01.group.yaml")
    assert where["Migration"] == ("bases/stateless/stateless-01/migration", "migration-stateless-01.group.yaml")
    assert {item.lock for item in items if item.directory.startswith("bases/")} == {"stateless/stateless-01"}


def test_references_resolve_within_what_is_emitted() -> None:
    blueprint: Blueprint = estate.blueprint()
    objects = schemas.objects(list(forklift.emit(blueprint)))
    names = {(obj["kind"], obj["metadata"]["name"]) for obj in objects}
    [found] = [obj for obj in objects if obj["kind"] == "Plan"]
    spec = found["spec"]
    assert ("Provider", spec["provider"]["source"]["name"]) in names
    assert ("Provider", spec["provider"]["destination"]["name"]) in names
    assert ("NetworkMap", spec["map"]["network"]["name"]) in names
    assert ("StorageMap", spec["map"]["storage"]["name"]) in names
    assert ("Hook", spec["vms"][0]["hooks"][0]["hook"]["name"]) in names
