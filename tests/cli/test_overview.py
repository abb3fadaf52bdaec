"""`vmferry explain --all` as a table: one row a VM, for spreadsheets and pull requests."""

import csv
import io
from pathlib import Path

import pytest
from tests.invocation import vmferry

ACME = Path(__file__).resolve().parent.parent.parent / "examples/acme"


def table(*options: str) -> list[dict[str, str]]:
    result = vmferry("explain", str(ACME), "--all", "--format", "csv", *options)
    assert result.code == 0
    return list(csv.DictReader(io.StringIO(result.out)))


def test_every_vm_has_a_row_with_what_was_decided_and_why() -> None:
    rows = {row["vm"]: row for row in table()}
    assert len(rows) >= 70
    assert (rows["db-01"]["path"], rows["db-01"]["method"], rows["db-01"]["phase"]) == (
        "forklift (A)",
        "warm",
        "stateful",
    )
    assert all(row["why"] for row in rows.values())
    assert rows["tsdb-01"]["concerns"] == "VMF304"
    assert {row["disposition"] for row in rows.values()} >= {"migrate", "rebuild", "retire", "retain", "exclude"}


@pytest.mark.parametrize(
    ("options", "column", "values"),
    [
        (["--phase", "stateful"], "phase", {"stateful"}),
        (["--path", "rebuild"], "path", {"rebuild (C)"}),
        (["--group", "stateful-01", "--group", "stateful-02"], "group", {"stateful-01", "stateful-02"}),
    ],
)
def test_filters_leave_what_they_name(options: list[str], column: str, values: set[str]) -> None:
    assert {row[column] for row in table(*options)} == values


def test_markdown_has_the_same_rows() -> None:
    lines = vmferry("explain", str(ACME), "--all", "--format", "md", "--path", "rebuild").out.splitlines()
    assert lines[0].startswith("| vm | key | disposition | path |")
    assert len(lines) == len(table("--path", "rebuild")) + 2


def test_names_cannot_become_formulas_or_markup(tmp_path: Path) -> None:
    assert vmferry("init", str(tmp_path)).code == 0
    team = tmp_path / "vms/team-a.yaml"
    team.write_text(team.read_text().replace("name: web-01", 'name: "=HYPERLINK(1)|<b>"', 1))
    [first, _] = csv.DictReader(io.StringIO(vmferry("explain", str(tmp_path), "--all", "--format", "csv").out))
    assert first["vm"] == "'=HYPERLINK(1)|<b>"
    assert "=HYPERLINK(1)\\|\\<b\\>" in vmferry("explain", str(tmp_path), "--all", "--format", "md").out
