"""Decisions on a VM, wherever they are made: `defaults`, `assign` or the VM's entry."""

from typing import Annotated, Literal

from msgspec import Meta, field

from vmferry.model.application import NamedPort
from vmferry.model.base import Duration, LabelKey, Labels, LabelValue, Model, Name, Reason, Subdomain, Text
from vmferry.model.forklift import ForkliftDecisions
from vmferry.model.spec.contacts import Contact
from vmferry.model.spec.hooks import HookUse

Disposition = Literal["migrate", "rebuild", "retire", "retain", "exclude"]
PathChoice = Literal["auto", "forklift", "virt-v2v", "rebuild"]
CopyMethod = Literal[
    "warm",
    "cold",
    "job",
    "image",
    "replica",
]
"""Methods that a spec can choose. This registers one: its module in `vmferry.estate.methods` has the same name."""
Method = Literal[CopyMethod, "rebuild"]
LiveMigration = Literal["required", "preferred", "none"]
RunStrategy = Literal["Always", "RerunOnFailure", "Manual", "Halted"]


class Toleration(Model, frozen=True, kw_only=True):
    """A toleration of a node's taint."""

    key: Annotated[LabelKey, Meta(description="Taint key.")]
    operator: Annotated[Literal["Exists", "Equal"], Meta(description="Operator.")] = "Exists"
    value: Annotated[LabelValue, Meta(description="Taint value.")] | None = None
    effect: Annotated[Literal["NoSchedule", "PreferNoSchedule", "NoExecute"], Meta(description="Effect.")] | None = None


class InstancetypeRef(Model, frozen=True, kw_only=True):
    """An instance type or preference of the cluster."""

    name: Annotated[Subdomain, Meta(description="Its name.")]
    kind: (
        Annotated[
            Literal[
                "VirtualMachineInstancetype",
                "VirtualMachineClusterInstancetype",
                "VirtualMachinePreference",
                "VirtualMachineClusterPreference",
            ],
            Meta(description="Its kind. Default: the cluster-wide one."),
        ]
        | None
    ) = None


