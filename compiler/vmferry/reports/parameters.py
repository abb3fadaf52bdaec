"""The parameters of a sizing: their values, who set them, and why they are what they are."""

from collections.abc import Iterator

from msgspec import Struct

from vmferry.estate.capacity import has_ceph, margins_of
from vmferry.model.spec import SizingSettings
from vmferry.reports.content import Material


class Parameter(Struct, frozen=True, kw_only=True):
    """A parameter of a sizing."""

    name: str
    value: str
    set_by: str  # the spec, or the default
    why: str


def parameters_of(material: Material) -> Iterator[Parameter]:
    """Yield every parameter that the figures rest on."""
    spec = material.review.spec
    sizing, cluster, usual = spec.settings.sizing, spec.target.cluster, SizingSettings()

    def stated(field: str) -> str:
        return "default" if getattr(sizing, field) == getattr(usual, field) else "settings.sizing"

    yield Parameter(
        name="headroom",
        value=f"{sizing.headroom} %",
        set_by=stated("headroom"),
        why="on top of requests, for Kubernetes and KubeVirt: 15 to 20 %",
    )
    if has_ceph(spec):
        yield Parameter(
            name="cephHeadroom",
            value=f"{sizing.ceph_headroom} %",
            set_by=stated("ceph_headroom"),
            why="more, for Ceph on the same nodes: 10 to 15 %",
        )
    yield Parameter(
        name="spareNodes",
        value=f"{sizing.spare_nodes} per {sizing.spare_per}",
        set_by=stated("spare_nodes") if stated("spare_nodes") != "default" else stated("spare_per"),
        why="nodes that may fail, or are drained, at once; live migrations use their room too",
    )
    if not cluster.nodes:
        yield Parameter(
            name="zones",
            value=str(sizing.zones),
            set_by=stated("zones"),
            why="of the nodes, which target.cluster.nodes does not state",
        )
    yield Parameter(
        name="cpuAllocationRatio",
        value=f"{cluster.cpu_allocation_ratio} vCPUs per CPU",
        set_by="target.cluster" if cluster.cpu_allocation_ratio != 10 else "default",
        why="KubeVirt's own default is 10",
    )
    yield Parameter(
        name="memoryOvercommit",
        value=f"{cluster.memory_overcommit} %",
        set_by="target.cluster" if cluster.memory_overcommit != 100 else "default",
        why="guest memory per requested memory; KubeVirt's own default is 100",
    )
    yield Parameter(
        name="vmsPerNode",
        value=str(margins_of(spec).pods),
        set_by=stated("vms_per_node"),
        why="the kubelet's maxPods, less 20 for pods of the node itself",
    )
    yield Parameter(
        name="conversions",
        value=f"{sizing.conversions} at once",
        set_by=stated("conversions"),
        why="1 CPU and 1 GiB each, as Forklift requests; it copies up to 20 VMs per ESXi host at once",
    )
    yield Parameter(
        name="growth",
        value=f"{sizing.growth} %",
        set_by=stated("growth"),
        why="of stored data, until storage is added: an assumption",
    )
    yield Parameter(
        name="snapshotReserve",
        value=f"{sizing.snapshot_reserve} %",
        set_by=stated("snapshot_reserve"),
        why="of stored data, in classes that can have snapshots: an assumption",
    )
    yield Parameter(
        name="maxFill",
        value=f"{sizing.max_fill} %",
        set_by=stated("max_fill"),
        why="of the raw capacity: Ceph warns from 85 % on (mon_osd_nearfull_ratio)",
    )
