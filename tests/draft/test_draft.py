"""Tests of the draft of a spec: what it says, that it can be read, and that hostile names stay names."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.importers.estates import NETWORK, disk, estate, nic, vm

from vmferry.cli.init import quoted
from vmferry.draft.propose import Draft, propose
from vmferry.draft.unknown import ways
from vmferry.estate.ties import Member
from vmferry.model.finding import Where
from vmferry.model.inventory import (
    Inventory,
    InventoryCluster,
    InventoryDatastore,
    InventoryNetwork,
    InventoryRule,
    Origin,
)
from vmferry.model.project import Entry, Project
from vmferry.model.spec import MigrationSpec, SimilarVms, VirtualMachineSet
from vmferry.resolve.notes import collect, findings, value_of
from vmferry.resolve.paths import route, standard_vms
from vmferry.resolve.selection import select
from vmferry.yaml.read import read


def drafted(*parts: Inventory) -> Draft:
    return propose(parts, "demo", quoted)


def spec_of(result: Draft) -> MigrationSpec:
    """Return the typed spec, with the addresses that only a person knows."""
    text = result.files["spec.yaml"].replace("url: TODO", "url: https://vc/sdk")
    [document] = read(text.replace("repoURL: TODO", "repoURL: https://git/x").encode(), "spec.yaml")
    return msgspec.convert(document.data, MigrationSpec)


def entries_of(result: Draft) -> dict[str, Any]:
    """Return the VM entries of every file by name."""
    found: dict[str, Any] = {}
    for name, text in result.files.items():
        if name.startswith("vms/"):
            [document] = read(text.encode(), name)
            found |= {each.name: each for each in msgspec.convert(document.data, VirtualMachineSet).vms}
    return found


def phases_of(result: Draft, *parts: Inventory) -> dict[str, str | None]:
    """Return the phase of each VM, as the compiler decides it from the draft."""
    return {name: decisions.phase for name, decisions in decisions_of(result, *parts).items()}


def decisions_of(result: Draft, *parts: Inventory) -> dict[str, Any]:
    own = entries_of(result)
    where = Where(file="spec.yaml")
    entries = []
    for part in parts:
        for each in part.vms:
            stated = own.get(each.name)
            known = {field: getattr(stated, field) for field in each.__struct_fields__ if stated}
            fields = {field: value for field, value in known.items() if value not in (None, (), {})}
            merged = msgspec.structs.replace(each, **(fields | {"source": part.source.name}))
            entries.append(Entry(vm=merged, where=where))
    project = Project(spec=spec_of(result), where=where, entries=tuple(entries))
    candidates, notes = collect(select(project))
    assert [finding.message for finding in findings(notes)] == []  # every rule selects a VM
    return {candidate.vm.name: candidate.decisions for candidate in candidates}


def test_every_vm_gets_the_phase_that_was_guessed() -> None:
    part = estate(
        vm(1, "web-01"),
        vm(2, "web-02"),
        vm(3, "web-03", folder="/Dev/Web"),
        vm(4, "web-04", disks=(disk(), disk())),
        vm(5, "thing"),
        vm(6, "db-test-1", folder="/x"),
        vm(7, "tmpl", template=True),
    )
    assert phases_of(drafted(part), part) == {
        "web-01": "stateless",
        "web-02": "stateless",
        "web-03": "dev-test",
        "web-04": "stateful",
        "thing": "stateful",
        "db-test-1": "dev-test",
        "tmpl": "dev-test",
    }


def test_equal_names_are_told_apart_by_entries() -> None:
    part = estate(vm(1, "web"), vm(2, "web", disks=(disk(), disk())), vm(3, "other"))
    entries = read(drafted(part).files["vms/exceptions.yaml"].encode(), "x")[0].data["vms"]
    assert entries == [{"name": "web", "id": "vm-1", "phase": "stateless"}]


def test_vms_that_share_a_disk_get_one_phase_and_one_namespace() -> None:
    shared = (disk(), disk("10Gi", shared="quorum"))
    part = estate(vm(1, "node-a", disks=shared, folder="/Dev/A"), vm(2, "node-b", disks=shared, folder="/Prod/B"))
    result = drafted(part)
    decided = decisions_of(result, part)
    assert {decisions.phase for decisions in decided.values()} == {"stateful"}
    assert entries_of(result)["node-b"].namespace == "dev-a"
    assert "proposed: node-a, node-b: they share disk quorum" in result.files["spec.yaml"]


def test_templates_become_golden_images() -> None:
    part = estate(vm(1, "web-01"), vm(2, "rhel9", template=True, folder=None))
    decisions = decisions_of(drafted(part), part)["rhel9"]
    assert (decisions.path, decisions.method, decisions.namespace) == ("virt-v2v", "image", "golden-images")


def test_vms_that_serve_vsphere_are_left_out_with_a_reason() -> None:
    part = estate(vm(1, "web-01"), vm(2, "vCLS-12ab"), vm(3, "vcsa01"), vm(4, "copy", srm_placeholder=True))
    result = drafted(part)
    decided = decisions_of(result, part)
    assert {name: d.disposition for name, d in decided.items() if d.disposition} == {
        "vCLS-12ab": "exclude",
        "vcsa01": "retain",
        "copy": "exclude",
    }
    assert all(d.reason for d in decided.values() if d.disposition)
    assert "VM Network" in result.files["spec.yaml"]


def test_networks_of_vms_left_out_have_no_row() -> None:
    part = estate(vm(1, "web-01"), vm(2, "vcsa01", nics=(nic(2, "Management"),)))
    assert [row.source.port_group for row in spec_of(drafted(part)).networks] == ["VM Network"]


def test_network_rows_have_what_is_known() -> None:
    networks = (
        InventoryNetwork(name="lan", id="dvportgroup-1", kind="distributed", vlan=120, switch="dvs1"),
        InventoryNetwork(name="trunk", id="dvportgroup-2", kind="distributed", trunk=("100-200",)),
        InventoryNetwork(name="web-prod", id="network-3", kind="nsx-t", segment_id="ls-3", transport_zone="TZ-Overlay"),
        InventoryNetwork(name="old", kind="standard"),
        InventoryNetwork(name="unused", vlan=9),
        InventoryNetwork(name="uplinks", uplink=True),
    )
    nics = tuple(nic(i, name) for i, name in enumerate(("lan", "trunk", "web-prod", "old", "lan")))
    result = drafted(estate(vm(1, "web-01", nics=nics), networks=networks))
    rows = {row.source.segment or row.source.port_group: row for row in spec_of(result).networks}
    assert rows.keys() == {"lan", "trunk", "web-prod", "old"}
    assert (rows["lan"].source.vlan, rows["lan"].source.id) == (120, "dvportgroup-1")
    assert rows["trunk"].source.trunk == ("100-200",)
    assert (rows["web-prod"].source.kind, rows["web-prod"].source.transport_zone) == ("nsx-t", "overlay")
    text = result.files["spec.yaml"]
    assert "# 1 VM, 2 NICs; switch dvs1\n" in text
    assert "NSX id ls-3" in text
    undecided = [decision.text for decision in result.decisions if decision.text.startswith("network")]
    assert [text.partition(":")[0] for text in undecided] == ["network old", "network web-prod"]


def test_two_networks_of_one_name_go_by_their_ids() -> None:
    networks = tuple(InventoryNetwork(name="lan", id=f"dvportgroup-{i}", kind="distributed", vlan=i) for i in (1, 2))
    nics = tuple(nic(i, "lan", network_id=f"dvportgroup-{i}") for i in (1, 2))
    rows = spec_of(drafted(estate(vm(1, "web-01", nics=nics), networks=networks))).networks
    assert [(row.source.port_group, row.source.vlan) for row in rows] == [("dvportgroup-1", 1), ("dvportgroup-2", 2)]
    assert len({row.name for row in rows}) == 2


def test_storage_map_has_a_row_a_datastore_with_a_guessed_tier() -> None:
    datastores = (
        InventoryDatastore(name="ssd-1", id="datastore-1", kind="VMFS"),
        InventoryDatastore(name="x", kind="NFS"),
        InventoryDatastore(name="unused", kind="NFS"),
    )
    disks = (disk(datastore="datastore-1"), disk(datastore="ssd-1"), disk(datastore="x"))
    result = drafted(estate(vm(1, "web-01", disks=disks), datastores=datastores))
    rows = spec_of(result).storage.map
    assert [(row.source.datastore, row.tier) for row in rows] == [("ssd-1", "gold"), ("x", "bronze")]
    assert "# 'ssd' in the name; 1 VM, 2 disks, 80 GiB" in result.files["spec.yaml"]


def test_namespaces_come_from_pools_where_most_vms_are_in_one() -> None:
    pool = "/DC1/C1/Resources"
    part = estate(vm(1, "a", resource_pool=f"{pool}/Prod/Web"), vm(2, "b", resource_pool=f"{pool}/kube-x"))
    part = msgspec.structs.replace(part, vms=(*part.vms, vm(3, "c", folder=None)))
    result = drafted(part)
    spec = spec_of(result)
    assert {n.name: n.source.resource_pool if n.source else None for n in spec.namespaces} == {
        "prod-web": f"{pool}/Prod/Web",
        "vms-kube-x": f"{pool}/kube-x",
        "vc1": None,
    }
    assert decisions_of(result, part)["c"].namespace == "vc1"


def test_vms_without_a_place_share_a_namespace() -> None:
    part = estate(vm(1, "a", folder=None), vm(2, "b", folder="/DC1/vm", resource_pool="Resources"))
    assert {d.namespace for d in decisions_of(drafted(part), part).values()} == {"vc1"}


def test_many_folders_are_told_apart_less_deeply() -> None:
    part = estate(*(vm(i, f"a{i}", folder=f"/T{i % 3}/F{i}") for i in range(90)))
    assert [n.source.folder for n in spec_of(drafted(part)).namespaces if n.source] == ["/T0", "/T1", "/T2"]


def test_several_vcenters_are_named_in_every_row() -> None:
    parts = (estate(vm(1, "a")), estate(vm(1, "b"), source="vc2"))
    spec = spec_of(drafted(*parts))
    assert [source.name for source in spec.sources] == ["vc1", "vc2"]
    assert [row.source.source for row in spec.networks] == ["vc1", "vc2"]
    assert [row.source.source for row in spec.storage.map] == ["vc1", "vc2"]
    assert len({n.name for n in spec.namespaces}) == 2
    assert len({row.name or "vm-network" for row in spec.networks}) == 2


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"firmware": "efi", "secure_boot": True}, "whether it has a vTPM is unknown"),
        ({"uuid": None}, "its SMBIOS UUID is unknown"),
        ({"os": None}, "its operating system is unknown"),
        ({"power_state": None}, "whether it runs is unknown"),
        ({"disks": None}, "the list of its disks is unknown"),
        ({"nics": None}, "the list of its NICs is unknown"),
        ({"nics": (nic(1, mac=None),)}, "the MAC of some NICs is unknown"),
        ({"disks": (disk(controller="scsi"), disk())}, "the controller of some disks is unknown"),
    ],
)
def test_unknown_facts_are_marked_at_the_vm(fields: dict[str, Any], said: str) -> None:
    result = drafted(estate(vm(1, "web-01", **fields)))
    [decision] = [each for each in result.decisions if each.file == "vms/exceptions.yaml"]
    assert decision.text == f"VM web-01: {said}; complete and uncomment"
    line = result.files[decision.file].splitlines()[decision.line - 1]
    assert line == f"    # TODO: {decision.text}"


def test_what_forklift_reads_itself_is_not_asked_for() -> None:
    part = estate(*(vm(i, f"web-{i:02}", uuid=None, nics=(nic(i, mac=None),)) for i in range(50)))
    assert not [each for each in drafted(part).decisions if each.file == "vms/exceptions.yaml"]


def test_a_mac_that_two_vms_have_is_a_decision() -> None:
    result = drafted(estate(vm(1, "a"), vm(2, "b", nics=(nic(1),))))
    assert any("VM a has the same MAC" in decision.text for decision in result.decisions)


def test_disks_without_a_datastore_get_a_tier() -> None:
    part = estate(vm(1, "a", disks=(disk(datastore=None),)), vm(2, "b"))
    result = drafted(part)
    assert {name: d.tier for name, d in decisions_of(result, part).items()} == {"a": "silver", "b": None}


def test_disks_that_vsphere_cannot_read_take_method_image() -> None:
    part = estate(vm(1, "a", disks=(disk(mode="independent_persistent"),)), vm(2, "b"))
    assert {name: d.method for name, d in decisions_of(drafted(part), part).items()} == {"a": "image", "b": None}


def test_ways_are_those_the_compiler_takes() -> None:
    vms = [vm(i, f"a{i}") for i in range(50)] + [
        vm(100, "b"),
        vm(101, "c", template=True),
        vm(102, "d", os="other"),
        vm(103, "e", disks=(disk(shared="x"),)),
        vm(104, "f", disks=(disk(rdm="virtual"),)),
    ]
    part = estate(*vms)
    result = drafted(part)
    where = Where(file="x")
    entries = tuple(Entry(vm=each, where=where) for each in vms)
    candidates = value_of(select(Project(spec=spec_of(result), where=where, entries=entries)))
    routes = value_of(route(candidates, standard_vms(candidates, SimilarVms()), SimilarVms()))
    own = ways([Member(f"vc1/{each.id}", "vc1", each) for each in vms])
    taken = {key: "forklift" if r.path == "forklift" else r.method for key, r in routes.items()}
    assert own == taken
    assert set(own.values()) == {"forklift", "job", "image"}


def test_dependencies_are_proposed_and_never_written() -> None:
    rules = (
        InventoryRule(name="keep", kind="affinity", vms=("vm-1", "vm-2")),
        InventoryRule(name="apart", kind="anti-affinity", vms=("vm-1", "vm-2"), enabled=False),
        InventoryRule(name="hosts", kind="host-affinity", vms=("vm-1", "vm-2")),
    )
    part = estate(
        vm(1, "app-01", annotation="Owner: x\ndependsOn: db-01, smtp.acme:25, gone", vapp="shop"),
        vm(2, "db-01", vapp="shop", custom_attributes={"DependsOn": "app-01"}),
        clusters=(InventoryCluster(name="C1", rules=rules),),
    )
    result = drafted(part)
    proposed = [line for line in result.files["spec.yaml"].splitlines() if line.startswith("# proposed: ")]
    assert proposed == [
        "# proposed: app-01, db-01: they are in vApp shop: if they start in a certain order, set dependsOn",
        (
            "# proposed: app-01, db-01: rule apart of cluster C1 (disabled) keeps them on different hosts: give "
            "them the same apartFrom"
        ),
        "# proposed: app-01, db-01: rule keep of cluster C1 keeps them on one host: do they depend on each other?",
        (
            '# proposed: {name: app-01, dependsOn: [db-01, {external: "smtp.acme:25"}]}: a note says '
            "'dependsOn: db-01, smtp.acme:25, gone'; no VM is called 'gone'"
        ),
        "# proposed: {name: db-01, dependsOn: [app-01]}: custom attribute DependsOn says 'app-01'",
    ]
    assert not any(entry.depends_on for entry in entries_of(result).values())


def test_rebuilds_are_proposed_as_comments_only() -> None:
    result = drafted(estate(vm(1, "nginx-01"), vm(2, "nginx-02"), vm(3, "db-01")))
    proposed = [line for line in result.files["spec.yaml"].splitlines() if "proposed: rebuild" in line]
    assert proposed == [
        "# proposed: rebuild nginx-01, nginx-02: 'nginx' in the name, Linux, one disk of 40Gi without data; 2 such VMs"
    ]


def test_address_of_the_vcenter_is_asked_for_only_where_it_is_unknown() -> None:
    part = estate(vm(1, "a"))
    assert not any("the address of" in decision.text for decision in drafted(part).decisions)
    part = msgspec.structs.replace(part, source=Origin(name="vc1", kind="rvtools"))
    assert any("the address of vc1" in decision.text for decision in drafted(part).decisions)


def test_every_decision_has_its_place() -> None:
    part = estate(vm(1, "a", uuid=None), vm(2, "b", nics=(nic(2, "other"),)))
    result = drafted(part)
    assert len(result.decisions) == 4
    for decision in result.decisions:
        assert f"# TODO: {decision.text}" in result.files[decision.file].splitlines()[decision.line - 1]
    marks = sum(text.count("# TODO: ") for text in result.files.values())
    assert marks == len(result.decisions)


def test_order_of_the_inventory_does_not_matter() -> None:
    vms = [vm(i, name) for i, name in enumerate(("b", "a", "web-2", "web-1", "db", "vcsa1"))]
    assert drafted(estate(*vms)) == drafted(estate(*reversed(vms)))
    parts = (estate(vm(1, "a")), estate(vm(1, "b"), source="vc2"))
    assert drafted(*parts) == drafted(*reversed(parts))


def test_inventory_without_vms_is_refused() -> None:
    with pytest.raises(ValueError, match="no VM"):
        drafted(estate())


HOSTILE = (
    *("a\nb: c", "x # y", "*", "[a", "{a: b}", "- a", "!tag", "&a", "no", "0x1F", "\x1b[31m", "../..", "é🚚"),
    *("\u202eabc", "'\"", "%", "@", "`", "a" * 300, "\u2028", "? a", "~", "<<", "---", " ", "\t"),
)


def _one_line(texts: Iterable[str]) -> None:
    """Check that no character of a comment or value can act on a terminal or end a line for some reader."""
    for text in texts:
        assert re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\ufeff]", text) is None


def test_hostile_names_stay_names() -> None:
    vms = [
        vm(
            i,
            name,
            nics=(nic(i, name),),
            disks=(disk(datastore=name, mode="independent_persistent"),),
            folder=f"/dev/{name}",
            tags=(f"test {name}",),
            vapp=name,
            annotation=f"depends on: {name}",
            uuid=None,
        )
        for i, name in enumerate(HOSTILE)
    ]
    rules = (InventoryRule(name=HOSTILE[0], kind="affinity", vms=("vm-0", "vm-1")),)
    part = estate(*vms, networks=(), datastores=(), clusters=(InventoryCluster(name="\n", rules=rules),))
    result = drafted(part)
    _one_line(result.files.values())
    assert {row.source.port_group for row in spec_of(result).networks} == set(HOSTILE)
    assert {row.source.datastore for row in spec_of(result).storage.map} == set(HOSTILE)
    assert entries_of(result).keys() == set(HOSTILE)
    assert set(phases_of(result, part).values()) == {"dev-test"}
    _one_line(decision.text for decision in result.decisions)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20), min_size=1, max_size=5))
def test_any_name_gives_a_draft_that_every_reader_reads_alike(names: list[str]) -> None:
    vms = [vm(i, name, folder=f"/{name}", nics=(nic(i, name),), uuid=None) for i, name in enumerate(names)]
    result = drafted(estate(*vms))
    for name, text in result.files.items():
        [document] = read(text.encode(), name)
        assert yaml.safe_load(text) == document.data
    _one_line(result.files.values())


def test_vms_in_no_resource_pool_go_by_their_folder() -> None:
    part = estate(
        *(vm(i, f"web-{i}", resource_pool="/DC1/C1/Resources/Prod/Web") for i in range(1, 6)),
        vm(6, "shop-a", folder="/DC1/vm/Prod/Shop"),
        vm(7, "stray", folder="/DC1/vm/Prod/Web"),
        vm(8, "lone", folder="/DC1/vm"),
    )
    result = drafted(part)
    named = {name: decisions.namespace for name, decisions in decisions_of(result, part).items()}
    assert (named["shop-a"], named["stray"], named["lone"]) == ("prod-shop", "prod-web", "vc1")
    assert [row.name for row in spec_of(result).namespaces] == ["prod-web", "prod-shop", "vc1"]
    assert "# in folder /DC1/vm/Prod/Shop: 1 VM" in result.files["spec.yaml"]


def test_classes_are_proposed_best_first() -> None:
    names = ("nfs-1", "vsan-1", "lun-1")
    stores = tuple(InventoryDatastore(name=n, kind=k) for n, k in zip(names, ("NFS", "vsan", "VMFS"), strict=True))
    part = estate(vm(1, "a", disks=tuple(disk(datastore=name) for name in names)), datastores=stores)
    text = drafted(part).files["spec.yaml"]
    assert "one for each tier in use: gold, silver, bronze" in text
    assert re.findall(r"#  - \{name: (\w+)-class", text) == ["gold", "silver", "bronze"]


def test_an_answer_for_all_vms_can_be_written_at_once() -> None:
    part = estate(*(vm(i, f"a{i}", firmware="efi", secure_boot=True) for i in range(3)))
    result = drafted(part)
    assert entries_of(result) == {}
    text = result.files["spec.yaml"]
    assert "whether they have a vTPM: that of 3 VMs is unknown (a0, a1, a2)" in text
    files = {**result.files, "spec.yaml": text.replace("  # vtpm: false", "  vtpm: false")}
    assert spec_of(result._replace(files=files)).defaults.vtpm is False


def test_a_fact_that_many_vms_lack_is_asked_for_once() -> None:
    many = drafted(estate(*(vm(i, f"a{i}", uuid=None) for i in range(3))))
    assert [each.text for each in many.decisions if "UUID" in each.text] == [
        "3 VMs: its SMBIOS UUID is unknown; complete and uncomment it in the entries below"
    ]
    assert many.files["vms/exceptions.yaml"].count("# uuid: ") == 3
    two = drafted(estate(*(vm(i, f"a{i}", uuid=None) for i in range(2))))
    assert len([each for each in two.decisions if "UUID" in each.text]) == 2


def test_a_port_group_without_a_vlan_beside_nsx_may_be_a_segment() -> None:
    network = InventoryNetwork(name=NETWORK, id="dvportgroup-1", kind="distributed", untagged=True)
    plain = drafted(estate(vm(1, "a"), networks=(network,)))
    assert not [each for each in plain.decisions if "overlay" in each.text]
    beside = drafted(estate(vm(1, "a"), vm(2, "nsx-manager-1"), networks=(network,)))
    assert len([each for each in beside.decisions if "an overlay segment, or really untagged" in each.text]) == 1


def test_what_notes_say_of_a_vm_decides_its_phase_before_its_name() -> None:
    part = estate(vm(1, "app-1", noted=("citrix delivery controller",)), vm(2, "app-2", noted=("tomcat",)))
    assert phases_of(drafted(part), part) == {"app-1": "stateful", "app-2": "stateless"}


def test_servers_of_one_kind_are_one_rule_whatever_their_numbers() -> None:
    text = drafted(estate(*(vm(i, f"APPX{i:02d}") for i in range(5)))).files["spec.yaml"]
    assert text.count("# application server (") == 1


def test_note_is_quoted_with_what_it_says_of_the_other_vm() -> None:
    text = drafted(estate(vm(1, "a", annotation="depends on: b"), vm(2, "b"))).files["spec.yaml"]
    assert "proposed: {name: a, dependsOn: [b]}: a note says 'depends on: b'" in text


def test_trunk_of_every_vlan_goes_without_vlan_0() -> None:
    networks = tuple(
        InventoryNetwork(name=name, kind="distributed", trunk=trunk)
        for name, trunk in (("all", ("0-4094",)), ("native", ("0", "7")), ("none", ("0",)))
    )
    part = estate(vm(1, "a", nics=tuple(nic(i, network.name) for i, network in enumerate(networks))), networks=networks)
    result = drafted(part)
    assert [row.source.trunk for row in spec_of(result).networks] == [("1-4094",), ("7",), ()]
    assert [str(decision).partition(": network ")[2][:4] for decision in result.decisions][1:2] == ["none"]


def test_passed_through_devices_need_a_name_in_the_target() -> None:
    part = estate(vm(1, "render", passthrough=("vgpu grid_t4-4q", "pci 8086:37c8")))
    result = drafted(part)
    assert "the resource name of vgpu grid_t4-4q, pci 8086:37c8 on the target's nodes" in str(result.decisions[-1])
    text = result.files["vms/exceptions.yaml"]
    assert '# gpus: [{deviceName: "TODO as in nvidia.com/GRID_T4-4Q"}]' in text
    assert '# hostDevices: [{deviceName: "TODO as in intel.com/qat"}]' in text


def test_a_network_says_where_it_is_where_another_of_its_name_is_in_use_by_nobody() -> None:
    here = InventoryNetwork(name=NETWORK, kind="standard", vlan=66, switch="vSwitch0", datacenter="DC1")
    there = InventoryNetwork(name=NETWORK, kind="standard", vlan=566, switch="vSwitch0", datacenter="DC2")
    user = vm(1, "a", nics=(nic(1, switch="vSwitch0"),))
    [row] = spec_of(drafted(estate(user, networks=(there, here)))).networks
    assert (row.source.datacenter, row.source.vlan) == ("DC1", 66)
    [row] = spec_of(drafted(estate(user, networks=(here,)))).networks
    assert row.source.datacenter is None
