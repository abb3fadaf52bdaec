"""The machine of a VM in the target: a faithful copy, from known facts."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from vmferry.estate import addresses, smbios
from vmferry.estate.boot import LIBVIRT, boot_disk, boot_orders, ranked, root_device
from vmferry.estate.checks import checkable, probed, unprobeable
from vmferry.estate.dual_run import own_mac, own_uuid
from vmferry.estate.forklift_disks import numbered, root_disk
from vmferry.estate.methods import METHODS
from vmferry.estate.missing import RUNS, missing
from vmferry.estate.network_map import NetworkMap
from vmferry.estate.performance import kept_baseline
from vmferry.estate.readable import unreadable
from vmferry.estate.sizing import whole_sockets
from vmferry.estate.statements import NOT_APPLICABLE, UNDEFINED_REFERENCE, UNKNOWN_FACT
from vmferry.kube.dns import fit
from vmferry.kube.quantity import parse_duration, parse_size
from vmferry.model.blueprint import (
    Machine,
    MachineDisk,
    MachineNic,
    Placement,
    SourceRef,
)
from vmferry.model.facts import Disk, DiskSource, NoOptions
from vmferry.model.forklift import ForkliftDecisions
from vmferry.model.keys import DiskKey, Reference, VmKey, disk_key, reference
from vmferry.model.rule import declare
from vmferry.model.spec import Check, Cluster, RunStrategy
from vmferry.resolve import forklift
from vmferry.resolve.aliases import alias
from vmferry.resolve.applications import rebuilt
from vmferry.resolve.client_routes import route_of
from vmferry.resolve.eviction import eviction
from vmferry.resolve.networks import Attached
from vmferry.resolve.notes import Noting, decide
from vmferry.resolve.paths import Route
from vmferry.resolve.records import records
from vmferry.resolve.selection import Candidate, is_raw
from vmferry.resolve.storage import Allocated, StorageMap, shared_claim
from vmferry.resolve.supported import check_supported
from vmferry.resolve.target_names import MAX_CLAIM

_GRACE = {"windows": 3600, "linux": 180, "other": 180}  # seconds; common-instancetypes and KubeVirt's guide


class Parts(Struct, frozen=True, kw_only=True):
    """Decisions of other passes, by key of the VM."""

    routes: Mapping[VmKey, Route]
    names: Mapping[VmKey, str]
    namespaces: Mapping[VmKey, str]
    nics: Mapping[VmKey, Attached]
    volumes: Mapping[VmKey, Allocated]
    owners: Mapping[DiskKey, VmKey]  # the VM whose base creates the claim


def build(
    candidates: tuple[Candidate, ...],
    parts: Parts,
    cluster: Cluster,
    networks: NetworkMap,
    storage: StorageMap,
    golden: Mapping[tuple[str, str], Machine | None],
    checks: tuple[Check, ...] = (),
    beside: frozenset[str] = frozenset(),
) -> Noting[dict[VmKey, Machine]]:
    """Return the machine of each VM with sufficient facts; unknown ones are findings.

    ``golden`` are the templates that can be cloned, by vCenter and name; None for one with errors of its own.
    ``beside`` are the phases in which source and target run at the same time.
    """
    result: dict[VmKey, Machine] = {}
    for candidate in candidates:
        if not (yield from _complete(candidate, parts)):
            continue
        if parts.routes[candidate.key].path == "rebuild":
            machine = yield from rebuilt(candidate, _common(candidate, parts), storage)
        else:
            machine = yield from _copied(candidate, parts, cluster, networks, storage, golden)
            if machine is not None and machine.clone_of is not None and machine.phase in beside:
                machine = yield from _another(machine)
        if machine is not None:
            result[candidate.key] = replace(
                machine,
                alias=(yield from alias(candidate, machine)),
                route=(yield from route_of(candidate, machine)),
                records=(yield from records(candidate, machine)),
                probe=_probe(candidate, machine, checks),
                baseline=kept_baseline(candidate.vm, machine),
            )
    return result


def _probe(candidate: Candidate, machine: Machine, checks: tuple[Check, ...]) -> Check | None:
    """Return the check that KubeVirt probes; VMF561 reports a second one, VMF562 one that it cannot probe."""
    if not checkable(machine):
        return None
    return next((check for check in probed(checks, candidate.decisions) if unprobeable(check, machine) is None), None)


NO_PHASE = declare(
    "VMF104",
    "error",
    "VM without a phase",
    why="The phase says when a VM moves, in which windows and after what. Without one, the VM would be in no move "
    "group and would be left behind.",
)


def _complete(candidate: Candidate, parts: Parts) -> Noting[bool]:
    """Return whether all facts that the path needs are known."""
    vm, route = candidate.vm, parts.routes[candidate.key]
    unknown = [
        (fact, why)
        for field, fact, why in missing(vm, route.path, route.method)
        if field != RUNS or candidate.decisions.run_strategy is None
    ]
    for fact, why in unknown:
        yield UNKNOWN_FACT.finding(
            f"VM {vm.name}: {fact} is unknown",
            why,
            where=candidate.where.at("name"),
            vms=(vm.name,),
        )
    if candidate.decisions.phase is None:
        yield NO_PHASE.finding(
            f"VM {vm.name} has no phase",
            "set `phase` in its entry, in an `assign` rule or in `defaults`",
            where=candidate.where.at("name"),
            vms=(vm.name,),
        )
    volumes = parts.volumes.get(candidate.key, Allocated()).volumes
    placed = candidate.key in parts.names and candidate.key in parts.namespaces and None not in volumes
    nics = route.path == "rebuild" or parts.nics.get(candidate.key, Attached()).count == len(vm.nics or ())
    return not unknown and placed and nics and candidate.decisions.phase is not None


def _common(candidate: Candidate, parts: Parts) -> Machine:
    vm, decisions, key = candidate.vm, candidate.decisions, candidate.key
    route = parts.routes[key]
    return Machine(
        key=key,
        name=vm.name,
        id=vm.id,
        source=candidate.source,
        target_name=parts.names[key],
        namespace=parts.namespaces[key],
        phase=decisions.phase or "",
        group="",
        path=route.path,
        method=route.method,
        placement=Placement(
            labels=decisions.labels or {},
            node_selector=decisions.node_selector or {},
            tolerations=decisions.tolerations or (),
            apart_from=decisions.apart_from,
        ),
        os=vm.os or "other",
        guest_id=vm.guest_id,
        revision=smbios.CURRENT,
        priority_class=decisions.priority_class,
        ports=decisions.ports or (),
    )


def _copied(
    candidate: Candidate,
    parts: Parts,
    cluster: Cluster,
    networks: NetworkMap,
    storage: StorageMap,
    golden: Mapping[tuple[str, str], Machine | None],
) -> Noting[Machine | None]:
    vm, decisions, route = candidate.vm, candidate.decisions, parts.routes[candidate.key]
    sockets = yield from _sockets(candidate)
    firmware = yield from _check_firmware(candidate)
    addressed = yield from _check_addresses(candidate)
    supported = yield from check_supported(candidate, route, parts.volumes.get(candidate.key, Allocated()))
    if not (supported and firmware and addressed) or sockets is None:
        return None
    machine = _common(candidate, parts)
    attached, template = parts.nics[candidate.key], None
    if vm.clone_of is not None and (template := (yield from _template(candidate, golden))) is None:
        return None
    disks = _disks(candidate, machine.target_name, parts, cluster)
    disks, nics = forklift.with_devices(candidate, disks, attached.nics, _order(candidate, route, cluster))
    yield from forklift.explain(candidate, disks)
    decided = decisions.forklift or ForkliftDecisions()
    if template is not None:
        disks = _cloned_disks(machine.target_name, template, disks)
    grace = decisions.termination_grace_period
    copied = replace(
        machine,
        datacenter=vm.datacenter,
        cluster=vm.cluster,
        host=vm.host,
        hostname=vm.hostname,
        timezone=vm.timezone or (decisions.windows_timezone if vm.os == "windows" else None),
        uuid=vm.uuid.lower() if vm.uuid else None,
        instance_uuid=vm.instance_uuid.lower() if vm.instance_uuid and _by_vddk(disks) else None,
        guest_uuid=smbios.guest_uuid(vm.uuid, vm.hardware_version) if vm.uuid else None,
        serial=smbios.guest_serial(vm.uuid) if vm.uuid else None,
        firmware=vm.firmware or "bios",
        secure_boot=bool(vm.secure_boot),
        vtpm=bool(vm.vtpm),
        machine_type=cluster.machine_type,
        sockets=sockets,
        cores=vm.cpu.cores_per_socket if vm.cpu else 1,
        threads=vm.cpu.threads_per_core if vm.cpu else 1,
        cpu_model=decisions.cpu_model,
        dedicated_cpus=decisions.cpu_placement == "dedicated",
        hugepages=decisions.hugepages,
        numa_passthrough=decisions.numa_topology == "passthrough",
        memory=parse_size(vm.memory) if vm.memory else 0,
        disks=disks,
        nics=nics,
        dropped_nics=attached.dropped,
        gpus=tuple(device.device_name for device in vm.gpus),
        host_devices=tuple(device.device_name for device in vm.host_devices),
        run_strategy=(yield from _run_strategy(candidate)),
        instancetype=decisions.instancetype,
        preference=decisions.preference,
        termination_grace_period=parse_duration(grace) if grace else _GRACE[vm.os or "other"],
        preserve_static_ips=decisions.static_ip in (None, "preserve"),
        transfer_network=(yield from _transfer_network(candidate, parts, networks)),
        hooks=decisions.hooks or (),
        raw=is_raw(candidate),
        forklift=forklift.plan_options(candidate, disks) if route.path == "forklift" else None,
        nested_virtualization=decided.nested_virtualization,
        rdm_as_lun=bool(decided.rdm_as_lun),
        scsi_reservation=bool(decided.scsi_reservation),
        luks_secret=decisions.luks_secret,
        nbde_clevis=bool(decisions.nbde_clevis),
        root_disk=(yield from _root_disk(candidate, route, cluster)),
        golden=bool(vm.template),
        clone_of=template.target_name if template is not None else None,
    )
    return replace(
        copied,
        nics=_kept(candidate, copied),
        eviction_strategy=(yield from eviction(candidate, copied, cluster, storage.storage)),
    )


def _another(machine: Machine) -> Noting[Machine]:
    """Return a clone with an identity of its own, since it runs beside its source."""
    why = "source and target run at the same time (dualRun)"
    nics = tuple(replace(nic, mac=own_mac(machine.key, nic.index)) for nic in machine.nics)
    own = own_uuid(machine.key)
    yield decide(machine.key, "identity", f"host name {machine.target_name}, UUID {own}, and its own MACs", why)
    return replace(machine, hostname=None, guest_uuid=own, serial=own, nics=nics)


def _kept(candidate: Candidate, machine: Machine) -> tuple[MachineNic, ...]:
    """Return the NICs, each with what its conversion restores."""
    if not addresses.is_converted(machine):
        return machine.nics
    facts = candidate.vm.nics or ()
    return tuple(
        replace(nic, kept=addresses.kept(facts[nic.index], nic, candidate.decisions, machine.os))
        for nic in machine.nics
    )


def _template(candidate: Candidate, golden: Mapping[tuple[str, str], Machine | None]) -> Noting[Machine | None]:
    """Return a VM's template, which must have as many disks as the VM states.

    None for a template with errors of its own: these are reported, but not their consequences.
    """
    vm, key = candidate.vm, (candidate.source, candidate.vm.clone_of or "")
    template = golden.get(key)
    if template is None and key in golden:
        return None
    if template is None:
        message, fix = "which is not a moving template", "give the template an entry with template: true"
    elif vm.disks and len(vm.disks) != len(template.disks):
        message = f"which has {len(template.disks)} disks; the VM has {len(vm.disks)}"
        fix = "list as many disks, or none to use the template's"
        template = None
    else:
        return template
    yield UNDEFINED_REFERENCE.finding(
        f"VM {vm.name} is cloned from {vm.clone_of!r}, {message}",
        fix,
        where=candidate.where.at("cloneOf"),
        vms=(vm.name,),
    )
    return None


def _cloned_disks(target_name: str, template: Machine, disks: tuple[MachineDisk, ...]) -> tuple[MachineDisk, ...]:
    """Return the disks of a clone: its own, or the template's with its own names if it lists none."""
    prefix = _claim_prefix(target_name)
    boot = next((place for place, disk in enumerate(template.disks) if disk.boot_order == 1), None)
    orders = boot_orders(range(len(template.disks)), boot)
    own = disks or tuple(
        replace(d, claim=f"{prefix}-disk-{d.index}", serial=None, boot_order=orders[place])
        for place, d in enumerate(template.disks)
    )
    return tuple(
        replace(disk, clones=reference(template.namespace, image.claim))
        for disk, image in zip(own, template.disks, strict=True)
    )


