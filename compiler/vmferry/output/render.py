"""From the backends' items to the files of the tree, with the kustomizations that list them."""

import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vmferry import files
from vmferry.layout.compiled import FILE_IN_THE_WAY
from vmferry.layout.names import KUSTOMIZATION, LOCAL, OWNER, STAGE
from vmferry.model.finding import SpecError
from vmferry.model.keys import Reference
from vmferry.model.manifest import INFRA_LOCK, File, Item, KubeObject, Patch, Resource, Root
from vmferry.model.rule import declare
from vmferry.output.tree import Planned
from vmferry.yaml.write import dump

_OWNER_NAME = re.compile("[a-z0-9][a-z0-9.-]{0,252}")  # nothing else of the file is shown
_GENERATED = (
    "Compiled by vmferry; edits are found and refused. Change the spec, or the local/ component of the overlay."
)
_ATTRIBUTES = b"""\
# Yours: vmferry made this file once and never touches it again. With it compiled files are the same in every clone: git
# changes no line ends, whatever core.autocrlf says.
* -text
"""
_LOCAL = b"""\
# Yours: vmferry made this file once and never touches it again. What you put here is applied on top of the
# compiled overlay: https://kubectl.docs.kubernetes.io/guides/config_management/components/
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: []
"""


def render(items: Iterable[Item]) -> Iterator[Planned]:
    """Yield the files of what backends yield: all that goes into a directory has to be among it.

    Raises ValueError where an object would be there twice: the Blueprint should not have allowed it.
    """
    bases = _Bases()
    for item in items:
        if isinstance(item, Root):
            yield from _overlay(item)
        elif isinstance(item, File):
            yield Planned(item.path, item.content, item.lock)
        else:
            bases.add(item)
    yield from bases.files()


def about(
    migration: str, cluster: str, externals: Iterable[Reference] = (), namespaces: Iterable[str] = ()
) -> Iterator[Planned]:
    """Yield the files about the tree of a migration.

    ``externals`` are NADs (namespace/name) that exist already, ``namespaces`` those of others with only rights in them.
    """
    yield _externals(externals, namespaces)
    yield Planned(".gitattributes", _ATTRIBUTES, INFRA_LOCK, seed=True)
    yield Planned(OWNER, f"{migration}\n{cluster}\n".encode(), INFRA_LOCK)


class _Bases:
    """Directories of objects: the content of their files, and the locks of the files and of the directory's list."""

    def __init__(self) -> None:
        self._files: dict[str, dict[str, dict[str, bytes]]] = {}  # by directory, file, and kind and name
        self._locks: dict[str, str] = {}

    def add(self, item: Resource) -> None:
        """Add an object. Raises ValueError for a duplicate, and for a file with two locks."""
        own = _file_name(item.object)
        name = item.file or own
        documents = self._files.setdefault(item.directory, {}).setdefault(name, {})
        path = f"{item.directory}/{name}"
        if own in documents or self._locks.setdefault(path, item.lock) != item.lock:
            raise ValueError(f"{path} would be written twice")
        documents[own] = item.raw if item.raw is not None else dump(item.object, "" if documents else _GENERATED)
        self._locks[item.directory] = item.listed or item.lock

    def files(self) -> Iterator[Planned]:
        """Yield every file, and for each directory the kustomization that lists them."""
        for directory, names in self._files.items():
            for name, documents in names.items():
                path = f"{directory}/{name}"
                yield Planned(path, b"---\n".join(documents.values()), self._locks[path])
            yield _kustomization(directory, {"resources": sorted(names)}, self._locks[directory])


TREE_OF_ANOTHER_CLUSTER = declare(
    "VMF631",
    "error",
    "tree of another cluster",
    why="Someone copies a spec and changes the name of the cluster to serve a second one. Compiled into the same "
    "folder, it would remove the entry point that the first cluster syncs, while its groups migrate.",
    essential=True,
)


def check_owner(root: Path, migration: str, cluster: str) -> None:
    """Raise SpecError if the tree at ``root`` belongs to another migration (VMF602) or cluster (VMF631)."""
    other, served = owner(root)
    if other is not None and other != migration:
        raise SpecError(
            FILE_IN_THE_WAY.finding(
                f"{root} is the tree of {_named('migration', other)}, this is {migration}",
                "give each migration its own folder: target.gitops.path, or --out",
            )
        )
    if served and cluster not in served:
        raise SpecError(
            TREE_OF_ANOTHER_CLUSTER.finding(
                f"{root} is the tree of {_named('cluster', served[0])}, this is for cluster {cluster}",
                "give each cluster its own folder (target.gitops.path, or --out) and each spec its own name; if the "
                "cluster was renamed before anything was synced, remove the tree and compile",
            )
        )


def owner(root: Path) -> tuple[str | None, list[str]]:
    """Return a tree's migration, and the clusters it has entry points for; None and nothing without a tree."""
    try:
        text = files.read(root / OWNER, 1000).decode(errors="replace")
    except OSError:
        return None, []  # nothing, or something that is not a file: the writer reports it
    migration, *served = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    return migration, served or _entry_points(root)


def _named(kind: str, name: str) -> str:
    return f"{kind} {name!r}" if _OWNER_NAME.fullmatch(name) else f"another {kind}"


def _entry_points(root: Path) -> list[str]:
    """Return the clusters that a tree has entry points for; an earlier vmferry did not record them."""
    return sorted(path.parent.name for path in root.glob(f"clusters/*/{INFRA_LOCK}"))


def _file_name(obj: KubeObject) -> str:
    return f"{obj['kind'].lower()}-{obj['metadata']['name']}.yaml"


def _kustomization(directory: str, body: dict[str, Any], lock: str, *, component: bool = False) -> Planned:
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    if component:
        head = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
    return Planned(f"{directory}/{KUSTOMIZATION}", dump(head | body, comment=_GENERATED), lock)


def _overlay(root: Root) -> Iterator[Planned]:
    def relative(path: str) -> str:
        return posixpath.relpath(path, root.directory)

    body: dict[str, Any] = {"resources": [relative(path) for path in root.resources]}
    # The patches are in a component too: a kustomization's own patches come after all its components, and would undo
    # the user's.
    components = [*map(relative, root.components), *([STAGE] if root.patches else []), *([LOCAL] if root.local else [])]
    if components:
        body["components"] = components
    yield _kustomization(root.directory, body, root.lock)
    if root.patches:
        patches = {"patches": [_patch(patch) for patch in root.patches]}
        yield _kustomization(f"{root.directory}/{STAGE}", patches, root.lock, component=True)
    if root.local:
        yield Planned(f"{root.directory}/{LOCAL}/{KUSTOMIZATION}", _LOCAL, root.lock, seed=True)


def _patch(patch: Patch) -> dict[str, Any]:
    """Return one JSON6902 patch. The target's fields are anchored regular expressions to kustomize."""
    operation = [{"op": patch.op, "path": patch.path, "value": patch.value}]
    target = {"kind": patch.kind, "name": re.escape(patch.name), "namespace": re.escape(patch.namespace)}
    if patch.group:
        target = {"group": re.escape(patch.group)} | target
    # block style: kustomize reads text that starts with a bracket as JSON
    return {"target": target, "patch": dump(operation).decode()}


def _externals(names: Iterable[Reference], namespaces: Iterable[str]) -> Planned:
    """Return the list of external objects that the tree refers to, for `verify`."""
    lines = [f"Namespace {name}\n" for name in sorted(namespaces)]
    lines += [f"NetworkAttachmentDefinition {name}\n" for name in sorted(names)]
    return Planned("locks/external.txt", "".join(lines).encode(), INFRA_LOCK)
