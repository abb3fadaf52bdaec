"""What changes from day to day changes no file, unless it changes by much."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.importers.estates import estate, vm
from tests.importers.exports import estate as export
from tests.importers.exports import workbook
from tests.invocation import vmferry

from vmferry.importers.steady import steady
from vmferry.model.facts import GuestDisk
from vmferry.model.inventory import InventoryDatastore

GiB = 2**30


@dataclass
class Space:
    used: int
    free: int


def rounded(used: int, free: int) -> Space:
    mount = GuestDisk(path="/", capacity=10**15, free=free)
    store = InventoryDatastore(name="ds", capacity=10**15, free=free)
    found = steady(estate(vm(1, "a", used_storage=used, guest_disks=(mount,)), datastores=(store,)))
    [guest] = found.vms[0].guest_disks or ()
    assert guest.free == found.datastores[0].free
    assert guest.capacity == 10**15
    return Space(used=found.vms[0].used_storage or 0, free=guest.free or 0)


@pytest.mark.parametrize(
    ("used", "free", "steady_used", "steady_free"),
    [
        (0, 0, 0, 0),
        (1, 100 * 2**20, GiB, 100 * 2**20),
        (GiB, 200 * 2**20, GiB, 200 * 2**20),
        (101_661_540_352, 59_496_202_240, 96 * GiB, 32 * GiB),
        (100 * GiB, 64 * GiB, 112 * GiB, 64 * GiB),
    ],
)
def test_used_space_is_rounded_up_and_free_space_down(used: int, free: int, steady_used: int, steady_free: int) -> None:
    assert rounded(used, free) == Space(steady_used, steady_free)


@given(st.integers(0, 2**60), st.integers(0, 2**60))
def test_rounding_twice_is_rounding_once_and_never_flatters(used: int, free: int) -> None:
    once = rounded(used, free)
    assert rounded(once.used, once.free) == once
    assert once.used >= used
    assert once.free <= free
    assert once.used - used < max(GiB, used // 4 + 1)
    assert 2 * once.free >= free - 2**20


def test_little_free_space_is_kept_to_the_mib() -> None:
    assert rounded(0, 101 * 2**20 + 5).free == 101 * 2**20


@pytest.mark.parametrize("name", ["Last backup", "Backup status", "LAST_BACKUP", "NB_LAST_BACKUP", "Last Backup Time"])
def test_what_backup_products_note_of_every_run_is_left_out(name: str) -> None:
    found = steady(estate(vm(1, "a", custom_attributes={name: "today", "Owner": "b", "Backup plan": "gold"})))
    assert found.vms[0].custom_attributes == {"Owner": "b", "Backup plan": "gold"}


def test_what_is_unknown_stays_unknown() -> None:
    whole = estate(vm(1, "a", guest_disks=(GuestDisk(path="/"),)))
    assert steady(whole) == whole


def test_a_day_of_use_changes_no_file(tmp_path: Path) -> None:
    backups = ("2026-01-01", "2026-01-02")
    results = []
    for day, backup in enumerate(backups):
        tabs = export()
        tabs["vInfo"] = [{**tabs["vInfo"][0], "In Use MiB": 100_000 + day * 500, "Last backup": backup}]
        tabs["vPartition"] = [{**tabs["vPartition"][0], "Free MiB": 50_000 - day * 500}]
        tabs["vDatastore"] = [{**tabs["vDatastore"][0], "Free MiB": 900_000 - day * 500}]
        path = workbook(tmp_path / f"{day}.xlsx", tabs)
        results.append(vmferry("import", "rvtools", path, "--out", tmp_path / "out"))
    assert [result.code for result in results] == [0, 0]
    assert "2 files changed" in results[0].text
    assert "0 files changed" in results[1].text
