"""Rules on replicas of databases, and on the aliases by which clients follow them."""

from typing import Any

import pytest
from tests.backends.estate import group, machine
from tests.resolve.projects import Data, machines, resolved, vm
from tests.rules.ruling import only, silent
from tests.rules.test_dual_run import GOLD, clone, codes, dns

from vmferry.estate.gates import lacking
from vmferry.estate.history import History
from vmferry.model.evidence import Entry, Evidence, What
from vmferry.model.spec import Metadata, Stage

PHASES = [{"name": "first", "dualRun": {"mode": "replica"}}]
STEPS = {step: f"scripts/{step}.sh" for step in ("setUp", "stopWrites", "caughtUp", "promote", "resumeWrites")}
ALIAS = {"name": "orders-db", "before": "db-01.example.com", "after": "db-01-new.example.com"}


def replica(name: str = "db-01", **fields: Any) -> Data:
    return clone(name, **({"method": "replica", "replication": STEPS, "alias": ALIAS, "dns": []} | fields))


def test_a_clone_that_replication_fills_is_a_replica() -> None:
    assert not codes(GOLD, replica(), phases=PHASES)
    made = machines(resolved(GOLD, replica(), phases=PHASES))["db-01"]
    assert (made.method, made.clone_of, made.hostname) == ("replica", "gold", None)


@pytest.mark.parametrize(
    "other",
    [
        vm("db-02", path="forklift", method="warm", changeTracking=True),
        vm("db-02", method="job"),
        vm("db-02", method="image", disks=GOLD["disks"]),
        clone("db-02", alias=ALIAS),
    ],
)
def test_any_other_method_is_refused_where_sources_serve_until_the_promotion(other: Data) -> None:
    assert only("VMF166", GOLD, other, phases=PHASES).vms == ("db-02",)
    assert silent("VMF166", GOLD, other, phases=[{"name": "first"}])


@pytest.mark.parametrize("mode", ["fallback", "parallel"])
def test_a_replica_is_refused_where_nothing_waits_for_its_promotion(mode: str) -> None:
    phases = [{"name": "first", "dualRun": {"mode": mode}}]
    assert "set dualRun.mode: replica" in only("VMF166", GOLD, replica(), phases=phases).help
    assert only("VMF166", GOLD, replica(), phases=[{"name": "first"}]).vms == ("db-01",)


def test_only_a_clone_can_be_a_replica() -> None:
    found = resolved(vm("db-01", method="replica"), phases=PHASES)
    assert ["replica fills a new VM" in each.message for each in found.findings] == [True]


def test_each_step_of_a_replica_is_described_somewhere() -> None:
    assert "setUp" in only("VMF167", GOLD, replica(replication=None), phases=PHASES).help


def test_clients_follow_by_an_alias_or_a_record() -> None:
    assert only("VMF168", GOLD, replica(alias=None), phases=PHASES).vms == ("db-01",)
    record = replica(alias=None, dns=[{"name": "db-01.example.com"}])
    assert silent("VMF168", GOLD, record, phases=PHASES, dns=dns({"type": "zonefile"}))


POD = [{"source": {"portGroup": "vlan-7", "vlan": 7}, "target": {"type": "pod"}}]


def test_an_alias_leads_to_the_service_of_the_ports_on_the_pod_network() -> None:
    alias = {"name": "orders-db", "before": "db-01.example.com"}
    ports = [{"name": "postgresql", "port": 5432}]
    found = replica(alias=alias, ports=ports, readdress={}, staticIP="none")
    made = machines(resolved(GOLD, found, phases=PHASES, networks=POD))["db-01"].alias
    assert made is not None
    assert made.after == "db-01-new.web.svc.cluster.local"
    assert silent("VMF169", GOLD, found, phases=PHASES, networks=POD)
    assert "state `after`" in only("VMF169", GOLD, replica(alias=alias, ports=ports), phases=PHASES).help


@pytest.mark.parametrize("field", ["before", "after"])
def test_an_alias_leads_to_a_host_name_and_no_address(field: str) -> None:
    found = only("VMF169", GOLD, replica(alias=ALIAS | {field: "10.0.7.12"}), phases=PHASES)
    assert f"as `{field}`" in found.message


def test_two_aliases_of_one_name_and_one_of_another_vm_are_refused() -> None:
    address = {"vlan-7": {"addresses": ["10.0.7.92/24"], "gateway": "10.0.7.1"}}
    other = replica("db-02", readdress=address, nics=[{"network": "vlan-7", "mac": "00:50:56:00:00:02"}])
    assert only("VMF159", GOLD, replica(), other, phases=PHASES).vms == ("db-02",)
    named = other | {"alias": ALIAS | {"name": "db-01-new"}}
    assert "VM db-01" in only("VMF159", GOLD, replica(), named, phases=PHASES).message
    assert silent("VMF159", GOLD, replica(), other | {"alias": ALIAS | {"name": "crm-db"}}, phases=PHASES)


def entry(what: What, stage: Stage | None = None, vm: str | None = None) -> Entry:
    return Entry(group="first-01", what=what, attempt=1, outcome="succeeded", stage=stage, vm=vm)


@pytest.mark.parametrize(
    ("entries", "lacks"),
    [
        ((), ["virtualMachine", "replication"]),
        ((entry("signOff", "migrating"),), ["replication"]),
        ((entry("virtualMachine", vm="vc1/vm-db"),), ["replication"]),
        ((entry("virtualMachine", vm="vc1/vm-db"), entry("replication")), []),
        ((entry("signOff", "migrating"), entry("replication")), []),
    ],
)
def test_no_sign_off_of_the_stage_replaces_the_proof_that_a_replica_caught_up(
    entries: tuple[Entry, ...], lacks: list[str]
) -> None:
    made = group("first-01", "replica", machine("db", clone_of="gold"), stage="cutover")
    history = History(Evidence(metadata=Metadata(name="acme"), entries=entries))
    assert [lack.need.what for lack in lacking(made, "migrating", "cutover", history)] == lacks
