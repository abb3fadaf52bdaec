"""Forklift's concerns about the guest: its system, names and addresses, and what it sealed in its vTPM."""

import re
from collections.abc import Iterator

from vmferry.estate import guests
from vmferry.estate.methods import METHODS
from vmferry.model.blueprint import Group, Machine
from vmferry.model.review import Subject
from vmferry.rules.source_concern import Detected, Seen, by_forklift, concern, converted, copied

_LONGEST_NAME = 63
_DNS_NAME = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9.]*)?[A-Za-z0-9])?")


def _reported(subject: Subject) -> bool:
    """Return whether the facts are from an import, which knows the state of VMware Tools.

    People do not state that by hand.
    """
    return subject.vm.tools is not None


def _named_by_dhcp(subject: Subject, group: Group, machine: Machine) -> bool:
    """Return whether KubeVirt's DHCP server on the pod network gives the guest a host name."""
    return copied(subject, group, machine) and any(nic.binding == "masquerade" for nic in machine.nics)


def _unnamed(subject: Subject, group: Group, machine: Machine) -> bool:
    return _named_by_dhcp(subject, group, machine) and _reported(subject)


@concern(
    "VMF717",
    "warning",
    "host name is unknown",
    forklift="vmware.hostname.empty",
    source="hostname.rego",
    matters=_unnamed,
)
def no_hostname(seen: Seen) -> Iterator[Detected]:
    """On the pod network KubeVirt's DHCP server gives the guest a host name.

    If VMware Tools reported none, that is the name of the VM, and a guest that takes its name from DHCP is renamed.
    """
    if seen.vm.hostname is None:
        yield Detected("its host name is unknown, so DHCP gives it the VM's name", "add `hostname`", ("hostname",))


@concern(
    "VMF718",
    "warning",
    "host name is localhost.localdomain",
    forklift="vmware.hostname.default",
    source="hostname.rego",
    matters=_named_by_dhcp,
)
def default_hostname(seen: Seen) -> Iterator[Detected]:
    """A guest called localhost.localdomain has no name of its own, and takes the one from DHCP.

    On the pod network that is KubeVirt's DHCP server: the guest is renamed.
    """
    if seen.vm.hostname == "localhost.localdomain":
        fix = "name the guest before the copy (hostnamectl set-hostname), and correct `hostname`"
        yield Detected("its host name is localhost.localdomain, so DHCP renames it", fix, ("hostname",))


def _keeps_addresses(subject: Subject, group: Group, machine: Machine) -> bool:
    """Return whether Forklift keeps the addresses of a VM with NICs, unless all are known to use DHCP."""
    facts = subject.vm.nics or ()
    leased = bool(facts) and all(nic.origin == "dhcp" for nic in facts)
    keeps = machine.preserve_static_ips and bool(machine.nics) and not leased
    return by_forklift(subject, group, machine) and keeps and _reported(subject)


@concern(
    "VMF719",
    "warning",
    "static addresses are to be kept, but none is known",
    forklift="vmware.vm_missing_ip.detected",
    source="ip_state.rego",
    matters=_keeps_addresses,
)
def no_addresses(seen: Seen) -> Iterator[Detected]:
    """Forklift keeps the addresses that VMware Tools report, and writes them into the converted guest.

    Tools report them while the VM runs. Without any, the guest may start without its static addresses.
    """
    if seen.vm.nics is not None and not any(nic.addresses for nic in seen.vm.nics):
        fix = "start the VM with VMware Tools running and import again; or staticIP: none, if it uses DHCP"
        yield Detected("its addresses are to be kept, but none is known", fix, ("nics",))


def _found_by_name(subject: Subject, group: Group, machine: Machine) -> bool:
    """Return whether Forklift gets the VM's name but no id."""
    return by_forklift(subject, group, machine) and machine.id is None


