"""What the YAML reader accepts, what it refuses, and where it says so."""

import json
import math
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.work import counted

from vmferry.model.finding import Finding, SpecError
from vmferry.yaml import text as decoding
from vmferry.yaml import walk as walking
from vmferry.yaml.read import Document, read
from vmferry.yaml.walk import MAX_FINDINGS, Walk


def words(text: str) -> list[str]:
    return text.split()


def values(text: str) -> list[object]:
    return [document.data for document in read(text.encode(), "spec.yaml")]


def value(text: str) -> object:
    (single,) = values(text)
    return single


def refusals(raw: str | bytes) -> tuple[Finding, ...]:
    with pytest.raises(SpecError) as caught:
        read(raw.encode() if isinstance(raw, str) else raw, "spec.yaml")
    return caught.value.findings


def places(raw: str | bytes) -> list[tuple[str, int, int]]:
    """Return code, line and column of every finding."""
    return [
        (finding.code, finding.where.span.line, finding.where.span.column)
        for finding in refusals(raw)
        if finding.where is not None and finding.where.span is not None
    ]


# --- documents --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "  \n# a\n\n"])
def test_file_without_content_has_no_documents(text: str) -> None:
    assert values(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- 1\n- 2\n", [[1, 2]]),
        ("---\n- 1\n", [[1]]),
        ("# c\n---\n- 1\n", [[1]]),
        ("--- [1, 2]\n", [[1, 2]]),
        ("a: 1\n---\nb: 2\n", [{"a": 1}, {"b": 2}]),
        ("[1]\n--- [2]\n", [[1], [2]]),
        ("---\n---\n", [None, None]),
        ("---\n", [None]),
        ("a: 1\n---\n", [{"a": 1}, None]),
        ("a: 1\n...\n", [{"a": 1}]),
        ("a: 1\n...\n---\nb: 1\n", [{"a": 1}, {"b": 1}]),
        ("%YAML 1.2\n---\na: 1\n", [{"a": 1}]),
        ("null\n", [None]),
        ("[[1]]\n", [[[1]]]),
        ("a: '---'\n", [{"a": "---"}]),
        ("a: |\n  ---\n  b\n", [{"a": "---\nb\n"}]),
    ],
)
def test_documents_of_a_file_are_told_apart_from_a_list(text: str, expected: list[object]) -> None:
    assert values(text) == expected


def test_documents_carry_their_file_and_number() -> None:
    assert read(b"a: 1\n---\nb: 2\n", "x.yaml") == [
        Document("x.yaml", 0, {"a": 1}),
        Document("x.yaml", 1, {"b": 2}),
    ]


def test_folded_text_that_swallows_a_document_marker_is_refused() -> None:
    assert places("--- >\nfolded\n---\nb\n") == [("VMF001", 2, 1)]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_any_line_end_is_read_and_counted(line_end: str) -> None:
    assert value(line_end.join(["a: 1", "b: |", "  x", "  y", ""])) == {"a": 1, "b": "x\ny\n"}
    assert places(line_end.join(["a: 1", "b: 2", "a: 3", ""])) == [("VMF002", 3, 1)]


def test_byte_order_mark_is_dropped() -> None:
    assert read(b"\xef\xbb\xbfa: 1\n", "f")[0].data == {"a": 1}
    assert places(b"\xef\xbb\xbfa: 1\na: 2\n") == [("VMF002", 2, 1)]


# --- scalars ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word",
    words(
        "on off yes no y n Y N 10:20 10:20:30:40:50:51 00:50:56:01:02:03 190:20:30 2026-01-01 "
        "2026-01-01T00:00:00Z nan inf 1.2.3 10.0.0.1 1,000 tRUE nuLL 0xZ 0b3c-22 web-01 a_1 1_a _ a=b "
        "423e2434-be65-4cc2-9677-0baa6a107b75 0050-01 v08 1- a!b a*b x&y"
    ),
)
def test_word_stays_text(word: str) -> None:
    assert value(f"a: {word}\nb: [{word if ',' not in word else 'x'}]\n{word}: c\n")["a"] == word  # type: ignore[index]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("0", 0), ("-0", 0), ("+1", 1), ("42", 42), ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)), ("1e3", 1000.0), ("1.", 1.0), (".5", 0.5), ("-1.5E-3", -0.0015),
        ("0.5", 0.5), ("true", True), ("False", False), ("~", None), ("null", None), ("", None),
    ],
)  # fmt: skip
def test_word_is_read_by_the_core_schema(word: str, expected: object) -> None:
    read_value = value(f"a: {word}\n")["a"]  # type: ignore[index]
    assert read_value == expected
    assert type(read_value) is type(expected)


