"""Spreads work over all cores, in separate processes: the same results in the same order."""

import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

S = TypeVar("S")
I = TypeVar("I")  # noqa: E741 - an item
R = TypeVar("R")

_PORTIONS = 16  # per worker: few enough to cost little, and small, because results wait in memory
_SWITCH = 0.0005  # seconds
_CALLS = 256  # calls of the system in a portion
_THREADS = 4
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_state: Any = None  # of a worker; a forked one finds there what was prepared before it began


class Portable(Struct, frozen=True, array_like=True):
    """A result that travels between processes as msgpack: pickling its Structs would take several times as long."""

    def __reduce__(self) -> "tuple[Callable[[type[Portable], bytes], Portable], tuple[type[Portable], bytes]]":
        """Return what makes it again."""
        return _unpacked, (type(self), msgspec.msgpack.encode(self))


def _unpacked(form: type[Portable], raw: bytes) -> Portable:
    return msgspec.msgpack.decode(raw, type=form)


def count() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(
    work: Callable[[S, I], R],
    items: Sequence[I],
    state: S,
    prepare: Callable[[], S] | None = None,
    *,
    least: int = 2,
) -> Iterator[R]:
    """Yield ``work(state, item)`` for each item, in the order of the items.

    Fewer items than ``least`` are worked on here. Where a process can be forked safely it has ``state`` as it is,
    otherwise ``prepare``, which can be pickled as ``work`` and the items can, makes it there again; without it, all is
    done here. What ``work`` raises is raised here.
    """
    cores, forks = min(count(), len(items)), _may_fork()
    if cores < 2 or len(items) < least or not (forks or prepare):
        yield from (work(state, item) for item in items)
        return
    import multiprocessing  # with the next one, 20 ms that small jobs do not need
    from concurrent.futures import ProcessPoolExecutor

    global _state
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()  # or each worker would print the buffered output
    _state = state if forks else None
    context = multiprocessing.get_context("fork" if forks else "spawn")
    gc.freeze()  # pages that nobody touches are never copied
    own = len(items) // cores  # this process does its part, whose results need not travel
    size = max(1, (len(items) - own) // ((cores - 1) * _PORTIONS))
    portions = [items[start : start + size] for start in range(own, len(items), size)]
    pool = ProcessPoolExecutor(cores - 1, context, _begin, (None if forks else prepare,))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)  # or a worker waits for its next portion while this process does its part
    try:
        futures = [pool.submit(_work, work, portion) for portion in portions]
        yield from (work(state, item) for item in items[:own])
        for future in futures:
            yield from future.result()
    finally:
        pool.shutdown(cancel_futures=True)
        sys.setswitchinterval(interval)
        _state = None
        gc.unfreeze()


def overlapped(work: Callable[[Sequence[I]], R], items: Sequence[I]) -> Iterator[R]:
    """Yield what ``work`` makes of each of some portions of the items, in their order.

    Many portions are worked on by threads: that is for calls of the system, which do not wait for each other.
    """
    portions = [items[start : start + _CALLS] for start in range(0, len(items), _CALLS)]
    if len(portions) < 2 or count() < 2:
        yield from map(work, portions)
        return
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(min(count(), _THREADS))
    try:
        yield from pool.map(work, portions)
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def beside(work: Callable[[], bytes]) -> Iterator[Callable[[], bytes]]:
    """Do ``work`` in another process while the body runs; yield what waits for its result.

    That is empty if the work failed, or if no process can be forked. Work that nobody waited for ends with the body.
    """
    if not _may_spare():
        yield lambda: b""
        return
    reading, writing = os.pipe()
    parent, child = os.getpid(), os.fork()
    if not child:
        try:
            _end_with(parent)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # its parent ends it
            with os.fdopen(writing, "wb") as result:
                result.write(work())
        finally:
            os._exit(0)  # nothing of the parent's is flushed or closed twice
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as result:
            yield result.read
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@contextlib.contextmanager
def aside(work: Callable[[], object]) -> Iterator[None]:
    """Do ``work`` in another process while the body runs, and wait for it; where none can be forked, do it first.

    If it fails, nothing says so.
    """
    if not _may_spare():
        with contextlib.suppress(Exception):
            work()
        yield
        return

    def finished() -> bytes:
        work()
        return b""

    with beside(finished) as wait:
        try:
            yield
        finally:
            wait()


def trim() -> None:
    """Give free memory back to the system, where it can be asked for that."""
    import ctypes

    with contextlib.suppress(AttributeError, OSError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def _may_fork() -> bool:
    """Return whether no other thread can hold a lock now, for which a forked process would wait forever."""
    return sys.platform == "linux" and threading.active_count() == 1


def _may_spare() -> bool:
    """Return whether there is a processor for another process, and one can be forked."""
    return count() > 1 and _may_fork()


def _end_with(parent: int) -> None:
    """Let this process end when ``parent`` does, even if that is killed."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _begin(prepare: Callable[[], Any] | None) -> None:
    """Prepare a worker. Ctrl-C is meant for the parent process, which ends its workers."""
    global _state
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    gc.disable()
    if prepare is not None:
        _state = prepare()


def _work(work: Callable[[Any, Any], R], items: Sequence[Any]) -> list[R]:
    return [work(_state, item) for item in items]
