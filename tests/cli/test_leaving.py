"""The end of a vCenter: what leaves the sync, what stays, and that nothing which is pruned holds data."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.invocation import Result, vmferry
from tests.rules.laying import EXAMPLES, merge
from tests.verify.test_kustomize import needs_kustomize

from vmferry.kube.kinds import EMITTED
from vmferry.verify.kustomize import build
from vmferry.yaml.write import dump

KEPT = {kind.key for kind in EMITTED if kind.keeps}
HARMLESS = {"Host", "ExternalSecret", "ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Kustomization"}
"""Without data, and nothing with data goes with them: an ExternalSecret of vmferry's leaves its Secret (Orphan)."""
EXTERNAL = {"externalSecret": {"storeRef": {"name": "vault"}, "key": "vsphere/vc1"}}


class Repository:
    """A migration with one group by Forklift and one by conversion Jobs, all retired."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec, inventory = yaml.safe_load_all((EXAMPLES / "_base.yaml").read_text(encoding="utf-8"))
        self.spec["sources"][0]["vcenter"] |= {
            "credentials": EXTERNAL,
            "conversionCredentials": EXTERNAL,
            "hosts": [{"name": "esx1", "id": "host-1", "ipAddress": "10.0.0.1", "credentials": EXTERNAL}],
        }
        self.spec["assign"][0]["set"] |= {"path": "forklift", "method": "cold"}
        self.spec["networks"].append({"source": {"portGroup": "VM Network"}, "target": {"type": "pod"}, "layer": 3})
        self.spec["defaults"]["staticIP"] = "none"
        self.spec["vms"] = [{"name": "web-02", "ports": [{"name": "http", "port": 80}]}]
        self.spec["phases"].append({"name": "last", "kind": "decommission", "after": ["second"]})
        self.spec["settings"] = {"gates": "none"}
        for vm in inventory["vms"]:
            vm["firmware"] = "bios"
            if vm["name"] == "web-02":  # on the pod network, with a Service
                vm["nics"][0] |= {"network": "VM Network"}
        (folder / "inventory").mkdir()
        (folder / "inventory/vc1.yaml").write_bytes(dump(inventory))
        self.record([vm for vm in inventory["vms"] if not vm["name"].startswith("db")])
        self.write()
        assert self.run("compile", "--out", self.tree).code == 0
        named = yaml.safe_load((folder / "assignments.yaml").read_text())["vms"].values()
        self.groups = sorted({each["group"] for each in named})

    @property
    def tree(self) -> Path:
        return self.folder / "out"

    def write(self, **sections: Any) -> None:
        self.spec = merge(self.spec, sections)
        (self.folder / "spec.yaml").write_bytes(dump(self.spec))

    def record(self, vms: list[dict[str, Any]]) -> None:
        """Record the VMs that Forklift made, as `vmferry adopt` does."""
        records = {f"vc1/{vm['id']}": {"spec": made(vm)} for vm in vms}
        (self.folder / "adopted").mkdir()
        (self.folder / "adopted/first-01.yaml").write_bytes(
            dump(
                {
                    "apiVersion": "vmferry.dev/v1alpha1",
                    "kind": "AdoptedMachines",
                    "metadata": {"name": "acme"},
                    "group": "first-01",
                    "vms": records,
                }
            )
        )

    def run(self, command: str, *options: str | Path) -> Result:
        return vmferry(command, self.folder, *options, "--no-cache")

    def at(self, stage: str, state: str = "planned") -> Result:
        self.spec["phases"][-1]["state"] = state
        self.write(groups={name: {"stage": stage} for name in self.groups})
        return self.run("compile", "--out", self.tree)

    def synced(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """Return what the roots build, by kind, namespace and name."""
        found = {}
        for root in sorted((self.tree / "gitops").rglob("kustomization.yaml")):
            part = root.relative_to(self.tree / "gitops").parts[0]
            if part in ("infra", "overlays", "clusters"):
                for obj in yaml.safe_load_all(build(root.parent)):
                    if obj is not None:
                        meta = obj["metadata"]
                        found[obj["kind"], meta.get("namespace", ""), meta["name"]] = obj
        return found


def made(vm: dict[str, Any]) -> dict[str, Any]:
    """Return the spec of a VM as Forklift makes it."""
    mac, pod = vm["nics"][0]["mac"], vm["nics"][0]["network"] == "VM Network"
    binding = {"masquerade": {}} if pod else {"bridge": {}}
    devices = {
        "disks": [{"name": "disk-0", "disk": {"bus": "virtio"}}],
        "interfaces": [{"name": "nic-0", "macAddress": mac, "model": "virtio"} | binding],
    }
    domain = {"devices": devices, "memory": {"guest": "8Gi"}}
    claim = {"name": "disk-0", "persistentVolumeClaim": {"claimName": f"{vm['name']}-disk-0"}}
    nic = {"name": "nic-0"} | ({"pod": {}} if pod else {"multus": {"networkName": "web/vlan-7"}})
    spec = {"domain": domain, "networks": [nic], "volumes": [claim]}
    return {"runStrategy": "Always", "template": {"metadata": {"labels": {"app": vm["name"]}}, "spec": spec}}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def protected(obj: dict[str, Any]) -> bool:
    notes = obj["metadata"].get("annotations", {})
    return notes.get("kustomize.toolkit.fluxcd.io/prune") == "disabled" or "Prune=false" in notes.get(
        "argocd.argoproj.io/sync-options", ""
    )


@needs_kustomize
def test_providers_maps_and_credentials_leave_last_and_nothing_that_is_pruned_holds_data(
    repository: Repository,
) -> None:
    for stage in ("prepared", "migrating", "cutover", "adopted", "validated", "retired"):
        assert repository.at(stage).code == 0, stage
    assert repository.at("retired", "started").code == 0
    before = repository.synced()
    assert {"Provider", "Host", "NetworkMap", "StorageMap", "Plan", "ExternalSecret"} <= {kind for kind, _, _ in before}
    result = repository.at("retired", "done")
    assert result.code == 0, result.err
    after = repository.synced()
    assert vmferry("verify", repository.tree / "gitops", "--no-cache").code == 0
    left = before.keys() - after.keys()
    assert {"Provider", "Host", "NetworkMap", "StorageMap", "Plan", "ExternalSecret"} <= {kind for kind, _, _ in left}
    assert not {kind for kind, _, _ in after} & {"Provider", "Plan", "NetworkMap", "StorageMap", "ExternalSecret"}
    for key in left:
        group = before[key]["apiVersion"].rpartition("/")[0]
        if (group, key[0]) in KEPT:
            assert protected(before[key]), key  # it stays in the cluster until somebody deletes it
        else:
            assert key[0] in HARMLESS, key
    stays = {key for key in before if key[0] in ("VirtualMachine", "Service", "NetworkAttachmentDefinition")}
    assert {"VirtualMachine", "Service", "NetworkAttachmentDefinition"} == {kind for kind, _, _ in stays}
    assert stays <= after.keys()
    owners = [obj["spec"]["path"] for key, obj in after.items() if key[0] == "Kustomization" and "first-01" in key[2]]
    assert sorted(path.rpartition("/")[2] for path in owners) == ["machines", "plan"]  # a Service stays in its root
    said = [obj for obj in after.values() if "vc1.example.com" in str(obj)]
    assert said == []


@needs_kustomize
def test_a_source_stays_while_a_group_could_still_be_rolled_back(repository: Repository) -> None:
    for stage in ("prepared", "migrating", "cutover", "adopted", "validated"):
        assert repository.at(stage).code == 0, stage
    result = repository.at("validated", "done")
    assert result.code == 1
    assert "VMF461" in result.out + result.err
