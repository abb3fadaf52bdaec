"""Traits of a method of moving a VM, which the compiler's stages query instead of comparing its name."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct

from vmferry.estate.stages import OWNED
from vmferry.kube.kinds import Kind, Right
from vmferry.model.blueprint import Path
from vmferry.model.spec import Stage, VirtualMachine

Trouble = tuple[str, str, tuple[str | int, ...]]
"""Why a VM cannot use a method, what to do about it, and the field of its entry."""

Needed = tuple[str, str, str]
"""A required fact: its field, its meaning, how to state it."""


class Layer(NamedTuple):
    """A part of a group's base: the stages at which it is synced, and its sync wave under Argo CD.

    A group is one Application there, and waves order its layers while it moves. ``kept`` are the stages from which a
    roll-back leaves the layer synced. A ``late`` layer is only in the base while it is synced.
    """

    stages: tuple[Stage, ...]
    wave: int = 0
    kept: tuple[Stage, ...] = ()
    late: bool = False


MOVING: tuple[Stage, ...] = ("migrating", "cutover")
STARTED: tuple[Stage, ...] = ("cutover", "adopted", "validated")
"""Stages at which the VMs run in the target, and can be rolled back."""


SNAPSHOTS = Layer(("adopted",), wave=4, late=True)
"""Snapshots before acceptance. After it, a deleted one is not made again: it would be of a later time.

Like everything that leaves the sync and holds data, they are never pruned.
"""
SNAPSHOT_STEP = ("snapshots", ("snapshots",))
"""On its own under Flux: a snapshot that is refused must not keep VMs from being synced."""

DNS = Layer(("prepared", *MOVING, *OWNED), wave=6, kept=("prepared", "migrating", *STARTED))
"""Records that ExternalDNS changes, last: they lead to a VM once it is there."""
DNS_STEP = ("dns", ("dns",))
ALIAS = Layer(DNS.stages, wave=5, kept=DNS.kept)
"""Services that are aliases of a host name: they lead to the source, and then to the target."""
ALIAS_STEP = ("alias", ("alias",))
ROUTE = Layer(DNS.stages, wave=ALIAS.wave, kept=DNS.kept)
"""Routes that send clients to the source, and then to the target, by weights."""
ROUTE_SOURCE = Layer(("prepared", *MOVING, "adopted", "validated"), wave=ROUTE.wave, kept=DNS.kept)
"""The Services by which routes reach the sources, for as long as there is a way back to these."""
ROUTE_STEP = ("route", ("route-source", "route"))
CHECKS = Layer(("cutover", "adopted"), wave=7, late=True)
"""The Job that checks the VMs, and its ways to them, until they are accepted."""
CHECK_STEP = ("checks", ("checks",))
"""On its own under Flux: a check that fails must not keep VMs from being synced."""

CLIENT_LAYERS: Mapping[str, Layer] = {"alias": ALIAS, "route-source": ROUTE_SOURCE, "route": ROUTE, "dns": DNS}
"""How clients get to what runs in the target."""
CLIENT_STEPS = (ALIAS_STEP, ROUTE_STEP, DNS_STEP)
VM_LAYERS: Mapping[str, Layer] = {"snapshots": SNAPSHOTS, **CLIENT_LAYERS, "checks": CHECKS}
"""What is synced around VMs that run in the target."""
VM_STEPS = (SNAPSHOT_STEP, *CLIENT_STEPS, CHECK_STEP)

PLAN_LAYERS: Mapping[str, Layer] = {
    "plan": Layer(("prepared", *MOVING, *OWNED)),
    # Rolled back, the Migration is cancelled: VMs that have not cut over end there, the others are left alone.
    "migration": Layer(MOVING, wave=2, kept=MOVING),
    # Forklift creates the VMs; before that, manifests of theirs would be in its way (VMAlreadyExists).
    "machines": Layer(OWNED, wave=3, kept=STARTED, late=True),
    **VM_LAYERS,
}
"""Layers of a group whose VMs a Plan of Forklift's moves."""

# Flux dry-runs a whole root before it applies any of it, and Forklift's webhook refuses a Migration without a Plan.
PLAN_STEPS = (
    *(("plan", ("plan",)), ("migration", ("migration",)), ("machines", ("machines",))),
    *VM_STEPS,
)


def _nothing(_: VirtualMachine) -> Iterator[Trouble]:
    return iter(())


class MoveMethod(Struct, frozen=True, kw_only=True):
    """One method. Its defaults describe one that starts with empty volumes and reads nothing from vSphere.

    ``steps`` are the roots that Flux applies in order, each with its layers: each waits for the one before. ``usual``
    returns why a VM uses this method by default, or None; a path's methods are tried in the order of registration.
    ``kinds`` are what it puts into the namespace of a VM: the applier's rights follow.
    """

    path: Path
    layers: Mapping[str, Layer]
    steps: tuple[tuple[str, tuple[str, ...]], ...]
    kinds: tuple[Kind | Right, ...]
    usual: Callable[[VirtualMachine], str | None] = lambda _: None
    refuses: Callable[[VirtualMachine], Iterator[Trouble]] = _nothing
    facts: tuple[Needed, ...] = ()  # beside those that its path needs
    volumes: str | None = None  # the layer of the DataVolumes that CDI makes for it
    reads: bool = False  # pods in the cluster copy the disks from vSphere
    converts: bool = False  # those pods are Jobs of vmferry's, which convert every guest
    from_images: bool = False  # disks come from existing images: templates, shared disks and RDMs can move
    independent_disks: bool = True  # it can copy them; nothing that reads from a snapshot can
    source_runs: bool = False  # the source is in use while it is copied
    cutover: bool = False  # the switch is at a time that the spec states
    replicates: bool = False  # the target runs beside its source, and fills itself until it is promoted
