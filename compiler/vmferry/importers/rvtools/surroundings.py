"""From the tabs of hosts, clusters, datastores, port groups and pools to the surroundings of a vCenter's VMs."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from vmferry.importers.build import build
from vmferry.importers.cells import boolean, count, fits
from vmferry.importers.rvtools.machines import Record, pool
from vmferry.importers.rvtools.rows import Row
from vmferry.kube.quantity import format_size
from vmferry.model.inventory import (
    InventoryCluster,
    InventoryDatastore,
    InventoryHost,
    InventoryNetwork,
    InventoryRule,
    ResourcePool,
)

TABS = ("vHost", "vCluster", "vRP", "vDatastore", "vPort", "dvPort", "vSwitch", "dvSwitch")
_MTU = range(576, 65536)
_EVERY_VLAN = ("0-4094",)
T = TypeVar("T")


class Surroundings(NamedTuple):
    """The surroundings of one vCenter's VMs, each list sorted."""

    networks: tuple[InventoryNetwork, ...] = ()
    datastores: tuple[InventoryDatastore, ...] = ()
    clusters: tuple[InventoryCluster, ...] = ()
    hosts: tuple[InventoryHost, ...] = ()
    resource_pools: tuple[ResourcePool, ...] = ()


def surroundings(rows: Mapping[str, Sequence[Row]], records: Sequence[Record]) -> Surroundings:
    """Return the surroundings: from their own tabs or, if these are missing, from the VMs."""
    return Surroundings(
        networks=tuple(_networks(rows, records)),
        datastores=tuple(_datastores(rows["vDatastore"])),
        clusters=tuple(_clusters(rows, records)),
        hosts=tuple(_hosts(rows["vHost"])),
        resource_pools=tuple(_pools(rows["vRP"])),
    )


def ids_by_name(networks: Iterable[InventoryNetwork]) -> dict[tuple[str, str | None], str]:
    """Return the ids of networks by name and switch, and without a switch if only one network has the name."""
    found: defaultdict[tuple[str, str | None], list[str | None]] = defaultdict(list)
    for network in networks:
        for switch in {network.switch, None}:
            found[network.name, switch].append(network.id)
    return {key: ids[0] for key, ids in found.items() if len(ids) == 1 and ids[0] is not None}


# --- networks -----------------------------------------------------------------------------------------


def _networks(rows: Mapping[str, Sequence[Row]], records: Sequence[Record]) -> list[InventoryNetwork]:
    mtu = _mtus(rows)
    found: dict[tuple[str, str | None, str | None], InventoryNetwork] = {}
    for row in rows["dvPort"]:
        name, switch = fits(row.cells.get("name")), fits(row.cells.get("switch"))
        if name is not None:
            found.setdefault(
                (name, switch, None),
                build(
                    InventoryNetwork,
                    row,
                    name=name,
                    uplink=_is_uplink(row),
                    id=fits(row.cells.get("id")),
                    switch=switch,
                    mtu=mtu.get(switch or ""),
                    kind="distributed",
                    accepts=_accepted([row]),
                    **_vlan([row]),
                ),
            )
    for (name, switch, datacenter), same in _standard(rows["vPort"]).items():  # a row for each host
        network = build(
            InventoryNetwork,
            same[0],
            name=name,
            switch=switch,
            mtu=mtu.get(switch or ""),
            kind="standard",
            datacenter=datacenter,
            accepts=_accepted(same),
            **_vlan(same),
        )
        found.setdefault((name, switch, datacenter), network)
    known = {name for name, *_ in found}
    distributed = {fits(row.cells.get("switch")) for row in rows["dvSwitch"]}
    for name, switch in _used(records):
        if name not in known:
            network = build(
                InventoryNetwork,
                f"network {name!r} of vNetwork",
                name=name,
                switch=switch,
                mtu=mtu.get(switch or ""),
                kind="distributed" if switch and switch in distributed else None,
            )
            found.setdefault((name, switch, None), network)
    return sorted(found.values(), key=_place)


def _place(network: InventoryNetwork) -> tuple[str, ...]:
    return network.name, network.switch or "", network.datacenter or "", network.id or ""


