"""Opens and replaces files that others may have replaced with a link, a pipe or a device.

A checkout, an unpacked archive and a compiled tree come from other people: only regular files are read there, and
output goes into a new file with an unpredictable name, which then replaces the old one.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

_PATIENCE = 5_000  # ms that a named pipe has for its writer to appear
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class NotRegularError(OSError):
    """Raised for anything but a regular file: it is never read, so its content is never shown."""


def inside(path: Path, root: Path) -> bool:
    """Return whether a path stays in ``root``, even through links."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # circular links
        return False


def read(path: Path | str, most: int = -1) -> bytes:
    """Return the content of a regular file, at most ``most`` bytes.

    Raises NotRegularError for a link, a directory, a pipe, a socket or a device, without waiting for it, and OSError.
    If a link is allowed, resolve it, check its target, and pass that.
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
    """Return the content of a file that the user named: links and pipes are allowed.

    A pipe without a writer raises OSError after a few seconds.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        if stat.S_ISFIFO(os.fstat(handle).st_mode):
            import select

            waiting = select.poll()
            waiting.register(handle, select.POLLIN)
            if not waiting.poll(_PATIENCE):
                raise OSError(errno.ETIMEDOUT, "nothing writes to this pipe", str(path))
        os.set_blocking(handle, True)
        return stream.read(most)


def replace(path: Path, content: bytes) -> None:
    """Replace a file with ``content`` in one step; a link is replaced, not followed.

    The file keeps its permissions; a new one gets the usual permissions. On any failure, and on any signal that ends
    the program as an exception, the old file stays and no other file is left behind.
    """
    mode = _mode_of(path)
    temporary = path.with_name(f".{path.name[:60]}.{os.urandom(8).hex()}.vmferry")
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


def check_writable(path: Path) -> None:
    """Raise PermissionError for a file that this user may not write: replacing a file does not check that."""
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def create(path: Path, content: bytes) -> None:
    """Write a new file. Raises FileExistsError if anything exists there, even a dangling link."""
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
