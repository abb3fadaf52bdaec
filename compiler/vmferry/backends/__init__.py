"""Backends turn the Blueprint into manifests, one module per target."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from vmferry.backends import (
    access,
    alias,
    applier,
    argocd,
    before,
    cdi,
    checks,
    client_routes,
    dashboards,
    dns,
    flux,
    forklift,
    kubevirt,
    monitoring,
    namespaces,
    networks,
    overlays,
    performance,
    preflight,
    rebuild,
    snapshots,
    sources_back,
    vcenter_roles,
    virt_v2v,
)
from vmferry.kube import kinds
from vmferry.kube.kinds import Kind
from vmferry.model.blueprint import Blueprint, Group
from vmferry.model.manifest import Item, Resource


class Backend(NamedTuple):
    """One target: what it emits for a Blueprint, and whether each group's part depends on that group alone.

    ``puts`` are kinds that it puts into the namespaces of VMs, besides those of their methods: the applier's rights
    follow.
    """

    emit: Callable[[Blueprint], Iterator[Item]]
    of_groups: bool = False
    puts: tuple[Kind, ...] = ()


BACKENDS: dict[str, Backend] = {
    "namespaces": Backend(namespaces.emit),
    "access": Backend(access.emit),
    "networks": Backend(networks.emit),
    "preflight": Backend(preflight.emit),
    "vcenter-roles": Backend(vcenter_roles.emit),
    "forklift": Backend(forklift.emit_sources),
    "plans": Backend(forklift.emit_plans, of_groups=True),
    "cdi": Backend(cdi.emit, of_groups=True),
    "virt-v2v": Backend(virt_v2v.emit, of_groups=True),
    "kubevirt": Backend(kubevirt.emit, of_groups=True),
    "checks": Backend(checks.emit, of_groups=True),
    "before": Backend(before.emit, of_groups=True),
    "snapshots": Backend(snapshots.emit, of_groups=True),
    "rebuild": Backend(rebuild.emit, of_groups=True),
    "alias": Backend(alias.emit, of_groups=True),
    "client-routes": Backend(client_routes.emit, of_groups=True),
    "dns": Backend(dns.emit, of_groups=True),
    "sources-back": Backend(sources_back.emit, of_groups=True),
    "phases": Backend(overlays.emit_phases),
    "overlays": Backend(overlays.emit_overlays, of_groups=True),
    "monitoring": Backend(monitoring.emit),
    "performance": Backend(performance.emit),
    "dashboards": Backend(dashboards.emit),
    "flux": Backend(flux.emit),
    "argocd": Backend(argocd.emit),
    "applier": Backend(applier.emit),
}
"""Every backend by name; a new backend is a module and a line here."""


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield everything that a Blueprint asks for.

    Raises UnlistedKindError for an object that `kube.kinds` lacks.
    """
    yield from emit_shared(blueprint)
    yield from emit_groups(blueprint, blueprint.groups)


def emit_shared(blueprint: Blueprint) -> Iterator[Item]:
    """Yield what groups share: namespaces, sources, entry points. Raises UnlistedKindError."""
    return _listed(item for backend in BACKENDS.values() if not backend.of_groups for item in backend.emit(blueprint))


def emit_groups(blueprint: Blueprint, groups: tuple[Group, ...]) -> Iterator[Item]:
    """Yield what is made of these groups alone, of each by itself. Raises UnlistedKindError."""
    part = replace(blueprint, groups=groups)
    return _listed(item for backend in BACKENDS.values() if backend.of_groups for item in backend.emit(part))


def left_behind(blueprint: Blueprint) -> tuple[str, ...]:
    """Return Forklift's namespace, if nothing but the applier's rights is in it any more: it prunes what was there."""
    space = blueprint.forklift.namespace
    made = any(plan.name == space for plan in blueprint.namespaces)
    begun = any(group.path == "forklift" for group in blueprint.groups)
    return (space,) if begun and not made and not forklift.used_sources(blueprint) else ()


def _listed(items: Iterable[Item]) -> Iterator[Item]:
    for item in items:
        if isinstance(item, Resource):
            kinds.emitted(item.object)
        yield item
