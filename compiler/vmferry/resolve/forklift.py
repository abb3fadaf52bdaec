"""How Forklift copies and converts a VM (path A): from its decisions to the settings of its Plan and StorageMap."""

import re
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from vmferry.estate.statements import NOT_APPLICABLE, UNDEFINED_REFERENCE
from vmferry.kube.versions import WAITS_FOR_WINDOWS, possible
from vmferry.model.blueprint import ArrayCopy, Machine, MachineDisk, MachineNic, Path, PlanOptions, XcopyCopy
from vmferry.model.facts import Disk, Nic
from vmferry.model.finding import Where
from vmferry.model.forklift import ForkliftDecisions, Offload, XcopyOffload
from vmferry.model.project import Project
from vmferry.model.spec import Versions
from vmferry.resolve.notes import Noting, decide
from vmferry.resolve.selection import Candidate, is_raw

_STARTS = ("Always", "RerunOnFailure")
"""Run strategies of VMs that Forklift starts at the end of their migration."""

_DEFAULT_REQUESTS = {"cpu": "10m", "memory": "64Mi"}
"""Requests of pods that state none: one reads a serial console, another controls a storage array."""

_MOREF = re.compile(r"host-[0-9]+", re.ASCII)


def array_copies(project: Project) -> Noting[dict[int, ArrayCopy]]:
    """Return the storage array's copy settings for a datastore, by row of the storage map."""
    hosts = _host_ids(project)
    result: dict[int, ArrayCopy] = {}
    for index, row in enumerate(project.spec.storage.map):
        where = project.where.at("storage", "map", index, "offload")
        if row.offload is None:
            continue
        if row.offload.xcopy is None and row.offload.csi_volume_import is None:
            message = f"datastore {row.source.datastore}: `offload` names no plug-in"
            yield NOT_APPLICABLE.finding(message, "add xcopy or csiVolumeImport, or remove `offload`", where=where)
            continue
        result[index] = yield from _array_copy(row.offload, hosts, where)
    return result


def _array_copy(offload: Offload, hosts: Mapping[str, set[str]], where: Where) -> Noting[ArrayCopy]:
    xcopy = offload.xcopy
    if xcopy is None:
        return ArrayCopy(csi=offload.csi_volume_import)
    ids = yield from _hosts(xcopy, hosts, where.at("xcopy", "dedicatedMigrationHosts"))
    copy = XcopyCopy(secret=xcopy.secret_ref, product=xcopy.storage_vendor_product, hosts=ids)
    return ArrayCopy(xcopy=copy, csi=offload.csi_volume_import)


def _hosts(xcopy: XcopyOffload, known: Mapping[str, set[str]], where: Where) -> Noting[tuple[str, ...]]:
    """Return the ids of the hosts that copy; Forklift only accepts ids."""
    ids: list[str] = []
    for index, host in enumerate(xcopy.dedicated_migration_hosts):
        found = known.get(host, set())
        if _MOREF.fullmatch(host):
            ids.append(host)
        elif len(found) == 1:
            ids += found
        else:
            what = "is not known" if not found else f"is one of {', '.join(sorted(found))}"
            yield UNDEFINED_REFERENCE.finding(
                f"the id of ESXi host {host} {what}",
                "use its id, such as host-21: Forklift does not look up names here",
                where=where.at(index),
            )
    return tuple(ids)


def _host_ids(project: Project) -> dict[str, set[str]]:
    """Return the ids of ESXi hosts by name, from the spec and the inventory."""
    found: dict[str, set[str]] = {}
    hosts = [(host.name, host.id) for source in project.spec.sources for host in source.vcenter.hosts]
    hosts += [(host.name, host.id) for part in project.inventories for host in part.hosts]
    for name, id_ in hosts:
        if id_ is not None:
            found.setdefault(name, set()).add(id_)
    return found


def emulated(candidate: Candidate) -> bool:
    """Return whether such a VM gets devices that any guest can boot from."""
    return candidate.decisions.devices != "virtio"


def with_devices(
    candidate: Candidate, disks: tuple[MachineDisk, ...], nics: tuple[MachineNic, ...], order: Iterable[int]
) -> tuple[tuple[MachineDisk, ...], tuple[MachineNic, ...]]:
    """Return disks and NICs for an unconverted guest, unless the spec overrides them.

    ``order`` are the places of the disks in the VM's own list. SATA and e1000e are the devices of Forklift's
    compatibility mode (pkg/controller/plan/adapter/vsphere/builder.go).
    """
    vm = candidate.vm
    if not is_raw(candidate) or not emulated(candidate):
        return disks, nics
    stated: tuple[Disk, ...] = vm.disks or ()
    own: tuple[Nic, ...] = vm.nics or ()
    return (
        tuple(
            disk if stated[place].bus is not None else replace(disk, bus="sata")
            for disk, place in zip(disks, order, strict=True)
        ),
        tuple(nic if own[nic.index].model is not None else replace(nic, model="e1000e") for nic in nics),
    )


