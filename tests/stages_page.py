"""Writes docs/stages.md from the table of stages and from what the backends emit for a VM of each method at each.

Usage: python -m tests.stages_page
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from msgspec import structs
from tests.resolve.projects import group, resolved, vm

from vmferry import backends
from vmferry.estate.methods import METHODS
from vmferry.estate.stages import STAGES, TABLE, begun, running
from vmferry.model.blueprint import Blueprint, Group
from vmferry.model.manifest import Resource, Root
from vmferry.model.spec import Method, Stage

PAGE = Path(__file__).parents[1] / "docs" / "stages.md"
_APPLICATION = {
    "image": "registry.example.com/app:1.4.2",
    "config": {"app.ini": "colour = blue\n"},
    "state": [{"name": "data", "mountPath": "/data", "size": "5Gi", "tier": "gold"}],
}
_GOLD = vm(
    "gold",
    template=True,
    method="image",
    nics=[],
    disks=[{"size": "40Gi", "datastore": "ds1", "source": {"blank": {}}}],
)
_GONE = "may be deleted by its owner"
_HEAD = """# Stages

<!-- Written by `make docs` from the table of stages and what is compiled: edits are lost. -->

The stage belongs to a move group and changes by a pull request: `vmferry advance SPEC GROUP` sets the next one,
`--to rolled-back` takes the group back. `vmferry check --against REV` refuses every other way (VMF850, VMF851).

"""
_SOURCES = {
    "warm": "Forklift shuts it down at the cutover",
    "cold": "Forklift shuts it down at the start: the downtime begins",
    "job": "off before the Job begins, shut down by its owner: the downtime begins",
    "image": "off since its images were made",
    "replica": "serves, and its changes are replicated",
    "rebuild": "runs",
}


def page() -> str:
    """Return the page."""
    return _HEAD + "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "| stage | what it means | where it leads |"
    yield "|---|---|---|"
    for stage, row in TABLE.items():
        yield f"| `{stage}` | {row.means} | {', '.join(f'`{each}`' for each in row.next) or 'nowhere'} |"
    for method in get_args(Method):
        yield ""
        yield f"## {method} (path {METHODS[method].path})"
        yield ""
        yield "| stage | synced | patched | in the target | the source |"
        yield "|---|---|---|---|---|"
        for stage in STAGES:
            for reached in _reached(stage):
                yield _row(method, stage, reached)
    yield ""
    yield "What is no longer synced is not deleted if it holds data or ran: VirtualMachines, volumes, Jobs, Plans and"
    yield "Migrations carry annotations against pruning for both engines. At `rolled-back`, a group also has scripts to"
    yield "start its sources, and `vmferry explain SPEC GROUP --rollback` lists every step."
    yield ""
    yield "In a phase with `acceptanceSnapshot: true`, a VirtualMachineSnapshot of each VM is synced at `adopted`, too,"
    yield "and kept from `validated` on: see [adoption](adoption.md)."


def _reached(stage: Stage) -> tuple[Stage | None, ...]:
    """Return the stages from which a roll-back differs; nothing for other stages."""
    return ("prepared", "migrating", "cutover", "adopted") if stage == "rolled-back" else (None,)


def _row(method: Method, stage: Stage, reached: Stage | None) -> str:
    name = f"`{stage}`" if reached is None else f"`{stage}` from {reached}{' or later' * (reached == 'adopted')}"
    blueprint = _at(method, stage, reached)
    [found] = blueprint.groups
    kinds, patches = _synced(blueprint, found)
    cells = (name, kinds or "-", patches or "-", _target(method, stage, reached), _source(method, stage, reached))
    return f"| {' | '.join(cells)} |"


def _at(method: Method, stage: Stage, reached: Stage | None) -> Blueprint:
    """Return a migration of one VM at a stage."""
    path = METHODS[method].path
    chosen: dict[str, Any] = {"path": path, "id": "vm-11", "ports": [{"name": "http", "port": 80}]}
    chosen |= {"method": method} if method != "rebuild" else {"application": _APPLICATION}
    sections: dict[str, Any] = {"defaults": {"phase": "first", "namespace": "web"}}
    vms = [vm(**chosen)]
    if METHODS[method].replicates:
        vms = [vm(**chosen, cloneOf="gold"), _GOLD]
        sections["phases"] = [{"name": "first", "dualRun": {"mode": "replica"}}]
    first = resolved(*vms, **sections)
    assignments = first.assignments
    [name] = [each.name for each in first.blueprint.groups if each.method == method]
    way: tuple[Stage, ...] = STAGES[: STAGES.index(reached or stage) + 1] + ((stage,) if reached else ())
    for each in way:
        state: dict[str, Any] = {"stage": each}
        if method == "warm" and running(each):
            state["cutover"] = "2027-01-11T20:00:00Z"
        if each == "rolled-back":
            state |= {"dataLoss": "accepted", "reason": "it was slow"}
        groups = {each.name: state for each in first.blueprint.groups}
        found = resolved(*vms, groups=groups, assignments=assignments, **sections)
        assert not [finding for finding in found.findings if finding.is_error], found.findings
        assignments = found.assignments
    return structs.replace(found.blueprint, groups=(group(found, name),))


def _synced(blueprint: Blueprint, found: Group) -> tuple[str, str]:
    """Return the kinds of what a stage syncs, and what it patches in them."""
    items = list(backends.emit_groups(blueprint, (found,)))
    roots = [item for item in items if isinstance(item, Root) and item.directory.startswith("overlays/")]
    directories = {directory for root in roots for directory in root.resources}
    kinds = dict.fromkeys(
        item.object["kind"] for item in items if isinstance(item, Resource) and item.directory in directories
    )
    patches = dict.fromkeys(
        f"{patch.kind} {patch.path.removeprefix('/').replace('/', '.')}{_value(patch.value)}"
        for root in roots
        for patch in root.patches
    )
    return ", ".join(kinds), ", ".join(patches)


def _value(value: object) -> str:
    return (
        f": {str(value).lower() if isinstance(value, bool) else value}" if isinstance(value, bool | str | int) else ""
    )


def _target(method: Method, stage: Stage, reached: Stage | None) -> str:
    if method == "rebuild" and "migrating" in (stage, reached):
        return "0 replicas"
    if METHODS[method].replicates and "migrating" in (stage, reached):
        return "stopped and kept" if reached else "runs, and is filled by replication"
    if reached is None:
        return {"nothing": "nothing", "copies": "is copied", "runs": "runs", "stopped": ""}[TABLE[stage].target]
    return "stopped and kept" if running(reached) else "what was copied is kept" if begun(reached) else "nothing"


def _source(method: Method, stage: Stage, reached: Stage | None) -> str:
    if stage == "migrating":
        return "runs, and its changes are copied again and again" if method == "warm" else _SOURCES[method]
    if stage == "cutover" and method == "warm":
        return _SOURCES[method]
    if METHODS[method].replicates and running(reached or stage):
        left = "read-only or off, and kept"
        return "takes writes again, by its owner" if reached else left if stage != "retired" else _GONE
    if reached is not None:
        forklift = METHODS[method].path == "forklift" and not running(reached)
        by = "Forklift powers it on if it was on" if forklift else "started by its owner, if it is off"
        return by if begun(reached) and not METHODS[method].replicates else "runs"
    return {"serves": "runs", "off": "off, and kept", "gone": _GONE}[TABLE[stage].source]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stderr.write(f"{PAGE}\n")
