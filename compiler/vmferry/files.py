"""Opens and replaces files that somebody else may have put a link, a pipe or a device in the place of.

A checkout, an unpacked archive and a compiled tree are other people's: what is read there has to be a regular file,
and what is written goes into a new file under a name that nobody can know, which then takes the place of the old one.
"""

import errno
import os
import secrets
import select
import stat
from contextlib import suppress
from pathlib import Path

_PATIENCE = 5_000  # ms that a named pipe has for its writer to appear
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class NotRegularError(OSError):
    """Raised for what is no regular file: it is never read, so nothing of it is ever shown."""


def inside(path: Path, root: Path) -> bool:
    """Return whether a path leads to somewhere in ``root``, whatever links there are on the way."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # links in a circle
        return False


def read(path: Path | str, most: int = -1) -> bytes:
    """Return the content of a regular file, at most ``most`` bytes of it.

    Raises NotRegularError for a link, a directory, a pipe, a socket or a device, without waiting for it, and OSError.
    Where a link is allowed, resolve the path, look at where it leads, and give that.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link; a socket, or a device without its driver
            raise _not_regular(path, error.errno) from None
        raise
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _not_regular(path, errno.EINVAL)
        return stream.read(most)


def read_named(path: Path, most: int = -1) -> bytes:
    """Return the content of a file that the caller named: links lead where they lead, and a pipe is one from him.

    A pipe that nobody writes into is an OSError after a few seconds.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        if stat.S_ISFIFO(os.fstat(handle).st_mode):
            waiting = select.poll()
            waiting.register(handle, select.POLLIN)
            if not waiting.poll(_PATIENCE):
                raise OSError(errno.ETIMEDOUT, "nothing writes to this pipe", str(path))
        os.set_blocking(handle, True)
        return stream.read(most)


def replace(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of a file in one step; a link that lies there is replaced, not followed.

    The file keeps its permissions, and gets the usual ones where it is new. On any failure, and on any signal that ends
    the program as an exception, the old file stays and nothing lies beside it.
    """
    mode = _mode_of(path)
    temporary = path.with_name(f".{path.name[:60]}.{secrets.token_hex(8)}.vmferry")
    try:
        handle = os.open(temporary, _NEW, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(handle)
            os.fchmod(handle, mode)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def create(path: Path, content: bytes) -> None:
    """Write a new file. Raises FileExistsError where anything lies there, be it a link to nothing."""
    handle = os.open(path, _NEW, 0o666)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _mode_of(path: Path) -> int:
    with suppress(OSError):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            return stat.S_IMODE(status.st_mode)
    return 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _not_regular(path: Path | str, number: int) -> NotRegularError:
    return NotRegularError(number, "it is not a regular file", str(path))
