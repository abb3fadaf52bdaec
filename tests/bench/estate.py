"""The estate that the benchmark compiles: a spec of as many VMs as wanted, of every path, spread over four clusters."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vmferry.yaml.write import dump

_API = "vmferry.dev/v1alpha1"
_CLUSTERS = 4
_TEAMS = 8

# Of ten VMs in a row: four by Forklift, four by a conversion Job, one by an image, one rebuilt.
_WAYS = ("warm", "job", "cold", "job", "warm", "image", "cold", "job", "rebuild", "job")
_PHASES = {"dev-test": "dev-test", "stateless": "stateless", "stateful": "stateful", "last": "migrate"}
_IN_A_ROW = 7  # VMs of one phase


def estate(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the files of a spec of ``count`` VMs, by name: decisions, and the inventory of each vSphere cluster."""
    yield "spec.yaml", _spec(count)
    for number in range(_CLUSTERS):
        vms = [_machine(index) for index in range(number, count, _CLUSTERS)]
        facts = [{key: value for key, value in vm.items() if key not in _STATED} for vm in vms]
        stated = [{key: vm[key] for key in ("name", "id", *_STATED) if key in vm} for vm in vms if _STATED & vm.keys()]
        head = {"apiVersion": _API, "metadata": {"name": f"vc1-cluster{number}"}}
        source = {"source": {"name": "vc1", "kind": "vcenter"}}
        yield f"vms/cluster-{number}.yaml", head | {"kind": "Inventory", **source, "vms": facts}
        yield f"vms/stated-{number}.yaml", head | {"kind": "VirtualMachineSet", "vms": stated}


_STATED = {"application", "dependsOn"}
"""What the spec says of a VM; the rest are facts, and stand in the inventory."""


