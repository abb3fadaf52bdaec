"""Finds the lines and columns of values in a YAML text, for the few places in findings."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from vmferry.model.finding import Path, Span, Where

MAX_SHOWN = 200
_LINE_END = re.compile(r"\r\n?|[\n\x85\u2028\u2029]")  # line breaks of PyYAML

Wanted = tuple[int, Path, bool]
"""Document number (from 0), path, and whether the key is meant instead of its value."""


def locate(text: str, wanted: Iterable[Wanted]) -> dict[Wanted, Span]:
    """Return the position of each wanted value or key, in one pass over the text.

    A span is on one line: for a value of several lines it covers the first. Values behind an alias are found at the
    alias. A path that does not exist is found at its deepest existing ancestor: at the ancestor's key if its value is a
    block below that key, otherwise at the value. If the text cannot be parsed, only values before the error are found.
    """
    targets: dict[Wanted, _Target] = {}
    roots: dict[int, _Target] = {}
    for item in wanted:
        document, path, _ = item
        target = roots.setdefault(document, _Target())
        for step in path:
            target = target.child(step)
        targets[item] = target
    if roots:
        _Search(text.removeprefix("\ufeff"), roots, set(targets.values())).run()
    found = {item: span for item, target in targets.items() if (span := _resolve(target, item[2])) is not None}
    last = _last_line(text, max((span.line for span in found.values()), default=0))
    return {item: span for item, span in found.items() if span.line <= last}


def spans_of(places: Iterable[Where], texts: Mapping[str, str]) -> dict[Where, Span]:
    """Return the span of each place."""
    wanted: defaultdict[str, dict[Wanted, Where]] = defaultdict(dict)
    for where in places:
        wanted[where.file][where.document, where.path, where.key] = where
    return {
        paths[path]: span for file, paths in wanted.items() for path, span in locate(texts.get(file, ""), paths).items()
    }


def _last_line(text: str, wanted: int) -> int:
    """Return how many lines a text has, if not as many as wanted: the value of a final `---` is after the end."""
    lines = text.count("\n") + 1
    return lines if wanted <= lines else max(lines, len(_LINE_END.findall(text)) + 1)


def line_of(text: str, line: int) -> str:
    """Return a line (from 1) without its end and cut to 200 characters; "" beyond the last line."""
    return line_text(text, line)[:MAX_SHOWN]


def line_text(text: str, line: int) -> str:
    """Return a whole line (from 1) without its end; "" beyond the last line."""
    lines = _lines(text)
    return lines[line - 1].removesuffix("\r") if line <= len(lines) else ""


@lru_cache(maxsize=4)
def _lines(text: str) -> list[str]:
    """Return the lines of a text; many findings ask for one each."""
    return text.split("\n")


def events(text: str) -> Iterator[Any]:
    """Yield PyYAML's events, from its C scanner where it was built; raises yaml.MarkedYAMLError."""
    # Imported late: that takes three times as long as reading a small spec.
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.parse(text, Loader=loader)


class _Target:
    """A step of a wanted path, with the state of its search.

    ``first`` is the first key of a mapping, which represents it if it has no key of its own.
    """

    __slots__ = ("block", "children", "first", "key", "parent", "value")

    def __init__(self, parent: "_Target | None" = None) -> None:
        self.parent = parent
        self.children: dict[str | int, _Target] = {}
        self.key: Span | None = None
        self.value: Span | None = None
        self.first: Span | None = None
        self.block = False

    def child(self, step: str | int) -> "_Target":
        found = self.children.get(step)
        if found is None:
            found = self.children[step] = _Target(self)
        return found


def _resolve(target: _Target, key: bool) -> Span | None:
    if key and target.key is not None:
        return target.key
    if target.value is not None:
        return target.value
    ancestor: _Target | None = target
    while ancestor is not None and ancestor.value is None:
        ancestor = ancestor.parent
    if ancestor is None:
        return None
    return (ancestor.block and (ancestor.key or ancestor.first)) or ancestor.value


class _Frame:
    """A collection that wanted paths lead into; ``key`` is the key of the next value."""

    __slots__ = ("index", "key", "mapping", "target")

    def __init__(self, target: _Target, mapping: bool) -> None:
        self.target = target
        self.mapping = mapping
        self.index = 0
        self.key: tuple[str, Span] | None = None


