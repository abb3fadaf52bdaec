"""Records the live VMs of a migration: what is written where, what differs, and what is refused."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from vmferry import files
from vmferry.adoption.differences import Difference, differences
from vmferry.adoption.live import Live, LiveObjects
from vmferry.adoption.recording import Refusal, found, refused, spec_of
from vmferry.backends.adopted import HALTED
from vmferry.check import Checked
from vmferry.estate.adoption import recorded
from vmferry.estate.stages import started
from vmferry.model.adopted import AdoptedMachine, AdoptedMachines
from vmferry.model.blueprint import Group, Machine
from vmferry.model.keys import VmKey
from vmferry.yaml.write import dump

_COMMENT = """\
Written by `vmferry adopt`: the VMs of a move group as they are in the cluster. Do not edit: record them again."""


class Adopted(Struct, frozen=True, kw_only=True):
    """A VM that is recorded."""

    group: str
    key: VmKey
    name: str  # in vCenter
    namespace: str
    target_name: str
    news: bool  # its record is new or changes
    differences: tuple[Difference, ...]


class Adoption(Struct, frozen=True, kw_only=True):
    """What recording dumps means. With a refusal, nothing may be written."""

    adopted: tuple[Adopted, ...]
    refused: tuple[Refusal, ...]
    absent: tuple[tuple[str, str], ...]  # group and VM, of those that are not in the dumps
    content: Mapping[Path, bytes]  # of the files that change; empty: to be removed


def adoptable(group: Group) -> bool:
    """Return whether there may be VMs of a group to record: they run in the target, or did."""
    return started(group.stage) and group.path != "rebuild"


def adopt(checked: Checked, groups: Iterable[Group], objects: LiveObjects) -> Adoption:
    """Return what recording the live VMs of groups means."""
    known = recorded(checked.project.adopted.values())
    facts = {subject.key: subject.vm for subject in checked.resolution.subjects}
    blueprint = checked.resolution.blueprint
    adopted: list[Adopted] = []
    refusals: list[Refusal] = []
    absent: list[tuple[str, str]] = []
    records: dict[str, dict[VmKey, AdoptedMachine]] = {}
    for group, machine in _machines(groups):
        live = found(machine, objects)
        if live is None:
            absent.append((group.name, machine.name))
            continue
        wrong = [live] if isinstance(live, tuple) else list(refused(machine, live, objects))
        refusals += [Refusal(group.name, machine.name, what, fix) for what, fix in wrong]
        if wrong or isinstance(live, tuple):
            continue
        record = AdoptedMachine(attempt=group.attempt, remigrate=group.remigrate, spec=spec_of(live))
        records.setdefault(group.name, {})[machine.key] = record
        adopted.append(
            Adopted(
                group=group.name,
                key=machine.key,
                name=machine.name,
                namespace=machine.namespace,
                target_name=machine.target_name,
                news=known.get(machine.key) != record,
                differences=(
                    *_power(group, machine, live),
                    *differences(blueprint, group, machine, facts.get(machine.key), record.spec),
                ),
            )
        )
    return Adoption(
        adopted=tuple(adopted),
        refused=tuple(refusals),
        absent=tuple(absent),
        content=_content(checked, records) if not refusals else {},
    )


def _power(group: Group, machine: Machine, live: Live) -> Iterator[Difference]:
    """Yield what the next sync does to the run strategy, which the stage decides and not the record."""
    decided = machine.run_strategy if group.running else HALTED
    strategy = live.spec.get("runStrategy")
    if strategy != decided:
        yield Difference("runStrategy", json.dumps(decided), json.dumps(strategy) if strategy is not None else None)


def _machines(groups: Iterable[Group]) -> Iterator[tuple[Group, Machine]]:
    return ((group, machine) for group in groups for machine in group.machines if not machine.golden)


def _content(checked: Checked, records: Mapping[str, Mapping[VmKey, AdoptedMachine]]) -> dict[Path, bytes]:
    """Return the files that change, with their content: a VM is only recorded in the file of its group."""
    project = checked.project
    folder = Path(project.adopted_folder)
    before = {Path(file): value for file, value in project.adopted.items()}
    after = dict(before)
    moved = {key: folder / f"{group}.yaml" for group, vms in records.items() for key in vms}
    for path, value in before.items():
        kept = {key: machine for key, machine in value.vms.items() if moved.get(key, path) == path}
        after[path] = structs.replace(value, vms=kept)
    for group, vms in records.items():
        path = folder / f"{group}.yaml"
        there = after.get(path) or AdoptedMachines(metadata=project.spec.metadata, group=group)
        after[path] = structs.replace(there, vms=dict(sorted({**there.vms, **vms}.items())))
    changed = {path: value for path, value in after.items() if value != before.get(path)}
    return {path: render(value) if value.vms else b"" for path, value in sorted(changed.items())}


def render(value: AdoptedMachines) -> bytes:
    """Return the file of a group."""
    data: dict[str, Any] = msgspec.to_builtins(value)
    return dump({"apiVersion": value.api_version, "kind": value.kind, **data}, comment=_COMMENT)


def write(adoption: Adoption) -> None:
    """Write the files that change. Raises OSError."""
    for path, content in adoption.content.items():
        if content:
            path.parent.mkdir(exist_ok=True)
            files.replace(path, content)
        else:
            path.unlink()
