"""Text from vSphere as the model takes it: bounded and never empty."""

from typing import Any

_LIMIT = 1024  # of the model's Text


def text(value: Any) -> str | None:
    """Return a text, cut to what the model takes; None for an empty one."""
    return str(value)[:_LIMIT] if value else None
