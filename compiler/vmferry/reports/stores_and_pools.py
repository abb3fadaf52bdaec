"""Datastores and resource pools of the networks document: who is on them, and what they become."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from vmferry.estate.wording import counted, size
from vmferry.kube.quantity import parse_size
from vmferry.model.inventory import InventoryDatastore
from vmferry.model.report import Block, Cell, Column, Prose, Row, Table
from vmferry.model.review import Review, Subject
from vmferry.reports.census import NONE, Picked, datastore_names
from vmferry.reports.content import Material


class DatastoreUse(Struct, frozen=True, kw_only=True):
    """A datastore. Sizes are in bytes; None is unknown."""

    name: str
    source: str
    kind: str | None
    capacity: int | None
    free: int | None
    vms: int
    disks: int
    size: int
    classes: dict[str, int]  # disks by StorageClass
    refused: dict[str, int]  # why other classes were refused, with the number of disks


class PoolUse(Struct, frozen=True, kw_only=True):
    """A resource pool, and a namespace that its VMs go to."""

    pool: str
    namespace: str
    vms: int
    quota: str
    basis: str


# --- datastores -------------------------------------------------------------------------------


def datastores_of(material: Material) -> Iterator[DatastoreUse]:
    """Yield every datastore with a disk, by name."""
    review = material.review
    facts: dict[tuple[str, str], InventoryDatastore] = {
        (part.source.name, datastore.name): datastore
        for part in review.project.inventories
        for datastore in part.datastores
    }
    names = datastore_names(review)
    found: defaultdict[tuple[str, str], list[tuple[Subject, int]]] = defaultdict(list)
    for subject in review.subjects:
        for index, disk in enumerate(subject.vm.disks or ()):
            if disk.datastore is not None:
                name = names.get((subject.source, disk.datastore), disk.datastore)
                found[subject.source, name].append((subject, index))
    for (source, name), disks in sorted(found.items(), key=lambda item: (item[0][1], item[0][0])):
        fact = facts.get((source, name))
        made = [
            (subject, disk)
            for subject, index in disks
            if subject.machine is not None
            for disk in subject.machine.disks
            if disk.index == index
        ]
        yield DatastoreUse(
            name=name,
            source=source,
            kind=fact.kind if fact is not None else None,
            capacity=fact.capacity if fact is not None else None,
            free=fact.free if fact is not None else None,
            vms=len({subject.key for subject, _ in disks}),
            disks=len(disks),
            size=sum(disk.size for _, disk in made if disk.owner) + _undecided(material, disks),
            classes=dict(sorted(Counter(disk.storage_class for _, disk in made).items())),
            refused=_reasons(review, ((subject, disk.name) for subject, disk in made)),
        )


def _undecided(material: Material, disks: Iterable[tuple[Subject, int]]) -> int:
    """Return the bytes of disks that move with VMs that have no group yet; a shared one counts once."""
    sizes: dict[object, int] = {}
    for subject, index in disks:
        disk = (subject.vm.disks or ())[index]
        if subject.machine is None and subject.key in material.copied:
            sizes[disk.shared or (subject.key, index)] = parse_size(disk.size)
    return sum(sizes.values())


def _reasons(review: Review, disks: Iterable[tuple[Subject, str]]) -> dict[str, int]:
    """Return why StorageClasses were refused, with the number of disks, most first."""
    counts: Counter[str] = Counter()
    for subject, name in disks:
        for decision in review.blueprint.decisions.get(subject.key, ()):
            if decision.subject == name:
                counts.update(decision.refused)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


_OF_DATASTORE = (
    Column("datastore"),
    Column("source"),
    Column("kind"),
    Column("capacity", "bytes"),
    Column("free", "bytes"),
    Column("VMs", "count"),
    Column("disks", "count"),
    Column("size that moves", "bytes"),
    Column("StorageClasses"),
)


def _datastore_row(use: DatastoreUse, vms: Picked) -> Row:
    of = vms.where("source", use.source).where("datastore", use.name)
    count = Cell(use.vms, of=of.facets) if len(of.vms) == use.vms else Cell(use.vms)
    classes = ", ".join(f"{name} ({counted(disks, 'disk')})" for name, disks in use.classes.items())
    return (use.name, use.source, use.kind, use.capacity, use.free, count, use.disks, use.size, classes)


def _refused(datastores: Iterable[DatastoreUse]) -> Iterator[str]:
    for use in datastores:
        if use.refused:
            reasons = "; ".join(f"{reason} ({counted(disks, 'disk')})" for reason, disks in use.refused.items())
            yield f"{use.name} ({use.source}, {size(use.size)}): {reasons}"


# --- resource pools ---------------------------------------------------------------------------


def pools_of(material: Material) -> Iterator[PoolUse]:
    """Yield the namespaces that the VMs of each resource pool go to."""
    plans = {plan.name: plan for plan in material.review.blueprint.namespaces}
    for pool, inside in sorted(material.vms.where("moves", "yes").by("pool")):
        for namespace, picked in sorted(inside.by("namespace")):
            plan = plans.get(namespace)
            yield PoolUse(
                pool=pool,
                namespace=namespace,
                vms=len(picked.vms),
                quota=_quota(plan.quota) if plan is not None else "",
                basis=plan.quota_basis if plan is not None else "",
            )


def _quota(quota: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(quota.items()))


_OF_POOL = (
    Column("resource pool"),
    Column("namespace"),
    Column("VMs", "count"),
    Column("quota of the namespace"),
    Column("made of"),
)


def _pool_row(use: PoolUse, vms: Picked) -> Row:
    of = vms.where("moves", "yes").where("pool", use.pool).where("namespace", use.namespace)
    namespace = use.namespace if use.namespace != NONE else "not decided"
    return (use.pool, namespace, of.count, use.quota, use.basis)


# --- blocks ---


def blocks(datastores: Iterable[DatastoreUse], pools: Iterable[PoolUse], vms: Picked) -> Iterator[Block]:
    """Yield both chapters."""
    stores = tuple(datastores)
    rows = [_datastore_row(each, vms) for each in stores]
    yield Table("Datastores", "datastore", _OF_DATASTORE, rows, covers="some")
    yield Prose("Refused StorageClasses", tuple(_refused(stores)))
    rows = [_pool_row(each, vms) for each in pools]
    yield Table("Resource pools", "resource pool", _OF_POOL, rows, covers=vms.where("moves", "yes").facets)
