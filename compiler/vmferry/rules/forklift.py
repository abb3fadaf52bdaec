"""Behaviour of the spec's Forklift release with a Plan: what it finds, and what it refuses."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from vmferry.estate.forklift_disks import boot_fault, order_fault
from vmferry.estate.network_map import NetworkMap, network_map
from vmferry.estate.stages import begun
from vmferry.estate.storage_map import StorageRows
from vmferry.kube import versions
from vmferry.model.blueprint import Group, Machine, SourceRef
from vmferry.model.facts import Nic
from vmferry.model.finding import Where
from vmferry.model.review import Problem, Review, Subject, once
from vmferry.model.spec import VirtualMachine
from vmferry.rules.registry import also, rule

_VALIDATION = "kubev2v/forklift pkg/controller/plan/validation.go"


def _planned(review: Review) -> Iterator[tuple[Subject, Group, Machine]]:
    """Yield the VMs that Forklift will move; after it has started, findings would come too late."""
    for subject, group, machine in review.moving:
        if group.path == "forklift" and not begun(group.stage):
            yield subject, group, machine


def _release(review: Review) -> str:
    return f"Forklift {review.blueprint.cluster.versions.forklift}"


# --- which VM ---------------------------------------------------------------------------------


@rule(
    "VMF744",
    "error",
    "VM is looked up by a UUID that another VM also has",
    source="kubev2v/forklift pkg/controller/plan/adapter/vsphere: client.go getVM, builder.go DataVolumes; CDI "
    "pkg/importer/vddk-datasource_amd64.go FindVM",
    fewer=True,
)
def shared_uuid(review: Review) -> Iterator[Problem]:
    """A VM that was copied as files has the BIOS UUID of the original, and vCenter answers with the first it finds.

    Forklift before 2.11.5 looks a VM up by its BIOS UUID before it powers it off and snapshots it; so does CDI before
    1.66 for a disk with source vddk, and, up to Forklift 2.12, for copies that are warm or without conversion. The
    other VM may be powered off in the middle of the day and its disks copied, although the spec does not move it. Later
    releases use vCenter's own instance UUID, which is unique.
    """
    alike = by_uuid(review)
    for subject, group, machine in review.moving:
        others = [other for other in alike.get(_uuid(subject), ()) if other is not subject]
        if subject.vm.uuid is None or not others or begun(group.stage):
            continue
        if finder := uuid_finder(review, group, machine):
            who, fix = finder
            yield subject.problem(
                f"its BIOS UUID {subject.vm.uuid} is also that of {_named(others)}, and {who} looks up VMs by it",
                f"give one a new UUID in vSphere (uuid.bios, while it is off) and import again; or {fix}",
                "uuid",
            )


@rule(
    "VMF745",
    "warning",
    "several VMs have the same BIOS UUID",
    source="CDI pkg/importer/vddk-datasource_amd64.go FindVM; pull request 4127",
    fewer=True,
)
def instance_uuid(review: Review) -> Iterator[Problem]:
    """CDI is given the instance UUID of a VM whose disks it copies, because several VMs have its BIOS UUID.

    CDI before 1.66 does not know it and finds no VM, so the release in `target.cluster.versions.cdi` must be that of
    the cluster. The guests keep their UUID: whatever identifies machines by it (backup, licences, configuration
    management) still treats them as one.
    """
    alike = by_uuid(review)
    for subject, group, machine in review.moving:
        others = [other for other in alike.get(_uuid(subject), ()) if other is not subject]
        raw = any(disk.source.vddk is not None for disk in machine.disks)
        if subject.vm.uuid is None or not others or not raw or begun(group.stage):
            continue
        if uuid_finder(review, group, machine) is None:
            yield subject.problem(
                f"its BIOS UUID {subject.vm.uuid} is also that of {_named(others)}; CDI gets its instance UUID instead",
                "make sure that the cluster's CDI is 1.66 or later, or give one of them a new UUID in vSphere",
                "uuid",
            )


@once  # several rules ask
def by_uuid(review: Review) -> dict[tuple[str, str], list[Subject]]:
    """Return every VM of the inventory, including those that stay, by vCenter and BIOS UUID."""
    result: dict[tuple[str, str], list[Subject]] = {}
    for subject in review.subjects:
        if subject.vm.uuid is not None and subject.vm.clone_of is None and not subject.vm.srm_placeholder:
            result.setdefault(_uuid(subject), []).append(subject)
    return result


def _uuid(subject: Subject) -> tuple[str, str]:
    return subject.source, (subject.vm.uuid or "").lower()


def uuid_finder(review: Review, group: Group, machine: Machine) -> tuple[str, str] | None:
    """Return what looks up the VM by its BIOS UUID, and the alternative that does not; None if nothing does."""
    here = review.blueprint.cluster.versions
    if group.path == "forklift" and not versions.certain(here, versions.FINDS_BY_INSTANCE_UUID):
        since = versions.FINDS_BY_INSTANCE_UUID.since
        return _release(review), f"update Forklift and target.cluster.versions.forklift to {since}, and move it cold"
    by_cdi = group.path == "forklift" and (group.method == "warm" or machine.raw)  # otherwise virt-v2v copies
    if by_cdi and not (
        versions.certain(here, versions.COPIES_BY_INSTANCE_UUID) and versions.certain(here, versions.VDDK_INSTANCE_UUID)
    ):
        copy = "a copy without conversion" if machine.raw else "a warm copy"
        return f"{copy} by Forklift {here.forklift} and CDI {here.cdi}", _CONVERTED[machine.raw]
    if any(disk.source.vddk is not None for disk in machine.disks) and machine.path == "virt-v2v":
        cdi = machine.conversion.cdi if machine.conversion is not None else here.cdi
        if not versions.certain_in(cdi, versions.VDDK_INSTANCE_UUID):
            since = versions.VDDK_INSTANCE_UUID.since
            return f"CDI {cdi}", f"update CDI and target.cluster.versions.cdi to {since}, and state its instanceUuid"
        if machine.instance_uuid is None:
            return "CDI, as the instance UUID is unknown,", "state its instanceUuid (RVTools: VM UUID)"
    return None


_CONVERTED = {False: "use method cold", True: "use path virt-v2v, method image, with its instanceUuid"}
"""How to copy a VM's disks without using its BIOS UUID, by whether it is copied without conversion."""


