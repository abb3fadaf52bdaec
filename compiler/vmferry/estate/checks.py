"""Checks of VMs in the target: which ones apply, over which address, what their Job is called, what KubeVirt probes."""

import ipaddress
import json
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

import msgspec
from msgspec import structs

from vmferry.estate import addresses
from vmferry.estate.methods import METHODS
from vmferry.kube.dns import digest, suffixed
from vmferry.model.blueprint import CheckSegment, Group, Machine, MachineCheck, MachineNic
from vmferry.model.evidence import OBSERVED, Entry
from vmferry.model.keys import Reference
from vmferry.model.spec import (
    BridgeNetwork,
    Check,
    Decisions,
    ExistingNad,
    IgnoredNetwork,
    MacvtapNetwork,
    NetworkTarget,
    OvnLayer2,
    OvnLocalnet,
    PodNetwork,
    SriovNetwork,
    VirtualMachine,
)

STAYS_OFF = ("Halted", "Manual")
"""Run strategies with which nothing starts a VM."""


def checkable(machine: Machine) -> bool:
    """Return whether there will be a VM that runs: an application is not one, nor is a golden image."""
    return machine.path != "rebuild" and not machine.golden and machine.run_strategy not in STAYS_OFF


def on_pod_network(machine: Machine) -> bool:
    """Return whether a VM is connected to the pod network."""
    return any(nic.nad is None and nic.connected for nic in machine.nics)


def unattached(target: NetworkTarget) -> str | None:
    """Return why no pod can be attached to a network with an address of its own; None if one can.

    A bridge takes it from its own definition, by the plugin `static`; OVN-Kubernetes from the pod's request, which it
    refuses on a network with subnets (ovn-kubernetes docs/features/multiple-networks/multi-homing.md).
    """
    match target:
        case BridgeNetwork(trunk=()) | OvnLocalnet(subnets=()) | OvnLayer2(subnets=()):
            return None
        case BridgeNetwork():
            return "it carries several VLANs, which only a guest tells apart"
        case OvnLocalnet() | OvnLayer2():
            return "OVN-Kubernetes assigns its addresses"
        case PodNetwork():
            return "it is the pod network: without `from`, the check runs from there"
        case IgnoredNetwork():
            return "it is not connected"
        case ExistingNad():
            return "vmferry does not know what its NetworkAttachmentDefinition does"
        case SriovNetwork() | MacvtapNetwork():
            return "it has devices for VMs, and no interface for a pod"


def address(
    check: Check, machine: Machine, vm: VirtualMachine, decisions: Decisions, nads: Collection[Reference | None] | None
) -> str | None:
    """Return where a check reaches a VM: a Service on the pod network, or the guest's own address; None if unknown.

    ``nads`` are those of the network that the check names, None for the pod network; without them any NIC will do, the
    pod network first. A name ends in `.svc`: the resolver of a pod completes it.
    """
    for nic in _in_order(machine):
        if not nic.connected or (nads is not None and nic.nad not in nads):
            continue
        if nic.nad is None:
            return f"{_service(check, machine)}.{machine.namespace}.svc"
        known = _addresses(nic, vm, decisions)
        if check.from_ is not None:
            known = [each for each in known if (":" in each) == (":" in check.from_)]
        if known:
            return known[0]
    return None


def source_address(machine: Machine, vm: VirtualMachine, nads: Collection[Reference | None] | None) -> str | None:
    """Return where the source of a VM is: its own address on the NIC that `address` takes; None if unknown.

    An address by DHCP may be another one by now, or of another machine.
    """
    for nic in _in_order(machine):
        if nic.connected and (nads is None or nic.nad in nads) and (known := _of_source(nic, vm)):
            return known[0]
    return None


def _in_order(machine: Machine) -> list[MachineNic]:
    return sorted(machine.nics, key=lambda nic: (nic.nad is not None, nic.index))


def _service(check: Check, machine: Machine) -> str:
    """Return the Service that leads to a VM: its own if it offers the port, as its users take it."""
    port = port_of(check)
    offered = any(each.port == port and each.protocol == "TCP" for each in machine.ports)
    return machine.target_name if offered else service_name(machine)


def port_of(check: Check) -> int | None:
    """Return the TCP port that a check connects to, if it is known."""
    return check.http.port if check.http is not None else check.tcp


def _addresses(nic: MachineNic, vm: VirtualMachine, decisions: Decisions) -> list[str]:
    """Return the addresses that the guest has on a NIC for certain, IPv4 first; one by DHCP may change."""
    if nic.readdress is not None:
        return _sorted(nic.readdress.addresses)
    return _of_source(nic, vm) if addresses.preserves(decisions) else []


def _of_source(nic: MachineNic, vm: VirtualMachine) -> list[str]:
    """Return the addresses that the source has on a NIC for certain, IPv4 first."""
    fact = (vm.nics or ())[nic.index] if nic.index < len(vm.nics or ()) else None
    return _sorted(addresses.own(fact)) if fact is not None and fact.origin != "dhcp" else []


