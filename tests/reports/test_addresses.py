"""Tests of `vmferry report addresses`: each NIC once, with both addresses; reservations only where they are clear."""

import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.invocation import vmferry
from tests.reports.hostile import HOSTILE
from tests.reports.test_assessment import inventory
from tests.reports.test_assessment import vm as fact
from tests.reports.test_schedule import GIB, spec, vm

from vmferry.check import check

EXAMPLES = Path(__file__).parents[2] / "examples"
ACME = EXAMPLES / "acme"
NETWORKS: list[dict[str, Any]] = [
    {
        "source": {"portGroup": "lan", "vlan": 7},
        "target": {"type": "bridge", "bridge": "br-vm", "vlan": 7},
        "subnet": "10.0.7.0/24",
        "gateway": "10.0.7.1",
    },
    {"source": {"portGroup": "pods"}, "target": {"type": "pod"}, "layer": 3},
    {"source": {"portGroup": "dark"}, "target": {"type": "ignored", "reason": "nobody needs it"}},
]


def nic(number: int, network: str = "lan", **facts: Any) -> dict[str, Any]:
    mac = f"00:50:56:9a:00:{number:02x}"
    return {"network": network, "mac": mac, "addresses": [f"10.0.7.{number}/24"], "origin": "static"} | facts


def asks(number: int, **facts: Any) -> dict[str, Any]:
    """Return a NIC whose guest asks for its address."""
    return nic(number, **{"origin": "dhcp"} | facts)


def estate(folder: Path, *nics: list[dict[str, Any]] | dict[str, Any], **more: Any) -> Path:
    """Write a spec with one VM for each list of NICs, or for each set of facts with NICs."""
    vms = []
    for number, each in enumerate(nics, 1):
        facts = each if isinstance(each, dict) else {"nics": each}
        vms.append(vm(number, GIB) | facts)
    return spec(folder, vms, **{"networks": NETWORKS} | more)


def report(file: Path) -> Any:
    result = vmferry("report", "addresses", file, "--format", "json")
    assert result.code == 0, result.err
    return result.data


def extra(file: Path, style: str) -> str:
    result = vmferry("report", "addresses", file, "--format", style)
    assert result.code == 0, result.err
    return result.out


def how(file: Path) -> list[tuple[str | None, str | None, str]]:
    return [(each["old"], each["new"], each["how"]) for each in report(file)["addresses"]]


# --- the plan -------------------------------------------------------------------------------------


def test_every_nic_of_every_vm_that_moves_is_in_the_plan() -> None:
    found = {(each["key"], each["nic"]) for each in report(ACME)["addresses"]}
    moving = [
        each
        for each in check(ACME).resolution.subjects
        if each.machine is not None and not each.machine.golden and each.vm.nics
    ]
    assert found == {(each.key, number) for each in moving for number in range(len(each.vm.nics or ()))}
    for each in report(ACME)["addresses"]:
        assert each["how"] != "open"


def test_the_plan_says_how_each_guest_gets_its_address(tmp_path: Path) -> None:
    new = {"readdress": {"lan": {"addresses": ["10.0.7.99/24"], "gateway": "10.0.7.1"}}, "staticIP": "cloud-init"}
    file = estate(
        tmp_path,
        [nic(11)],
        [asks(12)],
        {"nics": [nic(13)]} | new,
        [nic(14, network="pods")],
        {"nics": [nic(15), nic(16, network="dark")]},
        {"nics": [nic(17)], "staticIP": "none"},
    )
    assert how(file) == [
        ("10.0.7.11", "10.0.7.11", "kept"),
        ("10.0.7.12", None, "DHCP"),
        ("10.0.7.13", "10.0.7.99", "readdress"),
        ("10.0.7.14", None, "pod network"),
        ("10.0.7.15", "10.0.7.15", "kept"),
        ("10.0.7.16", None, "left behind"),
        ("10.0.7.17", None, "by hand"),
    ]
    first = report(file)["addresses"][0]
    assert (first["segment"], first["subnet"], first["gateway"]) == ("bridge br-vm, VLAN 7", "10.0.7.0/24", "10.0.7.1")
    assert (first["mac"], first["new_mac"]) == ("00:50:56:9a:00:0b", "00:50:56:9a:00:0b")


