"""From files to rows: the parts of an export, and every row of a tab by field names."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from vmferry import cores
from vmferry.importers.cells import count, moment
from vmferry.importers.errors import ImporterError
from vmferry.importers.rvtools import delimited
from vmferry.importers.rvtools.columns import (
    FIELDS,
    KEYS,
    NAMES,
    OF_A_VM,
    PLACEHOLDERS,
    REPEATED,
    SIZES,
    Column,
    around_tab,
    column,
    is_attribute,
    plain,
    tab_of,
)
from vmferry.importers.rvtools.sheets import Cells
from vmferry.importers.rvtools.workbook import open_workbook

MAX_ROWS = 500_000  # that are not blank, of one tab
MAX_VMS = 200_000  # rows of vInfo; a vCenter has 45,000 VMs at most
_LARGE = 2**20  # bytes of an export, packed: a thousand VMs
_HEADER_WITHIN = 20  # rows; some people put a title on top
_CSV = (".csv", ".txt", ".tsv")

Grid = Callable[[], Iterator[tuple[int, Cells]]]


class Row(NamedTuple):
    """A row of a tab: its number, its non-blank cells by field, its custom attributes, and its file.

    Sizes are whole bytes. A row without cells stands for a tab that could not be read because it has no header.
    """

    tab: str
    number: int
    cells: dict[str, str]
    attributes: dict[str, str]
    file: str = ""

    def __str__(self) -> str:
        """Return the place of the row: file, tab, number and the VM."""
        vm = self.cells.get("vm") or self.cells.get("id")
        place = f"{self.tab} row {self.number}"
        return f"{self.file}: {place}" + (f" ({vm[:60]})" if vm else "")


class Table(NamedTuple):
    """One tab of an export."""

    tab: str
    file: Path
    grid: Grid

    def rows(self) -> Iterator[Row]:
        """Yield the rows. Raises ImporterError if it is not such a tab."""
        headers: _Headers | None = None
        kept = number = 0
        for seen, (number, cells) in enumerate(self.grid()):
            if headers is None:
                headers = _headers(self.tab, cells, self.file.name)
                if headers is None and seen >= _HEADER_WITHIN:
                    break
                continue
            kept += 1
            if kept > (most := MAX_VMS if self.tab == "vInfo" else MAX_ROWS):
                raise ImporterError(f"{self.file}: {self.tab} has more than {most} rows")
            row = headers.row(number, cells)
            if row is not None:
                yield row
        if headers is None and self.tab == "vInfo":
            raise ImporterError(f"{self.file}: tab {self.tab} has no header row with a column VM")
        if headers is None and number:
            yield Row(self.tab, number, {}, {}, self.file.name)  # so that it is reported


class Export(NamedTuple):
    """The output of one RVTools run: its tabs, origin, and time (RFC 3339)."""

    name: str  # of the file or folder, without ending
    tables: tuple[Table, ...]
    taken: str | None

    def of(self, tab: str) -> Iterator[Row]:
        """Yield the rows of a tab, from all of its files."""
        for table in self.tables:
            if table.tab == tab:
                yield from table.rows()

    def read(self, tabs: Sequence[str]) -> dict[str, list[Row]]:
        """Return the rows of tabs, from all of their files; of a large export, they are read on all processors."""
        tables = sorted((each for each in self.tables if each.tab in tabs), key=lambda each: tabs.index(each.tab))
        numbers = range(len(tables))
        jobs = [*numbers[::2], *numbers[1::2]]  # so that each process has its part of the long ones
        large = sum(file.stat().st_size for file in {table.file for table in tables}) >= _LARGE
        read = cores.spread(_all_rows, jobs, tables, least=2 if large else len(jobs) + 1)
        found = dict(zip(jobs, read, strict=True))
        rows: dict[str, list[Row]] = {tab: [] for tab in tabs}
        for number, table in enumerate(tables):
            rows[table.tab] += found[number].rows
        return rows

    def has(self, tab: str) -> bool:
        """Return whether a tab was exported."""
        return any(table.tab == tab for table in self.tables)


class _Rows(cores.Portable, frozen=True, array_like=True):
    rows: list[Row]


def _all_rows(tables: Sequence[Table], number: int) -> _Rows:
    return _Rows(list(tables[number].rows()))


def open_exports(paths: Sequence[Path]) -> list[Export]:
    """Return the exports in files and folders. Raises ImporterError.

    A workbook is an export, so is a folder of .csv files, and so are all .csv files passed individually. Files without
    vInfo complete the previous export.
    """
    found: list[Export] = []
    single = [path for path in paths if path.suffix.lower() in _CSV and path.is_file()]
    for path in paths:
        if path.is_dir():
            found += _folder(path)
        elif path not in single:
            found.append(_workbook(path))
    if single:
        found += _exports(single)
    return [_dated(export) for export in _completed(found)]


def _folder(path: Path) -> Iterator[Export]:
    files = sorted(item for item in path.iterdir() if item.is_file())
    tables = [item for item in files if item.suffix.lower() in _CSV and tab_of(item.stem)]
    workbooks = [item for item in files if item.suffix.lower() in (".xlsx", ".xlsm") and item.name[0] != "~"]
    if not tables and not workbooks:
        raise ImporterError(f"{path} contains no RVTools export: neither .xlsx files nor .csv files named after tabs")
    if tables:
        yield from _exports(tables)
    for item in workbooks:
        yield _workbook(item)


def _exports(files: Sequence[Path]) -> list[Export]:
    """Return .csv files as exports: one, unless a tab has files in several folders or with several names."""
    groups: dict[tuple[Path, str], list[Path]] = {}
    for path in files:
        groups.setdefault((path.resolve().parent, around_tab(path.stem)), []).append(path)
    if sum(any(tab_of(path.stem) == "vInfo" for path in some) for some in groups.values()) < 2:
        return [_delimited(files, files[0].resolve().parent.name)]
    folders = {parent for parent, _ in groups}
    return [
        _delimited(some, name if len(folders) == 1 and name else parent.name) for (parent, name), some in groups.items()
    ]


def _delimited(files: Sequence[Path], name: str) -> Export:
    tables = []
    for path in files:
        tab = tab_of(path.stem)
        if tab is None:
            raise ImporterError(f"{path} is not named after a tab of RVTools, as in RVTools_tabvInfo.csv")
        tables.append(Table(tab, path, _grid(path, tab)))
    return Export(name, tuple(tables), _modified(files))


def _grid(path: Path, tab: str) -> Grid:
    return lambda: delimited.rows(path, lambda header: column(tab, header) is not None)


def _workbook(path: Path) -> Export:
    workbook = open_workbook(path)
    tables = tuple(Table(tab, path, sheet.rows) for sheet in workbook.sheets if (tab := tab_of(sheet.name)) is not None)
    if not tables:
        raise ImporterError(f"{path} has no tab of RVTools, such as vInfo")
    return Export(path.stem, tables, workbook.created or _modified([path]))


def _dated(export: Export) -> Export:
    """Return an export with the time that RVTools wrote into it, because copied files get another time."""
    created = next((row.cells["created"] for row in export.of("vMetaData") if "created" in row.cells), None)
    return export._replace(taken=moment(created) or export.taken)


def _modified(files: Sequence[Path]) -> str:
    newest = max(path.stat().st_mtime for path in files)
    return datetime.fromtimestamp(newest, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _completed(found: Sequence[Export]) -> list[Export]:
    whole = [export for export in found if export.has("vInfo")]
    if not whole:
        raise ImporterError("no tab vInfo, which lists the VMs: export all tabs of RVTools")
    result: list[Export] = []
    waiting: tuple[Table, ...] = ()
    for export in found:
        if export.has("vInfo"):
            result.append(export._replace(tables=(*export.tables, *waiting)))
            waiting = ()
        elif result:
            result[-1] = result[-1]._replace(tables=(*result[-1].tables, *export.tables))
        else:
            waiting += export.tables
    return result


# --- headers ------------------------------------------------------------------------------------------


class _Headers(NamedTuple):
    """The meaning of a tab's columns."""

    tab: str
    file: str
    names: Cells
    columns: tuple[tuple[int, str, "_Values"], ...]  # the better of two columns for one field comes first
    attributes: dict[int, str]

    def row(self, number: int, cells: Cells) -> Row | None:
        """Return a row by field; None if it is empty or repeats the header."""
        first = next(iter(cells))
        if self.names.get(first) == cells[first]:
            repeated = sum(self.names.get(index) == text for index, text in cells.items())
            if repeated > 1 and repeated * 2 > len(cells):
                return None
        known: dict[str, str] = {}
        for index, field, values in self.columns:
            if index in cells and field not in known and (value := values[cells[index]]):
                known[field] = value
        if not known:
            return None
        attributes: dict[str, str] = {}
        for index, name in self.attributes.items():
            text = cells.get(index)
            if text is not None and not text.isspace():
                attributes.setdefault(name, text.strip())
        return Row(self.tab, number, known, attributes, self.file)


