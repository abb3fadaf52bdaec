"""Reads untrusted YAML 1.2, and refuses what another YAML reader would read differently.

The text is read by yaml-rs. PyYAML's C scanner, some twelve times as slow but with a position for every event, only
walks it if yaml-rs fails, or if the text may contain a tag, an alias or an ambiguous number.
"""

import re
from itertools import chain
from typing import Any, NamedTuple

import yaml_rs

from vmferry.model.finding import SpecError
from vmferry.yaml.text import MAX_DEPTH, decode, joined


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
        count = _walked(text, file)
    try:
        data = yaml_rs.loads(
            text,
            parse_datetime=False,
            # The walk has already refused everything near these limits.
            alias_limits=yaml_rs.AliasLimits(max_total_replayed_events=1_000_000, max_replay_stack_depth=256),
            duplicate_key_policy=yaml_rs.DuplicateKeyPolicy.Error,
        )
    except Exception as error:
        _walked(text, file)
        raise _refusal(str(error), text, file) from None
    if count is None:
        count = _count_documents(text)
    values = _split(data, count)
    if values is None or not _is_plain(values):
        _walked(text, file)
        raise _refusal("YAML readers disagree on the structure of this file", text, file)
    return [Document(file, index, value) for index, value in enumerate(values)]


def _walked(text: str, file: str) -> int:
    """Return the number of documents; raise SpecError if there is anything to refuse."""
    from vmferry.yaml.walk import Walk  # most files never need it: imported on demand

    return Walk(text, file).run()


def _refusal(problem: str, text: str, file: str) -> SpecError:
    from vmferry.yaml.syntax import unlocated

    return SpecError(unlocated(problem, text, file))


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
        dicts = [each for each in level if type(each) is dict]
        if not set(map(type, chain.from_iterable(dicts))) <= {str}:
            return False
        parts = chain(map(dict.values, dicts), (each for each in level if type(each) is list))
        level = [value for value in chain.from_iterable(parts) if type(value) in _COLLECTIONS]
        if not level:
            return True
    return False