def _named(subjects: list[Subject]) -> str:
    names = sorted(f"VM {subject.name}" for subject in subjects)
    return " and ".join(names) if len(names) < 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


@rule(
    "VMF747",
    "error",
    "a Plan refers to the VM without an id",
    source="kubev2v/forklift pull request 4757; pkg/lib/ref: RefNotUnique",
    fewer=True,
)
def without_id(review: Review) -> Iterator[Problem]:
    """Before 2.12, Forklift ignores the name templates if a Plan refers to a VM without its id.

    The claims then have names that Forklift made up, not those in assignments.yaml, and everything that uses those (the
    manifests that take the VM over, snapshots, quotas, a retry) finds nothing. Every release refuses a name that two
    VMs of the vCenter have: the Plan does not become Ready.
    """
    names: defaultdict[tuple[str, str], int] = defaultdict(int)
    for subject in review.subjects:
        names[subject.source, subject.name] += 1
    ignored = not versions.certain(review.blueprint.cluster.versions, versions.NAMES_WITHOUT_ID)
    for subject, _, machine in _planned(review):
        if machine.id is not None:
            continue
        fix = "add `id` (vCenter: the moRef, such as vm-4711; RVTools: VM ID)"
        if names[subject.source, subject.name] > 1:
            yield subject.problem("it has no id, and another VM of its vCenter has the same name", fix, "name")
        elif ignored:
            message = f"it has no id, so {_release(review)} ignores pvcNameTemplate and names its claims itself"
            yield subject.problem(message, f"{fix}; or update Forklift to 2.12", "name")


# --- which disk -------------------------------------------------------------------------------


@rule(
    "VMF743",
    "error",
    "Forklift would not boot the boot disk",
    source="kubev2v/forklift pkg/controller/plan/adapter/vsphere/builder.go mapDisks; "
    "pkg/controller/plan/util/utils.go GetDeviceNumber; issue 930",
    each=True,
)
def boot_disk(review: Review) -> Iterator[Problem]:
    """Forklift boots one disk.

    The one with the letter in a Plan's rootDisk, otherwise the one that virt-v2v found, otherwise the first.

    It reads the first letter of /dev/sdX and takes any other form as the first disk. It counts in VMware's order (SATA,
    IDE, SCSI, NVMe), and virt-v2v, which gets the same text, in libvirt's (SCSI, SATA, IDE, NVMe). A letter that does
    not exist leaves the VM without a boot disk, a wrong one without a boot loader. For a disk marked `boot`, vmferry
    passes its letter to Forklift if it is not the first.
    """
    here = review.blueprint.cluster.versions
    for subject, _, _ in _planned(review):
        fault = boot_fault(subject.vm.disks or (), subject.decisions.root_disk, here)
        if fault is not None:
            yield subject.problem(fault.what, fault.fix, *fault.path)


