"""Translates the errors of YAML parsers for people who do not know their terms."""

import re
from typing import TYPE_CHECKING, Any

from vmferry.model.finding import Finding, Span, Where
from vmferry.model.rule import declare
from vmferry.yaml.positions import line_text
from vmferry.yaml.text import FILE_TOO_LARGE, TOO_DEEP

if TYPE_CHECKING:
    import yaml

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


UNPARSABLE_YAML = declare(
    "VMF001",
    "error",
    "YAML cannot be parsed",
    why="Nothing after such a place can be trusted: VMs defined further down would be missing. The usual causes are a "
    "colon or a bracket in unquoted text, a tab, or an unresolved merge conflict.",
)


def syntax_error(error: "yaml.MarkedYAMLError", text: str, file: str, document: int) -> Finding:
    """Translate one of libyaml's errors for people who do not know its terms."""
    problem = error.problem or "the text cannot be read"
    mark = error.problem_mark or error.context_mark
    rule, message, remedy = UNPARSABLE_YAML, problem, "Check quotes, brackets and indentation."
    if "nesting depth" in problem:  # the limit of libyaml 0.2.6, which looks ahead of the events it gives
        rule, (message, remedy) = FILE_TOO_LARGE, TOO_DEEP
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


def unlocated(problem: str, text: str, file: str) -> Finding:
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
