"""Shows what compiling would change in the tree, as a unified diff."""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

from vmferry import files
from vmferry.layout.locks import lock_name
from vmferry.output.tree import Changes

_NOWHERE = "/dev/null"


def unified(root: Path, changes: Changes) -> Iterator[str]:
    """Yield the lines of a diff from the tree at ``root`` to the compiled one, with line breaks.

    Files are sorted by path. For locks and binary files, only the fact that they differ is reported.
    """
    for path in sorted({*changes.created, *changes.updated, *changes.deleted}):
        before = None if path in changes.created else _current(root / path)
        after = changes.contents.get(path)
        yield from _file(path, before, after)


def _file(path: str, before: bytes | None, after: bytes | None) -> Iterator[str]:
    source, target = (
        (_NOWHERE if before is None else f"a/{path}"),
        (_NOWHERE if after is None else f"b/{path}"),
    )
    try:
        old, new = _lines(before), _lines(after)
    except UnicodeDecodeError:
        old, new = None, None
    if old is None or new is None or lock_name(path):
        yield f"Files {source} and {target} differ\n"
        return
    for line in difflib.unified_diff(old, new, source, target):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(raw: bytes | None) -> list[str]:
    """Return the lines with their breaks; only a newline ends a line here, as in diff and patch."""
    lines = (raw or b"").decode().split("\n")
    last = lines.pop()
    return [f"{line}\n" for line in lines] + ([last] if last else [])


def _current(path: Path) -> bytes:
    """Return the content at ``path``; for a link its target, as in git."""
    if path.is_symlink():
        return os.fsencode(path.readlink())
    try:
        return files.read(path)
    except OSError:  # a pipe or a device
        return b""
