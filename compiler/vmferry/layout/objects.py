"""Built Kubernetes objects: reading them, their keys, and issues with them."""

import re
from functools import cache
from typing import Any, NamedTuple

import yaml_rs

from vmferry.model.finding import Path
from vmferry.model.manifest import KubeObject, api_group
from vmferry.model.rule import Rule

# kustomize, like most writers, leaves `_1` unquoted; yaml-rs would read it as a number.
_UNDERSCORED = re.compile(r"(?m)((?:: |- ))([._-]*_[0-9._]+)$")


class Key(NamedTuple):
    """The identity of an object: group, kind, namespace (empty if it has none) and name."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


class Issue(NamedTuple):
    """A problem with an object, or with ``file`` (relative to the tree's root); its place is determined later.

    ``path`` leads to the value in the object, or in the file.
    """

    rule: Rule
    message: str
    help: str = ""
    key: Key | None = None
    path: Path = ()
    file: str | None = None


def parse(raw: bytes | str) -> list[Any]:
    """Return the documents of a YAML text, which must be mappings; empty ones are left out.

    Raises ValueError for invalid YAML or UTF-8.
    """
    text = raw.decode() if isinstance(raw, bytes) else raw
    if "_" in text:
        text = _UNDERSCORED.sub(r'\1"\2"', text)
    data = yaml_rs.loads(text, parse_datetime=False)
    documents = data if isinstance(data, list) else [data]
    return [document for document in documents if document is not None]


def is_object(value: Any) -> bool:
    """Return whether a document is a Kubernetes object with a name."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("apiVersion"), str)
        and isinstance(value.get("kind"), str)
        and isinstance(value.get("metadata"), dict)
        and isinstance(value["metadata"].get("name"), str)
        and isinstance(value["metadata"].get("namespace") or "", str)
    )


def key_of(obj: KubeObject) -> Key:
    """Return the key of an object."""
    meta = obj["metadata"]
    return Key(api_group(obj), obj["kind"], meta.get("namespace") or "", meta["name"])


def select(value: Any, pattern: str) -> list[tuple[Path, Any]]:
    """Return each value at ``pattern``, with its path: keys joined by dots, ``[]`` for every item.

    Missing values, and values of another shape, give nothing.
    """
    found: list[tuple[Path, Any]] = [((), value)]
    for step in _steps(pattern):
        if step == "[]":
            lists = ((path, each) for path, each in found if isinstance(each, list))
            found = [((*path, index), item) for path, each in lists for index, item in enumerate(each)]
        else:
            found = [((*path, step), each[step]) for path, each in found if isinstance(each, dict) and step in each]
        if not found:
            break
    return [(path, each) for path, each in found if each is not None]


@cache
def _steps(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.replace("[]", ".[]").strip(".").split("."))


def shown(path: Path) -> str:
    """Return a path in readable form: ``spec.template.spec.volumes[0].name``."""
    parts = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(parts).removeprefix(".")
