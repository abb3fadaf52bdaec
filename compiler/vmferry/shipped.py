"""The place of vmferry's shipped files: JSON Schemas and phase components."""

from functools import cache
from pathlib import Path


@cache
def shipped(kind: str) -> Path:
    """Return the folder of ``schemas`` or ``overlays``: in the wheel, or at the root of an editable install.

    Raises FileNotFoundError if the installation is incomplete.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "_data" / kind, package.parent.parent / kind):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"vmferry is not installed completely: {kind}/ is missing")