@rule(
    "VMF749",
    "error",
    "unknown how Forklift numbers the disks",
    source="kubev2v/forklift pkg/controller/provider/web/vsphere/vm.go sortedDisksByBusses; MTV-4872",
    each=True,
)
def disk_order(review: Review) -> Iterator[Problem]:
    """Before 2.11.5 Forklift numbers the disks of a bus by their device keys, from then on by controller and unit.

    Keys need not follow controllers: a disk that was attached late may have the highest key on the first one. The
    number is part of the claim's name, so with the wrong order disk-1 in assignments.yaml is a different disk from
    disk-1 in the cluster, and whatever is checked, sized or taken over by that name is the wrong one.
    """
    here = review.blueprint.cluster.versions
    for subject, _, _ in _planned(review):
        fault = order_fault(subject.vm.disks or (), here)
        if fault is not None:
            yield subject.problem(fault.what, fault.fix, *fault.path)


# --- which network and datastore --------------------------------------------------------------


class _Found(NamedTuple):
    """A network or datastore that a map names without its id."""

    what: str
    vcenter: str
    name: str
    where: Where
    vms: frozenset[str]


@rule(
    "VMF746",
    "error",
    "same name for several networks or datastores",
    source="kubev2v/forklift pkg/controller/map/network/validation.go, storage/validation.go: RefNotUnique",
    fewer=True,
)
def two_datacenters(review: Review) -> Iterator[Problem]:
    """A port group or datastore belongs to one datacenter, and two datacenters may each have one with the same name.

    So may two switches of one datacenter. Forklift searches the whole vCenter, finds both, marks the NetworkMap or
    StorageMap as ambiguous, and no Plan that uses it becomes Ready. VMs that stay in vSphere count as well: Forklift
    finds their network too.
    """
    places, ids = _datacenters(review), _ids(review)
    for found in (*_networks(review), *_datastores(review)):
        key = found.what, found.vcenter, found.name
        where = f"is in datacenters {' and '.join(sorted(places[key]))}"
        if len(ids[key]) > 1:
            where = f"has several ids: {', '.join(sorted(ids[key]))}"
        if len(places[key]) > 1 or len(ids[key]) > 1:
            yield Problem(
                f"{found.what} {found.name!r} of {found.vcenter} {where}; the name alone is ambiguous for Forklift",
                _APART[found.what],
                found.where,
                tuple(sorted(found.vms)),
            )


