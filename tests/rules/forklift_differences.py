"""Where our source rules and Forklift's policies differ on purpose: the test's table, and docs/forklift-concerns.md.

`python tests/rules/forklift_differences.py` writes the page.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from vmferry import rules, ruleset
from vmferry.estate.guests import unconverted
from vmferry.rules.source_concern import CONCERNS, Seen

assert rules.CHECKS, "importing the package registers the rules"

PAGE = Path(__file__).parents[2] / "docs" / "forklift-concerns.md"

Inventory = Mapping[str, Any]
"""A VM as Forklift's inventory has it: the input of its policies."""

BY_CODE = {code: concern.forklift for code, concern in CONCERNS.items() if concern.forklift}


class Difference(NamedTuple):
    """One documented difference: who alone reports which concerns, when, and why."""

    codes: tuple[str, ...]
    alone: Literal["Forklift", "vmferry"]
    when: str
    why: str
    holds: Callable[[Seen, Inventory], bool]

    def covers(self, forklift: str, reported: bool, seen: Seen, inventory: Inventory) -> bool:
        """Return whether it explains that vmferry ``reported`` a concern, or did not, unlike Forklift."""
        concerned = forklift in {BY_CODE[code] for code in self.codes}
        return concerned and reported == (self.alone == "vmferry") and self.holds(seen, inventory)


_FACTS: Mapping[str, tuple[str, ...]] = {
    "VMF701": ("change_tracking",),
    "VMF702": ("disks", "disks.change_tracking"),
    "VMF703": ("consolidation_needed",),
    "VMF704": ("cpu_affinity",),
    "VMF705": ("cpu_hot_add", "cpu_hot_remove", "memory_hot_add"),
    "VMF706": ("disks",),
    "VMF707": ("disks",),
    "VMF708": ("disks", "disks.mode"),
    "VMF709": ("disks", "disks.controller", "disk_enable_uuid"),
    "VMF710": ("disks",),
    "VMF713": ("fault_tolerance",),
    "VMF714": ("guest_disks", "guest_disks.free"),
    "VMF715": ("guest_disks", "guest_disks.key", "guest_id"),
    "VMF716": ("host_affinity",),
    "VMF719": ("nics",),
    "VMF721": ("numa_node_affinity",),
    "VMF722": ("passthrough",),
    "VMF723": ("disks",),
    "VMF724": ("disks",),
    "VMF725": ("snapshots",),
    "VMF726": ("sriov",),
    "VMF727": ("vtpm",),
    "VMF728": ("usb",),
}
"""The facts each concern is made of; `disks.mode` is that of any disk."""


def _in_yaml(fact: str) -> str:
    head, *words = fact.split("_")
    return head + "".join(word.capitalize() for word in words).replace("Uuid", "UUID")


def _missing(seen: Seen, fact: str) -> bool:
    owner, _, field = fact.partition(".")
    value = getattr(seen.vm, owner)
    return any(getattr(each, field) is None for each in value or ()) if field else value is None


def _unknown(code: str) -> Difference:
    facts = _FACTS[code]
    return Difference(
        (code,),
        "Forklift",
        f"{' or '.join(f'`{_in_yaml(fact)}`' for fact in facts)} is unknown",
        "a gap in the inventory proves nothing",
        lambda seen, _: any(_missing(seen, fact) for fact in facts),
    )


_NAMES = {"guest_id": "guestId", "guest_tools_name": "guestNameFromVmwareTools", "guest_name": "guestName"}


def _name_unknown(seen: Seen, inventory: Inventory) -> bool:
    return any(_missing(seen, fact) and inventory[key] for fact, key in _NAMES.items())


def _nameless(seen: Seen, _: Inventory) -> bool:
    return all(_missing(seen, fact) for fact in _NAMES)


def _no_cluster(seen: Seen, _: Inventory) -> bool:
    return seen.cluster is None or None in (seen.cluster.drs, seen.cluster.dpm)


def _devices(inventory: Inventory) -> set[str]:
    return {device["kind"] for device in inventory["devices"]}


