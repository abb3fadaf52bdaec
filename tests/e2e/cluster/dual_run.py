"""A copy of examples/dual-run with all that proves and ends a migration, and what the cluster has of it by then."""

import json
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import yaml
from tests.e2e.cluster import argocd
from tests.e2e.cluster.crds import Object
from tests.e2e.cluster.engines import Report
from tests.e2e.cluster.life import Life
from tests.e2e.cluster.server import Key
from tests.e2e.cluster.team import Played
from tests.e2e.cluster.walk import EXAMPLES
from tests.invocation import Result, vmferry

from vmferry.check import check
from vmferry.estate.performance import compared
from vmferry.model.blueprint import Machine
from vmferry.model.facts import Baseline

_EXAMPLE = EXAMPLES / "dual-run"
_HOLD_DATA = ("VirtualMachine", "PersistentVolumeClaim", "DataVolume")


def spec_of(engine: str) -> Object:
    """Return the example's spec with a pre-flight, checks, a performance gate, a Forklift Plan and a decommission."""
    spec: Object = yaml.safe_load((_EXAMPLE / "spec.yaml").read_text())
    vms = {vm["name"]: vm for vm in spec["vms"]}
    spec["target"]["gitops"]["engine"] = engine
    workers = {"name": "workers", "count": 2, "cpu": 64, "memory": "256Gi", "nodeSelector": {"pool": "workers"}}
    spec["target"]["cluster"] |= {"checkImage": "registry.example.com/check:1", "nodes": [workers]}
    spec["target"]["preflight"] = {"namespace": "preflight"}
    labels = {"release": "kube-prometheus-stack"}
    spec["target"]["monitoring"] = {
        "prometheusRules": {"namespace": "monitoring", "labels": labels},
        "dashboards": {"namespace": "monitoring"},
    }
    spec["namespaces"].append({"name": "preflight", "quota": "none"})
    spec["sources"][0]["vcenter"] |= {
        "credentials": {"externalSecret": {"storeRef": {"name": "vault"}, "key": "vsphere/vc1/forklift"}},
        "vddkImage": "registry.example.com/vddk:8.0.3",
        "thumbprint": ":".join(["0A"] * 20),
    }
    spec["checks"] = [{"name": "share", "tcp": 445}]
    _measured(vms["files-01"])
    for vm in vms.values():  # those of the example have tests of their own
        vm.pop("checks", None)
    vms["files-01"]["checks"] = ["share"]
    window = {"start": "2027-01-16T20:00:00Z", "duration": "8h"}
    last = {"start": "2027-06-05T08:00:00Z", "duration": "8h"}
    files = next(phase for phase in spec["phases"] if phase["name"] == "files")
    files["performance"] = {}
    spec["phases"] = [
        *spec["phases"],
        {"name": "plans", "windows": [window]},
        {"name": "decommission", "kind": "decommission", "after": ["databases", "plans"], "windows": [last]},
    ]
    spec["vms"].append(_planned(vms["files-01"]))
    # what its finding has an administrator do in Argo CD: it would leave out the EndpointSlices of sources
    suppressed = {"rule": "VMF155", "reason": "resource.exclusions has no EndpointSlice"}
    return spec | {"groups": {}, "suppress": [suppressed] if engine == "argocd" else []}


def _measured(vm: Object) -> None:
    """Give a VM a baseline, as `vmferry import vcenter --baseline 7d` would."""
    vm["disks"][0]["unit"] = "scsi0:0"
    rates = {"readIops": 133, "writeIops": 104, "read": 1995, "write": 1040, "readLatency": 1, "writeLatency": 2}
    disk = {"label": "scsi0:0"} | {name: _rate(value) for name, value in rates.items()}
    usage = {"cpu": _rate(20), "memory": _rate(30), "network": _rate(200)}
    vm["baseline"] = {"days": 7, "samples": 336, "coverage": 1.0, "interval": 1800, **usage, "disks": [disk]}


def _rate(average: float) -> Object:
    return {"average": average, "peak": 2 * average}


def _planned(like: Object) -> Object:
    """Return a VM that Forklift moves: what a Plan needs leaves the sync last."""
    own = {
        "name": "mail-01",
        "id": "vm-299",
        "uuid": "42301f6e-1c5d-4c6e-9d3a-000000000299",
        "hostname": "mail-01",
        "phase": "plans",
        "path": "forklift",
        "method": "cold",
        "nics": [{"network": "Servers-130", "mac": "00:50:56:9a:30:99"}],
    }
    return {name: value for name, value in like.items() if name not in ("baseline", "checks", "staticIP")} | own


