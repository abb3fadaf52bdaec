"""An attempt that begins after cutover is refused, or said where Forklift may need it."""

from typing import Any

import pytest
from tests.resolve.projects import Data, defaults, project, vm

from vmferry.check import review
from vmferry.estate.resolution import Resolution
from vmferry.model.assignments import Assignments
from vmferry.model.finding import Finding
from vmferry.resolve.blueprint import resolve
from vmferry.rules import check

WINDOW: Data = {"phases": [{"name": "first", "windows": [{"start": "2027-01-16T20:00:00Z", "duration": "6h"}]}]}


def compiled(state: Data, was: Assignments | None, **sections: Any) -> tuple[list[Finding], Resolution]:
    made = project(vm("a"), vm("b"), assignments=was, groups={"first-01": state}, **WINDOW, **sections)
    found = resolve(made)
    return [each for each in check(review(made, found)) if each.code == "VMF862"], found


def walked(*states: Data, path: str = "virt-v2v", method: str | None = "job", **sections: Any) -> list[Finding]:
    """Return what the rule finds in the last of these states, each compiled after the one before."""
    record, found = None, list[Finding]()
    for state in states:
        if method == "warm":
            state = {**state, "cutover": "2027-01-16T21:00:00Z"}
        found, done = compiled(state, record, defaults=defaults(path=path, method=method), **sections)
        record = done.assignments
    return found


PREPARED, MIGRATING = {"stage": "prepared"}, {"stage": "migrating"}


@pytest.mark.parametrize(
    ("path", "method", "severity"),
    [
        ("virt-v2v", "job", "error"),
        ("virt-v2v", "image", "error"),
        ("forklift", "cold", "warning"),
        ("forklift", "warm", "warning"),
    ],
)
def test_an_attempt_after_cutover_is_said(path: str, method: str, severity: str) -> None:
    cutover = {"stage": "cutover", "attempt": 2}
    begun = (PREPARED, MIGRATING, {"stage": "migrating", "attempt": 2}, cutover)
    assert walked(*begun, path=path, method=method) == []
    [raised] = walked(*begun, {"stage": "cutover", "attempt": 3}, path=path, method=method)
    assert raised.severity == severity
    assert "from attempt 2 to 3" in raised.message
    assert "set attempt: 2" in raised.help


@pytest.mark.parametrize(("path", "method"), [("virt-v2v", "job"), ("forklift", "cold")])
def test_an_attempt_is_not_taken_back_after_cutover(path: str, method: str) -> None:
    begun = (PREPARED, {"stage": "migrating", "attempt": 2}, {"stage": "cutover", "attempt": 2})
    [lowered] = walked(*begun, {"stage": "cutover"}, path=path, method=method)
    assert lowered.severity == "error"


def test_an_attempt_does_not_begin_with_the_cutover() -> None:
    assert len(walked(PREPARED, MIGRATING, {"stage": "cutover", "attempt": 2})) == 1


def test_an_attempt_before_cutover_is_a_retry() -> None:
    assert walked(PREPARED, MIGRATING, {"stage": "migrating", "attempt": 2}) == []
    assert walked(PREPARED, {"stage": "migrating", "attempt": 2}) == []


def test_the_record_of_an_earlier_vmferry_says_nothing_of_attempts_by_forklift() -> None:
    import msgspec

    record = None
    for state in (PREPARED, {"stage": "migrating", "attempt": 2}, {"stage": "cutover", "attempt": 2}):
        _, done = compiled(state, record, defaults=defaults(path="forklift", method="cold"))
        record = done.assignments
    assert record is not None
    vms = {key: msgspec.structs.replace(item, attempt=None) for key, item in record.vms.items()}
    formerly = msgspec.structs.replace(record, vms=vms)
    found, _ = compiled({"stage": "cutover", "attempt": 3}, formerly, defaults=defaults(path="forklift", method="cold"))
    assert found == []


def test_a_rebuilt_group_has_no_attempts() -> None:
    app = {"application": {"image": "registry.example.com/app:1.4.2"}}
    record = None
    for state in (PREPARED, MIGRATING, {"stage": "cutover"}, {"stage": "cutover", "attempt": 2}):
        made = project(
            vm("a", path="rebuild", method=None, **app), assignments=record, groups={"first-01": state}, **WINDOW
        )
        record = resolve(made).assignments
        assert "VMF862" not in {each.code for each in check(review(made, resolve(made)))}
