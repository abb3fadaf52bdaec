"""Networks and VMs out of the ordinary, made in vcsim over the API, then imported."""

from collections.abc import Iterator
from typing import Any

import pytest
from pyVmomi import vim
from tests.importers.vcsim import PASSWORD, USER, Administrator, administrator, running

from vmferry.importers.vcenter.collect import Record
from vmferry.importers.vcenter.machines import read_machine
from vmferry.importers.vcenter.read import read_vcenter
from vmferry.importers.vcenter.session import Login, Trust
from vmferry.importers.vcenter.surroundings import Surroundings
from vmferry.model.inventory import Inventory, InventoryNetwork
from vmferry.model.spec import VirtualMachine

ODD, PLAIN = "DC0_C0_RP0_VM0", "DC0_C0_RP0_VM1"
FLAGS = (
    *("-host=2", "-standalone-host=0", "-pg=1"),
    *("-port-group=agreed=120", "-port-group=every tag=4095", "-port-group=at odds=5,6", "-port-group=untagged=0"),
)
_device: Any = vim.vm.device
_vds: Any = vim.dvs.VmwareDistributedVirtualSwitch
_group: Any = vim.dvs.DistributedVirtualPortgroup
_LEARNING = _vds.MacLearningPolicy(enabled=True, inherited=False)


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inventory]:
    with running(tmp_path_factory.mktemp("vcsim"), *FLAGS) as server:
        with administrator(server) as admin:
            _distributed_groups(admin)
            _odd(admin)
        login = Login(user=USER, password=PASSWORD)
        yield read_vcenter(server.url, "vc1", login, Trust(insecure=True)).inventory


@pytest.fixture(scope="module")
def networks(inventory: Inventory) -> dict[str, InventoryNetwork]:
    return {network.name: network for network in inventory.networks}


@pytest.fixture(scope="module")
def odd(inventory: Inventory) -> VirtualMachine:
    [found] = [vm for vm in inventory.vms if vm.name == ODD]
    return found


# --- what is made ---------------------------------------------------------------------------------


def _distributed_groups(admin: Administrator) -> None:
    ranges = [vim.NumericRange(start=start, end=end) for start, end in ((300, 300), (10, 20))]
    vlans = {
        "tagged": _vds.VlanIdSpec(vlanId=30, inherited=False),
        "trunk": _vds.TrunkVlanSpec(vlanId=ranges, inherited=False),
        "private": _vds.PvlanSpec(pvlanId=202, inherited=False),
        "vxw-dvs-35-virtualwire-12-sid-5011-web": _vds.VlanIdSpec(vlanId=0, inherited=False),
    }
    accepting = vim.BoolPolicy(value=True, inherited=False)
    policies = {
        "tagged": {"securityPolicy": _vds.SecurityPolicy(macChanges=accepting, forgedTransmits=accepting)},
        "trunk": {"macManagementPolicy": _vds.MacManagementPolicy(forgedTransmits=True, macLearningPolicy=_LEARNING)},
    }
    specs = [
        _group.ConfigSpec(
            name=name,
            type="earlyBinding",
            numPorts=8,
            defaultPortConfig=_vds.VmwarePortConfigPolicy(vlan=vlan, **policies.get(name, {})),
        )
        for name, vlan in vlans.items()
    ]
    segment = _group.ConfigSpec(name="segment", type="ephemeral", backingType="nsx")
    segment.segmentId, segment.transportZoneName = "/infra/segments/web", "overlay"
    admin.do(admin.all(vim.DistributedVirtualSwitch)["DVS0"].AddDVPortgroup_Task([*specs, segment]))


def _disk(unit: int, controller: int, backing: Any) -> Any:
    backing.diskMode = backing.diskMode or "persistent"
    return _device.VirtualDisk(
        key=-unit, controllerKey=controller, unitNumber=unit, capacityInKB=1 << 20, backing=backing
    )


