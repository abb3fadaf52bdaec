"""VMs compared with their baseline by what Prometheus answers: slower, as fast, or unknown; and hostile answers."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.cli.test_observe import Observing
from tests.invocation import Result, vmferry

from vmferry.check import check
from vmferry.estate.gates import lacking, slower_or_unknown
from vmferry.estate.history import History
from vmferry.estate.performance import compared
from vmferry.kube.metrics import rate
from vmferry.model.blueprint import Group, Machine
from vmferry.model.facts import Baseline
from vmferry.observe.dumps import DumpError
from vmferry.observe.observe import merged
from vmferry.observe.prometheus import Answers, observed, queries

ACME = Path(__file__).parents[2] / "examples/acme"
BLUEPRINT = check(ACME, reasons=False).resolution.blueprint
NOON = 1_800_000_000  # 2027-01-15T08:00:00Z
DAY = 86400


def group(name: str = "dev-test-01") -> Group:
    return next(each for each in BLUEPRINT.groups if each.name == name)


def as_before(machine: Machine, was: Baseline) -> dict[tuple[str, str | None], float]:
    """Return what KubeVirt would measure of a VM that does exactly what it did in vSphere."""
    assert was.cpu is not None
    assert was.network is not None
    cpus = machine.sockets * machine.cores * machine.threads
    found: dict[tuple[str, str | None], float] = {
        ("covered", None): DAY,
        ("cpu", None): was.cpu.average / 100 * cpus,
        ("cpuWait", None): 0,
        ("swapIn", None): 0,
        ("traffic", None): was.network.average,
        ("packets", None): 100,
        ("lostPackets", None): 0,
    }
    for disk in was.disks:
        assert disk.read_iops
        assert disk.write_iops
        assert disk.read_latency
        assert disk.write_latency
        assert disk.read
        assert disk.write
        found |= {
            ("reads", disk.label): disk.read_iops.average,
            ("writes", disk.label): disk.write_iops.average,
            ("readTime", disk.label): disk.read_iops.average * disk.read_latency.average / 1000,
            ("writeTime", disk.label): disk.write_iops.average * disk.write_latency.average / 1000,
            ("throughput", disk.label): disk.read.average + disk.write.average,
        }
    return found


def series(machine: Machine, values: dict[tuple[str, str | None], float], when: float = NOON) -> list[dict[str, Any]]:
    of = {"namespace": machine.namespace, "name": machine.target_name}
    return [
        {
            "metric": of | {"vmferry": name} | ({"drive": disk} if disk is not None else {}),
            "value": [when, str(value)],
        }
        for (name, disk), value in values.items()
    ]


def answer(result: list[dict[str, Any]], kind: str = "vector") -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


def changed(**values: float) -> tuple[Machine, dict[tuple[str, str | None], float]]:
    """Return the first VM of a group, with some measures as they are not in vSphere."""
    machine, was = next(compared(group()))
    disks = {"reads", "writes", "readTime", "writeTime", "throughput"}
    now = {(name, "disk-0" if name in disks else None): value for name, value in values.items()}
    return machine, as_before(machine, was) | now


def entry_of(machine: Machine, values: dict[tuple[str, str | None], float]) -> Any:
    answers = Answers()
    answers.add(answer(series(machine, values)))
    [found] = observed(answers, BLUEPRINT)
    return found


def test_a_vm_as_it_was_is_not_slower_and_its_numbers_are_kept() -> None:
    found = entry_of(*changed())
    assert (found.what, found.outcome, found.name, found.cause) == ("performance", "succeeded", "dev-build-01", None)
    assert found.finished == "2027-01-15T08:00:00Z"
    assert found.said.startswith("38 % CPU (38), 1542 KiB/s network (1542), disk-0: 1 ms per read (1)")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        # 133 reads a second at 1 ms, 104 writes at 2 ms, margin 100 %, and never less than 5 ms
        ({"readTime": 133 * 0.0051}, "disk-0: 5.1 ms per read (1 in vSphere, at most 5)"),
        ({"writeTime": 104 * 0.030}, "disk-0: 30 ms per write (2 in vSphere, at most 5)"),
        (
            {"reads": 50, "writes": 40, "throughput": 1000, "readTime": 0.2, "writeTime": 4},
            "disk-0: 90 IOPS (237 in vSphere, at least 165.9), and 4.2 requests wait",
        ),
        ({"cpu": 8 * 0.2, "cpuWait": 8 * 0.06}, "20 % CPU (38 in vSphere, at least 26.6), and its vCPUs wait for 6 %"),
        ({"cpu": 8 * 0.995}, "99.5 % CPU (38 in vSphere, at most 98.8)"),
        ({"swapIn": 5000}, "5000 KiB/s from swap (at most 1024)"),
        (
            {"traffic": 10, "lostPackets": 5},
            "10 KiB/s network (1542 in vSphere, at least 771), and 4.8 % of its packets",
        ),
    ],
)
def test_a_slower_vm_fails_and_says_in_what(values: dict[str, float], why: str) -> None:
    found = entry_of(*changed(**values))
    assert (found.outcome, found.cause) == ("failed", "slower-than-before")
    assert why in found.said


@pytest.mark.parametrize(
    "values",
    [
        {"readTime": 133 * 0.0049},  # below what may always be
        {"reads": 2, "readTime": 2},  # a second each, and no load
        {"reads": 20, "writes": 10, "throughput": 300, "readTime": 0.02, "writeTime": 0.02},  # less work
        {"reads": 20, "writes": 60, "throughput": 3000, "readTime": 0.1, "writeTime": 4.2 / 15},  # fewer, larger
        {"cpu": 0.1},
        {"cpuWait": 8 * 0.5},
        {"traffic": 1},
        {"lostPackets": 50},
        {"cpu": 0, "reads": 0, "writes": 0, "readTime": 0, "writeTime": 0, "throughput": 0, "traffic": 0, "packets": 0},
        {"cpu": 8 * 0.97},
    ],
)
def test_a_vm_that_does_less_or_more_or_nothing_is_not_slower(values: dict[str, float]) -> None:
    assert entry_of(*changed(**values)).outcome == "succeeded"


@pytest.mark.parametrize(
    ("dropped", "why"),
    [
        ({("covered", None)}, "measured for 0 s of 1 d"),
        ({("reads", "disk-0"), ("readTime", "disk-0")}, "nothing is measured of disk-0"),
        ({("cpu", None), ("traffic", None)}, "nothing is measured of CPU, network"),
    ],
)
def test_a_vm_of_which_too_little_is_known_is_not_judged(dropped: set[tuple[str, str | None]], why: str) -> None:
    machine, values = changed(readTime=100)
    found = entry_of(machine, {key: value for key, value in values.items() if key not in dropped})
    assert (found.outcome, found.cause, found.said) == ("waiting", "not-compared", why)


def test_a_vm_that_has_run_for_an_hour_is_not_judged_yet() -> None:
    assert entry_of(*changed(covered=3600)).said == "measured for 1 h of 1 d"


def test_the_last_value_counts_of_a_range_and_of_several_answers() -> None:
    machine, values = changed()
    fine, slow = series(machine, values), series(machine, values | {("readTime", "disk-0"): 100}, NOON - 60)
    ranges = [
        {"metric": each["metric"], "values": [before["value"], each["value"]]}
        for each, before in zip(fine, slow, strict=True)
    ]
    for texts in ((answer(fine) + b"\n" + answer(slow),), (answer(ranges, "matrix"),), (answer(slow), answer(fine))):
        answers = Answers()
        for text in texts:
            answers.add(text)
        [found] = observed(answers, BLUEPRINT)
        assert (found.outcome, found.finished) == ("succeeded", "2027-01-15T08:00:00Z")


def test_each_query_says_what_it_is_of_and_asks_for_the_vms_that_are_compared() -> None:
    found = queries(BLUEPRINT)
    assert len(found) == 12
    assert all("\n" not in each and 'namespace=~"dev"' in each for each in found)
    assert found[0] == (
        "label_replace(sum by (namespace, name) (rate("
        'kubevirt_vmi_cpu_usage_seconds_total{namespace=~"dev"}[86400s])), "vmferry", "cpu", "", "")'
    )
    assert rate("cpu", DAY).count("namespace=~") == 0
    assert queries(replace(BLUEPRINT, performance=None)) == ()
    assert queries(replace(BLUEPRINT, groups=())) == ()


# --- gates -----------------------------------------------------------------------------------


def history(*values: dict[tuple[str, str | None], float]) -> History:
    """Return what is known after all VMs of the group were compared: the first as these values say, in turn."""
    evidence = None
    for number, of_first in enumerate(values):
        answers = Answers()
        for machine, was in compared(group()):
            now = of_first if machine.name == "dev-build-01" else as_before(machine, was)
            answers.add(answer(series(machine, now, NOON + number * 3600)))
        evidence = merged(evidence, "acme", observed(answers, BLUEPRINT))
    return History(evidence)


def test_a_group_waits_for_all_of_its_vms_and_the_last_comparison_counts() -> None:
    _, fine = changed()
    _, slow = changed(readTime=100)
    every = tuple(machine.name for machine, _ in compared(group()))
    assert len(every) == 6
    assert slower_or_unknown(group(), History(None)) == every
    assert slower_or_unknown(group(), history(fine)) == ()
    assert slower_or_unknown(group(), history(fine, slow)) == ("dev-build-01",)
    assert slower_or_unknown(group(), history(fine, slow, fine)) == ()


def test_other_margins_are_compared_anew() -> None:
    _, fine = changed()
    one = group()
    assert one.performance is not None
    stricter = replace(one, performance=replace(one.performance, latency=10))
    assert len(slower_or_unknown(stricter, history(fine))) == 6


def test_a_group_is_not_validated_before_its_vms_are_as_fast_and_alerts_alone_keep_nobody() -> None:
    _, fine = changed()
    one = replace(group(), stage="adopted")

    def lacks(group: Group, known: History) -> set[str]:
        return {lack.need.what for lack in lacking(group, "adopted", "validated", known)}

    assert "performance" in lacks(one, History(None))
    assert "performance" not in lacks(one, history(fine))
    assert one.performance is not None
    assert "performance" not in lacks(replace(one, performance=replace(one.performance, gate=False)), History(None))
    assert slower_or_unknown(replace(one, stage="rolled-back", running=False), History(None)) == ()


# --- the command -----------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> Observing:
    """Return a repository with the example."""
    return Observing(tmp_path)


def compare(repository: Observing, raw: bytes, *options: str) -> Result:
    return vmferry("observe", repository.spec, "--prometheus", "-", *options, stdin=raw)


def test_comparisons_are_recorded_and_shown_and_a_person_can_accept_the_group(repository: Observing) -> None:
    machine, values = changed(readTime=100)
    result = compare(repository, answer(series(machine, values)))
    assert result.code == 0
    assert "dev-test-01 dev-build-01: performance failed [slower-than-before]" in result.out
    assert "read 12 values of 1 VM" in result.err
    assert "nothing is measured of 9 VMs (dev-build-02, dev-build-03, " in result.err
    [entry] = repository.entries()
    assert (entry["what"], entry["cause"]) == ("performance", "slower-than-before")
    status = vmferry("status", repository.spec).out
    assert "slower-than-before" in status
    options = ("--by", "ada", "--note", "CHG-1", "--now", "2027-02-01T00:00:00Z")
    signed = vmferry("sign", repository.spec, "dev-test-01", "--despite-performance", *options)
    assert "dev-test-01: performance succeeded by ada" in signed.out
    refused = vmferry("sign", repository.spec, "stateless-01", "--despite-performance", *options)
    assert (refused.code, "No VM of group stateless-01 is compared" in refused.err) == (2, True)


def test_the_command_says_what_to_ask(repository: Observing) -> None:
    result = vmferry("observe", repository.spec, "--queries")
    assert result.code == 0
    assert tuple(result.out.splitlines()) == queries(BLUEPRINT)
    assert vmferry("observe", repository.spec, "--queries", "--watch").code == 2
    assert vmferry("observe", repository.spec, "--prometheus", "-", "--from", "-", stdin=b"{}").code == 2


# --- hostile answers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "it is empty"),
        (b"{}", "it is not an answer of Prometheus"),
        (b"[1]", "it is not an answer of Prometheus"),
        (b'{"status": "error", "error": "query timed out"}', "Prometheus did not answer: query timed out"),
        (b'{"status": "error", "error": "password=hunter2"}', "Prometheus did not answer: [withheld]"),
        (b'{"status": "success", "data": {"resultType": "scalar", "result": []}}', "of type 'scalar'"),
        (b'{"status": "success", "data": {"resultType": "vector", "result": 1}}', "it is not an answer of Prometheus"),
        (b"[" * 200_000, "it is nested too deeply"),
    ],
)
def test_what_is_not_an_answer_is_a_usage_error(repository: Observing, raw: bytes, why: str) -> None:
    result = compare(repository, raw)
    assert result.code == 2
    assert why in " ".join(result.err.split())
    assert "hunter2" not in result.err
    assert not repository.evidence.exists()


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1", "", "1e999", "0x10", "9" * 10_000])
def test_what_is_not_a_number_counts_as_unknown(value: str) -> None:
    machine, values = changed()
    rows = series(machine, values)
    for row in rows:
        if row["metric"]["vmferry"] == "reads":
            row["value"][1] = value
    answers = Answers()
    answers.add(answer(rows))
    [found] = observed(answers, BLUEPRINT)
    assert (found.outcome, found.said) == ("waiting", "nothing is measured of disk-0")
    assert "ignored 1 series without a number" in [*answers.notices(BLUEPRINT)]


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_JSON = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner))


@given(
    result=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "metric": st.dictionaries(
                    st.sampled_from(("namespace", "name", "drive", "vmferry", "x")),
                    st.sampled_from(("dev", "dev-build-01", "disk-0", "reads", "covered", "cpu", "\x1b[2J", ""))
                    | _JSON,
                ),
                "value": st.tuples(st.floats() | st.integers(), st.text(max_size=8)) | _JSON,
                "values": st.lists(st.tuples(st.floats(), st.text(max_size=8)), max_size=2) | _JSON,
            },
        )
        | _JSON,
        max_size=5,
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_answer_crashes_it_or_gets_into_the_evidence_as_it_is(result: list[Any]) -> None:
    answers = Answers()
    with contextlib.suppress(DumpError):
        answers.add(answer(result))
    for entry in observed(answers, BLUEPRINT):
        assert entry.what == "performance"
        assert "\x1b" not in (entry.said or "")
    assert all(line.isprintable() for line in answers.notices(BLUEPRINT))
