"""Sets and removes values in a YAML text that a person wrote.

Every other character stays, comments and line ends too.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from vmferry.model.finding import SpecError
from vmferry.yaml.read import read
from vmferry.yaml.write import quoted

Value = str | int | tuple[str, ...] | None
"""What a key is set to: a text, a number, or a list of texts. None removes it."""


Step = str | int
"""A step of a path: a key of a mapping, or the number of an item."""


class CannotEditError(Exception):
    """Raised for a text in which nobody can tell where a value belongs."""


def with_values(text: str, document: int, values: Mapping[tuple[str, ...], Value]) -> str:
    """Return ``text`` with values at paths of keys in one of its documents (from 0).

    A value that exists is replaced; otherwise it and the mappings around it are added, in the style of what is there. A
    key whose value is None is removed.
    Raises CannotEditError if the result would differ in anything else, for example behind an alias.
    """
    ends = "\r\n" if 2 * text.count("\r\n") > text.count("\n") else "\n"
    for way in (_together, _one_by_one):
        found = way(text, document, values, ends)
        if found is not None and _only(text, found, document, values):
            return found
    paths = ", ".join(".".join(path) for path in values)
    raise CannotEditError(f"cannot set {paths} without changing other values (aliases?)")


def with_items(text: str, document: int, path: tuple[Step, ...], items: Sequence[Mapping[str, str]]) -> str:
    """Return ``text`` with mappings added at the end of a list in one of its documents, in the style of what is there.

    The mapping around a list that does not exist has to exist.
    Raises CannotEditError if the result would differ in anything else, for example behind an alias.
    """
    ends = "\r\n" if 2 * text.count("\r\n") > text.count("\n") else "\n"
    root = _root(text, document)
    edit = _added(text, root, path, items, ends) if root is not None else None
    if edit is not None:
        found = edit.applied(text)
        if _only_added(text, found, document, path, items):
            return found
    raise CannotEditError(f"cannot add to {'.'.join(map(str, path))} without changing other values (aliases?)")


def _together(text: str, document: int, values: Mapping[tuple[str, ...], Value], ends: str) -> str | None:
    """Return a text with all values, each where it belongs in the text as it is."""
    root = _root(text, document)
    edits = [_edit(text, root, path, value, ends) if root is not None else None for path, value in values.items()]
    known = [edit for edit in edits if edit is not None]
    if len(known) < len(edits):
        return None
    for edit in reversed(sorted(known, key=lambda edit: edit.start)):  # noqa: C413 - those at one place, too
        text = edit.applied(text)
    return text


def _one_by_one(text: str, document: int, values: Mapping[tuple[str, ...], Value], ends: str) -> str | None:
    """Return a text with all values, each where it belongs after the one before: it may need that one's mapping."""
    for path, value in values.items():
        root = _root(text, document)
        edit = _edit(text, root, path, value, ends) if root is not None else None
        if edit is None:
            return None
        text = edit.applied(text)
    return text


def _only(before: str, after: str, document: int, values: Mapping[tuple[str, ...], Value]) -> bool:
    """Return whether two texts say the same, apart from some values."""
    try:
        was, now = ([each.data for each in read(text.encode(), "")] for text in (before, after))
    except SpecError:
        return False
    for path, value in values.items():
        holder: Any = was[document]
        for step in path[:-1]:
            if value is not None:
                holder[step] = holder.get(step) or {}
            holder = holder.get(step) if isinstance(holder, dict) else None
        if value is not None:
            holder[path[-1]] = list(value) if isinstance(value, tuple) else value
        elif isinstance(holder, dict):
            holder.pop(path[-1], None)
    return was == now


class _Edit(NamedTuple):
    """New text in place of a range."""

    start: int
    end: int
    new: str

    def applied(self, text: str) -> str:
        """Return a text with this edit."""
        return text[: self.start] + self.new + text[self.end :]


def _added(text: str, root: Any, path: tuple[Step, ...], items: Sequence[Mapping[str, str]], ends: str) -> _Edit | None:
    import yaml

    node, missing = _deepest(root, path)
    style = _style(root)
    entries = [f"{{{', '.join(_entry((key,), value, style) for key, value in item.items())}}}" for item in items]
    if isinstance(node, yaml.SequenceNode) and not missing:
        if not node.flow_style and node.value:
            lines = ends.join(f"{' ' * node.start_mark.column}- {entry}" for entry in entries)
            return _with_line(text, _last(node.value[-1]), lines, ends)
        at = node.value[-1].end_mark.index if node.value else node.end_mark.index - 1
        return _Edit(at, at, f"{', ' if node.value else ''}{', '.join(entries)}")
    if isinstance(node, yaml.ScalarNode) and not missing and node.tag == "tag:yaml.org,2002:null":
        start, end = node.start_mark.index, node.end_mark.index
        return _Edit(start, end, f"{'' if start < end else ' '}[{', '.join(entries)}]")
    if not isinstance(node, yaml.MappingNode) or len(missing) != 1:
        return None
    key = _scalar(str(missing[0]), style)
    if node.flow_style:
        at = node.value[-1][1].end_mark.index if node.value else node.end_mark.index - 1
        return _Edit(at, at, f"{', ' if node.value else ''}{key}: [{', '.join(entries)}]")
    indent = " " * node.value[0][0].start_mark.column
    lines = ends.join([f"{indent}{key}:", *(f"{indent}  - {entry}" for entry in entries)])
    return _with_line(text, _last(node.value[-1][1]), lines, ends)


