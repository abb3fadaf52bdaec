"""Every rule has a file that fires it, and a near miss that does not."""

from pathlib import Path

import pytest
from tests.rules.laying import EXAMPLES, run

from vmferry.model.rule import Rule
from vmferry.rules import CHECKS
from vmferry.ruleset import every

NAMES = ("Argo", "Forklift", "NIC's", "NetworkPolicy", "Plan", "ServiceAccount", "StorageClass", "Windows")
RULES = tuple(every().values())


def test_every_check_is_in_the_registry() -> None:
    assert set(CHECKS) <= set(every())


def test_nothing_but_rules_has_examples() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_dir()} <= set(every())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_example_fires_its_rule(rule: Rule, tmp_path: Path) -> None:
    found = run(EXAMPLES / rule.code / "fires.yaml", tmp_path).data["findings"]
    mine = [each for each in found if each["code"] == rule.code]
    assert mine, found
    assert all(each["message"] and each["help"] for each in mine)
    assert all(each["file"] and each["line"] for each in mine) or rule.family == "output"
    assert [each for each in found if each["severity"] == "error" and each["code"] != rule.code] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_near_miss_does_not_fire_it(rule: Rule, tmp_path: Path) -> None:
    found = run(EXAMPLES / rule.code / "passes.yaml", tmp_path).data["findings"]
    assert [each for each in found if each["code"] == rule.code or each["severity"] == "error"] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_says_why_it_is_there(rule: Rule) -> None:
    assert len(rule.why) > 40
    first = rule.title.split()[0]  # written as within a sentence: only names have capitals
    assert first[0].islower() or not first[0].isalpha() or first.isupper() or first in NAMES
