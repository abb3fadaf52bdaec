"""Backends spell out what the Blueprint says, one module a target."""

from collections.abc import Callable, Iterator

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
from vmferry.kube import kinds
from vmferry.model.blueprint import Blueprint
from vmferry.model.manifest import Item, Resource

BACKENDS: dict[str, Callable[[Blueprint], Iterator[Item]]] = {
    "namespaces": namespaces.emit,
    "networks": networks.emit,
    "forklift": forklift.emit,
    "cdi": cdi.emit,
    "virt-v2v": virt_v2v.emit,
    "kubevirt": kubevirt.emit,
    "rebuild": rebuild.emit,
    "overlays": overlays.emit,
    "flux": flux.emit,
    "argocd": argocd.emit,
    "applier": applier.emit,
}
"""Every backend by name; a new one is a module and a line here."""


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield everything that a Blueprint asks for. Raises UnlistedKindError for an object that `kube.kinds` lacks."""
    for backend in BACKENDS.values():
        for item in backend(blueprint):
            if isinstance(item, Resource):
                kinds.emitted(item.object)
            yield item
