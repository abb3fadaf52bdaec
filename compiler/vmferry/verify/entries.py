"""The entry points of Flux and Argo CD: the synced directories, and objects in two of them."""

import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from vmferry.kube import kinds
from vmferry.layout.compiled import Tree
from vmferry.layout.objects import Issue, Key, key_of, select, shown
from vmferry.model.finding import Path
from vmferry.model.manifest import KubeObject
from vmferry.verify.references import DANGLING_REFERENCE
from vmferry.verify.sharing import OBJECT_IN_TWO_ROOTS

_PATHS = {
    kinds.KUSTOMIZATION.key: ("spec.path",),
    kinds.APPLICATION.key: ("spec.source.path", "spec.sources[].path"),
}
_CLUSTERS = "clusters"


class Entry(NamedTuple):
    """A Flux Kustomization or an Argo CD Application, and the path in the repository that it syncs."""

    key: Key
    field: Path
    path: str


def entries(obj: KubeObject) -> Iterator[Entry]:
    """Yield the entries of an object."""
    key = key_of(obj)
    for pattern in _PATHS.get((key.group, key.kind), ()):
        for field, path in select(obj, pattern):
            if isinstance(path, str):
                yield Entry(key, field, posixpath.normpath(path.lstrip("/") or "."))


def check_entries(tree: Tree, found: Sequence[Entry], contents: Mapping[str, Sequence[Key]]) -> Iterator[Issue]:
    """Yield VMF607 for each dangling path, and VMF610 for everything that is synced twice.

    ``contents`` has the keys of every root.
    """
    prefix = _prefix(tree, found)
    synced: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(set(found)):
        directory = _below(entry.path, prefix)
        if directory is not None and directory in contents:
            synced[directory].append(entry)
            continue
        exists = directory is not None and any(
            each == directory or each.startswith(f"{directory}/") for each in tree.directories
        )
        problem = "has no kustomization.yaml" if exists else "does not exist"
        message = f"{entry.key}: `{shown(entry.field)}` leads to `{entry.path}`, which {problem}"
        yield Issue(
            DANGLING_REFERENCE, message, "correct the path, or add the directory", key=entry.key, path=entry.field
        )
    for directory, several in synced.items():
        if len(several) > 1:
            names = " and ".join(str(entry.key) for entry in several)
            message = f"`{directory}` is synced twice, by {names}"
            yield Issue(
                OBJECT_IN_TWO_ROOTS, message, "remove one of the two", key=several[1].key, path=several[1].field
            )
    yield from _twice({*synced, *_top_of_clusters(tree)}, contents)


def _twice(roots: set[str], contents: Mapping[str, Sequence[Key]]) -> Iterator[Issue]:
    holders: dict[Key, list[str]] = defaultdict(list)
    for root in sorted(roots):
        for key in contents.get(root, ()):
            holders[key].append(root)
    for key, several in sorted(holders.items()):
        if len(several) > 1:
            message = f"{key} is in {len(several)} roots: {', '.join(f'`{root}`' for root in several)}"
            remedy = "the controllers would take it from each other; one root must own it"
            yield Issue(OBJECT_IN_TWO_ROOTS, message, remedy, key=key)


def _top_of_clusters(tree: Tree) -> set[str]:
    """Return the roots that bootstrap the engine: those of clusters/ that no other one includes."""
    roots = {root for root in tree.roots() if root.partition("/")[0] == _CLUSTERS}
    included = {path for root in roots for _, path in tree.kustomizations[root].below("resources")}
    return roots - included


def _prefix(tree: Tree, found: Sequence[Entry]) -> str:
    """Return the path of the tree in its repository, if the entries match the disk.

    It ends with the tree's path below the verified directory. The repository may start higher up.
    """
    votes: Counter[str] = Counter({tree.prefix: 0})
    for entry in found:
        parts = [] if entry.path == "." else entry.path.split("/")
        for depth in range(len(parts) + 1):
            prefix = "/".join(parts[:depth])
            fits = f"/{prefix}".endswith(f"/{tree.prefix}") if tree.prefix else True
            if fits and "/".join(parts[depth:]) in tree.kustomizations:
                votes[prefix] += 1
    # The longest of equals, so that a tree that is verified alone may be any folder of a repository.
    return max(votes, key=lambda prefix: (votes[prefix], len(prefix), prefix))


def _below(path: str, prefix: str) -> str | None:
    """Return ``path`` relative to ``prefix``, None if it is elsewhere; the tree's root is ``""``."""
    if not prefix or path == prefix:
        return "" if path in (prefix, ".") else path
    return path.removeprefix(f"{prefix}/") if path.startswith(f"{prefix}/") else None