def _only_added(
    before: str, after: str, document: int, path: tuple[Step, ...], items: Sequence[Mapping[str, str]]
) -> bool:
    """Return whether two texts say the same, apart from some items that one list has more."""
    try:
        was, now = ([each.data for each in read(text.encode(), "")] for text in (before, after))
    except SpecError:
        return False
    holder: Any = was[document]
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = [*(holder.get(path[-1]) or ()), *map(dict, items)]
    return was == now


class _Place(NamedTuple):
    """The deepest mapping or value that a path leads to, and the keys that are missing below it."""

    node: Any
    missing: tuple[Step, ...]


def _root(text: str, document: int) -> Any:
    """Return the mapping of a document; None if it has none."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        roots = list(yaml.compose_all(text, Loader=loader))
    except yaml.MarkedYAMLError:
        return None
    root = roots[document] if document < len(roots) else None
    return root if isinstance(root, yaml.MappingNode) else None


def _edit(text: str, root: Any, path: tuple[str, ...], value: Value, ends: str) -> _Edit | None:
    import yaml

    if value is None:
        holder, missing = _deepest(root, path[:-1])
        there = isinstance(holder, yaml.MappingNode) and not missing
        return _removal(text, holder, path[-1]) if there else _Edit(0, 0, "")
    node, missing = _deepest(root, path)
    keys = tuple(map(str, missing))
    if isinstance(node, yaml.ScalarNode):
        start, end = node.start_mark.index, node.end_mark.index
        if not missing:
            return (
                _Edit(start, end, _scalar(value, node.style)) if start < end and node.style not in ("|", ">") else None
            )
        if node.tag != "tag:yaml.org,2002:null":
            return None
        inner = _flow(keys, value, _style(root))
        return _Edit(start, end, inner if start < end else f" {inner}")
    if not isinstance(node, yaml.MappingNode) or not missing:
        return None
    entry = _entry(keys, value, _style(node) or _style(root))
    if node.flow_style and node.value:
        at = node.value[-1][1].end_mark.index
        return _Edit(at, at, f", {entry}")
    if node.flow_style:
        at = node.end_mark.index - 1
        return _Edit(at, at, entry)
    key, last = node.value[0][0], _last(node.value[-1][1])
    return _with_line(text, last, f"{' ' * key.start_mark.column}{entry}", ends)


def _removal(text: str, holder: Any, key: str) -> _Edit | None:
    """Return an edit that takes an entry out of a mapping; None if it shares its line with what has to stay."""
    index = next((index for index, (each, _) in enumerate(holder.value) if each.value == key), None)
    if index is None:
        return _Edit(0, 0, "")
    start, last = holder.value[index][0].start_mark.index, _last(holder.value[index][1])
    if holder.flow_style:
        if index + 1 < len(holder.value):
            return _Edit(start, holder.value[index + 1][0].start_mark.index, "")
        before = holder.value[index - 1][1].end_mark.index if index else start
        return _Edit(before, last.end_mark.index, "")
    line = text.rfind("\n", 0, start) + 1
    if text[line:start].strip(" "):
        return None
    end = last.end_mark.index
    if text[end - 1] != "\n":  # a block scalar ends at the start of the next line
        end = text.find("\n", end) + 1 or len(text)
    return _Edit(line, end, "")


def _style(mapping: Any) -> str | None:
    """Return how the keys of a mapping are quoted: JSON takes nothing else."""
    return '"' if mapping.value and mapping.value[0][0].style == '"' else None


def _scalar(value: str | int | tuple[str, ...], style: str | None) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_scalar(each, style) for each in value)}]"
    if isinstance(value, int):
        return str(value)
    if style == "'" and "'" not in value and value.isprintable():
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False) if style == '"' else quoted(value)


def _deepest(node: Any, path: tuple[Step, ...]) -> _Place:
    """Return the deepest node of a path that exists."""
    import yaml

    for depth, step in enumerate(path):
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            continue
        if not isinstance(node, yaml.MappingNode):
            return _Place(node, path[depth:])
        inner = next((value for key, value in node.value if key.value == step), None)
        if inner is None:
            return _Place(node, path[depth:])
        node = inner
    return _Place(node, ())


def _last(node: Any) -> Any:
    """Return the last scalar or flow collection in a node: a block collection ends where the next token begins."""
    import yaml

    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        inner = node.value[-1]
        node = inner[1] if isinstance(node, yaml.MappingNode) else inner
    return node


def _with_line(text: str, last: Any, line: str, ends: str) -> _Edit:
    """Return an edit that adds a line after the one on which a node ends."""
    at = last.end_mark.index
    if at and text[at - 1] == "\n":  # a block scalar ends at the start of the next line
        return _Edit(at, at, f"{line}{ends}")
    end = text.find("\n", at)
    return _Edit(len(text), len(text), f"{ends}{line}{ends}") if end < 0 else _Edit(end + 1, end + 1, f"{line}{ends}")


def _entry(keys: tuple[str, ...], value: str | int | tuple[str, ...], style: str | None) -> str:
    inner = _scalar(value, style) if len(keys) == 1 else _flow(keys[1:], value, style)
    return f"{_scalar(keys[0], style)}: {inner}"


def _flow(keys: Iterable[str], value: str | int | tuple[str, ...], style: str | None) -> str:
    return f"{{{_entry(tuple(keys), value, style)}}}"
