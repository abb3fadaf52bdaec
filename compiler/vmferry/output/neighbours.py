"""Neighbouring trees for the same cluster: both would overwrite an object that they have in common."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vmferry import files
from vmferry.layout.names import KUSTOMIZATION
from vmferry.layout.objects import Key, is_object, key_of, parse
from vmferry.model.base import LABEL_DOMAIN
from vmferry.model.finding import Finding, Severity
from vmferry.model.manifest import KubeObject
from vmferry.model.rule import declare
from vmferry.output.render import owner
from vmferry.output.tree import Planned, read_locks

_HELP = (
    "give each migration its own namespaces, or move the VMs of both into one spec: with files of kind "
    "VirtualMachineSet, each team keeps its own"
)
_MIGRATION = f"{LABEL_DOMAIN}/migration"


def shared(root: Path, trees: Iterable[Path], cluster: str, planned: Iterable[Planned]) -> Iterator[Finding]:
    """Yield a finding (VMF632) for each of ``trees`` for the same cluster that has some of the compiled objects.

    For identical objects it is information: neither migration can be removed alone. Objects without a migration's label
    belong to all of them.
    """
    ours: dict[bytes, list[Planned]] | None = None  # most trees have no neighbour
    for neighbour in sorted({tree.resolve() for tree in trees} - {root.resolve()}):
        migration, clusters = owner(neighbour)
        if migration is None or cluster not in clusters:
            continue
        ours = _by_name(planned) if ours is None else ours
        found = dict(_in_both(ours, neighbour))
        for same in (False, True):
            keys = sorted(key for key, alike in found.items() if alike is same)
            if keys:
                yield _finding(keys, neighbour, migration, same=same)


def _in_both(ours: Mapping[bytes, list[Planned]], neighbour: Path) -> Iterator[tuple[Key, bool]]:
    """Yield the objects in both trees, and whether they are identical."""
    try:
        listed = {path for lock in read_locks(neighbour, damaged=True).values() for path in lock.files}
    except OSError:
        return
    parsed: dict[str, dict[Key, KubeObject]] = {}
    for path in sorted(filter(_has_objects, listed)):
        try:
            content = files.read(neighbour / path)
            mine = {file.path: file for name in _names(content) for file in ours.get(name, ())}
            theirs = dict(_objects(content)) if mine else {}
        except (OSError, ValueError):
            continue  # verifying that tree reports what is wrong with it
        for file in mine.values():
            if file.path not in parsed:
                parsed[file.path] = dict(_objects(file.content))
            for key in parsed[file.path].keys() & theirs.keys():
                obj = parsed[file.path][key]
                same = _bare(obj) == _bare(theirs[key])
                if not same or _MIGRATION in (obj["metadata"].get("labels") or {}):
                    yield key, same


SHARED_WITH_ANOTHER_MIGRATION = declare(
    "VMF632",
    "warning",
    "same object in the trees of two migrations",
    why="Both are synced to one cluster, so each sync replaces the other's version: of a quota, the applier's "
    "permissions, a network. The smaller quota stops the conversions of the other migration. When one of them no "
    "longer has the object, it prunes it for both.",
    source="fluxcd/kustomize-controller docs/spec/v1/kustomizations.md (prune); argo-cd: SharedResourceWarning",
    essential=False,
    needs="tree",
)


def _finding(keys: list[Key], neighbour: Path, migration: str, *, same: bool) -> Finding:
    named = ", ".join(map(str, keys[:5])) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
    severity: Severity | None = "info" if same else None
    what = "neither can be removed alone" if same else "they differ, and each sync undoes the other"
    return SHARED_WITH_ANOTHER_MIGRATION.finding(
        f"{named}: also in the tree of migration {migration}, {neighbour}; {what}",
        _HELP,
        severity=severity,
    )


_NAME = re.compile(rb"(?m)^(?:  |    )name: *(\S+)$")
"""The name of an object, as written by vmferry and by sops. False matches do no harm."""


def _by_name(planned: Iterable[Planned]) -> dict[bytes, list[Planned]]:
    """Return the files with objects by the names in them: parsing two whole trees would take minutes."""
    found: dict[bytes, list[Planned]] = {}
    for file in planned:
        if not file.seed and _has_objects(file.path):
            for name in _names(file.content):
                found.setdefault(name, []).append(file)
    return found


def _names(content: bytes) -> set[bytes]:
    return {name.strip(b"\"'") for name in _NAME.findall(content)}


def _has_objects(path: str) -> bool:
    return path.endswith(".yaml") and not path.endswith(f"/{KUSTOMIZATION}")


def _objects(content: bytes) -> Iterator[tuple[Key, KubeObject]]:
    for document in parse(content):
        if is_object(document):
            yield key_of(document), document


def _bare(obj: KubeObject) -> dict[str, Any]:
    """Return an object without the label of its migration."""
    meta = obj["metadata"]
    labels = {name: value for name, value in (meta.get("labels") or {}).items() if name != _MIGRATION}
    return obj | {"metadata": meta | {"labels": labels}}
