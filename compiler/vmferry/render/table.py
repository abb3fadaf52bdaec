"""A table for people, for spreadsheets and for pull requests: text, CSV, Markdown."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

from vmferry.render.printable import printable

Rows = Sequence[tuple[str, ...]]

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001 - spreadsheets read wide ones as well
_MARKUP = re.compile(r"[\\|`*_\[\]<>#&~$:@]|(?<=www)\.", re.IGNORECASE)
"""Characters that end a cell or have a meaning; `:`, `@` and the dot because GitHub turns URLs into links."""


def as_text(headings: Sequence[str], rows: Rows) -> str:
    """Return a table in columns, without the empty ones. Cells must already be printable."""
    columns = list(zip(headings, *rows, strict=True)) if rows else []
    shown = [column for column in columns if any(column[1:])]
    widths = [max(map(len, column)) for column in shown]
    lines = (zip(row, widths, strict=True) for row in zip(*shown, strict=True))
    return "".join("  ".join(cell.ljust(width) for cell, width in line).rstrip() + "\n" for line in lines)


def as_csv(headings: Sequence[str], rows: Iterable[Sequence[str | int | float]]) -> str:
    """Return a table as CSV, one line per row. Text that a spreadsheet would read as a formula gets an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows([_inert(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()


def _inert(text: str) -> str:
    plain = printable(text)
    return f"'{plain}" if plain.startswith(_FORMULA) else plain


def as_markdown(headings: Sequence[str], rows: Rows) -> str:
    """Return a table as Markdown; names cannot end a cell, or become links or HTML."""
    lines = [" | ".join(headings), " | ".join("---" for _ in headings)]
    lines += [" | ".join(map(escaped, row)) for row in rows]
    return "".join(f"| {line} |\n" for line in lines)


def escaped(text: str) -> str:
    """Return text escaped for Markdown, on one line."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(printable(text).split()))
