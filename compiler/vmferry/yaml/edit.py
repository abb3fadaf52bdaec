"""Sets a value in a YAML text that a person wrote; every other character stays, comments and line ends too."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from vmferry.model.finding import SpecError
from vmferry.yaml.read import read
from vmferry.yaml.write import quoted


class CannotEditError(Exception):
    """Raised for a text in which nobody can tell where a value belongs."""


def with_value(text: str, document: int, path: tuple[str, ...], value: str) -> str:
    """Return ``text`` with ``value`` at a ``path`` of keys in one of its documents (from 0).

    A value that exists is replaced; otherwise it and the mappings around it are added, in the style of what is there.
    Raises CannotEditError if the result would differ in anything else, for example behind an alias.
    """
    ends = "\r\n" if "\r\n" in text else "\n"
    found = _edited(text, document, path, quoted(value), ends)
    if found is None or not _only(text, found, document, path, value):
        raise CannotEditError(f"{'.'.join(path)} cannot be set to {value} in this file without changing anything else")
    return found


def _only(before: str, after: str, document: int, path: tuple[str, ...], value: str) -> bool:
    """Return whether two texts say the same, apart from a value."""
    try:
        was, now = ([each.data for each in read(text.encode(), "")] for text in (before, after))
    except SpecError:
        return False
    holder: Any = was[document]
    for step in path[:-1]:
        holder[step] = holder.get(step) or {}
        holder = holder[step]
    holder[path[-1]] = value
    return was == now


class _Place(NamedTuple):
    """The deepest mapping or value that a path leads to, and the keys that are missing below it."""

    node: Any
    missing: tuple[str, ...]


def _edited(text: str, document: int, path: tuple[str, ...], value: str, ends: str) -> str | None:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        roots = list(yaml.compose_all(text, Loader=loader))
    except yaml.MarkedYAMLError:
        return None
    if document >= len(roots) or not isinstance(roots[document], yaml.MappingNode):
        return None
    node, missing = _deepest(roots[document], path)
    if isinstance(node, yaml.ScalarNode):
        start, end = node.start_mark.index, node.end_mark.index
        if not missing:
            return text[:start] + value + text[end:] if start < end else None
        if node.tag != "tag:yaml.org,2002:null":
            return None
        inner = _flow(missing, value)
        return text[:start] + (inner if start < end else f" {inner}") + text[end:]
    if not isinstance(node, yaml.MappingNode) or not missing:
        return None
    if node.flow_style and node.value:
        at = node.value[-1][1].end_mark.index
        return f"{text[:at]}, {_entry(missing, value)}{text[at:]}"
    if node.flow_style:
        at = node.end_mark.index - 1
        return text[:at] + _entry(missing, value) + text[at:]
    key, last = node.value[0][0], _last(node.value[-1][1])
    return _with_line(text, last, f"{' ' * key.start_mark.column}{_entry(missing, value)}", ends)


def _deepest(node: Any, path: tuple[str, ...]) -> _Place:
    """Return the deepest node of a path that exists."""
    import yaml

    for depth, step in enumerate(path):
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


def _with_line(text: str, last: Any, line: str, ends: str) -> str:
    """Return a text with a new line after the one on which a node ends."""
    at = last.end_mark.index
    if at and text[at - 1] == "\n":  # a block scalar ends at the start of the next line
        return f"{text[:at]}{line}{ends}{text[at:]}"
    end = text.find("\n", at)
    if end < 0:
        return f"{text}{ends}{line}{ends}"
    return f"{text[: end + 1]}{line}{ends}{text[end + 1 :]}"


def _entry(keys: tuple[str, ...], value: str) -> str:
    inner = value if len(keys) == 1 else _flow(keys[1:], value)
    return f"{quoted(keys[0])}: {inner}"


def _flow(keys: Iterable[str], value: str) -> str:
    return f"{{{_entry(tuple(keys), value)}}}"
