"""Tests of `vmferry report networks`: every NIC and disk is on one row, with the target that the spec gives it."""

import json
import shutil
from pathlib import Path
from typing import Any

from tests.cli.test_check import SPEC, vm
from tests.invocation import vmferry
from tests.reports.test_assessment import inventory
from tests.reports.test_assessment import vm as fact

from vmferry.check import check

ACME = Path(__file__).parents[2] / "examples/acme"
DUMPS = Path(__file__).parents[1] / "observe/dumps"


def test_every_nic_and_every_disk_is_counted_once() -> None:
    found = vmferry("report", "networks", ACME, "--format", "json").data
    subjects = check(ACME).resolution.subjects
    assert sum(each["nics"] for each in found["networks"]) == sum(len(each.vm.nics or ()) for each in subjects)
    disks = [disk for each in subjects for disk in each.vm.disks or () if disk.datastore is not None]
    assert sum(each["disks"] for each in found["datastores"]) == len(disks)
    made = [disk for each in subjects if each.machine for disk in each.machine.disks if disk.datastore]
    assert sum(n for each in found["datastores"] for n in each["classes"].values()) == len(made)


def test_a_network_has_its_target_and_what_nodes_need() -> None:
    found = {
        (each["source"], each["name"]): each
        for each in vmferry("report", "networks", ACME, "--format", "json").data["networks"]
    }
    web = found["vc1", "seg-web-prod"]
    assert (web["target"], web["gateway"], web["subnet"]) == ("bridge", "10.20.120.1", "10.20.120.0/24")
    assert web["nodes"] == "bridge br-vm, which vmferry makes on bond1 (nmstate)"
    assert web["smoke_test"] == "not run"
    assert found["vc1", "VM Network"]["smoke_test"] == "none"
    assert found["vc1", "seg-db-prod"]["nodes"].startswith("bridge mapping for physical network ")
    assert found["vc1", "VM Network"]["target"] == "pod"
    assert found["vc2", "VM Network"]["target"] == "bridge"
    assert found["vc1", "DVPG-KVM-Switch"]["target"] == "ignored"


def test_a_network_without_a_row_is_shown_with_its_vms(tmp_path: Path) -> None:
    elsewhere = vm("a").replace("network: lan", "network: Elsewhere")
    result = vmferry("report", "networks", "-", "--format", "json", stdin=f"{SPEC}vms:\n{elsewhere}".encode())
    [row] = [each for each in result.data["networks"] if each["name"] == "Elsewhere"]
    assert (row["target"], row["vms"], row["detail"]) == ("none", 1, "add a row for it to `networks`")


def test_two_networks_with_one_name_are_two_rows(tmp_path: Path) -> None:
    nics = [
        [{"network": "pg-app", "networkId": f"dvportgroup-{number}", "switch": f"dvs-{number}"}] for number in (1, 2)
    ]
    vms = [fact(number, nics=nics[number - 1], datacenter=f"dc{number}") for number in (1, 2)]
    place = inventory(tmp_path / "inventory", *vms)
    found = vmferry("report", "networks", place, "--format", "json").data["networks"]
    assert sum(each["nics"] for each in found) == 2
    assert len({each["row"] for each in found if each["nics"]}) == 2


def test_quotas_of_the_namespaces_stand_beside_the_resource_pools() -> None:
    found = vmferry("report", "networks", ACME, "--format", "json").data["pools"]
    web = next(each for each in found if each["pool"] == "Prod/Web")
    assert (web["namespace"], web["vms"]) == ("web", 24)
    assert "requests.memory" in web["quota"]


def smoke(tmp_path: Path, *dumps: str) -> tuple[dict[str, Any], str]:
    """Observe dumps in a copy of the example; return its networks by name in the target, and the report as text."""
    shutil.copytree(ACME, tmp_path / "acme", ignore=shutil.ignore_patterns("gitops"))
    sources = [word for name in dumps for word in ("--from", DUMPS / f"{name}.json")]
    assert vmferry("observe", tmp_path / "acme", *sources, "--now", "2027-01-06T00:00:00Z").code == 0
    found = vmferry("report", "networks", tmp_path / "acme", "--format", "json").data["networks"]
    return {each["row"]: each for each in found}, vmferry("report", "networks", tmp_path / "acme", "--all").out


def test_a_smoke_test_has_passed_once_both_vms_reach_each_other(tmp_path: Path) -> None:
    found, text = smoke(tmp_path, "success-smoke-test", "smoke-test-failed")
    assert (found["web-prod"]["smoke_test"], found["web-prod"]["smoke_at"]) == ("passed", "2027-01-05T09:01:30Z")
    assert (found["db-prod"]["smoke_test"], found["db-prod"]["smoke_at"]) == ("failed", "2027-01-05T09:00:00Z")
    assert found["db-prod"]["smoke_why"].startswith("A VM of a smoke test runs, but does not reach its peer")
    assert "passed 2027-01-05" in text
    assert "failed 2027-01-05: A VM of a smoke test runs" in text


def test_half_of_a_smoke_test_is_none(tmp_path: Path) -> None:
    raw = json.loads((DUMPS / "success-smoke-test.json").read_text())
    raw["items"].pop()
    shutil.copytree(ACME, tmp_path / "acme", ignore=shutil.ignore_patterns("gitops"))
    assert vmferry("observe", tmp_path / "acme", "--from", "-", stdin=json.dumps(raw).encode()).code == 0
    found = vmferry("report", "networks", tmp_path / "acme", "--format", "json").data["networks"]
    assert [each["smoke_test"] for each in found if each["row"] == "web-prod"] == ["not run"]
