"""Reads RVTools exports: one inventory for each vCenter in them."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from vmferry.estate.words.secrecy import NOTHING_MORE, Keep, stays
from vmferry.importers.build import build
from vmferry.importers.cells import fits, uuid
from vmferry.importers.errors import ImporterError
from vmferry.importers.protocol import Reading
from vmferry.importers.rvtools.columns import OF_A_VM
from vmferry.importers.rvtools.joins import OF_NO_VM, Keys, Register, keys_of
from vmferry.importers.rvtools.machines import Around, Record, file_of, machine
from vmferry.importers.rvtools.notices import UNKNOWABLE, missing_tabs, outside
from vmferry.importers.rvtools.rows import Export, Row, open_exports
from vmferry.importers.rvtools.surroundings import TABS, Surroundings, ids_by_name, surroundings
from vmferry.model.inventory import Inventory, InventoryMetadata, Origin, ResourcePool, Unjoined
from vmferry.model.spec import VirtualMachine

_LONGEST_SHOWN = 400
_MOST_LISTED = 1000  # rows of one tab that match no VM for the same reason
_NO_CENTER = "it does not say which of several vCenters it is in"
_NO_HEADER = "the tab has no header row that RVTools writes: it was skipped"


class _Center(NamedTuple):
    """A vCenter: its UUID or the name of its server, otherwise the number of the export without one."""

    uuid: str | None
    server: str | None
    export: int | None = None


class _Part(NamedTuple):
    """One export's data on one vCenter."""

    center: _Center
    export: Export
    records: list[Record]
    rows: dict[str, list[Row]]
    unjoined: list[Unjoined]
    doubtful: frozenset[str | None] = frozenset()  # names in rows of snapshots that joined to no VM; None: any
    strays: tuple[tuple[str, str, str], ...] = ()  # tab, name and identity of VMs that vInfo lacks


def read_rvtools(paths: Sequence[Path], name: str | None = None, by: str | None = None) -> tuple[Inventory, ...]:
    """Return the inventories in RVTools exports, sorted by name; read_exports has the arguments."""
    return read_exports(paths, name, by).inventories


def read_exports(
    paths: Sequence[Path], name: str | None = None, by: str | None = None, keep: Keep = NOTHING_MORE
) -> Reading:
    """Return the inventories in RVTools exports and notes on them.

    ``name`` is the source's name, if there is only one vCenter; otherwise names come from the servers'. ``by`` names
    the importing program, ``keep`` the free text to import. Rows that match no VM, and parts of VMs that could not be
    imported, are in `unjoined`. Raises ImporterError for files that are not exports, and OSError.
    """
    exports = open_exports(paths)
    parts = [part for number, export in enumerate(exports) for part in _parts(export, number, several=len(exports) > 1)]
    merged: dict[_Center, list[_Part]] = defaultdict(list)
    for part in sorted(parts, key=lambda part: part.export.taken or "", reverse=True):
        merged[_same(part.center, parts)].append(part)
    if not any(part.records for part in parts):
        if any(each.reason == _NO_CENTER for part in parts for each in part.unjoined if each.tab.endswith("vInfo")):
            raise ImporterError(
                "vInfo does not say which of several vCenters its VMs are in: keep the column VI SDK Server "
                "in the export, or import one vCenter at a time"
            )
        raise ImporterError("vInfo lists no VM")
    names = _names({center: same[0].export.name for center, same in merged.items()}, name)
    notes = [*missing_tabs(exports), *outside(stray for part in parts for stray in part.strays)]
    result = []
    for center, same in merged.items():
        current, remarks = _current(names[center], same)
        notes += remarks
        result.append(_inventory(names[center], center, current, by, keep))
    records = [record for part in parts for record in part.records]
    notes += stays(sum(record.has_note for record in records), (record.withheld for record in records), keep)
    notes.append(UNKNOWABLE)
    return Reading(tuple(sorted(result, key=lambda inventory: inventory.source.name)), tuple(notes))


def _current(name: str, parts: Sequence[_Part]) -> tuple[list[_Part], list[str]]:
    """Return the exports of one vCenter, newest first, without VMs that are gone in a newer one, and notes.

    A VM of an older export is gone if a newer one lists VMs of its cluster, but not this one.
    """
    result, notes = [parts[0]], []
    for part in parts[1:]:
        covered = {record.row.cells.get("cluster") for newer in result for record in newer.records}
        there = {_identity(record) for newer in result for record in newer.records}
        both = there & {_identity(record) for record in part.records}
        gone: list[Record] = []
        kept: list[Record] = []
        for record in part.records:
            absent = both and _identity(record) not in there and record.row.cells.get("cluster") in covered
            (gone if absent else kept).append(record)
        result.append(part._replace(records=kept))
        if both:
            newest = parts[0].export
            lost = ", ".join(record.row.cells.get("vm", "") for record in gone[:10])
            lost += f" and {len(gone) - 10} more" if len(gone) > 10 else ""
            notes.append(
                f"{_file(newest)} ({newest.taken}) and {_file(part.export)} ({part.export.taken}) both cover {name}: "
                f"newer facts win" + (f"; no longer in vCenter, left out: {lost}" if lost else "")
            )
    return result, notes


