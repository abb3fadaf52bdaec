"""Exports that are damaged, or that somebody made to do harm: a clear error or a faithful value, and never a hang."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_LZMA, ZipFile

import openpyxl
import pytest
from tests.importers.exports import estate, folder, info, line, raw, rewrite, workbook
from tests.invocation import process, vmferry
from tests.work import counted

from vmferry.estate.words.secrecy import Keep
from vmferry.importers.errors import ImporterError
from vmferry.importers.rvtools.read import read_exports, read_rvtools

EXAMPLE = Path(__file__).parents[4] / "shared/rvtools/example1.xlsx"
NAMES = [
    "a\nb: c",
    "\x1b[31mred\x1b[0m",
    "- {a: [b",
    "../../../../tmp/evil",
    "x" * 300,
    "💾 db 💾",
    "\u202egnp.exe",
    "'\"`$(id)",
    "null",
    "0x1F",
    " lead and trail ",
]


def limited(*args: object) -> subprocess.CompletedProcess[str]:
    """Run vmferry in a process that may have 300 MB of memory."""
    call = ["bash", "-c", 'ulimit -v 300000; exec "$@"', "-", sys.executable, "-m", "vmferry", *map(str, args)]
    return subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)


def refuse(path: Path, match: str) -> Counter[str]:
    """Return the calls that it took to refuse an export: a handful for each row that a sheet may have."""
    with counted() as calls, pytest.raises(ImporterError, match=match):
        read_rvtools([path])
    assert calls.total() < 10 * 1_048_576
    return calls


@pytest.mark.skipif(not EXAMPLE.exists(), reason="shared/rvtools/example1.xlsx is not part of the repository")
def test_the_real_export_takes_less_than_300_mb(tmp_path: Path) -> None:
    result = limited("import", "rvtools", EXAMPLE, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("length", [10, 300, 0.5, 0.99])
def test_a_truncated_workbook_is_refused(length: float, tmp_path: Path) -> None:
    whole = workbook(tmp_path / "x.xlsx", estate()).read_bytes()
    (tmp_path / "y.xlsx").write_bytes(whole[: int(length if length > 1 else len(whole) * length)])
    refuse(tmp_path / "y.xlsx", r"y\.xlsx is not a complete")


def test_a_workbook_with_flipped_bits_is_refused_or_read(tmp_path: Path) -> None:
    whole = bytearray(workbook(tmp_path / "x.xlsx", estate()).read_bytes())
    for position in range(0, len(whole), 331):
        broken = bytes([*whole[:position], whole[position] ^ 0xFF, *whole[position + 1 :]])
        (tmp_path / "y.xlsx").write_bytes(broken)
        try:
            read_rvtools([tmp_path / "y.xlsx"])
        except ImporterError:
            continue


def test_an_old_or_encrypted_workbook_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512))
    refuse(tmp_path / "x.xlsx", "save it as .xlsx")


def test_a_sheet_of_two_cells_at_its_corners_takes_no_memory(tmp_path: Path) -> None:
    corner = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    path = raw(tmp_path / "x.xlsx", [line(1, "VM"), line(2, "a"), corner])
    assert [vm.name for vm in read_rvtools([path])[0].vms] == ["a"]


def test_a_million_blank_rows_are_passed_over(tmp_path: Path) -> None:
    blank = (f'<row r="{number}" ht="15"/>' for number in range(3, 1_048_577))
    path = raw(tmp_path / "x.xlsx", [line(1, "VM"), line(2, "a"), *blank])
    read_rvtools([raw(tmp_path / "small.xlsx", [line(1, "VM"), line(2, "a")])])  # what is done once a process is done
    with counted() as calls:
        assert [vm.name for vm in read_rvtools([path])[0].vms] == ["a"]
    assert calls.total() < 20_000  # none of them is looked at alone


@pytest.mark.parametrize(
    ("sheet", "match"),
    [
        (["<row/>" * 1_100_000], "more rows"),
        (['<row r="9999999"/>x', line(9_999_999, "a")], "more rows"),
        ([line(1, "VM"), "<row>" + "<c/>" * 17_000 + "</row>"], "more columns"),
        ([line(1, "VM"), '<row r="2"><c r="ZZZZ2"><v>1</v></c></row>'], "more columns"),
        ([line(1, "VM"), '<row r="2"><c r="a2"><v>1</v></c></row>'], "not a workbook"),
        ([line(1, "VM"), '<row r="2"><c r="A2" t="s"><v>7</v></c></row>'], "a shared string that does not exist"),
        ([line(1, "VM"), line(2, "A" * 2_000_000)], "more text than a cell"),
        ([line(1, "VM"), f'<row r="{"1" * 6_000_000}">'], "larger than any tag|cannot be read"),
        ([line(1, "VM"), "<row><c><v>"], "cannot be read"),
        ([line(1, "VM"), "<a>" * 200_000], "cannot be read"),
    ],
)
def test_what_no_worksheet_holds_is_refused(sheet: list[str], match: str, tmp_path: Path) -> None:
    refuse(raw(tmp_path / "x.xlsx", sheet), match)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    blank = '<row r="5" ht="15" spans="1:90"/>' * 32_000
    path = raw(tmp_path / "x.xlsx", [line(1, "VM"), *([blank] * 560)])
    assert path.stat().st_size < 5_000_000
    result = limited("import", "rvtools", path, "--out", tmp_path / "out")
    assert "larger than 512 MiB" in result.stderr


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE w SYSTEM "http://127.0.0.1:1/x.dtd">',
        '<!DOCTYPE w [<!ENTITY x "aaaaaaaaaa"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">]>',
    ],
)
def test_entities_are_refused(doctype: str, tmp_path: Path) -> None:
    refuse(raw(tmp_path / "x.xlsx", [line(1, "VM"), line(2, "&x;")], doctype), "DOCTYPE")


def test_a_formula_counts_as_its_cached_value(tmp_path: Path) -> None:
    formula = '<row r="2"><c r="A2" t="str"><f>WEBSERVICE("http://127.0.0.1:1")</f><v>cached</v></c></row>'
    assert read_rvtools([raw(tmp_path / "x.xlsx", [line(1, "VM"), formula])])[0].vms[0].name == "cached"


def test_a_formula_without_value_is_blank(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].title = "vInfo"
    book.worksheets[0].append(["VM", "CPUs"])
    book.worksheets[0].append(["a", "=1+1"])
    book.save(tmp_path / "x.xlsx")
    assert read_rvtools([tmp_path / "x.xlsx"])[0].vms[0].cpu is None


def test_shared_strings_keep_rich_text_and_drop_phonetic_hints(tmp_path: Path) -> None:
    strings = (
        "<sst><si><t>VM</t></si><si><r><t>web</t></r><r><t>-01</t></r><rPh sb='0' eb='1'><t>hint</t></rPh></si>"
        "<si><t>a_x000A_b</t></si></sst>"
    )
    cells = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>{n - 1}</v></c></row>' for n in (1, 2, 3))
    found = read_rvtools([raw(tmp_path / "x.xlsx", [cells], strings=strings)])[0].vms
    assert [vm.name for vm in found] == ["a\nb", "web-01"]


def test_a_csv_of_a_million_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vInfo.csv").write_text("VM," + "x," * 1_000_000 + "\na\n")
    refuse(tmp_path / "vInfo.csv", "longer than")
    (tmp_path / "vInfo.csv").write_text("VM,CPUs\n" + "a," * 1_000_000 + "\n")
    refuse(tmp_path / "vInfo.csv", "more columns")


def test_a_csv_with_one_endless_cell_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vInfo.csv").write_text('VM,CPUs\n"a' + "x" * 1_000_000)
    refuse(tmp_path / "vInfo.csv", "as a table")


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 1000, b"\xff\xfe\x00", b"\xff\xfe" + b"\x00\xd8" * 9, bytes(range(256))]
)
def test_a_csv_that_is_no_text_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "vInfo.csv").write_bytes(content)
    refuse(tmp_path / "vInfo.csv", "vInfo")


def test_hostile_names_are_kept_faithfully_and_write_nothing_elsewhere(tmp_path: Path) -> None:
    rows = [{**info(name, number), "Cluster": name, "Folder": name} for number, name in enumerate(NAMES)]
    export = folder(tmp_path / "in", {"vInfo": rows})
    result = vmferry("import", "rvtools", export, "--out", tmp_path / "out")
    assert result.code == 0, result.text
    assert "\x1b" not in result.text
    found = {vm.name for vm in read_rvtools([export])[0].vms}
    assert found == set(NAMES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.parent for path in files} == {tmp_path / "out/vc1"}


def test_a_name_that_no_spec_can_hold_is_reported(tmp_path: Path) -> None:
    found = read_rvtools([folder(tmp_path / "x", {"vInfo": [info("x" * 401, 1), info("a", 2)]})])[0]
    assert [vm.name for vm in found.vms] == ["a"]
    assert [each.reason for each in found.unjoined] == ["the name is longer than 400 characters"]


def test_text_that_is_too_long_for_the_model_is_left_out_and_reported(tmp_path: Path) -> None:
    long = "y" * 20_000
    row = {**info("a", 1), **dict.fromkeys(["Cluster", "Folder", "DNS Name", "vApp", "Annotation", "Tag"], long)}
    found = read_exports([folder(tmp_path / "x", {"vInfo": [row]})], keep=Keep(notes=True)).inventories[0]
    assert (found.vms[0].cluster, found.vms[0].hostname, len(found.vms[0].annotation or "")) == (None, None, 16_384)
    assert len(found.unjoined) >= 3


@pytest.mark.parametrize("number", ["1e999", "nan", "-5", "9" * 30, "0x10", "=1+1", "1,2,3.4.5", "∞", "١٢"])
def test_numbers_that_are_none_stay_absent(number: str, tmp_path: Path) -> None:
    row = info("a", 1, CPUs=number, Memory=number, Disks=number)
    found = read_rvtools([folder(tmp_path / "x", {"vInfo": [row]})])[0].vms[0]
    assert (found.cpu, found.memory, found.disks) == (None, None, None)


def test_files_that_are_no_exports_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refuse(tmp_path / "empty", "contains no RVTools export")
    refuse(workbook(tmp_path / "other.xlsx", {"Sheet1": [{"a": 1}]}), "no tab of RVTools")
    refuse(workbook(tmp_path / "disks.xlsx", {"vDisk": [{"VM": "a"}]}), "no tab vInfo")
    refuse(workbook(tmp_path / "none.xlsx", {"vInfo": [{"VM": None}]}), "lists no VM")
    refuse(workbook(tmp_path / "odd.xlsx", {"vInfo": [{"Foo": "a"}]}), "no header row")


def test_a_refused_export_writes_nothing_and_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").write_bytes(b"PK")
    result = process("import", "rvtools", tmp_path / "x.xlsx", "--out", tmp_path / "out")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("vmferry: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", [ZIP_BZIP2, ZIP_LZMA])
def test_a_compression_that_no_workbook_has_is_refused(method: int, tmp_path: Path) -> None:
    with ZipFile(workbook(tmp_path / "x.xlsx", estate())) as whole, ZipFile(tmp_path / "y.xlsx", "w", method) as other:
        for name in whole.namelist():
            other.writestr(name, whole.read(name))
    refuse(tmp_path / "y.xlsx", "compress")


def test_many_sheets_of_one_huge_part_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    path = raw(tmp_path / "x.xlsx", [line(1, "VM"), line(2, "a"), " " * 100_000_000])
    more = "".join(f'<sheet name="vInfo {number}" sheetId="{number}" r:id="s"/>' for number in range(2, 60))
    rewrite(path, "xl/workbook.xml", lambda text: text.replace("</sheets>", f"{more}</sheets>"))
    assert refuse(path, "GiB when unpacked").total() < 10_000


def test_a_million_vms_that_no_vcenter_has_are_refused(tmp_path: Path) -> None:
    rows = (f'<row r="{number}"><c r="A{number}"><v>{number}</v></c></row>' for number in range(2, 1_000_000))
    refuse(raw(tmp_path / "x.xlsx", [line(1, "VM"), *rows]), "more than 200000 rows")


def test_file_names_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    paths = [tmp_path / os.fsdecode(b"\xff%d.xlsx" % number) for number in (1, 2)]
    for path in paths:
        workbook(path, {"vInfo": [{"VM": "a"}], "vTools": [{"VM": "b", "Tools": "toolsOk"}]})
    result = vmferry("import", "rvtools", *paths, "--out", tmp_path / "out")
    assert result.code == 0, result.text
    assert len(list((tmp_path / "out").rglob("surroundings.yaml"))) == 2


def test_thousands_of_rows_are_not_all_listed_on_the_terminal(tmp_path: Path) -> None:
    rows = [info(f"a{number}", number // 2) for number in range(2000)]
    result = vmferry("import", "rvtools", folder(tmp_path / "x", {"vInfo": rows}), "--out", tmp_path / "out")
    assert len(result.text.splitlines()) < 20
    assert "995 more" in result.text


@pytest.mark.parametrize("name", ["export.xlsx", "vInfo.csv"])
def test_a_pipe_or_a_device_is_refused_without_being_opened(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    refuse(tmp_path / name, "not a regular file")
    refuse(Path("/dev/zero"), "not a regular file")
