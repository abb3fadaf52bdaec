"""The benchmark runs, on estates so small that it takes no time, beside a script that prints the same objects."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.bench import estate, measure
from tests.bench.processes import program, vmferry

from vmferry.layout.objects import Key, is_object, key_of, parse

TOP = Path(__file__).parents[2]
PARTS = ("compile", "compare", "memory", "import", "site", "start")


def bench(*arguments: str) -> str:
    command = [sys.executable, "-m", "tests.bench", "--vms", "20", "--repeat", "1", "--only", *PARTS, *arguments]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def objects(directory: Path) -> dict[Key, Any]:
    found = (each for path in directory.rglob("*.yaml") for each in parse(path.read_bytes()))
    return {key_of(each): each for each in found if is_object(each)}


def test_every_row_has_its_bars_and_what_was_measured() -> None:
    found = json.loads(bench("--growth", "40", "--json"))
    assert len(found["rows"]) == 19
    unmeasured = {row["what"].partition(" ")[0] for row in found["rows"] if row["value"] is None}
    assert unmeasured == {"verify", "first"}  # the part was not asked for, and those of 20,000 and 100,000
    assert all(value > 0 for value in found["measures"].values())
    assert found["measures"]["files"] > 20
    assert found["measures"]["compile 40"] > 0


def test_the_script_prints_the_very_objects_that_a_compile_writes(tmp_path: Path) -> None:
    place = measure.Place(tmp_path)
    spec, out = measure.written(place, 60), place.new("out")
    vmferry("compile", spec, "--out", out, cache=place.new("cache"))
    sheet = measure.sheet(place, spec, out)
    compiled = objects(out / "gitops/bases")
    assert {key.kind for key in compiled} > {"VirtualMachine", "DataVolume", "Job", "Plan", "Deployment", "ConfigMap"}
    for reader in ("pyyaml", "yaml-rs"):
        printed = place.new("printed")
        program(sys.executable, measure.SCRIPT, spec, sheet, printed, reader)
        assert objects(printed / "bases") == compiled


def test_an_edit_changes_one_vm_and_nothing_else(tmp_path: Path) -> None:
    estate.write(tmp_path, 40)
    before = {path: path.read_text() for path in tmp_path.rglob("*.yaml")}
    estate.edit(tmp_path, 7)
    changed = [path for path, text in before.items() if path.read_text() != text]
    assert [path.name for path in changed] == ["cluster-1.yaml"]
    lines = zip(before[changed[0]].splitlines(), changed[0].read_text().splitlines(), strict=True)
    assert [new for old, new in lines if old != new] == ['  memory: "7Gi"']
