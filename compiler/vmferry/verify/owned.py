"""Compares the files of a tree with its locks: edited, missing, or not vmferry's."""

import hashlib
import posixpath
from collections.abc import Iterator, Mapping, Set
from typing import NamedTuple

from vmferry.layout.compiled import EDITED_BY_HAND, FILE_IN_THE_WAY, OUT_OF_DATE, YAML_SUFFIXES, Tree
from vmferry.layout.locks import INVALID_LOCK, lock_name, noted
from vmferry.layout.names import KUSTOMIZATION_FILES, LOCAL
from vmferry.layout.objects import Issue
from vmferry.model.finding import Finding, SpecError
from vmferry.model.rule import declare

EXTERNAL = "locks/external.txt"
_COMPILE = "run vmferry compile"
_LF = (
    "git changed them when it checked out (core.autocrlf): set `* -text` in the tree's .gitattributes, and run "
    "vmferry compile, which writes them as they were"
)


class Locks(NamedTuple):
    """The combined content of a tree's locks: the digests of all files that vmferry owns, and its seeds."""

    owned: Mapping[str, Set[str]]
    seeds: Set[str]
    findings: tuple[Finding, ...]  # of invalid locks


def read_locks(tree: Tree) -> Locks:
    """Return the content of a tree's locks; VMF603 and VMF611 for invalid ones."""
    owned: dict[str, set[str]] = {}
    seeds: set[str] = set()
    findings: list[Finding] = []
    for file in tree.files:
        if lock_name(file) is None:
            continue
        try:
            lock = noted(tree.notes, file, str(tree.top / file))
        except SpecError as error:
            findings += error.findings
            continue
        except OSError as error:
            problem = f"lock file `{file}` cannot be read: {error.strerror}"
            findings.append(tree.locate(Issue(INVALID_LOCK, problem, "remove it, and run vmferry compile", file=file)))
            continue
        seeds.update(lock.seeds)
        for path, digest in lock.files.items():
            owned.setdefault(path, set()).add(digest)
    return Locks(owned, seeds, tuple(findings))


def check_files(tree: Tree, locks: Locks) -> Iterator[Finding]:
    """Yield a finding for each file that does not match its lock.

    VMF601: edited; VMF634: only its line endings; VMF604: missing; VMF602: a foreign YAML file beside those of
    vmferry's kustomization, and not in `local/`; VMF613: one elsewhere in vmferry's folders that nothing in the tree
    reads; VMF603 and VMF611: an invalid lock.
    """
    owned, seeds, unusable = locks
    yield from unusable
    yield from map(tree.locate, _unlike(tree, owned))
    directories = {posixpath.dirname(path) for path in owned if posixpath.basename(path) in KUSTOMIZATION_FILES}
    foreign = [path for path in tree.files if path.endswith(YAML_SUFFIXES) and path not in owned and path not in seeds]
    for path in foreign:
        if posixpath.dirname(path) in directories:
            message = f"`{path}` is not vmferry's and is among its manifests, where nothing reads it"
            yield tree.locate(Issue(FILE_IN_THE_WAY, message, "move it to the group's local/ component", file=path))
    tops = {path.partition("/")[0] for path in owned}  # other folders of the tree are the user's
    elsewhere = [
        path for path in foreign if path.partition("/")[0] in tops and posixpath.dirname(path) not in directories
    ]
    yield from map(tree.locate, _unread(tree, elsewhere))


LINE_ENDS_CHANGED = declare(
    "VMF634",
    "error",
    "line endings were changed",
    why="With core.autocrlf, git writes other line endings into a clone than were compiled. Nobody edited anything, "
    "and yet no file matches its lock; a script copied from there to a Linux machine does not start.",
    source="git: gitattributes(5), text",
)


def _unlike(tree: Tree, owned: Mapping[str, Set[str]]) -> Iterator[Issue]:
    """Yield an issue for each file that does not match its lock, and one for all that only differ in line endings."""
    present = set(tree.files)
    crlf: list[str] = []
    for path, digests in sorted(owned.items()):
        if path not in present:
            yield Issue(OUT_OF_DATE, f"`{path}` is missing", _COMPILE, file=path)
        elif tree.notes.digest(path).hex() in digests:
            continue
        elif _plain_digest(tree, path) in digests:
            crlf.append(path)
        else:
            remedy = "undo the edit, or move it to the group's local/ component"
            yield Issue(EDITED_BY_HAND, f"`{path}` was edited by hand", remedy, file=path)
    if crlf:
        others = f" and {len(crlf) - 1} more have" if len(crlf) > 1 else " has"
        yield Issue(
            LINE_ENDS_CHANGED, f"`{crlf[0]}`{others} CRLF line ends, which vmferry does not write", _LF, file=crlf[0]
        )


_CLUSTERS = "clusters/"


UNREAD_MANIFEST = declare(
    "VMF613",
    "warning",
    "manifest that nothing reads",
    why="Flux and Argo CD only read what a kustomization lists: whoever put the file there believes that it is "
    "applied. A folder below clusters/ is worse: if Flux was bootstrapped into it, vmferry's kustomization.yaml "
    "does not list Flux's own objects, and Flux prunes itself.",
    source="fluxcd/flux2, bootstrap --path; kubernetes-sigs/kustomize api/types/kustomization.go",
)


def _unread(tree: Tree, foreign: list[str]) -> Iterator[Issue]:
    """Yield an issue for each folder with foreign files that no component of the user reads."""
    unread: dict[str, list[str]] = {}
    read = _read_by_users(tree) if foreign else set()
    for path in foreign:
        folder = posixpath.dirname(path)
        if LOCAL not in folder.split("/") and path not in read and folder not in read:
            unread.setdefault(folder, []).append(path)
    for folder, paths in unread.items():
        more = f" and {len(paths) - 1} more there" if len(paths) > 1 else ""
        remedy = "move it out of the tree, or into the local/ component of the group it is for"
        if folder.startswith(_CLUSTERS):
            remedy = "move it out of the tree; bootstrap Flux with a different --path that points here"
        message = f"`{paths[0]}`{more} is not vmferry's, and nothing in the tree reads it"
        yield Issue(UNREAD_MANIFEST, message, remedy, file=paths[0])


def _read_by_users(tree: Tree) -> set[str]:
    """Return the files and folders that the users' components refer to, transitively."""
    waiting = [folder for folder in tree.kustomizations if LOCAL in folder.split("/")]
    read = set(waiting)
    while waiting:
        each = tree.kustomizations.get(waiting.pop())
        if each is None:
            continue  # a file
        found = {path for field in ("resources", "components") for _, path in each.below(field)}
        found |= {path for patch in each.data.get("patches") or () for path in _path_of(each.directory, patch)}
        waiting += sorted(found - read)
        read |= found
    return read


def _path_of(directory: str, patch: object) -> Iterator[str]:
    if isinstance(patch, dict) and isinstance(patch.get("path"), str):
        yield posixpath.normpath(posixpath.join(directory, patch["path"]))


def _plain_digest(tree: Tree, path: str) -> str:
    """Return the SHA-256 of a file in hexadecimal, with vmferry's line endings.

    None if it cannot be read, such as a dangling link.
    """
    try:
        return hashlib.sha256(tree.read(path).replace(b"\r\n", b"\n")).hexdigest()
    except OSError:
        return ""
