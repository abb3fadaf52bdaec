"""Hostile exports and inventories: workbooks and tabs of RVTools, and what an import wrote, each a little wrong."""

import io
import tempfile
from functools import cache
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from hypothesis import strategies as st
from tests.fuzz.mutations import ODD, texts, values
from tests.importers import exports
from tests.invocation import Result, vmferry

IMPORTS = ("workbook", "tab", "inventory")
_TABS = ("vInfo", "vDisk", "vNetwork", "vPartition", "vHost", "vMetaData", "dvPort")


@cache
def workbook() -> bytes:
    """Return a workbook as RVTools would write it."""
    with tempfile.TemporaryDirectory() as directory:
        return exports.workbook(Path(directory) / "export.xlsx", exports.estate()).read_bytes()


@cache
def tabs() -> dict[str, bytes]:
    """Return the same export as a folder of .csv files."""
    with tempfile.TemporaryDirectory() as directory:
        folder = exports.folder(Path(directory) / "export", exports.estate())
        return {path.name: path.read_bytes() for path in folder.iterdir()}


@cache
def inventory() -> bytes:
    """Return the inventory that is imported of it."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        exports.workbook(root / "export.xlsx", exports.estate())
        done = vmferry("import", "rvtools", root / "export.xlsx", "--out", root / "inventory")
        assert done.code == 0, done.text
        [path, *_] = sorted((root / "inventory").rglob("prod.yaml"))
        return path.read_bytes()


def good(kind: str) -> bytes:
    """Return a file of a kind that is fine."""
    if kind == "tab":
        return b"vInfo\n" + tabs()["RVTools_tabvInfo.csv"]
    return workbook() if kind == "workbook" else inventory()


def inputs(kind: str, seeds: list[bytes]) -> st.SearchStrategy[bytes]:
    """Return hostile files of a kind."""
    broken = st.sampled_from([good(kind), *seeds]).flatmap(texts)
    if kind == "workbook":
        return _parts() | broken
    return _cells() if kind == "tab" else values(good(kind)) | broken


@st.composite
def _parts(draw: st.DrawFn) -> bytes:
    """Yield a workbook of which one part is damaged, missing, or there twice; the archive is whole."""
    with ZipFile(io.BytesIO(workbook())) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = draw(st.sampled_from(sorted(parts)))
    match draw(st.integers(0, 4)):
        case 0:
            del parts[name]
        case 1:
            parts[draw(st.sampled_from(("../x", "xl/worksheets/sheet1.xml/", "/etc/x", "xl/workbook.xml ")))] = parts[
                name
            ]
        case _:
            parts[name] = draw(texts(parts[name]))
    made = io.BytesIO()
    with ZipFile(made, "w", ZIP_DEFLATED) as archive:
        for each, content in parts.items():
            archive.writestr(each, content)
    return made.getvalue()


@st.composite
def _cells(draw: st.DrawFn) -> bytes:
    """Yield a tab, its name in the first line, of which cells or bytes are others."""
    tab = draw(st.sampled_from(_TABS))
    raw = tabs()[f"RVTools_tab{tab}.csv"]
    if draw(st.booleans()):
        return tab.encode() + b"\n" + draw(texts(raw))
    lines = raw.decode().splitlines()
    line = draw(st.integers(0, len(lines) - 1))
    cells = lines[line].split(",")
    for _ in range(draw(st.integers(1, 3))):
        odd = str(draw(st.sampled_from(ODD))).replace("\n", " ")
        cells[draw(st.integers(0, len(cells) - 1))] = '"' + odd.replace('"', '""') + '"'
    lines[line] = ",".join(cells)
    return f"{tab}\n".encode() + "\n".join([*lines, *[lines[-1]] * draw(st.integers(0, 2))]).encode(errors="replace")


def run(kind: str, raw: bytes, root: Path) -> list[Result]:
    """Import a file below ``root`` and draft a spec of it; return the runs."""
    if kind == "inventory":
        (root / "inventory").mkdir()
        (root / "inventory/prod.yaml").write_bytes(raw)
        drafted = vmferry("init", "--from", root / "inventory", "--out", root / "draft")
        return [
            drafted,
            *([vmferry("diff", root / "draft", "--inventory", root / "inventory")] if not drafted.code else []),
        ]
    if kind == "tab":
        tab, _, content = raw.partition(b"\n")
        export = root / "export"
        export.mkdir()
        for name, good_tab in tabs().items():
            (export / name).write_bytes(good_tab)
        (export / f"RVTools_tab{tab.decode()}.csv").write_bytes(content)
    else:
        export = root / "export.xlsx"
        export.write_bytes(raw)
    imported = vmferry("import", "rvtools", export, "--out", root / "inventory")
    return [
        imported,
        *([vmferry("init", "--from", root / "inventory", "--out", root / "draft")] if not imported.code else []),
    ]


WRITTEN = ("export", "export.xlsx", "inventory", "draft")
"""Where these runs read and write, below their root."""
