"""Evidence: what really happened in the cluster, and who signed off what."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Model, Name, Text, Timestamp, text
from vmferry.model.keys import VmKey
from vmferry.model.spec import ApiVersion, Metadata, Stage

What = Literal[
    "sync",
    "plan",
    "copy",
    "migration",
    "conversion",
    "volume",
    "virtualMachine",
    "snapshot",
    "signOff",
    "smokeTest",
    "preflight",
    "check",
    "before",
    "replication",
    "performance",
]
"""`sync`: a root in the cluster. `plan`: the Forklift Plan, Ready. `copy`: a first copy while the source runs.
`migration`: Forklift's whole run. `conversion`: a Job of virt-v2v. `volume`: a DataVolume. `virtualMachine`: it runs.
`snapshot`: a VirtualMachineSnapshot with all disks, before the VM is accepted. `smokeTest`: a VM that tests a network.
`preflight`: the Job of a pre-flight test. `check`: the Job that checks the VMs of a group, or one check of one VM; by a
person: accepted although some failed.
`before`: what a check printed at the source before it stopped; by a person: the group goes on without.
`replication`: a person says that the target has everything, and that its source takes no writes any more.
`performance`: a VM compared with what it was in vSphere; by a person: accepted although some are slower, or unknown.
"""

Outcome = Literal["running", "waiting", "succeeded", "failed", "canceled"]

OBSERVED = "observed"
"""Who says so, unless a person does."""


class Entry(Model, frozen=True, kw_only=True):
    """One thing that happened to a move group, to one VM of it, or in a test of a network or of the pre-flight."""

    group: Annotated[Name, Meta(description="The move group.")] | None = None
    network: (
        Annotated[Name, Meta(description="The network that a smoke test is about, by its name in the target.")] | None
    ) = None
    preflight: Annotated[Name, Meta(description="The pre-flight test that it is about.")] | None = None
    vm: Annotated[VmKey, Meta(description="The VM, by source and id (or name); absent for the whole group.")] | None = (
        None
    )
    name: Annotated[Text, Meta(description="Name of the VM in vCenter.")] | None = None
    what: Annotated[What, Meta(description="What happened.")]
    object: Annotated[Text, Meta(description="The object that shows it: kind, namespace and name.")] | None = None
    attempt: Annotated[int, Meta(ge=1, le=99, description="Attempt of the group.")] | None = None
    remigrate: Annotated[int, Meta(ge=0, le=99, description="How often the group had begun again.")] = 0
    stage: Annotated[Stage, Meta(description="The stage that is signed off.")] | None = None
    outcome: Annotated[Outcome, Meta(description="How it went.")]
    started: Annotated[Timestamp, Meta(description="When it started.")] | None = None
    finished: Annotated[Timestamp, Meta(description="When it reached this outcome.")] | None = None
    seen: Annotated[Timestamp, Meta(description="When it was observed, if it had not ended.")] | None = None
    bytes: Annotated[int, Meta(ge=0, description="Bytes copied; of a running copy, in tenths of its disks.")] | None = (
        None
    )
    value: (
        Annotated[
            str,
            text("sha256:[0-9a-f]{32}", "Of a check that compares: the first half of the SHA-256 of what it printed."),
        ]
        | None
    ) = None
    by: Annotated[Text, Meta(description="Who says so: `observed`, or the person who signed.")] = OBSERVED
    note: Annotated[Text, Meta(description="What the person who signed wrote.")] | None = None
    cause: Annotated[Name, Meta(description="Why it failed or waits: a code of docs/evidence.md.")] | None = None
    problem: Annotated[Text, Meta(description="The cause in words.")] | None = None
    next: Annotated[Text, Meta(description="What to do next.")] | None = None
    said: Annotated[Text, Meta(description="What the cluster said, shortened, without credentials.")] | None = None

    @property
    def about(self) -> str:
        """Return what it is about, in words: a group, a network, or a pre-flight test."""
        if self.preflight is not None:
            return f"pre-flight {self.preflight}"
        return self.group or f"network {self.network}"


class Evidence(Model, frozen=True, kw_only=True):
    """What happened so far; written by vmferry and committed. Entries are only ever added."""

    api_version: Annotated[ApiVersion, Meta(description="Version of the format.")] = "vmferry.dev/v1alpha1"
    kind: Annotated[Literal["Evidence"], Meta(description="Kind of the file.")] = "Evidence"
    metadata: Annotated[Metadata, Meta(description="Name of the migration.")]
    entries: Annotated[tuple[Entry, ...], Meta(description="By group, VM, what happened, and time.")] = ()
