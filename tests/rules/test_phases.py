"""Rules on phases and windows, where the examples do not reach."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from tests.resolve.projects import Data, project, vm

from vmferry import rules
from vmferry.check import review
from vmferry.estate.resolution import Resolution
from vmferry.model.finding import Finding
from vmferry.model.inventory import Inventory, InventoryMetadata, Origin
from vmferry.model.project import Project
from vmferry.model.review import Review
from vmferry.resolve.blueprint import resolve

NIGHT = {"start": "2027-02-06T20:00:00Z", "duration": "8h"}
NEXT_NIGHT = {"start": "2027-02-07T20:00:00Z", "duration": "8h"}
FIRST = {"name": "first", "windows": [NIGHT]}
SECOND = {"name": "second", "after": ["first"], "windows": [NEXT_NIGHT]}
CUT_OVER = "2027-02-06T21:00:00Z"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def warm(name: str, **fields: Any) -> Data:
    return vm(name, path="forklift", method="warm", **fields)


def settled(*vms: Data, **sections: Any) -> tuple[Project, Resolution]:
    """Return a project whose groups went through their stages, with nothing wrong about it."""
    first = resolve(project(*vms, **sections | {"groups": {}}))
    found = project(*vms, assignments=first.assignments, **sections)
    resolution = resolve(found)
    assert [each.message for each in resolution.findings if each.code not in ("VMF304", "VMF111")] == []
    return found, resolution


def reviewed(*vms: Data, now: str | None = None, before: Review | None = None, **sections: Any) -> Review:
    found, resolution = settled(*vms, **sections)
    return replace(review(found, resolution, now=at(now) if now else None), before=before)


def read(found: Review, taken: str | None) -> Review:
    """Return the review with an inventory that was read at a time."""
    part = Inventory(metadata=InventoryMetadata(name="vc1"), source=Origin(name="vc1", kind="vcenter", taken=taken))
    fields = {name: getattr(found.project, name) for name in Project.__struct_fields__}
    data = {name: getattr(found, name) for name in Review.__struct_fields__}
    return Review(**data | {"project": Project(**fields | {"inventories": (part,)})})


def only(code: str, found: Review) -> list[Finding]:
    return [finding for finding in rules.check(found) if finding.code == code]


# --- who moves when


def test_production_is_told_by_its_tags_its_attributes_its_pool_and_its_name() -> None:
    two = [FIRST, SECOND]
    for fields in (
        {"name": "web-07", "tags": ["env/prod"]},
        {"name": "web-07", "customAttributes": {"Environment": "Production"}},
        {"name": "web-07", "resourcePool": "PRD/Web"},
        {"name": "web-prod01"},
    ):
        [finding] = only("VMF420", reviewed(vm(**fields), phases=two))
        assert finding.vms == (fields["name"],)


@pytest.mark.parametrize("name", ["nonprod-01", "non-prod-01", "pre-prod-01", "products-01", "prod-test-01"])
def test_what_only_sounds_like_production_may_go_first(name: str) -> None:
    assert only("VMF420", reviewed(vm(name), phases=[FIRST, SECOND])) == []


def test_with_one_phase_only_no_phase_is_the_first() -> None:
    assert only("VMF420", reviewed(vm("web-prod"), phases=[FIRST])) == []


def test_who_has_cut_over_is_not_told_that_it_moves_too_early() -> None:
    found = reviewed(
        warm("web-prod"),
        phases=[FIRST, SECOND],
        groups={"first-01": {"stage": "cutover", "cutover": CUT_OVER}},
    )
    assert only("VMF420", found) == []


def test_a_database_is_told_by_its_tags_its_ports_and_the_kind_of_its_phase() -> None:
    for kind, fields, evidence in (
        ("migrate", {"tags": ["role/database"]}, "a tag or custom attribute"),
        ("migrate", {"ports": [{"name": "pg", "port": 15432, "targetPort": 5432}]}, "port 5432 is PostgreSQL's"),
        ("stateful", {}, "its phase is of kind stateful"),
    ):
        [finding] = only("VMF421", reviewed(vm("app-01", **fields), phases=[{"name": "first", "kind": kind}]))
        assert evidence in finding.message
    assert only("VMF421", reviewed(vm("app-01"), phases=[{"name": "first"}])) == []


@pytest.mark.parametrize("name", ["hr-sqlsrv01", "orders-psql-01", "couchbase-1", "timescaledb-2", "db2-01"])
def test_a_database_is_told_by_its_name(name: str) -> None:
    [finding] = only("VMF421", reviewed(vm(name), phases=[{"name": "first"}]))
    assert "its name suggests a database" in finding.message


@pytest.mark.parametrize("name", ["net-pg-prod", "oracle-linux-8", "dbus-proxy", "sqlite-docs", "psqlx-01"])
def test_a_name_that_is_like_that_of_a_database_is_none(name: str) -> None:
    assert only("VMF421", reviewed(vm(name), phases=[{"name": "first"}])) == []


@pytest.mark.parametrize("name", ["HBSQLD01SEN", "ntsqltst05", "HBPOSTSQLP01", "sql-01"])
def test_a_database_is_told_by_its_name_whatever_is_around_sql(name: str) -> None:
    assert len(only("VMF421", reviewed(vm(name), phases=[{"name": "first"}]))) == 1


@pytest.mark.parametrize("name", ["mosquito-app", "sqlite01"])
def test_a_mosquito_is_no_database(name: str) -> None:
    assert only("VMF421", reviewed(vm(name), phases=[{"name": "first"}])) == []


def test_a_rebuilt_database_needs_a_window_too() -> None:
    application = {"image": "registry.example.com/app:1.4.2", "ports": [{"name": "sql", "port": 3306}]}
    found = reviewed(vm("app-01", path="rebuild", method=None, application=application), phases=[{"name": "first"}])
    assert "port 3306 is MySQL's" in only("VMF421", found)[0].message


def test_databases_of_a_phase_without_a_window_are_one_finding() -> None:
    phases = [{"name": "first", "kind": "stateful"}, {"name": "second", "kind": "stateful"}]
    names = [f"app-{number:02}" for number in range(12)]
    moved = [vm(name) for name in names] + [vm("app-99", phase="second")]
    first, second = only("VMF421", reviewed(*moved, phases=phases))
    assert (first.vms, second.vms) == (tuple(names), ("app-99",))
    assert "12 databases move in it" in first.message
    assert "and 9 more" in first.message


# --- windows


def test_windows_of_phases_that_do_not_wait_for_each_other_may_overlap() -> None:
    phases = [FIRST, {"name": "second", "windows": [NIGHT]}]
    assert only("VMF422", reviewed(vm("a-01"), vm("b-07", phase="second"), phases=phases)) == []


def test_a_phase_waits_for_the_phases_of_its_phases() -> None:
    third = {"name": "third", "after": ["second"], "windows": [NIGHT]}
    second = {"name": "second", "after": ["first"]}
    found = reviewed(vm("a-01"), vm("b-07", phase="second"), vm("c-08", phase="third"), phases=[FIRST, second, third])
    [finding] = only("VMF422", found)
    assert finding.where is not None
    assert finding.where.path == ("phases", 2, "windows", 0)


def test_a_phase_without_vms_has_nothing_to_be_late_for() -> None:
    phases = [FIRST, {"name": "second", "after": ["first"], "windows": [NIGHT]}]
    found = reviewed(vm("a-01"), phases=phases, now="2027-03-01T00:00:00Z")
    assert only("VMF422", found) == []
    assert [finding.message[:12] for finding in only("VMF431", found)] == ["phase first:"]


def test_several_groups_that_missed_their_window_are_one_finding() -> None:
    phases = [FIRST | {"maxVms": 1}]
    found = reviewed(*(vm(f"a-0{n}") for n in range(1, 6)), phases=phases, now="2027-03-01T00:00:00Z")
    [finding] = only("VMF431", found)
    assert "first-01 (planned), first-02 (planned), first-03 (planned) and 2 more have not cut over" in finding.message
    assert len(finding.vms) == 5


def test_without_a_time_nothing_is_late() -> None:
    found = reviewed(warm("a-01"), phases=[FIRST], groups={"first-01": {"stage": "prepared", "cutover": CUT_OVER}})
    assert only("VMF430", found) == only("VMF431", found) == []


def test_a_window_at_the_end_of_time_can_be_computed_with() -> None:
    end = {"start": "9999-12-31T20:00:00Z", "duration": "9999d"}
    phases = [
        {"name": "first", "windows": [end], "dualRun": {"atLeast": "14d"}},
        {"name": "second", "after": ["first"], "windows": [end]},
        {"name": "last", "kind": "decommission", "after": ["second"], "windows": [NIGHT, end]},
    ]
    found = reviewed(vm("a-01"), vm("b-07", phase="second"), phases=phases, now="2027-03-01T00:00:00Z")
    assert len(only("VMF422", found)) == 1
    assert any("after the year 9999" in finding.message for finding in only("VMF429", found))


def test_the_copy_is_measured_by_what_is_in_use_and_at_most_by_the_disks() -> None:
    short = [{"name": "first", "windows": [{"start": "2027-02-06T20:00:00Z", "duration": "1m"}]}]
    large = [{"size": "1Ti", "datastore": "ds1"}]
    assert only("VMF432", reviewed(vm("a-01", disks=large), phases=short)) == []  # unknown what is in use
    assert only("VMF432", reviewed(vm("a-01", usedStorage=1 << 40), phases=short)) == []  # snapshots, swap
    [finding] = only("VMF432", reviewed(vm("a-01", disks=large, usedStorage=1 << 40), phases=short))
    assert "1Ti are copied" in finding.message
    assert only("VMF432", reviewed(warm("a-01", disks=large, usedStorage=1 << 40), phases=short)) == []


def test_nothing_fits_into_a_window_of_no_length() -> None:
    closed = [{"name": "first", "windows": [{"start": "2027-02-06T20:00:00Z", "duration": "0s"}]}]
    tiny = [{"size": "1000", "datastore": "ds1"}]
    [finding] = only("VMF432", reviewed(vm("a-01", disks=tiny, usedStorage=1000), phases=closed))
    assert ": 1000 are copied" in finding.message


# --- order of groups


def test_all_groups_that_are_behind_are_counted() -> None:
    phases = [FIRST | {"maxVms": 1}, {"name": "other"}, SECOND | {"after": ["first", "other"]}]
    vms = [vm("a-01"), vm("a-02"), vm("b-07", phase="other"), vm("c-08", phase="second")]
    found = reviewed(*vms, phases=phases, groups={"second-01": {"stage": "migrating"}})
    [finding] = only("VMF426", found)
    assert "first-01 (planned), first-02 (planned), other-01 (planned) of phases first, other" in finding.message


def test_a_group_at_cutover_waits_for_the_cutover_of_earlier_ones() -> None:
    def behind(stage: str) -> list[Finding]:
        groups = {"first-01": {"stage": stage}, "second-01": {"stage": "cutover"}}
        return only("VMF426", reviewed(vm("a-01"), vm("b-07", phase="second"), phases=[FIRST, SECOND], groups=groups))

    assert "group first-01 (migrating) of phase first, which comes first, is not" in behind("migrating")[0].message
    assert behind("cutover") == []


def test_a_group_that_goes_to_cutover_in_this_change_must_not_have_missed_its_time() -> None:
    def at_stage(stage: str, **more: Any) -> Review:
        groups = {"first-01": {"stage": stage, "cutover": CUT_OVER}}
        return reviewed(warm("a-01"), phases=[FIRST], groups=groups, now="2027-02-06T23:00:00Z", **more)

    assert len(only("VMF430", at_stage("cutover", before=at_stage("migrating")))) == 1
    assert only("VMF430", at_stage("cutover", before=at_stage("cutover"))) == []
    assert only("VMF430", at_stage("cutover")) == []


@pytest.mark.parametrize(
    ("now", "interval", "said"),
    [
        ("2027-02-06T20:50:00Z", "10m", None),
        ("2027-02-06T20:50:01Z", "10m", "is in less than 10m, which the engine may take to see it"),
        ("2027-02-06T20:50:01Z", "5m", None),
        ("2027-02-06T21:00:00Z", "5m", "is in less than 5m"),
        ("2027-02-06T21:00:01Z", "5m", "has passed (2027-02-06T21:00Z)"),
        ("2027-02-06T21:00:00Z", "0s", None),
    ],
)
def test_a_cutover_is_not_before_the_engine_has_seen_it(now: str, interval: str, said: str | None) -> None:
    before = appointed("migrating", CUT_OVER, now=now)
    found = only("VMF430", appointed("cutover", CUT_OVER, interval=interval, now=now, before=before))
    assert [said is not None and said in finding.message for finding in found] == [True] * (said is not None)
    assert not any(finding.is_error for finding in found)  # the window is open meanwhile


@pytest.mark.parametrize(
    ("cutover", "now", "error"),
    [
        ("2027-02-06T20:00:00Z", "2027-02-06T19:55:00Z", False),  # the window opens with the cutover
        ("2027-02-07T03:55:00Z", "2027-02-07T03:50:00Z", False),  # it is seen as the window closes
        ("2027-02-07T03:55:00Z", "2027-02-07T03:50:01Z", True),  # after that
        ("2027-02-06T21:00:00Z", "2027-02-07T03:50:00Z", False),
        ("2027-02-06T21:00:00Z", "2027-02-07T03:50:01Z", True),
        ("2027-02-06T21:00:00Z", "2027-02-07T05:00:00Z", True),
    ],
)
def test_it_is_an_error_if_no_window_is_open_until_the_engine_sees_it(cutover: str, now: str, error: bool) -> None:
    before = appointed("migrating", cutover, now=now)
    [finding] = only("VMF430", appointed("cutover", cutover, now=now, before=before))
    assert finding.is_error == error


def test_a_group_that_is_at_cutover_may_let_its_time_pass_and_not_change_it_to_one_that_is_too_near() -> None:
    now = "2027-02-06T20:55:00Z"
    before = appointed("cutover", "2027-02-07T01:00:00Z", now=now)
    assert only("VMF430", appointed("cutover", "2027-02-07T01:00:00Z", now="2027-02-07T02:00:00Z", before=before)) == []
    assert len(only("VMF430", appointed("cutover", CUT_OVER, now=now, before=before))) == 1
    assert only("VMF430", appointed("cutover", "2027-02-07T02:00:00Z", now=now, before=before)) == []


def test_a_cutover_that_is_only_planned_may_be_near() -> None:
    assert only("VMF430", appointed("migrating", CUT_OVER, now="2027-02-06T20:59:00Z")) == []


def appointed(stage: str, cutover: str, interval: str = "10m", **more: Any) -> Review:
    """Return a warm group with a cutover, in a window from 20:00 to 04:00."""
    gitops = {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops", "interval": interval}
    target = {"cluster": {"name": "prod-a"}, "gitops": gitops}
    groups = {"first-01": {"stage": stage, "cutover": cutover}}
    return reviewed(warm("a-01"), phases=[FIRST], groups=groups, target=target, **more)


def test_a_cutover_that_was_missed_in_the_last_window_needs_another_window() -> None:
    state = {"stage": "migrating", "cutover": "2027-02-06T21:00:00Z"}
    vms = (warm("a-01", id="vm-1"),)
    found = reviewed(*vms, phases=[FIRST], groups={"first-01": state}, now="2027-03-01T00:00:00Z")
    [finding] = only("VMF430", found)
    assert finding.help.endswith("a window that is added to `windows` of the phase: all of its windows are over")


def test_a_vm_that_is_late_alone_is_named_alone() -> None:
    late, later = "2027-02-06T21:00:00Z", "2027-02-07T01:00:00Z"
    vms = (warm("a-01", id="vm-1"), warm("a-02", id="vm-2"))
    state = {"stage": "migrating", "cutover": later, "vmCutover": {"a-02": late}}
    found = reviewed(*vms, phases=[FIRST], groups={"first-01": state}, now="2027-02-06T23:00:00Z")
    [finding] = only("VMF430", found)
    window = "one of the phase's windows: 2027-02-06T20:00:00Z for 8h"
    assert (finding.vms, finding.help) == (("a-02",), f"set a later `vmCutover`, inside {window}")


def test_vms_of_one_group_that_cut_over_apart_are_held_against_what_they_need() -> None:
    early, late = "2027-02-06T21:00:00Z", "2027-02-06T22:00:00Z"
    vms = (warm("a-01", id="vm-1"), warm("a-02", id="vm-2", dependsOn=["a-01"]))

    def apart(own: dict[str, str]) -> list[Finding]:
        state = {"stage": "prepared", "cutover": late, "vmCutover": own}
        return only("VMF434", reviewed(*vms, phases=[FIRST], groups={"first-01": state}))

    assert len(apart({"a-02": early})) == 1
    assert apart({"a-01": early}) == apart({}) == []


# --- the source after cutover


def running(**more: Any) -> Review:
    groups = {"first-01": {"stage": "cutover", "cutover": CUT_OVER}}
    return reviewed(warm("a-01"), **{"phases": [FIRST], "groups": groups} | more)


@pytest.mark.parametrize("taken", [None, "2027-02-06T20:30:00Z", "last week", "2027-02-06T23:00:00"])
def test_an_inventory_of_before_or_of_an_unknown_time_says_nothing_of_the_source(taken: str | None) -> None:
    assert only("VMF433", read(running(), taken)) == []
    assert len(only("VMF433", read(running(), "2027-02-06T23:00:00+01:00"))) == 1


@pytest.mark.parametrize(("mode", "count"), [("fallback", 1), ("parallel", 0), ("replica", 0)])
def test_both_may_run_where_that_is_the_dual_run(mode: str, count: int) -> None:
    phase = FIRST | {"dualRun": {"mode": mode}}
    assert len(only("VMF433", read(running(phases=[phase]), "2027-02-07T23:00:00Z"))) == count


def test_without_a_stated_time_an_inventory_read_since_the_other_commit_tells() -> None:
    def cold(stage: str, taken: str, before: Review | None = None) -> Review:
        found = reviewed(
            vm("a-01", path="forklift", method="cold"),
            phases=[FIRST],
            groups={"first-01": {"stage": stage}},
            before=before,
        )
        return read(found, taken)

    before = cold("cutover", "2027-02-07T08:00:00Z")
    assert only("VMF433", before) == []
    assert len(only("VMF433", cold("cutover", "2027-02-08T08:00:00Z", before))) == 1
    assert only("VMF433", cold("cutover", "2027-02-07T08:00:00Z", before)) == []
    assert only("VMF433", cold("cutover", "2027-02-08T08:00:00Z", cold("migrating", "2027-02-07T08:00:00Z"))) == []


def test_a_decommission_phase_that_names_no_other_waits_for_all() -> None:
    last = {"name": "last", "kind": "decommission"}
    vms = [vm("a-01"), vm("b-07"), vm("z-09", phase="last")]
    sections: Data = {"phases": [FIRST | {"maxVms": 1}, last], "groups": {"last-01": {"stage": "prepared"}}}
    [finding] = only("VMF428", reviewed(*vms, **sections))
    assert "groups first-01 (planned), first-02 (planned) are not at cutover" in finding.message


def test_the_dual_run_counts_from_the_cutovers_that_are_stated() -> None:
    dual = FIRST | {"dualRun": {"atLeast": "14d"}}
    last = {"name": "last", "kind": "decommission", "windows": [{"start": "2027-02-20T22:00:00Z", "duration": "8h"}]}
    groups = {"first-01": {"stage": "prepared", "cutover": CUT_OVER}}
    assert only("VMF429", reviewed(warm("a-01"), phases=[dual, last], groups=groups)) == []
    assert len(only("VMF429", reviewed(warm("a-01"), phases=[dual, last]))) == 1  # by the end of the window
    assert only("VMF429", reviewed(phases=[dual, last])) == []  # nobody to keep a source of


# --- dependencies


def dependent(mine: Data, its: Data, **more: Any) -> list[Finding]:
    phases = [{"name": "first", **mine}, {"name": "second", **its}]
    vms = [vm("a-01", dependsOn=["b-07", {"external": "smtp.example.com:25"}]), vm("b-07", phase="second")]
    return only("VMF434", reviewed(*vms, phases=phases, **more))


def test_times_of_dependencies_are_compared_where_there_are_any() -> None:
    assert len(dependent({"windows": [NIGHT]}, {"windows": [NEXT_NIGHT]})) == 1
    assert dependent({}, {"windows": [NEXT_NIGHT]}) == []
    assert dependent({"windows": [NIGHT]}, {}) == []
    assert dependent({"windows": [NIGHT]}, {"windows": [NEXT_NIGHT]}, groups={"second-01": {"stage": "cutover"}}) == []


def test_windows_that_contradict_the_order_of_phases_are_reported_once() -> None:
    mine = {"after": ["second"], "windows": [NIGHT]}
    assert dependent(mine, {"windows": [NEXT_NIGHT]}) == []


def test_vms_of_one_group_cut_over_together() -> None:
    assert only("VMF434", reviewed(vm("a-01", dependsOn=["b-07"]), vm("b-07"), phases=[FIRST])) == []


def test_a_dependency_that_stays_in_vsphere_has_no_time() -> None:
    stays = vm("b-07", disposition="retain", reason="runs vSphere itself", phase=None)
    assert only("VMF434", reviewed(vm("a-01", dependsOn=["b-07"]), stays, phases=[FIRST])) == []


def test_cutovers_that_groups_state_are_compared_within_a_phase() -> None:
    phases = [{"name": "first", "maxVms": 1, "windows": [NIGHT, NEXT_NIGHT]}]
    groups = {
        "first-01": {"stage": "prepared", "cutover": CUT_OVER},
        "first-02": {"stage": "prepared", "cutover": "2027-02-07T21:00:00Z"},
    }
    [finding] = only("VMF434", reviewed(warm("a-01", dependsOn=["b-07"]), warm("b-07"), phases=phases, groups=groups))
    assert "2027-02-06T21:00Z" in finding.message
    assert "2027-02-07T21:00Z" in finding.message
