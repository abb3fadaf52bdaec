"""Measures the real command line on generated estates: seconds, memory, files, and how they grow.

Nothing is asserted of the times: machines differ, and a slow one is no bug.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vmferry.yaml.write import dump

SIZES = (100, 1_000, 10_000)
_API = "vmferry.dev/v1alpha1"
_MINIMAL = Path(__file__).parents[2] / "examples/minimal"
_CLUSTERS = 4
_TEAMS = 8
_START_UPS = 5  # the fastest counts: the others met a busy machine

# Of ten VMs in a row: four by Forklift, four by a conversion Job, one by an image, one rebuilt.
_WAYS = ("warm", "job", "cold", "job", "warm", "image", "cold", "job", "rebuild", "job")
_PHASES = {"dev-test": "dev-test", "stateless": "stateless", "stateful": "stateful", "last": "migrate"}
_IN_A_ROW = 7  # VMs of one phase


class Run(NamedTuple):
    """One call of the command line."""

    seconds: float
    mebibytes: float  # most memory that was resident


class Row(NamedTuple):
    """What compiling an estate of one size took."""

    vms: int
    seconds: float
    mebibytes: float
    files: int
    growth: float | None  # time a VM, relative to the size before; 1.0 is linear
    edit: float  # seconds to compile again after one VM was edited
    check: float  # seconds of `vmferry check`, rules and all
    check_growth: float | None


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


# As a user has it, modules are compiled once; where a machine forbids that, every start would compile them anew.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
    "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir(), "vmferry-bench-pycache"))
}


def run(*arguments: str | Path) -> Run:
    """Call the command line in a process of its own. Raises RuntimeError with what it said if it fails."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", "from vmferry.cli import program; program()", *map(str, arguments)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise RuntimeError(output.read().decode(errors="replace")[-4000:])
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10  # getrusage counts bytes there, KiB elsewhere
    return Run(seconds, usage.ru_maxrss / unit)


def measure(sizes: Sequence[int]) -> Iterator[Row]:
    """Yield a row for each size: a compile into an empty directory, and one after an edit.

    Nothing is removed before the end: ext4 is many times as slow with new files while it remembers deleted ones.
    """
    before: tuple[float, float] | None = None
    with tempfile.TemporaryDirectory(prefix="vmferry-bench-") as name:
        for size in sizes:
            spec, out = Path(name, f"spec-{size}"), Path(name, f"out-{size}")
            write(spec, size)
            cold = run("compile", spec, "--out", out)
            files = sum(path.is_file() for path in out.rglob("*"))
            edited = spec / "vms/cluster-0.yaml"
            edited.write_text(edited.read_text().replace("memory: 4Gi", "memory: 5Gi", 1))
            again = run("compile", spec, "--out", out)
            check = run("check", spec)
            each = (cold.seconds / size, check.seconds / size)
            growth = tuple(now / then for now, then in zip(each, before, strict=True)) if before else (None, None)
            yield Row(size, cold.seconds, cold.mebibytes, files, growth[0], again.seconds, check.seconds, growth[1])
            before = each


def start_up() -> float:
    """Return the seconds that `vmferry check` of the minimal spec takes."""
    with tempfile.TemporaryDirectory(prefix="vmferry-bench-") as name:
        spec = _MINIMAL
        if not spec.is_dir():
            spec = Path(name) / "spec"
            run("init", spec)
        return min(run("check", spec).seconds for _ in range(_START_UPS))


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, help="numbers of VMs, ascending")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    if options.json:
        rows = [row._asdict() for row in measure(options.sizes)]
        print(json.dumps({"compile": rows, "checkMinimalSeconds": start_up()}, indent=2))
        return
    head = f"{'VMs':>7} {'seconds':>8} {'peak MiB':>9} {'files':>7} {'growth':>7} {'edit s':>7}"
    print(f"{head} {'check s':>8} {'growth':>7}", flush=True)
    for row in measure(options.sizes):
        growth, check_growth = (f"{each:.2f}" if each else "-" for each in (row.growth, row.check_growth))
        numbers = f"{row.vms:>7} {row.seconds:>8.2f} {row.mebibytes:>9.0f} {row.files:>7} {growth:>7} {row.edit:>7.2f}"
        print(f"{numbers} {row.check:>8.2f} {check_growth:>7}", flush=True)
    print("growth: time a VM relative to the line above, 1.00 is linear")
    print(f"vmferry check of the minimal spec: {start_up():.2f} s")


if __name__ == "__main__":
    main()
