"""Locks: what is written is what is read, `sha256sum` accepts it, and damage is reported with its line."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from vmferry.layout.locks import Lock, lock_name, lock_path, parse, path_problem, render, salvage
from vmferry.model.finding import Finding, SpecError

A, B = "a" * 64, "b" * 64
LOCK = Lock(
    name="dev-test/dev-test-01",
    inputs="sha256:12",
    files={"overlays/z.yaml": B, "bases/a b.yaml": A},
    seeds={"overlays/local/kustomization.yaml": A},
)
TEXT = render(LOCK).decode()
FORMER = (
    "# vmferry lock v1\n"
    "# check from the top of the tree: sha256sum -c locks/dev-test.lock\n"
    "# phase: dev-test\n"
    "# inputs: sha256:12\n"
    f"{A}  bases/a.yaml\n"
)
"""What an earlier vmferry wrote: one lock for each phase."""


def refused(raw: str | bytes) -> tuple[Finding, ...]:
    with pytest.raises(SpecError) as caught:
        parse(raw if isinstance(raw, bytes) else raw.encode(), "locks/dev-test.lock")
    return caught.value.findings


def test_a_lock_reads_back_as_it_was_written() -> None:
    assert parse(render(LOCK), "x") == LOCK


def test_a_lock_is_a_sorted_list_of_hashes_below_comments() -> None:
    expected = (
        "# vmferry lock v2\n"
        "# check from the top of the tree: sha256sum -c locks/dev-test/dev-test-01.lock\n"
        "# name: dev-test/dev-test-01\n"
        "# inputs: sha256:12\n"
        f"# seed: {A}  overlays/local/kustomization.yaml\n"
        f"{A}  bases/a b.yaml\n"
        f"{B}  overlays/z.yaml\n"
    )
    assert expected == TEXT


def test_a_lock_of_an_earlier_vmferry_is_read() -> None:
    assert parse(FORMER.encode(), "x") == Lock(name="dev-test", inputs="sha256:12", files={"bases/a.yaml": A})


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs sha256sum")
def test_sha256sum_checks_a_lock(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: 1\n")
    lock = Lock(name="p", inputs="sha256:0", files={"a.yaml": hashlib.sha256(b"a: 1\n").hexdigest()}, seeds={"s": A})
    (tmp_path / "p.lock").write_bytes(render(lock))
    check = ["sha256sum", "--strict", "-c", "p.lock"]
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=True).stdout == "a.yaml: OK\n"
    (tmp_path / "a.yaml").write_bytes(b"a: 2\n")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 1


def test_a_merge_conflict_is_named_with_its_line() -> None:
    raw = TEXT.replace(f"{B}  ", f"<<<<<<< HEAD\n{B}  ") + f"=======\n{A}  overlays/z.yaml\n>>>>>>> theirs\n"
    (finding,) = refused(raw)
    assert (finding.code, finding.where.span.line) == ("VMF603", 7)  # type: ignore[union-attr]
    assert "merge conflict" in finding.message
    assert "run vmferry compile again" in finding.help


@pytest.mark.parametrize(
    ("raw", "line", "why"),
    [
        (b"", 1, "does not start"),
        (b"# vmferry lock v3\n", 1, "does not start"),
        (b"\xff\n", 1, "UTF-8"),
        (TEXT[:-1], 7, "end is missing"),
        (TEXT[:-20], 7, "end is missing"),
        (TEXT + "\n", 8, "not vmferry's"),
        (TEXT + f"{A} *bases/binary.yaml\n", 8, "not vmferry's"),
        (TEXT + f"{A[1:]}  short.yaml\n", 8, "not vmferry's"),
        (TEXT + f"{A}  bases/a b.yaml\n", 8, "listed twice"),
        (TEXT.replace("# name: dev-test/dev-test-01\n", ""), 1, "# name:"),
        (FORMER.replace("# phase: dev-test\n", ""), 1, "# phase:"),
        (TEXT.replace("# inputs: sha256:12\n", ""), 1, "# inputs:"),
    ],
)
def test_a_damaged_lock_is_refused(raw: str | bytes, line: int, why: str) -> None:
    finding = refused(raw)[0]
    assert (finding.code, finding.where.span.line) == ("VMF603", line)  # type: ignore[union-attr]
    assert why in finding.message


UNSAFE = [
    "/etc/passwd",
    "../x",
    "a/../../x",
    "a//b",
    "a/./b",
    "a\\b",
    ".git/config",
    "a/.GIT/hooks/x",
    "locks/o.lock",
]


@pytest.mark.parametrize("path", UNSAFE)
def test_a_lock_that_claims_an_unsafe_path_is_refused(path: str) -> None:
    (finding,) = refused(TEXT + f"{A}  {path}\n")
    assert finding.code == "VMF611"


@pytest.mark.parametrize("path", [*UNSAFE, "", "a\x00b", "a\nb", "a/", "\ud800", "x" * 256])
def test_unsafe_paths_are_told(path: str) -> None:
    assert path_problem(path)


@pytest.mark.parametrize("path", ["a", "a/b.yaml", ".gitignore", "a/...", "ä/ö.yaml", "locks/README", "a b", "-a"])
def test_ordinary_paths_pass(path: str) -> None:
    assert path_problem(path) is None


def test_what_is_left_of_a_damaged_lock_leaves_out_unsafe_paths() -> None:
    raw = f"<<<<<<< a\n{A}  one\n=======\r\n{B}  two\r\n>>>>>>>\nx\n{A}  ../three\n# seed: {A}  four\n".encode()
    assert salvage(raw, "p") == Lock(name="p", inputs="", files={"one": A, "two": B}, seeds={"four": A})


def test_names_and_paths_of_locks_belong_together() -> None:
    for name in ("_infra", "dev-test/dev-test-01", "_infra/web"):
        assert lock_name(lock_path(name)) == name
    assert lock_name("locks/a/b/c.lock") is lock_name("locks/.lock") is lock_name("bases/a.lock") is None
    for name in ("", "..", "a/b/c", "a/", "../b", ".hidden", "a/.hidden", "a b"):
        with pytest.raises(SpecError, match="VMF611"):
            lock_path(name)


def test_line_ends_that_a_checkout_changed_are_no_damage() -> None:
    assert parse(TEXT.replace("\n", "\r\n").encode(), "x") == LOCK
