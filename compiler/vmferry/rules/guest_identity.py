"""Whether a guest takes its copy for the machine it was, and a clone for a machine of its own."""

from collections.abc import Iterator

from vmferry.estate.identity import SWAPPED_SINCE, hardware_number, is_former
from vmferry.model.blueprint import Machine
from vmferry.model.review import Problem, Review, Subject
from vmferry.rules.registry import rule


def _emitted(review: Review) -> Iterator[tuple[Subject, Machine]]:
    """Yield the VMs whose VirtualMachine is emitted and has not started yet."""
    for subject, group, machine in review.moving:
        if machine.path == "virt-v2v" and not machine.golden and not group.running:
            yield subject, machine


@rule(
    "VMF545",
    "warning",
    "hardware version unknown: the byte order of the UUID is a guess",
    source="candlepin/virt-who #262 and #415; vmware/pyvmomi #688",
)
def unknown_hardware(review: Review) -> Iterator[Problem]:
    """From hardware version 13 on, a guest reads the first three fields of config.uuid byte-swapped.

    What is bound to the UUID, as licences are, breaks if the copy has the other form. Without a hardware version it is
    taken for 13 or later, the default since ESXi 6.5.
    """
    for subject, machine in _emitted(review):
        known = hardware_number(subject.vm.hardware_version) is not None
        if not known and machine.uuid is not None and not is_former(machine):
            yield subject.problem(
                f"its hardware version is unknown; its UUID is written as on version {SWAPPED_SINCE} or later",
                "add `hardwareVersion`, as in vmx-19 (vCenter: Compatibility; RVTools: HW version)",
                "name",
            )


@rule(
    "VMF549",
    "warning",
    "a Windows without a time zone for its clock",
    source="kubevirt #8507, #9587; libguestfs/virt-v2v output/create_kubevirt_yaml.ml",
)
def windows_clock(review: Review) -> Iterator[Problem]:
    """Windows takes the hardware clock for local time. Without a time zone, the copy's clock shows UTC.

    The guest then starts off by its offset, and a domain controller refuses a member whose clock is 5 minutes off.
    """
    for subject, machine in _emitted(review):
        if machine.os == "windows" and machine.timezone is None:
            yield subject.problem(
                "it runs Windows, and the time zone of its clock is unknown: it will start with UTC as local time",
                "add `timezone`, as in Europe/Berlin, or `windowsTimezone` in `defaults`; Etc/UTC if it keeps UTC",
                "name",
            )
