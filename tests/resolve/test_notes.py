"""A pass yields what it finds and returns its value: nothing is handed a list to write into, and no note is lost."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import vmferry.resolve
from vmferry.model.finding import Finding
from vmferry.resolve.notes import Noting, collect, decide, decisions, findings

RESOLVE = Path(vmferry.resolve.__path__[0])
MODULES = {path.stem: ast.parse(path.read_text()) for path in sorted(RESOLVE.glob("*.py"))}


def noting(name: str, *, methods: bool = False) -> set[str]:
    """Return the functions of a module that note something, or the methods in it."""
    bodies = [each.body for each in MODULES[name].body if isinstance(each, ast.ClassDef)]
    return {
        each.name
        for body in (bodies if methods else [MODULES[name].body])
        for each in body
        if isinstance(each, ast.FunctionDef) and each.returns is not None
        if ast.unparse(each.returns).startswith("Noting[")
    }


def called(name: str) -> set[str]:
    """Return how a module calls what notes something: its own, imported ones, and those of imported modules."""
    names = noting(name)
    for each in ast.walk(MODULES[name]):
        if isinstance(each, ast.ImportFrom) and each.module == "vmferry.resolve":
            modules = [(alias.name, alias.asname or alias.name) for alias in each.names]
            names |= {f"{shown}.{function}" for module, shown in modules for function in noting(module)}
        elif isinstance(each, ast.ImportFrom) and each.module and each.module.startswith("vmferry.resolve."):
            there = noting(each.module.rpartition(".")[2])
            names |= {alias.asname or alias.name for alias in each.names if alias.name in there}
    return names


def calls(name: str) -> Iterator[tuple[ast.Call, ast.AST]]:
    """Yield each call of something that notes, with what it stands in."""
    names, methods = called(name), noting(name, methods=True)
    for parent in ast.walk(MODULES[name]):
        for child in ast.iter_child_nodes(parent):
            if isinstance(child, ast.Call):
                method = isinstance(child.func, ast.Attribute) and child.func.attr in methods
                if method or ast.unparse(child.func) in names:
                    yield child, parent


@pytest.mark.parametrize("name", MODULES)
def test_whoever_calls_a_pass_takes_its_notes(name: str) -> None:
    for call, parent in calls(name):
        taken = isinstance(parent, ast.YieldFrom) or (
            isinstance(parent, ast.Call) and ast.unparse(parent.func) in ("collect", "collect_findings", "value_of")
        )
        assert taken, f"{name}.py:{call.lineno}: what {ast.unparse(call.func)} notes is lost"


def test_most_calls_are_seen() -> None:
    assert sum(1 for name in MODULES for _ in calls(name)) > 80


def test_notes_are_those_of_the_parts_in_order() -> None:
    def part(number: int) -> Noting[int]:
        yield decide("vc1/web", f"part {number}", "done", "it was its turn")
        return number

    def whole() -> Noting[int]:
        return (yield from part(1)) + (yield from part(2))

    value, notes = collect(whole())
    assert value == 3
    assert findings(notes) == ()
    assert [each.subject for each in decisions(notes)["vc1/web"]] == ["part 1", "part 2"]
    assert not any(isinstance(note, Finding) for note in notes)
