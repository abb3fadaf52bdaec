"""The program's environment: closed streams, terminals with few characters, signals."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from vmferry.cli import Ended

_ENDING = (signal.SIGTERM, signal.SIGHUP)


def prepare() -> None:
    """Make the standard streams usable, whatever their state, and let signals end the program cleanly."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name that cannot be shown must not fail the program
    for number in _ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP, and that must not change
            signal.signal(number, _end)


def _open_streams() -> None:
    """Open closed streams to nothing: otherwise the next file to be opened would become standard output."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
            os.set_inheritable(opened, True)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)  # cleanup takes a moment and must not be interrupted
    raise Ended(number)
