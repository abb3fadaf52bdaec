"""The benchmark runs, on estates so small that it takes no time, and counts what it says it counts."""

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).with_name("bench.py")


def bench(*arguments: str) -> str:
    done = subprocess.run([sys.executable, BENCH, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_size_is_compiled_and_compared_with_the_one_before() -> None:
    found = json.loads(bench("--json", "10", "20"))
    first, second = found["compile"]
    assert (first["vms"], first["growth"], second["vms"]) == (10, None, 20)
    assert 0 < first["files"] < second["files"]
    assert second["growth"] > 0
    assert min(first["seconds"], first["mebibytes"], first["edit"], first["check"], found["checkMinimalSeconds"]) > 0


def test_the_table_has_a_line_a_size() -> None:
    lines = bench("10").splitlines()
    assert lines[0].split() == ["VMs", "seconds", "peak", "MiB", "files", "growth", "edit", "s", "check", "s", "growth"]
    assert lines[1].split()[0] == "10"
    assert lines[-1].startswith("vmferry check of the minimal spec:")
