"""Dumps of the example's pre-flight, made from its compiled Jobs: their names follow from all that they test."""

import json
from pathlib import Path
from typing import Any

import yaml
from tests.cli.repository import ACME


def jobs() -> list[str]:
    """Return the names of the Jobs, in order."""
    found = sorted((ACME / "gitops/infra/preflight").glob("job-*.yaml"))
    return [yaml.safe_load(path.read_text())["metadata"]["name"] for path in found]


def dump(folder: Path, **outcomes: str) -> Path:
    """Write a dump in which tests went as said, by a part of their names; the others are complete."""
    items = [_job(name, next((how for part, how in outcomes.items() if part in name), "Complete")) for name in jobs()]
    path = folder / "preflight.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    return path


def _job(name: str, how: str) -> dict[str, Any]:
    labels = {"vmferry.dev/migration": "acme", "vmferry.dev/preflight": name}
    time = "2027-01-04T08:01:00Z" if how == "Complete" else "2027-01-03T08:01:00Z"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "preflight", "labels": labels},
        "status": {
            "startTime": "2027-01-03T08:00:00Z",
            "conditions": [{"type": how, "status": "True", "lastTransitionTime": time}],
        },
    }