def _standard(rows: Sequence[Row]) -> dict[tuple[str, str | None, str | None], list[Row]]:
    """Return the rows of each standard port group by name, switch and, if ambiguous, datacenter.

    Hosts of one datacenter use the same names for a port group and its switch so that VMs can move; in another
    datacenter it is another network.
    """
    hosts: defaultdict[tuple[str, str | None, str | None], list[Row]] = defaultdict(list)
    for row in rows:
        name = fits(row.cells.get("name"))
        if name is not None:
            hosts[name, fits(row.cells.get("switch")), fits(row.cells.get("datacenter"))].append(row)
    places = Counter(name for name, _, _ in hosts)
    result: defaultdict[tuple[str, str | None, str | None], list[Row]] = defaultdict(list)
    for (name, switch, datacenter), same in hosts.items():
        result[name, switch, datacenter if places[name] > 1 else None] += same
    return result


def _used(records: Sequence[Record]) -> Iterable[tuple[str, str | None]]:
    """Yield the networks of VMs, with their switch if a row has it."""
    switched: dict[str, str | None] = {}
    for record in records:
        for row in record.rows["vNetwork"]:
            name = fits(row.cells.get("network"))
            if name is not None:
                switched[name] = switched.get(name) or fits(row.cells.get("switch"))
        for number in range(1, 9):
            name = fits(record.row.cells.get(f"network_{number}"))
            if name is not None:
                switched.setdefault(name, None)
    return switched.items()


def _mtus(rows: Mapping[str, Sequence[Row]]) -> dict[str, int]:
    """Return the MTU of each switch; of a standard one only if all hosts agree."""
    seen: defaultdict[str, set[int]] = defaultdict(set)
    for row in (*rows["vSwitch"], *rows["dvSwitch"]):
        value = count(row.cells.get("mtu"))
        if value in _MTU and value is not None:
            for field in ("switch", "name"):
                if field in row.cells:
                    seen[row.cells[field]].add(value)
    return {switch: next(iter(values)) for switch, values in seen.items() if len(values) == 1}


def _is_uplink(row: Row) -> bool:
    """Return whether a port group carries uplinks: vCenter names those after the switch, as in dvs-DVUplinks-42."""
    return "dvuplinks" in row.cells.get("name", "").casefold() or "uplink" in row.cells.get("kind", "").casefold()


