"""Which phases come before which, and when windows are open."""

from hypothesis import given
from hypothesis import strategies as st

from vmferry.estate.phases import ancestors, bounds, is_time, moment
from vmferry.model.spec import Phase, Window


@st.composite
def in_order(draw: st.DrawFn) -> list[Phase]:
    """Phases of which each comes after some of those before it."""
    names = [f"p{number}" for number in range(draw(st.integers(1, 6)))]
    return [
        Phase(name=name, after=tuple(draw(st.lists(st.sampled_from(names[:number]), unique=True)) if number else ()))
        for number, name in enumerate(names)
    ]


@given(in_order())
def test_whatever_comes_before_an_earlier_phase_comes_before_this_one(phases: list[Phase]) -> None:
    found, order = ancestors(phases), [phase.name for phase in phases]
    for phase in phases:
        assert set(phase.after) <= set(found[phase.name])
        assert all(set(found[name]) <= set(found[phase.name]) for name in found[phase.name])
        assert list(found[phase.name]) == [name for name in order if name in found[phase.name]]
        assert phase.name not in found[phase.name]


def test_a_phase_after_one_that_is_not_defined_comes_after_the_others_still() -> None:
    assert ancestors([Phase(name="a"), Phase(name="b", after=("a", "gone"))]) == {"a": (), "b": ("a",)}


def test_a_window_may_close_after_the_end_of_the_calendar() -> None:
    opens, closes = bounds(Window(start="9999-12-31T20:00:00Z", duration="9999d"))
    assert closes - opens == 9999 * 86400


def test_times_are_compared_whatever_their_zone() -> None:
    assert moment("2027-01-11T20:00:00Z") == moment("2027-01-11T21:00:00+01:00")
    assert is_time("2027-01-11T20:00:00Z")
    assert not is_time("2027-02-30T20:00:00Z")
    assert not is_time("2027-01-11T20:00:00")
