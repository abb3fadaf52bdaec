"""A scratch copy of vmferry to extend, as somebody would who adds a kind of something; it counts what that touches."""

import difflib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.invocation import Result

import vmferry
from vmferry.shipped import shipped

PACKAGE = Path(vmferry.__file__).parent
_BESIDE = ("overlays", "schemas")  # what the wheel has within the package


class Scratch:
    """A copy of vmferry's package and what it ships: files are added there, lines registered, and it runs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.package = directory / "compiler/vmferry"
        # With what Python compiled, for the modules that stay the same; without the many files of the rules' examples.
        shutil.copytree(PACKAGE, self.package, ignore=shutil.ignore_patterns("VMF*"))
        for name in _BESIDE:
            shutil.copytree(shipped(name), directory / name)

    def add(self, path: str, text: str) -> None:
        """Add a file of the package."""
        target = self.package / path
        assert not target.exists(), f"{path} exists"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def register(self, path: str, line: str, *, after: str) -> None:
        """Add a line to a file of the package, behind the only line that ends with ``after``."""
        target = self.package / path
        lines = target.read_text(encoding="utf-8").splitlines(keepends=True)
        [place] = [number for number, each in enumerate(lines, 1) if each.rstrip("\n").endswith(after)]
        target.write_text("".join([*lines[:place], f"{line}\n", *lines[place:]]), encoding="utf-8")

    def touched(self) -> dict[str, list[str]]:
        """Return the files that differ from vmferry's own, with the lines that were added or taken away."""
        result: dict[str, list[str]] = {}
        for path in sorted(self.package.rglob("*")):
            name = path.relative_to(self.package)
            if path.is_dir() or "__pycache__" in name.parts or path.suffix in (".pyc", ".so"):
                continue
            before = (PACKAGE / name).read_bytes() if (PACKAGE / name).is_file() else b""
            if path.read_bytes() != before:
                lines = difflib.ndiff(before.decode().splitlines(), path.read_text(encoding="utf-8").splitlines())
                result[name.as_posix()] = [line for line in lines if line[:1] in "+-"]
        return result

    def added(self) -> tuple[list[str], dict[str, list[str]]]:
        """Return the files that are new, and the lines that changed in those that were there."""
        touched = self.touched()
        new = [name for name in touched if not (PACKAGE / name).exists()]
        return new, {name: lines for name, lines in touched.items() if name not in new}

    def vmferry(self, *args: str | Path) -> Result:
        """Run the copy, and not the package that is installed."""
        command = "import sys; sys.path.insert(0, sys.argv.pop(1)); from vmferry.cli import program; program()"
        done = subprocess.run(
            [sys.executable, "-c", command, str(self.package.parent), *map(str, args)],
            capture_output=True,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
            timeout=60,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())
