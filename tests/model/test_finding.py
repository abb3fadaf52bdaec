"""Tests of findings: their order does not depend on how they were found."""

import random

from hypothesis import given
from hypothesis import strategies as st

from vmferry.model.finding import Code, Finding, Span, Where, by_place, inserted, ordered

WHERES = st.builds(
    Where,
    file=st.sampled_from(("a", "b")),
    document=st.integers(0, 1),
    path=st.lists(st.integers(0, 11) | st.sampled_from(("vms", "10")), max_size=2).map(tuple),
    key=st.booleans(),
    span=st.none() | st.builds(Span, st.integers(1, 2), st.just(1), st.just(2), st.just(1)),
)
FINDINGS = st.builds(
    Finding,
    code=st.sampled_from(("VMF001", "VMF002")).map(Code),
    message=st.sampled_from(("x", "y")),
    where=st.none() | WHERES,
    vms=st.sampled_from(((), ("web",))),
    severity=st.sampled_from(("error", "warning", "info")),
    essential=st.booleans(),
    fix=st.none() | st.just("z"),
)


@given(st.lists(FINDINGS), st.randoms())
def test_findings_come_in_one_order_and_once(findings: list[Finding], dice: random.Random) -> None:
    mixed = findings + findings
    dice.shuffle(mixed)
    assert ordered(mixed) == ordered(findings)
    assert len(ordered(findings)) == len(set(findings))
    severities = [finding.is_error for finding in ordered(findings)]
    assert severities == sorted(severities, reverse=True)


@given(st.lists(FINDINGS), st.lists(FINDINGS))
def test_findings_that_come_later_get_the_places_that_they_would_have_had(
    one: list[Finding], more: list[Finding]
) -> None:
    assert inserted(by_place(one), more) == by_place(one + more)


def test_indices_are_numbers() -> None:
    def at(index: int) -> Finding:
        where = Where(file="a", path=("vms", index))
        return Finding(code=Code("VMF001"), message="", where=where, severity="info", essential=False)

    assert ordered([at(10), at(9)]) == (at(9), at(10))
