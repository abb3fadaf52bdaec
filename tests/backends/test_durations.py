"""Tests of `vmferry.backends.durations`."""

import pytest

from vmferry.backends.durations import go_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10m", "10m"), ("1d", "24h"), ("90s", "1m30s"), ("1d12h", "36h"), ("0s", "0s"), ("3600s", "1h")],
)
def test_a_duration_is_written_in_units_that_go_knows(text: str, expected: str) -> None:
    assert go_duration(text) == expected
