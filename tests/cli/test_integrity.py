"""Data that have to be the same before and after a move: scripts that ask for them, evidence, and gates."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.comparing import Compared
from tests.invocation import vmferry

ROWS = '#!/bin/sh\ncat "$FILE"\n'


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Return the data of web-01, which its script prints."""
    file = tmp_path / "rows"
    file.write_bytes(b"orders 48211\n")
    return file


@pytest.fixture
def moving(tmp_path: Path) -> Compared:
    return Compared(tmp_path / "repository", ROWS)


def recorded(moving: Compared, rows: Path) -> None:
    done = moving.before(FILE=str(rows))
    assert done.returncode == 0, done.stderr
    result = moving.record(done.stdout)
    assert result.code == 0, result.text


def test_equal_data_let_the_group_be_validated(moving: Compared, rows: Path) -> None:
    recorded(moving, rows)
    moving.moved("migrating", "cutover")
    result = moving.after(FILE=str(rows))
    assert "first-01 web-01: check data succeeded" in result.out
    [was], [now] = moving.entries("before"), moving.entries("check")
    assert was["value"] == now["value"]
    assert was["said"] == now["said"] == "orders 48211"
    moving.moved("adopted")
    assert gate(moving) == "no sign-off is recorded"


def gate(moving: Compared) -> str:
    """Return what keeps the group from `validated`."""
    moving.more["settings"] = {"gates": "required"}
    moving.lay()
    moving.compile()
    moving.move("validated")
    found = [each["message"] for each in moving.check().data["findings"] if each["code"] == "VMF870"]
    moving.move("adopted")
    return "; ".join(message.partition(", but ")[2] for message in found)


def test_a_lost_row_keeps_the_group_from_being_validated_and_both_values_are_recorded(
    moving: Compared, rows: Path
) -> None:
    recorded(moving, rows)
    moving.moved("migrating", "cutover")
    rows.write_bytes(b"orders 48210\n")
    result = moving.after(FILE=str(rows))
    assert "[data-differ]" in result.out
    [was], [now] = moving.entries("before"), moving.entries("check")
    assert (now["outcome"], now["cause"]) == ("failed", "data-differ")
    assert now["said"] == f"before: {was['value']} orders 48211; after: {now['value']} orders 48210"
    text = vmferry("status", moving.spec).text
    assert "data-differ" in text
    moving.moved("adopted")
    assert "no passed check of web-01 is recorded" in gate(moving)
    sign(moving, "--despite-checks")
    assert "passed check" not in gate(moving)


def sign(moving: Compared, *options: str) -> None:
    result = vmferry("sign", moving.spec, "first-01", "--by", "Ada", "--note", "compared by hand", *options)
    assert result.code == 0, result.text


def test_the_source_only_stops_once_it_was_asked(moving: Compared, rows: Path) -> None:
    groups = vmferry("status", moving.spec, "--format", "json").data["groups"]
    assert [each["waits"] for each in groups if each["group"] == "first-01"] == ["value from before the move of 1 VM"]
    moving.move("migrating")
    [problem] = [each for each in moving.check().data["findings"] if each["code"] == "VMF879"]
    assert "no value from before the move of web-01 is recorded" in problem["message"]
    assert "bash gitops/bases/first/first-01/before.sh | vmferry observe" in problem["help"]
    moving.move("prepared")
    recorded(moving, rows)
    moving.move("migrating")
    assert moving.codes() == set()


def test_a_person_may_let_it_go_on_and_has_to_accept_that_nothing_was_compared(moving: Compared, rows: Path) -> None:
    sign(moving, "--without-before")
    moving.move("migrating")
    assert moving.codes() == set()
    moving.moved("migrating", "cutover")
    assert "[nothing-to-compare]" in moving.after(FILE=str(rows)).out
    moving.moved("adopted")
    assert "no passed check of web-01 is recorded" in gate(moving)


def test_the_script_is_only_there_while_the_source_can_be_asked(moving: Compared) -> None:
    there = {"prepared": moving.before_sh.exists()}
    sign(moving, "--without-before")
    for stage in ("migrating", "cutover", "rolled-back"):
        moving.move(stage, **({"dataLoss": "accepted", "reason": "slow"} if stage == "rolled-back" else {}))
        moving.compile()
        there[stage] = moving.before_sh.exists()
    assert there == {"prepared": True, "migrating": False, "cutover": False, "rolled-back": False}


def test_what_was_asked_too_late_is_refused(moving: Compared, rows: Path) -> None:
    printed = moving.before(FILE=str(rows)).stdout
    assert moving.record(printed, "--dry-run").code == 0
    for stage in ("migrating", "cutover"):
        moving.move(stage)
        refused = moving.record(printed)
        assert (refused.code, f"first-01 is at {stage}" in refused.err) == (2, True)
    assert not (moving.spec / "evidence.yaml").exists()


