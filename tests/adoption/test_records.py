"""Recorded VMs win over the decisions, on both paths, as long as they are of the current attempt."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace
from tests.adoption.forklift import NAMES, claim
from tests.adoption.migrated import Data, Migrated
from tests.invocation import vmferry

from vmferry import backends
from vmferry.check import check
from vmferry.output.complete import Ledger, LostError


@pytest.fixture
def moved(tmp_path: Path) -> Migrated:
    """Return a migration at cutover."""
    return Migrated(tmp_path)


def claims_of(vm: Data) -> list[str]:
    """Return the claims of a VM."""
    volumes = vm["spec"]["template"]["spec"]["volumes"]
    return [volume["persistentVolumeClaim"]["claimName"] for volume in volumes]


def restored(migrated: Migrated, name: str = "lin-01") -> str:
    """Give the first disk of a VM another claim, as a VirtualMachineRestore does; return its name."""
    new = f"restore-5d307ca9-{name}"
    migrated.vms[name]["spec"]["template"]["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] = new
    migrated.claims.append(claim(new))
    return new


def codes(migrated: Migrated, *options: str) -> set[str]:
    """Return the codes of what check finds."""
    done = vmferry("check", migrated.spec, "--format", "json", *options)
    return {finding["code"] for finding in done.data["findings"]}


def test_a_restored_claim_wins_on_path_virt_v2v(tmp_path: Path) -> None:
    moved = Migrated(tmp_path, path="virt-v2v")
    moved.vms = moved.emitted()
    before = claims_of(moved.vms["lin-01"])
    new = restored(moved)
    done = moved.adopt("--format", "json")
    assert done.code == 0, done.text
    [lin] = [vm for vm in done.data["adopted"] if vm["name"] == "lin-01"]
    assert {each["field"]: (each["decided"], each["live"]) for each in lin["differences"]} == {
        "runStrategy": ('"Always"', '"Halted"'),
        "template.spec.volumes[disk-0].persistentVolumeClaim.claimName": (f'"{before[0]}"', f'"{new}"'),
    }
    for stage in ("cutover", "adopted", "validated", "retired"):
        moved.stage(stage)
        done = moved.compile()
        assert done.code == 0, done.text
        assert claims_of(moved.emitted()["lin-01"]) == [new, *before[1:]]
    verified = vmferry("verify", moved.spec / "gitops")
    assert verified.code == 0, verified.text


def test_a_record_of_an_earlier_attempt_has_no_effect(moved: Migrated) -> None:
    assert moved.adopt().code == 0
    data = yaml.safe_load(moved.record.read_text())
    for record in data["vms"].values():
        record["remigrate"] = 1
    moved.record.write_text(yaml.safe_dump(data))
    moved.stage("adopted")
    done = vmferry("check", moved.spec, "--format", "json")
    [found] = [finding for finding in done.data["findings"] if finding["code"] == "VMF881"]
    assert "were recorded in an earlier attempt" in found["message"]


@pytest.mark.parametrize("field", ["disks", "interfaces"])
def test_a_record_that_was_edited_cannot_take_a_device_off(moved: Migrated, field: str) -> None:
    assert moved.adopt().code == 0
    data = yaml.safe_load(moved.record.read_text())
    data["vms"]["vc1/vm-11"]["spec"]["template"]["spec"]["domain"]["devices"][field].pop()
    moved.record.write_text(yaml.safe_dump(data))
    assert "VMF880" in codes(moved)


@pytest.mark.parametrize("spec", [{}, {"template": 1}, {"template": {"spec": {"domain": {"devices": {"disks": [1]}}}}}])
def test_a_record_of_another_form_is_an_error_with_its_place(moved: Migrated, spec: Any) -> None:
    moved.record.parent.mkdir()
    vms = {"vc1/vm-11": {"spec": spec}}
    data = {"apiVersion": "vmferry.dev/v1alpha1", "kind": "AdoptedMachines", "metadata": {"name": "acme"}}
    moved.record.write_text(yaml.safe_dump(data | {"group": "first-01", "vms": vms}))
    done = vmferry("check", moved.spec)
    assert (done.code, "adopted/first-01.yaml:" in done.text, "VMF880" in done.text) == (1, True, True), done.text


def test_a_vm_is_only_recorded_once(moved: Migrated) -> None:
    assert moved.adopt().code == 0
    (moved.record.parent / "other.yaml").write_bytes(moved.record.read_bytes())
    assert "VMF880" in codes(moved)


def test_a_record_in_the_file_of_another_group_moves_to_its_own(moved: Migrated) -> None:
    assert moved.adopt().code == 0
    before = moved.record.read_bytes()
    other = moved.record.rename(moved.record.parent / "other.yaml")
    done = moved.adopt()
    assert done.code == 0, done.text
    assert (other.exists(), moved.record.read_bytes()) == (False, before)


def test_a_new_record_is_noticed_by_a_run_that_knows_the_spec(moved: Migrated, tmp_path: Path) -> None:
    moved.stage("adopted")
    cache = ("--cache-dir", str(tmp_path / "cache"))
    assert "VMF881" in codes(moved, *cache)
    assert "VMF881" in codes(moved, *cache)
    assert moved.adopt().code == 0
    assert "VMF881" not in codes(moved, *cache)
    compiled = vmferry("compile", moved.spec, "--out", moved.spec, *cache)
    assert compiled.code == 0, compiled.text
    new = restored(moved)
    assert moved.adopt().code == 0
    assert vmferry("compile", moved.spec, "--out", moved.spec, *cache).code == 0
    assert claims_of(moved.emitted()["lin-01"])[0] == new
    moved.record.unlink()
    assert "VMF881" in codes(moved, *cache)


def test_a_roll_back_waits_for_no_record_and_only_states_that_the_vm_stops(moved: Migrated) -> None:
    moved.stage("rolled-back", dataLoss="accepted", reason="login fails")
    done = moved.compile()
    assert done.code == 0, done.text
    stops = {"runStrategy": "Halted", "template": {"spec": {"domain": {"devices": {}}}}}
    assert {name: vm["spec"] for name, vm in moved.emitted().items()} == dict.fromkeys(NAMES, stops)


def test_a_record_that_was_not_emitted_as_it_is_stops_the_compile(moved: Migrated) -> None:
    assert moved.adopt().code == 0
    moved.stage("adopted")
    blueprint = check(moved.spec).resolution.blueprint
    ledger = Ledger()
    list(ledger.passing(backends.emit_groups(blueprint, blueprint.groups)))
    ledger.check(blueprint, blueprint.groups)
    [group] = blueprint.groups
    spec = yaml.safe_load(yaml.safe_dump(group.adopted["vc1/vm-11"]))
    spec["template"]["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] = "another"
    other = replace(group, adopted={**group.adopted, "vc1/vm-11": spec})
    with pytest.raises(LostError, match="as it was recorded"):
        ledger.check(blueprint, [other])
