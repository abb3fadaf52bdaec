"""Tests of `vmferry report assessment`: what is counted, for a spec and for a bare inventory."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.invocation import vmferry

ACME = Path(__file__).parents[2] / "examples/acme"
GIB = 1 << 30


def inventory(folder: Path, *vms: dict[str, Any], name: str = "vc1") -> Path:
    """Write an inventory as an import does, and return its directory."""
    data = {
        "apiVersion": "vmferry.dev/v1alpha1",
        "kind": "Inventory",
        "metadata": {"name": name},
        "source": {"name": name, "kind": "rvtools"},
        "vms": list(vms),
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return folder


def vm(number: int, **facts: Any) -> dict[str, Any]:
    disks = [{"size": "10Gi", "datastore": "ds1"}]
    return {
        "name": f"web-{number:02d}",
        "id": f"vm-{number}",
        "powerState": "poweredOn",
        "os": "linux",
        "firmware": "bios",
        "cpu": {"count": 2},
        "memory": "4Gi",
        "disks": disks,
        "nics": [],
        "tools": "running",
    } | facts


def test_a_bare_inventory_is_assessed_by_the_draft_of_a_spec(tmp_path: Path) -> None:
    place = inventory(
        tmp_path / "inventory",
        *(vm(number) for number in range(60)),
        vm(60, tools="notInstalled"),
        vm(61, template=True),
    )
    before = sorted(tmp_path.rglob("*"))
    result = vmferry("report", "assessment", place, "--format", "json")
    assert (result.code, result.err) == (0, "")
    found = result.data
    assert (found["total"]["vms"], found["total"]["disks"]) == (62, 62 * 10 * GIB)
    paths = {each["name"]: each["vms"] for each in found["paths"]}
    assert paths == {"forklift": 60, "virt-v2v": 2}
    assert {each["name"] for each in found["risks"]} >= {"runs without VMware Tools", "is a template"}
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("style", ["text", "md", "csv", "html"])
def test_an_inventory_in_one_file_is_assessed_too(style: str, tmp_path: Path) -> None:
    file = inventory(tmp_path / "inventory", vm(1)) / "vc1.yaml"
    result = vmferry("report", "assessment", file, "--format", style)
    assert (result.code, result.err) == (0, "")
    assert "/tmp" not in result.out


def test_every_vm_is_in_one_row_of_each_table_that_says_nothing_else() -> None:
    found = vmferry("report", "assessment", ACME, "--format", "json").data
    for table in ("dispositions", "reasons", "systems", "power", "hardware", "clusters"):
        assert sum(row["vms"] for row in found[table]) == found["total"]["vms"], table
        assert sum(row["disks"] for row in found[table]) == found["total"]["disks"], table
    for table in ("paths", "phases"):
        assert sum(row["vms"] for row in found[table]) == found["moving"]["vms"], table
    assert found["moving"]["vms"] == 71


def test_a_shared_disk_counts_once(tmp_path: Path) -> None:
    disks = [{"size": "10Gi", "datastore": "ds1"}, {"size": "100Gi", "datastore": "ds1", "shared": "quorum"}]
    place = inventory(tmp_path / "inventory", vm(1, disks=disks), vm(2, disks=disks))
    assert vmferry("report", "assessment", place, "--format", "json").data["total"]["disks"] == 120 * GIB


def test_what_is_unknown_is_not_shown_as_nothing(tmp_path: Path) -> None:
    bare = {"name": "a", "id": "vm-1", "powerState": "poweredOn", "os": "linux"}
    place = inventory(tmp_path / "inventory", bare)
    found = vmferry("report", "assessment", place, "--format", "json").data
    assert found["total"]["memory"] is None
    assert found["total"]["used"] is None
    text = vmferry("report", "assessment", place).out
    assert "unknown for 1 VM" in text


def test_blockers_come_before_warnings_with_the_places_to_look_at() -> None:
    found = vmferry("report", "assessment", ACME, "--format", "json").data["concerns"]
    severities = [each["severity"] for each in found]
    assert severities == sorted(severities, key=("error", "warning").index)
    vtpm = next(each for each in found if each["code"] == "VMF727")
    assert (vtpm["vms"], vtpm["about"]) == (4, "Forklift")
