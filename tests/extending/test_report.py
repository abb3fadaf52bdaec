"""A report is added by one module and one line: here one that counts VMs by path."""

import json
import re
from pathlib import Path

import pytest
from tests.extending.scratch import Scratch

TOY = '''"""How many VMs go by which path."""

from vmferry.model.report import Column, Report, Table
from vmferry.reports.content import Material

HELP = "Report how many VMs go by which path."


def build(material: Material) -> Report:
    moving = material.vms.where("moves", "yes")
    found = [(path, picked.count) for path, picked in moving.by("path")]
    table = Table("Paths", "path", (Column("path"), Column("VMs", "count")), found, covers=moving.facets)
    return Report("Paths", f"{len(moving.vms)} VMs move", (table,), {path: count.value for path, count in found})
'''
LINE = '    "toy": ("vmferry.reports.toy", "How many VMs go by which path."),'
SPEC = Path(__file__).parents[2] / "examples/minimal"


@pytest.fixture
def extended(tmp_path: Path) -> Scratch:
    scratch = Scratch(tmp_path / "copy")
    scratch.add("reports/toy.py", TOY)
    scratch.register("reports/__init__.py", LINE, after="= {")
    return scratch


def test_a_report_takes_one_module_and_one_line(extended: Scratch) -> None:
    assert extended.added() == (["reports/toy.py"], {"reports/__init__.py": [f"+ {LINE}"]})


def test_it_has_a_command_with_the_options_of_every_report(extended: Scratch) -> None:
    assert re.search("(?m)^  toy +How many VMs go by which path.$", extended.vmferry("report", "--help").out)
    text = extended.vmferry("report", "toy", "--help").out
    for option in ("SPEC", "--assignments", "--now", "--format", "--all"):
        assert option in text


@pytest.mark.parametrize(
    ("style", "shown"),
    [
        ("text", "2 VMs move\n\nPaths\npath      VMs\nforklift  2\n"),
        ("md", "# Paths\n\n2 VMs move\n\n## Paths\n\n| path | VMs |\n| --- | --- |\n| forklift | 2 |\n"),
        ("csv", "path,VMs\nforklift,2\n"),
    ],
)
def test_it_is_rendered_in_every_format(style: str, shown: str, extended: Scratch) -> None:
    result = extended.vmferry("report", "toy", SPEC, "--format", style)
    assert (result.code, result.out) == (0, shown), result.text


def test_as_json_it_is_its_data(extended: Scratch) -> None:
    assert json.loads(extended.vmferry("report", "toy", SPEC, "--format", "json").out) == {"forklift": 2}


def test_no_report_is_imported_to_list_them(extended: Scratch) -> None:
    file = extended.package / "reports/toy.py"
    file.write_text('raise RuntimeError("imported")\n')
    assert extended.vmferry("report", "--help").code == 0
    assert "imported" in extended.vmferry("report", "toy", "--help").err
