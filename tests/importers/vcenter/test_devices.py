"""Devices and guests that vcsim cannot have, as the data objects pyVmomi makes of vCenter's answers."""

from typing import Any

from pyVmomi import vim

from vmferry.importers.vcenter.collect import Record
from vmferry.importers.vcenter.devices import read_hardware
from vmferry.importers.vcenter.guest import guest_disks, tools, with_addresses
from vmferry.importers.vcenter.machines import name_shared_disks, read_machine
from vmferry.importers.vcenter.surroundings import Surroundings
from vmferry.model.facts import Nic

_device: Any = vim.vm.device
_disk: Any = _device.VirtualDisk
_guest: Any = vim.vm.GuestInfo
_net: Any = vim.net
SHARED_BUS = _device.ParaVirtualSCSIController(key=1001, busNumber=1, sharedBus="physicalSharing")
CONTROLLERS = [
    _device.ParaVirtualSCSIController(key=1000, busNumber=0, sharedBus="noSharing"),
    SHARED_BUS,
    _device.VirtualNVMEController(key=31000, busNumber=0),
    _device.VirtualAHCIController(key=15000, busNumber=0),
    _device.VirtualIDEController(key=200, busNumber=0),
]


def _on(controller: int, unit: int, key: int, backing: Any) -> Any:
    return _disk(key=key, controllerKey=controller, unitNumber=unit, capacityInBytes=1 << 30, backing=backing)


def _flat(name: str, **more: Any) -> Any:
    return _disk.FlatVer2BackingInfo(fileName=f"[ds1] vm/{name}.vmdk", diskMode="persistent", **more)


def _read(*devices: Any) -> Any:
    return read_hardware([*CONTROLLERS, *devices], Surroundings([]))


def test_disks_come_by_bus_then_unit() -> None:
    found = _read(
        _on(31000, 0, 32000, _flat("nvme")),
        _on(1000, 1, 2001, _flat("second")),
        _on(1000, 0, 2000, _flat("first")),
        _on(200, 0, 3000, _flat("ide")),
        _on(15000, 0, 16000, _flat("sata")),
    )
    assert [disk.unit for disk in found.disks] == ["sata0:0", "ide0:0", "scsi0:0", "scsi0:1", "nvme0:0"]
    assert {disk.datastore for disk in found.disks} == {"ds1"}


def test_the_first_disk_of_vspheres_boot_order_is_marked() -> None:
    devices = [*CONTROLLERS, _on(1000, 0, 2000, _flat("first")), _on(1000, 1, 2001, _flat("second"))]
    boot = vim.vm.BootOptions
    order = [boot.BootableEthernetDevice(deviceKey=4000), boot.BootableDiskDevice(deviceKey=2001)]
    options = boot(bootOrder=[*order, boot.BootableDiskDevice(deviceKey=2000)])
    assert [disk.boot for disk in read_hardware(devices, Surroundings([]), options).disks] == [None, True]
    for silent in (None, boot(), boot(bootOrder=order[:1])):
        assert [disk.boot for disk in read_hardware(devices, Surroundings([]), silent).disks] == [None, None]


def test_raw_device_mappings_say_their_mode() -> None:
    raw = _disk.RawDiskMappingVer1BackingInfo
    found = _read(
        _on(1000, 0, 2000, raw(fileName="[ds1] vm/p.vmdk", compatibilityMode="physicalMode", lunUuid="0200")),
        _on(1000, 1, 2001, raw(fileName="[ds1] vm/v.vmdk", compatibilityMode="virtualMode", lunUuid="0201")),
    )
    assert [disk.rdm for disk in found.disks] == ["physical", "virtual"]


def test_a_sparse_disk_is_thin_and_an_unset_flag_is_thick() -> None:
    sparse = _disk.SeSparseBackingInfo(fileName="[ds1] vm/s.vmdk", diskMode="persistent")
    assert [disk.thin for disk in _read(_on(1000, 0, 2000, sparse), _on(1000, 1, 2001, _flat("f"))).disks] == [
        True,
        False,
    ]


def test_multi_writer_and_shared_bus_make_a_disk_shared() -> None:
    found = _read(
        _on(1000, 0, 2000, _flat("own")),
        _on(1000, 1, 2001, _flat("written", sharing="sharingMultiWriter")),
        _on(1001, 0, 2016, _flat("quorum")),
    )
    assert found.sharing == (None, "[ds1] vm/written.vmdk", "[ds1] vm/quorum.vmdk")


def test_a_lun_is_one_shared_disk_whatever_its_mapping_file() -> None:
    raw = _disk.RawDiskMappingVer1BackingInfo
    machines = [
        read_machine(
            Record(
                id=name,
                kind="VirtualMachine",
                properties={
                    "name": name,
                    "config.hardware.device": [
                        SHARED_BUS,
                        _on(1001, 0, 2016, raw(fileName=f"[ds1] {name}/r.vmdk", lunUuid="0200ab")),
                    ],
                },
                missing=frozenset(),
            ),
            Surroundings([]),
            {},
        )
        for name in ("vm-1", "vm-2")
    ]
    names = {disk.shared for vm in name_shared_disks(machines, "vc1") for disk in vm.disks or ()}
    assert len(names) == 1
    assert None not in names


def test_an_opaque_network_is_found_by_its_nsx_id() -> None:
    summary = vim.OpaqueNetwork.Summary(opaqueNetworkId="seg-1", opaqueNetworkType="nsx.LogicalSwitch")
    properties = {"name": "web%2fprod", "summary": summary}
    around = Surroundings([Record("network-o7", "OpaqueNetwork", properties, frozenset())])
    backing = _device.VirtualEthernetCard.OpaqueNetworkBackingInfo(opaqueNetworkId="seg-1", opaqueNetworkType="nsx")
    [(_, nic)] = read_hardware([_device.VirtualVmxnet3(key=4000, backing=backing)], around).nics
    assert (nic.network, nic.network_id) == ("web/prod", "network-o7")


