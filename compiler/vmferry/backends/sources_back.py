"""Scripts that start the sources of a group that was rolled back. Their owner runs one; the compiler never does."""

import re
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from vmferry.backends.places import lock
from vmferry.model.blueprint import Blueprint, Group, Machine
from vmferry.model.manifest import File, Item

SHELL, POWERSHELL = "start-sources.sh", "start-sources.ps1"

_UNKNOWN = "its id in vCenter is unknown: start it by hand"
_WAS_OFF = "it was not to run in the target either: start it by hand if it ran before"


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield a script for govc and one for PowerCLI for every group that is rolled back."""
    for group in blueprint.groups:
        if group.stage == "rolled-back" and group.path != "rebuild" and group.dual_run != "parallel":
            for name, text in ((SHELL, shell(group)), (POWERSHELL, powershell(group))):
                yield File(path=f"{folder(group)}/{name}", content=text.encode(), lock=lock(group))


def folder(group: Group) -> str:
    """Return the directory of the scripts, in the tree."""
    return f"bases/{group.phase}/{group.name}"


def shell(group: Group) -> str:
    """Return the Bash script, which uses govc; all values from vCenter or the spec are quoted."""
    lines = [_script("sh", "#!/usr/bin/env bash\nset -euo pipefail\n\n")]
    for machine in _sources(group):
        known = [machine.name, machine.namespace, machine.target_name]
        why = _why_not(machine)
        # govc takes a managed object reference wherever it takes a path
        command = ["left_off", *known, why] if why else ["start", *known, f"VirtualMachine:{machine.id}"]
        lines.append(" ".join(map(quote, command)) + "\n")
    return "".join((*lines, "\nexit $failed\n"))


def powershell(group: Group) -> str:
    """Return the script for PowerShell, which uses PowerCLI."""
    lines = [_script("ps1", "")]
    for machine in _sources(group):
        known = [machine.name, machine.namespace, machine.target_name]
        why = _why_not(machine)
        command, values = ("Skip-Source", [*known, why]) if why else ("Start-Source", [*known, _id(machine)])
        lines.append(" ".join((command, *map(literal, values))) + "\n")
    return "".join((*lines, "\nif ($failed) { exit 1 }\n"))


def _sources(group: Group) -> Iterator[Machine]:
    """Yield the machines that have a source of their own: templates do not run."""
    return (machine for machine in group.machines if not machine.golden)


def _why_not(machine: Machine) -> str | None:
    if machine.id is None:
        return _UNKNOWN
    return _WAS_OFF if machine.run_strategy in ("Halted", "Manual") else None


def _id(machine: Machine) -> str:
    """Return the id that Get-VM takes."""
    return f"VirtualMachine-{machine.id}"


def literal(text: str) -> str:
    """Return a PowerShell string without substitutions; it treats typographic quotes like the plain one."""
    return "'" + re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", text) + "'"


def _script(suffix: str, head: str) -> str:
    return head + (Path(__file__).with_name("scripts") / f"start_sources.{suffix}").read_text(encoding="utf-8")
