"""Where the values of a YAML text are found."""

from hypothesis import given, settings
from hypothesis import strategies as st

from vmferry.model.finding import Path, Span
from vmferry.yaml.positions import line_of, locate

TEXT = """\
# a spec
metadata: {name: acme, labels: {a: 1,
  b: 2}}
"é ü": &anchor 'x'   # comment
networks:
  - source: web  # first
    target:
      nad: br1
  -   - 1
      - two words
empty:
text: |
  one
  two
quoted: "a
  b"
base: &base
  cpu: 2
copy: *base
---
second:
- {name: x}
"""


def underlined(*path: str | int, key: bool = False, document: int = 0, text: str = TEXT) -> tuple[int, str] | None:
    """Return the line and the part of it that the span covers."""
    wanted: tuple[int, Path, bool] = (document, path, key)
    span = locate(text, [wanted]).get(wanted)
    if span is None:
        return None
    assert span.line == span.end_line
    return span.line, line_of(text, span.line)[span.column - 1 : span.end_column - 1]


def test_scalar_is_found_from_start_to_end() -> None:
    assert underlined("metadata", "name") == (2, "acme")
    assert underlined("networks", 0, "source") == (6, "web")
    assert underlined("networks", 1, 0) == (9, "1")
    assert underlined("networks", 1, 1) == (10, "two words")
    assert underlined("second", 0, "name", document=1) == (22, "x")


def test_columns_count_characters() -> None:
    assert locate("é: ü\n", [(0, ("é",), False)]) == {(0, ("é",), False): Span(1, 4, 1, 5)}


def test_byte_order_mark_and_windows_line_ends_move_nothing() -> None:
    assert locate("\ufeffa: 1\r\nb: 2\r\n", [(0, ("b",), False)]) == {(0, ("b",), False): Span(2, 4, 2, 5)}


def test_key_is_found() -> None:
    assert underlined("metadata", "labels", key=True) == (2, "labels")
    assert underlined("é ü", key=True) == (4, '"é ü"')
    assert underlined("networks", 0, "target", "nad", key=True) == (8, "nad")


def test_key_of_a_list_entry_is_the_entry() -> None:
    assert underlined("networks", 1, 1, key=True) == (10, "two words")


def test_block_collection_covers_the_content_of_its_first_line() -> None:
    assert underlined() == (2, "metadata: {name: acme, labels: {a: 1")
    assert underlined("networks") == (6, "- source: web")
    assert underlined("networks", 0) == (6, "source: web")
    assert underlined("networks", 0, "target") == (8, "nad: br1")
    assert underlined("networks", 1) == (9, "- 1")
    assert underlined("second", document=1) == (22, "- {name: x}")


def test_flow_collection_is_cut_at_its_first_line() -> None:
    assert underlined("second", 0, document=1) == (22, "{name: x}")
    assert underlined("metadata") == (2, "{name: acme, labels: {a: 1")
    assert underlined("metadata", "labels") == (2, "{a: 1")


def test_text_of_several_lines_is_cut_at_its_first_line() -> None:
    assert underlined("text") == (12, "|")
    assert underlined("quoted") == (15, '"a')


def test_empty_value_is_found_at_its_key() -> None:
    assert underlined("empty") == (11, "empty")


def test_value_behind_an_alias_is_found_at_the_alias() -> None:
    assert underlined("copy") == (19, "*base")
    assert underlined("copy", "cpu") == (19, "*base")
    assert underlined("copy", "cpu", key=True) == (19, "*base")


def test_missing_field_is_found_at_the_key_of_its_mapping() -> None:
    assert underlined("networks", 0, "target", "missing") == (7, "target")
    assert underlined("networks", 7) == (5, "networks")
    assert underlined("base", "missing", "deeper", 3, key=True) == (17, "base")


def test_missing_field_of_a_list_entry_is_found_at_its_first_key() -> None:
    assert underlined("networks", 0, "missing") == (6, "source")


def test_missing_field_of_a_document_is_found_at_its_first_key() -> None:
    assert underlined("missing") == (2, "metadata")
    assert underlined("missing", document=1) == (21, "second")


def test_missing_field_of_a_flow_mapping_is_found_at_the_mapping() -> None:
    assert underlined("second", 0, "missing", document=1) == (22, "{name: x}")


def test_path_through_a_scalar_is_found_at_the_scalar() -> None:
    assert underlined("networks", 0, "source", "a", 1) == (6, "web")


def test_first_of_two_equal_keys_is_found() -> None:
    assert underlined("a", text="a: 1\na: 2\n") == (1, "1")


def test_document_that_does_not_exist_is_not_found() -> None:
    assert underlined("a", document=2) is None
    assert underlined(text="") is None
    assert underlined("a", text="# c\n") is None


def test_many_places_are_found_in_one_pass() -> None:
    wanted = [(0, ("networks", 0, "source"), False), (1, ("second",), True), (0, (), False)]
    assert set(locate(TEXT, wanted)) == set(wanted)
    assert locate(TEXT, []) == {}


def test_what_stands_before_an_error_is_found() -> None:
    broken = "a: 1\nb: {c: 2}\nd: [\ne: 'x\n"
    assert underlined("b", "c", text=broken) == (2, "2")
    assert underlined("e", text=broken) == (1, "a")
    assert underlined("a", text="'") is None


def test_line_is_given_without_its_end_and_cut() -> None:
    assert line_of("a\r\nb\n\nc", 1) == "a"
    assert line_of("a\r\nb\n\nc", 2) == "b"
    assert line_of("a\r\nb\n\nc", 3) == ""
    assert line_of("a\r\nb\n\nc", 4) == "c"
    assert line_of("a\n", 9) == ""
    assert len(line_of("x" * 10_000, 1)) == 200


PATHS = st.lists(st.integers(0, 3) | st.sampled_from(["a", "b", "networks", ""]), max_size=4).map(tuple)


@given(
    st.text("[]{}-?:,#&*|>'\" \nab1", max_size=40),
    st.lists(st.tuples(st.integers(0, 2), PATHS, st.booleans())),
)
@settings(max_examples=400, deadline=None)
def test_any_text_gives_spans_within_one_line(text: str, wanted: list[tuple[int, Path, bool]]) -> None:
    for item, span in locate(text, wanted).items():
        assert item in wanted
        assert span.line == span.end_line
        assert 1 <= span.column < span.end_column
        assert span.line <= text.count("\n") + 1


def test_span_of_a_list_within_a_line_ends_with_its_bracket() -> None:
    text = "vms: [{name: a, dependsOn: [b, c], os: linux}]\n"
    span = locate(text, [(0, ("vms", 0, "dependsOn"), False)])[0, ("vms", 0, "dependsOn"), False]
    assert text[span.column - 1 : span.end_column - 1] == "[b, c]"
