"""Timelines and graphs as Mermaid, which GitHub and GitLab draw in Markdown. Names are inert in it."""

import re
from datetime import UTC, datetime

from vmferry.model.report import Graph, Timeline

MOST = 400
"""Edges that Mermaid draws by default are 500 (maxEdges); beyond this, a picture says nothing anyway."""

_STATEMENT = re.compile(
    r"^(?=(section|title|click|gantt|(date|axis)Format|excludes|includes|todayMarker|topAxis|inclusiveEndDates|"
    r"week(day|end)|displayMode|tickInterval|acc(Title|Descr))\b)",
    re.IGNORECASE,
)
"""Where a line of a Gantt chart would be a statement, not a task (packages/mermaid/src/diagrams/gantt/parser)."""
_PLAIN = re.compile(r"[^\w .,()/-]", re.ASCII)


def gantt(timeline: Timeline) -> str:
    """Return a Gantt chart."""
    lines = ["```mermaid", "gantt", "  dateFormat YYYY-MM-DDTHH:mm", "  axisFormat %d %b"]
    section = None
    number = 0
    for lane in timeline.lanes:
        if lane.section != section:
            section = lane.section
            lines.append(f"  section {_inert(section or 'all')}")
        for span in lane.spans:
            number += 1
            state = {"done": "done, ", "running": "active, ", "late": "crit, "}.get(span.kind, "")
            name = _STATEMENT.sub("_", _inert(f"{lane.label} {span.label}".strip()))
            lines.append(f"  {name} :{state}t{number}, {_moment(span.start)}, {_moment(span.end)}")
    return "\n".join([*lines, "```\n"])


def flowchart(graph: Graph) -> str:
    """Return a flowchart, its nodes by column; cut where it would be too large to read or to draw."""
    ids = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["```mermaid", "flowchart LR"]
    for column, title in enumerate(graph.columns):
        members = [node for node in graph.nodes if node.column == column]
        if members:
            lines.append(f'  subgraph c{column}["{_inert(title)}"]')
            lines += [f'    {ids[node.id]}["{_inert(node.label)}"]' for node in members]
            lines.append("  end")
    for edge in graph.edges[:MOST]:
        arrow = {"risk": "==>", "proposed": "-.->"}.get(edge.kind, "-->")
        label = f'|"{_inert(edge.label)}"|' if edge.label else ""
        lines.append(f"  {ids[edge.start]} {arrow}{label} {ids[edge.end]}")
    text = "\n".join([*lines, "```\n"])
    left = len(graph.edges) - MOST
    return text + (f"\n{left} more edges are not drawn.\n" if left > 0 else "")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M")


def _inert(text: str) -> str:
    """Return a name without what Mermaid gives a meaning: markup, directives, links, ends of lines and tasks."""
    return _PLAIN.sub("_", text)[:80] or "_"
