"""Tests of which rules are asked (--select, --ignore), what is accepted (--max-warnings), and at what time (--now)."""

import pytest
from tests.cli.test_check import SPEC, vm
from tests.invocation import Result, vmferry

# An error (VMF201: network other), a warning (VMF109: matches no VM), and whatever else there is to say.
TEXT = f"{SPEC}assign: [{{match: {{name: x}}, set: {{phase: first}}}}]\nvms:\n{vm('web-01', 'other')}"
SOUND = TEXT.replace("network: other", "network: lan")


def check(*options: str, text: str = TEXT) -> Result:
    return vmferry("check", "-", *options, stdin=text.encode())


def codes(*options: str, text: str = TEXT) -> set[str]:
    return {finding["code"] for finding in check(*options, "--format", "json", text=text).data["findings"]}


# --- --select, --ignore -----------------------------------------------------------------------------


def test_only_rules_whose_code_begins_so_are_asked() -> None:
    everything = codes()
    assert {"VMF109", "VMF201"} <= everything
    assert codes("--select", "VMF201") == {"VMF201"}
    assert codes("--select", "VMF1") == {code for code in everything if code.startswith("VMF1")}
    assert codes("--select", "VMF1", "--select", "VMF20") == {
        code for code in everything if code.startswith(("VMF1", "VMF20"))
    }


def test_rules_whose_code_begins_so_are_not_asked() -> None:
    assert codes("--ignore", "VMF201") == codes() - {"VMF201"}
    assert codes("--select", "VMF", "--ignore", "VMF1") == {code for code in codes() if not code.startswith("VMF1")}
    assert codes("--select", "VMF2", "--ignore", "VMF201") == set()


def test_codes_may_be_in_lower_case() -> None:
    assert codes("--select", "vmf201") == {"VMF201"}
    assert "VMF201" not in codes("--ignore", "vmf2")


def test_the_exit_code_is_that_of_what_was_asked_for() -> None:
    assert check("--select", "VMF201").code == 1
    assert check("--select", "VMF109").code == 0
    assert check("--ignore", "VMF201").code == 0


def test_what_was_not_asked_for_is_counted() -> None:
    hidden = len(check("--format", "json").data["findings"]) - 1
    noun = "finding" if hidden == 1 else "findings"
    assert f"\n{hidden} {noun} from rules that were not selected" in check("--select", "VMF201").err
    assert "not asked for" not in check().err


def test_it_is_said_that_errors_that_were_not_asked_for_kept_rules_from_running() -> None:
    note = "1 error among them; until they are fixed, some rules do not run"
    assert note in check("--select", "VMF7").err
    assert note in check("--ignore", "VMF201").err
    assert "do not run" not in check("--select", "VMF201").err
    assert "do not run" not in check("--select", "VMF7", text=SOUND).err


@pytest.mark.parametrize("option", ["--select", "--ignore"])
@pytest.mark.parametrize("prefix", ["", "VMF999", "network", "201", "VMF201,VMF109", "VMF2011", " VMF201", "\x1b[2J"])
def test_a_prefix_that_no_rule_has_is_wrong_usage(option: str, prefix: str) -> None:
    result = check(option, prefix)
    assert (result.code, result.out) == (2, "")
    assert "no rule" in result.err
    assert "`vmferry rules` lists them" in result.err or "Did you mean" in result.err
    assert "\x1b" not in result.err


def test_a_misspelt_code_is_met_with_a_guess() -> None:
    assert "Did you mean VMF201?" in check("--select", "VFM201").err


def test_what_cannot_be_read_is_said_whatever_was_asked_for() -> None:
    for options in (("--select", "VMF7"), ("--ignore", "VMF0")):
        result = check(*options, text="a: [")
        assert result.code == 1
        assert "error[VMF001]" in result.out


# --- --max-warnings ---------------------------------------------------------------------------------


def test_more_warnings_than_accepted_fail() -> None:
    count = sum(f["severity"] == "warning" for f in check("--format", "json", text=SOUND).data["findings"])
    assert count > 0
    assert check(text=SOUND).code == 0
    assert check("--max-warnings", str(count), text=SOUND).code == 0
    result = check("--max-warnings", str(count - 1), text=SOUND)
    assert result.code == 1
    assert result.err.endswith(f"{count} warning{'s' * (count > 1)}, at most {count - 1} allowed\n")


def test_warnings_that_were_not_asked_for_do_not_count() -> None:
    assert check("--max-warnings", "0", "--select", "VMF201", text=SOUND).code == 0
    assert check("--max-warnings", "0", "--select", "VMF109", text=SOUND).code == 1


def test_errors_fail_however_many_warnings_are_accepted() -> None:
    assert check("--max-warnings", "1000").code == 1


@pytest.mark.parametrize("count", ["-1", "many", "1.5", ""])
def test_a_count_that_is_none_is_wrong_usage(count: str) -> None:
    assert check("--max-warnings", count).code == 2


# --- --now ------------------------------------------------------------------------------------------

# Accepted until the end of 10 March, in UTC.
UNTIL = f"{SOUND}suppress: [{{rule: VMF109, reason: known, until: '2027-03-10'}}]\n"


def expired(*options: str) -> bool:
    return "VMF904" in codes(*options, text=UNTIL)


@pytest.mark.parametrize(
    ("moment", "over"),
    [
        ("2027-03-10T23:59:59Z", False),
        ("2027-03-11T00:00:00Z", True),
        ("2027-03-10", False),
        ("2027-03-11", True),
        ("2027-03-10T23:59:59", False),  # without a zone it is UTC
        ("2027-03-11T01:00:00+02:00", False),
        ("2027-03-10T23:00:00-02:00", True),
    ],
)
def test_rules_on_time_go_by_now(moment: str, over: bool) -> None:
    assert expired("--now", moment) is over


@pytest.mark.parametrize("moment", ["tomorrow", "", "2027-13-01", "2027-02-30T00:00:00Z", "1799884800", "\x1b[2J"])
def test_a_time_that_is_none_is_wrong_usage(moment: str) -> None:
    result = check("--now", moment)
    assert (result.code, result.out) == (2, "")
    assert "is not a time such as 2027-01-11T20:00:00Z" in result.err
    assert "\x1b" not in result.err


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_beyond_what_can_be_reckoned_with_is_wrong_usage(moment: str) -> None:
    result = check("--now", moment, text=UNTIL)
    assert (result.code, result.out) == (2, "")


def test_source_date_epoch_is_the_time_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1804723199")  # 2027-03-10T23:59:59Z
    assert not expired()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1804723200")
    assert expired()
    assert not expired("--now", "2027-03-10")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert not expired()


@pytest.mark.parametrize("epoch", ["soon", "-1", "1.5", "9" * 30, "9" * 5000, "²"])
def test_a_source_date_epoch_that_is_none_is_wrong_usage(epoch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    result = check()
    assert (result.code, result.out) == (2, "")
    assert "SOURCE_DATE_EPOCH" in result.err
    assert check("--now", "2027-03-10").code == 1


def test_an_empty_source_date_epoch_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "")
    assert check().code == 1
