"""`vmferry diff SPEC REV`: what a pull request decides differently, and what happens when it is merged."""

import random
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cli.repository import Repository
from tests.invocation import Result, vmferry
from tests.properties.edits import EDITS
from tests.properties.estates import Estate, estates

from vmferry.check import check, review
from vmferry.consequences import Value, consequences
from vmferry.model.review import Review


class Deciding(Repository):
    """A repository in which decisions are compared."""

    def diff(self, *options: str | Path) -> Result:
        """Run the verb."""
        return vmferry("diff", self.spec, *options)


@pytest.fixture
def repository(tmp_path: Path) -> Deciding:
    """Return a repository with the example."""
    return Deciding(tmp_path)


def test_nothing_changed(repository: Deciding) -> None:
    result = repository.diff()
    assert (result.code, result.out) == (0, "")
    assert result.err == "no decisions changed since HEAD\n"
    assert repository.diff("--format", "md").out.endswith("No decisions changed.\n")


@pytest.mark.parametrize(
    ("group", "before", "after", "said"),
    [
        ("stateless-02", "prepared", "migrating", "2 VMs are shut down and copied, then started in the target: the"),
        ("stateless-02", "prepared", "migrating", "begins (40 GiB of disks); about "),
        ("stateless-01", "migrating", "cutover", "nothing changes in the cluster: Forklift started the VMs after"),
        ("stateless-06", "migrating", "cutover", "workloads are scaled up for 1 VM; windows of the phase: 2027-01-30"),
        ("stateful-05", "prepared", "planned", "resources created at stage prepared are pruned, except those that"),
        ("stateless-08", "prepared", "migrating", "1 VM is copied and converted, and must be off for that (80 GiB of"),
        ("stateful-05", "prepared", "migrating", "740 GiB of disks are filled: 3 uploaded by hand"),
        ("stateless-07", "migrating", "cutover", "2 VMs start in the target"),
        ("dev-test-04", "migrating, attempt: 2", "cutover, attempt: 2", ": 2 VMs start in the target; windows"),
    ],
)  # fmt: skip
def test_a_stage_says_what_happens(repository: Deciding, group: str, before: str, after: str, said: str) -> None:
    repository.edit(f"{group}: {{stage: {before}}}", f"{group}: {{stage: {after}}}")
    result = repository.diff()
    assert result.code == 0, result.text
    stages = [stage.partition(",")[0] for stage in (before, after)]
    assert result.out.startswith(f"group {group}: {stages[0]} → {stages[1]}: ")
    assert said in result.out


def test_a_group_that_is_prepared_for_the_first_time_was_planned(repository: Deciding) -> None:
    repository.edit("groups:\n", "groups:\n  stateless-05: {stage: prepared}\n")
    assert (
        "group stateless-05: planned → prepared: 10 VMs are frozen; what surrounds them is created"
        in repository.diff().out
    )


def test_a_decision_on_a_vm_and_what_follows_from_it(repository: Deciding) -> None:
    repository.edit("memory: 128Gi", "memory: 96Gi", file="vms/data.yaml")
    said = repository.diff().out
    assert "2 VMs (db-01, db-02): memory 128Gi → 96Gi\n" in said
    assert "namespace data: quota.requests.memory 940Gi → 812Gi (-128Gi)\n" in said


def test_vms_with_the_same_difference_are_one_line(repository: Deciding) -> None:
    row = "{source: {datastore: DS_Silver_01, id: datastore-12, source: vc1}, tier: %s}"
    repository.edit(row % "silver", row % "gold")
    lines = [line for line in repository.diff().out.splitlines() if ": disks.disk-0.storageClass " in line]
    assert len(lines) <= 3
    assert lines[0].split()[0].isdigit()
    assert all("→ ceph-block" in line for line in lines)


def test_vms_that_begin_and_stop_to_move(repository: Deciding) -> None:
    repository.edit("    disposition: retain\n", "    phase: stateless\n    namespace: web\n", file="vms/platform.yaml")
    repository.edit(
        "  - name: syslog-01\n",
        "  - name: syslog-01\n    disposition: retain\n    reason: it stays\n",
        file="vms/platform.yaml",
    )
    found = repository.diff("--format", "json")
    assert found.code == 0, found.text
    assert (len(found.data["added"]), found.data["removed"]) == (1, ["syslog-01"])
    subjects = {vm["vm"]: [value["subject"] for value in vm["values"]] for vm in found.data["vms"]}
    assert "disposition" in subjects["syslog-01"]


def test_the_reach_of_each_row_of_assign(repository: Deciding) -> None:
    row = '  - match: {folder: "/Dev/*"}\n'
    repository.edit(row, f'  - match: {{name: "nothing-*"}}\n    set: {{tier: gold}}\n{row}')
    repository.edit("  - match: {source: vc2}\n", '  - match: {source: vc2, name: "ERP*"}\n')
    said = [line for line in repository.diff().out.splitlines() if line.startswith("assign")]
    assert said[0] == "assign[2] added: matches 0 VMs, decisions changed for 0 of them"
    assert re.match(r"assign\[\d+\] changed: matches ", said[1])
    assert "(6 before)" in said[1] or "matches 6 VMs" in said[1]


def test_markdown_is_a_comment_that_nothing_breaks_out_of(repository: Deciding) -> None:
    repository.edit("name: db-01\n", 'name: "db|<b>01"\n', file="vms/data.yaml")
    repository.edit("stateless-06: {stage: migrating}", "stateless-06: {stage: cutover}")
    said = repository.diff("--format", "md").out
    assert said.startswith("### What this changes, compared with HEAD\n\n| group | stage | what happens | when |")
    assert "<b>" not in said.replace("\\<b\\>", "")
    assert said.count("<details>") == said.count("</details>")


