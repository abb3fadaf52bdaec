"""Which VMs of a spec changed since an earlier run, or which groups moved on, when nothing else did."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from vmferry.cache import Cache
from vmferry.estate.identity import key_of
from vmferry.estate.stages import rank
from vmferry.load import parsed
from vmferry.load.inventory import decided, entry_of, joined
from vmferry.load.trail import look
from vmferry.model.finding import Where
from vmferry.model.inventory import Inventory
from vmferry.model.keys import VmKey
from vmferry.model.project import Entry, Project
from vmferry.model.spec import GroupState, MigrationSpec, VirtualMachine, VirtualMachineSet
from vmferry.model.trail import Trail
from vmferry.yaml.text import readable

Documents = list[tuple[int, parsed.Value]]


class ChangedVm(NamedTuple):
    """A VM as it was, and as it is now."""

    was: Entry
    now: Entry


class Changed(NamedTuple):
    """What changed, and the files as they are now."""

    vms: tuple[ChangedVm, ...]
    spec: MigrationSpec
    contents: Mapping[str, bytes]  # by path
    trail: Trail
    moved: frozenset[str] = frozenset()  # groups at a later stage than before


def changed_vms(
    trail: Trail,
    project: Project,
    places: Mapping[VmKey, Where],
    cache: Cache,
    instead: Mapping[str, bytes] | None = None,
) -> Changed | None:
    """Return the VMs that changed since ``trail``, and the groups that moved; None if more did, or if it is uncertain.

    ``project`` is the earlier one, and ``places`` are those of its VMs; there are no others. The files that changed
    must be in the ``cache`` as they were. A VM of the inventory about which the spec says something may only have
    changed in the inventory. ``instead`` has the content that files would have, by path.
    """
    found = look(trail, instead)
    if found is None or not project.texts.keys() <= found.contents.keys():
        return None
    vms: list[ChangedVm] = []
    spec = project.spec
    moved: frozenset[str] = frozenset()
    for path, was in found.changed.items():
        now = _documents(path, found.contents[path], cache)
        before = _alone(path, now, project) or parsed.recall_content(was, cache)
        if before is None or now is None or len(before) != len(now):
            return None
        for (index, old), (place, new) in zip(before, now, strict=True):
            if isinstance(old, MigrationSpec) and isinstance(new, MigrationSpec):
                onward = gone_onward(old.groups, new.groups)
                if onward is None:
                    return None
                spec, moved, old = new, onward, replace(old, groups=new.groups)
            if place != index or not _only_vms_differ(old, new):
                return None
            for number, (one, other) in enumerate(zip(old.vms, new.vms, strict=True)):
                if one == other:
                    continue
                where = Where(file=path, document=index).at("vms", number)
                entries = (
                    _imported(one, other, new, where, project, places, found.contents, cache)
                    if isinstance(new, Inventory)
                    else _written(one, other, where, project)
                )
                if entries is None:
                    return None
                vms.append(entries)
    return Changed(tuple(vms), spec, found.contents, found.trail(trail), moved)


def _documents(path: str, content: bytes, cache: Cache) -> Documents | None:
    """Return the documents of a file by their place in it; None if there is anything to say about it."""
    from vmferry.load.project import documents_of  # with all that reads YAML, which a run without changes never does

    return documents_of(path, content, cache)


def _alone(path: str, now: Documents | None, project: Project) -> Documents | None:
    """Return the documents of a file as they were if that is the spec and nothing else; None for other files."""
    if path != project.where.file or now is None or len(now) != 1:
        return None
    return [(project.where.document, project.spec)]


def gone_onward(was: Mapping[str, GroupState], now: Mapping[str, GroupState]) -> frozenset[str] | None:
    """Return the groups that moved to a later stage; None if anything else about any group changed."""
    moved = {name for name in {*was, *now} if was.get(name) != now.get(name)}
    for name in moved:
        before, after = was.get(name, GroupState()), now.get(name, GroupState())
        back = "rolled-back" in (before.stage, after.stage) or rank(after.stage) <= rank(before.stage)
        if back or replace(before, stage=after.stage) != after:
            return None
    return frozenset(moved)


def _only_vms_differ(old: parsed.Value, new: parsed.Value) -> bool:
    """Return whether two documents are equal, apart from VMs at the same places."""
    return type(old) is type(new) and len(old.vms) == len(new.vms) and replace(old, vms=()) == replace(new, vms=())


def _written(was: VirtualMachine, now: VirtualMachine, place: Where, project: Project) -> ChangedVm | None:
    """Return a VM that the spec describes, without any inventory."""
    return None if project.inventories else ChangedVm(Entry(vm=was, where=place), Entry(vm=now, where=place))


def _imported(
    was: VirtualMachine,
    now: VirtualMachine,
    inventory: Inventory,
    place: Where,
    project: Project,
    places: Mapping[VmKey, Where],
    contents: Mapping[str, bytes],
    cache: Cache,
) -> ChangedVm | None:
    """Return a VM of an inventory, with what the spec says about it."""
    entries = [entry_of(vm, inventory.source.name, place) for vm in (was, now)]
    key, after = (key_of(entry.vm, inventory.source.name) for entry in entries)
    where = places.get(key)
    if key != after or where is None or any(decided(now, place)):
        return None
    if where == place:
        return ChangedVm(*entries)
    stated = _stated(where, project, contents, cache)
    if stated is None:
        return None
    return ChangedVm(*(joined(entry, Entry(vm=stated, where=where)) for entry in entries))


def _stated(where: Where, project: Project, contents: Mapping[str, bytes], cache: Cache) -> VirtualMachine | None:
    """Return the entry of the spec at a place."""
    _, number = where.path
    if not isinstance(number, int):
        return None
    if where == project.where.at("vms", number):
        return project.spec.vms[number]
    for index, value in _documents(where.file, contents[where.file], cache) or ():
        if index == where.document and isinstance(value, VirtualMachineSet):
            return value.vms[number]
    return None


def texts_of(project: Project, contents: Mapping[str, bytes]) -> dict[str, str]:
    """Return the texts of a project's files, for showing places in them."""
    return {name: readable(contents[name]) for name in project.texts}
