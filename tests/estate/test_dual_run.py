"""How many clients go to the target at each stage, and what a VM beside its source is recognised by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmferry.estate.dual_run import beside, own_mac, own_uuid, weight_of
from vmferry.estate.stages import STAGES
from vmferry.model.keys import VmKey
from vmferry.model.spec import DualRun, Phase, Stage

PARALLEL = DualRun(mode="parallel")
KEYS = st.text(min_size=1, max_size=40).map(lambda text: VmKey(f"vc1/{text}"))


@pytest.mark.parametrize("stage", STAGES)
def test_clients_only_go_to_a_target_that_runs(stage: Stage) -> None:
    runs = stage in ("cutover", "adopted", "validated", "retired")
    assert weight_of(DualRun(), stage, None) == 100 * runs
    assert weight_of(PARALLEL, stage, 25) == (100 if stage == "retired" else 25 * runs)
    assert weight_of(PARALLEL, stage, None) == (100 if stage == "retired" else 0)


def test_source_and_target_run_together_in_all_modes_but_fallback() -> None:
    modes = (("a", None), ("b", DualRun()), ("c", PARALLEL), ("d", DualRun(mode="replica")))
    assert beside(Phase(name=name, dual_run=run) for name, run in modes) == {"c", "d"}


@given(KEYS, KEYS, st.integers(0, 9), st.integers(0, 9))
def test_a_mac_is_of_one_nic_of_one_vm_locally_administered_and_always_the_same(
    one: VmKey, other: VmKey, first: int, second: int
) -> None:
    assert own_mac(one, first) == own_mac(one, first)
    assert int(own_mac(one, first)[:2], 16) & 3 == 2
    assert (own_mac(one, first) == own_mac(other, second)) == ((one, first) == (other, second))
    assert (own_uuid(one) == own_uuid(other)) == (one == other)
