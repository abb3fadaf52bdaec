"""What a compile changes in a tree of generated files, keeping everything in it that is not vmferry's.

`plan` compares the compiled files with the tree on disk and its locks; `writing` makes the new tree.
"""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from vmferry import files as disk
from vmferry.layout.compiled import EDITED_BY_HAND, FILE_IN_THE_WAY
from vmferry.layout.locks import (
    DIRECTORY,
    UNSAFE_PATH,
    Lock,
    lock_name,
    lock_path,
    parse,
    path_problem,
    render,
    salvage,
)
from vmferry.model.finding import Finding, Span, SpecError, Where
from vmferry.model.rule import Rule
from vmferry.output import swap


class Planned(Struct, frozen=True):
    """A wanted file: its path below the root, its bytes, and the name of the lock that owns it.

    A ``seed`` is only written if nothing exists there, and belongs to the user from then on.
    """

    path: str
    content: bytes
    lock: str
    seed: bool = False


class Merge(NamedTuple):
    """A merge by git: files that vmferry owned on its sides, with their digests, and files that git combined."""

    owned: Mapping[str, frozenset[str]]
    merged: frozenset[str]


class Entry(NamedTuple):
    """What is at a path. Inode, size and time (in ns) are set for regular files, and 0 for everything else."""

    mode: int
    uid: int
    gid: int
    inode: int
    size: int
    mtime: int

    @property
    def is_directory(self) -> bool:
        """Return whether it is a directory; a symbolic link counts as a file, whatever its target."""
        return stat.S_ISDIR(self.mode)


class Changes(Struct, frozen=True):
    """What `writing.apply` will do.

    Paths are relative to the root and sorted, including lock files. ``kept`` are all files of the user in the tree;
    ``orphaned`` are those among them that vmferry once seeded, that were edited, and that nothing refers to any longer;
    ``seeds`` are those that the tree needs. ``total`` is the number of files that vmferry owns afterwards. `apply`
    refuses while there are ``conflicts``. ``contents`` has the bytes of created and updated files, ``directories`` are
    those of the new tree, and ``seen`` is the tree as it was found ("." is the root).
    """

    created: tuple[str, ...]
    updated: tuple[str, ...]
    deleted: tuple[str, ...]
    unchanged: tuple[str, ...]
    kept: tuple[str, ...]
    orphaned: tuple[str, ...]
    seeds: tuple[str, ...]
    conflicts: tuple[Finding, ...]
    total: int
    contents: dict[str, bytes]
    directories: tuple[str, ...]
    seen: Mapping[str, Entry]

    @property
    def pending(self) -> bool:
        """Return whether the tree on disk differs from the compiled one."""
        return bool(self.contents or self.deleted)


def root_at(out: Path, path: str) -> Path:
    """Return the tree's path below ``out``; ``out`` itself may be a link, chosen by the caller.

    Raises SpecError (VMF602) for a link below it: a checkout controls where its links lead, and the tree would replace
    a folder somewhere else.
    """
    root = out
    for part in Path(path).parts:
        root /= part
        if root.is_symlink():
            message = f"`{root}` is a symbolic link and the output goes there"
            raise SpecError(_conflict(FILE_IN_THE_WAY, root, message, "remove the link, or pass its target as --out"))
    return root


def look(root: Path) -> dict[str, Entry]:
    """Return everything in a tree by path, nothing if there is none; one that was moved aside is restored first.

    Raises SpecError (VMF602) for a file in its place.
    """
    root = resolved(root)
    with swap.exclusive(root):
        return scan(root)


def plan(
    root: Path,
    files: Iterable[Planned],
    inputs: Mapping[str, str],
    *,
    settled: Mapping[str, Lock] | None = None,
    seen: Mapping[str, Entry] | None = None,
    force: bool = False,
    merge: Merge | None = None,
) -> Changes:
    """Return the changes after which the tree at ``root`` contains ``files`` beside the user's own.

    ``inputs`` has the digest of the inputs for each lock in ``files``. ``settled`` are locks on disk that are up to
    date, with all their files. ``seen`` is what `look` found. A file edited by hand (VMF601) and one in the
    way of a compiled file (VMF602) are conflicts; ``force`` discards both. Files that git combined in a ``merge`` are
    neither. With one of the two, damaged locks are read as far as possible. Nothing is written, but a tree that a
    killed compile moved aside is restored. Raises SpecError: VMF603 or VMF611 for a lock, VMF611 for a path in
    ``files``.
    """
    settled = settled or {}
    planned = sorted((file for file in files if file.lock not in settled), key=lambda file: file.path)
    standing = [path for lock in settled.values() for path in (*lock.files, *lock.seeds)]
    locks = sorted({lock_path(name) for name in (*settled, *(file.lock for file in planned))})
    _check_paths([*(file.path for file in planned), *standing], locks)
    root = resolved(root)
    with swap.exclusive(root):
        seen = scan(root) if seen is None else seen
        return _Comparison(root, seen, planned, _new_locks(planned, inputs), settled, force, merge).changes()