def _accepted(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return what the security policy of a port group accepts, on any host."""
    policies = (("promiscuous", "promiscuous"), ("mac_changes", "macChanges"), ("forged_transmits", "forgedTransmits"))
    return tuple(name for column, name in policies if any(boolean(row.cells.get(column)) for row in rows))


def _vlan(rows: Sequence[Row]) -> dict[str, Any]:
    """Return VLAN or trunk, if all rows of a network agree."""
    texts = {re.sub(r"\s", "", row.cells.get("vlan", "")) for row in rows}
    if len(texts) != 1:
        return {}
    text = texts.pop()
    number = count(text)
    if number is not None and "," not in text:
        if number == 4095:  # a standard port group that passes tags on to the guest
            return {"trunk": _EVERY_VLAN}
        if number == 0:
            return {"untagged": True}
        return {"vlan": number} if number <= 4094 else {}
    parts = re.split(r"[,;]", text)
    return {"trunk": tuple(parts)} if all(re.fullmatch(r"[0-9]{1,4}(-[0-9]{1,4})?", part) for part in parts) else {}


# --- the rest -----------------------------------------------------------------------------------------


def _hosts(rows: Sequence[Row]) -> list[InventoryHost]:
    found: dict[str, InventoryHost] = {}
    for row in rows:
        name = fits(row.cells.get("host"))
        if name is not None:
            found.setdefault(
                name,
                build(
                    InventoryHost,
                    row,
                    name=name,
                    id=fits(row.cells.get("id")),
                    cluster=fits(row.cells.get("cluster")),
                    cpu_model=fits(row.cells.get("cpu_model")),
                    cpus=count(row.cells.get("cpus")),
                    cores=count(row.cells.get("cores")),
                    memory=count(row.cells.get("memory")),
                    nics=count(row.cells.get("nics")),
                    version=fits(row.cells.get("version")),
                ),
            )
    return [found[name] for name in sorted(found)]


def _datastores(rows: Sequence[Row]) -> list[InventoryDatastore]:
    found: dict[tuple[str, str], InventoryDatastore] = {}
    for row in rows:
        name, key = fits(row.cells.get("name")), fits(row.cells.get("id"))
        if name is not None:
            found.setdefault(
                (name, key or ""),
                build(
                    InventoryDatastore,
                    row,
                    name=name,
                    id=key,
                    kind=fits(row.cells.get("kind")),
                    capacity=count(row.cells.get("capacity")),
                    free=count(row.cells.get("free")),
                ),
            )
    return [found[key] for key in sorted(found)]


def _clusters(rows: Mapping[str, Sequence[Row]], records: Sequence[Record]) -> list[InventoryCluster]:
    own: dict[str, Row] = {}
    for row in rows["vCluster"]:
        name = fits(row.cells.get("name"))
        if name is not None:
            own.setdefault(name, row)
    datacenters: defaultdict[str, set[str]] = defaultdict(set)
    for row in (*rows["vHost"], *(record.row for record in records)):
        name, datacenter = fits(row.cells.get("cluster")), fits(row.cells.get("datacenter"))
        if name is not None:
            datacenters[name].update([datacenter] if datacenter else [])
    rules = _rules(records)
    result = []
    for name in sorted({*own, *datacenters}):
        said = own.get(name)
        cells = said.cells if said else {}
        inside = datacenters.get(name, set())
        result.append(
            build(
                InventoryCluster,
                said or f"cluster {name!r}",
                name=name,
                rules=tuple(rules.get(name, ())),
                id=fits(cells.get("id")),
                datacenter=fits(cells.get("datacenter")) or (next(iter(inside)) if len(inside) == 1 else None),
                drs=boolean(cells.get("drs")),
                dpm=boolean(cells.get("dpm")),
                ha=boolean(cells.get("ha")),
            )
        )
    return result


def _rules(records: Sequence[Record]) -> dict[str, list[InventoryRule]]:
    """Return the rules of each cluster, from its VMs in vInfo."""
    members: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    kinds: dict[tuple[str, str], str] = {}
    for record in records:
        cells = record.row.cells
        cluster, vm = fits(cells.get("cluster")), fits(cells.get("id")) or fits(cells.get("vm"))
        names = [name for part in re.split(r"[,;\n]", cells.get("rule_names", "")) if (name := fits(part))]
        said = [part for part in re.split(r"[,;\n]", cells.get("rules", "")) if part.strip()]
        for index, name in enumerate(names):
            if cluster is not None and vm is not None:
                members[cluster, name].append(vm)
                kinds.setdefault((cluster, name), _kind(said[index]) if len(said) == len(names) else "other")
    result: defaultdict[str, list[InventoryRule]] = defaultdict(list)
    for (cluster, name), vms in sorted(members.items()):
        where = f"rule {name!r} of cluster {cluster!r}"
        rule = build(InventoryRule, where, name=name, kind=kinds[cluster, name], vms=tuple(sorted(set(vms))))
        result[cluster].append(rule)
    return result


def _kind(text: str) -> str:
    words = text.casefold()
    if "host" in words:
        return "host-affinity"
    if "depend" in words:
        return "dependency"
    if "anti" in words or "separate" in words:
        return "anti-affinity"
    return "affinity" if "affin" in words or "together" in words else "other"


def _pools(rows: Sequence[Row]) -> list[ResourcePool]:
    found: dict[tuple[str, str], ResourcePool] = {}
    for row in rows:
        whole = row.cells.get("path", "")
        path = pool(whole)
        if path is None:
            continue
        parts = [part for part in whole.split("/") if part]
        cluster = fits(parts[parts.index("Resources") - 1]) if "Resources" in parts[1:] else None
        memory = count(row.cells.get("memory_limit"))  # -1 means no limit, and is not a valid count
        found.setdefault(
            (path, cluster or ""),
            build(
                ResourcePool,
                row,
                path=path,
                cluster=cluster,
                cpu_limit=count(row.cells.get("cpu_limit")),
                memory_limit=format_size(memory) if memory else None,
            ),
        )
    return [found[key] for key in sorted(found)]
