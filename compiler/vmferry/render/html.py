"""A report as a page of a site. Jinja2 escapes every value; a page loads nothing from elsewhere and needs no script.

Scripts only add what a page cannot do by itself: the table of VMs with its filters, and sorting.
"""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from vmferry.model.report import Bars, Cell, Column, Graph, Lines, Report, Table, Timeline, Value, value_of
from vmferry.render import svg
from vmferry.render.links import VMS, Links
from vmferry.render.printable import printable_lines
from vmferry.render.report import tabular
from vmferry.render.values import shown

MOST_ROWS = 1000
"""Rows of a table in a page. The CSV beside it, and the table of VMs, have all of them."""

_NUMBERS = ("count", "bytes", "seconds", "percent", "decimal", "money")


class Page(NamedTuple):
    """A page: the report of this name. ``downloads`` are files beside it, by what they are."""

    name: str
    label: str  # in the navigation
    report: Report
    downloads: tuple[tuple[str, str], ...] = ()


class Frame(NamedTuple):
    """What all pages of a site share."""

    title: str
    stamp: str  # how old it is, and who made it
    pages: tuple[tuple[str, str], ...]  # names and labels, in the order of the navigation
    links: Links


@cache
def asset(name: str) -> str:
    """Return a file of the site that is the same for all: style.css, site.js."""
    return (files("vmferry.render") / "assets" / name).read_text(encoding="utf-8")


def page(frame: Frame, content: Page) -> str:
    """Return one page of a site of several files."""
    found: str = _template("page.html.j2").render(
        frame=frame, pages=[content], current=content.name, policy=_policy("'self'", "'self'"), inline=None, **_TOOLS
    )
    return found


def single(frame: Frame, pages: tuple[Page, ...], data: str) -> str:
    """Return all pages in one file, with styles, scripts and ``data``, the JSON of the table of VMs."""
    style, script = asset("style.css"), asset("site.js")
    policy = _policy(_hashed(script), _hashed(style))
    inline = {"style": Markup(style), "script": Markup(script), "data": Markup(in_script(data))}  # noqa: S704 - ours
    found: str = _template("page.html.j2").render(
        frame=frame, pages=pages, current=pages[0].name, policy=policy, inline=inline, **_TOOLS
    )
    return found


def in_script(json: str) -> str:
    """Return JSON that may stand in a script element: nothing in it ends the element."""
    return json.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _policy(script: str, style: str) -> str:
    """Return the page's Content-Security-Policy: nothing may be loaded, run or sent that is not named here."""
    return f"default-src 'none'; script-src {script}; style-src {style}; base-uri 'none'; form-action 'none'"


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _template(name: str):  # type: ignore[no-untyped-def]
    found = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_printable
    )
    return found.from_string(asset(name))


def _printable(value: object) -> object:
    """Return what a page shows of a value: names can neither hide in it nor turn the text around them."""
    return printable_lines(value) if type(value) is str and not value.isprintable() else value


def _kind(block: object) -> str:
    return type(block).__name__.lower()


def _chart(block: object, links: Links) -> Markup:
    """Return a block as a picture; the module that draws it escapes every name."""
    drawn = ""
    match block:
        case Bars():
            drawn = svg.bars(block, links)
        case Lines():
            drawn = svg.lines(block)
        case Timeline():
            drawn = svg.timeline(block)
        case Graph():
            drawn = svg.graph(block, links)
    return Markup(drawn)  # noqa: S704 - see above


def _href(cell: Cell | Value, links: Links) -> str | None:
    """Return where a cell leads to; None for one that counts nothing."""
    if not isinstance(cell, Cell):
        return None
    if cell.vm is not None:
        return links.vm(cell.vm)
    return links.vms(cell.of) if cell.of is not None and cell.value else None


def _is_number(column: Column) -> bool:
    return column.unit in _NUMBERS


def _filled(table: Table) -> tuple[bool, ...]:
    """Return for each column whether it has any value."""
    return tuple(
        any(value_of(row[index]) not in (None, "") for row in table.rows) for index in range(len(table.columns))
    )


_TOOLS = {
    "kind": _kind,
    "chart": _chart,
    "href": _href,
    "shown": shown,
    "value": value_of,
    "number": _is_number,
    "filled": _filled,
    "tabular": tabular,
    "most": MOST_ROWS,
    "vms": VMS,
}
