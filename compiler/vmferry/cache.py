"""Keeps results for the next run, addressed by content: bounded, shared by concurrent runs, safe to delete.

One SQLite database contains the entries: a run reads and writes thousands, and one file per entry would cost as much
time as it saves. Nothing depends on an entry. An entry or database that is damaged, truncated, foreign, of another
version or unreadable is silently treated as missing; a run without a cache gives the same results, only later.
"""

import errno
import hashlib
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from vmferry import __version__

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

MAX_BYTES = 1 << 30
FILE = "vmferry-entries.sqlite"
_APPLICATION = 0x766D6679  # "vmfy": foreign databases are left alone
_CHECKSUM = 4  # bytes before each value: SQLite does not notice a page that is damaged
_AT_ONCE = 500  # keys in one question
_PATIENCE = 2.0  # seconds for another run that writes
_DAY = 86_400
_PAGE = 32_768  # bytes: an entry has kilobytes, in a chain of pages that SQLite follows one by one
_CODE = (".py", ".sh")

_TABLE = (
    "CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, used INTEGER, size INTEGER, value BLOB)",
    "CREATE INDEX IF NOT EXISTS entries_by_age ON entries (used, size)",
)
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of vmferry: https://bford.info/cachedir/\n"


class Cache:
    """The entries in a directory, by default the user's cache directory; a disabled cache never has any.

    Entries are found at once, and written when the cache is closed, in one transaction. The database is opened on first
    use.
    """

    def __init__(self, directory: Path | None = None, *, enabled: bool = True, most: int = MAX_BYTES) -> None:
        self.enabled = enabled  # to be asked before keys are worked out for nothing
        self._directory = directory
        self._most = most
        self._database: sqlite3.Connection | None = None
        self._opened = False
        self._pending: dict[bytes, bytes] = {}
        self._used: set[bytes] = set()

    def get(self, kind: str, keys: Iterable[bytes], form: type[T]) -> dict[bytes, T]:
        """Return the entries that exist, by key.

        ``kind`` names their content, and changes when ``form`` or their computation does.
        """
        wanted = {_address(kind, key): key for key in keys} if self.enabled else {}
        decoder = msgspec.msgpack.Decoder(form)
        found = {}
        for address, raw in self._read(list(wanted)).items():
            value = memoryview(raw)[_CHECKSUM:]
            if raw[:_CHECKSUM] == _checksum(value):
                with suppress(msgspec.MsgspecError):
                    found[wanted[address]] = decoder.decode(value)
        return found

    def put(self, kind: str, entries: Mapping[bytes, object]) -> None:
        """Keep entries for the next run."""
        if self.enabled:
            encode = msgspec.msgpack.Encoder().encode
            for key, entry in entries.items():
                value = encode(entry)
                self._pending[_address(kind, key)] = _checksum(value) + value

    def flush(self) -> None:
        """Write what was put. A cache that cannot be written to stays as it is."""
        if self._pending or self._used:
            self._attempt(self._write)
        self._pending, self._used = {}, set()

    def close(self) -> None:
        """Write what was put, and make room for it."""
        self.flush()
        if self._database is not None:
            self._attempt(lambda database: database.close())
        self._database, self._opened = None, False

    def _read(self, addresses: list[bytes]) -> dict[bytes, bytes]:
        found = {address: self._pending[address] for address in addresses if address in self._pending}
        addresses = [address for address in addresses if address not in found]
        day = int(time.time()) - _DAY

        def read(database: "sqlite3.Connection") -> None:
            for start in range(0, len(addresses), _AT_ONCE):
                some = addresses[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                question = f"SELECT key, value, used FROM entries WHERE key IN ({marks})"  # noqa: S608 - only marks
                for address, value, used in database.execute(question, some):
                    if type(value) is bytes and type(address) is bytes:
                        found[address] = value
                        if type(used) is not int or used < day:
                            self._used.add(address)

        if addresses:
            self._attempt(read)
        return found

    def _write(self, database: "sqlite3.Connection") -> None:
        now = int(time.time())
        with database:
            database.execute("BEGIN IMMEDIATE")
            for statement in _TABLE:
                database.execute(statement)
            database.executemany(
                "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)",
                ((address, now, len(value), value) for address, value in self._pending.items()),
            )
            database.executemany("UPDATE entries SET used = ? WHERE key = ?", ((now, each) for each in self._used))
            self._evict(database)

    def _evict(self, database: "sqlite3.Connection") -> None:
        """Remove the least recently used entries until a quarter of the room is free again."""
        total = database.execute("SELECT coalesce(sum(cast(size AS INTEGER)), 0) FROM entries").fetchone()[0]
        if total <= self._most:
            return
        gone = []
        for address, size in database.execute("SELECT key, cast(size AS INTEGER) FROM entries ORDER BY used"):
            gone.append((address,))
            total -= size
            if total <= self._most * 3 // 4:
                break
        database.executemany("DELETE FROM entries WHERE key = ?", gone)

    def _attempt(self, work: Callable[["sqlite3.Connection"], object]) -> None:
        """Do something with the database, as far as possible."""
        import sqlite3  # takes 10 ms that a run without a cache does not need

        try:
            if not self._opened:
                self._opened = True
                self._database = _open(self._directory or default_directory())
            if self._database is not None:
                work(self._database)
        except sqlite3.OperationalError:
            pass  # locked by others for too long, read-only, disk full, or nothing was written yet
        except sqlite3.Error:
            self._drop()

    def _drop(self) -> None:
        """Remove a damaged database: the next run starts with a new one."""
        if self._database is not None:
            self._database.close()
        self._database = None
        with suppress(OSError):
            clean(self._directory or default_directory())


def default_directory() -> Path:
    """Return the user's cache directory: ~/.cache/vmferry on Linux."""
    import platformdirs

    return platformdirs.user_cache_path("vmferry", appauthor=False)


def clean(directory: Path) -> int:
    """Remove the entries in a directory, but no foreign files; return how many bytes were freed."""
    freed = 0
    for name in (f"{FILE}-wal", f"{FILE}-shm", FILE):
        path = directory / name
        with suppress(FileNotFoundError):
            size = path.lstat().st_size
            path.unlink()
            freed += size
    return freed


def _open(directory: Path) -> "sqlite3.Connection | None":
    """Return the database of a directory; none if it cannot exist, or is not vmferry's."""
    import sqlite3

    path = directory / FILE
    try:
        _prepare(directory)
    except OSError:  # nobody writes there, so nobody has to be asked for a lock
        return sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True) if path.is_file() else None
    database = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    if _told(database, "application_id") == _APPLICATION and _told(database, "page_size") != _PAGE:
        database.close()  # of a release whose entries nobody asks for any more
        clean(directory)
        database = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    if _told(database, "application_id") != _APPLICATION:
        if database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            database.close()
            return None
        database.execute(f"PRAGMA page_size = {_PAGE}")  # first: it is settled with the first page
        database.execute(f"PRAGMA application_id = {_APPLICATION}")
    # A power failure may lose the last entries: that costs less than waiting for the disk in every run.
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = OFF")
    return database


