"""Tests of work in several processes and threads: it gives what one alone gives."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from tests.importers import exports

from vmferry import backends, cores, emission, rules
from vmferry.cache import Cache
from vmferry.check import check
from vmferry.importers import inventory_files
from vmferry.importers.errors import ImporterError
from vmferry.importers.rvtools import rows as export_rows
from vmferry.importers.rvtools.read import read_rvtools
from vmferry.load.project import load
from vmferry.model.blueprint import Blueprint
from vmferry.model.manifest import Item
from vmferry.output.complete import LostError
from vmferry.resolve import remembered
from vmferry.resolve.blueprint import resolve
from vmferry.yaml.write import dump

ACME = Path(__file__).parents[1] / "examples/acme"


@pytest.fixture(params=[1, 2, 3])
def count(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many processors there are."""
    monkeypatch.setattr(cores, "count", lambda: request.param)
    monkeypatch.setattr(emission, "MANY", 1)
    monkeypatch.setattr(remembered, "MANY", 1)
    found: int = request.param
    return found


def test_the_files_of_a_tree_are_the_same_on_any_number_of_processors(count: int) -> None:
    blueprint = check(ACME).resolution.blueprint
    alone = [*emission.files_of(blueprint)]
    assert len(blueprint.groups) > count
    assert len({file.path for file in alone}) == len(alone) > 100
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cores, "count", lambda: 1)
        assert [*emission.files_of(blueprint)] == alone


def test_vms_are_decided_the_same_on_any_number_of_processors(count: int, tmp_path: Path) -> None:
    project = load(ACME)
    spread = resolve(project, Cache(tmp_path / str(count)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cores, "count", lambda: 1)
        assert resolve(project, Cache(tmp_path / "alone")) == spread
    assert spread.blueprint.groups


def test_rules_find_the_same_on_any_number_of_processors(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MANY", 1)
    alone = check(ACME).findings
    for _ in ("cold", "warm"):
        with closing(Cache(tmp_path / str(count))) as cache:
            assert check(ACME, cache=cache).findings == alone
    assert alone


def test_a_vm_that_a_worker_loses_is_noticed(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    blueprint = check(ACME).resolution.blueprint
    last = [group.name for group in blueprint.groups if group.path == "virt-v2v"][-1]
    original = backends.BACKENDS["kubevirt"]

    def forgetful(part: Blueprint) -> Iterator[Item]:
        yield from (() if last in {group.name for group in part.groups} else original.emit(part))

    monkeypatch.setitem(backends.BACKENDS, "kubevirt", original._replace(emit=forgetful))
    with pytest.raises(LostError, match="in no manifest: VM "):
        list(emission.files_of(blueprint))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 5000])
def test_threads_work_on_every_item_once_and_in_order(size: int, count: int) -> None:
    def double(items: Sequence[int]) -> list[int]:
        return [item * 2 for item in items]

    found = [item for some in cores.overlapped(double, range(size)) for item in some]
    assert found == [item * 2 for item in range(size)]
    assert count


def test_what_a_thread_raises_is_raised(count: int) -> None:
    def fail(items: Sequence[int]) -> None:
        if 700 in items:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        list(cores.overlapped(fail, range(1000)))
    assert count


def test_threads_take_turns_as_before_once_the_work_is_done(count: int) -> None:
    before = sys.getswitchinterval()
    assert [*cores.spread(pow, range(1, 50), 2)] == [2**number for number in range(1, 50)]
    assert sys.getswitchinterval() == before
    assert count


def test_work_aside_is_done_when_the_body_is(count: int, tmp_path: Path) -> None:
    with cores.aside((tmp_path / "made").mkdir):
        pass
    assert count
    assert (tmp_path / "made").is_dir()


def test_work_aside_that_fails_concerns_nobody(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    program = (
        "import sys; from pathlib import Path; from vmferry import cores\n"
        "print('before')\n"  # in a buffer that both processes have
        "with cores.aside(Path(sys.argv[1], 'no', 'where').mkdir): print('body')\n"
        "print('after')"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    captured = capfd.readouterr()
    assert captured.out.split() == ["before", "body", "after"]
    assert captured.err == ""


def test_work_aside_is_waited_for_if_the_body_fails(tmp_path: Path) -> None:
    def slow() -> None:
        time.sleep(0.1)
        (tmp_path / "made").mkdir()

    with pytest.raises(ZeroDivisionError), cores.aside(slow):
        print(1 / 0)
    assert (tmp_path / "made").is_dir()


def test_an_export_is_read_the_same_on_any_number_of_processors(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_rows, "_LARGE", 1)
    book = exports.workbook(tmp_path / "book.xlsx", exports.estate())
    spread = read_rvtools([book])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cores, "count", lambda: 1)
        assert read_rvtools([book]) == spread
    assert spread[0].vms
    assert count


def test_what_is_wrong_with_a_tab_that_a_worker_reads_is_said(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_rows, "_LARGE", 1)
    book = exports.workbook(tmp_path / "book.xlsx", exports.estate())
    monkeypatch.setattr(export_rows, "MAX_ROWS", 0)
    with pytest.raises(ImporterError, match=r"more than 0 rows"):
        read_rvtools([book])
    assert count


def test_inventory_files_are_the_same_on_any_number_of_processors(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory_files, "_MANY", 1)
    [inventory] = read_rvtools([exports.workbook(tmp_path / "book.xlsx", exports.estate())])
    files = inventory_files.split(inventory)
    assert len(files) > 1
    inventory_files.write(files, tmp_path / "spread", dump)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cores, "count", lambda: 1)
        inventory_files.write(files, tmp_path / "alone", dump)
    for name in files:
        assert (tmp_path / "spread" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    assert count
