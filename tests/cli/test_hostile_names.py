"""Names come from other people's vCenters: none of them acts on a terminal, a path or a manifest."""

import re
import unicodedata
from pathlib import Path

import pytest
import yaml
from tests.cli.test_check import SPEC, vm
from tests.invocation import vmferry

NAMES = {
    "newline": "web\nspec.yaml:1:1: error[VMF001] not true",
    "carriage return": "web\rspec",
    "cursor": "web\x1b[2J\x1b[1;1Howned",
    "title": "web\x1b]0;owned\x07",
    "C1 controls": "web\x9b2Jx",
    "right to left": "web\u202egpj.exe",
    "zero width": "we\u200bb\u2060",
    "line separator": "web\u2028x",
    "tag characters": "web\U000e0041",
    "300 characters": "w" * 300,
    "300 wide characters": "長" * 300,
    "emoji": "🚢👩\u200d💻 ferry",
    "path": "../../../../etc/cron.d/web",
    "absolute path": "/etc/passwd",
    "yaml mapping": "web: {a: b} # c",
    "yaml tag": "!!python/object/apply:os.system [id]",
    "yaml document": "--- a",
    "alias": "*web",
    "quote": "web'\"\\`",
    "shell": "$(touch owned); `id` && rm -rf ~",
    "markup": "[red]web[/red][link=file:///etc/passwd]x[/link]",
    "template": "{{ .Values.x }} %s {0}",
    "boolean": "yes",
    "number": "0x1F",
    "null": "~",
    "only punctuation": "...",
    "key of another": "vc1/web",
}


@pytest.fixture(params=[*NAMES.values()], ids=[*NAMES])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def project(name: str, tmp_path: Path) -> Path:
    # Forklift takes a name with a slash for a path (VMF741): there the id tells it the VM
    entry = vm(name).replace("os: linux", "id: vm-7, os: linux") if "/" in name else vm(name)
    (tmp_path / "spec.yaml").write_text(f"{SPEC}vms:\n{entry}")
    return tmp_path


def harmless(text: str) -> bool:
    """Return whether a terminal shows the text and does nothing else."""
    return all(char == "\n" or unicodedata.category(char)[0] not in "CZ" or char == " " for char in text)


def test_check_shows_it_as_text(name: str, project: Path) -> None:
    result = vmferry("check", project)
    assert result.code == 0
    assert harmless(result.text)
    assert not re.search(r"(?m)^spec\.yaml:1:1", result.text)
    for finding in vmferry("check", project, "--format", "json").data["findings"]:
        assert finding["vms"] == [name]  # read by a script, the name is as it was


def test_findings_show_it_as_text(name: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(f"{SPEC}vms:\n{vm(name, network='other')}")
    for style in ("text", "json"):
        result = vmferry("check", tmp_path, "--format", style)
        assert result.code == 1
        assert harmless(result.text)
        assert not re.search(r"(?m)^spec\.yaml:1:1", result.text)


def test_explain_shows_it_as_text(name: str, project: Path) -> None:
    for args in (("--", name), ("--all",)):
        result = vmferry("explain", project, *args)
        assert result.code == 0
        assert harmless(result.text)
        assert not re.search(r"(?m)^\s*spec\.yaml:1:1", result.out)
    [found] = vmferry("explain", project, "--all", "--format", "json").data
    assert found["vm"] == name
    assert harmless(vmferry("explain", project, "--all", "--format", "json").out)


def test_unknown_names_are_shown_as_text(name: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(f"{SPEC}vms:\n{vm(name)}")
    result = vmferry("explain", tmp_path, "--", f"{name}x")
    assert result.code == 2
    assert harmless(result.err)


def test_compile_writes_it_quoted_and_inside_the_tree(name: str, project: Path) -> None:
    result = vmferry("compile", project, "--out", project / "out")
    assert result.code == 0
    assert harmless(result.text)
    assert sorted(path.name for path in project.iterdir()) == ["assignments.yaml", "out", "spec.yaml"]
    written = [path for path in project.rglob("*") if path.is_file() and path.name != "spec.yaml"]
    assert all(re.fullmatch(r"[A-Za-z0-9._/-]+", str(path.relative_to(project))) for path in written)
    for path in written:
        text = path.read_text()
        assert harmless(text.replace("\t", " ")), path
        if path.suffix == ".yaml":
            list(yaml.safe_load_all(text))
    [layer] = (project / "out").rglob("plan/plan-*.yaml")
    [plan] = [each for each in yaml.safe_load_all(layer.read_text()) if each["kind"] == "Plan"]
    assert plan["spec"]["vms"][0]["name"] == name
    assert vmferry("compile", project, "--out", project / "out", "--check").code == 0
