"""Tests of `vmferry init --from`: from an inventory to a spec that compiles, once a person has decided."""

import re
import shutil
from pathlib import Path

import pytest
from tests.importers.estates import disk, estate, nic, save, vm
from tests.invocation import Result, vmferry

from vmferry.model.facts import GuestDisk
from vmferry.model.inventory import Inventory, InventoryDatastore, InventoryNetwork

NSX = InventoryNetwork(name="web-prod", id="network-3", kind="nsx-t", segment_id="ls-3", transport_zone="TZ-Overlay")


def acme() -> Inventory:
    """Return an estate with something of everything."""
    shared = (disk(), disk("10Gi", shared="quorum"))
    return estate(
        *(vm(i, f"web-{i:02}") for i in range(1, 4)),
        *(vm(i, f"farm-{i:02}", uuid=None, nics=(nic(i, mac=None),), folder="/Prod/Farm") for i in range(200, 255)),
        vm(10, "web-dev-01", folder="/Dev/Web", firmware="efi", secure_boot=True, guest_name="CentOS 4/5 (64-bit)"),
        vm(11, "db-01", disks=(disk(), disk("400Gi", datastore="nfs-1")), folder="/Prod/DB"),
        vm(12, "cl-a", disks=shared, folder="/Prod/DB"),
        vm(13, "cl-b", disks=shared, annotation="dependsOn: db-01"),
        vm(14, "files", guest_disks=(GuestDisk(path="/srv"),), nics=(nic(14), nic(15, "web-prod"))),
        vm(16, "raw", disks=(disk(mode="independent_persistent"),), folder=None),
        vm(17, "rhel9", template=True, power_state="poweredOff", folder="/Templates"),
        vm(18, "vCLS-0f1e"),
        vm(19, "vcsa01", nics=(nic(19, "Management"),)),
        vm(20, "snap", snapshots=2, change_tracking=True, uuid=None),
        networks=(InventoryNetwork(name="VM Network", id="dvportgroup-1", kind="distributed", vlan=120), NSX),
        datastores=(InventoryDatastore(name="ds-1", kind="VMFS"), InventoryDatastore(name="nfs-1", kind="NFS")),
    )


def findings(result: Result) -> set[tuple[str, str, str]]:
    return {(f["code"], Path(f["file"]).name, ",".join(f["vms"])) for f in result.data["findings"]}