def test_a_network_that_is_not_shown_is_named_by_what_is_known() -> None:
    port = vim.dvs.PortConnection(portgroupKey="dvportgroup-9", switchUuid="")
    hidden: Any = _device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port)
    found = _read(_device.VirtualE1000(key=4000, backing=hidden), _device.VirtualE1000(key=4001))
    assert [(nic.network, nic.network_id) for _, nic in found.nics] == [
        ("dvportgroup-9", "dvportgroup-9"),
        ("unknown", None),
    ]


def test_devices_passed_through_are_named() -> None:
    card = _device.VirtualPCIPassthrough
    allowed = vim.vm.device.VirtualPCIPassthrough.AllowedDevice(vendorId=0x10DE, deviceId=0x1EB8)
    found = _read(
        card(key=13000, backing=card.DeviceBackingInfo(vendorId=0x10DE, deviceId="1eb8", deviceName="Tesla T4")),
        card(key=13001, backing=card.DynamicBackingInfo(allowedDevice=[allowed], deviceName="")),
        card(key=13002, backing=card.VmiopBackingInfo(vgpu="grid_a100-10c")),
        _device.VirtualSriovEthernetCard(key=4000),
    )
    assert found.passthrough == ("pci 10de:1eb8 (dynamic)", "pci 10de:1eb8 Tesla T4", "vgpu grid_a100-10c")
    assert found.sriov


def _reported(key: int, *addresses: tuple[str, int, str]) -> Any:
    items = [
        _net.IpConfigInfo.IpAddress(ipAddress=a, prefixLength=p, origin=o, state="preferred") for a, p, o in addresses
    ]
    return _guest.NicInfo(deviceConfigId=key, connected=True, ipConfig=_net.IpConfigInfo(ipAddress=items))


def test_addresses_come_with_origin_gateway_and_dns() -> None:
    route: Any = _net.IpRouteConfigInfo.IpRoute(
        network="0.0.0.0",  # noqa: S104 - the default route
        prefixLength=0,
        gateway=_net.IpRouteConfigInfo.Gateway(ipAddress="10.0.2.1", device="1"),
    )
    stack = _guest.StackInfo(
        ipRouteConfig=_net.IpRouteConfigInfo(ipRoute=[route]),
        dnsConfig=_net.DnsConfigInfo(dhcp=False, ipAddress=["10.0.0.53", "bad"]),
    )
    reported = [
        _reported(4001, ("10.0.9.9", 24, "dhcp")),
        _reported(4000, ("10.0.2.14", 24, "manual"), ("fe80::1", 64, "linklayer")),
        _reported(-1, ("172.17.0.1", 16, "manual")),  # a bridge inside the guest
    ]
    first, second, third = with_addresses(
        [(4000, Nic(network="a")), (4001, Nic(network="b")), (4002, Nic(network="c"))], reported, [stack]
    )
    assert (first.addresses, first.origin, first.gateway) == (("10.0.2.14/24",), "static", "10.0.2.1")
    assert first.nameservers == ("10.0.0.53",)
    assert (second.addresses, second.origin, second.gateway) == (("10.0.9.9/24",), "dhcp", None)
    assert (third.addresses, third.origin) == ((), None)


def _default_route(gateway: str) -> Any:
    way = _net.IpRouteConfigInfo.Gateway(ipAddress=gateway, device="0")
    return _net.IpRouteConfigInfo.IpRoute(network="::", prefixLength=0, gateway=way)


def test_a_dual_stack_nic_has_a_gateway_of_each_family_and_only_what_is_static_beside_a_static_address() -> None:
    routes = [_default_route("fe80::1"), _default_route("10.0.2.1"), _default_route("10.0.2.254")]
    stack = _guest.StackInfo(ipRouteConfig=_net.IpRouteConfigInfo(ipRoute=routes))
    reported = [
        _reported(4000, ("10.0.2.14", 24, "manual"), ("2001:db8::5", 64, "linklayer"), ("2001:db8::6", 64, "dhcp"))
    ]
    [found] = with_addresses([(4000, Nic(network="a"))], reported, [stack])
    assert found.addresses == ("10.0.2.14/24",)
    assert found.gateway == found.gateways == ("10.0.2.1", "fe80::1")


def test_tools_and_file_systems_are_what_the_guest_says() -> None:
    assert tools("guestToolsRunning", "guestToolsCurrent") == "running"
    assert tools("guestToolsNotRunning", "guestToolsNotInstalled") == "notInstalled"
    assert tools(None, None) is None
    disks = [_guest.DiskInfo(diskPath="/var", capacity=20, freeSpace=5), _guest.DiskInfo(diskPath="/", capacity=10)]
    assert [disk.path for disk in guest_disks(disks) or ()] == ["/", "/var"]
    assert guest_disks([]) is None


def test_a_vm_without_configuration_keeps_what_is_known() -> None:
    record = Record("vm-9", "VirtualMachine", {"name": "lost", "runtime.connectionState": "inaccessible"}, frozenset())
    vm = read_machine(record, Surroundings([]), {}).vm
    assert (vm.name, vm.id, vm.connection_state) == ("lost", "vm-9", "inaccessible")
    assert (vm.cpu, vm.disks, vm.nics, vm.vtpm, vm.encrypted, vm.snapshots) == (None,) * 6