def _told(database: "sqlite3.Connection", pragma: str) -> int:
    return int(database.execute(f"PRAGMA {pragma}").fetchone()[0])


def _prepare(directory: Path) -> None:
    """Create the directory, readable only by its owner, and exclude it from backups and git. Raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(directory))
    for name, text in (("CACHEDIR.TAG", _TAG), (".gitignore", "*\n")):
        with suppress(FileExistsError), (directory / name).open("x") as file:
            file.write(text)


def _address(kind: str, key: bytes) -> bytes:
    return hashlib.blake2b(kind.encode() + b"\0" + key, digest_size=20, key=_version()).digest()


def _checksum(value: bytes | memoryview) -> bytes:
    return zlib.crc32(value).to_bytes(_CHECKSUM, "big")  # against damage alone, and four times as fast as a digest


@cache
def _version() -> bytes:
    """Return a digest of vmferry itself: two working copies of the same version have separate entries."""
    digest = hashlib.blake2b(f"{__version__} {sys.version}".encode(), digest_size=32)
    pending = [str(Path(__file__).parent)]
    while pending:
        folder = pending.pop()
        with os.scandir(folder) as items:
            for item in sorted(items, key=lambda each: each.name):
                if item.is_dir(follow_symlinks=False):
                    if item.name != "__pycache__":
                        pending.append(item.path)
                elif item.name.endswith(_CODE):
                    status = item.stat()
                    digest.update(f"{item.name}\0{status.st_size} {status.st_mtime_ns}\0".encode())
    return digest.digest()