def replace(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def test_draft_compiles_once_a_person_has_decided(tmp_path: Path) -> None:
    spec = tmp_path / "spec"
    drafted = vmferry("init", "--from", save(tmp_path / "inventory", acme()), "--out", spec)
    assert (drafted.code, drafted.err) == (0, "")

    # one run names all of it
    found = findings(vmferry("check", spec, "--format", "json"))
    assert {(code, file) for code, file, _ in found} == {
        ("VMF013", "spec.yaml"),  # the repository
        ("VMF102", "spec.yaml"),  # no StorageClass has the tier
        ("VMF202", "spec.yaml"),  # the overlay segment
        ("VMF108", "exceptions.yaml"),  # facts nobody knows
    }
    assert {vms for code, _, vms in found if code == "VMF108"} == {"web-dev-01"}

    # all of it was listed
    listed = re.findall(r"^  (\S+):(\d+): (.*)$", drafted.out, re.MULTILINE)
    assert len(listed) == 4
    for file, line, text in listed:
        assert f"# TODO: {text}" in (spec / file).read_text().splitlines()[int(line) - 1]

    replace(
        spec / "spec.yaml",
        ("repoURL: TODO", "repoURL: https://git.example.com/gitops"),
        ("classes: []", "classes:"),
        ("  #  - {name:", "    - {name:"),
        ("{type: bridge, bridge: br-vm} # TODO", "{type: bridge, bridge: br-vm, vlan: 130} # TODO"),
    )
    replace(spec / "vms/exceptions.yaml", ('# vtpm: "TODO true or false"', "vtpm: false"))
    result = vmferry("check", spec)
    assert result.code == 0
    assert result.err.endswith("; 66 VMs in 9 groups\n")
    out = tmp_path / "out"
    assert vmferry("compile", spec, "--out", out).code == 0
    if shutil.which("kustomize") or shutil.which("kubectl"):
        assert vmferry("verify", out).code == 0


def test_facts_an_export_does_not_have_are_completed_where_they_are_marked(tmp_path: Path) -> None:
    unknown = ("uuid", "os", "firmware", "cpu", "memory", "datacenter", "host", "power_state", "disks", "nics")
    bare = vm(1, "web-01", **dict.fromkeys(unknown))
    part = estate(bare, vm(2, "web-02", nics=(nic(2, mac=None),), disks=(disk(datastore=None), disk())))
    spec = tmp_path / "spec"
    assert vmferry("init", "--from", save(tmp_path / "inventory", part), "--out", spec).code == 0
    replace(
        spec / "spec.yaml",
        ("repoURL: TODO", "repoURL: https://git.example.com/gitops"),
        ("classes: []", "classes:"),
        ("  #  - {name:", "    - {name:"),
    )
    path = spec / "vms/exceptions.yaml"
    text = re.sub(r"^    # (?!TODO)", "    ", path.read_text(), flags=re.MULTILINE)
    for wanted, value in (
        ('os: "TODO linux, windows or other"', "os: linux"),
        ('firmware: "TODO bios or efi"', "firmware: bios"),
        ('"TODO config.uuid"', "42301f6e-1c5d-4c6e-9d3a-2b8f6a7c0001"),
        ("{count: TODO}", "{count: 2}"),
        ('"TODO as in 8Gi"', "8Gi"),
        ('"TODO poweredOn or poweredOff"', "poweredOn"),
        ('size: "TODO as in 40Gi", datastore: TODO', "size: 40Gi, datastore: ds-1"),
        ("{network: TODO, mac: TODO}", '{network: VM Network, mac: "00:50:56:00:00:01"}'),
        ("mac: TODO", 'mac: "00:50:56:00:00:02"'),
        (": TODO\n", ": DC1\n"),
    ):
        assert wanted in text
        text = text.replace(wanted, value)
    path.write_text(text)
    result = vmferry("check", spec)
    assert result.code == 0
    assert result.err.endswith("; 2 VMs in 2 groups\n")


def test_drafts_of_one_inventory_are_equal(tmp_path: Path) -> None:
    inventory = save(tmp_path / "inventory", acme())
    texts = []
    for name in ("a", "b"):
        assert vmferry("init", "--from", inventory, "--out", tmp_path / name / "spec").code == 0
        texts.append({p.name: p.read_bytes() for p in (tmp_path / name).rglob("*.yaml")})
    assert texts[0] == texts[1]


def test_inventory_below_the_spec_is_not_copied(tmp_path: Path) -> None:
    save(tmp_path / "facts [1]", acme())
    assert vmferry("init", tmp_path, "--from", tmp_path / "facts [1]").code == 0
    assert not (tmp_path / "inventory").exists()
    replace(tmp_path / "spec.yaml", ("repoURL: TODO", "repoURL: https://git.example.com/gitops"))
    assert "VMF018" not in vmferry("check", tmp_path, "--all").text


def test_spec_does_not_go_among_the_inventory(tmp_path: Path) -> None:
    save(tmp_path, acme())
    result = vmferry("init", tmp_path, "--from", tmp_path)
    assert result.code == 2
    assert "try --out" in result.err


@pytest.mark.parametrize("present", ["spec.yaml", "vms/exceptions.yaml", "inventory/vc1/vc1.yaml"])
def test_nothing_is_overwritten(tmp_path: Path, present: str) -> None:
    inventory = save(tmp_path / "from", acme())
    (tmp_path / "to" / present).parent.mkdir(parents=True)
    (tmp_path / "to" / present).write_text("mine\n")
    result = vmferry("init", "--from", inventory, "--out", tmp_path / "to")
    assert result.code == 1
    assert result.err.endswith(f"{present} exists; init does not overwrite files\n")
    assert [path.read_text() for path in (tmp_path / "to").rglob("*") if path.is_file()] == ["mine\n"]


def test_inventory_without_vms_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inventory").mkdir()
    result = vmferry("init", "--from", tmp_path / "inventory", "--out", tmp_path / "spec")
    assert (result.code, result.out) == (1, "")
    assert "no VM in" in result.err
    assert not (tmp_path / "spec").exists()


def test_file_that_is_no_inventory_is_shown(tmp_path: Path) -> None:
    save(tmp_path / "inventory", acme())
    (tmp_path / "inventory/note.yaml").write_text("hello: world\n")
    result = vmferry("init", "--from", tmp_path / "inventory", "--out", tmp_path / "spec")
    assert result.code == 1
    assert "note.yaml:1:1: error[VMF011]" in result.out


def test_directory_and_out_exclude_each_other(tmp_path: Path) -> None:
    assert vmferry("init", tmp_path, "--out", tmp_path).code == 2


def test_long_lists_of_decisions_are_cut(tmp_path: Path) -> None:
    vms = (vm(i, f"a{i}", nics=(nic(i, f"net-{i}"),)) for i in range(30))
    inventory = save(tmp_path / "inventory", estate(*vms))
    result = vmferry("init", "--from", inventory, "--out", tmp_path / "spec")
    assert "32 to decide" in result.out
    assert "… and 12 more: grep -rn TODO" in result.out


def test_placeholders_are_findings_that_hide_nothing_else(tmp_path: Path) -> None:
    part = estate(vm(1, "web-01", os=None, datacenter=None), vm(2, "web-02"))
    spec = tmp_path / "spec"
    assert vmferry("init", "--from", save(tmp_path / "inventory", part), "--out", spec).code == 0
    path = spec / "vms/exceptions.yaml"
    path.write_text(re.sub(r"^    # (?!TODO)", "    ", path.read_text(), flags=re.MULTILINE))
    result = vmferry("check", spec, "--format", "json")
    left = {f["message"]: f["help"] for f in result.data["findings"] if "still to be decided" in f["message"]}
    assert list(left) == [
        "`target.gitops.repoURL` is still to be decided: TODO",
        "`vms[0].datacenter` is still to be decided: TODO",
        "`vms[0].os` is still to be decided: TODO linux, windows or other",
    ]
    assert "Repository that contains the tree" in left["`target.gitops.repoURL` is still to be decided: TODO"]
    assert "VMF102" in {f["code"] for f in result.data["findings"]}
    assert vmferry("compile", spec, "--out", tmp_path / "out").code == 1
    assert not (tmp_path / "out").exists()
    assert "still to be decided" in vmferry("diff", spec, "--inventory", tmp_path / "inventory").text


def test_tier_without_a_class_is_reported_once(tmp_path: Path) -> None:
    stores = tuple(InventoryDatastore(name=f"ds-{i}", kind="VMFS") for i in range(1, 4))
    vms = (vm(i, f"web-{i:02}", disks=(disk(datastore=f"ds-{i % 3 + 1}"), disk())) for i in range(1, 9))
    part = estate(*vms, vm(20, "lost", disks=(disk(datastore=None), disk(datastore=None))), datastores=stores)
    spec = tmp_path / "spec"
    assert vmferry("init", "--from", save(tmp_path / "inventory", part), "--out", spec).code == 0
    found = vmferry("check", spec, "--format", "json").data["findings"]
    storage = [(f["code"], f["message"]) for f in found if f["code"] in ("VMF102", "VMF301")]
    assert storage == [("VMF102", "no StorageClass has tier 'silver' (3 datastores)")]


def test_what_is_called_todo_is_no_placeholder(tmp_path: Path) -> None:
    network = InventoryNetwork(name="TODO", id="dvportgroup-7", kind="distributed", vlan=7)
    store = InventoryDatastore(name="TODO list", kind="VMFS")
    todo = vm(1, "TODO", nics=(nic(1, "TODO"),), disks=(disk(datastore="TODO list"),), folder="/TODO")
    spec = tmp_path / "spec"
    inventory = save(tmp_path / "inventory", estate(todo, networks=(network,), datastores=(store,)))
    assert vmferry("init", "--from", inventory, "--out", spec).code == 0
    result = vmferry("check", spec, "--format", "json")
    assert {message for _, file, message in findings(result) if file != "vc1.yaml"} == {""}
    messages = [f["message"] for f in result.data["findings"] if f["severity"] == "error"]
    assert len(messages) == 2
    assert "no StorageClass has tier 'silver'" in messages
    assert "`target.gitops.repoURL` is still to be decided: TODO" in messages


def test_unknown_field_stays_an_error_whatever_its_value(tmp_path: Path) -> None:
    spec = tmp_path / "spec"
    assert vmferry("init", "--from", save(tmp_path / "inventory", estate(vm(1, "web-01"))), "--out", spec).code == 0
    replace(spec / "spec.yaml", ("repoURL: TODO", "repoURL: TODO\n    password: TODO\n    brnach: TODO"))
    codes = [f["code"] for f in vmferry("check", spec, "--format", "json").data["findings"]]
    assert codes == ["VMF014", "VMF015", "VMF013"]


def test_placeholder_cannot_be_suppressed(tmp_path: Path) -> None:
    spec = tmp_path / "spec"
    assert vmferry("init", "--from", save(tmp_path / "inventory", estate(vm(1, "web-01"))), "--out", spec).code == 0
    path = spec / "spec.yaml"
    path.write_text(path.read_text() + "suppress: [{rule: VMF013, reason: the repository is not there yet}]\n")
    assert "`target.gitops.repoURL` is still to be decided: TODO" in vmferry("check", spec).text
    assert vmferry("compile", spec, "--out", tmp_path / "out").code == 1