class _Values(dict[str, str]):
    """The values of some columns' cells, by their text: most texts occur in many rows of a tab."""

    def __init__(self, meaning: Callable[[str], str]) -> None:
        super().__init__()
        self._meaning = meaning

    def __missing__(self, text: str) -> str:
        value = self[text] = self._meaning(text)
        return value


def _meanings(columns: Iterable[Column]) -> dict[Column, _Values]:
    """Return the values of each column's cells; columns of the same kind share them."""
    name, word, vm = _Values(str.strip), _Values(_word), _Values(lambda text: "" if text.isspace() else text)
    sizes: dict[int, _Values] = {}

    def values(what: Column) -> _Values:
        if what.field in SIZES:
            return sizes.setdefault(what.factor, _Values(lambda text: _size(text, what.factor)))
        return vm if what.field == "vm" else name if what.field in NAMES else word

    return {column: values(column) for column in columns}


def _word(text: str) -> str:
    value = text.strip()
    return "" if value.casefold() in PLACEHOLDERS else value


def _size(text: str, factor: int) -> str:
    size = count(text, factor)
    return "" if size is None else str(size)


_WITH_ATTRIBUTES = frozenset(("vInfo", "vCPU", "vMemory", "vTools"))


def _headers(tab: str, cells: Cells, file: str) -> _Headers | None:
    """Return the columns of a header row; None if it is not a header."""
    found = [(index, what) for index, text in cells.items() if (what := column(tab, text)) is not None]
    columns = dict(sorted(found, key=lambda item: item[1].rank))
    fields = {what.field for what in columns.values()}
    if KEYS[tab] not in fields and not (tab in OF_A_VM and len(fields) > 1 and fields & {"id", "uuid"}):
        return None
    attributes: dict[int, str] = {}
    if tab in _WITH_ATTRIBUTES:
        first, last = _notes(cells)
        attributes = {
            index: text.strip()
            for index, text in cells.items()
            if index not in columns and is_attribute(text) and (tab == "vInfo" or first < index < last)
        }
    meanings = _meanings(columns.values())
    repeated = REPEATED if tab in OF_A_VM else ()
    placed = tuple((index, what.field, meanings[what]) for index, what in columns.items() if what.field not in repeated)
    return _Headers(tab, file, cells, placed, attributes)


def _notes(cells: Cells) -> tuple[int, int]:
    """Return the columns between which every tab of VMs has the custom attributes: Annotation and Datacenter."""
    places = {plain(text): index for index, text in cells.items()}
    return places.get("annotation", 2**20), places.get("datacenter", 0)


TABS = tuple(FIELDS)
