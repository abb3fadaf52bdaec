"""Tests of `vmferry report cost`, against the arithmetic of docs/cost.md."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.test_check import SPEC, vm
from tests.invocation import vmferry

PAGE = Path(__file__).parents[2] / "docs/cost.md"
COSTS: dict[str, Any] = yaml.safe_load(PAGE.read_text().split("```yaml\n")[1].split("```")[0])["costs"]


def spec(tmp_path: Path, costs: dict[str, Any] | None = COSTS, hosts: list[dict[str, Any]] | None = None) -> Path:
    """Write a spec with costs, one phase of which has a window and a dual run of 28 days, and the hosts of the page."""
    hosts = hosts or [{"name": f"esx{n}", "cpus": 2, "cores": cores} for n, cores in enumerate((24, 24, 64))]
    data = yaml.safe_load(f"{SPEC}vms:\n{vm('a')}")
    if costs is not None:
        data["costs"] = costs
    data["phases"] = [
        {
            "name": phase["name"],
            "windows": [{"start": "2027-06-01T20:00:00Z", "duration": "8h"}],
            "dualRun": {"atLeast": "28d"},
        }
        for phase in data["phases"]
    ]
    data["include"] = ["inventory/*.yaml"]
    facts = {
        "apiVersion": "vmferry.dev/v1alpha1",
        "kind": "Inventory",
        "metadata": {"name": "vc1"},
        "source": {"name": "vc1", "kind": "rvtools"},
        "hosts": hosts,
        "vms": [],
    }
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/vc1.yaml").write_text(yaml.safe_dump(facts))
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return tmp_path


def cost(tmp_path: Path, **given: Any) -> dict[str, Any]:
    result = vmferry("report", "cost", spec(tmp_path, **given), "--format", "json")
    assert result.code == 0, result.text
    found: dict[str, Any] = result.data
    return found


def test_the_figures_are_those_of_the_page(tmp_path: Path) -> None:
    found = cost(tmp_path)
    by_hand = {
        "vsphere_per_year": 92800,
        "target_per_year": 42000,
        "saved_per_year": 50800,
        "week_of_delay": 1778.51,
        "one_off": 300000,
        "dual_run": 10333.74,
    }
    text = PAGE.read_text()
    for name, value in by_hand.items():
        assert round(found[name], 2) == value
        assert f"{value:,}" in text, name
    assert round(found["months"], 1) == 70.9
    assert found["dual_run_weeks"] == 4
    assert found["unknown"] == []
    [foundation] = [line for line in found["lines"] if line["name"] == "VMware Cloud Foundation"]
    assert (foundation["per_year"], foundation["basis"]) == (44800, "128 cores of 3 hosts, at least 16 per CPU, at 350")


def test_a_licence_that_ends_too_early_is_named_with_the_days(tmp_path: Path) -> None:
    found = cost(tmp_path)
    # the window closes on 2027-06-02 at 04:00, and the dual run on 2027-06-30: the last source may go on the day after
    assert found["vsphere_until"] == "2027-07-01"
    [foundation] = [line for line in found["lines"] if line["name"] == "VMware Cloud Foundation"]
    assert foundation["note"] == "ends 1 day before the last source may go: it must be renewed"


def test_nothing_is_assumed_that_is_not_stated(tmp_path: Path) -> None:
    result = vmferry("report", "cost", spec(tmp_path, costs=None))
    assert (result.code, result.out.splitlines()[0]) == (0, "unknown: the spec has no `costs`")


def test_an_unknown_part_makes_the_sum_unknown(tmp_path: Path) -> None:
    found = cost(tmp_path, costs={**COSTS, "licences": [{"name": "ESXi"}]})
    assert (found["vsphere_per_year"], found["week_of_delay"], found["months"]) == (None, None, None)
    assert found["unknown"] == ["ESXi: neither perYear nor perCore is stated"]
    assert found["target_per_year"] == 30000


def test_hosts_without_known_cpus_are_named(tmp_path: Path) -> None:
    found = cost(tmp_path, hosts=[{"name": "esx0", "cores": 24}, {"name": "esx1", "cores": 24, "cpus": 2}])
    assert (
        "56 cores of 2 hosts, at least 16 per CPU (not applied to 1 host: CPUs unknown)" in found["lines"][0]["basis"]
    )


def test_a_target_that_costs_more_never_pays_back(tmp_path: Path) -> None:
    costs = {**COSTS, "recurring": [{"name": "cluster", "of": "target", "perMonth": 100000}]}
    result = vmferry("report", "cost", spec(tmp_path, costs=costs))
    assert "never paid back: the target does not cost less" in result.out


def test_a_delay_costs_what_vsphere_costs(tmp_path: Path) -> None:
    found = cost(tmp_path)
    later = {each["what"]: each for each in found["changes"]}
    assert round(later["13 weeks later"]["one_off"] - found["one_off"], 2) == round(13 * found["week_of_delay"], 2)
    assert later["vSphere costs +10 %"]["months"] < found["months"] < later["vSphere costs -10 %"]["months"]
    assert later["target costs +10 %"]["months"] > found["months"]


@pytest.mark.parametrize("day", ["2027-02-30", "2027-13-01"])
def test_a_day_that_does_not_exist_is_an_error(day: str, tmp_path: Path) -> None:
    costs = {**COSTS, "licences": [{"name": "ESXi", "perYear": 1, "ends": day}]}
    result = vmferry("check", spec(tmp_path, costs=costs))
    assert result.code == 1
    assert re.search(rf"spec.yaml:\d+:\d+: error\[VMF013\] licence ESXi: {day} is not a valid day", result.out)
