"""Reads the sheets of an .xlsx file that nobody vouches for, a row at a time, in constant memory.

Own code on top of zipfile and expat, because both libraries failed here on hostile files (measured 2026-11):
python-calamine 0.9 lays a sheet out densely and takes the process down when a sheet of two cells spans
A1:XFD1048576; openpyxl 3.1 keeps every row element (18 s for a million blank rows, twelve times as slow
as this module on a full sheet). Formats and formulas are not needed: a formula counts as its cached value.
"""

import posixpath
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple
from xml.parsers.expat import ExpatError, ParserCreate, XMLParserType
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

MAX_ROW, MAX_COLUMN = 1_048_576, 16_384  # of a worksheet, by Excel's specification
MAX_PART_BYTES = 512 * 2**20
MAX_SHEETS_BYTES = 2 * 2**30  # of all sheets
MAX_STRINGS_BYTES = 256 * 2**20
MAX_CELL = 2**20  # characters; Excel stops at 32,767
MAX_TOKEN = 4 * 2**20  # bytes of one tag or comment: expat holds it in memory as a whole
MAX_MEMBERS = 10_000
_CHUNK = 2**16
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

Cells = dict[int, str]
"""The cells of a row that are not blank, by column from 0."""


class ExportError(Exception):
    """An export that cannot be read; the text says why and what to do."""


class Sheet(NamedTuple):
    """A sheet of a workbook: its name, its part in the archive, and the shared strings."""

    name: str
    path: Path
    part: str
    strings: list[str]

    def rows(self) -> Iterator[tuple[int, Cells]]:
        """Yield number (from 1) and cells of every row that is not blank. Raises ExportError."""
        with _guarded(self.path), ZipFile(self.path) as archive, archive.open(self.part) as stream:
            yield from _rows(stream, self.strings, f"sheet {self.name!r}")


class Workbook(NamedTuple):
    """The sheets of a workbook and when it was made (RFC 3339), if it says so."""

    sheets: tuple[Sheet, ...]
    created: str | None


def open_workbook(path: Path) -> Workbook:
    """Return what is in an .xlsx file (ECMA-376). Raises ExportError."""
    with path.open("rb") as stream:
        if stream.read(8) == _OLE:
            raise ExportError(f"{path} is an old .xls file or has a password: save it as .xlsx without one")
    with _guarded(path), ZipFile(path) as archive:
        if len(archive.namelist()) > MAX_MEMBERS:
            raise ExportError(f"{path} has more than {MAX_MEMBERS} parts: it is no workbook")
        if any(part.compress_type not in (ZIP_STORED, ZIP_DEFLATED) for part in archive.infolist()):
            raise ExportError(f"{path} is compressed as no .xlsx file is: save it as .xlsx again")
        main = next((part for kind, part in _relations(archive, "") if kind == "officeDocument"), "xl/workbook.xml")
        if main not in archive.namelist():
            raise ExportError(f"{path} is a ZIP archive, but no .xlsx workbook")
        ids = dict(_relation_ids(archive, main))
        kinds = dict(_relations(archive, main))
        strings: list[str] = []
        if "sharedStrings" in kinds and kinds["sharedStrings"] in archive.namelist():
            with archive.open(kinds["sharedStrings"]) as stream:
                strings = _strings(stream)
        names = set(archive.namelist())
        sheets = tuple(
            Sheet(name, path, ids[key], strings) for name, key in _sheet_names(archive, main) if ids.get(key) in names
        )
        # a sheet may be there under many names; what zipfile unpacks is never more than an entry declares
        if sum(archive.getinfo(sheet.part).file_size for sheet in sheets) > MAX_SHEETS_BYTES:
            raise ExportError(f"the sheets of {path} are larger than {MAX_SHEETS_BYTES // 2**30} GiB when unpacked")
        return Workbook(sheets, _created(archive))


@contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """Say in words what is wrong with an archive or its XML."""
    try:
        yield
    except BadZipFile as error:
        raise ExportError(f"{path} is not a complete .xlsx file ({error}): export or copy it again") from None
    except (zlib.error, struct.error, EOFError) as error:
        raise ExportError(f"{path} is damaged ({error or 'it ends early'}): export or copy it again") from None
    except ExpatError as error:
        raise ExportError(f"{path} holds XML that cannot be read ({error}): export it again") from None
    except (NotImplementedError, RuntimeError) as error:  # an unknown compression, a password
        raise ExportError(f"{path} cannot be unpacked ({error}): save it as .xlsx again") from None
    except (UnicodeDecodeError, OverflowError, ValueError, LookupError) as error:
        raise ExportError(f"{path} is not a workbook that can be read ({error}): export it again") from None


