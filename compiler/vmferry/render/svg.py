"""Charts as SVG that stands in a page: no script, no colours of its own (the page's style has them by class)."""

import html
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import MAXYEAR, UTC, datetime, timedelta
from itertools import groupby

from vmferry.model.report import Bars, Cell, Graph, Lines, Node, Timeline, Value, value_of
from vmferry.render.links import Links
from vmferry.render.printable import printable
from vmferry.render.values import shown

_LABEL = 190  # width of labels left of a chart, in its own units
_WIDTH = 900
_ROW = 26
_FONT = 6.6  # average width of a character
_DAY = 86400


def bars(chart: Bars, links: Links) -> str:
    """Return horizontal bars, stacked; each part leads to its VMs."""
    most = max((sum(_number(part) for part in bar.parts) for bar in chart.bars), default=0) or 1
    room = _WIDTH - _LABEL - 100
    body = []
    for row, bar in enumerate(chart.bars):
        top, left = row * _ROW, float(_LABEL)
        body.append(_text(_LABEL - 8, top + 17, bar.label, "end", _LABEL - 8))
        for number, (name, part) in enumerate(zip(chart.series, bar.parts, strict=True)):
            width = _number(part) / most * room
            if not width:
                continue
            label = f"{bar.label}, {name}: {shown(part, chart.unit)}"
            place = f'x="{left:.1f}" y="{top + 3}" width="{max(width, 1):.1f}" height="{_ROW - 6}"'
            shape = f'<rect class="s{number % 6}" {place}><title>{_safe(label)}</title></rect>'
            body.append(_linked(shape, part, links, label))
            left += width
        whole = sum(_number(part) for part in bar.parts)
        body.append(_text(left + 6, top + 17, shown(int(whole) if whole == int(whole) else whole, chart.unit)))
    return _svg(chart.title, len(chart.bars) * _ROW, body) + _legend(chart.series)