def plan_options(candidate: Candidate, disks: tuple[MachineDisk, ...]) -> PlanOptions | None:
    """Return the settings of the VM's Plan for copy and conversion; None if Forklift's defaults suffice."""
    decided = candidate.decisions.forklift or ForkliftDecisions()
    raw = is_raw(candidate)
    options = PlanOptions(
        offload=any(disk.offload is not None for disk in disks),
        raw=raw,
        emulated=emulated(candidate) if raw else True,
        conversion_storage=decided.conversion_storage,
        convertor=decided.convertor,
        service_account=decided.service_account,
        virt_v2v_image=decided.virt_v2v_image,
        xfs_compatibility=bool(decided.xfs_compatibility),
        scripts=decided.scripts,
        tags=decided.tags if decided.tags is not None else "all",
        legacy_drivers=decided.legacy_drivers,
    )
    return None if options == PlanOptions() else options


def by_array(candidate: Candidate, path: Path, copy: ArrayCopy | None) -> ArrayCopy | None:
    """Return how the array copies a disk, given its options; None if the disk is read over the network."""
    decided = candidate.decisions.forklift or ForkliftDecisions()
    return copy if path == "forklift" and decided.offload is not False else None


def explain(candidate: Candidate, disks: Iterable[MachineDisk]) -> Noting[None]:
    """Note deviations from the usual: what copies a disk, and that the guest is not converted."""
    if is_raw(candidate):
        kind = "SATA and e1000e, which any guest boots from" if emulated(candidate) else "virtio: it has the drivers"
        reason = f"its disks are copied unchanged; devices: {kind}"
        yield decide(candidate.key, "conversion", "skip", reason, where=candidate.origin("conversion"))
    for disk in disks:
        if disk.offload is None:
            continue
        xcopy, csi = disk.offload.xcopy, disk.offload.csi
        ways = [f"xcopy ({xcopy.product})"] if xcopy is not None else []
        ways += [f"csiVolumeImport ({csi.storage_vendor_product})"] if csi is not None else []
        yield decide(candidate.key, f"copy of {disk.name}", " or ".join(ways), "the storage array copies it")


def kept_on_failure(machines: Iterable[Machine], here: Versions) -> tuple[str, ...]:
    """Return the keys of those that a migration which failed must leave in place: they may have served by then.

    Of the others, volumes with the same exact names would block a retry (Forklift finds its own by the Migration's
    UID), so the leftovers of a failed run must be deleted. A VM with a PostHook, or one that Forklift waits for, can
    fail after it was started: its volumes are kept, and a retry needs manual work.
    """
    return tuple(
        machine.key
        for machine in machines
        if waits_for_reboot(machine, here) or any(use.step == "PostHook" for use in machine.hooks)
    )


def waits_for_reboot(machine: Machine, here: Versions) -> bool:
    """Return whether Forklift may start the VM and wait, in a separate pod, until its Windows has rebooted.

    There is no such step with a target power state of off, nor for a guest that is not converted
    (pkg/controller/plan/migrator/base/migrator.go, WindowsWaitForGuestReboot).
    """
    windows = machine.os == "windows" or (machine.guest_id or "").lower().startswith("win")
    converted = machine.path == "forklift" and not machine.raw
    return converted and windows and machine.run_strategy in _STARTS and possible(here, WAITS_FOR_WINDOWS)


def default_requests(machines: Iterable[Machine], quota: Mapping[str, str], here: Versions) -> dict[str, str]:
    """Return default requests for pods of Forklift without any: the quota refuses them, and the migration fails.

    One waits until Windows has rebooted (EnsureWaitForRebootPod in pkg/controller/plan/kubevirt.go, v2.12.5), another
    tells ESXi to copy a disk (makePopulatePodSpec in pkg/lib-volume-populator, v2.9.0 to main).
    """
    counted = {name: text for name, text in _DEFAULT_REQUESTS.items() if f"requests.{name}" in quota}
    bare = counted and any(waits_for_reboot(each, here) or _by_xcopy(each) for each in machines)
    return counted if bare else {}


def _by_xcopy(machine: Machine) -> bool:
    copies = (disk.offload for disk in machine.disks) if machine.path == "forklift" else ()
    return any(copy is not None and copy.xcopy is not None for copy in copies)
