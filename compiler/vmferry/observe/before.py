"""Reads what before.sh of a group prints: what checks printed at the sources, before these stopped."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, structs

from vmferry.estate.integrity import SHOWN, before_shown_by, compared, ends, taken_now
from vmferry.estate.words.secrecy import said
from vmferry.model.blueprint import Blueprint, Group
from vmferry.model.evidence import Entry
from vmferry.observe.belonging import Place
from vmferry.observe.dumps import DumpError, objects_of
from vmferry.observe.entries import entry, moment, stamp

_SKEW = 300  # seconds that the clock of who asked may be ahead


class _Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    vm: str
    check: str
    script: str
    value: Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{32}$(?!\n)")]
    taken: str
    shown: str = ""


class _Before(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: Literal["Before"]
    migration: str
    group: str
    attempt: int
    remigrate: int
    values: list[_Value]


class Befores:
    """What sources printed."""

    def __init__(self) -> None:
        self._found: list[_Before] = []

    def add(self, raw: bytes) -> None:
        """Read what one script printed, or several in a row. Raises DumpError."""
        for text in objects_of(raw):
            try:
                self._found.append(msgspec.json.decode(text, type=_Before))
            except (msgspec.MsgspecError, RecursionError):
                raise DumpError("it is not what before.sh of a group prints") from None

    def entries(self, blueprint: Blueprint, now: datetime) -> tuple[Entry, ...]:
        """Return entries of evidence. Raises DumpError if any of it does not count, because it is of another time."""
        groups = {group.name: group for group in blueprint.groups}
        return tuple(made for found in self._found for made in _entries(found, groups.get(found.group), blueprint, now))


def _entries(found: _Before, group: Group | None, blueprint: Blueprint, now: datetime) -> Iterator[Entry]:
    if found.migration != blueprint.name or group is None:
        raise DumpError(f"it is of group {said(found.group, 63)} of {said(found.migration, 63)}, which this spec lacks")
    if (found.attempt, found.remigrate) != (group.attempt, group.remigrate):
        raise DumpError(
            f"group {group.name}: it is of attempt {found.attempt} (remigrate {found.remigrate}), and the group is at "
            f"{group.attempt} ({group.remigrate}): ask the sources again"
        )
    if not taken_now(group):
        raise DumpError(
            f"group {group.name} is at {group.stage}: values from before the move are recorded at the stage before its "
            "sources stop"
        )
    known = {(str(machine.key), each.check.name): (machine, each) for machine, each in compared(group)}
    for value in found.values:
        if (value.vm, value.check) not in known:
            raise DumpError(f"group {group.name}: no VM {said(value.vm)} in it has check {said(value.check, 63)}")
        machine, each = known[value.vm, value.check]
        if value.script != each.made_of:
            raise DumpError(f"VM {machine.name}: the script of check {each.check.name} is another one now: ask again")
        time, end = _time(value.taken), ends(group, machine)
        if time is None or (time - now).total_seconds() > _SKEW:
            raise DumpError(f"VM {machine.name}: {said(value.taken, 40)!r} is not a time of the past")
        if end is not None and time >= end:
            raise DumpError(f"VM {machine.name}: asked at {stamp(time)}, and its cutover is at {stamp(end)}: too late")
        made = entry(
            Place(group, machine), "before", before_shown_by(machine, each), "succeeded", times=(None, stamp(time))
        )
        yield structs.replace(made, value=value.value, said=said(value.shown, SHOWN) or None)


def _time(text: str) -> datetime | None:
    known = moment(text)
    return datetime.fromisoformat(known) if known is not None else None
