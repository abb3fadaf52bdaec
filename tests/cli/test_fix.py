"""Tests of `vmferry check --fix`: what has one right answer is corrected, and no other byte of a file changes."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cli.test_check import SPEC
from tests.invocation import Result, vmferry

VM = (
    "vms:\n"
    "  # the first\n"
    "  - name: web-01   # its name\n"
    "    os: linux\n"
    "    powerState: poweredOn\n"
    "    uuid: 42301f6e-1c5d-4c6e-9d3a-000000000001\n"
    "    memory: 8Gi\n"
    "    cpu: {count: 4, coresPerSocket: 2}\n"
    "    disks: [{size: 1Gi, datastore: ds1}]\n"
    '    nics: [{network: lan, mac: "00:50:56:9a:10:01"}]\n'
    "    hostname: web-01\n"
    "    notes: 'it is   here'\n"
).replace("    notes: 'it is   here'\n", "")
WHOLE = SPEC + VM

Fix = Callable[[str], str]


def spec_in(directory: Path, text: str | bytes) -> Path:
    path = directory / "spec.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def fix(path: Path, *options: str) -> Result:
    return vmferry("check", path, "--fix", *options)


def count(path: Path) -> int:
    return len(vmferry("check", path, "--format", "json").data["findings"])


@pytest.fixture
def fixed(tmp_path: Path) -> Fix:
    def run(text: str) -> str:
        path = spec_in(tmp_path, text)
        fix(path)
        return path.read_bytes().decode()

    return run


CORRECTIONS = {
    "a field in snake case": ("powerState:", "power_state:", "powerState:"),
    "a field in kebab case": ("powerState:", "power-state:", "powerState:"),
    "a field in another case": ("powerState:", "PowerState:", "powerState:"),
    "a quoted field": ("powerState:", '"power_state":', "powerState:"),
    "a word in another case": ("poweredOn", "POWEREDON", "poweredOn"),
    "a word with underscores": ("poweredOn", "POWERED_ON", "poweredOn"),
    "a quoted word": ("os: linux", "os: 'Linux'", "os: linux"),
    "a count as text": ("count: 4", 'count: "4"', "count: 4"),
    "a name as a number": ("hostname: web-01", "hostname: 4711", 'hostname: "4711"'),
    "a name as a fraction, with its zeros": ("hostname: web-01", "hostname: 1.10", 'hostname: "1.10"'),
    "a MAC address with dots": ('"00:50:56:9a:10:01"', "0050.569a.1001", '"00:50:56:9a:10:01"'),
    "a quoted MAC address with dots": ('"00:50:56:9a:10:01"', "'0050.569A.1001'", '"00:50:56:9A:10:01"'),
}


@pytest.mark.parametrize(("right", "wrong", "result"), CORRECTIONS.values(), ids=CORRECTIONS)
def test_what_has_one_right_answer_is_corrected(right: str, wrong: str, result: str, fixed: Fix) -> None:
    assert WHOLE.count(right) == 1
    assert fixed(WHOLE.replace(right, wrong)) == WHOLE.replace(right, result)


AMBIGUOUS = {
    "memory as a number, of which nobody knows the unit": ("memory: 8Gi", "memory: 8"),
    "a word that is none": ("os: linux", "os: linus"),
    "a misspelt field": ("powerState:", "powrState:"),
    "a field that is there already": ("    os: linux\n", "    os: linux\n    OS: linux\n"),
    "two fields that would be one": ("    powerState: poweredOn\n", "    power_state: a\n    PowerState: b\n"),
    "a count in words": ("count: 4", "count: four"),
    "a count with a leading zero": ("count: 4", 'count: "04"'),
    "a number that is not a name": ("namespace: web,", "namespace: -5,"),
    "an alias": ("hostname: web-01", "folder: &f 5\n    hostname: *f"),
    "a text in lines": ("count: 4, coresPerSocket: 2}", 'count: "4\\\n      ", coresPerSocket: 2}'),
    "a block of text": ("cpu: {count: 4, coresPerSocket: 2}", "cpu:\n      count: |-\n        4"),
    "a MAC address that is too short": ('"00:50:56:9a:10:01"', "0050.569a.100"),
}


@pytest.mark.parametrize(("right", "wrong"), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_has_no_one_right_answer_is_left_alone(right: str, wrong: str, fixed: Fix) -> None:
    assert WHOLE.count(right) == 1
    text = WHOLE.replace(right, wrong)
    assert fixed(text) == text


def test_an_anchor_stays(fixed: Fix) -> None:
    text = WHOLE.replace("count: 4", 'count: &c "4"').replace("coresPerSocket: 2", "coresPerSocket: *c")
    after = fixed(text)
    assert "&c" in after
    assert "*c" in after


def test_several_in_one_line_are_corrected(fixed: Fix) -> None:
    text = WHOLE.replace("{count: 4, coresPerSocket: 2}", "{Count: '4', cores_per_socket: \"2\"}  # {count: '4'}")
    assert fixed(text) == WHOLE.replace(
        "{count: 4, coresPerSocket: 2}", "{count: 4, coresPerSocket: 2}  # {count: '4'}"
    )


def test_what_comes_to_light_by_a_correction_is_corrected_too(fixed: Fix) -> None:
    assert fixed(WHOLE.replace("powerState: poweredOn", "power_state: POWERED_ON")) == WHOLE


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_comments_order_line_ends_and_byte_order_mark_stay(end: str, mark: str, tmp_path: Path) -> None:
    def text(state: str) -> bytes:
        lines = f"# é 長 🚢\n{WHOLE}  # the end".replace("poweredOn", state).replace("\n", end)
        return (mark + lines).encode()

    path = spec_in(tmp_path, text("POWEREDON"))
    fix(path)
    assert path.read_bytes() == text("poweredOn")


def test_a_correction_on_the_first_line_after_a_byte_order_mark(tmp_path: Path) -> None:
    flow = "{apiVersion: vmferry.dev/v1alpha1, kind: VirtualMachineSet, metadata: {name: t}, VMs: []}\n"
    spec_in(tmp_path, WHOLE)
    (tmp_path / "vms.yaml").write_bytes(("\ufeff" + flow).encode())
    fix(tmp_path)
    assert (tmp_path / "vms.yaml").read_bytes() == ("\ufeff" + flow.replace("VMs", "vms")).encode()


def test_mixed_line_ends_stay(tmp_path: Path) -> None:
    lines = WHOLE.split("\n")
    wrong = "".join(line + ("\r\n", "\n", "\r")[number % 3] for number, line in enumerate(lines))
    path = spec_in(tmp_path, wrong.replace("poweredOn", "POWEREDON"))
    fix(path)
    assert path.read_bytes().decode() == wrong


def test_other_documents_of_a_file_stay(fixed: Fix) -> None:
    head = "---\napiVersion: vmferry.dev/v1alpha1\nkind: VirtualMachineSet\nmetadata: {name: team}\n"
    more = VM.replace("web-01", "web-02").replace("0001\n", "0002\n").replace("10:01", "10:02")
    text = f"{WHOLE}{head}{more}"
    assert fixed(text[::-1].replace("nOderewop", "NODEREWOP", 1)[::-1]) == text


def test_several_files_are_corrected_and_counted(tmp_path: Path) -> None:
    spec_in(tmp_path, SPEC.replace("engine: flux", "engine: Flux").replace("quota: none", "Quota: none"))
    head = "apiVersion: vmferry.dev/v1alpha1\nkind: VirtualMachineSet\nmetadata: {name: team}\n"
    (tmp_path / "vms.yaml").write_text(head + VM.replace("poweredOn", "PoweredOn"))
    assert "fixed 3 findings in 2 files\n" in fix(tmp_path).err
    assert (tmp_path / "spec.yaml").read_text() == SPEC
    assert (tmp_path / "vms.yaml").read_text() == head + VM


def test_what_is_left_is_shown_and_decides_the_exit_code(tmp_path: Path) -> None:
    result = fix(spec_in(tmp_path, WHOLE.replace("poweredOn", "POWEREDON") + "colour: red\n"))
    assert result.code == 1
    assert result.out.count("error[") == 1
    assert "unknown field `colour`" in result.out
    assert fix(spec_in(tmp_path, WHOLE.replace("poweredOn", "POWEREDON"))).code == 0


def test_nothing_is_written_where_there_is_nothing_to_correct(tmp_path: Path) -> None:
    path = spec_in(tmp_path, WHOLE + "colour: red\n")
    before = path.stat()
    assert "fixed 0 findings in 0 files\n" in fix(path).err
    after = path.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert list(tmp_path.iterdir()) == [path]


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    path = spec_in(tmp_path, WHOLE.replace("poweredOn", "POWEREDON").replace("count: 4", "count: '4'"))
    assert "fixed 2 findings in 1 file\n" in fix(path).err
    after = path.read_bytes()
    assert "fixed 0 findings in 0 files\n" in fix(path).err
    assert path.read_bytes() == after


def test_standard_input_is_refused() -> None:
    result = vmferry("check", "-", "--fix", stdin=WHOLE.encode())
    assert (result.code, result.out) == (2, "")
    assert "--fix needs files, not standard input" in result.err


def test_only_what_was_asked_for_is_corrected(tmp_path: Path) -> None:
    text = WHOLE.replace("engine: flux", "engine: Flux").replace("powerState:", "PowerState:")
    path = spec_in(tmp_path, text)
    fix(path, "--select", "VMF014")
    assert path.read_text() == WHOLE.replace("engine: flux", "engine: Flux")
    path = spec_in(tmp_path, text)
    fix(path, "--ignore", "VMF014")
    assert path.read_text() == WHOLE.replace("powerState:", "PowerState:")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into any file")
def test_a_read_only_file_is_an_error_and_stays(tmp_path: Path) -> None:
    path = spec_in(tmp_path, WHOLE.replace("poweredOn", "POWEREDON"))
    path.chmod(0o444)
    result = fix(path)
    assert (result.code, result.out, result.err) == (1, "", f"vmferry: {path}: Permission denied\n")
    assert "POWEREDON" in path.read_text()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o444])
def test_the_mode_of_a_file_stays(tmp_path: Path, mode: int) -> None:
    path = spec_in(tmp_path, WHOLE.replace("poweredOn", "POWEREDON"))
    path.chmod(mode)
    if not os.access(path, os.W_OK):
        pytest.skip("this user may not write into a read-only file")
    fix(path)
    assert path.read_text() == WHOLE
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = spec_in(tmp_path / "real", WHOLE.replace("poweredOn", "POWEREDON"))
    link = tmp_path / "link.yaml"
    link.symlink_to("real/spec.yaml")
    fix(link)
    assert link.readlink() == Path("real/spec.yaml")
    assert real.read_text() == WHOLE


def test_the_assignments_are_vmferrys_own_and_stay(tmp_path: Path) -> None:
    path = spec_in(tmp_path, WHOLE)
    assert vmferry("compile", tmp_path, "--out", tmp_path).code == 0
    assignments = tmp_path / "assignments.yaml"
    broken = assignments.read_text().replace("vms:", "VMs:").replace("group:", "Group:")
    assignments.write_text(broken)
    assert fix(path).code == 1
    assert assignments.read_text() == broken


def test_a_line_that_may_hold_a_secret_is_not_shown(tmp_path: Path) -> None:
    text = WHOLE.replace("engine: flux", "engine: Flux").replace("{name: vc1}", "{name: vc1, password: hunter2}")
    path = spec_in(tmp_path, text)
    assert "hunter2" not in fix(path).text
    assert path.read_text() == text.replace("engine: Flux", "engine: flux")


# Faults that --fix corrects, that it leaves alone, and ways to write YAML that it must not be misled by.
_FAULTS = [
    *((right, wrong) for right, wrong, _ in CORRECTIONS.values()),
    *AMBIGUOUS.values(),
    ("engine: flux", "engine: Flux"),
    ("quota: none", "quota: NONE"),
    ("cni: cilium", "CNI: Cilium"),
    ("method: cold", "method: COLD"),
    ("tier: gold}\nnamespaces", "Tier: gold}\nnamespaces"),
    ("kind: MigrationSpec", "kind: MigrationSpec  # é\t🚢"),
    ("vlan: 7", "vlan: '7'"),
    ("{name: first}", "{name: first, colour: red}"),
    ("    cpu: {", "    cpu:   {"),
    ("coresPerSocket: 2", "coresPerSocket: &x '2'"),
    ("count: 4", "? Count\n      : 4"),
    ("name: demo", "name: 7"),
    ("{portGroup: lan}", "{port_group: lan}"),
    ("datastore: ds1}]\n", "Datastore: ds1,\n      }]\n"),
    ("web-01   # its name", "0x1F"),
    ("os: linux", "os: !!str Linux"),
    ("method: cold}", "method: cold}\nrules: {VMF701: OFF}"),
    ("method: cold}", "method: cold}\nrules: {VMF701: 'Off'}"),
]


@settings(max_examples=120, deadline=None)
@given(st.lists(st.sampled_from(_FAULTS), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n", "\r"]))
def test_fix_never_makes_more_findings_and_comes_to_rest(
    tmp_path_factory: pytest.TempPathFactory, faults: list[tuple[str, str]], end: str
) -> None:
    text = WHOLE
    for right, wrong in faults:
        text = text.replace(right, wrong, 1)
    path = spec_in(tmp_path_factory.mktemp("fix"), text.replace("\n", end))
    # Reading stops at what cannot be read: the sound spec says what would have been found behind that.
    sound = count(spec_in(tmp_path_factory.mktemp("sound"), WHOLE))
    before = count(path)
    assert fix(path).code in (0, 1)
    after = path.read_bytes()
    assert count(path) <= max(before, sound)
    fix(path)
    assert path.read_bytes() == after
    changed = [pair for pair in zip(text.split("\n"), after.decode().split(end), strict=True) if pair[0] != pair[1]]
    assert len(changed) <= 2 * len(faults)


def test_nothing_is_corrected_where_the_commit_to_compare_with_is_missing(tmp_path: Path) -> None:
    path = spec_in(tmp_path, WHOLE)
    result = fix(path, "--against", "nowhere")
    assert result.code == 1
    assert "fixed 0 findings" in result.err
    assert "error[VMF009]" in result.out
    assert path.read_text() == WHOLE
