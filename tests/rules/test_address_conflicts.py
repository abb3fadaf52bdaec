"""Addresses in conflict with hosts, OVN, leases and VMs that stay, where the examples of the rules do not reach."""

from typing import Any

from tests.resolve.projects import Data, project, vm
from tests.rules.ruling import ruled
from tests.rules.test_networks import LOCALNET, OVN, on, row, static

from vmferry.model.finding import Finding

POOL: Data = LOCALNET | {"subnets": ["10.0.7.0/24"]}
DYNAMIC = {"origin": "dhcp"}


def found(code: str, *vms: Data, **sections: Any) -> list[Finding]:
    return [each for each in ruled(*vms, **sections) if each.code == code]


def readdressed(address: str, name: str = "new-01", nics: list[Data] | None = None) -> Data:
    new = {"vlan-7": {"addresses": [address]}}
    return vm(name, staticIP="cloud-init", readdress=new, nics=nics or static("10.0.7.99/24"))


def source(**vcenter: Any) -> list[Data]:
    """Return the sources of the projects with further fields of the vCenter."""
    made = project(vm()).spec.sources[0].vcenter
    stated = {"url": made.url, "credentials": {"secretRef": {"name": "vc1"}}, "vddkImage": "r.example/vddk:8"}
    stated |= {"conversionCredentials": {"secretRef": {"name": "vc1-read"}}, "insecureSkipVerify": True}
    return [{"name": "vc1", "vcenter": stated | vcenter}]


HOST = {"name": "esx1", "ipAddress": "10.0.7.5", "credentials": {"secretRef": {"name": "esx1"}}}


# --- hosts that the migration needs


def test_a_vm_that_has_the_address_of_a_host_today_may_be_that_host() -> None:
    [finding] = found("VMF276", vm(nics=static("10.0.7.5/24")), sources=source(hosts=[HOST]))
    assert (finding.severity, finding.message.endswith("is that of ESXi host esx1")) == ("warning", True)
    [finding] = found("VMF276", readdressed("10.0.7.5/24"), sources=source(hosts=[HOST]))
    assert finding.severity == "error"


def test_vcenters_and_name_servers_count_where_their_address_is_stated() -> None:
    zone = {"name": "acme.example", "ttl": "1h", "provider": {"type": "rfc2136", "server": "10.0.7.53"}}
    vcenter = source(url="https://10.0.7.4/sdk")
    vms = (readdressed("10.0.7.53/24", "a-01"), readdressed("10.0.7.4/24", "b-01", static("10.0.7.98/24")))
    said = [each.message for each in found("VMF276", *vms, sources=vcenter, dns={"zones": [zone]})]
    assert [text.partition("is that of ")[2] for text in said] == ["the name server of acme.example", "vCenter vc1"]


def test_a_smoke_test_may_not_take_the_address_of_a_host() -> None:
    smoke = {"addresses": ["10.0.7.5/24", "10.0.7.6/24"], "namespace": "web"}
    [finding] = found("VMF276", vm(), networks=[row(smokeTest=smoke)], sources=source(hosts=[HOST]))
    assert "smoke-test VM 1" in finding.message


# --- what OVN assigns


def test_ovn_is_told_of_every_address_that_is_in_use_on_its_network() -> None:
    networks = [
        row(to=POOL, gateway="10.0.7.1", smokeTest={"addresses": ["10.0.7.2/24", "10.0.7.3/24"], "namespace": "web"}),
        row("same", to=LOCALNET),
        row("other", to=LOCALNET | {"vlan": 8}),
    ]
    vms = (
        vm(nics=on("vlan-7", **DYNAMIC)),
        vm("b-01", nics=static("10.0.7.20/24", "same")),
        vm("c-01", nics=static("10.0.7.21/24", "other")),
        vm("d-01", nics=static("10.0.7.22/24"), disposition="retain", reason="licence"),
        vm("e-01", nics=static("10.0.9.23/24"), disposition="retain", reason="licence"),
    )
    [finding] = found("VMF277", *vms, networks=networks, target=OVN)
    assert finding.help.endswith(
        '`excludeSubnets: ["10.0.7.1/32", "10.0.7.2/32", "10.0.7.3/32", "10.0.7.20/32", "10.0.7.22/32"]`'
    )
    excluded = ["10.0.7.0/29", "10.0.7.16/28"]
    networks[0] = row(to=POOL | {"excludeSubnets": excluded}, gateway="10.0.7.1")
    assert found("VMF277", *vms, networks=networks, target=OVN) == []


def test_ovn_is_told_of_hosts_whose_addresses_are_among_its_own() -> None:
    dynamic, sources = vm(nics=on("vlan-7", **DYNAMIC)), source(hosts=[HOST])
    [finding] = found("VMF277", dynamic, networks=[row(to=POOL)], target=OVN, sources=sources)
    assert "10.0.7.5 (ESXi host esx1)" in finding.message
    overlay = row(to={"type": "ovn-layer2", "subnets": ["10.0.7.0/24"]})
    assert found("VMF277", dynamic, networks=[overlay], target=OVN, sources=sources) == []


def test_an_overlay_has_no_gateway_of_another_network() -> None:
    networks = [row(to={"type": "ovn-layer2", "subnets": ["10.0.7.0/24"]}), row("other", gateway="10.0.7.1")]
    assert found("VMF277", vm(nics=on("vlan-7", **DYNAMIC)), networks=networks, target=OVN) == []


# --- leases


def test_a_lease_of_a_vm_that_stays_counts_and_one_elsewhere_does_not() -> None:
    stays = vm("b-01", nics=on("vlan-7", addresses=["10.0.7.30/24"], **DYNAMIC), disposition="retain", reason="licence")
    [finding] = found("VMF278", readdressed("10.0.7.30/24"), stays)
    assert "which VM b-01 got by DHCP" in finding.message
    elsewhere = stays | {"nics": on("other", addresses=["10.0.7.30/24"], **DYNAMIC)}
    assert found("VMF278", readdressed("10.0.7.30/24"), elsewhere, networks=[row(), row("other", to=LOCALNET)]) == []
    assert found("VMF278", readdressed("10.0.7.30/24", nics=on("vlan-7", addresses=["10.0.7.30/24"], **DYNAMIC))) == []


# --- MACs


def test_a_copy_that_goes_is_no_conflict() -> None:
    copy = vm("b-01", nics=static("10.0.7.31/24"))
    moving = vm(nics=static("10.0.7.31/24"))
    [finding] = found("VMF279", moving, copy | {"disposition": "retain", "reason": "replica"})
    assert "b-01" in finding.message
    assert found("VMF279", moving, copy | {"disposition": "retire", "reason": "replica"}) == []
