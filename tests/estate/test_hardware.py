"""Which ESXi hosts are free after which phase."""

from vmferry.estate.hardware import Esxi, Resident, common, emptied, freed, like

GI = 1 << 30
CLUSTER = ("vc1", "C1")


def host(number: int, memory: int | None = 100, cluster: str = "C1") -> Esxi:
    return Esxi(("vc1", f"esx-{number}"), ("vc1", cluster), 20, memory * GI if memory else None)


def resident(number: int, leaves: int | None, *, memory: int = 20, runs: bool = True, vcpus: int = 4) -> Resident:
    return Resident(("vc1", f"esx-{number}"), CLUSTER, leaves, runs, vcpus, memory * GI)


def test_a_host_is_empty_once_its_last_vm_has_moved() -> None:
    hosts = [host(1), host(2), host(3), host(4)]
    vms = [resident(1, 0), resident(1, 2), resident(2, 0), resident(3, 0), resident(3, None)]
    assert emptied(hosts, vms) == {host(1).key: 2, host(2).key: 0, host(3).key: None, host(4).key: -1}


def test_a_vm_whose_host_is_unknown_may_be_on_any_of_its_cluster() -> None:
    hosts = [host(1), host(2, cluster="C2")]
    lost = [Resident(("vc1", "unknown"), CLUSTER, 1, True, 4, GI)]
    assert emptied(hosts, lost) == {host(1).key: 1, host(2).key: -1}
    lost = [Resident(("vc1", "unknown"), ("vc1", ""), None, True, 4, GI)]
    assert emptied(hosts, lost) == {host(1).key: None, host(2).key: None}


def test_vmotion_frees_hosts_before_they_are_empty() -> None:
    hosts = [host(number) for number in range(1, 5)]
    # 240 GiB on four hosts of 100 GiB; after phase 0 there are 80 GiB, for which one host, and one that may fail, do
    vms = [resident(number, rank) for number in range(1, 5) for rank in (0, 0, 1)]
    assert [len(freed(hosts, vms, rank)) for rank in (0, 1)] == [2, 4]


def test_no_more_vcpus_per_core_than_today() -> None:
    hosts = [host(number) for number in range(1, 5)]
    # 128 of 160 vCPUs stay: four fifths of the cores, which are four hosts
    vms = [resident(number, rank, memory=1, vcpus=8) for number in range(1, 5) for rank in (0, 1, 1, 1, 1)]
    assert freed(hosts, vms, 0) == []


def test_a_cluster_of_unknown_size_keeps_its_hosts_until_it_is_empty() -> None:
    hosts = [host(1), host(2, None)]
    vms = [resident(1, 0), resident(2, 1)]
    assert [len(freed(hosts, vms, rank)) for rank in (0, 1)] == [0, 2]


def test_the_most_common_kind_of_host_comes_first() -> None:
    hosts = [host(1, 768), host(2, 512), host(3, 512), host(4, None)]
    assert common(hosts) == [(20, 512 * GI), (20, 768 * GI)]
    assert like(hosts, 20, 600 * GI) == [host(1, 768)]