def test_addresses_of_both_families_stand_beside_their_own_kind(tmp_path: Path) -> None:
    old = ["10.0.7.11/24", "fd00::11/64", "fe80::1/64"]
    new = {"readdress": {"lan": {"addresses": ["fd00::99/64", "10.0.7.99/24"]}}, "staticIP": "cloud-init"}
    file = estate(tmp_path, {"nics": [nic(11, addresses=old)]} | new)
    assert how(file) == [("10.0.7.11", "10.0.7.99", "readdress"), ("fd00::11", "fd00::99", "readdress")]


def test_names_in_dns_are_those_of_the_vm() -> None:
    rows = report(EXAMPLES / "dns")["addresses"]
    assert any(each["names"] for each in rows)
    for each in rows:
        if each["how"] == "readdress":
            assert each["old"] != each["new"]


def test_a_spreadsheet_has_a_row_for_each_address(tmp_path: Path) -> None:
    text = extra(estate(tmp_path, [nic(11)], [asks(12)]), "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["VM"], row["address today"], row["new address"]) for row in rows] == [
        ("vm-01", "10.0.7.11", "10.0.7.11"),
        ("vm-02", "10.0.7.12", ""),
    ]


def test_a_bare_inventory_has_todays_addresses(tmp_path: Path) -> None:
    nics = [{"network": "pg-app", "mac": "00:50:56:9a:00:01", "addresses": ["10.0.7.11/24"]}]
    found = report(inventory(tmp_path / "inventory", fact(1, nics=nics), fact(2)))
    assert [(each["vm"], each["old"]) for each in found["addresses"]] == [("web-01", "10.0.7.11")]


# --- reservations ---------------------------------------------------------------------------------


def test_guests_that_ask_get_the_address_of_today_for_their_mac(tmp_path: Path) -> None:
    servers = ["10.0.0.53"]
    file = estate(
        tmp_path,
        {"nics": [asks(12, nameservers=servers)], "hostname": "web-12.acme.example"},
        [asks(13, nameservers=servers)],
        [nic(14)],
    )
    [served] = report(file)["subnets"]
    assert (served["subnet"], served["gateway"], served["nameservers"]) == ("10.0.7.0/24", "10.0.7.1", servers)
    assert [(each["mac"], each["address"]) for each in served["reservations"]] == [
        ("00:50:56:9a:00:0c", "10.0.7.12"),
        ("00:50:56:9a:00:0d", "10.0.7.13"),
    ]
    kea = json.loads(extra(file, "kea"))["Dhcp4"]
    [subnet] = kea["subnet4"]
    assert subnet["reservations"] == [
        {"hw-address": "00:50:56:9a:00:0c", "ip-address": "10.0.7.12", "hostname": "web-12"},
        {"hw-address": "00:50:56:9a:00:0d", "ip-address": "10.0.7.13"},
    ]
    assert subnet["option-data"] == [
        {"name": "routers", "data": "10.0.7.1"},
        {"name": "domain-name-servers", "data": "10.0.0.53"},
    ]
    assert "dhcp-host=00:50:56:9a:00:0c,10.0.7.12,web-12\n" in extra(file, "dnsmasq")
    assert 'option host-name "web-12";' in extra(file, "dhcpd")


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"addresses": []}, "its address today is unknown"),
        ({"addresses": ["fd00::12/64"]}, "DHCPv6 reserves by DUID"),
        ({"addresses": ["10.0.7.12/24", "10.0.7.13/24"]}, "several addresses"),
        ({"addresses": ["10.0.8.12/24"]}, "10.0.8.12 is not one of hosts in 10.0.7.0/24"),
        ({"addresses": ["10.0.7.255/24"]}, "10.0.7.255 is not one of hosts in 10.0.7.0/24"),
    ],
)
def test_an_address_that_is_not_clear_is_not_reserved(tmp_path: Path, facts: dict[str, Any], why: str) -> None:
    found = report(estate(tmp_path, [asks(12, **facts)]))
    assert found["subnets"] == []
    [left] = found["unreserved"]
    assert why in left["why"]


def test_two_guests_with_one_address_get_no_reservation_and_are_named(tmp_path: Path) -> None:
    found = report(estate(tmp_path, [asks(12)], [asks(13, addresses=["10.0.7.12/24"])], [asks(14)]))
    assert [each["vm"] for served in found["subnets"] for each in served["reservations"]] == ["vm-03"]
    assert {each["why"] for each in found["unreserved"]} == {"10.0.7.12 is used twice: by vm-01, vm-02"}


