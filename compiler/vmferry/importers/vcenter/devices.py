"""Virtual hardware: disks with their controllers, network adapters, and devices passed through."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from msgspec.structs import replace
from pyVmomi import vim

from vmferry.importers.cells import fits, mac
from vmferry.importers.disks import datastore_of
from vmferry.importers.vcenter.collect import key
from vmferry.importers.vcenter.surroundings import Surroundings
from vmferry.kube.quantity import format_size
from vmferry.model.facts import Controller, Disk, Nic

_device = vim.vm.device

_CONTROLLERS: tuple[tuple[Any, Controller], ...] = (
    (_device.VirtualSCSIController, "scsi"),
    (_device.VirtualNVMEController, "nvme"),
    (_device.VirtualSATAController, "sata"),
    (_device.VirtualIDEController, "ide"),
)
_ORDER: Mapping[Controller | None, int] = {"sata": 0, "ide": 1, "scsi": 2, "nvme": 3}
"""Order of the buses, as Forklift counts disks (SortedDisksAsVmware in pkg/controller/provider/web/vsphere/vm.go)."""

_ADAPTERS: tuple[tuple[Any, str], ...] = (  # subclasses before their bases
    (_device.VirtualVmxnet3Vrdma, "pvrdma"),
    (_device.VirtualVmxnet3, "vmxnet3"),
    (_device.VirtualVmxnet2, "vmxnet2"),
    (_device.VirtualVmxnet, "vmxnet"),
    (_device.VirtualE1000e, "e1000e"),
    (_device.VirtualE1000, "e1000"),
    (_device.VirtualSriovEthernetCard, "sriov"),
    (_device.VirtualPCNet32, "pcnet32"),
)
_MODES = frozenset(
    ("persistent", "nonpersistent", "undoable", "append", "independent_persistent", "independent_nonpersistent")
)


class Hardware(NamedTuple):
    """The devices in config.hardware.device."""

    disks: tuple[Disk, ...]
    nics: tuple[tuple[int, Nic], ...]  # device key, adapter
    sharing: tuple[str | None, ...]  # beside each disk: the file or LUN, where others may write it
    passthrough: tuple[str, ...]
    vtpm: bool
    usb: bool
    sriov: bool


def read_hardware(devices: Sequence[Any], surroundings: Surroundings, boot: Any = None) -> Hardware:
    """Return the virtual hardware of one VM: disks in the guest's order, adapters in vCenter's.

    ``boot`` are its VirtualMachineBootOptions: the first disk in their order is the boot disk.
    """
    controllers = {device.key: device for device in devices if isinstance(device, _device.VirtualController)}
    disks = [device for device in devices if isinstance(device, _device.VirtualDisk)]
    disks.sort(key=lambda disk: _position(disk, controllers))
    cards = [device for device in devices if isinstance(device, _device.VirtualEthernetCard)]
    return Hardware(
        disks=_marked(tuple(_disk(disk, controllers, surroundings) for disk in disks), boot),
        nics=tuple((card.key, _nic(card, surroundings)) for card in cards),
        sharing=tuple(_shared_file(disk, controllers) for disk in disks),
        passthrough=tuple(sorted(_passthrough(devices))),
        vtpm=_any(devices, _device.VirtualTPM),
        usb=_any(devices, (_device.VirtualUSBController, _device.VirtualUSBXHCIController)),
        sriov=_any(devices, _device.VirtualSriovEthernetCard),
    )


def _any(devices: Iterable[Any], kinds: Any) -> bool:
    return any(isinstance(device, kinds) for device in devices)


def _marked(disks: tuple[Disk, ...], boot: Any) -> tuple[Disk, ...]:
    """Return the disks, with vSphere's configured boot disk marked; networks and CD-ROMs in the order do not count."""
    order = getattr(boot, "bootOrder", None) or ()
    key = next((each.deviceKey for each in order if isinstance(each, vim.vm.BootOptions.BootableDiskDevice)), None)
    return tuple(replace(disk, boot=True) if key is not None and disk.key == key else disk for disk in disks)


# --- disks --------------------------------------------------------------------------------------


def _kind(controller: Any) -> Controller | None:
    return next((name for kind, name in _CONTROLLERS if isinstance(controller, kind)), None)


def _position(disk: Any, controllers: Mapping[int, Any]) -> tuple[int, int, int, int]:
    controller = controllers.get(disk.controllerKey)
    order = _ORDER.get(_kind(controller), len(_ORDER))
    return order, getattr(controller, "busNumber", 0), disk.unitNumber or 0, disk.key


