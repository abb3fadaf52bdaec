"""`vmferry observe` and `vmferry sign` add to evidence.yaml what is news, and nothing else."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.repository import Repository
from tests.invocation import Result, vmferry

DUMPS = Path(__file__).parents[1] / "observe/dumps"
NOW = ("--now", "2027-02-01T00:00:00Z")


class Observing(Repository):
    """The example, with evidence."""

    @property
    def evidence(self) -> Path:
        """Return the path of the evidence."""
        return self.spec / "evidence.yaml"

    def observe(self, *names: str, options: tuple[str, ...] = ()) -> Result:
        """Observe recorded dumps."""
        sources = [word for name in names for word in ("--from", str(DUMPS / f"{name}.json"))]
        return vmferry("observe", self.spec, *sources, *options, *NOW)

    def entries(self) -> list[dict[str, Any]]:
        """Return the entries of the file."""
        data = yaml.safe_load(self.evidence.read_text())
        assert (data["kind"], data["metadata"]) == ("Evidence", {"name": "acme"})
        return list(data["entries"])


@pytest.fixture
def repository(tmp_path: Path) -> Observing:
    """Return a repository with the example."""
    return Observing(tmp_path)


def test_the_same_dump_adds_nothing_the_second_time(repository: Observing) -> None:
    assert repository.observe("success-forklift-cold").code == 0
    once = repository.evidence.read_bytes()
    again = repository.observe("success-forklift-cold")
    assert again.err.endswith("evidence.yaml: nothing new\n")
    assert repository.evidence.read_bytes() == once


def test_the_order_of_observing_does_not_matter(repository: Observing, tmp_path: Path) -> None:
    other = Observing(tmp_path / "other")
    names = ("success-job", "conversion-failed", "success-sync")
    for name in names:
        assert repository.observe(name).code == 0
    for name in reversed(names):
        assert other.observe(name).code == 0
    assert repository.evidence.read_bytes() == other.evidence.read_bytes()


def test_dry_run_writes_nothing(repository: Observing) -> None:
    result = repository.observe("success-job", options=("--dry-run",))
    assert "dev-test-04 lab-probe: conversion succeeded (attempt 2)\n" in result.out
    assert result.err.endswith("evidence.yaml: would add 3 entries; nothing was written\n")
    assert not repository.evidence.exists()


def test_a_directory_a_file_and_standard_input_are_the_same(repository: Observing, tmp_path: Path) -> None:
    folder = tmp_path / "dumps"
    folder.mkdir()
    shutil.copy(DUMPS / "success-job.json", folder)
    (folder / "notes.txt").write_text("not a dump")
    raw = (DUMPS / "success-job.json").read_bytes()
    options = ("--dry-run", "--format", "json", *NOW)
    results = [
        vmferry("observe", repository.spec, "--from", source, *options)
        for source in (folder, DUMPS / "success-job.json")
    ]
    results.append(vmferry("observe", repository.spec, "--from", "-", *options, stdin=raw))
    assert len({result.out for result in results}) == 1
    assert len(results[0].data["entries"]) == 3


def test_several_dumps_in_a_row_are_read(repository: Observing) -> None:
    raw = b"".join((DUMPS / f"{name}.json").read_bytes() for name in ("success-job", "success-sync"))
    item = json.dumps(json.loads((DUMPS / "success-image.json").read_bytes())["items"][0]).encode()
    result = vmferry("observe", repository.spec, "--from", "-", "--format", "json", *NOW, stdin=raw + item)
    assert len(result.data["entries"]) == 3 + 2 + 1
    assert "read 1 DataVolume, 3 Job, 1 Kustomization, 1 Plan\n" in result.err


def test_strangers_are_ignored_and_said(repository: Observing) -> None:
    data = json.loads((DUMPS / "success-job.json").read_text())
    items = data["items"]
    items[0]["metadata"]["labels"]["vmferry.dev/migration"] = "other"
    del items[1]["metadata"]["labels"]
    items[2]["metadata"]["name"] = "someone-convert-1"
    items.append(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"password": "aHVudGVyMg=="}}
    )
    result = vmferry("observe", repository.spec, "--from", "-", *NOW, stdin=json.dumps(data).encode())
    assert (result.code, result.out, repository.evidence.exists()) == (0, "", False)
    assert "ignored 3: Job of something else (dev/dev-win11-test-convert-2, " in result.err
    assert "ignored 1: of another kind (Secret)\n" in result.err
    assert "aHVudGVyMg" not in result.text


def test_argo_cds_applications_are_read(tmp_path: Path) -> None:
    repository = Observing(tmp_path, committed=False)
    repository.edit("engine: flux", "engine: argocd")
    result = repository.observe("success-argocd")
    assert result.out == "stateless-08: sync succeeded\n", result.text


def test_a_success_after_a_failure_is_news_and_a_restart_is_not(repository: Observing) -> None:
    def seen(name: str, when: str) -> int:
        text = (DUMPS / f"{name}.json").read_text()
        for moment in ("2027-01-31T01:00:00Z", "2027-02-01T03:00:00Z"):
            text = text.replace(moment, when)
        before = len(repository.entries()) if repository.evidence.exists() else 0
        assert vmferry("observe", repository.spec, "--from", "-", *NOW, stdin=text.encode()).code == 0
        return len(repository.entries()) - before

    assert seen("success-running", "2027-01-31T01:00:00Z") == 4  # of two VMs, and of their guest agents
    assert seen("success-running", "2027-01-31T05:00:00Z") == 0
    assert seen("vm-crashes", "2027-01-31T06:00:00Z") == 1
    assert seen("vm-crashes", "2027-01-31T07:00:00Z") == 0
    assert seen("success-running", "2027-01-31T08:00:00Z") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Pass one of --from (or --prometheus, --before), --watch and --queries"),
        (("--from", ".", "--watch"), "Pass one of --from (or --prometheus, --before), --watch and --queries"),
        (("--from", ".", "--context", "x"), "--context needs --watch"),
    ],
)
def test_wrong_options_are_a_usage_error(repository: Observing, arguments: tuple[str, ...], said: str) -> None:
    result = vmferry("observe", repository.spec, *arguments)
    assert result.code == 2
    assert said in result.err


def test_a_spec_with_errors_is_not_observed(repository: Observing) -> None:
    repository.edit("set: {phase: stateless}", "set: {phase: nowhere}")
    result = repository.observe("success-job")
    assert (result.code, repository.evidence.exists()) == (1, False)


# --- sign ------------------------------------------------------------------------------------


def test_a_sign_off_is_for_the_current_stage_and_attempt(repository: Observing) -> None:
    result = vmferry("sign", repository.spec, "dev-test-04", "--by", "ada", "--note", "looked at it", *NOW)
    assert result.code == 0, result.text
    assert result.out == "dev-test-04: signOff of migrating succeeded (attempt 2) by ada\n"
    assert repository.entries() == [
        {
            "group": "dev-test-04",
            "what": "signOff",
            "attempt": 2,
            "stage": "migrating",
            "outcome": "succeeded",
            "finished": "2027-02-01T00:00:00Z",
            "by": "ada",
            "note": "looked at it",
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere", "--by", "ada", "--note", "ok"), "There is no group 'nowhere'"),
        (("dev-test-04", "--by", "ada", "--note", " "), "--note is empty"),
        (("dev-test-04", "--by", "ada", "--note", "x" * 501), "--note is longer than 500 characters"),
        (("dev-test-04", "--by", "ada", "--note", "the password: hunter2"), "what looks like a credential"),
        (("dev-test-04", "--by", "a\x1b[2J", "--note", "ok"), "characters that cannot be shown"),
        (("dev-test-04", "--by", "observed", "--note", "ok"), "name a person"),
        (("dev-test-04", "--by", "ada", "--note", "ok", "--stage", "cutover"), "nobody can accept cutover yet"),
    ],
)
def test_what_is_not_a_sign_off_is_refused(repository: Observing, arguments: tuple[str, ...], said: str) -> None:
    result = vmferry("sign", repository.spec, *arguments, *NOW)
    assert (result.code, repository.evidence.exists()) == (2, False)
    assert said in result.err


# --- watch -----------------------------------------------------------------------------------

_KUBECTL = """#!{python}
import json, pathlib, sys
log = pathlib.Path({log!r})
log.open("a").write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[2] == "jobs.batch" and "dev" in sys.argv:
    print(pathlib.Path({dump!r}).read_text())
