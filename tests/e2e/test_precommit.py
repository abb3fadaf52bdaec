"""`pre-commit try-repo` with both hooks, as somebody would who has just heard of vmferry."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).parents[2]
REQUIRED = os.environ.get("VMFERRY_REQUIRE_PRE_COMMIT") == "1"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not REQUIRED and importlib.util.find_spec("pre_commit") is None, reason="pre-commit is not installed"
    ),
    pytest.mark.skipif(not REQUIRED and not (REPOSITORY / ".git").exists(), reason="this is no checkout"),
]

_NO_NETWORK = re.compile(
    "NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|name resolution|Network is unreachable|connection broken"
)


class Run(NamedTuple):
    """What a run of the hooks said of each, and everything it printed."""

    code: int
    results: dict[str, str]
    out: str


def git(directory: Path, *arguments: str) -> bytes:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", "-C", str(directory), *identity, *arguments], check=True, capture_output=True).stdout


def commit(directory: Path) -> None:
    if not (directory / ".git").exists():
        git(directory, "init", "--quiet")
    git(directory, "add", "--all", "--force")
    git(directory, "commit", "--quiet", "--no-verify", "--message", "a commit")


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with what this checkout holds, committed or not: pre-commit takes commits only."""
    directory = tmp_path_factory.mktemp("hooks")
    listed = git(REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.decode().split("\0")):
        source, target = REPOSITORY / name, directory / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    commit(directory)
    return directory


@pytest.fixture
def migration(tmp_path: Path) -> Path:
    """A repository with the example, compiled."""
    directory = tmp_path / "migration"
    shutil.copytree(REPOSITORY / "examples/minimal", directory)
    commit(directory)
    return directory


def try_repo(migration: Path, hooks: Path) -> Run:
    """Run both hooks over the commit, each in an environment of its own that pre-commit builds."""
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "try-repo", str(hooks), "--all-files", "--verbose", "--color", "never"],
        cwd=migration,
        env={name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "COV"))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    if "CalledProcessError" in done.stdout and _NO_NETWORK.search(done.stdout) and not REQUIRED:
        pytest.skip("pre-commit cannot build its environment: the package index is out of reach")
    found = re.findall(
        r"^(vmferry [a-z -]+?)\.+(\(no files to check\))?(Passed|Failed|Skipped)$", done.stdout, re.MULTILINE
    )
    return Run(done.returncode, {name: result for name, _, result in found}, done.stdout)


def test_both_hooks_pass_on_the_example(migration: Path, hooks: Path) -> None:
    run = try_repo(migration, hooks)
    assert run.results == {"vmferry check": "Passed", "vmferry compile --check": "Passed"}, run.out
    assert run.code == 0
    assert git(migration, "status", "--porcelain") == b""


def test_a_broken_commit_fails_with_the_line(migration: Path, hooks: Path) -> None:
    spec = migration / "spec.yaml"
    lines = spec.read_text().splitlines()
    [number] = [number for number, line in enumerate(lines, 1) if "engine: flux" in line]
    spec.write_text(spec.read_text().replace("engine: flux", "engine: fluks"))
    commit(migration)
    run = try_repo(migration, hooks)
    assert run.results == {"vmferry check": "Failed", "vmferry compile --check": "Failed"}, run.out
    assert run.code == 1
    column = lines[number - 1].index("flux") + 1
    assert f"\nspec.yaml:{number}:{column}: error[VMF013] `target.gitops.engine` must be " in run.out
    assert f"\n  {number} | " in run.out
    assert git(migration, "status", "--porcelain") == b""
