"""Tests of `vmferry.cli`: exit codes, terminals, pipes, help and completion, whatever the verb."""

import os
import pty
import re
import shlex
import subprocess
import sys
import types
from pathlib import Path

import click
import pytest
from tests.invocation import process, vmferry
from tests.load.test_history import commit, git

from vmferry import __version__, cli
from vmferry.cli import VERBS

ESCAPE = "\x1b["


INVENTORY = """\
apiVersion: vmferry.dev/v1alpha1
kind: Inventory
metadata: {name: vc1}
source: {name: vc1, kind: rvtools}
vms:
- {name: web-01, id: vm-1, powerState: poweredOn, os: linux, disks: [{size: 1Gi, datastore: ds1}], nics: []}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A spec as `vmferry init` writes it."""
    assert vmferry("init", tmp_path / "migration").code == 0
    return tmp_path / "migration"


@pytest.fixture
def broken(project: Path) -> Path:
    """A spec in which a network is not mapped."""
    team = project / "vms/team-a.yaml"
    team.write_text(team.read_text().replace("network: VM Network", "network: Other"))
    return project


def test_a_spec_without_findings_gives_0(project: Path) -> None:
    assert vmferry("check", project).code == 0


def test_findings_give_1(broken: Path) -> None:
    assert vmferry("check", broken).code == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["chekc", "."], "Did you mean 'check'?"),
        (["check"], "Missing argument"),
        (["check", "--fromat", "json", "."], "--format"),
        (["check", "--format", "xml", "."], "xml"),
        (["check", "nowhere/"], "does not exist"),
        (["compile", "."], "--out"),
        (["explain", "."], "Name a VM, or use --all."),
        (["explain", ".", "web-01", "--all"], "Name a VM, or use --all."),
        (["schema", "Nothing"], "Nothing"),
        (["completion", "tcsh"], "tcsh"),
        ([], "Usage: vmferry"),
    ],
)
def test_a_wrong_call_gives_2_and_says_how_it_is_called(args: list[str], says: str) -> None:
    result = vmferry(*args)
    assert result.code == 2
    assert "Usage: vmferry" in result.err
    assert says in result.err
    assert result.out == ""