def _identity(record: Record) -> tuple[str | None, ...]:
    cells = record.row.cells
    return (cells["id"],) if "id" in cells else (cells.get("vm"), cells.get("cluster"))


def _file(export: Export) -> str:
    return export.tables[0].file.name if export.tables else export.name


# --- vCenters -----------------------------------------------------------------------------------------


def _center(row: Row) -> tuple[str | None, str | None]:
    return _center_of(row.cells.get("center"), row.cells.get("server"))


@lru_cache(maxsize=1024)  # every row has it
def _center_of(center: str | None, server: str | None) -> tuple[str | None, str | None]:
    return uuid(center), (fits(server, 253) or "").lower() or None


def _same(center: _Center, parts: Iterable[_Part]) -> _Center:
    """Return the vCenter under one identity: by UUID, if another export has the UUID of the server.

    A server may have several names: the alphabetically first is used, names before addresses.
    """
    if center.uuid is None and center.server is not None:
        known = {part.center.uuid for part in parts if part.center.server == center.server} - {None}
        center = center._replace(uuid=known.pop() if len(known) == 1 else None)
    if center.uuid is None:
        return center
    servers = {part.center.server for part in parts if part.center.uuid == center.uuid and part.center.server}
    return center._replace(server=min(servers, key=lambda server: (_is_address(server), server), default=None))


class _Centers:
    """The vCenters of one export, by any identification in a row."""

    def __init__(self, rows: Iterable[Row], meta: Iterable[Row], export: int) -> None:
        """``meta``: the rows of vMetaData, which name the vCenter if no other row does."""
        said = {_center(row) for row in rows} - {(None, None)}
        uuids: defaultdict[str, set[str]] = defaultdict(set)
        for each, server in said:
            if each and server:
                uuids[server].add(each)
        servers = {each: server for server, all_of_it in uuids.items() for each in all_of_it}
        said = said or {_center(row) for row in meta} - {(None, None)}
        self._uuids = {server: next(iter(found)) for server, found in uuids.items() if len(found) == 1}
        self._servers = servers
        self._met: dict[tuple[str | None, str | None], _Center] = {}
        self.all = sorted({self._known(*each) for each in said}, key=str) or [_Center(None, None, export)]

    def _known(self, each: str | None, server: str | None) -> _Center:
        each = each or self._uuids.get(server or "")
        return _Center(each, self._servers.get(each or "", server))

    def of(self, row: Row) -> _Center | None:
        """Return the vCenter of a row; None if it names none and there are several."""
        said = _center(row)
        if said != (None, None):
            if said not in self._met:
                self._met[said] = self._known(*said)
            return self._met[said]
        return self.all[0] if len(self.all) == 1 else None


def _names(merged: Mapping[_Center, str], name: str | None) -> dict[_Center, str]:
    """Return the name of each source: the given one, otherwise the first distinguishing label of its server.

    ``merged``: each vCenter with the name of an export about it, used if it has no other name.
    """
    centers = sorted(merged, key=str)
    if name is not None:
        if len(centers) > 1:
            listed = ", ".join(center.server or center.uuid or "an unnamed one" for center in centers)
            raise ImporterError(
                f"the export holds {len(centers)} vCenters ({listed}): --source can name only one; "
                "omit it, or import one vCenter at a time"
            )
        return {centers[0]: name}
    short = {center: _label(_first(center.server)) if center.server else "" for center in centers}
    often = Counter(short.values())
    result = {}
    for center in centers:
        wish = short[center] if often[short[center]] == 1 else _label(center.server or "")
        wish = wish or (f"vc-{center.uuid[:8]}" if center.uuid else "")
        result[center] = wish or _label(merged[center]) or "rvtools"
    often = Counter(result.values())
    return {center: wish if often[wish] == 1 else f"{wish[:54]}-{_digest(center)}" for center, wish in result.items()}


def _first(server: str) -> str:
    return server if _is_address(server) else server.partition(".")[0]


def _is_address(server: str) -> bool:
    return re.fullmatch(r"[0-9.]+(?::[0-9]+)?|\[?[0-9a-f]*:[0-9a-f:.]*\]?", server) is not None


