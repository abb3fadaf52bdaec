"""Reading and replacing files in folders that others may write to."""

import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vmferry import files


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    assert files.read(tmp_path / "a") == b"content"
    assert files.read(tmp_path / "a", 3) == b"con"
    assert files.read_named(tmp_path / "a", 3) == b"con"


def test_what_is_no_regular_file_is_refused_without_being_waited_for(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("a secret")
    (tmp_path / "link").symlink_to("victim")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "s"))
        for name in ("link", "loop", "folder", "pipe", "s", "/dev/null", "/dev/zero"):
            with pytest.raises(OSError) as caught:  # noqa: PT011 - a folder is IsADirectoryError or NotRegularError
                files.read(tmp_path / name)
            assert "secret" not in str(caught.value)
    with pytest.raises(FileNotFoundError):
        files.read(tmp_path / "nothing")


def test_a_pipe_that_the_caller_names_is_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(b"x" * 200_000))
    writer.start()
    assert files.read_named(tmp_path / "pipe") == b"x" * 200_000
    writer.join()


def test_a_pipe_that_nobody_writes_into_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PATIENCE", 10)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="nothing writes"):
        files.read_named(tmp_path / "pipe")


def test_replacing_keeps_permissions_and_leaves_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o640)
    files.replace(path, b"new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_replacing_follows_no_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("somebody's")
    (tmp_path / "a").symlink_to("victim")
    files.replace(tmp_path / "a", b"new")
    assert victim.read_text() == "somebody's"
    assert not (tmp_path / "a").is_symlink()


def test_creating_follows_no_link_and_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("outside")
    with pytest.raises(FileExistsError):
        files.create(tmp_path / "a", b"new")
    assert not (tmp_path / "outside").exists()
    files.create(tmp_path / "b", b"new")
    assert (tmp_path / "b").read_bytes() == b"new"


@pytest.mark.parametrize("verb", ["replace", "create"])
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, verb: str) -> None:
    (tmp_path / "old").write_text("old")
    target = tmp_path / ("old" if verb == "replace" else "new")
    program = (
        "import resource, sys; from pathlib import Path; from vmferry import files\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        f"files.{verb}(Path(sys.argv[1]), b'x' * 10000)"
    )
    done = subprocess.run([sys.executable, "-c", program, target], capture_output=True, check=False)
    assert b"File too large" in done.stderr
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"old": "old"}
