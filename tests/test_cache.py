"""The cache gives back what was put into it, or nothing: whatever happened to its files, and whoever else uses it."""

import contextlib
import multiprocessing
import os
import random
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.invocation import vmferry

from vmferry.cache import FILE, Cache, clean


class Card(msgspec.Struct, frozen=True):
    name: str
    sizes: tuple[int, ...] = ()


CARDS = {f"key {number}".encode(): Card(f"vm-{number}", tuple(range(number))) for number in range(60)}


def put(directory: Path, cards: dict[bytes, Card], kind: str = "cards", most: int = 1 << 30) -> None:
    with contextlib.closing(Cache(directory, most=most)) as cache:
        cache.put(kind, cards)


def got(directory: Path, keys: dict[bytes, Card], kind: str = "cards") -> dict[bytes, Card]:
    with contextlib.closing(Cache(directory)) as cache:
        return cache.get(kind, keys, Card)


def right(found: dict[bytes, Card]) -> bool:
    return all(card == CARDS[key] for key, card in found.items())


def test_what_was_put_is_there_in_the_next_run(tmp_path: Path) -> None:
    put(tmp_path / "cache", CARDS)
    assert got(tmp_path / "cache", CARDS) == CARDS
    assert got(tmp_path / "cache", {b"another": Card("x")}) == {}


def test_kinds_do_not_meet(tmp_path: Path) -> None:
    put(tmp_path, CARDS)
    assert got(tmp_path, CARDS, "other cards") == {}


def test_an_entry_of_another_form_is_not_there(tmp_path: Path) -> None:
    with contextlib.closing(Cache(tmp_path)) as cache:
        cache.put("cards", {b"1": {"name": 3}, b"2": ["a"], b"3": Card("right")})
    assert got(tmp_path, {b"1": Card(""), b"2": Card(""), b"3": Card("")}) == {b"3": Card("right")}