def lines(chart: Lines) -> str:
    """Return lines over points, each named at its end; what they are compared with is dashed."""
    high, left, right, top = 180, 70, 90, 12
    most = max((_number(part) for point in chart.points for part in point.parts), default=0) or 1
    step = (_WIDTH - left - right) / max(len(chart.points) - 1, 1)

    def place(number: int, part: Cell | Value) -> tuple[float, float]:
        return left + number * step, top + high * (1 - _number(part) / most)

    body = []
    for share in (0, 0.5, 1):
        y = top + high * (1 - share)
        body.append(f'<line class="tick" x1="{left}" x2="{_WIDTH - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        label = shown(int(most * share), chart.unit) if share else "0"
        body.append(_text(left - 8, y + 4, label, "end", left - 8))
    each = -(-len(chart.points) // 9) or 1
    body += [
        _text(left + number * step, top + high + 18, chart.points[number].label, "middle", step * each)
        for number in range(0, len(chart.points), each)
    ]
    for number, name in enumerate(chart.series):
        known = [
            (place(index, point.parts[number]), point)
            for index, point in enumerate(chart.points)
            if value_of(point.parts[number]) is not None
        ]
        if not known:
            continue
        path = " ".join(f"{x:.1f},{y:.1f}" for (x, y), _ in known)
        body.append(f'<polyline class="line l{number % 3}" points="{path}"><title>{_safe(name)}</title></polyline>')
        for (x, y), point in known:
            words = f"{name}, {point.label}: {shown(point.parts[number], chart.unit)}"
            circle = f'<circle class="dot l{number % 3}" cx="{x:.1f}" cy="{y:.1f}" r="3">'
            body.append(f"{circle}<title>{_safe(words)}</title></circle>")
    return _svg(chart.title, top + high + 24, body) + _legend(chart.series, "l")


def timeline(chart: Timeline) -> str:
    """Return a Gantt chart, with the days or months on top."""
    spans = [span for lane in chart.lanes for span in lane.spans]
    if not spans:
        return ""
    start, end = min(span.start for span in spans), max(span.end for span in spans)
    if chart.now is not None:
        start, end = min(start, chart.now), max(end, chart.now)
    scale = (_WIDTH - _LABEL - 10) / ((end - start) or 1)

    def across(moment: float) -> float:
        return _LABEL + (moment - start) * scale

    body = [_tick(across(moment), label, len(chart.lanes)) for moment, label in _ticks(start, end)]
    top = 24
    for section, lanes in groupby(chart.lanes, key=lambda lane: lane.section):
        if section:
            body.append(_text(4, top + 15, section, css="section"))
            top += 20
        for lane in lanes:
            body.append(_text(_LABEL - 8, top + 15, lane.label, "end", _LABEL - 12))
            for span in lane.spans:
                words = f"{lane.label} {span.label}: {_moment(span.start)} to {_moment(span.end)} UTC"
                body.append(_span(across(span.start), top, (span.end - span.start) * scale, span.kind, words))
            top += 20
    if chart.now is not None:
        at = across(chart.now)
        body.append(f'<line class="now" x1="{at:.1f}" x2="{at:.1f}" y1="18" y2="{top}"><title>now</title></line>')
    kinds = dict.fromkeys((span.label, span.kind) for span in spans)
    return _svg(chart.title, top, body) + _listed(kinds)


def _span(left: float, top: float, width: float, kind: str, words: str) -> str:
    """Return a bar of a timeline; a plan is a frame around what became of it."""
    frame = 2 if kind == "plan" else 0
    place = f'x="{left - frame:.1f}" y="{top + 4 - frame}" width="{max(width, 2) + 2 * frame:.1f}"'
    return f'<rect class="{kind}" {place} height="{14 + 2 * frame}"><title>{_safe(words)}</title></rect>'


def graph(chart: Graph, links: Links) -> str:
    """Return a graph with its nodes in columns; edges that go back or stay in a column are drawn as curves."""
    wide, high, gap = 150, 22, 70
    by_column = [[node for node in chart.nodes if node.column == column] for column in range(len(chart.columns))]
    places: dict[str, tuple[float, float]] = {}
    body = []
    for column, nodes in enumerate(by_column):
        left = column * (wide + gap) + 4
        body.append(_text(left, 14, chart.columns[column], css="section", room=wide))
        for row, node in enumerate(nodes):
            places[node.id] = (left, 26 + row * (high + 8))
    for edge in chart.edges:
        (x1, y1), (x2, y2) = places[edge.start], places[edge.end]
        body.append(_curve(x1, y1 + high / 2, x2, y2 + high / 2, wide, edge.kind, edge.label))
    body += [_node(node, *places[node.id], wide, high, links) for node in chart.nodes]
    height = 30 + max((len(nodes) for nodes in by_column), default=0) * (high + 8)
    return _svg(chart.title, height, body, width=max(len(chart.columns) * (wide + gap), 300))


def _node(node: Node, left: float, top: float, wide: int, high: int, links: Links) -> str:
    shape = (
        f'<g class="node {node.kind}"><rect x="{left:.1f}" y="{top:.1f}" width="{wide}" height="{high}" rx="4"/>'
        f"{_text(left + 8, top + 15, node.label, room=wide - 12)}<title>{_safe(node.label)}</title></g>"
    )
    return _linked(shape, Cell(1, of=node.of), links, node.label)


def _curve(x1: float, y1: float, x2: float, y2: float, wide: int, kind: str, label: str) -> str:
    title = f"<title>{_safe(label)}</title>" if label else ""
    if x1 < x2:
        start, end, bend = x1 + wide, x2, (x2 - x1 - wide) / 2
    elif x1 > x2:
        start, end, bend = x1, x2 + wide, -(x1 - x2 - wide) / 2
    else:
        start, end, bend = x1 + wide, x2 + wide, 40
    out = end - bend if x1 != x2 else end + bend
    return (
        f'<path class="edge {kind}" d="M{start:.1f} {y1:.1f} C{start + bend:.1f} {y1:.1f} {out:.1f} {y2:.1f} '
        f'{end:.1f} {y2:.1f}">{title}</path>'
    )


def _safe(text: str) -> str:
    """Return text as it may stand in an element or an attribute: no markup, and nothing that hides or turns text."""
    return html.escape(printable(text), quote=True)


def _svg(title: str, height: float, body: Iterable[str], width: int = _WIDTH) -> str:
    name = _safe(title)
    return (
        f'<svg class="chart" role="group" aria-label="{name}" viewBox="0 0 {width} {height + 4:.0f}" '
        f'width="{width}" height="{height + 4:.0f}">{"".join(body)}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", room: float = 0, css: str = "") -> str:
    most = int(room / _FONT) if room else len(text)
    words = text if len(text) <= most else text[: max(most - 1, 1)] + "…"
    style = f' class="{css}"' if css else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_safe(words)}</text>'


def _linked(shape: str, cell: Cell | Value, links: Links, label: str) -> str:
    if not isinstance(cell, Cell) or cell.of is None:
        return shape
    return f'<a href="{_safe(links.vms(cell.of))}" aria-label="{_safe(label)}">{shape}</a>'


def _legend(series: tuple[str, ...], kind: str = "s") -> str:
    return _listed((name, f"{kind}{number % 6}") for number, name in enumerate(series)) if len(series) > 1 else ""


def _listed(names: Iterable[tuple[str, str]]) -> str:
    """Return a legend of names, each with the class of its sign."""
    items = "".join(f'<li><span class="{css}"></span>{_safe(name)}</li>' for name, css in names)
    return f'<ul class="legend">{items}</ul>'


def _number(part: Cell | Value) -> float:
    value = value_of(part)
    return float(value) if isinstance(value, int | float) else 0.0


def _ticks(start: float, end: float) -> Iterator[tuple[float, str]]:
    """Yield days, weeks or months between two moments, at most about a dozen."""
    days = (end - start) / _DAY
    first = datetime.fromtimestamp(start, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if days > 120:
        step = -(-int(days / 30) // 12) or 1
        year, month = first.year, first.month
        while True:
            month += step
            year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
            if year > MAXYEAR:
                return
            at = datetime(year, month, 1, tzinfo=UTC)
            if at.timestamp() > end:
                return
            yield at.timestamp(), at.strftime("%b %Y")
    each = timedelta(days=max(1, -(-int(days) // 12)))
    with suppress(OverflowError):  # after the year 9999
        at = first + timedelta(days=1)
        while at.timestamp() <= end:
            yield at.timestamp(), f"{at.day} {at.strftime('%b')}"
            at += each


def _tick(x: float, label: str, lanes: int) -> str:
    return f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="18" y2="{24 + lanes * 24}"/>' + _text(x + 2, 14, label)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
