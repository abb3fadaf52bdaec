"""Builds the parts of an inventory.

A value that an inventory file must not contain is an error here, not when it is loaded.
"""

from functools import cache
from typing import Any, TypeVar

import msgspec

from vmferry.importers.errors import ImporterError
from vmferry.model.base import Model

M = TypeVar("M", bound=Model)

_LONGEST_SHOWN = 60  # characters of a value


def build(kind: type[M], where: object, /, **facts: Any) -> M:
    """Return a part of an inventory. Facts that are None are unknown and left out.

    ``where`` converts to a text that says where the facts come from: file, tab and row, or the VM. Raises ImporterError
    with that text and the field. Build nested parts first.
    """
    names = _names(kind)
    stated = {names[field]: value for field, value in facts.items() if value is not None}
    try:
        return msgspec.convert(stated, kind)
    except msgspec.ValidationError as error:
        raise ImporterError(f"{where}: {_message(stated, error)}") from None


def check(part: Model, where: object) -> None:
    """Raise ImporterError unless a part of an inventory, including its content, can be loaded after it is written."""
    try:
        msgspec.json.decode(msgspec.json.encode(part), type=type(part))  # ten times as fast as any other way
    except msgspec.ValidationError as error:
        raise ImporterError(f"{where}: {_message(msgspec.to_builtins(part), error)}") from None


@cache
def _names(kind: type[Model]) -> dict[str, str]:
    return dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))


def _message(document: dict[str, Any], error: msgspec.ValidationError) -> str:
    """Return msgspec's message about a value, with the name of the field and the value."""
    expected, _, path = str(error).partition(" - at `$")
    path = path.rstrip("`").removeprefix(".")
    if not path:
        return expected
    value: Any = document
    names = []
    for step in path.replace("[", ".[").split("."):
        value = _inside(value, step)
        names.append(f" of {value['name']!r}" if isinstance(value, dict) and "name" in value else "")
    vm = next((name for name in names if name), "")
    return f"{path}{vm}: {expected.lower()}, found {str(value)[:_LONGEST_SHOWN]!r}"


def _inside(value: Any, step: str) -> Any:
    """Return the target of a step in msgspec's path; the whole value if it leads to a key, or to nothing."""
    if isinstance(value, dict):
        return value.get(step, value)
    index = step.strip("[]")
    return value[int(index)] if isinstance(value, (list, tuple)) and index.isdigit() else value