def test_a_warm_vm_can_be_asked_until_its_cutover(tmp_path: Path, rows: Path) -> None:
    phases = [{"name": "first", "kind": "dev-test", "windows": [{"start": "2099-02-06T20:00:00Z", "duration": "8h"}]}]
    more: dict[str, Any] = {"defaults": {"path": "forklift", "method": "warm"}, "phases": [*phases, {"name": "second"}]}
    warm = Compared(tmp_path / "repository", ROWS, **more)
    assert not warm.before_sh.exists()
    warm.moved("migrating")
    assert warm.before_sh.exists()
    warm.move("cutover", cutover="2099-02-06T22:00:00Z")
    now = ("--now", "2099-02-06T21:00:00Z")
    assert not [each for each in warm.check().data["findings"] if each["code"] == "VMF879"]
    late = vmferry("check", warm.spec, "--against", "HEAD", "--format", "json", "--now", "2099-02-06T22:00:00Z")
    assert [each for each in late.data["findings"] if each["code"] == "VMF879"]
    warm.compile()
    printed = json.loads(warm.before(FILE=str(rows)).stdout)
    assert warm.record(json.dumps(printed).encode(), *now, "--dry-run").code == 0
    printed["values"][0]["taken"] = "2099-02-06T22:00:01Z"
    refused = warm.record(json.dumps(printed).encode(), "--now", "2099-02-06T23:00:00Z")
    assert (refused.code, "too late" in refused.err) == (2, True)
    warm.move("adopted")
    assert "VMF879" in warm.codes()


def test_the_script_of_a_warm_vm_refuses_after_the_cutover(tmp_path: Path, rows: Path) -> None:
    phases = [{"name": "first", "kind": "dev-test", "windows": [{"start": "2020-02-06T20:00:00Z", "duration": "8h"}]}]
    more: dict[str, Any] = {"defaults": {"path": "forklift", "method": "warm"}, "phases": [*phases, {"name": "second"}]}
    warm = Compared(tmp_path / "repository", ROWS, **more)
    warm.moved("migrating")
    warm.move("cutover", cutover="2020-02-06T22:00:00Z")
    warm.compile()
    done = warm.before(FILE=str(rows))
    assert (done.returncode, b"its cutover is over" in done.stderr) == (1, True)
    assert json.loads(done.stdout)["values"] == []


def test_another_attempt_needs_another_value(moving: Compared, rows: Path) -> None:
    recorded(moving, rows)
    old = moving.before(FILE=str(rows)).stdout
    moving.moved("migrating")
    moving.move("migrating", attempt=2)
    assert "VMF879" in moving.codes()
    moving.move("rolled-back", attempt=1)
    moving.compile()
    moving.move("prepared", attempt=2)
    moving.compile()
    moving.move("migrating")
    assert "VMF879" in moving.codes()
    moving.move("prepared")
    refused = moving.record(old)
    assert (refused.code, "it is of attempt 1" in refused.err) == (2, True)
    recorded(moving, rows)
    moving.move("migrating")
    assert moving.codes() == set()


def test_another_script_needs_another_value(moving: Compared, rows: Path) -> None:
    old = moving.before(FILE=str(rows)).stdout
    assert moving.record(old).code == 0
    moving.script = ROWS + "# counts in another way\n"
    moving.lay()
    refused = moving.record(old)
    assert (refused.code, "is another one now" in refused.err) == (2, True)
    moving.move("migrating")
    assert "VMF879" in moving.codes()


def test_a_value_replaces_an_earlier_one(moving: Compared, rows: Path) -> None:
    recorded(moving, rows)
    rows.write_bytes(b"orders 48212\n")
    later = json.loads(moving.before(FILE=str(rows)).stdout)
    later["values"][0]["taken"] = "2027-01-01T00:00:00Z"
    assert moving.record(json.dumps(later).encode(), "--now", "2027-01-01T00:01:00Z").code == 0
    assert len(moving.entries("before")) == 2
    moving.moved("migrating", "cutover")
    moving.after(FILE=str(rows))
    assert [each["outcome"] for each in moving.entries("check")] == ["succeeded"]


def test_a_later_job_after_a_repair_is_compared_again(moving: Compared, rows: Path) -> None:
    recorded(moving, rows)
    moving.moved("migrating", "cutover")
    right = rows.read_bytes()
    rows.write_bytes(b"wrong")
    moving.after(FILE=str(rows))
    rows.write_bytes(right)
    moving.after(FILE=str(rows))
    assert [each["outcome"] for each in moving.entries("check")][-1] == "succeeded"
    moving.moved("adopted")
    assert "passed check" not in gate(moving)


