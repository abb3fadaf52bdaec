"""What changes for the people who run VMs today: concepts with this estate's own objects, and what to learn by when."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct

from vmferry.estate.wording import counted
from vmferry.model.blueprint import Group, Machine
from vmferry.model.report import Column, Prose, Report, Row, Table
from vmferry.reports.access import Who, blocks, who
from vmferry.reports.census import NONE, UNKNOWN, Picked
from vmferry.reports.content import Material

HELP = """Report what changes for the people: concepts with this estate's own objects, access, and a training plan.

From the roles and permissions that `vmferry import vcenter` reads it proposes who gets which role in which namespace,
to be confirmed under `access` in the spec. RVTools exports have no permissions.

\b
Examples:
  vmferry report people migration/
  vmferry report people migration/ --format md > people.md
  vmferry report people migration/ --format json | jq .access.proposals
"""


class Concept(Struct, frozen=True, kw_only=True):
    """Something in vSphere, and what does its work in the target. ``here``: what this estate has of it."""

    vsphere: str
    target: str
    here: str
    day: str  # what a day's work with it looks like


class Training(Struct, frozen=True, kw_only=True):
    """Something to learn before the first phase that needs it."""

    topic: str
    who: str
    phase: str
    vms: int
    why: str


class People(Struct, frozen=True, kw_only=True):
    """All of it."""

    concepts: tuple[Concept, ...]
    access: Who
    training: tuple[Training, ...]


def build(material: Material) -> Report:
    """Return the report."""
    found = People(concepts=tuple(_concepts(material)), access=who(material), training=tuple(_training(material)))
    concepts: list[Row] = [(each.vsphere, each.target, each.here, each.day) for each in found.concepts]
    training: list[Row] = [(each.phase, each.topic, each.who, each.vms, each.why) for each in found.training]
    summary = "; ".join(
        (
            counted(len(found.concepts), "concept"),
            *([counted(len(found.access.proposals), "proposal") + " of access"] if found.access.imported else []),
            f"{counted(len(found.training), 'topic')} to learn" if material.complete else "what to learn is open",
        )
    )
    return Report(
        "People",
        summary,
        (
            Table("What is called what", "concept", _OF_CONCEPT, concepts, notable=concepts),
            *blocks(found.access, material.vms),
            Prose("", () if material.complete else (_OPEN,)),
            Table("What to learn, and before which phase", "topic", _OF_TRAINING, training, covers="some"),
        ),
        found,
    )


_OPEN = "What there is to learn, and by when, follows from the groups: they are formed once the spec has no errors."
_OF_CONCEPT = (Column("in vSphere"), Column("in the target"), Column("here"), Column("how it is done there"))
_OF_TRAINING = (Column("before phase"), Column("topic"), Column("who"), Column("VMs", "count"), Column("because"))


# --- concepts ---------------------------------------------------------------------------------


_UNDECIDED = "not decided"


def _concepts(material: Material) -> Iterator[Concept]:
    """Yield the concepts that this estate uses."""
    review, vms = material.review, material.vms
    parts = review.project.inventories
    blueprint = review.blueprint
    pools = len([pool for pool, _ in vms.by("pool") if pool != NONE])
    networks = len([name for name, _ in vms.by("network") if name != NONE])
    datastores = len([name for name, _ in vms.by("datastore") if name != NONE])
    hosts = len([name for name, _ in vms.by("host") if name != UNKNOWN])
    disks = sum(len(machine.disks) for _, machine in review.machines)
    mobile = sum(machine.eviction_strategy == "LiveMigrate" for _, machine in review.machines)
    rules = sum(len(cluster.rules) for part in parts for cluster in part.clusters)
    snapshots = _trait(vms, "snapshots")
    templates = _trait(vms, "is a template")
    tags = len({tag for subject in review.subjects for tag in subject.vm.tags})
    nads = len({nad.name for plan in blueprint.namespaces for nad in plan.nads})
    names = ", ".join(plan.name for plan in blueprint.namespaces[:8])
    names += f" and {len(blueprint.namespaces) - 8} more" if len(blueprint.namespaces) > 8 else ""
    nodes = sum(pool.count for pool in blueprint.cluster.nodes)
    classes = ", ".join(each.name for each in review.spec.storage.classes)
    rows: tuple[tuple[int, str, str, str, str], ...] = (
        (
            len(blueprint.sources) or 1,
            "vCenter",
            "the Git repository, and kubectl",
            f"{counted(len(blueprint.sources), 'vCenter')} → {blueprint.gitops.repo_url}",
            "a pull request changes something; `kubectl get vm --all-namespaces` shows what is there",
        ),
        (
            hosts,
            "ESXi host, cluster",
            "node, node pool",
            f"{counted(hosts, 'host')} → {counted(nodes, 'node') if nodes else _UNDECIDED}",
            "`kubectl get nodes`; maintenance mode is `kubectl drain NODE`, which live-migrates its VMs",
        ),
        (
            pools,
            "resource pool, folder",
            "namespace with a ResourceQuota",
            f"your {counted(pools, 'resource pool')} → {names or _UNDECIDED}",
            "`kubectl describe quota --namespace NAME` shows what is used and what is left",
        ),
        (
            networks,
            "port group, NSX segment",
            "NetworkAttachmentDefinition (Multus)",
            f"your {counted(networks, 'network')} → {counted(nads, 'definition') if nads else _UNDECIDED}",
            "`kubectl get network-attachment-definitions`; a VM names it in its networks",
        ),
        (
            datastores,
            "datastore, storage policy",
            "StorageClass",
            f"your {counted(datastores, 'datastore')} → {classes or _UNDECIDED}",
            "`kubectl get storageclass`; a claim says which one it wants",
        ),
        (
            disks,
            "VMDK",
            "PersistentVolumeClaim, DataVolume",
            counted(disks, "disk"),
            "`kubectl get pvc --namespace NAME`; a disk grows by a larger request in Git",
        ),
        (
            mobile,
            "vMotion, DRS",
            "live migration",
            f"{counted(mobile, 'VM')} can",
            "`virtctl migrate VM`; all disks must be ReadWriteMany",
        ),
        (
            rules,
            "DRS rule",
            "affinity and anti-affinity (`apartFrom`)",
            counted(rules, "rule"),
            "stated in the spec, compiled into the VM",
        ),
        (
            templates,
            "template",
            "DataSource, a golden image",
            counted(templates, "template"),
            "a new VM clones it",
        ),
        (
            snapshots,
            "snapshot",
            "VirtualMachineSnapshot",
            f"{counted(snapshots, 'VM')} with snapshots",
            "`kubectl get vmsnapshot`; the StorageClass must be able to",
        ),
        (tags, "tag, custom attribute", "label", counted(tags, "tag"), "`kubectl get vm --selector KEY=VALUE`"),
        (
            len(vms.vms),
            "VMware Tools, console",
            "QEMU guest agent, virtctl",
            counted(len(vms.vms), "VM"),
            "`virtctl console VM`, `virtctl vnc VM`, `virtctl guestosinfo VM`",
        ),
    )
    yield from (
        Concept(vsphere=vsphere, target=target, here=here, day=day)
        for number, vsphere, target, here, day in rows
        if number
    )


def _trait(vms: Picked, name: str) -> int:
    return len(vms.where("trait", name).vms)


# --- training ---------------------------------------------------------------------------------


class _Topic(NamedTuple):
    """Something to learn, who does, and which VMs need it."""

    name: str
    who: str
    why: str
    needs: Callable[[Group, Machine], bool]


def _topics(material: Material) -> tuple[_Topic, ...]:
    ceph = {each.name for each in material.review.spec.storage.classes if "ceph" in each.provisioner}
    return (
        _Topic("Git, pull requests, Flux or Argo CD", "everybody", "every change goes this way", lambda _, __: True),
        _Topic("KubeVirt: VirtualMachine, virtctl", "VM administrators", "they are VMs there", lambda _, m: _is_vm(m)),
        _Topic("Forklift: Plan, Migration", "platform team", "it copies them", lambda g, _: g.path == "forklift"),
        _Topic("virt-v2v", "platform team", "it converts them", lambda g, m: g.path == "virt-v2v" and not m.raw),
        _Topic(
            "Deployments, Services, probes",
            "application teams",
            "they become containers",
            lambda g, _: g.path == "rebuild",
        ),
        _Topic(
            "Multus and NetworkAttachmentDefinitions",
            "network team",
            "they have a network of their own",
            lambda _, m: any(nic.nad is not None for nic in m.nics),
        ),
        _Topic(
            "SR-IOV",
            "network team",
            "they have virtual functions",
            lambda _, m: any(nic.binding == "sriov" for nic in m.nics),
        ),
        _Topic(
            "Ceph",
            "storage team",
            "their disks are on it",
            lambda _, m: any(disk.storage_class in ceph for disk in m.disks),
        ),
        _Topic("Windows on virtio", "Windows team", "they run Windows", lambda _, m: m.os == "windows"),
        _Topic("GPUs in KubeVirt", "platform team", "they have GPUs", lambda _, m: bool(m.gpus or m.host_devices)),
        _Topic(
            "live migration and node drain",
            "VM administrators",
            "they live-migrate",
            lambda _, m: m.eviction_strategy == "LiveMigrate",
        ),
        _Topic(
            "shared disks in KubeVirt", "database team", "they share disks", lambda _, m: any(d.shared for d in m.disks)
        ),
        _Topic("vTPM and EFI state", "Windows team", "they have a vTPM", lambda _, m: m.vtpm),
    )


def _is_vm(machine: Machine) -> bool:
    return machine.application is None


def _training(material: Material) -> Iterator[Training]:
    """Yield each topic before the first phase with a VM that needs it, in the order of the phases."""
    blueprint = material.review.blueprint
    ranks: Mapping[str, int] = {phase.name: rank for rank, phase in enumerate(blueprint.phases)}
    machines = [(group, machine) for group in blueprint.groups for machine in group.machines]
    rows = []
    for topic in _topics(material):
        need = [group.phase for group, machine in machines if topic.needs(group, machine)]
        if need:
            first = min(need, key=lambda phase: ranks.get(phase, len(ranks)))
            count = need.count(first)
            rows.append(Training(topic=topic.name, who=topic.who, phase=first, vms=count, why=topic.why))
    yield from sorted(rows, key=lambda row: ranks.get(row.phase, len(ranks)))