@pytest.fixture
def failing_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verb with a fault: vmferry has none that is known."""

    @click.command("boom")
    def command() -> int:
        return 1 // 0

    module = types.ModuleType("vmferry.cli.boom")
    module.command = command  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vmferry.cli.boom", module)
    monkeypatch.setitem(cli.VERBS, "boom", "Fail.")


@pytest.mark.usefixtures("failing_verb")
def test_a_fault_in_vmferry_gives_3_without_a_traceback() -> None:
    result = vmferry("boom")
    assert result.code == 3
    assert "internal error: ZeroDivisionError" in result.err
    assert "Traceback" not in result.text
    assert "VMFERRY_DEBUG=1" in result.err


@pytest.mark.usefixtures("failing_verb")
def test_a_fault_in_vmferry_shows_its_traceback_to_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMFERRY_DEBUG", "1")
    result = vmferry("boom")
    assert result.code == 3
    assert "Traceback (most recent call last)" in result.err


def test_a_file_that_cannot_be_written_is_no_fault_of_vmferry(project: Path) -> None:
    (project / "out").mkdir()
    (project / "out/gitops").write_text("a file\n")
    result = vmferry("compile", project, "--out", project / "out")
    assert result.code == 1
    assert str(project / "out/gitops") in result.text
    assert (project / "out/gitops").read_text() == "a file\n"


def test_version_is_the_packages(project: Path) -> None:
    assert vmferry("--version").out == f"vmferry, version {__version__}\n"


def test_the_package_runs_as_a_module(project: Path) -> None:
    result = process("check", project)
    assert (result.code, result.out) == (0, "")
    assert result.err == "no findings; 2 VMs in 1 group\n"


@pytest.mark.parametrize("verb", ["check", "explain --all", "compile --out {}/out --diff"])
def test_nothing_is_coloured_where_nobody_looks(broken: Path, verb: str) -> None:
    name, *options = shlex.split(verb.format(broken))
    result = process(name, broken, *options, env={"TERM": "xterm-256color"})
    assert result.code == 1
    assert ESCAPE not in result.text


def test_findings_are_coloured_on_a_terminal(broken: Path) -> None:
    shown = on_a_terminal("check", str(broken))
    assert f"{ESCAPE}31m" in shown
    assert "VMF201" in shown


def test_no_color_is_respected_in_tables(project: Path) -> None:
    shown = on_a_terminal("explain", str(project), "web-01", env={"NO_COLOR": "1"})
    assert not re.search(r"\x1b\[3[0-9]", shown)
    assert "web-01" in shown


def on_a_terminal(*args: str, env: dict[str, str] | None = None) -> str:
    """Run vmferry on a terminal of 80 columns and return what it shows."""
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80"} | (env or {})
    with subprocess.Popen(
        [sys.executable, "-m", "vmferry", *args], stdin=slave, stdout=slave, stderr=slave, env=environment
    ):
        os.close(slave)
        shown = b""
        while True:
            try:
                chunk = os.read(master, 4096)
            except OSError:  # EIO: so Linux says that the terminal is closed, where others return nothing
                break
            if not chunk:
                break
            shown += chunk
    os.close(master)
    return shown.decode()


@pytest.mark.parametrize(
    "command", ["explain {} --all", "explain {} --all --format json", "schema", "compile {} --out {}/out --diff"]
)
def test_a_reader_that_goes_away_leaves_no_traceback(project: Path, command: str) -> None:
    program = f"{shlex.quote(sys.executable)} -m vmferry {command.format(*[shlex.quote(str(project))] * 2)}"
    done = subprocess.run(["bash", "-c", f"{program} | head -n 1"], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0
    assert done.stdout.count(b"\n") == 1
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    assert b"Broken" not in done.stderr


def examples(verb: str) -> list[str]:
    """Return the commands that a verb's help shows."""
    block = vmferry(verb, "--help").out.partition("Examples:\n")[2].partition("\n\n")[0]
    return [line.strip() for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_examples_a_line_each(verb: str) -> None:
    found = examples(verb)
    assert found
    assert all(f"vmferry {verb}" in line or line.startswith("vmferry ") for line in found)


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb not in ("init", "verify", "import", "diff", "observe", "adopt", "graduate")]
)
def test_examples_in_help_run_as_they_stand(verb: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.parent)
    commit(project)
    git(project, "update-ref", "refs/remotes/origin/main", "HEAD")
    (project.parent / "inventory").mkdir()
    (project.parent / "inventory/vc1.yaml").write_text(INVENTORY)
    for line in examples(verb):
        call = re.search(r"vmferry ([^|>)#]*)", line)
        assert call is not None
        spec = (project / "spec.yaml").read_text().replace("vms/*.yaml", "migration/vms/*.yaml")
        result = vmferry(*shlex.split(call[1]), stdin=spec.encode())
        assert result.code == 0, (line, result.text)
        commit(project)  # what is compiled belongs into git


def test_examples_of_init_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    calls = [line.split()[1:] for line in examples("init") if "--from" not in line]
    assert [vmferry(*call).code for call in calls] == [0, 0]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_vmferry(shell: str) -> None:
    result = vmferry("completion", shell)
    assert result.code == 0
    assert f"_VMFERRY_COMPLETE={shell}_complete" in result.out


def test_bash_reads_its_completion_script() -> None:
    script = vmferry("completion", "bash").out
    done = subprocess.run(["bash", "-n"], input=script.encode(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("words", "current", "offers"),
    [("vmferry ", "1", "plain,check"), ("vmferry comp", "1", "plain,compile"), ("vmferry check --f", "2", "--format")],
)
def test_completion_offers_verbs_and_options(
    words: str, current: str, offers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_VMFERRY_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", current)
    assert offers in vmferry().out
