"""Tests of `vmferry.backends.kubevirt`."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.backends import schemas
from tests.backends.blueprints import blueprint, disk, group, machine, nic, pod_nic

from vmferry.backends import kubevirt
from vmferry.model.application import NamedPort
from vmferry.model.blueprint import Machine, Placement
from vmferry.model.facts import Bus
from vmferry.model.manifest import KubeObject, Resource
from vmferry.model.spec import InstancetypeRef, Readdressing, Toleration


def emitted(*machines: Machine) -> list[KubeObject]:
    return schemas.objects(list(kubevirt.emit(blueprint(group(*machines)))))


def vm(subject: Machine) -> KubeObject:
    [found] = [obj for obj in emitted(subject) if obj["kind"] == "VirtualMachine"]
    schemas.assert_fits(found)
    return found


def instance(subject: Machine) -> dict[str, Any]:
    spec: dict[str, Any] = vm(subject)["spec"]["template"]["spec"]
    return spec


def domain(subject: Machine) -> dict[str, Any]:
    found: dict[str, Any] = instance(subject)["domain"]
    return found


WINDOWS = machine(
    "win-01",
    os="windows",
    guest_id="windows2019srv_64Guest",
    firmware="efi",
    secure_boot=True,
    vtpm=True,
    timezone="Europe/Berlin",
    hostname="WIN-01.acme.example",
    gpus=("nvidia.com/TU104GL_Tesla_T4", "nvidia.com/TU104GL_Tesla_T4"),
    host_devices=("acme.example/dongle",),
    preference=InstancetypeRef(name="windows.2k19.virtio"),
    priority_class="gold",
    placement=Placement(
        labels={"team": "web"},
        node_selector={"zone": "b"},
        tolerations=(Toleration(key="gpu", effect="NoSchedule"), Toleration(key="x", operator="Equal", value="y")),
        apart_from="web",
    ),
    disks=(
        disk("win-01", serial="6000C298-eb61-38a0-4b1b-0e1f"),
        disk("win-01", 1, bus="scsi", shared="quorum"),
        disk("win-01", 2, lun=True, shared="cluster", owner=False),
        disk("win-01", 3, serial="6000C298-eb61-38a0-4b1b-FFFF", bus="sata"),
    ),
    nics=(
        pod_nic(connected=False),
        nic(1, binding="sriov", connected=False),
        nic(2, binding="macvtap", model="e1000e"),
        nic(3, readdress=Readdressing(addresses=("10.0.0.5/24",))),
    ),
    ports=(NamedPort(name="rdp", port=3389), NamedPort(name="web", port=80, target_port=8080)),
)


def test_every_object_fits_its_schema() -> None:
    for obj in emitted(machine(), WINDOWS):
        schemas.assert_fits(obj)


def test_objects_lie_in_the_machines_layer_of_their_group_in_the_file_of_their_vm() -> None:
    items = [item for item in kubevirt.emit(blueprint(group(machine()))) if isinstance(item, Resource)]
    [place] = {(item.directory, item.file, item.lock) for item in items}
    assert place == ("bases/stateful/stateful-01/machines", f"{machine().target_name}.yaml", "stateful/stateful-01")


def test_groups_of_other_paths_have_no_virtual_machine() -> None:
    assert not list(kubevirt.emit(blueprint(group(machine(), path="forklift", layers=("plan", "migration")))))


def test_vm_is_halted_and_never_pruned() -> None:
    found = vm(machine())
    assert found["spec"]["runStrategy"] == "Halted"
    assert found["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled"


@pytest.mark.parametrize("strategy", ["LiveMigrate", "None"])
def test_a_vm_that_cannot_live_migrate_is_not_evicted_as_if_it_could(strategy: Any) -> None:
    assert instance(machine(eviction_strategy=strategy))["evictionStrategy"] == strategy


def test_what_the_webhook_would_default_is_written() -> None:
    spec = instance(machine())
    assert spec["architecture"] == "amd64"
    assert spec["domain"]["machine"] == {"type": "q35"}
    assert spec["domain"]["resources"] == {}
    assert spec["domain"]["features"]["acpi"] == {}
    uuid = machine().uuid
    assert spec["domain"]["firmware"] == {"bootloader": {"bios": {}}, "serial": uuid, "uuid": uuid}
    assert spec["domain"]["memory"] == {"guest": "4Gi"}
    assert spec["domain"]["cpu"] == {"cores": 2, "model": "host-model", "sockets": 2, "threads": 1}


def test_serial_of_the_source_is_kept_beside_the_uuid() -> None:
    firmware = domain(machine(serial="VMware-42 0a"))["firmware"]
    assert (firmware["serial"], firmware["uuid"]) == ("VMware-42 0a", machine().uuid)


def test_secure_boot_needs_smm() -> None:
    found = domain(WINDOWS)
    assert found["firmware"]["bootloader"] == {"efi": {"persistent": True, "secureBoot": True}}
    assert found["features"]["smm"] == {"enabled": True}


def test_efi_without_secure_boot_says_so() -> None:
    found = domain(machine(firmware="efi"))
    assert found["firmware"]["bootloader"] == {"efi": {"persistent": True, "secureBoot": False}}
    assert "smm" not in found["features"]


def test_tpm_is_persistent_or_absent() -> None:
    assert domain(WINDOWS)["devices"]["tpm"] == {"persistent": True}
    assert "tpm" not in domain(machine())["devices"]


def test_windows_gets_hyperv_features_with_what_they_depend_on() -> None:
    hyperv = domain(WINDOWS)["features"]["hyperv"]
    for feature, needed in {"synic": "vpindex", "ipi": "vpindex", "tlbflush": "vpindex", "synictimer": "synic"}.items():
        assert feature in hyperv
        assert needed in hyperv
    assert "hyperv" not in domain(machine())["features"]


def test_clock_is_the_sources_time_zone_or_utc() -> None:
    assert domain(WINDOWS)["clock"]["timezone"] == "Europe/Berlin"
    assert domain(WINDOWS)["clock"]["timer"]["hpet"] == {"present": False}
    assert domain(machine())["clock"] == {"utc": {}}


def test_own_cpus_huge_pages_and_numa_are_called_as_kubevirt_calls_them() -> None:
    subject = machine(dedicated_cpus=True, hugepages="1Gi", numa_passthrough=True)
    schemas.assert_fits(vm(subject))
    made = domain(subject)
    assert made["cpu"]["dedicatedCpuPlacement"] is True
    assert made["cpu"]["numa"] == {"guestMappingPassthrough": {}}
    assert made["memory"]["hugepages"] == {"pageSize": "1Gi"}


def test_instance_type_takes_the_place_of_cpu_and_memory() -> None:
    found = vm(machine(instancetype=InstancetypeRef(name="u1.large")))
    assert found["spec"]["instancetype"] == {"kind": "VirtualMachineClusterInstancetype", "name": "u1.large"}
    assert not {"cpu", "memory"} & set(found["spec"]["template"]["spec"]["domain"])


def test_preference_names_its_kind() -> None:
    assert vm(WINDOWS)["spec"]["preference"]["kind"] == "VirtualMachineClusterPreference"


def test_host_name_is_the_first_label_if_it_is_one() -> None:
    assert instance(WINDOWS)["hostname"] == "win-01"
    assert "hostname" not in instance(machine(hostname="web_01.acme.example"))
    assert "hostname" not in instance(machine(hostname="a" * 64))
    assert "hostname" not in instance(machine())


def test_priority_comes_from_the_phase_unless_the_vm_has_its_own() -> None:
    assert vm(machine())["metadata"]["labels"]["vmferry.dev/priority"] == "phase"
    assert "priorityClassName" not in instance(machine())
    assert "vmferry.dev/priority" not in vm(WINDOWS)["metadata"]["labels"]
    assert instance(WINDOWS)["priorityClassName"] == "gold"


def test_vms_of_a_set_prefer_different_nodes() -> None:
    template = vm(WINDOWS)["spec"]["template"]
    [preferred] = template["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    wanted = preferred["podAffinityTerm"]["labelSelector"]["matchLabels"]
    assert wanted.items() <= template["metadata"]["labels"].items()
    assert template["spec"]["nodeSelector"] == {"zone": "b"}
    assert template["spec"]["tolerations"] == [
        {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "x", "operator": "Equal", "value": "y"},
    ]


def test_every_device_appears_with_its_resource_name() -> None:
    devices = domain(WINDOWS)["devices"]
    assert [gpu["name"] for gpu in devices["gpus"]] == ["gpu-0", "gpu-1"]
    assert devices["hostDevices"] == [{"deviceName": "acme.example/dongle", "name": "hostdev-0"}]


def test_old_windows_boots_without_the_64_bit_pci_hole() -> None:
    annotations = vm(machine(os="windows", guest_id="winNetStandardGuest"))["spec"]["template"]["metadata"][
        "annotations"
    ]
    assert annotations == {"kubevirt.io/disablePCIHole64": "true"}


# --- disks


def test_serial_is_cut_to_what_virtio_carries() -> None:
    assert domain(WINDOWS)["devices"]["disks"][0]["serial"] == "6000C298-eb61-38a0-4"


def test_serials_of_one_vm_differ_even_when_their_beginnings_agree() -> None:
    serials = [found["serial"] for found in domain(WINDOWS)["devices"]["disks"] if "lun" not in found]
    assert len(set(serials)) == len(serials)


def test_vms_that_share_a_disk_see_one_serial() -> None:
    serials = {
        domain(machine(name, disks=(disk("db", shared="quorum"),)))["devices"]["disks"][0]["serial"]
        for name in ("db-01", "db-02")
    }
    assert len(serials) == 1


def test_shared_disk_is_shareable_and_uncached() -> None:
    shared, lun = domain(WINDOWS)["devices"]["disks"][1:3]
    assert (shared["cache"], shared["shareable"], shared["disk"]) == ("none", True, {"bus": "scsi"})
    assert (lun["cache"], lun["shareable"]) == ("none", True)


def test_lun_passes_scsi_through_with_its_own_identity() -> None:
    lun = domain(WINDOWS)["devices"]["disks"][2]
    assert lun["lun"] == {"bus": "scsi", "reservation": True}
    assert lun["errorPolicy"] == "report"
    assert "serial" not in lun, "libvirt has none for a LUN: the guest sees that of the device"


def test_disks_are_referenced_by_claim() -> None:
    assert instance(machine())["volumes"] == [
        {"name": "disk-0", "persistentVolumeClaim": {"claimName": "web-01-disk-0"}}
    ]


def test_golden_image_is_no_virtual_machine() -> None:
    assert emitted(machine("golden", golden=True)) == []


def test_clone_copies_the_golden_images_disks() -> None:
    disks = (disk("web-02", bind_immediately=True, clones="images/rhel9-root"),)
    [found] = emitted(machine("web-02", clone_of="rhel9", disks=disks))
    schemas.assert_fits(found)
    [template] = found["spec"]["dataVolumeTemplates"]
    assert template["metadata"]["name"] == "web-02-disk-0"
    assert template["spec"]["sourceRef"] == {"kind": "DataSource", "name": "rhel9-root", "namespace": "images"}
    assert found["spec"]["template"]["spec"]["volumes"] == [{"dataVolume": {"name": "web-02-disk-0"}, "name": "disk-0"}]


@given(
    buses=st.lists(st.sampled_from(["virtio", "scsi", "sata"]), max_size=8),
    bindings=st.lists(st.sampled_from(["masquerade", "bridge", "sriov", "macvtap"]), max_size=8),
    serials=st.lists(st.text(max_size=30), min_size=8, max_size=8),
)
def test_every_disk_and_every_nic_appears_exactly_once(
    buses: list[str], bindings: list[str], serials: list[str]
) -> None:
    disks = tuple(disk("web-01", index, bus=bus, serial=serials[index]) for index, bus in enumerate(buses))
    nics = tuple(nic(index, binding=binding) for index, binding in enumerate(bindings))
    spec = kubevirt_spec(machine(disks=disks, nics=nics))
    devices = spec["domain"]["devices"]
    assert [found["name"] for found in devices["disks"]] == [each.name for each in disks]
    assert [found["name"] for found in spec["volumes"]] == [each.name for each in disks]
    claims = [found["persistentVolumeClaim"]["claimName"] for found in spec["volumes"]]
    assert claims == [each.claim for each in disks]
    assert [found["macAddress"] for found in devices["interfaces"]] == [each.mac for each in nics]
    assert [found["name"] for found in devices["interfaces"]] == [found["name"] for found in spec["networks"]]
    orders = [found["bootOrder"] for found in devices["disks"] if "bootOrder" in found]
    assert len(orders) == len(set(orders))
    for found in devices["disks"]:
        assert 1 <= len(found["serial"]) <= 20
        assert set(found["serial"]) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")
    assert len({found["serial"] for found in devices["disks"]}) == len(disks)


def kubevirt_spec(subject: Machine) -> dict[str, Any]:
    [found] = emitted(subject)
    spec: dict[str, Any] = found["spec"]["template"]["spec"]
    return spec


# --- networks


def test_vm_without_nics_gets_none() -> None:
    devices = domain(machine(nics=()))["devices"]
    assert devices["autoattachPodInterface"] is False
    assert devices["interfaces"] == []


def test_disconnected_nic_is_down_where_kubevirt_allows_it() -> None:
    pod, sriov, *_ = domain(WINDOWS)["devices"]["interfaces"]
    assert pod["state"] == "down"
    assert "state" not in sriov
    assert "model" not in sriov


def test_macvtap_is_a_binding_plugin() -> None:
    assert domain(WINDOWS)["devices"]["interfaces"][2]["binding"] == {"name": "macvtap"}


def test_the_guest_reads_the_uuid_it_had_and_not_vcenters() -> None:
    vcenters, guests = "42aaca25-ce7d-30cb-593d-c503caa93e01", "25caaa42-7dce-cb30-593d-c503caa93e01"
    firmware = domain(machine(uuid=vcenters, guest_uuid=guests, serial="VMware-42 aa"))["firmware"]
    assert (firmware["uuid"], firmware["serial"]) == (guests, "VMware-42 aa")
    assert domain(machine(uuid=vcenters))["firmware"]["uuid"] == vcenters, "as an earlier vmferry wrote it"


def test_every_disk_with_a_boot_order_shows_it_and_the_seed_has_none() -> None:
    disks = (disk("web-01", 0, boot_order=2), disk("web-01", 1, boot_order=1))
    new = nic(readdress=Readdressing(addresses=("10.0.2.14/24",)))
    found = domain(machine(disks=disks, nics=(new,)))["devices"]["disks"]
    assert [each.get("bootOrder") for each in found] == [2, 1, None]


def test_pod_interface_forwards_every_port() -> None:
    assert "ports" not in domain(WINDOWS)["devices"]["interfaces"][0]


def test_new_addresses_reach_linux_through_cloud_init() -> None:
    new = Readdressing(addresses=("10.0.2.14/24", "2001:db8::5/64"), gateway="10.0.2.1", nameservers=("10.0.0.53",))
    subject = machine(nics=(nic(readdress=new, mac="10:20:30:40:50:51"), nic(1)))
    spec = instance(subject)
    [seed] = [each["cloudInitNoCloud"] for each in spec["volumes"] if each["name"] == "cloudinit"]
    assert yaml.safe_load(seed["networkData"]) == {
        "version": 2,
        "ethernets": {
            "nic-0": {
                "match": {"macaddress": "10:20:30:40:50:51"},
                "dhcp4": False,
                "addresses": ["10.0.2.14/24", "2001:db8::5/64"],
                "routes": [{"to": "0.0.0.0/0", "via": "10.0.2.1"}],
                "nameservers": {"addresses": ["10.0.0.53"]},
            }
        },
    }
    assert spec["domain"]["devices"]["disks"][-1] == {"disk": {"bus": "virtio"}, "name": "cloudinit"}


@pytest.mark.parametrize("bus", ["scsi", "sata"])
def test_a_guest_that_may_lack_virtio_drivers_reads_cloud_init_s_data_from_a_cd_rom(bus: Bus) -> None:
    new = Readdressing(addresses=("10.0.2.14/24",))
    subject = machine(disks=(disk("web-01", bus=bus),), nics=(nic(readdress=new),))
    assert domain(subject)["devices"]["disks"][-1] == {"cdrom": {"bus": "sata"}, "name": "cloudinit"}


def test_dual_stack_has_a_route_for_each_family() -> None:
    new = Readdressing(addresses=("10.0.2.14/24", "2001:db8::5/64"), gateway=("10.0.2.1", "2001:db8::1"))
    seed = instance(machine(nics=(nic(readdress=new),)))["volumes"][-1]["cloudInitNoCloud"]
    assert yaml.safe_load(seed["networkData"])["ethernets"]["nic-0"]["routes"] == [
        {"to": "0.0.0.0/0", "via": "10.0.2.1"},
        {"to": "::/0", "via": "2001:db8::1"},
    ]


def test_cloud_init_leaves_host_keys_and_users_alone() -> None:
    seed = instance(machine(nics=(nic(readdress=Readdressing(addresses=("10.0.2.14/24",))),)))["volumes"][-1]
    data = yaml.safe_load(seed["cloudInitNoCloud"]["userData"])
    assert data["ssh_deletekeys"] is False
    assert data["users"] == []


def test_windows_has_no_cloud_init() -> None:
    assert "cloudinit" not in [each["name"] for each in instance(WINDOWS)["volumes"]]


# --- services


def test_service_selects_the_vms_pod_and_its_guest_ports() -> None:
    found, service = emitted(WINDOWS)
    selector = service["spec"]["selector"]
    assert selector.items() <= found["spec"]["template"]["metadata"]["labels"].items()
    assert [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [(3389, 3389), (80, 8080)]


@pytest.mark.parametrize("subject", [machine(nics=(pod_nic(),)), machine(ports=WINDOWS.ports)])
def test_no_service_without_ports_or_without_the_pod_network(subject: Machine) -> None:
    assert [obj["kind"] for obj in emitted(subject)] == ["VirtualMachine"]


def _services(**fields: Any) -> list[KubeObject]:
    found = schemas.objects(list(kubevirt.emit(blueprint(group(WINDOWS, **fields)))))
    return [obj for obj in found if obj["kind"] == "Service"]


def test_the_service_of_an_adopted_vm_is_protected_from_pruning() -> None:
    """So that it stays when the VM is handed over to another repository, whichever of them is synced first."""
    [before], [after] = _services(stage="cutover"), _services(stage="adopted")
    assert "annotations" not in before["metadata"]
    assert after["metadata"]["annotations"] == {
        "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
    }


def test_a_graduated_group_has_no_services() -> None:
    assert _services(stage="adopted", graduated=True) == []
