"""A script for the owner of each vCenter: roles with the least privileges for what moves from there.

The compiler never runs it. It comes with the pre-flight, which finds what such an account cannot do.
"""

from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from vmferry.backends.preflight import ROOT
from vmferry.estate.methods import METHODS
from vmferry.estate.vcenter_account import Work, granted
from vmferry.model.blueprint import Blueprint, Group, SourcePlan
from vmferry.model.manifest import File, Item


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the script of each vCenter that VMs are read from, if there is a pre-flight."""
    for source in blueprint.sources if blueprint.preflight is not None else ():
        roles = works(source, blueprint.groups)
        if roles and source.vcenter.sdk_endpoint == "vcenter":
            yield File(path=f"{ROOT}/vcenter-roles-{source.name}.sh", content=script(blueprint.name, roles).encode())


def works(source: SourcePlan, groups: tuple[Group, ...]) -> dict[str, tuple[Work, ...]]:
    """Return what the accounts of a vCenter do, by role: Forklift's, and that of conversion Jobs."""
    found: dict[str, set[Work]] = {"forklift": set(), "convert": set()}
    for group in groups:
        if group.source != source.name:
            continue
        if group.path == "forklift":
            found["forklift"] |= {"warm" if group.method == "warm" else "cold"}
            found["forklift"] |= {"offload"} if group.forklift.offload else set()
        elif METHODS[group.method].converts or _imports(group):
            found["convert"].add("convert")
    return {role: tuple(sorted(its)) for role, its in found.items() if its}


def _imports(group: Group) -> bool:
    """Return whether CDI reads disks of a group from vSphere."""
    return any(disk.source.vddk is not None for machine in group.machines for disk in machine.disks)


def script(migration: str, roles: dict[str, tuple[Work, ...]]) -> str:
    """Return the Bash script, which uses govc. Role names have the migration, so that two do not share one."""
    source = (Path(__file__).with_name("scripts") / "vcenter_roles.sh").read_text(encoding="utf-8")
    lines = [
        " ".join(map(quote, ("role", role, f"vmferry-{migration}-{role}", *granted(its))))
        for role, its in roles.items()
    ]
    start = ["#!/usr/bin/env bash", "set -euo pipefail\n", source, f"usage {quote(' '.join(roles))}"]
    return "\n".join([*start, *lines, ""])
