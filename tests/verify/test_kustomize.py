"""Running kustomize, and stand-ins for it that misbehave."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from vmferry.model.finding import SpecError
from vmferry.verify import kustomize

REQUIRED = os.environ.get("VMFERRY_REQUIRE_KUSTOMIZE") == "1"
Test = Callable[..., None]


def needs_kustomize(test: Test) -> Test:
    missing = not shutil.which("kustomize") and not shutil.which("kubectl")
    reason = "neither kustomize nor kubectl is installed"
    marked: Test = pytest.mark.kustomize(pytest.mark.skipif(missing and not REQUIRED, reason=reason)(test))
    return marked


def stand_in(directory: Path, script: str, name: str = "stand-in") -> Path:
    program = directory / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/kustomization.yaml").write_text("resources: [a.yaml]\n")
    (tmp_path / "root/a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    return tmp_path / "root"


@needs_kustomize
def test_a_directory_is_built(root: Path) -> None:
    assert b"kind: ConfigMap" in kustomize.build(root)


@needs_kustomize
def test_the_version_is_known() -> None:
    assert kustomize.version().startswith("v")


@needs_kustomize
def test_a_failure_says_what_kustomize_says_with_a_relative_path(root: Path) -> None:
    (root / "a.yaml").unlink()
    with pytest.raises(SpecError) as caught:
        kustomize.build(root, top=root.parent)
    (finding,) = caught.value.findings
    assert finding.code == "VMF605"
    assert "root/a.yaml" in finding.message
    assert str(root.parent) not in finding.message
    assert "\n" not in finding.message
    assert finding.where is not None
    assert finding.where.file == str(root / "kustomization.yaml")


@needs_kustomize
def test_files_above_the_directory_are_out_of_reach(root: Path) -> None:
    (root.parent / "b.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n")
    (root / "kustomization.yaml").write_text("resources: [../b.yaml]\n")
    with pytest.raises(SpecError, match="is not in or below"):
        kustomize.build(root)


@needs_kustomize
def test_builds_come_in_the_order_asked_for_and_failures_do_not_stop_them(root: Path) -> None:
    names = [f"r{number}" for number in range(9)]
    for name in names:
        shutil.copytree(root, root.parent / name)
    (root.parent / "r3/a.yaml").unlink()
    builds = list(kustomize.build_all(root.parent, names))
    assert [build.directory for build in builds] == names
    assert [build.directory for build in builds if build.error] == ["r3"]
    assert all(build.seconds > 0 for build in builds)


def test_a_missing_program_is_an_error_that_says_where_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(kustomize.OVERRIDE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SpecError) as caught:
        list(kustomize.build_all(tmp_path, ["a"]))
    (finding,) = caught.value.findings
    assert finding.code == "VMF605"
    assert "Install kustomize" in finding.help
    assert kustomize.OVERRIDE in finding.help


@pytest.mark.parametrize("command", ["no-such-program build", "'unclosed"])
def test_an_override_that_is_no_command_is_an_error(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv(kustomize.OVERRIDE, command)
    with pytest.raises(SpecError, match=kustomize.OVERRIDE):
        kustomize.find()


@pytest.mark.parametrize(
    ("name", "words", "arguments"),
    [
        ("kustomize", "", ("build",)),
        ("kubectl", "", ("kustomize",)),
        ("kubectl", "kustomize", ("kustomize",)),
        ("wrapper", "", ()),
        ("wrapper", "run kustomize build", ("run", "kustomize", "build")),
    ],
)
def test_an_override_may_leave_out_the_verb(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, words: str, arguments: tuple[str, ...]
) -> None:
    program = stand_in(tmp_path, "", name)
    monkeypatch.setenv(kustomize.OVERRIDE, f"'{program}' {words}")
    assert kustomize.find() == (str(program), *arguments)


def test_the_environment_holds_no_secrets_and_no_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv(kustomize.OVERRIDE, str(stand_in(tmp_path, "env")))
    environment = kustomize.build(tmp_path).decode()
    assert "GITHUB_TOKEN" not in environment
    assert "NO_PROXY" not in environment
    assert "https_proxy=http://127.0.0.1:9" in environment


def test_a_build_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(kustomize.OVERRIDE, str(stand_in(tmp_path, "exec sleep 30")))
    with pytest.raises(SpecError, match=r"did not end within 0\.2 s"):
        kustomize.build(tmp_path, timeout=0.2)


def test_a_failure_without_words_gives_its_status(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(kustomize.OVERRIDE, str(stand_in(tmp_path, "exit 7")))
    with pytest.raises(SpecError, match="ended with status 7"):
        kustomize.build(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Error: no such file\n", "no such file"),
        ("error: no such\n  file\n", "no such file"),
        ("# Warning: 'bases' is deprecated.\nError: bad\n", "bad"),
        ('E1122 20:17:54.020020   11487 run.go:72] "command failed" err="bad \\"x\\"\\n  y"\n', 'bad "x" y'),
        ("Error: /tree/infra/a.yaml is missing", "infra/a.yaml is missing"),
        ("Error: a\x1b[31mb", "a [31mb"),
    ],
)
def test_messages_are_one_line_without_ornaments(text: str, expected: str) -> None:
    assert kustomize.clean(text, Path("/tree")) == expected