class Running(NamedTuple):
    """A VM as the cluster has it; KubeVirt restarts it for nothing else."""

    uid: str
    generation: int  # of its spec
    spec: Object

    def stopped(self) -> "Running":
        """Return the same VM, halted."""
        return Running(self.uid, self.generation + 1, self.spec | {"runStrategy": "Halted"})


class DualRun(Life):
    """The team of the example, and what an engine has pruned so far."""

    def __init__(self, played: Played) -> None:
        super().__init__(played, spec_of(played.engine))
        shutil.copytree(_EXAMPLE / "replication", self.repository / "replication")
        self.deleted: list[Key] = []
        self._by_hand: set[Key] = set()
        self._outcomes = played.outcomes

    def group_of(self, name: str) -> str:
        """Return the group of a VM."""
        groups = check(self.repository).resolution.blueprint.groups
        return next(group.name for group in groups if any(machine.name == name for machine in group.machines))

    def sync(self) -> Report:
        """Let the engine sync what is committed: it never deletes anything that holds data."""
        report = super().sync()
        pruned = [key for key in report.deleted if key not in self._by_hand]
        self.deleted += pruned
        assert not [key for key in pruned if key.kind in _HOLD_DATA], pruned
        return report

    def delete_made(self, *names: str) -> None:
        before = set(self.precious)
        super().delete_made(*names)
        self._by_hand |= before - set(self.precious)

    def advanced(self, *options: str) -> None:
        """Advance groups in the spec; what else the commit has comes before `merged`."""
        result = self.advance(*options)
        assert result.code == 0, result.text

    def edit(self, message: str, *groups: str, **fields: Any) -> Report:
        """Set fields of groups in the spec, as people do by hand, and let the engine follow."""
        self.set(*groups, **fields)
        return self.merged(message)

    def set(self, *groups: str, **fields: Any) -> None:
        """Set fields of groups in the spec."""
        with self._edited() as spec:
            for group in groups:
                spec["groups"][group] |= fields

    def phase(self, name: str, **fields: Any) -> None:
        """Set fields of a phase in the spec."""
        with self._edited() as spec:
            next(phase for phase in spec["phases"] if phase["name"] == name).update(fields)

    def vcenter(self, **fields: Any) -> None:
        """Set fields of the vCenter in the spec."""
        with self._edited() as spec:
            spec["sources"][0]["vcenter"] |= fields

    @contextmanager
    def _edited(self) -> Iterator[Object]:
        path = self.repository / "spec.yaml"
        spec = yaml.safe_load(path.read_text())
        yield spec
        path.write_text(yaml.safe_dump(spec, sort_keys=False))

    def refuses(self, code: str, *options: str) -> str:
        """Try to advance, which a rule refuses; return what it says."""
        result = self.advance(*options)
        assert result.code == 1, result.text
        assert code in result.text, result.text
        return result.text

    # --- what Jobs say -----------------------------------------------------------------------

    def fail(self, part: str, message: str) -> None:
        """Have Jobs with a part of their name fail from now on."""
        self._outcomes[part] = message

    def mend(self, part: str) -> None:
        """Have these Jobs succeed from now on, and delete those that failed, as their finding says; sync them again."""
        del self._outcomes[part]
        for key, obj in self.cluster.objects().items():
            owner = obj["metadata"].get("labels", {}).get("batch.kubernetes.io/job-name", "")
            if (key.kind == "Job" and part in key.name) or (key.kind == "Pod" and part in owner):
                self.cluster.delete(key)
        self.again()

    def observe(self) -> Result:
        if isinstance(self.follower, argocd.Follower):
            self._applications(self.follower)
        return super().observe()

    def _applications(self, follower: argocd.Follower) -> None:
        """Write what Argo CD's controller would: every Application is synced, and as healthy as its objects."""
        operation = {"operation": {}, "phase": "Succeeded", "startedAt": _SYNCED, "finishedAt": _SYNCED}
        for obj in self.api.objects("application.argoproj.io"):
            health = follower.healths().get(obj["metadata"]["name"], "Healthy")
            status = {"sync": {"status": "Synced"}, "health": {"status": health}, "operationState": operation}
            self.api.patch("application.argoproj.io", obj["metadata"], {"status": status}, "status")

    # --- what the cluster has ----------------------------------------------------------------

    def shares(self, *names: str) -> list[dict[str, int]]:
        """Return the share of clients of each side, by what leads them to a VM: weighted records, or a route."""
        records = self._named("dnsendpoint.externaldns.k8s.io")
        routes = self._named("httproute.gateway.networking.k8s.io")
        return [_by_records(records, name) or _by_route(routes, name) for name in names]

    def machines(self) -> dict[str, Running]:
        """Return what each VM restarts for if it changes."""
        found = self._named("virtualmachine.kubevirt.io").items()
        return {
            name: Running(obj["metadata"]["uid"], obj["metadata"]["generation"], obj["spec"]) for name, obj in found
        }

    def alias(self) -> str:
        """Return where the name of the database leads to."""
        name: str = self._named("service")["orders-db"]["spec"]["externalName"]
        return name

    def _named(self, resource: str) -> dict[str, Object]:
        return {obj["metadata"]["name"]: obj for obj in self.api.objects(resource, "servers")}

    def kept(self, kinds: Collection[str]) -> dict[Key, Object]:
        """Return what the cluster has of some kinds."""
        return {key: obj for key, obj in self.cluster.objects().items() if key.kind in kinds}

    def refused_pods(self) -> str:
        """Return what the API server has against the pods of Jobs, such as the Pod Security of their namespaces."""
        jobs = [obj for key, obj in self.cluster.objects().items() if key.kind == "Job"]
        for space in {job["metadata"]["namespace"] for job in jobs}:  # a controller would have created it
            self.api.create("serviceaccount", {"metadata": {"name": "default", "namespace": space}})
        pods = [_pod(job) for job in jobs]
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": pods})
        tried = self.cluster.kubectl("create", "--dry-run=server", "--filename=-", text=listed, check=False)
        assert tried.stdout.count("created") == len(pods) > 0, tried.stderr
        return tried.stderr

    # --- performance -------------------------------------------------------------------------

    def compare(self, name: str, when: int, slower: float = 1.0) -> Result:
        """Record how a VM compares with its baseline, by what Prometheus answers; ``slower``: how long writes take."""
        asked = vmferry("observe", self.repository, "--queries")
        assert asked.code == 0, asked.text
        assert "kubevirt_vmi_storage_write_times_seconds_total" in asked.out
        groups = check(self.repository).resolution.blueprint.groups
        [(machine, was)] = [each for group in groups for each in compared(group) if each[0].name == name]
        answers = self.repository.parent / "answers.json"
        answers.write_text(json.dumps(_answer(machine, was, when, slower)))
        done = vmferry("observe", self.repository, "--prometheus", answers)
        assert done.code == 0, done.text
        return done


