"""Holds the files of a tree against its locks: edited, missing, or not vmferry's."""

import hashlib
import posixpath
from collections.abc import Iterator

from vmferry.model.finding import Finding, SpecError
from vmferry.output.kustomize import KUSTOMIZATION_FILES
from vmferry.output.layout import YAML_SUFFIXES, Tree
from vmferry.output.locks import Lock, lock_name, parse
from vmferry.output.objects import Issue

EXTERNAL = "locks/external.txt"
_COMPILE = "run vmferry compile"


def check_files(tree: Tree) -> Iterator[Finding]:
    """Yield a finding for each file that is not as its lock says.

    VMF601: edited; VMF604: missing; VMF602: a YAML file of somebody else's beside those of a kustomization
    that is vmferry's, and not in `local/`; VMF603 and VMF611: a lock that cannot be used.
    """
    owned: dict[str, set[str]] = {}
    seeds: set[str] = set()
    for file in tree.files:
        if lock_name(file) is None:
            continue
        try:
            lock: Lock = parse(tree.read(file), str(tree.top / file))
        except SpecError as error:
            yield from error.findings
            continue
        seeds.update(lock.seeds)
        for path, digest in lock.files.items():
            owned.setdefault(path, set()).add(digest)
    present = set(tree.files)
    for path, digests in sorted(owned.items()):
        if path not in present:
            yield tree.locate(Issue("VMF604", f"`{path}` is missing", _COMPILE, file=path))
        elif _digest(tree, path) not in digests:
            message = f"`{path}` was edited by hand"
            remedy = "undo the edit, or move it to the group's local/ component"
            yield tree.locate(Issue("VMF601", message, remedy, file=path))
    directories = {posixpath.dirname(path) for path in owned if posixpath.basename(path) in KUSTOMIZATION_FILES}
    for path in tree.files:
        foreign = path not in owned and path not in seeds and path.endswith(YAML_SUFFIXES)
        if foreign and posixpath.dirname(path) in directories:
            message = f"`{path}` is not vmferry's and lies among its manifests, where nothing reads it"
            yield tree.locate(Issue("VMF602", message, "move it to the group's local/ component", file=path))


def _digest(tree: Tree, path: str) -> str:
    """Return the SHA-256 of a file in hexadecimal; of one that cannot be read, such as a dead link, none."""
    try:
        return hashlib.sha256(tree.read(path)).hexdigest()
    except OSError:
        return ""
