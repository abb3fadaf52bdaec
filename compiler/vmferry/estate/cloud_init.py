"""Data for cloud-init in a guest.

New addresses, and whether the guest stays the same machine or becomes a new one. cloud-init treats a VM with such data
as a new instance, so its defaults for new instances must be overridden: host keys, host name, users, package sources
(canonical/cloud-init cc_ssh, cc_set_hostname, cc_users_groups, cc_apt_configure).
"""

import json
import re
from collections.abc import Sequence

from msgspec import Struct

from vmferry.estate.smbios import is_former
from vmferry.model.blueprint import Machine, MachineNic
from vmferry.model.facts import Nic

MAX_INLINE = 2048
"""Bytes of user data and of network data that a VM may have inline (kubevirt pkg/storage/admitters/volumes.go)."""

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

_FORMER = """\
#cloud-config
preserve_hostname: true
ssh_deletekeys: false
ssh_pwauth: unchanged
users: []
"""
"""Data from an earlier vmferry; a VM that runs with it keeps it."""

_MIGRATED = """\
#cloud-config
apt: {preserve_sources_list: true}
preserve_hostname: true
ssh_deletekeys: false
ssh_pwauth: unchanged
users: []
"""
"""The guest keeps its name, host keys, users and package sources."""

_CLONED = """\
#cloud-config
apt: {preserve_sources_list: true}
preserve_hostname: false
ssh_deletekeys: true
ssh_pwauth: unchanged
users: []
"""
"""The guest gets its own name and host keys (CVE-2018-10896); users and package sources come from the image."""


class Seed(Struct, frozen=True, kw_only=True):
    """The data of one VM for cloud-init's datasource NoCloud."""

    user_data: str
    network_data: str | None = None  # None: cloud-init uses DHCP


def seed(machine: Machine) -> Seed | None:
    """Return the data for a VM's cloud-init; None if it has nothing to do.

    Windows has no cloud-init: virt-v2v sets its addresses, and sysprep gives a clone its own identity.
    """
    if machine.os == "windows" or machine.golden or machine.path != "virt-v2v":
        return None
    network = network_data(machine.nics)
    if is_former(machine):
        return Seed(user_data=_FORMER, network_data=network) if network is not None else None
    if machine.clone_of is not None and (machine.os == "linux" or network is not None):
        return Seed(user_data=_CLONED + _names(machine), network_data=network)
    return Seed(user_data=_MIGRATED, network_data=network) if network is not None else None


def _names(machine: Machine) -> str:
    """Return the host name of a clone: its own if known, otherwise its name in the target."""
    full = (machine.hostname or "").lower()
    labels = full.split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        full, labels = machine.target_name, [machine.target_name]
    lines = f"hostname: {json.dumps(labels[0])}\n"
    return lines + (f"fqdn: {json.dumps(full)}\n" if len(labels) > 1 else "")


def interface_name(fact: Nic, index: int) -> str:
    """Return the interface name of a NIC with new addresses.

    Its name in the guest, otherwise one that no kernel assigns.
    """
    return fact.interface or f"net{index}"


def network_data(nics: Sequence[MachineNic]) -> str | None:
    """Return network data, version 2, for NICs with new addresses; None if there are none.

    Strings are quoted as in JSON, because PyYAML reads some MAC addresses as numbers.
    """
    lines = [line for nic in sorted(nics, key=lambda nic: nic.index) for line in _ethernet(nic)]
    return "\n".join(["version: 2", "ethernets:", *lines, ""]) if lines else None


def _ethernet(nic: MachineNic) -> list[str]:
    new = nic.readdress
    if new is None:
        return []
    lines = [f"  {nic.name}:", f"    match: {{macaddress: {json.dumps(nic.mac)}}}"]
    if nic.set_name is not None:  # before 22.2, cloud-init of the RHEL family only uses the name (LP 1855945)
        lines.append(f"    set-name: {json.dumps(nic.set_name)}")
    lines += ["    dhcp4: false", f"    addresses: {json.dumps(new.addresses)}"]
    if new.gateways:
        routes = ", ".join(map(_default_route, new.gateways))
        lines.append(f"    routes: [{routes}]")
    if new.nameservers:
        lines.append(f"    nameservers: {{addresses: {json.dumps(new.nameservers)}}}")
    return lines


def _default_route(gateway: str) -> str:
    everywhere = "::/0" if ":" in gateway else "0.0.0.0/0"
    return f"{{to: {json.dumps(everywhere)}, via: {json.dumps(gateway)}}}"
