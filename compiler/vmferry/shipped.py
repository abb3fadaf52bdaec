"""Where the files that vmferry ships lie: JSON Schemas and phase components."""

from functools import cache
from pathlib import Path


@cache
def shipped(kind: str) -> Path:
    """Return the folder of ``schemas`` or ``overlays``: in the wheel, or at the top of an editable install.

    Raises FileNotFoundError where the installation is incomplete.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "_data" / kind, package.parent.parent / kind):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"vmferry is not installed completely: {kind}/ is missing")
