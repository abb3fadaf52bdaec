"""Times of a cutover, and the windows they lie in."""

from typing import Any

import pytest
from tests.resolve.projects import codes, finding, resolved, vm

from vmferry.model.spec import Stage

WARM = {"path": "forklift", "method": "warm"}


def windows(*starts: str, duration: str = "6h") -> dict[str, Any]:
    return {"phases": [{"name": "first", "windows": [{"start": start, "duration": duration} for start in starts]}]}


def cutover(time: str | None, stage: Stage = "prepared", **sections: Any) -> list[str]:
    state = {"stage": stage} | ({"cutover": time} if time else {})
    first = resolved(vm(**WARM), **sections)
    found = resolved(vm(**WARM), groups={"first-01": state}, assignments=first.assignments, **sections)
    return [code for code in codes(found) if code != "VMF304"]


def test_a_warm_migration_that_cuts_over_needs_a_time() -> None:
    assert cutover(None, "cutover") == ["VMF406"]
    assert cutover(None, "migrating") == []


@pytest.mark.parametrize(
    ("time", "fits"),
    [
        ("2027-01-11T19:59:59Z", False),
        ("2027-01-11T20:00:00Z", True),
        ("2027-01-11T22:00:00+01:00", True),
        ("2027-01-12T02:00:00Z", True),
        ("2027-01-12T02:00:01Z", False),
        ("2027-02-11T21:00:00Z", True),
    ],
)
def test_a_cutover_lies_in_one_of_the_windows(time: str, fits: bool) -> None:
    found = cutover(time, **windows("2027-01-11T20:00:00Z", "2027-02-11T20:00:00Z"))
    assert found == ([] if fits else ["VMF406"])


def test_without_windows_any_time_will_do() -> None:
    assert cutover("2027-01-11T19:59:59Z") == []


@pytest.mark.parametrize("time", ["2027-02-30T20:00:00Z", "2027-01-11T25:00:00Z"])
def test_a_time_that_does_not_exist_is_an_error(time: str) -> None:
    assert cutover(time, **windows("2027-01-11T20:00:00Z")) == ["VMF406"]
    assert cutover("2027-01-11T20:00:00Z", **windows(time)) == ["VMF013"]


def test_a_window_longer_than_the_calendar_is_no_crash() -> None:
    assert cutover("9999-12-31T20:00:00Z", **windows("9999-12-31T19:00:00Z", duration="9999d")) == []


def test_a_cutover_is_for_warm_migrations_only() -> None:
    found = resolved(vm(), groups={"first-01": {"stage": "prepared", "cutover": "2027-01-11T20:00:00Z"}})
    assert finding(found, "VMF116").where.path == ("groups", "first-01", "cutover")  # type: ignore[union-attr]