# --- XML ----------------------------------------------------------------------------------------------


def _local(name: str) -> str:
    return name[name.rfind(":") + 1 :]


def _parser(
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] | None = None,
    data: Callable[[str], None] | None = None,
) -> XMLParserType:
    """Return a parser that refuses document types: whoever declares no entities can expand none."""

    def doctype(*_: object) -> None:
        raise ExportError("a workbook with a document type (DOCTYPE) is refused: RVTools and Excel write none")

    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = start
    if end is not None:
        parser.EndElementHandler = end
    if data is not None:
        parser.CharacterDataHandler = data
    return parser


# Cells and rows that have only a format: some exports have a million rows of them, and expat takes ten times as
# long to pass over one. They are numbered, so that nothing moves when they go.
_BLANK = re.compile(rb'<(?:c|row) r="[^<>/]*+/>')


def _feed(parser: XMLParserType, stream: IO[bytes]) -> Iterator[None]:
    """Feed a part to a parser chunk by chunk, within limits."""
    size = fed = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > MAX_PART_BYTES:
            raise ExportError(f"a part of the workbook is larger than {MAX_PART_BYTES // 2**20} MiB when unpacked")
        chunk = _BLANK.sub(b"", chunk)
        fed += len(chunk)
        parser.Parse(chunk, False)
        if fed - parser.CurrentByteIndex > MAX_TOKEN:
            raise ExportError("a tag in the workbook is larger than any tag can be")
        yield
    parser.Parse(b"", True)
    yield


def _elements(archive: ZipFile, part: str, wanted: str) -> list[dict[str, str]]:
    """Return the attributes of every element of one name in a small part."""
    found: list[dict[str, str]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if _local(name) == wanted:
            if len(found) > MAX_MEMBERS:
                raise ExportError(f"the workbook has more than {MAX_MEMBERS} sheets")
            found.append(attributes)

    with archive.open(part) as stream:
        for _ in _feed(_parser(start), stream):
            pass
    return found


def _relations_of(archive: ZipFile, part: str) -> Iterator[tuple[str, str, str]]:
    """Yield id, kind and target of a part's relations; only those inside the archive."""
    folder, name = posixpath.split(part)
    relations = posixpath.join(folder, "_rels", f"{name}.rels")
    if relations not in archive.namelist():
        return
    for item in _elements(archive, relations, "Relationship"):
        if item.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", folder, item.get("Target", ""))).lstrip("/")
            yield item.get("Id", ""), item.get("Type", "").rpartition("/")[2], target


def _relations(archive: ZipFile, part: str) -> list[tuple[str, str]]:
    return [(kind, target) for _, kind, target in _relations_of(archive, part)]


def _relation_ids(archive: ZipFile, part: str) -> list[tuple[str, str]]:
    return [(key, target) for key, _, target in _relations_of(archive, part)]


def _sheet_names(archive: ZipFile, part: str) -> Iterator[tuple[str, str]]:
    for item in _elements(archive, part, "sheet"):
        key = next((value for name, value in item.items() if name.endswith(":id")), "")
        yield item.get("name", ""), key


def _created(archive: ZipFile) -> str | None:
    """Return the time in docProps/core.xml, in UTC: it has a zone; that of the tab vMetaData has none."""
    if "docProps/core.xml" not in archive.namelist():
        return None
    texts: list[str] = []
    inside = False

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal inside
        inside = _local(name) == "created"

    def data(text: str) -> None:
        if inside and len(texts) < 10:
            texts.append(text)

    with archive.open("docProps/core.xml") as stream:
        for _ in _feed(_parser(start, lambda _: start("", {}), data), stream):
            pass
    text = "".join(texts).strip()
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text, re.ASCII):
        return None
    with suppress(ValueError, OverflowError):  # the 31st of February
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return None


_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def _unescape(text: str) -> str:
    """Return text without the escapes of ECMA-376 (ST_Xstring), as in `_x000D_`."""
    return _ESCAPE.sub(_character, text) if "_x" in text else text


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)


