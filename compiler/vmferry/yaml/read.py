"""Reads untrusted YAML 1.2, and refuses what another YAML reader would read differently.

The text is read by yaml-rs. PyYAML's C scanner, some twelve times as slow but with a position for every event, only
walks it if yaml-rs fails, or if the text may contain a tag, an alias or an ambiguous number.
"""

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import yaml_rs

from vmferry.model.finding import Finding, Span, SpecError, Where
from vmferry.model.rule import Rule
from vmferry.yaml.faults import (
    ALIAS_EXPANSION,
    AMBIGUOUS_SCALAR,
    DUPLICATE_KEY,
    FILE_TOO_LARGE,
    KEY_NOT_STRING,
    NOT_UTF8,
    UNPARSABLE_YAML,
    YAML_TAG,
)
from vmferry.yaml.positions import events, line_text

if TYPE_CHECKING:
    import yaml

MAX_BYTES = 32 * 2**20
MAX_LINE_BYTES = 2**20
MAX_DEPTH = 64
MAX_ALIAS_NODES = 100_000
MAX_FINDINGS = 50
_TOO_DEEP = (
    f"lists and mappings are nested more than {MAX_DEPTH} levels deep",
    "Check brackets and indentation.",
)


class Document(NamedTuple):
    """One YAML document: the file it is in, its number there (from 0), and its value."""

    file: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    data: Any


def read(raw: bytes, file: str) -> list[Document]:
    """Return the documents of a file; an empty document has the value None.

    Raises SpecError with findings (VMF001 to VMF007 and VMF010) at the exact position.
    """
    text = joined(decode(raw, file))
    count = None
    if _needs_walk(text):
        count = _Walk(text, file).run()
    try:
        data = yaml_rs.loads(
            text,
            parse_datetime=False,
            # The walk has already refused everything near these limits.
            alias_limits=yaml_rs.AliasLimits(max_total_replayed_events=1_000_000, max_replay_stack_depth=256),
            duplicate_key_policy=yaml_rs.DuplicateKeyPolicy.Error,
        )
    except Exception as error:
        _Walk(text, file).run()
        raise SpecError(_unlocated(str(error), text, file)) from None
    if count is None:
        count = _count_documents(text)
    values = _split(data, count)
    if values is None or not _is_plain(values):
        _Walk(text, file).run()
        raise SpecError(_unlocated("YAML readers disagree on the structure of this file", text, file))
    return [Document(file, index, value) for index, value in enumerate(values)]


def decode(raw: bytes, file: str) -> str:
    r"""Return the text of a file without byte order mark and with ``\n`` as its only line ending.

    Raises SpecError: VMF006 for a file or a line that is too large, VMF007 for invalid UTF-8.
    """
    _check_size(raw, file)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(_not_utf8(raw, error, file)) from None
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if raw.translate(None, _ORDINARY_BYTES) or not text.isascii():
        _check_characters(text, file)
    return text


_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


def readable(raw: bytes) -> str:
    """Return the text of a file as `read` takes it, whatever is wrong with it: for showing lines of it."""
    return joined(raw[:MAX_BYTES].decode("utf-8-sig", errors="replace"))


def joined(text: str) -> str:
    r"""Return a text in which JSON's two escapes for one character, ``\ud83d\ude00``, become one YAML escape.

    A backslash is only an escape in double quotes. Half a character stays unchanged, and is refused.
    """
    if "\\u" not in text or not _PAIR.search(text):
        return text
    parts: list[tuple[int, str, str]] = []  # where in the new text, the old and the new escape
    pieces, last, length = [], 0, 0
    for match in _PAIR.finditer(text):
        high, low = int(match[2], 16), int(match[3], 16)
        new = f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"
        start = match.end(1)
        length += start - last
        parts.append((length, text[start : match.end()], new))
        pieces += [text[last:start], new]
        length += len(new)
        last = match.end()
    quoted = _quoted("".join([*pieces, text[last:]]))
    for number, (at, old, _) in enumerate(parts):
        while quoted and quoted[-1][1] <= at:
            quoted.pop()
        if not quoted or at < quoted[-1][0]:
            pieces[2 * number + 1] = old
    return "".join([*pieces, text[last:]])


