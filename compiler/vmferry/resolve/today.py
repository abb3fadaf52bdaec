"""Frozen VMs compared with today: the current decision on each, its differences, and its explanation."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from vmferry.model.blueprint import Decision, Machine
from vmferry.model.keys import VmKey
from vmferry.model.project import Project
from vmferry.resolve.cards import Card
from vmferry.resolve.freeze import Frozen, differences, report_drift
from vmferry.resolve.notes import Noting, Reason, collect, decide, decisions
from vmferry.resolve.records import said
from vmferry.resolve.remembered import Memory
from vmferry.resolve.selection import Candidate
from vmferry.resolve.settling import decide_machines
from vmferry.resolve.tables import Tables


class Today(Struct, frozen=True):
    """The current decisions on frozen VMs, by frozen key."""

    candidates: dict[VmKey, Candidate] = {}
    machines: dict[VmKey, Machine] = {}
    reasons: dict[VmKey, tuple[Decision, ...]] = {}


def decide_again(
    moving: tuple[Candidate, ...],
    cards: Mapping[VmKey, Card],
    standard: Mapping[str, int],
    was: Frozen,
    tables: Tables,
    memory: Memory,
) -> Today:
    """Return the current decisions on frozen VMs."""
    if not was.machines:
        return Today()
    found = {key: candidate for candidate in moving if (key := was.key(candidate)) is not None}
    again = {key: _on_its_path(candidate, was.machines[key]) for key, candidate in found.items()}
    # problems with today's decisions are not errors: the output keeps what was frozen a derived name depends on the
    # rivals it had: what was made of a VM's name is its name
    names = {c.key: c.vm.target_name or was.machines[key].target_name for key, c in again.items()}
    named = (decide(key, "target name", name, "as it was when its group was prepared") for key, name in names.items())
    now, notes = collect(
        decide_machines(
            tuple(again.values()), cards, standard, tables, Frozen(), was.machines.values(), names, memory=memory
        )
    )
    reasons = decisions((*named, *notes))
    return Today(
        candidates=found,
        machines={key: now.machines[c.key] for key, c in again.items() if c.key in now.machines},
        reasons={key: _reasons(reasons.get(c.key, ()), chosen=c is not found[key]) for key, c in again.items()},
    )


def _on_its_path(candidate: Candidate, machine: Machine) -> Candidate:
    """Return a VM with its frozen path: `auto` chooses once, and later changes of other VMs do not affect it."""
    if candidate.decisions.path not in (None, "auto") or candidate.decisions.disposition == "rebuild":
        return candidate
    return replace(candidate, decisions=replace(candidate.decisions, path=machine.path))


def _reasons(decisions: tuple[Decision, ...], *, chosen: bool) -> tuple[Decision, ...]:
    """Return the reasons of a VM, including that it keeps the path which `auto` once chose."""
    return tuple(
        replace(each, reason="chosen by auto before its group was prepared")
        if chosen and each.subject == "path"
        else each
        for each in decisions
    )


def explain_frozen(project: Project, was: Frozen, today: Today) -> Noting[None]:
    """Report how frozen VMs differ from today's decisions, and explain them as frozen."""
    for key, machine in was.machines.items():
        candidate, now = today.candidates.get(key), today.machines.get(key)
        stage = project.spec.groups[machine.group].stage
        if candidate is not None:
            yield from report_drift(machine, now, candidate, stage)
        if candidate is not None and now is not None and not differences(machine, now):
            yield from (Reason(key, decision) for decision in today.reasons[key])
        else:
            yield from _explain_frozen(machine)


def _explain_frozen(machine: Machine) -> Noting[None]:
    why = "frozen when its group was prepared (assignments.yaml)"
    values: Mapping[str, str] = {
        "path": machine.path,
        "method": machine.method,
        "namespace": machine.namespace,
        "target name": machine.target_name,
        **{nic.name: f"{nic.network.name} → {nic.nad or 'pod network'}" for nic in machine.nics},
        **{f"NIC {nic.index + 1}": f"{nic.network.name} → not connected" for nic in machine.dropped_nics},
        **{disk.name: disk.storage_class for disk in machine.disks},
        **{f"record {record.name}": said(record) for record in machine.records},
    }
    for subject, value in values.items():
        yield decide(machine.key, subject, value, why)
