"""The list of faults is one that can be tried, and the page about it is about this list."""

import ast
import subprocess
from pathlib import Path

import pytest
from tests.e2e.mutations import CHECKOUT, LAYERS, MUTATIONS, TABLE, Mutation, mutated


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.what)
def test_a_fault_is_a_change_of_the_sources_that_python_or_bash_takes(mutation: Mutation) -> None:
    source = (CHECKOUT / "compiler" / "vmferry" / mutation.file).read_text()
    changed = mutated(mutation, source)
    if mutation.file.endswith(".sh"):
        subprocess.run(["bash", "-n"], input=changed, text=True, check=True)
    else:
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source))


def test_there_are_enough_and_no_two_alike() -> None:
    assert len({mutation.what for mutation in MUTATIONS}) == len(MUTATIONS) >= 30
    backends = {path.name for path in (CHECKOUT / "compiler" / "vmferry" / "backends").glob("*.py")}
    without = {
        "__init__.py",
        "durations.py",
        "names.py",
        "places.py",
        "inputs.py",
    }  # of these nothing is seen in a manifest by itself
    assert {
        Path(each.file).name for each in MUTATIONS if Path(each.file).parent.name == "backends"
    } == backends - without


def test_the_page_says_of_every_fault_what_caught_it() -> None:
    rows = [line.strip("| ").split(" | ") for line in TABLE.read_text().splitlines() if line.startswith("| ")]
    head, _, *faults = [[cell.strip() for cell in row] for row in rows]
    assert head == ["Fault", "Where", *(layer.title for layer in LAYERS)]
    told = {row[0]: [cell for cell in row[2:] if cell] for row in faults}
    assert list(told) == [mutation.what for mutation in MUTATIONS]
    assert [what for what, caught in told.items() if not caught] == []
