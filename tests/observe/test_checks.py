"""What Jobs that check from a network show is recorded beside what others show: by the example dual-run."""

import json
import shutil
from pathlib import Path
from typing import Any

import yaml
from tests.invocation import vmferry

EXAMPLE = Path(__file__).parents[2] / "examples" / "dual-run"


def finished(name: str, condition: str) -> dict[str, Any]:
    """Return a Job that checked the VMs of a group, as the cluster has it."""
    time = "2027-01-23T22:00:00Z"
    conditions = [{"type": condition, "status": "True", "lastTransitionTime": time}]
    status = {"startTime": time, "conditions": conditions}
    labels = {"vmferry.dev/migration": "dual-run", "vmferry.dev/group": "frontend-02"}
    meta = {"name": name, "namespace": "servers", "labels": labels, "uid": name}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "status": status}


def ended(job: str, message: str) -> dict[str, Any]:
    """Return the pod of such a Job, in which a check failed."""
    terminated = {"exitCode": 45, "reason": "Error", "message": message}
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": job, "controller": True}
    meta = {"name": f"{job}-x", "namespace": "servers", "ownerReferences": [owner], "labels": {"job-name": job}}
    status = {"phase": "Failed", "containerStatuses": [{"name": "check", "state": {"terminated": terminated}}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": status}


def test_what_a_vlan_proves_is_recorded_beside_what_the_pod_network_proves(tmp_path: Path) -> None:
    project = tmp_path / "migration"
    shutil.copytree(EXAMPLE, project)
    made = (project / "gitops/bases/frontend/frontend-02/checks/checks-frontend-02.group.yaml").read_text()
    attached = {
        each["metadata"]["name"]: "annotations" in each["spec"]["template"]["metadata"]
        for each in yaml.safe_load_all(made)
        if each["kind"] == "Job"
    }
    [outside], [neighbour] = ([name for name, on in attached.items() if on is wanted] for wanted in (False, True))
    dump = tmp_path / "dump.json"

    def results(*objects: dict[str, Any]) -> dict[str, str]:
        dump.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [*objects]}))
        done = vmferry("observe", project, "--from", dump, "--now", "2027-01-24T00:00:00Z")
        assert done.code == 0, done.text
        entries = yaml.safe_load((project / "evidence.yaml").read_text())["entries"]
        return {each["object"].split(" of ")[0]: each["outcome"] for each in entries if each.get("vm")}

    failed = ended(neighbour, "web-01-new neighbour no answer to ping\n")
    first = results(finished(outside, "Complete"), finished(neighbour, "Failed"), failed)
    assert first == {"check ssh": "succeeded", "check neighbour": "failed"}
    problems = vmferry("status", project, "--format", "json").data["problems"]
    assert "no answer to ping" in str([each for each in problems if each["what"] == "check"])
    assert results(finished(neighbour, "Complete"))["check neighbour"] == "succeeded"
    problems = vmferry("status", project, "--format", "json").data["problems"]
    assert not [each for each in problems if each["what"] == "check"]
