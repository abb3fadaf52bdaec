"""An estate in vcsim, changed over the API, then imported: VMs, disks, NICs, networks, paths, tags."""

import base64
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from pyVmomi import vim
from tests.importers.vcsim import PASSWORD, USER, Administrator, Server, administrator, running

from vmferry.importers.vcenter.read import read_vcenter
from vmferry.importers.vcenter.session import Login, Trust
from vmferry.model.inventory import Inventory
from vmferry.model.spec import VirtualMachine

FLAGS = ("-dc=2", "-cluster=2", "-host=2", "-standalone-host=1", "-pool=2", "-folder=1", "-vm=2", "-app=1")
NETWORKS = ("-pg=2", "-pg-nsx=1", "-nsx=1")
BIG, CLUSTERED, PARTNER = "DC0_C0_RP1_VM0", "DC0_C0_RP1_VM1", "DC0_C0_RP2_VM0"
HOSTILE = "evil: [name] %1b[31m #{x}/../‮ 😀"
_device: Any = vim.vm.device


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("vcsim"), *FLAGS, *NETWORKS) as found:
        with administrator(found) as admin:
            _change(admin)
        _tag(found, BIG, admin.big)
        yield found


@pytest.fixture(scope="module")
def inventory(server: Server) -> Inventory:
    reading = read_vcenter(server.url, "vc1", Login(user=USER, password=PASSWORD), Trust(insecure=True), page=7)
    told = " ".join(reading.notes)
    assert "the notes of 1 VM stay in vCenter" in told
    assert "custom attributes that stay in vCenter" in told
    return reading.inventory


@pytest.fixture(scope="module")
def vms(inventory: Inventory) -> dict[str, VirtualMachine]:
    return {vm.name: vm for vm in inventory.vms}


@pytest.fixture(scope="module")
def big(vms: dict[str, VirtualMachine]) -> VirtualMachine:
    return vms[BIG]


# --- what is changed ------------------------------------------------------------------------------


def _change(admin: Administrator) -> None:
    machines = admin.all(vim.VirtualMachine)
    big = machines[BIG]
    admin.big = big._moId
    admin.do(big.PowerOffVM_Task())
    admin.do(big.ReconfigVM_Task(_bigger(admin, _controller(big))))
    for name in ("before", "after"):
        admin.do(big.CreateSnapshot_Task(name, "", False, False))
    _place(admin, big)
    _attribute(admin, big, {"Owner": "web team", "root password": "geheim"})
    admin.do(machines["DC1_C0_RP1_VM0"].Rename_Task(HOSTILE.replace("%", "%25").replace("/", "%2f")))
    _rules(admin, machines)
    [disk] = [each for each in machines[CLUSTERED].config.hardware.device if isinstance(each, _device.VirtualDisk)]
    shared = _disk(disk.backing.fileName, 10 << 20, _controller(machines[PARTNER]), 9)
    admin.do(machines[PARTNER].ReconfigVM_Task(_with(shared)))


def _controller(vm: Any) -> int:
    [found] = [each.key for each in vm.config.hardware.device if isinstance(each, _device.VirtualSCSIController)]
    return int(found)


def _bigger(admin: Administrator, controller: int) -> Any:
    networks = admin.all(vim.Network)
    segment, opaque = networks["DC0_NSXPG0"], networks["DC0_NSX0"]
    switch = segment.config.distributedVirtualSwitch.uuid
    port: Any = vim.dvs.PortConnection(portgroupKey=segment.key, switchUuid=switch)
    card = _device.VirtualEthernetCard
    spec = _with(
        _disk("", 40 << 20, controller, 1, thinProvisioned=True),
        _disk("", 100 << 20, controller, 2, thinProvisioned=False, diskMode="independent_persistent"),
        _device.VirtualVmxnet3(key=-3, backing=card.DistributedVirtualPortBackingInfo(port=port)),
        _device.VirtualE1000e(
            key=-4,
            macAddress="00:50:56:AB:CD:EF",
            addressType="manual",
            backing=card.OpaqueNetworkBackingInfo(
                opaqueNetworkId=opaque.summary.opaqueNetworkId, opaqueNetworkType="nsx.LogicalSwitch"
            ),
        ),
        _device.VirtualTPM(key=-5),
        _device.VirtualUSBXHCIController(key=-6, busNumber=0),
        _device.VirtualPCIPassthrough(
            key=-7, backing=_device.VirtualPCIPassthrough.VmiopBackingInfo(vgpu="grid_t4-4q")
        ),
    )
    spec.firmware = "efi"
    spec.bootOptions = vim.vm.BootOptions(efiSecureBootEnabled=True)
    spec.changeTrackingEnabled = True
    spec.annotation = "login root, password: hunter3"
    spec.numCPUs, spec.numCoresPerSocket, spec.memoryMB = 8, 4, 16384
    spec.cpuHotAddEnabled = spec.memoryHotAddEnabled = spec.nestedHVEnabled = True
    spec.guestId = "rhel9_64Guest"
    settings = {"disk.EnableUUID": "TRUE", "numa.nodeAffinity": "1,0", "guestinfo.token": "s3cret-token"}
    spec.extraConfig = [vim.option.OptionValue(key=key, value=value) for key, value in settings.items()]
    return spec


