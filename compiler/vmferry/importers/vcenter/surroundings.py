"""The surroundings of VMs: folders, pools, clusters, hosts, datastores and networks, with their paths."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from typing import Any

from pyVmomi import vim

from vmferry.importers.build import build
from vmferry.importers.cells import fits
from vmferry.importers.vcenter.collect import Paths, Record, key, unescape
from vmferry.kube.quantity import format_size
from vmferry.model.inventory import (
    InventoryCluster,
    InventoryDatastore,
    InventoryHost,
    InventoryNetwork,
    InventoryRule,
    ResourcePool,
)

_NETWORK = ("name", "host")
_PORT_GROUP = (
    "config.distributedVirtualSwitch",
    "config.defaultPortConfig",
    "config.uplink",
    "config.backingType",
    "config.segmentId",
    "config.logicalSwitchUuid",
    "config.transportZoneName",
    "config.transportZoneUuid",
)
_POOL = ("name", "parent", "owner", "config.cpuAllocation.limit", "config.memoryAllocation.limit")

PATHS: Paths = {
    vim.Folder: ("name", "parent"),
    vim.Datacenter: ("name", "parent"),
    vim.ComputeResource: ("name", "parent"),
    vim.ClusterComputeResource: ("name", "parent", "configurationEx"),
    vim.HostSystem: (
        "name",
        "parent",
        "summary.hardware.cpuModel",
        "summary.hardware.numCpuPkgs",
        "summary.hardware.numCpuCores",
        "summary.hardware.memorySize",
        "summary.hardware.numNics",
        "config.pciPassthruInfo",
        "summary.config.product.version",
        "config.network.portgroup",
        "config.network.vswitch",
    ),
    vim.ResourcePool: _POOL,
    vim.VirtualApp: (*_POOL, "parentFolder"),
    vim.Datastore: ("name", "summary.type", "summary.capacity", "summary.freeSpace"),
    vim.Network: _NETWORK,
    vim.OpaqueNetwork: (*_NETWORK, "summary"),
    vim.dvs.DistributedVirtualPortgroup: (*_NETWORK, *_PORT_GROUP),
    vim.DistributedVirtualSwitch: ("name", "config.uplinkPortgroup"),
    vim.dvs.VmwareDistributedVirtualSwitch: ("name", "config.maxMtu", "config.uplinkPortgroup"),
}

_COMPUTE = ("ComputeResource", "ClusterComputeResource")
_NETWORKS = ("Network", "OpaqueNetwork", "DistributedVirtualPortgroup")
_ALL_VLANS = 4095  # a standard port group with it passes every tag to the guest
_NSX_V = "-virtualwire-"  # vxw-dvs-35-virtualwire-12-sid-5011-web: a logical switch of NSX for vSphere


class Surroundings:
    """The objects around VMs, by id."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records: dict[str, Record] = {record.id: record for record in records}
        self._standard = _standard_groups(self._of("HostSystem"))
        self._hosts_by_datacenter: dict[str | None, list[str]] = defaultdict(list)
        for host in self._of("HostSystem"):
            self._hosts_by_datacenter[self.datacenter(host.get("parent"))].append(host.id)
        self._uplinks = {
            key(group) for record in self._records.values() for group in record.get("config.uplinkPortgroup") or ()
        }
        self.networks: Mapping[str, InventoryNetwork] = {r.id: self._network(r) for r in self._of(*_NETWORKS)}
        self.opaque: Mapping[str, str] = {
            network.segment_id: network.id
            for network in self.networks.values()
            if network.id and network.segment_id and self.kind(network.id) == "OpaqueNetwork"
        }
        self.rules: Mapping[str, list[str]] = self._rule_names()
        self.bound: frozenset[str] = self._bound_to_hosts()

    def kind(self, identity: str) -> str:
        """Return the type of an object by its id; empty if it is not visible."""
        return self._records[identity].kind if identity in self._records else ""

    def name(self, obj: Any) -> str | None:
        """Return the name of a reference; None if it is not visible."""
        record = self._records.get(key(obj)) if obj is not None else None
        return _name(record) if record else None

    def folder(self, parent: Any) -> str | None:
        """Return the path of a folder below its datacenter's VM folder: `/Prod/Web`; `/` is that folder itself."""
        names: list[str] = []
        for record in self._upward(parent):
            if record.kind == "Datacenter":
                return "/" + "/".join(reversed(names[:-1]))  # the last is `vm`, which every datacenter has
            names.append(_name(record))
        return None

    def names_above(self, start: Any) -> tuple[str, ...]:
        """Return the names of an object and the folders above it, outermost first, below its datacenter or the root."""
        names = [_name(record) for record in takewhile(lambda each: each.kind != "Datacenter", self._upward(start))]
        return tuple(reversed(names))

    def below(self, obj: Any, *kinds: str) -> tuple[str, ...]:
        """Return the names of the objects of some types below an object, sorted."""
        found = (
            record for record in self._of(*kinds) if any(up.id == key(obj) for up in self._upward(record.get("parent")))
        )
        return tuple(sorted({_name(record) for record in found}))

    def owner(self, pool: Any) -> str | None:
        """Return the cluster or standalone host that a resource pool is a part of."""
        record = self._records.get(key(pool))
        return self.name(record.get("owner")) if record else None

    def datacenter(self, *starts: Any) -> str | None:
        """Return the datacenter of the first object that has one."""
        return next(
            (_name(r) for start in starts for r in self._upward(start) if r.kind == "Datacenter"),
            None,
        )

    def datacenters(self) -> dict[str, str]:
        """Return the ids of all datacenters, by name."""
        return {_name(record): record.id for record in self._of("Datacenter")}

    def cluster(self, host: Any, pool: Any) -> str | None:
        """Return the cluster of a host, or of a pool if the host is not visible. A standalone host has none."""
        owner = self._records.get(key(pool)) if pool is not None else None
        for start in (host, owner.get("owner") if owner else None):
            for record in self._upward(start):
                if record.kind in _COMPUTE:
                    return _name(record) if record.kind == "ClusterComputeResource" else None
        return None

    def pool(self, pool: Any) -> str | None:
        """Return the path of a resource pool below the root pool: `Prod/Web`. None for the root pool."""
        names: list[str] = []
        for record in self._upward(pool):
            if record.kind not in ("ResourcePool", "VirtualApp"):
                break
            names.append(_name(record))
        return "/".join(reversed(names[:-1])) or None  # the last is `Resources`

    def vapp(self, vapp: Any, pool: Any) -> str | None:
        """Return a VM's vApp: its parentVApp, or its pool if that is a vApp."""
        if vapp is None and pool is not None and self.kind(key(pool)) == "VirtualApp":
            vapp = pool
        return self.name(vapp)

    def vapp_folder(self, vapp: Any) -> Any:
        """Return the folder of the outermost vApp: VMs in it have no folder of their own."""
        folder = None
        for record in self._upward(vapp):
            folder = record.get("parentFolder") or folder
        return folder

    def clusters(self) -> tuple[InventoryCluster, ...]:
        """Return the clusters, sorted by name."""
        found = (self._cluster(record) for record in self._of("ClusterComputeResource"))
        return tuple(sorted(found, key=lambda each: (each.name, each.id or "")))

    def hosts(self) -> tuple[InventoryHost, ...]:
        """Return the hosts, sorted by name."""
        found = (
            build(
                InventoryHost,
                record,
                name=_name(record),
                id=record.id,
                cluster=self.cluster(record.get("parent"), None),
                cpu_model=fits(" ".join((record.get("summary.hardware.cpuModel") or "").split())),
                cpus=record.get("summary.hardware.numCpuPkgs"),
                cores=record.get("summary.hardware.numCpuCores"),
                memory=record.get("summary.hardware.memorySize"),
                nics=record.get("summary.hardware.numNics"),
                iommu=_iommu(record.get("config.pciPassthruInfo")),
                version=fits(record.get("summary.config.product.version")),
            )
            for record in self._of("HostSystem")
        )
        return tuple(sorted(found, key=lambda each: (each.name, each.id or "")))

    def datastores(self) -> tuple[InventoryDatastore, ...]:
        """Return the datastores, sorted by name."""
        found = (
            build(
                InventoryDatastore,
                record,
                name=_name(record),
                id=record.id,
                kind=fits(record.get("summary.type")),
                capacity=record.get("summary.capacity"),
                free=record.get("summary.freeSpace"),
            )
            for record in self._of("Datastore")
        )
        return tuple(sorted(found, key=lambda each: (each.name, each.id or "")))

    def pools(self) -> tuple[ResourcePool, ...]:
        """Return the resource pools below the root pools, sorted by cluster and path."""
        return tuple(sorted(self._pools(), key=lambda each: (each.cluster or "", each.path)))

    # --- one object ---------------------------------------------------------------------------

    def _of(self, *kinds: str) -> Iterator[Record]:
        return (record for record in self._records.values() if record.kind in kinds)

    def _upward(self, start: Any) -> Iterator[Record]:
        """Yield an object and its ancestors, up to the root."""
        seen: set[str] = set()
        while start is not None and (identity := key(start)) in self._records and identity not in seen:
            seen.add(identity)
            yield self._records[identity]
            start = self._records[identity].get("parent")

    def _pools(self) -> Iterator[ResourcePool]:
        for record in self._of("ResourcePool", "VirtualApp"):
            path = self._path_of_pool(record)
            if path is None:
                continue
            cpu, memory = (record.get(f"config.{what}Allocation.limit") for what in ("cpu", "memory"))
            owner = record.get("owner")
            yield build(
                ResourcePool,
                record,
                path=path,
                cluster=self.name(owner) if owner and self.kind(key(owner)) == "ClusterComputeResource" else None,
                cpu_limit=cpu if cpu is not None and cpu >= 0 else None,
                memory_limit=format_size(memory << 20) if memory is not None and memory > 0 else None,
            )

    def _path_of_pool(self, record: Record) -> str | None:
        above = self.pool(record.get("parent"))
        parent = record.get("parent")
        if parent is None or self.kind(key(parent)) not in ("ResourcePool", "VirtualApp"):
            return None
        return f"{above}/{_name(record)}" if above else _name(record)

    def _network(self, record: Record) -> InventoryNetwork:
        if record.kind == "OpaqueNetwork":
            summary = record.get("summary")
            return build(
                InventoryNetwork,
                record,
                name=_name(record),
                id=record.id,
                kind="nsx-t",
                segment_id=fits(getattr(summary, "opaqueNetworkId", None)),
            )
        if record.kind == "DistributedVirtualPortgroup":
            return self._port_group(record)
        return self._standard_network(record)

    def _port_group(self, record: Record) -> InventoryNetwork:
        name = _name(record)
        switch = record.get("config.distributedVirtualSwitch")
        switches = self._records.get(key(switch)) if switch is not None else None
        nsx = record.get("config.backingType") == "nsx"
        wire = name[name.index(_NSX_V) + 1 :].split("-sid-")[0] if name.startswith("vxw-") and _NSX_V in name else None
        setting = record.get("config.defaultPortConfig")
        spec = getattr(setting, "vlan", None)
        vlan, trunk = _vlans(spec)
        segment = record.get("config.segmentId") or record.get("config.logicalSwitchUuid") if nsx else wire
        zone = record.get("config.transportZoneName") or record.get("config.transportZoneUuid")
        return build(
            InventoryNetwork,
            record,
            name=name,
            id=record.id,
            kind="nsx-t" if nsx else "nsx-v" if wire else "distributed",
            switch=_name(switches) if switches else None,
            vlan=vlan,
            trunk=trunk,
            untagged=not nsx and wire is None and _untagged(spec),
            segment_id=fits(segment),
            transport_zone=fits(zone),
            mtu=_mtu(switches.get("config.maxMtu")) if switches else None,
            uplink=bool(record.get("config.uplink")) or record.id in self._uplinks,
            accepts=_accepted(getattr(setting, "securityPolicy", None), getattr(setting, "macManagementPolicy", None)),
        )

    def _standard_network(self, record: Record) -> InventoryNetwork:
        """Return a standard port group, which hosts define by name; values on which they disagree are left out."""
        hosts = [key(host) for host in record.get("host") or ()]
        hosts = hosts or self._hosts_by_datacenter[self.datacenter(record.get("parent"))]
        known = [group for host in hosts if (group := self._standard.get((host, record.get("name"))))]
        vlans, switches, mtus = ({group[part] for group in known} for part in ("vlan", "switch", "mtu"))
        vlan = vlans.pop() if len(vlans) == 1 else None
        return build(
            InventoryNetwork,
            record,
            name=_name(record),
            id=record.id,
            kind="standard",
            switch=fits(switches.pop()) if len(switches) == 1 else None,
            vlan=vlan if vlan and vlan < _ALL_VLANS else None,
            trunk=("0-4094",) if vlan == _ALL_VLANS else (),
            untagged=vlan == 0,
            mtu=_mtu(mtus.pop()) if len(mtus) == 1 else None,
            accepts=_accepted(*(group["security"] for group in known)),
        )

    # --- rules of clusters --------------------------------------------------------------------

    def _cluster(self, record: Record) -> InventoryCluster:
        config = record.get("configurationEx")
        return build(
            InventoryCluster,
            record,
            name=_name(record),
            id=record.id,
            datacenter=self.datacenter(record.get("parent")),
            drs=_switch(config, "drsConfig"),
            dpm=_switch(config, "dpmConfigInfo"),
            ha=_switch(config, "dasConfig"),
            rules=tuple(sorted(_rules(config), key=lambda rule: (rule.name, rule.kind, rule.vms))),
        )

    def _rule_names(self) -> Mapping[str, list[str]]:
        names: dict[str, list[str]] = defaultdict(list)
        for record in self._of("ClusterComputeResource"):
            for rule in _rules(record.get("configurationEx")):
                for vm in rule.vms:
                    names[vm].append(rule.name)
        return names

    def _bound_to_hosts(self) -> frozenset[str]:
        return frozenset(
            vm
            for record in self._of("ClusterComputeResource")
            for rule in _rules(record.get("configurationEx"))
            if rule.kind == "host-affinity" and rule.enabled
            for vm in rule.vms
        )


