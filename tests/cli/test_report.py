"""Tests of `vmferry report concerns`: what is counted, in every format, whatever VMs are called."""

import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from tests.cli.test_check import SPEC, vm
from tests.cli.test_hostile_names import NAMES, harmless
from tests.invocation import Result, vmferry

FORMATS = ("text", "md", "csv", "json")


def unpowered(*names: str, source: str = "vc1") -> str:
    """Return VMs of which nobody knows whether they run: VMF108, an error."""
    disks = "disks: [{size: 1Gi, datastore: ds1}]"
    return "".join(
        f"  - {{name: {json.dumps(name)}, source: {source}, os: linux, {disks}, nics: []}}\n" for name in names
    )


def report(text: str, style: str = "json", *options: str) -> Result:
    return vmferry("report", "concerns", "-", "--format", style, *options, stdin=text.encode())


def rules(text: str) -> dict[str, Any]:
    return {rule["code"]: rule for rule in report(text).data["rules"]}


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(report(text, "csv").out)))


MIXED = f"{SPEC}vms:\n{unpowered('b', 'c')}{vm('a')}  - {{name: d, disposition: exclude, reason: it is old}}\n"


@pytest.mark.parametrize("style", FORMATS)
def test_whatever_is_found_the_exit_code_is_that_of_success(style: str) -> None:
    result = report(MIXED, style)
    assert (result.code, result.err) == (0, "")
    assert "VMF108" in result.out


def test_rules_are_counted_the_worst_first() -> None:
    found = report(MIXED).data["rules"]
    ranks = [("error", "warning", "info").index(rule["severity"]) for rule in found]
    assert ranks == sorted(ranks)
    unknown = rules(MIXED)["VMF108"]
    assert (unknown["severity"], unknown["vms"], unknown["findings"]) == ("error", ["b", "c"], 2)
    assert found[0]["code"] == "VMF108"


def test_what_concerns_most_vms_comes_first_of_what_is_as_bad() -> None:
    bare = "".join(f"  - {{name: n{number}, os: linux, powerState: poweredOn}}\n" for number in range(3))
    errors = [
        rule for rule in report(f"{SPEC}vms:\n{bare}{vm('x', 'other')}").data["rules"] if rule["severity"] == "error"
    ]
    assert [rule["code"] for rule in errors] == ["VMF108", "VMF201"]


def test_every_vm_is_there_with_what_concerns_it() -> None:
    found = {vm["name"]: vm for vm in report(MIXED).data["vms"]}
    assert sorted(found) == ["a", "b", "c", "d"]
    assert found["b"]["errors"] == found["c"]["errors"] == ["VMF108"]
    assert found["a"]["errors"] == found["d"]["errors"] == []
    assert found["d"]["disposition"] == "exclude"
    assert found["a"]["path"] == "forklift"
    assert [vm["name"] for vm in report(MIXED).data["vms"]][:2] == ["b", "c"]


def test_the_summary_adds_up() -> None:
    line = report(MIXED, "text").out.splitlines()[0]
    match = re.fullmatch(r"4 VMs: 2 blocked by errors, (\d) with concerns, (\d) clean", line)
    assert match is not None
    assert int(match[1]) + int(match[2]) == 2
    assert line in report(MIXED, "md").out


def test_vms_of_one_name_are_told_apart() -> None:
    two = SPEC.replace(
        "target:\n", SPEC[SPEC.index("  - name: vc1") : SPEC.index("target:")].replace("vc1", "vc2") + "target:\n", 1
    )
    sound = vm("web-01").replace("os: linux", "source: vc2, os: linux, targetName: web-02")
    found = report(f"{two}vms:\n{unpowered('web-01')}{sound}").data["vms"]
    assert {vm["key"]: "VMF108" in vm["errors"] for vm in found} == {"vc1/web-01": True, "vc2/web-01": False}


def test_csv_has_a_row_a_vm_and_text_has_the_worst_ten() -> None:
    names = [f"web-{number:02d}" for number in range(25)]
    text = f"{SPEC}vms:\n{unpowered(*names)}"
    assert [row["vm"] for row in rows(text)] == names
    assert {row["errors"] for row in rows(text)} == {"VMF108"}
    short, full = report(text, "text").out, report(text, "text", "--all").out
    assert sum(name in short for name in names) == 10
    assert "… and 15 VMs more; --all shows them\n" in short
    assert all(name in full for name in names)
    assert "more" not in full


def test_a_spec_without_vms_is_reported_on() -> None:
    for style in FORMATS:
        assert report(SPEC, style).code == 0
    assert report(SPEC, "text").out.startswith("0 VMs: 0 blocked by errors, 0 with concerns, 0 clean\n")
    assert rows(SPEC) == []
    assert report(SPEC).data["vms"] == []


