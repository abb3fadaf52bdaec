"""Rules on KubeVirt, where the examples do not reach."""

from typing import Any

import pytest
from tests.resolve.projects import Data, project, vm

from vmferry import rules
from vmferry.check import review
from vmferry.model.finding import Finding
from vmferry.resolve.blueprint import resolve

T4 = "nvidia.com/TU104GL_Tesla_T4"
GPU: Data = {"gpus": [{"deviceName": T4}], "liveMigration": "none"}
VDDK = [{"size": "40Gi", "datastore": "ds1", "file": "[ds1] a/a.vmdk", "source": {"vddk": {}}}]


def found(code: str, *vms: Data, **sections: Any) -> list[Finding]:
    """Return what a rule finds in a small project without errors."""
    made = project(*vms, **sections)
    resolution = resolve(made)
    assert [each.message for each in resolution.findings if each.is_error] == []
    return [each for each in rules.check(review(made, resolution)) if each.code == code]


def target(*pools: Data, **cluster: Any) -> Data:
    base = {"cpu": 64, "memory": "256Gi", "count": 3}
    nodes = [{"name": f"pool-{index}", **base, **pool} for index, pool in enumerate(pools)]
    gitops = {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"}
    return {"cluster": {"name": "prod-a", "nodes": nodes, **cluster}, "gitops": gitops}


def app(name: str, **fields: Any) -> Data:
    image = "registry.example.com/app:1.4.2"
    return vm(name, path="rebuild", method=None, application={"image": image, **fields})


def template(name: str, **fields: Any) -> Data:
    return vm(name, template=True, method="image", powerState=None, **fields)


# --- drivers ----------------------------------------------------------------------------------


def test_a_linux_that_is_not_converted_needs_its_initramfs_rebuilt() -> None:
    [finding] = found("VMF520", vm("a", method="image", disks=VDDK))
    assert "initramfs" in finding.help


def test_only_the_boot_disk_needs_its_driver_from_the_start() -> None:
    data = {"size": "40Gi", "datastore": "ds1", "file": "[ds1] a/b.vmdk", "source": {"vddk": {}}}
    assert found("VMF520", vm("a", method="image", disks=[{**VDDK[0], "bus": "sata"}, data])) == []


def test_a_strange_guest_is_told_of_its_controller_where_that_is_known() -> None:
    [finding] = found("VMF521", vm("a", os="other", method="image"))
    assert "in vSphere" not in finding.message


def test_a_strange_guest_that_is_copied_unconverted_is_one_finding() -> None:
    strange = vm("a", os="other", method="image", disks=VDDK)
    assert (len(found("VMF520", strange)), len(found("VMF521", strange))) == (1, 0)
    assert "method job" not in found("VMF520", strange)[0].help  # nobody converts it


def test_forklift_brings_drivers_for_old_windows_itself() -> None:
    old = {"os": "windows", "guestId": "winNetStandardGuest"}
    assert len(found("VMF522", vm("a", **old))) == 1
    assert found("VMF522", vm("a", path="forklift", method="cold", **old)) == []


# --- nodes ------------------------------------------------------------------------------------


def test_the_pod_of_a_rebuilt_application_has_to_fit_on_a_node_too() -> None:
    for memory, expected in (("300Gi", 1), ("256Gi", 0)):
        assert len(found("VMF523", app("a", resources={"memory": memory}), target=target({}))) == expected


def test_cpus_have_to_fit_on_a_node_by_the_allocation_ratio() -> None:
    wide = vm("a", cpu={"count": 128})
    [finding] = found("VMF523", wide, target=target({}, cpuAllocationRatio=1))
    assert "128.005 CPUs" in finding.message
    assert found("VMF523", wide, target=target({}, cpuAllocationRatio=3)) == []


def test_a_vm_with_a_gpu_has_to_fit_on_a_node_with_gpus() -> None:
    pools = [{}, {"memory": "8Gi", "resources": {T4: 1}}]
    [finding] = found("VMF523", vm("a", **GPU), target=target(*pools))
    assert "pool pool-1" in finding.message
    assert found("VMF523", vm("a"), target=target(*pools)) == []


def test_the_size_of_an_instance_type_is_known_to_the_cluster_alone() -> None:
    typed = vm("a", memory="1Ti", cpu={"count": 128}, instancetype={"name": "u1.small"})
    for code in ("VMF523", "VMF524", "VMF527", "VMF528", "VMF535"):
        assert found(code, typed, target=target({"count": 1, "cpuModel": "A"}, {"count": 1, "cpuModel": "B"})) == []


def test_without_nodes_nothing_is_too_large() -> None:
    huge = vm("a", memory="16Ti", **GPU)
    for code in ("VMF523", "VMF524", "VMF525", "VMF526", "VMF527", "VMF535"):
        assert found(code, huge) == []


def test_templates_and_applications_have_no_vcpus_to_place() -> None:
    small = target({"cpu": 1, "count": 1})
    for code in ("VMF524", "VMF535"):
        assert found(code, template("a"), app("b"), target=small) == []
    assert len(found("VMF524", vm("a"), target=small)) == 1


def test_two_gpus_of_one_vm_have_to_be_in_one_node() -> None:
    two = vm("a", gpus=[{"deviceName": T4}] * 2, liveMigration="none")
    [finding] = found("VMF525", two, target=target({"resources": {T4: 1}}))
    assert f"2 {T4}" in finding.message
    assert f"1 {T4}" in finding.help
    assert found("VMF525", two, target=target({"resources": {T4: 2}})) == []


def test_a_host_device_is_pointed_at_where_it_stands() -> None:
    machine = vm("a", hostDevices=[{"deviceName": "intel.com/qat"}], liveMigration="none")
    [finding] = found("VMF525", machine, target=target({}))
    assert finding.where is not None
    assert finding.where.path[-1] == "hostDevices"
    assert "none" in finding.help


def test_a_vm_that_stays_off_holds_no_device_and_no_memory() -> None:
    nodes = target({"count": 1, "memory": "12Gi", "resources": {T4: 1}})
    off = vm("b", powerState="poweredOff", **GPU)
    for code in ("VMF526", "VMF527"):
        assert found(code, vm("a", **GPU), off, target=nodes) == []
        assert len(found(code, vm("a", **GPU), vm("b", **GPU), target=nodes)) == 1


def test_cpus_of_all_vms_are_added_up() -> None:
    vms = [vm(f"vm-{index}") for index in range(4)]
    [finding] = found("VMF527", *vms, target=target({"count": 1, "cpu": 15}, cpuAllocationRatio=1))
    assert "4 VMs request 16.02 CPUs, the nodes have 15" in finding.message


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 1),
        ({"cpuModel": "host-passthrough"}, 1),
        ({"cpuModel": "Skylake-Server"}, 0),
        ({"nodeSelector": {"cpu": "new"}}, 0),
        ({"liveMigration": "none"}, 0),
    ],
)
def test_unlike_cpus_matter_to_vms_that_take_them_over_and_migrate(fields: Data, expected: int) -> None:
    pools = [{"cpuModel": "Cascadelake-Server"}, {"cpuModel": "Skylake-Server"}, {}]
    assert len(found("VMF528", vm("a", **fields), target=target(*pools))) == expected


