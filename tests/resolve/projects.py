"""Small projects, built from data as a spec would state it."""

from typing import Any

import msgspec

from vmferry.estate.resolution import Resolution
from vmferry.model.assignments import Assignments
from vmferry.model.blueprint import Decision, Group, Machine
from vmferry.model.finding import Finding, Where
from vmferry.model.project import Entry, Project
from vmferry.model.spec import MigrationSpec, VirtualMachine
from vmferry.resolve.blueprint import resolve

Data = dict[str, Any]

_SPEC: Data = {
    "apiVersion": "vmferry.dev/v1alpha1",
    "kind": "MigrationSpec",
    "metadata": {"name": "acme"},
    "sources": [
        {
            "name": "vc1",
            "vcenter": {
                "url": "https://vc1.example.com/sdk",
                "credentials": {"secretRef": {"name": "vc1-vcenter"}},
                "conversionCredentials": {"secretRef": {"name": "vc1-conversion"}},
            },
        }
    ],
    "target": {
        "cluster": {"name": "prod-a"},
        "gitops": {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"},
    },
    "networks": [{"source": {"portGroup": "vlan-7", "vlan": 7}, "target": {"type": "bridge", "bridge": "br-vm"}}],
    "storage": {
        "classes": [{"name": "ceph-block", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"}],
        "map": [{"source": {"datastore": "ds1"}, "tier": "gold"}],
    },
    "namespaces": [{"name": "web"}],
    "phases": [{"name": "first"}],
    "defaults": {"phase": "first", "namespace": "web", "path": "virt-v2v", "method": "job"},
}


def vm(name: str = "web-01", **fields: Any) -> Data:
    """Return a VM whose facts suffice for every path; None takes one away."""
    number = int.from_bytes(name.encode()[-2:] or b"\0")
    facts = {
        "name": name,
        "uuid": f"42301f6e-1c5d-4c6e-9d3a-{abs(hash_of(name)):012x}",
        "datacenter": "DC1",
        "host": "esx1.example.com",
        "powerState": "poweredOn",
        "os": "linux",
        "hardwareVersion": "vmx-19",
        "firmware": "bios",
        "cpu": {"count": 4, "coresPerSocket": 2},
        "memory": "8Gi",
        "disks": [{"size": "40Gi", "datastore": "ds1"}],
        "nics": [{"network": "vlan-7", "mac": f"00:50:56:00:{number >> 8:02x}:{number & 255:02x}"}],
    }
    return {key: value for key, value in (facts | fields).items() if value is not None}


def hash_of(text: str) -> int:
    """Return a number for a text, the same in every run."""
    return int.from_bytes(text.encode()[-6:])


def project(*vms: Data, assignments: Assignments | None = None, **sections: Any) -> Project:
    """Return a project of these VMs; ``sections`` replace those of the spec, by their names in YAML."""
    where = Where(file="spec.yaml")
    entries = [
        Entry(vm=msgspec.convert(data, VirtualMachine), where=where.at("vms", index)) for index, data in enumerate(vms)
    ]
    entries.sort(key=lambda entry: (entry.vm.source or "", entry.vm.name, entry.vm.id or ""))
    return Project(
        spec=msgspec.convert(_SPEC | sections, MigrationSpec),
        where=where,
        entries=tuple(entries),
        assignments=assignments,
    )


def resolved(*vms: Data, assignments: Assignments | None = None, **sections: Any) -> Resolution:
    """Return what is decided of these VMs."""
    return resolve(project(*vms, assignments=assignments, **sections))


def defaults(**fields: Any) -> Data:
    """Return the section `defaults` with other values; None takes one away."""
    return {key: value for key, value in (_SPEC["defaults"] | fields).items() if value is not None}


def machines(found: Resolution) -> dict[str, Machine]:
    """Return the machines by name in vCenter."""
    return {machine.name: machine for group in found.blueprint.groups for machine in group.machines}


def groups(found: Resolution) -> dict[str, list[str]]:
    """Return the names of the VMs in each group."""
    return {group.name: [machine.name for machine in group.machines] for group in found.blueprint.groups}


def group(found: Resolution, name: str) -> Group:
    """Return a group by its name."""
    [result] = [each for each in found.blueprint.groups if each.name == name]
    return result


def codes(found: Resolution) -> list[str]:
    """Return the codes of all findings."""
    return sorted(finding.code for finding in found.findings)


def finding(found: Resolution, code: str) -> Finding:
    """Return the one finding with this code."""
    [result] = [each for each in found.findings if each.code == code]
    return result


def decision(found: Resolution, name: str, subject: str) -> Decision:
    """Return the decision on one subject of a VM without an id."""
    [result] = [each for each in found.blueprint.decisions[f"vc1/{name}"] if each.subject == subject]
    return result