def _name(record: Record) -> str:
    return fits(unescape(record.get("name") or "")) or record.id


def _switch(config: Any, part: str) -> bool | None:
    """Return whether a service of a cluster is on."""
    enabled = getattr(getattr(config, part, None), "enabled", None)
    return bool(enabled) if enabled is not None else None


def _mtu(value: int | None) -> int | None:
    return value if value and 576 <= value <= 65535 else None


def _accepted(*policies: Any) -> tuple[str, ...]:
    """Return what any of some security policies of a port group accepts.

    Those of a distributed one have each setting in a policy of its own (vim.BoolPolicy), or since 6.7 as it is
    (VmwareDistributedVirtualSwitch.MacManagementPolicy); that of a standard one is effective with what it inherits.
    """
    settings = {"allowPromiscuous": "promiscuous", "macChanges": "macChanges", "forgedTransmits": "forgedTransmits"}
    found = [
        name
        for setting, name in settings.items()
        if any(_on(getattr(policy, setting, None)) for policy in policies if policy is not None)
    ]
    if any(_on(getattr(getattr(policy, "macLearningPolicy", None), "enabled", None)) for policy in policies):
        found.append("macLearning")
    return tuple(found)


def _on(setting: Any) -> bool:
    return bool(getattr(setting, "value", setting))


