"""JSON documents that stand in a row, as several calls of kubectl or curl leave them in one file."""

import json
import re
from collections.abc import Iterator
from typing import Any, Literal

_SPACE = re.compile(r"\s*")


class NotJsonError(Exception):
    """A text that is no such row: what is wrong, and at which byte (encoding) or from which line on."""

    def __init__(self, fault: Literal["encoding", "empty", "nesting", "syntax"], place: int = 0) -> None:
        super().__init__(fault, place)
        self.fault = fault
        self.place = place


def documents(raw: bytes) -> Iterator[tuple[Any, str]]:
    """Yield each document with its text. Raises NotJsonError, also after some of them."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotJsonError("encoding", error.start) from None
    decoder, place = json.JSONDecoder(), _start(text, 0)
    if place == len(text):
        raise NotJsonError("empty")
    while place < len(text):
        try:
            value, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            fault: Literal["nesting", "syntax"] = "nesting" if isinstance(error, RecursionError) else "syntax"
            raise NotJsonError(fault, text.count("\n", 0, place) + 1) from None
        yield value, text[place:end]
        place = _start(text, end)


def _start(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found is not None else place
