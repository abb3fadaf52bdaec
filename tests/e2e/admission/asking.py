"""Asks the operators' own admission code, which `make admission` builds from a checkout of theirs."""

import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from vmferry.output.objects import is_object, parse

CHECKOUT = Path(__file__).resolve().parents[3]
Object = dict[str, Any]

GATES = ("HostDevices", "PersistentReservation", "VMPersistentState")
"""Feature gates of KubeVirt that vmferry's rules ask for where a VM needs one."""


class Verdict(NamedTuple):
    """What the webhooks said of an object, and the object as it would be stored."""

    name: str
    refused: list[str]
    warned: list[str]
    stored: Object | None


def program(name: str) -> Path:
    """Return a program; skip the test without it, unless VMFERRY_REQUIRE_ADMISSION=1."""
    path = CHECKOUT / ".tools" / "bin" / name
    if not path.is_file() and os.environ.get("VMFERRY_REQUIRE_ADMISSION") == "1":
        pytest.fail(f"{name} is not in .tools/bin: make admission")
    if not path.is_file():
        pytest.skip(f"{name} is not in .tools/bin: make admission, which takes a checkout of its sources")
    return path


def kubevirt(machines: Iterable[Object], gates: Iterable[str] = GATES) -> list[Verdict]:
    """Return what KubeVirt says of VirtualMachines. What they ask of it and vmferry does not make is there."""
    machines = list(machines)
    devices = {
        device["deviceName"]
        for machine in machines
        for kind in ("gpus", "hostDevices")
        for device in machine["spec"]["template"]["spec"]["domain"]["devices"].get(kind, ())
    }
    configuration = {
        "developerConfiguration": {"featureGates": list(gates)},
        "network": {"binding": {"macvtap": {"domainAttachmentType": "tap"}}},
        "permittedHostDevices": {
            "pciHostDevices": [
                {"pciVendorSelector": f"10DE:{number:04X}", "resourceName": name}
                for number, name in enumerate(sorted(devices))
            ]
        },
        "vmRolloutStrategy": "LiveUpdate",
    }
    return _ask("kubevirt-admission", [configuration, *_catalogue(machines), *machines])


def _catalogue(machines: list[Object]) -> Iterator[Object]:
    """Yield the instance types and preferences that VMs name; which ones there are is the cluster's affair."""
    sizes = {"instancetype": {"cpu": {"guest": 2}, "memory": {"guest": "8Gi"}}, "preference": {}}
    found = {}
    for machine in machines:
        for field, spec in sizes.items():
            if field in machine["spec"]:
                kind, name = machine["spec"][field]["kind"], machine["spec"][field]["name"]
                home = {} if "Cluster" in kind else {"namespace": machine["metadata"]["namespace"]}
                found[kind, *home.values(), name] = {
                    "apiVersion": "instancetype.kubevirt.io/v1beta1",
                    "kind": kind,
                    "metadata": {"name": name, **home},
                    "spec": spec,
                }
    yield from found.values()


def _ask(name: str, lines: Iterable[Object]) -> list[Verdict]:
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    done = subprocess.run([program(name)], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = map(json.loads, done.stdout.splitlines())
    return [
        Verdict(f"{each['namespace']}/{each['name']}", each["refused"] or [], each["warned"] or [], each.get("stored"))
        for each in told
    ]


def objects(files: Iterable[bytes], *kinds: str) -> list[Object]:
    """Return the objects of some kinds in YAML files."""
    found = [document for content in files for document in parse(content)]
    return [document for document in found if is_object(document) and document["kind"] in kinds]
