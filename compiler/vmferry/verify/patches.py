"""Compares kustomize's output with its patches: kustomize silently ignores one that matches nothing."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from vmferry.layout.compiled import Kustomization, Tree
from vmferry.layout.names import LOCAL, STAGE
from vmferry.layout.objects import Issue, Key, key_of, parse
from vmferry.model.manifest import KubeObject, group_and_version
from vmferry.model.rule import declare
from vmferry.verify.labels import selects

_MERGE = "merge"  # vmferry's name for one value of a strategic merge patch
_CHECKED = ("add", "replace", "remove", _MERGE)  # of `move` and `copy`, only that they match
_HELP = "kustomize ignores a patch whose target matches nothing; the names are anchored regular expressions"

Pointer = tuple[str, ...]


class Operation(NamedTuple):
    """One value that a patch sets: ``op`` is a JSON6902 operation, or ``merge``."""

    op: str
    pointer: Pointer
    value: Any


class Patch(NamedTuple):
    """One entry of ``patches``: its place, what it selects, and what it sets."""

    kustomization: Kustomization
    number: int
    target: dict[str, str]
    operations: tuple[Operation, ...]

    @property
    def must_match(self) -> bool:
        """Return whether selecting nothing is a mistake: not in a component that many overlays share."""
        return not self.kustomization.component or posixpath.basename(self.kustomization.directory) in (LOCAL, STAGE)


def check_patches(tree: Tree, root: str, objects: Sequence[KubeObject]) -> Iterator[Issue]:
    """Yield a VMF608 for each patch of a root, or of its components, that did not take effect in ``objects``.

    Values that a later patch overwrites are skipped.
    """
    expected: dict[int, list[tuple[Operation, Patch]]] = {}
    for patch in _patches(tree, tree.kustomizations[root], set()):
        targets = [index for index, obj in enumerate(objects) if _matches(patch.target, obj)]
        if not targets and patch.must_match:
            shown = ", ".join(f"{field} {value}" for field, value in patch.target.items()) or "everything"
            yield _issue(patch, f"the patch for {shown} matches no object of `{root}`", _HELP)
        for index in targets:
            for operation in patch.operations:
                standing = [each for each in expected.get(index, ()) if _survives(each[0], operation)]
                added = [(operation, patch)] if operation.op in _CHECKED else []
                expected[index] = [*standing, *added]
    for index, operations in sorted(expected.items()):
        for operation, patch in operations:
            if problem := _problem(objects[index], operation):
                place = "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in operation.pointer)
                message = f"{key_of(objects[index])}: {problem} at `{place}` after the build of `{root}`"
                yield _issue(patch, message)


def _patches(tree: Tree, kustomization: Kustomization, seen: set[str]) -> Iterator[Patch]:
    """Yield the patches in kustomize's order: components come before their user's own."""
    if kustomization.directory in seen:
        return
    seen.add(kustomization.directory)
    for _, directory in kustomization.below("components"):
        if component := tree.kustomizations.get(directory):
            yield from _patches(tree, component, seen)
    entries = kustomization.data.get("patches")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield from _read(tree, kustomization, index, entry)


def _read(tree: Tree, kustomization: Kustomization, index: int, entry: dict[str, Any]) -> Iterator[Patch]:
    """Yield the patches of one entry. One that is not YAML yields none: kustomize has refused it."""
    if isinstance(entry.get("path"), str):
        documents = tree.documents(posixpath.normpath(posixpath.join(kustomization.directory, entry["path"])))
    else:
        try:
            documents = parse(entry.get("patch") or "")
        except ValueError:
            documents = []
    target = _target(entry["target"]) if isinstance(entry.get("target"), dict) else None
    operations = [each for each in documents if isinstance(each, dict) and "op" in each]
    if operations:
        made = tuple(Operation(each["op"], _pointer(each.get("path", "")), each.get("value")) for each in operations)
        yield Patch(kustomization, index, target or {}, made)
    for each in documents:
        if isinstance(each, dict) and "op" not in each:
            merged = {name: value for name, value in each.items() if name not in ("apiVersion", "kind")}
            named = _exactly(key_of(each)) if target is None else target
            yield Patch(kustomization, index, named, tuple(_merges(merged, ())))


def _target(target: dict[str, Any]) -> dict[str, str]:
    return {field: value for field, value in target.items() if isinstance(value, str) and value}


def _exactly(key: Key) -> dict[str, str]:
    fields = {
        "group": key.group,
        "kind": key.kind,
        "name": re.escape(key.name),
        "namespace": re.escape(key.namespace),
    }
    return {field: value for field, value in fields.items() if value}


def _merges(value: Any, pointer: Pointer) -> Iterator[Operation]:
    """Yield the values that a strategic merge patch sets outside of lists, without identifying metadata."""
    for name, item in value.items():
        at = (*pointer, name)
        if at in (("metadata", "name"), ("metadata", "namespace")) or name.startswith("$"):
            continue
        if item is None:
            yield Operation("remove", at, None)
        elif isinstance(item, dict):
            yield from _merges(item, at)
        elif not isinstance(item, list):
            yield Operation(_MERGE, at, item)


def _matches(target: dict[str, str], obj: KubeObject) -> bool:
    """Return whether kustomize selects ``obj``: each field of the target is an anchored regular expression."""
    key = key_of(obj)
    fields = {
        "group": key.group,
        "version": group_and_version(obj["apiVersion"])[1],
        "kind": key.kind,
        "name": key.name,
        "namespace": key.namespace,
    }
    if not all(re.fullmatch(target[field], value) for field, value in fields.items() if field in target):
        return False
    meta = obj["metadata"]
    return all(
        selects(target[selector], meta.get(labels) or {})
        for selector, labels in (("labelSelector", "labels"), ("annotationSelector", "annotations"))
        if selector in target
    )


def _survives(earlier: Operation, later: Operation) -> bool:
    """Return whether ``later`` does not affect what ``earlier`` set: the value, its parents, and its place."""
    *parent, last = later.pointer or ("",)
    in_list = last == "-" or last.isdigit()
    if in_list and later.op == "add" and earlier.op == "add" and earlier.pointer[:-1] == tuple(parent):
        return True  # both items are in the list
    if last == "-":
        return earlier.pointer != tuple(parent)
    # Adding an item to a list, or removing one, moves those after it.
    changed = tuple(parent) if in_list and later.op in ("add", "remove") else later.pointer
    shorter = min(len(changed), len(earlier.pointer))
    return earlier.pointer[:shorter] != changed[:shorter]


def _problem(obj: KubeObject, operation: Operation) -> str | None:
    """Return how the object differs from what the operation set, or None."""
    parent: Any = obj
    *above, last = operation.pointer or ("",)
    for step in above:
        parent = _child(parent, step)
    if operation.op == "remove":
        # The next item may take the place of an item that was removed from a list.
        return "the value is still there" if isinstance(parent, dict) and last in parent else None
    if isinstance(parent, list) and operation.op == "add":
        return None if any(_same(item, operation.value) for item in parent) else "the item is missing"
    if isinstance(parent, dict) and last not in parent:
        return "the value is missing"
    found = _child(parent, last)
    if _same(found, operation.value):
        return None
    return f"the value is {_shown(found)} instead of {_shown(operation.value)}"


def _child(parent: Any, step: str) -> Any:
    if isinstance(parent, dict):
        return parent.get(step)
    if isinstance(parent, list) and step.isdigit() and int(step) < len(parent):
        return parent[int(step)]
    return None


def _same(left: Any, right: Any) -> bool:
    """Compare with JSON semantics, where 1 and true differ."""
    return msgspec.json.encode(left, order="sorted") == msgspec.json.encode(right, order="sorted")


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else f"{text[:80]}…"


def _pointer(text: str) -> Pointer:
    """Return the steps of a JSON pointer (RFC 6901)."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:])


IDLE_PATCH = declare(
    "VMF608",
    "error",
    "patch did not take effect",
    why="kustomize silently ignores a patch whose target matches nothing: a priority, a label or a start at cutover "
    "that everyone relies on would be missing.",
    source="kubernetes-sigs/kustomize api/internal/builtins/PatchTransformer.go; seen with v5.5.0",
)


def _issue(patch: Patch, message: str, remedy: str = "correct the patch: something after it undoes it") -> Issue:
    path = ("patches", patch.number)
    return Issue(IDLE_PATCH, message, remedy, file=patch.kustomization.file, path=path)