class _Strings:
    """Takes the events of the shared strings; leaves out formats and phonetic hints."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._parts: list[str] = []
        self._length = 0
        self._inside = self._phonetic = False
        self._budget = MAX_STRINGS_BYTES

    def start(self, name: str, _: dict[str, str]) -> None:
        tag = _local(name)
        if tag == "si":
            self._parts.clear()
            self._length = 0
        elif tag == "rPh":
            self._phonetic = True
        elif tag == "t":
            self._inside = not self._phonetic

    def data(self, text: str) -> None:
        if self._inside:
            self._length += len(text)
            if self._length > MAX_CELL:
                raise ExportError(_TOO_LONG)
            self._parts.append(text)

    def end(self, name: str) -> None:
        tag = _local(name)
        if tag == "t":
            self._inside = False
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "si":
            text = _unescape("".join(self._parts))
            self._budget -= 64 + len(text)
            if self._budget < 0:
                raise ExportError(f"the workbook holds more than {MAX_STRINGS_BYTES // 2**20} MiB of text")
            self.found.append(text)


def _strings(stream: IO[bytes]) -> list[str]:
    strings = _Strings()
    for _ in _feed(_parser(strings.start, strings.end, strings.data), stream):
        pass
    return strings.found


_TOO_LONG = "a cell holds more text than a cell can hold"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _column(reference: str) -> int:
    """Return the column, from 0, of a reference such as `AB12`. Raises ValueError."""
    column = 0
    for letter in reference.rstrip("0123456789"):
        column = column * 26 + _LETTERS.index(letter) + 1
        if column > MAX_COLUMN:
            raise ExportError("a row has more columns than a worksheet can have")
    return column - 1


class _Reader:
    """Takes the events of a sheet's XML and collects rows."""

    def __init__(self, strings: list[str], what: str) -> None:
        self.found: list[tuple[int, Cells]] = []
        self._strings = strings
        self._what = what
        self._number = 0
        self._cells: Cells = {}
        self._column = -1
        self._kind = ""
        self._parts: list[str] = []
        self._length = 0
        self._inside = self._phonetic = False
        self._columns: dict[str, int] = {}  # a sheet has few: those of one row

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = _local(name) if ":" in name else name  # spares a call for every tag
        if tag in ("v", "t"):
            self._inside = not self._phonetic
        elif tag == "c":
            self._kind = attributes.get("t", "n")
            reference = attributes.get("r", "").rstrip("0123456789")
            self._column = self._column_of(reference) if reference else self._column + 1
            if self._column >= MAX_COLUMN:
                raise ExportError(f"{self._what}: a row has more columns than a worksheet can have")
            self._parts.clear()
            self._length = 0
        elif tag == "rPh":
            self._phonetic = True
        elif tag == "row":
            number = attributes.get("r", "")
            self._number = (
                int(number) if number.isascii() and number.isdigit() and len(number) < 9 else self._number + 1
            )
            if not 1 <= self._number <= MAX_ROW:
                raise ExportError(f"{self._what} has more rows than a worksheet can have")
            self._cells, self._column = {}, -1

    def _column_of(self, letters: str) -> int:
        column = self._columns.get(letters)
        if column is None:
            column = self._columns[letters] = _column(letters)
        return column

    def data(self, text: str) -> None:
        if self._inside:
            self._length += len(text)
            if self._length > MAX_CELL:
                raise ExportError(f"{self._what}: {_TOO_LONG}")
            self._parts.append(text)

    def end(self, name: str) -> None:
        tag = _local(name) if ":" in name else name  # spares a call for every tag
        if tag in ("v", "t"):
            self._inside = False
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "c":
            if self._parts and (text := self._text("".join(self._parts))):
                self._cells[self._column] = text
        elif tag == "row" and self._cells:
            self.found.append((self._number, self._cells))

    def _text(self, raw: str) -> str:
        """Return what a cell shows, by its type (ST_CellType); an error such as `#N/A` is nothing."""
        if self._kind == "s":
            index = int(raw) if len(raw) < 12 else -1
            if not 0 <= index < len(self._strings):
                raise ExportError(f"{self._what} row {self._number}: a cell refers to a text that is not there")
            return self._strings[index]
        if self._kind == "b":
            return "True" if raw.strip() == "1" else "False"
        if self._kind == "e":
            return ""
        return _unescape(raw)


def _rows(stream: IO[bytes], strings: list[str], what: str) -> Iterator[tuple[int, Cells]]:
    reader = _Reader(strings, what)
    for _ in _feed(_parser(reader.start, reader.end, reader.data), stream):
        yield from reader.found
        reader.found.clear()
