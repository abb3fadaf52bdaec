"""What Forklift's own policies say of a VM, our source rules say too; where not, a table says why."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.rules.forklift_differences import BY_CODE, DIFFERENCES, PAGE, page
from tests.rules.forklift_estate import Twin, estate

from vmferry.rules.source_concern import CONCERNS

_BUILT = Path(__file__).parents[2] / ".tools" / "bin" / "opa"
_QUERY = "[{c.id | c := data.io.konveyor.forklift.vmware.concerns[_] with input as vm} | vm := data.vms[_]]"
_SEED, _COUNT = 4, 1500


@pytest.fixture(scope="module")
def opa() -> str:
    """The program; the test is skipped without it, unless VMFERRY_REQUIRE_OPA=1."""
    program = str(_BUILT) if _BUILT.is_file() else shutil.which("opa")
    if program is None:
        if os.environ.get("VMFERRY_REQUIRE_OPA") == "1":
            pytest.fail("opa is neither in .tools/bin nor on PATH: make testtools")
        pytest.skip("opa is neither in .tools/bin nor on PATH: make testtools")
    return program


@pytest.fixture(scope="module")
def policies() -> list[Path]:
    """Forklift's policies, without their own tests."""
    folder = os.environ.get("VMFERRY_REGO")
    if not folder:
        pytest.skip("VMFERRY_REGO names no folder with Forklift's policies (validation/policies/…/vmware)")
    found = [path for path in sorted(Path(folder).glob("*.rego")) if not path.stem.endswith("_test")]
    assert found, f"VMFERRY_REGO={folder} holds no policies"
    return found


@pytest.fixture(scope="module")
def twins() -> list[Twin]:
    return list(estate(_SEED, _COUNT))


@pytest.fixture(scope="module")
def theirs(
    opa: str, policies: list[Path], twins: list[Twin], tmp_path_factory: pytest.TempPathFactory
) -> list[set[str]]:
    """The ids of Forklift's concerns for each VM: one process for all of them."""
    batch = tmp_path_factory.mktemp("opa") / "vms.json"
    batch.write_text(json.dumps({"vms": [twin.inventory for twin in twins]}), encoding="utf-8")
    data = [argument for path in (*policies, batch) for argument in ("--data", str(path))]
    result = subprocess.run(
        [opa, "eval", "--fail", "--format", "raw", *data, _QUERY], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr or result.stdout
    found = [set(each) for each in json.loads(result.stdout)]
    assert len(found) == len(twins)
    return found


def ours(twin: Twin) -> set[str]:
    """Return the ids of Forklift's concerns that our rules detect."""
    return {BY_CODE[code] for code in BY_CODE if any(CONCERNS[code].detect(twin.seen))}


def test_every_concern_of_the_policies_is_a_rule(policies: list[Path]) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in policies)
    assert set(re.findall(r'"id": "(vmware\.[^"]+)"', text)) == set(BY_CODE.values())


def test_the_rules_agree_with_forklifts_policies(theirs: list[set[str]], twins: list[Twin]) -> None:
    unexplained = [
        (twin.inventory["id"], "only vmferry" if concern in mine else "only Forklift", concern)
        for twin, yours in zip(twins, theirs, strict=True)
        for mine in (ours(twin),)
        for concern in sorted(mine ^ yours)
        if not any(row.covers(concern, concern in mine, twin.seen, twin.inventory) for row in DIFFERENCES)
    ]
    assert unexplained == []


def test_every_concern_is_met_both_ways_and_mostly_agreed_on(theirs: list[set[str]], twins: list[Twin]) -> None:
    mine = [ours(twin) for twin in twins]
    for concern in BY_CODE.values():
        both = sum(concern in a and concern in b for a, b in zip(mine, theirs, strict=True))
        neither = sum(concern not in a and concern not in b for a, b in zip(mine, theirs, strict=True))
        assert both >= 20, concern
        assert neither >= 100, concern
        assert both + neither > 0.85 * len(twins), concern


def test_every_documented_difference_is_met(theirs: list[set[str]], twins: list[Twin]) -> None:
    met: Mapping[int, set[str]] = {number: set() for number in range(len(DIFFERENCES))}
    for twin, yours in zip(twins, theirs, strict=True):
        mine = ours(twin)
        for concern in mine ^ yours:
            for number, row in enumerate(DIFFERENCES):
                if row.covers(concern, concern in mine, twin.seen, twin.inventory):
                    met[number].add(concern)
    assert [row for number, row in enumerate(DIFFERENCES) if met[number] != {BY_CODE[code] for code in row.codes}] == []


def test_all_29_concerns_have_a_rule_in_the_order_of_their_table() -> None:
    assert sorted(BY_CODE) == [f"VMF{number}" for number in range(701, 730)]
    assert len(set(BY_CODE.values())) == 29


def test_the_page_of_differences_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python tests/rules/forklift_differences.py"
