"""Formats of findings for other programs: one module per format, with `render`."""

import importlib
from collections.abc import Callable, Mapping

from vmferry.model.finding import Finding


def render(style: str, findings: tuple[Finding, ...], texts: Mapping[str, str]) -> str:
    """Return findings in a format for programs, without a newline at the end."""
    function: Callable[[tuple[Finding, ...], Mapping[str, str]], str]
    function = importlib.import_module(f"{__name__}.{style}").render
    return function(findings, texts)
