"""Dedicated CPUs, huge pages and NUMA: what goes together, what is emitted, and what it takes."""

from typing import Any

import pytest
from tests.backends.blueprints import machine
from tests.resolve.projects import Data, defaults, vm
from tests.rules.ruling import only, ruled, silent

from vmferry.estate.sizing import machine_load
from vmferry.model.spec import Cluster

ALL: Data = {"cpuPlacement": "dedicated", "hugepages": "1Gi", "numaTopology": "passthrough"}
GITOPS = {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"}


def cluster(**fields: Any) -> Data:
    return {"target": {"cluster": {"name": "prod-a"} | fields, "gitops": GITOPS}}


@pytest.mark.parametrize(
    ("decided", "says"),
    [
        ({"numaTopology": "passthrough"}, "needs dedicated CPUs and huge pages"),
        ({"numaTopology": "passthrough", "cpuPlacement": "dedicated"}, "needs dedicated CPUs and huge pages"),
        ({"hugepages": "1Gi", "memory": "2560Mi"}, "not a multiple of its huge pages of 1Gi"),
        (
            {"cpuPlacement": "dedicated", "cpu": {"count": 8, "coresPerSocket": 2, "threadsPerCore": 4}},
            "at most 2 threads",
        ),
        ({"hugepages": "2Mi", "instancetype": {"name": "u1.large"}}, "determines its CPUs and memory"),
    ],
)
def test_what_kubevirt_refuses_is_an_error(decided: Data, says: str) -> None:
    assert says in only("VMF558", vm(**decided)).message


@pytest.mark.parametrize("decided", [ALL, {"hugepages": "2Mi", "memory": "2560Mi"}, {"cpuPlacement": "shared"}, {}])
def test_what_goes_together_is_no_finding(decided: Data) -> None:
    assert silent("VMF558", vm(**decided))


def test_memory_of_such_vms_is_not_overcommitted() -> None:
    assert (
        "memoryOvercommit 150" in only("VMF558", vm(cpuPlacement="dedicated"), **cluster(memoryOvercommit=150)).message
    )
    assert silent("VMF558", vm(), **cluster(memoryOvercommit=150))


@pytest.mark.parametrize(
    ("code", "facts", "remedy"),
    [
        ("VMF704", {"cpuAffinity": [2, 3]}, "cpuPlacement: dedicated"),
        ("VMF738", {"latencySensitivity": "high"}, "cpuPlacement: dedicated"),
        ("VMF721", {"numaNodeAffinity": [0]}, "numaTopology: passthrough"),
    ],
)
def test_a_concern_names_the_remedy_and_is_silent_once_it_is_decided(code: str, facts: Data, remedy: str) -> None:
    assert remedy in only(code, vm(**facts)).help
    assert silent(code, vm(**facts, **ALL))


def test_a_plan_has_no_field_for_any_of_them() -> None:
    found = only("VMF507", vm(**ALL), defaults=defaults(path="forklift", method="cold"))
    assert "dedicated CPUs, huge pages, the NUMA topology" in found.message


def test_gates_are_asked_for_by_release() -> None:
    def gates(version: str) -> set[str]:
        found = ruled(vm(**ALL), **cluster(versions={"kubevirt": version}, featureGates=[]))
        return {each.message.split("feature gate ")[1].split()[0] for each in found if each.code == "VMF531"}

    assert gates("1.3") >= {"CPUManager", "NUMA"}
    assert gates("1.6") & {"CPUManager", "NUMA"} == {"CPUManager"}


def test_a_dedicated_cpu_is_a_whole_one_in_quotas_and_sizes() -> None:
    shared, own = (machine_load(machine(dedicated_cpus=own), Cluster(name="prod-a")) for own in (False, True))
    assert (shared.cpu, own.cpu) == (405, 4015)
    assert own.memory - shared.memory == (100 << 20) + 25_000_000
