"""Plays Flux and Argo CD on a tree: what each applies, in which order, and what it deletes.

Both controllers take a root for healthy as soon as it is applied: nothing runs on the test server.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml
from tests.e2e.cluster.crds import Object
from tests.e2e.cluster.server import Cluster, Key, key_of


class Entry(NamedTuple):
    """A Flux Kustomization or an Argo CD Application: one root that is synced."""

    key: Key
    path: str  # of the root, relative to the repository
    after: tuple[str, ...]  # names of entries to wait for
    rank: int  # among those that wait for nothing
    takes_along: bool  # deletes what it applied when it is deleted itself

    @property
    def name(self) -> str:
        """Return the name, by which others refer to it."""
        return self.key.name


class Report(NamedTuple):
    """What became of one sync."""

    applied: dict[Key, Object]
    refused: list[str]
    warned: list[str]
    deleted: list[Key]
    kept: list[Key]  # gone from the tree, and left alone because they say so
    stranded: list[Key]  # entries whose root and whose parent are gone: they fail, and nobody deletes them


class Engine(ABC):
    """A GitOps controller that follows a repository."""

    manager: str
    kind: tuple[str, str]

    def __init__(self, cluster: Cluster, repository: Path, bootstrap: str) -> None:
        self._cluster = cluster
        self._repository = repository
        self._bootstrap = bootstrap  # what a person applies once: kubectl apply -k
        self._entries: dict[str, Entry] = {}
        self._inventory: dict[str, set[Key]] = {}  # what each entry applied last
        self._owner: dict[Key, str] = {}  # the entry that applied an object last
        self._live: dict[Key, Object] = {}
        self._synced: dict[str, str] = {}  # digest of each root when it was applied

    @abstractmethod
    def entry(self, obj: Object) -> Entry:
        """Read one of the engine's own objects."""

    @abstractmethod
    def keeps(self, obj: Object) -> bool:
        """Tell whether an object that is no longer in the tree stays in the cluster."""

    def sync(self, *, again: bool = False) -> Report:
        """Sync every root whose files changed, or every root; roots that are added on the way, too."""
        report = Report({}, [], [], [], [], [])
        if not self._entries:
            self._apply(self._bootstrap, "", report)
        done: set[str] = set()
        while waiting := sorted(
            (entry for entry in self._entries.values() if entry.name not in done),
            key=lambda entry: (entry.rank, entry.name),
        ):
            ready = next((entry for entry in waiting if self._ready(entry, done)), None)
            if ready is None:
                orphans = [entry.key for entry in waiting if entry.key not in self._owner]
                report.stranded.extend(orphans)
                report.refused.extend(f"{entry} never gets ready" for entry in waiting if entry.key not in orphans)
                break
            done.add(ready.name)
            digest = self._digest(ready.path)
            if again or self._synced.get(ready.name) != digest:
                self._apply(ready.path, ready.name, report)
                self._synced[ready.name] = digest
        return report

    def _ready(self, entry: Entry, done: set[str]) -> bool:
        """Tell whether an entry can be synced; one whose root is gone fails until its own parent deletes it."""
        return done.issuperset(entry.after) and (self._repository / entry.path).is_dir()

    def _apply(self, path: str, name: str, report: Report) -> None:
        built = self._cluster.kubectl("kustomize", str(self._repository / path), check=False)
        if built.returncode != 0:
            report.refused.append(f"{path}: {built.stderr.strip()}")
            return
        applied = self._cluster.apply(built.stdout, self.manager)
        report.refused.extend(f"{path}: {line}" for line in applied.refused)
        report.warned.extend(f"{path}: {line}" for line in applied.warned)
        report.applied.update(applied.objects)
        self._live.update(applied.objects)
        for key, obj in applied.objects.items():
            if name or key not in self._owner:
                self._owner[key] = name
            if (key.group, key.kind) == self.kind:
                entry = self.entry(obj)
                self._entries[entry.name] = entry
        before = self._inventory.get(name, set())
        if applied.refused:  # then nothing is pruned
            self._inventory[name] = before | set(applied.objects)
            return
        self._inventory[name] = set(applied.objects)
        for key in sorted(before - set(applied.objects)):
            if self._owner.get(key) == name:  # else another root has it now
                self._prune(key, report)

    def _prune(self, key: Key, report: Report) -> None:
        obj = self._live[key]
        if self.keeps(obj):
            report.kept.append(key)
            return
        self._cluster.delete(key)
        del self._live[key], self._owner[key]
        report.deleted.append(key)
        if (key.group, key.kind) == self.kind:
            entry = self._entries.pop(self.entry(obj).name)
            self._synced.pop(entry.name, None)
            held = self._inventory.pop(entry.name, set())
            for each in sorted(each for each in held if self._owner.get(each) == entry.name):
                if entry.takes_along:
                    self._prune(each, report)
                else:
                    del self._owner[each]

    def _digest(self, path: str) -> str:
        directories = sorted(set(_reached((self._repository / path).resolve())))
        files = (file for directory in directories for file in sorted(directory.iterdir()) if file.is_file())
        return hashlib.sha256(b"".join(str(file).encode() + file.read_bytes() for file in files)).hexdigest()


class Flux(Engine):
    """kustomize-controller: dependsOn, an inventory a Kustomization, and `prune: disabled`."""

    manager = "kustomize-controller"
    kind = ("kustomize.toolkit.fluxcd.io", "Kustomization")

    def entry(self, obj: Object) -> Entry:
        spec = obj["spec"]
        after = tuple(each["name"] for each in spec.get("dependsOn", ()))
        takes_along = spec.get("prune", False) and spec.get("deletionPolicy", "MirrorPrune") != "Orphan"
        return Entry(key_of(obj), spec["path"], after, 0, takes_along)

    def keeps(self, obj: Object) -> bool:
        stated = obj["metadata"].get("labels", {}) | obj["metadata"].get("annotations", {})
        return stated.get("kustomize.toolkit.fluxcd.io/prune") == "disabled"


class ArgoCD(Engine):
    """Argo CD: sync waves, tracked objects an Application, and `Prune=false`."""

    manager = "argocd-controller"
    kind = ("argoproj.io", "Application")

    def entry(self, obj: Object) -> Entry:
        meta = obj["metadata"]
        wave = int(meta.get("annotations", {}).get("argocd.argoproj.io/sync-wave", "0"))
        finalizers = meta.get("finalizers", ())
        takes_along = any(each.startswith("resources-finalizer.argocd.argoproj.io") for each in finalizers)
        return Entry(key_of(obj), obj["spec"]["source"]["path"], (), wave, takes_along)

    def keeps(self, obj: Object) -> bool:
        options = obj["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-options", "")
        return "Prune=false" in [option.strip() for option in options.split(",")]


def _reached(directory: Path) -> Iterator[Path]:
    """Yield a root and every directory that is built into it."""
    yield directory
    kustomization = yaml.safe_load((directory / "kustomization.yaml").read_text())
    for name in (*kustomization.get("resources", ()), *kustomization.get("components", ())):
        below = (directory / name).resolve()
        if below.is_dir():
            yield from _reached(below)
