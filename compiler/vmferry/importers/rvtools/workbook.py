"""Opens an untrusted .xlsx file: its sheets, their shared texts, and its time.

Own code on top of zipfile and expat, because both available libraries failed on hostile files;
docs/decisions/xlsx-reader.md has the measurements. Formats and formulas are not needed: a formula counts as its cached
value.
"""

import posixpath
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple
from xml.parsers.expat import ExpatError
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from vmferry.importers.errors import ImporterError
from vmferry.importers.rvtools.sheets import Cells, rows
from vmferry.importers.rvtools.xml_parts import MAX_CELL, TOO_LONG, local, parse, parser, unescape

MAX_SHEETS_BYTES = 2 * 2**30  # of all sheets
MAX_STRINGS_BYTES = 256 * 2**20
MAX_MEMBERS = 10_000
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class Sheet(NamedTuple):
    """A sheet of a workbook: its name, its part in the archive, and the shared strings."""

    name: str
    path: Path
    part: str
    strings: list[str]

    def rows(self) -> Iterator[tuple[int, Cells]]:
        """Yield number (from 1) and cells of every non-blank row. Raises ImporterError."""
        with _guarded(self.path), ZipFile(self.path) as archive, archive.open(self.part) as stream:
            yield from rows(stream, self.strings, f"sheet {self.name!r}")


class Workbook(NamedTuple):
    """The sheets of a workbook and its creation time (RFC 3339), if stated."""

    sheets: tuple[Sheet, ...]
    created: str | None


def open_workbook(path: Path) -> Workbook:
    """Return the content of an .xlsx file (ECMA-376). Raises ImporterError."""
    if path.exists() and not path.is_file():
        raise ImporterError(f"{path} is not a regular file: save the export as one")
    with path.open("rb") as stream:
        if stream.read(8) == _OLE:
            raise ImporterError(f"{path} is an old .xls file or has a password: save it as .xlsx without one")
    with _guarded(path), ZipFile(path) as archive:
        if len(archive.namelist()) > MAX_MEMBERS:
            raise ImporterError(f"{path} has more than {MAX_MEMBERS} parts: it is not a workbook")
        if any(part.compress_type not in (ZIP_STORED, ZIP_DEFLATED) for part in archive.infolist()):
            raise ImporterError(f"{path} uses a compression that .xlsx files do not: save it as .xlsx again")
        main = next((part for kind, part in _relations(archive, "") if kind == "officeDocument"), "xl/workbook.xml")
        if main not in archive.namelist():
            raise ImporterError(f"{path} is a ZIP archive but not an .xlsx workbook")
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
        # a sheet may have many names; zipfile never unpacks more than an entry declares
        if sum(archive.getinfo(sheet.part).file_size for sheet in sheets) > MAX_SHEETS_BYTES:
            raise ImporterError(f"the sheets of {path} are larger than {MAX_SHEETS_BYTES // 2**30} GiB when unpacked")
        return Workbook(sheets, _created(archive))


@contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """Put an error in an archive or its XML into words."""
    try:
        yield
    except BadZipFile as error:
        raise ImporterError(f"{path} is not a complete .xlsx file ({error}): export or copy it again") from None
    except (zlib.error, struct.error, EOFError) as error:
        raise ImporterError(f"{path} is damaged ({error or 'it ends early'}): export or copy it again") from None
    except ExpatError as error:
        raise ImporterError(f"{path} contains XML that cannot be read ({error}): export it again") from None
    except (NotImplementedError, RuntimeError) as error:  # an unknown compression, a password
        raise ImporterError(f"{path} cannot be unpacked ({error}): save it as .xlsx again") from None
    except (UnicodeDecodeError, OverflowError, ValueError, LookupError) as error:
        raise ImporterError(f"{path} is not a workbook that can be read ({error}): export it again") from None


def _elements(archive: ZipFile, part: str, wanted: str) -> list[dict[str, str]]:
    """Return the attributes of every element of one name in a small part."""
    found: list[dict[str, str]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if local(name) == wanted:
            if len(found) > MAX_MEMBERS:
                raise ImporterError(f"the workbook has more than {MAX_MEMBERS} sheets")
            found.append(attributes)

    with archive.open(part) as stream:
        parse(parser(start), stream)
    return found


def _relations_of(archive: ZipFile, part: str) -> Iterator[tuple[str, str, str]]:
    """Yield id, kind and target of a part's relations inside the archive."""
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
    """Return the time in docProps/core.xml, in UTC: it has a time zone, unlike the time in the tab vMetaData."""
    if "docProps/core.xml" not in archive.namelist():
        return None
    texts: list[str] = []
    inside = False

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal inside
        inside = local(name) == "created"

    def data(text: str) -> None:
        if inside and len(texts) < 10:
            texts.append(text)

    with archive.open("docProps/core.xml") as stream:
        parse(parser(start, lambda _: start("", {}), data), stream)
    text = "".join(texts).strip()
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text, re.ASCII):
        return None
    with suppress(ValueError, OverflowError):  # the 31st of February
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return None


class _Strings:
    """Collects the shared strings, without formats and phonetic hints."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._parts: list[str] = []
        self._length = 0
        self._inside = self._phonetic = False
        self._budget = MAX_STRINGS_BYTES

    def start(self, name: str, _: dict[str, str]) -> None:
        tag = local(name)
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
                raise ImporterError(TOO_LONG)
            self._parts.append(text)

    def end(self, name: str) -> None:
        tag = local(name)
        if tag == "t":
            self._inside = False
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "si":
            text = unescape("".join(self._parts))
            self._budget -= 64 + len(text)
            if self._budget < 0:
                raise ImporterError(f"the workbook contains more than {MAX_STRINGS_BYTES // 2**20} MiB of text")
            self.found.append(text)


def _strings(stream: IO[bytes]) -> list[str]:
    strings = _Strings()
    parse(parser(strings.start, strings.end, strings.data), stream)
    return strings.found