elif sys.argv[2].startswith("datavolumes"):
    sys.exit("error: the server doesn't have a resource type")
"""


def test_watching_writes_what_it_saw_until_it_is_stopped(repository: Observing, tmp_path: Path) -> None:
    program, log = tmp_path / "bin/kubectl", tmp_path / "asked"
    program.parent.mkdir()
    program.write_text(_KUBECTL.format(python=sys.executable, log=str(log), dump=str(DUMPS / "success-job.json")))
    program.chmod(0o755)
    running = subprocess.Popen(
        [sys.executable, "-m", "vmferry", "observe", str(repository.spec), "--watch", "--no-cache"],
        env=os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for _ in range(600):
            if repository.evidence.exists():
                break
            time.sleep(0.1)
        time.sleep(0.5)  # until it has said what it wrote
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    finally:
        running.kill()
    assert running.returncode == 0
    assert len(repository.entries()) == 3
    assert "dev-test-04 lab-probe: conversion succeeded (attempt 2)\n" in out
    assert "not read: datavolumes.cdi.kubevirt.io in dev: error: the server doesn't have a resource type" in err
    assert err.endswith("stopped after 1 look\n")
    asked = log.read_text()
    assert "secret" not in asked.lower()
    assert "get plans.forklift.konveyor.io --namespace konveyor-forklift --output json" in asked


def test_vms_of_smoke_tests_are_asked_for_where_nothing_moves_yet(tmp_path: Path) -> None:
    from vmferry.check import check
    from vmferry.observe.poll import questions

    repository = Observing(tmp_path, committed=False)
    asked = list(questions(check(repository.spec).resolution.blueprint))
    assert len(asked) == len(set(asked))
    repository.edit("smokeTest: {namespace: web,", "smokeTest: {namespace: shop,")
    more = set(questions(check(repository.spec).resolution.blueprint)) - set(asked)
    assert more == {("virtualmachines.kubevirt.io", "shop")}


# --- what changes ----------------------------------------------------------------------------


def outcomes(repository: Observing, what: str, vm: str) -> list[tuple[str, str | None]]:
    """Return what is recorded of a VM, in the order of the file."""
    found = [entry for entry in repository.entries() if (entry["what"], entry.get("name")) == (what, vm)]
    return [(entry["outcome"], entry.get("cause")) for entry in found]


def at(repository: Observing, name: str, now: str) -> None:
    """Observe a dump at a time."""
    assert vmferry("observe", repository.spec, "--from", DUMPS / f"{name}.json", "--now", now).code == 0


def problems(repository: Observing) -> list[str]:
    """Return the causes that the status shows."""
    result = vmferry("status", repository.spec, "--format", "json", "--now", "2027-02-01T00:00:00Z")
    return [each["cause"] for each in result.data["problems"]]


def test_what_no_longer_waits_is_no_longer_a_problem(repository: Observing) -> None:
    at(repository, "image-pull", "2027-01-11T20:20:00Z")
    assert problems(repository) == ["image-pull"]
    at(repository, "running", "2027-01-11T20:30:00Z")
    assert problems(repository) == []
    at(repository, "image-pull", "2027-01-11T20:40:00Z")
    assert problems(repository) == ["image-pull"]
    waiting = ("waiting", "image-pull")
    assert outcomes(repository, "conversion", "lab-probe") == [waiting, ("running", None), waiting]


def test_an_older_dump_does_not_undo_a_result(repository: Observing) -> None:
    at(repository, "success-job", "2027-01-12T00:00:00Z")
    before = repository.evidence.read_bytes()
    at(repository, "image-pull", "2027-01-12T00:10:00Z")
    assert repository.evidence.read_bytes() == before


def test_a_sign_off_that_is_written_meanwhile_is_kept(repository: Observing) -> None:
    from vmferry.cache import Cache
    from vmferry.model.evidence import Entry
    from vmferry.observe.evidence_file import EvidenceFile, checked_spec

    file = EvidenceFile(checked_spec(repository.spec, None, Cache(enabled=False)))
    file.add((Entry(group="dev-test-04", what="sync", outcome="running", attempt=2),))
    assert vmferry("sign", repository.spec, "dev-test-04", "--by", "ada", "--note", "ok", *NOW).code == 0
    file.add((Entry(group="dev-test-04", what="sync", outcome="succeeded", attempt=2),))
    assert [(entry["what"], entry["outcome"]) for entry in repository.entries()] == [
        ("signOff", "succeeded"),
        ("sync", "running"),
        ("sync", "succeeded"),
    ]


def test_broken_evidence_is_refused_and_left_as_it_is(repository: Observing) -> None:
    repository.evidence.write_text("<<<<<<< HEAD\n")
    result = repository.observe("success-job")
    assert result.code == 1
    assert repository.evidence.read_text() == "<<<<<<< HEAD\n"
