"""Rows that are read without expat are the rows that expat reads, however a sheet is written."""

import io
import re
from collections.abc import Callable
from typing import Any
from xml.parsers.expat import ExpatError

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.work import counted

from vmferry.importers.errors import ImporterError
from vmferry.importers.rvtools import sheets

STRINGS = ["", "web-01", "a & b", "_x"]
HEAD = '<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="m"><cols><col min="1"/></cols>'

CELLS = (
    '<c r="{}" t="s"><v>1</v></c>',
    '<c r="{}" s="12" t="s"><v>2</v></c>',
    '<c r="{}"><v>4.5</v></c>',
    '<c r="{}" s="4"/>',
    '<c r="{}" t="n"><v/></c>',
    '<c r="{}" t="n"></c>',
    '<c r="{}" t="b"><v>1</v></c>',
    '<c r="{}" t="e"><v>#N/A</v></c>',
    '<c r="{}" t="d"><v>2026-11-29</v></c>',
    '<c r="{}" t="str"><f>A1&amp;"x"</f><v>cached</v></c>',
    '<c r="{}" t="inlineStr"><is><t>text</t></is></c>',
    '<c r="{}" t="inlineStr"><is><t xml:space="preserve"> a\nb </t></is></c>',
    '<c r="{}" t="inlineStr"><is><t>&lt;a&gt; &amp;amp; &quot;_x000A_&apos;</t></is></c>',
    '<c r="{}" t="inlineStr"><is><t>&#65;&#x42;</t></is></c>',
    '<c r="{}" t="inlineStr"><is><t>a\r\nb</t></is></c>',
    '<c r="{}" t="inlineStr"><is><t><![CDATA[</row><row r="9">]]></t></is></c>',
    '<c r="{}" t="inlineStr"><is><r><t>rich</t></r><r><t> text</t></r><rPh sb="0"><t>hint</t></rPh></is></c>',
    '<c t="inlineStr" r="{}"><is><t>attributes in another order</t></is></c>',
    "<c r='{}'><v>7</v></c>",
    "<c><v>8</v></c>",
    '<c r="{}"> <v>9</v> </c>',
    '<c r="{}" t="inlineStr"><is><t>ü \U0001f4be \u2028</t></is></c>',
)
BETWEEN = (
    "",
    "\n",
    " ",
    "<!-- </row> -->",
    '<!-- <row r="3"><c r="A3"><v>1</v></c></row> -->',
    "<?pi </row>?>",
    "<x/>",
)
ROWS = (
    '<row r="{}">',
    '<row r="{}" spans="1:9" ht="15" x14ac:dyDescent="0.25">',
    "<row>",
    "<row r='{}'>",
    '<row s="1">',
)
BLANK = ('<row r="{}" ht="15"/>', '<row r="{}"><c r="A{}" s="4"/><c r="B{}"/></row>', "<row/>", '<row r="{}"></row>')


@st.composite
def documents(draw: Callable[[Any], Any]) -> str:
    """Return a sheet, written in any mixture of ways."""
    parts = []
    number = 0
    for _ in range(draw(st.integers(0, 8))):
        number += draw(st.integers(1, 3))
        if draw(st.booleans()):
            parts.append(draw(st.sampled_from(BLANK)).replace("{}", str(number)))
        else:
            cells = draw(st.lists(st.sampled_from(CELLS), max_size=5))
            inside = "".join(cell.format(f"{'ABCDE'[index]}{number}") for index, cell in enumerate(cells))
            parts.append(f"{draw(st.sampled_from(ROWS)).format(number)}{inside}</row>")
        parts.append(draw(st.sampled_from(BETWEEN)))
    return f"{HEAD}<sheetData>{''.join(parts)}</sheetData><mergeCells><mergeCell/></mergeCells></worksheet>"


class Slowly(io.BytesIO):
    """Gives a few bytes at a time, so that rows end anywhere in them."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self._size = size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._size)


def found(content: bytes, size: int = 2**16) -> Any:
    """Return the rows of a sheet, or what is wrong with it."""
    try:
        return list(sheets.rows(Slowly(content, size), STRINGS, "sheet"))
    except (ExpatError, ImporterError, ValueError) as error:
        return type(error).__name__


def by_expat(content: bytes) -> Any:
    """Return what expat alone reads: in UTF-16, nothing is read without it."""
    return found(content.decode().replace(' encoding="UTF-8"', "", 1).encode("utf-16"))


@settings(deadline=None, max_examples=300)
@given(documents(), st.integers(1, 400))
def test_both_ways_read_the_same_cells_wherever_a_piece_ends(document: str, size: int) -> None:
    content = document.encode()
    assert found(content, size) == found(content) == by_expat(content)


@settings(deadline=None, max_examples=300)
@given(documents(), st.data())
def test_both_ways_find_the_same_fault(document: str, data: st.DataObject) -> None:
    content = bytearray(document.encode())
    place = data.draw(st.integers(len(HEAD), len(content) - 1))
    content[place : place + data.draw(st.integers(0, 3))] = data.draw(
        st.sampled_from([b"", b"<", b"&", b"\x00", b'"', b"/"])
    )
    assume(_is_text(content))
    assert found(bytes(content)) == by_expat(bytes(content))


def _is_text(content: bytearray) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("prefix", ["x:", "main:"])
def test_prefixes_of_namespaces_are_read(prefix: str) -> None:
    plain = f'{HEAD}<sheetData><row r="1"><c r="A1" t="s"><v>1</v></c></row></sheetData></worksheet>'
    assert found(re.sub(r"(</?)(?=\w)", rf"\1{prefix}", plain).encode()) == [(1, {0: "web-01"})]


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "utf-8-sig"])
def test_other_encodings_are_read(encoding: str) -> None:
    name = encoding.removesuffix("-sig")
    text = (
        f'<?xml version="1.0" encoding="{name}"?><w><sheetData><row r="1"><c r="A1"><v>ü</v></c></row></sheetData></w>'
    )
    assert found(text.encode(encoding)) == [(1, {0: "ü"})]


def test_what_stands_in_a_comment_is_no_row() -> None:
    row = '<row r="2"><c r="A2"><v>1</v></c></row>'
    assert found(f"{HEAD}<!-- <sheetData>{row} --><sheetData><!-- {row} --></sheetData></worksheet>".encode()) == []


def test_rows_that_are_written_plainly_never_meet_expat() -> None:
    rows = "".join(f'<row r="{number}"><c r="A{number}"><v>1</v></c></row>' for number in range(1, 2001))
    with counted() as calls:
        assert len(found(f"{HEAD}<sheetData>{rows}</sheetData></worksheet>".encode())) == 2000
    assert calls["_end"] < 10
