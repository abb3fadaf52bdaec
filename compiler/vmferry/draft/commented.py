"""Builds YAML text with comments at their places: rows in flow style, everything unsafe in quotes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Quote = Callable[[str], str]
"""Returns a text as a YAML scalar on one line, plain or in double quotes, whatever characters it has."""


class Decision(NamedTuple):
    """A decision for a person, and where to write it."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


class Page:
    """One file of the draft, written from top to bottom."""

    def __init__(self, file: str, quote: Quote) -> None:
        self.file = file
        self.decisions: list[Decision] = []
        self._quote = quote
        self._lines: list[str] = []

    @property
    def text(self) -> str:
        """Return the file's text."""
        return "\n".join(self._lines) + "\n"

    def write(self, line: str = "", comment: str = "") -> None:
        """Write a line of YAML, with a comment after it."""
        self._lines.append(f"{line} # {self._safe(comment)}" if comment else line)

    def note(self, text: str, pad: str = "") -> None:
        """Write a comment on its own line."""
        self._lines.append(f"{pad}# {self._safe(text)}")

    def todo(self, text: str, *, pad: str = "", line: str | None = None) -> None:
        """Write a decision for a person: after ``line``, or on its own line."""
        self._lines.append(f"{pad if line is None else f'{line} '}# TODO: {self._safe(text)}")
        self.decisions.append(Decision(self.file, len(self._lines), self._safe(text)))

    def value(self, value: Any) -> str:
        """Return a value in flow style; a text that starts with TODO stays plain, so that people find it."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        if isinstance(value, str):
            return self._quote(value)
        if isinstance(value, Mapping):
            return "{" + ", ".join(f"{self._quote(key)}: {self.value(item)}" for key, item in value.items()) + "}"
        if isinstance(value, Sequence):
            return "[" + ", ".join(self.value(item) for item in value) + "]"
        raise TypeError(type(value).__name__)

    def listed(self, texts: Iterable[str], most: int = 8) -> str:
        """Return names for a comment: the first ones, quoted if necessary, and how many more there are."""
        names = list(texts)
        shown = ", ".join(self._quote(name) for name in names[:most])
        return f"{shown} and {len(names) - most} more" if len(names) > most else shown

    def _safe(self, text: str) -> str:
        """Return a text that stays on its line and shows invisible characters."""
        scalar = self._quote(text)
        if not scalar.startswith('"'):
            return scalar
        return scalar[1:-1].replace('\\"', '"').replace("\\\\", "\\")