def _claim_prefix(target_name: str) -> str:
    return fit(target_name, MAX_CLAIM - len("-disk-999"))


CPU_TOPOLOGY = declare(
    "VMF501",
    "error",
    "CPU topology is not possible",
    why="KubeVirt multiplies sockets, cores and threads, and Forklift divides without a remainder: the VM would get "
    "fewer CPUs than it has, and licences counted by socket would no longer fit.",
    source="kubev2v/forklift pkg/controller/plan/adapter/vsphere/builder.go (mapCPU)",
)


def _sockets(candidate: Candidate) -> Noting[int | None]:
    cpu = candidate.vm.cpu
    if cpu is None:
        return 1
    sockets = whole_sockets(cpu)
    if sockets is None:
        per_socket = cpu.cores_per_socket * cpu.threads_per_core
        yield CPU_TOPOLOGY.finding(
            f"VM {candidate.vm.name}: {cpu.count} CPUs do not divide into sockets of {per_socket}",
            "correct coresPerSocket; KubeVirt only has whole sockets",
            where=candidate.where.at("cpu"),
            vms=(candidate.vm.name,),
        )
    return sockets


def _check_addresses(candidate: Candidate) -> Noting[bool]:
    """Return whether there are new addresses if and only if they are used."""
    vm, wanted = candidate.vm, candidate.decisions.static_ip == "cloud-init"
    networks = {nic.network for nic in vm.nics or ()}
    unknown = sorted(vm.readdress.keys() - networks)
    if wanted and vm.readdress and not unknown:
        return True
    if not wanted and not vm.readdress:
        return True
    if unknown:
        message, fix = (
            f"readdress names {unknown[0]!r}, on which it has no NIC",
            f"it is on {', '.join(sorted(networks))}",
        )
    elif wanted:
        message, fix = "staticIP is cloud-init, but there are no new addresses", "add `readdress`"
    else:
        message, fix = "there are new addresses, but staticIP is not cloud-init", "set staticIP: cloud-init"
    where = candidate.where.at("readdress") if vm.readdress else candidate.origin("static_ip")
    yield NOT_APPLICABLE.finding(f"VM {vm.name}: {message}", fix, where=where, vms=(vm.name,))
    return False


