"""Runs whole programs, startup included, and says how long they took and how much memory they held."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_PROGRAM = "from vmferry.cli import program; program()"
# As a user has it, modules are compiled once; where a machine forbids that, every start would compile them again.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
    "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir(), "vmferry-bench-pycache"))
}
_PAUSE = 0.02  # seconds between two looks at the memory


class Run(NamedTuple):
    """One program that ran to its end."""

    seconds: float
    cpu: float  # seconds that it and its workers had a processor: other programs on the machine do not count
    mebibytes: float  # most memory that it and its workers held at once; 0 if nobody asked


def vmferry(*arguments: str | Path, cache: Path | None = None, measured: bool = False) -> Run:
    """Run the command line with a cache directory of its own; with ``measured``, watch its memory as well.

    Raises RuntimeError with what it printed if it fails.
    """
    extra = {"VMFERRY_CACHE_DIR": str(cache)} if cache is not None else {}
    return program(sys.executable, "-c", _PROGRAM, *arguments, environment=extra, measured=measured)


def program(*arguments: str | Path, environment: Mapping[str, str] | None = None, measured: bool = False) -> Run:
    """Run a program in a process of its own. Raises RuntimeError with what it printed if it fails."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, arguments)),
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT | dict(environment or {}),
        )
        watch = _Watch(process.pid) if measured else None
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        mebibytes = watch.stop() if watch else 0.0
        if process.returncode:
            output.seek(0)
            raise RuntimeError(output.read().decode(errors="replace")[-4000:])
    # getrusage knows the largest process alone, in bytes on macOS and in KiB elsewhere
    largest = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return Run(seconds, usage.ru_utime + usage.ru_stime, max(mebibytes, largest) if measured else 0.0)


class _Watch:
    """Looks again and again at what a process and its descendants hold; pages that they share count once."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._most = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """Return the most that was seen, in MiB."""
        self._over.set()
        self._thread.join()
        return self._most

    def _look(self) -> None:
        while not self._over.wait(_PAUSE):
            self._most = max(self._most, sum(map(_held, _family(self._pid))) / 1024)


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(each for child in children for each in _family(int(child)))]


def _held(pid: int) -> int:
    """Return the proportional set size of a process in KiB, 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
