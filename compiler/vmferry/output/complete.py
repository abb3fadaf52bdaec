"""Whether the manifests contain everything that moves: every VM, disk and NIC. There are many small backends.

Each could forget something, and its output would still be valid. This module counts again, independently of their code,
before anything is written.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from vmferry.estate.adoption import lacks
from vmferry.estate.client_routes import KINDS
from vmferry.estate.methods import METHODS
from vmferry.kube import kinds
from vmferry.model.application import Application
from vmferry.model.blueprint import Blueprint, Group, Machine
from vmferry.model.manifest import Item, KubeObject, Resource
from vmferry.model.spec import ExternalDns

_Key = tuple[str, str, str]  # kind, namespace, name

_COUNTED = frozenset(kind.name for kind in kinds.EMITTED if kind.counted)


class LostError(RuntimeError):
    """Something that moves is in no manifest: a bug in vmferry, not in the spec."""


class Ledger:
    """Counts of what goes into the tree."""

    def __init__(self) -> None:
        self._objects: dict[_Key, KubeObject] = {}
        self._mounted: set[tuple[str, str]] = set()  # namespace and claim, by Jobs

    def passing(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items, and record what counts."""
        for item in items:
            if isinstance(item, Resource):
                self._note(item.object)
            yield item

    def _note(self, obj: KubeObject) -> None:
        kind = obj.get("kind", "")
        if kind == kinds.JOB.name:  # only for its claims: there are thousands
            namespace = obj["metadata"]["namespace"]
            self._mounted.update((namespace, claim) for claim in _claims(obj["spec"]["template"]["spec"]))
        elif kind in _COUNTED:
            meta = obj["metadata"]
            self._objects[kind, meta.get("namespace", ""), meta["name"]] = obj

    def check(self, blueprint: Blueprint, groups: Iterable[Group]) -> None:
        """Raise LostError if something of these groups is missing."""
        lost = [line for group in groups for line in self._missing(blueprint, group)]
        if lost:
            more = f", and {len(lost) - 3} more" if len(lost) > 3 else ""
            raise LostError(f"in no manifest: {'; '.join(lost[:3])}{more}. Nothing was written; please report this")

    def _missing(self, blueprint: Blueprint, group: Group) -> Iterator[str]:
        if group.path == "forklift" and not group.source_gone:
            yield from self._of_plan(blueprint, group)
        yield from self._of_records(group)
        yield from self._of_routes(group)
        for machine in group.machines:
            if "machines" in group.layers and machine.key in group.adopted:
                yield from self._of_record(machine, group.adopted[machine.key])
            if group.path == "virt-v2v":
                yield from self._of_machine(group, machine)
            elif group.path == "rebuild":
                yield from self._of_application(machine, machine.application)

    def _of_records(self, group: Group) -> Iterator[str]:
        """Yield the records that ExternalDNS is to change and that no DNSEndpoint has."""
        names = {machine.key: (machine.namespace, machine.target_name) for machine in group.machines}
        for change in group.dns:
            if isinstance(change.provider, ExternalDns):
                spec = self._objects.get((kinds.DNS_ENDPOINT.name, *names[change.vm]), {}).get("spec", {})
                if change.name not in {each["dnsName"] for each in spec.get("endpoints", ())}:
                    yield f"VM {names[change.vm][1]}: record {change.name}"

    def _of_routes(self, group: Group) -> Iterator[str]:
        """Yield the routes by which clients are to move and that are in no manifest."""
        for machine in group.machines if "route" in group.layers else ():
            route = machine.route
            known = (machine.namespace, machine.target_name)
            if route is not None and route.known and (KINDS[route.kind].name, *known) not in self._objects:
                yield f"VM {machine.name}: its route"

    # --- Forklift ----------------------------------------------------------------------------

    def _of_plan(self, blueprint: Blueprint, group: Group) -> Iterator[str]:
        namespace = blueprint.forklift.namespace
        plan, networks, storage = (
            self._objects.get((kind, namespace, group.full_name), {}).get("spec", {})
            for kind in ("Plan", "NetworkMap", "StorageMap")
        )
        taken = {(entry.get("id") or entry.get("name"), entry.get("targetName")) for entry in plan.get("vms", ())}
        on, off = _destinations(networks), _sources(storage)
        for machine in group.machines:
            if (machine.id or machine.name, machine.target_name) not in taken:
                yield f"VM {machine.name} of Plan {group.full_name}"
            for nic in machine.nics:
                if (nic.network.id or nic.network.name, nic.nad or "pod") not in on:
                    yield f"VM {machine.name}, {nic.name}: network {nic.network.name}"
            for dropped in machine.dropped_nics:
                if (dropped.network.id or dropped.network.name, "ignored") not in on:
                    yield f"VM {machine.name}, NIC {dropped.index + 1}: that {dropped.network.name} is not connected"
            for disk in machine.disks:
                if disk.datastore is not None and (disk.datastore.id or disk.datastore.name) not in off:
                    yield f"VM {machine.name}, {disk.name}: datastore {disk.datastore.name}"

    # --- virt-v2v ----------------------------------------------------------------------------

    def _of_machine(self, group: Group, machine: Machine) -> Iterator[str]:
        what, namespace = f"VM {machine.name}", machine.namespace
        if not machine.golden and not group.graduated and machine.key not in group.adopted:
            obj = self._objects.get(("VirtualMachine", namespace, machine.target_name))
            if obj is None:
                yield what
                return
            yield from _of_instance(what, machine, obj["spec"]["template"]["spec"])
            made = {each["metadata"]["name"] for each in obj["spec"].get("dataVolumeTemplates", ())}
            if machine.clone_of is not None:
                yield from (
                    f"{what}, {disk.name}: volume {disk.claim}" for disk in machine.disks if disk.claim not in made
                )
        for disk in machine.disks:
            claim = ("DataVolume", namespace, disk.claim)
            if disk.owner and machine.clone_of is None and claim not in self._objects:
                yield f"{what}, {disk.name}: volume {disk.claim}"
            if machine.golden and ("DataSource", namespace, disk.claim) not in self._objects:
                yield f"{what}, {disk.name}: DataSource {disk.claim}"
            if METHODS[group.method].converts and (namespace, disk.claim) not in self._mounted:
                yield f"{what}, {disk.name}: no Job fills volume {disk.claim}"

    # --- recorded as they are in the cluster -------------------------------------------------

    def _of_record(self, machine: Machine, spec: dict[str, Any]) -> Iterator[str]:
        """Yield what a VM lacks that was recorded: its manifest is the record. Only whether it runs is up to its stage.

        Its claims may have other names than were decided, such as after a restore, but there are not fewer.
        """
        what = f"VM {machine.name}"
        obj = self._objects.get(("VirtualMachine", machine.namespace, machine.target_name))
        if obj is None:
            yield what
        elif {**obj["spec"], "runStrategy": None} != {**spec, "runStrategy": None}:
            yield f"{what} as it was recorded"
        elif (few := lacks(obj["spec"], len(machine.disks), len(machine.nics))) is not None:
            yield f"{what}: its record has {few}"

    # --- containers --------------------------------------------------------------------------

    def _of_application(self, machine: Machine, application: Application | None) -> Iterator[str]:
        what, kind = f"application {machine.name}", application.kind if application else ""
        obj = self._objects.get((kind, machine.namespace, machine.target_name))
        if obj is None or application is None:
            yield what
            return
        pod = obj["spec"]["template"]["spec"]
        mounts = {mount["name"] for container in pod["containers"] for mount in container.get("volumeMounts", ())}
        claims = dict(_volumes(pod))
        own = {each["metadata"]["name"] for each in obj["spec"].get("volumeClaimTemplates", ())}
        for volume in machine.state:
            if volume.name not in mounts or not (volume.name in own or claims.get(volume.name) == volume.claim):
                yield f"{what}: volume {volume.name} is not mounted"
            numbers = range(application.replicas)
            names = (
                [f"{volume.name}-{machine.target_name}-{n}" for n in numbers] if volume.name in own else [volume.claim]
            )
            for name in names:
                if ("PersistentVolumeClaim", machine.namespace, name) not in self._objects:
                    yield f"{what}: volume {volume.name}, claim {name}"


