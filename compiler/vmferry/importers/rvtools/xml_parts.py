"""The XML parts of an untrusted workbook, parsed within limits and without document types."""

import re
from collections.abc import Callable, Iterator
from typing import IO
from xml.parsers.expat import ParserCreate, XMLParserType

from vmferry.importers.errors import ImporterError

MAX_PART_BYTES = 512 * 2**20
MAX_CELL = 2**20  # characters; Excel stops at 32,767
MAX_TOKEN = 4 * 2**20  # bytes of one tag or comment: expat holds it in memory as a whole
TOO_LONG = "a cell holds more text than a cell can hold"
_CHUNK = 2**16


def local(name: str) -> str:
    """Return the name of an element without its prefix."""
    return name[name.rfind(":") + 1 :]


def parser(
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] | None = None,
    data: Callable[[str], None] | None = None,
) -> XMLParserType:
    """Return a parser that refuses document types: without declared entities, none can be expanded."""

    def doctype(*_: object) -> None:
        raise ImporterError("a workbook with a document type (DOCTYPE) is refused: RVTools and Excel write none")

    result = ParserCreate()
    result.buffer_text = True
    result.StartDoctypeDeclHandler = doctype
    result.StartElementHandler = start
    if end is not None:
        result.EndElementHandler = end
    if data is not None:
        result.CharacterDataHandler = data
    return result


class Feed:
    """Feeds a part to a parser in pieces, and limits the size of a tag."""

    def __init__(self, to: XMLParserType) -> None:
        self._to = to
        self.fed = 0

    def feed(self, piece: bytes) -> None:
        """Feed a piece. Raises ImporterError, and ExpatError for invalid XML."""
        self.fed += len(piece)
        self._to.Parse(piece, False)
        if self.fed - self._to.CurrentByteIndex > MAX_TOKEN:
            raise ImporterError("a tag in the workbook is larger than any tag can be")

    def close(self) -> None:
        """End the part. Raises ExpatError if it ends too early."""
        self._to.Parse(b"", True)


def chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a part. Raises ImporterError for a part that is too large."""
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > MAX_PART_BYTES:
            raise ImporterError(f"a part of the workbook is larger than {MAX_PART_BYTES // 2**20} MiB when unpacked")
        yield chunk


def parse(to: XMLParserType, stream: IO[bytes]) -> None:
    """Parse a whole part."""
    feed = Feed(to)
    for chunk in chunks(stream):
        feed.feed(chunk)
    feed.close()


_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def unescape(text: str) -> str:
    """Return text without the escapes of ECMA-376 (ST_Xstring), as in `_x000D_`."""
    return _ESCAPE.sub(_character, text) if "_x" in text else text


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)