AMBIGUOUS = words(
    "0755 00 -012 +08 012e3 1_000 _1 1_ 0_ ._5 1e5_0 1_0.5 0x1F 0X1F -0x1 0o17 0O17 0b11 0x1_ .inf "
    "-.inf +.INF .nan .NaN .nAN -.nan 9223372036854775808 -9223372036854775809 18446744073709551616 "
    "123456789012345678901234567890 1e400 -1e999 = <<"
)


@pytest.mark.parametrize("word", AMBIGUOUS)
@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: {}\n", 1, 4),
        ("a: {}", 1, 4),
        ("{}", 1, 1),
        ("--- {}\n", 1, 5),
        ("- b\n- {} # c\n", 2, 3),
        ("- - {}\n", 1, 5),
        ("a:\n  {}\n", 2, 3),
        ("a:\t{}\n", 1, 4),
        ("a: [b,{}]\n", 1, 7),
        ("a: [ {} ]\n", 1, 6),
        ('{{"a":{}}}\n', 1, 6),
        ("a: &x {}\n", 1, 4),
        ("? a\n: {}\n", 2, 3),
    ],
)
def test_scalar_that_readers_disagree_on_is_refused_where_it_stands(
    word: str, text: str, line: int, column: int
) -> None:
    assert places(text.format(word)) == [("VMF010", line, column)]


@pytest.mark.parametrize("word", AMBIGUOUS)
def test_the_same_scalar_in_quotes_or_prose_is_text(word: str) -> None:
    assert value(f"a: '{word}'\n'{word}': \"{word}\"\nb: see {word} there # {word}\nc: |\n  {word}\n") == {
        "a": word,
        word: word,
        "b": f"see {word} there",
        "c": f"{word}\n",
    }


def test_merge_key_is_refused_with_advice() -> None:
    (finding,) = [f for f in refusals("a: &x {b: 1}\nc:\n  <<: *x\n") if f.code == "VMF010"]
    assert "merge keys" in finding.message
    assert finding.help == "Write the fields out."


CORE_INT = re.compile(r"[-+]?[0-9]+")
CORE_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


@given(st.text("+-._0123456789eExobinfa:", min_size=1, max_size=12))
@settings(max_examples=300, deadline=None)
def test_number_like_word_is_core_schema_or_refused(word: str) -> None:
    try:
        read_value = value(f"k: {word}\n")["k"]  # type: ignore[index]
    except SpecError:
        return
    if CORE_INT.fullmatch(word):
        assert (type(read_value), read_value) == (int, int(word))
    elif CORE_FLOAT.fullmatch(word):
        assert (type(read_value), read_value) == (float, float(word))
        assert math.isfinite(read_value)
    else:
        assert read_value == word


# --- keys -------------------------------------------------------------------------------------------


def test_duplicate_key_is_found_at_the_second_and_names_the_first() -> None:
    assert places("a: 1\nb:\n  x: 1\n  y: 2\n  'x': 3\n") == [("VMF002", 5, 3)]
    assert "line 3" in refusals("a: 1\nb:\n  x: 1\n  y: 2\n  'x': 3\n")[0].message
    assert places("é: {a: 1, a: 2}\n") == [("VMF002", 1, 11)]


def test_same_key_in_different_mappings_is_fine() -> None:
    assert value("- {a: 1}\n- {a: 1, b: {a: 2}}\n") == [{"a": 1}, {"a": 1, "b": {"a": 2}}]


@pytest.mark.parametrize("key", ["1", "true", "null", "~", "1.5", "? ", "[1]", "{a: 1}", "0755", "0x1", ".inf"])
def test_key_that_is_not_text_is_refused(key: str) -> None:
    text = f"{key}: x\n" if key != "? " else "? \n: x\n"
    assert [(code, line) for code, line, _ in places(f"b: 1\n{text}")] == [("VMF005", 2)]


def test_words_that_yaml_1_1_reads_as_booleans_are_keys() -> None:
    assert value("on: 1\nno: 2\n'1': 3\n10:20: 4\n") == {"on": 1, "no": 2, "1": 3, "10:20": 4}


# --- tags, anchors, aliases -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: !foo b\n", 1, 4),
        ("a: !!str 1\n", 1, 4),
        ("a: &x !!str 1\n", 1, 7),
        ("!foo\na: 1\n", 1, 1),
        ("a:\n- !!python/object/apply:os.system [x]\n", 2, 3),
        ("a: [!x b]\n", 1, 5),
        ("a: [b,!x b]\n", 1, 7),
        ("!x a: b\n", 1, 1),
        ("a: !<tag:x> b\n", 1, 4),
        ("a: !\n", 1, 4),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", 1, 1),
    ],
)
def test_tag_is_refused_where_it_stands(text: str, line: int, column: int) -> None:
    assert places(text) == [("VMF004", line, column)]


