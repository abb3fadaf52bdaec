"""Counts again, from the YAML alone, what an estate was compiled to: nothing lost, nothing twice.

Neither the Blueprint nor any code of vmferry is asked: the spec is read here once more, and the manifests with PyYAML.
A VM of path B is known by the node of its UUID (the last twelve digits, which no byte order changes), one of path A by
its entry in a Plan.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

Data = dict[str, Any]
Claim = tuple[str, str]  # namespace and name

_UNITS = {"Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


class Recount:
    """A spec, and the manifests it was compiled to; `problems` says what is wrong between them."""

    def __init__(self, spec: Data, vms: Iterable[Data], files: Mapping[str, bytes], assignments: bytes) -> None:
        self.vms = list(vms)
        self.moving = [vm for vm in self.vms if "phase" in vm]
        self.networks = {key: row for row in spec["networks"] for key in _called(row["source"])}
        self.objects: defaultdict[str, list[tuple[str, Data]]] = defaultdict(list)  # kind -> group and object
        self.assigned: Data = _read(assignments).get("vms", {}) if assignments else {}
        for path, content in files.items():
            if path.startswith("bases/") and path.endswith(".yaml"):
                for obj in yaml.load_all(content, yaml.CSafeLoader):
                    self.objects[obj["kind"]].append((path.split("/")[2], obj))
        self.figures: Counter[str] = Counter()
        self.written: dict[Claim, str] = {}  # by which VM
        self.homes: Counter[tuple[str, str]] = Counter()  # namespace and name of what runs

    def problems(self) -> list[str]:
        """Return what was lost, or is there twice; count what is right in `figures`."""
        return [
            *self._path_a(),
            *self._path_b(),
            *self._path_c(),
            *self._groups(),
            *(f"{count} things run as {home}" for home, count in self.homes.items() if count > 1),
        ]

    # --- Forklift ----------------------------------------------------------------------------

    def _path_a(self) -> Iterator[str]:
        wanted = {key_of(vm): vm for vm in self.moving if vm.get("path") == "forklift"}
        found: Counter[str] = Counter()
        maps = {kind: {name_of(obj): obj for _, obj in self.objects[kind]} for kind in ("NetworkMap", "StorageMap")}
        for group, plan in self.objects["Plan"]:
            spec, here = plan["spec"], []
            for entry in spec["vms"]:
                key = entry.get("id") or entry["name"]
                found[key] += 1
                if key in wanted:
                    here.append(wanted[key])
                    yield from self._moved_by_forklift(group, spec["targetNamespace"], entry, wanted[key])
            rows = {kind: maps[kind][spec["map"][part]["name"]]["spec"]["map"] for part, kind in _PARTS.items()}
            yield from self._network_rows(name_of(plan), rows["NetworkMap"], here)
            yield from self._storage_rows(name_of(plan), rows["StorageMap"], here)
        yield from unequal("VMs of Plans", Counter(wanted.keys()), found)
        for kind in maps:
            if len(maps[kind]) != len(self.objects["Plan"]):
                yield f"{len(self.objects['Plan'])} Plans have {len(maps[kind])} {kind}s"

    def _moved_by_forklift(self, group: str, namespace: str, entry: Data, vm: Data) -> Iterator[str]:
        self.figures.update(vms=1, forklift=1, disks=len(vm["disks"]))
        self.homes[namespace, entry["targetName"]] += 1
        yield from self._is_in(group, vm)
        for claim in rendered(entry["pvcNameTemplate"], len(vm["disks"])):
            yield from self._writes((namespace, claim), vm)

    def _network_rows(self, plan: str, rows: list[Data], vms: list[Data]) -> Iterator[str]:
        """Hold a NetworkMap against the NICs of its VMs: as many definitions as one VM has NICs on a network."""
        there: Counter[str] = Counter()
        kinds: defaultdict[str, set[str]] = defaultdict(set)
        for row in rows:
            network = self._network(row["source"].get("id") or row["source"]["name"])
            there[network] += 1
            kinds[network].add(row["destination"]["type"])
        most: Counter[str] = Counter()
        for vm in vms:
            on = Counter(self._network(nic["network"]) for nic in vm.get("nics", ()))
            most |= on
            for network, count in on.items():
                dropped = self._is_ignored(network)
                self.figures.update({"dropped NICs" if dropped else "NICs": count})
                if ("ignored" in kinds[network]) != dropped:
                    yield f"Plan {plan} has {sorted(kinds[network])} for network {network}"
                if there[network] < (1 if kinds[network] <= {"pod", "ignored"} else count):
                    yield f"Plan {plan} has {there[network]} rows for the {count} NICs of a VM on network {network}"
        if set(there) != set(most):
            yield f"Plan {plan} maps networks {sorted(there)} for VMs on {sorted(most)}"
        yield from twice(f"Plan {plan}: network row", (str(row) for row in rows))

    def _storage_rows(self, plan: str, rows: list[Data], vms: list[Data]) -> Iterator[str]:
        there = Counter(row["source"].get("name") or row["source"]["id"] for row in rows)
        wanted = {disk["datastore"] for vm in vms for disk in vm["disks"]}
        yield from unequal(f"datastores of Plan {plan}", Counter(wanted), there)

    # --- virt-v2v ----------------------------------------------------------------------------

    def _path_b(self) -> Iterator[str]:
        ours = [vm for vm in self.moving if vm.get("path") == "virt-v2v"]
        wanted = {node_of(vm["uuid"]): vm for vm in ours if not vm.get("template")}
        found: Counter[str] = Counter()
        volumes = {at(obj): obj["spec"] for _, obj in self.objects["DataVolume"]}
        used: set[Claim] = set()
        for group, obj in self.objects["VirtualMachine"]:
            node = node_of(obj["spec"]["template"]["spec"]["domain"]["firmware"]["uuid"])
            found[node] += 1
            if node in wanted:
                made = {at(each, at(obj)[0]): each["spec"] for each in obj["spec"].get("dataVolumeTemplates", ())}
                used.update(made)
                yield from self._is_in(group, wanted[node])
                yield from self._runs(obj, wanted[node], volumes | made, used)
        yield from unequal("VirtualMachines", Counter(wanted.keys()), found)
        yield from self._golden([vm for vm in ours if vm.get("template")], volumes, used)
        yield from self._converted(ours)
        unused = sorted(volumes.keys() - used)
        if unused:
            yield f"volumes of no VM: {unused}"

    def _runs(self, obj: Data, vm: Data, volumes: dict[Claim, Data], used: set[Claim]) -> Iterator[str]:
        """Hold a VirtualMachine against its VM: its NICs in order, its disks with their sizes."""
        what, namespace = vm["name"], at(obj)[0]
        self.figures.update(vms=1, **{"virt-v2v": 1})
        self.homes[at(obj)] += 1
        inner = obj["spec"]["template"]["spec"]
        devices = inner["domain"]["devices"]
        kept = [nic for nic in vm.get("nics", ()) if not self._is_ignored(self._network(nic["network"]))]
        macs = [each.get("macAddress") for each in devices.get("interfaces", ())]
        if macs != [mac(nic["mac"]) for nic in kept]:
            yield f"{what} has the MACs {macs} for {kept}"
        self.figures.update({"NICs": len(kept), "dropped NICs": len(vm.get("nics", ())) - len(kept)})
        names = {network["name"] for network in inner.get("networks", ())}
        if {each["name"] for each in devices.get("interfaces", ())} != names:
            yield f"{what} has interfaces without a network, or networks without an interface"
        shown = [disk["name"] for disk in devices["disks"]]
        claims = [(namespace, claim) for name, claim in claims_of(inner) if name in shown]
        yield from twice(f"{what}: claim", claims)
        missing = [claim for claim in claims if claim not in volumes]
        if missing:
            yield f"{what} refers to volumes that are not there: {missing}"
        sizes = Counter(size_of(volumes[claim]) for claim in claims if claim in volumes)
        yield from unequal(f"disks of {what}", Counter(bytes_of(disk["size"]) for disk in vm["disks"]), sizes)
        self.figures["disks"] += len(claims)
        used.update(claims)
        shared = sum("shared" in disk for disk in vm["disks"])
        again = [claim for claim in claims if self.written.get(claim, what) != what]
        if len(again) > shared:
            yield f"{what} has claims of other VMs: {again}"
        for claim in claims:
            self.written.setdefault(claim, what)

    def _golden(self, templates: list[Data], volumes: dict[Claim, Data], used: set[Claim]) -> Iterator[str]:
        """Hold golden images against their templates: each disk a volume and a DataSource, no VM."""
        sources = [obj["spec"]["source"]["pvc"] for _, obj in self.objects["DataSource"]]
        claims = [(source["namespace"], source["name"]) for source in sources]
        yield from twice("golden claim", claims)
        sizes = Counter(size_of(volumes[claim]) for claim in claims if claim in volumes)
        wanted = Counter(bytes_of(disk["size"]) for vm in templates for disk in vm["disks"])
        yield from unequal("disks of golden images", wanted, sizes)
        used.update(claims)
        self.figures.update(vms=len(templates), golden=len(templates), disks=len(claims))
        for claim in claims:
            yield from self._writes(claim, {"name": "a golden image"})

    def _converted(self, vms: list[Data]) -> Iterator[str]:
        """Hold conversion Jobs against the VMs of method job: one each, and no claim is of two."""
        jobs = [obj for _, obj in self.objects["Job"] if "-convert-" in name_of(obj)]
        filled = [(at(obj)[0], claim) for obj in jobs for _, claim in claims_of(obj["spec"]["template"]["spec"])]
        yield from twice("claim that a Job writes", filled)
        wanted = [vm for vm in vms if vm["method"] == "job" and vm.get("conversion") != "skip"]
        if len(jobs) != len(wanted):
            yield f"{len(jobs)} Jobs for {len(wanted)} VMs"
        if len(filled) != sum(len(vm["disks"]) for vm in wanted):
            yield f"Jobs write {len(filled)} claims for {sum(len(vm['disks']) for vm in wanted)} disks"

    # --- containers --------------------------------------------------------------------------

    def _path_c(self) -> Iterator[str]:
        wanted = [vm for vm in self.moving if vm.get("disposition") == "rebuild"]
        for kind in ("Deployment", "StatefulSet"):
            found = self.objects[kind]
            ours = [vm for vm in wanted if vm["application"].get("kind", "Deployment") == kind]
            if len(found) != len(ours):
                yield f"{len(found)} {kind}s for {len(ours)} applications"
            self.homes.update(at(obj) for _, obj in found)
            self.figures.update(vms=len(found), rebuilt=len(found))
        claims = [(at(obj), size_of(obj["spec"])) for _, obj in self.objects["PersistentVolumeClaim"]]
        sizes = Counter(bytes_of(volume["size"]) for vm in wanted for volume in vm["application"].get("state", ()))
        yield from unequal("volumes of applications", sizes, Counter(size for _, size in claims))
        for claim, _ in claims:
            yield from self._writes(claim, {"name": "an application"})

    # --- all ---------------------------------------------------------------------------------

    def _groups(self) -> Iterator[str]:
        """Hold assignments.yaml against the VMs: those that move, once; those that do not, nowhere."""
        wanted = Counter(f"vc1/{key_of(vm)}" for vm in self.moving)
        yield from unequal("assignments", wanted, Counter(self.assigned.keys()))
        self.figures["retired"] += len(self.vms) - len(self.moving)
        if self.figures["vms"] != len(self.moving):
            yield f"{self.figures['vms']} VMs of {len(self.moving)} were found"

    def _is_in(self, group: str, vm: Data) -> Iterator[str]:
        told = self.assigned.get(f"vc1/{key_of(vm)}", {}).get("group")
        if told != group:
            yield f"{vm['name']} is in group {group}, and by assignments.yaml in {told}"

    def _writes(self, claim: Claim, vm: Data) -> Iterator[str]:
        if claim in self.written:
            yield f"claim {claim} is written by {vm['name']} and by {self.written[claim]}"
        self.written[claim] = vm["name"]

    def _network(self, text: str) -> str:
        source = self.networks[text]["source"]
        name: str = source.get("segment") or source.get("portGroup") or source["id"]
        return name

    def _is_ignored(self, network: str) -> bool:
        return bool(self.networks[network]["target"]["type"] == "ignored")


_PARTS = {"network": "NetworkMap", "storage": "StorageMap"}


def key_of(vm: Data) -> str:
    """Return what vSphere knows a VM by: its id, or else its name."""
    key: str = vm.get("id") or vm["name"]
    return key


def node_of(uuid: str) -> str:
    return uuid.rpartition("-")[2].lower()


def name_of(obj: Data) -> str:
    name: str = obj["metadata"]["name"]
    return name


def at(obj: Data, namespace: str = "") -> Claim:
    return obj["metadata"].get("namespace", namespace), name_of(obj)


def mac(text: str) -> str:
    return text.lower().replace("-", ":")


def bytes_of(text: str) -> int:
    return int(text[:-2]) * _UNITS[text[-2:]]


def size_of(spec: Data) -> int:
    """Return what a DataVolume or claim asks for."""
    storage = spec.get("storage") or spec.get("pvc") or spec
    return bytes_of(storage["resources"]["requests"]["storage"])


def claims_of(pod: Data) -> Iterator[tuple[str, str]]:
    """Yield the volumes of a pod or VM that are claims, by name."""
    for volume in pod.get("volumes", ()):
        for kind, field in (("persistentVolumeClaim", "claimName"), ("dataVolume", "name")):
            if kind in volume:
                yield volume["name"], volume[kind][field]


def rendered(template: str, count: int) -> list[str]:
    """Return what Forklift makes of a pvcNameTemplate for each disk: one name with a number, or cases."""
    cases = dict(re.findall(r"if eq \.DiskIndex ([0-9]+)}}([^{]+)", template))
    usual = template.rpartition("{{else}}")[2].removesuffix("{{end}}")
    return [cases.get(str(index), usual.replace("{{.DiskIndex}}", str(index))) for index in range(count)]


def unequal(what: str, wanted: Counter[Any], found: Counter[Any]) -> Iterator[str]:
    """Yield what is missing, and what is too much."""
    if lost := wanted - found:
        yield f"{what}: lost {dict(lost)}"
    if more := found - wanted:
        yield f"{what}: too many {dict(more)}"


def twice(what: str, things: Iterable[Any]) -> Iterator[str]:
    yield from (f"{what} {thing} is there {count} times" for thing, count in Counter(things).items() if count > 1)


def _called(source: Data) -> list[str]:
    return [source[key] for key in ("id", "segment", "portGroup") if key in source]


def _read(content: bytes) -> Data:
    found: Data = yaml.load(content, yaml.CSafeLoader)
    return found
