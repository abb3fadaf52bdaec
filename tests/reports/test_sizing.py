"""Tests of `vmferry report sizing`: the estates that docs/sizing.md calculates by hand, and what is shown of others."""

import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.estate.migration_planner import sized as planned
from tests.invocation import vmferry
from tests.reports.test_assessment import inventory
from tests.resolve.projects import Data, project, vm

from vmferry.check import review
from vmferry.model.inventory import Inventory, InventoryHost, InventoryMetadata, Origin
from vmferry.model.project import Project
from vmferry.model.report import value_of
from vmferry.reports.content import Material
from vmferry.reports.needs import Sizing
from vmferry.reports.sizing import build
from vmferry.resolve.blueprint import resolve

ACME = Path(__file__).parents[2] / "examples/acme"
DOC = (Path(__file__).parents[2] / "docs/sizing.md").read_text()
GI, MI = 1 << 30, 1 << 20
GITOPS = {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"}
SAN: Data = {
    "classes": [
        {
            "name": "san",
            "provisioner": "csi.example.com",
            "accessModes": ["ReadWriteMany"],
            "volumeModes": ["Block"],
            "tier": "gold",
        }
    ],
    "map": [{"source": {"datastore": "ds1"}, "tier": "gold"}],
}


def material(made: Project) -> Material:
    return Material(review=review(made, resolve(made)), findings=(), title=str)


def sizing(made: Project) -> Sizing:
    found = build(material(made)).data
    assert isinstance(found, Sizing)
    return found


def target(*nodes: Data, **fields: Any) -> Data:
    return {"cluster": {"name": "prod-a", "nodes": list(nodes), **fields}, "gitops": GITOPS}


def estate_a() -> Project:
    vms = (vm(f"vm-{number}", cpu={"count": 4}, memory="16Gi") for number in range(40))
    return project(*vms, target=target({"name": "workers", "count": 5, "cpu": 32, "memory": "256Gi"}), storage=SAN)


def estate_b() -> Project:
    ceph = {"name": "ceph-block", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold", "replication": 3}
    zones = [{"name": f"zone-{zone}", "count": 3, "cpu": 64, "memory": "512Gi", "zone": zone} for zone in "ab"]
    disk = {"size": "100Gi", "datastore": "ds1", "thin": True}
    return project(
        *(
            vm(f"vm-{number}", cpu={"count": 8}, memory="16Gi", disks=[disk], usedStorage=40 * GI)
            for number in range(30)
        ),
        target=target(*zones, cpuAllocationRatio=1),
        storage={"classes": [ceph], "map": [{"source": {"datastore": "ds1"}, "tier": "gold"}]},
    )


def measured(cpu: tuple[int, int], memory: tuple[int, int]) -> Data:
    rates = {name: {"average": average, "peak": peak} for name, (average, peak) in (("cpu", cpu), ("memory", memory))}
    return {"days": 30, "samples": 100, "coverage": 1, **rates}


def estate_c() -> Project:
    low = measured((10, 60), (25, 75))
    big = vm(
        "big-01",
        cpu={"count": 16},
        memory="100Gi",
        phase="second",
        host="esx-1",
        cluster="C1",
        baseline=measured((10, 50), (50, 90)),
    )
    others = (
        vm(f"app-0{n}", cpu={"count": 8}, memory="32Gi", host=f"esx-{2 + n // 3}", cluster="C1", baseline=low)
        for n in range(6)
    )
    phases = [{"name": "first"}, {"name": "second", "after": ["first"]}]
    hosts = tuple(InventoryHost(name=f"esx-{n}", cluster="C1", cores=16, memory=128 * GI) for n in (1, 2, 3))
    part = Inventory(metadata=InventoryMetadata(name="vc1"), source=Origin(name="vc1", kind="vcenter"), hosts=hosts)
    return replace(project(big, *others, storage=SAN, phases=phases), inventories=(part,))


def rows(heading: str) -> list[list[str]]:
    """Return the rows of the table in docs/sizing.md with this heading."""
    table = DOC[DOC.index(heading) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def shown(number: int | None) -> str:
    return "" if number is None else str(number)


@pytest.mark.parametrize(("name", "estate"), [("A", estate_a), ("B", estate_b), ("C", estate_c)])
def test_the_estates_of_the_docs_need_what_is_calculated_there(name: str, estate: Any) -> None:
    [row] = [row for row in rows("| estate | carrying") if row[0] == name]
    pools = sizing(estate()).pools
    needed, spare = sum(pool.needed for pool in pools), sum(pool.spare for pool in pools)
    peak = {pool.needed_at_peak for pool in pools}
    average = {pool.needed_at_average for pool in pools}
    assert row[1:5] == [str(needed - spare), str(spare), str(needed), pools[0].by]
    assert row[5:] == [shown(*peak), shown(*average)]


def test_estate_a_requests_what_the_docs_say() -> None:
    found = sizing(estate_a())
    [phase] = found.phases
    assert (phase.cpu, phase.conversions) == (40 * 405, 20)
    assert phase.memory == 40 * (16384 + 240 + 32 + 8 + 32 + 32) * MI + 40 * 35_000_000
    assert (phase.memory + 20 * GI) // MI == 690935
    assert "690935" in DOC
    assert (phase.missing, phase.carried_memory) == (0, 4 * (256 * GI * 100 // 120))


def test_estate_b_lacks_two_nodes_and_its_storage_is_that_of_the_docs() -> None:
    found = sizing(estate_b())
    assert [(pool.needed, pool.nodes) for pool in found.pools] == [(4, 3), (4, 3)]
    assert (found.phases[0].missing, sum(pool.missing for pool in found.pools)) == (2, 2)
    [item] = found.storage
    assert (item.claimed // GI, item.used // GI, item.copies) == (3000, 1200, 3)
    assert (item.thick // GI, item.thin // GI) == (4320, 1728)
    raw = (round((item.raw_thick or 0) / GI), round((item.raw_thin or 0) / GI))
    assert raw == (15247, 6099)
    assert all(str(number) in DOC for number in (*raw, 4320, 1728))


def test_estate_c_reuses_a_host_once_it_is_free() -> None:
    found = sizing(estate_c())
    assert found.basis == "proposed"
    assert [(phase.phase, phase.needed, phase.hosts_free) for phase in found.phases] == [
        ("first", 3, 1),
        ("second", 4, 3),
    ]
    assert found.new_nodes == 3
    assert {host.host: host.empty_after for host in found.hosts} == {
        "esx-1": "second",
        "esx-2": "first",
        "esx-3": "first",
    }
    assert found.too_large == ()
    assert found.pools[0].missing == 0


@pytest.mark.parametrize("row", rows("| estate | its ratios"), ids=lambda row: f"{row[0]} {row[1]}")
def test_the_comparison_with_migration_planner_is_what_its_formulas_give(row: list[str]) -> None:
    vms, cpu, memory, cores, node = {
        "A": (40, 160, 640, 32, 256),
        "B": (30, 240, 480, 64, 512),
        "C": (7, 64, 292, 16, 128),
    }[row[0]]
    ratios = [int(each) for each in re.findall("1:([0-9])", row[1])]
    found = planned(vms, cpu, memory, cores=cores, node_memory=node, cpu_ratio=ratios[0], memory_ratio=ratios[1])
    assert row[2:6] == [str(each) for each in (*found, found.nodes)]
    [ours] = [each for each in rows("| estate | carrying") if each[0] == row[0]]
    assert row[6] == ours[3]


def test_half_of_the_further_threads_count_in_migration_planner() -> None:
    assert planned(30, 240, 480, cores=32, threads=64, node_memory=512, cpu_ratio=1, memory_ratio=1).nodes == 9


def test_a_vm_that_no_node_allots_is_named() -> None:
    huge = vm("huge", memory="240Gi")
    nodes = target({"name": "workers", "count": 5, "cpu": 32, "memory": "256Gi"})
    found = sizing(project(huge, target=nodes, settings={"sizing": {"conversions": 0}}))
    [large] = found.too_large
    assert (large.vm, large.allotted_memory) == ("huge", 256 * GI * 100 // 135)
    assert found.pools[0].needed == 2


def test_a_vm_whose_devices_no_node_has_is_named() -> None:
    made = vm("a", gpus=[{"deviceName": "example.com/gpu"}], liveMigration="none")
    found = sizing(project(made, target=target({"name": "workers", "count": 5, "cpu": 32, "memory": "256Gi"})))
    assert [(each.vm, each.allotted_cpu, each.allotted_memory) for each in found.too_large] == [("a", None, None)]
    assert [(each.needed, each.there) for each in found.devices] == [(1, 0)]


def test_two_spare_nodes_and_own_parameters_are_used_and_shown() -> None:
    made = estate_a()
    spare = replace(made.spec.settings.sizing, spare_nodes=2, conversions=0, headroom=15)
    spec = replace(made.spec, settings=replace(made.spec.settings, sizing=spare))
    found = sizing(replace(made, spec=spec))
    assert (found.pools[0].needed, found.pools[0].spare) == (3 + 2, 2)  # 670455 MiB / (256 GiB / 1.15) = 2.94
    assert {each.name: (each.value, each.set_by) for each in found.parameters}["spareNodes"] == (
        "2 per zone",
        "settings.sizing",
    )


def test_a_stated_node_type_and_zones_are_planned_with() -> None:
    sizes = {"sizing": {"node": {"cpu": 32, "memory": "256Gi"}, "zones": 3}}
    vms = (vm(f"vm-{number}", cpu={"count": 4}, memory="16Gi") for number in range(40))
    found = sizing(project(*vms, storage=SAN, settings=sizes))
    assert found.basis == "stated"
    assert [(pool.zone, pool.needed) for pool in found.pools] == [("zone-1", 3), ("zone-2", 3), ("zone-3", 3)]


@pytest.mark.parametrize("rate", [float("inf"), 1e308, 250])
def test_a_measurement_above_all_of_it_counts_as_all_of_it(rate: float) -> None:
    odd = vm("a", baseline=measured((rate, rate), (rate, rate)))  # type: ignore[arg-type]
    full = vm("a", baseline=measured((100, 100), (100, 100)))
    nodes = target({"name": "workers", "count": 5, "cpu": 4, "memory": "64Gi"})
    assert sizing(project(odd, target=nodes)).pools == sizing(project(full, target=nodes)).pools


def test_gpus_have_their_pool_and_the_text_that_prepares_it() -> None:
    gpus = {"gpus": [{"deviceName": "nvidia.com/TU104GL_Tesla_T4"}], "liveMigration": "none"}
    nodes = [
        {"name": "workers", "count": 2, "cpu": 32, "memory": "256Gi"},
        {
            "name": "gpu",
            "count": 2,
            "cpu": 32,
            "memory": "256Gi",
            "resources": {"nvidia.com/TU104GL_Tesla_T4": 2},
        },
    ]
    vms = [vm(f"gpu-{n}", passthrough=["pci 10de:1eb8 Tesla T4"], **gpus) for n in range(3)]
    made = project(*vms, vm("plain"), target=target(*nodes, distribution="talos"))
    found = sizing(made)
    assert {pool.pool: pool.needed for pool in found.pools} == {"workers": 2, "gpu": 3}
    assert [(each.vms, each.needed, each.there) for each in found.devices] == [(3, 3, 4)]
    result = [block for block in build(material(made)).blocks if hasattr(block, "text")]
    node, permitted = (block.text for block in result)  # type: ignore[union-attr]
    assert "vfio-pci.ids=10de:1eb8" in node
    assert "extraKernelArgs" in node
    assert 'pciVendorSelector: "10DE:1EB8"' in permitted
    assert 'resourceName: "nvidia.com/TU104GL_Tesla_T4"' in permitted


@pytest.mark.parametrize("device", ["pci 10de:1eb8\n  evil: yes", "pci 10de:1eb8extra", "pci", "vgpu grid_t4-4q"])
def test_what_vsphere_says_of_a_device_is_never_copied_into_settings(device: str) -> None:
    gpus = {"gpus": [{"deviceName": "nvidia.com/T4"}], "liveMigration": "none", "passthrough": [device]}
    text = "".join(getattr(block, "text", "") for block in build(material(project(vm("a", **gpus)))).blocks)
    assert "VENDOR:DEVICE" in text
    assert "evil" not in text


def test_numbers_of_phases_agree_with_the_census() -> None:
    found = build(material(estate_c()))
    table = found.spreadsheet
    assert table.title == "Phase by phase"
    assert sum(int(value_of(row[1]) or 0) for row in table.rows) == 7
    acme = vmferry("report", "sizing", ACME, "--format", "json").data
    status = vmferry("report", "status", ACME, "--format", "json").data
    assert {each["phase"]: each["vms"] for each in acme["phases"]} == {
        each["phase"]: each["vms"] for each in status["phases"] if each["vms"]
    }
    assert all(phase["missing"] == 0 for phase in acme["phases"])


@pytest.mark.parametrize("style", ["text", "md", "csv", "html", "json"])
def test_a_bare_inventory_is_sized_in_every_format(style: str, tmp_path: Path) -> None:
    facts = {"os": "linux", "firmware": "bios", "powerState": "poweredOn", "nics": [], "tools": "running"}
    full = {"name": "a", "id": "vm-1", "cpu": {"count": 4}, "memory": "16Gi", "disks": [{"size": "10Gi"}], **facts}
    place = inventory(tmp_path / "inventory", full, {"name": "b", "id": "vm-2", **facts})
    result = vmferry("report", "sizing", place, "--format", style)
    assert (result.code, result.err) == (0, "")
    if style == "json":
        assert (result.data["basis"], result.data["unknown"], result.data["running"]) == ("unknown", 1, 1)
    if style == "text":
        assert "No node type is known" in result.out
        assert "1 VM of unknown size" in result.out