def _spec(count: int) -> dict[str, Any]:
    phases = list(_PHASES)[: -(-count // _IN_A_ROW)]  # those that have VMs
    vcenter = {
        "url": "https://vc1.example.com/sdk",
        "credentials": {"secretRef": {"name": "vc1-vcenter"}},
        "conversionCredentials": {"secretRef": {"name": "vc1-conversion"}},
        "thumbprint": ":".join(["5A"] * 20),
        "vddkImage": "registry.example.com/vddk:8.0.3",
    }
    networks: list[dict[str, Any]] = [
        {"source": {"portGroup": f"vlan-{vlan}", "vlan": vlan}, "target": {"type": "bridge", "bridge": "br-vm"}}
        for vlan in range(100, 100 + _TEAMS)
    ]
    networks.append({"source": {"segment": "overlay"}, "target": {"type": "pod"}})
    classes = [
        {"name": "ceph-block", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold", "snapshots": True},
        {"name": "ceph-fs", "provisioner": "rook-ceph.cephfs.csi.ceph.com", "tier": "silver"},
        {"name": "local", "provisioner": "kubevirt.io.hostpath-provisioner", "tier": "local"},
    ]
    return {
        "apiVersion": _API,
        "kind": "MigrationSpec",
        "metadata": {"name": "bench"},
        "include": ["vms/*.yaml"],
        "sources": [{"name": "vc1", "vcenter": vcenter}],
        "target": {
            "cluster": {"name": "prod-a", "cni": "cilium"},
            "gitops": {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"},
        },
        "networks": networks,
        "storage": {
            "classes": classes,
            "map": [{"source": {"datastore": f"ds-{item['tier']}"}, "tier": item["tier"]} for item in classes],
        },
        "namespaces": [{"name": f"team-{team}", "source": {"folder": f"/Prod/Team{team}"}} for team in range(_TEAMS)],
        "phases": [
            {"name": name, "kind": kind, "after": list(_PHASES)[max(0, rank - 1) : rank]}
            for rank, (name, kind) in enumerate(_PHASES.items())
        ],
        "groups": {f"{name}-01": {"stage": "prepared"} for name in phases},
        "defaults": {"liveMigration": "none"},
        "assign": [{"match": {"customAttributes": {"phase": name}}, "set": {"phase": name}} for name in _PHASES]
        + [{"match": {"tags": f"way-{way}"}, "set": decided} for way, decided in _decisions().items()],
    }


def _decisions() -> dict[str, dict[str, Any]]:
    return {
        "warm": {"path": "forklift", "method": "warm"},
        "cold": {"path": "forklift", "method": "cold"},
        "job": {"path": "virt-v2v", "method": "job"},
        "image": {"path": "virt-v2v", "method": "image"},
        "rebuild": {"disposition": "rebuild", "reason": "runs in containers elsewhere already"},
    }


def _machine(index: int) -> dict[str, Any]:
    way, team, windows = _WAYS[index % 10], index // 10 % _TEAMS, index % 3 == 0
    phase = list(_PHASES)[index // _IN_A_ROW % len(_PHASES)]
    disks = [
        {"size": f"{40 + 20 * number}Gi", "datastore": _datastore(index, number)} for number in range(index % 3 + 1)
    ]
    nics: list[dict[str, Any]] = [{"network": f"vlan-{100 + team}", "mac": _mac(index, 0)}]
    if index % 5 == 0:
        nics.append({"network": f"vlan-{100 + (team + 1) % _TEAMS}", "mac": _mac(index, 1)})
    vm: dict[str, Any] = {
        "name": f"vm-{index:05d}.example.com" if index % 4 else f"VM_{index:05d}",
        "id": f"vm-{1000 + index}",
        "uuid": f"42301f6e-1c5d-4c6e-9d3a-{index:012x}",
        "folder": f"/Prod/Team{team}/App{index % 13}",
        "datacenter": "DC1",
        "cluster": f"Cluster{index % _CLUSTERS}",
        "host": f"esx{index % 32}.example.com",
        "tags": ["backup-daily", f"way-{way}"],
        "customAttributes": {"phase": phase, "owner": f"team-{team}"},
        "powerState": "poweredOff" if index % 11 == 0 else "poweredOn",
        "os": "windows" if windows else "linux",
        "guestId": "windows2019srv_64Guest" if windows else "rhel9_64Guest",
        "firmware": "efi" if index % 2 else "bios",
        "secureBoot": bool(index % 4 == 1),
        "vtpm": bool(index % 8 == 1),
        "cpu": {"count": 2 << index % 3, "coresPerSocket": 2},
        "memory": f"{4 << index % 4}Gi",
        "disks": disks,
        "nics": nics,
        "changeTracking": way == "warm",
    }
    if index % 17 == 16:
        vm["dependsOn"] = [f"vm-{1000 + index - 16}"] if _same_phase(index, index - 16) else []
    if way == "rebuild":
        vm["application"] = {
            "image": "registry.example.com/app:1.4.2",
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
            "readiness": {"port": 8080, "path": "/ready"},
        }
    return vm


def _same_phase(one: int, other: int) -> bool:
    return one // _IN_A_ROW % len(_PHASES) == other // _IN_A_ROW % len(_PHASES)


def _datastore(index: int, number: int) -> str:
    return ("ds-gold", "ds-silver", "ds-gold", "ds-local")[(index // 10 + number) % 4]


def _mac(index: int, number: int) -> str:
    digits = f"{index * 2 + number:06x}"
    return f"00:50:56:{digits[:2]}:{digits[2:4]}:{digits[4:]}"


def write(directory: Path, count: int) -> None:
    """Write the spec of an estate into a directory."""
    for name, content in estate(count):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dump(content))


def edit(directory: Path, memory: int) -> None:
    """Give one VM of a written estate other memory, in GiB: no other VM is touched by that."""
    path = directory / "vms/cluster-1.yaml"
    text = path.read_text()
    at = text.index("memory: ", text.index("way-job"))
    end = text.index("\n", at)
    path.write_text(f'{text[:at]}memory: "{memory}Gi"{text[end:]}')


def next_group(directory: Path) -> str:
    """Return a group of a written estate that is prepared."""
    text = (directory / "spec.yaml").read_text()
    return text[text.index("\ngroups:\n") :].split("\n")[2].strip().removesuffix(":")


def move(directory: Path, group: str, stage: str) -> None:
    """Give a prepared group of a written estate another stage."""
    path = directory / "spec.yaml"
    before = f"  {group}:\n    stage: prepared\n"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, f"  {group}:\n    stage: {stage}\n"))