def _odd(admin: Administrator) -> None:
    vm = admin.all(vim.VirtualMachine)[ODD]
    admin.do(vm.PowerOffVM_Task())
    flat, raw, card = (
        _device.VirtualDisk.FlatVer2BackingInfo,
        _device.VirtualDisk.RawDiskMappingVer1BackingInfo,
        _device.VirtualPCIPassthrough,
    )
    [controller] = [each.key for each in vm.config.hardware.device if isinstance(each, _device.VirtualSCSIController)]
    allowed = _device.VirtualPCIPassthrough.AllowedDevice(vendorId=0x10DE, deviceId=0x1EB8)
    devices = [
        _disk(1, controller, flat(fileName="", diskMode="independent_nonpersistent")),
        _disk(2, controller, flat(fileName="", sharing="sharingMultiWriter", eagerlyScrub=True)),
        _disk(3, controller, raw(fileName="", compatibilityMode="physicalMode", lunUuid="0200a")),
        _disk(4, controller, raw(fileName="", compatibilityMode="virtualMode", lunUuid="0200b")),
        card(
            key=-11,
            backing=card.DeviceBackingInfo(vendorId=0x10DE, deviceId="1eb8", deviceName="T4", id="0", systemId="s"),
        ),
        card(key=-12, backing=card.DynamicBackingInfo(allowedDevice=[allowed], deviceName="")),
        card(key=-13, backing=card.VmiopBackingInfo(vgpu="grid_a100-10c")),
        _device.VirtualTPM(key=-14),
        _device.VirtualUSBController(key=-15, busNumber=0),
        _device.VirtualSriovEthernetCard(
            key=-16, backing=_device.VirtualEthernetCard.NetworkBackingInfo(deviceName="agreed")
        ),
    ]
    spec: Any = vim.vm.ConfigSpec(
        deviceChange=[
            _device.VirtualDeviceSpec(
                operation="add", fileOperation="create" if isinstance(each, _device.VirtualDisk) else None, device=each
            )
            for each in devices
        ],
        latencySensitivity=vim.LatencySensitivity(level="high"),
        cpuAffinity=vim.vm.AffinityInfo(affinitySet=[3, 2]),
        memoryAffinity=vim.vm.AffinityInfo(affinitySet=[1]),
        extraConfig=[vim.option.OptionValue(key="numa.vcpu.maxPerVirtualNode", value="4")],
        managedBy=vim.ext.ManagedByInfo(extensionKey="com.example.backup", type="proxy"),
        cpuAllocation=vim.ResourceAllocationInfo(reservation=2000, limit=4000),
        memoryAllocation=vim.ResourceAllocationInfo(reservation=1024, limit=-1),
    )
    admin.do(vm.ReconfigVM_Task(spec))


# --- what is read ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "vlan", "trunk"),
    [("agreed", 120, ()), ("every tag", None, ("0-4094",)), ("at odds", None, ()), ("untagged", None, ())],
)
def test_a_standard_port_group_has_the_vlan_its_hosts_agree_on(
    networks: dict[str, InventoryNetwork], name: str, vlan: int | None, trunk: tuple[str, ...]
) -> None:
    found = networks[name]
    assert (found.kind, found.vlan, found.trunk, found.switch) == ("standard", vlan, trunk, "vSwitch0")
    assert found.untagged is (name == "untagged")


@pytest.mark.parametrize(
    ("name", "vlan", "trunk"), [("tagged", 30, ()), ("trunk", None, ("10-20", "300")), ("private", 202, ())]
)
def test_a_distributed_port_group_has_its_vlans(
    networks: dict[str, InventoryNetwork], name: str, vlan: int | None, trunk: tuple[str, ...]
) -> None:
    found = networks[name]
    assert (found.kind, found.vlan, found.trunk, found.switch) == ("distributed", vlan, trunk, "DVS0")


@pytest.mark.parametrize(
    ("name", "accepts"),
    [("tagged", ("macChanges", "forgedTransmits")), ("trunk", ("forgedTransmits", "macLearning")), ("private", ())],
)
def test_a_distributed_port_group_says_what_its_security_policy_accepts(
    networks: dict[str, InventoryNetwork], name: str, accepts: tuple[str, ...]
) -> None:
    assert networks[name].accepts == accepts


def test_logical_switches_of_nsx_have_their_id(networks: dict[str, InventoryNetwork]) -> None:
    segment, wire = networks["segment"], networks["vxw-dvs-35-virtualwire-12-sid-5011-web"]
    assert (segment.kind, segment.segment_id) == ("nsx-t", "/infra/segments/web")
    assert (wire.kind, wire.segment_id, wire.vlan) == ("nsx-v", "virtualwire-12", None)
    assert not wire.untagged


def test_disks_say_mode_sharing_and_raw_mapping(odd: VirtualMachine) -> None:
    by_unit = {(disk.unit or "").partition(":")[2]: disk for disk in odd.disks or ()}
    assert by_unit["1"].mode == "independent_nonpersistent"
    assert [by_unit[unit].rdm for unit in ("0", "1", "3", "4")] == [None, None, "physical", "virtual"]
    assert [bool(by_unit[unit].shared) for unit in ("0", "1", "2")] == [False, False, True]


