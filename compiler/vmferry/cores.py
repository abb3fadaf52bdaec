"""Spreads work over all cores, in separate processes: the same results in the same order."""

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

S = TypeVar("S")
I = TypeVar("I")  # noqa: E741 - an item
R = TypeVar("R")

_PORTIONS = 8  # for each worker: few enough to cost little, enough for all to end at about the same time
_state: Any = None  # of a worker; a forked one finds there what was prepared before it began


def count() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(
    work: Callable[[S, I], R], items: Sequence[I], state: S, prepare: Callable[[], S], *, least: int = 2
) -> Iterator[R]:
    """Yield ``work(state, item)`` for each item, in the order of the items.

    Fewer items than ``least`` are processed here. If processes can be forked safely they inherit ``state``; otherwise
    ``prepare`` creates it again in each process, and ``prepare``, ``work`` and the items must be picklable. Exceptions
    of ``work`` are raised here.
    """
    workers = min(count(), len(items))
    if workers < 2 or len(items) < least:
        yield from (work(state, item) for item in items)
        return
    from concurrent.futures import ProcessPoolExecutor  # takes 15 ms that small jobs do not need

    global _state
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()  # or each worker would print the buffered output
    _state, forked = (state, True) if _may_fork() else (None, False)
    context = multiprocessing.get_context("fork" if forked else "spawn")
    gc.freeze()  # pages that nobody touches are never copied
    size = max(1, len(items) // (workers * _PORTIONS))
    portions = [items[start : start + size] for start in range(0, len(items), size)]
    pool = ProcessPoolExecutor(workers, context, _begin, (None if forked else prepare,))
    try:
        futures = [pool.submit(_work, work, portion) for portion in portions]
        for future in futures:
            yield from future.result()
    finally:
        pool.shutdown(cancel_futures=True)
        _state = None
        gc.unfreeze()


def _may_fork() -> bool:
    """Return whether no other thread can hold a lock now, for which a forked process would wait forever."""
    return sys.platform == "linux" and threading.active_count() == 1


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