@also(two_datacenters, fewer=True)
def one_id(review: Review) -> Iterator[Problem]:
    """Yield rows with the id of one network or datastore whose name VMs of several datacenters use.

    For some of them it is a different one, which the map lacks: the Plan reports VMNetworksNotMapped.
    """
    used: defaultdict[tuple[str, str, SourceRef], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for subject, _, machine in _planned(review):
        for what, ref in _by_name(subject.vm, machine):
            if ref.id is not None and subject.vm.datacenter is not None:
                used[what, subject.source, ref][subject.vm.datacenter].add(subject.name)
    for (what, vcenter, ref), found in sorted(used.items(), key=lambda item: (*item[0][:2], item[0][2].name)):
        if len(found) > 1:
            yield Problem(
                f"{what} {ref.name!r} of {vcenter}: its row is only for {ref.id}, but VMs in datacenters "
                f"{' and '.join(sorted(found))} refer to it by name",
                _APART[what],
                _row(review, what, vcenter, ref.name),
                tuple(sorted({name for names in found.values() for name in names})),
            )


_APART = {
    "network": "give each its own row, found by id, as in source: {portGroup: dvportgroup-42, id: "
    "dvportgroup-42}, with a `name`, and set networkId on its NICs; the URL of its page in vCenter contains the id",
    "datastore": "give each its own row, found by id, as in source: {datastore: datastore-42, id: datastore-42}, "
    "and use that id in its disks; the URL of its page in vCenter contains the id",
}
"""How to tell networks or datastores with the same name apart: each has a row whose name is its id."""


def _by_name(vm: VirtualMachine, machine: Machine) -> Iterator[tuple[str, SourceRef]]:
    """Yield the networks and datastores of a VM that are only known by name."""
    nics: tuple[Nic, ...] = vm.nics or ()
    datastores = {disk.datastore for disk in vm.disks or ()}
    found = [(nic.index, nic.network) for nic in machine.nics]
    found += [(nic.index, nic.network) for nic in machine.dropped_nics]
    for index, network in found:
        if index < len(nics) and nics[index].network_id is None and nics[index].network != network.id:
            yield "network", network
    for disk in machine.disks:
        if disk.datastore is not None and disk.datastore.name in datastores - {disk.datastore.id}:
            yield "datastore", disk.datastore


@once  # asked of each network and datastore
def _maps(review: Review) -> tuple[NetworkMap, StorageRows]:
    return network_map(review.spec.networks, review.project.where), StorageRows(review.spec.storage.map)


def _row(review: Review, what: str, vcenter: str, name: str) -> Where:
    """Return the place of the row of a network or datastore by its name."""
    networks, datastores = _maps(review)
    if what == "network":
        rows = networks.rows_of(vcenter, name)
        return rows[0].where.at("source") if rows else review.at("networks")
    index, place = datastores.find(vcenter, name), review.at("storage", "map")
    return place.at(index, "source") if index is not None else place


def _datacenters(review: Review) -> defaultdict[tuple[str, str, str], set[str]]:
    """Return the datacenters in which VMs, moving or not, use a network or datastore, by kind, vCenter and name."""
    result: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    for subject in review.subjects:
        if (datacenter := subject.vm.datacenter) is not None:
            for nic in subject.vm.nics or ():
                result["network", subject.source, nic.network].add(datacenter)
            for disk in subject.vm.disks or ():
                if disk.datastore is not None:
                    result["datastore", subject.source, disk.datastore].add(datacenter)
    return result


def _ids(review: Review) -> defaultdict[tuple[str, str, str], set[str]]:
    """Return the ids of networks and datastores in the inventory, by kind, vCenter and name."""
    result: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    for part in review.project.inventories:
        for what, things in (("network", part.networks), ("datastore", part.datastores)):
            for thing in things:
                if thing.id is not None:
                    result[what, part.source.name, thing.name].add(thing.id)
    return result


def _networks(review: Review) -> Iterator[_Found]:
    users: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for subject, _, machine in _planned(review):
        for network in (*(nic.network for nic in machine.nics), *(nic.network for nic in machine.dropped_nics)):
            if network.id is None:
                users[subject.source, network.name].add(subject.name)
    for (vcenter, name), vms in sorted(users.items()):
        yield _Found("network", vcenter, name, _row(review, "network", vcenter, name), frozenset(vms))


def _datastores(review: Review) -> Iterator[_Found]:
    users: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for subject, _, machine in _planned(review):
        for disk in machine.disks:
            if disk.datastore is not None and disk.datastore.id is None:
                users[subject.source, disk.datastore.name].add(subject.name)
    for (vcenter, name), vms in sorted(users.items()):
        yield _Found("datastore", vcenter, name, _row(review, "datastore", vcenter, name), frozenset(vms))


# --- NICs and addresses -----------------------------------------------------------------------


@rule(
    "VMF748",
    "error",
    "two NICs of a VM on one network, which Forklift refuses",
    source=f"{_VALIDATION} VMDuplicateNADMappings (v2.11.1 to v2.12.5); pull requests 4862, 6252, 8087",
    fewer=True,
)
def two_nics(review: Review) -> Iterator[Problem]:
    """From 2.11.1 to 2.12.5, Forklift accepts one NIC of a VM per NetworkAttachmentDefinition.

    With two on one, the Plan is Critical (VMDuplicateNADMappings), and the whole group waits. From 2.11.7 on, a
    NetworkMap may have several rows for one source network, and each NIC takes another: vmferry creates as many
    definitions as a VM has NICs there. For an existing one, `pool` lists the others. A NIC without a definition left is
    refused, and silently dropped by releases after 2.12.
    """
    refuses = versions.possible(review.blueprint.cluster.versions, versions.REFUSES_TWO_NICS_ON_ONE_NAD)
    for subject, group, machine in _planned(review):
        on: defaultdict[str, list[str]] = defaultdict(list)
        for nic in machine.nics:
            if nic.nad is not None:
                on[nic.nad].append(nic.name)
        for nad, names in sorted(on.items()):
            if len(names) > 1 and (refuses or _of_several(group, nad)):
                yield subject.problem(
                    f"{' and '.join(names)} are on one network, {nad}, and {_release(review)} accepts one NIC of a VM "
                    "per definition",
                    f"{_more_definitions(review)}, or use path virt-v2v",
                    "nics",
                )


def _of_several(group: Group, nad: str) -> bool:
    """Return whether the NetworkMap has other rows for the network of a definition."""
    sources = [pair.source for pair in group.networks]
    return any(pair.nad == nad and sources.count(pair.source) > 1 for pair in group.networks)


def _more_definitions(review: Review) -> str:
    """Return how to give a network as many definitions as a VM has NICs on it."""
    if versions.certain(review.blueprint.cluster.versions, versions.NAD_POOL):
        return "add further definitions of that network to the `pool` of its target"
    since = versions.NAD_POOL.since
    return f"update Forklift to {since} or later, and state its patch release in target.cluster.versions.forklift"


@rule(
    "VMF750",
    "warning",
    "static addresses of a VM that is powered off",
    source="kubev2v/forklift pkg/controller/provider/container/vsphere/model.go: guest networks; issue 1354",
    each=True,
)
def off(review: Review) -> Iterator[Problem]:
    """Forklift keeps the addresses that VMware Tools report, and they report none while a VM is off.

    Forklift remembers those of a VM that was running when it first saw the vCenter. One that was always off starts
    without its static addresses, whatever the spec says about them: a Plan has no field for addresses.
    """
    for subject, _, machine in _planned(review):
        vm = subject.vm
        if vm.power_state != "poweredOff" or not machine.preserve_static_ips or not machine.nics:
            continue
        if machine.raw:
            continue  # its addresses are not set: VMF771
        asked, dropped = subject.decisions.static_ip == "preserve", {nic.index for nic in machine.dropped_nics}
        nics = [nic for index, nic in enumerate(vm.nics or ()) if index not in dropped]
        if any(nic.origin == "static" or (asked and nic.origin is None) for nic in nics) and _known(vm):
            yield subject.problem(
                "it is powered off, so Forklift may not know the static addresses it has to keep",
                "start it, with VMware Tools, when the Provider is ready, and stop it when the Plan is; or use "
                "path virt-v2v, "
                "which takes the addresses from the spec; or set staticIP: none",
                "powerState",
            )


def _known(vm: VirtualMachine) -> bool:
    """Return whether any of its addresses is known; if none is, and its Tools are known, VMF719 reports that."""
    nics: tuple[Nic, ...] = vm.nics or ()
    return vm.tools is None or any(nic.addresses for nic in nics)


# --- the Secret -------------------------------------------------------------------------------

_CA = re.compile(rb"^\s+[\"']?ca\.crt[\"']?\s*:", re.MULTILINE)
_OLD_CA = re.compile(rb"^\s+[\"']?cacert[\"']?\s*:", re.MULTILINE)


@rule(
    "VMF751",
    "error",
    "CA is under a key of the Secret that Forklift does not read",
    source="kubev2v/forklift pull request 5549 (MTV-4647); pkg/lib/util/util.go",
    groups=True,
)
def ca_key(review: Review) -> Iterator[Problem]:
    """Forklift before 2.12 reads the CA of a vCenter from the key `cacert` of the Provider's Secret, and only there.

    A Secret that has it under `ca.crt`, as later releases also read it, has no CA for it: the Provider does not become
    Ready. Both keys may be in one Secret. (An ExternalSecret that vmferry writes has both.)
    """
    if versions.certain(review.blueprint.cluster.versions, versions.STANDARD_CA_KEY):
        return
    sources = {source.name: index for index, source in enumerate(review.spec.sources)}
    for source in review.blueprint.sources:
        vms = {machine.name for _, group, machine in _planned(review) if group.source == source.name}
        content = source.credential.content
        if vms and content is not None and _CA.search(content) and not _OLD_CA.search(content):
            yield Problem(
                f"the file of Secret {source.credential.name} has the key ca.crt, and {_release(review)} reads cacert",
                "encrypt it again with the CA under both keys, or update Forklift to 2.12",
                review.at("sources", sources[source.name], "vcenter", "credentials"),
                tuple(sorted(vms)),
            )
