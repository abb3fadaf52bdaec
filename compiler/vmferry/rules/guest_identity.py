"""Whether a copied guest still is the same machine, and a clone a machine of its own."""

from collections import defaultdict
from collections.abc import Iterator

from vmferry.estate.cloud_init import seed
from vmferry.estate.smbios import SWAPPED_SINCE, hardware_number, is_former
from vmferry.estate.timezones import is_zone, meant
from vmferry.model.blueprint import Group, Machine
from vmferry.model.review import Problem, Review, Subject
from vmferry.rules.registry import also, rule


def _emitted(review: Review) -> Iterator[tuple[Subject, Machine]]:
    """Yield the VMs whose VirtualMachine is emitted and has not started yet."""
    return ((subject, machine) for subject, group, machine in review.moving if _is_emitted(group, machine))


def _is_emitted(group: Group, machine: Machine) -> bool:
    return machine.path == "virt-v2v" and not machine.golden and not group.running


@rule(
    "VMF545",
    "warning",
    "unknown hardware version: the byte order of the UUID is a guess",
    source="candlepin/virt-who #262 and #415; vmware/pyvmomi #688",
    each=True,
)
def unknown_hardware(review: Review) -> Iterator[Problem]:
    """From hardware version 13 on, a guest reads the first three fields of config.uuid byte-swapped.

    Whatever is bound to the UUID, such as licences, breaks if the copy has the other form. An unknown version is
    treated as 13 or later, the default since ESXi 6.5.
    """
    for subject, machine in _emitted(review):
        known = hardware_number(subject.vm.hardware_version) is not None
        if not known and machine.uuid is not None and not is_former(machine):
            yield subject.problem(
                f"its hardware version is unknown; its UUID is written as for version {SWAPPED_SINCE} or later",
                "add `hardwareVersion`, such as vmx-19 (vCenter: Compatibility; RVTools: HW version)",
                "name",
            )


@rule(
    "VMF549",
    "warning",
    "Windows without a time zone for its clock",
    source="kubevirt #8507, #9587; libguestfs/virt-v2v output/create_kubevirt_yaml.ml",
    each=True,
)
def windows_clock(review: Review) -> Iterator[Problem]:
    """Windows reads the hardware clock as local time. Without a time zone, the copy's clock shows UTC.

    The guest then starts off by its UTC offset, and a domain controller refuses a member whose clock is 5 minutes off.
    The same happens if the name is not in the tz database, as Windows' own names are not.
    """
    for subject, machine in _emitted(review):
        if machine.os == "windows" and machine.timezone is None:
            yield subject.problem(
                "it runs Windows, and its `timezone` is unknown: its clock will start with UTC as its local time",
                "add `timezone`, such as Europe/Berlin, or `windowsTimezone` in `defaults`; Etc/UTC if it keeps UTC",
                "name",
            )


@also(windows_clock, groups=True)
def no_such_zone(review: Review) -> Iterator[Problem]:
    """Yield invalid time zones: the C library treats an unknown one as UTC, without an error."""
    for subject, machine in _emitted(review):
        zone = machine.timezone
        if zone is None or is_zone(zone):
            continue
        close = meant(zone)
        what = f"{zone!r} is not in the tz database, so its clock will be UTC"
        fix = f"use {close}" if close else "use the Linux name, such as Europe/Berlin"
        if subject.vm.timezone is not None:
            yield subject.problem(what, fix, "timezone")
        else:
            yield subject.decided("windows_timezone", what, fix)