def test_exclamation_mark_in_text_is_no_tag() -> None:
    assert value("a: hi !there\nb: '!x'\nc: | # !x\n  !y\n") == {"a": "hi !there", "b": "!x", "c": "!y\n"}


def test_aliases_are_resolved() -> None:
    assert value("a: &x {b: [1]}\nc: *x\nd: &e\nf: *e\n&k g: *k\n") == {
        "a": {"b": [1]}, "c": {"b": [1]}, "d": None, "f": None, "g": "g",
    }  # fmt: skip
    assert value("[&a 1, *a, &a 2, *a]\n") == [1, 1, 2, 2]


def test_alias_that_expands_to_too_much_is_refused() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert [code for code, _, _ in places(bomb)] == ["VMF003"]


def test_anchor_that_contains_itself_is_refused() -> None:
    assert places("a: &x\n  - b\n  - *x\n") == [("VMF003", 3, 5)]


def test_nesting_through_aliases_counts_as_depth() -> None:
    chain = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 100))
    assert [code for code, _, _ in places(chain)] == ["VMF006"]


def test_pattern_without_quotes_is_refused_with_advice() -> None:
    (finding,) = refusals("- name: *-old\n")
    assert finding.code == "VMF001"
    assert "quotes" in finding.help
    assert places("- name: *-old\n") == [("VMF001", 1, 9)]
    assert places("a: *.x\n") == [("VMF001", 1, 5)]


def test_alias_as_key_is_checked_like_the_key_itself() -> None:
    assert places("a: &x 1\n*x : b\n") == [("VMF005", 2, 1)]
    assert places("a: &x [1]\n*x : b\n") == [("VMF005", 2, 1)]
    assert places("&a a: 1\n*a : 2\n") == [("VMF002", 2, 1)]


# --- size and depth ---------------------------------------------------------------------------------


def test_file_over_the_limit_is_refused_without_parsing() -> None:
    raw = b"a: " + b"x" * (100 * 2**20)
    with counted() as calls:
        assert places(raw) == [("VMF006", 1, 1)]
    assert calls["loads"] == calls["parse"] == 0


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_line_over_one_mebibyte_is_refused(line_end: bytes) -> None:
    assert places(b"a: 1" + line_end + b"b: " + b"x" * 2**20 + line_end + b"c: 1") == [("VMF006", 2, 1)]
    assert len(read(b"a: " + b"x" * (2**20 - 3) + line_end, "f")) == 1


@pytest.mark.parametrize("text", ["[" * 64 + "]" * 64, "- " * 64 + "a", "".join(" " * i + "a:\n" for i in range(64))])
def test_sixty_four_levels_are_read(text: str) -> None:
    assert len(values(text)) == 1


@pytest.mark.parametrize("depth", [65, 250, 5_000, 200_000])
@pytest.mark.parametrize(("open_", "close"), [("[", "]"), ("{a: ", "}"), ("- ", ""), ("[\n ", "]"), ("['[',", ",']']")])
def test_deeper_nesting_is_refused_quickly(open_: str, close: str, depth: int) -> None:
    text = f"x:\n {open_ * depth}a{close * depth}"[: 2**20]
    with counted() as calls:
        assert "VMF006" in [code for code, _, _ in places(text)]
    assert calls.total() < 3_000  # however deep it is


def test_keys_inside_keys_are_refused() -> None:
    assert {code for code, _, _ in places("? " * 200_000 + "a")} == {"VMF005"}


@pytest.mark.parametrize("depth", [65, 200, 5_000])
def test_deeper_indentation_is_refused(depth: int) -> None:
    text = "".join(" " * i + "a:\n" + " " * i + "-\n" for i in range(depth))[: 2**24]
    assert "VMF006" in [code for code, _, _ in places(text)]


# --- characters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "line", "column"),
    [
        (b"a: 1\nb: \xff\n", 2, 4),
        ("é: 1\r\nü: ".encode() + b"\xe9", 2, 4),
        (b"a: \xed\xa0\x80", 1, 4),
        (b"\xef\xbb\xbfa: \xff", 1, 4),
        (b"a: x\x00", 1, 5),
        (b"a: 1\n\x1b[0m", 2, 1),
        ("é: \x7f".encode(), 1, 4),
        ("a: b\u2028c: d".encode(), 1, 5),
        ("a: \x85".encode(), 1, 4),
        ("a: 1\n\ufeffb: 2".encode(), 2, 1),
        ("a: \uffff".encode(), 1, 4),
        ("a: 1\n".encode("utf-16"), 1, 1),
    ],
)
def test_character_that_is_not_allowed_is_found(raw: bytes, line: int, column: int) -> None:
    assert places(raw) == [("VMF007", line, column)]


def test_lone_surrogate_escape_is_refused() -> None:
    assert places('a: "\\ud800"') == [("VMF001", 1, 7)]


