"""Pipes, devices, links and odd globs in place of files: nothing hangs, shows what is elsewhere, or writes there."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.test_check import SPEC, vm
from tests.invocation import process, vmferry

ONE = f"{SPEC}vms:\n{vm('web-01')}"
SET = "apiVersion: vmferry.dev/v1alpha1\nkind: VirtualMachineSet\nmetadata: {{name: {0}}}\nvms:\n{1}"
MARKER = "marker of a file elsewhere"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    folder = tmp_path / "spec"
    folder.mkdir()
    (folder / "spec.yaml").write_text(ONE)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/notes.txt").write_text(f"{MARKER}\nand more\n")
    return folder


@pytest.fixture
def out(spec: Path) -> Path:
    place = spec.parent / "out"
    assert vmferry("compile", spec, "--out", place).code == 0
    return place


def include(spec: Path, pattern: str) -> None:
    text = ONE.replace("sources:", f"include: [{json.dumps(pattern)}]\nsources:", 1)
    (spec / "spec.yaml").write_text(text)


def team(path: Path, name: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SET.format(name, vm(name)))
    return path


def snapshot(folder: Path) -> dict[str, bytes | str]:
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


# --- reading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.yaml", "b.yml", "assignments.yaml"])
def test_a_pipe_beside_the_spec_is_refused_without_being_opened(spec: Path, name: str) -> None:
    os.mkfifo(spec / name)
    for verb in (["check", spec], ["explain", spec, "--all"], ["compile", spec, "--out", spec.parent / "out"]):
        result = process(*verb)
        assert result.code == 1
        assert name in result.text


def test_a_pipe_that_is_included_or_holds_credentials_is_refused(spec: Path) -> None:
    include(spec, "teams/*.yaml")
    (spec / "teams").mkdir()
    os.mkfifo(spec / "teams/a.yaml")
    assert "not a regular file" in process("check", spec).out
    sealed = ONE.replace("{secretRef: {name: vc1}}", "{file: vc1.sealed}")
    (spec / "spec.yaml").write_text(sealed)
    os.mkfifo(spec / "vc1.sealed")
    assert "VMF009" in process("check", spec).out


def test_a_pipe_that_the_caller_names_is_read(spec: Path) -> None:
    command = f'"{sys.executable}" -m vmferry check <(cat "{spec}/spec.yaml")'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("target", ["../elsewhere/notes.txt", "/proc/self/environ", "missing.yaml", "assignments.yaml"])
def test_assignments_that_lead_elsewhere_are_refused_and_not_shown(spec: Path, target: str) -> None:
    (spec / "assignments.yaml").symlink_to(target)
    for verb in (
        ["check", spec],
        ["check", spec, "--format", "sarif"],
        ["compile", spec, "--out", spec.parent / "out"],
    ):
        result = vmferry(*verb)
        assert result.code == 1
        assert MARKER not in result.text
        assert "PATH=" not in result.text
    assert (spec / "assignments.yaml").is_symlink()


def test_assignments_in_another_file_of_the_spec_are_read_and_written_there(spec: Path, out: Path) -> None:
    (spec / "state").mkdir()
    (spec / "assignments.yaml").rename(spec / "state/a.txt")
    (spec / "assignments.yaml").symlink_to("state/a.txt")
    assert vmferry("compile", spec, "--out", out, "--check").code == 0
    (spec / "spec.yaml").write_text(ONE + vm("web-02"))
    assert vmferry("compile", spec, "--out", out).code == 0
    assert (spec / "assignments.yaml").is_symlink()
    assert "web-02" in (spec / "state/a.txt").read_text()


@pytest.mark.parametrize("kind", ["[]", "{}", "[MigrationSpec]", "{a: b}", "3", "null", "true"])
def test_a_kind_that_is_no_text_is_a_fault_of_its_file(spec: Path, kind: str) -> None:
    (spec / "wrong.yaml").write_text(f"apiVersion: vmferry.dev/v1alpha1\nkind: {kind}\n")
    result = vmferry("check", spec, "--format", "json")
    assert [Path(each["file"]).name for each in result.data["findings"]] == ["wrong.yaml"]


@pytest.mark.parametrize("pattern", [".", "./", "*/" * 200 + "*.yaml", "a**", "x" * 5000, "\0", "**", "teams"])
def test_an_include_that_names_no_file_is_a_finding(spec: Path, pattern: str) -> None:
    (spec / "teams").mkdir()
    include(spec, pattern)
    result = vmferry("check", spec)
    assert result.code == 1
    assert "error" in result.out


@pytest.mark.parametrize("pattern", ["**/" * 200 + "*.yaml", "teams/" + "**/" * 150 + "*.yaml", "**/*/**/*.yaml"])
def test_an_include_of_many_depths_is_one_of_any(spec: Path, pattern: str) -> None:
    team(spec / "teams/a/vms.yaml", "web-02")
    include(spec, pattern)
    assert "2 VMs" in vmferry("check", spec).err


def test_what_an_include_could_not_look_at_is_said(spec: Path) -> None:
    include(spec, "teams/**/*.yaml")
    team(spec / "teams/a/vms.yaml", "web-02")
    assert vmferry("check", spec).code == 0
    for name, target in (("b.yaml", "gone.yaml"), ("c", "gone"), ("d", "../../elsewhere"), ("e.yaml", "e.yaml")):
        link = spec / "teams" / name
        link.symlink_to(target)
        result = vmferry("check", spec)
        assert result.code == 1, name
        assert name in result.out
        link.unlink()


def test_links_that_hide_no_vm_are_nobodys_business(spec: Path) -> None:
    include(spec, "teams/**/*.yaml")
    team(spec / "teams/a/vms.yaml", "web-02")
    (spec / "teams/README.md").symlink_to("gone.md")
    (spec / "teams/.#vms.yaml").symlink_to("somebody@host.4711")
    (spec / "teams/again").symlink_to("a")
    (spec / "teams/loop").symlink_to(".")
    result = vmferry("check", spec)
    assert result.code == 0, result.out
    assert "2 VMs" in result.err


def test_a_folder_that_is_a_link_within_the_spec_is_followed(spec: Path) -> None:
    include(spec, "teams/**/*.yaml")
    team(spec / "shared/b/vms.yaml", "web-02")
    (spec / "teams").mkdir()
    (spec / "teams/b").symlink_to("../shared/b")
    assert "2 VMs" in vmferry("check", spec).err


# --- the compiled tree --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["migration.txt", "_infra.lock", "first.lock", "other.lock", "external.txt"])
def test_a_lock_that_leads_elsewhere_is_not_shown(spec: Path, out: Path, name: str) -> None:
    link = out / "gitops/locks" / name
    link.unlink(missing_ok=True)
    link.symlink_to("../../../elsewhere/notes.txt")
    for verb in (["compile", spec, "--out", out, "--diff"], ["verify", out], ["compile", spec, "--out", out]):
        assert MARKER not in vmferry(*verb).text
    assert (spec.parent / "elsewhere/notes.txt").read_text().startswith(MARKER)


def test_an_owner_that_is_no_name_is_not_shown(spec: Path, out: Path) -> None:
    (out / "gitops/locks/migration.txt").write_text("-----BEGIN KEY\nabc\n")
    result = vmferry("compile", spec, "--out", out)
    assert "another migration" in result.text
    assert "BEGIN" not in result.text


def test_verify_builds_nothing_of_a_tree_with_strange_files(out: Path) -> None:
    os.mkfifo(out / "gitops/bases/pipe.yaml")
    (out / "gitops/bases/z.yaml").symlink_to("../../../elsewhere/notes.txt")
    for style in ("text", "json", "sarif"):
        result = vmferry("verify", out, "--format", style)
        assert result.code == 1
        assert "z.yaml" in result.out
        assert "pipe.yaml" in result.out
        assert MARKER not in result.text


def test_a_lock_that_is_a_pipe_is_damage(spec: Path, out: Path) -> None:
    lock = out / "gitops/locks/_infra.lock"
    lock.unlink()
    os.mkfifo(lock)
    assert process("verify", out).code == 1
    assert process("compile", spec, "--out", out).code == 1


# --- writing ------------------------------------------------------------------------------------------------


def test_a_tree_that_is_a_link_is_refused(spec: Path) -> None:
    out = spec.parent / "out"
    out.mkdir()
    for target in ("gitops", "../elsewhere"):
        (out / "gitops").symlink_to(target)
        for more in ([], ["--force"], ["--check"]):
            result = vmferry("compile", spec, "--out", out, *more)
            assert result.code == 1
            assert "VMF602" in result.text
        assert str((out / "gitops").readlink()) == target
        (out / "gitops").unlink()
    assert list(snapshot(spec.parent / "elsewhere")) == ["notes.txt"]


def test_an_output_directory_that_is_a_link_was_chosen(spec: Path) -> None:
    (spec.parent / "real").mkdir()
    (spec.parent / "way").symlink_to("real")
    assert vmferry("compile", spec, "--out", spec.parent / "way").code == 0
    assert (spec.parent / "real/gitops/locks").is_dir()


def test_a_spec_that_lies_in_its_tree_keeps_its_assignments(spec: Path) -> None:
    home = spec.parent / "out/gitops/migration"
    home.parent.mkdir(parents=True)
    spec.rename(home)
    for _ in range(2):
        assert vmferry("compile", home, "--out", spec.parent / "out").code == 0
        assert (home / "assignments.yaml").is_file()
    assert vmferry("compile", home, "--out", spec.parent / "out", "--check").code == 0


def limited(spec: Path, out: Path, size: int) -> int:
    program = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}));"
        "from vmferry.cli import program; program()"
    )
    command = [sys.executable, "-c", program, "compile", spec, "--out", out]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode


@pytest.mark.parametrize("size", [500, 900])
def test_a_full_disk_changes_neither_the_assignments_nor_the_tree(spec: Path, out: Path, size: int) -> None:
    (spec / "spec.yaml").write_text(ONE + "groups: {first-01: {stage: prepared}}\n")
    before = snapshot(spec), snapshot(out)
    assert limited(spec, out, size) == 1
    assert (snapshot(spec), snapshot(out)) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_beside_the_tree(spec: Path, out: Path, number: signal.Signals) -> None:
    before = snapshot(out)
    (spec / "spec.yaml").write_text(ONE + vm("web-02"))
    program = (
        "import os; from vmferry.output import swap\n"
        f"swap.flush = lambda tree: os.kill(os.getpid(), {int(number)})\n"
        "from vmferry.cli import program; program()"
    )
    command = [sys.executable, "-c", program, "compile", spec, "--out", out]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 128 + number
    assert done.stderr == b""
    assert snapshot(out) == before
    assert [path.name for path in out.iterdir()] == ["gitops"]


# --- streams ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_result(spec: Path, out: Path, closed: str) -> None:
    for verb, code in ((f"compile '{spec}' --out '{spec.parent}/again'", 0), ("rules", 0), (f"check '{spec}/no'", 2)):
        command = f"'{sys.executable}' -m vmferry {verb} {closed}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, check=False)
        assert done.returncode == code, done.stderr
        assert b"Traceback" not in done.stderr
    assert snapshot(spec.parent / "again") == snapshot(out)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_a_terminal_that_knows_few_characters_gets_escapes(spec: Path, encoding: str) -> None:
    name = "Kräne-長-01"
    (spec / "spec.yaml").write_text(f"{SPEC}vms:\n{vm(name)}")
    command = [sys.executable, "-m", "vmferry", "explain", spec, name]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert re.search(rb"Kr.+ne-.+-01", done.stdout)


@pytest.mark.parametrize(
    "url",
    [
        "git@git.example.com:gitops.git",
        "ssh://git@git.example.com/gitops.git",
        "https://git.example.com:8443/gitops",
        "https://git.example.com/gitops@main",
        "https://acme@dev.azure.com/acme/gitops/_git/gitops",
        "https://git@git.example.com/gitops",
    ],
)
def test_an_address_that_holds_no_secret_is_none(spec: Path, url: str) -> None:
    text = ONE.replace("repoURL: https://git.example.com/gitops.git", f'repoURL: "{url}", gitSecret: key')
    (spec / "spec.yaml").write_text(text)
    assert "VMF015" not in vmferry("check", spec).out


@pytest.mark.parametrize("image", ["r.example.com:5000/vddk:8", f"r.example.com:5000/t/vddk:8@sha256:{'ab' * 32}"])
def test_ports_tags_and_digests_of_images_are_no_secrets(spec: Path, image: str) -> None:
    (spec / "spec.yaml").write_text(ONE.replace("registry.example.com/vddk:8.0.3", image))
    assert vmferry("check", spec).code == 0