def read_locks(root: Path, known: Mapping[str, Lock] | None = None, *, damaged: bool = False) -> dict[str, Lock]:
    """Return the locks of the tree by name; with ``damaged``, the readable parts of invalid ones.

    Those that are ``known`` are not read. Raises SpecError (VMF603, VMF611) for a lock that cannot be parsed.
    """
    directory = root / DIRECTORY
    locks: dict[str, Lock] = {}
    if directory.is_symlink() or not directory.is_dir():
        return locks
    folders = [directory, *(path for path in directory.iterdir() if path.is_dir() and not path.is_symlink())]
    for path in sorted(path for folder in folders for path in folder.iterdir()):
        name = lock_name(path.relative_to(root).as_posix())
        if name is None:
            continue
        if known is not None and name in known:
            locks[name] = known[name]
            continue
        try:
            raw = disk.read(path)
        except (disk.NotRegularError, IsADirectoryError):
            continue
        try:
            locks[name] = parse(raw, str(path))
        except SpecError:
            if not damaged:
                raise
            locks[name] = salvage(raw, name)
    return locks


class _Comparison:
    """Comparison of the compiled files with the tree on disk and its locks."""

    def __init__(
        self,
        root: Path,
        seen: Mapping[str, Entry],
        planned: list[Planned],
        locks: dict[str, bytes],
        settled: Mapping[str, Lock],
        force: bool,
        merge: Merge | None,
    ) -> None:
        self.root = root
        self.force = force
        self.seeds = {file.path: file.content for file in planned if file.seed}
        self.wanted: dict[str, bytes | None] = {file.path: file.content for file in planned if not file.seed}
        self.wanted |= locks
        for name, settled_lock in settled.items():  # wanted files that already exist unchanged
            self.wanted |= dict.fromkeys((*settled_lock.files, lock_path(name)))
            self.seeds |= dict.fromkeys(settled_lock.seeds, b"")
        self.seen = seen
        self.files = {path for path, entry in self.seen.items() if not entry.is_directory}
        self.conflicts: list[tuple[str, Finding]] = []
        # Two locks may list the same path: it moved between phases on one of two merged branches.
        self.owned: dict[str, set[str]] = {}
        self.seeded: dict[str, set[str]] = {}
        self.locks: set[str] = set()
        self.merged = merge.merged if merge else frozenset()
        for path, digests in merge.owned.items() if merge else ():
            self.owned.setdefault(path, set()).update(digests)
        for name, lock in read_locks(root, settled, damaged=force or merge is not None).items():
            self.locks.add(lock_path(name))
            for known, listed in ((self.owned, lock.files), (self.seeded, lock.seeds)):
                for path, digest in listed.items():
                    known.setdefault(path, set()).add(digest)

    def changes(self) -> Changes:
        """Compare, and collect the conflicts."""
        updated, unchanged = self._held()
        deleted = self._stale()
        orphaned, pristine = self._unwanted_seeds()
        deleted = sorted([*deleted, *pristine])
        staying = self.files.difference(updated, deleted)
        links = {path for path in staying if stat.S_ISLNK(self.seen[path].mode)}
        # A seed below a link that the user created is up to the user.
        seeds = {path for path in self.seeds.keys() - self.files if links.isdisjoint(_ancestors([path]))}
        created = (self.wanted.keys() - self.files) | seeds
        if any(path not in self.files and content is None for path, content in self.wanted.items()):
            raise SpecError(changed_meanwhile(self.root))
        directories = _ancestors(staying) | _ancestors(created.union(updated))
        empty = _directories(self.seen) - directories - _ancestors(deleted)
        directories |= empty | _ancestors(empty)
        self._find_clashes(created, staying, directories)
        contents = self.seeds | self.wanted
        return Changes(
            created=tuple(sorted(created)),
            updated=tuple(updated),
            deleted=tuple(deleted),
            unchanged=tuple(unchanged),
            kept=tuple(sorted(staying - self.wanted.keys() - (self.owned.keys() - self.seeds.keys()))),
            orphaned=tuple(orphaned),
            seeds=tuple(sorted(self.seeds)),
            conflicts=tuple(finding for _, finding in sorted(self.conflicts, key=lambda each: each[0])),
            total=len(self.wanted),
            contents={path: contents[path] or b"" for path in sorted(created.union(updated))},
            directories=tuple(sorted(directories)),
            seen=self.seen,
        )

    def _held(self) -> tuple[list[str], list[str]]:
        """Return the wanted files that exist with other content, and those with the same content."""
        updated, unchanged = [], []
        for path in sorted(self.wanted.keys() & self.files):
            if self.wanted[path] is None:
                unchanged.append(path)
                continue
            raw = self._read(path)
            if raw == self.wanted[path]:
                unchanged.append(path)
                continue
            updated.append(path)
            if path in self.locks or self._is_ours(path, raw):
                continue
            if path in self.owned:
                self._refuse(EDITED_BY_HAND, path, "was edited by hand, and compiling would overwrite it", _EDITED)
            else:
                self._refuse(FILE_IN_THE_WAY, path, "is not vmferry's, and a compiled file goes there", _IN_THE_WAY)
        return updated, unchanged

    def _stale(self) -> list[str]:
        """Return the files that vmferry owned and that are no longer compiled."""
        stale = (self.owned.keys() | self.locks) - self.wanted.keys() - self.seeds.keys()
        found = sorted(stale & self.files)
        for path in found:
            if path not in self.locks and not self._is_ours(path, self._read(path)):
                self._refuse(EDITED_BY_HAND, path, "was edited by hand, and compiling would remove it", _EDITED)
        return found

    def _unwanted_seeds(self) -> tuple[list[str], list[str]]:
        """Return the seeds that nothing refers to any longer: the edited ones, and the unchanged ones."""
        edited: list[str] = []
        pristine: list[str] = []
        unwanted = self.seeded.keys() - self.seeds.keys() - self.wanted.keys() - self.owned.keys()
        for path in sorted(unwanted & self.files):
            (pristine if self._is_ours(path, self._read(path)) else edited).append(path)
        return edited, pristine

    def _find_clashes(self, created: set[str], staying: set[str], directories: set[str]) -> None:
        """Yield conflicts for files in place of directories and vice versa; not even force removes them."""
        for path in sorted(created):
            if path in directories:
                self._refuse(FILE_IN_THE_WAY, path, "is a directory and a compiled file goes there", _MOVE, final=True)
        for path in sorted(_ancestors(created) & staying):
            kind = "symbolic link" if stat.S_ISLNK(self.seen[path].mode) else "file"
            self._refuse(
                FILE_IN_THE_WAY, path, f"is a {kind} and a directory of compiled files goes there", _MOVE, final=True
            )

    def _is_ours(self, path: str, raw: bytes | None) -> bool:
        """Return whether ``path`` has the content that vmferry wrote."""
        if raw is None:
            return False
        digest = hashlib.sha256(raw).hexdigest()
        ours = digest in self.owned.get(path, ()) or digest in self.seeded.get(path, ())
        return ours or path in self.merged or self._by_line_ends(path, raw)

    def _by_line_ends(self, path: str, raw: bytes) -> bool:
        """Return whether only the line endings differ from what vmferry wrote: a checkout may change them."""
        digest = hashlib.sha256(raw.replace(b"\r\n", b"\n")).hexdigest() if b"\r\n" in raw else ""
        return digest in self.owned.get(path, ()) or digest in self.seeded.get(path, ())

    def _read(self, path: str) -> bytes | None:
        """Return the bytes of a regular file; None for a link or a device, which vmferry never writes."""
        entry = self.seen[path]
        if not stat.S_ISREG(entry.mode):
            return None
        handle = os.open(f"{self.root}/{path}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            return os.read(handle, entry.size + 1)  # 30,000 file objects would double the time
        finally:
            os.close(handle)

    def _refuse(self, rule: Rule, path: str, problem: str, remedy: str, *, final: bool = False) -> None:
        if final or not self.force:
            self.conflicts.append((path, _conflict(rule, self.root / path, f"`{path}` {problem}", remedy)))


_EDITED = "undo the edit, or move it to the group's local/ component; --force discards it"
_IN_THE_WAY = "move or remove it; --force replaces it"
_MOVE = "move or remove it"
_RENAME = "the names of phases, namespaces, VMs and files of the spec make the paths: change one of them"


def _conflict(rule: Rule, path: Path, message: str, remedy: str) -> Finding:
    return rule.finding(message, remedy, where=Where(file=str(path), span=Span(1, 1, 1, 1)))


def changed_meanwhile(root: Path) -> Finding:
    """Return the finding (VMF602) for a tree that is not what `plan` saw any more."""
    return _conflict(FILE_IN_THE_WAY, root, "the tree changed while it was compiled", "compile again")


def _new_locks(planned: list[Planned], inputs: Mapping[str, str]) -> dict[str, bytes]:
    """Return the lock files to be, by path."""
    locks = {file.lock: Lock(name=file.lock, inputs=inputs[file.lock], files={}, seeds={}) for file in planned}
    for file in planned:
        listed = locks[file.lock].seeds if file.seed else locks[file.lock].files
        listed[file.path] = hashlib.sha256(file.content).hexdigest()
    return {lock_path(name): render(lock) for name, lock in locks.items()}


def _check_paths(paths: list[str], locks: list[str]) -> None:
    """Raise SpecError (VMF611) unless the paths are safe and can coexist on any file system."""
    problems = [(path, problem) for path in paths if (problem := path_problem(path))]
    paths = paths + locks
    spelled: dict[str, str] = {}
    files: dict[str, str] = {}
    for path in sorted(_ancestors(paths)):
        other = spelled.setdefault(_folded(path), path)
        if other != path:
            problems.append((path, f"it differs from `{other}` only in case"))
    for path in paths:
        key = _folded(path)
        if key in files:
            problems.append((path, f"it is the same as `{files[key]}`" if files[key] != path else "it occurs twice"))
        elif key in spelled:
            problems.append((path, "it is also a directory of other files"))
        files[key] = path
    if problems:
        raise SpecError(
            *(UNSAFE_PATH.finding(f"output path {path!r}: {problem}", _RENAME) for path, problem in problems)
        )


def _folded(path: str) -> str:
    """Return the same key for two paths that are identical on a case-insensitive or normalising file system."""
    return path.lower() if path.isascii() else unicodedata.normalize("NFC", path).casefold()


def _ancestors(paths: Iterable[str]) -> set[str]:
    """Return every directory above one of ``paths``, the root excepted."""
    found: set[str] = set()
    for path in paths:
        above = path.rpartition("/")[0]
        while above and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return found


def _directories(seen: Mapping[str, Entry]) -> set[str]:
    return {path for path, entry in seen.items() if entry.is_directory and path != "."}


def scan(root: Path) -> dict[str, Entry]:
    """Return everything in the tree by path, without following links; nothing if there is no tree."""
    try:
        top = root.lstat()
    except FileNotFoundError:
        return {}
    if not stat.S_ISDIR(top.st_mode):
        raise SpecError(_conflict(FILE_IN_THE_WAY, root, f"`{root}` is a file and the output goes there", _MOVE))
    seen = {".": entry_of(top)}
    pending = [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(f"{root}/{prefix}") as items:
            for item in items:
                entry = entry_of(item.stat(follow_symlinks=False))
                seen[prefix + item.name] = entry
                if entry.is_directory:
                    pending.append(f"{prefix}{item.name}/")
    return seen


def resolved(root: Path) -> Path:
    """Return where a tree is. Raises SpecError (VMF602) if its path leads nowhere."""
    try:
        return root.resolve()
    except RuntimeError:  # a link to itself
        message = f"`{root}` is a symbolic link that leads nowhere"
        raise SpecError(_conflict(FILE_IN_THE_WAY, root, message, _MOVE)) from None


def entry_of(status: os.stat_result) -> Entry:
    """Return what a status says is there."""
    if not stat.S_ISREG(status.st_mode):
        return Entry(status.st_mode, status.st_uid, status.st_gid, 0, 0, 0)
    return Entry(status.st_mode, status.st_uid, status.st_gid, status.st_ino, status.st_size, status.st_mtime_ns)
