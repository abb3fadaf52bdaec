"""Which checks a VM gets, and over which way it is reached."""

from typing import Any

from tests.resolve.projects import codes, finding, group, machines, resolved, vm

from vmferry.model.blueprint import MachineCheck

SSH: dict[str, Any] = {"name": "ssh", "tcp": 22}
STATIC = {"network": "vlan-7", "mac": "00:50:56:9a:10:01", "addresses": ["fd00::7/64", "10.0.7.11/24"]}
POD = {"source": {"portGroup": "VM Network"}, "target": {"type": "pod"}}
VLAN = {"name": "web", "source": {"portGroup": "vlan-7"}, "target": {"type": "bridge", "bridge": "br1", "vlan": 7}}


def reached(*checks: dict[str, Any], **fields: Any) -> list[str | None]:
    """Return where each check of a VM connects to."""
    return [each.address for each in planned(*checks, **fields)]


def planned(*checks: dict[str, Any], **fields: Any) -> tuple[MachineCheck, ...]:
    names = [check["name"] for check in checks]
    sections: dict[str, Any] = {"defaults": {"phase": "first", "namespace": "web"}, "networks": [POD, VLAN]}
    found = resolved(vm(**{"checks": names} | fields), checks=list(checks), **sections)
    assert codes(found) == []
    [its] = found.blueprint.groups[0].checks.values()
    return its


def test_a_static_address_is_taken_ipv4_first() -> None:
    assert reached(SSH, nics=[STATIC | {"origin": "static"}]) == ["10.0.7.11"]


def test_an_address_of_unknown_origin_is_as_good_as_the_guest_keeps_it() -> None:
    assert reached(SSH, nics=[STATIC]) == ["10.0.7.11"]
    assert reached(SSH, nics=[STATIC], staticIP="none") == [None]


def test_an_address_by_dhcp_may_change() -> None:
    assert reached(SSH, nics=[STATIC | {"origin": "dhcp"}]) == [None]


def test_on_the_pod_network_a_service_leads_to_the_vm_its_own_if_it_offers_the_port() -> None:
    pod = {"network": "VM Network", "mac": "00:50:56:9a:10:02", "origin": "dhcp"}
    page = {"name": "page", "http": {"port": 80}}
    found = reached(SSH, page, nics=[STATIC, pod], ports=[{"name": "ssh", "port": 22}])
    assert found == ["web-01.web.svc", "web-01-check.web.svc"]


def test_a_check_can_name_its_network() -> None:
    pod = {"network": "VM Network", "mac": "00:50:56:9a:10:02", "origin": "dhcp"}
    assert reached(SSH | {"network": "web"}, nics=[pod, STATIC]) == ["10.0.7.11"]


def test_what_kubevirt_knows_needs_no_way() -> None:
    assert reached({"name": "agent", "guestAgent": True}, nics=[STATIC]) == [None]


def test_checks_are_those_of_today_and_the_probe_is_frozen() -> None:
    agent = {"name": "agent", "guestAgent": True, "probe": True}
    sections: dict[str, Any] = {"defaults": {"phase": "first", "namespace": "web", "path": "virt-v2v", "method": "job"}}
    first = resolved(vm(checks=["agent"]), checks=[agent], **sections)
    assert machines(first)["web-01"].probe is not None
    frozen: dict[str, Any] = {"groups": {"first-01": {"stage": "prepared"}}}
    prepared = resolved(vm(checks=["agent"]), checks=[agent], assignments=first.assignments, **sections, **frozen)
    later = resolved(vm(checks=["ssh"]), checks=[agent, SSH], assignments=prepared.assignments, **sections, **frozen)
    assert machines(later)["web-01"].probe == machines(first)["web-01"].probe
    assert [each.check.name for each in next(iter(group(later, "first-01").checks.values()))] == ["ssh"]
    assert "probe" in finding(later, "VMF409").message


def test_a_record_by_a_vmferry_without_checks_is_as_it_was() -> None:
    sections: dict[str, Any] = {
        "defaults": {"phase": "first", "namespace": "web", "path": "virt-v2v", "method": "job"},
    }
    first = resolved(vm(), **sections)
    frozen: dict[str, Any] = {"groups": {"first-01": {"stage": "prepared"}}}
    prepared = resolved(vm(), assignments=first.assignments, **sections, **frozen)
    assert (
        codes(resolved(vm(checks=["ssh"]), checks=[SSH], assignments=prepared.assignments, **sections, **frozen)) == []
    )


def test_an_unknown_check_a_double_one_and_one_of_two_kinds_are_findings() -> None:
    found = resolved(
        vm(checks=["sssh"]),
        checks=[SSH, SSH, {"name": "both", "tcp": 1, "ping": True}, {"name": "far", "tcp": 1, "network": "nowhere"}],
        defaults={"phase": "first", "namespace": "web"},
    )
    assert sorted(codes(found)) == ["VMF101", "VMF102", "VMF102", "VMF116"]
