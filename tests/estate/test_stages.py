"""The table of stages: it is whole, and says the same in all its columns."""

from itertools import groupby, pairwise

import pytest

from vmferry.estate.methods import METHODS
from vmferry.estate.stages import OWNED, STAGES, TABLE, begun, frozen, onward, rank, running, serves, started, way
from vmferry.model.spec import Method, Stage

PAIRS = [(before, after) for before in STAGES for after in STAGES]


def test_every_stage_of_the_schemas_has_a_row() -> None:
    assert tuple(TABLE) == STAGES
    assert {stage for row in TABLE.values() for stage in row.next} <= set(STAGES)


ONWARD = STAGES[:-1]


def test_every_stage_is_reached_from_the_first_and_only_a_roll_back_leads_to_an_earlier_one() -> None:
    assert STAGES[-1] == "rolled-back"
    assert all(way(STAGES[0], stage) is not None for stage in ONWARD)
    for before in ONWARD:
        assert all(rank(after) > rank(before) for after in TABLE[before].next if after != "rolled-back")
        assert onward(before) == (TABLE[before].next or (None,))[0]


def test_a_group_is_rolled_back_from_any_stage_at_which_something_of_it_is_in_the_cluster_but_the_last() -> None:
    assert [stage for stage in STAGES if way(stage, "rolled-back") == ()] == [*STAGES[1:6], "rolled-back"]
    assert [stage for stage in STAGES if way(stage, "rolled-back") is None] == ["planned", "retired"]


def test_no_way_leads_over_a_roll_back() -> None:
    assert way("cutover", "prepared") is None
    assert way("rolled-back", "migrating") == ("prepared",)
    assert onward("rolled-back") is None


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
    assert way("planned", "retired") == STAGES[1:6]
    assert way("planned", "prepared") == ()
    assert way("cutover", "migrating") is None


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_means_follows_from_what_it_means_before(stage: Stage) -> None:
    assert frozen(stage) or not begun(stage)  # nothing is copied that could still be decided otherwise
    assert begun(stage) or not started(stage)
    assert started(stage) or not running(stage)
    assert serves(stage) != running(stage)  # one of the two serves, and never both


@pytest.mark.parametrize("method", METHODS)
def test_what_was_synced_and_is_no_longer_never_comes_back_as_the_group_moves_on(method: Method) -> None:
    for name, layer in METHODS[method].layers.items():
        here = [stage in layer.stages for stage in ONWARD]
        assert [each for each, _ in groupby(here)] in ([False, True], [False, True, False]), name
        assert not here[0], f"nothing of a planned group is in the cluster: {name}"
        assert "rolled-back" not in layer.stages
        assert set(layer.kept) <= set(layer.stages) | {"cutover"}, name


@pytest.mark.parametrize("method", METHODS)
def test_what_copies_is_synced_until_git_owns_what_was_copied(method: Method) -> None:
    traits = METHODS[method]
    copies = {"migration", "conversion", "volumes"} & set(traits.layers)
    for name in copies:
        assert traits.layers[name].stages == ("migrating", "cutover")
    owns = {"machines", "workload"} & set(traits.layers)
    assert owns
    for name in owns:
        assert set(OWNED) <= set(traits.layers[name].stages)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("reached", ONWARD[1:-1])
def test_what_has_run_in_the_target_stays_synced_when_it_is_rolled_back(method: Method, reached: Stage) -> None:
    kept = {name for name, layer in METHODS[method].layers.items() if reached in layer.kept}
    assert (kept & {"machines", "workload"} != set()) >= running(reached)
    assert not kept & {"conversion", "volumes", "access", "plan"}
    assert ("migration" in kept) == (METHODS[method].path == "forklift" and reached in ("migrating", "cutover"))


@pytest.mark.parametrize("method", METHODS)
def test_a_group_has_layers_from_the_moment_its_target_has_something(method: Method) -> None:
    for stage in STAGES:
        if stage == "rolled-back":
            continue
        selected = [name for name, layer in METHODS[method].layers.items() if stage in layer.stages]
        assert selected or not begun(stage)
