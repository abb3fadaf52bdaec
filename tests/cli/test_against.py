"""Tests of `vmferry check --against REV`: what is compared, with what, and what is said where that cannot be."""

from pathlib import Path

import pytest
from tests.cli.test_check import SPEC, vm
from tests.invocation import Result, vmferry
from tests.load.test_history import commit, git, write

PLANNED = f"{SPEC}vms:\n{vm('web-01')}"
PREPARED = f"{PLANNED}groups: {{first-01: {{stage: prepared}}}}\n"
BACK = f"{PLANNED}groups: {{first-01: {{stage: planned}}}}\n"


def against(spec: Path, revision: str = "HEAD", *options: str) -> Result:
    return vmferry("check", spec, "--against", revision, "--format", "json", *options)


def transitions(result: Result) -> list[str]:
    """Return the codes of what is found of a transition, and that something could not be compared."""
    return [finding["code"] for finding in result.data["findings"] if "VMF850" <= finding["code"] < "VMF900"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    write(root / "spec.yaml", PREPARED)
    commit(root)
    return root


def test_a_stage_that_was_moved_back_is_found(repository: Path) -> None:
    write(repository / "spec.yaml", BACK)
    result = against(repository)
    assert transitions(result) == ["VMF851"]
    assert result.code == 1
    assert transitions(vmferry("check", repository, "--format", "json")) == []


def test_uncommitted_changes_are_what_is_checked(repository: Path) -> None:
    assert transitions(against(repository)) == []
    write(repository / "spec.yaml", BACK)
    assert transitions(against(repository)) == ["VMF851"]
    commit(repository)
    assert transitions(against(repository)) == []
    assert transitions(against(repository, "HEAD~1")) == ["VMF851"]


def test_a_stage_that_follows_is_fine(repository: Path) -> None:
    write(repository / "spec.yaml", PLANNED)
    commit(repository)
    write(repository / "spec.yaml", PREPARED)
    assert transitions(against(repository)) == []


def test_findings_are_placed_in_the_spec_as_it_is(repository: Path) -> None:
    write(repository / "spec.yaml", "# a line\n# and another\n" + BACK)
    [finding] = [f for f in against(repository).data["findings"] if f["code"] == "VMF851"]
    assert finding["file"] == str(repository / "spec.yaml")
    line = (repository / "spec.yaml").read_text().splitlines()[finding["line"] - 1]
    assert line.startswith("groups:")


def test_a_spec_that_is_a_file(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(repository / "other.yaml", "kind: Other\napiVersion: v1\n")
    write(repository / "spec.yaml", BACK)
    assert transitions(against(repository / "spec.yaml")) == ["VMF851"]
    monkeypatch.chdir(repository)
    assert transitions(against(Path("spec.yaml"))) == ["VMF851"]
    assert transitions(against(Path())) == ["VMF851"]


def test_a_spec_in_a_subdirectory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write(tmp_path / "migrations/acme/spec.yaml", PREPARED)
    write(tmp_path / "migrations/other/spec.yaml", "a: [")
    commit(tmp_path)
    spec.write_text(BACK)
    assert transitions(against(spec.parent)) == ["VMF851"]
    monkeypatch.chdir(spec.parent)
    assert transitions(against(Path())) == ["VMF851"]
    monkeypatch.chdir(tmp_path)
    assert transitions(against(Path("migrations/acme"))) == ["VMF851"]


def test_a_spec_at_the_top_with_its_tree_beside_it(repository: Path, tmp_path: Path) -> None:
    assert vmferry("compile", repository, "--out", repository, "--assignments", tmp_path / "a.yaml").code == 0
    write(repository / "gitops/broken.yaml", "a: [")
    commit(repository)
    write(repository / "spec.yaml", BACK)
    assert transitions(against(repository)) == ["VMF851"]


@pytest.mark.parametrize("spec", ["new", "new/spec.yaml"])
def test_a_spec_that_was_not_there_is_compared_with_nothing(repository: Path, spec: str) -> None:
    write(repository / "new/spec.yaml", BACK.replace("demo", "other"))
    assert transitions(against(repository / spec)) == []
    commit(repository)
    assert transitions(against(repository / spec, "HEAD~1")) == []


def test_a_directory_that_had_no_spec_is_compared_with_nothing(tmp_path: Path) -> None:
    write(tmp_path / "README.md", "soon\n")
    commit(tmp_path)
    write(tmp_path / "spec.yaml", BACK)
    assert transitions(against(tmp_path)) == []


@pytest.mark.parametrize("spec", ["", "spec.yaml"])
def test_a_spec_that_was_broken_is_not_compared_and_that_is_said(repository: Path, spec: str) -> None:
    write(repository / "spec.yaml", PLANNED.replace("engine: flux", "engine: fluks"))
    commit(repository)
    write(repository / "spec.yaml", BACK)
    result = against(repository / spec)
    assert transitions(result) == ["VMF861"]
    [finding] = [f for f in result.data["findings"] if f["code"] == "VMF861"]
    assert finding["severity"] == "error"
    assert finding["message"].startswith("the spec at HEAD has an error, such as `target.gitops.engine` must be ")
    assert result.code == 1


def test_several_errors_are_counted(repository: Path) -> None:
    write(repository / "spec.yaml", PLANNED.replace("engine: flux", "engine: fluks").replace("vlan: 7", "vlan: 0"))
    commit(repository)
    write(repository / "spec.yaml", PLANNED)
    assert "the spec at HEAD has 2 errors, such as " in against(repository).out


def test_what_is_said_of_a_broken_spec_names_no_temporary_file(repository: Path) -> None:
    write(repository / "spec.yaml", f"{PLANNED}include: [teams/*.yaml]\n")
    commit(repository)
    write(repository / "spec.yaml", PLANNED)
    out = against(repository).out
    assert transitions(against(repository)) == ["VMF861"]
    assert "vmferry-" not in out


def test_a_secret_in_a_broken_spec_is_not_shown(repository: Path) -> None:
    secret = PLANNED.replace("{name: vc1}", "{name: vc1, password: hunter2}")
    for text in (secret, PLANNED + "a: [password: hunter2", PLANNED + "x: https://u:hunter2@h\n"):
        write(repository / "spec.yaml", text)
        commit(repository)
        write(repository / "spec.yaml", PLANNED)
        for style in ("text", "json", "sarif", "github", "gitlab", "junit"):
            result = vmferry("check", repository, "--against", "HEAD", "--format", style)
            assert "VMF861" in result.out
            assert "hunter2" not in result.text


@pytest.mark.parametrize("revision", ["nowhere", "", "-x", "--help", "HEAD:spec.yaml", "\x1b[2J"])
def test_a_commit_that_is_not_there_is_an_error(repository: Path, revision: str) -> None:
    for style in ("text", "json", "sarif", "github", "gitlab", "junit"):
        result = vmferry("check", repository, f"--against={revision}", "--format", style)
        assert result.code == 1
        assert "VMF009" in result.out
        assert "there is no commit" in result.out
        assert "\x1b" not in result.text


def test_no_repository_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    write(tmp_path / "spec.yaml", PLANNED)
    result = against(tmp_path)
    assert (result.code, [finding["code"] for finding in result.data["findings"]]) == (1, ["VMF009"])
    assert "not a git repository" in result.out


def test_standard_input_has_no_history() -> None:
    result = vmferry("check", "-", "--against", "HEAD", stdin=PLANNED.encode())
    assert (result.code, result.out) == (2, "")
    assert "--against needs a spec in a git repository, not standard input" in result.err


def test_what_was_written_beyond_a_link_is_not_read(repository: Path, tmp_path: Path) -> None:
    write(tmp_path / "team.yaml", f"password: hunter2\n{'x' * 10}: [")
    (repository / "team.yaml").symlink_to(tmp_path / "team.yaml")
    commit(repository)
    (repository / "team.yaml").unlink()
    write(repository / "spec.yaml", BACK)
    result = against(repository)
    assert transitions(result) == ["VMF851"]
    assert "hunter2" not in result.text


# --- assignments ------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["assignments.yaml", "state/acme.yaml"])
def test_an_assignment_that_is_gone_is_found_wherever_they_are(repository: Path, where: str) -> None:
    path = repository / where
    path.parent.mkdir(exist_ok=True)
    write(repository / "spec.yaml", PREPARED)
    assert vmferry("compile", repository, "--out", repository, "--assignments", path).code == 0
    commit(repository)
    assert transitions(against(repository, "HEAD", "--assignments", str(path))) == []
    path.unlink()
    assert transitions(against(repository, "HEAD", "--assignments", str(path))) == ["VMF858"]


def test_assignments_beside_the_spec_do_not_count_where_others_are_named(repository: Path) -> None:
    elsewhere = repository / "state/acme.yaml"
    elsewhere.parent.mkdir()
    write(repository / "spec.yaml", PREPARED)
    assert vmferry("compile", repository, "--out", repository).code == 0
    commit(repository)
    assert transitions(against(repository, "HEAD", "--assignments", str(elsewhere))) == []


def test_the_repository_is_left_as_it_was(repository: Path) -> None:
    write(repository / "spec.yaml", BACK)
    before = git(repository, "status", "--porcelain=v2", "--branch")
    against(repository)
    assert git(repository, "status", "--porcelain=v2", "--branch") == before


JOB = SPEC.replace("path: forklift, method: cold", "path: virt-v2v, method: job").replace(
    "credentials: {secretRef: {name: vc1}}",
    "credentials: {secretRef: {name: vc1}}\n      conversionCredentials: {secretRef: {name: read}}\n"
    f"      thumbprint: {':'.join(['5A'] * 20)}",
)
ENTRY = (
    "vms:\n  - {name: web-01, os: linux, powerState: poweredOff, firmware: bios, cpu: {count: 1}, memory: 1Gi,\n"
    "     uuid: 42301f6e-1c5d-4c6e-9d3a-000000000001, datacenter: DC1, host: esx1,\n"
    '     disks: [{size: 1Gi, datastore: ds1}], nics: [{network: lan, mac: "00:50:56:00:00:01"}]}\n'
)


@pytest.mark.parametrize("state", ["stage: migrating", "stage: migrating, attempt: 2", "stage: cutover"])
def test_what_an_attempt_begins_with_is_no_change_of_a_frozen_vm(tmp_path: Path, state: str) -> None:
    """It is written into assignments.yaml when the attempt begins, and replaced by the next one's."""
    before = "stage: prepared" if state == "stage: migrating" else "stage: migrating"
    for number, stage in enumerate(("stage: planned", "stage: prepared", before, state)):
        spec = f"{JOB}{ENTRY}groups: {{first-01: {{{stage}}}}}\n".replace("vddk:8.0.3", f"vddk:8.0.{number}")
        write(tmp_path / "spec.yaml", spec)
        result = vmferry("compile", tmp_path, "--out", tmp_path)
        assert result.code == 0, result.text
        if stage is not state:
            commit(tmp_path)
    assert set(transitions(against(tmp_path))) <= {"VMF856"}  # a run is retried


def test_what_an_attempt_began_with_cannot_be_rewritten(tmp_path: Path) -> None:
    for stage in ("planned", "prepared", "migrating"):
        write(tmp_path / "spec.yaml", f"{JOB}{ENTRY}groups: {{first-01: {{stage: {stage}}}}}\n")
        assert vmferry("compile", tmp_path, "--out", tmp_path).code == 0
        commit(tmp_path)
    assert transitions(against(tmp_path)) == []
    record = tmp_path / "assignments.yaml"
    record.write_text(record.read_text().replace("vddk:8.0.3", "vddk:9"))
    assert transitions(against(tmp_path)) == ["VMF858"]


@pytest.mark.parametrize(
    "way",
    ["forklift, method: cold", "forklift, method: warm", "virt-v2v, method: job", "virt-v2v, method: image", "rebuild"],
)
def test_a_group_that_goes_through_its_stages_is_fine(tmp_path: Path, way: str) -> None:
    spec = JOB.replace("path: virt-v2v, method: job", f"path: {way}").replace(
        "phases: [{name: first}]", 'phases: [{name: first, windows: [{start: "2027-01-11T20:00:00Z", duration: 6h}]}]'
    )
    entry = ENTRY.replace("name: web-01,", "name: web-01, changeTracking: true, tools: running,")
    if way == "rebuild":
        entry = entry.replace(
            "os: linux,", 'application: {image: "registry.example.com/web:1"}, reason: it is small, os: linux,'
        )
    appointment = ', cutover: "2027-01-11T21:00:00Z"' if "warm" in way else ""
    for stage in ("planned", "prepared", "migrating", f"cutover{appointment}"):
        write(tmp_path / "spec.yaml", f"{spec}{entry}groups: {{first-01: {{stage: {stage}}}}}\n")
        result = vmferry("compile", tmp_path, "--out", tmp_path)
        assert result.code == 0, result.text
        if stage != "planned":
            assert transitions(against(tmp_path)) == [], stage
        commit(tmp_path)