_SYNCED = "2026-06-01T00:00:00Z"


def _by_records(records: dict[str, Object], name: str) -> dict[str, int]:
    """Return the weights of a VM's records; nothing if it has none."""
    endpoints = [record["spec"]["endpoints"] for of, record in records.items() if of in (name, f"{name}-new")]
    sides = [side for each in endpoints for side in each]
    return {each["setIdentifier"]: int(each["providerSpecific"][0]["value"]) for each in sides}


def _by_route(routes: dict[str, Object], name: str) -> dict[str, int]:
    """Return the weights of a VM's route: its source is behind a Service of its own."""
    [rule] = routes[f"{name}-new"]["spec"]["rules"]
    sides = {f"{name}-new-source": "source", f"{name}-new": "target"}
    return {sides[each["name"]]: each["weight"] for each in rule["backendRefs"]}


def _pod(job: Object) -> Object:
    template, meta = job["spec"]["template"], job["metadata"]
    labels = template["metadata"].get("labels", {})
    metadata = {"name": meta["name"], "namespace": meta["namespace"], "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def _answer(machine: Machine, was: Baseline, when: int, slower: float) -> Object:
    """Return what Prometheus would answer of a VM that does what it did in vSphere, whose writes take longer."""
    [disk] = was.disks
    assert was.cpu
    assert was.network
    cpus = machine.sockets * machine.cores * machine.threads
    of_vm = {
        "covered": 86400,
        "cpu": was.cpu.average / 100 * cpus,
        "cpuWait": 0,
        "swapIn": 0,
        "traffic": was.network.average,
        "packets": 100,
        "lostPackets": 0,
    }
    of_disk = {"reads": 133, "writes": 104, "readTime": 0.133, "writeTime": 0.208 * slower, "throughput": 3035}
    of = {"namespace": machine.namespace, "name": machine.target_name}
    series = [
        *({"metric": of | {"vmferry": name}, "value": [when, str(value)]} for name, value in of_vm.items()),
        *(
            {"metric": of | {"vmferry": name, "drive": disk.label}, "value": [when, str(value)]}
            for name, value in of_disk.items()
        ),
    ]
    return {"status": "success", "data": {"resultType": "vector", "result": series}}
