"""A migration from planned to retired, one commit a move, followed by a real engine: nothing runs twice or is lost."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import yaml
from tests.e2e.cluster import argocd, flux, operators, server
from tests.e2e.cluster.crds import Object
from tests.e2e.cluster.engines import Report
from tests.e2e.cluster.server import Key
from tests.e2e.cluster.team import ENTRY, Team
from tests.invocation import Result, vmferry

pytestmark = pytest.mark.cluster

NOW = ("--now", "2027-01-16T20:30:00Z")
LOSS = ("--data-loss", "accepted", "--reason", "it is slow")


def _engine(name: str) -> object:
    asked = f"VMFERRY_E2E_{name.upper()}"
    reason = f"takes minutes and servers: make e2e-{name}"
    return pytest.param(name, marks=pytest.mark.skipif(os.environ.get(asked) != "1", reason=reason))


class Life(Team):
    """A team that moves its groups with vmferry's own verbs, and what became of the cluster's objects."""

    def moved(self, *options: str) -> Report:
        """Advance, and let the engine follow."""
        result = self.advance(*options)
        assert result.code == 0, result.text
        return self.merged(" ".join(options))

    def advance(self, *options: str) -> Result:
        return vmferry("advance", self.repository, *options, *NOW)

    def merged(self, message: str) -> Report:
        """Compile what the spec says, check it as CI does, commit it, and let the engine follow."""
        self.spec = yaml.safe_load((self.repository / "spec.yaml").read_text())  # for `step`
        compiled = vmferry("compile", self.repository, "--out", self.repository)
        assert compiled.code == 0, compiled.text
        before = self.git("rev-parse", "HEAD").strip()
        self.commit(message)
        for command in (
            ("check", self.repository, "--against", before, *NOW),
            ("compile", self.repository, "--out", self.repository, "--check"),
            ("verify", self.repository / "gitops"),
        ):
            done = vmferry(*command)
            assert done.code == 0, done.text
        report = self.sync()
        assert self.lost() == []
        return report

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


@pytest.fixture(scope="module", params=[_engine("flux"), _engine("argocd")])
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    scratch = tmp_path_factory.mktemp(request.param)
    with ExitStack() as stack:
        cluster = stack.enter_context(server.running(scratch))
        stack.enter_context(operators.playing(cluster))
        if request.param == "flux":
            controller = stack.enter_context(flux.running(cluster, scratch))
            made = Life(cluster, scratch / "repo", "flux", lambda at: flux.Follower(cluster, controller, at, ENTRY))
        else:
            program = stack.enter_context(argocd.running(cluster))
            made = Life(cluster, scratch / "repo", "argocd", lambda at: argocd.Follower(cluster, program, at, ENTRY))
        made.has("plans", "cold-01", "cold-02")
        made.has("jobs", "job-01", "job-02", "job-03", path="virt-v2v", method="job")
        assert made.compile().code == 0
        cluster.kubectl("apply", "--server-side", "--kustomize", str(made.repository / "gitops/infra/applier"))
        made.commit("The plan")
        made.sync()
        yield made


def test_everything_from_planned_to_retired_with_what_goes_wrong_on_the_way(life: Life, tally: Counter[str]) -> None:
    life.moved("plans-01", "jobs-01")
    life.moved("plans-01", "jobs-01")
    begun = life.begun()
    assert {key.kind for key in begun} == {"Migration", "Job"}

    # a retry, and one VM that is rolled back and tried again alone while the others go on
    life.step("jobs-01", "migrating", attempt=2)
    life.moved("jobs-01", "--vm", "job-03")
    own = "jobs-01-job-03"
    assert life.advance(own, "--to", "migrating").code == 1
    life.moved(own, "--to", "prepared")
    life.forklift_makes("plans-01")
    life.moved(own, "jobs-01", "plans-01")
    assert life.live("Job", "job-03-convert-3")
    assert life.named("VirtualMachine", "job-01")["spec"]["runStrategy"] == "Always"

    # on hold; and git owns what Forklift made: the first sync changes nothing in it
    spec = life.repository / "spec.yaml"
    text = spec.read_text()
    spec.write_text(text.replace("splitFrom: jobs-01", "hold: its owner is away, splitFrom: jobs-01"))
    assert spec.read_text() != text
    assert "VMF865" in life.advance(own).text
    spec.write_text(text)
    made = {key: obj["spec"] for key, obj in life.live("VirtualMachine", "cold-0").items()}
    assert "VMF881" in life.advance("plans-01").text
    life.adopt("plans-01")
    life.moved("plans-01", own)
    assert {key: obj["spec"] for key, obj in life.live("VirtualMachine", "cold-0").items()} == made
    assert life.named("VirtualMachine", "cold-01")["metadata"]["labels"]["vmferry.dev/group"] == "plans-01"

    # a roll-back of the group, and once more from the start; a VM that comes late has a group of its own
    life.moved("plans-01", "--to", "rolled-back", *LOSS)
    stopped = life.live("VirtualMachine", "cold-0")
    assert [obj["spec"]["runStrategy"] for obj in stopped.values()] == ["Halted", "Halted"]
    assert {key: obj["spec"]["template"] for key, obj in stopped.items()} == {k: s["template"] for k, s in made.items()}
    life.delete_made("cold-01", "cold-02")
    life.has("late", "job-04", path="virt-v2v", method="job")
    spec.write_text(yaml.safe_dump(life.spec, sort_keys=False))
    life.moved("plans-01", "--to", "prepared", "--remigrate")
    life.moved("plans-01")
    life.forklift_makes("plans-01")
    life.moved("plans-01")
    life.adopt("plans-01")
    life.merged("recorded again")

    # two branches merge
    main = life.git("rev-parse", "--abbrev-ref", "HEAD").strip()
    life.git("checkout", "--quiet", "-b", "other")
    assert life.advance("late-01").code == 0
    assert vmferry("compile", life.repository, "--out", life.repository).code == 0
    life.commit("late-01 prepared")
    life.git("checkout", "--quiet", main)
    life.moved("plans-01", "jobs-01", own)
    assert life.live("Job", "job-0")
    life.git("merge", "--no-edit", "--quiet", "other")
    life.merged("merged")
    life.moved("late-01")

    # a revert of what has run is refused, and does no harm if somebody merges it
    head = life.git("rev-parse", "HEAD").strip()
    life.git("revert", "--no-edit", "HEAD")
    assert vmferry("check", life.repository, "--against", head, *NOW).code == 1
    life.sync()
    assert life.lost() == []
    life.git("revert", "--no-edit", "HEAD")

    # to the end
    life.moved("plans-01", "jobs-01")
    life.moved("plans-01", "jobs-01")
    [plan] = life.live("Plan", "plans-01-r1").values()
    assert plan["spec"]["archived"] is True
    assert life.named("VirtualMachine", "job-01")["spec"]["runStrategy"] == "Always"

    # nothing that copied was ever made again, and whatever looks at it later changes nothing
    life.again()
    after = life.begun()
    assert {key: uid for key, uid in begun.items() if after.get(key) != uid} == {}
    assert life.lost() == []
    tally.update(lost=len(life.lost()))
