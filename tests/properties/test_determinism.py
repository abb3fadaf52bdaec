"""One spec gives one tree, byte for byte, however it is spread over files and whatever Python's hashes are."""

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.invocation import process
from tests.properties.estates import Estate, build, estates, staged


@given(estates(), st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_the_order_and_the_split_of_files_do_not_matter(estate: Estate, seed: int) -> None:
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        first = build(estate, Path(name, "first"))
        moved_on = staged(estate, first, dice)
        outputs = [
            build(moved_on, Path(name, f"spec-{turn}"), dice=dice if turn else None, assignments=first.assignments)
            for turn in range(3)
        ]
    for other in outputs[1:]:
        assert other.files == outputs[0].files
        assert other.assignments == outputs[0].assignments


@given(estates())
@settings(max_examples=20, deadline=None)
def test_compiling_again_from_its_own_assignments_changes_nothing(estate: Estate) -> None:
    with tempfile.TemporaryDirectory() as name:
        first = build(estate, Path(name, "first"))
        again = build(estate, Path(name, "again"), assignments=first.assignments)
    assert again.files == first.files
    assert again.assignments == first.assignments


@pytest.mark.slow
@given(estates(), st.integers(0, 2**32))
@settings(max_examples=3, deadline=None)
def test_the_seed_of_hashes_does_not_matter(estate: Estate, seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        trees = []
        for hash_seed in ("1", "4711"):
            spec = estate.write(Path(name, f"spec-{hash_seed}"), dice=random.Random(seed))
            out = Path(name, f"out-{hash_seed}")
            done = process("compile", spec, "--out", out, env={"PYTHONHASHSEED": hash_seed})
            assert done.code == 0, done.text
            trees.append(_content(out) | {"assignments.yaml": (spec / "assignments.yaml").read_bytes()})
    assert trees[0] == trees[1]


def _content(directory: Path) -> dict[str, bytes]:
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}
