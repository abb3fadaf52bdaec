"""Reads the rows of one sheet, in constant memory: everything that expat reads, but mostly without expat.

Programs write rows in a uniform way: attributes in order, a value or a text, no comments. Two regular expressions read
such a row three times as fast as expat, which calls Python for every tag. Any other row goes through expat, which also
reports errors. Nothing is guessed: the expressions are only used if the next character is known to be between two rows,
and only accept what expat would read as the same cells. docs/decisions/xlsx-reader.md has the measurements.
"""

import codecs
import re
from collections.abc import Iterator
from functools import lru_cache
from operator import add
from typing import IO, NamedTuple

from vmferry.importers.errors import ImporterError
from vmferry.importers.rvtools.xml_parts import MAX_CELL, MAX_TOKEN, TOO_LONG, Feed, chunks, local, parser, unescape

MAX_ROW, MAX_COLUMN = 1_048_576, 16_384  # of a worksheet, by Excel's specification

Cells = dict[int, str]
"""The non-blank cells of a row, by column from 0."""


def rows(stream: IO[bytes], strings: list[str], what: str) -> Iterator[tuple[int, Cells]]:
    """Yield number (from 1) and cells of every non-blank row. Raises ImporterError and ExpatError."""
    reader = _Reader(strings, what)
    found = reader.found
    decoder = codecs.getincrementaldecoder("utf-8")()
    waiting: str | None = ""  # text up to an incomplete row; None if it is not UTF-8
    for chunk in chunks(stream):
        if waiting is not None:
            before = decoder.getstate()[0]
            try:
                waiting = reader.take(waiting + decoder.decode(chunk))
            except UnicodeDecodeError:  # expat knows the other encodings, and refuses invalid ones
                reader.hand_over(waiting.encode() + before)
                waiting = None
        if waiting is None:
            reader.hand_over(chunk)
        yield from found
        found.clear()
    if waiting is not None:
        reader.hand_over(waiting.encode() + decoder.getstate()[0])
    reader.close()
    yield from found


# --- rows as programs write them ----------------------------------------------------------------------

_OTHER = r"<>&\r\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff"  # what XML treats specially, or refuses
_PLAIN = f"[^{_OTHER}]*+"
_TEXT = f"{_PLAIN}(?:&(?:amp|lt|gt|quot|apos);{_PLAIN})*+"
_ATTRIBUTE = f' (?!r=)[A-Za-z][A-Za-z0-9:]*+="[^"\\t\\n{_OTHER}]*+"'


class _Grammar(NamedTuple):
    """The usual form of rows with only formats (some exports have a million of them), and of other rows.

    ``cells`` finds for each cell its whole text, then column, type, and its content as a value or inline.
    """

    blank: re.Pattern[str]
    opening: re.Pattern[str]
    cells: re.Pattern[str]
    closing: str


@lru_cache(maxsize=8)
def _grammar(prefix: str) -> _Grammar:
    """Return the grammar for a namespace prefix, which is empty or ends with a colon."""
    p = re.escape(prefix)
    row = rf'<{p}row r="([0-9]{{1,7}})"(?:{_ATTRIBUTE})*+'
    cell = rf'<{p}c r="([A-Z]{{1,3}})[0-9]{{1,7}}"(?: s="[0-9]{{1,6}}")?'
    value = rf"<{p}v/>|<{p}v>({_TEXT})</{p}v>"
    inline = rf'<{p}is><{p}t(?: xml:space="preserve")?>({_TEXT})</{p}t></{p}is>'
    return _Grammar(
        re.compile(rf"(?:{row}(?:/>|>(?:{cell}/>)*+</{p}row>))++"),
        re.compile(rf"{row}>"),
        re.compile(rf'({cell}(?: t="([A-Za-z]{{1,9}})")?(?:/>|>(?:{value}|{inline})?</{p}c>))'),
        f"</{prefix}row>",
    )


_RESUME = re.compile(r"(?:<(?:\w+:)?sheetData|</(?:\w+:)?row)>")
"""Ends of what goes through expat: the next row may start after it."""


_MOST_PLACES = 1024
_AS_IT_STANDS = frozenset(("", "n", "inlineStr", "str"))
"""Types of cells whose content is shown as written."""


def _plain_text(raw: str) -> str:
    """Return a text with XML's five predefined entities and escapes resolved."""
    if "&" in raw:
        for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
            raw = raw.replace(entity, character)
    return unescape(raw)


class _Columns(dict[str, int]):
    """The columns, from 0, by their letters; a sheet only has those of one row."""

    def __missing__(self, letters: str) -> int:
        column = self[letters] = _column(letters)
        return column


# --- both ways ----------------------------------------------------------------------------------------


