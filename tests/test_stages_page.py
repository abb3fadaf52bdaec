"""docs/stages.md is what the compiler does, not what somebody wrote about it."""

from tests.stages_page import PAGE, page


def test_the_committed_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: make docs"
