"""Runs `vmferry` as a user would: in this process, or in one of its own where that matters."""

import contextlib
import gc
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from vmferry import cli


class Result(NamedTuple):
    """What a run left behind."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Return standard output, read as JSON."""
        return json.loads(self.out)

    @property
    def text(self) -> str:
        """Return everything that a terminal would have shown."""
        return self.out + self.err


def vmferry(*args: str | Path, stdin: bytes = b"") -> Result:
    """Run the command line in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    argv, standard_input = sys.argv, sys.stdin
    sys.argv, sys.stdin = ["vmferry", *map(str, args)], io.TextIOWrapper(io.BytesIO(stdin))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.run()
    except SystemExit as error:
        return Result(int(error.code or 0), *(stream.buffer.getvalue().decode() for stream in (out, err)))
    finally:
        sys.argv, sys.stdin = argv, standard_input
        gc.enable()  # run() disables it for the short life of a program
    raise AssertionError("run() always exits")


def process(*args: str | Path, stdin: bytes = b"", env: dict[str, str] | None = None) -> Result:
    """Run the command line in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "vmferry", *map(str, args)],
        input=stdin,
        capture_output=True,
        env=os.environ | (env or {}),
        timeout=60,
        check=False,
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())
