"""Generates estates, compiles and writes them, and counts again: `make soak N=10000`."""

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.properties.estates import Estate, Output, build, estates, staged
from tests.properties.recount import Recount

from vmferry.compile import write

CHUNK = 100
"""Estates that a process does before it says how far it is."""


class Tally(NamedTuple):
    """What came of estates: what was counted, and what is wrong."""

    figures: Counter[str]
    problems: list[str]


def recount(estate: Estate, directory: Path, dice: random.Random) -> Tally:
    """Compile an estate and write it, with its groups at some stage every second time; return what is there."""
    output = build(estate, directory / "planned")
    if dice.random() < 0.5:
        estate = staged(estate, output, dice)
        output = build(estate, directory / "staged", assignments=output.assignments)
    again = Recount(estate.spec, estate.vms, *written(output))
    problems = again.problems()
    return Tally(again.figures + Counter(estates=1, files=len(output.files)), problems)


def written(output: Output) -> tuple[dict[str, bytes], bytes]:
    """Write an output, and return what is on the disk."""
    write(output.compiled)
    root, assignments = output.compiled.root, output.compiled.assignments
    files = {path: (root / path).read_bytes() for path in output.files if path.startswith("bases/")}
    return files, assignments.read_bytes() if assignments and assignments.exists() else b""


def soak(number: int, count: int, max_vms: int) -> Tally:
    """Count again over so many estates; another number makes others."""
    total, problems = Counter[str](), list[str]()

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(estates(max_vms=max_vms), st.randoms(use_true_random=False))
    def each(estate: Estate, dice: random.Random) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            try:
                tally = recount(estate, Path(scratch), dice)
            except Exception as error:  # one more thing to look at: the others go on
                tally = Tally(Counter(estates=1), [f"{type(error).__name__}: {error} for {estate}"])
        total.update(tally.figures)
        problems.extend(tally.problems)

    each()
    return Tally(total, problems)


def main(arguments: list[str]) -> int:
    """Soak in processes side by side, and print the figures; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, help="how many estates")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--max-vms", type=int, default=3, help="VMs of an estate, without templates and clones")
    parser.add_argument("--seed", type=int, default=12)
    options = parser.parse_args(arguments)
    started = time.monotonic()
    shares = [min(CHUNK, options.count - done) for done in range(0, options.count, CHUNK)]
    tasks = [(options.seed * 100_000 + number, share, options.max_vms) for number, share in enumerate(shares)]
    figures, problems = Counter[str](), list[str]()
    with multiprocessing.Pool(options.processes) as pool:
        for tally in pool.imap_unordered(_soak, tasks):
            figures.update(tally.figures)
            problems += tally.problems
            print(f"{figures['estates']:,} estates, {len(problems)} problems", file=sys.stderr, flush=True)
    print(", ".join(f"{name} {count:,}" for name, count in sorted(figures.items())))
    print(f"{len(problems)} problems, {time.monotonic() - started:.0f} s")
    print("\n".join(problems[:50]))
    return 1 if problems else 0


def _soak(task: tuple[int, int, int]) -> Tally:
    return soak(*task)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
