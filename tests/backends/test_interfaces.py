"""Tests of `scripts/interfaces.sh` and what it reads with: layouts of real distributions, as directory trees."""

import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from vmferry.backends import virt_v2v

ONE, TWO, THREE = "00:50:56:91:5d:01", "00:50:56:91:5d:02", "00:50:56:91:5d:03"
IFCFG = "etc/sysconfig/network-scripts/ifcfg-"
SUSE = "etc/sysconfig/network/ifcfg-"
KEYFILE = "etc/NetworkManager/system-connections/"
RULES = "etc/udev/rules.d/70-persistent-net.rules"
FUNCTIONS = virt_v2v.functions()

Files = dict[str, str]


class Names(NamedTuple):
    names: dict[str, str]  # by MAC; those of the guest's own rules in brackets
    output: str
    code: int


def names(folder: Path, files: Files, *nics: str) -> Names:
    """Return the names that the NICs get in a guest with these files."""
    tree = folder / "tree"
    (tree / "etc").mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    script = f"set -euo pipefail\n{FUNCTIONS}\n" + '(interface_names "$@") || exit 9'
    done = subprocess.run(
        ["bash", "-c", script, "-", str(tree), *nics], capture_output=True, text=True, timeout=60, check=False
    )
    found = {}
    for line in done.stdout.splitlines():
        mac, name, how = line.split("\t")
        found[mac] = f"({name})" if how == "keep" else name
    return Names(found, done.stderr, done.returncode)


RHEL_STATIC = "TYPE=Ethernet\nBOOTPROTO=none\nONBOOT=yes\n"