def _quoted(text: str) -> list[tuple[int, int]]:
    """Return the positions of double-quoted texts, last first, as far as the text can be read."""
    import yaml

    found: list[tuple[int, int]] = []
    with suppress(yaml.YAMLError):
        scalars: Iterator[Any] = (event for event in events(text) if type(event) is yaml.ScalarEvent)
        found.extend((each.start_mark.index, each.end_mark.index) for each in scalars if each.style == '"')
    return found[::-1]


# --- bytes and characters ---------------------------------------------------------------------------

_ORDINARY_BYTES = bytes([9, 10, 13, *range(0x20, 0x7F), *range(0x80, 0x100)])

# What YAML 1.2 does not allow (c-printable, section 5.1), plus three characters that it allows but that YAML 1.1
# readers treat as line breaks, and the byte order mark, which is invisible.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def _check_size(raw: bytes, file: str) -> None:
    if len(raw) > MAX_BYTES:
        raise SpecError(
            FILE_TOO_LARGE.finding(
                f"the file is larger than {MAX_BYTES // 2**20} MiB",
                "Split it into several files; a spec may include any number of VirtualMachineSet files.",
                where=Where(file=file, span=Span(1, 1, 1, 2)),
            )
        )
    start = 0
    while len(raw) - start > MAX_LINE_BYTES:
        end = start + MAX_LINE_BYTES + 1
        line_end = max(raw.rfind(b"\n", start, end), raw.rfind(b"\r", start, end))
        if line_end < 0:
            line, column = _line_column(raw[:start].decode("utf-8", "replace"))
            raise SpecError(
                FILE_TOO_LARGE.finding(
                    f"line {line} is longer than {MAX_LINE_BYTES // 2**20} MiB",
                    "Check that this is a YAML file. A generated file needs line breaks.",
                    where=Where(file=file, span=Span(line, column, line, column + 1)),
                )
            )
        start = line_end + 1


def _not_utf8(raw: bytes, error: UnicodeDecodeError, file: str) -> Finding:
    # A codec with a byte order mark counts from after it.
    body = raw.removeprefix(b"\xef\xbb\xbf")
    line, column = _line_column(body[: error.start].decode("utf-8", "replace"))
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        message = "the file is UTF-16, not UTF-8"
        remedy = "Save it as UTF-8; in PowerShell: Out-File -Encoding utf8, in Notepad: Save as, Encoding UTF-8."
    else:
        message = f"byte 0x{body[error.start]:02x} is not UTF-8 text"
        remedy = "Save the file as UTF-8. Windows programs often write accented letters in a code page like 1252."
    where = Where(file=file, span=Span(line, column, line, column + 1))
    return NOT_UTF8.finding(message, remedy, where=where)


def _check_characters(text: str, file: str) -> None:
    match = _FORBIDDEN.search(text)
    if match is None:
        return
    code = ord(match[0])
    line, column = _line_column(text[: match.start()])
    remedy = f'Remove it, or write it as "\\u{code:04x}" in double quotes.'
    if code == 0:
        remedy = "Save the file as UTF-8 text: a zero byte comes from UTF-16 or from a binary file."
    elif code == 0xFEFF:
        remedy = "Remove this invisible byte order mark; it often comes from joining two files."
    message = f"control character U+{code:04X} is not allowed here"
    if code in (0x85, 0x2028, 0x2029):
        message = f"character U+{code:04X} ends a line for some YAML readers and not for others"
    where = Where(file=file, span=Span(line, column, line, column + 1))
    raise SpecError(NOT_UTF8.finding(message, remedy, where=where))