def _sorted(texts: Iterable[str]) -> list[str]:
    found = [ipaddress.ip_interface(text).ip for text in texts]
    return [str(each) for each in sorted(found, key=lambda each: each.version)]


# --- what KubeVirt probes --------------------------------------------------------------------


def probed(checks: Collection[Check], decisions: Decisions) -> tuple[Check, ...]:
    """Return those of a VM's checks that KubeVirt is to probe."""
    return tuple(check for check in checks if check.name in (decisions.checks or ()) and check.probed)


def unprobeable(check: Check, machine: Machine) -> str | None:
    """Return why KubeVirt cannot probe this on the VM; None if it can.

    kubevirt pkg/virt-api/webhooks/validating-webhook/admitters/vmi-create-admitter.go: httpGet and tcpSocket are only
    allowed with the pod network (podNetworkRequiredStatusCause); staging/src/kubevirt.io/api/core/v1/types.go, Handler:
    exec, guestAgentPing, httpGet, tcpSocket.
    """
    if check.from_ is not None:
        return "KubeVirt probes from the VM's node, not from a network"
    if machine.path != "virt-v2v":
        return "Forklift makes the VM, and adding a probe to a VM that runs only takes effect at its next restart"
    if check.ping is not None or check.file is not None:
        return f"KubeVirt has no probe for {check.kinds[0]}"
    if check.http is not None and (check.http.status is not None or check.http.contains is not None):
        return "KubeVirt's probe accepts any status from 200 to 399, and does not read the page"
    if check.connects and not on_pod_network(machine):
        return "KubeVirt only probes ports of VMs on the pod network"
    return None


# --- the Job of a group ----------------------------------------------------------------------


def stated(group: Group) -> Iterator[tuple[Machine, MachineCheck]]:
    """Yield the checks of a group's VMs, in order."""
    for machine in group.machines:
        for check in group.checks.get(machine.key, ()):
            yield machine, check


def connecting(group: Group) -> tuple[tuple[Machine, MachineCheck], ...]:
    """Return what the Jobs of a group check: everything with an address."""
    return tuple((machine, each) for machine, each in stated(group) if each.address is not None)


def of_segment(group: Group, segment: CheckSegment | None) -> tuple[tuple[Machine, MachineCheck], ...]:
    """Return what one Job of a group checks: from a network, or from the pod network (None)."""
    return tuple((machine, each) for machine, each in connecting(group) if each.segment == segment)


def jobs(group: Group) -> dict[str, CheckSegment | None]:
    """Return the Jobs of a group by name, each with where it checks from: one for each network and address."""
    found: list[CheckSegment | None] = []
    for _, each in connecting(group):
        if each.segment not in found:
            found.append(each.segment)
    found.sort(key=lambda segment: (segment.network, segment.address) if segment is not None else ("", ""))
    return {job_name(group, segment): segment for segment in found}


def service_name(machine: Machine) -> str:
    """Return the Service by which the Job reaches a VM on the pod network, where it has none of its own for that."""
    return suffixed(machine.target_name, "check")


def needs_service(group: Group, machine: Machine) -> bool:
    """Return whether a check takes that Service."""
    name = f"{service_name(machine)}.{machine.namespace}.svc"
    return any(each.address == name for each in group.checks.get(machine.key, ()))


def starts(group: Group) -> str | None:
    """Return the time from which on a group's VMs are checked: that of their last cutover, if the spec states one."""
    if group.cutover is None or not METHODS[group.method].cutover:
        return None
    return max((group.cutover, *(each.time for each in group.vm_cutover)), key=datetime.fromisoformat)


def job_name(group: Group, segment: CheckSegment | None = None) -> str:
    """Return the name of a group's Job: another one for each attempt, and whatever it is made from.

    A Job cannot be changed: the API server refuses that, and with it all that Argo CD applies at once.
    """
    listed = [(machine.target_name, _in_target(each)) for machine, each in of_segment(group, segment)]
    made = (listed, sorted(group.check_scripts.items()), group.check_image, group.check_user, starts(group))
    content = json.dumps(msgspec.to_builtins(made), sort_keys=True)
    return suffixed(group.full_name, f"check-{group.attempt}-{digest(content)}")


def shown_by(machine: Machine, each: MachineCheck) -> str:
    """Return what evidence of a check of a VM is about. A check that is defined otherwise has to pass again."""
    content = json.dumps(msgspec.to_builtins(_in_target(each)), sort_keys=True)
    return f"check {each.check.name} of {machine.namespace}/{machine.target_name}, {digest(content)}"


def _in_target(each: MachineCheck) -> MachineCheck:
    """Return a check as far as its result in the target depends on it."""
    return structs.replace(each, source=None)


def is_past(group: Group, entry: Entry) -> bool:
    """Return whether an entry is about a check or a Job that the group no longer has."""
    if entry.what != "check" or entry.by != OBSERVED:
        return False
    if entry.vm is None:
        return entry.object not in {f"Job {group.namespace}/{name}" for name in jobs(group)}
    return all(entry.object != shown_by(machine, each) for machine, each in stated(group) if machine.key == entry.vm)
