"""docs/tutorial.md runs from top to bottom as it stands, and prints what it shows."""

import os
import shutil
from pathlib import Path

import pytest
from tests.tutorial import PAGE, written


@pytest.mark.skipif(
    not (shutil.which("kustomize") or shutil.which("kubectl") or os.environ.get("VMFERRY_REQUIRE_KUSTOMIZE")),
    reason="needs kustomize or kubectl",
)
def test_what_the_tutorial_shows_is_what_its_commands_print(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    found, failed = written(page, tmp_path)
    assert failed == []
    assert found == page, "run: python -m tests.tutorial"
