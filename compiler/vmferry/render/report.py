"""A report as text for a terminal, as Markdown and as CSV."""

from collections.abc import Callable, Iterator, Sequence

from vmferry.estate.wording import counted
from vmferry.model.report import (
    Bars,
    Block,
    Column,
    Figures,
    Graph,
    Lines,
    Prose,
    Report,
    Row,
    Snippet,
    Table,
    Timeline,
)
from vmferry.render import mermaid
from vmferry.render.printable import printable
from vmferry.render.table import as_csv, as_markdown, as_text, escaped
from vmferry.render.values import heading, raw, shown

TOP = 10
"""Rows of a table in a terminal, unless all are asked for."""


def text(report: Report, *, everything: bool = False) -> str:
    """Return a report for a terminal."""
    blocks = (_block_text(block, everything) for block in report.blocks)
    return report.summary + "\n" + "".join(blocks)


def markdown(report: Report) -> str:
    """Return a report as Markdown, with its graphs and timelines in Mermaid."""
    parts = [f"# {report.title}\n", report.summary + "\n"]  # their only names are those of migrations
    for block in report.blocks:
        parts += _block_markdown(block)
    return "\n".join(parts)


def as_spreadsheet(table: Table) -> str:
    """Return a table as CSV: numbers without units, which its headings have."""
    return as_csv([heading(column) for column in table.columns], [tuple(map(raw, row)) for row in table.rows])


def tabular(block: Block) -> Table | None:
    """Return a block as a table; None for what only makes sense as a picture, or as text."""
    match block:
        case Table():
            return block
        case Figures():
            figures = [
                (figure.name, shown(figure.value, figure.unit) or "unknown", figure.note) for figure in block.figures
            ]
            return Table(block.title, "figure", (Column("figure"), Column("value"), Column("note")), figures)
        case Bars():
            columns = (Column(block.one), *(Column(name, block.unit) for name in block.series))
            return Table(block.title, block.one, columns, [(bar.label, *bar.parts) for bar in block.bars])
    return None


def _block_text(block: Block, everything: bool) -> str:
    if isinstance(block, Prose):
        title = f"{printable(block.title)}\n" if block.title else ""
        lines = "".join(f"{printable(paragraph)}\n" for paragraph in block.paragraphs)
        return f"\n{title}{lines}" if lines else ""
    if isinstance(block, Snippet):
        return f"\n{printable(block.title)}\n" + "".join(f"  {printable(line)}\n" for line in block.text.splitlines())
    table = tabular(block)
    return "" if table is None else _table_text(table, everything)


def _table_text(table: Table, everything: bool) -> str:
    """Return a table for a terminal, with its title and a blank line above; nothing for one without rows."""
    notable = table.rows if table.notable is None else table.notable
    rows = notable if everything else notable[:TOP]
    if not rows:
        return ""
    cells = _cells(table, rows, printable)
    left = len(notable) - len(rows)
    more = f"… and {counted(left, table.one)} more; --all shows them\n" if left else ""
    note = f"{printable(table.note)}\n" if table.note else ""
    title = f"{printable(table.title)}\n" if table.title else ""
    return "\n" + title + as_text([column.name for column in table.columns], cells) + more + note


def _cells(table: Table, rows: Sequence[Row], safe: Callable[[str], str] = str) -> list[tuple[str, ...]]:
    return [
        tuple(safe(shown(cell, column.unit)) for cell, column in zip(row, table.columns, strict=True)) for row in rows
    ]


def _block_markdown(block: Block) -> Iterator[str]:
    if isinstance(block, Lines) or (isinstance(block, Prose) and not block.paragraphs):
        return
    if block.title:
        yield f"## {escaped(block.title)}\n"
    match block:
        case Prose():
            yield from (escaped(paragraph) + "\n" for paragraph in block.paragraphs)
        case Snippet():
            yield "".join(f"    {printable(line)}\n" for line in block.text.splitlines())
        case Timeline():
            yield mermaid.gantt(block)
        case Graph():
            yield mermaid.flowchart(block)
        case _:
            table = tabular(block)
            if table is not None:
                yield as_markdown([column.name for column in table.columns], _cells(table, table.rows))
                if table.note:
                    yield escaped(table.note) + "\n"
