"""Hands the VMs of adopted groups over to another repository: the manifests that are synced, as plain files.

They are what kustomize builds of the group's roots, with the patches of its stage, its phase and the user's own, but
without vmferry's labels. The annotations that protect them from pruning stay. A template is left as it is, because
Services select its labels, and another one would make KubeVirt ask for a restart.
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from vmferry.backends.entry_points import overlay
from vmferry.backends.metadata import ARGOCD_WAVE
from vmferry.kube import kinds
from vmferry.layout.names import KUSTOMIZATION, file_of
from vmferry.layout.objects import Key, key_of, parse
from vmferry.model.base import LABEL_DOMAIN
from vmferry.model.blueprint import Group
from vmferry.model.manifest import KubeObject
from vmferry.verify.kustomize import build
from vmferry.yaml.write import dump

_MANAGED_BY = "app.kubernetes.io/managed-by"
_HANDED_OVER = (kinds.VIRTUAL_MACHINE.key, kinds.SERVICE.key, kinds.HTTP_ROUTE.key, kinds.TCP_ROUTE.key)
_OTHERS = "others.group.yaml"
"""File of the users' own objects; no VM's file is called so, because no VM's name has a dot."""


class LackingError(RuntimeError):
    """A VM of the group is not in what kustomize builds of its roots, so another repository would not get it."""


class Handover(Struct, frozen=True, kw_only=True):
    """What one group hands over: files by name.

    ``others`` are the users' own objects that no root of the group has any more; of these, Secrets are not handed over.
    """

    group: str
    vms: int
    files: dict[str, bytes]
    others: tuple[str, ...]
    secrets: tuple[str, ...]


def hand_over(tree: Path, before: Group, after: Group) -> Handover:
    """Return what a group hands over, from the tree in which it is not graduated yet.

    ``after`` is the group once it is graduated. Raises SpecError (VMF605) if kustomize does not build the tree, and
    LackingError if a VM is not in it.
    """
    ending = {step.name for step in before.steps} - {step.name for step in after.steps}
    names = {machine.target_name for machine in before.machines if not machine.golden}
    found: dict[str, list[KubeObject]] = {}
    others: dict[Key, KubeObject] = {}
    for step in before.steps:
        for obj in parse(build(tree / overlay(before, step), top=tree)):
            key = key_of(obj)
            if (key.group, key.kind) in _HANDED_OVER and key.name in names:
                found.setdefault(key.name, []).append(_plain(obj))
            elif step.name in ending and _MANAGED_BY not in obj["metadata"].get("labels", {}):
                others[key] = obj
    lost = sorted(names - {name for name, objects in found.items() if _has_vm(objects)})
    if lost:
        folder = tree / "overlays" / before.phase / before.name
        raise LackingError(
            f"the roots of group {before.name} lack VM {', '.join(lost)}: look for a patch in local/ below {folder} "
            "that deletes it"
        )
    secrets = {key: others.pop(key) for key in sorted(others) if (key.group, key.kind) == kinds.SECRET.key}
    files = {file_of(name): _documents(objects) for name, objects in sorted(found.items())}
    if others:
        files[_OTHERS] = _documents([obj for _, obj in sorted(others.items())])
    files[KUSTOMIZATION] = dump(
        {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": list(files)}
    )
    return Handover(
        group=before.name,
        vms=len(names),
        files=files,
        others=tuple(map(str, sorted(others))),
        secrets=tuple(map(str, secrets)),
    )


def _has_vm(objects: Iterable[KubeObject]) -> bool:
    return any(obj["kind"] == kinds.VIRTUAL_MACHINE.name for obj in objects)


def _documents(objects: list[KubeObject]) -> bytes:
    """Return one file: the VM first, and what belongs to it."""
    first = sorted(objects, key=lambda obj: (obj["kind"] != kinds.VIRTUAL_MACHINE.name, str(key_of(obj))))
    return b"---\n".join(dump(obj) for obj in first)


def _plain(obj: KubeObject) -> KubeObject:
    """Return an object without what only means something to vmferry's tree."""
    metadata: dict[str, Any] = dict(obj["metadata"])
    for field in ("labels", "annotations"):
        kept = {key: value for key, value in metadata.pop(field, {}).items() if not _ours(key)}
        if kept:
            metadata[field] = kept
    return {**obj, "metadata": metadata}


def _ours(key: str) -> bool:
    return key in (_MANAGED_BY, ARGOCD_WAVE) or key.startswith(f"{LABEL_DOMAIN}/")


def taken(out: Path, handovers: Iterable[Handover]) -> Iterator[Path]:
    """Yield the folders of groups that exist already and are not empty."""
    for each in handovers:
        folder = out / each.group
        if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
            yield folder


def write(out: Path, handovers: Iterable[Handover]) -> None:
    """Write each group's files into a folder of its own, whole or not at all. Raises OSError."""
    out.mkdir(parents=True, exist_ok=True)
    for each in handovers:
        made = Path(tempfile.mkdtemp(prefix=f".{each.group}-", dir=out))
        try:
            for name, content in each.files.items():
                (made / name).write_bytes(content)
            made.chmod(0o755)
            made.replace(out / each.group)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
