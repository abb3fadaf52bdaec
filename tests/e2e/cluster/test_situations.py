"""What happens to a team, walked with each real engine: nothing that must stay moves, nothing is lost."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.cluster import operators
from tests.e2e.cluster.team import Team, engine, minimal, playing
from tests.invocation import vmferry

from vmferry.check import check

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module", params=[engine("flux"), engine("argocd")])
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    with playing(request.param, tmp_path_factory.mktemp(request.param)) as played:
        made = Team(played, minimal(request.param))
        made.has("retained", "stays-01", "moves-01")
        made.has("retried", "job-01", "job-02", path="virt-v2v", method="job")
        made.has("reverted", "back-01")
        made.has(operators.FAILS, "bad-01")
        made.has("stopped", "off-01", path="virt-v2v", method="job")
        made.spec["networks"].append({"source": {"portGroup": "Pods", "vlan": 130}, "target": {"type": "pod"}})
        made.has("given", "given-01", **_served("00:50:56:9a:21:01"))
        made.has("handed", "handed-01", path="virt-v2v", method="job", **_served("00:50:56:9a:21:02"))
        made.begin()
        yield made


def _served(mac: str) -> dict[str, Any]:
    """Return what gives a VM a Service: a port, and a NIC on the pod network."""
    nics = [{"network": "Pods", "mac": mac}]
    return {"staticIP": "none", "nics": nics, "ports": [{"name": "http", "port": 80}]}


def test_a_vm_that_is_to_stay_does_not_move_with_its_group(team: Team, tally: Counter[str]) -> None:
    team.step("retained-01", "prepared")
    entry = team.entry("stays-01")
    entry |= {"disposition": "retain", "reason": "its owner says so"}
    team.spec["groups"]["retained-01"] = {"stage": "migrating"}
    refused = team.compile()
    assert refused.code == 1
    assert "stays-01" in refused.out
    assert team.git("status", "--short", "gitops") == ""
    team.sync()
    assert not team.live("Migration", "retained-01")
    del entry["disposition"], entry["reason"]
    report = team.step("retained-01", "migrating")
    tally.update(applied=len(report.applied), lost=len(team.lost()))
    assert team.live("Migration", "retained-01")


def test_another_attempt_overwrites_no_disk(team: Team, tally: Counter[str]) -> None:
    team.moves("retried-01", "prepared", "migrating")
    first = {key: obj["metadata"]["uid"] for key, obj in team.live("DataVolume", "job-0").items()}
    report = team.step("retried-01", "migrating", attempt=2)
    second = {key: obj["metadata"]["uid"] for key, obj in team.live("DataVolume", "job-0").items()}
    tally.update(applied=len(report.applied), lost=len(team.lost()))
    assert first
    assert first == second
    assert {key.name for key in report.applied if key.kind == "Job"} >= {
        f"job-0{number}-convert-2" for number in (1, 2)
    }
    assert team.lost() == []


def test_a_job_that_somebody_deleted_is_made_again_and_nothing_else(team: Team, tally: Counter[str]) -> None:
    jobs = team.live("Job", "job-0")
    key = max(jobs)
    team.cluster.delete(key)
    report = team.again()
    tally.update(applied=len(report.applied), lost=len(team.lost()))
    assert report.applied[key]["metadata"]["uid"] != jobs[key]["metadata"]["uid"]
    assert team.lost() == []


def test_a_revert_is_refused_by_the_check_and_loses_nothing_if_it_is_merged(team: Team, tally: Counter[str]) -> None:
    team.moves("reverted-01", "prepared", "migrating", "cutover")
    before = team.git("rev-parse", "HEAD").strip()
    team.git("revert", "--no-edit", "HEAD")
    refused = vmferry("check", team.repository, "--against", before)
    assert refused.code == 1
    assert "reverted-01" in refused.out
    report = team.sync()
    tally.update(applied=len(report.applied), deleted=len(report.deleted), lost=len(team.lost()))
    assert team.lost() == []
    team.git("revert", "--no-edit", "HEAD")
    team.spec = yaml.safe_load((team.repository / "spec.yaml").read_text())
    team.sync()
    assert team.lost() == []


def test_a_copy_for_another_cluster_takes_nothing_from_the_first(team: Team, tally: Counter[str]) -> None:
    copy = team.repository.parent / "copy"
    shutil.copytree(team.repository, copy, ignore=shutil.ignore_patterns(".git", "gitops"))
    spec = yaml.safe_load((copy / "spec.yaml").read_text())
    spec["target"]["cluster"]["name"] = "prod-b"
    (copy / "spec.yaml").write_text(yaml.safe_dump(spec))
    refused = vmferry("compile", copy, "--out", team.repository)
    assert refused.code == 1, refused.text
    assert "prod-a" in refused.text
    report = team.sync()
    tally.update(deleted=len(report.deleted), lost=len(team.lost()))
    assert report.deleted == []
    assert team.lost() == []


def test_a_patch_in_local_stops_a_vm_after_the_cutover(team: Team, tally: Counter[str]) -> None:
    team.moves("stopped-01", "prepared", "migrating", "cutover")
    [(key, running)] = team.live("VirtualMachine", "off-01").items()
    assert running["spec"]["runStrategy"] == "Always"
    layer = team.layer_of(key, "stopped/stopped-01")
    local = layer / "local/kustomization.yaml"
    component = yaml.safe_load(local.read_text())
    stop = {"op": "replace", "path": "/spec/runStrategy", "value": "Halted"}
    patch = {"target": {"kind": key.kind, "name": key.name}, "patch": json.dumps([stop])}
    local.write_text(yaml.safe_dump(component | {"patches": [patch]}))
    assert vmferry("compile", team.repository, "--out", team.repository, "--check").code == 0
    team.commit("off-01 stays off")
    report = team.sync()
    tally.update(applied=len(report.applied), lost=len(team.lost()))
    assert team.live("VirtualMachine", "off-01")[key]["spec"]["runStrategy"] == "Halted"
    assert team.lost() == []


@pytest.mark.parametrize("phase", ["given", "handed"])
def test_graduated_vms_and_their_services_stay_before_anyone_else_applies_them(
    team: Team, tally: Counter[str], phase: str, tmp_path: Path
) -> None:
    name, group = f"{phase}-01", f"{phase}-01"
    team.moves(group, "prepared", "migrating", "cutover")
    if phase == "given":
        _as_forklift_makes_it(team, name)
    team.step(group, "adopted")
    before = team.live("VirtualMachine", name) | team.live("Service", name)
    assert len(before) == 2
    done = vmferry("graduate", team.repository, group, "--out", tmp_path / "vms")
    assert done.code == 0, done.text
    report = team.step(group, "adopted", graduated=True)
    tally.update(applied=len(report.applied), deleted=len(report.deleted), lost=len(team.lost()))
    assert before.keys().isdisjoint(report.applied)
    assert before.keys().isdisjoint(report.deleted)
    assert team.lost() == []
    folder = str(tmp_path / "vms" / group)
    team.cluster.kubectl("apply", "--server-side", "--force-conflicts", "--kustomize", folder)
    team.again()
    after = team.live("VirtualMachine", name) | team.live("Service", name)
    for key, obj in before.items():
        assert after[key]["metadata"]["uid"] == obj["metadata"]["uid"]
        assert after[key]["spec"] == obj["spec"]


def test_a_migration_that_fails_is_no_green_one(team: Team, tally: Counter[str]) -> None:
    # last: its root is never ready again, and no later sync of them all would be
    group = f"{operators.FAILS}-01"
    team.step(group, "prepared")
    team.spec["groups"][group] = {"stage": "migrating"}
    assert team.compile().code == 0
    team.commit("It will fail")
    told = team.follower.fails(f"{group}")
    tally.update(lost=len(team.lost()))
    assert "Migration" in told
    assert team.lost() == []


def _as_forklift_makes_it(team: Team, name: str) -> None:
    """Create the VM that Forklift would have made, and record it."""
    [machine] = [
        machine
        for group in check(team.repository).resolution.blueprint.groups
        for machine in group.machines
        if machine.target_name == name
    ]
    claims = [disk.claim for disk in machine.disks]
    instance = {
        "domain": {
            "devices": {
                "disks": [{"name": f"disk-{at}", "disk": {"bus": "virtio"}} for at, _ in enumerate(claims)],
                "interfaces": [{"name": "nic-0", "masquerade": {}, "model": "virtio"}],
            }
        },
        "networks": [{"name": "nic-0", "pod": {}}],
        "volumes": [
            {"name": f"disk-{at}", "persistentVolumeClaim": {"claimName": claim}} for at, claim in enumerate(claims)
        ],
    }
    made = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": machine.namespace, "labels": {"vmID": machine.id}},
        "spec": {"runStrategy": "Always", "template": {"metadata": {"labels": {"app": name}}, "spec": instance}},
    }
    team.cluster.kubectl("create", "--field-manager=forklift-controller", "-f", "-", text=json.dumps(made))
    bound = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": claim, "namespace": machine.namespace},
            "status": {"phase": "Bound"},
        }
        for claim in claims
    ]
    dump = json.dumps({"apiVersion": "v1", "kind": "List", "items": [made, *bound]}).encode()
    recorded = vmferry("adopt", team.repository, machine.group, "--from", "-", stdin=dump)
    assert recorded.code == 0, recorded.text
