"""Runs vmferry on hostile files: `python -m tests.fuzz.target 100000` soaks, the tests here take a few of each kind.

A run ends by itself with exit code 0, 1 or 2, shows no traceback, and writes nowhere but where it was told to.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import FrameType
from typing import NoReturn

import yaml
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from tests.cli.test_check import SPEC, vm
from tests.fuzz import imports
from tests.fuzz.mutations import texts, values
from tests.invocation import Result, vmferry

CORPUS = Path(__file__).parent / "corpus"
ACME = Path(__file__).resolve().parents[2] / "examples" / "acme"
GOOD = f"{SPEC}vms:\n{vm('web-01')}groups: {{first-01: {{stage: prepared}}}}\n".encode()
KINDS = ("spec", "assignments", "evidence", "lock", "estate", *imports.IMPORTS)
EVIDENCE = b"""apiVersion: vmferry.dev/v1alpha1
kind: Evidence
metadata: {name: acme}
entries:
- {group: first-01, vm: vc1/web-01, name: web-01, what: conversion, attempt: 1, outcome: succeeded}
- {group: first-01, what: signOff, attempt: 1, stage: prepared, outcome: succeeded, by: ada, note: checked}
"""
LIMIT = 60  # seconds; more is a hang, even on a machine with too much to do
CHUNK = 50


class HungError(AssertionError):
    """A run did not end by itself."""


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raise HungError where what is inside takes longer."""

    def hung(_number: int, _frame: FrameType | None) -> NoReturn:
        raise HungError(f"no end within {seconds} s")

    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def seeds(kind: str) -> list[bytes]:
    """Return the corpus of a kind: files that once went wrong, or nearly did."""
    folder = CORPUS / kind
    return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.is_dir() else []


@cache
def good_tree() -> dict[str, bytes]:
    """Return the files of a small migration, compiled."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "spec").mkdir()
        (root / "spec/spec.yaml").write_bytes(GOOD)
        done = vmferry("compile", root / "spec", "--out", root / "out")
        assert done.code == 0, done.text
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@cache
def _estate() -> bytes:
    """Return the example that uses most of what a spec may say, with a VM of each of its files."""
    spec = yaml.safe_load((ACME / "spec.yaml").read_bytes())
    for section in ("include", "groups"):
        del spec[section]
    spec["vms"] = [yaml.safe_load(path.read_bytes())["vms"][0] for path in sorted((ACME / "vms").iterdir())]
    return yaml.safe_dump(spec, sort_keys=False).encode()


PLACES = {
    "spec": "spec/spec.yaml",
    "estate": "spec/spec.yaml",
    "assignments": "spec/assignments.yaml",
    "evidence": "spec/evidence.yaml",
    "lock": "out/gitops/locks/first/first-01.lock",
}


def good(kind: str) -> bytes:
    """Return a file of a kind that is fine."""
    if kind == "evidence":
        return EVIDENCE
    return _estate() if kind == "estate" else good_tree()[PLACES[kind]]


VERBS = ("check --format json SPEC", "compile SPEC --out OUT")


def survives(kind: str, raw: bytes, verbs: Sequence[str] = VERBS) -> None:
    """Assert that vmferry survives a file."""
    if kind in imports.IMPORTS:
        _is_imported(kind, raw)
        return
    with tempfile.TemporaryDirectory() as directory, limited(LIMIT):
        root = Path(directory)
        lay_out(root, {} if kind in ("spec", "estate") else good_tree())
        spec, out = root / "spec", root / "out"
        (root / PLACES[kind]).write_bytes(raw)
        before = _outside(root)
        for verb in verbs:
            ended(vmferry(*verb.replace("SPEC", str(spec)).replace("OUT", str(out)).split(" ")))
        assert _outside(root) - {"spec/assignments.yaml"} == before - {"spec/assignments.yaml"}, "a run wrote elsewhere"


def _is_imported(kind: str, raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory, limited(LIMIT):
        root = Path(directory) / "within"
        root.mkdir()
        for result in imports.run(kind, raw, root):
            ended(result)
        assert {path.name for path in root.iterdir()} <= set(imports.WRITTEN), "a run wrote elsewhere"
        assert [path.name for path in Path(directory).iterdir()] == ["within"], "a run wrote outside"


def lay_out(root: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a directory, which has a folder for a spec and one for its output."""
    for folder in ("spec", "out"):
        (root / folder).mkdir()
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def ended(result: Result) -> None:
    """Assert that a run ended as one may."""
    assert result.code in (0, 1, 2), result.text
    assert "Traceback (most recent" not in result.text, result.text


def _outside(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.relative_to(root).parts[0] not in ("out",)}


def inputs(kind: str) -> st.SearchStrategy[bytes]:
    """Return hostile files of a kind."""
    if kind in imports.IMPORTS:
        return imports.inputs(kind, seeds(kind))
    base = good(kind)
    broken = st.sampled_from([base, *seeds(kind)]).flatmap(texts)
    return broken if kind == "lock" else values(base) | broken


def soak(task: tuple[int, str, int]) -> tuple[int, str]:
    """Try so many files of a kind; return how many, and what went wrong with one."""
    number, kind, count = task
    tried = 0

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        verbosity=Verbosity.quiet,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(raw=inputs(kind))
    def run(raw: bytes) -> None:
        nonlocal tried
        tried += 1
        try:
            survives(kind, raw, (VERBS[tried % len(VERBS)],))  # twice as many files in the time
        except AssertionError as error:
            raise AssertionError(f"{kind} {raw!r}: {error}") from None

    try:
        run()
    except AssertionError as error:
        return tried, str(error)
    return tried, ""


def main() -> int:
    """Soak: `python -m tests.fuzz.target N`, and to go on where another soak ended, `N FROM`."""
    count, begun = (int(sys.argv[at]) if len(sys.argv) > at else default for at, default in ((1, 1000), (2, 0)))
    numbers = range(begun // CHUNK, -(-(begun + count) // CHUNK))
    tasks = [(number, KINDS[number % len(KINDS)], CHUNK) for number in numbers]
    begin, total, problems = time.monotonic(), 0, []
    with multiprocessing.Pool(int(os.environ.get("JOBS", os.cpu_count() or 1))) as pool:
        for tried, problem in pool.imap_unordered(soak, tasks):
            total += tried
            if problem:
                problems.append(problem)
                print(problem, file=sys.stderr)
            print(f"{total} hostile files, {len(problems)} problems", file=sys.stderr, flush=True)
    print(f"{total} hostile files in {time.monotonic() - begin:.0f} s, {len(problems)} problems")
    print(*problems, sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
