"""Walks the events of PyYAML's scanner and reports everything that vmferry does not accept, at its position."""

import re
from typing import Any, NamedTuple, NoReturn

from vmferry.model.finding import Finding, Span, SpecError, Where
from vmferry.model.rule import Rule, declare
from vmferry.yaml.positions import events, line_text
from vmferry.yaml.scalars import AMBIGUOUS_SCALAR, disagreement, kind_of
from vmferry.yaml.syntax import UNPARSABLE_YAML, syntax_error
from vmferry.yaml.text import FILE_TOO_LARGE, MAX_DEPTH, TOO_DEEP

MAX_ALIAS_NODES = 100_000
MAX_FINDINGS = 50


class _Anchored(NamedTuple):
    """The target of an anchor: nodes after expansion, nesting depth, key text."""

    nodes: int
    height: int
    key: str | None
    kind: str


class _Frame:
    """A collection whose end has not been seen; ``keys`` maps each key to its line, from 1."""

    __slots__ = ("anchor", "expects_key", "height", "keys", "mapping", "nodes")

    def __init__(self, mapping: bool, anchor: str | None) -> None:
        self.keys: dict[str, int] = {}
        self.mapping = mapping
        self.expects_key = mapping
        self.anchor = anchor
        self.nodes = 1
        self.height = 1


class _Place(NamedTuple):
    """A position in libyaml's counting, from 0."""

    line: int
    column: int


_TAG = re.compile(r"(?:&\S++\s++)?+(!\S*)")


class _Stop(Exception):  # noqa: N818
    """Ends a walk early; the finding is already recorded."""


DUPLICATE_KEY = declare(
    "VMF002",
    "error",
    "duplicate key",
    why="Many YAML readers silently keep the last of the two. Someone reads `os: linux` under the name of a VM, and "
    "the migration follows another line further down.",
    source="YAML 1.2.2, section 3.2.1.1: keys of a mapping are unique",
)

ALIAS_EXPANSION = declare(
    "VMF003",
    "error",
    "aliases expand to too much",
    why="A few lines of aliases to aliases can stand for billions of values, or for themselves, and whatever reads "
    "the file runs out of memory. No spec needs that, and CI that checks other people's pull requests must "
    "survive it.",
)

YAML_TAG = declare(
    "VMF004",
    "error",
    "YAML tags are not accepted",
    why="A tag tells the reader to turn a value into something else, up to objects of its own program, and every "
    "program knows different tags. The schema already says what type each value has.",
)

KEY_NOT_STRING = declare(
    "VMF005",
    "error",
    "mapping key is not a string",
    why="A key that is a number or `true` is text to one tool and something else to the next, so a custom attribute "
    "called 4711 may not be found again. In JSON, which Kubernetes stores, keys are always text.",
    source="RFC 8259, section 4: names in an object are strings",
)


