"""Scripts that ask the sources of a group for what has to be the same after its move. Their owner runs them."""

import json
from collections.abc import Iterator
from shlex import quote
from typing import Any

from vmferry.backends.checks import text_of
from vmferry.backends.places import lock
from vmferry.backends.sources_back import folder
from vmferry.estate.integrity import compared, ends, taken_now
from vmferry.model.blueprint import Blueprint, Group, Machine, MachineCheck
from vmferry.model.manifest import File, Item

SCRIPT = "before.sh"


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the script of every group whose sources can be asked at its stage."""
    for group in blueprint.groups:
        if taken_now(group) and any(True for _ in compared(group)):
            text = script(blueprint.name, group)
            yield File(path=f"{folder(group)}/{SCRIPT}", content=text.encode(), lock=lock(group))


def script(migration: str, group: Group) -> str:
    """Return the Bash script; all values from vCenter or the spec are quoted. It has the user's scripts as they are."""
    its = tuple(compared(group))
    texts = {each.check.name: group.check_scripts.get(each.check.name, "") for _, each in its}
    named = any(each.check.secret_ref is not None for _, each in its)
    parts = [text_of("before.sh"), text_of("measure.sh"), *([text_of("credentials.sh")] if named else [])]
    commands = [["own", _file(name), text] for name, text in texts.items()]
    commands += [_before(group, machine, each) for machine, each in its]
    head = {"kind": "Before", "migration": migration, "group": group.name}
    commands += [["finish", _fields(head | {"attempt": group.attempt, "remigrate": group.remigrate})]]
    lines = [" ".join(map(quote, command)) for command in commands]
    return "\n".join(["#!/usr/bin/env bash", "set -euo pipefail\n", *parts, *lines, ""])


def _before(group: Group, machine: Machine, each: MachineCheck) -> list[str]:
    end, check = ends(group, machine), each.check
    until = str(int(end.timestamp())) if end is not None else ""
    keys = _fields({"vm": machine.key, "check": check.name, "script": each.made_of})
    how = ["with", check.secret_ref.name] if check.secret_ref is not None else ["directly"]
    return ["before", machine.target_name, check.name, _file(check.name), each.source or "", until, keys, *how]


def _file(check: str) -> str:
    return f"script.{check}"


def _fields(data: dict[str, Any]) -> str:
    """Return a JSON object without its braces."""
    return json.dumps(data, ensure_ascii=True)[1:-1]