def _with(*devices: Any) -> Any:
    added = [
        vim.vm.device.VirtualDeviceSpec(
            operation="add",
            fileOperation="create" if isinstance(each, _device.VirtualDisk) and not each.backing.fileName else None,
            device=each,
        )
        for each in devices
    ]
    return vim.vm.ConfigSpec(deviceChange=added)


def _disk(file: str, kilobytes: int, controller: int, unit: int, **backing: Any) -> Any:
    flat = _device.VirtualDisk.FlatVer2BackingInfo(**{"diskMode": "persistent", "fileName": file, **backing})
    return _device.VirtualDisk(
        key=-100 - unit, controllerKey=controller, unitNumber=unit, capacityInKB=kilobytes, backing=flat
    )


def _place(admin: Administrator, vm: Any) -> None:
    folder = vm.parent
    for name in ("Prod", "Web/Shop"):
        folder = folder.CreateFolder(name)
    admin.do(folder.MoveIntoFolder_Task([vm]))
    pool = admin.all(vim.ResourcePool)["DC0_C0_RP1"]
    pool.UpdateConfig(config=_limits(cpu=4000, memory=32768))
    child = pool.CreateResourcePool("Web", _limits(cpu=-1, memory=-1))
    admin.do(vm.RelocateVM_Task(vim.vm.RelocateSpec(pool=child)))


def _limits(*, cpu: int, memory: int) -> Any:
    parts = {
        name: vim.ResourceAllocationInfo(
            reservation=0, expandableReservation=True, limit=limit, shares=vim.SharesInfo(level="normal", shares=4000)
        )
        for name, limit in (("cpuAllocation", cpu), ("memoryAllocation", memory))
    }
    return vim.ResourceConfigSpec(**parts)


def _attribute(admin: Administrator, vm: Any, values: dict[str, str]) -> None:
    manager = admin.content.customFieldsManager
    for name, value in values.items():
        field = manager.AddCustomFieldDef(name, vim.VirtualMachine)
        manager.SetField(vm, field.key, value)


def _rules(admin: Administrator, machines: dict[str, Any]) -> None:
    cluster = admin.all(vim.ClusterComputeResource)["DC0_C0"]
    apart = vim.cluster.AntiAffinityRuleSpec(name="apart", enabled=True, vm=[machines[CLUSTERED], machines[PARTNER]])
    group = vim.cluster.VmGroup(name="licensed", vm=[machines[PARTNER]])
    hosts = vim.cluster.HostGroup(name="sockets", host=[cluster.host[0]])
    bound = vim.cluster.VmHostRuleInfo(
        name="licence", enabled=True, mandatory=True, vmGroupName="licensed", affineHostGroupName="sockets"
    )
    spec: Any = vim.cluster.ConfigSpecEx(
        groupSpec=[vim.cluster.GroupSpec(operation="add", info=each) for each in (group, hosts)],
        rulesSpec=[vim.cluster.RuleSpec(operation="add", info=each) for each in (apart, bound)],
    )
    admin.do(cluster.ReconfigureComputeResource_Task(spec, True))


