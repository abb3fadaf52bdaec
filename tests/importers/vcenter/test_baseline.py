"""`--baseline`: shape and arithmetic, on vcsim's canned statistics, which are noisy."""

from collections.abc import Iterator
from typing import Any

import pytest
from pyVmomi import vim
from tests.importers.vcsim import PASSWORD, USER, Server, administrator, running

from vmferry.importers.vcenter import perf
from vmferry.importers.vcenter.read import read_vcenter
from vmferry.importers.vcenter.session import Login, Trust
from vmferry.model.facts import Rate

LOGIN = Login(user=USER, password=PASSWORD)
MOST = 64


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("vcsim"), "-vm", "20", "-host", "1", "-standalone-host", "0") as found:
        with administrator(found) as admin:
            template: Any = admin.all(vim.VirtualMachine)["DC0_C0_RP0_VM0"]
            admin.do(template.PowerOffVM_Task())
            template.MarkAsTemplate()
        yield found


def test_every_vm_but_templates_has_averages_peaks_and_coverage(server: Server) -> None:
    reading = read_vcenter(server.url, "vc1", LOGIN, Trust(insecure=True), baseline=7)
    templates = [vm for vm in reading.inventory.vms if vm.template]
    assert len(templates) == 1
    assert templates[0].baseline is None
    for vm in reading.inventory.vms:
        if vm.template:
            continue
        found = vm.baseline
        assert found is not None
        assert (found.days, found.interval) == (7, 1800)  # vCenter keeps half hours for a week
        assert found.samples >= 7 * 48
        assert found.coverage == 1.0
        assert found.cpu is not None
        assert 0 < found.cpu.average <= found.cpu.peak <= 100
        assert found.memory is not None
        assert 0 < found.memory.average <= found.memory.peak <= 100
        assert found.network is not None
        assert found.network.average <= found.network.peak
        assert [disk.label for disk in found.disks] == [disk.unit for disk in vm.disks or ()]


def test_questions_are_asked_together(server: Server) -> None:
    calls = [read_vcenter(server.url, "vc1", LOGIN, Trust(insecure=True), baseline=days).calls for days in (None, 1)]
    metrics = 3 + 6 * 1  # of a VM with one disk
    about_counters = 3  # the counters, the clock, the limit
    assert calls[1] - calls[0] <= about_counters + -(-19 // (MOST // metrics))


def test_samples_that_vcenter_does_not_have_count_for_nothing() -> None:
    plan = perf._Plan(days=1, interval=300, counters={"cpu.usage.average": 2}, start=None, end=None)
    series: Any = vim.PerformanceManager.MetricSeriesCSV(
        id=vim.PerformanceManager.MetricId(counterId=2, instance=""), value="100,-1,300"
    )
    found = perf._baseline(plan, vim.PerformanceManager.EntityMetricCSV(value=[series]))
    assert found.cpu is not None
    assert (found.samples, found.cpu.average, found.cpu.peak) == (2, 2.0, 3.0)
    assert found.coverage == round(2 * 300 / 86400, 3)
    assert (found.memory, found.disks) == (None, ())


def test_the_latency_of_a_disk_is_in_milliseconds_and_of_that_disk() -> None:
    counters = {"virtualDisk.totalReadLatency.average": 7, "virtualDisk.totalWriteLatency.average": 8}
    plan = perf._Plan(days=1, interval=300, counters=counters, start=None, end=None)
    values = [(7, "scsi0:1", "2,4"), (8, "scsi0:1", "10,-1,12"), (7, "scsi0:0", "1")]
    series: Any = [
        vim.PerformanceManager.MetricSeriesCSV(
            id=vim.PerformanceManager.MetricId(counterId=counter, instance=unit), value=samples
        )
        for counter, unit, samples in values
    ]
    first, second = perf._baseline(plan, vim.PerformanceManager.EntityMetricCSV(value=series)).disks
    assert (first.label, first.read_latency, first.write_latency) == ("scsi0:0", Rate(average=1, peak=1), None)
    assert (second.label, second.read_latency) == ("scsi0:1", Rate(average=3, peak=4))
    assert (second.write_latency, second.read_iops) == (Rate(average=11, peak=12), None)


def test_a_latency_is_averaged_over_requests_so_that_idle_hours_do_not_hide_a_slow_disk() -> None:
    counters = {"virtualDisk.totalReadLatency.average": 7, "virtualDisk.numberReadAveraged.average": 9}
    plan = perf._Plan(days=1, interval=300, counters=counters, start=None, end=None)
    series: Any = [
        vim.PerformanceManager.MetricSeriesCSV(
            id=vim.PerformanceManager.MetricId(counterId=counter, instance="scsi0:0"), value=samples
        )
        for counter, samples in ((7, "0,10,-1,4"), (9, "0,300,50,100"))
    ]
    [disk] = perf._baseline(plan, vim.PerformanceManager.EntityMetricCSV(value=series)).disks
    assert disk.read_latency == Rate(average=round((300 * 10 + 100 * 4) / 400, 2), peak=10)
    assert disk.read_iops == Rate(average=112.5, peak=300)


@pytest.mark.parametrize(("days", "seconds"), [(1, 300), (2, 1800), (7, 1800), (8, 7200), (31, 86400), (400, 86400)])
def test_the_interval_is_the_finest_that_is_kept_so_long(days: int, seconds: int) -> None:
    assert perf._interval(perf._STANDARD_INTERVALS, days) == seconds
