"""How a source and its target are kept side by side: what each mode means, and which VMs can do it."""

import uuid
from collections.abc import Iterable, Mapping
from hashlib import blake2b

from vmferry.estate.stages import TABLE, running
from vmferry.model.blueprint import Group, Machine
from vmferry.model.keys import VmKey
from vmferry.model.spec import DualRun, DualRunMode, Phase, Stage

MEANS: Mapping[DualRunMode, str] = {
    "fallback": "the source is off, and kept",
    "parallel": "both serve, and clients move step by step",
    "replica": "a new VM that replication fills, and that is promoted at the cutover",
}


_AT: Mapping[DualRunMode, Mapping[Stage, str]] = {
    "fallback": {},
    "parallel": {
        "cutover": "The VMs run beside their sources. `weight` says how many clients go to them: none at first.",
        "validated": "The VMs are accepted, and all clients go to them. The sources run on for as long as the phase's "
        "`dualRun` says.",
    },
    "replica": {
        "migrating": "The VMs run beside their sources, and replication fills them.",
        "cutover": "The VMs are promoted, and clients go to them. The sources are read-only or off, and kept.",
    },
}
"""What a stage means where that differs from `stages.TABLE`."""


def means(mode: DualRunMode, stage: Stage) -> str:
    """Return what is the case at a stage, in words."""
    return _AT[mode].get(stage) or TABLE[stage].means


def dual_run_of(phases: Iterable[Phase], name: str) -> DualRun:
    """Return the dual run of a phase; the usual one if it states none."""
    return next((phase.dual_run for phase in phases if phase.name == name and phase.dual_run is not None), DualRun())


def beside(phases: Iterable[Phase]) -> frozenset[str]:
    """Return the phases in which source and target run at the same time."""
    return frozenset(phase.name for phase in phases if phase.dual_run is not None and phase.dual_run.mode != "fallback")


def source_runs(group: Group) -> bool:
    """Return whether the sources of a group that runs in the target are still on, and meant to be."""
    return group.dual_run == "parallel" and TABLE[group.stage].source != "gone"


def is_new(machine: Machine) -> bool:
    """Return whether a machine has nothing of its source's disks: a clone of an image, or containers."""
    return machine.path == "rebuild" or machine.clone_of is not None


def weight_of(dual_run: DualRun, stage: Stage, stated: int | None) -> int:
    """Return the percent of clients that go to the target at a stage."""
    if not running(stage):
        return 0
    return (stated or 0) if dual_run.mode == "parallel" and TABLE[stage].source != "gone" else 100


def own_mac(key: VmKey, index: int) -> str:
    """Return the MAC of a NIC that runs beside its source's, always the same.

    It is locally administered, and outside of the range that KubeMacPool usually assigns from.
    """
    found = blake2b(f"{key}/{index}".encode(), digest_size=5).digest()
    return ":".join(f"{byte:02x}" for byte in b"\x06" + found)


def own_uuid(key: VmKey) -> str:
    """Return the SMBIOS UUID of a VM that runs beside its source, always the same."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"vmferry:{key}"))
