"""Public exports, counted again from their own tabs: no NIC is drafted onto a VLAN of another switch or datacenter.

The exports are no part of this repository: they are looked for beside it, or where VMFERRY_EXPORTS says.
"""

import json
import os
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from tests.invocation import vmferry

EXPORTS = Path(os.environ.get("VMFERRY_EXPORTS", Path(__file__).parents[4] / "shared/rvtools"))
FOUND = sorted(EXPORTS.glob("*.xlsx")) if EXPORTS.is_dir() else []

pytestmark = pytest.mark.skipif(not FOUND, reason=f"no exports in {EXPORTS}")

Cells = dict[str, Any]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drafts")


def tab(path: Path, name: str) -> list[Cells]:
    book = openpyxl.load_workbook(path, read_only=True)
    if name not in book.sheetnames:
        return []
    rows = book[name].iter_rows(values_only=True)
    headers = [str(cell) for cell in next(rows)]
    return [dict(zip(headers, row, strict=False)) for row in rows]


def vlans(path: Path) -> dict[tuple[str, ...], str]:
    """Return the VLAN of each port group: by switch and name, of a standard one by host as well."""
    found = {("", row["Switch"], row["Port"]): str(row["VLAN"]) for row in tab(path, "dvPort")}
    return found | {(row["Host"], row["Switch"], row["Port Group"]): str(row["VLAN"]) for row in tab(path, "vPort")}


@cache
def drafted(path: Path, scratch: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what is decided of each VM of a draft, and the lines of its spec."""
    tmp_path = scratch / path.stem
    tmp_path.mkdir()
    directory = tmp_path / "draft"
    assert vmferry("import", "rvtools", path, "--out", tmp_path / "inventory").code == 0
    assert vmferry("init", "--from", tmp_path / "inventory", "--out", directory).code == 0
    explained = vmferry("explain", directory, "--all", "--format", "json")
    return json.loads(explained.out), (directory / "spec.yaml").read_text().splitlines()


def drafted_vlan(decision: Cells, lines: list[str]) -> str:
    """Return the VLAN of the row of the network map that a NIC is in."""
    number = int(decision["where"].rpartition(":")[2])
    row = "\n".join(lines[number - 1 : number + 2])
    match = re.search(r"source: \{.*?\bvlan: (\d+)", row.partition("target:")[0])
    return match[1] if match else "0"


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_every_nic_is_drafted_onto_the_vlan_of_its_own_switch(path: Path, scratch: Path) -> None:
    known = vlans(path)
    explained, lines = drafted(path, scratch)
    decisions = {(entry["key"].rpartition("/")[2], entry["vm"]): entry for entry in explained}
    seen: Counter[Any] = Counter()
    counted, wrong = 0, []
    for row in tab(path, "vNetwork"):
        vm = (row.get("VM ID"), row["VM"])
        index = seen[vm]
        seen[vm] += 1
        places = [("", row.get("Switch"), row["Network"]), (row.get("Host"), row.get("Switch"), row["Network"])]
        wanted = next((known[place] for place in places if place in known), None)
        decision = decisions.get(vm, {}).get(f"nic-{index}")
        if wanted is None or decision is None or not wanted.isdigit():
            continue
        counted += 1
        if (said := drafted_vlan(decision, lines)) != wanted:
            wrong.append(f"{row['VM']}: {row['Network']} of {row['Switch']} is VLAN {wanted}, drafted {said}")
    assert wrong == []
    assert counted > 100 or not known


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_a_draft_says_of_a_vm_has_its_evidence(path: Path, scratch: Path) -> None:
    explained, _ = drafted(path, scratch)
    hints = [entry[field] for entry in explained for field in ("environment", "kind") if field in entry]
    assert hints
    assert all(hint["value"] and hint["reason"] for hint in hints)
