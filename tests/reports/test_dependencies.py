"""Tests of `vmferry report dependencies`: what the spec says, what the inventory suggests, and what crosses phases."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.cli.test_check import SPEC, vm
from tests.cli.test_hostile_names import NAMES
from tests.invocation import vmferry
from tests.reports.test_assessment import inventory
from tests.reports.test_assessment import vm as fact

ACME = Path(__file__).parents[2] / "examples/acme"


def test_what_the_spec_says_is_confirmed_with_what_crosses_phases() -> None:
    found = vmferry("report", "dependencies", ACME, "--format", "json").data
    edges = {(each["start_name"], each["end_name"]): each for each in found["edges"]}
    assert len([each for each in found["edges"] if each["kind"] == "confirmed"]) == 6
    crossing = edges["db-01", "ldap-01"]
    assert (crossing["crosses"], crossing["start_phase"], crossing["end_phase"]) == (True, "stateful", "stateless")
    assert crossing["note"].startswith("from the move of ldap-01 (stateless) until that of db-01 (stateful)")
    assert not edges["ERP_APP_01", "ERP-DB-01"]["crosses"]
    smtp = edges["db-01", "smtp.acme.example:25"]
    assert (smtp["kind"], smtp["note"]) == (
        "outside",
        "open the firewall from the cluster to smtp.acme.example:25 before db-01 moves",
    )


def test_vms_that_need_each_other_are_one_set() -> None:
    found = vmferry("report", "dependencies", ACME, "--format", "json").data["clusters"]
    assert {
        "vms": ["ERP-DB-01", "ERP_APP_01", "ERP_APP_02"],
        "phases": ["stateful"],
        "groups": ["stateful-01"],
    } in found
    assert found[0]["phases"] == ["stateful", "stateless"]


def test_the_inventory_suggests_what_nobody_confirmed(tmp_path: Path) -> None:
    disks = [{"size": "10Gi", "datastore": "ds1"}, {"size": "1Gi", "datastore": "ds1", "shared": "quorum"}]
    first = fact(1, disks=disks, annotation="depends on: web-03")
    vms = [first, fact(2, disks=disks), fact(3, vapp="shop"), fact(4, vapp="shop")]
    found = vmferry("report", "dependencies", inventory(tmp_path / "inventory", *vms), "--format", "json").data["edges"]
    assert {(each["start_name"], each["end_name"], each["kind"]) for each in found} == {
        ("web-01", "web-02", "proposed"),
        ("web-01", "web-03", "proposed"),
        ("web-03", "web-04", "proposed"),
    }


def test_a_vm_that_stays_is_a_risk_for_good(tmp_path: Path) -> None:
    stays = "  - {name: old, disposition: retain, reason: it stays, os: linux, powerState: poweredOn}\n"
    needs = vm("a").replace("os: linux", "dependsOn: [old], os: linux")
    text = f"{SPEC}vms:\n{needs}{stays}"
    [edge] = vmferry("report", "dependencies", "-", "--format", "json", stdin=text.encode()).data["edges"]
    assert (edge["crosses"], edge["note"]) == (
        True,
        "old stays in vSphere: latency and firewall between the platforms for good",
    )


def test_many_vms_are_drawn_by_group() -> None:
    vms = "".join(vm(f"a{number}") for number in range(130))
    vms += "".join(vm(f"b{number}").replace("os: linux", f"dependsOn: [a{number}], os: linux") for number in range(130))
    result = vmferry("report", "dependencies", "-", "--format", "md", stdin=f"{SPEC}vms:\n{vms}".encode())
    assert "Who needs whom, by group" in result.out
    assert len(result.out.split("```mermaid")[1].split("```")[0].splitlines()) < 40


@pytest.mark.parametrize("name", [*NAMES.values(), 'a"]; b [label="c', "a\\", "a\nb"])
def test_a_graph_is_read_by_graphviz_whatever_vms_are_called(name: str, tmp_path: Path) -> None:
    quoted = json.dumps(name)
    needs = vm("a").replace("os: linux", f"dependsOn: [{quoted}], os: linux")
    hostile = vm("b").replace('name: "b"', f"name: {quoted}, targetName: b")
    result = vmferry("report", "dependencies", "-", "--format", "dot", stdin=f"{SPEC}vms:\n{needs}{hostile}".encode())
    assert result.code == 0, result.text
    lines = result.out.splitlines()
    assert lines[0] == "digraph dependencies {"
    assert lines[-1] == "}"
    labels = [line for line in lines if "[label=" in line]
    assert all(line.count('"') == 2 and "\\" not in line for line in labels)
    if shutil.which("dot"):
        done = subprocess.run(["dot", "-Tsvg"], input=result.out, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
