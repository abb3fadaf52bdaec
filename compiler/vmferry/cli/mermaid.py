"""A Mermaid graph of the groups that move: what a reviewer sees before the words."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from vmferry.consequences.stages import StageChange, whole_gib
from vmferry.estate.wording import counted

FEWEST = 2
"""Moves that are worth a graph."""
_MOST = 30  # arrows, after which GitHub's own limits on a graph come near
_TEXT = re.compile(r"[^\w ,.()-]")


def graph(stages: Iterable[StageChange]) -> str:
    """Return a flowchart in a Markdown fence, an arrow for each move that groups of one phase make; or nothing."""
    moves: defaultdict[tuple[str, str, str], list[StageChange]] = defaultdict(list)
    for each in stages:
        moves[each.phase, each.before, each.after].append(each)
    if sum(map(len, moves.values())) < FEWEST:
        return ""
    return "".join(("```mermaid\nflowchart LR\n", *_phases(moves), "```\n\n"))


def _phases(moves: dict[tuple[str, str, str], list[StageChange]]) -> Iterator[str]:
    phases: defaultdict[str, list[tuple[str, str, list[StageChange]]]] = defaultdict(list)
    for (phase, before, after), groups in list(moves.items())[:_MOST]:
        phases[phase].append((before, after, groups))
    for number, (phase, arrows) in enumerate(phases.items()):
        yield f'  subgraph p{number}["{_inert(phase)}"]\n    direction LR\n'
        stages = dict.fromkeys(stage for before, after, _ in arrows for stage in (before, after))
        ids = {stage: f"p{number}s{index}" for index, stage in enumerate(stages)}
        yield from (f'    {ids[stage]}["{_inert(stage)}"]\n' for stage in stages)
        yield from (
            f'    {ids[before]} -- "{_inert(_label(groups))}" --> {ids[after]}\n' for before, after, groups in arrows
        )
        yield "  end\n"
    if len(moves) > _MOST:
        yield f'  more["and {len(moves) - _MOST} more"]\n'


def _label(groups: list[StageChange]) -> str:
    names = groups[0].group if len(groups) == 1 else counted(len(groups), "group")
    size = sum(each.size for each in groups)
    return f"{names}, {counted(sum(each.vms for each in groups), 'VM')}" + (f", {whole_gib(size)}" if size else "")


def _inert(text: str) -> str:
    """Return text without any character that has a meaning in Mermaid, Markdown or HTML."""
    return _TEXT.sub("_", text)
