"""Reads and writes lock files: which files vmferry owns, their hashes, and the digest of their inputs.

A lock has the format of `sha256sum`, so that `sha256sum -c locks/dev-test/dev-test-01.lock` in the root of the tree
checks it, with comment lines at the top for vmferry's own data. There is one per group, so that pull requests which
move two groups do not write the same lock.
"""

import re

from msgspec import Struct, structs

from vmferry.layout.seen_files import Notes
from vmferry.model.finding import Finding, Span, SpecError, Where
from vmferry.model.rule import declare

DIRECTORY = "locks"
_SUFFIX = ".lock"
_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9_.-]{,200}"
_LOCK_PATH = re.compile(rf"{DIRECTORY}/(?P<name>{_SEGMENT}(?:/{_SEGMENT})?){re.escape(_SUFFIX)}")
_MAGIC = "# vmferry lock v2"
_FORMER = "# vmferry lock v1"  # one for each phase, until a compile writes others
_CHECK = "# check from the top of the tree: sha256sum -c"
_ENTRY = re.compile(r"(?P<seed># seed: )?(?P<digest>[0-9a-f]{64})  (?P<path>.+)")
_FIELD = re.compile(r"# (?P<name>name|phase|inputs): (?P<value>\S+)")
_CONFLICT_MARKERS = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")

_HELP = (
    "locks are generated: resolve the merge of the spec and of assignments.yaml, take either side of the lock "
    "(`git checkout --ours` or `--theirs`) and run vmferry compile again; with --force, it uses what is left of the "
    "lock"
)

# Line breaks and control characters would break the format of one line per file; git and Windows read a backslash as a
# separator.
_ORDINARY = re.compile(r"(?!locks/)(?:[A-Za-z0-9_-][A-Za-z0-9_.-]{,200}(?:/(?!\Z)|\Z))+")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\\]")


class Lock(Struct, frozen=True):
    """The content of one lock.

    Paths are relative to the root of the tree; digests are SHA-256 in hexadecimal. ``seeds`` are files that vmferry
    created once and does not own, with the digest of their first content.
    """

    name: str
    inputs: str
    files: dict[str, str]
    seeds: dict[str, str] = {}


UNSAFE_PATH = declare(
    "VMF611",
    "error",
    "output path is not safe",
    why="Names from vCenter become paths, and locks say what may be removed. A path that leads out of the tree or "
    "into .git, or that means a different file to another operating system, would write or delete something that "
    "is not vmferry's.",
)


def lock_path(name: str) -> str:
    """Return the path of the lock ``name`` in the tree; raises SpecError (VMF611) for an invalid file name."""
    path = f"{DIRECTORY}/{name}{_SUFFIX}"
    if lock_name(path) != name:
        raise SpecError(UNSAFE_PATH.finding(f"lock {name!r}: not a valid file name"))
    return path


def lock_name(path: str) -> str | None:
    """Return the name of the lock at ``path``, or None if it is not a lock's path."""
    match = _LOCK_PATH.fullmatch(path)
    return match["name"] if match else None


def path_problem(path: str) -> str | None:
    """Return why ``path`` must not be written to or removed, or None for a path that stays in the tree."""
    if _ORDINARY.fullmatch(path):  # ten times as fast as the checks below, and a tree has 30,000 paths
        return None
    if not path:
        return "it is empty"
    if _FORBIDDEN.search(path):
        return "it contains a backslash or a control character"
    if path.startswith("/"):
        return "it is absolute"
    if lock_name(path):
        return "it is the path of a lock"
    for segment in path.split("/"):
        if segment in ("", ".", ".."):
            return f"it contains the segment `{segment}`"
        if segment.lower() == ".git":
            return "it reaches into git's own directory"
        if len(segment.encode()) > 255:
            return "a part of it is longer than 255 bytes"
    return None


def render(lock: Lock) -> bytes:
    """Return the lock as text, its files sorted by path."""
    lines = [_MAGIC, f"{_CHECK} {lock_path(lock.name)}", f"# name: {lock.name}", f"# inputs: {lock.inputs}"]
    lines += (f"# seed: {digest}  {path}" for path, digest in sorted(lock.seeds.items()))
    lines += (f"{digest}  {path}" for path, digest in sorted(lock.files.items()))
    return ("\n".join(lines) + "\n").encode()


