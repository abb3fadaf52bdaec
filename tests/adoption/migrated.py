"""A migration of four VMs that Forklift has moved, on disk, with what kubectl shows of it."""

import json
from pathlib import Path
from typing import Any

import yaml
from tests.adoption.forklift import NAMES, claim, live, stored, write_spec
from tests.invocation import Result, vmferry

from vmferry.check import check
from vmferry.model.blueprint import Group, Machine

Data = dict[str, Any]


class Migrated:
    """The migration, at stage cutover, and its live objects by name. ``sections`` replace those of its spec."""

    def __init__(self, top: Path, release: str = "2.12", *, path: str = "forklift", **sections: Any) -> None:
        self.spec, self.release, self.path, self.sections = top / "migration", release, path, sections
        for stage in ("prepared", "migrating", "cutover"):
            self.stage(stage)
            done = self.compile()
            assert done.code == 0, done.text
        [group] = check(self.spec).resolution.blueprint.groups
        self.group: Group = group
        self.vms: dict[str, Data] = {name: stored(self.made(name)) for name in NAMES}
        self.claims = [claim(disk.claim) for machine in group.machines for disk in machine.disks]

    def machine(self, name: str) -> Machine:
        """Return what was decided for a VM."""
        [found] = [machine for machine in self.group.machines if machine.name == name]
        return found

    def made(self, name: str) -> Data:
        """Return the VM as Forklift made it, of the Plan that was compiled."""
        machine = self.machine(name)
        claims = [disk.claim for disk in machine.disks]
        return live(name, self.release, self.labels(), claims, [nic.nad for nic in machine.nics])

    def labels(self) -> Data:
        """Return the labels that the Plan gives its VMs' pods."""
        if self.path != "forklift":
            return {"vmferry.dev/group": self.group.name}
        plans = (self.spec / "gitops/bases/first/first-01").rglob("*.yaml")
        objects = [obj for path in plans for obj in yaml.safe_load_all(path.read_text())]
        [plan] = [obj for obj in objects if obj["kind"] == "Plan"]
        return dict(plan["spec"]["targetLabels"])

    def stage(self, stage: str, **more: Any) -> None:
        """Move the group to a stage."""
        write_spec(self.spec, self.release, stage, path=self.path)
        if more or self.sections:
            data = yaml.safe_load((self.spec / "spec.yaml").read_text()) | self.sections
            data["groups"]["first-01"] |= more
            (self.spec / "spec.yaml").write_text(yaml.safe_dump(data))

    def compile(self) -> Result:
        """Compile the spec."""
        return vmferry("compile", self.spec, "--out", self.spec)

    def dump(self) -> bytes:
        """Return what `kubectl get vm,pvc -o json` shows."""
        items = [*self.vms.values(), *self.claims]
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()

    def adopt(self, *options: str) -> Result:
        """Record what kubectl shows."""
        return vmferry("adopt", self.spec, "--from", "-", *options, stdin=self.dump())

    @property
    def record(self) -> Path:
        """Return the file with the recorded VMs."""
        return self.spec / "adopted/first-01.yaml"

    def emitted(self, layer: str = "machines", kind: str = "VirtualMachine") -> dict[str, Data]:
        """Return objects of a layer of the base, by name."""
        folder = self.spec / "gitops/bases/first/first-01" / layer
        objects = [obj for path in sorted(folder.glob("*.yaml")) for obj in yaml.safe_load_all(path.read_text())]
        return {obj["metadata"]["name"]: obj for obj in objects if obj["kind"] == kind}
