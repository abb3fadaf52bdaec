"""Tests that a tree belongs to one migration and one cluster."""

import hashlib
from pathlib import Path

from tests.test_placed import compiled, spec


def test_the_tree_of_one_cluster_is_not_taken_for_another(tmp_path: Path) -> None:
    assert compiled(tmp_path / "a", spec(), tmp_path).code == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("gitops/**/*") if path.is_file()}
    for options in ((), ("--force",), ("--check",), ("--diff",)):
        result = compiled(tmp_path / "b", spec(cluster="prod-b"), tmp_path, *options)
        assert result.code == 1
        assert [finding["code"] for finding in result.data["findings"]] == ["VMF631"]
    assert {path: path.read_bytes() for path in tmp_path.rglob("gitops/**/*") if path.is_file()} == before
    assert compiled(tmp_path / "a", spec(), tmp_path).code == 0
    assert compiled(tmp_path / "b", spec(cluster="prod-b", path="gitops-b"), tmp_path).code == 0


def test_a_tree_that_does_not_name_its_cluster_yet_is_known_by_its_entry_points(tmp_path: Path) -> None:
    assert compiled(tmp_path / "a", spec(), tmp_path).code == 0
    owner = tmp_path / "gitops/locks/migration.txt"
    now = owner.read_bytes()
    as_before(tmp_path / "gitops", owner, b"demo\n")
    result = compiled(tmp_path / "b", spec(cluster="prod-b"), tmp_path)
    assert [finding["code"] for finding in result.data["findings"]] == ["VMF631"]
    assert compiled(tmp_path / "a", spec(), tmp_path).code == 0
    assert owner.read_bytes() == now == b"demo\nprod\n"


def as_before(top: Path, file: Path, content: bytes) -> None:
    """Have a file be as an earlier vmferry wrote it, and its lock agree."""
    was, now = (hashlib.sha256(each).hexdigest() for each in (file.read_bytes(), content))
    file.write_bytes(content)
    for lock in top.rglob("*.lock"):
        lock.write_text(lock.read_text().replace(was, now))