def _tag(server: Server, name: str, vm: str) -> None:
    token = _rest(server, "/rest/com/vmware/cis/session", None, {})
    tagging = "/rest/com/vmware/cis/tagging"
    category = _rest(
        server,
        f"{tagging}/category",
        token,
        {"create_spec": {"name": "backup", "description": "", "cardinality": "SINGLE", "associable_types": []}},
    )
    for tag in ("nightly", "unused"):
        made = _rest(
            server,
            f"{tagging}/tag",
            token,
            {"create_spec": {"name": tag, "description": "", "category_id": category}},
        )
        if tag == "nightly":
            path = f"{tagging}/tag-association/id:{made}?~action=attach"
            _rest(server, path, token, {"object_id": {"id": vm, "type": "VirtualMachine"}})


def _rest(server: Server, path: str, token: str | None, body: Any) -> Any:
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    headers = {"vmware-api-session-id": token} if token else {"Authorization": f"Basic {basic}"}
    request = urllib.request.Request(
        f"https://{server.authority}{path}", json.dumps(body).encode(), {**headers, "Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, context=server.trust) as response:  # noqa: S310 - https, to vcsim
        return json.loads(response.read() or b"{}").get("value")


# --- what is read ---------------------------------------------------------------------------------


def test_every_vm_is_read_once_whatever_the_page_size(inventory: Inventory, server: Server) -> None:
    with administrator(server) as admin:
        known = {vm._moId for vm in admin.all(vim.VirtualMachine).values()}
    assert {vm.id for vm in inventory.vms} == known
    assert len(inventory.vms) == len(known) == 2 * (2 * 2 * 2 + 2 * 1 * 2 + 2)


def test_the_inventory_fits_the_model(inventory: Inventory) -> None:
    data = msgspec.json.decode(msgspec.json.encode(inventory))
    assert msgspec.convert(data, Inventory) == inventory


def test_origin_names_the_server_without_credentials(inventory: Inventory, server: Server) -> None:
    assert inventory.source.url == server.url
    assert inventory.source.instance_uuid
    assert inventory.source.taken is not None
    assert inventory.source.taken.endswith("Z")


def test_nothing_of_the_inventory_tells_a_secret(inventory: Inventory) -> None:
    text = msgspec.json.encode(inventory).decode()
    for secret in (PASSWORD, "hunter2", "hunter3", "s3cret-token", "geheim", "guestinfo"):
        assert secret not in text


def test_firmware_and_hardware_are_as_configured(big: VirtualMachine) -> None:
    assert (big.firmware, big.secure_boot, big.vtpm, big.usb) == ("efi", True, True, True)
    assert big.cpu is not None
    assert (big.cpu.count, big.cpu.cores_per_socket, big.memory) == (8, 4, "16Gi")
    assert (big.change_tracking, big.snapshots, big.nested_hv) == (True, 2, True)
    assert (big.cpu_hot_add, big.memory_hot_add) == (True, True)
    assert big.passthrough == ("vgpu grid_t4-4q",)
    assert (big.guest_id, big.os, big.power_state) == ("rhel9_64Guest", "linux", "poweredOff")


def test_a_bios_vm_has_no_secure_boot_and_no_tpm(vms: dict[str, VirtualMachine]) -> None:
    plain = vms[CLUSTERED]
    assert (plain.firmware, plain.secure_boot, plain.vtpm, plain.passthrough) == ("bios", False, False, ())
    assert plain.snapshots == 0


def test_advanced_settings_are_read_by_name_only(big: VirtualMachine) -> None:
    assert big.disk_enable_uuid is True
    assert big.numa_node_affinity == (0, 1)
    assert big.numa == {"numa.nodeaffinity": "1,0"}


def test_disks_have_size_backing_and_place(big: VirtualMachine) -> None:
    assert big.disks is not None
    assert [disk.size for disk in big.disks] == ["10Gi", "40Gi", "100Gi"]
    assert [disk.thin for disk in big.disks] == [True, True, False]
    assert [disk.mode for disk in big.disks] == ["persistent", "persistent", "independent_persistent"]
    assert {disk.controller for disk in big.disks} == {"scsi"}
    assert len({disk.unit for disk in big.disks}) == 3
    for disk in big.disks:
        assert disk.datastore == "LocalDS_0"
        assert disk.file is not None
        assert disk.file.startswith("[LocalDS_0] ")


def test_a_file_that_two_vms_have_is_one_shared_disk(vms: dict[str, VirtualMachine]) -> None:
    names = [{disk.shared for disk in vms[name].disks or () if disk.shared} for name in (CLUSTERED, PARTNER)]
    assert names[0] == names[1]
    assert len(names[0]) == 1
    assert not any(disk.shared for disk in vms[BIG].disks or ())


def test_nics_are_on_their_networks_by_name_and_id(big: VirtualMachine, inventory: Inventory) -> None:
    assert big.nics is not None
    ids = {network.name: network.id for network in inventory.networks}
    assert [(nic.network, nic.network_id, nic.adapter) for nic in big.nics] == [
        ("DC0_DVPG0", ids["DC0_DVPG0"], "e1000"),
        ("DC0_NSXPG0", ids["DC0_NSXPG0"], "vmxnet3"),
        ("DC0_NSXPG1", ids["DC0_NSXPG1"], "e1000e"),  # vSphere puts a NIC of an opaque network on its port group
    ]
    assert big.nics[2].mac == "00:50:56:ab:cd:ef"


def test_nsx_segments_have_their_id(inventory: Inventory) -> None:
    networks = {network.name: network for network in inventory.networks}
    group, opaque = networks["DC0_NSXPG0"], networks["DC0_NSX0"]
    assert group.kind == opaque.kind == "nsx-t"
    assert (group.segment_id or "").startswith("/infra/segments/")
    assert opaque.segment_id
    assert networks["DC0_DVPG0"].kind == "distributed"
    assert networks["DC0_DVPG0"].switch == "DVS0"
    assert networks["VM Network"].kind == "standard"


def test_paths_lead_through_folders_and_pools(big: VirtualMachine, vms: dict[str, VirtualMachine]) -> None:
    assert (big.datacenter, big.cluster, big.folder) == ("DC0", "DC0_C0", "/Prod/Web/Shop")
    assert big.resource_pool == "DC0_C0_RP1/Web"
    in_vapp = vms["DC0_C0_APP0_VM0"]
    assert (in_vapp.vapp, in_vapp.resource_pool) == ("DC0_C0_APP0", "DC0_C0_APP0")
    alone = vms["DC0_H0_VM0"]
    assert (alone.cluster, alone.host, alone.resource_pool) == (None, "DC0_H0", None)


def test_pools_have_their_limits(inventory: Inventory) -> None:
    pools = {pool.path: pool for pool in inventory.resource_pools}
    assert (pools["DC0_C0_RP1"].cpu_limit, pools["DC0_C0_RP1"].memory_limit) == (4000, "32Gi")
    assert (pools["DC0_C0_RP1/Web"].cpu_limit, pools["DC0_C0_RP1/Web"].memory_limit) == (None, None)
    assert pools["DC0_C0_RP1/Web"].cluster == "DC0_C0"
    assert "Resources" not in pools


def test_cluster_rules_reach_their_vms(inventory: Inventory, vms: dict[str, VirtualMachine]) -> None:
    [cluster] = [each for each in inventory.clusters if each.name == "DC0_C0"]
    assert [(rule.name, rule.kind) for rule in cluster.rules] == [
        ("apart", "anti-affinity"),
        ("licence", "host-affinity"),
    ]
    assert cluster.rules[0].vms == tuple(sorted(str(vms[name].id) for name in (CLUSTERED, PARTNER)))
    assert vms[PARTNER].rules == ("apart", "licence")
    assert (vms[PARTNER].host_affinity, vms[CLUSTERED].host_affinity) == (True, False)


def test_hosts_and_datastores_have_their_size(inventory: Inventory) -> None:
    [host] = [each for each in inventory.hosts if each.name == "DC0_C0_H0"]
    assert host.cluster == "DC0_C0"
    assert host.cores
    assert host.memory
    assert host.cpu_model
    assert all(datastore.capacity for datastore in inventory.datastores)


def test_tags_and_attributes_are_read(big: VirtualMachine, vms: dict[str, VirtualMachine]) -> None:
    assert big.tags == ("backup/nightly",)
    assert vms[CLUSTERED].tags == ()
    assert big.custom_attributes == {"Owner": "web team"}


def test_a_hostile_name_is_taken_as_it_is(vms: dict[str, VirtualMachine]) -> None:
    assert HOSTILE in vms


def test_two_imports_differ_in_nothing_but_the_time(inventory: Inventory, server: Server) -> None:
    again = read_vcenter(server.url, "vc1", Login(user=USER, password=PASSWORD), Trust(insecure=True), page=3).inventory
    taken = inventory.source.taken
    assert msgspec.structs.replace(again, source=msgspec.structs.replace(again.source, taken=taken)) == inventory
