"""`vmferry diff SPEC REV` and `status` from what earlier runs left: less work, and nobody sees a difference."""

from pathlib import Path

import pytest
from tests.cli.repository import NOW, Repository
from tests.invocation import Result, vmferry
from tests.work import counted


class Remembering(Repository):
    """A repository whose states are remembered."""

    def run(self, verb: str, *options: str) -> Result:
        """Run a verb with the cache; nobody without one sees anything else."""
        cached = vmferry(verb, self.spec, *options, *NOW, "--cache-dir", self.spec.parent.parent / "cache")
        cold = vmferry(verb, self.spec, *options, *NOW, "--no-cache")
        assert (cached.code, cached.out) == (cold.code, cold.out)
        assert [line for line in cached.err.splitlines() if "left" not in line] == cold.err.splitlines()
        return cached

    def resolves(self, verb: str, *options: str) -> bool:
        """Return whether a run with the cache decides anything."""
        with counted() as calls:
            vmferry(verb, self.spec, *options, *NOW, "--cache-dir", self.spec.parent.parent / "cache")
        return calls["decide_machines"] > 0


@pytest.fixture
def repository(tmp_path: Path) -> Remembering:
    """Return a repository with the example."""
    (tmp_path / "repository").mkdir()
    return Remembering(tmp_path / "repository")


def test_a_second_status_decides_nothing(repository: Remembering) -> None:
    assert repository.resolves("status")
    assert not repository.resolves("status")
    repository.run("status")
    repository.edit("stateless-02: {stage: prepared}", "stateless-02: {stage: migrating}")
    assert repository.resolves("status")
    assert "stateless-02" in repository.run("status").out


@pytest.mark.parametrize(
    ("old", "new", "file"),
    [
        ("stateless-02: {stage: prepared}", "stateless-02: {stage: migrating}", "spec.yaml"),
        ("memory: 128Gi", "memory: 96Gi", "vms/data.yaml"),
        ("name: db-01\n", "name: db-99\n", "vms/data.yaml"),
        ("interval: 10m", "interval: 20m", "spec.yaml"),
        ("liveMigration: preferred", "liveMigration: none", "spec.yaml"),
        ("  - match: {source: vc2}\n", '  - match: {source: vc2, name: "ERP*"}\n', "spec.yaml"),
        ("    disposition: retain\n", "    phase: stateless\n    namespace: web\n", "vms/platform.yaml"),
    ],
)
def test_a_second_diff_says_the_same(repository: Remembering, old: str, new: str, file: str) -> None:
    repository.edit(old, new, file=file)
    first = repository.run("diff", "--format", "json")
    assert first.code == 0, first.text
    assert repository.run("diff", "--format", "json").out == first.out
    assert repository.resolves("diff") == ("match" in old)  # rows of assign need the facts of all VMs


def test_a_commit_of_the_spec_is_looked_at_anew_and_one_of_other_files_is_not(repository: Remembering) -> None:
    repository.edit("memory: 128Gi", "memory: 96Gi", file="vms/data.yaml")
    assert repository.run("diff").out
    (repository.spec.parent / "README").write_text("x")
    repository.commit()
    assert repository.resolves("diff")
    assert repository.run("diff").out == ""
    (repository.spec.parent / "README").write_text("y")
    repository.commit()
    assert not repository.resolves("diff")
    assert repository.run("diff", "HEAD~2").out


def test_a_commit_with_the_same_bytes_is_not_resolved(repository: Remembering) -> None:
    def resolved() -> int:
        with counted() as calls:
            assert vmferry("diff", repository.spec, *NOW, "--no-cache").code == 0
        return calls["plan_target"]

    assert resolved() == 1
    repository.edit("memory: 128Gi", "memory: 96Gi", file="vms/data.yaml")
    assert resolved() == 2


def test_a_commit_with_errors_is_reported_whether_or_not_it_was_seen_before(repository: Remembering) -> None:
    repository.edit("tier: gold", "tier: golden")
    repository.commit()
    repository.edit("tier: golden", "tier: gold")
    for _ in range(2):
        assert "VMF861" in repository.run("diff").out


def test_a_damaged_cache_is_no_cache(repository: Remembering) -> None:
    repository.edit("memory: 128Gi", "memory: 96Gi", file="vms/data.yaml")
    said = repository.run("diff").out
    for path in (repository.spec.parent.parent / "cache").glob("*.sqlite*"):
        path.write_bytes(path.read_bytes()[:5000] + b"x" * 200)
    assert repository.run("diff").out == said
