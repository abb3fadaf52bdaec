"""What backends yield: objects and files, each with its place in the tree."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from vmferry.model.base import LABEL_DOMAIN

KubeObject: TypeAlias = dict[str, Any]
"""A Kubernetes object, keys in the order the Kubernetes documentation uses."""

INFRA_LOCK = "_infra"
"""Lock of everything that neither a group nor a namespace owns; no phase can have this name."""

RECORDED = f"{LABEL_DOMAIN}/recorded"
"""Annotation of a VirtualMachine that was recorded: what it refers to is in the cluster, whatever is in the tree."""


def namespace_lock(namespace: str) -> str:
    """Return the lock of a namespace's roots. Pull requests of two teams write two different locks."""
    return f"{INFRA_LOCK}/{namespace}"


def group_lock(phase: str, group: str) -> str:
    """Return the lock of a group, which owns everything that depends on this group alone."""
    return f"{phase}/{group}"


class Patch(Struct, frozen=True, kw_only=True):
    """One JSON6902 operation on one object: `replace` a value that the base has, or `add` one."""

    group: str
    kind: str
    name: str
    namespace: str
    op: str
    path: str
    value: Any


class Resource(Struct, frozen=True, kw_only=True):
    """An object in the root or base at ``directory``, listed in its kustomization.

    Objects of the same ``file`` are its documents, in order of emission; they have the same lock.
    """

    directory: str
    object: KubeObject
    lock: str = INFRA_LOCK
    file: str | None = None  # default: one of its own, KIND-NAME.yaml
    raw: bytes | None = None  # bytes to write instead of the object (SOPS, SealedSecret), in a file of its own
    listed: str | None = None  # lock of the kustomization, where that lists files of several locks


class Root(Struct, frozen=True, kw_only=True):
    """A kustomization composed of others: an overlay."""

    directory: str
    resources: tuple[str, ...]  # directories in the tree
    components: tuple[str, ...] = ()  # directories in the tree
    patches: tuple[Patch, ...] = ()
    lock: str = INFRA_LOCK
    local: bool = False  # has a component `local/` that the user owns


class File(Struct, frozen=True, kw_only=True):
    """Any other file of the tree, such as a script; no kustomization lists it."""

    path: str
    content: bytes
    lock: str = INFRA_LOCK


Item: TypeAlias = Resource | Root | File


def api_group(obj: Mapping[str, Any]) -> str:
    """Return the API group of an object; empty for the core group."""
    return group_and_version(obj["apiVersion"])[0]


def group_and_version(api_version: str) -> tuple[str, str]:
    """Return the API group and the version in it; the core group is empty."""
    group, _, version = api_version.rpartition("/")
    return group, version