def parse(raw: bytes, file: str) -> Lock:
    """Return the lock in ``raw``, the content of ``file``.

    Raises SpecError: VMF603 for text that vmferry did not write, such as merge conflicts, and VMF611 for a path that
    leads out of the tree.
    """
    lines = _lines(raw.replace(b"\r\n", b"\n"), file)  # a checkout may change line endings; ownership is the same
    fields: dict[str, str] = {}
    seeds: dict[str, str] = {}
    files: dict[str, str] = {}
    findings: list[Finding] = []
    for number, line in enumerate(lines, start=1):
        if match := _ENTRY.fullmatch(line):
            entries = seeds if match["seed"] else files
            if finding := _refusal(match["path"], entries, file, number, line):
                findings.append(finding)
            entries[match["path"]] = match["digest"]
        elif match := _FIELD.fullmatch(line):
            fields[match["name"]] = match["value"]
        elif line not in (_MAGIC, _FORMER) and not line.startswith(_CHECK):
            findings.append(_invalid(file, number, line, "this line is not vmferry's"))
    named = "name" if lines[0] == _MAGIC else "phase"
    missing = [name for name in (named, "inputs") if name not in fields]
    findings += [_invalid(file, 1, _MAGIC, f"it has no line `# {name}: ...`") for name in missing]
    if findings:
        raise SpecError(*findings)
    return Lock(name=fields[named], inputs=fields["inputs"], files=files, seeds=seeds)


def noted(notes: Notes, path: str, file: str) -> Lock:
    """Return the lock at a ``path`` of a tree, parsed in an earlier run if possible. Raises OSError, and as `parse`."""
    return Lock(**notes.parsed(path, lambda raw: structs.asdict(parse(raw, file))))


def salvage(raw: bytes, name: str) -> Lock:
    """Return the readable part of a damaged lock; for a merge conflict, the files of both sides."""
    files: dict[str, str] = {}
    seeds: dict[str, str] = {}
    for line in raw.decode(errors="replace").splitlines():
        match = _ENTRY.fullmatch(line)
        if match and not path_problem(match["path"]):
            (seeds if match["seed"] else files)[match["path"]] = match["digest"]
    return Lock(name=name, inputs="", files=files, seeds=seeds)


def _lines(raw: bytes, file: str) -> list[str]:
    try:
        lines = raw.decode().split("\n")
    except UnicodeDecodeError:
        raise SpecError(_invalid(file, 1, "", "it is not UTF-8 text")) from None
    for number, line in enumerate(lines, start=1):
        if line.startswith(_CONFLICT_MARKERS):
            raise SpecError(_invalid(file, number, line, "it contains a merge conflict"))
    if lines[0] not in (_MAGIC, _FORMER):
        raise SpecError(_invalid(file, 1, lines[0], f"it does not start with `{_MAGIC}`"))
    if lines.pop():
        raise SpecError(_invalid(file, len(lines) + 1, "", "its end is missing"))
    return lines


def _refusal(path: str, seen: dict[str, str], file: str, number: int, line: str) -> Finding | None:
    """Return why a lock must not list ``path``, or None."""
    if path in seen:
        return _invalid(file, number, line, f"`{path}` is listed twice")
    if problem := path_problem(path):
        message = f"path {path!r} in a lock: {problem}"
        return UNSAFE_PATH.finding(message, _HELP, where=_where(file, number, line))
    return None


INVALID_LOCK = declare(
    "VMF603",
    "error",
    "lock file is not valid",
    why="A lock says which files belong to vmferry, so that it removes what is no longer compiled and nothing else. "
    "Without a readable lock it would have to guess who owns a file.",
)


def _invalid(file: str, number: int, line: str, problem: str) -> Finding:
    return INVALID_LOCK.finding(
        f"lock file is not valid: {problem}",
        _HELP,
        where=_where(file, number, line),
    )


def _where(file: str, number: int, line: str) -> Where:
    return Where(file=file, span=Span(number, 1, number, len(line) + 1))
