"""What is decided of a VM by itself does not depend on which others are decided with it."""

import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.properties.estates import Estate, estates

from vmferry.load.project import load
from vmferry.model.project import Project
from vmferry.resolve.cards import cards_of
from vmferry.resolve.deciding import Basis, make, ways
from vmferry.resolve.disposition import dispose
from vmferry.resolve.notes import Note, Noting, collect, value_of
from vmferry.resolve.paths import standard_vms
from vmferry.resolve.selection import Candidate, Chooser, select
from vmferry.resolve.shared import share
from vmferry.resolve.tables import prepare
from vmferry.resolve.target_names import name_machines


def parts_of(items: tuple[Any, ...], dice: random.Random) -> Iterator[tuple[Any, ...]]:
    """Yield the items in parts of random sizes, the parts in random order."""
    cuts = sorted(dice.sample(range(len(items) + 1), dice.randint(0, len(items))))
    found = [items[low:high] for low, high in zip([0, *cuts], [*cuts, len(items)], strict=True)]
    dice.shuffle(found)
    yield from found


def together(passes: list[tuple[Any, tuple[Note, ...]]], field: Callable[[Any], Mapping[str, Any]]) -> dict[str, Any]:
    return {key: value for made, _ in passes for key, value in field(made).items()}


def notes(*passes: tuple[Any, tuple[Note, ...]]) -> list[str]:
    return sorted(repr(note) for _, found in passes for note in found)


def decided(project: Project, dice: random.Random) -> None:
    """Decide of all VMs at once, and of parts: hold both against each other, values and notes."""
    tables = value_of(prepare(project))
    chooser = Chooser(project.spec, project.where)
    whole = collect(chooser.choose(project.entries))
    split = [collect(chooser.choose(part)) for part in parts_of(project.entries, dice)]
    assert {c.key: c for chosen, _ in split for c in chosen.candidates} == {c.key: c for c in whole[0].candidates}
    assert frozenset().union(*(chosen.used for chosen, _ in split)) == whole[0].used
    assert notes(*split) == notes(whole)

    moving, _ = value_of(dispose(value_of(select(project))))
    standard = standard_vms(moving, project.spec.settings.auto)
    found = collect(ways(moving, standard, tables))
    ways_of_parts = [collect(ways(part, standard, tables)) for part in parts_of(moving, dice)]
    assert together(ways_of_parts, lambda each: each.routes) == found[0].routes
    assert together(ways_of_parts, lambda each: each.namespaces) == found[0].namespaces
    assert notes(*ways_of_parts) == notes(found)

    cards = cards_of(moving)
    names = value_of(name_machines(tuple(cards.values()), found[0].namespaces, (), ()))
    owners, _ = value_of(share(tuple(cards.values()), found[0].namespaces))

    def making(part: tuple[Candidate, ...], golden: dict[tuple[str, str], Any]) -> Noting[Any]:
        return make(part, Basis(found[0], names, owners, golden, tables))

    templates = tuple(each for each in moving if each.vm.template)
    first = value_of(making(templates, {}))
    golden = {(machine.source, machine.name): machine for machine in first.machines.values()}
    made = collect(making(moving, golden))
    made_of_parts = [collect(making(part, golden)) for part in parts_of(moving, dice)]
    for field in ("attached", "allocated", "machines"):
        assert together(made_of_parts, lambda each, field=field: getattr(each, field)) == getattr(made[0], field)
    assert notes(*made_of_parts) == notes(made)


@given(estates(), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_parts_of_an_estate_are_decided_as_the_whole(estate: Estate, seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        decided(load(estate.write(Path(name, "spec"))), random.Random(seed))


def test_parts_of_the_examples_are_decided_as_the_whole() -> None:
    for spec in ("acme", "minimal"):
        project = load(Path(__file__).parents[2] / "examples" / spec)
        for seed in range(3):
            decided(project, random.Random(seed))