IMPOSSIBLE_FIRMWARE = declare(
    "VMF504",
    "error",
    "firmware is not possible",
    why="In vSphere, secure boot and a vTPM need EFI, so one of the two facts is wrong. It matters which: a guest "
    "installed on one firmware does not boot on the other.",
    source="kubevirt/kubevirt pkg/virt-api/webhooks/validating-webhook/admitters/vmi-create-admitter.go "
    "(validateBootloader)",
)


def _check_firmware(candidate: Candidate) -> Noting[bool]:
    vm = candidate.vm
    wrong = vm.firmware == "bios" and (vm.secure_boot or vm.vtpm)
    if wrong:
        yield IMPOSSIBLE_FIRMWARE.finding(
            f"VM {vm.name}: {'secure boot' if vm.secure_boot else 'a vTPM'} needs EFI, but its firmware is BIOS",
            "correct `firmware`, or the other value",
            where=candidate.where.at("firmware"),
            vms=(vm.name,),
        )
    return not wrong


def _order(candidate: Candidate, route: Route, cluster: Cluster) -> list[int]:
    """Return the places of the disks in the VM's list, in the order the path numbers them."""
    disks = candidate.vm.disks or ()
    return numbered(disks, cluster.versions) if route.path == "forklift" else ranked(disks, LIBVIRT)


