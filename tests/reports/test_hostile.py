"""Whatever vCenter's names and people's notes say, they are text in every format of every report, and nothing else."""

import csv
import io
import json
import re
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import icalendar
import msgspec
import pytest
from markdown_it import MarkdownIt
from msgspec import structs
from tests.reports.hostile import HOSTILE, PLAIN, estate
from tests.reports.numbers import NOW

from vmferry.check import check
from vmferry.cli.report import material
from vmferry.model.report import Graph, Report, Timeline
from vmferry.render import report as render
from vmferry.reports import REPORTS, builder
from vmferry.reports.content import Material
from vmferry.site import single_file, site

ALL = pytest.mark.parametrize("name", [*REPORTS])


@cache
def of(texts: tuple[str, ...]) -> Material:
    with TemporaryDirectory() as folder:
        found = material(check(estate(Path(folder), texts).parent, now=NOW), NOW)
        return structs.replace(found, findings=())  # some names break rules, and plain ones do not


@cache
def built(name: str, texts: tuple[str, ...] = HOSTILE) -> Report:
    return builder(name).build(of(texts))


def test_the_estate_is_one_that_reports_are_complete_for() -> None:
    for texts in (HOSTILE, PLAIN):
        assert of(texts).complete
        assert len(of(texts).vms.vms) == len(HOSTILE) + 2
        assert {each.rule for each in built("networks", texts).data.rules} == set(texts)
        assert any(step.contacts for plan in built("runbook", texts).data.groups for step in plan.steps)
    shown = "".join(render.text(built(name), everything=True) for name in REPORTS)
    assert sum(text in shown for text in HOSTILE) > 25


@ALL
def test_a_terminal_gets_nothing_but_printable_lines(name: str) -> None:
    text = render.text(built(name), everything=True)
    assert all(line.isprintable() for line in text.split("\n"))


# --- Markdown ---------------------------------------------------------------------------------


def tokens(text: str) -> tuple[Counter[str], set[str]]:
    """Return the blocks of a Markdown text as GitHub reads it, and the kinds of its inline parts."""
    parsed = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(text)
    inline = {child.type for token in parsed for child in token.children or ()}
    return Counter(token.type for token in parsed), inline


@ALL
def test_markdown_has_no_markup_from_names(name: str) -> None:
    found, inline = tokens(render.markdown(built(name)))
    assert inline <= {"text", "text_special", "softbreak"}
    assert found == tokens(render.markdown(built(name, PLAIN)))[0]


@ALL
def test_no_name_becomes_a_link_or_a_mention_on_github(name: str) -> None:
    text = re.sub(r"```.*?```|^    .*?$", "", render.markdown(built(name)), flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"(?<!\\)(https?:/|www\.|@\w)", text)


# --- spreadsheets, JSON -----------------------------------------------------------------------


@ALL
def test_a_spreadsheet_gets_one_line_for_each_row_and_no_formula(name: str) -> None:
    report = built(name)
    rows = [*csv.reader(io.StringIO(render.as_spreadsheet(report.spreadsheet)))]
    assert len(rows) == len(report.spreadsheet.rows) + 1
    assert {len(row) for row in rows} == {len(report.spreadsheet.columns)}
    for cell in (cell for row in rows for cell in row):
        assert cell.isprintable()
        assert not re.match(r"[=+@\t]|-(?![\d.]+$)", cell)


@ALL
def test_json_has_names_as_they_are(name: str) -> None:
    assert json.loads(json.dumps(msgspec.to_builtins(built(name).data))) is not None


# --- HTML and SVG -----------------------------------------------------------------------------


