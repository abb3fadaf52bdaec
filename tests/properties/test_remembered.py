"""What is remembered from earlier runs changes nothing: cold and warm decide the same, whatever was edited between."""

import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.properties.edits import EDITS
from tests.properties.estates import Estate, estates

from vmferry.cache import Cache
from vmferry.estate.blocks import blocks
from vmferry.estate.resolution import Resolution
from vmferry.load.project import load
from vmferry.model.blueprint import Blueprint
from vmferry.resolve.blueprint import resolve
from vmferry.resolve.notes import value_of
from vmferry.resolve.selection import select


def without_reasons(resolution: Resolution) -> tuple[Blueprint, Any, list[str]]:
    blueprint = replace(resolution.blueprint, decisions={})
    return blueprint, resolution.assignments, sorted(map(repr, resolution.findings))


@given(estates(), st.integers(0, 2**32))
@settings(max_examples=25, deadline=None, phases=(Phase.explicit, Phase.generate))
def test_cold_and_warm_decide_the_same_after_any_edits(estate: Estate, seed: int) -> None:
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        for turn in range(5):
            project = load(estate.write(Path(name, f"spec-{turn}")), undecided=True)
            cache = Cache(Path(name, "cache"))
            warm = resolve(project, cache)
            cache.close()
            assert without_reasons(warm) == without_reasons(resolve(project))
            if dice.random() < 0.7:
                estate = estate.copy()
                dice.choice(EDITS)(estate, dice)


def test_what_was_decided_is_not_decided_again(tmp_path: Path) -> None:
    spec = Path(__file__).parents[2] / "examples/acme"
    project = load(spec)
    parts = list(blocks(value_of(select(project))))
    assert len(parts) > 1
    looked: list[int] = []

    class Counting(Cache):
        def get(self, kind: str, keys: Any, form: Any) -> Any:
            found = super().get(kind, keys, form)
            looked.append(len(list(keys)) - len(found))
            return found

    for _ in range(2):
        cache = Counting(tmp_path)
        resolve(project, cache)
        cache.close()
    missed = looked[: len(looked) // 2], looked[len(looked) // 2 :]
    assert sum(missed[0]) > 1
    assert sum(missed[1]) == 0


def test_a_vm_that_is_added_changes_the_block_it_is_in_alone() -> None:
    candidates = value_of(select(load(Path(__file__).parents[2] / "examples/acme")))
    before = list(blocks(candidates))
    for gone in range(len(candidates)):
        after = list(blocks(candidates[:gone] + candidates[gone + 1 :]))
        assert sum(block not in after for block in before) <= 2
        assert sum(block not in before for block in after) <= 1
