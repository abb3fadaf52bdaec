"""`acceptanceSnapshot`: each VM is snapshotted once git owns it, is accepted after that, and can be restored."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.adoption.forklift import NAMES
from tests.adoption.migrated import Migrated
from tests.backends.schemas import assert_fits
from tests.invocation import vmferry

from vmferry.check import check
from vmferry.observe.poll import questions

PHASES = [{"name": "first", "kind": "dev-test", "acceptanceSnapshot": True}]
ARGOCD = {"engine": "argocd", "repoURL": "https://git.example.com/platform/gitops"}
KEEP = {
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
}


@pytest.fixture(scope="module", params=["forklift", "virt-v2v"])
def migrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Migrated:
    """Return a migration at stage adopted, by path."""
    return adopted(tmp_path_factory.mktemp("snapshots"), path=request.param)


def adopted(top: Path, **more: Any) -> Migrated:
    migrated = Migrated(top, **{"phases": PHASES} | more)
    done = migrated.adopt()
    assert done.code == 0, done.text
    at(migrated, "adopted")
    return migrated


def at(migrated: Migrated, stage: str, **more: Any) -> None:
    migrated.stage(stage, **more)
    done = migrated.compile()
    assert done.code == 0, done.text


def taken(migrated: Migrated) -> dict[str, Any]:
    return migrated.emitted("snapshots", "VirtualMachineSnapshot")


def roots(migrated: Migrated) -> set[str]:
    return {path.name for path in (migrated.spec / "gitops/overlays/first/first-01").iterdir()}


def dump(migrated: Migrated, name: str, **status: Any) -> bytes:
    """Return what kubectl shows of the snapshots, with a status of one of them; the others are ready."""
    disks = {machine.target_name: [disk.name for disk in machine.disks] for machine in migrated.group.machines}
    items = []
    for each, obj in taken(migrated).items():
        vm = obj["spec"]["source"]["name"]
        ready = {"phase": "Succeeded", "readyToUse": True, "creationTime": "2027-01-31T01:00:00Z"}
        ready |= {"snapshotVolumes": {"includedVolumes": disks[vm]}}
        items.append(obj | {"status": status if each == name else ready})
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()


def test_each_vm_has_a_snapshot_that_nothing_prunes_and_that_outlives_its_deletion(migrated: Migrated) -> None:
    snapshots = taken(migrated)
    assert sorted(snapshots) == sorted(f"{name}-acceptance-1" for name in NAMES)
    for name, obj in snapshots.items():
        assert_fits(obj)
        assert obj["metadata"]["annotations"].items() >= KEEP.items()
        source = {"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": name.removesuffix("-acceptance-1")}
        assert obj["spec"] == {"source": source, "deletionPolicy": "Retain", "failureDeadline": "5m0s"}
    assert vmferry("verify", migrated.spec / "gitops").code == 0


def test_it_is_on_only_while_the_group_is_adopted(tmp_path: Path) -> None:
    migrated = Migrated(tmp_path, phases=PHASES)
    assert taken(migrated) == {}
    assert "snapshots" not in roots(migrated)
    assert migrated.adopt().code == 0
    for stage in ("adopted", "validated", "retired"):
        at(migrated, stage)
        assert ("snapshots" in roots(migrated), bool(taken(migrated))) == (stage == "adopted", stage == "adopted")


def test_a_roll_back_leaves_them_alone_and_another_attempt_has_another(tmp_path: Path) -> None:
    migrated = adopted(tmp_path)
    at(migrated, "rolled-back", dataLoss="accepted", reason="slow disks")
    assert "snapshots" not in roots(migrated)
    for stage in ("prepared", "migrating", "cutover"):
        at(migrated, stage, attempt=2, remigrate=1)
    assert migrated.adopt().code == 0
    at(migrated, "adopted", attempt=2, remigrate=1)
    assert sorted(taken(migrated)) == sorted(f"{name}-acceptance-2" for name in NAMES)


def test_by_default_nobody_has_any(tmp_path: Path) -> None:
    migrated = adopted(tmp_path, phases=[{"name": "first", "kind": "dev-test"}])
    assert taken(migrated) == {}
    assert "snapshot" not in "".join(path.read_text() for path in (migrated.spec / "gitops").rglob("*.yaml"))
    assert not any("snapshot" in resource for resource, _ in questions(check(migrated.spec).resolution.blueprint))
    assert explained(migrated)["restore"] == []


def test_flux_syncs_them_apart_from_the_vms_and_sees_what_fails(migrated: Migrated) -> None:
    [text] = [path.read_text() for path in (migrated.spec / "gitops/clusters").rglob("first-01.yaml")]
    [root] = [obj for obj in yaml.safe_load_all(text) if obj["metadata"]["name"].endswith("first-01-snapshots")]
    assert [each["name"] for each in root["spec"]["healthChecks"]] == sorted(taken(migrated), key=order)
    [check_] = root["spec"]["healthCheckExprs"]
    assert (check_["kind"], check_["failed"]) == (
        "VirtualMachineSnapshot",
        "has(status.phase) && status.phase == 'Failed'",
    )
    assert not any("first-01" in each["name"] for each in root["spec"]["dependsOn"])


def order(name: str) -> int:
    return NAMES.index(name.removesuffix("-acceptance-1"))


def test_under_argo_cd_nothing_waits_for_them_and_what_fails_is_seen(tmp_path: Path) -> None:
    spec = yaml.safe_load((Migrated(tmp_path / "flux").spec / "spec.yaml").read_text())
    migrated = adopted(tmp_path / "argocd", target=spec["target"] | {"gitops": ARGOCD})
    base = migrated.spec / "gitops/bases/first/first-01"
    synced = [path.read_text() for layer in ("plan", "machines", "snapshots") for path in (base / layer).glob("*.yaml")]
    assert len(synced) > len(NAMES)
    assert not any("sync-wave" in text for text in synced)
    at(migrated, "rolled-back", dataLoss="accepted", reason="slow disks")
    assert not any("sync-wave" in path.read_text() for path in (base / "machines").glob("*.yaml"))
    health = (migrated.spec / "gitops/infra/argocd/argocd-cm.yaml").read_text()
    assert "health.snapshot.kubevirt.io_VirtualMachineSnapshot: |" in health


def test_whoever_applies_the_tree_may_create_snapshots_and_never_delete_them(migrated: Migrated) -> None:
    text = (migrated.spec / "gitops/infra/namespaces/web/namespace.yaml").read_text()
    rules = [rule for obj in yaml.safe_load_all(text) for rule in obj.get("rules", ())]
    [verbs] = [rule["verbs"] for rule in rules if rule["apiGroups"] == ["snapshot.kubevirt.io"]]
    assert ("create" in verbs, "delete" in verbs) == (True, False)


# --- evidence ---------------------------------------------------------------------------------


def moved(migrated: Migrated) -> list[str]:
    """Return why the group is not validated."""
    done = vmferry("advance", migrated.spec, "first-01", "--to", "validated", "--dry-run", "--format", "json")
    return [each["message"] for each in done.data["findings"] if each["code"] == "VMF870"]


@pytest.fixture
def watched(tmp_path: Path) -> Migrated:
    """Return a migration in git at stage adopted, which somebody signed off."""
    migrated = adopted(tmp_path)
    git = ("git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=no")
    subprocess.run(("git", "init", "--quiet", str(tmp_path)), check=True)
    signed = vmferry("sign", migrated.spec, "first-01", "--by", "ada", "--note", "tests passed")
    assert signed.code == 0, signed.text
    subprocess.run((*git, "add", "."), check=True)
    subprocess.run((*git, "commit", "--quiet", "--message", "adopted"), check=True)
    return migrated


def observe(migrated: Migrated, raw: bytes) -> list[Any]:
    done = vmferry("observe", migrated.spec, "--from", "-", "--format", "json", stdin=raw)
    assert done.code == 0, done.text
    return list(done.data["entries"])


def test_the_acceptance_waits_for_a_ready_snapshot_of_every_vm_signed_or_not(watched: Migrated) -> None:
    [lack] = moved(watched)
    assert "no snapshot that is ready of lin-01, win-01, pod-01, cat-01 is recorded" in lack
    observe(watched, dump(watched, "lin-01-acceptance-1", phase="InProgress", readyToUse=False))
    [lack] = moved(watched)
    assert "of lin-01 is recorded" in lack
    observe(watched, dump(watched, ""))
    assert moved(watched) == []
    watched.stage("validated")
    said = vmferry("diff", watched.spec, "HEAD").out
    for words in ("snapshot that is ready of 4 VMs, observed", "the 4 snapshots from before their acceptance are kept"):
        assert words in " ".join(said.split())


def test_a_snapshot_without_one_of_the_disks_is_none(watched: Migrated) -> None:
    some = {"phase": "Succeeded", "readyToUse": True, "snapshotVolumes": {"includedVolumes": ["disk-0"]}}
    entries = observe(watched, dump(watched, "lin-01-acceptance-1", **some))
    [entry] = [each for each in entries if each["outcome"] != "succeeded"]
    assert (entry["name"], entry["cause"], entry["said"]) == ("lin-01", "vm-snapshot-partial", "not in it: disk-1")
    assert "of lin-01 is recorded" in moved(watched)[0]


def test_a_lost_snapshot_has_failed_and_one_that_is_still_copied_is_awaited(watched: Migrated) -> None:
    copied = {"phase": "Succeeded", "readyToUse": False, "snapshotVolumes": {"includedVolumes": ["disk-0", "disk-1"]}}
    entries = observe(watched, dump(watched, "lin-01-acceptance-1", **copied))
    assert [each["outcome"] for each in entries if each["name"] == "lin-01"] == ["running"]
    lost = {"phase": "Succeeded", "readyToUse": False, "error": {"message": "VolumeSnapshots (a) missing"}}
    [entry] = observe(watched, dump(watched, "lin-01-acceptance-1", **lost))
    assert (entry["outcome"], entry["cause"]) == ("failed", "vm-snapshot-failed")


def test_a_snapshot_of_somebody_else_is_not_counted(watched: Migrated) -> None:
    data = json.loads(dump(watched, ""))
    for item in data["items"]:
        del item["metadata"]["labels"]
    assert observe(watched, json.dumps(data).encode()) == []


def test_watching_asks_for_snapshots(watched: Migrated) -> None:
    asked = questions(check(watched.spec).resolution.blueprint)
    assert ("virtualmachinesnapshots.snapshot.kubevirt.io", "web") in asked


# --- restoring --------------------------------------------------------------------------------


def explained(migrated: Migrated) -> Any:
    done = vmferry("explain", migrated.spec, "first-01", "--rollback", "--format", "json")
    assert done.code == 0, done.text
    return done.data


def test_a_restore_is_between_suspending_the_sync_and_recording_the_vm(migrated: Migrated) -> None:
    commands = [step["command"] for step in explained(migrated)["restore"]]
    words = [shlex.split(command.splitlines()[0])[:2] for command in commands]
    assert words == [
        ["kubectl", "get"],
        ["flux", "suspend"],
        ["kubectl", "patch"],
        ["kubectl", "create"],
        ["kubectl", "get"],
        ["kubectl", "get"],
        ["flux", "resume"],
    ]
    assert commands[1] == "flux suspend kustomization acme-first-01-machines --namespace flux-system"
    assert "kubectl wait vmi/" in commands[2]
    assert "| vmferry adopt" in commands[5]


def test_it_is_still_possible_after_the_acceptance(tmp_path: Path) -> None:
    migrated = adopted(tmp_path)
    before = explained(migrated)["restore"]
    at(migrated, "validated")
    assert explained(migrated)["restore"] == before


def test_the_restore_that_it_prints_fits_its_schema(migrated: Migrated) -> None:
    [command] = [step["command"] for step in explained(migrated)["restore"] if "<<'EOF'" in (step["command"] or "")]
    manifest = yaml.safe_load(command.partition("\n")[2].removesuffix("EOF"))
    assert_fits(manifest)
    assert manifest["spec"]["virtualMachineSnapshotName"] in taken(migrated)
    assert manifest["spec"]["target"]["name"] in NAMES


def test_under_argo_cd_an_annotation_suspends_the_sync_that_its_parent_does_not_undo(tmp_path: Path) -> None:
    spec = yaml.safe_load((Migrated(tmp_path / "flux").spec / "spec.yaml").read_text())
    migrated = adopted(tmp_path / "argocd", target=spec["target"] | {"gitops": ARGOCD})
    commands = [step["command"] for step in explained(migrated)["restore"]]
    note = "kubectl annotate application acme-first-01-all --namespace argocd argocd.argoproj.io/skip-reconcile"
    assert (commands[1], commands[-1]) == (f"{note}=true", f"{note}-")
    names = {path.name for path in (migrated.spec / "gitops/clusters").rglob("first-01.yaml")}
    assert names


@pytest.mark.parametrize("style", ["text", "md"])
def test_people_read_every_line_of_it(migrated: Migrated, style: str) -> None:
    result = vmferry("explain", migrated.spec, "first-01", "--rollback", "--format", style)
    for words in ("restore VMs in the target", "virtualMachineSnapshotName: lin-01-acceptance-1", "EOF\n"):
        assert words in result.out


def test_without_a_snapshot_nothing_is_said_of_a_restore(tmp_path: Path) -> None:
    migrated = Migrated(tmp_path, phases=PHASES)  # at cutover
    assert explained(migrated)["restore"] == []