def _root_disk(candidate: Candidate, route: Route, cluster: Cluster) -> Noting[str | None]:
    """Return the root device; for a Plan, the boot disk if Forklift would choose another."""
    stated, disks = candidate.decisions.root_disk, candidate.vm.disks or ()
    if route.path != "forklift":
        return root_device(stated)
    root = root_disk(disks, stated, cluster.versions)
    if root is not None and stated is None:
        yield decide(candidate.key, "root disk", root, "Forklift would boot another", where=candidate.where.at("disks"))
    return root


def _disks(candidate: Candidate, target_name: str, parts: Parts, cluster: Cluster) -> tuple[MachineDisk, ...]:
    """Return the disks in the path's order; the claim's name contains that number."""
    vm, route = candidate.vm, parts.routes[candidate.key]
    given = list(zip(vm.disks or (), parts.volumes[candidate.key].volumes, strict=True))
    places = _order(candidate, route, cluster)
    boot = boot_disk(vm.disks or (), candidate.decisions.root_disk).place
    shared_disks = frozenset(place for place in places if (vm.disks or ())[place].shared)
    orders = boot_orders(places, boot, shared_disks)
    prefix = _claim_prefix(target_name)
    result: list[MachineDisk] = []
    for index, position in enumerate(places):
        disk, volume = given[position]
        if volume is None:  # pragma: no cover: such a VM is not complete
            continue
        shared = disk_key(candidate.source, disk.shared) if disk.shared else None
        result.append(
            MachineDisk(
                index=index,
                name=f"disk-{index}",
                claim=shared_claim(candidate.source, disk.shared) if disk.shared else f"{prefix}-disk-{index}",
                size=parse_size(disk.size),
                datastore=volume.datastore or (SourceRef(name=disk.datastore) if disk.datastore else None),
                file=disk.file,
                serial=disk.serial,
                bus=disk.bus or "virtio",
                boot_order=orders[position],
                shared=disk.shared,
                owner=shared is None or parts.owners.get(shared) == candidate.key,
                lun=disk.rdm is not None and disk.shared is not None,
                unreadable=disk.rdm == "physical",
                storage_class=volume.storage_class,
                access_mode=volume.access_mode,
                volume_mode=volume.volume_mode,
                bind_immediately=volume.bind_immediately,
                offload=forklift.by_array(candidate, route.path, volume.offload),
                source=_source(disk, route, raw=is_raw(candidate)),
            )
        )
    return tuple(result)