class Walk:
    """One pass over PyYAML's events that records everything vmferry does not accept."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._findings: list[Finding] = []
        self._document = -1
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchored | None] = {}
        self._expanded = 0

    def run(self) -> int:
        """Return the number of documents; raise SpecError if there is anything to refuse."""
        import yaml

        handlers = {
            yaml.DocumentStartEvent: self._on_document,
            yaml.ScalarEvent: self._on_scalar,
            yaml.AliasEvent: self._on_alias,
            yaml.MappingStartEvent: self._on_start,
            yaml.SequenceStartEvent: self._on_start,
            yaml.MappingEndEvent: self._on_end,
            yaml.SequenceEndEvent: self._on_end,
        }
        try:
            for event in events(self._text):
                handler = handlers.get(type(event))
                if handler is not None:
                    handler(event)
        except yaml.MarkedYAMLError as error:
            self._findings.append(syntax_error(error, self._text, self._file, max(self._document, 0)))
        except _Stop:
            pass
        if self._findings:
            raise SpecError(*self._findings)
        return self._document + 1

    def _add(self, rule: Rule, message: str, remedy: str, start: Any, end: Any = None) -> None:
        span = _span(self._text, start, end)
        where = Where(file=self._file, document=max(self._document, 0), span=span)
        self._findings.append(rule.finding(message, remedy, where=where))
        if len(self._findings) >= MAX_FINDINGS:
            raise _Stop

    def _on_document(self, event: Any) -> None:
        self._document += 1
        self._anchors = {}
        if event.tags:
            self._add(
                YAML_TAG,
                "`%TAG` declares YAML tags, and vmferry accepts none",
                "Remove this line.",
                event.start_mark,
            )
        if event.version == (1, 1):
            self._add(
                UNPARSABLE_YAML,
                "the file says that it is YAML 1.1; vmferry reads YAML 1.2",
                "Remove the `%YAML` line. In 1.2 the words yes, no, on and off are text.",
                event.start_mark,
            )

    def _on_scalar(self, event: Any) -> None:
        value: str = event.value
        plain = not event.style and event.tag is None
        kind = kind_of(value) if plain else ""
        if event.tag is not None:
            self._refuse_tag(event)
        is_key = self._is_key()
        if is_key:
            self._on_key(value, kind, event)
        if plain and not (is_key and kind):
            self._refuse_ambiguous(value, event)
        self._add_node(1, 0)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(1, 0, None if kind else value, kind)

    def _refuse_ambiguous(self, value: str, event: Any) -> None:
        found = disagreement(value)
        if found is not None:
            why, remedy = found
            self._add(AMBIGUOUS_SCALAR, f"{_shown(value)}: {why}", remedy, event.start_mark, event.end_mark)

    def _refuse_tag(self, event: Any) -> None:
        start = event.start_mark
        token = _TAG.match(self._text, start.index)
        shown = token[1] if token else event.tag
        self._add(
            YAML_TAG,
            f"{_shown(shown)} is a YAML tag, and vmferry accepts none",
            "Remove the tag. Text that starts with `!` must be in quotes.",
            _Place(start.line, start.column + (token.start(1) - start.index if token else 0)),
            _Place(start.line, start.column + (token.end(1) - start.index)) if token else event.end_mark,
        )

    def _is_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].expects_key

    def _on_key(self, value: str, kind: str, event: Any) -> None:
        """Check a scalar, or an alias of one, in the place of a key."""
        if kind:
            what = f"the key {_shown(value)} is {kind}, not text" if value else "the key is empty"
            self._add(KEY_NOT_STRING, what, "Put the key in quotes if it is meant.", event.start_mark, event.end_mark)
            return
        keys = self._stack[-1].keys
        if value in keys:
            self._add(
                DUPLICATE_KEY,
                f"the key {_shown(value)} is already used on line {keys[value]}",
                "Keep one of the two; YAML readers that accept both use the last.",
                event.start_mark,
                event.end_mark,
            )
            return
        keys[value] = event.start_mark.line + 1

    def _on_alias(self, event: Any) -> None:
        shown = _shown("*" + event.anchor)
        pattern = "A pattern such as '*-web' must be in quotes."
        if event.anchor not in self._anchors:
            what = f"{shown} refers to an anchor that is not defined above"
            self._add(UNPARSABLE_YAML, what, pattern, event.start_mark, event.end_mark)
            target: _Anchored | None = _Anchored(1, 0, event.anchor, "")
        else:
            target = self._anchors[event.anchor]
        if target is None:
            what = f"{shown} refers to the value that it is part of"
            self._add(ALIAS_EXPANSION, what, "Write the value out.", event.start_mark, event.end_mark)
            raise _Stop
        self._expanded += target.nodes
        if self._expanded > MAX_ALIAS_NODES:
            what = f"the aliases up to here stand for more than {MAX_ALIAS_NODES:,} values"
            self._add(ALIAS_EXPANSION, what, "Write the values out.", event.start_mark, event.end_mark)
            raise _Stop
        if len(self._stack) + target.height > MAX_DEPTH:
            self._refuse_depth(event)
        if self._is_key():
            if target.key is None:
                what = f"the key {shown} is {target.kind}, not text"
                self._add(KEY_NOT_STRING, what, "Write the key out.", event.start_mark, event.end_mark)
            else:
                self._on_key(target.key, "", event)
        self._add_node(target.nodes, target.height)

    def _on_start(self, event: Any) -> None:
        import yaml

        if event.tag is not None:
            self._refuse_tag(event)
        mapping = type(event) is yaml.MappingStartEvent
        if self._is_key():
            what = f"a {'mapping' if mapping else 'list'} is used as a key"
            remedy = "Keys are text. A value that starts with `{` or `[` must be in quotes."
            self._add(KEY_NOT_STRING, what, remedy, event.start_mark, event.end_mark)
        if len(self._stack) >= MAX_DEPTH:
            self._refuse_depth(event)
        self._stack.append(_Frame(mapping, event.anchor))
        if event.anchor is not None:
            self._anchors[event.anchor] = None

    def _refuse_depth(self, event: Any) -> NoReturn:
        self._add(FILE_TOO_LARGE, *TOO_DEEP, event.start_mark)
        raise _Stop

    def _on_end(self, _event: Any) -> None:
        frame = self._stack.pop()
        if frame.anchor is not None:
            kind = "a mapping" if frame.mapping else "a list"
            self._anchors[frame.anchor] = _Anchored(frame.nodes, frame.height, None, kind)
        self._add_node(frame.nodes, frame.height)

    def _add_node(self, nodes: int, height: int) -> None:
        """Add a complete node to the counts of its collection."""
        if self._stack:
            frame = self._stack[-1]
            frame.nodes += nodes
            frame.height = max(frame.height, height + 1)
            frame.expects_key = frame.mapping and not frame.expects_key


def _span(text: str, start: Any, end: Any = None) -> Span:
    """Return the span between two marks, cut to its first line, or of one character."""
    line, column = start.line, start.column
    if end is None or (end.line, end.column) <= (line, column):
        return Span(line + 1, column + 1, line + 1, column + 2)
    if end.line == line:
        return Span(line + 1, column + 1, line + 1, end.column + 1)
    width = len(line_text(text, line + 1).rstrip())
    return Span(line + 1, column + 1, line + 1, max(width, column + 1) + 1)


def _shown(value: str) -> str:
    value = value.replace("\n", "\\n")
    return f"`{value[:40]}…`" if len(value) > 40 else f"`{value}`"