def test_one_large_node_is_enough_for_a_vm_that_need_not_migrate() -> None:
    single = target({"count": 1})
    assert len(found("VMF535", vm("a"), target=single)) == 1
    assert found("VMF535", vm("a", liveMigration="none"), target=single) == []


# --- versions and gates -----------------------------------------------------------------------

OLD = {"versions": {"kubevirt": "1.4"}}


def test_the_limit_of_vcpus_is_not_that_of_templates_and_instance_types() -> None:
    wide = {"cpu": {"count": 256}}
    assert len(found("VMF529", vm("a", **wide), target=target(**OLD))) == 1
    assert found("VMF529", vm("a", instancetype={"name": "u1.x"}, **wide), target=target(**OLD)) == []
    assert found("VMF529", template("a", **wide), target=target(**OLD)) == []


def test_beyond_the_limit_hotplug_is_not_the_problem() -> None:
    assert found("VMF536", vm("a", cpu={"count": 256}), target=target(**OLD)) == []


def test_old_kubevirt_keeps_efi_variables_with_a_feature_gate_only() -> None:
    efi = vm("a", firmware="efi", secureBoot=False, vtpm=False)
    assert len(found("VMF531", efi, target=target(featureGates=[], **OLD))) == 1
    assert len(found("VMF532", efi, target=target(**OLD))) == 1
    assert found("VMF531", efi, target=target(featureGates=[])) == []
    by_forklift = {"path": "forklift", "method": "cold"}
    sealed = vm("a", firmware="efi", secureBoot=True, vtpm=True, **by_forklift)
    assert len(found("VMF531", sealed, target=target(featureGates=[], **OLD))) == 1
    assert found("VMF531", efi | by_forklift, target=target(featureGates=[], **OLD)) == []  # not persistent there
    assert found("VMF531", vm("a"), target=target(featureGates=[], **OLD)) == []


