"""From the objects of dumps to new entries of evidence."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec import structs

from vmferry.estate.history import Subject, latest, moment, subject_of
from vmferry.model.blueprint import Blueprint
from vmferry.model.evidence import Entry, Evidence
from vmferry.model.spec import Metadata
from vmferry.observe import cluster, forklift, preflight, smoke
from vmferry.observe.belonging import Belonging, Place
from vmferry.observe.dumps import Dump
from vmferry.observe.entries import stamp
from vmferry.observe.shapes import (
    Application,
    Claim,
    DataVolume,
    Event,
    Instance,
    Job,
    Kustomization,
    Migration,
    Plan,
    Pod,
    Snapshot,
    VirtualMachine,
)
from vmferry.observe.view import View
from vmferry.yaml.write import dump as write

_READERS: dict[type, Callable[[Any, Place, View], Iterator[Entry]]] = {
    Plan: forklift.of_plan,
    Migration: forklift.of_migration,
    Job: cluster.of_job,
    DataVolume: cluster.of_data_volume,
    Claim: cluster.of_claim,
    VirtualMachine: cluster.of_virtual_machine,
    Instance: cluster.of_instance,
    Snapshot: cluster.of_snapshot,
    Kustomization: cluster.of_kustomization,
    Application: cluster.of_application,
}

_OPEN = ("running", "waiting")

_HEADER = (
    "Written by `vmferry observe` and `vmferry sign`, and committed: what really happened in the cluster.\n"
    "Entries are only added. After a merge conflict, keep those of both sides."
)


def observed(dump: Dump, blueprint: Blueprint, now: datetime | None) -> tuple[Entry, ...]:
    """Return what dumps show of a migration. What does not belong to it is counted in the dump as ignored."""
    belonging = Belonging(blueprint)
    view = View(dump, belonging, now)
    found: list[Entry] = []
    for kind, obj in dump.objects:
        if isinstance(obj, Event | Pod):
            continue
        place, network, test = belonging.place(obj), belonging.network(obj), belonging.test(obj)
        if network is not None and isinstance(obj, VirtualMachine):
            found += smoke.of_smoke_test(obj, network, view)
        elif test is not None and isinstance(obj, Job):
            found += preflight.of_test(obj, test, view)
        elif place is None:
            name = f"{obj.metadata.namespace}/{obj.metadata.name}"
            view.ignore(f"{kind} of something else", name)
        else:
            found += _READERS[type(obj)](obj, place, view)
    seen = stamp(now) if now is not None else None
    return tuple(dict.fromkeys(each if each.finished else structs.replace(each, seen=seen) for each in found))


def added(evidence: Evidence | None, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return the entries that are news: those that differ from the last one about the same subject.

    Words do not count, so that a newer vmferry, which may word a cause differently, adds nothing.
    """
    known = evidence.entries if evidence is not None else ()
    seen = {(subject_of(each), _state(each)) for each in known}
    last: dict[Subject, Entry] = {subject_of(each): each for each in latest(known)}
    news = []
    for each in sorted(entries, key=_order):
        subject = subject_of(each)
        before = last.get(subject)
        if before is not None and (_same(before, each) or _old(before, each)):
            continue
        if each.outcome not in _OPEN and (subject, _state(each)) in seen:
            continue
        seen.add((subject, _state(each)))
        if before is None or moment(each) >= moment(before):
            last[subject] = each
        news.append(each)
    return tuple(news)


def _state(entry: Entry) -> tuple[object, ...]:
    return entry.outcome, entry.cause, entry.value, entry.started, entry.finished, entry.bytes, entry.by, entry.note


def _same(before: Entry, now: Entry) -> bool:
    """Return whether nothing changed: a VM that starts again, or a volume that still waits, adds nothing."""
    if now.what == "signOff":
        return False
    return (before.outcome, before.cause, before.value) == (now.outcome, now.cause, now.value) and (
        now.outcome != "running" or (before.bytes or 0) >= (now.bytes or 0)
    )


def _old(before: Entry, now: Entry) -> bool:
    """Return whether an older dump shows how something went that has ended since."""
    return now.outcome in _OPEN and before.outcome not in _OPEN and (now.started or "") <= moment(before)


def merged(evidence: Evidence | None, name: str, news: tuple[Entry, ...]) -> Evidence:
    """Return evidence with further entries, in the order of the file."""
    known = evidence.entries if evidence is not None else ()
    return Evidence(metadata=Metadata(name=name), entries=tuple(sorted((*known, *news), key=_order)))


def _order(entry: Entry) -> tuple[object, ...]:
    """Return the place of an entry: parallel branches that observe different groups touch different lines."""
    times = (entry.started or "", entry.finished or "", entry.bytes or 0)
    about = (entry.what, entry.object or "", entry.remigrate, entry.attempt or 0, entry.stage or "")
    return (
        *(
            entry.group or "",
            entry.network or "",
            entry.preflight or "",
            entry.vm is not None,
            entry.name or "",
            entry.vm or "",
            *about,
            moment(entry),
            *times,
        ),
        *(entry.outcome, entry.cause or "", entry.value or "", entry.by, entry.note or "", entry.said or ""),
    )


def render(evidence: Evidence) -> bytes:
    """Return evidence.yaml."""
    data = {"apiVersion": evidence.api_version, "kind": evidence.kind, **msgspec.to_builtins(evidence)}
    return write(data, comment=_HEADER)
