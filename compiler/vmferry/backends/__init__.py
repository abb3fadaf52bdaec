"""Backends turn the Blueprint into manifests, one module per target."""

from collections.abc import Callable, Container, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from vmferry.backends import (
    applier,
    argocd,
    cdi,
    flux,
    forklift,
    kubevirt,
    namespaces,
    networks,
    overlays,
    rebuild,
    virt_v2v,
)
from vmferry.backends.places import lock
from vmferry.kube import kinds
from vmferry.model.blueprint import Blueprint
from vmferry.model.manifest import Item, Resource


class Backend(NamedTuple):
    """One target: what it emits for a Blueprint, and whether each group's part depends on that group alone."""

    emit: Callable[[Blueprint], Iterator[Item]]
    of_groups: bool = False


BACKENDS: dict[str, Backend] = {
    "namespaces": Backend(namespaces.emit),
    "networks": Backend(networks.emit),
    "forklift": Backend(forklift.emit_sources),
    "plans": Backend(forklift.emit_plans, of_groups=True),
    "cdi": Backend(cdi.emit, of_groups=True),
    "virt-v2v": Backend(virt_v2v.emit, of_groups=True),
    "kubevirt": Backend(kubevirt.emit, of_groups=True),
    "rebuild": Backend(rebuild.emit, of_groups=True),
    "phases": Backend(overlays.emit_phases),
    "overlays": Backend(overlays.emit_overlays, of_groups=True),
    "flux": Backend(flux.emit),
    "argocd": Backend(argocd.emit),
    "applier": Backend(applier.emit),
}
"""Every backend by name; a new backend is a module and a line here."""


def emit(blueprint: Blueprint, settled: Container[str] = ()) -> Iterator[Item]:
    """Yield all manifests of a Blueprint, except those of groups whose locks are ``settled``.

    Raises UnlistedKindError for an object that `kube.kinds` lacks.
    """
    moving = replace(blueprint, groups=tuple(group for group in blueprint.groups if lock(group) not in settled))
    for backend in BACKENDS.values():
        for item in backend.emit(moving if backend.of_groups else blueprint):
            if isinstance(item, Resource):
                kinds.emitted(item.object)
            yield item
