"""A spec sets severities of its own and accepts findings: what it names, up to a day, and never more than that."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.invocation import Result, vmferry
from tests.resolve import projects
from tests.rules.laying import commit, merge

from vmferry import policy
from vmferry.check import check
from vmferry.model.finding import Where
from vmferry.rules.lost_decisions import later
from vmferry.rules.page import EXAMPLES
from vmferry.yaml.write import dump

Data = dict[str, Any]

RULE = later.code
"""A warning on a VM that Forklift makes without the CPU model it is to have; not essential."""
REASON = "the default CPU will do for the first days"
CODES = (RULE, "VMF9", "VMF102", "VMF115", "VMF206")
"""What these tests are about; other rules may find something on such bare VMs."""


def vm(name: str, *suppressed: Data, **fields: Any) -> Data:
    """Return a VM on which RULE finds something."""
    facts = {"os": "linux", "powerState": "poweredOn", "cpu": {"count": 1}, "memory": "1Gi", "nics": []}
    moves = {"phase": "first", "path": "forklift", "method": "cold", "cpuModel": "Nehalem"}
    own = {"disks": [{"size": "1Gi", "datastore": "ds1"}], "suppress": list(suppressed)}
    return {"name": name, **facts, **moves, **own, **fields}


def rebuilt(name: str, *suppressed: Data) -> Data:
    """Return a VM whose image is not pinned: VMF115, an essential warning, and nothing of RULE."""
    image = {"application": {"image": "registry.example.com/web"}}
    return {"name": name, "phase": "first", "path": "rebuild", "suppress": list(suppressed), **image}


def accepted(rule: str = RULE, **fields: Any) -> Data:
    return {"rule": rule, "reason": REASON, **fields}


def write(project: Path, *vms: Data, **sections: Any) -> Path:
    """Write a spec of these VMs, beside which no inventory lies."""
    base = next(yaml.safe_load_all((EXAMPLES / "_base.yaml").read_text(encoding="utf-8")))
    spec = merge(base, {"include": None, "assign": None, "vms": list(vms), **sections})
    project.mkdir(exist_ok=True)
    (project / "spec.yaml").write_bytes(dump(spec))
    return project


def run(project: Path, *vms: Data, now: str = "2027-01-01T00:00:00Z", **sections: Any) -> Result:
    return vmferry("check", write(project, *vms, **sections), *CHOSEN, "--format", "json", "--now", now)


CHOSEN = [argument for code in CODES for argument in ("--select", code)]


def codes(project: Path, now: datetime | None = None) -> list[str]:
    return [each.code for each in check(project, now=now).findings if each.code.startswith(CODES)]


def found(result: Result) -> list[tuple[str, str]]:
    """Return the findings as code and severity."""
    return [(each["code"], each["severity"]) for each in result.data["findings"]]


def concerned(result: Result, code: str = RULE) -> list[str]:
    """Return the VMs a rule finds something on."""
    return sorted(name for each in result.data["findings"] if each["code"] == code for name in each["vms"])


def line(result: Result, code: str) -> str:
    """Return the text of the line that the one finding of a rule points at."""
    [finding] = [each for each in result.data["findings"] if each["code"] == code]
    lines: list[str] = Path(finding["file"]).read_text(encoding="utf-8").splitlines()
    return lines[int(finding["line"]) - 1].strip()


# --- severities


def test_a_raised_severity_fails_the_check_and_stops_the_compiler(tmp_path: Path) -> None:
    assert run(tmp_path, vm("web-01")).code == 0
    result = run(tmp_path, vm("web-01"), rules={RULE: "error"})
    assert (result.code, found(result)) == (1, [(RULE, "error")])
    assert vmferry("compile", tmp_path, "--out", tmp_path).code == 1
    assert not (tmp_path / "gitops").exists()


def test_a_lowered_severity_no_longer_counts_as_a_warning(tmp_path: Path) -> None:
    write(tmp_path, vm("web-01"))
    assert vmferry("check", tmp_path, *CHOSEN, "--max-warnings", "0").code == 1
    assert found(run(tmp_path, vm("web-01"), rules={RULE: "info"})) == [(RULE, "info")]
    assert vmferry("check", tmp_path, *CHOSEN, "--max-warnings", "0").code == 0


def test_a_rule_that_is_off_finds_nothing(tmp_path: Path) -> None:
    result = run(tmp_path, vm("web-01"), rules={RULE: "off"})
    assert (result.code, found(result)) == (0, [])


@pytest.mark.parametrize("level", ["warning", "info", "off"])
def test_an_essential_error_stays_one_whatever_the_spec_says(tmp_path: Path, level: str) -> None:
    twice = [vm(name, nics=[{"network": "vlan-7", "mac": "00:50:56:9a:10:01"}]) for name in ("a", "b")]
    result = run(tmp_path, *twice, rules={"VMF206": level, RULE: "off"})
    assert sorted(found(result)) == [("VMF206", "error"), ("VMF902", "error")]
    assert level in line(result, "VMF902")


@pytest.mark.parametrize("level", ["error", "info"])
def test_an_essential_warning_takes_another_severity(tmp_path: Path, level: str) -> None:
    assert found(run(tmp_path, rebuilt("web-01"), rules={"VMF115": level})) == [("VMF115", level)]


@pytest.mark.parametrize(("level", "left"), [("error", [("VMF903", "error")]), ("off", [])])
def test_the_severity_of_an_unused_suppression_is_set_like_any_other(
    tmp_path: Path, level: str, left: list[tuple[str, str]]
) -> None:
    idle = rebuilt("web-01", accepted())
    assert found(run(tmp_path, idle, rules={"VMF115": "off"})) == [("VMF903", "warning")]
    assert found(run(tmp_path, idle, rules={"VMF115": "off", "VMF903": level})) == left


def test_a_severity_for_a_rule_that_does_not_exist_is_an_error_at_its_line(tmp_path: Path) -> None:
    result = run(tmp_path, vm("web-01"), rules={"VMF000": "off"})
    assert found(result) == [("VMF901", "error"), (RULE, "warning")]
    assert "VMF000" in line(result, "VMF901")


# --- suppressions


def test_a_suppression_of_a_vm_hides_what_is_found_on_it_and_nothing_of_another(tmp_path: Path) -> None:
    result = run(tmp_path, vm("web-01", accepted()), vm("web-02"))
    assert (result.code, found(result), concerned(result)) == (0, [(RULE, "warning")], ["web-02"])


def test_a_suppression_hides_no_other_rule(tmp_path: Path) -> None:
    assert (RULE, "warning") in found(run(tmp_path, vm("web-01", accepted("VMF850"))))


def test_a_suppression_without_vms_is_for_whatever_the_rule_finds(tmp_path: Path) -> None:
    assert found(run(tmp_path, vm("web-01"), vm("db-01"), suppress=[accepted()])) == []


def test_a_suppression_for_globs_is_for_the_vms_they_match(tmp_path: Path) -> None:
    vms = [vm("web-01"), vm("web-02"), vm("db-01"), vm("my-web-01")]
    result = run(tmp_path, *vms, suppress=[accepted(vms=["web-*", "app-*"])])
    assert concerned(result) == ["db-01", "my-web-01"]


def test_a_name_with_the_characters_of_a_glob_stands_for_its_vm_too(tmp_path: Path) -> None:
    name = "web [old]"
    result = run(tmp_path, vm(name, targetName="web-old"), vm("db-01"), suppress=[accepted(vms=[name])])
    assert concerned(result) == ["db-01"]


def test_the_name_of_a_vm_is_no_glob_in_its_own_suppression(tmp_path: Path) -> None:
    result = run(tmp_path, vm("web-*", accepted(), targetName="web"), vm("web-01"))
    assert concerned(result) == ["web-01"]


def test_a_finding_on_several_vms_is_hidden_only_where_all_of_them_are_meant() -> None:
    both = later.finding("a and b", vms=("a", "b"))
    one = projects.project(vm("a", accepted()), vm("b"), suppress=[accepted(vms=["a", "c"])])
    assert both in policy.apply([both], one, None)
    all_of_them = projects.project(vm("a"), vm("b"), suppress=[accepted(vms=["a", "b"])])
    assert policy.apply([both], all_of_them, None) == ()


def test_a_finding_on_no_vm_is_not_hidden_by_globs() -> None:
    general = later.finding("on the spec")
    assert general in policy.apply([general], projects.project(vm("a"), suppress=[accepted(vms=["*"])]), None)
    assert policy.apply([general], projects.project(vm("a"), suppress=[accepted()]), None) == ()


def vcenter(name: str) -> Data:
    credentials = {"secretRef": {"name": name}}
    return {"name": name, "vcenter": {"url": f"https://{name}.example.com/sdk", "credentials": credentials}}


def test_a_vm_of_the_same_name_in_another_vcenter_is_another_vm(tmp_path: Path) -> None:
    one, two = vm("web-01", accepted(), source="vc1"), vm("web-01", source="vc2")
    write(tmp_path, one, two, sources=[vcenter("vc1"), vcenter("vc2")])
    [left] = [each.where for each in check(tmp_path).findings if each.code == RULE]
    assert left is not None
    assert left.path[:2] == ("vms", 1)

    write(tmp_path, one, two | {"suppress": [accepted()]}, sources=[vcenter("vc1"), vcenter("vc2")])
    assert codes(tmp_path) == []


def test_a_finding_that_either_of_two_vms_of_one_name_may_have_is_not_hidden() -> None:
    twins = projects.project(vm("a", accepted(), source="vc1"), vm("a", source="vc2"))
    unclear = later.finding("VM a", vms=("a",), where=Where(file="spec.yaml").at("defaults"))
    assert unclear in policy.apply([unclear], twins, None)


def test_a_vm_of_the_inventory_is_suppressed_in_its_entry_of_the_spec(tmp_path: Path) -> None:
    stated = ("name", "phase", "path", "method", "cpuModel")
    known = {name: value for name, value in vm("web-01").items() if name not in (*stated[1:], "suppress")}
    inventory: Data = {"apiVersion": "vmferry.dev/v1alpha1", "kind": "Inventory", "metadata": {"name": "vc1"}}
    inventory |= {"source": {"name": "vc1", "kind": "vcenter"}, "vms": [known | {"id": "vm-11"}]}
    (tmp_path / "inventory.yaml").write_bytes(dump(inventory))
    entry = {name: value for name, value in vm("web-01").items() if name in stated}
    assert found(run(tmp_path, entry)) == [(RULE, "warning")]
    assert found(run(tmp_path, entry | {"suppress": [accepted()]})) == []


def test_an_essential_rule_is_not_suppressed_and_the_attempt_is_an_error(tmp_path: Path) -> None:
    result = run(tmp_path, rebuilt("web-01", accepted("VMF115")), suppress=[accepted("VMF115")])
    assert sorted(found(result)) == [("VMF115", "warning"), ("VMF902", "error"), ("VMF902", "error")]


def test_a_suppression_of_a_rule_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    result = run(tmp_path, vm("web-01", accepted("VMF000"), accepted()), suppress=[accepted("VMF999")])
    assert (result.code, found(result)) == (1, [("VMF901", "error"), ("VMF901", "error")])
    assert sorted(each["message"] for each in result.data["findings"]) == [
        "there is no rule VMF000",
        "there is no rule VMF999",
    ]


def test_a_suppressed_error_lets_the_compiler_run(tmp_path: Path) -> None:
    assert run(tmp_path, vm("web-01", accepted()), rules={RULE: "error"}).code == 0
    assert vmferry("compile", tmp_path, "--out", tmp_path).code == 0
    assert list((tmp_path / "gitops").rglob("plan/plan-*.yaml"))


# --- until when


UNTIL = accepted(until="2027-03-31")


@pytest.mark.parametrize("now", ["2027-03-31T23:59:59Z", "2027-04-01T01:59:59+02:00", "2027-03-31"])
def test_a_suppression_holds_on_its_last_day(tmp_path: Path, now: str) -> None:
    assert found(run(tmp_path, vm("web-01", UNTIL), now=now)) == []


@pytest.mark.parametrize("now", ["2027-04-01T00:00:00Z", "2027-03-31T23:00:00-01:00", "2028-01-01"])
def test_the_day_after_the_finding_is_back_and_the_suppression_is_an_error(tmp_path: Path, now: str) -> None:
    result = run(tmp_path, vm("web-01", UNTIL), now=now)
    assert (result.code, sorted(found(result))) == (1, [(RULE, "warning"), ("VMF904", "error")])
    assert "2027-03-31" in line(result, "VMF904")


def test_an_expired_suppression_leaves_another_in_force(tmp_path: Path) -> None:
    result = run(tmp_path, vm("web-01", UNTIL), suppress=[accepted(vms=["web-*"])], now="2027-04-01T00:00:00Z")
    assert found(result) == [("VMF904", "error")]


def test_an_expired_suppression_is_not_called_unused_as_well(tmp_path: Path) -> None:
    result = run(tmp_path, rebuilt("web-01", UNTIL), rules={"VMF115": "off"}, now="2027-04-01T00:00:00Z")
    assert found(result) == [("VMF904", "error")]


def test_a_day_that_does_not_exist_is_over(tmp_path: Path) -> None:
    result = run(tmp_path, vm("web-01", accepted(until="2027-02-30")), now="2026-01-01T00:00:00Z")
    assert sorted(found(result)) == [(RULE, "warning"), ("VMF904", "error")]


def test_what_is_compiled_does_not_depend_on_the_day(tmp_path: Path) -> None:
    write(tmp_path, vm("web-01", accepted(until="2020-01-01")), rules={RULE: "error"})
    assert codes(tmp_path) == []
    assert codes(tmp_path, datetime(2020, 1, 2, tzinfo=UTC)) == [RULE, "VMF904"]
    assert vmferry("compile", tmp_path, "--out", tmp_path).code == 0


# --- of use or not


def test_a_suppression_that_nothing_meets_is_a_warning_at_its_line(tmp_path: Path) -> None:
    vms = [vm("web-01", accepted()), vm("web-02")]
    result = run(tmp_path, *vms, suppress=[accepted(vms=["db-*"])])
    assert sorted(found(result)) == [(RULE, "warning"), ("VMF903", "warning")]
    assert line(result, "VMF903").startswith(("- ", "rule:"))


def test_one_of_two_suppressions_of_a_finding_is_not_called_unused(tmp_path: Path) -> None:
    assert found(run(tmp_path, vm("web-01", accepted()), suppress=[accepted()])) == []


def test_while_errors_keep_the_rules_from_running_no_suppression_is_called_unused(tmp_path: Path) -> None:
    result = run(tmp_path, vm("web-01", accepted(), namespace="wbe"))
    assert found(result) == [("VMF102", "error")]


def test_a_suppression_of_a_transition_is_of_use_only_when_commits_are_compared(tmp_path: Path) -> None:
    result = run(tmp_path, vm("web-01"), suppress=[accepted("VMF851")], rules={RULE: "off"})
    assert found(result) == []
    commit(tmp_path)
    compared = vmferry("check", tmp_path, *CHOSEN, "--format", "json", "--against", "HEAD")
    assert found(compared) == [("VMF903", "warning")]


def test_without_a_time_no_suppression_is_called_unused(tmp_path: Path) -> None:
    write(tmp_path, vm("web-01"), suppress=[accepted(), accepted(vms=["db-*"])])
    assert codes(tmp_path, datetime(2027, 1, 1, tzinfo=UTC)) == ["VMF903"]
    assert codes(tmp_path) == []
