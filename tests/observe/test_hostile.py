"""Hostile dumps neither crash nor hang, and nothing of theirs reaches a terminal or git as it is."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cli.repository import Repository
from tests.invocation import vmferry

from vmferry.check import check
from vmferry.estate.words.secrecy import said
from vmferry.load.generated import EVIDENCE
from vmferry.observe.dumps import Dump, DumpError
from vmferry.observe.observe import added, merged, observed, render

ACME = Path(__file__).parents[2] / "examples/acme"
DUMPS = sorted((Path(__file__).parent / "dumps").glob("*.json"))
ITEMS = [item for path in DUMPS for item in json.loads(path.read_text())["items"]]
BLUEPRINT = check(ACME, reasons=False).resolution.blueprint


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "it is empty"),
        (b"  \n", "it is empty"),
        (b"not json", "it is not JSON, in what starts at line 1"),
        (b"{}\n{", "it is not JSON, in what starts at line 2"),
        (b"\xff\xfe{", "it is not UTF-8 text"),
        (b"[" * 200_000, "it is nested too deeply"),
        (b"9" * 50_000 + b" x", "it is not JSON"),
    ],
)
def test_what_is_not_a_dump_is_a_usage_error(tmp_path: Path, raw: bytes, why: str) -> None:
    result = vmferry("observe", ACME, "--from", "-", "--dry-run", stdin=raw)
    assert result.code == 2
    assert f"standard input: {why}" in result.err.replace("\n", " ")


@pytest.mark.parametrize(
    "data",
    [
        1,
        None,
        [],
        {},
        {"kind": 1},
        {"kind": "List", "items": None},
        {"kind": "List", "items": {}},
        {"kind": "List", "items": [1, None, [], {"kind": "List", "items": []}]},
        {"kind": "Plan", "apiVersion": "forklift.konveyor.io/v1beta1"},
        {"kind": "Plan", "apiVersion": "forklift.konveyor.io/v1beta1", "metadata": {"name": "a\nb"}, "status": []},
        {"kind": "Job", "apiVersion": "batch/v1", "metadata": {"name": ["x"]}},
        {"kind": "\x1b[2Jx", "apiVersion": "v1"},
    ],
)
def test_odd_objects_are_ignored_with_a_reason(data: Any) -> None:
    result = vmferry("observe", ACME, "--from", "-", "--dry-run", stdin=json.dumps(data).encode())
    assert (result.code, result.out) == (0, "")
    assert "\x1b" not in result.err
    assert "read no object" in result.err


def test_deep_nesting_inside_of_an_object_is_refused() -> None:
    deep = b'{"kind":"Plan","apiVersion":"forklift.konveyor.io/v1beta1","metadata":{"name":"x"},"spec":'
    raw = deep + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}"
    result = vmferry("observe", ACME, "--from", "-", "--dry-run", stdin=raw)
    assert result.code == 2
    assert "it is nested too deeply" in result.err


def test_names_and_words_of_the_cluster_cannot_control_a_terminal(tmp_path: Path) -> None:
    repository = Repository(tmp_path, committed=False)
    item = next(item for item in ITEMS if item["kind"] == "Migration" and "ldap-01" in json.dumps(item))
    item = json.loads(json.dumps(item))
    item["status"]["conditions"] = [
        {"type": "Failed", "status": "True", "message": "\x1b[2J\u202eevil\nPassword=hunter2"}
    ]
    for vm in item["status"]["vms"]:
        vm["error"] = {"phase": "\x1b]0;x\x07", "reasons": ["\x1b[31mred\r\n- group: x", "token: eyJhbGciOiJI"]}
    result = vmferry("observe", repository.spec, "--from", "-", stdin=json.dumps(item).encode())
    assert result.code == 0, result.text
    for text in (result.text, (repository.spec / "evidence.yaml").read_text()):
        assert not any(char in text for char in "\x1b\x07\r\u202e")
        assert "hunter2" not in text
        assert "eyJ" not in text


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        found += _places(each, (*path, key))
    return found


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Return a recorded object in which one value is another."""
    item = json.loads(json.dumps(draw(st.sampled_from(ITEMS))))
    path = draw(st.sampled_from(_places(item)))
    new = draw(_JSON)
    if not path:
        return new
    holder = item
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = new
    return item


@given(st.lists(mutated(), max_size=4))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_any_object_gives_evidence_that_can_be_read_again_or_nothing(items: list[Any]) -> None:
    dump = Dump()
    try:
        dump.add(json.dumps({"kind": "List", "items": items}).encode())
    except DumpError:
        return
    entries = added(None, observed(dump, BLUEPRINT, None))
    evidence = merged(None, "acme", entries)
    raw = render(evidence)
    again, findings = EVIDENCE.read(raw, "evidence.yaml", raw.decode())
    assert (again, findings) == (evidence, [])
    assert added(again, observed(dump, BLUEPRINT, None)) == ()
    assert all(notice.strip() for notice in dump.notices())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    dump = Dump()
    with contextlib.suppress(DumpError):
        dump.add(raw)
    assert list(dump.notices())


@given(st.text())
def test_what_is_said_is_one_short_line(text: str) -> None:
    line = said(text)
    assert len(line) <= 310
    assert line.isprintable()


@pytest.mark.parametrize(
    "secret",
    [
        "https://admin:hunter2@vcenter.example/sdk",
        "login failed, password=hunter2",
        "Authorization: Basic YWRtaW46aHVudGVyMg==",
        "Bearer hunter2",
        "https://s3.example/disk.raw?X-Amz-Signature=hunter2",
        "hunter2hunter2hunter2hunter2hunter2hunter2hunter2",
    ],
)
def test_what_looks_like_a_credential_is_withheld(secret: str) -> None:
    assert "hunter2" not in said(f"it failed: {secret} and more")
    assert yaml.safe_load(json.dumps(said(secret))) == said(secret)
