"""Tests of `vmferry init`."""

import re
from pathlib import Path

import pytest
from tests.invocation import vmferry


def test_first_spec_checks_and_compiles_without_findings(tmp_path: Path) -> None:
    assert vmferry("init", tmp_path).code == 0
    assert vmferry("check", tmp_path) == (0, "", "no findings; 2 VMs in 1 group\n")
    assert vmferry("compile", tmp_path, "--out", tmp_path / "out").code == 0


def test_editors_find_the_schemas(tmp_path: Path) -> None:
    assert vmferry("init", tmp_path).code == 0
    for name in ("spec.yaml", "vms/team-a.yaml"):
        path = tmp_path / name
        match = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
        assert match is not None
        assert (path.parent / match[1]).is_file()


@pytest.mark.parametrize("present", ["spec.yaml", "vms/team-a.yaml", ".vmferry/schemas/migrationspec.schema.json"])
def test_nothing_is_overwritten(tmp_path: Path, present: str) -> None:
    (tmp_path / present).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / present).write_text("mine\n")
    result = vmferry("init", tmp_path)
    assert result.code == 1
    assert result.err == f"vmferry: {tmp_path / present} exists; init does not overwrite files\n"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / present]


def test_dangling_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    assert vmferry("init", tmp_path).code == 1
    assert not (tmp_path / "elsewhere.yaml").exists()


def test_current_directory_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert vmferry("init").code == 0
    assert (tmp_path / "spec.yaml").is_file()
