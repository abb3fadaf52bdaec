"""By which path and method a VM moves, and why."""

from typing import Any

import pytest
from tests.resolve.projects import codes, decision, defaults, finding, machines, resolved, vm

AUTO = defaults(path="auto", method=None)


def farm(count: int, **fields: Any) -> list[dict[str, Any]]:
    """Return VMs that are like each other."""
    return [vm(f"farm-{index:02d}", **fields) for index in range(count)]


def auto(*vms: dict[str, Any], order: list[str] | None = None, threshold: int = 3) -> dict[str, tuple[str, str]]:
    """Return the path and method of each VM for which nobody chose one."""
    settings = {"auto": {"threshold": threshold} | ({"order": order} if order is not None else {})}
    found = resolved(*vms, defaults=AUTO, settings=settings)
    assert [each for each in found.findings if each.code not in ("VMF304", "VMF111")] == []
    return {name: (machine.path, machine.method) for name, machine in machines(found).items()}


def test_as_many_vms_as_the_threshold_says_go_by_forklift() -> None:
    assert set(auto(*farm(3)).values()) == {("forklift", "cold")}


def test_one_vm_fewer_goes_by_virt_v2v() -> None:
    assert set(auto(*farm(2)).values()) == {("virt-v2v", "job")}


def test_fifty_is_the_threshold_unless_it_is_stated() -> None:
    for count, path in ((49, "virt-v2v"), (50, "forklift")):
        found = resolved(*farm(count), defaults=AUTO)
        assert {machine.path for machine in machines(found).values()} == {path}
        assert f"threshold {50}" in decision(found, "farm-00", "path").reason


@pytest.mark.parametrize(
    "unlike",
    [
        {"os": "windows"},
        {"firmware": "efi", "secureBoot": False, "vtpm": False},
        {"disks": [{"size": "1Gi", "datastore": "ds1"}, {"size": "1Gi", "datastore": "ds1"}]},
        {"nics": []},
        {"memory": "64Gi", "disks": [{"size": "2Ti", "datastore": "ds1"}]},
    ],
)
def test_guest_firmware_size_and_place_make_no_vm_special(unlike: dict[str, Any]) -> None:
    paths = auto(*farm(2), vm("other", **unlike))
    assert set(paths.values()) == {("forklift", "cold")}


@pytest.mark.parametrize(
    "special",
    [
        {"os": "other"},
        {"path": "virt-v2v"},
        {"application": {"image": "registry.example.com/app:1.4.2"}},
        {"disposition": "retain", "reason": "it stays"},
    ],
)
def test_a_vm_that_forklift_would_not_move_does_not_count(special: dict[str, Any]) -> None:
    found = resolved(*farm(2), vm("other", **special), defaults=AUTO, settings={"auto": {"threshold": 3}})
    path = decision(found, "farm-00", "path")
    assert (path.value, path.reason) == ("virt-v2v", "vc1 has only 2 standard VMs (threshold 3)")


@pytest.mark.parametrize(
    "guest",
    [
        {"guestName": "Microsoft Windows Server 2008 R2 (64-bit)"},
        {"guestToolsName": "Microsoft Windows 7 (64-bit)", "guestId": "windows9_64Guest"},
        {"guestName": "CentOS 4/5 (64-bit)"},
        {"guestId": "windows7Server64Guest"},
        {"guestId": "rhel5_64Guest"},
    ],
)
def test_a_guest_that_takes_no_current_drivers_is_special(guest: dict[str, Any]) -> None:
    assert auto(*farm(3), vm("old", **guest))["old"] == ("virt-v2v", "job")


def test_a_guest_that_runs_without_tools_or_a_nic_that_is_down_is_refused_by_forklift() -> None:
    nic = {"network": "vlan-7", "mac": "00:50:56:00:00:0a", "connected": False}
    for fields in ({"tools": "notRunning"}, {"tools": "notInstalled"}, {"nics": [nic]}):
        assert auto(*farm(3), vm("odd", **fields))["odd"] == ("virt-v2v", "job")
    for fields in ({"tools": "running"}, {"tools": "notRunning", "powerState": "poweredOff"}, {"nics": []}):
        assert auto(*farm(3), vm("plain", **fields))["plain"] == ("forklift", "cold")


@pytest.mark.parametrize(
    "guest",
    [
        {"guestName": "Microsoft Windows Server 2012 (64-bit)"},
        {"guestName": "CentOS 7 (64-bit)"},
        {"guestToolsName": "Red Hat Enterprise Linux 9.4", "guestId": "rhel5_64Guest"},
        {"guestId": "rhel8_64Guest"},
        {"guestId": "centos7_64Guest"},
    ],
)
def test_a_guest_with_drivers_is_not(guest: dict[str, Any]) -> None:
    assert auto(*farm(3), vm("new", **guest))["new"] == ("forklift", "cold")


def test_similar_vms_that_run_and_track_changes_migrate_warm() -> None:
    assert set(auto(*farm(3, changeTracking=True)).values()) == {("forklift", "warm")}
    assert set(auto(*farm(3, changeTracking=True, powerState="poweredOff")).values()) == {("forklift", "cold")}