def test_luns_with_reservations_have_a_feature_gate_until_1_9() -> None:
    lun = {"size": "40Gi", "datastore": "ds1", "rdm": "virtual", "shared": "quorum"}
    nodes = [vm(name, method="image", disks=[{"size": "40Gi", "datastore": "ds1"}, lun]) for name in ("a", "b")]
    before = target(featureGates=["HostDevices"], versions={"kubevirt": "1.8"})
    [first, _] = found("VMF531", *nodes, target=before)
    assert "PersistentReservation" in first.message
    assert found("VMF531", *nodes, target=target(featureGates=[], versions={"kubevirt": "1.9"})) == []


def test_a_nic_that_is_not_connected_needs_kubevirt_1_5() -> None:
    unplugged = vm("a", nics=[{"network": "vlan-7", "mac": "00:50:56:00:00:01", "connected": False}])
    assert len(found("VMF506", unplugged, target=target(**OLD))) == 1
    assert found("VMF506", unplugged, target=target()) == []
    assert found("VMF506", vm("a"), target=target(**OLD)) == []


def test_an_instance_type_hides_the_cpu_model() -> None:
    assert len(found("VMF507", vm("a", cpuModel="Nehalem", instancetype={"name": "u1.small"}))) == 1
    assert found("VMF507", vm("a", cpuModel="Nehalem"), vm("b", instancetype={"name": "u1.small"})) == []


def test_a_rebuilt_guest_runs_no_vms() -> None:
    assert found("VMF537", {**app("a"), "nestedHV": True}) == []


# --- admission --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fires", "passes"),
    [
        (vm("a", memory="8192"), vm("a", memory="8192Mi")),
        (vm("a", disks=[{"size": "40", "datastore": "ds1"}]), vm("a", disks=[{"size": "40Mi", "datastore": "ds1"}])),
        (
            vm("a", tolerations=[{"key": "gpu", "value": "true"}]),
            vm("a", tolerations=[{"key": "gpu", "value": "true", "operator": "Equal"}]),
        ),
        (
            {**app("a"), "tolerations": [{"key": "gpu", "value": "true"}]},
            {**app("a"), "tolerations": [{"key": "gpu"}]},
        ),
    ],
)
def test_what_the_api_server_refuses_is_an_error(fires: Data, passes: Data) -> None:
    assert len(found("VMF505", fires)) == 1
    assert found("VMF505", passes) == []


def test_a_golden_image_needs_no_memory() -> None:
    assert found("VMF505", template("a", memory=None)) == []


# --- quotas -----------------------------------------------------------------------------------


def quotas(stated: Any, *vms: Data) -> list[str]:
    namespaces = [{"name": "web", "quota": stated}, {"name": "empty", "quota": {"cpu": "1"}}]
    return [finding.code for code in ("VMF533", "VMF534") for finding in found(code, *vms, namespaces=namespaces)]


def test_a_quota_counts_the_vms_that_run() -> None:
    assert quotas({"cpu": "300m"}, vm("a")) == ["VMF533"]
    assert quotas({"cpu": "999m"}, vm("a", powerState="poweredOff")) == ["VMF534"]  # its conversion runs
    assert quotas({"cpu": "1"}, vm("a", powerState="poweredOff")) == []
    assert quotas({"cpu": "2"}, vm("a")) == []


def test_each_stated_limit_is_held_against_its_own_need() -> None:
    assert quotas({"cpu": "405m", "memory": "8Gi"}, vm("a")) == ["VMF533", "VMF534"]
    assert quotas({"storage": "1Ti"}, vm("a")) == []
    assert quotas("none", vm("a")) == []
