"""A small migration with a group on every path, for the tests of Forklift, the overlays and the engines."""

from typing import Any

from msgspec.structs import replace
from tests.backends.decided import decided

from vmferry.model.application import Application
from vmferry.model.blueprint import (
    Blueprint,
    Credential,
    Group,
    HookPlan,
    Host,
    Machine,
    MachineDisk,
    MachineNic,
    NamespacePlan,
    NetworkPair,
    PhasePlan,
    SourcePlan,
    SourceRef,
    Step,
    StoragePair,
)
from vmferry.model.facts import DiskSource, NoOptions
from vmferry.model.spec import (
    Cluster,
    Credentials,
    EsxiHost,
    Forklift,
    GitOps,
    HookUse,
    Method,
    SecretRef,
    VCenter,
    Versions,
)

EXISTING = Credentials(secret_ref=SecretRef(name="vc1-creds"))
STEPS: dict[Method, tuple[Step, ...]] = {
    "warm": (
        Step(name="plan", layers=("plan",)),
        Step(name="migration", layers=("migration",), after=("plan",)),
    ),
    "job": (
        Step(name="convert", layers=("access", "conversion")),
        Step(name="machines", layers=("machines",), after=("convert",)),
    ),
    "image": (
        Step(name="import", layers=("volumes",)),
        Step(name="machines", layers=("machines",), after=("import",)),
    ),
    "replica": (Step(name="machines", layers=("machines",)),),
    "rebuild": (Step(name="workload", layers=("config", "workload")),),
}
STEPS["cold"] = STEPS["warm"]


def disk(machine: str, index: int, **fields: Any) -> MachineDisk:
    """Return a disk whose claim is called as Forklift would be told to."""
    given: dict[str, Any] = {
        "index": index,
        "name": f"disk-{index}",
        "claim": f"{machine}-disk-{index}",
        "size": 1 << 30,
        "datastore": SourceRef(name="ds1", id="datastore-1"),
        "storage_class": "ceph-block",
        "access_mode": "ReadWriteMany",
        "volume_mode": "Block",
        "source": DiskSource(blank=NoOptions()),
    }
    return MachineDisk(**given | fields)


def machine(name: str, **fields: Any) -> Machine:
    """Return a VM with one disk and one NIC."""
    given: dict[str, Any] = {
        "key": f"vc1/vm-{name}",
        "name": name.upper(),
        "id": f"vm-{name}",
        "source": "vc1",
        "target_name": name,
        "namespace": "web",
        "phase": "stateless",
        "group": "",
        "path": "forklift",
        "method": "warm",
        "os": "linux",
        "disks": (disk(name, 0),),
        "nics": (
            MachineNic(
                index=0,
                name="nic-0",
                network=SourceRef(name="web-prod", id="dvportgroup-7"),
                mac="00:50:56:9a:10:01",
                binding="bridge",
                nad="web/web-prod",
            ),
        ),
    }
    return Machine(**given | fields)


def group(name: str, method: Method, *machines: Machine, **fields: Any) -> Group:
    """Return a group of a method, with every step it can have."""
    path = {"warm": "forklift", "cold": "forklift", "rebuild": "rebuild"}.get(method, "virt-v2v")
    steps = STEPS[method]
    given: dict[str, Any] = {
        "name": name,
        "full_name": f"acme-{name}",
        "phase": name.rpartition("-")[0],
        "phase_kind": "stateless",
        "stage": "cutover",
        "running": True,
        "path": path,
        "method": method,
        "source": "vc1",
        "namespace": "web",
        "machines": tuple(
            replace(each, group=name, path=path, method=method) for each in machines or (machine("web-01"),)
        ),
        "networks": (
            NetworkPair(source=SourceRef(name="web-prod", id="dvportgroup-7"), nad="web/web-prod"),
            NetworkPair(source=SourceRef(name="VM Network"), nad=None),
        ),
        "storage": (
            StoragePair(
                source=SourceRef(name="ds1", id="datastore-1"),
                storage_class="ceph-block",
                access_mode="ReadWriteMany",
                volume_mode="Block",
            ),
        ),
        "layers": tuple(layer for step in steps for layer in step.layers),
        "steps": steps,
    }
    return Group(**given | fields)


def gitops(engine: str = "flux", **fields: Any) -> GitOps:
    """Return how the tree reaches the cluster."""
    given: dict[str, Any] = {"engine": engine, "repo_url": "https://git.acme.example/acme/migration.git"}
    return GitOps(**given | fields)


def blueprint(*groups: Group, forklift: str = "2.12", forklift_provider: str | None = None, **fields: Any) -> Blueprint:
    """Return a migration; without groups, with one on each path."""
    given: dict[str, Any] = {
        "name": "acme",
        "cluster": Cluster(name="prod-a", versions=Versions(forklift=forklift)),
        "gitops": gitops(),
        "forklift": Forklift(provider=forklift_provider),
        "sources": (SOURCE,),
        "hooks": (HookPlan(name="drain", full_name="acme-drain", image="quay.io/kubev2v/hook-runner:v2.9.0"),),
        "namespaces": (NamespacePlan(name="web", forklift=True), NamespacePlan(name="db")),
        "phases": (
            PhasePlan(name="stateless", kind="stateless", priority=20_000),
            PhasePlan(name="stateful", kind="stateful", priority=30_000, after=("stateless",)),
        ),
        "groups": groups or GROUPS,
    }
    return decided(**given | fields)


SOURCE = SourcePlan(
    name="vc1",
    provider="acme-vc1",
    vcenter=VCenter(
        url="https://vc1.acme.example/sdk",
        credentials=EXISTING,
        vddk_image="registry.acme.example/vddk:8.0.3",
        settings={"useVddkAioOptimization": "true"},
    ),
    credential=Credential(source="vc1", name="vc1-creds", namespace="konveyor-forklift"),
    hosts=(
        Host(
            host=EsxiHost(name="esx1", id="host-21", ip_address="10.0.0.21", credentials=EXISTING),
            name="vc1-esx1",
            credential=Credential(source="vc1", name="esx1-creds", namespace="konveyor-forklift"),
        ),
    ),
)
GROUPS = (
    group("stateless-01", "warm", machine("web-01", hooks=(HookUse(name="drain", step="PreHook"),))),
    group("stateless-02", "rebuild", machine("shop", application=Application(image="shop:1", replicas=3))),
    group("stateful-01", "job", machine("db-01"), phase_kind="stateful"),
    group("stateful-02", "image", machine("db-02"), phase_kind="stateful"),
)
