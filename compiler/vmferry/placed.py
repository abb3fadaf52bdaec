"""The surroundings of a compiled tree: its git repository, and other trees there."""

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from vmferry import files
from vmferry.layout.compiled import trees_below
from vmferry.layout.locks import lock_name, salvage
from vmferry.layout.names import OWNER
from vmferry.load.git import Repository
from vmferry.model.finding import Finding, SpecError
from vmferry.model.rule import declare
from vmferry.output.neighbours import shared
from vmferry.output.render import owner
from vmferry.output.tree import Merge, Planned

if TYPE_CHECKING:  # a run in which nothing changed needs no Blueprint
    from vmferry.model.blueprint import Blueprint


class Home(Struct, frozen=True):
    """Whose a tree is, and where the engine looks for it."""

    migration: str
    cluster: str
    engine: str
    repository: str  # host and path, as `_address` has them
    path: str  # of the tree, from the top of the repository


def home_of(blueprint: "Blueprint") -> Home:
    """Return whose the tree of a Blueprint is."""
    gitops = blueprint.gitops
    address = _address(gitops.repo_url)
    return Home(blueprint.name, blueprint.cluster.name, gitops.engine, address, gitops.path)


def around(root: Path, out: Path, home: Home, planned: Iterable[Planned]) -> Iterator[Finding]:
    """Yield problems with the place of a tree: engines look for it elsewhere, or another tree has the same objects."""
    repository = _repository(root)
    if repository is not None:
        yield from _path(repository, root, home)
    trees: list[Path] = []
    if repository is not None:  # a copy of this migration's tree elsewhere in the repository may not be synced
        trees += [tree for tree in repository.holding(OWNER) if owner(tree)[0] != home.migration]
    with suppress(OSError):
        trees += trees_below(out, 2)
    yield from shared(root, trees, home.cluster, planned)


def unfinished_merge(root: Path) -> Merge | None:
    """Return what vmferry owns on both sides of an uncommitted merge; None if there is none."""
    repository = _repository(root) if root.is_dir() else None
    sides = repository.unfinished() if repository is not None else []
    return _merge(repository, sides, None, ()) if repository is not None and sides else None


def last_merge(root: Path, paths: Collection[str]) -> Merge | None:
    """Return the last merge below a tree, and which of ``paths`` git combined from files of vmferry."""
    repository = _repository(root) if root.is_dir() else None
    if repository is None:
        return None
    sides, commit = repository.unfinished(), None
    if not sides:
        sides, commit = repository.last_merge()
    return _merge(repository, sides, commit, paths) if sides else None


def left_by_merge(root: Path, paths: Collection[str]) -> Merge | None:
    """Return which of ``paths`` the last merge left over from vmferry's files, although no lock lists them any more.

    One side had another layout, or no longer had what they belong to. Files that a side has but does not own stay.
    """
    repository = _repository(root) if paths and root.is_dir() else None
    sides, commit = repository.last_merge() if repository is not None else ([], None)
    if repository is None or commit is None:
        return None
    try:
        owned = [_owned(repository, side) for side in sides]
        versions = [_versions(repository, side, paths) for side in sides]
        result, listed = _versions(repository, commit, paths), _owned(repository, commit)
    except SpecError:  # an incomplete clone
        return None
    left = [path for path in result if path not in listed and any(path in version for version in versions)]
    left = [path for path in left if _ours(path, versions, owned) and _is(repository, path, result[path])]
    return Merge({path: frozenset((result[path][1],)) for path in left}, frozenset()) if left else None


_Side = dict[str, tuple[str, str]]  # by path: a file's object name, and the digest of its content


def _merge(repository: Repository, sides: list[str], commit: str | None, paths: Collection[str]) -> Merge | None:
    """Return a merge. Git did not touch a file that is the same on all sides, and knows the result for others."""
    try:
        owned = [_owned(repository, side) for side in sides]
        versions = [_versions(repository, side, paths) for side in sides]
        result = _versions(repository, commit, paths) if commit is not None else None
    except SpecError:  # an incomplete clone
        return None
    every = {path: frozenset().union(*(side.get(path, ()) for side in owned)) for path in {*chain(*owned)}}
    if result is not None:  # changes since then are not part of the merge
        every = {path: every.get(path, frozenset()) for path in paths if _is(repository, path, result.get(path))}
    merged = {path for path in paths if path in every and _differs(path, versions) and _ours(path, versions, owned)}
    return Merge(every, frozenset(merged))


