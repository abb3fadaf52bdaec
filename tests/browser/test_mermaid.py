"""Mermaid itself, as GitHub and GitLab have it, reads the diagrams of reports: nothing in them is more than a name."""

from pathlib import Path
from typing import Any

import pytest
from tests.browser.conftest import EXAMPLES, Visitor
from tests.reports import test_hostile as hostile
from tests.reports.hostile import HOSTILE
from tests.reports.numbers import NOW

from vmferry.check import check
from vmferry.cli.report import material
from vmferry.model.report import Edge, Graph, Lane, Node, Span, Timeline
from vmferry.render import mermaid
from vmferry.reports import builder

_MERMAID = Path(__file__).parents[2] / ".tools/mermaid/package/dist/mermaid.min.js"
_READ = """
async (text) => {
  mermaid.initialize({ startOnLoad: false, securityLevel: "strict", maxEdges: 500 });
  const { db, type } = await mermaid.mermaidAPI.getDiagramFromText(text);
  const { svg } = await mermaid.render("drawn", text);
  const box = new DOMParser().parseFromString(svg, "text/html");
  const count = (selector) => box.querySelectorAll(selector).length;
  const flow = type.startsWith("flowchart");
  return {
    nodes: flow ? db.getVertices().size : db.getTasks().length,
    edges: flow ? db.getEdges().length : 0,
    alien: count("script, img, iframe, object, a[href], [onerror], [onload], [onclick]"),
    links: flow ? [...db.getVertices().values()].filter((each) => each.link || each.haveCallback).length : 0,
  };
}
"""


@pytest.fixture(scope="module")
def read(visitor: Visitor, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what Mermaid makes of a diagram."""
    if not _MERMAID.is_file():
        pytest.skip("mermaid is not in .tools: see make browser")
    file = tmp_path_factory.mktemp("blank") / "blank.html"
    file.write_text("<!doctype html><meta charset=utf-8><title>blank</title>")
    opened = visitor.open(file)
    opened.page.add_script_tag(content=_MERMAID.read_text())

    def made(text: str) -> dict[str, int]:
        found: dict[str, int] = opened.page.evaluate(_READ, text.removeprefix("```mermaid\n").partition("```")[0])
        assert opened.errors == []
        assert opened.requests == []
        return found

    return made


@pytest.mark.parametrize("name", ["dependencies", "schedule"])
def test_mermaid_finds_every_node_and_edge_and_nothing_else(name: str, read: Any) -> None:
    acme = material(check(EXAMPLES / "acme", now=NOW), NOW)
    for report in (hostile.built(name), builder(name).build(acme)):
        for block in report.blocks:
            if isinstance(block, Graph):
                found = read(mermaid.flowchart(block))
                assert (found["nodes"], found["edges"]) == (len(block.nodes), len(block.edges))
                assert (found["alien"], found["links"]) == (0, 0)
            elif isinstance(block, Timeline):
                found = read(mermaid.gantt(block))
                assert found["nodes"] == sum(len(lane.spans) for lane in block.lanes)
                assert found["alien"] == 0


_WORDS = (
    *("section", "title", "click", "dateFormat", "axisFormat", "excludes", "includes", "todayMarker", "weekday"),
    *("weekend", "topAxis", "inclusiveEndDates", "displayMode", "tickInterval", "gantt", "accTitle", "accDescr"),
    *("end", "graph", "flowchart LR", "subgraph", "style", "classDef", "class", "linkStyle", "direction", "default"),
    *(
        "done",
        "crit",
        "active",
        "milestone",
        "vert",
        "section x",
        "title x",
        "click n0 href x",
        "%% x",
        "---",
        "o",
        "x",
    ),
)
NAMES = [*dict.fromkeys((*HOSTILE, *_WORDS))]


def test_no_name_of_a_bar_is_read_as_anything_else(read: Any) -> None:
    spans = (Span("cutover", 1_800_000_000.0, 1_800_003_600.0),)
    lanes = tuple(Lane(name, spans, name) for name in NAMES)
    found = read(mermaid.gantt(Timeline("", lanes)))
    assert (found["nodes"], found["alien"]) == (len(NAMES), 0)


def test_no_name_of_a_node_is_read_as_anything_else(read: Any) -> None:
    nodes = tuple(Node(name, name, number % 3) for number, name in enumerate(NAMES))
    edges = tuple(Edge(name, NAMES[0], name) for name in NAMES[1:])
    found = read(mermaid.flowchart(Graph("", ("end", "subgraph", "]"), nodes, edges)))
    assert (found["nodes"], found["edges"]) == (len(NAMES), len(NAMES) - 1)
    assert (found["alien"], found["links"]) == (0, 0)
