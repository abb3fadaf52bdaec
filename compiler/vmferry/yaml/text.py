"""Decodes files: refuses what is too large, not UTF-8, or a character that YAML readers disagree on."""

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from vmferry.model.finding import Finding, Span, SpecError, Where
from vmferry.model.rule import declare
from vmferry.yaml.positions import events

MAX_BYTES = 32 * 2**20
MAX_LINE_BYTES = 2**20
MAX_DEPTH = 64
TOO_DEEP = (
    f"lists and mappings are nested more than {MAX_DEPTH} levels deep",
    "Check brackets and indentation.",
)

FILE_TOO_LARGE = declare(
    "VMF006",
    "error",
    "file is too large or too deep",
    why="The limits are far beyond what people write: a file that exceeds them was picked up by mistake, or made to "
    "exhaust its reader. The inventory of a large estate has one file per vSphere cluster, so it stays below "
    "them.",
)

NOT_UTF8 = declare(
    "VMF007",
    "error",
    "file is not UTF-8 text",
    why="Read in the wrong encoding, the names of VMs, folders and datastores are not the ones that vCenter knows, "
    "and nothing matches them. Invisible control characters do the same harm, and no reviewer sees them.",
    source="YAML 1.2.2, sections 5.1 and 5.2",
)


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
    """Return the text of a file in the form of `read`, even if invalid, to show lines of it."""
    return joined(raw[:MAX_BYTES].decode("utf-8-sig", errors="replace"))


def encoded(text: str, raw: bytes) -> bytes:
    """Return a text as bytes, with a byte order mark if the file's earlier content, ``raw``, had one."""
    return (codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b"") + text.encode()


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


# --- bytes and characters -----------------------------------------------------------------------------------

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
    body = raw.removeprefix(codecs.BOM_UTF8)
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


# --- characters of values ---------------------------------------------------------------------------

UNFIT = re.compile("[\x7f\ufffe\uffff]")
"""Characters that go-yaml, and so kustomize, cannot read."""

UNFIT_CHARACTER = declare(
    "VMF019",
    "error",
    "character that manifests cannot carry",
    why="kustomize rejects a whole file for one such character, and with it the group that the file belongs to. It "
    "usually comes from copy and paste, and vCenter shows it as nothing or as a box.",
    source="go-yaml/yaml readerc.go: control characters are not allowed",
)
