"""Tests of --format: each is what its readers take, says the same, and shows nobody a secret."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from tests.cli.test_check import SPEC, vm
from tests.cli.test_hostile_names import NAMES, harmless
from tests.invocation import Result, process, vmferry

FORMATS = ("text", "json", "sarif", "github", "gitlab", "junit")
SCHEMA = Path(__file__).parents[2] / ".tools" / "sarif-schema-2.1.0.json"
NEGATIVE = Path(__file__).parents[1] / "negative"

SPECS = {
    "a VM": f"{SPEC}vms:\n{vm('web-01')}",
    "nothing": SPEC,
    "an error": f"{SPEC}vms:\n{vm('web-01', 'other')}",
    "errors of many kinds": f"{SPEC}vms:\n{vm('a', 'x')}{vm('a', 'lan')}  - {{name: b}}\n",
    "a warning": f"{SPEC}assign: [{{match: {{name: x}}, set: {{phase: first}}}}]\nvms:\n{vm('a')}",
    "a field too much": f"{SPEC}colour: red\n",
    "no YAML": "a: [",
    "no document": "",
    "a scalar": "7",
    "another character set": "name: caf\xe9",
}


def check(text: str, style: str, *options: str) -> Result:
    raw = text.encode("latin-1" if "\xe9" in text else "utf-8")
    return vmferry("check", "-", "--format", style, *options, stdin=raw)


def findings(text: str) -> list[dict[str, Any]]:
    return list(check(text, "json").data["findings"])


@pytest.fixture(scope="session")
def validate() -> Callable[[Any], None]:
    if not SCHEMA.is_file():
        if os.environ.get("VMFERRY_REQUIRE_SARIF") == "1":
            pytest.fail(f"{SCHEMA} is not there: make testtools")
        pytest.skip(f"{SCHEMA} is not there: make testtools")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate


def xml(text: str) -> ET.Element:
    return ET.fromstring(text)


def results(text: str, *options: str) -> list[dict[str, Any]]:
    return list(check(text, "sarif", *options).data["runs"][0]["results"])


def fingerprints(text: str) -> list[str]:
    return [result["partialFingerprints"]["vmferry/v1"] for result in results(text)]


# --- all formats ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", SPECS.values(), ids=SPECS)
def test_the_exit_code_and_what_is_said_on_the_side_are_the_same_in_every_format(text: str) -> None:
    said = {(result.code, result.err) for result in (check(text, style) for style in FORMATS)}
    assert len(said) == 1


@pytest.mark.parametrize("text", SPECS.values(), ids=SPECS)
def test_every_format_has_every_finding(text: str) -> None:
    count = len(findings(text))
    assert len(results(text)) == count
    assert len(check(text, "github").out.splitlines()) == count
    cases = xml(check(text, "junit").out).findall("./testsuite/testcase")
    assert len(cases) == max(1, count)


@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.parametrize(
    "case",
    sorted(
        path
        for path in NEGATIVE.iterdir()
        if path.name[0] not in "._"
        and (
            (path.is_file() and "hunter2" in path.read_text("latin-1"))
            or (
                path.is_dir()
                and any("hunter2" in file.read_text("latin-1") for file in path.rglob("*") if file.is_file())
            )
        )
    ),
    ids=lambda case: case.stem,
)
def test_no_format_shows_a_secret(case: Path, style: str, tmp_path: Path) -> None:
    shutil.copytree(NEGATIVE / "_base", tmp_path, dirs_exist_ok=True)
    if case.is_dir():
        shutil.copytree(case, tmp_path, dirs_exist_ok=True)
    elif b"kind: MigrationSpec" in case.read_bytes():
        shutil.copy(case, tmp_path / "spec.yaml")
    else:
        shutil.copy(case, tmp_path)
    result = vmferry("check", tmp_path, "--format", style, "--all")
    assert result.code == 1
    assert "hunter2" not in result.text


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("style", FORMATS)
def test_names_do_nothing_to_a_terminal_in_any_format(name: str, style: str) -> None:
    result = check(f"{SPEC}vms:\n{vm(name, 'other')}", style)
    assert result.code == 1
    assert harmless(result.text)


@pytest.mark.parametrize("style", FORMATS)
def test_a_file_whose_name_is_no_text_can_be_named(style: str, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/sp\xff\x1b[2J,:%ec.yaml"
    with open(path, "w") as stream:  # noqa: PTH123 - the name is bytes
        stream.write(f"{SPEC}vms:\n{vm('a', 'other')}")
    result = process("check", os.fsdecode(path), "--format", style)
    assert (result.code, result.err) == (1, "1 error; 0 VMs in 0 groups\n")
    assert harmless(result.out)


# --- SARIF ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", SPECS.values(), ids=SPECS)
def test_sarif_fits_the_schema_of_oasis(text: str, validate: Callable[[Any], None]) -> None:
    validate(check(text, "sarif").data)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_sarif_of_any_name_fits_the_schema(name: str, validate: Callable[[Any], None]) -> None:
    validate(check(f"{SPEC}vms:\n{vm(name, 'other')}", "sarif").data)


def test_sarif_of_a_directory_with_files_of_any_name_fits_the_schema(
    tmp_path: Path, validate: Callable[[Any], None]
) -> None:
    (tmp_path / "a b%:[x]#?ü.yaml").write_text(SPEC.replace("flux", "fluks"))
    log = vmferry("check", tmp_path, "--format", "sarif").data
    validate(log)
    [result] = log["runs"][0]["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == f"file://{tmp_path}/a%20b%25%3A%5Bx%5D%23%3F%C3%BC.yaml"


def test_sarif_names_files_from_where_code_scanning_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "migration").mkdir()
    (tmp_path / "migration/spec.yaml").write_text(SPEC.replace("flux", "fluks"))
    monkeypatch.chdir(tmp_path)
    for spec in ("migration", "./migration/", tmp_path / "migration", "migration/spec.yaml"):
        [result] = vmferry("check", spec, "--format", "sarif").data["runs"][0]["results"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "migration/spec.yaml"


def test_sarif_has_the_place_and_the_rule() -> None:
    text = SPECS["an error"]
    run = check(text, "sarif").data["runs"][0]
    [result], [finding] = run["results"], findings(text)
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == finding["code"]
    assert result["level"] == "error"
    assert result["locations"][0]["physicalLocation"]["region"] == {
        "startLine": finding["line"],
        "startColumn": finding["column"],
        "endLine": finding["endLine"],
        "endColumn": finding["endColumn"],
    }


def test_fingerprints_stay_while_lines_are_inserted_above() -> None:
    for text in (SPECS["an error"], SPECS["errors of many kinds"], SPECS["a warning"], SPECS["a field too much"]):
        before, after = fingerprints(text), fingerprints("# one\n# two\n" + text)
        assert before
        assert after == before


def test_fingerprints_stay_while_a_line_that_a_message_names_moves() -> None:
    text = f"{SPEC}phases: []\n"
    assert "line" in results(text)[0]["message"]["text"]
    assert fingerprints("# one\n" + text) == fingerprints(text)


def test_fingerprint_stays_while_an_entry_is_inserted_before_it() -> None:
    entry = "  - {name: web-02, colour: red}\n"
    [before], [after] = fingerprints(f"{SPEC}vms:\n{entry}"), fingerprints(f"{SPEC}vms:\n{vm('web-01')}{entry}")
    assert after == before


def test_fingerprints_of_different_vms_and_of_equal_findings_differ() -> None:
    many = "".join(f"  - {{name: web-{number:02d}}}\n" for number in range(20))
    same = "  - {name: web-01, colour: red}\n  - {name: web-02, colour: red}\n"
    for text in (many, same):
        found = fingerprints(f"{SPEC}vms:\n{text}")
        assert len(set(found)) == len(found) > 1


def test_a_name_cannot_be_a_link_in_the_text_of_sarif() -> None:
    text = f"{SPEC}vms:\n{vm('[fix it](https://evil.example)', 'other')}"
    [result] = results(text, "--select", "VMF201")
    assert "\\[fix it\\](https://evil.example)" in result["message"]["text"]


# --- GitHub -----------------------------------------------------------------------------------------


def test_github_escapes_what_would_end_a_message_or_a_property(tmp_path: Path) -> None:
    path = tmp_path / "50%, a:b\nc.yaml"
    path.write_text(f"{SPEC}vms:\n{vm('100%: a,b', 'other')}")
    [line] = vmferry("check", path, "--format", "github", "--select", "VMF201").out.splitlines()
    command, _, message = line.removeprefix("::").partition("::")
    assert f"file={tmp_path}/50%25%2C a%3Ab%0Ac.yaml,line=" in command
    assert command.startswith("error title=VMF201 network is not mapped,")
    assert message.startswith("network 'other' of vc1 is not mapped (1 VM: 100%25: a,b)%0Aadd it to ")


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_github_has_one_line_a_finding_whatever_names_are(name: str) -> None:
    text = f"{SPEC}vms:\n{vm(name + '::error::x', 'other')}"
    lines = check(text, "github").out.split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(findings(text))
    assert all(line.startswith(("::error title=VMF", "::warning title=VMF", "::notice title=VMF")) for line in lines)


def test_github_says_where_it_is() -> None:
    [finding] = findings(SPECS["an error"])
    line, column, end = finding["line"], finding["column"], finding["endColumn"]
    expected = f"file=<stdin>,line={line},endLine={line},col={column},endColumn={end}::"
    assert expected in check(SPECS["an error"], "github").out


# --- GitLab -----------------------------------------------------------------------------------------


def test_gitlab_has_the_fields_that_it_requires_of_every_finding() -> None:
    for text in SPECS.values():
        said, entries = findings(text), check(text, "gitlab").data
        assert [entry["check_name"] for entry in entries] == [finding["code"] for finding in said]
        assert len({entry["fingerprint"] for entry in entries}) == len(entries)
        for entry, finding in zip(entries, said, strict=True):
            assert entry.keys() == {"description", "check_name", "fingerprint", "severity", "location"}
            assert entry["severity"] == {"error": "critical", "warning": "minor", "info": "info"}[finding["severity"]]
            assert finding["message"] in entry["description"]
            assert entry["location"] == {"path": finding["file"], "lines": {"begin": finding["line"] or 1}}


def test_gitlab_gets_paths_from_the_top_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spec.yaml").write_text(SPECS["an error"])
    monkeypatch.chdir(tmp_path)
    for spec in ("spec.yaml", tmp_path / "spec.yaml"):
        entries = vmferry("check", spec, "--format", "gitlab").data
        assert {entry["location"]["path"] for entry in entries} == {"spec.yaml"}


# --- JUnit ------------------------------------------------------------------------------------------

XML_CANNOT = ["a\x00b", "a\x0bb", "\ufffe", "\ud800", "a]]>b", "<&'\">", "\x85\u2028", "\U0001f6a2"]


@pytest.mark.parametrize("name", [*NAMES.values(), *XML_CANNOT])
def test_junit_is_xml_whatever_names_are(name: str) -> None:
    quoted = json.dumps(name)
    entry = f"  - {{name: {quoted}, os: linux, powerState: poweredOn, disks: [], nics: [{{network: other}}]}}\n"
    result = check(f"{SPEC}vms:\n{entry}", "junit")
    assert result.code == 1
    assert "internal error" not in result.err
    assert xml(result.out).find("./testsuite/testcase/failure") is not None


def test_junit_fails_for_errors_only() -> None:
    suite = xml(check(SPECS["a warning"], "junit", "--select", "VMF109").out).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")
    [case] = suite
    assert [child.tag for child in case] == ["system-out"]
    suite = xml(check(SPECS["an error"], "junit").out).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")


def test_junit_without_findings_has_a_test_that_passes() -> None:
    [suite] = xml(check(SPECS["nothing"], "junit", "--select", "VMF201").out)
    [case] = suite
    assert list(case) == []


# --- other verbs ------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "spec.yaml").write_text(f"{SPEC}vms:\n{vm('web-01')}")
    assert vmferry("compile", tmp_path, "--out", tmp_path).code == 0
    return tmp_path / "gitops"


@pytest.mark.kustomize
@pytest.mark.skipif(
    os.environ.get("VMFERRY_REQUIRE_KUSTOMIZE") != "1"
    and not shutil.which("kustomize")
    and not shutil.which("kubectl"),
    reason="neither kustomize nor kubectl is installed",
)
def test_verify_gives_every_format(tree: Path, validate: Callable[[Any], None]) -> None:
    for path in tree.glob("bases/*/*/plan/plan-*.yaml"):
        path.unlink()
    results = {style: vmferry("verify", tree, "--format", style) for style in FORMATS}
    assert {result.code for result in results.values()} == {1}
    count = len(results["json"].data["findings"])
    validate(results["sarif"].data)
    assert len(results["sarif"].data["runs"][0]["results"]) == count > 0
    assert len(results["github"].out.splitlines()) == count
    assert len(results["gitlab"].data) == count
    assert len(xml(results["junit"].out).findall("./testsuite/testcase")) == count


@pytest.mark.parametrize("style", FORMATS)
def test_verify_says_in_the_format_asked_for_that_a_lock_cannot_be_read(tree: Path, style: str) -> None:
    for lock in (tree / "locks").rglob("*.lock"):
        lock.write_text("{")
    result = vmferry("verify", tree, "--format", style)
    assert result.code == 1
    assert "VMF603" in result.out
    if style in ("json", "sarif", "gitlab"):
        assert result.data
    elif style == "junit":
        assert xml(result.out).findall("./testsuite/testcase/failure")
    elif style == "github":
        assert "::error title=VMF603 " in result.out
        assert all(line.startswith("::") for line in result.out.splitlines())