def _of_instance(what: str, machine: Machine, spec: dict[str, Any]) -> Iterator[str]:
    """Yield what a VM's own manifest lacks; a disk must have both a volume and a device."""
    devices = spec["domain"]["devices"]
    shown = {disk["name"] for disk in devices.get("disks", ())}
    claims = {claim for name, claim in _volumes(spec) if name in shown}
    yield from (f"{what}, {disk.name}: {disk.claim}" for disk in machine.disks if disk.claim not in claims)
    networks = {network["name"]: network.get("multus", {}).get("networkName") for network in spec.get("networks", ())}
    attached = {
        (each["name"], networks[each["name"]], each.get("macAddress"))
        for each in devices.get("interfaces", ())
        if each["name"] in networks
    }
    for nic in machine.nics:
        if (nic.name, nic.nad, nic.mac) not in attached:
            yield f"{what}, {nic.name}: network {nic.network.name}"
    if len(attached) > len(machine.nics):
        yield f"{what}: {len(attached)} NICs are attached, and {len(machine.nics)} were decided"


def _volumes(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the names of a pod's or VM's volumes, and the claims behind them."""
    for volume in spec.get("volumes", ()):
        for kind, field in (("persistentVolumeClaim", "claimName"), ("dataVolume", "name")):
            if kind in volume:
                yield volume["name"], volume[kind].get(field, "")


def _claims(spec: dict[str, Any]) -> Iterator[str]:
    return (claim for _, claim in _volumes(spec))


def _destinations(spec: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the networks of a NetworkMap, each with its NAD, or `pod` or `ignored`."""
    found = set()
    for row in spec.get("map", ()):
        source, to = row["source"], row["destination"]
        nad = f"{to['namespace']}/{to['name']}" if to["type"] == "multus" else to["type"]
        found.add((source.get("id") or source.get("name"), nad))
    return found


def _sources(spec: dict[str, Any]) -> set[str]:
    return {row["source"].get("id") or row["source"].get("name") for row in spec.get("map", ())}
