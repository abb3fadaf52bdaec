"""The least privileges of an account in vCenter, and the page that lists them."""

from pathlib import Path

import pytest

from vmferry.estate.vcenter_account import SYSTEM, TASKS, Work, granted, needed, superfluous

PAGE = (Path(__file__).parents[2] / "docs/preflight.md").read_text()


@pytest.mark.parametrize("work", TASKS)
def test_the_page_lists_the_privileges_of_each_kind_of_work(work: Work) -> None:
    task = TASKS[work]
    listed = ", ".join(f"`{name}`" for name in granted((work,))) or "none"
    assert f"| `{work}` | {task.what} | {listed} | {task.source} |\n" in PAGE


def test_work_together_needs_what_each_needs() -> None:
    assert needed(("convert", "warm")) == needed(("convert",)) | needed(("warm",))
    assert needed(("read",)) < SYSTEM


def test_what_vcenter_gives_anyway_is_neither_granted_nor_superfluous() -> None:
    assert not SYSTEM & set(granted(TASKS))
    assert superfluous({*SYSTEM, *granted(("cold",)), "VirtualMachine.Inventory.Delete"}, ("cold",)) == (
        "VirtualMachine.Inventory.Delete",
    )
