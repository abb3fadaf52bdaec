"""The same estate through vcsim and through a workbook gives the same VMs, disks and NICs where both can know."""

from typing import Any

import pytest
from pyVmomi import vim
from tests.importers import exports
from tests.importers.vcsim import PASSWORD, USER, Administrator, administrator, running

from vmferry.importers.rvtools.read import read_rvtools
from vmferry.importers.vcenter.read import read_vcenter
from vmferry.importers.vcenter.session import Login, Trust
from vmferry.model.inventory import Inventory
from vmferry.model.spec import VirtualMachine

OFF = "DC0_C0_RP1_VM0"
_device: Any = vim.vm.device


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Inventory, Inventory]:
    scratch = tmp_path_factory.mktemp("parity")
    with running(scratch, "-dc=1", "-cluster=2", "-host=2", "-vm=3", "-pg=2", "-pool=1") as server:
        with administrator(server) as admin:
            _enrich(admin)
            tabs = _export(admin)
        login = Login(user=USER, password=PASSWORD)
        over_api = read_vcenter(server.url, "vc1", login, Trust(insecure=True)).inventory
    [from_export] = read_rvtools([exports.workbook(scratch / "export.xlsx", tabs)], "vc1")
    return over_api, from_export


def _enrich(admin: Administrator) -> None:
    """Give one VM EFI, a second disk and a second NIC."""
    vm = admin.all(vim.VirtualMachine)[OFF]
    admin.do(vm.PowerOffVM_Task())
    [controller] = [d.key for d in vm.config.hardware.device if isinstance(d, _device.VirtualSCSIController)]
    backing = _device.VirtualDisk.FlatVer2BackingInfo(fileName="", diskMode="persistent", thinProvisioned=True)
    disk = _device.VirtualDisk(key=-1, controllerKey=controller, unitNumber=1, capacityInKB=40 << 20, backing=backing)
    network = _device.VirtualEthernetCard.NetworkBackingInfo(deviceName="VM Network")
    nic = _device.VirtualVmxnet3(key=-2, backing=network, macAddress="00:50:56:ab:cd:ef", addressType="manual")
    add = vim.vm.device.VirtualDeviceSpec.Operation.add
    create = vim.vm.device.VirtualDeviceSpec.FileOperation.create
    changes = [
        _device.VirtualDeviceSpec(operation=add, fileOperation=create, device=disk),
        _device.VirtualDeviceSpec(operation=add, device=nic),
    ]
    admin.do(vm.ReconfigVM_Task(vim.vm.ConfigSpec(firmware="efi", numCPUs=4, memoryMB=8192, deviceChange=changes)))


def _export(admin: Administrator) -> dict[str, exports.Tab]:
    """Return what RVTools would write of the estate, read by its own simple means: an attribute at a time."""
    tabs: dict[str, list[dict[str, Any]]] = {"vInfo": [], "vCPU": [], "vDisk": [], "vNetwork": []}
    groups = {group.key: group.name for group in admin.all(vim.dvs.DistributedVirtualPortgroup).values()}
    # pyVmomi reads neither vm.runtime nor vm.summary of the simulator as attributes
    hosts = {vm._moId: host for host in admin.all(vim.HostSystem).values() for vm in host.vm}
    for name, vm in sorted(admin.all(vim.VirtualMachine).items()):
        config, host = vm.config, hosts[vm._moId]
        own = {
            "VM": name,
            "Powerstate": "poweredOff" if name == OFF else "poweredOn",
            "Template": str(config.template),
            "Cluster": host.parent.name if isinstance(host.parent, vim.ClusterComputeResource) else None,
            "Host": host.name,
            "Datacenter": "DC0",
            "OS according to the configuration file": config.guestFullName,
            "VM ID": vm._moId,
            "VM UUID": config.instanceUuid,
            "SMBIOS UUID": config.uuid,
            "VI SDK Server": "vc1",
            "VI SDK UUID": admin.content.about.instanceUuid,
        }
        devices = config.hardware.device
        disks = [d for d in devices if isinstance(d, _device.VirtualDisk)]
        nics = [d for d in devices if isinstance(d, _device.VirtualEthernetCard)]
        counts = {"CPUs": config.hardware.numCPU, "Memory": config.hardware.memoryMB}
        counts |= {"NICs": len(nics), "Disks": len(disks), "Firmware": config.firmware}
        tabs["vInfo"].append(own | counts)
        tabs["vCPU"].append(own | {"CPUs": counts["CPUs"], "Cores p/s": config.hardware.numCoresPerSocket})
        labels = {d.key: d.deviceInfo.label for d in devices}
        for disk in disks:
            row = {"Disk": disk.deviceInfo.label, "Disk Key": disk.key, "Capacity MiB": disk.capacityInKB // 1024}
            row |= {"Path": disk.backing.fileName, "Disk Mode": disk.backing.diskMode, "Unit #": disk.unitNumber}
            row |= {"Label": labels[disk.controllerKey], "Controller": "VMware paravirtual SCSI"}
            tabs["vDisk"].append(own | row)
        for nic in nics:
            port = getattr(nic.backing, "port", None)
            network = groups[port.portgroupKey] if port else nic.backing.deviceName
            row = {"NIC label": nic.deviceInfo.label, "Network": network, "Mac Address": nic.macAddress}
            tabs["vNetwork"].append(own | row | {"Adapter": type(nic).__name__.rpartition("Virtual")[2]})
    return dict(tabs)


def _known_to_both(vm: VirtualMachine) -> dict[str, Any]:
    fields = (
        "name",
        "id",
        "uuid",
        "instance_uuid",
        "cluster",
        "host",
        "datacenter",
        "power_state",
        "firmware",
        "memory",
    )
    disks = [(disk.size, disk.datastore, disk.file, disk.key, disk.mode, disk.controller) for disk in vm.disks or ()]
    nics = [(nic.network, (nic.mac or "").lower()) for nic in vm.nics or ()]
    return {name: getattr(vm, name) for name in fields} | {"cpu": vm.cpu, "disks": disks, "nics": nics}


def test_vms_disks_and_nics_are_the_same(both: tuple[Inventory, Inventory]) -> None:
    over_api, from_export = (
        {vm.name: _known_to_both(vm) for vm in inventory.vms if not vm.template} for inventory in both
    )
    assert len(over_api) >= 6
    assert from_export == over_api
    [big] = [vm for vm in over_api.values() if len(vm["disks"]) == 2]
    assert (big["firmware"], big["memory"], len(big["nics"])) == ("efi", "8Gi", 2)


def test_nothing_of_the_workbook_is_left_over(both: tuple[Inventory, Inventory]) -> None:
    assert both[1].unjoined == ()
