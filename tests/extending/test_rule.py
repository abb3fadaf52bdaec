"""A rule is added by one module and its two examples: here one on the names of VMs."""

import shutil
from pathlib import Path

import pytest
from tests.extending.scratch import Scratch
from tests.rules.laying import lay_out

TOY = '''"""Whether VMs are named as people of good manners name them."""

from collections.abc import Iterator

from vmferry.model.review import Problem, Review
from vmferry.rules.registry import rule


@rule("VMF999", "warning", "name does not say please", source="a book on manners")
def impolite(review: Review) -> Iterator[Problem]:
    """A VM that is asked to move should be asked nicely."""
    for subject, _, machine in review.moving:
        if not machine.target_name.endswith("-please"):
            fix = "set `targetName`"
            yield subject.problem("its name does not say please", fix, "name", right=f"{machine.target_name}-please")
'''
FIRES = "# db-01 says it, the others do not.\nvms: [{name: db-01, targetName: db-01-please}]\n"
PASSES = (
    "# All of them say it.\n"
    "assign: [{match: {name: '*'}, set: {phase: first}}]\n"
    "vms: [{name: web-01, targetName: web-please}, {name: web-02, targetName: web2-please},"
    " {name: db-01, targetName: db-please}, {name: win-01, targetName: win-please}]\n"
)
EXAMPLES = "rules/examples/VMF999"


@pytest.fixture
def extended(tmp_path: Path) -> Scratch:
    scratch = Scratch(tmp_path / "copy")
    scratch.add("rules/toy.py", TOY)
    scratch.add(f"{EXAMPLES}/fires.yaml", FIRES)
    scratch.add(f"{EXAMPLES}/passes.yaml", PASSES)
    return scratch


def project(scratch: Scratch, example: str, more: str = "") -> Path:
    """Return the spec that an example stands for."""
    folder = scratch.directory / example
    file = scratch.directory / f"{example}.yaml"
    file.write_text((scratch.package / EXAMPLES / f"{example}.yaml").read_text() + more)
    shutil.rmtree(folder, ignore_errors=True)
    lay_out(file, folder)
    return folder


def test_a_rule_takes_one_module_and_its_examples_and_no_registration(extended: Scratch) -> None:
    assert extended.added() == ([f"{EXAMPLES}/fires.yaml", f"{EXAMPLES}/passes.yaml", "rules/toy.py"], {})


def test_it_fires_on_one_example_and_passes_the_other(extended: Scratch) -> None:
    found = extended.vmferry("check", project(extended, "fires"), "--format", "json", "--no-cache").data["findings"]
    toys = [finding for finding in found if finding["code"] == "VMF999"]
    assert sorted(name for finding in toys for name in finding["vms"]) == ["web-01", "web-02", "win-01"]
    assert {finding["severity"] for finding in toys} == {"warning"}
    assert "VMF999" not in extended.vmferry("check", project(extended, "passes"), "--no-cache").text


def test_a_spec_can_raise_lower_and_accept_it(extended: Scratch) -> None:
    spec = project(extended, "fires", "rules: {VMF999: error}\n")
    raised = extended.vmferry("check", spec, "--no-cache")
    assert raised.code == 1
    assert "error[VMF999] 3 VMs: its name does not say please" in raised.text
    accepted = "suppress: [{rule: VMF999, reason: they are rude, until: '2099-01-01'}]\n"
    spec = project(extended, "fires", accepted)
    assert "VMF999" not in extended.vmferry("check", spec, "--no-cache").text


def test_it_is_listed_and_has_a_page_with_its_reason_and_examples(extended: Scratch) -> None:
    assert "VMF999" in extended.vmferry("rules").out
    page = extended.vmferry("rules", "VMF999").out
    for words in ("name does not say please", "should be asked nicely", "a book on manners", "db-01-please"):
        assert words in page


def test_a_code_that_is_taken_or_retired_is_refused(extended: Scratch) -> None:
    extended.add("rules/second.py", TOY)
    assert "VMF999 is taken" in extended.vmferry("rules").err
    (extended.package / "rules/second.py").write_text(TOY.replace("VMF999", "VMF117"))
    assert "VMF117 is retired" in extended.vmferry("rules").err
