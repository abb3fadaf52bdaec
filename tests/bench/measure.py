"""What the benchmark measures, part by part: seconds or counts by name, the fastest of several rounds."""

import csv
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml_rs
from tests.bench import estate, workbook
from tests.bench.processes import program, vmferry

SCRIPT = Path(__file__).with_name("jinja") / "script.py"
_MINIMAL = Path(__file__).parents[2] / "examples/minimal"
_START_UPS = 5

Measures = dict[str, float]


class Place:
    """Gives out directories that nobody used yet, and removes none.

    ext4 is many times as slow with new files while it remembers deleted ones.
    """

    def __init__(self, top: Path) -> None:
        self._top = top
        self._given = 0

    def new(self, name: str) -> Path:
        """Return the path of a directory that does not exist."""
        self._given += 1
        return self._top / f"{self._given:03d}-{name}"


def compile_and_verify(place: Place, pristine: Path, *, verify: bool) -> Measures:
    """Return one round over an estate: all that is set in relation to each other is measured in a row."""
    spec, out, cache = _copy(place, pristine), place.new("out"), place.new("cache")
    found = {"compile": vmferry("compile", spec, "--out", out, cache=cache).seconds}
    found |= _jinja(place, spec, out)
    found["files"] = sum(path.is_file() for path in out.rglob("*"))
    # The first one wrote assignments.yaml, which is an input: VMs of prepared groups are frozen from then on.
    found["compile again"] = vmferry("compile", spec, "--out", out, cache=cache).seconds
    found["compile unchanged"] = vmferry("compile", spec, "--out", out, cache=cache).seconds
    if verify:
        found["verify"] = vmferry("verify", out, cache=cache).seconds
    estate.edit(spec, 5)
    found["compile edited"] = vmferry("compile", spec, "--out", out, cache=cache).seconds
    if verify:
        found["verify edited"] = vmferry("verify", out, cache=cache).seconds
    cache = place.new("cache")
    found["check"] = vmferry("check", spec, cache=cache).seconds
    estate.edit(spec, 6)
    found["check edited"] = vmferry("check", spec, cache=cache).seconds
    return found


def comparisons(place: Place, pristine: Path) -> Measures:
    """Return what verbs on a committed estate take, its first compile among them.

    `advance` follows on the compile that was committed, as in a migration. An edit was compiled and compared once
    before `diff` is measured, as by whoever wrote it: what a commit contained is looked up from then on.
    """
    top, cache = place.new("repository"), place.new("cache")
    spec = top / "migration"
    shutil.copytree(pristine, spec)
    found = {"compile committed": vmferry("compile", spec, "--out", top, cache=cache).seconds}
    vmferry("compile", spec, "--out", top, cache=cache)
    _git(top, "init", "--quiet")
    _git(top, "add", "--all")
    _git(top, "commit", "--quiet", "--message", "all")
    found["status"] = vmferry("status", spec, cache=cache).seconds
    group = estate.next_group(spec)
    found["advance"] = vmferry("advance", spec, group, "--dry-run", cache=cache).seconds
    estate.move(spec, group, "migrating")
    vmferry("diff", spec, cache=cache)
    found["diff"] = vmferry("diff", spec, cache=cache).seconds
    found["diff edited"] = _after_edit(spec, cache)
    return found


def _after_edit(spec: Path, cache: Path) -> float:
    """Return what a `diff` takes after a fact of one VM changed."""
    estate.edit(spec, 6)
    return vmferry("diff", spec, cache=cache).seconds


def _git(top: Path, *words: str) -> None:
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")
    subprocess.run(("git", *who, *words), cwd=top, check=True, capture_output=True)


def memory(place: Place, pristine: Path) -> Measures:
    """Return the peak of a first compile. It is a run of its own, since looking takes time."""
    run = vmferry("compile", _copy(place, pristine), "--out", place.new("out"), cache=place.new("cache"), measured=True)
    return {"mebibytes": run.mebibytes}


def first_compile(place: Place, pristine: Path) -> Measures:
    """Return what a first compile takes."""
    spec, out, cache = _copy(place, pristine), place.new("out"), place.new("cache")
    return {"compile": vmferry("compile", spec, "--out", out, cache=cache).seconds}


