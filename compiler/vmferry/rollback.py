"""What taking a group back to its source means: the edit, the outage, the data, and what people do by hand."""

import difflib
from collections.abc import Iterable, Iterator
from shlex import quote

from msgspec import Struct

from vmferry import files
from vmferry.advance import Move, edited
from vmferry.backends import sources_back
from vmferry.backends.forklift import migration_name
from vmferry.backends.virt_v2v import job_name
from vmferry.estate.dns import hands
from vmferry.estate.methods import METHODS
from vmferry.estate.stages import begun, running, way
from vmferry.estate.way_back import data_lost, outage
from vmferry.estate.wording import counted
from vmferry.model.blueprint import Blueprint, Group, Machine, MachineNic
from vmferry.model.project import Project
from vmferry.restore import Step, restore
from vmferry.yaml.text import MAX_BYTES

REASON = "why"
"""Stands in the edit for the reason that a person has to give."""


class RollBack(Struct, frozen=True, kw_only=True):
    """How a group is rolled back from its stage."""

    group: str
    stage: str
    vms: int
    possible: bool
    outage: str
    data: str  # what is lost
    command: str | None = None  # that makes the edit
    edit: str = ""  # unified diff of the file
    steps: tuple[Step, ...] = ()
    restore: tuple[Step, ...] = ()  # instead: VMs stay in the target, as they were before their acceptance
    again: str = ""  # how the group can move later


def roll_back(project: Project, spec: str, group: Group, blueprint: Blueprint) -> RollBack:
    """Return how to roll a group back. ``spec`` is what the user calls the spec.

    Raises CannotEditError if the spec has to be edited by hand, and OSError.
    """
    vms = len(group.machines)
    if group.stage == "rolled-back" or way(group.stage, "rolled-back") is None:
        return RollBack(group=group.name, stage=group.stage, vms=vms, possible=False, outage="", data=_NOT[group.stage])
    if group.graduated:
        return RollBack(group=group.name, stage=group.stage, vms=vms, possible=False, outage="", data=_GRADUATED)
    started = running(group.stage)
    more = {"dataLoss": "accepted", "reason": REASON} if started else {}
    edit = edited(project, (Move(group.name, group.stage, "rolled-back", more),))
    before = files.read_named(edit.file, MAX_BYTES + 1).decode("utf-8-sig")
    was, now = (text.splitlines(keepends=True) for text in (before, edit.content.decode("utf-8-sig")))
    stated = f" --data-loss accepted --reason {quote(REASON)}" if started else ""
    return RollBack(
        group=group.name,
        stage=group.stage,
        vms=vms,
        possible=True,
        outage=outage(group),
        data=data_lost(group),
        command=f"vmferry advance {quote(spec)} {group.name} --to rolled-back{stated}",
        edit="".join(difflib.unified_diff(was, now, edit.file.name, edit.file.name, n=2)),
        steps=tuple(
            _steps(group, f"{blueprint.gitops.path}/{sources_back.folder(group)}", blueprint.forklift.namespace)
        ),
        restore=tuple(restore(blueprint, group, spec)),
        again=_again(group),
    )


_GRADUATED = (
    "another repository owns its VMs: remove them there without pruning them, and remove `graduated` here (VMF887); "
    "then roll it back"
)
_NOT = {
    "planned": "nothing of the group is in the cluster",
    "retired": "the group is retired: there is no way back, and the source may be gone",
    "rolled-back": "the group is rolled back",
}


def _steps(group: Group, folder: str, forklift: str) -> Iterator[Step]:
    yield Step("git", "make the edit, compile, commit, and let Flux or Argo CD sync it")
    if not begun(group.stage):
        yield from _dns(group, folder)
        return
    if running(group.stage):
        yield from _stopped(group)
        if METHODS[group.method].cutover and group.stage == "cutover":
            yield Step(
                "target",
                "VMs whose cutover has not begun are cancelled, and their sources run on: delete the empty VM that is "
                "left of each in the target",
            )
    else:
        yield from _cancelled(group, forklift)
    off = group.dual_run != "parallel" and not (group.path == "forklift" and not running(group.stage))
    if group.path != "rebuild" and off:
        yield Step(
            "power",
            f"start the sources: the compile writes {sources_back.SHELL} (govc) and {sources_back.POWERSHELL} "
            "(PowerCLI); both start a source only if its VM is stopped in the target",
            f"{folder}/{sources_back.SHELL}",
        )
    if METHODS[group.method].replicates and running(group.stage):
        yield Step(
            "power", "once the targets are stopped, let the sources take writes again: `resumeWrites` of each VM"
        )
    yield from _aliases(group)
    yield from _routes(group)
    yield from _dns(group, folder)
    if running(group.stage):
        yield from _reached(group)