@concern(
    "VMF720",
    "warning",
    "Forklift gets a VM name that is not a DNS name",
    forklift="vmware.vm.name.invalid",
    source="name.rego",
    matters=_found_by_name,
)
def odd_name(seen: Seen) -> Iterator[Detected]:
    """A VM's name in vSphere may contain anything; Forklift's inventory looks names up as paths, separated by `/`.

    An id does not have this problem. (The VM's name in the target is another matter: see VMF111.)
    """
    name = seen.vm.name
    if len(name) > _LONGEST_NAME or not _DNS_NAME.fullmatch(name):
        fix = "add `id` (vCenter: the moRef, such as vm-4711; RVTools: VM ID)"
        yield Detected("its name is not a DNS name, and Forklift gets no id", fix, ("name",))


@concern(
    "VMF727",
    "warning",
    "content of the vTPM is lost",
    forklift="vmware.tpm.detected",
    source="tpm_enabled.rego",
    loss=True,
)
def tpm(seen: Seen) -> Iterator[Detected]:
    """What a guest sealed in its virtual TPM is not copied: the copy has an empty one.

    BitLocker asks for its recovery key at the first start, and LUKS bound to the TPM for its passphrase.
    """
    if seen.vm.vtpm:
        fix = (
            "suspend BitLocker or add a passphrase before cutover, have the recovery keys at hand, and seal again "
            "afterwards"
        )
        yield Detected("the content of its vTPM is not copied", fix, ("vtpm",))


@concern(
    "VMF729",
    "warning",
    "guest system is not on the list of supported ones",
    forklift="vmware.os.unsupported",
    source="vm_os.rego",
    matters=converted,
)
def guest_system(seen: Seen) -> Iterator[Detected]:
    """virt-v2v installs drivers and a boot configuration in the guest, for the systems that it knows.

    Red Hat supports RHEL 7 to 10, Windows 10 and 11, and Windows Server 2016 to 2025. Many more work, and a test
    migration shows whether this one does. (A system that virt-v2v certainly cannot convert is VMF754.)
    """
    vm = seen.vm
    named = vm.guest_tools_name or vm.guest_name  # what Tools report comes first
    if not (vm.guest_id or named) or guests.supported(vm.guest_id, named):
        return
    if guests.unconverted(vm.guest_id, vm.guest_tools_name, vm.guest_name) is None:
        what = f"its guest system is not on Red Hat's list for virt-v2v: {named or vm.guest_id}"
        yield Detected(what, "migrate a copy of it first; or rebuild it, or upgrade it first", ("guestId",))


def _converted(subject: Subject, group: Group, machine: Machine) -> bool:
    """Return whether virt-v2v converts the guest: images may be created differently."""
    by_bastion = machine.method == "image" and any(disk.source.upload is not None for disk in machine.disks)
    return converted(subject, group, machine) and (METHODS[machine.method].reads or by_bastion)


@concern(
    "VMF754",
    "error",
    "virt-v2v cannot convert the guest system",
    source="libguestfs/virt-v2v convert/convert.ml: virt-v2v is unable to convert this guest type; issue 7",
    matters=_converted,
)
def guest_without_conversion(seen: Seen) -> Iterator[Detected]:
    """virt-v2v converts Windows, and Linux of the Red Hat, SUSE, Debian and ALT families. It stops at any other.

    BSD, Solaris, macOS, Photon OS and the appliances built on it, Alpine, Arch and Gentoo are such guests. The
    migration fails after all disks were copied, so a test shows nothing new. With `conversion: skip` their disks are
    copied unchanged; the guest then needs its own drivers for the devices in the target.
    """
    vm = seen.vm
    if system := guests.unconverted(vm.guest_id, vm.guest_tools_name, vm.guest_name):
        named = vm.guest_tools_name or vm.guest_name or vm.guest_id
        yield Detected(
            f"virt-v2v cannot convert {system} ({named})",
            "state conversion: skip: its disks are copied unchanged, on path forklift or by method image with "
            "`source: {vddk: {}}`; and devices: virtio if the guest has its drivers",
            ("guestId",),
        )