def _vlans(spec: Any) -> tuple[int | None, tuple[str, ...]]:
    """Return VLAN and trunk of a distributed port group. VLAN 0 means none; a private VLAN counts with its own id."""
    vmware = vim.dvs.VmwareDistributedVirtualSwitch
    if isinstance(spec, vmware.TrunkVlanSpec):
        ranges = sorted((part.start, part.end) for part in spec.vlanId)
        return None, tuple(f"{start}" if start == end else f"{start}-{end}" for start, end in ranges)
    if isinstance(spec, vmware.PvlanSpec):
        return spec.pvlanId or None, ()
    if isinstance(spec, vmware.VlanIdSpec) and 0 < spec.vlanId < _ALL_VLANS:
        return spec.vlanId, ()
    return None, ()


def _untagged(spec: Any) -> bool:
    return isinstance(spec, vim.dvs.VmwareDistributedVirtualSwitch.VlanIdSpec) and spec.vlanId == 0


def _standard_groups(hosts: Iterable[Record]) -> Mapping[tuple[str, str], dict[str, Any]]:
    """Return VLAN, switch and MTU of every standard port group, by host and name."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for host in hosts:
        mtus = {switch.name: switch.mtu for switch in host.get("config.network.vswitch") or ()}
        for group in host.get("config.network.portgroup") or ():
            spec = group.spec
            groups[host.id, spec.name] = {
                "vlan": spec.vlanId,
                "switch": spec.vswitchName,
                "mtu": mtus.get(spec.vswitchName),
                "security": getattr(group.computedPolicy, "security", None),
            }
    return groups


def _rules(config: Any) -> Iterator[InventoryRule]:
    """Yield the rules of a cluster (ClusterConfigInfoEx.rule), with the VMs of their groups."""
    groups = {group.name: group.vm for group in getattr(config, "group", None) or () if hasattr(group, "vm")}
    for rule in getattr(config, "rule", None) or ():
        kind, vms = _rule(rule, groups)
        yield InventoryRule(
            name=fits(rule.name) or "?",
            kind=kind,
            vms=tuple(sorted(key(vm) for vm in vms or ())),
            enabled=bool(rule.enabled),
        )


def _rule(rule: Any, groups: Mapping[str, Any]) -> tuple[Any, Any]:
    if isinstance(rule, vim.cluster.AffinityRuleSpec):
        return "affinity", rule.vm
    if isinstance(rule, vim.cluster.AntiAffinityRuleSpec):
        return "anti-affinity", rule.vm
    if isinstance(rule, vim.cluster.VmHostRuleInfo):
        return "host-affinity", groups.get(rule.vmGroupName or "")
    if isinstance(rule, vim.cluster.DependencyRuleInfo):
        members = [vm for name in (rule.vmGroup, rule.dependsOnVmGroup) for vm in groups.get(name or "") or ()]
        return "dependency", list({key(vm): vm for vm in members}.values())
    return "other", ()


def _iommu(devices: Any) -> bool | None:
    """Return whether any PCI device can be passed through, for which the IOMMU must be on; None if none is known.

    Source: vim.host.PciPassthruInfo, passthruCapable.
    """
    return any(device.passthruCapable for device in devices) if devices else None