@pytest.mark.parametrize("style", ["html", "md", "csv", "ics"])
def test_a_file_that_cannot_be_read_is_a_finding_in_every_format(style: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(f"{SPEC}vms: [")
    result = vmferry("report", "schedule", tmp_path, "--format", style)
    assert (result.code, result.out) == (1, "")
    assert "error[VMF" in result.err


@pytest.mark.parametrize("name", [*NAMES.values(), "\ud800", "a\ud800b"])
@pytest.mark.parametrize("style", FORMATS)
def test_names_do_nothing_to_a_terminal(name: str, style: str) -> None:
    result = report(f"{SPEC}vms:\n{unpowered(name)}", style, *(["--all"] if style == "text" else []))
    assert "internal error" not in result.err
    assert harmless(result.text)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0", "\n=1", "\r=1"])
def test_a_spreadsheet_takes_no_name_for_a_formula(name: str) -> None:
    [row] = rows(f"{SPEC}vms:\n{unpowered(name)}")
    assert row["vm"][0] not in "=+-@\t\r\n"
    assert row["vm"].lstrip("'").endswith(name.strip()[1:])


@pytest.mark.parametrize("name", ["a,b", 'a"b', "a;b", "'a", "a\nb"])
def test_csv_has_one_cell_a_name(name: str) -> None:
    [row] = rows(f"{SPEC}vms:\n{unpowered(name)}")
    assert row["vm"] == name.replace("\n", "\\n")
    assert row["key"] == f"vc1/{row['vm']}"


MARKUP = [
    "a|b",
    "a\\|b",
    "`a`",
    "**a**",
    "<script>alert(1)</script>",
    "[a](https://evil.example)",
    "![a](https://evil.example/x.png)",
    "https://evil.example/a",
    "www.evil.example",
    "~~a~~",
    "a\n# b",
    "&lt;b&gt;",
    "</td></table><h1>x",
    "<https://evil.example>",
    "_a_",
    "$x$",
]


@pytest.mark.parametrize(
    "name", [*MARKUP, *(each for each in NAMES.values() if each.isprintable() and len(each) < 100)]
)
def test_markdown_shows_every_name_as_it_is(name: str) -> None:
    text = report(f"{SPEC}vms:\n{unpowered(name)}", "md").out
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    cells = [token for token in tokens if token.type == "inline"]
    plain = [cell for cell in cells if cell.children and all(child.type == "text" for child in cell.children)]
    assert name.replace("\n", "\\n") in {"".join(child.content for child in cell.children or ()) for cell in plain}
    assert not {child.type for cell in cells for child in cell.children or ()} & {"link_open", "image", "html_inline"}
    assert not re.search(r"(?i)https?://|www\.", text)


# --- what cannot be read ----------------------------------------------------------------------------


def test_json_of_what_cannot_be_read_is_findings() -> None:
    result = report("a: [", "json")
    assert result.code == 1
    assert [finding["code"] for finding in result.data["findings"]] == ["VMF001"]


@pytest.mark.parametrize("style", ["md", "csv"])
def test_a_table_of_what_cannot_be_read_is_empty_and_the_findings_are_beside_it(style: str) -> None:
    result = report("a: [", style)
    assert (result.code, result.out) == (1, "")
    assert "error[VMF001]" in result.err


def test_errors_that_keep_rules_from_running_are_said() -> None:
    note = "most rules did not run because of errors: fix these first for the full report"
    assert note in report(MIXED, "text").out
    assert note in report(MIXED, "md").out
    assert note not in report(f"{SPEC}vms:\n{vm('a')}", "text").out


def test_assignments_and_the_time_are_taken_as_by_check(tmp_path: Path) -> None:
    text = f"{SPEC}vms:\n{vm('a')}suppress: [{{rule: VMF109, reason: known, until: '2027-03-10'}}]\n"
    late = vmferry("report", "concerns", "-", "--now", "2027-03-11", "--format", "json", stdin=text.encode()).data
    assert "VMF904" in {rule["code"] for rule in late["rules"]}
    (tmp_path / "a.yaml").write_text("a: [")
    result = vmferry("report", "concerns", "-", "--assignments", tmp_path / "a.yaml", stdin=text.encode())
    assert result.code == 1


def test_the_group_lists_its_reports_and_refuses_others() -> None:
    result = vmferry("report", "--help")
    assert result.code == 0
    assert re.search("(?m)^  concerns +What stands in the way", result.out)
    result = vmferry("report", "nothing")
    assert (result.code, result.out) == (2, "")
    assert "No such command 'nothing'" in result.err


def test_findings_that_are_about_no_vm_are_counted_without_any() -> None:
    text = f"{SPEC}assign: [{{match: {{name: x}}, set: {{phase: first}}}}]\nvms:\n{vm('a')}"
    assert rules(text)["VMF109"]["vms"] == []
    assert re.search(r"(?m)^VMF109 +warning +match selects no VM$", report(text, "text", "--all").out)


@pytest.mark.parametrize("name", ["assessment", "networks", "site"])
def test_an_inventory_without_vms_is_no_estate_to_report_on(tmp_path: Path, name: str) -> None:
    inventory = tmp_path / "inventory"
    shutil.copytree(Path(__file__).parents[2] / "examples/acme/inventory", inventory)  # hosts, and NSX
    more = ("--out", tmp_path / "site") if name == "site" else ()
    result = vmferry("report", name, inventory, *more)
    assert result.code == 2
    assert f"no VM in {inventory}; write an inventory with `vmferry import`" in result.err
    assert "internal error" not in result.err
