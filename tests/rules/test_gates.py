"""A group moves on once evidence says that the stage before reached its goal, and evidence is never rewritten."""

import re
import shlex
from pathlib import Path

import pytest
from tests.cli.test_observe import Observing
from tests.invocation import Result, vmferry
from tests.observe import preflight

NOW = ("--now", "2027-02-01T00:00:00Z")
ADVANCING = ("--now", "2026-12-01T00:00:00Z")


@pytest.fixture
def repository(tmp_path: Path) -> Observing:
    """Return a repository with the example, without its performance gate, which is tested in tests/observe."""
    found = Observing(tmp_path)
    found.edit("margins: {latency: 100}", "gate: false")
    found.commit()
    return found


def advance(repository: Observing, group: str, *options: str) -> Result:
    return vmferry("advance", repository.spec, group, *options, *ADVANCING)


def observe_preflight(repository: Observing, **outcomes: str) -> Result:
    """Observe the tests of the pre-flight, by default all of them passed."""
    return vmferry("observe", repository.spec, "--from", preflight.dump(repository.spec.parent, **outcomes), *NOW)


def against(repository: Observing, *options: str | Path) -> list[str]:
    """Return the messages of the rules on evidence."""
    result = vmferry("check", repository.spec, "--against", "HEAD", "--format", "json", *options, *ADVANCING)
    return [each["message"] for each in result.data["findings"] if each["code"].startswith("VMF87")]


def test_a_spec_without_evidence_moves_as_before(repository: Observing) -> None:
    assert advance(repository, "stateless-07").code == 0


@pytest.mark.parametrize(
    ("group", "lacks", "evidence"),
    [
        ("stateless-01", "no successful migration of ldap-01, ldap-02 is recorded", "success-forklift-cold"),
        ("stateless-04", "no finished first copy of web-03, web-04, web-05, ", "success-forklift-warm"),
        ("stateless-07", "no filled volume of fw-edge-01, lic-01 is recorded", "success-image"),
        ("dev-test-04", "no successful conversion of DEV_Win11_Test, lab-probe, dev-legacy", "success-job"),
        ("stateless-02", "no Plan that is Ready is recorded", "success-sync"),
        ("stateless-08", "no successful sync is recorded", "success-sync"),
        ("stateless-03", "no successful migration of web-01, web-02 is recorded", None),
    ],
)
def test_a_stage_needs_what_the_one_before_should_reach(
    repository: Observing, group: str, lacks: str, evidence: str | None
) -> None:
    warm = "stateless-04: {stage: migrating"
    repository.edit(f"{warm}}}", f'{warm}, cutover: "2027-01-30T23:00:00Z"}}')
    assert vmferry("sign", repository.spec, "stateful-01", "--by", "ada", "--note", "ok", *NOW).code == 0
    repository.commit()
    refused = advance(repository, group)
    assert (refused.code, repository.changes()) == (1, [])
    assert "VMF870" in refused.out
    assert lacks in refused.out.replace("\n", " ").replace("      ", "")
    if evidence is not None:
        assert repository.observe(evidence).code == 0
        assert observe_preflight(repository).code == 0
        accepted = advance(repository, group)
        assert accepted.code == 0, accepted.text


def test_the_help_is_accepted_when_it_is_followed(repository: Observing) -> None:
    assert repository.observe("conversion-failed-job").code == 0
    help_ = advance(repository, "dev-test-04").out
    command = re.search(r"`vmferry (sign [^`]+)`", help_)
    assert command is not None
    words = shlex.split(command[1].replace("NAME", "ada").replace("TEXT", "'copied by hand'"))
    assert vmferry(*words, *NOW).code == 0
    accepted = advance(repository, "dev-test-04")
    assert accepted.code == 0, accepted.text


def test_evidence_of_another_attempt_does_not_count(repository: Observing) -> None:
    assert repository.observe("success-job").code == 0
    repository.edit("attempt: 2}", "attempt: 3}")
    repository.commit()
    assert vmferry("compile", repository.spec, "--out", repository.spec.parent).code == 0
    repository.commit()
    assert "no successful conversion of" in advance(repository, "dev-test-04").out


def test_a_volume_that_is_missing_is_missed(repository: Observing) -> None:
    text = (Path(__file__).parents[1] / "observe/dumps/success-image.json").read_text()
    some = text.replace("lic-01-disk-1", "other-disk")
    assert vmferry("observe", repository.spec, "--from", "-", *NOW, stdin=some.encode()).code == 0
    assert "no filled volume of lic-01 is recorded" in advance(repository, "stateless-07").out


