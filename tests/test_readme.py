"""Every command of the README works as a new user would type it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vmferry.compile import check
from vmferry.yaml.read import read

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]
VMFERRY = [command for command in COMMANDS if command.startswith("vmferry ")]


def run(command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one vmferry command as it stands in the README."""
    arguments = [sys.executable, "-m", "vmferry", *shlex.split(command)[1:]]
    return subprocess.run(arguments, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)


def test_the_readme_has_the_two_commands_of_a_new_user() -> None:
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [command for command in COMMANDS if command.startswith("make ")] == ["make demo", "make test"]
    assert re.search(r"^demo:", targets, re.MULTILINE)
    assert re.search(r"^test:", targets, re.MULTILINE)


def test_the_workflow_runs_from_top_to_bottom(tmp_path: Path) -> None:
    assert len(VMFERRY) >= 7
    for command in VMFERRY:
        if " verify " in command and not (shutil.which("kustomize") or shutil.which("kubectl")):
            assert not os.environ.get("VMFERRY_REQUIRE_KUSTOMIZE")
            continue
        result = run(command, tmp_path)
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    assert (tmp_path / "gitops/clusters/prod-a/kustomization.yaml").is_file()
    assert (tmp_path / "migration/assignments.yaml").is_file()


def test_the_finding_that_the_readme_shows_is_what_vmferry_prints(tmp_path: Path) -> None:
    assert run("vmferry init migration", tmp_path).returncode == 0
    team = tmp_path / "migration/vms/team-a.yaml"
    team.write_text(team.read_text().replace("network: VM Network", "network: VM Netwrok", 1))
    result = run("vmferry check migration", tmp_path)
    assert result.returncode == 1
    [shown] = re.findall(r"```\n(migration/vms.*?)```", README, re.DOTALL)
    assert shown.strip() in result.stdout


def test_the_stages_that_the_readme_shows_can_be_written_so(tmp_path: Path) -> None:
    [groups] = re.findall(r"```yaml\n(groups:.*?)```", README, re.DOTALL)
    [document] = read(groups.encode(), "README.md")
    assert {state["stage"] for state in document.data["groups"].values()} == {"prepared", "migrating", "cutover"}


def test_the_spec_that_the_readme_shows_has_no_findings(tmp_path: Path) -> None:
    [spec] = re.findall(r"```yaml\n(apiVersion:.*?)```", README, re.DOTALL)
    path = tmp_path / "spec.yaml"
    path.write_text(spec, encoding="utf-8")
    checked = check(path)
    assert checked.findings == ()
    [group] = checked.resolution.blueprint.groups
    assert (group.path, group.method, group.namespace) == ("forklift", "cold", "web")


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_what_the_readme_links_to_is_there(link: str) -> None:
    assert link.startswith("https://") or (ROOT / link).exists()
