"""Every faulty spec in this directory gives exactly the findings that it says, and touches nothing.

A file dropped in here is a test. Comment lines on top say what is expected, once for each finding:

    # expect: CODE LINE:COLUMN            a place in this file
    # expect: CODE spec.yaml LINE:COLUMN  a place in the spec beside it

A VirtualMachineSet is read beside `_base/spec.yaml`, a MigrationSpec alone. A directory is a case of several
files: each says what is expected of it, and `expect` what is expected of no line. What is in its `before/` is
compiled first; then the directory's files take the place of those, beside the assignments that were written.

The word hunter2 stands for a secret: nobody may be shown it.
"""

import re
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tests.invocation import Result, process, vmferry

from vmferry.rules import CHECKS
from vmferry.ruleset import every
from vmferry.yaml.text import MAX_BYTES

HERE = Path(__file__).parent
BASE = HERE / "_base"
CASES = sorted(
    path for path in HERE.iterdir() if path.suffix == ".yaml" or (path.is_dir() and path.name[0] not in "._")
)
SECRET = "hunter2"
_EXPECT = re.compile(r"# expect: (?P<code>VMF\d{3}) (?:(?P<file>\S+\.yaml) )?(?P<line>\d+):(?P<column>\d+)")

# Rules on a finished Blueprint have examples of their own, but for those that were here before.
_RULES = {
    code for code in CHECKS if f"{CHECKS[code][0].find.__module__}".rpartition(".")[2] not in ("admission", "fields")
}

Place = tuple[str, str, int | None, int | None]
"""Code, file below the project's directory, line, column."""


def expectations(case: Path) -> Counter[Place]:
    found: Counter[Place] = Counter()
    for path in [case] if case.is_file() else sorted(case.rglob("*.yaml")):
        name = path.name if case.is_file() else str(path.relative_to(case))
        if name.startswith("before/"):
            continue
        for line in path.read_text(encoding="latin-1").splitlines():
            if line.startswith("# expect"):
                match = _EXPECT.fullmatch(line)
                assert match is not None, line
                found[match["code"], match["file"] or name, int(match["line"]), int(match["column"])] += 1
    if (case / "expect").is_file():
        found.update((code, ".", None, None) for code in (case / "expect").read_text().split()[::2])
    return found


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of a spec without a fault, as it was before somebody made a mistake."""
    project = tmp_path_factory.mktemp("faultless")
    shutil.copytree(BASE, project, dirs_exist_ok=True)
    assert vmferry("compile", project, "--out", project / "out") == Result(0, *vmferry_says(project))
    return project / "out"


def vmferry_says(project: Path) -> tuple[str, str]:
    files = sum(path.is_file() for path in (project / "out").rglob("*"))
    return f"{project}/out/gitops: {files} created, 0 updated, 0 deleted, 0 unchanged\n", ""


def lay_out(case: Path, project: Path, out: Path) -> None:
    """Put the files of a case into a directory of its own."""
    if case.is_file():
        project.mkdir()
        shutil.copy(case, project)
        if b"kind: MigrationSpec" not in case.read_bytes():
            shutil.copy(BASE / "spec.yaml", project)
        return
    if (case / "before").is_dir():
        shutil.copytree(case / "before", project)
        assert vmferry("compile", project, "--out", out).code == 0
        for name in ("spec.yaml", *(path.name for path in (case / "before").iterdir())):
            (project / name).unlink(missing_ok=True)
    shutil.copytree(case, project, dirs_exist_ok=True, ignore=shutil.ignore_patterns("before", "expect"))


def snapshot(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Everything that could change in a directory: names, contents, times."""
    return {
        str(path.relative_to(directory)): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in [directory, *directory.rglob("*")]
    }


def places(result: Result, project: Path, wanted: Iterable[Place] = ()) -> Counter[Place]:
    """Return the findings; of the rules on a finished Blueprint, which have examples of their own, only errors."""
    found: Counter[Place] = Counter()
    expected = {code for code, *_ in wanted}
    for finding in result.data["findings"]:
        if finding["code"] in _RULES and finding["severity"] != "error" and finding["code"] not in expected:
            continue
        found[finding["code"], str(Path(finding["file"]).relative_to(project)), finding["line"], finding["column"]] += 1
    return found


def runs(case: Path, project: Path, out: Path) -> Iterator[Result]:
    for style in ("text", "json"):
        yield vmferry("check", project, "--format", style, "--all")
        yield vmferry("compile", project, "--out", out, "--format", style, "--all")
        yield vmferry("explain", project, "--all", "--format", style)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_negative_example(case: Path, compiled: Path, tmp_path: Path) -> None:
    project, wanted = tmp_path / "project", expectations(case)
    assert wanted, "nothing is expected of this example"
    broken = any(every()[code].severity == "error" for code, *_ in wanted)
    lay_out(case, project, tmp_path / "out")
    out = compiled if broken else tmp_path / "out"
    before, tree = snapshot(project), snapshot(compiled)

    result = vmferry("check", project, "--format", "json")
    assert places(result, project, wanted) == wanted
    assert result.code == (1 if broken else 0)
    results = list(runs(case, project, out))
    for other in results:
        assert other.code == result.code
        assert "Traceback" not in other.text
        assert "internal error" not in other.text
        assert SECRET not in other.text
    for code, file, line, column in wanted:
        place = f"{project / file}:{line}:{column}: " if line else f"{project}: "
        severity = every()[code].severity
        assert f"{place}{severity}[{code}] " in results[0].out
    if broken:
        assert snapshot(project) == before
        assert snapshot(compiled) == tree


