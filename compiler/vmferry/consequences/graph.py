"""A graph of the groups that move: what a reviewer sees before the words."""

from collections import defaultdict
from collections.abc import Iterable

from vmferry.consequences.stages import StageChange, whole_gib
from vmferry.estate.wording import counted
from vmferry.model.report import Edge, Graph, Node

_FEWEST = 2  # moves that are worth a graph
_MOST = 30  # arrows, each for all groups of a phase that make the same move


def graph_of(stages: Iterable[StageChange]) -> Graph | None:
    """Return each phase with an arrow for each move that groups of it make; None for a single move."""
    moves: defaultdict[tuple[str, str, str], list[StageChange]] = defaultdict(list)
    for each in stages:
        moves[each.phase, each.before, each.after].append(each)
    if sum(map(len, moves.values())) < _FEWEST:
        return None
    shown = list(moves.items())[:_MOST]
    phases = tuple(dict.fromkeys(phase for (phase, _, _), _ in shown))
    ends = dict.fromkeys((phase, stage) for (phase, *pair), _ in shown for stage in pair)
    return Graph(
        title="Groups that move",
        columns=phases,
        nodes=tuple(Node(f"{phase}/{stage}", stage, phases.index(phase)) for phase, stage in ends),
        edges=tuple(
            Edge(f"{phase}/{before}", f"{phase}/{after}", label=_label(groups))
            for (phase, before, after), groups in shown
        ),
    )


def _label(groups: list[StageChange]) -> str:
    names = groups[0].group if len(groups) == 1 else counted(len(groups), "group")
    size = sum(each.size for each in groups)
    return f"{names}, {counted(sum(each.vms for each in groups), 'VM')}" + (f", {whole_gib(size)}" if size else "")
