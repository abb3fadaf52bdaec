"""Tests of `vmferry report networks`: every NIC and disk is on one row, with the target that the spec gives it."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import yaml
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


# --- NSX ----------------------------------------------------------------------------------------


def networks(spec: Path) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in vmferry("report", "networks", spec, "--format", "json").data["networks"]}


def test_each_segment_says_which_rules_touch_it_and_by_which_way() -> None:
    found = vmferry("report", "networks", ACME, "--format", "json").data
    ways = {(each["network"], each["rule"]): (each["way"], each["enforced"]) for each in found["rules"]}
    assert {rule: way for (network, rule), way in ways.items() if network == "seg-web-prod"} == {
        "Admins": ("group", "yes"),
        "Browsers to web": ("group", "yes"),
        "Web to databases": ("group", "no"),  # applied to the databases
        "PCI to databases": ("unknown", "yes"),  # by tags that nobody imported
        "Internet to web": ("group", "yes"),  # at its gateway
    }
    assert ways["seg-db-prod", "Web to databases"] == ("vm", "yes")
    assert {rule for (network, rule), (way, _) in ways.items() if network is None and way == "any"} == {
        *("Quarantine PCI", "DNS and time", "Browsers to web", "Default Layer3 Rule"),
    }


def test_the_numbers_of_rules_add_up_to_the_rows() -> None:
    found = vmferry("report", "networks", ACME, "--format", "json").data
    uses = {each["name"]: each["nsx"] for each in found["networks"] if each["nsx"] and each["nsx"]["segment"]}
    assert uses.keys() == {"seg-web-prod", "seg-db-prod", "seg_cluster_HB"}
    rows = found["rules"]
    for name, use in uses.items():
        own = [each for each in rows if each["network"] == name]
        enabled = [each for each in own if not each["disabled"]]
        assert use["touching"] == sum(each["way"] != "unknown" for each in enabled)
        assert use["unknown"] == sum(each["way"] == "unknown" for each in enabled)
    wide = [each for each in rows if each["network"] is None]
    assert sum(each["networks"] for each in wide if not each["disabled"]) == sum(use["by_any"] for use in uses.values())
    disabled = sum(each["networks"] for each in rows if each["disabled"])
    assert disabled == sum(use["disabled"] for use in uses.values())
    # every rule of the import is there, and none twice for one network
    keys = [(each["network"], each["policy"], each["rule"]) for each in rows]
    assert len(keys) == len(set(keys))
    nsx = yaml.safe_load((ACME / "inventory/nsx/surroundings.yaml").read_text())["nsx"]
    assert {each["rule"] for each in rows} == {rule["name"] for policy in nsx["policies"] for rule in policy["rules"]}


def test_a_segment_fills_in_what_the_spec_leaves_out(tmp_path: Path) -> None:
    shutil.copytree(ACME, tmp_path / "acme", ignore=shutil.ignore_patterns("gitops"))
    spec = tmp_path / "acme/spec.yaml"
    spec.write_text(spec.read_text().replace("    subnet: 10.20.120.0/24\n    gateway: 10.20.120.1\n", ""))
    web = networks(tmp_path / "acme")["seg-web-prod"]
    assert (web["subnet"], web["gateway"]) == ("10.20.120.0/24", "10.20.120.1")


def test_what_filters_in_the_target_follows_from_the_target() -> None:
    found = networks(ACME)
    assert found["seg-web-prod"]["firewall"] == "a firewall on the physical network, or in the guests"
    assert found["seg-db-prod"]["firewall"].startswith("MultiNetworkPolicy")
    assert found["DVPG-Infra-140"]["firewall"] == ""  # no segment


def column(spec: Path) -> set[str]:
    """Return what the column on NSX says in the report as Markdown."""
    lines = vmferry("report", "networks", spec, "--format", "md").out.splitlines()
    head = next(index for index, line in enumerate(lines) if line.startswith("| network | source | target"))
    place = [name.strip() for name in lines[head].split("|")].index("NSX rules")
    rows = [line for line in lines[head + 2 :] if line.startswith("|")]
    return {row.split("|")[place].strip().replace("\\", "") for row in rows[: lines[head + 2 :].index("")]}


def test_without_an_import_the_column_says_that_none_was_imported(tmp_path: Path) -> None:
    shutil.copytree(ACME, tmp_path / "acme", ignore=shutil.ignore_patterns("gitops", "inventory"))
    spec = tmp_path / "acme/spec.yaml"
    lines = spec.read_text().splitlines(keepends=True)
    spec.write_text("".join(line for line in lines if "inventory/**" not in line))
    assert column(tmp_path / "acme") == {"none imported"}
    found = vmferry("report", "networks", tmp_path / "acme", "--format", "json").data
    assert (found["rules"], {each["nsx"] is None for each in found["networks"]}) == (None, {True})
    assert "run `vmferry import nsx` before any VM moves" in vmferry("report", "networks", tmp_path / "acme").out


def test_a_vcenter_that_the_nsx_does_not_serve_has_none_imported() -> None:
    found = {
        (each["source"], each["name"]): each["nsx"]
        for each in vmferry("report", "networks", ACME, "--format", "json").data["networks"]
    }
    assert found["vc2", "VM Network"] is None
    nobody = {"manager": None, "segment": None, "candidates": []}
    assert found["vc1", "VM Network"] == nobody | dict.fromkeys(("touching", "by_any", "unknown", "disabled"), 0)


def nsx_inventory(folder: Path, *, segments: Any = (), groups: Any = (), rules: Any = (), **more: Any) -> Path:
    """Write the inventory of an NSX with one policy."""
    policy = {"path": "/infra/p", "name": "policy", "kind": "distributed", "rules": list(rules)}
    nsx = {"segments": list(segments), "groups": list(groups), "policies": [policy]} | more
    head = {"apiVersion": "vmferry.dev/v1alpha1", "kind": "Inventory", "metadata": {"name": "nsx"}}
    data = head | {"source": {"name": "nsx", "kind": "nsx"}, "nsx": nsx}
    folder.mkdir(exist_ok=True)
    (folder / "nsx.yaml").write_text(yaml.safe_dump(data, allow_unicode=True))
    return folder


def segment(path: str, name: str) -> dict[str, str]:
    return {"path": f"/infra/segments/{path}", "name": name, "kind": "overlay"}


ANYONE = {"id": "r", "name": "everyone", "action": "ALLOW"}


def test_a_bare_inventory_shows_its_rules_too(tmp_path: Path) -> None:
    place = inventory(tmp_path / "inventory", fact(1, nics=[{"network": "seg-a"}]))
    nsx_inventory(place, segments=[segment("a", "seg-a")], rules=[ANYONE | {"sources": ["/infra/segments/a"]}])
    found = networks(place)["seg-a"]["nsx"]
    assert (found["segment"], found["touching"]) == ("/infra/segments/a", 1)


def test_two_segments_of_one_name_are_unclear_and_an_id_tells_them_apart(tmp_path: Path) -> None:
    two = [segment("a", "seg"), segment("b", "seg")]
    place = inventory(tmp_path / "inventory", fact(1, nics=[{"network": "seg"}]))
    nsx_inventory(place, segments=two, rules=[ANYONE])
    use = networks(place)["seg"]["nsx"]
    assert (use["segment"], use["candidates"]) == (None, ["/infra/segments/a", "/infra/segments/b"])
    assert column(place) == {"unclear: /infra/segments/a, /infra/segments/b"}
    place = inventory(tmp_path / "known", fact(1, nics=[{"network": "seg", "networkId": "uuid-b"}]))
    nsx_inventory(place, segments=[two[0], two[1] | {"ids": ["UUID-B"]}], rules=[ANYONE])
    assert networks(place)["seg"]["nsx"]["segment"] == "/infra/segments/b"


def test_a_port_group_that_is_not_of_nsx_is_no_segment_whatever_its_name(tmp_path: Path) -> None:
    place = inventory(tmp_path / "inventory", fact(1, nics=[{"network": "seg"}]))
    raw = yaml.safe_load((place / "vc1.yaml").read_text()) | {"networks": [{"name": "seg", "kind": "distributed"}]}
    (place / "vc1.yaml").write_text(yaml.safe_dump(raw))
    nsx_inventory(place, segments=[segment("a", "seg")], rules=[ANYONE])
    assert networks(place)["seg"]["nsx"]["candidates"] == []


def test_segments_without_a_network_here_are_listed() -> None:
    assert "Segments of NSX without a network here\n1 segment: seg-vdi." in vmferry("report", "networks", ACME).out


def test_a_spreadsheet_has_every_network_with_all_that_is_known_of_it() -> None:
    rows = [*csv.DictReader(io.StringIO(vmferry("report", "networks", ACME, "--format", "csv").out))]
    assert [(row["network"], row["source"]) for row in rows] == [
        (each["name"], each["source"])
        for each in vmferry("report", "networks", ACME, "--format", "json").data["networks"]
    ]
    [web] = [row for row in rows if row["network"] == "seg-web-prod"]
    assert (web["VMs"], web["target"], web["smoke test"]) == ("26", "bridge", "not run")
    assert web["NSX rules"] == "4 touch it, 2 by ANY, 1 unknown, 1 disabled"


# --- sums --------------------------------------------------------------------


def test_every_table_adds_up_to_the_estate() -> None:
    found = vmferry("report", "networks", ACME, "--format", "json").data
    checked = check(ACME)
    nics = [nic for each in checked.resolution.subjects for nic in each.vm.nics or ()]
    assert sum(each["nics"] for each in found["networks"]) == len(nics)
    for origin in ("static", "dhcp"):
        assert sum(each[origin] for each in found["networks"]) == sum(nic.origin == origin for nic in nics)
    machines = [machine for group in checked.resolution.blueprint.groups for machine in group.machines]
    size = sum(disk.size for machine in machines for disk in machine.disks if disk.owner and disk.datastore)
    assert sum(each["size"] for each in found["datastores"]) == size
    assert sum(each["vms"] for each in found["pools"]) == len(machines)
