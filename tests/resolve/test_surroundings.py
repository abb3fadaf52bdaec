"""What the VMs of a namespace find there."""

from typing import Any

import pytest
from msgspec import convert
from tests.backends.blueprints import disk, group, machine
from tests.resolve.projects import resolved, vm

from vmferry.model.blueprint import Group, NamespacePlan
from vmferry.model.finding import Finding, Where
from vmferry.model.project import Entry, Project
from vmferry.model.spec import MigrationSpec, Phase, VirtualMachine
from vmferry.resolve.network_rows import map_networks
from vmferry.resolve.notes import collect, findings
from vmferry.resolve.surroundings import plan_namespaces

GI = 1 << 30
WHERE = Where(file="spec.yaml")
SRIOV_NAD = {"type": "nad", "name": "fast", "binding": "sriov"}

Data = dict[str, Any]


def project(*vms: Data, namespace: Data | None = None, **fields: Any) -> Project:
    spec = {
        "apiVersion": "vmferry.dev/v1alpha1",
        "kind": "MigrationSpec",
        "metadata": {"name": "acme"},
        "sources": [
            {
                "name": "vc1",
                "vcenter": {"url": "https://vc1.example.com/sdk", "credentials": {"secretRef": {"name": "vc1"}}},
            }
        ],
        "target": {
            "cluster": {"name": "prod-a"},
            "gitops": {"engine": "flux", "repoURL": "https://git.example.com/gitops"},
        },
        "namespaces": [{"name": "other"}, {"name": "web"} | (namespace or {})],
        "phases": [{"name": "last", "after": ["first"]}, {"name": "first"}],
    }
    entries = tuple(Entry(vm=convert(vm, VirtualMachine), where=WHERE.at("vms", i)) for i, vm in enumerate(vms))
    return Project(spec=convert(spec | fields, MigrationSpec), where=WHERE, entries=entries)


def planned(
    given: Project, *groups: Group, phases: tuple[Phase, ...] | None = None
) -> tuple[NamespacePlan, list[Finding]]:
    """Return the plan of namespace web with what was found."""
    networks, notes = collect(map_networks(given.spec.networks, WHERE))
    plans, more = collect(plan_namespaces(given, phases or given.spec.phases, groups, networks))
    return next(plan for plan in plans if plan.name == "web"), [*findings(notes), *findings(more)]


def forklift(name: str = "web-01", **fields: Any) -> Group:
    given: Data = {"key": f"vc1/{name}", "name": name, "path": "forklift", "method": "cold", "nics": ()}
    return group(machine(name, **given | fields), path="forklift", phase="first", name=f"group-{name}")


KNOWN: Data = {"name": "web-01", "cpu": {"count": 4}, "memory": "4Gi"}


# --- quota -----------------------------------------------------------------------------------


def test_the_quota_peaks_in_the_order_in_which_phases_run() -> None:
    many = group(machine("a", disks=tuple(disk("a", i) for i in range(4)), nics=()), phase="first", name="a")
    one = group(machine("b", disks=(disk("b"),), nics=()), phase="last", name="b")
    given = project(KNOWN)
    as_written, as_run = given.spec.phases, tuple(reversed(given.spec.phases))
    claims = [
        planned(given, many, one, phases=order)[0].quota["persistentvolumeclaims"] for order in (as_written, as_run)
    ]
    assert claims == ["9", "8"]


@pytest.mark.parametrize(
    ("given", "unknown"), [({}, {"memory": 0}), ({"cpu": {"count": 4}}, {"memory": 0}), ({"memory": "4Gi"}, {})]
)
def test_a_computed_quota_needs_cpu_and_memory_of_forklifts_vms(given: Data, unknown: Data) -> None:
    _, findings = planned(project({"name": "web-01"} | given), forklift(**unknown))
    assert [(item.code, item.where, item.vms) for item in findings] == [
        ("VMF108", WHERE.at("namespaces", 1), ("web-01",))
    ]
    assert "web-01" in findings[0].message
    assert "quota: none" in findings[0].help


