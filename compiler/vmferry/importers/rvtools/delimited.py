"""Reads RVTools' .csv files, one per tab: any delimiter, UTF-8, UTF-16 or Windows-1252."""

import codecs
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from vmferry.importers.errors import ImporterError
from vmferry.importers.rvtools.sheets import MAX_COLUMN, MAX_ROW, Cells
from vmferry.importers.rvtools.xml_parts import MAX_PART_BYTES

MAX_HEADER = 2**20  # characters of the first line
_CHUNK = 2**20
_TOP, _LINE = 20, 2**16  # lines among which is the header, and characters of each
_DELIMITERS = ",;\t|^~"
_HINT = re.compile(r'"?sep=(.)"?\s*')  # Excel's own line on top


def rows(path: Path, known: Callable[[str], bool]) -> Iterator[tuple[int, Cells]]:
    """Yield number (from 1) and cells of every record that is not blank. Raises ImporterError.

    ``known`` recognises headers of this tab: the delimiter that yields the most of them is used.
    """
    if path.stat().st_size > MAX_PART_BYTES:
        raise ImporterError(f"{path} is larger than {MAX_PART_BYTES // 2**20} MiB")
    encoding = _encoding(path)
    try:
        with path.open(encoding=encoding, newline="", errors="replace" if encoding == "cp1252" else "strict") as stream:
            first = stream.readline(MAX_HEADER)
            if len(first) >= MAX_HEADER:
                raise ImporterError(f"{path}: the first line is longer than {MAX_HEADER // 2**20} MiB")
            hint = _HINT.fullmatch(first)
            if not hint:
                top = [first, *(stream.readline(_LINE) for _ in range(_TOP - 1))]
                stream.seek(0)
            delimiter = hint[1] if hint else _delimiter(top, known)
            for number, fields in enumerate(csv.reader(stream, delimiter=delimiter), 2 if hint else 1):
                if len(fields) > MAX_COLUMN or number > MAX_ROW:
                    raise ImporterError(f"{path} record {number}: more columns or rows than a table can have")
                cells = {column: text for column, text in enumerate(fields) if text and not text.isspace()}
                if cells:
                    yield number, cells
    except csv.Error as error:
        raise ImporterError(f"{path} cannot be read as a table ({error})") from None
    except UnicodeError as error:
        raise ImporterError(f"{path} is neither UTF-8, UTF-16 nor Windows-1252 text ({error})") from None


def _encoding(path: Path) -> str:
    """Return the encoding: by the byte order mark, by zero bytes (UTF-16 without one), by whether UTF-8 fits."""
    with path.open("rb") as stream:
        head = stream.read(4096)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if head.startswith(codecs.BOM_UTF8):
            return "utf-8-sig"
        if head[1::2].count(0) > len(head) // 4:
            return "utf-16-le"
        if head[::2].count(0) > len(head) // 4:
            return "utf-16-be"
        decoder = codecs.getincrementaldecoder("utf-8")()
        stream.seek(0)
        try:
            while chunk := stream.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _delimiter(top: Sequence[str], known: Callable[[str], bool]) -> str:
    """Return the delimiter that yields the most headers in one of the first lines."""

    def score(delimiter: str) -> int:
        return max(sum(map(known, next(csv.reader([line], delimiter=delimiter), []))) for line in top)

    return max(_DELIMITERS, key=score)
