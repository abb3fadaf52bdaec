"""The emitter: what is written reads back as the same value in YAML 1.1 and 1.2, and looks well."""

import enum
import re
import shutil
import subprocess
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import yaml
import yaml_rs
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vmferry.yaml.write import dump

NASTY = (
    "10:20:30:40:50:51", "on", "No", "y", "~", "null", "0755", "0x1F", "1e3", "1_000", "_1", ".5", ".inf",
    "=", "<<", "2026-01-01", "1.5", "-", "--- a", "...", "- a", "? a", ": a", "a: b", "a #b", "#a", "&a",
    "*a", "!a", "%a", "@a", "`a", "|", ">", "'", '"', "\\", "{a}", "[a]", "a,b", "", " ", " a", "a ", "\t",
    "\ta", "a\n", "a\n\n", "\na", " a\nb", "a\n b\n", "a \nb", "a\n\tb", "a\tb\nc", "a\n\n\nb", "a\r\nb",
    "a\rb", "a\x85b\n", "a\u2028b\nc", "\ufeffa\nb", "#cloud-config\nusers: []\n", "---\n...\n", "%YAML\nb",
    "a\n---\nb", "\x00", "\x1b[0m", "\x7f", "\u202ea\u202c", "\u200b", "\ufdd0", "\ufffe", "\U0001ffff",
    "\U0001f600", "e\u0301", "${x}", "x" * 3000, "true\n", "1\n2\n", "C:\\new\\table",
)  # fmt: skip

text = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.text(alphabet=" \t\n\r-:#'\"|>ab0_.~\x85\u2028", max_size=10),
)
keys = text.filter(lambda key: len(key) < 900)
scalars = st.one_of(
    text,
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
documents = st.lists(values, max_size=5) | st.dictionaries(keys, values, max_size=5)


def read_1_1(raw: bytes) -> Any:
    return yaml.load(raw, yaml.CSafeLoader)


def read_1_2(raw: bytes) -> Any:
    return yaml_rs.loads(raw.decode(), parse_datetime=False)


def typed(value: Any) -> Any:
    """Make 1, 1.0 and True differ, and 0.0 and -0.0 as well."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    return [typed(item) for item in value] if isinstance(value, list) else (type(value), repr(value))


@given(documents)
@example(list(NASTY))
@example(dict.fromkeys((key for key in NASTY if len(key) < 900), "a\nb\n"))
@example([[[["a\nb"]], {"k": [["c\nd\n"], []]}, {}]])
@settings(max_examples=400, deadline=None)
def test_every_reader_returns_the_value_that_was_written(value: Any) -> None:
    raw = dump(value)
    assert raw.endswith(b"\n")
    assert typed(read_1_1(raw)) == typed(value) == typed(read_1_2(raw))


@given(documents, text)
@settings(max_examples=100, deadline=None)
def test_no_comment_changes_the_value(value: Any, comment: str) -> None:
    raw = dump(value, comment)
    assert typed(read_1_1(raw)) == typed(value) == typed(read_1_2(raw))


@pytest.mark.kustomize
@pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
def test_kustomize_reads_the_same_texts(tmp_path: Path) -> None:
    # kustomize reads what is left out as well, but writes it so that not every reader returns it.
    unsafe = "^_1$|[\\x7f\\x85\\u2028\\ufffe]"
    data = {f"k{number}": text for number, text in enumerate(NASTY) if not re.search(unsafe, text)}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "nasty"}, "data": data}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["nasty.yaml"],
    }
    (tmp_path / "nasty.yaml").write_bytes(dump(config))
    (tmp_path / "kustomization.yaml").write_bytes(dump(kustomization, "Written by vmferry."))
    built = subprocess.run(["kubectl", "kustomize", tmp_path], check=True, capture_output=True).stdout
    assert read_1_2(built)["data"] == data


def test_a_manifest_looks_as_people_write_it() -> None:
    manifest = {
        "kind": "VirtualMachine",
        "metadata": {"name": "db-01", "labels": {}, "annotations": {"a.b/c": "Prune=false"}},
        "spec": {
            "running": True,
            "ratio": 0.5,
            "networks": [
                {"name": "n0", "macAddress": "00:50:56:aa:bb:cc", "ports": [80, 443]},
                {"name": "on"},
            ],
            "args": ["-c", "set -e\necho hi\n"],
            "matrix": [["a", "b"], []],
            "nothing": None,
        },
    }
    assert (
        dump(manifest, "Written by vmferry.\n\nDo not edit.").decode()
        == """\
# Written by vmferry.
#
# Do not edit.
kind: VirtualMachine
metadata:
  name: db-01
  labels: {}
  annotations:
    a.b/c: "Prune=false"
spec:
  running: true
  ratio: 0.5
  networks:
  - name: n0
    macAddress: "00:50:56:aa:bb:cc"
    ports:
    - 80
    - 443
  - name: "on"
  args:
  - "-c"
  - |
    set -e
    echo hi
  matrix:
  - - a
    - b
  - []
  nothing: null
"""
    )


def test_hidden_characters_are_shown_as_escapes() -> None:
    assert dump(["\u202edrow\u200b\x1b\U0001ffff"]) == b'- "\\u202edrow\\u200b\\x1b\\U0001ffff"\n'


def test_a_comment_cannot_smuggle_in_a_line() -> None:
    assert dump({}, "a\rb: 1\u2028c: 2") == b"# a\\rb: 1\\u2028c: 2\n{}\n"


class Stage(enum.StrEnum):
    READY = "on"


class Size(enum.IntEnum):
    BIG = 3


def test_enumerations_tuples_and_other_mappings_are_written_as_what_they_stand_for() -> None:
    value = OrderedDict(stage=Stage.READY, size=Size.BIG, pair=(1, OrderedDict(a=())))
    assert dump(value) == b'stage: "on"\nsize: 3\npair:\n- 1\n- a: []\n'
    assert dump({Stage.READY: 1}) == b'"on": 1\n'


@pytest.mark.parametrize("empty", [{}, [], ()])
def test_an_empty_document_is_in_flow_style(empty: Any) -> None:
    assert dump(empty) in (b"{}\n", b"[]\n")


@pytest.mark.parametrize("bad", ["\ud800", float("inf"), float("nan"), 2**64, -(2**63) - 1])
def test_what_no_reader_could_return_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        dump({"a": [bad]})


def test_a_key_too_long_for_libyaml_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        dump({"k" * 1001: 1})


@pytest.mark.parametrize("bad", [{"a": b"bytes"}, {"a": {1}}, {1: "a"}, {None: "a"}, "text", None, 3, {"a": object()}])
def test_other_types_are_refused(bad: Any) -> None:
    with pytest.raises(TypeError):
        dump(bad)
