"""A small migration whose checks compare data: its scripts are run for real, at the source and in the target."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from tests.invocation import Result, vmferry
from tests.rules.laying import merge

from vmferry.rules.page import EXAMPLES
from vmferry.yaml.write import dump

ADDRESS = "10.0.7.11"
"""Of web-01 in vSphere, and after its move: here, everything is on loopback."""


class Compared:
    """web-01 and its check `data`, in a git repository with the compiled tree."""

    def __init__(self, top: Path, script: str | bytes, **more: Any) -> None:
        self.top, self.spec, self.script = top, top / "migration", script
        self.stages: dict[str, Any] = {"first-01": {"stage": "prepared"}}
        self.more: dict[str, Any] = {
            "target": {"cluster": {"checkImage": "registry.example.com/check:1"}},
            "settings": {"gates": "none"},
            "checks": [{"name": "data", "same": "data.sh", "secretRef": {"name": "reader"}}],
            "vms": [{"name": "web-01", "checks": ["data"]}],
        } | more
        self.jobs = 0
        self.credentials = top / "credentials"
        (self.credentials / "reader").mkdir(parents=True)
        self.spec.mkdir()
        self.lay()
        self._git("init", "-q")
        self.compile()

    def _git(self, *words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run(("git", *who, *words), cwd=self.top, check=True, capture_output=True)

    def lay(self) -> None:
        """Write the spec."""
        spec, *parts = yaml.safe_load_all((EXAMPLES / "_base.yaml").read_text())
        (self.spec / "inventory").mkdir(exist_ok=True)
        (self.spec / "spec.yaml").write_bytes(dump(merge(spec, self.more | {"groups": self.stages})))
        for number, part in enumerate(parts):
            (self.spec / "inventory" / f"{number}.yaml").write_bytes(dump(part))
        text = self.script if isinstance(self.script, bytes) else self.script.encode()
        (self.spec / "data.sh").write_bytes(text)

    def compile(self) -> None:
        """Compile, and commit all of it."""
        done = vmferry("compile", self.spec, "--out", self.top)
        assert done.code == 0, done.text
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", "x")

    def move(self, stage: str, **state: Any) -> None:
        """Edit the stage of the group."""
        self.stages["first-01"] = self.stages["first-01"] | {"stage": stage} | state
        self.lay()

    def moved(self, *stages: str) -> None:
        """Move the group from stage to stage, with a commit each."""
        for stage in stages:
            self.move(stage)
            self.compile()

    def check(self) -> Result:
        """Check the move."""
        return vmferry("check", self.spec, "--against", "HEAD", "--format", "json")

    def codes(self) -> set[str]:
        """Return the codes of errors of the move."""
        return {each["code"] for each in self.check().data["findings"] if each["severity"] == "error"}

    @property
    def before_sh(self) -> Path:
        return self.top / "gitops/bases/first/first-01/before.sh"

    def before(self, *names: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
        """Ask the sources, as their owner does."""
        names = names or (f"web-01={self.loopback}",)
        more = {"CREDENTIALS_DIR": str(self.credentials), **environment}
        command = ["bash", str(self.before_sh), *names]
        return subprocess.run(command, env=os.environ | more, capture_output=True, check=False, timeout=120)

    loopback = "127.0.0.1"

    def record(self, raw: bytes, *options: str) -> Result:
        """Record what the sources said."""
        return vmferry("observe", self.spec, "--before", "-", *options, stdin=raw)

    def job(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the Job of the group, and the files that its pod has."""
        [file] = (self.top / "gitops/bases/first/first-01/checks").glob("checks-*.yaml")
        objects = {each["kind"]: each for each in yaml.safe_load_all(file.read_text())}
        return objects["Job"], objects["ConfigMap"]["data"]

    def run(self, **environment: str) -> tuple[int, str]:
        """Run the Job's script, as its pod does; return its exit code and message."""
        _, files = self.job()
        pod = self.top.parent / f"{self.top.name}-pod"
        pod.mkdir(exist_ok=True)
        for name, text in files.items():
            (pod / name).write_text(text.replace(ADDRESS, self.loopback) if name == "check.sh" else text)
            (pod / name).chmod(0o555)
        message = pod / "message"
        message.write_bytes(b"")
        settings = {"PATIENCE": "0", "SCRIPTS_DIR": str(pod), "MESSAGE": str(message)}
        settings |= {"CREDENTIALS_DIR": str(self.credentials)}
        command = ["bash", str(pod / "check.sh")]
        done = subprocess.run(
            command, env=os.environ | settings | environment, capture_output=True, check=False, timeout=120
        )
        assert done.stderr == b""
        return done.returncode, message.read_bytes().decode("ascii")

    def after(self, **environment: str) -> Result:
        """Run the Job, and record what the cluster would show of it."""
        code, message = self.run(**environment)
        return self.observe(code, message)

    def observe(self, code: int, message: str) -> Result:
        """Record a Job that ended."""
        return vmferry("observe", self.spec, "--from", "-", stdin=json.dumps(self.dump(code, message)).encode())

    def dump(self, code: int, message: str) -> Mapping[str, Any]:
        """Return what `kubectl get jobs,pods -o json` shows once the Job has ended."""
        job, _ = self.job()
        self.jobs += 1
        head, done = job["metadata"], f"2027-02-01T08:{self.jobs:02}:00Z"
        condition = {"type": "Failed" if code else "Complete", "status": "True", "lastTransitionTime": done}
        status = {"startTime": "2027-02-01T07:59:00Z", "completionTime": done, "conditions": [condition]}
        state = {"terminated": {"exitCode": code, "message": message}}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "x",
                "namespace": head["namespace"],
                "creationTimestamp": done,
                "labels": {"batch.kubernetes.io/job-name": head["name"]},
            },
            "status": {
                "phase": "Failed" if code else "Succeeded",
                "containerStatuses": [{"name": "check", "state": state}],
            },
        }
        return {"apiVersion": "v1", "kind": "List", "items": [job | {"status": status}, pod]}

    def entries(self, what: str) -> list[dict[str, Any]]:
        """Return the entries of evidence on web-01."""
        text = (self.spec / "evidence.yaml").read_text()
        return [each for each in yaml.safe_load(text)["entries"] if each["what"] == what and each.get("name")]
