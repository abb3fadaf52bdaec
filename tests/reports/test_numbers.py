"""Numbers agree everywhere: each is what its link leads to, and each table of VMs adds up to the Blueprint."""

import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.bench import estate as bench
from tests.cli.test_check import SPEC, vm
from tests.invocation import vmferry
from tests.properties.estates import Estate, build, estates, staged
from tests.reports.numbers import NOW, faults, faults_in, faults_of
from tests.reports.test_assessment import inventory
from tests.reports.test_assessment import vm as fact

from vmferry.check import check
from vmferry.cli.report import material
from vmferry.model.keys import VmKey
from vmferry.model.report import Cell, Column, Report, Row, Table

EXAMPLES = Path(__file__).parents[2] / "examples"
SHARED = Path(__file__).parents[3] / "shared"
EXPORTS = [*sorted((SHARED / "rvtools").glob("*.xlsx"))]
MOVING = (("moves", "yes"),)


@pytest.mark.parametrize("example", ["acme", "minimal"])
def test_every_table_of_an_example_adds_up(example: str) -> None:
    assert faults_of(EXAMPLES / example) == []


@pytest.mark.skipif(not EXPORTS, reason=f"there are no exports of RVTools in {SHARED / 'rvtools'}")
@pytest.mark.parametrize("export", EXPORTS, ids=lambda path: path.stem)
def test_every_table_of_the_draft_for_an_export_adds_up(export: Path, tmp_path: Path) -> None:
    assert vmferry("import", "rvtools", export, "--out", tmp_path).code == 0
    assert faults_of(tmp_path) == []


@pytest.mark.skipif(not EXPORTS, reason=f"there are no exports of RVTools in {SHARED / 'rvtools'}")
@pytest.mark.parametrize("export", EXPORTS, ids=lambda path: path.stem)
def test_a_draft_has_the_same_bytes_in_every_report(export: Path, tmp_path: Path) -> None:
    assert vmferry("import", "rvtools", export, "--out", tmp_path).code == 0
    found = {
        name: vmferry("report", name, tmp_path, "--format", "json").data
        for name in ("networks", "sizing", "status", "progress")
    }
    whole = found["progress"]["moved"]["of_size"]
    assert whole > 0
    assert sum(each["claimed"] for each in found["sizing"]["storage"]) == whole
    assert sum(each["size"] for each in found["status"]["phases"]) == whole
    datastores = found["networks"]["datastores"]
    assert not datastores or sum(each["size"] for each in datastores) == whole  # some exports have none


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(estates(), st.integers(0, 99))
def test_every_table_adds_up_whatever_is_where_at_which_stage(estate: Estate, seed: int) -> None:
    with TemporaryDirectory() as folder:
        output = build(estate, Path(folder) / "first")
        dice = random.Random(seed)
        moved = staged(estate, output, dice)
        for state in moved.spec["groups"].values():
            if dice.random() < 0.2:
                state["hold"] = "the owner is away"
        checked = check(moved.write(Path(folder) / "second", assignments=output.assignments), now=NOW)
        assert faults(material(checked, NOW)) == []


def test_every_table_of_an_estate_with_rebuilt_vms_adds_up(tmp_path: Path) -> None:
    bench.write(tmp_path, 60)
    assert faults_of(tmp_path) == []


def test_vms_of_one_name_in_two_vcenters_are_two(tmp_path: Path) -> None:
    for name in ("vc1", "vc2"):
        nics = [{"network": "dvportgroup-1", "mac": f"00:50:56:00:00:0{name[-1]}"}]
        inventory(tmp_path, fact(1, tools="notInstalled", nics=nics), name=name)
    assert faults_of(tmp_path) == []


def test_vms_without_a_group_because_of_errors_are_counted_too(tmp_path: Path) -> None:
    broken = vm("a").replace("datastore: ds1", "datastore: elsewhere")
    (tmp_path / "spec.yaml").write_text(f"{SPEC}vms:\n{broken}{vm('b')}")
    assert faults_of(tmp_path) == []
    phases = vmferry("report", "status", tmp_path, "--format", "json").data["phases"]
    assert sum(each["vms"] for each in phases) == 2
    assert sum(each["undecided"] for each in phases) >= 1
    assert vmferry("report", "progress", tmp_path, "--format", "json").data["moved"]["of_vms"] == 2


# --- what adds the tables up sees when they do not --------------------------------------------


def row(name: str, *facets: tuple[str, str], more: int = 0) -> Row:
    vms = material(check(EXAMPLES / "acme", now=NOW), NOW).vms
    for column, value in facets:
        vms = vms.where(column, value)
    return (name, Cell(len(vms.vms) + more, of=facets))


PATHS = [row(path, ("path", path)) for path in ("forklift", "virt-v2v", "rebuild")]
COLUMNS = (Column("path"), Column("VMs", "count"))


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (Table("", "path", COLUMNS, PATHS, covers=MOVING), None),
        (Table("", "path", COLUMNS, PATHS), "does not say which ones its rows cover"),
        (Table("", "path", COLUMNS, [("all", 71)]), "does not say which ones its rows cover"),
        (Table("", "path", COLUMNS, [("all", 71)], covers=MOVING), "leads to no VMs"),
        (Table("", "path", COLUMNS, PATHS[:2], covers=MOVING), "is in no row"),
        (Table("", "path", COLUMNS, [*PATHS, PATHS[0]], covers=MOVING), "is in several rows"),
        (Table("", "path", COLUMNS, PATHS, covers=(("path", "forklift"),)), "is not one of"),
        (Table("", "path", COLUMNS, [row("x", ("path", "rebuild"), more=1)], covers="some"), "5 leads to 4 vms"),
        (
            Table("", "VM", (Column("VM"),), [(Cell("a", vm=VmKey("vc1/none")),)], covers="some"),
            "'a' leads to vc1/none",
        ),
    ],
)
def test_a_table_that_does_not_add_up_is_found(table: Table, fault: str | None) -> None:
    vms = material(check(EXAMPLES / "acme", now=NOW), NOW).vms
    found = "\n".join(faults_in(Report("", "", (table,), None), vms))
    assert fault in found if fault else not found