def _line_column(before: str) -> tuple[int, int]:
    """Return line and column, from 1, of the character that follows ``before``."""
    before = before.replace("\r\n", "\n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - before.rfind("\n")


# --- what makes the slow walk necessary -------------------------------------------------------------

# Where a plain scalar that is one of these words may end; a space may also precede a longer text.
_END = r"(?=[ \t]*+(?:[\n,\]}#]|:[ \t\n]|:?\Z))"

# Most scalars must fail at their first characters here: this runs over every value of a large file.
_TOKEN = (
    r"(?=[!*&+\-._0-9=<])(?:&[^\s,\[\]{}]++[ \t]++)?+"
    rf"(?:[!*]|(?:=|<<){_END}|[-+]?(?:"
    rf"0(?:[0-9]++(?:[eE][-+]?[0-9]++)?+|[xXoObB][0-9a-fA-F_]++){_END}"
    rf"|\.(?:[iI][nN][fF]|[nN][aA][nN]){_END}"
    rf"|_[-+._0-9eE]*+{_END}"
    r"|(?=[.0-9]++[_eE]|[.0-9]{19})(?:"
    rf"[.0-9]++(?:[eE][-+]?[0-9]*+)?_[-+._0-9eE]*+{_END}"
    rf"|[.0-9]++[eE]\+?[0-9]{{3}}[0-9]*+{_END}"
    rf"|[0-9]{{19}}[0-9]*+{_END}"
    r"|[.0-9]{200})))"
)
# After an indicator or a line break, so that `web-01` and the end of a MAC address are skipped; several searches,
# because one that starts with fixed characters takes a fraction of the time.
_CANDIDATES = tuple(
    re.compile(before + _TOKEN)
    for before in (
        r": [ \t]*+",
        r":\t[ \t]*+",
        r"\n(?:---[ \t]++)?+[ \t]*+(?:[?:\-][ \t]++)*+",
        r",[ \t]*+(?:\?[ \t]++)?+",
        r"\[[ \t]*+(?:\?[ \t]++)?+",
        r"\{[ \t]*+(?:\?[ \t]++)?+",
        '":',
        "':",
    )
)
# yaml-rs overflows its stack at about 8,000 nested block collections; a line cannot open more than two per column. The
# two parsers read a tab at the start of a line differently.
_DEEP_OR_TAB = re.compile(r"\n(?:[ \t?:\-]{200}| *+\t)")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def _needs_walk(text: str) -> bool:
    """Whether the text may contain something that yaml-rs accepts and vmferry does not."""
    lines = "\n" + text
    return (
        "\n%" in lines
        or "\n..." in lines
        or _DEEP_OR_TAB.search(lines) is not None
        or ("\\u" in text and _SURROGATE_ESCAPE.search(text) is not None)
        or any(candidate.search(lines) is not None for candidate in _CANDIDATES)
    )


_MARKER = re.compile(r"(?m)^---(?=[ \t\n]|\Z)")
_CONTENT = re.compile(r"(?m)^[ \t]*+[^ \t\n#]")


def _count_documents(text: str) -> int:
    """Count the documents of a text in which no line starts with ``%`` or ``...``.

    ``---`` in the first column is always a document marker (YAML 1.2, c-forbidden).
    """
    markers = [match.start() for match in _MARKER.finditer(text)]
    bare = _CONTENT.search(text, 0, markers[0] if markers else len(text)) is not None
    return len(markers) + bare


def _split(data: Any, count: int) -> list[Any] | None:
    """Return the values of ``count`` documents; None if yaml-rs read a different number."""
    if count == 0:
        return [] if data is None else None
    if count == 1:
        return [data]
    return data if type(data) is list and len(data) == count else None


_COLLECTIONS = frozenset((dict, list))


def _is_plain(values: list[Any]) -> bool:
    """Whether all keys are strings and nothing is nested too deeply."""
    level = [value for value in values if type(value) in _COLLECTIONS]
    for _ in range(MAX_DEPTH):
        keys: list[Any] = []
        below: list[Any] = []
        for collection in level:
            if type(collection) is dict:
                keys += collection
                collection = collection.values()
            below += [value for value in collection if type(value) in _COLLECTIONS]
        if not set(map(type, keys)) <= {str}:
            return False
        if not below:
            return True
        level = below
    return False


# --- plain scalars ----------------------------------------------------------------------------------

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_RADIX = re.compile(r"[-+]?0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|nan)", re.IGNORECASE)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+(?:[eE][-+]?[0-9]+)?")
_NUMBER_START = frozenset("+-._0123456789")
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = frozenset(("true", "True", "TRUE", "false", "False", "FALSE"))
_MAX_INT_DIGITS = 19  # of 2**63 - 1

_QUOTE = "Put it in quotes if it is text"


def _is_number(value: str) -> bool:
    return any(shape.fullmatch(value) for shape in (_FLOAT, _RADIX, _NOT_FINITE))


def _kind(value: str) -> str:
    """Return the type of a plain scalar in YAML 1.2 (core schema, section 10.3.2); "" for a string."""
    if value in _NULL:
        return "empty" if value == "" else "null"
    if value in _BOOL:
        return "a boolean"
    return "a number" if value[0] in _NUMBER_START and _is_number(value) else ""


def _disagreement(value: str) -> tuple[str, str] | None:
    """Return why readers disagree on a plain scalar and what to write instead, or None."""
    if value == "<<":
        return "merge keys (`<<`) are not part of YAML 1.2", "Write the fields out."
    if value == "=":
        return "a plain `=` has a meaning of its own in YAML 1.1", "Put it in quotes."
    if value[:1] not in _NUMBER_START:
        return None
    if _RADIX.fullmatch(value):
        return (
            "YAML readers disagree on hexadecimal, octal and binary numbers",
            f"{_QUOTE}, or use decimals.",
        )
    if _NOT_FINITE.fullmatch(value):
        return "infinity and not-a-number are not accepted", f"{_QUOTE}, or use a finite number."
    if "_" in value:
        bare = value.replace("_", "")
        if _is_number(bare):
            return (
                "some YAML readers drop the `_` and read a number",
                f"{_QUOTE}, or write only the digits.",
            )
        return None
    if _LEADING_ZERO.fullmatch(value):
        return (
            "some YAML readers take a number with a leading zero as octal, others as decimal or text",
            f"{_QUOTE}, or remove the leading zero.",
        )
    return _out_of_range(value)


def _out_of_range(value: str) -> tuple[str, str] | None:
    if _INT.fullmatch(value):
        # Count digits first: int() refuses very long numbers, or is slow.
        if len(value.lstrip("+-")) > _MAX_INT_DIGITS or not -(2**63) <= int(value) < 2**63:
            return "the number does not fit into 64 bits", f"{_QUOTE}, such as a serial number."
    elif _FLOAT.fullmatch(value) and math.isinf(float(value)):
        return "the number is too large for a 64-bit float", f"{_QUOTE}, such as a serial number."
    return None


def _shown(value: str) -> str:
    value = value.replace("\n", "\\n")
    return f"`{value[:40]}…`" if len(value) > 40 else f"`{value}`"


# --- the slow walk ----------------------------------------------------------------------------------


class _Anchored(NamedTuple):
    """The target of an anchor: nodes after expansion, nesting depth, key text."""

    nodes: int
    height: int
    key: str | None
    kind: str


class _Frame:
    """A collection whose end has not been seen; ``keys`` maps each key to its line, from 1."""

    __slots__ = ("anchor", "expects_key", "height", "keys", "mapping", "nodes")

    def __init__(self, mapping: bool, anchor: str | None) -> None:
        self.keys: dict[str, int] = {}
        self.mapping = mapping
        self.expects_key = mapping
        self.anchor = anchor
        self.nodes = 1
        self.height = 1


class _Place(NamedTuple):
    """A position in libyaml's counting, from 0."""

    line: int
    column: int


_TAG = re.compile(r"(?:&\S++\s++)?+(!\S*)")


class _Stop(Exception):  # noqa: N818
    """Ends a walk early; the finding is already recorded."""


class _Walk:
    """One pass over PyYAML's events that records everything vmferry does not accept."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._findings: list[Finding] = []
        self._document = -1
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchored | None] = {}
        self._expanded = 0

    def run(self) -> int:
        """Return the number of documents; raise SpecError if there is anything to refuse."""
        import yaml

        handlers = {
            yaml.DocumentStartEvent: self._on_document,
            yaml.ScalarEvent: self._on_scalar,
            yaml.AliasEvent: self._on_alias,
            yaml.MappingStartEvent: self._on_start,
            yaml.SequenceStartEvent: self._on_start,
            yaml.MappingEndEvent: self._on_end,
            yaml.SequenceEndEvent: self._on_end,
        }
        try:
            for event in events(self._text):
                handler = handlers.get(type(event))
                if handler is not None:
                    handler(event)
        except yaml.MarkedYAMLError as error:
            self._findings.append(_syntax_error(error, self._text, self._file, max(self._document, 0)))
        except _Stop:
            pass
        if self._findings:
            raise SpecError(*self._findings)
        return self._document + 1

    def _add(self, rule: Rule, message: str, remedy: str, start: Any, end: Any = None) -> None:
        span = _span(self._text, start, end)
        where = Where(file=self._file, document=max(self._document, 0), span=span)
        self._findings.append(rule.finding(message, remedy, where=where))
        if len(self._findings) >= MAX_FINDINGS:
            raise _Stop

    def _on_document(self, event: Any) -> None:
        self._document += 1
        self._anchors = {}
        if event.tags:
            self._add(
                YAML_TAG,
                "`%TAG` declares YAML tags, and vmferry accepts none",
                "Remove this line.",
                event.start_mark,
            )
        if event.version == (1, 1):
            self._add(
                UNPARSABLE_YAML,
                "the file says that it is YAML 1.1; vmferry reads YAML 1.2",
                "Remove the `%YAML` line. In 1.2 the words yes, no, on and off are text.",
                event.start_mark,
            )

    def _on_scalar(self, event: Any) -> None:
        value: str = event.value
        plain = not event.style and event.tag is None
        kind = _kind(value) if plain else ""
        if event.tag is not None:
            self._refuse_tag(event)
        is_key = self._is_key()
        if is_key:
            self._on_key(value, kind, event)
        if plain and not (is_key and kind):
            self._refuse_ambiguous(value, event)
        self._add_node(1, 0)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(1, 0, None if kind else value, kind)

    def _refuse_ambiguous(self, value: str, event: Any) -> None:
        found = _disagreement(value)
        if found is not None:
            why, remedy = found
            self._add(AMBIGUOUS_SCALAR, f"{_shown(value)}: {why}", remedy, event.start_mark, event.end_mark)

    def _refuse_tag(self, event: Any) -> None:
        start = event.start_mark
        token = _TAG.match(self._text, start.index)
        shown = token[1] if token else event.tag
        self._add(
            YAML_TAG,
            f"{_shown(shown)} is a YAML tag, and vmferry accepts none",
            "Remove the tag. Text that starts with `!` must be in quotes.",
            _Place(start.line, start.column + (token.start(1) - start.index if token else 0)),
            _Place(start.line, start.column + (token.end(1) - start.index)) if token else event.end_mark,
        )

    def _is_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].expects_key

    def _on_key(self, value: str, kind: str, event: Any) -> None:
        """Check a scalar, or an alias of one, in the place of a key."""
        if kind:
            what = f"the key {_shown(value)} is {kind}, not text" if value else "the key is empty"
            self._add(KEY_NOT_STRING, what, "Put the key in quotes if it is meant.", event.start_mark, event.end_mark)
            return
        keys = self._stack[-1].keys
        if value in keys:
            self._add(
                DUPLICATE_KEY,
                f"the key {_shown(value)} is already used on line {keys[value]}",
                "Keep one of the two; YAML readers that accept both use the last.",
                event.start_mark,
                event.end_mark,
            )
            return
        keys[value] = event.start_mark.line + 1

    def _on_alias(self, event: Any) -> None:
        shown = _shown("*" + event.anchor)
        pattern = "A pattern such as '*-web' must be in quotes."
        if event.anchor not in self._anchors:
            what = f"{shown} refers to an anchor that is not defined above"
            self._add(UNPARSABLE_YAML, what, pattern, event.start_mark, event.end_mark)
            target: _Anchored | None = _Anchored(1, 0, event.anchor, "")
        else:
            target = self._anchors[event.anchor]
        if target is None:
            what = f"{shown} refers to the value that it is part of"
            self._add(ALIAS_EXPANSION, what, "Write the value out.", event.start_mark, event.end_mark)
            raise _Stop
        self._expanded += target.nodes
        if self._expanded > MAX_ALIAS_NODES:
            what = f"the aliases up to here stand for more than {MAX_ALIAS_NODES:,} values"
            self._add(ALIAS_EXPANSION, what, "Write the values out.", event.start_mark, event.end_mark)
            raise _Stop
        if len(self._stack) + target.height > MAX_DEPTH:
            self._refuse_depth(event)
        if self._is_key():
            if target.key is None:
                what = f"the key {shown} is {target.kind}, not text"
                self._add(KEY_NOT_STRING, what, "Write the key out.", event.start_mark, event.end_mark)
            else:
                self._on_key(target.key, "", event)
        self._add_node(target.nodes, target.height)

    def _on_start(self, event: Any) -> None:
        import yaml

        if event.tag is not None:
            self._refuse_tag(event)
        mapping = type(event) is yaml.MappingStartEvent
        if self._is_key():
            what = f"a {'mapping' if mapping else 'list'} is used as a key"
            remedy = "Keys are text. A value that starts with `{` or `[` must be in quotes."
            self._add(KEY_NOT_STRING, what, remedy, event.start_mark, event.end_mark)
        if len(self._stack) >= MAX_DEPTH:
            self._refuse_depth(event)
        self._stack.append(_Frame(mapping, event.anchor))
        if event.anchor is not None:
            self._anchors[event.anchor] = None

    def _refuse_depth(self, event: Any) -> NoReturn:
        self._add(FILE_TOO_LARGE, *_TOO_DEEP, event.start_mark)
        raise _Stop

    def _on_end(self, _event: Any) -> None:
        frame = self._stack.pop()
        if frame.anchor is not None:
            kind = "a mapping" if frame.mapping else "a list"
            self._anchors[frame.anchor] = _Anchored(frame.nodes, frame.height, None, kind)
        self._add_node(frame.nodes, frame.height)

    def _add_node(self, nodes: int, height: int) -> None:
        """Add a complete node to the counts of its collection."""
        if self._stack:
            frame = self._stack[-1]
            frame.nodes += nodes
            frame.height = max(frame.height, height + 1)
            frame.expects_key = frame.mapping and not frame.expects_key


def _span(text: str, start: Any, end: Any = None) -> Span:
    """Return the span between two marks, cut to its first line, or of one character."""
    line, column = start.line, start.column
    if end is None or (end.line, end.column) <= (line, column):
        return Span(line + 1, column + 1, line + 1, column + 2)
    if end.line == line:
        return Span(line + 1, column + 1, line + 1, end.column + 1)
    width = len(line_text(text, line + 1).rstrip())
    return Span(line + 1, column + 1, line + 1, max(width, column + 1) + 1)


# --- syntax errors ----------------------------------------------------------------------------------

_UNCLOSED = "Close it, or put text that starts with a bracket in quotes."
_QUOTE_TEXT = "Text that begins with one of @ ` % & * ! | > must be in quotes."

# libyaml's message, vmferry's message, how to fix it, and whether its context is the better place.
_SYNTAX: tuple[tuple[str, str, str, bool], ...] = (
    (
        "mapping values are not allowed",
        "a `:` follows where a key is not possible",
        "Put text that contains `: ` in quotes; keys of one mapping start in the same column.",
        False,
    ),
    (
        "block sequence entries are not allowed",
        "a list cannot start here",
        "Start each `- ` on a line of its own; put text that starts with `- ` in quotes.",
        False,
    ),
    ("found unexpected end of stream", "the quote is never closed", "Close the quote.", True),
    ("found unexpected document indicator", "the quote is never closed", "Close the quote.", True),
    ("did not find expected ',' or ']'", "this `[` is not closed, or a comma is missing", _UNCLOSED, True),
    ("did not find expected ',' or '}'", "this `{` is not closed, or a comma is missing", _UNCLOSED, True),
    ("did not find expected alphabetic or numeric character", "a name must follow here", _QUOTE_TEXT, False),
    ("could not find expected ':'", "a key without `:`", "Write `key: value`.", True),
    (
        "did not find expected key",
        "this does not fit the mapping it is in",
        "Keys of one mapping start in the same column; nothing may follow a closing quote or bracket.",
        False,
    ),
    (
        "did not find expected '-' indicator",
        "this does not fit the list it is in",
        "Every entry of a list starts with `- ` in the same column.",
        False,
    ),
    (
        "did not find expected node content",
        "a value is expected here",
        "Remove the extra bracket or comma; put text that starts with one in quotes.",
        False,
    ),
    (
        "found unknown escape character",
        "there is no such escape in double quotes",
        "Write \\\\ for a backslash, or use single quotes: 'C:\\temp'.",
        False,
    ),
    (
        "found invalid Unicode character escape code",
        "this escape names half a character",
        "Write the character itself, or \\U and its eight hexadecimal digits.",
        False,
    ),
    ("found a tab character", "a tab is used for indentation", "Indent with spaces.", False),
    (
        "did not find expected comment or line break",
        "nothing may follow `|` or `>` on this line",
        "Start the text on the next line, indented; or put text that starts with `|` in quotes.",
        False,
    ),
    ("directive name", "a line that starts with `%` is a directive", _QUOTE_TEXT, True),
    ("found unexpected non-alphabetical", "a line that starts with `%` is a directive", _QUOTE_TEXT, True),
    ("found incompatible YAML document", "the file names an unknown YAML version", "Remove the line.", False),
    ("did not find expected <document start>", "a new document starts without `---`", "Check it.", False),
)


def _syntax_error(error: "yaml.MarkedYAMLError", text: str, file: str, document: int) -> Finding:
    """Translate one of libyaml's errors for people who do not know its terms."""
    problem = error.problem or "the text cannot be read"
    mark = error.problem_mark or error.context_mark
    rule, message, remedy = UNPARSABLE_YAML, problem, "Check quotes, brackets and indentation."
    if "nesting depth" in problem:  # the limit of libyaml 0.2.6, which looks ahead of the events it gives
        rule, (message, remedy) = FILE_TOO_LARGE, _TOO_DEEP
    if problem.startswith("found character that cannot start"):
        message, remedy = _bad_start(text, mark)
    for needle, words, how, at_context in _SYNTAX:
        if needle in problem:
            message, remedy = words, how
            if at_context and error.context_mark is not None:
                mark = error.context_mark
            break
    if mark is not None and _CONFLICT.match(line_text(text, mark.line + 1)):
        message, remedy = "a merge conflict is not resolved", "Keep one side, and remove the lines with the markers."
    span = _clamped(text, mark) if mark is not None else Span(1, 1, 1, 2)
    where = Where(file=file, document=document, span=span)
    return rule.finding(message, remedy, where=where)


_CONFLICT = re.compile(r"(?:<{7}|>{7}|\|{7}|={7})(?:\s|$)")  # git's conflict markers


def _bad_start(text: str, mark: Any) -> tuple[str, str]:
    character = line_text(text, mark.line + 1)[mark.column : mark.column + 1]
    if character == "\t":
        return "a tab is used for indentation", "Indent with spaces."
    return f"text cannot start with `{character}`", _QUOTE_TEXT


def _clamped(text: str, mark: Any) -> Span:
    """Return the character at a mark; libyaml puts the end of a file on a line that does not exist."""
    line, column = mark.line + 1, mark.column + 1
    last = text.count("\n") + 1
    if line > last:
        line, column = last, len(line_text(text, last)) + 1
    return Span(line, column, line, column + 1)


_POSITION = re.compile(r"line (\d+), column (\d+)")


def _unlocated(problem: str, text: str, file: str) -> Finding:
    """Return the finding for a text that only yaml-rs rejects; its message ends with the reason."""
    position = _POSITION.search(problem)
    line, column = (int(position[1]), int(position[2])) if position else (1, 1)
    reason = problem.strip().splitlines()[-1]
    remedy = "Check quotes, brackets and indentation."
    if "invalid indentation" in reason:
        reason = "a value that continues here must be indented deeper than its key"
        remedy = "Indent the line by two spaces more than the key that the value belongs to."
    line = min(line, text.count("\n") + 1)
    where = Where(file=file, span=Span(line, column, line, column + 1))
    return UNPARSABLE_YAML.finding(reason, remedy, where=where)
