"""Replaces a directory with a new one in one step, and cleans up after killed processes.

The new tree is built in a staging directory beside the old one. Until the exchange the old tree is complete in its
place, and from then on the new one; the rest of the staging directory is garbage either way. Only if the system cannot
exchange two directories, the old tree is moved aside first, and the next run moves it back if necessary.
"""

import ctypes
import errno
import fcntl
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vmferry import cores

_MARKER = "vmferry-staging"
_NEW = "tree"
_OLD = "old"

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h; RENAME_SWAP of macOS's sys/stdio.h is 2 as well
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


@contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Lock ``root`` against other vmferry processes, and restore a tree that a killed process moved aside.

    The lock is on the parent directory of ``root``, so that no lock file stays behind.
    """
    try:
        parent = os.open(root.parent, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:  # then there is nothing to protect
        yield
        return
    try:
        with suppress(OSError):  # file systems without locks, NFS for directories
            fcntl.flock(parent, fcntl.LOCK_EX)
        for leftover in leftovers(root):
            restore(root, leftover)
        yield
    finally:
        os.close(parent)


@contextmanager
def staging(root: Path) -> Iterator[Path]:
    """Yield an empty directory in which to build the tree for `replace`; clear up afterwards."""
    container = root.parent / f".{root.name}.vmferry-{os.getpid()}-{os.urandom(4).hex()}"
    marker = None
    try:  # a signal may interrupt this between any two lines
        container.mkdir(mode=0o700)
        marker = os.open(container / _MARKER, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with suppress(OSError):
            fcntl.flock(marker, fcntl.LOCK_EX)
        tree = container / _NEW
        tree.mkdir()
        yield tree
    finally:
        restore(root, container)
        with suppress(OSError):  # NFS keeps open files, and the next run tries again; or it is cleared up already
            discard(container)
        if marker is not None:
            os.close(marker)


@contextmanager
def clearing(tree: Path) -> Iterator[None]:
    """Clear up the directory of `staging` where ``tree`` was built, while the body runs."""
    with cores.aside(lambda: discard(tree.parent)):
        yield


def replace(root: Path, tree: Path) -> Path | None:
    """Replace ``root`` with ``tree``, built in `staging`; return where the old tree is now."""
    if not root.exists():
        tree.rename(root)
        return None
    if exchange(tree, root):
        return tree
    return replace_by_renaming(root, tree)


def replace_by_renaming(root: Path, tree: Path) -> Path:
    """Do the same with two renames, for systems without `exchange`: between them ``root`` does not exist."""
    old = tree.parent / _OLD
    root.rename(old)
    tree.rename(root)
    return old


def exchange(one: Path, other: Path) -> bool:
    """Swap two directories atomically; return False if the system or the file system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = (os.fsencode(one), os.fsencode(other))
    if sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        failed = libc.renamex_np(*names, _RENAME_EXCHANGE)
    elif hasattr(libc, "renameat2"):
        failed = libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)
    else:
        return False
    if not failed:
        return True
    if ctypes.get_errno() in _UNSUPPORTED:
        return False
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(other))


def flush(directory: Path) -> None:
    """Make the file system of ``directory`` flush its data, so that it survives a power failure."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):
        os.sync()
        return
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        libc.syncfs(handle)
    finally:
        os.close(handle)


def leftovers(root: Path) -> list[Path]:
    """Return the staging directories of ``root`` whose processes are gone.

    A process holds a lock on the marker in its staging directory while it runs. Its id would not suffice: ids are
    reused, and every container counts from 1.
    """
    name = re.compile(rf"\.{re.escape(root.name)}\.vmferry-[0-9]+-[0-9a-f]{{8}}")
    with os.scandir(root.parent) as entries:
        found = sorted(e.name for e in entries if name.fullmatch(e.name) and e.is_dir(follow_symlinks=False))
    return [root.parent / each for each in found if _is_abandoned(root.parent / each)]


def restore(root: Path, container: Path) -> None:
    """Move the old tree back if the process that moved it aside never put the new one in its place."""
    if not root.exists() and (container / _OLD).is_dir() and (container / _NEW).is_dir():
        (container / _OLD).rename(root)


def discard(container: Path) -> None:
    """Remove a staging directory, its marker last, so that the next run can finish an interrupted removal."""
    for tree in (container / _NEW, container / _OLD):
        if not tree.is_dir():
            continue
        try:
            shutil.rmtree(tree)
        except PermissionError:
            for directory, _, _ in os.walk(tree):
                Path(directory).chmod(stat.S_IRWXU)
            shutil.rmtree(tree)
    (container / _MARKER).unlink(missing_ok=True)
    container.rmdir()


def _is_abandoned(container: Path) -> bool:
    try:
        marker = os.open(container / _MARKER, os.O_WRONLY | os.O_NOFOLLOW)
    except FileNotFoundError:  # killed before the marker was written, or after it was removed
        return not any(container.iterdir())
    except OSError:
        return False
    try:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(marker)
