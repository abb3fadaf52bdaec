"""The table of stages: it is whole, and says the same in all its columns."""

from itertools import pairwise

import pytest

from vmferry.estate.methods import METHODS
from vmferry.estate.stages import STAGES, TABLE, begun, frozen, rank, running, serves, started, way
from vmferry.model.spec import Method, Stage

PAIRS = [(before, after) for before in STAGES for after in STAGES]


def test_every_stage_of_the_schemas_has_a_row() -> None:
    assert tuple(TABLE) == STAGES
    assert {stage for row in TABLE.values() for stage in row.next} <= set(STAGES)


def test_every_stage_is_reached_from_the_first_and_leads_to_no_earlier_one() -> None:
    assert all(way(STAGES[0], stage) is not None for stage in STAGES)
    assert all(rank(after) > rank(before) for before, row in TABLE.items() for after in row.next)


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_way_goes_from_stage_to_next_stage(before: Stage, after: Stage) -> None:
    between = way(before, after)
    if between is None:
        assert after not in TABLE[before].next
    elif before == after:
        assert between == ()
    else:
        whole = (before, *between, after)
        assert all(there in TABLE[here].next for here, there in pairwise(whole))


def test_today_a_group_goes_one_way_through_all_stages() -> None:
    assert way("planned", "cutover") == ("prepared", "migrating")
    assert way("planned", "prepared") == ()
    assert way("cutover", "migrating") is None


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_means_follows_from_what_it_means_before(stage: Stage) -> None:
    assert frozen(stage) or not begun(stage)  # nothing is copied that could still be decided otherwise
    assert begun(stage) or not started(stage)
    assert started(stage) or not running(stage)
    assert serves(stage) != running(stage)  # one of the two serves, and never both


@pytest.mark.parametrize("method", METHODS)
def test_what_is_in_the_cluster_stays_as_the_group_moves_on(method: Method) -> None:
    for layer, (stages, _) in METHODS[method].layers.items():
        here = [stage in stages for stage in STAGES]
        assert here == sorted(here), layer
        assert not here[0], f"nothing of a planned group is in the cluster: {layer}"
        assert here[-1], layer


@pytest.mark.parametrize("method", METHODS)
def test_a_group_has_layers_from_the_moment_its_target_has_something(method: Method) -> None:
    for stage in STAGES:
        selected = [layer for layer, (stages, _) in METHODS[method].layers.items() if stage in stages]
        assert selected or not begun(stage)
