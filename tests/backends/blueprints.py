"""Small valid Blueprints of the virt-v2v path, for tests of backends."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tests.backends.decided import decided

from vmferry.model.blueprint import (
    Blueprint,
    Credential,
    Group,
    Machine,
    MachineDisk,
    MachineNic,
    NamespacePlan,
    SourcePlan,
    SourceRef,
)
from vmferry.model.facts import DiskSource, HttpImage, NoOptions, RegistryImage
from vmferry.model.spec import Cluster, Credentials, Forklift, GitOps, SecretRef, VCenter, Versions

BLANK = DiskSource(blank=NoOptions())
UPLOAD = DiskSource(upload=NoOptions())
VDDK = DiskSource(vddk=NoOptions())
THUMBPRINT = ":".join(["AB"] * 20)


def http(url: str, checksum: str | None = None) -> DiskSource:
    """Return a source of an image on a web server."""
    return DiskSource(http=HttpImage(url=url, checksum=checksum, secret_ref="web", cert_config_map="web-ca"))


def registry(url: str) -> DiskSource:
    """Return a source of an image in a registry."""
    return DiskSource(registry=RegistryImage(url=url, secret_ref="registry"))


def disk(of: str, index: int = 0, **fields: Any) -> MachineDisk:
    """Return a disk of the VM called ``of`` in the target: 1 GiB, Block, boot disk at index 0."""
    given: dict[str, Any] = {
        "index": index,
        "name": f"disk-{index}",
        "claim": f"{of}-disk-{index}",
        "size": 1 << 30,
        "datastore": SourceRef(name="ds1", id="datastore-1"),
        "file": f"[ds1] {of}/{of}_{index}.vmdk",
        "boot_order": 1 if index == 0 else None,
        "storage_class": "ceph-block",
        "access_mode": "ReadWriteMany",
        "volume_mode": "Block",
        "source": BLANK,
    }
    return MachineDisk(**given | fields)


def nic(index: int = 0, **fields: Any) -> MachineNic:
    """Return a NIC on a bridge."""
    given: dict[str, Any] = {
        "index": index,
        "name": f"nic-{index}",
        "network": SourceRef(name="VLAN 120"),
        "mac": f"00:50:56:9a:10:{index:02x}",
        "binding": "bridge",
        "nad": "web/vlan120",
    }
    return MachineNic(**given | fields)


def pod_nic(index: int = 0, **fields: Any) -> MachineNic:
    """Return a NIC on the pod network."""
    return nic(index, binding="masquerade", nad=None, **fields)


def machine(target: str = "web-01", **fields: Any) -> Machine:
    """Return a Linux VM called ``target`` there, with one disk and one NIC."""
    given: dict[str, Any] = {
        "key": f"vc1/{target}",
        "name": target.upper(),
        "source": "vc1",
        "target_name": target,
        "namespace": "web",
        "phase": "stateful",
        "group": "stateful-01",
        "path": "virt-v2v",
        "method": "job",
        "os": "linux",
        "datacenter": "DC 1",
        "cluster": "Prod",
        "host": "esx1.acme.example",
        "uuid": "420a3f0e-5c1e-4b7e-9a57-2f6f0f1f0001",
        "sockets": 2,
        "cores": 2,
        "memory": 4 << 30,
        "disks": (disk(target),),
        "nics": (nic(),),
    }
    return Machine(**given | fields)


def group(*machines: Machine, **fields: Any) -> Group:
    """Return a move group; its method is that of its machines."""
    given: dict[str, Any] = {
        "name": "stateful-01",
        "full_name": "acme-stateful-01",
        "phase": "stateful",
        "phase_kind": "stateful",
        "stage": "prepared",
        "path": "virt-v2v",
        "method": machines[0].method,
        "source": "vc1",
        "namespace": "web",
        "machines": machines,
        "layers": ("access", "conversion", "machines"),
    }
    return Group(**given | fields)


def vcenter(**fields: Any) -> VCenter:
    """Return a vCenter with VDDK."""
    given: dict[str, Any] = {
        "url": "https://vc.acme.example/sdk",
        "credentials": Credentials(secret_ref=SecretRef(name="vc1-creds")),
        "thumbprint": THUMBPRINT,
        "vddk_image": "registry.acme.example/vddk:8.0.3",
    }
    return VCenter(**given | fields)


def blueprint(
    *groups: Group,
    source: VCenter | None = None,
    cdi: str = "1.63",
    credentials: Mapping[str, str] = MappingProxyType({"vc1": "vc1-read"}),
) -> Blueprint:
    """Return a Blueprint of these groups in namespace web, with one vCenter called vc1."""
    return decided(
        name="acme",
        cluster=Cluster(name="prod-a", versions=Versions(cdi=cdi)),
        gitops=GitOps(engine="flux", repo_url="https://git.acme.example/fleet.git"),
        forklift=Forklift(),
        sources=(
            SourcePlan(
                name="vc1",
                provider="acme-vc1",
                vcenter=source or vcenter(),
                credential=Credential(source="vc1", name="vc1-creds", namespace="konveyor-forklift"),
            ),
        ),
        namespaces=(
            NamespacePlan(
                name="web",
                credentials=tuple(
                    Credential(source=source_name, name=name, namespace="web", purpose="conversion")
                    for source_name, name in credentials.items()
                ),
            ),
        ),
        groups=groups,
    )
