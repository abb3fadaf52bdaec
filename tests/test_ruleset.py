"""Rules are declared once each, are all in the list, and findings are made of nothing else: proved by the sources."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.invocation import vmferry
from tests.resolve.projects import project, vm

from vmferry import policy, ruleset
from vmferry.model.rule import RETIRED, declare

CHECKOUT = Path(__file__).parents[1]
PACKAGE = CHECKOUT / "compiler" / "vmferry"
CODE = re.compile(r"VMF\d{3}")
DECLARE = ("declare", "rule", "concern")  # the functions of the compiler that make a rule
LISTS = {
    "model/rule.py": RETIRED,
    "model/base.py": ("VMF701",),  # the example in the schema
}
"""Where else a code stands by itself, and which."""

SOURCES = {path.relative_to(PACKAGE): ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}


def declarations() -> Iterator[tuple[str, str]]:
    """Yield every code that is declared in the sources, with its file."""
    for path, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in DECLARE and node.args:
                code = node.args[0]
                if isinstance(code, ast.Constant):
                    yield str(code.value), path.as_posix()


DECLARED = dict(declarations())


def test_every_rule_is_declared_once() -> None:
    counted = Counter(code for code, _ in declarations())
    assert [code for code, count in counted.items() if count > 1] == []
    assert all(CODE.fullmatch(code) for code in counted)


def test_the_list_has_every_declared_rule() -> None:
    assert len(DECLARED) > 300
    assert list(ruleset.every()) == sorted(DECLARED)


def test_the_list_imports_the_modules_that_declare_rules_and_no_others() -> None:
    modules = {"vmferry." + file.removesuffix(".py").replace("/", ".") for file in DECLARED.values()}
    families = {module for module in modules if module.startswith("vmferry.rules.")}
    assert families, "rules of a family"
    assert sorted(ruleset.DECLARING) == sorted((modules - families) | {"vmferry.rules"})


def test_a_code_stands_nowhere_but_in_its_declaration() -> None:
    found = []
    for path, tree in SOURCES.items():
        strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and type(node.value) is str}
        own = {code for code, file in DECLARED.items() if file == path.as_posix()}
        found += [(path, text) for text in strings - own - {*LISTS.get(path.as_posix(), ())} if CODE.fullmatch(text)]
    assert found == []


def test_findings_are_made_by_rules_alone() -> None:
    makers = {
        path.as_posix()
        for path, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Finding", "Code")
    }
    assert makers == {"model/rule.py"}


def test_a_code_of_text_is_an_error_to_the_type_checker(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from vmferry.model.finding import Finding\n"
        'Finding(code="VMF101", message="", severity="error", essential=True)\n'
        "from vmferry.estate.statements import DEFINED_TWICE\n"
        'DEFINED_TWICE.finding("")\n'
        "from vmferry.estate.statements import DEFINED_TWISE\n"
    )
    command = [sys.executable, "-m", "mypy", "--config-file", CHECKOUT / "pyproject.toml", "--no-error-summary", wrong]
    said = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False).stdout
    assert [int(line.split(":")[1]) for line in said.splitlines() if ": error:" in line] == [2, 5], said


# --- codes that are over


def test_a_retired_code_is_declared_nowhere_and_cannot_be() -> None:
    assert DECLARED.keys() & RETIRED.keys() == set()
    for code in RETIRED:
        with pytest.raises(ValueError, match=f"{code} is retired"):
            declare(code, "error", "something else")


def test_a_code_is_not_declared_again() -> None:
    ruleset.every()
    with pytest.raises(ValueError, match="VMF101 is taken: defined twice"):
        declare("VMF101", "error", "something else")


def test_a_code_that_a_page_once_had_is_declared_or_retired() -> None:
    """A page that is removed without a word would leave its code free for something else."""
    command = ["git", "log", "--format=", "--name-only", "--diff-filter=D", "--", "docs/rules"]
    removed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False).stdout
    gone = set(CODE.findall(removed)) - DECLARED.keys()
    assert gone <= RETIRED.keys()


@pytest.mark.parametrize("code", RETIRED)
@pytest.mark.parametrize("section", [{"rules": {}}, {"suppress": []}], ids=["severity", "suppression"])
def test_a_spec_that_names_a_retired_rule_hears_why_it_is_over(code: str, section: dict[str, Any]) -> None:
    named = {"rules": {code: "off"}} if "rules" in section else {"suppress": [{"rule": code, "reason": "as before"}]}
    [found] = policy.apply((), project(vm("a"), **named), None)
    assert (found.code, found.severity) == ("VMF901", "error")
    assert found.message == f"rule {code} is retired: {RETIRED[code]}"
    assert found.where is not None
    assert found.where.path[0] == next(iter(section))


def test_the_page_of_a_retired_rule_is_the_reason() -> None:
    result = vmferry("rules", "vmf407")
    assert (result.code, result.out) == (2, "")
    assert f"VMF407 is retired: {RETIRED['VMF407']}" in " ".join(result.err.split())


# --- what a check imports


def imported(*arguments: str) -> set[str]:
    """Return the modules of vmferry that a run imports."""
    program = "import atexit, sys; from vmferry.cli import run; atexit.register(lambda: print(*sys.modules)); run()"
    command = [sys.executable, "-c", program, *arguments]
    said = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False).stdout
    return {name for name in said.splitlines()[-1].split() if name.startswith("vmferry")}


def test_a_check_imports_no_stage_for_the_sake_of_its_rules() -> None:
    names = imported("check", "examples/acme", "--select", "VMF1")
    assert {"vmferry.policy", "vmferry.rules.storage"} <= names
    stages = ("vmferry.output", "vmferry.verify", "vmferry.layout.", "vmferry.backends", "vmferry.cli.compile")
    found = {name for name in names if name.startswith(stages)}
    assert found <= {"vmferry.layout.names"}  # what files are called, and nothing that reads a tree
