"""Whether guests on path virt-v2v keep their network: addresses in Windows, interface names in Linux."""

from collections.abc import Iterator

from vmferry.estate.addresses import is_converted, own, preserves, sets_addresses
from vmferry.model.blueprint import Machine, MachineNic
from vmferry.model.facts import Nic
from vmferry.model.review import Problem, Review, Subject
from vmferry.rules.registry import rule

_READDRESS = "give it new addresses (staticIP: cloud-init and readdress)"
_ACCEPT = "set staticIP: none if the guest uses DHCP or is configured by hand"


def _kept_nics(review: Review) -> Iterator[tuple[Subject, Machine, MachineNic, Nic]]:
    """Yield the NICs on path B that may have an address to keep, on a network that allows it."""
    for subject, group, machine in review.moving:
        if group.path == "virt-v2v" and not machine.golden and preserves(subject.decisions):
            for nic, fact in _nics(subject, machine):
                yield subject, machine, nic, fact


def _nics(subject: Subject, machine: Machine) -> Iterator[tuple[MachineNic, Nic]]:
    facts = subject.vm.nics or ()
    for nic in machine.nics:
        fact = facts[nic.index] if nic.index < len(facts) else None
        if fact is not None and fact.origin != "dhcp" and nic.nad is not None and nic.readdress is None:
            yield nic, fact


@rule(
    "VMF570",
    "warning",
    "static address is not kept",
    source="libguestfs/virt-v2v docs/virt-v2v.pod (--mac), convert/convert_windows.ml; kubev2v/forklift#1354",
    each=True,
)
def lost_address(review: Review) -> Iterator[Problem]:
    """The guest starts with a new network adapter. Without help it has no address there and cannot be reached.

    A conversion helps: it sets the addresses of Windows again, and the interface names of Linux. It cannot if it does
    not know the address, if Windows is too old (before 8 and Server 2012), or if there is no conversion: clones, disks
    that are copied unchanged (source vddk), systems that virt-v2v does not know.
    """
    for subject, machine, nic, fact in _kept_nics(review):
        if fact.origin != "static":
            continue
        if (found := _obstacle(machine, nic, fact)) is not None:
            what, fix = found
            yield subject.problem(f"its static address on {fact.network!r} is not kept: {what}", fix, "nics", nic.index)


def _obstacle(machine: Machine, nic: MachineNic, fact: Nic) -> tuple[str, str] | None:
    """Return what prevents a NIC from keeping its address, and the fix; None if nothing does."""
    if not is_converted(machine):
        if machine.clone_of is not None:
            return "a clone has the template's configuration", f"{_READDRESS}; {_ACCEPT}"
        why = (
            "virt-v2v does not convert this system"
            if machine.os == "other"
            else "its disks are copied without conversion"
        )
        return why, f"in the guest, bind its configuration to the MAC before the copy; {_ACCEPT}, or {_READDRESS}"
    if nic.mac is None:
        return "its MAC is unknown", "add `mac`"
    if machine.os == "windows" and (found := _windows_obstacle(machine, fact)) is not None:
        return found
    if nic.kept is None and machine.conversion is None:
        return (
            "the VM was frozen by an earlier vmferry, which kept no addresses",
            "set its group to rolled-back, in the next commit to planned, and prepare it again",
        )
    return None


def _windows_obstacle(machine: Machine, fact: Nic) -> tuple[str, str] | None:
    if not sets_addresses(machine.guest_id):
        return "virt-v2v only sets addresses in Windows 8, Server 2012 and later", f"plan it for the cutover; {_ACCEPT}"
    if not own(fact):
        return "the address is unknown", "add `addresses`, or start the VM with VMware Tools and import again"
    bare = [text for text in own(fact) if "/" not in text]
    if bare:
        return f"the prefix of {bare[0]} is unknown", f"add it, as in {bare[0]}/{'64' if ':' in bare[0] else '24'}"
    return None


