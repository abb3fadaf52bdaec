"""What is imported can be loaded, whatever stood in the cells; what no file may hold is an error of the import."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.importers import exports
from tests.importers.estates import estate, vm
from tests.invocation import vmferry

from vmferry.importers.build import build
from vmferry.importers.errors import ImporterError
from vmferry.importers.inventory_files import split, write
from vmferry.importers.rvtools.columns import FIELDS
from vmferry.importers.rvtools.rows import Row
from vmferry.load.validate import convert
from vmferry.model.facts import Disk
from vmferry.model.finding import Where
from vmferry.model.inventory import Inventory
from vmferry.yaml.read import read
from vmferry.yaml.write import dump

HOSTILE = (
    *("", " ", "-", "0", "-1", "1", "1025", "4095", "4096", "65536", "1.5", "1,5", "1.000", "1e18", "NaN", "9" * 25),
    *("true", "null", "~", "<<", "=", "#N/A", "%s", "TODO", "{{x}}", "${HOME}", "a: b", "- a", "# a", "'", '"', "\\"),
    *("[ds1] a/b.vmdk", "[] b", "[x", "/", "//", "/DC1/vm", "1-2", "1-99999", "10.0.0.1", "fe80::1%eth0", "::/999"),
    *("x" * 1024, "x" * 1025, "y" * 20_000, "\U0001f4be" * 400, "\x85\u2028\ufeff", "\x7f", "\x1b[0m", "a\nb", "\t"),
)
TABS = {name: rows for name, rows in exports.estate().items() if rows}
PLACES = tuple((tab, header) for tab, rows in TABS.items() for header in exports.headers(rows))
EVERYTHING = ("--notes", "--attribute", "*")


def refused(directory: Path) -> list[str]:
    """Return what loading the files of an inventory finds wrong with them."""
    found = []
    for path in sorted(directory.rglob("*.yaml")):
        raw = path.read_bytes()
        for document in read(raw, str(path)):
            _, findings = convert(document.data, Inventory, Where(file=str(path)), raw.decode())
            found += [finding.message for finding in findings]
    return found


def imported(tabs: dict[str, Any], directory: Path) -> Path:
    """Import tabs with all free text, and return the directory of the inventory."""
    folder = exports.folder(directory / "in", tabs)
    result = vmferry("import", "rvtools", folder, "--out", directory / "out", *EVERYTHING)
    lists_none = "vInfo lists no VM" in result.err or "no header row" in result.err
    assert result.code == 0 or (result.code == 1 and lists_none), result.text
    return directory / "out"


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(PLACES),
            st.sampled_from(HOSTILE) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_no_cell_makes_an_inventory_that_is_refused_when_it_is_loaded(cells: list[tuple[tuple[str, str], str]]) -> None:
    tabs = {name: [dict(row) for row in rows] for name, rows in TABS.items()}
    for (tab, header), value in cells:
        tabs[tab][0][header] = value
    with tempfile.TemporaryDirectory() as directory:
        assert refused(imported(tabs, Path(directory))) == []


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_value_in_every_cell_is_refused_nowhere(value: str, tmp_path: Path) -> None:
    tabs = {
        name: [dict.fromkeys(exports.headers(rows), value) | {"VM": "a", "VM ID": "vm-1"}]
        for name, rows in TABS.items()
    }
    assert refused(imported(tabs, tmp_path)) == []


def test_every_tab_that_is_read_is_tried() -> None:
    assert set(FIELDS) - set(TABS) == {"vSwitch"}


def test_an_attribute_longer_than_a_line_may_be_stays_in_vcenter_and_it_is_said(tmp_path: Path) -> None:
    sheet = [exports.line(1, "VM", "Spare"), exports.line(2, "a", "\U0001f4be" * 300_000)]
    export = exports.raw(tmp_path / "x.xlsx", sheet)
    result = vmferry("import", "rvtools", export, "--out", tmp_path / "out", *EVERYTHING)
    assert "custom attributes that stay in vCenter: 'Spare'" in result.err
    assert refused(tmp_path / "out") == []


def test_a_cluster_with_long_notes_is_split_into_files_that_can_be_read(tmp_path: Path) -> None:
    vms = [exports.info(f"v{number}", number, Annotation="\U0001f4be" * 16_000) for number in range(600)]
    out = imported({"vInfo": vms}, tmp_path)
    assert len(list(out.rglob("prod.?.yaml"))) == 16
    assert refused(out) == []


def test_thousands_of_rows_that_differ_in_a_number_are_not_all_kept(tmp_path: Path) -> None:
    disks = [exports.disk("a", 1, **{"Disk Key": number // 2}) for number in range(3000)]
    out = imported({"vInfo": [exports.info("a", 1)], "vDisk": disks}, tmp_path)
    text = (out / "vc1/surroundings.yaml").read_text()
    assert text.count("duplicates row") == 1001
    assert "and 500 more rows from here on" in text


def test_a_value_that_no_inventory_may_hold_is_an_error_that_names_its_place() -> None:
    row = Row("vDisk", 7, {"vm": "web-01"}, {}, "dc1.xlsx")
    with pytest.raises(ImporterError) as raised:
        build(Disk, row, size="40Gi", label="x" * 2000)
    assert str(raised.value).startswith(
        "dc1.xlsx: vDisk row 7 (web-01): label: expected `str` of length <= 1024, found"
    )


def test_facts_that_are_unknown_are_left_out() -> None:
    assert build(Disk, "", size="40Gi", label=None) == Disk(size="40Gi")


def test_an_importer_that_builds_without_validating_writes_nothing(tmp_path: Path) -> None:
    good, bad = estate(vm(1, "web-01")), estate(vm(2, "web-02", disks=(Disk(size="40Gi", label=""),)))
    with pytest.raises(ImporterError, match=r"disks\[0\]\.label of 'web-02': expected `str` of length >= 1"):
        write(split(good) | split(bad), tmp_path, dump)
    assert not any(tmp_path.iterdir())