class _Search:
    """The state of one pass: its position, and the values whose first line is not finished."""

    def __init__(self, text: str, roots: dict[int, _Target], wanted: set[_Target]) -> None:
        self._text = text
        self._roots = roots
        self._pending = wanted  # targets that may still come; the text is not read further than necessary
        self._document = -1
        self._frames: list[_Frame] = []
        self._skipped = 0  # collections around the current event that no wanted path leads into
        self._open: list[tuple[_Target, int]] = []  # with the depth at which each began
        self._depth = 0
        self._open_line = -1

    def run(self) -> None:
        import yaml

        starts = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
        ends = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
        nesting = dict.fromkeys(starts, 1) | dict.fromkeys(ends, -1)
        last = max(self._roots)
        try:
            for event in events(self._text):
                kind = type(event)
                if self._open:
                    self._extend(event)
                step = nesting.get(kind, 0)
                self._nest(step)
                if self._skipped:
                    self._skipped += step
                elif kind is yaml.ScalarEvent or kind is yaml.AliasEvent:
                    target = self._enter(event)
                    if target is not None:
                        self._give_up(target)
                elif kind in starts:
                    self._start(event, kind is yaml.MappingStartEvent)
                elif kind in ends:
                    self._give_up(self._frames.pop().target)
                elif kind is yaml.DocumentStartEvent:
                    self._document += 1
                    if self._document > last:
                        return
                if not self._pending and not self._open:
                    return
        except yaml.YAMLError:
            return

    def _give_up(self, target: _Target) -> None:
        """Stop expecting anything below a target: its collection has ended, or it is not a collection."""
        for child in target.children.values():
            self._pending.discard(child)
            self._give_up(child)

    def _nest(self, step: int) -> None:
        """Enter a collection (1) or leave one (-1), which ends its value."""
        if step < 0:
            self._open = [item for item in self._open if item[1] < self._depth]
        self._depth += step

    def _start(self, event: Any, mapping: bool) -> None:
        target = self._enter(event)
        if target is not None:
            target.block = not event.flow_style
            self._open.append((target, self._depth))
            self._open_line = event.start_mark.line
        if target is None or not target.children:
            self._skipped = 1
        else:
            self._frames.append(_Frame(target, mapping))

    def _enter(self, event: Any) -> _Target | None:
        """Process a node; return the target whose value it is."""
        key: Span | None = None
        if not self._frames:
            target = self._roots.get(self._document)
        else:
            frame = self._frames[-1]
            if not frame.mapping:
                target = frame.target.children.get(frame.index)
                frame.index += 1
            elif frame.key is None:
                key = self._span(event)
                frame.key = (getattr(event, "value", ""), key)
                frame.target.first = frame.target.first or key
                return None
            else:
                name, key = frame.key
                target = frame.target.children.get(name)
                frame.key = None
        if target is None or target.value is not None:
            return None
        target.key = key
        empty = event.start_mark.index == event.end_mark.index and getattr(event, "value", None) == ""
        target.value = key if empty and key is not None else self._span(event)
        self._pending.discard(target)
        return target

    def _span(self, event: Any) -> Span:
        start = event.start_mark
        line, column = start.line + 1, start.column + 1
        return Span(line, column, line, max(self._end_column(event), column + 1))

    def _end_column(self, event: Any) -> int:
        """Return the column after an event, or after the line on which it starts."""
        start, end = event.start_mark, event.end_mark
        if end.line == start.line:
            return int(end.column) + 1
        line_end = self._text.find("\n", start.index)
        first_line = self._text[start.index :] if line_end < 0 else self._text[start.index : line_end]
        return int(start.column) + len(first_line.rstrip()) + 1

    def _extend(self, event: Any) -> None:
        """Extend the values whose first line continues with this event."""
        if event.start_mark.line != self._open_line:
            self._open.clear()
        elif event.start_mark.index != event.end_mark.index:
            end = self._end_column(event)
            for target, _ in self._open:
                assert target.value is not None  # noqa: S101 - set when it was opened
                target.value = target.value._replace(end_column=max(target.value.end_column, end))