def test_subnets_that_overlap_are_not_guessed(tmp_path: Path) -> None:
    other = {"source": {"portGroup": "wan"}, "target": {"type": "bridge", "bridge": "br-vm", "vlan": 8}}
    file = estate(
        tmp_path, [asks(12)], [asks(13, network="wan", addresses=["10.0.9.13/16"])], networks=[*NETWORKS, other]
    )
    found = report(file)
    assert found["subnets"] == []
    assert [each["why"].partition(":")[0] for each in found["unreserved"]] == [
        "its subnet 10.0.7.0/24 overlaps 10.0.0.0/16",
        "its subnet 10.0.0.0/16 overlaps 10.0.7.0/24",
    ]


def test_an_address_without_a_prefix_needs_the_subnet_of_its_network(tmp_path: Path) -> None:
    bare = [{key: value for key, value in NETWORKS[0].items() if key not in ("subnet", "gateway")}]
    found = report(estate(tmp_path, [asks(12, addresses=["10.0.7.12"])], networks=bare))
    assert [each["why"] for each in found["unreserved"]] == ["the subnet of its network is unknown: state `subnet`"]


def test_a_gateway_that_guests_disagree_on_is_left_out(tmp_path: Path) -> None:
    bare = [{key: value for key, value in NETWORKS[0].items() if key != "gateway"}]
    same = estate(tmp_path, [asks(12, gateway="10.0.7.1")], [asks(13, gateway="10.0.7.1")], networks=bare)
    assert report(same)["subnets"][0]["gateway"] == "10.0.7.1"
    other = estate(tmp_path, [asks(12, gateway="10.0.7.1")], [asks(13, gateway="10.0.7.2")], networks=bare)
    assert report(other)["subnets"][0]["gateway"] is None
    assert ",option:router\n" in extra(other, "dnsmasq")  # without that, dnsmasq would name itself


def test_no_name_becomes_configuration(tmp_path: Path) -> None:
    """A name that is no label of a host name is left out, and with it whatever it tries to say."""
    words = ("ignore", "infinite", "45m", "3600", *HOSTILE)
    vms = [{"nics": [asks(number)], "hostname": text, "name": f"vm-{number}"} for number, text in enumerate(words, 2)]
    file = estate(tmp_path, *vms)
    dnsmasq, dhcpd, kea = (extra(file, style) for style in ("dnsmasq", "dhcpd", "kea"))
    lines = [line for line in dnsmasq.splitlines() if line and not line.startswith("#")]
    host = re.compile(r"dhcp-host=([0-9a-f]{2}:){5}[0-9a-f]{2},10\.0\.7\.[0-9]+(,[A-Za-z][-A-Za-z0-9]*)?")
    assert all(host.fullmatch(line) for line in lines[2:])
    assert not any(line.endswith((",ignore", ",infinite", ",45m", ",3600")) for line in lines)
    options = re.findall(r"host-name (.*);", dhcpd)
    assert options
    assert all(re.fullmatch(r'"[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?"', option) for option in options)
    assert len(re.findall(r"^  host ", dhcpd, re.MULTILINE)) == len(re.findall(r"^  }$", dhcpd, re.MULTILINE))
    [subnet] = json.loads(kea)["Dhcp4"]["subnet4"]
    assert {key for each in subnet["reservations"] for key in each} == {"hw-address", "ip-address", "hostname"}
    assert all(text.isascii() for text in (dnsmasq, dhcpd, kea))


def test_a_target_beside_its_source_gets_no_reservation_of_the_sources_address(tmp_path: Path) -> None:
    data = yaml.safe_load((EXAMPLES / "dual-run/spec.yaml").read_text(encoding="utf-8"))
    web = next(each for each in data["vms"] if each["name"] == "web-01")
    del web["readdress"], web["staticIP"]
    web["nics"][0]["origin"] = "dhcp"
    data["groups"] = {}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    shutil.copytree(EXAMPLES / "dual-run/checks", tmp_path / "checks")
    found = report(tmp_path)
    assert found["subnets"] == []
    [left] = found["unreserved"]
    assert left["why"].endswith("and another address: it runs beside its source")