def imports(place: Place, book: Path) -> Measures:
    """Return what importing a workbook takes, and what openpyxl takes to read its cells."""
    command = f"import sys; sys.path.insert(0, {str(_MINIMAL.parents[1])!r})"
    command += "; from pathlib import Path; from tests.bench.workbook import read_cells; read_cells(Path(sys.argv[1]))"
    return {
        "import": vmferry("import", "rvtools", book, "--out", place.new("inventory"), cache=place.new("cache")).seconds,
        "openpyxl": program(sys.executable, "-c", command, book).seconds,
    }


def site(place: Place, pristine: Path) -> Measures:
    """Return what all reports of an estate take, as a site and as one file, beside the script that prints its VMs.

    All of it is seconds of CPU, and the sizes are in MB.
    """
    spec, out, cache = _copy(place, pristine), place.new("out"), place.new("cache")
    vmferry("compile", spec, "--out", out, cache=cache)
    decided, pages, file = sheet(place, spec, out), place.new("site"), place.new("site").with_suffix(".html")
    found = {
        "site": vmferry("report", "site", spec, "--out", pages, cache=cache).cpu,
        "site, Jinja2": program(sys.executable, SCRIPT, spec, decided, place.new("printed"), "pyyaml").cpu,
    }
    vmferry("report", "site", spec, "--out", file, "--single-file", cache=cache)
    sizes = {"site megabytes": sum(path.stat().st_size for path in pages.iterdir())}
    sizes["file megabytes"] = file.stat().st_size
    return found | {name: size / 1e6 for name, size in sizes.items()}


def start_up(place: Place) -> Measures:
    """Return the seconds that `vmferry check` of the minimal spec takes."""
    spec, cache = _MINIMAL, place.new("cache")
    if not spec.is_dir():
        spec = place.new("minimal")
        vmferry("init", spec)
    return {"check minimal": min(vmferry("check", spec, cache=cache).seconds for _ in range(_START_UPS))}


def written(place: Place, count: int) -> Path:
    """Return a directory with the spec of an estate."""
    spec = place.new("pristine")
    estate.write(spec, count)
    return spec


def written_workbook(place: Place, count: int) -> Path:
    """Return the workbook of an estate."""
    book = place.new("export").with_suffix(".xlsx")
    workbook.write(book, count)
    return book


def sheet(place: Place, spec: Path, out: Path) -> Path:
    """Return a directory with what a team decides before it writes a script: who moves with whom, how to convert."""
    directory = place.new("sheet")
    directory.mkdir()
    assigned = yaml_rs.loads((spec / "assignments.yaml").read_text(), parse_datetime=False)["vms"]
    with (directory / "groups.csv").open("w", newline="") as file:
        csv.writer(file).writerows((key.partition("/")[2], each["group"]) for key, each in assigned.items())
    found = (each for path in sorted(out.glob("gitops/bases/*/*/access/access-*.yaml")) for each in _documents(path))
    script = next(each for each in found if each["kind"] == "ConfigMap")
    (directory / "convert.sh").write_text(script["data"]["convert.sh"])
    return directory


def fastest(rounds: Iterator[Measures]) -> Measures:
    """Return the least of each value over several rounds."""
    least: Measures = {}
    for each in rounds:
        least |= {name: min(value, least.get(name, value)) for name, value in each.items()}
    return least


def _copy(place: Place, pristine: Path) -> Path:
    spec = place.new("spec")
    shutil.copytree(pristine, spec)
    return spec


def _jinja(place: Place, spec: Path, out: Path) -> Measures:
    """Return what the script takes with PyYAML's C reader, as such scripts have it, and with the fastest one."""
    decided = sheet(place, spec, out)
    return {
        name: program(sys.executable, SCRIPT, spec, decided, place.new("printed"), reader).seconds
        for name, reader in (("jinja", "pyyaml"), ("jinja, fastest reader", "yaml-rs"))
    }


def _documents(path: Path) -> list[dict[str, Any]]:
    data = yaml_rs.loads(path.read_text(), parse_datetime=False)
    return data if isinstance(data, list) else [data]
