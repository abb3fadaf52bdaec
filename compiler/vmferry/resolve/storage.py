"""The StorageClass of each disk: by requirements, with the rejected ones and why."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from vmferry.estate.statements import DEFINED_TWICE, NOT_APPLICABLE, UNDEFINED_REFERENCE, UNKNOWN_FACT
from vmferry.estate.storage_map import StorageRows
from vmferry.kube.dns import digest
from vmferry.kube.provisioners import Claim, claims, needs_modes
from vmferry.model.blueprint import ArrayCopy, SourceRef
from vmferry.model.facts import Disk
from vmferry.model.finding import Where
from vmferry.model.keys import VmKey, disk_key
from vmferry.model.rule import declare
from vmferry.model.spec import AccessMode, LiveMigration, Storage, StorageClass, VolumeMode
from vmferry.resolve.notes import Noting, collect, decide
from vmferry.resolve.paths import Route
from vmferry.resolve.selection import Candidate


class Volume(Struct, frozen=True, kw_only=True):
    """The target volume of one disk."""

    storage_class: str
    access_mode: AccessMode
    volume_mode: VolumeMode
    bind_immediately: bool
    datastore: SourceRef | None = None  # its name in the storage map
    offload: ArrayCopy | None = None  # how the storage array can copy it


class Unfit(Struct, frozen=True, kw_only=True):
    """Why no class fits a disk; equal for all disks with the same requirements at the same place."""

    where: Where
    what: str
    refused: tuple[str, ...]


class Need(Struct, frozen=True, kw_only=True):
    """The requirements of a disk on its class."""

    storage_class: str | None = None
    tier: str | None = None
    shared: bool = False  # several VMs write it: ReadWriteMany and Block
    live_migration: LiveMigration = "preferred"
    filesystem: bool = False  # a container mounts it
    iops: int | None = None
    source: str = ""  # origin of the requirement, in words
    where: Where


IMPOSSIBLE_CLASS = declare(
    "VMF303",
    "error",
    "impossible or unknown StorageClass",
    why="An access mode that the driver does not support is accepted when the class is written down; the claim then "
    "waits forever. For a provisioner that CDI does not know, nothing follows from its name: CDI has no profile "
    "for it and creates no claim without access modes.",
    source="kubevirt/containerized-data-importer pkg/storagecapabilities/storagecapabilities.go, "
    "pkg/controller/datavolume/util.go",
)


class StorageMap:
    """The classes of the target, and which of them a disk gets."""

    def __init__(self, storage: Storage, where: Where, copies: Mapping[int, ArrayCopy] | None = None) -> None:
        self.copies = copies or {}  # by row
        self._chosen: dict[Need, _Chosen] = {}
        self.where = where.at("storage")
        self.classes = {item.name: item for item in storage.classes}
        self.claims = {item.name: claims(item) for item in storage.classes}
        self.rows = StorageRows(storage.map)
        self.empty_tiers: frozenset[str] = frozenset()  # of rows; reported once, not again for every disk
        self.empty_rows: set[int] = set()  # their class does not exist; reported likewise
        self.storage = storage
        _, self.notes = collect(self._check())  # problems of the map itself

    def _check(self) -> Noting[None]:
        tiers = {item.tier for item in self.storage.classes if item.tier is not None}
        without: defaultdict[str, list[Where]] = defaultdict(list)
        seen: set[str] = set()
        for index, item in enumerate(self.storage.classes):
            yield from self._check_class(item, self.where.at("classes", index), item.name in seen)
            seen.add(item.name)
        for index, row in enumerate(self.storage.map):
            where = self.where.at("map", index)
            if (row.tier is None) == (row.storage_class is None):
                yield NOT_APPLICABLE.finding(f"datastore {row.source.datastore}: set tier or storageClass", where=where)
            if row.tier is not None and row.tier not in tiers:
                without[row.tier].append(where.at("tier"))
            if row.storage_class is not None and row.storage_class not in self.classes:
                self.empty_rows.add(index)
                yield UNDEFINED_REFERENCE.finding(
                    f"StorageClass {row.storage_class} is not defined",
                    f"known classes: {', '.join(self.classes) or 'none'}",
                    where=where.at("storageClass"),
                )
        for index, name in self.rows.twice:
            yield DEFINED_TWICE.finding(
                f"datastore {name!r} is mapped twice",
                "remove one row; if they are two datastores with the same name, use each one's id instead of "
                "the name as well, here and in the disks",
                where=self.where.at("map", index, "source"),
            )
        self.empty_tiers = frozenset(without)
        for tier, places in without.items():
            yield UNDEFINED_REFERENCE.finding(
                f"no StorageClass has tier {tier!r}" + (f" ({len(places)} datastores)" if len(places) > 1 else ""),
                f"add one to `storage.classes`; known tiers: {', '.join(sorted(tiers)) or 'none'}",
                where=places[0],
            )

    def _check_class(self, item: StorageClass, where: Where, twice: bool) -> Noting[None]:
        if twice:
            yield DEFINED_TWICE.finding(f"StorageClass {item.name} is defined twice", where=where.at("name"))
        if wrong := needs_modes(item):
            yield IMPOSSIBLE_CLASS.finding(
                f"StorageClass {item.name}: {item.provisioner} has no {', '.join(wrong)}",
                "according to CDI's table of provisioners; state only what the driver supports",
                where=where,
            )
        elif not self.claims[item.name]:
            yield IMPOSSIBLE_CLASS.finding(
                f"StorageClass {item.name}: the capabilities of {item.provisioner} are unknown",
                "state accessModes and volumeModes",
                where=where.at("provisioner"),
            )

    def choose(self, need: Need) -> "_Chosen":
        """Return the volume for some requirements, the reason, and the rejected classes with their reasons."""
        chosen = self._chosen.get(need)
        if chosen is None:  # thousands of disks have the same requirements
            chosen = self._chosen[need] = self._choose(need)
        return chosen

    def _choose(self, need: Need) -> "_Chosen":
        refused: list[str] = []
        fitting: list[tuple[tuple[int, ...], StorageClass, Claim]] = []
        for order, item in enumerate(self.storage.classes):
            possible = self._possible(item, need)
            if isinstance(possible, str):
                refused.append(f"{item.name}: {possible}")
                continue
            claim = min(possible, key=lambda c: _rank(c, need.live_migration))
            rank = (*_rank(claim, need.live_migration), not item.snapshots, len(item.zones), order)
            fitting.append((rank, item, claim))
        if not fitting:
            return None, "", tuple(refused)
        fitting.sort(key=lambda entry: entry[0])
        _, best, (access, mode) = fitting[0]
        refused += [f"{item.name}: comes after {best.name}" for _, item, _ in fitting[1:]]
        volume = Volume(
            storage_class=best.name,
            access_mode=access,
            volume_mode=mode,
            bind_immediately=best.wait_for_first_consumer,
        )
        return volume, f"{need.source}; {access} {mode}", tuple(refused)

    def _possible(self, item: StorageClass, need: Need) -> tuple[Claim, ...] | str:
        """Return the claims of a class that meet the requirements, or why there are none."""
        if need.storage_class is not None:
            if item.name != need.storage_class:
                return f"{need.storage_class} was asked for"
        elif need.tier is not None and item.tier != need.tier:
            return f"tier {item.tier or 'none'}, not {need.tier}"
        if need.iops is not None and item.iops is not None and item.iops < need.iops:
            return f"{item.iops} IOPS, {need.iops} needed"
        possible = self.claims[item.name]
        if need.filesystem:
            possible = tuple(c for c in possible if c[1] == "Filesystem")
        if need.shared:
            return tuple(c for c in possible if c == ("ReadWriteMany", "Block")) or "no ReadWriteMany Block"
        if need.live_migration == "required":
            return (
                tuple(c for c in possible if c[0] == "ReadWriteMany")
                or "no ReadWriteMany" + " Filesystem" * need.filesystem
            )
        return tuple(c for c in possible if c[0] != "ReadOnlyMany") or "no writable access mode"


_Chosen = tuple[Volume | None, str, tuple[str, ...]]
"""The volume if there is one, the reason, and the rejected classes with their reasons."""


def _rank(claim: Claim, live_migration: LiveMigration) -> tuple[int, int]:
    """Sort claims: shared access first if useful, and Block before Filesystem."""
    access, mode = claim
    shared = access == "ReadWriteMany"
    return (int(shared if live_migration == "none" else not shared), int(mode != "Block"))


class Allocated(Struct, frozen=True):
    """The volume of each disk of a VM, None if there is none; ``unfit`` and ``unmapped`` have the reasons, by disk."""

    volumes: tuple[Volume | None, ...] = ()
    unfit: tuple[tuple[int, Unfit], ...] = ()
    unmapped: tuple[int, ...] = ()


def allocate(
    candidates: Iterable[Candidate], routes: Mapping[VmKey, Route], table: StorageMap
) -> Noting[dict[VmKey, Allocated]]:
    """Return the volumes of each VM by key. VMs do not affect each other."""
    result: dict[VmKey, Allocated] = {}
    for candidate in candidates:
        route = routes[candidate.key]
        disks = () if route.path == "rebuild" else candidate.vm.disks or ()
        volumes: list[Volume | None] = []
        unfit: list[tuple[int, Unfit]] = []
        unmapped: list[int] = []
        for index, disk in enumerate(disks):
            need, row = _need(candidate, disk, candidate.where.at("disks", index), table)
            # a StorageMap finds a disk by its datastore, whatever class was requested
            if need is None or (disk.datastore is None and route.path == "forklift"):
                unmapped.append(index)
                volumes.append(None)
                continue
            volume = yield from _volume(candidate, f"disk-{index}", need, row, table)
            if isinstance(volume, Unfit):
                unfit.append((index, volume))
            volumes.append(volume if isinstance(volume, Volume) else None)
        result[candidate.key] = Allocated(tuple(volumes), tuple(unfit), tuple(unmapped))
    return result


def check_allocated(candidates: Iterable[Candidate], allocated: Mapping[VmKey, Allocated]) -> Noting[None]:
    """Report disks without a volume, grouped by reason."""
    unmapped: defaultdict[tuple[str, str], list[tuple[str, Where]]] = defaultdict(list)
    unfit: defaultdict[Unfit, list[tuple[str, str]]] = defaultdict(list)
    for candidate in candidates:
        found = allocated[candidate.key]
        for index in found.unmapped:
            datastore = (candidate.vm.disks or ())[index].datastore or ""
            where = candidate.where.at("disks", index)
            unmapped[candidate.source, datastore].append((candidate.vm.name, where))
        for index, why in found.unfit:
            unfit[why].append((candidate.vm.name, f"disk-{index}"))
    for why, disks in unfit.items():
        yield from _report_unfit(why, disks)
    for (vcenter, datastore), places in sorted(unmapped.items()):
        yield from _report_unmapped(vcenter, datastore, places)


def wanted_migration(candidate: Candidate) -> LiveMigration:
    """Return whether a VM must be able to live-migrate; with a passed-through device it cannot anyway."""
    wanted = candidate.decisions.live_migration or "preferred"
    devices = candidate.vm.gpus or candidate.vm.host_devices
    return "none" if wanted == "preferred" and devices else wanted


def _need(candidate: Candidate, disk: Disk, where: Where, table: StorageMap) -> tuple[Need | None, int | None]:
    index = table.rows.find(candidate.source, disk.datastore)
    row = table.storage.map[index] if index is not None else None
    migration = wanted_migration(candidate)

    def need(source: str, place: Where, storage_class: str | None = None, tier: str | None = None) -> Need:
        return Need(
            storage_class=storage_class,
            tier=tier,
            shared=disk.shared is not None,
            live_migration=migration,
            iops=disk.iops,
            source=source,
            where=place,
        )

    if disk.storage_class is not None:
        return need("the disk asks for it", where.at("storageClass"), storage_class=disk.storage_class), index
    if disk.tier is not None:
        return need(f"the disk asks for tier {disk.tier}", where.at("tier"), tier=disk.tier), index
    if candidate.decisions.tier is not None:
        tier = candidate.decisions.tier
        return need(f"the VM asks for tier {tier}", candidate.origin("tier"), tier=tier), index
    if row is None or index is None:
        return None, None
    place = table.where.at("map", index)
    by = f"datastore {disk.datastore} goes to {row.storage_class or f'tier {row.tier}'}"
    return need(by, place, storage_class=row.storage_class, tier=row.tier), index


def _volume(
    candidate: Candidate, name: str, need: Need, row: int | None, table: StorageMap
) -> Noting[Volume | Unfit | None]:
    """Return the volume of a disk, or why there is none; None if that was already reported."""
    volume, reason, refused = table.choose(need)
    if volume is None:
        by_row = row is not None and need.where == table.where.at("map", row)
        if need.tier in table.empty_tiers or (by_row and row in table.empty_rows):
            return None
        wish = "ReadWriteMany Block (shared disk)" if need.shared else "ReadWriteMany (live migration is required)"
        what = f" with {wish}" if need.shared or need.live_migration == "required" else ""
        return Unfit(where=need.where, what=f"{need.source}{what}", refused=refused)
    yield decide(candidate.key, name, volume.storage_class, reason, where=need.where, refused=refused)
    if row is None:
        return volume
    source = table.storage.map[row].source
    return replace(volume, datastore=SourceRef(name=source.datastore, id=source.id), offload=table.copies.get(row))


NO_CLASS_FITS = declare(
    "VMF301",
    "error",
    "no StorageClass fits",
    why="A StorageClass has to offer what the disk asks for: its tier, its IOPS, and ReadWriteMany if the VM must "
    "live-migrate or shares the disk. Otherwise the claim stays Pending or, worse, the VM runs and its node "
    "cannot be drained.",
    source="kubevirt/containerized-data-importer pkg/storagecapabilities/storagecapabilities.go; "
    "kubevirt/kubevirt pkg/virt-handler/vm.go (calculateLiveMigrationCondition)",
)


def _report_unfit(why: Unfit, disks: Sequence[tuple[str, str]]) -> Noting[None]:
    """Report the disks that no class fits, grouped by requirements and place."""
    vms = tuple(sorted({vm for vm, _ in disks}))
    vm, name = disks[0]
    who = f"VM {vm}, {name}" if len(disks) == 1 else f"{len(disks)} disks of {', '.join(vms[:20])}"
    who += f" and {len(vms) - 20} more VMs" if len(vms) > 20 else ""
    yield NO_CLASS_FITS.finding(
        f"{who}: no StorageClass fits: {why.what}",
        "refused: " + ("; ".join(why.refused) or "no class is defined: add one to `storage.classes`"),
        where=why.where,
        vms=vms,
    )


UNMAPPED_DATASTORE = declare(
    "VMF302",
    "error",
    "datastore is not mapped",
    why="Where the disks of a datastore go is a decision about speed and safety, so vmferry does not guess. Forklift "
    "refuses a Plan with a datastore that its StorageMap lacks.",
    source="kubev2v/forklift pkg/controller/plan/validation.go (VMStorageNotMapped)",
)


def _report_unmapped(vcenter: str, datastore: str, found: Iterable[tuple[str, Where]]) -> Noting[None]:
    entries = list(found)
    vms = tuple(sorted({name for name, _ in entries}))
    if not datastore:
        message, fix = (
            f"the datastore of disks is unknown ({', '.join(vms[:20])})",
            "add `datastore`, `tier` or `storageClass`",
        )
        yield UNKNOWN_FACT.finding(message, fix, where=entries[0][1], vms=vms)
        return
    yield UNMAPPED_DATASTORE.finding(
        f"datastore {datastore!r} of {vcenter} is not mapped; VMs: {', '.join(vms[:20])}",
        "add it to `storage.map` with a tier",
        where=entries[0][1].at("datastore"),
        vms=vms,
    )


def shared_claim(source: str, name: str) -> str:
    """Return the claim of a shared disk, the same for all its VMs."""
    return f"{name[:32].rstrip('-')}-{digest(disk_key(source, name))}"