def test_every_code_that_a_spec_can_give_has_an_example() -> None:
    shown = {code for case in CASES for code, *_ in expectations(case)}
    possible = {code for code in every() if code < "VMF600" and code not in _RULES}
    assert possible == shown & possible


def test_examples_of_secrets_hold_one() -> None:
    cases = [case for case in CASES if case.name.startswith("secret-")]
    assert len(cases) >= 12
    for case in cases:
        files = [case] if case.is_file() else case.rglob("*.yaml")
        assert any(SECRET in path.read_text() for path in files), case


def test_mac_that_looks_like_a_sexagesimal_number_stays_as_it_is(tmp_path: Path) -> None:
    shutil.copytree(BASE, tmp_path, dirs_exist_ok=True)
    (tmp_path / "vms.yaml").write_text(
        "apiVersion: vmferry.dev/v1alpha1\nkind: VirtualMachineSet\nmetadata: {name: team}\nvms:\n"
        "  - {name: web-01, path: virt-v2v, method: image, os: linux, powerState: poweredOn, firmware: bios,\n"
        "     uuid: 42301f6e-1c5d-4c6e-9d3a-2b8f6a7c0001, cpu: {count: 2}, memory: 2Gi,\n"
        "     disks: [{size: 1Gi, datastore: ds1}], nics: [{network: lan, mac: 10:20:30:40:50:51}]}\n"
    )
    assert vmferry("compile", tmp_path, "--out", tmp_path / "out").code == 0
    [machine] = (tmp_path / "out").rglob("machines/web-01.yaml")
    assert 'macAddress: "10:20:30:40:50:51"\n' in machine.read_text()


def test_line_of_100_megabytes_is_refused_without_being_read(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    with spec.open("wb") as stream:
        stream.write(b"metadata: {name: '")
        stream.truncate(100 * 2**20)
    result = process("check", spec, "--format", "json")
    assert places(result, tmp_path) == Counter({("VMF006", "spec.yaml", 1, 1): 1})
    assert (result.code, result.err) == (1, "1 error\n")

    spec = tmp_path / "spec.yaml"
    spec.write_bytes((BASE / "spec.yaml").read_bytes() + b"x: '" + b"y" * (2 * 2**20) + b"'\n")
    assert spec.stat().st_size < MAX_BYTES
    line = (BASE / "spec.yaml").read_bytes().count(b"\n") + 1
    assert places(vmferry("check", spec, "--format", "json"), tmp_path) == Counter(
        {("VMF006", "spec.yaml", line, 1): 1}
    )


@pytest.mark.parametrize("how", ["include", "directory"])
def test_link_that_leads_out_of_the_spec_is_not_followed(tmp_path: Path, how: str) -> None:
    project, secret = tmp_path / "project", tmp_path / "elsewhere.yaml"
    (project / "teams").mkdir(parents=True)
    secret.write_text("password: hunter2\n")
    include = "include: [teams/*.yaml]\n" if how == "include" else ""
    (project / "spec.yaml").write_text((BASE / "spec.yaml").read_text() + include)
    link = project / ("teams/link.yaml" if how == "include" else "link.yaml")
    link.symlink_to(secret)
    result = vmferry("check", project, "--format", "json")
    lines = (BASE / "spec.yaml").read_text().count("\n")
    wanted = ("VMF008", "spec.yaml", lines + 1, 11) if how == "include" else ("VMF008", "link.yaml", None, None)
    assert places(result, project) == Counter({wanted: 1})
    assert SECRET not in result.text


def test_spec_that_does_not_exist_is_a_wrong_call(tmp_path: Path) -> None:
    result = vmferry("check", tmp_path / "missing.yaml")
    assert result.code == 2
    assert "does not exist" in result.err


def test_directory_without_any_yaml_says_how_to_begin(tmp_path: Path) -> None:
    result = vmferry("check", tmp_path)
    assert result.code == 1
    assert (
        f"{tmp_path}: error[VMF012] no MigrationSpec in {tmp_path}\n  = help: write one with `vmferry init"
        in result.out
    )


@pytest.mark.parametrize("pattern", ["y", "https://a:b", "password", "-----BEGIN ", "a@b:c"])
def test_line_of_a_megabyte_of_anything_is_checked_in_a_moment(tmp_path: Path, pattern: str) -> None:
    text = pattern * ((2**20 - 20) // len(pattern))
    spec = tmp_path / "spec.yaml"
    spec.write_text((BASE / "spec.yaml").read_text() + f"colour: '{text}'\n")
    begin = time.process_time()
    result = vmferry("check", spec, "--format", "json")
    assert time.process_time() - begin < 3
    assert [finding["code"] for finding in result.data["findings"]] == ["VMF014"]
