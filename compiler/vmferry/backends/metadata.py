"""Metadata of every emitted object: labels, protection against pruning, sync waves."""

from typing import Any, Literal

from vmferry.estate.methods import METHODS
from vmferry.estate.stages import in_order
from vmferry.kube.kinds import Kind
from vmferry.model.base import LABEL_DOMAIN
from vmferry.model.blueprint import Blueprint, Group
from vmferry.model.manifest import Patch

PHASE_LABEL = f"{LABEL_DOMAIN}/phase"
GROUP_LABEL = f"{LABEL_DOMAIN}/group"
MIGRATION_LABEL = f"{LABEL_DOMAIN}/migration"
VM_LABEL = f"{LABEL_DOMAIN}/vm"
APART_LABEL = f"{LABEL_DOMAIN}/apart-from"  # an anti-affinity set, by name
PRIORITY_LABEL = f"{LABEL_DOMAIN}/priority"  # "phase": the phase's component sets its priority class

FLUX_KEEP = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
ARGOCD_OPTIONS = "argocd.argoproj.io/sync-options"
ARGOCD_WAVE = "argocd.argoproj.io/sync-wave"


def head(
    kind: Kind,
    blueprint: Blueprint,
    name: str,
    namespace: str | None = None,
    *,
    group: Group | None = None,
    layer: str | None = None,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    keep: bool | None = None,
    wave: int | None = None,
) -> dict[str, Any]:
    """Return the head of an object: `apiVersion`, `kind` and metadata, protected if its kind requires it.

    ``keep`` overrides the kind: it adds annotations that keep Flux and Argo CD from ever deleting the object
    (`Kind.keeps`). Argo CD needs both Prune=false and Delete=false (argo-cd #12388).
    """
    metadata: dict[str, Any] = {"name": name}
    if namespace is not None:
        metadata["namespace"] = namespace
    metadata["labels"] = (labels or {}) | stamps(blueprint, group)
    notes = dict(annotations or {})
    if kind.keeps if keep is None else keep:
        notes |= FLUX_KEEP
        notes[ARGOCD_OPTIONS] = "Prune=false,Delete=false"
    if blueprint.gitops.engine == "argocd":
        if wave is None and group is not None and layer is not None and in_order(group.stage):
            wave = METHODS[group.method].layers[layer].wave
        if wave:
            notes[ARGOCD_WAVE] = str(wave)
    if notes:
        metadata["annotations"] = dict(sorted(notes.items()))
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}


def patch(
    kind: Kind,
    name: str,
    namespace: str,
    path: str,
    value: Any,
    *,
    op: Literal["add", "replace"] = "replace",
    named: str | None = None,
) -> Patch:
    """Return a patch of an object; ``named`` is another kind of the same API group."""
    return Patch(
        group=kind.group, kind=named or kind.name, name=name, namespace=namespace, op=op, path=path, value=value
    )


def stamps(blueprint: Blueprint, group: Group | None = None) -> dict[str, str]:
    """Return the labels of everything that vmferry emits, pods included."""
    return {"app.kubernetes.io/managed-by": "vmferry"} | belonging(blueprint, group)


def belonging(blueprint: Blueprint, group: Group | None = None) -> dict[str, str]:
    """Return the labels that name the migration of an object, and its phase and group if it has one."""
    of_group = {} if group is None else {PHASE_LABEL: group.phase, GROUP_LABEL: group.name}
    return {MIGRATION_LABEL: blueprint.name} | of_group