def _differs(path: str, versions: list[_Side]) -> bool:
    return len({version.get(path) for version in versions}) > 1


def _ours(path: str, versions: list[_Side], owned: list[dict[str, frozenset[str]]]) -> bool:
    """Return whether vmferry wrote each version of a file."""
    pairs = zip(versions, owned, strict=True)
    return all(path not in version or version[path][1] in known.get(path, ()) for version, known in pairs)


def _owned(repository: Repository, commit: str) -> dict[str, frozenset[str]]:
    """Return the digests of the files that vmferry owned in a commit."""
    found: dict[str, frozenset[str]] = {}
    for path, (content, _) in _files(repository, commit, lambda path: lock_name(path) is not None).items():
        for name, digest in salvage(content, path).files.items():
            found[name] = found.get(name, frozenset()) | {digest}
    return found


def _versions(repository: Repository, commit: str, paths: Collection[str]) -> _Side:
    wanted = frozenset(paths)
    found = _files(repository, commit, lambda path: path in wanted) if wanted else {}
    return {path: (name, hashlib.sha256(content).hexdigest()) for path, (content, name) in found.items()}


def _files(repository: Repository, commit: str, wanted: Callable[[str], bool]) -> dict[str, tuple[bytes, str]]:
    """Return the content of files of a commit and git's names of them, by their path below the directory."""
    prefix = os.fsencode(repository.prefix())
    blobs = {
        blob: os.fsdecode(blob.path.removeprefix(prefix))
        for blob in repository.files(commit)
        if blob.path.startswith(prefix) and wanted(os.fsdecode(blob.path.removeprefix(prefix))) and not blob.link
    }
    return {blobs[blob]: (content, blob.name) for blob, content in repository.contents(commit, [*blobs])}


def _is(repository: Repository, path: str, version: tuple[str, str] | None) -> bool:
    """Return whether a file still has its content from a commit."""
    try:
        content = files.read(repository.directory / path)
    except OSError:
        return False
    return version is not None and hashlib.sha256(content).hexdigest() == version[1]


def not_in_git(directory: Path, paths: Collection[str]) -> list[str]:
    """Return the paths below a directory that are not in the next commit; none outside of a repository."""
    tracked = Repository(directory).tracked() if paths else None
    return [] if tracked is None else [path for path in paths if path not in tracked]


def _repository(root: Path) -> Repository | None:
    """Return the repository that contains a tree, or will contain it, or None."""
    there = next(path for path in (root, *root.absolute().parents) if path.is_dir())
    repository = Repository(there)
    with suppress(SpecError):  # no git
        return repository if repository.top.is_absolute() else None
    return None


ANOTHER_FOLDER = declare(
    "VMF633",
    "warning",
    "entry points name a different folder from the tree's",
    why="Flux and Argo CD read paths from the root of the repository. A tree that was compiled into a folder below it "
    "refers to folders that do not exist: all checks are green, and the cluster cannot sync.",
    source="fluxcd/kustomize-controller docs/spec/v1/kustomizations.md (spec.path: relative to the root of the "
    "SourceRef); argo-cd docs/user-guide (spec.source.path)",
    essential=False,
    needs="tree",
)


def _path(repository: Repository, root: Path, home: Home) -> Iterator[Finding]:
    """Yield a finding (VMF633) if the entry points name a different folder from the tree's place in its repository.

    For a repository with a different origin from the spec's, nothing is known: the tree may be copied.
    """
    real = root.resolve().relative_to(repository.top.resolve()).as_posix()
    remotes = repository.remotes()
    if real == home.path or (remotes and home.repository not in map(_address, remotes)):
        return
    engine = "Flux" if home.engine == "flux" else "Argo CD"
    yield ANOTHER_FOLDER.finding(
        f"{engine} reads `{home.path}` from the root of the repository, and the tree is at `{real}`",
        f"set target.gitops.path: {real}, and compile with --out at the root of the repository",
    )


def _address(url: str) -> str:
    """Return the part that all URLs of a repository have in common: host and path."""
    short = re.sub(r"^[a-z+]+://", "", url.strip().lower())
    host, _, path = re.sub(r"^[^@/]*@", "", short).replace(":", "/", 1).partition("/")
    path = re.sub(r"^[0-9]+/", "", path)
    return f"{host}/{path.strip('/').removesuffix('.git')}"
