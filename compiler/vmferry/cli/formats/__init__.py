"""Formats of findings for other programs: one module per format, with `render`."""

import hashlib
import importlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vmferry.model.finding import Finding

_MOVING = re.compile(r"\[\d+\]|\bline \d+")  # numbers in a message that change when something is inserted above


def render(style: str, findings: tuple[Finding, ...], texts: Mapping[str, str]) -> str:
    """Return findings in a format for programs, without a newline at the end."""
    function: Callable[[tuple[Finding, ...], Mapping[str, str]], str]
    function = importlib.import_module(f"{__name__}.{style}").render
    return function(findings, texts)


def fingerprints(findings: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield what tells each finding from all others, and stays when lines move.

    It consists of the rule, the file, the VMs and the message, and a number if several are equal.
    """
    numbers: Counter[str] = Counter()
    for finding in findings:
        message = _MOVING.sub("", finding["message"])
        parts = (finding["code"], relative(finding["file"] or ""), *finding["vms"], message)
        digest = hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:32]
        numbers[digest] += 1
        yield f"{digest}:{numbers[digest]}"


def relative(file: str) -> str:
    """Return a path relative to the working directory, as reviewers' tools expect it, if it is below it."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else file
