"""The VirtualMachines and claims in dumps of `kubectl get vm,pvc -o json`."""

from collections import defaultdict
from typing import Any

import msgspec

from vmferry.observe.dumps import objects_of
from vmferry.observe.shapes import Head, Metadata, Shape

_VM_ID = "vmID"
"""Label of what Forklift makes for a VM, with its id in vSphere (kubev2v/forklift pkg/controller/plan/kubevirt.go)."""


class _VirtualMachine(Shape, frozen=True):
    metadata: "_Metadata"
    spec: dict[str, Any]


class _Metadata(Metadata, frozen=True):
    deletion_timestamp: str | None = None


class _ClaimStatus(Shape, frozen=True):
    phase: str | None = None


class _Claim(Shape, frozen=True):
    metadata: Metadata
    status: _ClaimStatus | None = None


class Live(msgspec.Struct, frozen=True):
    """A VirtualMachine as it is in the cluster."""

    namespace: str
    name: str
    spec: dict[str, Any]
    vm_id: str | None = None  # in vSphere, if Forklift made it
    leaving: bool = False  # it is being deleted


class LiveObjects:
    """What dumps contain of VMs and their claims. Takes dumps, see `observe.dumps.read`."""

    def __init__(self) -> None:
        self.vms: defaultdict[tuple[str, str], list[Live]] = defaultdict(list)
        self.by_id: defaultdict[tuple[str, str], list[Live]] = defaultdict(list)
        self.claims: dict[tuple[str, str], str] = {}  # phase
        self.unread: list[str] = []  # objects of these kinds with another form

    def add(self, raw: bytes) -> None:
        """Read the objects of one dump. The same object in two dumps is one. Raises DumpError."""
        for item in objects_of(raw):
            try:
                head = msgspec.json.decode(item, type=Head)
            except (msgspec.MsgspecError, RecursionError):
                continue  # not an object of Kubernetes
            kind = ((head.api_version or "").rpartition("/")[0], head.kind)
            try:
                if kind == ("kubevirt.io", "VirtualMachine"):
                    self._add_vm(msgspec.json.decode(item, type=_VirtualMachine))
                elif kind == ("", "PersistentVolumeClaim"):
                    self._add_claim(msgspec.json.decode(item, type=_Claim))
            except (msgspec.MsgspecError, RecursionError):
                name = head.metadata.name if head.metadata is not None else None
                self.unread.append(f"{head.kind} {name or '?'}")

    def _add_vm(self, found: _VirtualMachine) -> None:
        meta = found.metadata
        namespace, name, vm_id = meta.namespace or "", meta.name or "", (meta.labels or {}).get(_VM_ID)
        live = Live(namespace, name, found.spec, vm_id, meta.deletion_timestamp is not None)
        if live in self.vms[namespace, name]:
            return
        self.vms[namespace, name].append(live)
        if vm_id is not None:
            self.by_id[namespace, vm_id].append(live)

    def _add_claim(self, found: _Claim) -> None:
        phase = (found.status.phase if found.status is not None else None) or "Pending"
        self.claims[found.metadata.namespace or "", found.metadata.name or ""] = phase