@pytest.mark.parametrize(
    "change",
    [
        {"migration": "other"},
        {"group": "first-02"},
        {"attempt": 2},
        {"kind": "Evidence"},
        {"more": 1},
        {"values": [{"vm": "vc1/vm-12", "check": "data", "script": "x", "value": "sha256:" + "0" * 32, "taken": "x"}]},
    ],
)
def test_what_is_of_something_else_is_refused_as_a_whole(change: dict[str, Any], moving: Compared, rows: Path) -> None:
    printed = json.loads(moving.before(FILE=str(rows)).stdout)
    refused = moving.record(json.dumps(printed | change).encode())
    assert refused.code == 2
    assert not (moving.spec / "evidence.yaml").exists()


@pytest.mark.parametrize("change", [{"taken": "2999-01-01T00:00:00Z"}, {"taken": "yesterday"}, {"value": "sha256:x"}])
def test_a_value_that_cannot_be_is_refused(change: dict[str, Any], moving: Compared, rows: Path) -> None:
    printed = json.loads(moving.before(FILE=str(rows)).stdout)
    printed["values"][0] |= change
    assert moving.record(json.dumps(printed).encode()).code == 2


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\0", b"42", b'{"kind":"Before"}' + b"[" * 100_000])
def test_what_is_not_from_the_script_is_refused(raw: bytes, moving: Compared) -> None:
    assert moving.record(raw).code in (0, 2)
    assert not (moving.spec / "evidence.yaml").exists()


def test_a_script_that_fails_is_named_and_the_others_are_printed(tmp_path: Path) -> None:
    script = "#!/bin/sh\n[ $1 = web-01 ] && { echo no route >&2; exit 3; }\necho rows of $1 at $2\n"
    more = {
        "assign": [
            {"match": {"name": ["web-*", "win-*"]}, "set": {"phase": "first", "checks": ["data"]}},
            {"match": {"name": "db-*"}, "set": {"phase": "second"}},
        ],
        "vms": [],
    }
    moving = Compared(tmp_path / "repository", script, **more)
    done = moving.before("web-01", "web-02", "win-01=192.0.2.4")
    assert done.returncode == 1
    assert b"web-01: data at 10.0.7.11 FAILED: no route\n" in done.stderr
    values = json.loads(done.stdout)["values"]
    assert [each["shown"].strip() for each in values] == ["rows of web-02 at 10.0.7.12", "rows of win-01 at 192.0.2.4"]
    unknown = moving.before("web-09")
    assert (unknown.returncode, unknown.stdout, b"web-09" in unknown.stderr) == (2, b"", True)


def test_a_source_whose_address_is_not_certain_is_left_to_people(tmp_path: Path, rows: Path) -> None:
    nic = {"network": "vlan-7", "mac": "00:50:56:9a:10:01", "addresses": ["10.0.7.11/24"], "origin": "dhcp"}
    pod = [{"source": {"portGroup": "vlan-7", "vlan": 7}, "target": {"type": "pod"}}]
    moving = Compared(
        tmp_path / "repository", ROWS, networks=pod, vms=[{"name": "web-01", "checks": ["data"], "nics": [nic]}]
    )
    done = moving.before("web-01", FILE=str(rows))
    assert (done.returncode, b"pass web-01=ADDRESS" in done.stderr) == (1, True)
    assert moving.before("web-01=10.0.7.99", FILE=str(rows)).returncode == 0


def test_the_secret_is_a_directory_for_the_script_and_mounted_in_the_pod(tmp_path: Path) -> None:
    moving = Compared(tmp_path / "repository", '#!/bin/sh\ncat "$CREDENTIALS/username"\n')
    (moving.credentials / "reader" / "username").write_text("reader")
    assert json.loads(moving.before().stdout)["values"][0]["shown"] == "reader"
    sign(moving, "--without-before")
    moving.moved("migrating", "cutover")
    code, message = moving.run()
    assert (code, message.split()[2]) == (0, "reader")
    pod = moving.job()[0]["spec"]["template"]["spec"]
    assert {"mountPath": "/etc/vmferry/credentials/reader", "name": "secret-0", "readOnly": True} in pod["containers"][
        0
    ]["volumeMounts"]
    assert {"name": "secret-0", "secret": {"secretName": "reader", "defaultMode": 0o444}} in pod["volumes"]


def test_what_looks_like_a_credential_does_not_get_into_evidence(moving: Compared, rows: Path) -> None:
    rows.write_bytes(b"rows 7 password=hunter2\n")
    recorded(moving, rows)
    moving.moved("migrating", "cutover")
    moving.after(FILE=str(rows))
    assert b"hunter2" not in (moving.spec / "evidence.yaml").read_bytes()
    assert [each["said"] for each in moving.entries("check")] == ["rows 7 [withheld]"]


def test_a_pod_that_is_not_in_the_dumps_proves_nothing(moving: Compared, rows: Path) -> None:
    recorded(moving, rows)
    moving.moved("migrating", "cutover")
    dump = moving.dump(0, "")
    result = vmferry("observe", moving.spec, "--from", "-", stdin=json.dumps(dump["items"][0]).encode())
    assert "whose pod, which has its result, is not in the dumps" in result.err
    assert moving.entries("check") == []


def test_another_address_of_the_source_is_not_another_job(tmp_path: Path) -> None:
    nic = {"network": "vlan-7", "mac": "00:50:56:9a:10:01", "addresses": ["10.0.7.11/24"], "origin": "static"}
    pod = [{"source": {"portGroup": "vlan-7", "vlan": 7}, "target": {"type": "pod"}}]
    vm: dict[str, Any] = {"name": "web-01", "checks": ["data"], "staticIP": "none", "nics": [nic]}
    moving = Compared(tmp_path / "repository", ROWS, networks=pod, vms=[vm])
    assert " 10.0.7.11 " in moving.before_sh.read_text()
    vm["nics"] = [nic | {"addresses": ["10.0.7.77/24"]}]
    moving.lay()
    moving.compile()
    assert " 10.0.7.77 " in moving.before_sh.read_text()
    sign(moving, "--without-before")
    moving.moved("migrating", "cutover")
    name = moving.job()[0]["metadata"]["name"]
    vm["nics"] = [nic]
    moving.lay()
    moving.compile()
    assert moving.job()[0]["metadata"]["name"] == name


def test_the_runbook_asks_the_source_after_writes_end_and_before_it_is_shut_down(moving: Compared) -> None:
    groups = vmferry("report", "runbook", moving.spec, "--format", "json").data["groups"]
    [steps] = [each["steps"] for each in groups if each["group"] == "first-01"]
    words = [step["what"] for step in steps]
    [ask] = [place for place, what in enumerate(words) if what.startswith("Data: end writes")]
    assert "before.sh | vmferry observe" in steps[ask]["command"]
    assert ask < next(place for place, what in enumerate(words) if what.startswith("Shut down"))


def test_explain_says_where_data_are_compared(moving: Compared) -> None:
    [found] = vmferry("explain", moving.spec, "web-01", "--format", "json").data
    assert found["check data"]["reason"] == "before the move at 10.0.7.11, after it at 10.0.7.11"


def test_sign_refuses_to_go_on_without_what_nobody_asks_for(tmp_path: Path) -> None:
    moving = Compared(tmp_path / "repository", ROWS, checks=[{"name": "data", "tcp": 22}])
    result = vmferry("sign", moving.spec, "first-01", "--by", "a", "--note", "b", "--without-before")
    assert (result.code, "leave out --without-before" in result.err) == (2, True)


@pytest.mark.parametrize(
    ("check", "why"),
    [
        ({"name": "data", "same": "missing.sh"}, "missing.sh"),
        ({"name": "data", "same": "../data.sh"}, "../data.sh"),
        ({"name": "data", "same": "data.sh", "script": "data.sh"}, "script and same"),
        ({"name": "data", "tcp": 22, "secretRef": {"name": "reader"}}, "has a Secret that nothing would read"),
        ({"name": "data", "same": "data.sh", "probe": True}, "no probe for same"),
    ],
)
def test_a_check_that_cannot_be_is_an_error(check: dict[str, Any], why: str, moving: Compared) -> None:
    moving.more["checks"] = [check]
    moving.lay()
    result = vmferry("check", moving.spec)
    assert (result.code, why in result.out) == (1, True), result.text


def test_bash_accepts_what_is_written(moving: Compared) -> None:
    done = subprocess.run(["bash", "-n", str(moving.before_sh)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_source_is_asked_at_its_address_and_the_target_at_its_own(tmp_path: Path) -> None:
    nics = {"vlan-7": {"addresses": ["10.0.7.91/24"], "gateway": "10.0.7.1"}}
    vm = {"name": "web-01", "checks": ["data"], "staticIP": "cloud-init", "readdress": nics}
    moving = Compared(tmp_path / "repository", ROWS, vms=[vm])
    source = moving.before_sh.read_text()
    assert "10.0.7.11" in source
    assert "10.0.7.91" not in source
    sign(moving, "--without-before")
    moving.moved("migrating", "cutover")
    _, files = moving.job()
    assert "10.0.7.91" in files["check.sh"]
    assert "10.0.7.11" not in files["check.sh"]
