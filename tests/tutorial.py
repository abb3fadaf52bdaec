"""Runs docs/tutorial.md from top to bottom, and writes what its commands print.

Usage: python -m tests.tutorial
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tutorial.md"
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_TIMES = re.compile(r"\d+\.\d+ s\b")


def written(text: str, scratch: Path) -> tuple[str, list[str]]:
    """Return the page with what its commands print, and the commands that failed."""
    failed: list[str] = []

    def block(match: re.Match[str]) -> str:
        lines = []
        for command in (line[2:] for line in match[1].splitlines() if line.startswith("$ ")):
            done = _run(command, scratch)
            if done.returncode:
                failed.append(f"{command}\n{done.stdout}")
            output = _TIMES.sub("0.1 s", done.stdout).replace(f"{scratch}/", "")
            lines += [f"$ {command}", *(line.rstrip() for line in output.splitlines())]
        return "```console\n" + "".join(f"{line}\n" for line in lines) + "```"

    return _BLOCK.sub(block, text), failed


def _run(command: str, scratch: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in Bash, with vmferry as it is here; both streams, as on a terminal."""
    programs = scratch / ".bin"
    programs.mkdir(exist_ok=True)
    vmferry = programs / "vmferry"
    vmferry.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vmferry "$@"\n', encoding="utf-8")
    vmferry.chmod(0o755)
    who = {f"GIT_{role}_{what}": "ops@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    env = os.environ | who | {"PATH": f"{programs}:{os.environ['PATH']}", "CLONE": str(ROOT), "NO_COLOR": "1"}
    env |= {"VMFERRY_CACHE_DIR": str(scratch / ".cache"), "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(
        ["bash", "-c", f"{{ {command}; }} 2>&1"],
        cwd=_home(scratch),
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _home(scratch: Path) -> Path:
    home = scratch / "repository"
    home.mkdir(exist_ok=True)
    return home


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        page, failures = written(PAGE.read_text(encoding="utf-8"), Path(name).resolve())
    sys.stderr.write("".join(f"failed: {each}\n" for each in failures))
    PAGE.write_text(page, encoding="utf-8")
    raise SystemExit(bool(failures))