def _by_vddk(disks: tuple[MachineDisk, ...]) -> bool:
    return any(disk.source.vddk is not None for disk in disks)


def _source(disk: Disk, route: Route, *, raw: bool) -> DiskSource:
    if route.path == "forklift":
        return DiskSource()
    if not METHODS[route.method].from_images:  # a pod fills the volume
        return DiskSource(blank=NoOptions())
    if disk.source is None and raw and unreadable(disk) is None:
        return DiskSource(vddk=NoOptions())
    return disk.source or DiskSource(upload=NoOptions())


def _run_strategy(candidate: Candidate) -> Noting[RunStrategy]:
    stated, power = candidate.decisions.run_strategy, candidate.vm.power_state
    if stated is not None:
        yield decide(candidate.key, "run strategy", stated, "the spec says so", where=candidate.origin("run_strategy"))
        return stated
    strategy: RunStrategy = "Always" if power == "poweredOn" else "Halted"
    yield decide(
        candidate.key,
        "run strategy",
        strategy,
        f"it is {power} in vSphere",
        where=candidate.where.at("powerState"),
    )
    return strategy


def _transfer_network(candidate: Candidate, parts: Parts, networks: NetworkMap) -> Noting[Reference | None]:
    name = candidate.decisions.transfer_network
    if name is None:
        return None
    row = networks.named(name)
    if row is None or (nad := row.nad(parts.namespaces[candidate.key])) is None:
        yield UNDEFINED_REFERENCE.finding(
            f"transfer network {name} is not a network with a NetworkAttachmentDefinition",
            "name one of `networks`",
            where=candidate.origin("transfer_network"),
            vms=(candidate.vm.name,),
        )
        return None
    return nad
