"""How much a namespace needs at its peak."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.backends.blueprints import BLANK, UPLOAD, VDDK, disk, group, http, machine, nic, registry

from vmferry.estate.sizing import Load, machine_load, quota, smoke_load
from vmferry.model.application import Application, Resources
from vmferry.model.blueprint import Group, Machine, PlanOptions, StateVolume
from vmferry.model.facts import DiskSource
from vmferry.model.forklift import ConversionStorage
from vmferry.model.spec import AccessMode, Cluster, InstancetypeRef, Method

MI, GI = 1 << 20, 1 << 30
CONSOLE = 35_000_000  # bytes that the container logging the serial console requests, beside 5m of CPU
CLUSTER = Cluster(name="prod-a")
RANKS = {"first": 0, "second": 1}


def application(kind: str, access_mode: AccessMode, replicas: int = 3) -> Machine:
    return machine(
        path="rebuild",
        method="rebuild",
        disks=(),
        nics=(),
        application=Application(
            image="registry.example.com/app:1",
            kind=kind,  # type: ignore[arg-type]
            replicas=replicas,
            resources=Resources(cpu="500m", memory="1Gi"),
        ),
        state=(
            StateVolume(
                name="data",
                claim="app-data",
                mount_path="/data",
                size=5 * GI,
                storage_class="ceph",
                access_mode=access_mode,
            ),
        ),
    )


def moving(*machines: Machine, phase: str = "first", **fields: Any) -> Group:
    return group(*machines, phase=phase, **fields)


def filled(method: Method, *sources: DiskSource, target: str = "web-01", **fields: Any) -> Machine:
    """Return a VM with a 10 GiB disk for each source."""
    disks = tuple(disk(target, index, size=10 * GI, source=source) for index, source in enumerate(sources))
    return machine(target, method=method, disks=disks, **fields)


def hard(*groups: Group, **fields: Any) -> dict[str, str]:
    return quota(groups, RANKS, CLUSTER, **fields)[0]


def claims_and_storage(*groups: Group) -> tuple[str, str]:
    limits = hard(*groups)
    return limits["persistentvolumeclaims"], limits["requests.storage"]


def test_a_stateful_set_has_a_claim_for_each_replica() -> None:
    load = machine_load(application("StatefulSet", "ReadWriteOnce"), CLUSTER)
    assert (load.claims, load.storage) == (3, 15 * GI)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("StatefulSet", "ReadWriteMany"), ("Deployment", "ReadWriteOnce"), ("Deployment", "ReadWriteMany")],
)
def test_replicas_that_mount_one_volume_have_one_claim(kind: str, mode: AccessMode) -> None:
    load = machine_load(application(kind, mode), CLUSTER)
    assert (load.claims, load.storage) == (1, 5 * GI)


def test_an_application_has_room_for_one_more_replica_while_it_rolls() -> None:
    load = machine_load(application("Deployment", "ReadWriteMany", replicas=2), CLUSTER)
    assert (load.cpu, load.memory) == (1500, 3 * GI)


def test_a_vm_asks_for_its_guest_and_kubevirts_overhead() -> None:
    load = machine_load(machine(), CLUSTER)
    assert load == Load(405, 4 * GI + (240 + 4 * 8 + 8 + 32 + 8) * MI + CONSOLE, GI, 1)


@pytest.mark.parametrize("method", ["warm", "cold", "job", "image"])
def test_a_volume_that_cdi_fills_counts_twice(method: Method) -> None:
    assert claims_and_storage(moving(filled(method, BLANK))) == ("2", "20Gi")


def test_the_second_claim_of_a_filesystem_volume_is_as_large_as_the_first() -> None:
    vm = machine(method="job", disks=(disk("web-01", size=100 * GI, volume_mode="Filesystem"),))
    assert claims_and_storage(moving(vm)) == ("2", "212Gi")


@pytest.mark.parametrize(
    "source", [UPLOAD, http("https://images.example.com/a.qcow2"), registry("docker://registry.example.com/a")]
)
def test_images_need_scratch_space_beside_the_second_claim(source: DiskSource) -> None:
    assert claims_and_storage(moving(filled("image", source))) == ("3", "31Gi")  # scratch: 10 GiB and 6 %


@pytest.mark.parametrize("source", [VDDK, BLANK])
def test_what_is_read_from_vsphere_needs_no_scratch_space(source: DiskSource) -> None:
    assert claims_and_storage(moving(filled("image", source))) == ("2", "20Gi")


def test_a_volume_for_scratch_files_is_a_conversion_jobs_own() -> None:
    cluster = replace(CLUSTER, conversion_scratch=ConversionStorage(storage_class="fast", size="20Gi"))
    for method, room in {"job": ("3", "40Gi"), "image": ("2", "20Gi")}.items():
        limits, _ = quota([moving(filled(method, VDDK if method == "image" else BLANK), method=method)], RANKS, cluster)
        assert (limits["persistentvolumeclaims"], limits["requests.storage"]) == room


@pytest.mark.parametrize(("method", "raw", "room"), [("cold", False, ("3", "40Gi")), ("cold", True, ("2", "20Gi"))])
def test_a_plans_volume_for_scratch_files_is_one_of_each_conversion(
    method: Method, room: tuple[str, str], *, raw: bool
) -> None:
    options = PlanOptions(conversion_storage=ConversionStorage(storage_class="fast", size="20Gi"))
    group = replace(moving(filled(method, BLANK, raw=raw), method=method), forklift=options)
    assert claims_and_storage(group) == room


def test_a_clone_is_not_filled() -> None:
    assert claims_and_storage(moving(filled("image", UPLOAD, clone_of="golden"))) == ("1", "10Gi")


def test_a_shared_disk_is_filled_once() -> None:
    owner = machine("a", method="image", disks=(disk("a", shared="quorum", source=BLANK),))
    other = machine("b", method="image", disks=(disk("b", shared="quorum", source=BLANK, owner=False),))
    assert claims_and_storage(moving(owner, other)) == ("2", "2Gi")


def test_all_groups_of_a_phase_may_convert_at_once() -> None:
    groups = [moving(filled("job", BLANK, target=name), name=name) for name in ("a", "b", "c")]
    limits = hard(*groups)
    assert (limits["persistentvolumeclaims"], limits["requests.storage"]) == ("6", "60Gi")
    assert limits["requests.cpu"] == "5"  # 3 guests of 400m and 3 conversions of 1


def test_groups_of_different_phases_do_not_convert_at_once() -> None:
    groups = [moving(filled("job", BLANK, target=phase), name=phase, phase=phase) for phase in ("first", "second")]
    assert claims_and_storage(*groups) == ("3", "30Gi")


def test_the_peak_follows_the_order_of_the_phases() -> None:
    large = moving(filled("job", *[BLANK] * 4, target="large"), name="large", phase="first")
    small = moving(filled("job", BLANK, target="small"), name="small", phase="second")
    first, _ = quota((large, small), {"first": 0, "second": 1}, CLUSTER)
    last, _ = quota((large, small), {"second": 0, "first": 1}, CLUSTER)
    assert (first["persistentvolumeclaims"], last["persistentvolumeclaims"]) == ("8", "9")


def test_a_pair_of_smoke_test_vms_is_two_pods() -> None:
    assert smoke_load(CLUSTER, passthrough=False) == Load(210, 2 * (GI + (240 + 8 + 8 + 32 + 2) * MI + CONSOLE))


def test_smoke_test_vms_on_sriov_lock_memory_for_vfio() -> None:
    more = smoke_load(CLUSTER, passthrough=True).memory - smoke_load(CLUSTER, passthrough=False).memory
    assert more == 2 * GI


def test_smoke_test_vms_are_in_the_quota() -> None:
    vm = filled("job", BLANK)
    without, basis = quota((moving(vm),), RANKS, CLUSTER)
    limits, with_them = quota((moving(vm),), RANKS, CLUSTER, smoke=Load(3000, 10 * GI))
    assert int(limits["requests.cpu"]) == int(without["requests.cpu"]) + 3
    assert limits["requests.memory"] == "16Gi"
    assert without["requests.memory"] == "6Gi"
    assert "smoke-test VMs" in with_them
    assert "smoke-test VMs" not in basis


def test_the_basis_says_that_an_instance_type_is_not_looked_up() -> None:
    typed = machine(instancetype=InstancetypeRef(name="u1.large"))
    _, basis = quota((moving(typed, machine("web-02")),), RANKS, CLUSTER)
    assert basis.endswith("; of 1 VM with an instance type, CPU and memory are those in vSphere")
    _, plain = quota((moving(machine()),), RANKS, CLUSTER)
    assert "instance type" not in plain


def test_a_vm_on_sriov_locks_memory_for_vfio() -> None:
    bridged, direct = (machine_load(machine(nics=(nic(binding=b),)), CLUSTER).memory for b in ("bridge", "sriov"))
    assert direct - bridged == GI
