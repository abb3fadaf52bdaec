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
    assert "VMF304" in rows["tsdb-01"]["concerns"].split()
    assert {row["disposition"] for row in rows.values()} >= {"migrate", "rebuild", "retire", "retain", "exclude"}


@pytest.mark.parametrize(
    ("options", "column", "values"),
    [
        (["--phase", "stateful"], "phase", {"stateful"}),
        (["--path", "rebuild"], "path", {"rebuild (C)"}),
        (["--path", "A", "--path", "c"], "path", {"forklift (A)", "rebuild (C)"}),
        (["--disposition", "retire"], "disposition", {"retire"}),
        (["--method", "image"], "method", {"image"}),
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


def test_text_of_all_vms_is_one_table() -> None:
    result = vmferry("explain", ACME, "--all")
    lines = result.out.splitlines()
    assert lines[0].split() == ["vm", "disposition", "path", "method", "namespace", "phase", "group", "why", "concerns"]
    names = [row["vm"] for row in table()]
    assert names == sorted(names)
    assert all(line.startswith(f"{name} ") for line, name in zip(lines[1:], names, strict=True))
    [line] = [line for line in lines if line.startswith("db-01 ")]
    assert "forklift (A)  warm " in line


def test_reasons_are_those_of_path_and_method(tmp_path: Path) -> None:
    assert vmferry("init", tmp_path).code == 0
    team = tmp_path / "vms/team-a.yaml"
    team.write_text(team.read_text() + "  - {name: old-01, id: vm-9, disposition: retire, reason: nobody uses it}\n")
    result = vmferry("explain", tmp_path, "--all", "--format", "csv")
    whys = [row["why"] for row in csv.DictReader(io.StringIO(result.out))]
    assert whys == ["nobody uses it", *["vc1 has only 2 standard VMs (threshold 50); the usual method of virt-v2v"] * 2]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--phase", "statefull"), "No phase 'statefull' in the spec. Did you mean 'stateful'?"),
        (("--group", "zzz"), "No group 'zzz' in the spec. There is: "),
        (("--path", "forklfit"), "is not one of"),
    ],
)
def test_filter_that_nothing_has_is_a_wrong_call(option: tuple[str, str], said: str) -> None:
    result = vmferry("explain", ACME, "--all", *option)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