def test_gates_can_be_closed_and_opened_for_a_phase(repository: Observing) -> None:
    repository.edit("settings:\n", "settings:\n  gates: required\n")
    repository.commit()
    assert "VMF870" in advance(repository, "stateless-07").out
    repository.edit("- name: stateless\n", "- name: stateless\n    gates: none\n")
    repository.commit()
    assert advance(repository, "stateless-07").code == 0


def test_later_stages_need_a_sign_off(repository: Observing) -> None:
    repository.edit("dev-test-02: {stage: cutover}", "dev-test-02: {stage: adopted}")
    repository.commit()
    assert repository.observe("success-sync").code == 0
    refused = advance(repository, "dev-test-02")
    assert "no sign-off is recorded" in refused.out
    assert vmferry("sign", repository.spec, "dev-test-02", "--by", "ada", "--note", "accepted", *NOW).code == 0
    accepted = advance(repository, "dev-test-02")
    assert accepted.code == 0, accepted.text
    repository.commit()
    assert "no sign-off is recorded" in advance(repository, "dev-test-02").out


def test_a_roll_back_needs_nothing(repository: Observing) -> None:
    assert repository.observe("success-sync").code == 0
    repository.commit()
    repository.edit("stateless-07: {stage: migrating}", "stateless-07: {stage: rolled-back, reason: too slow}")
    assert against(repository) == []


def test_entries_may_be_added_but_neither_changed_nor_removed(repository: Observing) -> None:
    assert repository.observe("success-job").code == 0
    repository.commit()
    assert repository.observe("success-image").code == 0
    assert against(repository) == []
    repository.commit()
    text = repository.evidence.read_text()
    repository.evidence.write_text(text.replace("outcome: succeeded", "outcome: failed", 2))
    assert against(repository) == [
        "evidence.yaml lost 2 entries of the other commit, such as conversion succeeded of dev-test-04/DEV_Win11_Test"
    ]
    repository.evidence.unlink()
    assert against(repository) == [
        "evidence.yaml lost 6 entries of the other commit, such as conversion succeeded of dev-test-04/DEV_Win11_Test"
    ]


def test_evidence_beside_assignments_elsewhere_is_compared_too(repository: Observing) -> None:
    elsewhere = repository.spec.parent / "record"
    elsewhere.mkdir()
    assignments = elsewhere / "assignments.yaml"
    (repository.spec / "assignments.yaml").rename(assignments)
    option = ("--assignments", str(assignments))
    assert repository.observe("success-job", options=option).code == 0
    assert not repository.evidence.exists()
    repository.commit()
    assert against(repository, *option) == []
    (elsewhere / "evidence.yaml").unlink()
    assert len(against(repository, *option)) == 1


def test_evidence_of_a_network_that_is_gone_is_named(repository: Observing) -> None:
    assert repository.observe("success-smoke-test").code == 0
    assert "VMF872" not in vmferry("check", repository.spec, *ADVANCING).text
    text = repository.evidence.read_text()
    repository.evidence.write_text(text.replace("network: web-prod", "network: web-old", 1))
    found = vmferry("check", repository.spec, *ADVANCING).text
    assert "warning[VMF872] evidence names network web-old, which does not exist" in found


def test_changed_evidence_is_noticed_by_a_run_with_a_cache(repository: Observing, tmp_path: Path) -> None:
    cache = ("--cache-dir", str(tmp_path / "cache"))
    out = ("--out", str(repository.spec.parent))

    def found() -> tuple[bool, bool]:
        checked = vmferry("check", repository.spec, *cache, *ADVANCING)
        compiled = vmferry("compile", repository.spec, *out, *cache)
        assert (checked.code, compiled.code) == (0, 0), compiled.text
        return "VMF872" in checked.text, "VMF872" in compiled.text

    assert found() == (False, False)
    assert repository.observe("success-job", options=cache).code == 0
    assert found() == (False, False)
    text = repository.evidence.read_text()
    repository.evidence.write_text(text.replace("vc1/vm-1512", "vc1/vm-9999"))
    assert found() == (True, True)
    repository.evidence.write_text(text)
    assert found() == (False, False)
    repository.evidence.unlink()
    assert found() == (False, False)


