"""How long copies take: the published measurements, limits, and what a rate comes from."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmferry.estate.copying import ASSUMED, Copy, Figure, Rates, about, at_rate, estimate

GIB = 1 << 30
MIB = 1 << 20


def rates(method: str = "cold", **more: int | None) -> Rates:
    per_vm, per_host, total = (Figure(value, "assumed") for value in ASSUMED[method])  # type: ignore[index]
    return Rates(per_vm, per_host, total, **({"vms_per_host": 20} | more))  # type: ignore[arg-type]


def vms(count: int, hosts: int = 1, size: int = 35 * GIB) -> list[Copy]:
    return [Copy(50 * GIB, size, f"esx{number % hosts}") for number in range(count)]


def minutes(copies: Sequence[Copy], of: Rates) -> float:
    found = estimate(copies, of)
    assert found is not None
    return found.seconds / 60


@pytest.mark.parametrize(
    ("copies", "measured"), [(vms(1), 6), (vms(10), 22), (vms(20), 42), (vms(80), 163), (vms(80, hosts=8), 41)]
)
def test_it_agrees_with_what_was_measured_in_the_lab(copies: list[Copy], measured: float) -> None:
    """Forklift's mtv-performance-recommendation.adoc: VMs with 35 GiB in use, on one host and on eight."""
    assert minutes(copies, rates()) == pytest.approx(measured, rel=0.1)


def test_the_example_of_the_documentation() -> None:
    found = estimate([Copy(100 * GIB, None, f"esx{number % 10}") for number in range(30)], rates(at_once=10))
    assert found is not None
    assert (found.seconds, found.at_once) == (30 * 1024 / 10, 10)
    assert at_rate(found) == "at an assumed 100 MiB/s per VM, 10 at once"


def test_capacity_counts_where_usage_is_unknown_and_bounds_it_where_it_is_known() -> None:
    assert Copy(50 * GIB, None, None).size == 50 * GIB
    assert Copy(50 * GIB, 70 * GIB, None).size == 50 * GIB


def test_vms_on_unknown_hosts_count_as_if_they_were_on_one() -> None:
    unknown = [each._replace(host=None) for each in vms(10, hosts=10)]
    assert minutes(unknown, rates()) == minutes(vms(10), rates()) > minutes(vms(10, hosts=10), rates())


def test_a_measured_rate_is_applied_to_whole_disks() -> None:
    measured = rates()._replace(per_vm=Figure(50 * MIB, "measured", 3))
    found = estimate(vms(1), measured)
    assert found is not None
    assert found.seconds == 50 * GIB / (50 * MIB)
    assert at_rate(found) == "at the measured 50 MiB/s per VM (3 copies)"


def test_nothing_to_copy_takes_no_time() -> None:
    assert estimate([], rates()) is None
    assert estimate([Copy(0, 0, None)], rates()) is None


COPIES = st.lists(
    st.builds(Copy, st.integers(1, 1 << 45), st.none() | st.integers(0, 1 << 45), st.sampled_from([None, "a", "b"])),
    min_size=1,
    max_size=60,
)


@given(copies=COPIES, one=st.integers(1, 1 << 45), at_once=st.none() | st.integers(1, 20))
def test_more_to_copy_never_takes_less_time(copies: list[Copy], one: int, at_once: int | None) -> None:
    of = rates(at_once=at_once)
    before, after = estimate(copies, of), estimate([*copies, Copy(one, None, "a")], of)
    assert after is not None
    assert after.seconds >= (before.seconds if before is not None else 0)


@given(copies=COPIES, at_once=st.none() | st.integers(1, 20))
def test_no_limit_is_exceeded(copies: list[Copy], at_once: int | None) -> None:
    of = rates(at_once=at_once)
    found = estimate(copies, of)
    seconds = found.seconds * (1 + 1e-9) if found is not None else 0
    assert max(each.size for each in copies) <= of.per_vm.value * seconds
    assert sum(each.size for each in copies) <= of.total.value * seconds
    assert sum(each.size for each in copies) <= of.per_vm.value * seconds * (at_once or len(copies))
    for host in {each.host for each in copies}:
        assert sum(each.size for each in copies if each.host == host) <= of.per_host.value * seconds


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(1, "5 min"), (299, "5 min"), (3540, "1 h"), (3600, "1 h"), (5401, "2 h"), (12600, "3.5 h"), (172800, "48 h")],
)
def test_durations_in_words_are_rounded_up(seconds: float, said: str) -> None:
    assert about(seconds) == f"about {said}"
