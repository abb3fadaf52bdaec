"""An estate whose every free text is hostile: names of VMs, hosts, networks and pools, notes, reasons, contacts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from tests.cli.test_hostile_names import NAMES
from tests.reports.test_schedule import GIB, spec, vm

HOSTILE = (
    *(each for each in NAMES.values() if len(each) < 100),
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></svg></script><svg onload=alert(1)>",
    "]]><!--",
    "=cmd|' /C calc'!A0",
    "+1+cmd|x",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "a,b;c\nd",
    "x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:y",
    "\\, \\; \\n",
    "end",
    'A["x"] --> B',
    "]; click n0 href javascript:alert(1)",
    '%%{init: {"theme": "dark"}}%%',
    "``` \n# heading",
    "| a | b |\n|---|---|",
    "[x](javascript:alert(1)) ![y](https://evil.example/z.png)",
    "<https://evil.example> www.evil.example a@evil.example",
    "# heading",
    "1. list",
    "    code",
    "&lt;b&gt; &amp; &#60;",
    "section x :crit, 2027-01-01, 1d",
    "digraph { a -> b } //",
    "{{ 7 * 7 }}{% raw %}",
    "\u202eevil\u202c \u2066x\u2069",
    "https://evil.example/?a=1&b=2#c",
    "$x^2$ ~~gone~~ **bold** _it_ @someone #1",
)
PLAIN = tuple(f"plain{number}" for number in range(len(HOSTILE)))


def estate(folder: Path, texts: tuple[str, ...] = HOSTILE) -> Path:
    """Write a spec that compiles with these texts wherever it takes one, and return its path."""
    count = len(texts)

    def text(number: int) -> str:
        return texts[number % count]

    lines = [each for each in texts if each.isprintable() and each.strip() == each and "://" not in each]

    def line(number: int) -> str:
        return lines[number % len(lines)]

    vms = [_vm(number, text(number), text, texts) for number in range(count)]
    vms.append(_rebuilt(count, text(3)))
    vms.append(vm(count + 1, GIB) | {"name": "kept", "disposition": "retain", "reason": text(5)})
    phases = [
        {
            "name": "one",
            "maxVms": 5,
            "windows": [{"start": "2027-01-16T20:00:00Z", "duration": "8h"}],
        },
        {"name": "two", "after": ["one"], "windows": [{"start": "2027-01-23T20:00:00Z", "duration": "8h"}]},
    ]
    more: dict[str, Any] = {
        "phases": phases,
        "groups": {"one-01": {"hold": text(7), "contacts": {"application": line(4)}}},
        "networks": [
            {"source": {"portGroup": text(number)}, "target": {"type": "bridge", "bridge": "br-vm", "untagged": True}}
            for number in range(0, count, 3)
        ],
        "storage": {
            "classes": [{"name": "ceph", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"}],
            "map": [{"source": {"datastore": name}, "tier": "gold"} for name in dict.fromkeys(texts)],
        },
        "settings": {
            "contacts": {"application": line(0), "network": line(1), "platform": line(2), "vSphere": line(3)},
            "schedule": {"freezes": [{"start": "2027-01-02T00:00:00Z", "duration": "1d", "reason": text(9)}]},
        },
        "suppress": [{"rule": "VMF431", "reason": text(11)}],
        "costs": {
            "currency": "EUR",
            "source": text(13),
            "licences": [{"name": text(14), "of": "vsphere", "kind": "subscription", "perYear": 10}],
            "once": [{"name": text(15), "amount": 5}],
            "recurring": [{"name": text(16), "of": "target", "perMonth": 1}],
        },
    }
    (folder / "nsx.yaml").write_text(yaml.safe_dump(_nsx(texts)))
    (folder / "evidence.yaml").write_text(yaml.safe_dump(_evidence(text)))
    return spec(folder, vms, **more)


def _evidence(text: Callable[[int], str]) -> dict[str, Any]:
    """Return what was recorded: a failure in the cluster's words, and a sign-off in those of a person."""
    when = {"finished": "2027-01-11T20:00:00Z", "attempt": 1}
    failed = {"outcome": "failed", "cause": "unknown", "problem": text(4), "next": text(6), "said": text(8)}
    signed = {"outcome": "succeeded", "stage": "planned", "by": text(10), "note": text(12)}
    entries = [
        {"group": "two-01", "what": "plan", **when, **failed},
        {"group": "two-01", "what": "signOff", **when, **signed},
    ]
    head = {"apiVersion": "vmferry.dev/v1alpha1", "kind": "Evidence", "metadata": {"name": "demo"}}
    return {**head, "entries": entries}


def _nsx(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return the inventory of an NSX: each network is a segment, and each text names a rule, a group and a service."""
    groups = [
        {
            "path": f"/infra/domains/default/groups/{number}",
            "name": text,
            "anyOf": [{"allOf": [{"what": what, "values": [text]}]} for what in ("other", "name")],
        }
        for number, text in enumerate(texts)
    ]
    rules = [
        {
            "id": f"r{number}",
            "name": text,
            "action": text,
            "direction": text,
            "sources": [group["path"], text],
            "destinations": [text],
            "services": [text],
            "appliedTo": [group["path"]],
        }
        for number, (text, group) in enumerate(zip(texts, groups, strict=True))
    ]
    policy = {"path": "/infra/domains/default/security-policies/p", "name": texts[0], "kind": "distributed"}
    policy |= {"category": texts[1], "rules": rules}
    segments = [
        {"path": f"/infra/segments/{number}", "name": text, "kind": "overlay"} for number, text in enumerate(texts)
    ]
    head = {"apiVersion": "vmferry.dev/v1alpha1", "kind": "Inventory", "metadata": {"name": "nsx"}}
    source = {"source": {"name": "nsx", "kind": "nsx"}}
    return {**head, **source, "nsx": {"segments": segments, "groups": groups, "policies": [policy]}}


def _vm(number: int, name: str, text: Callable[[int], str], texts: tuple[str, ...]) -> dict[str, Any]:
    facts = {
        "name": name,
        "targetName": f"vm-{number}",
        "phase": "one" if number % 4 == 0 else "two",
        "host": text(number + 1),
        "cluster": text(number + 2),
        "datacenter": text(number + 3),
        "resourcePool": text(number + 4),
        "guestName": text(number + 5),
        "annotation": text(number + 6),
        "tags": [text(number + 7)],
        "customAttributes": {"owner": text(number + 9)},
        "disks": [{"size": "40Gi", "datastore": text(number)}],
        "nics": [{"network": texts[number - number % 3], "mac": f"00:50:56:00:01:{number:02x}"}],
        "snapshots": 2 if number % 5 == 0 else 0,
    }
    if number % 4:
        facts["dependsOn"] = [f"vm-{number - number % 4}", {"external": "smtp.example.com:25"}]
    return vm(number, GIB) | facts


def _rebuilt(number: int, reason: str) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80}]
    application = {"image": "registry.example.com/web:1", "ports": ports, "replicas": 1}
    how = {"disposition": "rebuild", "reason": reason, "phase": "two", "path": "rebuild", "application": application}
    return {each: value for each, value in (vm(number, GIB) | how).items() if each != "method"}