DIFFERENCES: tuple[Difference, ...] = (
    *(_unknown(code) for code in _FACTS),
    Difference(
        ("VMF711", "VMF712"),
        "Forklift",
        "the VM's cluster is unknown, or whether it has DRS or DPM",
        "RVTools has no column for DPM; a VM without a cluster in the inventory belongs to none",
        _no_cluster,
    ),
    Difference(
        ("VMF706",),
        "vmferry",
        "the inventory does not say on which datastore a disk is",
        "the rule says that none is known; to Forklift an unknown datastore cannot happen",
        lambda seen, _: any(disk.datastore is None for disk in seen.vm.disks or ()),
    ),
    Difference(
        ("VMF717",),
        "vmferry",
        "the inventory does not say the host name",
        "the rule says that none is known; to Forklift an unknown host name is an empty one",
        lambda seen, _: seen.vm.hostname is None,
    ),
    Difference(
        ("VMF718",),
        "Forklift",
        "the inventory does not say the host name",
        "vmferry then reports VMF717 instead",
        lambda seen, _: seen.vm.hostname is None,
    ),
    Difference(
        ("VMF719",),
        "vmferry",
        "all addresses are link-local, or the inventory has none",
        "a link-local address is none to keep: importers leave it out; Forklift counts it",
        lambda seen, _: not any(nic.addresses for nic in seen.vm.nics or ()),
    ),
    Difference(
        ("VMF714",),
        "vmferry",
        "a file system is full to the last byte",
        "Forklift's inventory drops a free space of 0 from its JSON (omitempty), and the policy then says nothing",
        lambda _, inventory: any("freeSpace" not in disk for disk in inventory["guestDisks"]),
    ),
    Difference(
        ("VMF714",),
        "Forklift",
        "a snap's image (below /snap) has no free space",
        "it is read-only and full by nature, and no conversion mounts it",
        lambda _, inventory: any(disk["diskPath"].startswith("/snap/") for disk in inventory["guestDisks"]),
    ),
    Difference(
        ("VMF721",),
        "vmferry",
        "memory is bound to NUMA nodes by scheduling affinity (config.memoryAffinity)",
        "Forklift reads the advanced setting numa.nodeAffinity only",
        lambda _, inventory: not inventory["numaNodeAffinity"],
    ),
    Difference(
        ("VMF721",),
        "Forklift",
        "numa.nodeAffinity is set and empty",
        "Forklift splits the empty text into one empty node; the VM is bound to none",
        lambda _, inventory: inventory["numaNodeAffinity"] == [""],
    ),
    Difference(
        ("VMF724",),
        "vmferry",
        "a disk is shared by its SCSI controller's bus, or by two VMs that have one file",
        "Forklift looks at the disk's own sharing mode only",
        lambda _, inventory: not any(disk["shared"] for disk in inventory["disks"]),
    ),
    Difference(
        ("VMF725",),
        "vmferry",
        "there are snapshots, and the VM is on none of them",
        "Forklift looks at the current snapshot only; the others stay behind all the same",
        lambda _, inventory: inventory["snapshot"]["kind"] == "",
    ),
    Difference(
        ("VMF728",),
        "vmferry",
        "the USB controller is of kind xHCI (USB 3)",
        "Forklift looks for VirtualUSBController only; what is on the other is left behind as well",
        lambda _, inventory: "VirtualUSBController" not in _devices(inventory),
    ),
    Difference(
        ("VMF729",),
        "vmferry",
        "the inventory lacks a name of the guest system, and what it has is not supported",
        "what VMware Tools report counts before the configuration; without it the configuration is judged",
        _name_unknown,
    ),
    Difference(
        ("VMF729",),
        "Forklift",
        "the inventory lacks a name of the guest system, and what it has is supported",
        "as above: a system is judged by the names that are known",
        lambda seen, inventory: _name_unknown(seen, inventory) and not _nameless(seen, inventory),
    ),
    Difference(
        ("VMF729",),
        "Forklift",
        "the guest id is that of Windows 10 or Windows Server 2016, windows9 or windows9Server64",
        "vSphere has no other id for the two, and Red Hat supports both",
        lambda seen, _: (seen.vm.guest_id or "").startswith("windows9"),
    ),
    Difference(
        ("VMF729",),
        "Forklift",
        "virt-v2v cannot convert the guest system at all",
        "that is an error of its own, VMF754: a test migration tells nothing new",
        lambda seen, _: unconverted(seen.vm.guest_id, seen.vm.guest_tools_name, seen.vm.guest_name) is not None,
    ),
    Difference(
        ("VMF729",),
        "Forklift",
        "nothing is known about the guest system",
        "no system is not an unsupported one: VMware Tools never ran, or the inventory has gaps",
        _nameless,
    ),
)


def page() -> str:
    """Return the page of the documentation, in Markdown."""
    lines = [
        "# Forklift's concerns in vmferry",
        "",
        "Forklift's validation service judges every VM by its policies. Each of the 29 concerns it has for vSphere is",
        "a rule of vmferry as well, that reports it before anything is synced, and only where the VM's path and stage",
        "make it matter. `tests/rules/test_forklift_policies.py` compares what both see in over 500 generated VMs.",
        "",
        "| rule | Forklift's concern | |",
        "| --- | --- | --- |",
        *(f"| {code} | `{BY_CODE[code]}` | {ruleset.of(code).title} |" for code in sorted(BY_CODE)),
        "",
        "## Where they differ",
        "",
        "On what a VM is like they agree but for these; the test accepts no other difference.",
        "",
        "| rule | who alone reports | when | why |",
        "| --- | --- | --- | --- |",
        *(f"| {', '.join(row.codes)} | {row.alone} | {row.when} | {row.why} |" for row in DIFFERENCES),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