def _disk(disk: Any, controllers: Mapping[int, Any], surroundings: Surroundings) -> Disk:
    backing = disk.backing
    controller: Any = controllers.get(disk.controllerKey)
    kind = _kind(controller)
    size = disk.capacityInBytes or (disk.capacityInKB or 0) << 10
    datastore = getattr(backing, "datastore", None)
    file = fits(getattr(backing, "fileName", None))
    mode = getattr(backing, "diskMode", None)
    limit = getattr(disk.storageIOAllocation, "limit", None)
    return Disk(
        size=format_size(max(size, 1)),
        datastore=surroundings.name(datastore) or datastore_of(file),
        file=file,
        key=disk.key,
        label=fits(getattr(disk.deviceInfo, "label", None)),
        serial=fits(getattr(backing, "uuid", None)),
        controller=kind,
        unit=f"{kind}{controller.busNumber}:{disk.unitNumber}" if kind and disk.unitNumber is not None else None,
        thin=_thin(backing),
        mode=mode if mode in _MODES else None,
        rdm=_raw(backing),
        iops_limit=int(limit) if limit and limit > 0 else None,
    )


def _thin(backing: Any) -> bool | None:
    if isinstance(backing, _device.VirtualDisk.SeSparseBackingInfo):
        return True
    if isinstance(backing, _device.VirtualDisk.RawDiskMappingVer1BackingInfo):
        return False
    thin = getattr(backing, "thinProvisioned", None)
    if thin is None and isinstance(backing, _device.VirtualDisk.FlatVer2BackingInfo):
        return False  # unset is thick (VirtualDiskFlatVer2BackingInfo)
    return thin


def _raw(backing: Any) -> Literal["virtual", "physical"] | None:
    if not isinstance(backing, _device.VirtualDisk.RawDiskMappingVer1BackingInfo):
        return None
    return "physical" if backing.compatibilityMode == "physicalMode" else "virtual"


def _shared_file(disk: Any, controllers: Mapping[int, Any]) -> str | None:
    """Return the file of a disk if its sharing mode or SCSI bus lets several VMs write it."""
    bus = getattr(controllers.get(disk.controllerKey), "sharedBus", None) or "noSharing"
    mode = getattr(disk.backing, "sharing", None) or "sharingNone"
    if bus == "noSharing" and mode == "sharingNone":
        return None
    return fits(getattr(disk.backing, "lunUuid", None)) or fits(getattr(disk.backing, "fileName", None))


# --- network adapters ---------------------------------------------------------------------------


def _nic(card: Any, surroundings: Surroundings) -> Nic:
    network, identity = _network(card.backing, surroundings)
    starts = bool(getattr(card.connectable, "startConnected", True))
    by_hand = not starts and bool(getattr(card.connectable, "connected", False))  # only of a running VM
    return Nic(
        network=network,
        network_id=identity,
        mac=mac(card.macAddress or ""),
        connected=starts,
        linked=True if by_hand else None,
        adapter=next((name for kind, name in _ADAPTERS if isinstance(card, kind)), None),
    )


def _network(backing: Any, surroundings: Surroundings) -> tuple[str, str | None]:
    """Return the name and id of an adapter's network."""
    identity: str | None = None
    fallback = None
    if isinstance(backing, _device.VirtualEthernetCard.DistributedVirtualPortBackingInfo):
        identity = fallback = backing.port.portgroupKey  # the key of a port group is its object id
    elif isinstance(backing, _device.VirtualEthernetCard.OpaqueNetworkBackingInfo):
        identity, fallback = surroundings.opaque.get(backing.opaqueNetworkId), backing.opaqueNetworkId
    elif isinstance(backing, _device.VirtualEthernetCard.NetworkBackingInfo):
        identity = key(backing.network) if backing.network is not None else None
        fallback = backing.deviceName
    network = surroundings.networks.get(identity) if identity else None
    name = network.name if network else fits(fallback)
    return name or "unknown", fits(identity) or fits(fallback if name != fallback else None)


# --- devices passed through ---------------------------------------------------------------------


def _passthrough(devices: Iterable[Any]) -> Iterator[str]:
    for device in devices:
        if isinstance(device, _device.VirtualPCIPassthrough):
            yield next((say(device.backing) for kind, say in _BACKINGS if isinstance(device.backing, kind)), "pci")


def _vgpu(backing: Any) -> str:
    return f"vgpu {backing.vgpu}" if backing.vgpu else "vgpu"


def _dynamic(backing: Any) -> str:
    allowed = backing.allowedDevice or ()
    ids = sorted(f"{device.vendorId & 0xFFFF:04x}:{device.deviceId & 0xFFFF:04x}" for device in allowed)
    return " ".join(("pci", *ids[:1], *(["(dynamic)"] if ids else [])))


def _fixed(backing: Any) -> str:
    try:
        ids = f"{backing.vendorId & 0xFFFF:04x}:{int(backing.deviceId, 16) & 0xFFFF:04x}"
    except (TypeError, ValueError):
        ids = ""
    return " ".join(part for part in ("pci", ids, backing.deviceName or "") if part)[:1024]


_BACKINGS: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (_device.VirtualPCIPassthrough.VmiopBackingInfo, _vgpu),
    (_device.VirtualPCIPassthrough.DynamicBackingInfo, _dynamic),
    (_device.VirtualPCIPassthrough.DeviceBackingInfo, _fixed),
)