def test_another_commit_and_a_branch_that_left_it(repository: Deciding) -> None:
    repository.edit("stateless-06: {stage: migrating}", "stateless-06: {stage: cutover}")
    repository.commit()
    assert "stateless-06" not in repository.diff().out
    assert "group stateless-06: migrating → cutover" in repository.diff("HEAD~1").out
    assert "group stateless-06: migrating → cutover" in repository.diff("HEAD~1", "--exact").out


def test_a_spec_that_was_not_there_is_all_new(tmp_path: Path) -> None:
    repository = Deciding(tmp_path, committed=False)
    spec = repository.file.read_text()
    repository.file.unlink()
    (repository.spec / "assignments.yaml").unlink()
    repository.start()
    repository.file.write_text(re.sub("(?m)^groups:$|^  (?:dev-test|state[a-z]+)-0.: .*", "", spec))
    result = repository.diff()
    assert result.code == 0, result.text
    assert "everything is new" in result.err
    assert "will now be migrated" in result.out


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("nowhere",), 1, "there is no commit 'nowhere'"),
        (("--only", "blocks"), 2, "--only needs --inventory"),
        (("HEAD", "--inventory", "."), 2, "leave out --inventory"),
        (("--inventory", ".", "--format", "md"), 2, "formats text and json"),
    ],
)
def test_what_cannot_be_compared(repository: Deciding, options: tuple[str, ...], code: int, said: str) -> None:
    result = repository.diff(*options)
    assert result.code == code
    assert said in result.text


def test_a_spec_with_errors_shows_them(repository: Deciding) -> None:
    repository.edit("stateless-06: {stage: migrating}", "stateless-06: {stage: migrated}")
    result = repository.diff()
    assert result.code == 1
    assert "migrated" in result.out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('cutover: "2027-01-30T22:00:00Z"', 'cutover: "2027-01-30T23:00:00Z"', "group stateless-03: cutover 2027-01-3"),
        ("{stage: migrating, attempt: 2}", "{stage: migrating, attempt: 3}", "group dev-test-04: attempt 2 → 3"),
        ("bridge: br-vm, vlan: 120,", "bridge: br-vm, vlan: 121,", ".vlan 120 → 121"),
        ("interval: 10m", "interval: 20m", "target: gitops.interval 10m → 20m"),
        ("spread: true", "spread: false", "forklift.convertor.spread true → false"),
    ],
)  # fmt: skip
def test_settings_that_vms_share(repository: Deciding, old: str, new: str, said: str) -> None:
    if old not in repository.file.read_text():
        pytest.fail(f"the example has no {old}")
    repository.edit(old, new)
    result = repository.diff()
    assert result.code == 0, result.text
    assert said in result.out


@pytest.mark.parametrize("limit", ["7500m", "8.5", "9"])
def test_limits_of_cpus_in_any_form(repository: Deciding, limit: str) -> None:
    repository.edit('cpu: "8"', f'cpu: "{limit}"')
    said = repository.diff().out
    assert f"quota.requests.cpu 8 → {limit}" in said
    assert ("(+1)" in said) is (limit == "9")
    assert ("(+0.5)" in said) is (limit == "8.5")


def test_whatever_changes_a_manifest_is_told(repository: Deciding) -> None:
    """Try every scalar of the spec that is a number or a known word."""
    text = repository.file.read_text()
    assert vmferry("compile", repository.spec, "--out", repository.spec.parent).code == 0
    repository.commit()
    tried = 0
    for old, new in (("ReadWriteMany", "ReadWriteOnce"), ("true", "false"), ("replication: 3", "replication: 2")):
        for match in re.finditer(rf"(?<=[ :]){old}\b", text):
            repository.file.write_text(text[: match.start()] + new + text[match.end() :])
            compiled = vmferry(
                "compile", repository.spec, "--out", repository.spec.parent, "--check", "--format", "json"
            )
            updated = [path for path in compiled.data.get("updated", ()) if not path.startswith("locks/")]
            if updated:
                tried += 1
                assert repository.diff().out, (text[match.start() - 40 : match.end()], updated)
    assert tried


def _review(estate: Estate, folder: Path) -> Review | None:
    checked = check(estate.write(folder))
    return review(checked.project, checked.resolution) if checked.complete else None


@given(estates(), st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_a_difference_read_backwards_is_the_opposite(estate: Estate, seed: int) -> None:
    dice = random.Random(seed)
    edited = estate.copy()
    for edit in dice.choices(EDITS, k=2):
        edit(edited, dice)
    with tempfile.TemporaryDirectory() as name:
        one, other = _review(estate, Path(name) / "one"), _review(edited, Path(name) / "one")
    if one is None or other is None:
        return
    assert consequences(one, one).empty
    there, back = consequences(one, other), consequences(other, one)
    assert (there.added, there.removed) == (back.removed, back.added)
    assert [len(change.values) for change in there.vms] == [len(change.values) for change in back.vms]
    assert sorted(value for change in there.vms for value in map(_plain, change.values)) == sorted(
        (subject, after, before) for change in back.vms for subject, before, after in map(_plain, change.values)
    )


def _plain(value: Value) -> tuple[str, str, str]:
    return value.subject, value.before, value.after
