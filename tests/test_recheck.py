"""After facts about single VMs changed, only these VMs are decided again, and nobody sees a difference."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from tests.bench import estate
from tests.invocation import Result, vmferry
from tests.properties.edits import OWN_FACTS as VALUES
from tests.rules.test_each import reviews
from tests.work import counted

from vmferry.model.blueprint import Machine
from vmferry.model.review import Review
from vmferry.model.spec import VirtualMachine
from vmferry.resolve.own_facts import OWN_FACTS, OWN_RESULTS
from vmferry.rules import CHECKS, of_blueprint
from vmferry.rules.registry import Find
from vmferry.yaml.write import dump

WHOLE = [
    (code, check.find)
    for code, checks in sorted(CHECKS.items())
    for check in checks
    if not (check.each or check.blueprint)
]

SELDOM_ALONE = ("guestName", "guestToolsName", "hardwareVersion")
"""What may change how many VMs `auto` counts as standard, or the serial numbers that a guest sees."""


class Spec:
    """A spec with an inventory, compiled by two people: one has a cache, the other has none."""

    def __init__(self, top: Path, *, inventory: bool) -> None:
        self.folder = top / "spec"
        self._top = top
        self.files = dict(estate.estate(40))
        self.spec = self.files.pop("spec.yaml")
        self.spec["target"] = _with_nodes(self.spec["target"])
        del self.spec["groups"]
        if not inventory:
            self.files = {name: _set(data) for name, data in self.files.items() if data["kind"] == "Inventory"}
        self.entry: dict[str, Any] = {}
        self.vms = [vm for data in self.files.values() if not _states(data) for vm in data["vms"]]
        self.write()

    def write(self) -> None:
        """Write all files."""
        for name, data in {"spec.yaml": self.spec, **self.files}.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(dump(data))

    def warm(self) -> Result:
        """Compile with the cache."""
        return self._compile(self.folder, self._top / "warm", "--cache-dir", self._top / "cache")

    def cold(self) -> Result:
        """Compile without a cache, at the same place."""
        return self._compile(self.folder, self._top / "cold", "--no-cache")

    def _compile(self, spec: Path, out: Path, *options: str | Path) -> Result:
        assignments = ("--assignments", out.with_suffix(".yaml"))
        return vmferry("compile", spec, "--out", out, *assignments, "--all", "--format", "json", *options)

    def same(self) -> bool:
        """Return whether both have the same tree."""
        return _content(self._top / "warm") == _content(self._top / "cold")


def _with_nodes(target: dict[str, Any]) -> dict[str, Any]:
    nodes = [{"name": "workers", "count": 3, "cpu": 64, "memory": "256Gi"}]
    return target | {"cluster": target["cluster"] | {"nodes": nodes}}


def _states(data: dict[str, Any]) -> bool:
    return any("dependsOn" in vm or "application" in vm for vm in data["vms"]) and data["kind"] != "Inventory"


def _set(data: dict[str, Any]) -> dict[str, Any]:
    head = {"apiVersion": data["apiVersion"], "kind": "VirtualMachineSet", "metadata": data["metadata"]}
    return head | {"vms": [vm for vm in data["vms"] if "way-rebuild" not in vm["tags"]]}


def _content(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _told(result: Result) -> Any:
    data = json.loads(result.out)
    return {key: value for key, value in data.items() if key not in ("root", "created", "updated", "unchanged")}


@pytest.fixture(params=["inventory", "set"])
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> Spec:
    """Return a spec that was compiled twice: the first run writes assignments, which the second reads."""
    made = Spec(tmp_path, inventory=request.param == "inventory")
    for _ in range(2):
        assert made.warm().code == 0
        assert made.cold().code == 0
    return made


def test_there_are_values_for_every_own_fact() -> None:
    names = dict(zip(VirtualMachine.__struct_fields__, VirtualMachine.__struct_encode_fields__, strict=True))
    assert {names[field] for field in OWN_FACTS} == VALUES.keys()


def test_a_vm_is_decided_alone_and_nobody_sees_a_difference(spec: Spec) -> None:
    for fact, values in VALUES.items():
        for number, value in enumerate(values):
            vm = spec.vms[7 + 3 * number]
            vm[fact] = value
            spec.write()
            with counted() as calls:
                warm = spec.warm()
            cold = spec.cold()
            assert (warm.code, _told(warm)) == (cold.code, _told(cold)), (fact, value)
            assert spec.same(), (fact, value)
            assert not calls["_passes"] or fact in SELDOM_ALONE, (fact, value)


@pytest.mark.parametrize(
    "edit",
    [
        {"name": "another"},
        {"nics": [{"network": "vlan-101", "mac": "00:50:56:aa:00:01"}]},
        {"folder": "/Prod/Team1/App1"},
        {"powerState": "suspended"},
        {"os": "other"},
        {"firmware": "efi", "secureBoot": False},
        {"tags": ["way-cold"]},
        {"customAttributes": {"phase": "last"}},
        {"disks": [{"size": "41Gi", "datastore": "ds-gold"}]},
        {"template": True},
    ],
    ids=lambda edit: next(iter(edit)),
)
def test_what_others_depend_on_is_decided_with_them(spec: Spec, edit: dict[str, Any]) -> None:
    spec.vms[8].update(edit)
    spec.write()
    with counted() as calls:
        warm = spec.warm()
    cold = spec.cold()
    assert calls["_passes"]
    assert (warm.code, _told(warm)) == (cold.code, _told(cold))
    assert warm.code or spec.same()


def test_a_memory_that_becomes_unknown_is_missed(spec: Spec) -> None:
    del spec.vms[8]["memory"]
    spec.write()
    warm, cold = spec.warm(), spec.cold()
    assert (warm.code, cold.code) == (1, 1)
    assert warm.out == cold.out


def test_other_edits_in_the_same_run_are_not_overlooked(spec: Spec) -> None:
    spec.vms[8]["memory"] = "9Gi"
    spec.spec["defaults"] = {"liveMigration": "preferred"}
    spec.write()
    warm, cold = spec.warm(), spec.cold()
    assert (warm.code, _told(warm)) == (cold.code, _told(cold))
    assert spec.same()


def test_a_frozen_vm_keeps_its_memory(spec: Spec) -> None:
    spec.spec["groups"] = {"dev-test-01": {"stage": "prepared"}}
    for _ in range(2):
        spec.write()
        assert spec.warm().code == 0
        assert spec.cold().code == 0
    for vm in spec.vms:
        if vm["customAttributes"]["phase"] == "dev-test":
            vm["memory"] = "99Gi"
    spec.write()
    warm, cold = spec.warm(), spec.cold()
    assert (warm.code, _told(warm)) == (cold.code, _told(cold))
    assert spec.same()
    assert "VMF409" in warm.out


def test_the_policy_knows_the_suppressions_of_all_vms(spec: Spec) -> None:
    spec.vms[9]["annotation"] = "password: hunter2"
    spec.spec["suppress"] = [{"rule": "VMF826", "reason": "a joke", "vms": ["*"]}]
    for _ in range(2):
        spec.write()
        spec.warm()
        spec.cold()
    spec.vms[9]["memory"] = "9Gi"
    spec.write()
    warm, cold = spec.warm(), spec.cold()
    assert (warm.code, _told(warm)) == (cold.code, _told(cold))


def test_a_damaged_or_lost_memory_is_no_memory(spec: Spec, tmp_path: Path) -> None:
    spec.vms[8]["memory"] = "9Gi"
    spec.write()
    shutil.rmtree(tmp_path / "cache")
    assert spec.warm().code == spec.cold().code == 0
    assert spec.same()


def test_check_tells_the_same_with_and_without_a_memory(spec: Spec, tmp_path: Path) -> None:
    for memory in ("8Gi", "9Gi", "900Gi"):
        spec.vms[8]["memory"] = memory
        spec.write()
        told = [
            vmferry("check", spec.folder, "--all", "--now", "2026-12-01T00:00:00Z", *options)
            for options in (("--cache-dir", tmp_path / "other"), ("--no-cache",))
        ]
        assert told[0] == told[1]


def _read(monkeypatch: pytest.MonkeyPatch, kind: type, fields: frozenset[str]) -> set[str]:
    """Return a set that fills with the fields of structs that somebody reads."""
    seen: set[str] = set()

    def watched(name: str, known: Any) -> property:
        def get(self: object) -> Any:
            seen.add(name)
            return known.__get__(self, type(self))

        return property(get)

    for name in sorted(fields):
        known = next(vars(each)[name] for each in kind.__mro__ if name in vars(each))
        monkeypatch.setattr(kind, name, watched(name, known), raising=False)
    return seen


@pytest.mark.parametrize(("code", "find"), WHOLE, ids=[f"{code} {find.__name__}" for code, find in WHOLE])
def test_rules_on_several_vms_do_not_read_own_facts(code: str, find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    if code == "VMF454":
        return  # nothing is decided alone while it can find anything: resolve.own_facts.decide_own
    known = [whole for whole, _ in reviews()]
    read = [_read(monkeypatch, VirtualMachine, OWN_FACTS), _read(monkeypatch, Machine, OWN_RESULTS)]
    for review in known:
        list(find(structs.replace(review)))
    assert read == [set(), set()], code


def test_rules_on_the_blueprint_need_nothing_else() -> None:
    found = 0
    for whole, _ in reviews():
        bare = _without_vms(whole)
        assert of_blueprint(bare) == of_blueprint(structs.replace(whole))
        found += len(of_blueprint(bare))
    assert found


def _without_vms(review: Review) -> Review:
    project = structs.replace(
        review.project,
        entries=(),
        inventories=tuple(structs.replace(part, vms=()) for part in review.project.inventories),
        assignments=None,
        attachments={},
        texts={},
    )
    return structs.replace(review, project=project, subjects=())


# --- what was once forgotten -----------------------------------------------------------------------


def _checked(spec: Spec, top: Path) -> tuple[Result, Result]:
    """Check with a cache and without."""
    warm, cold = (
        vmferry("check", spec.folder, "--all", *options)
        for options in (("--cache-dir", top / "checks"), ("--no-cache",))
    )
    return warm, cold


@pytest.fixture
def stated(tmp_path: Path) -> Spec:
    """Return a spec with an inventory, in which the entry of one VM states facts as well."""
    spec = Spec(tmp_path, inventory=True)
    spec.entry = {"name": spec.vms[8]["name"], "id": spec.vms[8]["id"]}
    next(data for name, data in spec.files.items() if "stated" in name)["vms"].append(spec.entry)
    return spec


def test_a_fact_that_the_entry_repeats_is_found_when_only_the_inventory_changes(stated: Spec, tmp_path: Path) -> None:
    stated.entry["memory"] = "32Gi"
    for memory in ("16Gi", "32Gi", "16Gi"):
        stated.vms[8]["memory"] = memory
        stated.spec["rules"] = {"VMF129": "warning" if memory == "32Gi" else "info"}  # nothing is decided alone
        stated.write()
        warm, cold = _checked(stated, tmp_path)
        assert warm == cold
        assert ("VMF129" in cold.out) is (memory == "32Gi")


def test_what_the_inventory_says_below_the_entry_concerns_others(stated: Spec, tmp_path: Path) -> None:
    own = [{"network": nic["network"], "mac": nic["mac"]} for nic in stated.vms[8]["nics"]]
    stated.entry["nics"] = own
    for phase in stated.spec["phases"]:
        phase["dualRun"] = {"mode": "parallel"}
    for mac in ("00:50:56:dd:00:01", own[0]["mac"]):
        stated.vms[8]["nics"] = [{**own[0], "mac": mac}, *own[1:]]
        stated.write()
        warm, cold = _checked(stated, tmp_path)
        assert warm == cold


def test_two_vms_with_one_name_are_found_in_whatever_blocks_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmferry.estate.blocks.SIZE", 1)
    spec = Spec(tmp_path, inventory=False)
    one = next(vm for vm in spec.vms if "way-warm" in vm["tags"])
    other = next(vm for vm in spec.vms if "way-warm" in vm["tags"] and vm is not one)
    other |= {"name": one["name"], "targetName": "another"}
    del other["id"]
    spec.write()
    warm, cold = _checked(spec, tmp_path)
    assert warm == cold
    assert "VMF747" in cold.out


def test_findings_of_two_documents_in_one_file_have_an_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vmferry.estate.blocks.SIZE", 1)
    spec = Spec(tmp_path, inventory=True)
    for vm in spec.vms:
        vm["latencySensitivity"] = "high"
    spec.write()
    parts = sorted((spec.folder / "vms").glob("cluster-*.yaml"))
    joined = b"---\n".join(path.read_bytes() for path in parts)
    for path in parts:
        path.unlink()
    (spec.folder / "vms/all.yaml").write_bytes(joined)
    for _ in range(2):
        warm, cold = _checked(spec, tmp_path)
        assert warm == cold


def test_nics_on_one_network_of_several_definitions_are_found(tmp_path: Path) -> None:
    spec = Spec(tmp_path, inventory=True)
    spec.spec["target"]["cluster"]["versions"] = {"forklift": "main"}
    spec.spec["networks"][0]["target"] = {"type": "nad", "name": "lan", "namespace": "default", "pool": ["lan-2"]}
    spec.vms[0]["nics"] = [{"network": "vlan-100", "mac": f"00:50:56:ab:00:0{number}"} for number in range(3)]
    spec.write()
    warm, cold = _checked(spec, tmp_path)
    assert warm == cold
    assert "VMF748" in cold.out


def test_a_router_is_seen_from_whatever_block_it_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vmferry.estate.blocks.SIZE", 1)
    spec = Spec(tmp_path, inventory=True)
    spec.spec["target"]["cluster"]["cni"] = "ovn-kubernetes"
    spec.spec["networks"][0] |= {"subnet": "10.1.0.0/24", "target": {"type": "ovn-layer2"}}
    one, router = spec.vms[:2]
    for number, vm in enumerate((one, router), start=1):
        vm["nics"] = [
            {
                "network": "vlan-100",
                "mac": f"00:50:56:ac:00:0{number}",
                "addresses": [f"10.1.0.{3 - number}/24"],
                "gateway": "10.1.0.1",
            }
        ]
    for address, found in (("10.1.0.1/24", False), ("10.1.0.9/24", True)):
        router["nics"][0]["addresses"] = [address]
        spec.write()
        warm, cold = _checked(spec, tmp_path)
        assert warm == cold
        assert (f"VM {one['name']}: its gateway" in cold.out) is found, cold.text