LAYOUTS: dict[str, tuple[Files, tuple[str, ...], dict[str, str]]] = {
    "RHEL 7, by address": (
        {IFCFG + "ens192": RHEL_STATIC + 'DEVICE="ens192"\nNAME="System ens192"\nIPADDR=10.0.0.5\nPREFIX=24\n'},
        (f"{ONE}=10.0.0.5/24",),
        {ONE: "ens192"},
    ),
    "RHEL 7, HWADDR and DEVICE, two NICs the other way round": (
        {
            IFCFG + "ens192": f"HWADDR={TWO.upper()}\nDEVICE=ens192\nBOOTPROTO=dhcp\n",
            IFCFG + "ens224": f"HWADDR='{ONE}'\nDEVICE=ens224\nBOOTPROTO=dhcp\n",
        },
        (ONE, TWO),
        {ONE: "ens224", TWO: "ens192"},
    ),
    "RHEL 6, its own rules": (
        {
            RULES: "# PCI device 0x15ad:0x07b0 (vmxnet3)\n"
            f'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{{address}}=="{ONE}", ATTR{{type}}=="1", '
            'KERNEL=="eth*", NAME="eth0"\n',
            IFCFG + "eth0": "DEVICE=eth0\nIPADDR=10.0.0.5\nNETMASK=255.255.255.0\n",
        },
        (f"{ONE}=10.0.0.5/24",),
        {ONE: "(eth0)"},
    ),
    "RHEL 8, several addresses and an alias file": (
        {
            IFCFG + "ens192": "DEVICE=ens192\nIPADDR0=10.0.0.5\nIPADDR1=10.0.0.6\nIPV6ADDR=2001:db8:0::5/64\n",
            IFCFG + "ens224:1": "DEVICE=ens224:1\nIPADDR=10.7.0.9\n",
            IFCFG + "ens224": "DEVICE=ens224\nIPADDR=10.7.0.5\n",
        },
        (f"{ONE}=10.7.0.9/24", f"{TWO}=2001:DB8::5/64"),
        {ONE: "ens224", TWO: "ens192"},
    ),
    "RHEL 8, backups of the editor and of rpm do not count": (
        {
            IFCFG + "ens192": "DEVICE=ens192\nIPADDR=10.0.0.5\n",
            IFCFG + "ens192.bak": "DEVICE=ens160\nIPADDR=10.0.0.5\n",
            IFCFG + "ens33.rpmsave": "DEVICE=ens33\nIPADDR=10.0.0.5\n",
            IFCFG + "eth0~": "DEVICE=eth0\nIPADDR=10.0.0.5\n",
        },
        (f"{ONE}=10.0.0.5/24",),
        {ONE: "ens192"},
    ),
    "RHEL, VLAN on a bond of two NICs": (
        {
            IFCFG + "bond0": 'DEVICE=bond0\nTYPE=Bond\nBONDING_MASTER=yes\nBONDING_OPTS="mode=1"\n',
            IFCFG + "bond0.7": "DEVICE=bond0.7\nVLAN=yes\nIPADDR=10.0.7.5\n",
            IFCFG + "ens192": "DEVICE=ens192\nMASTER=bond0\nSLAVE=yes\n",
            IFCFG + "ens224": "DEVICE=ens224\nMASTER=bond0\nSLAVE=yes\n",
        },
        (f"{ONE}=10.0.7.5/24", TWO),
        {ONE: "ens192", TWO: "ens224"},
    ),
    "RHEL, a bridge on the NIC": (
        {
            IFCFG + "br0": "DEVICE=br0\nTYPE=Bridge\nIPADDR=10.0.0.5\n",
            IFCFG + "ens192": "DEVICE=ens192\nBRIDGE=br0\n",
            IFCFG + "ens224": "DEVICE=ens224\nIPADDR=10.1.0.5\n",
        },
        (f"{ONE}=10.0.0.5/24", f"{TWO}=10.1.0.5/24"),
        {ONE: "ens192", TWO: "ens224"},
    ),
    "RHEL 9, keyfiles": (
        {
            KEYFILE + "a.nmconnection": "[connection]\nid=a\ntype=ethernet\ninterface-name=ens192\n\n"
            "[ipv4]\naddress1=10.0.0.5/24,10.0.0.1\nmethod=manual\n",
            KEYFILE + "b.nmconnection": "[connection]\ntype=ethernet\ninterface-name = ens224\n"
            f"[ethernet]\nmac-address={TWO.upper()}\n[ipv4]\nmethod=auto\n",
        },
        (f"{ONE}=10.0.0.5/24", TWO),
        {ONE: "ens192", TWO: "ens224"},
    ),
    "RHEL 9, a keyfile that goes by MAC needs no name": (
        {KEYFILE + "a": f"[connection]\ntype=ethernet\n[ethernet]\nmac-address={ONE}\n[ipv4]\naddress1=10.0.0.5/24\n"},
        (f"{ONE}=10.0.0.5/24",),
        {},
    ),
    "NetworkManager, a bond whose ports name it by UUID": (
        {
            KEYFILE
            + "bond": "[connection]\nuuid=0e3f\ntype=bond\ninterface-name=bond0\n[ipv4]\naddress1=10.0.0.5/24\n",
            KEYFILE + "p1": "[connection]\ntype=ethernet\ninterface-name=ens192\nmaster=0e3f\nslave-type=bond\n",
            KEYFILE + "p2": "[connection]\ntype=ethernet\ninterface-name=ens224\ncontroller=bond0\nport-type=bond\n",
        },
        (f"{ONE}=10.0.0.5/24", TWO),
        {ONE: "ens192", TWO: "ens224"},
    ),
    "NetworkManager, old: the type with a number, the MAC as bytes": (
        {
            KEYFILE + "eth": "[connection]\ntype=802-3-ethernet\ninterface-name=eth0\n"
            "[802-3-ethernet]\nmac-address=0;80;86;145;93;1;\n"
        },
        (ONE, TWO),
        {ONE: "eth0"},
    ),
    "SLES 15, wicked": (
        {
            SUSE + "eth0": "BOOTPROTO='static'\nIPADDR='10.0.0.5/24'\nSTARTMODE='auto'\n",
            SUSE + "eth1": "BOOTPROTO='static'\nIPADDR='10.1.0.5'\nNETMASK='255.255.255.0'\nIPADDR_1='10.1.0.6/24'\n",
            SUSE + "lo": "IPADDR='127.0.0.1/8'\n",
        },
        (f"{ONE}=10.0.0.5/24", f"{TWO}=10.1.0.6/24"),
        {ONE: "eth0", TWO: "eth1"},
    ),
    "SLES 12, VLAN and bond": (
        {
            SUSE + "bond0": "BONDING_MASTER='yes'\nBONDING_SLAVE0='eth0'\nBONDING_SLAVE1='eth1'\n",
            SUSE + "vlan7": "ETHERDEVICE='bond0'\nVLAN_ID='7'\nIPADDR='10.0.7.5/24'\n",
            SUSE + "eth0": "BOOTPROTO='none'\n",
            SUSE + "eth1": "BOOTPROTO='none'\n",
        },
        (f"{ONE}=10.0.7.5/24", TWO),
        {ONE: "eth0", TWO: "eth1"},
    ),
    "SLES 11, the file's name has the MAC": (
        {SUSE + "eth-id-" + ONE: "BOOTPROTO='static'\nIPADDR='10.0.0.5/24'\n"},
        (f"{ONE}=10.0.0.5/24",),
        {},
    ),
    "SLES 12, a rule by PCI address names another NIC now": (
        {
            RULES: 'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", KERNELS=="0000:0b:00.0", NAME="eth0"\n',
            SUSE + "eth0": "IPADDR='10.0.0.5/24'\n",
        },
        (f"{ONE}=10.0.0.5/24",),
        {ONE: "eth0"},
    ),
    "Debian, allow-hotplug, and DHCP on the other": (
        {
            "etc/network/interfaces": "source-directory interfaces.d\nauto lo\niface lo inet loopback\n"
            "allow-hotplug ens192\niface ens192 inet static\n\taddress 10.0.0.5\n\tnetmask 255.255.255.0\n",
            "etc/network/interfaces.d/second": "auto ens224\niface ens224 inet dhcp\n",
            "etc/network/interfaces.d/second.bak": "auto ens256\niface ens256 inet dhcp\n",
        },
        (f"{ONE}=10.0.0.5/24", TWO),
        {ONE: "ens192", TWO: "ens224"},
    ),
    "Debian, continuation lines, an alias, IPv6": (
        {
            "etc/network/interfaces": "auto ens192 \\\n  ens224\niface ens192 inet6 static\n address 2001:db8::5/64\n"
            "iface ens224 inet manual\niface ens224:0 inet static\n address 10.7.0.5/24\n"
        },
        (f"{ONE}=10.7.0.5/24", f"{TWO}=2001:db8:0:0::5/64"),
        {ONE: "ens224", TWO: "ens192"},
    ),
    "Debian, a bridge and a VLAN": (
        {
            "etc/network/interfaces": "iface ens192 inet manual\niface br0 inet static\n address 10.0.0.5/24\n"
            " bridge_ports ens192\n bridge_stp off\niface ens224.7 inet static\n address 10.0.7.5/24\n"
        },
        (f"{ONE}=10.0.0.5/24", f"{TWO}=10.0.7.5/24"),
        {ONE: "ens192", TWO: "ens224"},
    ),
    "Ubuntu 22.04 by its installer": (
        {
            "etc/netplan/00-installer-config.yaml": "# written by subiquity\nnetwork:\n  ethernets:\n    ens160:\n"
            "      addresses:\n      - 10.0.0.5/24\n      nameservers:\n        addresses:\n        - 10.0.0.2\n"
            "      routes:\n      - to: default\n        via: 10.0.0.1\n    ens192:\n      dhcp4: true\n  version: 2\n"
        },
        (f"{ONE}=10.0.0.5/24", TWO),
        {ONE: "ens160", TWO: "ens192"},
    ),
    "Ubuntu by cloud-init: netplan names them by MAC": (
        {
            "etc/netplan/50-cloud-init.yaml": "network:\n    version: 2\n    ethernets:\n        eth0:\n"
            f"            addresses: [10.0.0.5/24]\n            match:\n                macaddress: '{ONE}'\n"
            "            set-name: eth0\n"
        },
        (f"{ONE}=10.0.0.5/24",),
        {ONE: "(eth0)"},
    ),
    "Ubuntu, netplan by MAC without a name": (
        {
            "etc/netplan/a.yaml": f"network: {{version: 2, ethernets: {{lan: {{match: {{macaddress: {ONE}}}, "
            "addresses: [10.0.0.5/24]}}}\n"
        },
        (f"{ONE}=10.0.0.5/24",),
        {},
    ),
    "Ubuntu, netplan in the flow style over several lines, an address with options, comments": (
        {
            "etc/netplan/a.yaml": "network:\n  version: 2\n  ethernets:\n    ens192: {addresses: [10.9.0.5/24, # one\n"
            '        "2001:db8::5/64"]}\n    ens224:\n      addresses:\n'
            '        - "10.0.0.5/24":\n            label: "ens224:app" # not #7\n        - 10.0.0.6/24\n'
        },
        (f"{ONE}=10.0.0.5/24", f"{TWO}=2001:db8::5/64"),
        {ONE: "ens224", TWO: "ens192"},
    ),
    "Ubuntu, netplan matches names, and renames": (
        {
            "etc/netplan/a.yaml": "network:\n  ethernets:\n    lan:\n      match: {name: ens192}\n"
            "      set-name: lan0\n      addresses: [10.0.0.5/24]\n    all:\n      match:\n        name: en*\n"
            "      addresses: [10.1.0.5/24]\n"
        },
        (f"{ONE}=10.0.0.5/24", f"{TWO}=10.1.0.5/24"),
        {ONE: "lan0"},
    ),
    "Ubuntu, netplan with a bond, a VLAN and ids of its own": (
        {
            "etc/netplan/a.yaml": "network:\n  ethernets:\n    first: {match: {name: ens192}}\n    ens224: {}\n"
            "  bonds:\n    bond0:\n      interfaces: [first, ens224]\n  vlans:\n    v7:\n      id: 7\n"
            "      link: bond0\n      addresses: [10.0.7.5/24]\n"
        },
        (f"{ONE}=10.0.7.5/24", TWO),
        {ONE: "ens192", TWO: "ens224"},
    ),
    "Ubuntu, netplan as JSON": (
        {
            "etc/netplan/a.yaml": '{\n "network": {\n  "version": 2,\n  "ethernets": {\n   "ens160": {\n'
            '    "addresses": [\n     "10.0.0.5/24"\n    ]\n   },\n   "ens192": {"dhcp4": true}\n  }\n }\n}\n'
        },
        (f"{ONE}=10.0.0.5/24", TWO),
        {ONE: "ens160", TWO: "ens192"},
    ),
    "Ubuntu, two netplan files about one interface": (
        {
            "etc/netplan/10-a.yaml": "network:\n  ethernets:\n    lan:\n      match: {name: ens192}\n",
            "etc/netplan/20-b.yaml": "network:\n  ethernets:\n    lan:\n      addresses: [10.0.0.5/24]\n",
        },
        (f"{ONE}=10.0.0.5/24", TWO),
        {ONE: "ens192"},
    ),
    "systemd-networkd": (
        {
            "etc/systemd/network/10-lan.network": "[Match]\nName=ens192\n\n[Network]\nAddress=10.0.0.5/24\nVLAN=v7\n",
            "etc/systemd/network/v7.netdev": "[NetDev]\nName=v7\nKind=vlan\n[VLAN]\nId=7\n",
            "etc/systemd/network/v7.network": "[Match]\nName=v7\n[Address]\nAddress=10.0.7.5/24\n",
            "etc/systemd/network/20-back.network": "[Match]\nName=ens224\n[Network]\nDHCP=yes\n",
        },
        (f"{ONE}=10.0.7.5/24,10.0.0.5/24", TWO),
        {ONE: "ens192", TWO: "ens224"},
    ),
    "systemd-networkd by MAC, and its own .link": (
        {
            "etc/systemd/network/a.network": f"[Match]\nMACAddress={ONE}\n[Network]\nAddress=10.0.0.5/24\n",
            "etc/systemd/network/b.link": f"[Match]\nPermanentMACAddress={TWO}\n[Link]\nName=lan1\n",
        },
        (f"{ONE}=10.0.0.5/24", TWO),
        {TWO: "(lan1)"},
    ),
    "systemd-networkd, a pattern that the new name does not fit": (
        {"etc/systemd/network/a.network": "[Match]\nName=ens*\n[Network]\nDHCP=yes\n"},
        (ONE, TWO),
        {ONE: "ens192", TWO: "ens224"},
    ),
    "systemd-networkd, a pattern that it fits": (
        {"etc/systemd/network/a.network": "[Match]\nName=en*\n[Network]\nDHCP=yes\n"},
        (f"{ONE}=10.0.0.5/24", TWO),
        {},
    ),
    "a .link by PCI path: the name is found by the address": (
        {
            "etc/systemd/network/a.link": "[Match]\nPath=pci-0000:0b:00.0\n[Link]\nName=lan0\n",
            "etc/systemd/network/a.network": "[Match]\nName=lan0\n[Network]\nAddress=10.0.0.5/24\n",
        },
        (f"{ONE}=10.0.0.5/24",),
        {ONE: "lan0"},
    ),
    "leases: NetworkManager, dhclient, wicked": (
        {
            "var/lib/NetworkManager/internal-1f2ea111-624b-32f6-8c93-12b2388516a6-ens192.lease": "ADDRESS=10.0.0.5\n",
            "var/lib/dhcp/dhclient.leases": 'lease {\n  interface "ens224";\n  fixed-address 10.0.0.6;\n}\n',
            "var/lib/wicked/lease-eth2-dhcp-ipv4.xml": "<lease>\n <address>10.0.0.7</address>\n</lease>\n",
        },
        (f"{ONE}=10.0.0.5/24", f"{TWO}=10.0.0.6", f"{THREE}=10.0.0.7/24"),
        {ONE: "ens192", TWO: "ens224", THREE: "eth2"},
    ),
    "dhcpcd": (
        {"etc/dhcpcd.conf": "hostname\ninterface eth0\nstatic ip_address=10.0.0.5/24\nstatic routers=10.0.0.1\n"},
        (f"{ONE}=10.0.0.5/24",),
        {ONE: "eth0"},
    ),
    "one NIC, one name, and no address known": (
        {IFCFG + "ens192": "DEVICE=ens192\nIPADDR=10.0.0.5\n"},
        (ONE,),
        {ONE: "ens192"},
    ),
    "one NIC, one name, and the address has changed since": (
        {IFCFG + "ens192": "DEVICE=ens192\nIPADDR=10.0.0.5\n"},
        (f"{ONE}=10.0.0.99/24",),
        {ONE: "ens192"},
    ),
    "the spec gives the name": (
        {IFCFG + "ens192": "DEVICE=ens192\nIPADDR=10.0.0.5\n", IFCFG + "ens224": "DEVICE=ens224\n"},
        (f"{ONE}@ens224=10.0.0.5/24", TWO),
        {ONE: "ens224", TWO: "ens192"},
    ),
    "no file at all": ({}, (f"{ONE}=10.0.0.5/24",), {}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nics_get_the_names_they_had(layout: str, tmp_path: Path) -> None:
    files, nics, expected = LAYOUTS[layout]
    result = names(tmp_path, files, *nics)
    assert result.code == 0, result.output
    assert result.names == expected, result.output
    assert "PCI" in layout or "WARNING" not in result.output


UNCLEAR: dict[str, tuple[Files, tuple[str, ...], str]] = {
    "two NICs, two names, nothing to tell them by": (
        {IFCFG + "ens192": "DEVICE=ens192\n", IFCFG + "ens224": "DEVICE=ens224\n"},
        (ONE, TWO),
        "names that are left: ens192 ens224",
    ),
    "two interfaces with one address": (
        {IFCFG + "ens192": "DEVICE=ens192\nIPADDR=10.0.0.5\n", IFCFG + "ens224": "DEVICE=ens224\nIPADDR=10.0.0.5\n"},
        (f"{ONE}=10.0.0.5/24", f"{TWO}=10.1.0.5/24"),
        "names that are left: ens192 ens224",
    ),
    "two NICs with one address": (
        {IFCFG + "ens192": "DEVICE=ens192\nIPADDR=10.0.0.5\n"},
        (f"{ONE}=10.0.0.5/24", f"{TWO}=10.0.0.5/24"),
        "could both be ens192",
    ),
    "the configuration that is left is for another address": (
        {IFCFG + "ens192": "DEVICE=ens192\nIPADDR=10.0.0.5\n", IFCFG + "ens224": "DEVICE=ens224\nIPADDR=10.9.9.9\n"},
        (f"{ONE}=10.0.0.5/24", f"{TWO}=10.1.0.5/24"),
        f"{TWO} has 10.1.0.5, and ens224 is configured for 10.9.9.9",
    ),
    "netplan by driver": (
        {"etc/netplan/a.yaml": "network:\n  ethernets:\n    lan:\n      match: {driver: vmxnet3}\n      dhcp4: true\n"},
        (ONE,),
        "lan is bound to driver vmxnet3",
    ),
    "a keyfile by PCI path": (
        {KEYFILE + "a": "[connection]\ntype=ethernet\n[match]\npath=pci-0000:0b:00.0\n[ipv4]\nmethod=auto\n"},
        (ONE,),
        "it is bound to a PCI address",
    ),
    "names of the kernel, swapped": (
        {SUSE + "eth0": "IPADDR='10.0.0.5/24'\n", SUSE + "eth1": "IPADDR='10.1.0.5/24'\n"},
        (f"{ONE}=10.1.0.5/24", f"{TWO}=10.0.0.5/24"),
        f"{ONE} was eth1, and the kernel will call it eth0 first",
    ),
}


@pytest.mark.parametrize("layout", UNCLEAR)
def test_what_cannot_be_told_is_said_loudly_and_fails_nothing(layout: str, tmp_path: Path) -> None:
    files, nics, said = UNCLEAR[layout]
    result = names(tmp_path, files, *nics)
    assert result.code == 0, result.output
    warnings = [line for line in result.output.splitlines() if line.startswith("WARNING: guest network: ")]
    assert any(said in line for line in warnings), result.output


@pytest.mark.parametrize(
    "text",
    [
        'DEVICE="ens192;reboot"\nIPADDR=10.0.0.5\n',
        "DEVICE=$(touch pwned)\nIPADDR=10.0.0.5\n",
        "DEVICE=../../etc/passwd\nIPADDR=10.0.0.5\n",
        "DEVICE=\nHWADDR=\nIPADDR=\n",
        "DEVICE=" + "x" * 400 + "\nIPADDR=10.0.0.5\n",
        "=\n==\n[[[\n\0\xff\n",
    ],
)
def test_an_odd_file_is_no_command_and_no_failure(text: str, tmp_path: Path) -> None:
    result = names(tmp_path, {IFCFG + "ens192": text}, f"{ONE}=10.0.0.5/24", TWO)
    assert result.code == 0, result.output
    assert all(name == "ens192" for name in result.names.values())
    assert not list(tmp_path.rglob("pwned"))
    assert not Path("pwned").exists()


@pytest.mark.parametrize("text", ["network: [", "a: b: c", "- - -", "network:\n\tethernets:", "{", ": : :", '"'])
def test_a_broken_netplan_file_fails_nothing(text: str, tmp_path: Path) -> None:
    assert names(tmp_path, {"etc/netplan/a.yaml": text}, ONE).code == 0


def test_a_link_out_of_the_tree_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("DEVICE=ens192\nIPADDR=10.0.0.5\n")
    folder = tmp_path / "tree" / "etc/sysconfig/network-scripts"
    folder.mkdir(parents=True)
    (folder / "ifcfg-ens224").symlink_to(tmp_path / "outside")
    (folder / "ifcfg-loop").symlink_to("ifcfg-loop")
    assert names(tmp_path, {}, f"{ONE}=10.0.0.5/24").names == {}


def written(folder: Path, *, systemd: bool) -> dict[str, str]:
    """Return the files for two NICs, one of which the guest names itself."""
    (folder / "tree/etc/systemd" if systemd else folder / "tree/etc").mkdir(parents=True)
    script = f'set -euo pipefail\n{FUNCTIONS}\nwrite_names "$@"'
    lines = f"{ONE}\tens192\twrite\n{TWO}\tlan0\tkeep\n"
    out = folder / "out"
    subprocess.run(["bash", "-c", script, "-", str(out), str(folder / "tree")], input=lines, text=True, check=True)
    return {str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()}


LINK = f"[Match]\nMACAddress={ONE}\nPath=*pci-*\n\n[Link]\nName=ens192\n"
RULE = f'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{{address}}=="{ONE}", ATTR{{type}}=="1", NAME="ens192"\n'


def test_the_name_is_written_for_udev_and_for_systemd(tmp_path: Path) -> None:
    assert written(tmp_path, systemd=True) == {
        "etc/udev/rules.d/70-vmferry-net.rules": RULE,
        "etc/systemd/network/10-vmferry-ens192.link": LINK,
    }


def test_a_guest_without_systemd_gets_no_link_file(tmp_path: Path) -> None:
    assert written(tmp_path, systemd=False) == {"etc/udev/rules.d/70-vmferry-net.rules": RULE}