@rule(
    "VMF571",
    "warning",
    "unknown whether an address is static",
    source="libguestfs/virt-v2v docs/virt-v2v.pod (--mac)",
    each=True,
)
def unknown_origin(review: Review) -> Iterator[Problem]:
    """A static address has to be set again if a conversion cannot leave that to the guest; one from DHCP must not be.

    RVTools does not say which it is, and vCenter only while VMware Tools run. If it is unknown nothing is set, and the
    guest asks for an address by DHCP.
    """
    for subject, machine, nic, fact in _kept_nics(review):
        by_itself = machine.os == "linux" and is_converted(machine)
        asked = _asked(subject, fact) if is_converted(machine) else bool(own(fact))
        if fact.origin is not None or by_itself or not asked:
            continue
        known = f"{', '.join(own(fact))} on {fact.network!r}" if own(fact) else f"its address on {fact.network!r}"
        yield subject.problem(
            f"{known} may be static, and would be lost",
            "add `origin: static` (with addresses, gateway and nameservers) or `origin: dhcp`; vCenter only "
            "knows it while "
            "the VM runs with VMware Tools",
            "nics",
            nic.index,
        )


def _asked(subject: Subject, fact: Nic) -> bool:
    """Return whether there is any statement on the addresses: by an import, or in a spec that keeps them."""
    if own(fact) or fact.origin == "static":
        return True
    return subject.vm.tools is not None or subject.decisions.static_ip == "preserve"


@rule(
    "VMF572",
    "warning",
    "NIC may not get its name back",
    source="libguestfs/virt-v2v#99; kubev2v/forklift#980",
    each=True,
)
def unknown_name(review: Review) -> Iterator[Problem]:
    """A Linux guest's configuration depends on the interface's name, which changes with KVM's hardware.

    The conversion gives each NIC its old name back. It matches NICs to names by MAC and by address, as far as the
    guest's configuration has them. If no address is known, it can only tell if there is one NIC and one name, or if the
    configuration has the MAC. The Job's log then says what it found.
    """
    for subject, group, machine in review.moving:
        if group.path != "virt-v2v" or machine.os != "linux" or not is_converted(machine):
            continue
        if not preserves(subject.decisions):
            continue
        nics = list(_nics(subject, machine))
        dark = [nic for nic, fact in nics if not own(fact) and fact.interface is None and _asked(subject, fact)]
        if len(dark) > 1 or (dark and len(dark) == len(machine.nics)):
            what = f"the addresses of {len(dark)} of its NICs are" if len(dark) > 1 else "its address is"
            yield subject.problem(
                f"{what} unknown, so the interface's name may not be found in the guest",
                "add `addresses` or `interface` to each NIC, or start the VM with VMware Tools and import again; "
                "with DHCP, set origin: dhcp",
                "nics",
                dark[0].index,
            )


@rule(
    "VMF573",
    "warning",
    "nothing sets the new addresses",
    source="libguestfs/virt-v2v docs/virt-v2v.pod (--mac), convert/convert_windows.ml configure_network_interfaces",
    each=True,
)
def unset_address(review: Review) -> Iterator[Problem]:
    """In Windows, virt-v2v sets new addresses when it converts the guest (--mac); cloud-init is for the others.

    Nothing does so in a clone or if disks are copied unchanged, and Windows before 8 and Server 2012 lacks the cmdlets:
    the guest asks for an address by DHCP.
    """
    for subject, group, machine in review.moving:
        if group.path != "virt-v2v" or machine.golden or machine.os != "windows" or group.running:
            continue
        new = next((nic.readdress for nic in machine.nics if nic.readdress is not None), None)
        if new is not None and (why := _unset(machine)) is not None:
            yield subject.problem(
                f"its new address {new.addresses[0]} is not set: {why}",
                "set it by DHCP, by sysprep's answer file or by hand, and suppress this; or have virt-v2v "
                "convert the VM (method job, without cloneOf)",
                "readdress",
            )


def _unset(machine: Machine) -> str | None:
    """Return why a Windows guest does not get new addresses; None if it does."""
    if machine.clone_of is not None:
        return "a clone is not converted, and Windows has no cloud-init"
    if not is_converted(machine):
        return "its disks are copied without conversion, and Windows has no cloud-init"
    if not sets_addresses(machine.guest_id):
        return "virt-v2v only sets addresses in Windows 8, Server 2012 and later"
    return None
