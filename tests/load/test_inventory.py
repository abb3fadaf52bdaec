"""Facts of the inventory and decisions of the spec make one VM."""

from pathlib import Path

import pytest

from vmferry.compile import check
from vmferry.load.project import load
from vmferry.model.finding import SpecError

SPEC = """\
apiVersion: vmferry.dev/v1alpha1
kind: MigrationSpec
metadata: {name: demo}
include: ["inventory/*.yaml"]
sources:
  - name: vc1
    vcenter: {url: "https://vc.example/sdk", credentials: {secretRef: {name: vc1}}}
target:
  cluster: {name: prod}
  gitops: {engine: flux, repoURL: "https://git.example/x"}
networks:
  - {source: {portGroup: LAN}, target: {type: pod}}
storage:
  classes: [{name: rbd, provisioner: rbd.csi.ceph.com, tier: gold}]
  map: [{source: {datastore: ds1}, tier: gold}]
namespaces: [{name: web, quota: none}]
phases: [{name: first}]
assign:
  - match: {cluster: C1}
    set: {phase: first, namespace: web, path: forklift, method: cold}
vms:
"""
INVENTORY = """\
apiVersion: vmferry.dev/v1alpha1
kind: Inventory
metadata: {name: vc1-c1}
source: {name: vc1, kind: rvtools}
vms:
  - {name: web-01, id: vm-1, cluster: C1, os: linux, powerState: poweredOn, memory: 4Gi,
     disks: [{size: 10Gi, datastore: ds1}], nics: [{network: LAN}]}
  - {name: web-02, id: vm-2, cluster: C1, os: linux, powerState: poweredOff, memory: 8Gi,
     disks: [{size: 10Gi, datastore: ds1}], nics: []}
"""


def project(folder: Path, vms: str = "  []", inventory: str = INVENTORY) -> Path:
    (folder / "inventory").mkdir()
    (folder / "inventory/c1.yaml").write_text(inventory)
    (folder / "spec.yaml").write_text(SPEC + vms + "\n")
    return folder


def test_every_vm_of_the_inventory_is_decided_by_the_spec(tmp_path: Path) -> None:
    checked = check(project(tmp_path))
    assert checked.findings == ()
    [group] = checked.resolution.blueprint.groups
    assert [(m.key, m.run_strategy, m.id) for m in group.machines] == [
        ("vc1/vm-1", "Always", "vm-1"),
        ("vc1/vm-2", "Halted", "vm-2"),
    ]


@pytest.mark.parametrize("entry", ["{name: web-01, memory: 6Gi}", "{name: renamed, id: vm-1, memory: 6Gi}"])
def test_an_entry_overrides_a_fact_and_explain_says_so(tmp_path: Path, entry: str) -> None:
    checked = check(project(tmp_path, f"  - {entry}"))
    [first, _] = checked.resolution.blueprint.groups[0].machines
    assert (first.name, first.memory, len(first.disks)) == ("web-01", 6 << 30, 1)
    [said] = [d for d in checked.resolution.blueprint.decisions["vc1/vm-1"] if d.subject == "facts"]
    assert said.value == "memory"


def test_a_vm_that_nothing_covers_is_a_finding_at_its_place_in_the_inventory(tmp_path: Path) -> None:
    found = check(
        project(tmp_path, inventory=INVENTORY.replace("id: vm-2, cluster: C1", "id: vm-2, cluster: C2"))
    ).findings
    [finding] = [f for f in found if f.code == "VMF103"]
    assert finding.where is not None
    assert (Path(finding.where.file).name, finding.where.path) == ("c1.yaml", ("vms", 1, "name"))


def test_a_name_that_two_vms_have_needs_an_id(tmp_path: Path) -> None:
    twice = INVENTORY.replace("web-02", "web-01")
    with pytest.raises(SpecError) as caught:
        check(project(tmp_path, "  - {name: web-01, memory: 6Gi}", twice))
    assert [finding.code for finding in caught.value.findings] == ["VMF102"]


def test_a_decision_in_an_inventory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        check(project(tmp_path, inventory=INVENTORY.replace("id: vm-2,", "id: vm-2, phase: first,")))
    assert [finding.code for finding in caught.value.findings] == ["VMF116"]


@pytest.mark.parametrize(
    "fact",
    [
        'annotation: "${HOME} is not set"',
        'annotation: "see https://admin:geheim@10.0.0.1/ for more"',
        'annotation: "a \\uFFFE b \\x7F"',
        'customAttributes: {"Password policy": 90 days, Token: "${x}"}',
        'folder: "/a\\x7Fb"',
    ],
)
def test_what_vcenter_says_is_never_refused_while_no_manifest_states_it(tmp_path: Path, fact: str) -> None:
    checked = check(project(tmp_path, inventory=INVENTORY.replace("id: vm-1,", f"id: vm-1, {fact},")))
    assert checked.findings == ()


def test_a_name_that_no_manifest_can_carry_is_refused_where_one_would_state_it(tmp_path: Path) -> None:
    odd = INVENTORY.replace("name: web-01", 'name: "web\\x7F01"')
    [finding] = [f for f in check(project(tmp_path, inventory=odd)).findings if f.code == "VMF019"]
    assert "kustomize cannot read" in finding.message
    assert finding.where is not None
    assert Path(finding.where.file).name == "c1.yaml"


def test_the_entry_of_a_vm_remembers_what_the_inventory_says_of_it(tmp_path: Path) -> None:
    entries = load(project(tmp_path, "  - {name: web-01, memory: 6Gi, cpu: {count: 2}}")).entries
    [first, second] = entries
    assert first.imported is not None
    assert (first.vm.memory, first.imported.memory) == ("6Gi", "4Gi")
    assert (first.overrides, first.stated) == (("memory",), ("cpu", "memory", "name"))
    assert (second.imported, second.stated) == (second.vm, ())


@pytest.mark.parametrize(
    "entries",
    [
        "  - {name: web-01, id: vm-1}\n  - {name: web-01, id: vm-1, memory: 2Gi}",
        "  - {name: web-01}\n  - {name: web-01, memory: 2Gi}",
        "  - {name: web-01, id: vm-1}\n  - {name: web-01, memory: 2Gi}",
    ],
)
def test_a_second_entry_for_a_vm_of_the_inventory_is_a_finding(tmp_path: Path, entries: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(project(tmp_path, entries))
    [finding] = caught.value.findings
    assert (finding.code, finding.vms) == ("VMF101", ("web-01",))
    assert finding.where is not None
    assert finding.where.path == ("vms", 1, "name")


def test_links_in_a_circle_beside_the_spec_are_a_finding(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("b.yaml")
    (tmp_path / "b.yaml").symlink_to("a.yaml")
    with pytest.raises(SpecError) as caught:
        load(project(tmp_path))
    assert {finding.code for finding in caught.value.findings} == {"VMF008"}
