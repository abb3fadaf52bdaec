"""Scripts that take hosts out of vSphere. People run them, host by host; the compiler never does, nor any engine."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from shlex import quote
from typing import NamedTuple

_UNKNOWN = "left alone: nobody knows from when on it may go"
_STAYS = "left alone: VMs are left in its cluster"
_NO_ID = "left alone: its id in vCenter is unknown, do it by hand"


class Leaving(NamedTuple):
    """A host, and from when on it may go; "" if at once. ``why_not`` is why it must not, or cannot, go by script."""

    source: str
    host: str
    id: str | None
    date: str
    why_not: str | None


def leaving(source: str, host: str, id_: str | None, *, emptied: bool, at_once: bool, date: str | None) -> Leaving:
    """Return what the scripts do with a host."""
    why: str | None = None
    if not emptied:
        why = _STAYS
    elif date is None and not at_once:
        why = _UNKNOWN
    else:
        why = _NO_ID if id_ is None else None
    return Leaving(source, host, id_, date or "", why)


def shell(hosts: Iterable[Leaving]) -> str:
    """Return the Bash script, which uses govc; all values from vCenter are quoted."""
    lines = ["#!/usr/bin/env bash\nset -euo pipefail\n\n", _script("sh")]
    for host in hosts:
        why = host.why_not
        # govc takes a managed object reference wherever it takes a path
        reference = f"HostSystem:{host.id}"
        values = ["left_alone", host.source, host.host, why] if why else _values("host", host, reference)
        lines.append(" ".join(map(quote, values)) + "\n")
    lines.append(
        '\nif [[ $done_hosts -lt ${#wanted_hosts[@]} ]]; then\n  say "some of these hosts are not in the report"\n'
    )
    lines.append("  failed=1\nfi\nexit $failed\n")
    return "".join(lines)


def powershell(hosts: Iterable[Leaving]) -> str:
    """Return the script for PowerShell, which uses PowerCLI."""
    lines = [_script("ps1")]
    for host in hosts:
        why = host.why_not
        values = _values("", host, f"HostSystem-{host.id}")[1:]
        command, words = ("Skip-Host", [host.source, host.host, why]) if why else ("Remove-Host", values)
        lines.append(" ".join((command, *map(_literal, words))) + "\n")
    lines.append("\nif ($done -lt $Hosts.Count) {\n    Write-Warning 'some of these hosts are not in the report'\n")
    lines.append("    $failed = $true\n}\nif ($failed) { exit 1 }\n")
    return "".join(lines)


def _values(command: str, host: Leaving, reference: str) -> Sequence[str]:
    return [command, host.source, host.host, reference, host.date]


def _literal(text: str) -> str:
    """Return a PowerShell string without substitutions; it treats typographic quotes like the plain one."""
    return "'" + re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", text) + "'"


def _script(suffix: str) -> str:
    return (Path(__file__).with_name("scripts") / f"hosts.{suffix}").read_text(encoding="utf-8")
