"""The example from planned to retired, one commit a move: every commit is checked, compiled and verified."""

import json
import re
from pathlib import Path

import pytest
import yaml
from tests.cli.repository import NOW, Estate
from tests.invocation import vmferry

from vmferry.estate.stages import STAGES as EVERY

STAGES = EVERY[:-1]

LATE = ("--now", "2028-06-01T00:00:00Z")


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path)


def recorded(estate: Estate) -> None:
    """Record the VMs of every Plan as Forklift makes them: `kubectl get vm,pvc -o json`, written by hand."""
    record = yaml.safe_load((estate.spec / "assignments.yaml").read_text())["vms"]
    items = [
        obj
        for item in record.values()
        if item.get("machine", {}).get("path") == "forklift" and item["stage"] == "cutover"
        for obj in made(item["machine"])
    ]
    dump = estate.top / "live.json"
    dump.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    result = vmferry("adopt", estate.spec, "--from", dump)
    assert result.code == 0, result.text
    dump.unlink()


def made(machine: dict[str, object]) -> list[dict[str, object]]:
    """Return a VM of Forklift's, and its claims."""
    space, name = machine["namespace"], machine["targetName"]
    disks, nics = machine.get("disks", []), machine.get("nics", [])
    assert isinstance(disks, list)
    assert isinstance(nics, list)
    instance = {
        "domain": {
            "devices": {
                "disks": [{"name": disk["name"], "disk": {"bus": "virtio"}} for disk in disks],
                "interfaces": [
                    {"name": nic["name"], "macAddress": nic["mac"]}
                    | ({"bridge": {}} if nic["nad"] else {"masquerade": {}})
                    for nic in nics
                ],
            }
        },
        "networks": [
            {"name": nic["name"]} | ({"multus": {"networkName": nic["nad"]}} if nic["nad"] else {"pod": {}})
            for nic in nics
        ],
        "volumes": [{"name": disk["name"], "persistentVolumeClaim": {"claimName": disk["claim"]}} for disk in disks],
    }
    head = {"namespace": space}
    claims = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": disk["claim"], **head},
            "status": {"phase": "Bound"},
        }
        for disk in disks
    ]
    spec = {"runStrategy": "Always", "template": {"spec": instance}}
    vm = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": name, **head}, "spec": spec}
    return [vm, *claims]


def all_at(estate: Estate, stage: str) -> None:
    """Bring every group that is one stage behind to a stage, check, compile, verify and commit."""
    spec = yaml.safe_load(estate.file.read_text())
    windows = {phase["name"]: phase.get("windows") for phase in spec["phases"]}
    status = json.loads(vmferry("status", estate.spec, "--format", "json").out)["groups"]
    text = estate.file.read_text()
    groups = spec["groups"]
    for group in status:
        state = groups.setdefault(group["group"], {"stage": "planned"})
        if STAGES.index(state["stage"]) != STAGES.index(stage) - 1:
            continue
        state["stage"] = stage
        if group["method"] == "warm" and stage == "cutover":
            first = windows[group["phase"]]
            state["cutover"] = first[0]["start"] if first else "2027-01-01T00:00:00Z"
    head, _, rest = text.partition("\ngroups:\n")
    after = rest[next(match.start() for match in re.finditer(r"^(?=[a-z])", rest, re.MULTILINE)) :]
    estate.file.write_text(head + "\n" + yaml.safe_dump({"groups": groups}) + "\n" + after)
    now = LATE if stage == "retired" else NOW  # cutovers are before their windows, the end after all dual runs
    checked = vmferry("check", estate.spec, "--against", "HEAD", *now, "--format", "json")
    errors = [found for found in checked.data["findings"] if found["severity"] == "error"]
    assert errors == []
    estate.compile()
    verified = vmferry("verify", estate.top / "gitops")
    assert verified.code == 0, verified.text
    estate.commit()


def test_the_example_goes_all_the_way_and_only_what_git_owns_is_synced_in_the_end(estate: Estate) -> None:
    everyone = {path.name for path in (estate.top / "gitops/bases").glob("*/*")}
    for stage in STAGES[1:]:
        if stage == "adopted":
            recorded(estate)
            estate.commit()
        all_at(estate, stage)
    status = json.loads(vmferry("status", estate.spec, "--format", "json").out)
    assert {group["stage"] for group in status["groups"]} == {"retired"}
    assert {path.name for path in (estate.top / "gitops/bases").glob("*/*")} == everyone
    synced = {path.name for path in (estate.top / "gitops/overlays").glob("*/*/*")}
    assert synced == {"plan", "machines", "import", "workload"}
    text = "".join(path.read_text() for path in (estate.top / "gitops/overlays").rglob("kustomization.yaml"))
    assert "/conversion" not in text
    assert "/volumes" not in text
    assert "/migration" not in text
