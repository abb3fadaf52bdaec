"""Tests of what is known of a CPU by its name."""

import pytest

from vmferry.estate.decommission.cpus import cpu_of, unfit, usual_vendor, vendor_of


@pytest.mark.parametrize(
    ("model", "generation", "level"),
    [
        ("Intel(R) Xeon(R) CPU E5450 @ 3.00GHz", "Core", 1),
        ("Intel(R) Xeon(R) CPU X5670 @ 2.93GHz", "Nehalem or Westmere", 2),
        ("Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz", "Sandy Bridge", 2),
        ("Intel(R) Xeon(R) CPU E5-2690 v2 @ 3.00GHz", "Ivy Bridge", 2),
        ("Intel(R) Xeon(R) CPU E5-2699A v4 @ 2.40GHz", "Broadwell", 3),
        ("Intel(R) Xeon(R) Gold 5118 CPU @ 2.30GHz", "Skylake", 4),
        ("Intel(R) Xeon(R) Gold 5218R CPU @ 2.10GHz", "Cascade Lake", 4),
        ("Intel(R) Xeon(R) Gold 6338N CPU @ 2.20GHz", "Ice Lake or Cooper Lake", 4),
        ("Intel(R) Xeon(R) Platinum 8480+", "Sapphire Rapids", 4),
        ("Intel(R) Xeon(R) E-2388G CPU @ 3.20GHz", "Rocket Lake", 4),
        ("AMD EPYC 7543 32-Core Processor", "Milan", 3),
        ("AMD EPYC 7H12 64-Core Processor", "Rome", 3),
        ("AMD EPYC 9654 96-Core Processor", "Genoa, Bergamo or Siena", 4),
        ("AMD Opteron(tm) Processor 6376", "Bulldozer or Piledriver", 2),
        ("QEMU Virtual CPU version 2.5+", None, None),
        (None, None, None),
    ],
)
def test_the_name_of_a_cpu_says_its_generation(model: str | None, generation: str | None, level: int | None) -> None:
    found = cpu_of(model)
    assert (found and found.generation, found and found.level) == (generation, level)


def test_a_vendor_is_known_by_the_names_of_vsphere_and_libvirt() -> None:
    assert [vendor_of(name) for name in ("EPYC-Rome", "Skylake-Server", "host-model", None)] == [
        "AMD",
        "Intel",
        None,
        None,
    ]
    assert usual_vendor([("AMD EPYC 7543", 64), ("Intel(R) Xeon(R)", 32), (None, 500)]) == "AMD"
    assert usual_vendor([(None, 64)]) is None


def test_only_what_is_known_speaks_against_a_host() -> None:
    assert unfit(None, "Intel") is None
    assert unfit("AMD EPYC 7543", None) is None
    assert unfit("AMD EPYC 7543", "Intel") is not None
    assert unfit("Intel(R) Xeon(R) CPU E5450 @ 3.00GHz", "Intel") is not None
