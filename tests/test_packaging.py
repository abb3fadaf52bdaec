"""Tests of what surrounds the package: pre-commit hooks, the GitHub action, workflows and make targets."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = (".github/workflows/ci.yml", ".github/workflows/nightly.yml")
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())


def test_hooks_check_the_whole_spec_once_and_write_nothing() -> None:
    assert [hook["id"] for hook in HOOKS] == ["vmferry-check", "vmferry-compile"]
    for hook in HOOKS:
        assert hook["pass_filenames"] is False
        assert hook["language"] == "python"
    assert "--check" in HOOKS[1]["entry"]


def test_hooks_run_for_commits_that_only_remove_files_too() -> None:
    assert [hook["always_run"] for hook in HOOKS] == [True, True]


@pytest.mark.parametrize("path", [*WORKFLOWS, ".github/sample-workflows/migration.yml", "action.yml"])
def test_scripts_take_no_text_that_others_write(path: str) -> None:
    document = yaml.safe_load((ROOT / path).read_text())
    jobs = document.get("jobs", {"action": document.get("runs")})
    for step in [step for job in jobs.values() for step in job["steps"]]:
        assert "${{" not in step.get("run", ""), "pass it by env: the shell would run what it contains"


def test_sample_workflow_uses_inputs_that_the_action_has() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    sample = yaml.safe_load((ROOT / ".github/sample-workflows/migration.yml").read_text())
    assert sample["jobs"]["vmferry"]["steps"][1]["with"].keys() <= action["inputs"].keys()


def test_what_ci_requires_on_one_machine_it_requires_on_the_other() -> None:
    required = [
        set(re.findall(r"VMFERRY_REQUIRE_[A-Z_]+", (ROOT / path).read_text()))
        for path in (".ci/run", ".github/workflows/ci.yml")
    ]
    assert required[0] == required[1] != set()


def test_workflows_and_ci_call_targets_that_there_are() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in (".ci/run", ".github/workflows/ci.yml", ".github/workflows/nightly.yml"):
        called = set(re.findall(r"\bmake ([a-z0-9-]+)", (ROOT / path).read_text()))
        assert called
        assert called <= targets


def test_make_knows_how_to_get_to_every_target_from_a_fresh_clone(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("vcsim", "grafana", "e2e"):
        shutil.copytree(ROOT / "tests" / name, tmp_path / "tests" / name)
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in targets:
        planned = subprocess.run(
            ["make", "--dry-run", target], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (planned.returncode, planned.stderr) == (0, ""), target


def test_the_nightly_cluster_runs_versions_of_the_lines_that_the_example_states() -> None:
    pinned = dict(
        line.split("=", 1)
        for line in (ROOT / "tests/e2e/kind/versions.env").read_text().splitlines()
        if not line.startswith("#")
    )
    spec = yaml.safe_load((ROOT / "examples/acme/spec.yaml").read_text())
    stated = spec["target"]["cluster"]["versions"]
    assert stated.keys() == {"kubernetes", "kubevirt", "cdi", "forklift"}
    for program, version in stated.items():
        assert f"v{version}." in pinned[program.upper()]


PUBLISHED = re.compile(
    r"github\.com/vmferry|(?:ghcr|quay|docker)\.io/[\w./-]*vmferry|pypi\.org/project/vmferry|vmferry/vmferry"
)


def test_the_repository_is_named_in_one_place_which_says_that_it_is_a_placeholder() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    [placeholder] = re.findall(r"# A placeholder until .*\n\[project\.urls\]\nSource = \"(\S+)\"\n", project)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    others = [
        ROOT / name for name in listed.split("\0") if name and name not in ("pyproject.toml", "tests/test_packaging.py")
    ]
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in others if path.is_file()}
    assert [path for path, text in texts.items() if placeholder in text or PUBLISHED.search(text)] == []