def test_a_special_vm_among_similar_ones_does_not_spoil_their_plan() -> None:
    paths = auto(*farm(3), vm("special", gpus=[{"deviceName": "nvidia.com/T4"}]))
    assert paths.pop("special") == ("virt-v2v", "job")
    assert set(paths.values()) == {("forklift", "cold")}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"gpus": [{"deviceName": "nvidia.com/T4"}]}, "GPU"),
        ({"hostDevices": [{"deviceName": "intel.com/qat"}]}, "passed-through device"),
        ({"disks": [{"size": "1Gi", "datastore": "ds1", "rdm": "virtual"}]}, "raw device mapping"),
        ({"disks": [{"size": "1Gi", "datastore": "ds1", "shared": "quorum"}]}, "shared disk"),
        ({"disks": [{"size": "1Gi", "datastore": "ds1", "mode": "independent_persistent"}]}, "independent disk"),
        ({"os": "other"}, "unusual guest system"),
        ({"template": True}, "it is a template"),
    ],
)
def test_what_forklift_refuses_or_loses_is_special(fields: dict[str, Any], reason: str) -> None:
    found = resolved(vm("special", **fields), defaults=AUTO, settings={"auto": {"threshold": 1}})
    path = decision(found, "special", "path")
    assert path.value == "virt-v2v"
    assert reason in path.reason


def test_the_order_of_the_questions_is_a_setting() -> None:
    # other guests are special, and there are three of them
    vms = farm(3, os="other")
    assert set(auto(*vms).values()) == {("virt-v2v", "job")}
    assert set(auto(*vms, order=["similar", "special"]).values()) == {("forklift", "cold")}


def test_a_described_application_is_rebuilt() -> None:
    application = {"image": "registry.example.com/app:1.4.2"}
    assert auto(vm("app", application=application)) == {"app": ("rebuild", "rebuild")}
    assert auto(vm("app", application=application), order=["special", "similar"]) == {"app": ("virt-v2v", "job")}


def test_templates_and_shared_disks_come_from_images() -> None:
    shared = [{"size": "1Gi", "datastore": "ds1", "shared": "quorum"}]
    paths = auto(vm("template", template=True), vm("a", disks=shared), vm("b", disks=shared))
    assert set(paths.values()) == {("virt-v2v", "image")}


def test_what_the_spec_says_is_done_and_its_line_kept() -> None:
    found = resolved(vm("web", path="forklift", method="warm"))
    assert machines(found)["web"].path == "forklift"
    path = decision(found, "web", "path")
    assert path.reason == "the spec says so"
    assert path.where is not None
    assert path.where.path == ("vms", 0, "path")


def test_a_method_of_another_path_is_refused_where_both_were_asked_for() -> None:
    found = resolved(vm("web", path="forklift", method="job"))
    assert "path forklift has no method job" in finding(found, "VMF107").message


def test_a_general_method_does_not_hinder_a_path_of_its_own() -> None:
    found = resolved(vm("web", path="virt-v2v"), defaults=defaults(path="auto", method="warm"))
    assert machines(found)["web"].method == "job"
    assert "warm is for another path" in decision(found, "web", "method").reason
    assert "VMF107" not in codes(found)


def test_a_frozen_part_of_a_farm_does_not_change_the_path_of_the_rest() -> None:
    sections = {"defaults": AUTO, "settings": {"auto": {"threshold": 3}, "grouping": {"maxVms": 2}}}
    groups = {"first-01": {"stage": "prepared"}}
    before = resolved(*farm(3), groups=groups, **sections)
    after = resolved(*farm(3), groups=groups, assignments=before.assignments, **sections)
    assert {machine.path for machine in machines(after).values()} == {"forklift"}


def test_a_frozen_vm_keeps_the_path_that_auto_chose_and_planned_ones_follow_the_estate() -> None:
    """As after an upgrade: the vmferry before counted VMs that are alike, and chose virt-v2v for these."""
    some = [vm("a-1", phase="first"), vm("b-1", phase="second"), vm("c-1", phase="third")]
    sections: dict[str, Any] = {
        "phases": [{"name": "first"}, {"name": "second"}, {"name": "third"}],
        "defaults": {"namespace": "web", "path": "auto"},
    }
    stages = {"first-01": {"stage": "cutover"}, "second-01": {"stage": "prepared"}}
    few = {**sections, "settings": {"auto": {"threshold": 4}}}
    planned = resolved(*some, **few).assignments
    prepared = {name: {"stage": "prepared"} for name in stages}
    before = resolved(*some, groups=prepared, assignments=planned, **few).assignments
    many = {**sections, "settings": {"auto": {"threshold": 3}}}
    after = resolved(*some, groups=stages, assignments=before, **many)
    assert {name: found.path for name, found in machines(after).items()} == {
        "a-1": "virt-v2v",
        "b-1": "virt-v2v",
        "c-1": "forklift",
    }
    assert "VMF409" not in codes(after)
    assert decision(after, "b-1", "path").reason == "chosen by auto before its group was prepared"
