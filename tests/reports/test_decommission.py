"""Tests of `vmferry report decommission`: the estate that docs/decommission.md computes by hand, and others."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from tests.invocation import vmferry
from tests.reports.test_assessment import inventory
from tests.reports.test_sizing import SAN, target
from tests.resolve.projects import Data, project, vm

from vmferry.check import review
from vmferry.model.inventory import Inventory, InventoryHost, InventoryMetadata, Origin
from vmferry.model.project import Project
from vmferry.reports.content import Material
from vmferry.reports.decommission import build
from vmferry.reports.leaving import Decommission, HostEnd
from vmferry.resolve.blueprint import resolve

DOC = (Path(__file__).parents[2] / "docs/decommission.md").read_text()
GI = 1 << 30
NOW = datetime(2027, 1, 1, tzinfo=UTC)
FIRST: Data = {
    "name": "first",
    "windows": [{"start": "2027-01-09T20:00:00Z", "duration": "8h"}],
    "dualRun": {"atLeast": "14d"},
}
SECOND: Data = {"name": "second", "windows": [{"start": "2027-02-06T20:00:00Z", "duration": "8h"}]}
COSTS: Data = {
    "currency": "EUR",
    "source": "an offer",
    "licences": [{"name": "vSphere", "perCore": 100, "ends": "2027-02-01"}],
}
XEON = "Intel(R) Xeon(R) Gold 6338N CPU @ 2.20GHz"


def esx(number: int, **facts: Any) -> InventoryHost:
    known: dict[str, Any] = {"id": f"host-{number}", "cpu_model": XEON, "cpus": 2, "cores": 32, "memory": 256 * GI}
    return InventoryHost(name=f"esx-{number}", cluster="C1", **(known | facts))


def member(number: int, **more: Any) -> Data:
    facts: Data = {"cpu": {"count": 4}, "memory": "16Gi", "host": f"esx-{number % 4 + 1}", "cluster": "C1"}
    return vm(f"vm-{number:02}", **(facts | {"phase": "first" if number < 12 else "second"} | more))


def by_hand(*more: Data, hosts: tuple[InventoryHost, ...] = (), **sections: Any) -> Project:
    """Return the estate of the page, with further VMs."""
    made = project(
        *(member(number) for number in range(24)),
        *more,
        target=target({"name": "worker", "count": 2, "cpu": 32, "memory": "256Gi"}),
        storage=SAN,
        phases=[FIRST, SECOND],
        costs=COSTS,
        **sections,
    )
    part = Inventory(
        metadata=InventoryMetadata(name="vc1"),
        source=Origin(name="vc1", kind="vcenter"),
        hosts=hosts or tuple(esx(number) for number in range(1, 5)),
    )
    return replace(made, inventories=(part,))


def material(made: Project) -> Material:
    return Material(review=review(made, resolve(made), now=NOW), findings=(), title=str)


def decommission(made: Project) -> Decommission:
    found = build(material(made)).data
    assert isinstance(found, Decommission)
    return found


def ends(found: Decommission) -> dict[str, HostEnd]:
    return {host.host: host for host in found.hosts}


def test_the_page_computes_this_estate() -> None:
    found = decommission(by_hand())
    assert [(step.what, step.phase, step.host, step.date) for step in found.steps] == [
        ("moves", "first", "", None),
        ("released", "first", "", "2027-01-24T04:00Z"),
        ("emptied", "first", "esx-1", "2027-01-24T04:00Z"),
        ("joins", "second", "esx-1", None),
        ("moves", "second", "", None),
        ("released", "second", "", "2027-02-07T04:00Z"),
        *(("emptied", "second", f"esx-{number}", "2027-02-07T04:00Z") for number in (2, 3, 4)),
    ]
    assert ends(found)["esx-1"].then == "node before second"
    assert ends(found)["esx-2"].then == "spare: no phase needs it as a node"
    [licence] = found.licences
    assert (licence.per_year, licence.falls_away) == (12_800, "2027-02-08")
    assert licence.note == "ends 6 days before the last host may go: it must be renewed"
    [cluster], [source] = found.clusters, found.sources
    assert (cluster.left, cluster.date, cluster.staying) == (0, "2027-02-07T04:00Z", ())
    assert (source.hosts, source.groups, source.validated) == (4, 2, 0)
    for said in ("2027-01-24T04:00Z", "2027-02-07T04:00Z", "2027-02-08", "12,800", "6 days", "213425", "414562"):
        assert said in DOC


def test_a_retained_vm_keeps_two_hosts_and_is_named() -> None:
    found = decommission(by_hand(member(30, phase=None, disposition="retain", reason="serves the lab")))
    assert found.clusters[0].left == 2
    assert found.clusters[0].staying == ("vm-30",)
    assert found.clusters[0].date is None
    assert next((each.vm, each.why, each.reason) for each in found.there) == ("vm-30", "retained", "serves the lab")
    assert [each.then for each in found.hosts][-2:] == ["stays: VMs are left in its cluster"] * 2
    assert found.licences[0].note == "needed as long as VMs stay in vSphere"


def test_hosts_of_another_vendor_or_an_old_cpu_do_not_become_nodes() -> None:
    old = "Intel(R) Xeon(R) CPU E5450 @ 3.00GHz"
    hosts = (esx(1, cpu_model="AMD EPYC 7543 32-Core Processor"), esx(2, cpu_model=old), esx(3), esx(4))
    found = decommission(by_hand(hosts=hosts))
    assert ends(found)["esx-3"].then == "node before second"
    assert ends(found)["esx-1"].then.startswith("retire: its CPU is from AMD, the nodes' are from Intel")
    assert ends(found)["esx-2"].then.startswith("retire: its CPU (Core) is x86-64-v1")


def test_what_an_import_does_not_have_is_unknown() -> None:
    hosts = tuple(esx(number, cpu_model=None, memory=None) for number in range(1, 5))
    found = decommission(by_hand(hosts=hosts))
    assert {(host.memory, host.generation, host.nics, host.iommu) for host in found.hosts} == {(None,) * 4}
    assert {host.empties_with for host in found.hosts} == {"second"}  # none goes before the cluster is empty
    assert [(step.phase, step.nodes) for step in found.steps if step.what == "missing"] == [("second", 1)]
    assert ends(found)["esx-1"].then == "retire: its cores or memory are unknown"


def test_a_bare_inventory_says_what_it_can(tmp_path: Path) -> None:
    inventory(tmp_path / "inventory", {"name": "a"}, {"name": "b"})
    result = vmferry("report", "decommission", tmp_path / "inventory")
    assert result.code == 0
    assert "the inventory has no ESXi hosts" in result.out


def test_the_scripts_name_no_host_by_themselves_and_leave_alone_what_has_no_date() -> None:
    made = by_hand(hosts=(esx(1), esx(2, id=None), esx(3), InventoryHost(name="it's\n$(reboot)", id="host-9")))
    report = build(material(made))
    assert "\nhost vc1 esx-1 HostSystem:host-1 2027-0" in report.extra["sh"]
    assert "\nleft_alone vc1 esx-2 'left alone: its id in vCenter is unknown, do it by hand'\n" in report.extra["sh"]
    assert "\nhost vc1 'it'\"'\"'s\n$(reboot)' HostSystem:host-9 ''\n" in report.extra["sh"]
    assert "\nRemove-Host 'vc1' 'it''s\n$(reboot)' 'HostSystem-host-9' ''\n" in report.extra["ps1"]
    for text in report.extra.values():
        assert "vmferry never runs this" in text
        assert not re.search(r"^(host|Remove-Host) .*esx-2", text, re.MULTILINE)