def _label(text: str) -> str:
    label = re.sub("[^a-z0-9]+", "-", text.lower())[:63].strip("-")
    return f"vc-{label}"[:63].rstrip("-") if label[:1].isdigit() else label


def _digest(center: _Center) -> str:
    return hashlib.sha256(str(center).encode()).hexdigest()[:8]


# --- rows ---------------------------------------------------------------------------------------------


def _parts(export: Export, number: int, *, several: bool) -> list[_Part]:
    """Return an export's data on each of its vCenters, every row with its VM."""
    read = export.read(("vInfo", *TABS, *OF_A_VM))
    rows = read["vInfo"]
    around = {tab: read[tab] for tab in TABS}
    centers = _Centers([*rows, *(row for found in around.values() for row in found)], export.of("vMetaData"), number)
    parts = {center: _Part(center, export, [], {tab: [] for tab in TABS}, []) for center in centers.all}
    label = f"{export.name}:" if several else ""
    first = parts[centers.all[0]]
    records, keys = _machines(rows, centers, parts, first, label)
    for tab, found in around.items():
        for row in found:
            center = centers.of(row)
            if not row.cells or center is None:
                first.unjoined.append(_unjoined(row, label, _NO_CENTER if row.cells else _NO_HEADER))
            else:
                parts[center].rows[tab].append(row)
    register = Register(keys)
    doubtful: set[str | None] = set()
    strays: list[tuple[str, str, str]] = []
    for tab in OF_A_VM:
        for row in read[tab]:
            center = centers.of(row)
            found_at = register.find(keys_of(row, center)) if row.cells else _NO_HEADER
            if isinstance(found_at, int):
                records[found_at].rows[tab].append(row)
            else:
                parts.get(center or first.center, first).unjoined.append(_unjoined(row, label, found_at))
                if row.tab == "vSnapshot" and found_at not in OF_NO_VM:
                    doubtful.add(row.cells.get("vm"))
                if found_at in OF_NO_VM and (stray := row.cells.get("vm") or row.cells.get("id")):
                    strays.append((row.tab, stray, row.cells.get("id") or stray))
    first = parts[first.center] = first._replace(strays=tuple(strays))
    return [part._replace(doubtful=frozenset(doubtful)) for part in parts.values()]


def _machines(
    rows: Iterable[Row], centers: _Centers, parts: dict[_Center, _Part], first: _Part, label: str
) -> tuple[list[Record], list[Keys]]:
    """Return a record for each VM of vInfo, and its keys; a duplicate VM is only used once."""
    records: list[Record] = []
    keys: list[Keys] = []
    seen: dict[tuple[_Center | None, str], int] = {}
    for row in rows:
        center = centers.of(row)
        part = parts[center] if center else first
        key = keys_of(row, center)
        reason = _NO_CENTER if center is None else ""
        if not key.name:
            reason = "it has no name"
        if key.id and (center, key.id) in seen:
            reason = f"its VM ID is that of row {seen[center, key.id]}"
        if reason:
            part.unjoined.append(_unjoined(row, label, reason))
            continue
        if key.id:
            seen[center, key.id] = row.number
        record = Record(row)
        records.append(record)
        keys.append(key)
        part.records.append(record)
    return records, keys


def _unjoined(row: Row, label: str, reason: str) -> Unjoined:
    label = label[:200].encode(errors="replace").decode()  # a file's name may not be valid text
    return build(
        Unjoined,
        row,
        tab=f"{label}{row.tab}",
        row=row.number,
        vm=(row.cells.get("vm") or row.cells.get("id") or "")[:_LONGEST_SHOWN],
        reason=reason[:1000],
    )


# --- inventories --------------------------------------------------------------------------------------


def _inventory(name: str, center: _Center, parts: Sequence[_Part], by: str | None, keep: Keep) -> Inventory:
    """Return the combined data of several exports, newest first, on one vCenter; the newest wins."""
    result: Inventory | None = None
    for part in parts:
        label = f"{part.export.name}:" if len(parts) > 1 else ""
        inventory = _of_part(name, center, part, by, label, keep)
        result = inventory if result is None else _joined(result, inventory)
    if result is None:  # pragma: no cover: a vCenter comes from at least one part
        raise AssertionError(name)
    return replace(
        result,
        vms=tuple(sorted(result.vms, key=lambda vm: (vm.name, vm.id or "", vm.cluster or ""))),
        unjoined=tuple(sorted(_listed(result.unjoined), key=lambda each: (each.tab, each.row, each.reason))),
    )