def test_a_cache_that_is_off_reads_and_writes_nothing(tmp_path: Path) -> None:
    put(tmp_path, CARDS)
    before = (tmp_path / FILE).read_bytes()
    cache = Cache(tmp_path, enabled=False)
    cache.put("cards", {b"new": Card("new")})
    assert cache.get("cards", CARDS, Card) == {}
    cache.close()
    assert (tmp_path / FILE).read_bytes() == before


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_however_it_is_damaged_nothing_wrong_is_found_and_no_run_fails(
    data: st.DataObject,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        put(directory, CARDS)
        whole = bytearray((directory / FILE).read_bytes())
        seed = random.Random(data.draw(st.integers(0, 2**32)))
        for _ in range(data.draw(st.integers(1, 40))):
            at = seed.randrange(len(whole)) if data.draw(st.booleans()) else seed.randrange(200)
            whole[at] = seed.randrange(256)
        cut = data.draw(st.sampled_from([None, 0, 1, 99, 512, 4096, len(whole) // 2, len(whole) - 1]))
        (directory / FILE).write_bytes(bytes(whole[:cut]))
        assert right(got(directory, CARDS))
        put(directory, CARDS)
        assert right(got(directory, CARDS))


@pytest.mark.parametrize("content", [b"", b"not a database" * 400, b"SQLite format 3\0" + b"\xff" * 5000])
def test_what_is_no_database_makes_place_for_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert got(tmp_path, CARDS) == {}
    put(tmp_path, CARDS)
    assert got(tmp_path, CARDS) == CARDS


def test_a_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as database:
        database.execute("CREATE TABLE entries (key BLOB, used INTEGER, size INTEGER, value BLOB)")
        database.execute("INSERT INTO entries VALUES (x'00', 1, 1, 'theirs')")
        database.commit()
    before = (tmp_path / FILE).read_bytes()
    put(tmp_path, CARDS)
    assert got(tmp_path, CARDS) == {}
    assert (tmp_path / FILE).read_bytes() == before


def test_a_database_of_an_earlier_release_makes_place_for_one(tmp_path: Path) -> None:
    """Its pages were small, and its entries are those of another version."""
    put(tmp_path, CARDS)
    application = _told(tmp_path, "application_id")
    (tmp_path / FILE).unlink()
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as database:
        database.execute(f"PRAGMA application_id = {application}")
        database.execute(
            "CREATE TABLE entries (key BLOB PRIMARY KEY, used INTEGER, size INTEGER, value BLOB) WITHOUT ROWID"
        )
        database.execute("INSERT INTO entries VALUES (x'00', 1, 1, x'00')")
        database.commit()
    put(tmp_path, CARDS)
    assert got(tmp_path, CARDS) == CARDS
    assert _told(tmp_path, "page_size") > 4096
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as database:
        assert database.execute("SELECT count(*) FROM entries").fetchone() == (len(CARDS),)


def _told(directory: Path, pragma: str) -> int:
    with contextlib.closing(sqlite3.connect(directory / FILE)) as database:
        return int(database.execute(f"PRAGMA {pragma}").fetchone()[0])


def test_a_place_where_nothing_can_be_written_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    for place in (tmp_path / "file", tmp_path / "file/below", Path("/proc/vmferry"), Path("/dev/null/x")):
        put(place, CARDS)
        assert got(place, CARDS) == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_may_only_be_read_is_read(tmp_path: Path) -> None:
    put(tmp_path, CARDS)
    (tmp_path / FILE).chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        put(tmp_path, {b"new": Card("new")})
        assert got(tmp_path, CARDS | {b"new": Card("new")}) == CARDS
    finally:
        tmp_path.chmod(0o700)


def test_root_reads_a_cache_on_a_file_system_that_is_read_only(tmp_path: Path) -> None:
    """As a cache that an image brings with it: the connection must not need a lock or a journal."""
    put(tmp_path, CARDS)
    program = (
        "import os, sys, pathlib; from vmferry import cache; os.access = lambda *_: False\n"
        "found = cache.Cache(pathlib.Path(sys.argv[1])).get('cards', [b'key 3'], dict); print(found)"
    )
    done = subprocess.run([os.sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert "vm-3" in done.stdout


def _put_many(directory: Path, run: int) -> None:
    for round_ in range(10):
        some = {key: card for number, (key, card) in enumerate(CARDS.items()) if (number + round_) % 3 != run % 3}
        put(directory, some)
        assert right(got(directory, CARDS))


def test_several_runs_share_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    runs = [context.Process(target=_put_many, args=(tmp_path, run)) for run in range(3)]
    for each in runs:
        each.start()
    for each in runs:
        each.join()
    assert [each.exitcode for each in runs] == [0, 0, 0]
    assert got(tmp_path, CARDS) == CARDS


def test_a_run_that_finds_it_locked_goes_on_without_it(tmp_path: Path) -> None:
    put(tmp_path, CARDS)
    with contextlib.closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        put(tmp_path, {b"new": Card("new")})
    assert got(tmp_path, CARDS) == CARDS
    assert got(tmp_path, {b"new": Card("new")}) == {}


def test_what_was_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    large = {f"large {number}".encode(): Card("x" * 10_000) for number in range(10)}
    put(tmp_path, large)
    with contextlib.closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as database:
        database.execute("UPDATE entries SET used = used - 1000000 WHERE key IN (SELECT key FROM entries LIMIT 5)")
    put(tmp_path, {b"new": Card("y" * 10_000)}, most=84_000)
    assert got(tmp_path, {b"new": Card("")}) != {}
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as database:
        left, size = database.execute("SELECT count(*), sum(size) FROM entries").fetchone()
    assert (left, size < 84_000) == (6, True)
    assert len(got(tmp_path, large)) == 5


def test_an_entry_that_is_read_counts_as_used_today(tmp_path: Path) -> None:
    put(tmp_path, CARDS)
    with contextlib.closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as database:
        database.execute("UPDATE entries SET used = 1")
    got(tmp_path, {b"key 1": Card("")})
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as database:
        assert database.execute("SELECT count(*) FROM entries WHERE used > 1").fetchone() == (1,)


def test_git_and_backups_pass_over_it(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    put(tmp_path / "cache", CARDS)
    status = subprocess.run(["git", "-C", tmp_path, "status", "--porcelain"], capture_output=True, check=True)
    assert status.stdout == b""
    assert (tmp_path / "cache/CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_clean_deletes_what_is_vmferrys_and_nothing_else(tmp_path: Path) -> None:
    put(tmp_path, CARDS)
    (tmp_path / "mine.txt").write_text("mine")
    assert "MiB freed" in vmferry("cache", "clean", "--cache-dir", tmp_path).out
    assert got(tmp_path, CARDS) == {}
    assert (tmp_path / "mine.txt").read_text() == "mine"
    clean(tmp_path)
    assert "nothing to delete" in vmferry("cache", "clean", "--cache-dir", tmp_path).out


def test_dir_says_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert vmferry("cache", "dir", "--cache-dir", tmp_path).out == f"{tmp_path}\n"
    monkeypatch.setenv("VMFERRY_CACHE_DIR", str(tmp_path / "elsewhere"))
    assert vmferry("cache", "dir").out == f"{tmp_path / 'elsewhere'}\n"
    monkeypatch.delenv("VMFERRY_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert vmferry("cache", "dir").out.startswith(str(tmp_path / "home"))