def at_adopted(repository: Observing, dump: str) -> None:
    """Record a dump of a group with checks, which is adopted and signed off."""
    repository.edit("dev-test-03: {stage: cutover", "dev-test-03: {stage: adopted")
    repository.commit()
    assert repository.observe(dump).code == 0
    assert vmferry("sign", repository.spec, "dev-test-03", "--by", "ada", "--note", "ok", *NOW).code == 0


def test_a_group_whose_checks_passed_is_accepted(repository: Observing) -> None:
    at_adopted(repository, "success-checks")
    accepted = advance(repository, "dev-test-03")
    assert accepted.code == 0, accepted.text


def test_a_check_that_failed_keeps_a_group_and_its_status_says_why(repository: Observing) -> None:
    at_adopted(repository, "check-failed")
    assert "no passed check of ci-runner-01, ci-runner-02" in advance(repository, "dev-test-03").out
    said = vmferry("status", repository.spec, "--format", "json", *NOW).data
    [problem] = [each for each in said["problems"] if each["what"] == "check"]
    assert (problem["vm"], problem["said"]) == ("ci-runner-02", "ssh: port 22: Connection refused")
    assert repository.observe("success-checks").code == 0
    accepted = advance(repository, "dev-test-03")
    assert accepted.code == 0, accepted.text
    assert not vmferry("status", repository.spec, "--format", "json", *NOW).data["problems"]


def test_a_person_accepts_a_group_despite_its_checks(repository: Observing) -> None:
    at_adopted(repository, "check-not-run")
    refused = advance(repository, "dev-test-03")
    assert "--despite-checks" in refused.out
    signed = vmferry(
        "sign", repository.spec, "dev-test-03", "--by", "ada", "--note", "by hand", "--despite-checks", *NOW
    )
    assert "dev-test-03: check succeeded by ada" in signed.out
    accepted = advance(repository, "dev-test-03")
    assert accepted.code == 0, accepted.text
    none = vmferry("sign", repository.spec, "dev-test-02", "--by", "a", "--note", "b", "--despite-checks", *NOW)
    assert (none.code, "has no checks" in none.text) == (2, True)


def test_a_check_that_was_edited_has_to_pass_again(repository: Observing) -> None:
    at_adopted(repository, "success-checks")
    repository.edit("{name: ssh, tcp: 22}", "{name: ssh, tcp: 2222}")
    repository.commit()
    assert "no passed check of ci-runner-01, ci-runner-02" in advance(repository, "dev-test-03").out


def test_a_group_moves_once_the_preflight_of_what_it_needs_passed(repository: Observing) -> None:
    assert repository.observe("success-sync").code == 0
    assert "but no passed pre-flight test of acme-preflight-source-vc1-worker-a-" in advance(
        repository, "stateless-08"
    ).out.replace("\n      ", " ")
    assert observe_preflight(repository, vc2="Failed").code == 0  # the group comes from vc1
    accepted = advance(repository, "stateless-08")
    assert accepted.code == 0, accepted.text


def test_a_test_of_the_preflight_that_failed_keeps_a_group_until_it_passes(repository: Observing) -> None:
    assert repository.observe("success-sync").code == 0
    assert observe_preflight(repository, vc1="Failed").code == 0
    refused = advance(repository, "stateless-08").out
    assert "no passed pre-flight test of acme-preflight-source-vc1-" in refused.replace("\n      ", " ")
    problems = vmferry("status", repository.spec, "--format", "json", *NOW).data["problems"]
    assert {(each["group"], each["cause"]) for each in problems} == {
        (f"pre-flight source-vc1-{pool}", "preflight-not-run") for pool in ("worker-a", "worker-b", "gpu")
    }
    assert "networks" not in refused
    assert observe_preflight(repository).code == 0
    assert advance(repository, "stateless-08").code == 0


def test_a_preflight_that_changed_has_to_pass_again(repository: Observing) -> None:
    assert repository.observe("success-sync").code == 0
    assert observe_preflight(repository).code == 0
    repository.edit("vddk:8.0.3", "vddk:8.0.4")
    repository.commit()
    assert "no passed pre-flight test of acme-preflight-source-vc1-" in advance(repository, "stateless-08").out


def test_a_person_moves_a_group_despite_the_preflight(repository: Observing) -> None:
    assert observe_preflight(repository, vc1="Failed").code == 0
    command = re.search(r"`vmferry (sign [^`]+)`", advance(repository, "stateless-08").out)
    assert command is not None
    words = shlex.split(command[1].replace("NAME", "ada").replace("TEXT", "'tested by hand'"))
    assert vmferry(*words, *NOW).code == 0
    assert advance(repository, "stateless-08").code == 0
