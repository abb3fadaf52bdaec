"""Builds and checks a root: a function of the files that it reads, so that the result can be cached."""

import hashlib
import posixpath
import re
import stat
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from vmferry.layout.compiled import Kustomization, Tree
from vmferry.layout.names import KUSTOMIZATION_FILES
from vmferry.layout.objects import Issue, is_object, key_of, parse
from vmferry.model.finding import Finding
from vmferry.verify.card import Card, card
from vmferry.verify.kustomize import BUILD_FAILS, Build, timed
from vmferry.verify.schemas import Schemas

_UNSYNCED = "bases/"  # directories that no engine syncs, but overlays build upon


class Job(NamedTuple):
    """A root to check. ``listed``: its files, if it only lists vmferry's own."""

    root: str
    listed: tuple[str, ...] | None


class Work(NamedTuple):
    """The data that all jobs on a tree need."""

    tree: Tree
    schemas: Schemas


class Outcome(NamedTuple):
    """The result of a job: an encoded `Card`, or why there is none; ``seconds`` is kustomize's duration."""

    root: str
    seconds: float
    card: bytes = b""
    findings: tuple[Finding, ...] = ()
    issues: tuple[Issue, ...] = ()


def look(work: Work, job: Job) -> Outcome:
    """Return the findings on one root. Raises SpecError for an invalid schema, and without kustomize."""
    if job.listed is not None and (documents := _documents(work.tree, job.listed)) is not None:
        return Outcome(job.root, 0.0, _encoded(card(work.tree, work.schemas, job.root, documents)))
    return examine(work, timed(work.tree.top, job.root))


def examine(work: Work, build: Build) -> Outcome:
    """Return the findings on a root that kustomize built, or could not build."""
    if build.error is not None:
        return Outcome(build.directory, build.seconds, findings=build.error.findings)
    try:
        documents = parse(build.output)
    except ValueError as error:
        message = f"`{build.directory}`: the output of kustomize is not YAML: {error}"
        remedy = "look for invalid YAML in the root's local/ component"
        file = work.tree.kustomizations[build.directory].file
        return Outcome(build.directory, build.seconds, issues=(Issue(BUILD_FAILS, message, remedy, file=file),))
    return Outcome(build.directory, build.seconds, _encoded(card(work.tree, work.schemas, build.directory, documents)))


def listed(tree: Tree, root: str, owned: Mapping[str, Set[str]]) -> tuple[str, ...] | None:
    """Return the files of a base that only lists them, None for any other root.

    All of them are unchanged, so that every reader reads the same, and kustomize would only print them again. Entry
    points of an engine never count as such a base: they are built like the engine builds them.
    """
    kustomization = tree.kustomizations[root]
    if not root.startswith(_UNSYNCED) or kustomization.data.keys() != {"apiVersion", "kind", "resources"}:
        return None
    files = [kustomization.file]
    for name in kustomization.data["resources"] or ():
        if not isinstance(name, str) or "/" in name:
            return None
        files.append(f"{root}/{name}")
    unedited = all(tree.notes.digest(file).hex() in owned.get(file, ()) for file in files)
    return tuple(files[1:]) if unedited else None


_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
"""What `posixpath.normpath` leaves as it is."""


def inputs(tree: Tree, root: str, kustomize: str, files: Iterable[str]) -> bytes:
    """Return a digest of all ``files`` that building a root can read, and of the ``kustomize`` program."""
    digest = hashlib.sha256(f"{root}\0{kustomize}\0".encode(errors="surrogateescape"))
    for file in sorted(files):
        digest.update(file.encode(errors="surrogateescape") + b"\0" + tree.notes.digest(file))
    return digest.digest()


def files_of(tree: Tree, root: str, owned: Container[str]) -> set[str] | None:
    """Return all files that a root may read: everything in a kustomization that looks like a path.

    None if a kustomization of the user's refers to what is not in the tree, or not seen in it: a folder beside the
    tree, a hidden one, a link, a URL, a plugin's configuration.
    """
    found: set[str] = set()
    waiting, seen = [root], {root}
    while waiting:
        directory = waiting.pop()
        kustomization = tree.kustomizations[directory]
        found.add(kustomization.file)
        for path in _mentioned(kustomization):
            if path in tree.kustomizations and path not in seen:
                seen.add(path)
                waiting.append(path)
            elif path in tree.statuses:
                found.add(path)
        if kustomization.file not in owned:
            if _reads_elsewhere(tree, kustomization):
                return None
            below = f"{directory}/" if directory else ""
            found |= {file for file in tree.files if file.startswith(below)}
    return found


_ENTRIES = ("resources", "components", "bases", "patchesStrategicMerge")
_PLUGINS = frozenset(
    (
        "generators",
        "transformers",
        "validators",
        "helmCharts",
        "helmChartInflationGenerator",
        "helmGlobals",
        "configurations",
        "crds",
        "openapi",
        "configMapGenerator",
        "secretGenerator",
    )
)
"""Fields with which kustomize reads files that a kustomization does not name, or runs programs."""


def _reads_elsewhere(tree: Tree, kustomization: Kustomization) -> bool:
    """Return whether a kustomization may read what is not a regular file or a kustomization of the tree."""
    data = kustomization.data
    if not data or data.keys() & _PLUGINS:
        return True
    named = [
        entry for field in _ENTRIES for entry in data.get(field) or () if isinstance(entry, str) and "\n" not in entry
    ]
    for field in ("patches", "patchesJson6902", "replacements"):
        rows = data.get(field)
        named += [row["path"] for row in rows or () if isinstance(row, dict) and isinstance(row.get("path"), str)]
    for entry in named:
        path = posixpath.normpath(posixpath.join(kustomization.directory, entry))
        status = tree.statuses.get(path)
        if path not in tree.kustomizations and (status is None or not stat.S_ISREG(status.st_mode)):
            return True
    return False


def _mentioned(kustomization: Kustomization) -> Iterator[str]:
    waiting: list[Any] = list(kustomization.data.values())
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str) and "\n" not in each:
            if _FILE_NAME.fullmatch(each):  # as most are
                yield f"{kustomization.directory}/{each}" if kustomization.directory else each
                continue
            for text in {each, each.rpartition("=")[2]}:  # generators accept files as key=path
                yield posixpath.normpath(posixpath.join(kustomization.directory, text))


def _documents(tree: Tree, files: Sequence[str]) -> list[Any] | None:
    """Return the objects in files; None if kustomize would not simply print them in order."""
    found: list[Any] = []
    for file in files:
        if posixpath.basename(file) in KUSTOMIZATION_FILES:
            return None
        found += tree.documents(file)
    if not all(map(is_object, found)) or any(obj["kind"].endswith("List") for obj in found):
        return None
    return found if found and len({key_of(obj) for obj in found}) == len(found) else None


def _encoded(found: Card) -> bytes:
    return msgspec.msgpack.encode(found)


def reopened(directory: Path, prefix: str, schemas: Sequence[Path]) -> Work:
    """Return the data that jobs need, in a new process."""
    return Work(Tree(directory, prefix), Schemas(schemas))
