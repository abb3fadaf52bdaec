"""Which VMs need each other: confirmed, proposed and outside; what crosses phases, and what should move together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import networkx as nx
from msgspec import Struct

from vmferry.estate.dependencies import needs, outside
from vmferry.estate.identity import Directory, of_vm
from vmferry.estate.ties import Member, Tie, ties
from vmferry.estate.wording import counted
from vmferry.model.keys import VmKey
from vmferry.model.report import Cell, Column, Edge, Graph, Node, Report, Row, Table
from vmferry.reports.census import NONE, Vm
from vmferry.reports.content import Material

HELP = """Report which VMs need each other: what the spec says, what the inventory suggests, what is outside.

Dependencies between phases are risks: until both sides have moved, their traffic crosses from one platform to the
other. SPEC may be an inventory as `vmferry import` wrote it.

\b
Examples:
  vmferry report dependencies migration/
  vmferry report dependencies migration/ --format dot > dependencies.dot
  vmferry report dependencies migration/ --format json | jq '.edges[] | select(.crosses)'
"""

FORMATS = ("dot",)

Kind = Literal["confirmed", "proposed", "outside"]

_MOST = 120
"""VMs in a graph; of more, the graph shows their groups."""


class EdgeOf(Struct, frozen=True, kw_only=True):
    """One dependency. ``crosses``: its two sides move in different phases, or one of them does not move."""

    start: VmKey
    start_name: str
    end: str  # key of a VM, or HOST:PORT
    end_name: str
    kind: Kind
    why: str
    start_phase: str
    end_phase: str
    crosses: bool
    note: str


class Cluster(Struct, frozen=True, kw_only=True):
    """VMs that are connected by confirmed dependencies."""

    vms: tuple[str, ...]
    phases: tuple[str, ...]
    groups: tuple[str, ...]


class Dependencies(Struct, frozen=True, kw_only=True):
    """All of them."""

    edges: tuple[EdgeOf, ...]
    clusters: tuple[Cluster, ...]


def build(material: Material) -> Report:
    """Return the report."""
    vms = {vm.key: vm for vm in material.vms.vms}
    order = [phase.name for phase in material.review.blueprint.phases] or [p.name for p in material.review.spec.phases]
    stated = tuple(_stated(material, vms, order))
    edges = tuple(sorted({*stated, *_proposed(material, vms, order, stated)}, key=_rank))
    found = Dependencies(edges=edges, clusters=tuple(_clusters(edges, vms)))
    graph = _graph(edges, vms, order)
    crossing = [edge for edge in edges if edge.crosses and edge.kind != "proposed"]
    counts = {kind: sum(edge.kind == kind for edge in edges) for kind in ("confirmed", "proposed", "outside")}
    summary = (
        f"{counted(counts['confirmed'], 'confirmed dependency', 'confirmed dependencies')}, {counts['proposed']} "
        f"proposed, {counts['outside']} on services outside of the migration; {len(crossing)} between phases"
    )
    together = [cluster for cluster in found.clusters if len(cluster.vms) > 1]
    blocks = (
        graph,
        _table("Between phases", "dependency", crossing)._replace(note=_RISK * bool(crossing)),
        Table("VMs that need each other", "set", _OF_CLUSTER, [*map(_cluster_row, together)], covers="some"),
        _table("Proposed, to confirm or drop", "proposal", [edge for edge in edges if edge.kind == "proposed"]),
        _table("Outside of the migration", "dependency", [edge for edge in edges if edge.kind == "outside"]),
        _table("All dependencies", "dependency", edges),
    )
    return Report("Dependencies", summary, blocks, found, extra={"dot": _dot(graph)})


# --- edges ------------------------------------------------------------------------------------


def _stated(material: Material, vms: Mapping[VmKey, Vm], order: Sequence[str]) -> Iterator[EdgeOf]:
    """Yield what `dependsOn` says; names that nothing has are findings, not edges."""
    subjects = material.review.subjects
    known = Directory(of_vm(subject.vm, subject.source) for subject in subjects)
    for subject in subjects:
        start = vms[subject.key]
        for need in needs(subject.vm, subject.source, known):
            if need.found is not None and need.found.key in vms:
                yield _edge(start, vms[need.found.key], "confirmed", "dependsOn", order)
        for service in outside(subject.vm):
            note = f"open the firewall from the cluster to {service} before {start.name} moves"
            yield EdgeOf(
                start=start.key,
                start_name=start.name,
                end=service,
                end_name=service,
                kind="outside",
                why="dependsOn",
                start_phase=start.phase,
                end_phase=NONE,
                crosses=False,
                note=note,
            )


def _proposed(
    material: Material, vms: Mapping[VmKey, Vm], order: Sequence[str], stated: Iterable[EdgeOf]
) -> Iterator[EdgeOf]:
    """Yield what the inventory suggests, apart from what the spec says already."""
    parts = material.review.project.inventories
    members = [Member(subject.key, subject.source, subject.vm) for subject in material.review.subjects]
    known = Directory(of_vm(member.vm, member.source) for member in members)
    known_pairs = {(edge.start, edge.end) for edge in stated}
    for tie in ties(parts, members):
        for start, end in _pairs(tie, known):
            if end in vms and start != end and not {(start, end), (end, start)} & known_pairs:
                yield _edge(vms[start], vms[end], "proposed", tie.why, order)


def _pairs(tie: Tie, known: Directory) -> Iterator[tuple[VmKey, VmKey]]:
    """Yield the pairs of a proposal: from the first VM to each other one, or from a VM to those that it names."""
    if tie.apart:
        return
    first, *rest = tie.keys
    for name in (tie.entry or {}).get("dependsOn", ()):
        meant = known.meant(name) if isinstance(name, str) else []
        if len(meant) == 1:
            yield first, meant[0].key
    yield from ((first, other) for other in rest)


def _edge(start: Vm, end: Vm, kind: Kind, why: str, order: Sequence[str]) -> EdgeOf:
    return EdgeOf(
        start=start.key,
        start_name=start.name,
        end=end.key,
        end_name=end.name,
        kind=kind,
        why=why,
        start_phase=start.phase,
        end_phase=end.phase,
        crosses=start.phase != end.phase,
        note=_note(start, end, order),
    )


def _note(start: Vm, end: Vm, order: Sequence[str]) -> str:
    """Return what a dependency between phases means in the time between them."""
    if start.phase == end.phase:
        return ""
    if NONE in (start.phase, end.phase):
        stays = start.name if start.phase == NONE else end.name
        return f"{stays} stays in vSphere: latency and firewall between the platforms for good"
    ranks = {name: rank for rank, name in enumerate(order)}
    first, second = (start, end) if ranks.get(start.phase, 0) < ranks.get(end.phase, 0) else (end, start)
    return (
        f"from the move of {first.name} ({first.phase}) until that of {second.name} ({second.phase}), traffic crosses "
        "between vSphere and the cluster: check latency, routing and firewall"
    )


def _rank(edge: EdgeOf) -> tuple[bool, str, str, str, str, str]:
    return (not edge.crosses, edge.kind, edge.start_name, edge.start, edge.end_name, edge.end)


# --- what belongs together --------------------------------------------------------------------


def _clusters(edges: Iterable[EdgeOf], vms: Mapping[VmKey, Vm]) -> Iterator[Cluster]:
    """Yield the VMs that confirmed dependencies connect: those over most phases first, then the largest."""
    graph: nx.Graph[str] = nx.Graph((edge.start, edge.end) for edge in edges if edge.kind == "confirmed")
    found = []
    for keys in nx.connected_components(graph):
        members = sorted((vms[VmKey(key)] for key in keys), key=lambda vm: (vm.name, vm.key))
        found.append(
            Cluster(
                vms=tuple(vm.name for vm in members),
                phases=tuple(sorted({vm.phase for vm in members})),
                groups=tuple(sorted({vm.group for vm in members})),
            )
        )
    yield from sorted(found, key=lambda each: (-len(each.phases), -len(each.vms), each.vms))


_OF_CLUSTER = (Column("VMs", "count"), Column("phases"), Column("groups"), Column("which"))


def _cluster_row(cluster: Cluster) -> Row:
    return (len(cluster.vms), ", ".join(cluster.phases), ", ".join(cluster.groups), ", ".join(cluster.vms))


_OF_EDGE = (
    Column("VM"),
    Column("needs"),
    Column("kind"),
    Column("phase"),
    Column("phase of what it needs"),
    Column("why"),
    Column("what it means"),
)
_RISK = "Each is a risk: move both sides in one phase, or plan for the traffic between the platforms."


def _table(title: str, one: str, edges: Iterable[EdgeOf]) -> Table:
    return Table(title, one, _OF_EDGE, [*map(_row, edges)], covers="some")


def _row(edge: EdgeOf) -> Row:
    end = Cell(edge.end_name, vm=VmKey(edge.end)) if edge.kind != "outside" else edge.end_name
    phases = (edge.start_phase, edge.end_phase if edge.kind != "outside" else None)
    return (Cell(edge.start_name, vm=edge.start), end, edge.kind, *phases, edge.why, edge.note)


# --- the graph --------------------------------------------------------------------------------


def _graph(edges: Sequence[EdgeOf], vms: Mapping[VmKey, Vm], order: Sequence[str]) -> Graph:
    """Return the graph of VMs, or where they are too many that of their groups; phases are its columns."""
    columns = (*order, "stay", "outside")
    named = {edge.start for edge in edges} | {VmKey(edge.end) for edge in edges if edge.kind != "outside"}
    by_group = len(named) > _MOST
    nodes: dict[str, Node] = {}
    drawn: dict[tuple[str, str], Edge] = {}
    sizes: defaultdict[tuple[str, str], int] = defaultdict(int)
    for edge in edges:
        ends = (edge.start, VmKey(edge.end))
        ids = []
        for key in ends:
            node = _node(key, vms.get(key), columns, by_group)
            nodes.setdefault(node.id, node)
            ids.append(node.id)
        start, end = ids
        if start == end:
            continue
        sizes[start, end] += 1
        kind: Literal["plain", "risk", "proposed"] = "risk" if edge.crosses else "plain"
        known = drawn.get((start, end))
        if known is None or known.kind == "proposed":
            drawn[start, end] = Edge(start, end, edge.why, "proposed" if edge.kind == "proposed" else kind)
    if by_group:
        drawn = {
            ends: edge._replace(label=counted(sizes[ends], "dependency", "dependencies"))
            for ends, edge in drawn.items()
        }
    used = {node.column for node in nodes.values()}
    left = [column for column in range(len(columns)) if column in used]
    places = {column: index for index, column in enumerate(left)}
    ordered = sorted(nodes.values(), key=lambda node: (node.column, node.label, node.id))
    return Graph(
        "Who needs whom" + (", by group" if by_group else ""),
        tuple(columns[column] for column in left),
        tuple(node._replace(column=places[node.column]) for node in ordered),
        tuple(drawn[ends] for ends in sorted(drawn)),
    )


def _node(key: VmKey, vm: Vm | None, columns: Sequence[str], by_group: bool) -> Node:
    if vm is None:
        return Node(f"outside {key}", key, columns.index("outside"), kind="outside")
    column = columns.index(vm.phase) if vm.phase in columns else columns.index("stay")
    if by_group and vm.group != NONE:
        return Node(f"group {vm.group}", vm.group, column, of=(("group", vm.group),))
    return Node(f"vm {key}", vm.name, column, of=(("key", key),))


def _dot(graph: Graph) -> str:
    """Return a graph for Graphviz; what could end a quoted name is replaced."""

    def quoted(text: str) -> str:
        return '"' + "".join(char if char.isprintable() and char not in '"\\' else "_" for char in text) + '"'

    ids = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["digraph dependencies {", "  rankdir=LR;", "  node [shape=box];"]
    for column, title in enumerate(graph.columns):
        lines += [f"  subgraph cluster_{column} {{", f"    label={quoted(title)};"]
        lines += [f"    {ids[node.id]} [label={quoted(node.label)}];" for node in graph.nodes if node.column == column]
        lines.append("  }")
    styles = {"risk": "color=red", "proposed": "style=dashed", "plain": "color=black"}
    lines += [f"  {ids[edge.start]} -> {ids[edge.end]} [{styles[edge.kind]}];" for edge in graph.edges]
    return "\n".join([*lines, "}", ""])
