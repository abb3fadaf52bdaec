"""Tests of `vmferry.rules.decommission` that its examples do not show."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.invocation import Result, vmferry
from tests.rules.laying import EXAMPLES, lay_out, merge

from vmferry.yaml.write import dump

LAST = {"name": "last", "kind": "decommission", "after": ["first"]}
DB = {"match": {"name": "db-*"}, "set": {"phase": "last"}}


class Spec:
    """The migration that examples of rules are laid over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec, inventory = yaml.safe_load_all((EXAMPLES / "_base.yaml").read_text(encoding="utf-8"))
        (folder / "inventory").mkdir()
        (folder / "inventory/vc1.yaml").write_bytes(dump(inventory))

    def write(self, **sections: Any) -> None:
        self.spec = merge(self.spec, sections)
        (self.folder / "spec.yaml").write_bytes(dump(self.spec))

    def compile(self, *options: str) -> Result:
        return vmferry("compile", self.folder, "--out", self.folder / "out", "--no-cache", *options)


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    return Spec(tmp_path)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_groups_that_are_past_planned_keep_their_phase_and_their_files(spec: Spec) -> None:
    """As a repository is that was compiled before VMF450 was there."""
    spec.write(
        phases=[spec.spec["phases"][0], LAST],
        assign=[spec.spec["assign"][0], DB],
        settings={"gates": "none"},
        rules={"VMF450": "warning"},
    )
    assert spec.compile().code == 0
    for stage in ("prepared", "migrating", "cutover", "adopted", "validated"):
        spec.write(groups={name: {"stage": stage} for name in ("first-01", "last-01")})
        assert spec.compile().code == 0
    before = files(spec.folder / "out")
    spec.write(rules=None)
    result = spec.compile()
    assert result.code == 0, result.out
    assert "warning[VMF450] group last-01 is validated" in result.err
    assert "leave it as it is until it is retired" in result.err
    assert files(spec.folder / "out") == before
    assert any("/bases/last/last-01/" in name for name in before)


def test_the_fix_of_a_planned_group_is_exact(spec: Spec) -> None:
    spec.write(phases=[spec.spec["phases"][0], LAST], assign=[spec.spec["assign"][0], DB])
    result = spec.compile()
    assert result.code == 1
    assert "add `- {name: management, kind: migrate, after: [first]}` to `phases`" in result.out
    assert "set `after: [management]` in phase last, and `phase: management` for these VMs" in result.out
    spec.write(
        phases=[
            spec.spec["phases"][0],
            {"name": "management", "kind": "migrate", "after": ["first"]},
            {**LAST, "after": ["management"]},
        ],
        assign=[spec.spec["assign"][0], {**DB, "set": {"phase": "management"}}],
    )
    assert spec.compile().code == 0


def taking(spec: Spec, *phases: dict[str, Any], **sections: Any) -> str:
    """Return what is found once phases of kind decommission take hosts."""
    last = [{"kind": "decommission", "after": ["first", "second"]} | phase for phase in phases]
    spec.write(phases=[*spec.spec["phases"][:2], *last], **sections)
    result = vmferry("check", spec.folder, "--no-cache")
    return result.out + result.err


HOSTS = [{"name": f"esx{n}", "cluster": "c1", "cores": 32, "memory": 64 << 30} for n in (1, 2, 3)]


def with_hosts(spec: Spec, **facts: Any) -> None:
    """Give the inventory three hosts of one cluster, and each VM facts."""
    path = spec.folder / "inventory/vc1.yaml"
    inventory = yaml.safe_load(path.read_text(encoding="utf-8"))
    inventory["hosts"] = HOSTS
    inventory["vms"] = [{**vm, **facts} for vm in inventory["vms"]]
    path.write_bytes(dump(inventory))


def test_a_vm_whose_cluster_only_its_host_tells_keeps_that_cluster(spec: Spec) -> None:
    with_hosts(spec, host="esx1")
    row = {"name": "last", "takes": [{"source": "vc1", "cluster": "c1"}]}
    assert "VMF453" not in taking(spec, row)
    found = taking(spec, row | {"state": "started"})
    assert "VMF453" in found
    assert "takes cluster c1 of vc1, with esx1" in found


def test_two_phases_that_take_a_host_each_leave_no_reserve_together(spec: Spec) -> None:
    with_hosts(spec, host="esx3", cpu={"count": 1})
    one = {"name": "one", "state": "started", "takes": [{"source": "vc1", "host": "esx1"}]}
    two = {"name": "two", "state": "started", "takes": [{"source": "vc1", "host": "esx2"}]}
    assert "VMF454" not in taking(spec, one)
    assert "VMF454" not in taking(spec, two)
    found = taking(spec, one, two)
    assert "phase two (started) leaves 1 host in cluster c1 of vc1" in found


def test_hosts_that_left_the_inventory_are_no_error_once_they_are_taken(spec: Spec) -> None:
    with_hosts(spec, host="esx3")
    row = {"name": "last", "takes": [{"source": "vc1", "host": "esx9"}]}
    assert "error[VMF452]" in taking(spec, row)
    assert "warning[VMF452]" in taking(spec, row | {"state": "started"})
    assert "VMF452" not in taking(spec, row | {"state": "done"})


def test_a_host_and_its_cluster_are_taken_twice(spec: Spec) -> None:
    with_hosts(spec, host="esx3")
    one = {"name": "one", "takes": [{"source": "vc1", "cluster": "c1"}]}
    assert "VMF457" in taking(spec, one, {"name": "two", "takes": [{"source": "vc1", "host": "esx2"}]})
    assert "VMF457" not in taking(spec, one, {"name": "two", "takes": [{"source": "vc1", "host": "esx9"}]})


def test_memory_that_grows_is_seen_while_hosts_are_taken(tmp_path: Path) -> None:
    """Facts of single VMs are decided alone otherwise, and VMF454 adds them up."""
    project, cache = tmp_path / "project", tmp_path / "cache"
    lay_out(EXAMPLES / "VMF454/passes.yaml", project)
    first = vmferry("check", project, "--cache-dir", cache)
    assert "VMF454" not in first.out
    [path] = [path for path in (project / "inventory").iterdir() if "web-01" in path.read_text()]
    path.write_text(path.read_text().replace("8Gi", "300Gi", 1))
    for options in (("--cache-dir", cache), ("--no-cache",)):
        assert "VMF454" in vmferry("check", project, *options).out
