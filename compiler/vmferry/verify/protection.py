"""Objects with data or a running migration must keep the annotations that protect them from Flux and Argo CD."""

from collections.abc import Iterator

from vmferry.kube import kinds
from vmferry.layout.objects import Issue, key_of
from vmferry.model.base import LABEL_DOMAIN
from vmferry.model.manifest import KubeObject
from vmferry.model.rule import declare

_KINDS = frozenset(kind.key for kind in kinds.EMITTED if kind.keeps)
_FLUX = ("kustomize.toolkit.fluxcd.io/prune", "disabled")
_ARGOCD = ("argocd.argoproj.io/sync-options", ("Prune=false", "Delete=false"))


UNPROTECTED_DATA = declare(
    "VMF614",
    "error",
    "data is not protected against pruning",
    why="Flux and Argo CD delete what is no longer in git; with a VirtualMachine, a DataVolume or a namespace go its "
    "disks, and deleting a Plan or Migration cancels a running copy. vmferry adds annotations that forbid this, "
    "and a patch in a component removed them.",
    source="fluxcd/kustomize-controller docs/spec/v1/kustomizations.md (prune); argoproj/argo-cd #9853, #12388",
)


def check_protection(obj: KubeObject, directory: str, file: str) -> Iterator[Issue]:
    """Yield VMF614 for an object of vmferry that one of the engines may delete.

    ``directory`` is the root that builds it, ``file`` its kustomization. Smoke tests belong to no group, and may be
    deleted.
    """
    key, metadata = key_of(obj), obj["metadata"]
    labels = metadata.get("labels") or {}
    if (key.group, key.kind) not in _KINDS or labels.get("app.kubernetes.io/managed-by") != "vmferry":
        return
    if (key.group, key.kind) != kinds.NAMESPACE.key and f"{LABEL_DOMAIN}/group" not in labels:
        return
    notes = metadata.get("annotations") or {}
    options = str(notes.get(_ARGOCD[0], "")).replace(" ", "").split(",")
    lost = [f"{_FLUX[0]}: {_FLUX[1]}"] if notes.get(_FLUX[0]) != _FLUX[1] else []
    lost += [f"{_ARGOCD[0]}: {option}" for option in _ARGOCD[1] if option not in options]
    if lost:
        message = f"`{directory}`: {key} lacks {' and '.join(lost)}"
        yield Issue(UNPROTECTED_DATA, message, "take the patch out of the component that removes it", file=file)
