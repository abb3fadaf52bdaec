"""VMs past `planned` stay as they were written down."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.resolve.projects import Data, codes, decision, finding, groups, machines, resolved, vm

from vmferry.estate.resolution import Resolution, facts_digest
from vmferry.model.assignments import Assignments

PREPARED: Data = {"groups": {"first-01": {"stage": "prepared"}}}
MIGRATING: Data = {"groups": {"first-01": {"stage": "migrating"}}}


def prepared(*vms: Data, **sections: Any) -> Assignments:
    """Return what is written down of VMs whose group is prepared."""
    found = resolved(*vms, **(PREPARED | sections))
    assert [code for code in codes(found) if code not in ("VMF304", "VMF111")] == []
    return found.assignments


def again(*vms: Data, assignments: Assignments, **sections: Any) -> Resolution:
    return resolved(*vms, assignments=assignments, **(PREPARED | sections))


def test_planned_vms_are_written_down_with_their_group_only() -> None:
    item = resolved(vm()).assignments.vms["vc1/web-01"]
    assert (item.group, item.machine, item.facts) == ("first-01", None, None)


def test_prepared_vms_are_written_down_as_they_are() -> None:
    found = resolved(vm(), **PREPARED)
    item = found.assignments.vms["vc1/web-01"]
    assert item.machine == machines(found)["web-01"]
    assert item.facts is not None


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"memory": "16Gi"}, "memory"),
        ({"namespace": "db"}, "namespace"),
        ({"phase": "second"}, "phase"),
        ({"targetName": "other"}, "target_name"),
        ({"method": "image"}, "method"),
        ({"disks": [{"size": "80Gi", "datastore": "ds1"}]}, "disks"),
        ({"nics": []}, "nics"),
        ({"os": "windows"}, "os"),
    ],
)
def test_a_change_is_a_warning_and_changes_nothing(changed: Data, field: str) -> None:
    sections = {"phases": [{"name": "first"}, {"name": "second"}], "namespaces": [{"name": "web"}, {"name": "db"}]}
    before = prepared(vm(), **sections)
    found = again(vm(**changed), assignments=before, **sections)
    assert field in finding(found, "VMF409").message
    assert found.assignments == before


def nics(**fields: Any) -> list[Data]:
    return [{"network": "vlan-7", "mac": "00:50:56:00:00:01", **fields}]


def test_another_static_address_is_a_change() -> None:
    before = prepared(vm(nics=nics(origin="static", addresses=["10.0.7.5/24"])))
    now = vm(nics=nics(origin="static", addresses=["10.0.7.6/24"]))
    assert "nics" in finding(again(now, assignments=before), "VMF409").message


def test_another_address_by_dhcp_is_none() -> None:
    before = prepared(vm(nics=nics(origin="dhcp", addresses=["10.0.7.5/24"])))
    found = again(vm(nics=nics(origin="dhcp", addresses=["10.0.7.6/24"])), assignments=before)
    assert "VMF409" not in codes(found)
    assert found.assignments == before


def as_written_before(assignments: Assignments) -> Assignments:
    """Return a record as a vmferry wrote it that kept no names and addresses of NICs."""
    vms = {}
    for key, item in assignments.vms.items():
        assert item.machine is not None
        bare = replace(item.machine, nics=tuple(replace(nic, kept=None) for nic in item.machine.nics))
        vms[key] = replace(item, machine=bare, facts=facts_digest(bare))
    return replace(assignments, vms=vms)


def test_a_vm_that_was_frozen_without_what_its_nics_keep_stays_as_it_was() -> None:
    static = vm(nics=nics(origin="static", addresses=["10.0.7.5/24"]))
    before = as_written_before(prepared(static))
    found = again(static, assignments=before)
    assert not {"VMF409", "VMF411"} & set(codes(found))
    assert found.assignments == before


def test_what_is_wrong_with_a_frozen_vm_today_is_no_error() -> None:
    before = prepared(vm())
    found = again(vm(disks=[{"size": "1Gi", "datastore": "gone"}]), assignments=before)
    assert "could not be resolved today" in finding(found, "VMF409").message
    assert found.assignments == before


def test_a_vm_that_did_not_change_is_no_finding() -> None:
    found = again(vm(), assignments=prepared(vm()))
    assert codes(found) == []


def test_a_frozen_vm_that_is_dropped_stays_in_the_output() -> None:
    before = prepared(vm("a"), vm("b"))
    found = again(vm("a"), assignments=before)
    assert finding(found, "VMF410").vms == ("b",)
    assert groups(found) == {"first-01": ["a", "b"]}
    assert found.assignments == before
    assert "frozen" in decision(found, "b", "target name").reason


def test_a_frozen_vm_that_is_excluded_stays_in_the_output() -> None:
    before = prepared(vm("a"), vm("b"))
    found = again(vm("a"), vm("b", disposition="exclude", reason="a mistake"), assignments=before)
    assert finding(found, "VMF410").vms == ("b",)
    assert groups(found) == {"first-01": ["a", "b"]}


def test_a_group_that_goes_back_to_planned_is_decided_anew() -> None:
    before = prepared(vm())
    found = resolved(vm(memory="16Gi"), assignments=before)
    assert machines(found)["web-01"].memory == 16 << 30
    assert found.assignments.vms["vc1/web-01"].machine is None


def test_a_group_that_moves_does_not_go_back() -> None:
    before = prepared(vm())
    moved = again(vm(), assignments=before, **MIGRATING).assignments
    assert "VMF411" in codes(again(vm(), assignments=moved))


def test_a_vm_is_the_same_when_its_id_becomes_known() -> None:
    found = again(vm(id="vm-7"), assignments=prepared(vm()))
    assert groups(found) == {"first-01": ["web-01"]}
    assert codes(found) == []


def test_a_vm_is_the_same_when_it_gets_another_name() -> None:
    found = again(vm("web-02", id="vm-7", uuid=vm()["uuid"]), assignments=prepared(vm(id="vm-7")))
    assert list(groups(found)) == ["first-01"]
    assert machines(found)["web-01"].target_name == "web-01"


def test_a_vm_that_looks_like_a_frozen_one_does_not_move_twice() -> None:
    # the frozen one had no id: which of the two it is cannot be told
    two = [vm(id="vm-1", uuid=None), vm(id="vm-2", uuid=None, nics=[])]
    cold = {"defaults": {"phase": "first", "namespace": "web", "path": "forklift", "method": "cold"}}
    before = prepared(vm(uuid=None), **cold)
    assert "VMF411" in codes(again(*two, assignments=before, **cold))


def test_assignments_of_another_migration_are_refused() -> None:
    found = again(vm(), assignments=prepared(vm()), metadata={"name": "other"})
    assert "belongs to migration acme" in finding(found, "VMF411").message


def test_an_edited_record_is_refused() -> None:
    before = prepared(vm())
    data = msgspec.to_builtins(before)
    data["vms"]["vc1/web-01"]["machine"]["memory"] = 1
    assert "VMF411" in codes(again(vm(), assignments=msgspec.convert(data, Assignments)))


@pytest.mark.parametrize("field", ["key", "name", "source", "targetName", "namespace", "phase", "group"])
def test_a_record_that_names_something_else_is_refused(field: str) -> None:
    data = msgspec.to_builtins(prepared(vm(), vm("web-02")))
    data["vms"]["vc1/web-01"]["machine"][field] = "another"
    assert "VMF411" in codes(again(vm(), vm("web-02"), assignments=msgspec.convert(data, Assignments)))


@pytest.mark.parametrize(
    "gone",
    [
        {"phases": [{"name": "other"}]},
        {"namespaces": [{"name": "other"}]},
    ],
)
def test_what_frozen_vms_need_must_stay_in_the_spec(gone: Data) -> None:
    assert "VMF411" in codes(again(vm(), assignments=prepared(vm()), **gone))


def test_a_template_that_is_frozen_can_be_cloned() -> None:
    template = vm("golden", template=True, method="image")
    before = prepared(template)
    clone = vm("clone", method="image", cloneOf="golden", disks=[{"size": "40Gi", "tier": "gold"}])
    found = again(template, clone, assignments=before)
    assert machines(found)["clone"].clone_of == "golden"
    assert "VMF102" not in codes(found)


def test_a_vm_does_not_join_a_disk_that_frozen_vms_share() -> None:
    disks = [{"size": "1Gi", "datastore": "ds1", "shared": "quorum"}]
    pair = [vm(name, method="image", disks=disks) for name in ("a", "b")]
    found = again(*pair, vm("c", method="image", disks=disks), assignments=prepared(*pair))
    assert "shares disk quorum" in finding(found, "VMF306").message


# --- attempts ---------------------------------------------------------------------------------


def attempt(number: int, stage: str = "migrating", *, image: str = "first") -> Data:
    """Return the sections of a spec whose group makes an attempt with an image."""
    gitops = {"engine": "argocd", "repoURL": "https://git.example.com/platform/gitops"}
    cluster = {"name": "prod-a", "v2vImage": f"registry.example.com/v2v:{image}"}
    groups_ = {"first-01": {"stage": stage, "attempt": number}}
    return {"groups": groups_, "target": {"cluster": cluster, "gitops": gitops}}


def images(found: Resolution) -> list[str | None]:
    """Return the images that VMs are converted with, of those whose attempt has begun."""
    return [each.conversion.image.rpartition(":")[2] if each.conversion else None for each in machines(found).values()]


def test_an_attempt_goes_on_with_what_it_began_with() -> None:
    before = resolved(vm(), assignments=prepared(vm()), **attempt(1))
    assert images(before) == ["first"]
    for stage in ("migrating", "cutover"):
        later = resolved(vm(), assignments=before.assignments, **attempt(1, stage, image="next"))
        assert images(later) == ["first"]
        assert "VMF409" not in codes(later)


def test_the_next_attempt_begins_with_what_is_said_by_then() -> None:
    before = resolved(vm(), assignments=prepared(vm()), **attempt(1))
    assert images(resolved(vm(), assignments=before.assignments, **attempt(2, image="next"))) == ["next"]


def test_what_has_not_begun_takes_what_is_said_now() -> None:
    assert images(resolved(vm(), **attempt(1, "prepared"))) == [None]
    assert images(resolved(vm(), assignments=prepared(vm()), **attempt(1, image="next"))) == ["next"]


def test_forklift_converts_with_an_image_of_its_own() -> None:
    warm = vm(path="forklift", method="warm", changeTracking=True)
    assert images(resolved(warm, assignments=prepared(warm), **attempt(1))) == [None]


def test_a_vcenter_that_moved_is_for_attempts_to_come() -> None:
    before = resolved(vm(), assignments=prepared(vm()), **attempt(1))
    [source] = before.blueprint.sources
    moved = msgspec.to_builtins(source.vcenter) | {"url": "https://vc2.example.com/sdk", "thumbprint": None}
    found = resolved(vm(), assignments=before.assignments, sources=[{"name": "vc1", "vcenter": moved}], **attempt(1))
    [machine] = machines(found).values()
    assert machine.conversion is not None
    assert machine.conversion.url == source.vcenter.url != found.blueprint.sources[0].vcenter.url


def test_it_is_explained_what_an_attempt_goes_on_with() -> None:
    before = resolved(vm(), assignments=prepared(vm()), **attempt(1))
    later = resolved(vm(), assignments=before.assignments, **attempt(1, image="next"))
    found = decision(later, "web-01", "conversion")
    assert (found.value, found.reason) == ("registry.example.com/v2v:first", "since attempt 1 began (assignments.yaml)")


@pytest.mark.parametrize("stage", ["prepared", "migrating", "cutover"])
def test_a_record_that_is_lost_from_a_group_is_an_error(stage: str) -> None:
    before = prepared(vm("a"), vm("b"))
    for each in ("migrating", "cutover")[: ("prepared", "migrating", "cutover").index(stage)]:
        before = again(vm("a"), vm("b"), assignments=before, groups={"first-01": {"stage": each}}).assignments
    lost = replace(before, vms={key: item for key, item in before.vms.items() if key != "vc1/b"})
    found = finding(again(vm("a"), vm("b"), assignments=lost, groups={"first-01": {"stage": stage}}), "VMF411")
    assert found.vms == ("b",)
    assert "restore the record in assignments.yaml" in found.help
    gone = again(vm("a"), assignments=lost, groups={"first-01": {"stage": stage}})
    assert "2 VMs are frozen in group first-01" in finding(gone, "VMF411").message


def test_a_new_vm_beside_a_frozen_group_is_no_lost_record() -> None:
    before = prepared(vm("a"), vm("b"))
    assert codes(again(vm("a"), vm("b"), vm("c"), assignments=before)) == []


def test_a_record_of_before_there_was_a_count_is_valid_and_gets_one() -> None:
    now = prepared(vm("a"), vm("b"))
    formerly = replace(now, vms={key: replace(item, of=None) for key, item in now.vms.items()})
    found = again(vm("a"), vm("b"), assignments=formerly)
    assert codes(found) == []
    assert found.assignments == now


@pytest.mark.parametrize(
    ("path", "method"), [("forklift", "cold"), ("virt-v2v", "job"), ("virt-v2v", "image"), ("forklift", "warm")]
)
@pytest.mark.parametrize("stage", ["prepared", "migrating"])
def test_a_source_that_is_renamed_is_one_error_for_each_group(path: str, method: str, stage: str) -> None:
    sections: Data = {"groups": {"first-01": {"stage": "prepared"}}}
    sections["defaults"] = {"phase": "first", "namespace": "web", "path": path, "method": method}
    before = prepared(vm("a"), vm("b"), **sections)
    vcenter = {"url": "https://vc1.example.com/sdk", "credentials": {"secretRef": {"name": "s"}}}
    vcenter["conversionCredentials"] = {"secretRef": {"name": "c"}}
    sections |= {"groups": {"first-01": {"stage": stage}}, "sources": [{"name": "north", "vcenter": vcenter}]}
    found = again(vm("a"), vm("b"), assignments=before, **sections)
    assert "source vc1" in finding(found, "VMF411").message
    assert not {"VMF101", "VMF206", "VMF410", "VMF439"} & set(codes(found))


def test_another_vm_with_the_id_of_a_frozen_one_is_an_error() -> None:
    uuids = ["42301f6e-1c5d-4c6e-9d3a-000000000001", "42301f6e-1c5d-4c6e-9d3a-000000000002"]
    before = prepared(vm("web-01", id="vm-7", uuid=uuids[0]))
    found = again(vm("db-09", id="vm-7", uuid=uuids[1]), assignments=before)
    assert "has the id of web-01 (vc1/vm-7), which is frozen" in finding(found, "VMF411").message