class Elements(HTMLParser):
    """Counts the elements of a page with the names of their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.addresses: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found[tag, tuple(sorted(name for name, _ in attrs if name != "class"))] += 1
        self.addresses |= {value or "" for name, value in attrs if name in ("href", "src")}


@ALL
def test_a_page_has_the_elements_that_it_has_with_plain_names(name: str) -> None:
    page, plain = (Elements(single_file(of(texts), name).decode()) for texts in (HOSTILE, PLAIN))
    assert page.found == plain.found
    assert all(each.startswith("#") for each in page.addresses)


def test_a_site_has_the_elements_that_it_has_with_plain_names() -> None:
    pages, plain = (site(of(texts)) for texts in (HOSTILE, PLAIN))
    assert pages.keys() == plain.keys()
    for file in pages:
        if file.endswith(".html"):
            assert Elements(pages[file].decode()).found == Elements(plain[file].decode()).found, file
    assert b"<" not in pages["data.js"]
    ElementTree.fromstring(pages["progress.svg"])


@ALL
def test_pictures_are_well_formed(name: str) -> None:
    page = single_file(of(HOSTILE), name).decode()
    for picture in re.findall(r"<svg class.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(picture)


# --- calendar, graphs -------------------------------------------------------------------------


def test_a_calendar_has_the_events_that_it_has_with_plain_names() -> None:
    for texts in (HOSTILE, PLAIN):
        calendar = icalendar.Calendar.from_ical(built("schedule", texts).extra["ics"])
        assert [each.name for each in calendar.walk()] == ["VCALENDAR", "VEVENT", "VEVENT"]
        for event in calendar.walk("VEVENT"):
            assert set(event) == {"UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "DESCRIPTION", "TRANSP"}
            assert event.errors == []
            assert all(each.isprintable() or each == "\n" for each in event["DESCRIPTION"])


def mermaid(name: str) -> list[str]:
    return re.findall(r"```mermaid\n(.*?)```\n", render.markdown(built(name)), re.DOTALL)


def drawn(name: str) -> list[Graph | Timeline]:
    return [block for block in built(name).blocks if isinstance(block, Graph | Timeline)]


@pytest.mark.parametrize("name", ["dependencies", "schedule"])
def test_mermaid_has_a_line_for_each_node_edge_and_span_and_no_other(name: str) -> None:
    [block] = drawn(name)
    [text] = mermaid(name)
    lines = text.splitlines()
    if isinstance(block, Graph):
        shapes = [line for line in lines if re.fullmatch(r'    n\d+\["[\w .,()/-]+"\]', line, re.ASCII)]
        edges = [line for line in lines if re.fullmatch(r'  n\d+ (==>|-\.->|-->)(\|"[\w .,()/-]+"\|)? n\d+', line)]
        assert (len(shapes), len(edges)) == (len(block.nodes), len(block.edges))
        boxes = [line for line in lines if re.fullmatch(r'  subgraph c\d+\["[\w .,()/-]+"\]|  end', line)]
        assert len(lines) == 1 + len(shapes) + len(edges) + len(boxes)
    else:
        moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d"
        tasks = [line for line in lines if re.fullmatch(rf"  [\w .,()/-]+ :(\w+, )?t\d+, {moment}, {moment}", line)]
        sections = [line for line in lines if re.fullmatch(r"  section [\w .,()/-]+", line)]
        assert len(tasks) == sum(len(lane.spans) for lane in block.lanes)
        assert len(lines) == 3 + len(tasks) + len(sections)


def test_dot_has_a_line_for_each_node_and_edge_and_no_other() -> None:
    [block] = drawn("dependencies")
    assert isinstance(block, Graph)
    lines = built("dependencies").extra["dot"].splitlines()
    assert sum(bool(re.fullmatch(r'    n\d+ \[label="[^"\\]+"\];', line)) for line in lines) == len(block.nodes)
    assert sum(bool(re.fullmatch(r"  n\d+ -> n\d+ \[[a-z=]+\];", line)) for line in lines) == len(block.edges)
    assert len(lines) == 4 + len(block.nodes) + len(block.edges) + 3 * len(block.columns)
    assert all(line.isprintable() for line in lines)