def _of_part(name: str, center: _Center, part: _Part, by: str | None, label: str, keep: Keep) -> Inventory:
    around: Surroundings = surroundings(part.rows, part.records)
    tabs = {table.tab for table in part.export.tables} - ({"vSnapshot"} if None in part.doubtful else set())
    doubtful = {each for each in part.doubtful if each is not None}
    known = Around(name, tabs, ids_by_name(around.networks), _shared_files(part.records), doubtful, keep)
    vms: list[VirtualMachine] = []
    unjoined = list(part.unjoined)
    for record in part.records:
        vm = machine(record, known)
        if vm is not None:
            vms.append(vm)
        unjoined += [_unjoined(problem.row, label, problem.reason) for problem in record.problems]
    version = next((row.cells["version"] for row in part.export.of("vMetaData") if "version" in row.cells), None)
    return build(
        Inventory,
        part.export.name,
        metadata=build(InventoryMetadata, part.export.name, name=name),
        source=build(
            Origin,
            part.export.name,
            name=name,
            kind="rvtools",
            version=fits(version),
            instance_uuid=center.uuid,
            url=_url(center.server),
            taken=part.export.taken,
            by=by,
        ),
        vms=tuple(vms),
        unjoined=tuple(unjoined),
        **around._asdict(),
    )


def _url(server: str | None) -> str | None:
    return f"https://{server}/sdk" if server and re.fullmatch(r"[a-z0-9][a-z0-9.-]*(:[0-9]+)?", server) else None


def _shared_files(records: Iterable[Record]) -> frozenset[str]:
    """Return the VMDKs of several VMs, whatever their sharing mode."""
    holders: defaultdict[str, set[int]] = defaultdict(set)
    for record in records:
        for row in record.rows["vDisk"]:
            file = file_of(row.cells)
            if file is not None:
                holders[file].add(id(record))
    return frozenset(file for file, vms in holders.items() if len(vms) > 1)


def _listed(unjoined: Iterable[Unjoined]) -> Iterator[Unjoined]:
    """Yield the first thousand rows of a tab with the same reason, and how many more there are."""
    alike: defaultdict[tuple[str, str], list[Unjoined]] = defaultdict(list)
    for each in unjoined:
        alike[each.tab, re.sub("[0-9]+", "", each.reason)].append(each)
    for rows in alike.values():
        rows.sort(key=lambda each: each.row)
        yield from rows[:_MOST_LISTED]
        if len(rows) > _MOST_LISTED:
            more = f"and {len(rows) - _MOST_LISTED} more rows from here on: {rows[_MOST_LISTED].reason}"
            yield replace(rows[_MOST_LISTED], vm="", reason=more[:1000])


def _joined(newer: Inventory, older: Inventory) -> Inventory:
    """Return two exports of one vCenter merged: for a VM in both, the newer facts."""
    have = _Known(newer.vms)
    more = tuple(vm for vm in older.vms if not have.has(vm))

    def both(field: str) -> tuple[Any, ...]:
        mine = getattr(newer, field)
        keys = {_key(each) for each in mine}
        return tuple(sorted((*mine, *(each for each in getattr(older, field) if _key(each) not in keys)), key=_key))

    return replace(
        newer,
        vms=(*newer.vms, *more),
        unjoined=(*newer.unjoined, *older.unjoined),
        **{field: both(field) for field in Surroundings._fields},
    )


def _key(each: Any) -> tuple[str, str, str]:
    """Return the identity of a pool, network or other object around VMs."""
    if isinstance(each, ResourcePool):
        return each.path, each.cluster or "", ""
    place = getattr(each, "switch", None) or "", getattr(each, "datacenter", None) or ""
    return each.name, "/".join(place), each.id or ""


class _Known:
    """VMs of a newer export, by ID, otherwise by UUID, otherwise by name and cluster."""

    def __init__(self, vms: Iterable[VirtualMachine]) -> None:
        self._ids: set[str] = set()
        self._uuids: set[str] = set()
        self._names: dict[tuple[str, str | None], bool] = {}  # whether one of them has no ID
        for vm in vms:
            self._ids.update([vm.id] if vm.id else [])
            self._uuids.update(each for each in (vm.instance_uuid,) if each and not vm.id)
            place = vm.name, vm.cluster
            self._names[place] = self._names.get(place, False) or not vm.id

    def has(self, vm: VirtualMachine) -> bool:
        """Return whether this VM is among them; if two IDs differ, no other key counts."""
        bare = self._names.get((vm.name, vm.cluster))
        if not vm.id:
            return bare is not None
        return vm.id in self._ids or vm.instance_uuid in self._uuids or bare is True