@rule(
    "VMF556",
    "info",
    "Forklift sets the clock of Windows to UTC",
    source="kubev2v/forklift pkg/controller/plan/adapter/vsphere/builder.go mapClock; kubevirt #8507",
    blueprint=True,
)
def forklift_clock(review: Review) -> Iterator[Problem]:
    """Forklift gives a VM's clock the time zone of its ESXi host, which is UTC, and a Plan has no field for another.

    Windows reads the hardware clock as local time: it starts off by its UTC offset until it has asked a time server,
    and a domain controller refuses a member whose clock is 5 minutes off. VMs whose zone is known to be UTC are not
    reported.
    """
    names = {
        machine.name
        for group, machine in review.machines
        if machine.path == "forklift" and machine.os == "windows" and not group.running
        if machine.timezone not in _UTC
    }
    if names:
        vms = f"{len(names)} VM{'s' if len(names) > 1 else ''}"
        yield Problem(
            f"Forklift sets the clock of {vms} with Windows to the time zone of the ESXi host, which is UTC",
            "make sure that they reach their time server at the first start (w32tm /resync), and suppress this; "
            "or use path "
            "virt-v2v, which sets the zone",
            review.at("vms"),
            tuple(sorted(names)),
        )


_UTC = frozenset(("UTC", "Etc/UTC", "GMT", "Etc/GMT", "Etc/Universal", "Etc/Zulu"))


@rule(
    "VMF553",
    "warning",
    "clones of a Windows image are one machine to its domain",
    source="Microsoft, Sysprep overview: images must be generalized; KubeVirt user guide, sysprep",
    each=True,
)
def windows_clone(review: Review) -> Iterator[Problem]:
    """A clone of a Windows that was not generalized has the SID, the name and the machine account of its image.

    Two of them in one domain lock each other out, WSUS and KMS count them as one, and Microsoft does not support it.
    """
    for subject, machine in _emitted(review):
        if machine.os == "windows" and machine.clone_of is not None:
            yield subject.problem(
                f"it is a clone of {machine.clone_of}, and Windows keeps the SID and name of its image",
                "run sysprep /generalize /oobe /shutdown in the image before it is copied, then suppress this",
                "cloneOf",
            )


@rule(
    "VMF554",
    "info",
    "guest needs cloud-init",
    source="canonical/cloud-init #1327 (LP 1855945); KubeVirt user guide, startup scripts",
    each=True,
)
def needs_cloud_init(review: Review) -> Iterator[Problem]:
    """New addresses, and a clone's own name and host keys, are set by cloud-init, which is part of the guest.

    Without it nothing happens: the guest keeps its old addresses, and clones share their SSH host keys. Network data of
    version 2 needs release 18.2 or later. An installed Ubuntu Server has cloud-init's networking disabled. The NICs
    that `readdress` does not name keep their configuration, except one that cloud-init itself wrote before, such as
    netplan's 50-cloud-init.yaml: give those addresses too.
    """
    for subject, machine in _emitted(review):
        seeded = seed(machine)
        if seeded is None:
            continue
        what = "its new addresses are" if seeded.network_data is not None else "its name and SSH host keys are"
        yield subject.problem(
            f"{what} set by cloud-init, which must be installed in the guest",
            "install cloud-init 18.2 or later in the guest before the copy, with datasource NoCloud, and remove "
            "`network: {config: disabled}` from /etc/cloud/cloud.cfg.d",
            "readdress" if seeded.network_data is not None else "cloneOf",
        )


@rule(
    "VMF555",
    "info",
    "clones have the machine id of their image",
    source="systemd machine-id(5), first boot semantics; libguestfs virt-sysprep(1), machine-id",
    blueprint=True,
)
def machine_id(review: Review) -> Iterator[Problem]:
    """/etc/machine-id identifies a Linux installation, and cloud-init does not change it.

    Clones with the same id ask DHCP for the same lease, and monitoring counts them as one machine. systemd creates an
    id for each if the file in the image is empty.
    """
    clones: defaultdict[str, list[str]] = defaultdict(list)
    for group, machine in review.machines:
        if _is_emitted(group, machine) and machine.os == "linux" and machine.clone_of is not None:
            clones[machine.clone_of].append(machine.name)
    for image, names in sorted(clones.items()):
        yield Problem(
            f"{'1 clone' if len(names) == 1 else f'{len(names)} clones'} of {image} would share the machine id in it",
            "empty /etc/machine-id in the image before it is copied (virt-sysprep --operations machine-id)",
            review.at("vms"),
            tuple(sorted(names)),
        )