def test_devices_passed_through_are_listed(odd: VirtualMachine, inventory: Inventory) -> None:
    assert odd.passthrough == ("pci 10de:1eb8 (dynamic)", "pci 10de:1eb8 T4", "vgpu grid_a100-10c")
    assert (odd.vtpm, odd.usb, odd.sriov) == (True, True, True)
    assert [(nic.network, nic.adapter) for nic in odd.nics or ()][1:] == [("agreed", "sriov")]
    [plain] = [vm for vm in inventory.vms if vm.name == PLAIN]
    assert (plain.passthrough, plain.vtpm, plain.usb, plain.sriov) == ((), False, False, False)


def test_affinity_latency_and_numa_are_read(odd: VirtualMachine) -> None:
    assert (odd.cpu_affinity, odd.numa_node_affinity) == ((2, 3), (1,))
    assert odd.numa == {"numa.vcpu.maxpervirtualnode": "4"}
    assert odd.latency_sensitivity == "high"


def test_reservations_limits_and_manager_are_read(odd: VirtualMachine) -> None:
    assert (odd.cpu_reservation, odd.cpu_limit) == (2000, 4000)
    assert (odd.memory_reservation, odd.memory_limit) == (1 << 30, None)
    assert (odd.managed_by, odd.srm_placeholder) == ("com.example.backup", False)


# --- what vcsim cannot have -----------------------------------------------------------------------


def _record(kind: str, identity: str, **properties: Any) -> Record:
    return Record(identity, kind, {name.replace("__", "."): each for name, each in properties.items()}, frozenset())


def test_uplinks_and_transport_zones_are_told() -> None:
    switch = vim.dvs.VmwareDistributedVirtualSwitch("dvs-1")
    around = Surroundings(
        [
            _record(
                "VmwareDistributedVirtualSwitch", "dvs-1", name="S", config__uplinkPortgroup=[_group("dvportgroup-1")]
            ),
            _record("DistributedVirtualPortgroup", "dvportgroup-1", name="up", config__distributedVirtualSwitch=switch),
            _record("DistributedVirtualPortgroup", "dvportgroup-2", name="new", config__uplink=True),
            _record(
                "DistributedVirtualPortgroup",
                "dvportgroup-3",
                name="web",
                config__backingType="nsx",
                config__logicalSwitchUuid="1f0e",
                config__transportZoneName="overlay",
            ),
        ]
    )
    assert [network.uplink for network in around.networks.values()] == [True, True, False]
    web = around.networks["dvportgroup-3"]
    assert (web.kind, web.segment_id, web.transport_zone) == ("nsx-t", "1f0e", "overlay")


def _machine(**properties: Any) -> VirtualMachine:
    return read_machine(_record("VirtualMachine", "vm-1", name="vm", **properties), Surroundings([]), {}).vm


def test_encryption_and_fault_tolerance_are_told() -> None:
    key: Any = vim.encryption.CryptoKeyId(keyId="k")
    secured = _machine(config__hardware__device=[], config__keyId=key, runtime__faultToleranceState="running")
    assert (secured.encrypted, secured.fault_tolerance) == (True, True)
    plain = _machine(config__hardware__device=[], runtime__faultToleranceState="notConfigured")
    assert (plain.encrypted, plain.fault_tolerance) == (False, False)
    hidden = _machine()
    assert (hidden.encrypted, hidden.fault_tolerance) == (None, None)


def test_a_disk_that_is_encrypted_makes_its_vm_encrypted() -> None:
    backing = _device.VirtualDisk.FlatVer2BackingInfo(
        fileName="[d] v.vmdk", keyId=vim.encryption.CryptoKeyId(keyId="k")
    )
    disk = _device.VirtualDisk(key=2000, capacityInBytes=1 << 30, backing=backing)
    assert _machine(config__hardware__device=[disk]).encrypted is True


def test_change_tracking_of_older_vms_is_in_their_settings() -> None:
    option = vim.option.OptionValue(key="ctkEnabled", value="TRUE")
    assert _machine(config__extraConfig=[option]).change_tracking is True


def test_snapshots_are_counted_with_their_children() -> None:
    def tree(*children: Any) -> Any:
        return vim.vm.SnapshotTree(childSnapshotList=list(children))

    whole = _machine(config__hardware__device=[], snapshot__rootSnapshotList=[tree(tree(), tree(tree())), tree()])
    assert whole.snapshots == 5
