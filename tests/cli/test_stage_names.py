"""No help, page, schema or finding names a stage that the compiler does not take."""

import json
import re
from itertools import permutations
from pathlib import Path

import pytest
import yaml
from tests.invocation import vmferry
from tests.rules.laying import commit, walk

from vmferry.estate.stages import STAGES

REPOSITORY = Path(__file__).parents[2]
_NAMED = re.compile(r"(?:\bstage:?|\bset to|\bback to|\bset) `?([a-z]+(?:-[a-z]+)?)\b(?! to\b)")


def named(text: str) -> set[str]:
    """Return the stages that a text leads to: what it says to set."""
    return set(re.findall(r"stage: `?(?!the\b)([a-z-]+)", text)) | (set(_NAMED.findall(text)) & set(STAGES))


def test_the_schemas_have_the_stages_that_compile() -> None:
    found = set()
    for path in (REPOSITORY / "schemas").iterdir():
        definitions = json.loads(path.read_text())
        found |= set(re.findall(rf'"({"|".join(STAGES)})"', json.dumps(definitions)))
    assert found == set(STAGES)


@pytest.mark.parametrize("path", sorted((REPOSITORY / "docs").rglob("*.md")), ids=lambda path: path.name)
def test_no_page_leads_to_another_stage(path: Path) -> None:
    assert named(path.read_text()) <= set(STAGES)


@pytest.mark.parametrize("path", ["README.md", "CONTRIBUTING.md", "action.yml", ".pre-commit-hooks.yaml"])
def test_neither_does_what_ships_beside_it(path: str) -> None:
    assert named((REPOSITORY / path).read_text()) <= set(STAGES)


@pytest.mark.parametrize("verb", ["", "check", "compile", "advance", "diff", "explain", "verify", "init", "report"])
def test_no_help_leads_to_another_stage(verb: str) -> None:
    assert named(vmferry(*verb.split(), "--help").text) <= set(STAGES)


@pytest.mark.parametrize("frm", STAGES)
def test_no_finding_on_a_transition_leads_to_another_stage(frm: str, tmp_path: Path) -> None:
    start = tmp_path / "before.yaml"
    more = {"dataLoss": "accepted", "reason": "it was slow"} if frm == "rolled-back" else {}
    start.write_text(yaml.safe_dump({"groups": {"first-01": {"stage": frm, **more}}}))
    project = tmp_path / "project"
    walk(start, project)
    commit(project)
    spec = project / "spec.yaml"
    text = spec.read_text()
    for to in [to for one, to in permutations(STAGES, 2) if one == frm]:
        for more in ("", ", attempt: 2"):
            spec.write_text(re.sub(r"first-01:\n(    .*\n?)+", f"first-01: {{stage: {to}{more}}}\n", text))
            assert f"stage: {to}" in spec.read_text()
            findings = vmferry("check", project, "--against", "HEAD", "--format", "json").data["findings"]
            for finding in findings:
                assert named(f"{finding['message']} {finding['help']}") <= set(STAGES), finding


def test_a_stage_that_is_not_known_is_refused_with_those_that_are(tmp_path: Path) -> None:
    example = tmp_path / "example.yaml"
    example.write_text(yaml.safe_dump({"groups": {"first-01": {"stage": "planned"}}}))
    walk(example, tmp_path / "project")
    spec = tmp_path / "project" / "spec.yaml"
    spec.write_text(spec.read_text().replace("stage: planned", "stage: archived"))
    text = vmferry("check", tmp_path / "project").text
    assert "VMF013" in text
    assert all(stage in text for stage in STAGES)
