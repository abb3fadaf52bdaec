"""KubeVirt's own webhooks take every VirtualMachine that vmferry writes, start it, and store it as it was written."""

import copy
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.e2e.admission.asking import CHECKOUT, GATES, Object, kubevirt, objects
from tests.properties.estates import Estate, build, estates, staged
from tests.rules.laying import EXAMPLES as RULES
from tests.rules.laying import walk

from vmferry.model.catalog import CATALOG

EXAMPLES = ("acme", "acme-argocd", "minimal")
BY_WEBHOOK = {("template", "metadata", "annotations", "kubevirt.io/pci-topology-version")}
"""What KubeVirt adds when it stores a VM; Argo CD is told to ignore it."""

pytestmark = pytest.mark.slow


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield every value with its path."""
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    if not children:
        yield path, value
    for key, child in children:
        yield from leaves(child, (*path, key))


def differences(written: Object, stored: Object) -> set[tuple[str | int, ...]]:
    """Return where the spec of a VM that KubeVirt stored is not what was written."""
    before, after = dict(leaves(written["spec"])), dict(leaves(stored["spec"]))
    return {path for path in before | after if path not in before or path not in after or before[path] != after[path]}


def assert_taken(machines: list[Object]) -> None:
    """Fail unless KubeVirt takes and starts the VMs without a word, and stores what was written."""
    verdicts = kubevirt(machines)
    assert [each.name for each in verdicts] == [
        f"{machine['metadata']['namespace']}/{machine['metadata']['name']}" for machine in machines
    ]
    assert [(each.name, each.refused, each.warned) for each in verdicts if each.refused or each.warned] == []
    for machine, verdict in zip(machines, verdicts, strict=True):
        assert verdict.stored is not None
        assert differences(machine, verdict.stored) <= BY_WEBHOOK, verdict.name


def machines_below(gitops: Path) -> list[Object]:
    """Return the VirtualMachines in a compiled tree."""
    return objects((path.read_bytes() for path in sorted(gitops.rglob("virtualmachine-*.yaml"))), "VirtualMachine")


@pytest.mark.parametrize("name", EXAMPLES)
def test_kubevirt_takes_the_vms_of_an_example(name: str) -> None:
    machines = machines_below(CHECKOUT / "examples" / name / "gitops")
    assert machines or name == "minimal"
    assert_taken(machines)


def test_kubevirt_takes_the_vms_of_every_near_miss(tmp_path: Path) -> None:
    """The files of the rules that pass are as odd as VMs get."""
    machines = []
    for code in sorted(CATALOG):
        example = RULES / code / "passes.yaml"
        try:
            walk(example, tmp_path / code)
        except (AssertionError, AttributeError, OSError, ValueError):
            continue  # what stands for no whole spec
        machines += machines_below(tmp_path / code)
    assert len(machines) > 100
    assert_taken(machines)


def test_kubevirt_takes_the_vms_of_any_estate() -> None:
    machines: list[Object] = []

    @given(estates(), st.randoms(use_true_random=False))
    @settings(max_examples=40, deadline=None, database=None)
    def collect(estate: Estate, dice: Any) -> None:
        with tempfile.TemporaryDirectory() as name:
            first = build(estate, Path(name) / "first")
            output = build(staged(estate, first, dice), Path(name) / "second", assignments=first.assignments)
        files = (content for path, content in output.files.items() if "/virtualmachine-" in path)
        machines.extend(objects(files, "VirtualMachine"))

    collect()  # asked once for all of them: the program takes seconds to start
    assert len(machines) > 40
    assert_taken(machines)


# --- and it does look ------------------------------------------------------------------------


@cache
def a_machine() -> Object:
    """Return a VM of an example with two disks and a NIC."""
    machines = machines_below(CHECKOUT / "examples" / "acme" / "gitops")
    return next(
        machine
        for machine in machines
        if len(machine["spec"]["template"]["spec"]["domain"]["devices"]["disks"]) > 1
        and machine["spec"]["template"]["spec"]["networks"]
    )


def same_boot_order(spec: Object) -> None:
    for disk in spec["domain"]["devices"]["disks"]:
        disk["bootOrder"] = 1


def no_volume(spec: Object) -> None:
    del spec["volumes"][0]


def no_network(spec: Object) -> None:
    del spec["networks"][-1]


def same_name(spec: Object) -> None:
    for disk in spec["domain"]["devices"]["disks"]:
        disk["name"] = "disk"


def short_mac(spec: Object) -> None:
    spec["domain"]["devices"]["interfaces"][0]["macAddress"] = "00:50:56:00:01"


def long_serial(spec: Object) -> None:
    spec["domain"]["devices"]["disks"][0]["serial"] = "s" * 257


def no_smm(spec: Object) -> None:
    spec["domain"]["firmware"]["bootloader"] = {"efi": {"secureBoot": True}}
    spec["domain"]["features"].pop("smm", None)


def odd_hostname(spec: Object) -> None:
    spec["hostname"] = "not a name"


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (same_boot_order, "bootOrder"),
        (no_volume, "disks"),
        (no_network, "interfaces"),
        (same_name, "disks"),
        (short_mac, "MAC address"),
        (long_serial, "256"),
        (no_smm, "SMM"),
        (odd_hostname, "hostname"),
    ],
)
def test_kubevirt_refuses_a_fault(fault: Callable[[Object], None], word: str) -> None:
    machine = copy.deepcopy(a_machine())
    fault(machine["spec"]["template"]["spec"])
    [verdict] = kubevirt([machine])
    assert [word in line for line in verdict.refused] == [True], verdict.refused


def test_kubevirt_refuses_what_vmferry_asks_a_feature_gate_for() -> None:
    machine = copy.deepcopy(a_machine())
    machine["spec"]["template"]["spec"]["domain"]["devices"]["hostDevices"] = [
        {"name": "hostdev-0", "deviceName": "example.com/card"}
    ]
    refused = [len(each.refused) for gates in (GATES, ()) for each in kubevirt([machine], gates)]
    assert refused == [0, 1]
