"""Reads RVTools exports: one inventory for each vCenter that they are about."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from vmferry.inventory.cells import fits, uuid
from vmferry.inventory.columns import OF_A_VM
from vmferry.inventory.joins import Keys, Register, keys_of
from vmferry.inventory.machines import Around, Record, file_of, machine
from vmferry.inventory.surroundings import TABS, Surroundings, ids_by_name, surroundings
from vmferry.inventory.tables import Export, Row, open_exports
from vmferry.inventory.workbook import ExportError
from vmferry.model.inventory import Inventory, InventoryMetadata, Origin, Unjoined
from vmferry.model.spec import VirtualMachine

_LONGEST_SHOWN = 400
_NO_HEADER = "the tab has no header row that RVTools could have written: nothing of it was read"


class _Center(NamedTuple):
    """A vCenter: its UUID or the name of its server, else the number of the export that does not say."""

    uuid: str | None
    server: str | None
    export: int | None = None


class _Part(NamedTuple):
    """What one export says of one vCenter."""

    center: _Center
    export: Export
    records: list[Record]
    rows: dict[str, list[Row]]
    unjoined: list[Unjoined]


def read_rvtools(paths: Sequence[Path], name: str | None = None, by: str | None = None) -> tuple[Inventory, ...]:
    """Return the inventories in RVTools exports, sorted by name.

    ``name`` is that of the source, if there is only one vCenter; else it comes from the server's. ``by`` says who
    imports. Rows that join to no VM, and what of a VM could not be taken over, are in `unjoined`. Raises
    ExportError for files that are no exports, and OSError.
    """
    exports = open_exports(paths)
    parts = [part for number, export in enumerate(exports) for part in _parts(export, number, several=len(exports) > 1)]
    merged: dict[_Center, list[_Part]] = defaultdict(list)
    for part in parts:
        merged[_same(part.center, parts)].append(part)
    if not any(part.records for part in parts):
        raise ExportError("vInfo lists no VM")
    names = _names({center: same[0].export.name for center, same in merged.items()}, name)
    result = [_inventory(names[center], center, same, by) for center, same in merged.items()]
    return tuple(sorted(result, key=lambda inventory: inventory.source.name))


# --- vCenters -----------------------------------------------------------------------------------------


def _center(row: Row) -> tuple[str | None, str | None]:
    return uuid(row.cells.get("center")), (fits(row.cells.get("server"), 253) or "").lower() or None


def _same(center: _Center, parts: Iterable[_Part]) -> _Center:
    """Return the vCenter by its UUID, if another export says which one the server has."""
    if center.uuid is not None or center.server is None:
        return center
    known = {part.center for part in parts if part.center.server == center.server and part.center.uuid is not None}
    return known.pop() if len(known) == 1 else center


class _Centers:
    """The vCenters of one export, by whatever a row says of its own."""

    def __init__(self, rows: Iterable[Row], export: int) -> None:
        said = {_center(row) for row in rows} - {(None, None)}
        uuids: defaultdict[str, set[str]] = defaultdict(set)
        for each, server in said:
            if each and server:
                uuids[server].add(each)
        servers = {each: server for server, all_of_it in uuids.items() for each in all_of_it}
        self._uuids = {server: next(iter(found)) for server, found in uuids.items() if len(found) == 1}
        self._servers = servers
        self.all = sorted({self._known(*each) for each in said}, key=str) or [_Center(None, None, export)]

    def _known(self, each: str | None, server: str | None) -> _Center:
        each = each or self._uuids.get(server or "")
        return _Center(each, self._servers.get(each or "", server))

    def of(self, row: Row) -> _Center | None:
        """Return the vCenter of a row; None if it does not say and there are several."""
        said = _center(row)
        if said != (None, None):
            return self._known(*said)
        return self.all[0] if len(self.all) == 1 else None


def _names(merged: Mapping[_Center, str], name: str | None) -> dict[_Center, str]:
    """Return the name of each source: the one given, else the first label of its server that tells them apart.

    ``merged``: each vCenter with the name of an export that is about it, which names one that is not named.
    """
    centers = sorted(merged, key=str)
    if name is not None:
        if len(centers) > 1:
            told = ", ".join(center.server or center.uuid or "one that is not named" for center in centers)
            raise ExportError(
                f"the export holds {len(centers)} vCenters ({told}): one name is not enough for them; "
                "leave --source out, or import one at a time"
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
    return server if re.fullmatch(r"[0-9a-f.:\[\]]+", server) else server.partition(".")[0]


def _label(text: str) -> str:
    label = re.sub("[^a-z0-9]+", "-", text.lower())[:63].strip("-")
    return f"vc-{label}"[:63] if label[:1].isdigit() else label


def _digest(center: _Center) -> str:
    return hashlib.sha256(str(center).encode()).hexdigest()[:8]


# --- rows ---------------------------------------------------------------------------------------------


def _parts(export: Export, number: int, *, several: bool) -> list[_Part]:
    """Return what an export says of each of its vCenters, every row with the VM it belongs to."""
    rows = list(export.of("vInfo"))
    around = {tab: list(export.of(tab)) for tab in TABS}
    centers = _Centers([*rows, *(row for found in around.values() for row in found)], number)
    parts = {center: _Part(center, export, [], {tab: [] for tab in TABS}, []) for center in centers.all}
    label = f"{export.name}:" if several else ""
    first = parts[centers.all[0]]
    records, keys = _machines(rows, centers, parts, first, label)
    for tab, found in around.items():
        for row in found:
            if not row.cells:
                first.unjoined.append(_unjoined(row, label, _NO_HEADER))
            parts.get(centers.of(row) or first.center, first).rows[tab].append(row)
    register = Register(keys)
    for tab in OF_A_VM:
        for row in export.of(tab):
            center = centers.of(row)
            found_at = register.find(keys_of(row, str(center) if center else None)) if row.cells else _NO_HEADER
            if isinstance(found_at, int):
                records[found_at].rows[tab].append(row)
            else:
                parts.get(center or first.center, first).unjoined.append(_unjoined(row, label, found_at))
    return list(parts.values())


def _machines(
    rows: Iterable[Row], centers: _Centers, parts: dict[_Center, _Part], first: _Part, label: str
) -> tuple[list[Record], list[Keys]]:
    """Return a record for each VM of vInfo, and its keys; a VM that stands there twice is taken once."""
    records: list[Record] = []
    keys: list[Keys] = []
    seen: dict[tuple[str, str], int] = {}
    for row in rows:
        center = centers.of(row)
        part = parts[center] if center else first
        key = keys_of(row, str(center) if center else None)
        reason = "it does not say which of several vCenters it is in" if center is None else ""
        if not key.name:
            reason = "it has no name"
        if key.id and (str(center), key.id) in seen:
            reason = f"its VM ID is that of row {seen[str(center), key.id]}"
        if reason:
            part.unjoined.append(_unjoined(row, label, reason))
            continue
        if key.id:
            seen[str(center), key.id] = row.number
        record = Record(row)
        records.append(record)
        keys.append(key)
        part.records.append(record)
    return records, keys


def _unjoined(row: Row, label: str, reason: str) -> Unjoined:
    return Unjoined(
        tab=f"{label[:200]}{row.tab}",
        row=row.number,
        vm=(row.cells.get("vm") or row.cells.get("id") or "")[:_LONGEST_SHOWN],
        reason=reason[:1000],
    )


# --- inventories --------------------------------------------------------------------------------------


def _inventory(name: str, center: _Center, parts: Sequence[_Part], by: str | None) -> Inventory:
    """Return what several exports say of one vCenter; the newest wins."""
    newest = sorted(parts, key=lambda part: part.export.taken or "", reverse=True)
    result: Inventory | None = None
    for part in newest:
        label = f"{part.export.name}:" if len(parts) > 1 else ""
        inventory = _of_part(name, center, part, by, label)
        result = inventory if result is None else _joined(result, inventory)
    if result is None:  # pragma: no cover: a vCenter comes from at least one part
        raise AssertionError(name)
    return replace(
        result,
        vms=tuple(sorted(result.vms, key=lambda vm: (vm.name, vm.id or "", vm.cluster or ""))),
        unjoined=tuple(sorted(result.unjoined, key=lambda each: (each.tab, each.row, each.reason))),
    )


def _of_part(name: str, center: _Center, part: _Part, by: str | None, label: str) -> Inventory:
    around: Surroundings = surroundings(part.rows, part.records)
    tabs = {table.tab for table in part.export.tables}
    known = Around(name, tabs, ids_by_name(around.networks), _shared_files(part.records))
    vms: list[VirtualMachine] = []
    unjoined = list(part.unjoined)
    for record in part.records:
        vm = machine(record, known)
        if vm is not None:
            vms.append(vm)
        unjoined += [_unjoined(problem.row, label, problem.reason) for problem in record.problems]
    version = next((row.cells["version"] for row in part.export.of("vMetaData") if "version" in row.cells), None)
    return Inventory(
        metadata=InventoryMetadata(name=name),
        source=Origin(
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
    """Return the VMDKs that several VMs have, whatever their sharing mode says."""
    holders: defaultdict[str, set[int]] = defaultdict(set)
    for record in records:
        for row in record.rows["vDisk"]:
            file = file_of(row.cells)
            if file is not None:
                holders[file].add(id(record))
    return frozenset(file for file, vms in holders.items() if len(vms) > 1)


def _joined(newer: Inventory, older: Inventory) -> Inventory:
    """Return two exports of one vCenter as one: of a VM that both have, the newer facts."""
    ids = {vm.id for vm in newer.vms if vm.id}
    bare = {(vm.name, vm.cluster) for vm in newer.vms}
    more = tuple(vm for vm in older.vms if (vm.id not in ids if vm.id else (vm.name, vm.cluster) not in bare))

    def both(field: str) -> tuple[object, ...]:
        mine, theirs = getattr(newer, field), getattr(older, field)
        have = {(getattr(each, "name", None) or each.path, getattr(each, "id", None)) for each in mine}
        rest = [
            each for each in theirs if (getattr(each, "name", None) or each.path, getattr(each, "id", None)) not in have
        ]
        return tuple(sorted((*mine, *rest), key=lambda each: getattr(each, "name", None) or each.path))

    return replace(
        newer,
        vms=(*newer.vms, *more),
        unjoined=(*newer.unjoined, *older.unjoined),
        **{field: both(field) for field in Surroundings._fields},
    )
