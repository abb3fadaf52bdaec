"""A team that moves its groups with vmferry's own verbs, as people do, and checks each commit as CI does."""

import json
from collections.abc import Iterator
from typing import Any

import yaml
from tests.e2e.cluster.crds import Object
from tests.e2e.cluster.engines import Report
from tests.e2e.cluster.server import Key
from tests.e2e.cluster.team import Team
from tests.invocation import Result, vmferry

_DUMPED = (
    *("plans.forklift.konveyor.io", "migrations.forklift.konveyor.io", "datavolumes.cdi.kubevirt.io"),
    *("jobs", "pods", "events", "persistentvolumeclaims", "virtualmachines.kubevirt.io"),
    *("kustomizations.kustomize.toolkit.fluxcd.io", "applications.argoproj.io"),
)
"""What docs/evidence.md has people dump."""


class Life(Team):
    """A team that moves its groups with vmferry's own verbs, and what became of the cluster's objects."""

    now = ("--now", "2027-01-16T20:30:00Z")

    def moved(self, *options: str) -> Report:
        """Advance, and let the engine follow."""
        result = self.advance(*options)
        assert result.code == 0, result.text
        return self.merged(" ".join(options))

    def advance(self, *options: str) -> Result:
        return vmferry("advance", self.repository, *options, *self.now)

    def compile_as_it_is(self) -> Result:
        """Compile the spec that is in the repository."""
        return vmferry("compile", self.repository, "--out", self.repository)

    def merged(self, message: str) -> Report:
        """Compile what the spec says, check it as CI does, commit it, and let the engine follow."""
        self.spec = yaml.safe_load((self.repository / "spec.yaml").read_text())  # for `step`
        compiled = self.compile_as_it_is()
        assert compiled.code == 0, compiled.text
        before = self.git("rev-parse", "HEAD").strip()
        self.commit(message)
        for command in (
            ("check", self.repository, "--against", before, *self.now),
            ("compile", self.repository, "--out", self.repository, "--check"),
            ("verify", self.repository / "gitops"),
        ):
            done = vmferry(*command)
            assert done.code == 0, done.text
        report = self.sync()
        assert self.lost() == []
        return report

    def observe(self) -> Result:
        """Record what the cluster shows, as people do: by a dump of kubectl."""
        dump = self.cluster.kubectl("get", ",".join(_DUMPED), "--all-namespaces", "--output=json").stdout
        done = vmferry("observe", self.repository, "--from", "-", stdin=dump.encode())
        assert done.code == 0, done.text
        return done

    def sign(self, *options: str) -> None:
        """Accept something of groups."""
        by = ("--by", "Ada", "--note", "CHG-4711", *self.now)
        done = vmferry("sign", self.repository, *options, *by)
        assert done.code == 0, done.text

    def named(self, kind: str, name: str) -> Object:
        [found] = [obj for key, obj in self.cluster.objects().items() if (key.kind, key.name) == (kind, name)]
        return found

    def forklift_makes(self, group: str) -> None:
        """Make the VMs of a Plan as Forklift does when its Migration succeeds."""
        folder = next((self.repository / "gitops/bases").glob(f"*/{group}/plan"))
        objects = [obj for path in folder.glob("plan-*.yaml") for obj in yaml.safe_load_all(path.read_text())]
        [plan] = [obj for obj in objects if obj["kind"] == "Plan"]
        for entry in plan["spec"]["vms"]:
            claim = entry["pvcNameTemplate"].replace("{{.DiskIndex}}", "0")
            for obj in _made(plan["spec"]["targetNamespace"], entry["targetName"], claim):
                if not self.live(obj["kind"], obj["metadata"]["name"]):
                    self.cluster.apply(json.dumps(obj), "forklift")
            patch = json.dumps({"status": {"phase": "Bound"}})
            space = plan["spec"]["targetNamespace"]
            self.cluster.kubectl(
                "patch", "pvc", claim, "--namespace", space, "--subresource=status", "--type=merge", f"--patch={patch}"
            )

    def adopt(self, group: str) -> None:
        """Record the group's VMs as the cluster has them."""
        dump = self.repository.parent / "live.json"
        dump.write_text(
            self.cluster.kubectl(
                "get", "virtualmachines.kubevirt.io,persistentvolumeclaims", "--all-namespaces", "--output=json"
            ).stdout
        )
        done = vmferry("adopt", self.repository, group, "--from", dump)
        assert done.code == 0, done.text

    def delete_made(self, *names: str) -> None:
        """Delete VMs and their volumes, as people state with `remigrate`."""
        for key in list(self.cluster.objects()):
            of = any(key.name == name or key.name.startswith(f"{name}-disk-") for name in names)
            if of and key.kind in ("VirtualMachine", "PersistentVolumeClaim", "DataVolume"):
                self.cluster.delete(key)
                self.precious.pop(key, None)

    def begun(self) -> dict[Key, str]:
        """Return what copies, or has, with its uid."""
        kinds = ("Migration", "Job")
        return {key: obj["metadata"]["uid"] for key, obj in self.cluster.objects().items() if key.kind in kinds}


def _made(namespace: str, name: str, claim: str) -> Iterator[Object]:
    devices: Any = {
        "disks": [{"name": "disk-0", "disk": {"bus": "virtio"}, "serial": "made-by-forklift"}],
        "interfaces": [
            {"name": "nic-0", "masquerade": {}, "macAddress": f"00:50:56:9a:21:0{name[-1]}", "model": "virtio"}
        ],
    }
    spec = {
        "domain": {"devices": devices, "machine": {"type": "q35"}, "memory": {"guest": "4Gi"}},
        "networks": [{"name": "nic-0", "pod": {}}],
        "volumes": [{"name": "disk-0", "persistentVolumeClaim": {"claimName": claim}}],
    }
    storage = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "40Gi"}}, "volumeName": claim}
    yield {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": claim, "namespace": namespace},
        "spec": storage,
    }
    yield {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": namespace, "labels": {"plan": "made"}},
        "spec": {"runStrategy": "Always", "template": {"metadata": {"labels": {"app": name}}, "spec": spec}},
    }
