"""Guests that Forklift copies without conversion: what their copy needs, and what has to be done in the guest."""

from collections.abc import Iterator

from vmferry.estate.stages import begun
from vmferry.model.blueprint import Group, Machine
from vmferry.model.review import Problem, Review, Subject
from vmferry.rules.registry import also, rule
from vmferry.rules.transfer import vddk_image


def _raw(review: Review) -> Iterator[tuple[Subject, Group, Machine]]:
    """Yield the VMs whose disks Forklift copies unchanged, and whose copy has not started."""
    return (moving for moving in review.moving if _is_raw(*moving[1:]))


def _is_raw(group: Group, machine: Machine) -> bool:
    return group.path == "forklift" and machine.raw and not begun(group.stage)


@rule(
    "VMF771",
    "warning",
    "static address of a guest that is not converted",
    source="kubev2v/forklift pkg/virt-v2v/customize (static addresses are set while a guest is converted)",
    each=True,
)
def static_address(review: Review) -> Iterator[Problem]:
    """Forklift keeps static addresses by changing the guest during its conversion; here there is none.

    The guest meets a different network adapter (FreeBSD: em0 or vtnet0 instead of vmx0) and starts without an address,
    unless its configuration uses the MAC address or applies to any adapter.
    """
    for subject, _, machine in _raw(review):
        facts = subject.vm.nics or ()
        for nic in machine.nics:
            fact = facts[nic.index] if nic.index < len(facts) else None
            if machine.preserve_static_ips and nic.nad is not None and fact is not None and fact.origin == "static":
                yield subject.problem(
                    f"its static address on {fact.network!r} belongs to an adapter that it no longer has",
                    "in the guest, bind its configuration to the MAC address before the copy, or plan it for the "
                    "cutover, and set staticIP: none",
                    "nics",
                    nic.index,
                )


@also(vddk_image, blueprint=True)
def raw_without_vddk(review: Review) -> Iterator[Problem]:
    """Yield vCenters without a VDDK image whose VMs are copied raw: Forklift needs one, unless the array copies."""
    for index, source in enumerate(review.spec.sources):
        vms = sorted(
            machine.name
            for group, machine in review.machines
            if _is_raw(group, machine)
            and machine.source == source.name
            and group.method == "cold"
            and not _by_array(machine)
        )
        if vms and source.vcenter.vddk_image is None:
            yield Problem(
                f"vCenter {source.name} has no vddkImage, and {len(vms)} VM{'s are' if len(vms) > 1 else ' is'} "
                "copied without conversion",
                "add vddkImage; if the ForkliftController has one (vddk_image), suppress this",
                review.at("sources", index, "vcenter"),
                tuple(vms),
            )


def _by_array(machine: Machine) -> bool:
    return machine.forklift is not None and machine.forklift.offload
