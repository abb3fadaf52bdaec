"""Makes text from other people's vCenters harmless in a terminal."""

import json


def printable(text: str) -> str:
    """Return text that can neither move the cursor nor hide: names come from other people's vCenters."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def printable_lines(text: str) -> str:
    """Return a text of several lines, each printable."""
    return "\n".join(map(printable, text.split("\n")))
