"""What differs between two remembered states is what differs between the two when everything is decided again."""

import random
import tempfile
from pathlib import Path

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.properties.edits import EDITS
from tests.properties.estates import Estate, estates

from vmferry.cache import Cache
from vmferry.check import check, review
from vmferry.consequences import consequences
from vmferry.consequences.known import of_known
from vmferry.model.review import Review
from vmferry.recheck import state
from vmferry.solved import Solved, remember


def _solved(spec: Path, cache: Cache) -> Solved | None:
    """Return what a run leaves, as the next one finds it."""
    checked = check(spec, cache=cache, reasons=False, brief=True)
    remember(checked.solved, checked.resolution.blueprint.groups, spec, None, cache)
    cache.flush()
    return state(spec, None, cache) if checked.complete else None


def _review(spec: Path) -> Review:
    checked = check(spec, reasons=False)
    return review(checked.project, checked.resolution)


def _move(estate: Estate, review_: Review, dice: random.Random) -> None:
    """Give some groups another stage."""
    groups = estate.spec.setdefault("groups", {})
    for group in review_.blueprint.groups:
        if dice.random() < 0.5:
            groups[group.name] = {"stage": dice.choice(("planned", "prepared", "migrating"))}


@given(estates(), st.integers(0, 2**32))
@settings(max_examples=25, deadline=None, phases=(Phase.explicit, Phase.generate))
def test_remembered_and_resolved_states_have_the_same_consequences(estate: Estate, seed: int) -> None:
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        cache, spec = Cache(top / "cache"), top / "spec"
        known, whole = [], []
        for _ in range(4):
            estate.write(spec)
            solved = _solved(spec, cache)
            if solved is None:
                break
            known.append(solved)
            whole.append(_review(spec))
            estate = estate.copy()
            if dice.random() < 0.4:
                _move(estate, whole[-1], dice)
            for edit in dice.choices(EDITS, k=dice.randint(0, 2)):
                edit(estate, dice)
        for one, before in zip(known, whole, strict=True):
            for other, after in zip(known, whole, strict=True):
                found = of_known(one, other, None, cache)
                assert found in (None, consequences(before, after, None))
                if one.groups == other.groups and one.cards == other.cards:
                    assert found is not None
        cache.close()