def test_one_finding_names_every_vm_without_cpu_or_memory() -> None:
    names = [f"web-{number:02}" for number in range(25)]
    groups = [forklift(name, memory=0) for name in names]
    _, findings = planned(project(*({"name": name} for name in names)), *groups)
    assert [item.vms for item in findings] == [tuple(names)]
    assert "and 5 more" in findings[0].message


@pytest.mark.parametrize("quota", ["none", {"cpu": "4"}])
def test_a_stated_quota_needs_no_facts(quota: object) -> None:
    _, findings = planned(project({"name": "web-01"}, namespace={"quota": quota}), forklift(memory=0))
    assert findings == []


def test_known_facts_are_fine() -> None:
    assert planned(project(KNOWN), forklift())[1] == []


def test_a_vm_found_by_its_id_is_fine() -> None:
    assert planned(project(KNOWN | {"id": "vm-7", "source": "vc1"}), forklift(key="vc1/vm-7"))[1] == []


def test_a_frozen_vm_counts_with_what_is_known_today() -> None:
    """Its Plan takes CPU and memory from vSphere, not from what was frozen."""
    today, findings = planned(project(KNOWN), forklift(memory=0, sockets=1, cores=1))
    assert findings == []
    assert today.quota == planned(project(KNOWN), forklift(memory=4 * GI, sockets=4, cores=1))[0].quota


def test_a_frozen_vm_that_left_the_spec_counts_as_it_was_frozen() -> None:
    assert planned(project(), forklift())[1] == []
    assert [item.code for item in planned(project(), forklift(memory=0))[1]] == ["VMF108"]


def test_the_quota_has_room_for_smoke_test_vms() -> None:
    smoke = {"addresses": ["10.0.0.2/24", "10.0.0.3/24"], "namespace": "web"}
    bridge: Data = {"type": "bridge", "bridge": "br-vm", "vlan": 7}

    def memory(*networks: Data) -> int:
        plan, findings = planned(project(KNOWN, networks=list(networks)), forklift())
        assert findings == []
        return int(plan.quota["requests.memory"].removesuffix("Gi"))

    without = memory({"source": {"portGroup": "lan"}, "target": bridge})
    assert memory({"source": {"portGroup": "lan"}, "target": bridge, "smokeTest": smoke}) == without + 2
    assert memory({"source": {"portGroup": "fast"}, "target": SRIOV_NAD, "smokeTest": smoke}) == without + 4
    elsewhere = smoke | {"namespace": "other"}
    assert memory({"source": {"portGroup": "lan"}, "target": bridge, "smokeTest": elsewhere}) == without


def test_a_namespace_of_smoke_tests_alone_has_no_quota() -> None:
    smoke = {"addresses": ["10.0.0.2/24", "10.0.0.3/24"], "namespace": "web"}
    network = {
        "source": {"portGroup": "lan"},
        "target": {"type": "bridge", "bridge": "br", "vlan": 7},
        "smokeTest": smoke,
    }
    assert planned(project(networks=[network]))[0].quota == {}


@pytest.mark.parametrize(
    ("target", "binding"),
    [({"type": "bridge", "bridge": "br", "vlan": 7}, "bridge"), (SRIOV_NAD, "sriov")],
)
def test_smoke_test_vms_are_on_a_network_as_a_migrated_vm_would_be(target: Data, binding: str) -> None:
    smoke = {"addresses": ["10.0.0.2/24", "10.0.0.3/24"], "namespace": "web"}
    row = {"source": {"portGroup": "lan"}, "target": target, "smokeTest": smoke}
    [pair] = planned(project(networks=[row]))[0].smoke
    assert pair.binding == binding


# --- bridges ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("target", "untagged"), [({"vlan": 7}, False), ({"untagged": True}, True)])
def test_a_bridge_carries_untagged_frames_where_a_network_on_it_has_no_vlan(target: Data, untagged: bool) -> None:
    row = {"source": {"portGroup": "vlan-7"}, "target": {"type": "bridge", "bridge": "br-vm"} | target}
    cluster = {"name": "prod-a", "bridges": [{"name": "br-vm", "port": "bond0"}]}
    gitops = {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"}
    found = resolved(vm(), networks=[row], target={"cluster": cluster, "gitops": gitops})
    assert [plan.untagged for plan in found.blueprint.bridges] == [untagged]