class _Reader:
    """Collects rows from a sheet's text, and from expat's events for unusual parts of it."""

    def __init__(self, strings: list[str], what: str) -> None:
        self.found: list[tuple[int, Cells]] = []
        self._strings = strings
        self._what = what
        self._expat = parser(self._start, self._end, self._data)
        self._expat.XmlDeclHandler = self._declared
        self._feed = Feed(self._expat)
        self._grammar: _Grammar | None = None  # after the rows have started, in UTF-8
        self._utf8 = True
        self._tag = -1  # where expat met the tag behind which rows begin, or that of a row's end
        self._between = False  # whether the next character lies between two rows
        self._number = 0
        self._cells: Cells = {}
        self._column = -1
        self._columns = _Columns()
        self._places: dict[tuple[str, ...], tuple[int, ...]] = {}
        self._kind = ""
        self._parts: list[str] = []
        self._length = 0
        self._inside = self._phonetic = False

    def take(self, text: str) -> str:
        """Read the complete rows of a text; return the rest."""
        position = 0
        while True:
            if self._grammar is not None and self._between:
                position = self._plain_rows(self._grammar, text, position)
            end = _RESUME.search(text, position)
            if end is None:
                break
            self._tag = -1
            self._feed.feed(text[position : end.end()].encode())
            self._between = self._tag == self._feed.fed - len(end[0])  # otherwise it is in a comment
            position = end.end()
        if len(text) - position > MAX_TOKEN:
            self.hand_over(text[position:].encode())
            return ""
        return text[position:]

    def hand_over(self, piece: bytes) -> None:
        """Let expat read a piece."""
        self._feed.feed(piece)
        self._between = False

    def close(self) -> None:
        """End the sheet."""
        self._feed.close()

    def _plain_rows(self, grammar: _Grammar, text: str, position: int) -> int:
        """Read rows as long as they have the usual form; return where they end."""
        while True:
            if match := grammar.blank.match(text, position):
                self._number = self._at(int(match[1]))  # the last one's
                position = match.end()
            match = grammar.opening.match(text, position)
            end = text.find(grammar.closing, position) if match else -1
            if match is None or end < 0 or end - position > MAX_CELL:
                break
            cells = grammar.cells.findall(text, match.end(), end)
            wholes, letters, kinds, values, inlines = zip(*cells, strict=True) if cells else ((), (), (), (), ())
            if sum(map(len, wholes)) != end - match.end():  # something else is between them
                break
            self._number = self._at(int(match[1]))
            texts = tuple(map(add, values, inlines))
            if text.find("&", position, end) >= 0 or text.find("_x", position, end) >= 0:
                texts = tuple(map(_plain_text, texts))
            if found := self._shown(letters, kinds, texts):
                self.found.append((self._number, found))
            position = end + len(grammar.closing)
        return position

    def _shown(self, letters: tuple[str, ...], kinds: tuple[str, ...], texts: tuple[str, ...]) -> Cells:
        """Return the values of a row's cells."""
        if not _AS_IT_STANDS.issuperset(kinds):
            texts = tuple(
                text if kind in _AS_IT_STANDS or not text else self._text(kind, text)
                for kind, text in zip(kinds, texts, strict=True)
            )
        columns = self._places.get(letters)  # most rows of a sheet have cells in the same columns
        if columns is None:
            columns = tuple(self._columns[each] for each in letters)
            if len(self._places) < _MOST_PLACES:
                self._places[letters] = columns
        if "" not in texts:
            return dict(zip(columns, texts, strict=True))
        return {column: text for column, text in zip(columns, texts, strict=True) if text}

    def _at(self, number: int) -> int:
        if not 1 <= number <= MAX_ROW:
            raise ImporterError(f"{self._what} has more rows than a worksheet can have")
        return number

    def _text(self, kind: str, text: str) -> str:
        """Return a cell's value, by its type (ST_CellType); an error such as `#N/A` counts as empty."""
        if kind == "s":
            index = int(text) if len(text) < 12 else -1
            if not 0 <= index < len(self._strings):
                raise ImporterError(
                    f"{self._what} row {self._number}: a cell refers to a shared string that does not exist"
                )
            return self._strings[index]
        if kind == "b":
            return "True" if text.strip() == "1" else "False"
        return "" if kind == "e" else text

    # --- events of expat ------------------------------------------------------------------------------

    def _declared(self, _: str, encoding: str | None, __: int) -> None:
        self._utf8 = encoding is None or encoding.lower() == "utf-8"

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = local(name) if ":" in name else name  # saves a call for every tag
        if tag in ("v", "t"):
            self._inside = not self._phonetic
        elif tag == "c":
            self._kind = attributes.get("t", "n")
            letters = attributes.get("r", "").rstrip("0123456789")
            self._column = self._columns[letters] if letters else self._column + 1
            if self._column >= MAX_COLUMN:
                raise ImporterError(f"{self._what}: a row has more columns than a worksheet can have")
            self._parts.clear()
            self._length = 0
        elif tag == "rPh":
            self._phonetic = True
        elif tag == "row":
            number = attributes.get("r", "")
            known = number.isascii() and number.isdigit() and len(number) < 9
            self._number = self._at(int(number) if known else self._number + 1)
            self._cells, self._column = {}, -1
        elif tag == "sheetData" and self._utf8:
            self._grammar = _grammar(name[: -len(tag)])
            self._tag = self._expat.CurrentByteIndex

    def _data(self, text: str) -> None:
        if self._inside:
            self._length += len(text)
            if self._length > MAX_CELL:
                raise ImporterError(f"{self._what}: {TOO_LONG}")
            self._parts.append(text)

    def _end(self, name: str) -> None:
        tag = local(name) if ":" in name else name  # saves a call for every tag
        if tag in ("v", "t"):
            self._inside = False
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "c":
            if self._parts and (text := self._text(self._kind, unescape("".join(self._parts)))):
                self._cells[self._column] = text
        elif tag == "row":
            if self._cells:
                self.found.append((self._number, self._cells))
            self._tag = self._expat.CurrentByteIndex


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _column(letters: str) -> int:
    """Return the column, from 0, of letters such as `AB`. Raises ValueError."""
    column = 0
    for letter in letters:
        column = column * 26 + _LETTERS.index(letter) + 1
        if column > MAX_COLUMN:
            raise ImporterError("a row has more columns than a worksheet can have")
    return column - 1
