"""KubeVirt's memory overhead, reckoned by hand from GetMemoryOverhead."""

from typing import Any

import pytest
from tests.backends.blueprints import machine, nic

from vmferry.estate.sizing import memory_overhead

MI, GI = 1 << 20, 1 << 30


@pytest.mark.parametrize(
    ("fields", "mebibytes"),
    [
        # fixed, 8 a vCPU, I/O thread, graphics, page tables of the guest's memory / 512
        ({}, 240 + 4 * 8 + 8 + 32 + 16),
        ({"sockets": 1, "cores": 1, "memory": 1 * GI}, 240 + 8 + 8 + 32 + 2),
        ({"threads": 2}, 240 + 8 * 8 + 8 + 32 + 16),
        ({"vtpm": True}, 328 + 53),
        ({"gpus": ("nvidia.com/T4",)}, 328 + 1024),
        ({"host_devices": ("intel.com/qat",)}, 328 + 1024),
        ({"nics": (nic(binding="sriov", nad="web/fast"),)}, 328 + 1024),
        ({"gpus": ("nvidia.com/T4", "nvidia.com/T4"), "vtpm": True}, 328 + 1024 + 53),
    ],
)
def test_the_overhead_is_what_kubevirt_adds(fields: dict[str, Any], mebibytes: int) -> None:
    usual: dict[str, Any] = {"sockets": 2, "cores": 2, "threads": 1, "memory": 8 * GI, "vtpm": False}
    assert memory_overhead(machine(**usual | fields)) == mebibytes * MI


def test_a_vm_of_4_cpus_and_8_gib_takes_328_mib_more() -> None:
    assert memory_overhead(machine(sockets=2, cores=2, threads=1, memory=8 * GI)) == 328 * MI
