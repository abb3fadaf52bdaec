"""Writes down which real programs the tests ran, so that docs/compatibility.md is about those and no others.

`make compatibility` makes the page of it; .ci/run checks that the page is still true.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path


def ran(program: str, version: str | Callable[[], str], how: str) -> None:
    """Write down that a program was run, if VMFERRY_RAN names a directory for that; only then ask for its version."""
    directory = os.environ.get("VMFERRY_RAN")
    if not directory:
        return
    if callable(version):
        version = version()
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    record = {"program": program, "version": version, "how": how, "when": f"{datetime.now(UTC):%Y-%m-%d}"}
    name = re.sub("[^a-z0-9]+", "-", program.lower()).strip("-")
    part = folder / f"{name}.{os.getpid()}.part"  # tests run side by side
    part.write_text(json.dumps(record), encoding="utf-8")
    part.replace(folder / f"{name}.json")


def module_version(program: Path, module: str) -> str:
    """Return the version of a Go module that a program was built from; without Go, nobody can tell."""
    if shutil.which("go") is None:
        return "of an unknown version"
    done = subprocess.run(["go", "version", "-m", program], capture_output=True, text=True, check=True)
    found = re.search(rf"^\s*(?:mod|dep)\s+{re.escape(module)}\s+(\S+)", done.stdout, re.MULTILINE)
    assert found is not None, f"{program} has nothing of {module}"
    return found[1]
