"""Tests of `vmferry rules`: the list, a page, and docs/rules."""

from pathlib import Path

import pytest
from tests.invocation import vmferry

from vmferry.kube import versions
from vmferry.ruleset import every

DOCS = Path(__file__).parents[2] / "docs/rules"


def test_the_list_has_every_rule_once() -> None:
    result = vmferry("rules")
    assert result.code == 0
    assert [line.split()[0] for line in result.out.splitlines()] == [*every()]


def test_a_page_has_both_examples() -> None:
    result = vmferry("rules", "vmf201")
    assert result.code == 0
    assert result.out.startswith("# VMF201: ")
    assert "## Fires\n" in result.out
    assert "## Does not fire\n" in result.out


def test_an_unknown_code_is_wrong_usage() -> None:
    result = vmferry("rules", "VMF20")
    assert (result.code, result.out) == (2, "")
    assert "Did you mean VMF2" in result.err


def test_json_has_every_field_of_every_rule() -> None:
    data = vmferry("rules", "--format", "json").data
    assert [each["code"] for each in data] == [*every()]
    assert {tuple(each) for each in data} == {
        ("code", "severity", "family", "title", "why", "source", "essential", "fires", "passes")
    }


def test_the_committed_pages_are_up_to_date(tmp_path: Path) -> None:
    assert vmferry("rules", "--out", tmp_path).code == 0
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_text() for path in DOCS.iterdir()} if DOCS.is_dir() else {}
    assert committed == written, "run `make docs` and commit docs/rules"


def test_pages_of_rules_that_are_gone_are_removed_and_others_are_kept(tmp_path: Path) -> None:
    for name in ("VMF000.md", "mine.md"):
        (tmp_path / name).write_text("x")
    vmferry("rules", "--out", tmp_path)
    assert not (tmp_path / "VMF000.md").exists()
    assert (tmp_path / "mine.md").exists()


@pytest.mark.parametrize("rule", ["VMF001", "VMF201"])
def test_markdown_of_one_rule_is_its_page(rule: str) -> None:
    assert vmferry("rules", rule, "--format", "md") == vmferry("rules", rule)


def test_the_supported_versions_are_shown_with_what_depends_on_them() -> None:
    lines = vmferry("rules", "--versions").out.splitlines()
    forklift = next(line for line in lines if line.startswith("Forklift"))
    assert forklift.split() == ["Forklift", "2.9", "2.12", "2.9", "to", "2.12,", "main", "before", "2.11"]
    assert any(line.startswith("KubeVirt") and line.endswith("1.5 and later") for line in lines)


def test_the_supported_versions_as_json_have_every_component_and_feature() -> None:
    data = vmferry("rules", "--versions", "--format", "json").data
    assert {each["component"] for each in data["components"]} == {each.value for each in versions.Component}
    assert len(data["features"]) == len(versions.features())


def test_versions_go_with_no_code() -> None:
    assert vmferry("rules", "VMF201", "--versions").code == 2