class Decisions(Model, frozen=True, kw_only=True):
    """Decisions on a VM, from `defaults`, an `assign` rule, or its entry. Later ones win."""

    disposition: Annotated[Disposition, Meta(description="What happens to it.")] | None = None
    reason: Annotated[Reason, Meta(description="Why; required to rebuild, retire, retain or exclude.")] | None = None
    phase: Annotated[Name, Meta(description="Its phase.")] | None = None
    namespace: Annotated[Name, Meta(description="Its namespace.")] | None = None
    path: Annotated[PathChoice, Meta(description="auto, forklift (A), virt-v2v (B) or rebuild (C).")] | None = None
    method: (
        Annotated[
            CopyMethod,
            Meta(
                description="A: warm or cold. B: job (in the cluster), image (on a bastion), or replica (a clone that "
                "replication fills)."
            ),
        ]
        | None
    ) = None
    conversion: (
        Annotated[
            Literal["virt-v2v", "skip"],
            Meta(
                description="virt-v2v: the guest gets drivers and a new boot configuration. skip: its disks are copied "
                "unchanged, for guests that virt-v2v does not support (BSD, Photon, appliances). Default: virt-v2v."
            ),
        ]
        | None
    ) = None
    devices: (
        Annotated[
            Literal["emulated", "virtio"],
            Meta(
                description="Devices of a VM with conversion: skip, for disks and NICs that do not set bus or model. "
                "emulated: SATA and e1000e, which any guest boots from. virtio: the guest has its drivers. "
                "Default: emulated."
            ),
        ]
        | None
    ) = None
    live_migration: Annotated[LiveMigration, Meta(description="Whether it must be able to live-migrate.")] | None = None
    static_ip: (
        Annotated[
            Literal["preserve", "cloud-init", "none"],
            Meta(
                description="preserve: the guest keeps its addresses. cloud-init: it gets those in `readdress`, and "
                "keeps its own on other NICs. none: neither."
            ),
        ]
        | None
    ) = field(default=None, name="staticIP")
    tier: Annotated[Text, Meta(description="Storage tier of its disks; overrides the storage map.")] | None = None
    run_strategy: (
        Annotated[RunStrategy, Meta(description="Run strategy after cutover. Default: by its power state.")] | None
    ) = None
    labels: Annotated[Labels, Meta(description="Labels of the VM.")] | None = None
    node_selector: Annotated[Labels, Meta(description="Nodes it may run on.")] | None = None
    tolerations: Annotated[tuple[Toleration, ...], Meta(description="Taints it tolerates.")] | None = None
    apart_from: (
        Annotated[Name, Meta(description="Name of an anti-affinity set: its members prefer different nodes.")] | None
    ) = None
    priority_class: Annotated[Name, Meta(description="PriorityClass; overrides the phase's.")] | None = None
    cpu_model: Annotated[Text, Meta(description="CPU model. Default: host-model.")] | None = None
    instancetype: Annotated[InstancetypeRef, Meta(description="Instance type, instead of CPU and memory.")] | None = (
        None
    )
    preference: Annotated[InstancetypeRef, Meta(description="Preference.")] | None = None
    cpu_placement: (
        Annotated[
            Literal["shared", "dedicated"],
            Meta(description="dedicated: each vCPU gets its own CPU of the node (dedicatedCpuPlacement)."),
        ]
        | None
    ) = None
    hugepages: (
        Annotated[Literal["2Mi", "1Gi"], Meta(description="Size of the huge pages that back its memory.")] | None
    ) = None
    numa_topology: (
        Annotated[
            Literal["passthrough"],
            Meta(description="passthrough: the guest sees its NUMA nodes; needs dedicated CPUs and huge pages."),
        ]
        | None
    ) = None
    windows_timezone: (
        Annotated[
            Text,
            Meta(description="Time zone of the virtual clock of VMs that run Windows, as in Europe/Berlin."),
        ]
        | None
    ) = None
    termination_grace_period: Annotated[Duration, Meta(description="Time that the guest gets to shut down.")] | None = (
        None
    )
    transfer_network: Annotated[Name, Meta(description="One of `networks` by name, used for the copy.")] | None = None
    hooks: Annotated[tuple[HookUse, ...], Meta(description="Forklift hooks.")] | None = None
    forklift: Annotated[ForkliftDecisions, Meta(description="How Forklift moves it (path A).")] | None = None
    luks_secret: Annotated[Name, Meta(description="Secret with LUKS passphrases.")] | None = None
    nbde_clevis: Annotated[bool, Meta(description="LUKS is unlocked by Clevis.")] | None = None
    root_disk: (
        Annotated[
            str,
            Meta(
                pattern=r"^/dev/(?:[A-Za-z0-9_+][-A-Za-z0-9_.+]*/){0,2}[A-Za-z0-9_+][-A-Za-z0-9_.+]*$(?!\n)",
                description="Root device, as in /dev/sdb2 or /dev/vg/root, if the guest has several systems.",
            ),
        ]
        | None
    ) = None
    ports: (
        Annotated[
            tuple[NamedPort, ...],
            Meta(description="Ports it serves; on the pod network a Service offers them."),
        ]
        | None
    ) = None
    dns_zone: (
        Annotated[
            Subdomain,
            Meta(
                description="One of `dns.zones`, in which it has a record by its host name, or by its own name if that "
                "is unknown. none: it has no such record."
            ),
        ]
        | None
    ) = None
    checks: (
        Annotated[tuple[Name, ...], Meta(description="Those of `checks`, by name, that it must pass in the target.")]
        | None
    ) = None
    contact: (
        Annotated[Contact, Meta(description="Whom to reach about its application; over those of its group and phase.")]
        | None
    ) = None
