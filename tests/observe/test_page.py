"""docs/evidence.md says what the tables of the compiler say."""

from pathlib import Path

from vmferry.estate.causes import CAUSES

PAGE = (Path(__file__).parents[2] / "docs/evidence.md").read_text(encoding="utf-8")


def test_the_page_lists_every_cause_with_its_next_step_in_order() -> None:
    rows = [line for line in PAGE.partition("## Causes")[2].splitlines() if line.startswith("| `")]
    assert rows == [f"| `{cause.code}` | {cause.problem} | {cause.next} |" for cause in CAUSES]