# --- syntax -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: b: c\n", 1, 5, "`:`"),
        ("a: 'x\nb: 1\n", 1, 4, "quote"),
        ("a: 1\nb: [1, 2\nc: 3\n", 2, 4, "not closed"),
        ("a: {x: 1\nb: 2\n", 1, 4, "not closed"),
        ("a: @b\n", 1, 4, "start with `@`"),
        ("a:\n\tb: 1\n", 2, 1, "tab"),
        ("a:\n   b: 1\n  c: 2\n", 3, 3, "mapping"),
        ("- a\nb: 1\n", 2, 1, "list"),
        ("a: - b\n", 1, 4, "list"),
        ("a: 1\nb\n", 2, 1, "without `:`"),
        ('a: "C:\\temp\\q"\n', 1, 12, "escape"),
        ("a: [\n1\n]\n", 2, 1, "indented"),
        ("a: 1\n%x\n", 2, 1, "directive"),
        ("%YAML 1.1\n---\na: on\n", 1, 1, "1.1"),
        ("a: [1", 1, 4, "not closed"),
    ],
)
def test_syntax_error_is_put_in_words_at_its_place(text: str, line: int, column: int, words: str) -> None:
    assert places(text) == [("VMF001", line, column)]
    (finding,) = refusals(text)
    assert words in finding.message
    assert finding.help


def test_all_that_is_wrong_is_reported_at_once() -> None:
    assert places("a: 0755\nb: !x 1\na: 2\n1: c\n") == [
        ("VMF010", 1, 4), ("VMF004", 2, 4), ("VMF002", 3, 1), ("VMF005", 4, 1),
    ]  # fmt: skip


def test_findings_of_one_file_are_limited() -> None:
    assert len(refusals("- 0755\n" * 1000)) == MAX_FINDINGS


def test_document_number_is_part_of_the_place() -> None:
    (finding,) = refusals("a: 1\n---\na: 0755\n")
    assert finding.where is not None
    assert finding.where.document == 1


# --- whatever comes ---------------------------------------------------------------------------------

SAMPLE = b"""\
# VMs
apiVersion: vmferry.dev/v1alpha1
vms:
- name: &n web-01
  mac: 00:50:56:01:02:03
  disks: [{size: 40Gi, key: 2000}, {size: "8", 'x': ~}]
  text: |
    a
  same: *n
---
- >-
  folded
"""


def is_well_behaved(raw: bytes) -> None:
    try:
        documents = read(raw, "f")
    except SpecError as error:
        findings = error.findings
    else:
        assert [document.index for document in documents] == list(range(len(documents)))
        return
    assert findings
    lines = re.split("\r\n|\n|\r", raw.decode("utf-8", "replace"))
    for finding in findings:
        assert finding.where is not None
        span = finding.where.span
        assert span is not None
        assert 1 <= span.line <= len(lines)
        assert 1 <= span.column < span.end_column


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    is_well_behaved(text.encode("utf-8", "surrogatepass"))


@given(st.text("[]{}-?:,#&*!|>'\"%@` \n\tab01._<=~\\u8d\r", max_size=40))
@settings(max_examples=600, deadline=None)
def test_any_heap_of_indicators_is_read_or_refused(text: str) -> None:
    is_well_behaved(text.encode())


@given(
    st.lists(
        st.tuples(st.integers(0, len(SAMPLE)), st.integers(0, 4), st.binary(max_size=3)),
        min_size=1,
        max_size=4,
    )
)
@example([(0, 0, b"\x00")])
@settings(max_examples=400, deadline=None)
def test_any_damaged_file_is_read_or_refused(edits: list[tuple[int, int, bytes]]) -> None:
    raw = SAMPLE
    for at, dropped, added in edits:
        raw = raw[:at] + added + raw[at + dropped :]
    is_well_behaved(raw)


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.sampled_from([None, 1, 2]), st.booleans())
@settings(max_examples=400, deadline=None)
def test_json_is_read_as_what_it_says(data: object, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    if "\\ud8" in text.lower() or "\\ud" in text.lower():
        text = json.dumps(data, indent=indent, ensure_ascii=False)
    assert value(text) == data
    assert Walk(text, "f").run() == 1


def test_large_plain_file_takes_only_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (decoding, walking):
        monkeypatch.delattr(module, "events")
    entry = (
        "- name: web-01\n  mac: 00:50:56:00:00:01\n  id: vm-0042\n"
        "  uuid: 423e2434-be65-4cc2-9677-0baa6a107b75\n"
        "  disks: [{size: 40Gi, key: 2000}, {datastore: ds_01, count: 0.5}]\n\n"
        "  note: 'rack 0042, row 7: ok!'\n"
    )
    assert len(value(entry * 2000)) == 2000  # type: ignore[arg-type]