def _dns(group: Group, folder: str) -> Iterator[Step]:
    """Yield how records get their address and TTL back that the spec says to change."""
    for hand in hands(group, "back"):
        where = "; the compile writes it" if hand.file is not None else ""
        yield Step("dns", f"{hand.what}{where}", f"{folder}/{hand.file}" if hand.file is not None else None)


def _aliases(group: Group) -> Iterator[Step]:
    """Yield which names in the cluster lead back to the sources; the sync does it."""
    names = [machine.alias.name for machine in group.machines if machine.alias is not None]
    if names and group.weight == 100:
        yield Step("network", f"Services {', '.join(names)} lead to the sources once this is synced: reconnect clients")


def _routes(group: Group) -> Iterator[Step]:
    """Yield which routes lead back to the sources; the sync does it."""
    names = [machine.target_name for machine in group.machines if machine.route is not None]
    if names and group.weight:
        yield Step("network", f"routes {', '.join(names)} send all clients to the sources once this is synced")


def _stopped(group: Group) -> Iterator[Step]:
    if group.path == "rebuild":
        names = " ".join(machine.target_name for machine in group.machines)
        yield Step(
            "target", "wait until no pod of the workloads is left", f"kubectl get pods --namespace {group.namespace}"
        )
        if group.dual_run == "parallel":
            return
        yield Step("power", f"start the sources in vSphere if they are off ({names})")
        return
    yield Step(
        "target",
        "wait until the VMs are stopped: their disks are kept",
        f"kubectl get vm,vmi --namespace {group.namespace}",
    )


def _cancelled(group: Group, forklift: str) -> Iterator[Step]:
    if group.path == "forklift":
        yield Step(
            "target",
            "wait until Forklift has cancelled the migration: it removes what it copied, and powers sources on that it "
            "shut down",
            f"kubectl get migration {migration_name(group)} --namespace {forklift} --output yaml",
        )
        yield Step(
            "target",
            "VMs whose copy was complete are not cancelled and may run: if there is one, set the group to cutover "
            "instead, and roll it back from there",
            f"kubectl get vm --namespace {group.namespace}",
        )
    elif METHODS[group.method].converts:
        jobs = " ".join(job_name(machine, group.attempt) for machine in group.machines if machine.clone_of is None)
        yield Step(
            "target",
            "end the conversion Jobs: they are no longer synced, but are never pruned",
            f"kubectl delete job {jobs} --namespace {group.namespace}",
        )


def _reached(group: Group) -> Iterator[Step]:
    """Yield what makes clients reach the sources again."""
    known = {change.vm for change in group.dns}
    known |= {machine.key for machine in group.machines if machine.route is not None}
    for machine in group.machines:
        changed = [nic for nic in machine.nics if nic.readdress is not None]
        if changed and machine.key not in known:
            yield Step("dns", f"{machine.name}: point its records back to its address in vSphere, {_from(changed)}")
    kept = [
        machine
        for machine in group.machines
        if machine.route is None and not any(nic.readdress for nic in machine.nics)
    ]
    if kept and group.path != "rebuild":
        yield Step("dns", f"{_names(kept)}: addresses are the same on both sides, so their records stay")
        yield Step(
            "network",
            "switches and gateways may send to the target until the sources send a packet: if one is not reached, ping "
            "its gateway from it, or clear the ARP and MAC tables",
        )
    others = [machine for machine in group.machines if machine.key not in known]
    if group.path == "rebuild" and others:
        yield Step("dns", f"{_names(others)}: point records and routes back to the address in vSphere")


def _from(nics: Iterable[MachineNic]) -> str:
    new = ", ".join(address for nic in nics if nic.readdress is not None for address in nic.readdress.addresses)
    return f"instead of {new}"


def _names(machines: Iterable[Machine]) -> str:
    names = sorted(machine.name for machine in machines)
    return ", ".join(names) if len(names) <= 5 else f"{', '.join(names[:5])} and {counted(len(names) - 5, 'other')}"


def _again(group: Group) -> str:
    if not begun(group.stage):
        return "set it to planned to decide its VMs again, or to prepared"
    if not running(group.stage) and (METHODS[group.method].converts or group.path == "rebuild"):
        return f"set it to prepared with attempt: {group.attempt + 1}"
    return (
        f"delete its VMs and volumes in the target, then set it to prepared with attempt: {group.attempt + 1} and "
        f"remigrate: {group.remigrate + 1}"
    )
