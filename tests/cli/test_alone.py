"""One VM leaves its group for one of its own: it is rolled back, tried again or waits, and its neighbours go on."""

import subprocess
from pathlib import Path

import pytest
import yaml
from tests.cli.repository import NOW, Estate
from tests.invocation import vmferry

LOSS = ("--data-loss", "accepted", "--reason", "it is slow")

# group, a VM in it, what is stated for it: every method that copies, while it copies and when it runs
LEAVING = [
    ("stateless-04", "web-05", ()),
    ("stateless-01", "print-01", ()),
    ("dev-test-04", "dev-legacy", ()),
    ("dev-test-01", "dev-build-01", LOSS),
    ("stateless-03", "web-01", LOSS),
    ("dev-test-03", "ci-runner-01", LOSS),
]


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path)


def vms(estate: Estate, group: str) -> list[str]:
    table = vmferry("explain", estate.spec, "--all", "--group", group, "--format", "csv").out
    return [line.split(",")[0] for line in table.splitlines()[1:]]


def target(estate: Estate, name: str) -> str:
    """Return the name of a VM in the target."""
    record = yaml.safe_load((estate.spec / "assignments.yaml").read_text())
    [found] = [
        item["machine"]["targetName"] for item in record["vms"].values() if item.get("machine", {}).get("name") == name
    ]
    return str(found)


def touched(estate: Estate) -> list[str]:
    """Return the files that the last commit changed and that were there before."""
    found = subprocess.run(
        ["git", "diff", "--name-status", "--no-renames", "HEAD~1"],
        cwd=estate.top,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [line.split("\t")[1] for line in found.splitlines() if line[0] in "MD"]


@pytest.mark.parametrize(("group", "options"), [(group, options) for group, _, options in LEAVING])
def test_a_vm_is_rolled_back_alone_and_no_file_of_a_neighbour_changes(
    group: str, options: tuple[str, ...], estate: Estate
) -> None:
    everyone = vms(estate, group)
    names = {each: target(estate, each) for each in everyone}
    one = everyone[0]
    estate.moved(group, "--vm", one, *options)
    own = f"{group}-{names[one]}"
    assert vms(estate, group) == everyone[1:]
    assert vms(estate, own) == [one]
    neighbours = {f"{names[each]}.yaml" for each in everyone[1:]}
    assert not {Path(path).name for path in touched(estate)} & neighbours


def test_the_plan_that_copied_it_names_it_for_ever_and_its_migration_cancels_it(estate: Estate) -> None:
    base = estate.top / "gitops/bases/stateless/stateless-04/plan"
    before = {path.name: path.read_bytes() for path in base.iterdir()}
    estate.moved("stateless-04", "--vm", "web-05")
    assert {path.name: path.read_bytes() for path in base.iterdir()} == before
    built = estate.built("overlays/stateless/stateless-04/migration")
    assert "cancel:\n  - id: vm-1005\n    name: web-05\n" in built
    assert not estate.files("overlays/stateless/stateless-04-web-05/*")  # no Migration of its own ran


def test_a_vm_that_leaves_before_it_moved_leaves_the_plan_too(estate: Estate) -> None:
    one, *others = vms(estate, "stateful-01")
    assert others
    estate.moved("stateful-01", "--vm", one, "--hold", "its owner is away")
    name = target(estate, one)
    plan = estate.built("overlays/stateful/stateful-01/plan")
    assert f"targetName: {name}\n" not in plan
    own = estate.built(f"overlays/stateful/stateful-01-{name}/plan")
    assert f"targetName: {name}\n" in own
    refused = estate.advance(f"stateful-01-{name}")
    assert (refused.code, "VMF865" in refused.text) == (1, True)


def test_it_is_tried_again_alone_while_the_others_cut_over(estate: Estate) -> None:
    estate.moved("stateless-04", "--vm", "web-05")
    own = "stateless-04-web-05"
    estate.moved(own, "--to", "prepared", "--remigrate")
    estate.moved(own)
    assert "plan:\n    name: " in estate.built(f"overlays/stateless/{own}/migration")
    assert "cancel" not in estate.built(f"overlays/stateless/{own}/migration")
    estate.moved(own, "--to", "rolled-back")
    assert "cancel:\n  - id: vm-1005\n" in estate.built(f"overlays/stateless/{own}/migration")
    record = yaml.safe_load((estate.spec / "assignments.yaml").read_text())
    assert list(record["departed"]["stateless-04"]) == ["vc1/vm-1005"]


def test_a_planned_vm_waits_while_its_group_is_prepared(estate: Estate) -> None:
    estate.moved("stateless-05", "--vm", vms(estate, "stateless-05")[0], "--hold", "its owner is away")
    [own] = {group for group in estate_groups(estate) if group.startswith("stateless-05-")}
    assert len(vms(estate, own)) == 1
    estate.moved("stateless-05")
    assert len(vms(estate, own)) == 1


def estate_groups(estate: Estate) -> set[str]:
    record = yaml.safe_load((estate.spec / "assignments.yaml").read_text())
    return {item["group"] for item in record["vms"].values()}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("stateless-04", "--vm", "web-5"), "Did you mean 'web-05'?"),
        (("stateless-4", "--vm", "web-05"), "Did you mean 'stateless-04'?"),
        (("--phase", "stateless", "--vm", "web-05"), "--vm needs one GROUP"),
        (("stateless-04", "stateless-03", "--vm", "web-05"), "--vm needs one GROUP"),
        (("stateless-04", "--hold", "x"), "--hold needs --vm"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(options: tuple[str, ...], said: str, estate: Estate) -> None:
    result = estate.advance(*options)
    assert (result.code, said in result.text) == (2, True), result.text


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("own: {splitFrom: stateless-04, vms: [web-05], stage: migrating}", "set stage: rolled-back"),
        ("own: {splitFrom: stateless-04, vms: [web-05], stage: prepared}", "set stage: rolled-back"),
        ("own: {splitFrom: stateless-04, vms: [no-such], stage: rolled-back}", "has no VM no-such"),
        ("own: {splitFrom: nowhere-01, vms: [web-05], stage: rolled-back}", "there is no group nowhere-01"),
        ("own: {splitFrom: stateless-04, stage: rolled-back}", "belong together"),
        ("own: {vms: [web-05], stage: rolled-back}", "belong together"),
        ("stateless-99: {splitFrom: stateless-04, vms: [web-05], stage: rolled-back}", "vmferry's own"),
        ("own: {splitFrom: stateless-08, vms: [DC01], stage: prepared}", "it takes every VM"),
        ("own: {splitFrom: own, vms: [web-05], stage: rolled-back}", "split from itself"),
        ("own: {splitFrom: stateful-01, vms: [vm-1601], stage: planned}", "VMF867"),
    ],
)
def test_a_split_that_would_do_harm_is_refused(entry: str, said: str, estate: Estate) -> None:
    estate.edit("  stateless-06: {stage: migrating}\n", f"  stateless-06: {{stage: migrating}}\n  {entry}\n")
    result = vmferry("compile", estate.spec, "--out", estate.top)
    assert (result.code, "VMF867" in result.text, said in result.text) == (1, True, True), result.text


def test_a_group_of_its_own_takes_no_further_vm(estate: Estate) -> None:
    estate.moved("stateless-04", "--vm", "web-05")
    estate.edit("vms: [vm-1005]", "vms: [vm-1005, vm-1006]")
    result = vmferry("check", estate.spec, *NOW)
    assert (result.code, "other VMs would join it" in result.text) == (1, True), result.text
