"""`vmferry graduate` hands adopted VMs over as plain manifests, and the migration's tree lets go of them."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.adoption.forklift import NAMES
from tests.adoption.migrated import Migrated
from tests.backends.schemas import assert_fits
from tests.invocation import Result, vmferry

Data = dict[str, Any]

pytestmark = pytest.mark.kustomize

NOW = ("--now", "2027-02-01T00:00:00Z")
KEPT = {
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}


class Repository(Migrated):
    """The migration in a git repository, at stage adopted; pod-01 has a Service."""

    def __init__(self, top: Path, *, path: str, engine: str = "flux") -> None:
        self.engine, self.started, self.out = engine, False, top / "team/vms"
        top.mkdir(exist_ok=True)
        super().__init__(top, path=path)
        if path == "forklift":
            assert self.adopt().code == 0
        self.git("init", "--quiet")
        self.commit()
        self.to("adopted")

    def stage(self, stage: str, **more: Any) -> None:
        super().stage(stage, **more)
        file = self.spec / "spec.yaml"
        spec = yaml.safe_load(file.read_text())
        spec["target"]["gitops"]["engine"] = self.engine
        [pod] = [vm for vm in spec["vms"] if vm["name"] == "pod-01"]
        pod["ports"] = [{"name": "http", "port": 80}]
        if self.path == "virt-v2v":
            spec["defaults"] |= {"method": "job", "windowsTimezone": "Europe/Vienna"}
            spec["target"]["cluster"]["v2vImage"] = "quay.io/kubev2v/forklift-virt-v2v:v2.9.0"
            spec["sources"][0]["vcenter"] |= {
                "conversionCredentials": {"secretRef": {"name": "vc1-conversion"}},
                "thumbprint": ":".join(["5A"] * 20),
            }
            for vm in spec["vms"]:
                vm |= {"datacenter": "DC1", "host": "esx1.example.com"}
        file.write_text(yaml.safe_dump(spec))

    def to(self, stage: str, **more: Any) -> None:
        """Move the group to a stage, compile and commit."""
        self.stage(stage, **more)
        done = self.compile()
        assert done.code == 0, done.text
        self.commit()

    def git(self, *words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run(("git", *who, *words), cwd=self.spec, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "x", "--allow-empty")

    def graduate(self, *options: str) -> Result:
        return vmferry("graduate", self.spec, "first-01", "--out", self.out, *options, *NOW)

    def check(self) -> Result:
        return vmferry("check", self.spec, "--against", "HEAD", *NOW)

    def built(self) -> list[Data]:
        """Return everything that the engine would apply for the group."""
        roots = sorted((self.spec / "gitops/overlays/first/first-01").glob("*/"))
        return [obj for root in roots for obj in build(root)]

    def handed_over(self) -> list[Data]:
        return build(self.out / "first-01")


def build(root: Path) -> list[Data]:
    """Return what kustomize builds of a directory."""
    done = subprocess.run(["kubectl", "kustomize", str(root)], capture_output=True, check=True)
    return [obj for obj in yaml.safe_load_all(done.stdout) if obj]


def of_vms(objects: list[Data]) -> dict[tuple[str, str], Data]:
    return {
        (obj["kind"], obj["metadata"]["name"]): obj for obj in objects if obj["kind"] in ("VirtualMachine", "Service")
    }


@pytest.fixture(params=["forklift", "virt-v2v"])
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Repository:
    """Return a repository with an adopted group, by path."""
    return Repository(tmp_path, path=request.param)


def test_what_is_handed_over_is_what_was_synced_without_anything_of_vmferrys(repository: Repository) -> None:
    synced = of_vms(repository.built())
    done = repository.graduate()
    assert done.code == 0, done.text
    given = of_vms(repository.handed_over())
    assert given.keys() == synced.keys() == {("Service", "pod-01"), *(("VirtualMachine", name) for name in NAMES)}
    for key, obj in given.items():
        assert obj["spec"] == synced[key]["spec"]
        assert obj["metadata"]["annotations"] == KEPT
        assert "vmferry" not in str(obj["metadata"])
        assert_fits(obj)
    assert {obj["spec"]["runStrategy"] for (kind, _), obj in given.items() if kind == "VirtualMachine"} == {"Always"}


def test_the_tree_lets_go_of_the_vms_and_of_nothing_else(repository: Repository) -> None:
    before = {(obj["kind"], obj["metadata"]["name"]) for obj in repository.built()}
    assert repository.graduate().code == 0
    assert repository.check().code == 0
    done = repository.compile()
    assert done.code == 0, done.text
    after = {(obj["kind"], obj["metadata"]["name"]) for obj in repository.built()}
    assert before - after == of_vms(repository.handed_over()).keys()
    lock = (repository.spec / "gitops/locks/first/first-01.lock").read_text()
    assert "machines" not in lock
    verified = vmferry("verify", repository.spec / "gitops")
    assert verified.code == 0, verified.text


@pytest.mark.parametrize("engine", ["flux", "argocd"])
def test_services_of_adopted_vms_are_protected_before_they_are_handed_over(tmp_path: Path, engine: str) -> None:
    repository = Repository(tmp_path, path="forklift", engine=engine)
    [service] = [obj for obj in repository.built() if obj["kind"] == "Service"]
    assert service["metadata"]["annotations"].items() >= KEPT.items()
    assert repository.graduate().code == 0
    assert repository.handed_over()


def test_a_group_goes_on_to_its_last_stage_after_that(repository: Repository) -> None:
    assert repository.graduate().code == 0
    assert repository.compile().code == 0
    repository.commit()
    for stage in ("validated", "retired"):
        repository.stage(stage, graduated=True)
        checked = repository.check()
        assert checked.code == 0, checked.text
        assert repository.compile().code == 0
        repository.commit()
    status = vmferry("status", repository.spec, "--format", "json").data
    assert [(group["stage"], group["graduated"]) for group in status["groups"]] == [("retired", True)]


def test_a_revert_deletes_nothing_and_is_reported(repository: Repository) -> None:
    before = of_vms(repository.built())
    assert repository.graduate().code == 0
    assert repository.compile().code == 0
    repository.commit()
    repository.stage("adopted")
    checked = repository.check()
    assert checked.code == 1
    assert "VMF887" in checked.text
    assert repository.compile().code == 0
    assert of_vms(repository.built()) == before


def test_vms_are_taken_back_on_purpose_with_a_reason(repository: Repository) -> None:
    assert repository.graduate().code == 0
    assert repository.compile().code == 0
    repository.commit()
    repository.stage("rolled-back", dataLoss="accepted", reason="slow disks")
    file = repository.spec / "spec.yaml"
    taken = {"suppress": [{"rule": "VMF887", "reason": "the team removed its copy, without pruning"}]}
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | taken))
    checked = repository.check()
    assert checked.code == 0, checked.text
    assert repository.compile().code == 0
    stopped = [obj for obj in repository.built() if obj["kind"] == "VirtualMachine"]
    assert {obj["spec"]["runStrategy"] for obj in stopped} == {"Halted"}
    assert len(stopped) == len(NAMES)


def test_graduated_vms_cannot_be_rolled_back_from_here(repository: Repository) -> None:
    assert repository.graduate().code == 0
    assert repository.compile().code == 0
    repository.commit()
    refused = vmferry(
        *("advance", repository.spec, "first-01", "--to", "rolled-back"),
        *("--data-loss", "accepted", "--reason", "slow", *NOW),
    )
    assert refused.code == 1
    assert "VMF885" in refused.text
    told = vmferry("explain", repository.spec, "first-01", "--rollback")
    assert "another repository owns its VMs" in told.text


def test_only_adopted_groups_graduate(tmp_path: Path) -> None:
    migrated = Migrated(tmp_path)
    done = vmferry("graduate", migrated.spec, "first-01", "--out", tmp_path / "team", *NOW)
    assert done.code == 2
    assert "Group first-01 is cutover; only groups from stage adopted on can be handed over." in done.err


def test_nothing_is_handed_over_of_a_tree_that_is_not_up_to_date(repository: Repository) -> None:
    file = repository.spec / "spec.yaml"
    spec = yaml.safe_load(file.read_text())
    spec["target"]["gitops"]["interval"] = "20m"
    file.write_text(yaml.safe_dump(spec))
    before = file.read_bytes()
    done = repository.graduate()
    assert done.code == 1
    assert "VMF604" in done.text
    assert not repository.out.exists()
    assert file.read_bytes() == before


def test_files_of_the_team_are_never_overwritten(repository: Repository) -> None:
    theirs = repository.out / "first-01/notes.md"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("ours")
    done = repository.graduate()
    assert done.code == 2
    assert "is not empty" in done.err
    assert [path.name for path in repository.out.rglob("*.*")] == ["notes.md"]


def test_dry_run_writes_nothing(repository: Repository) -> None:
    before = (repository.spec / "spec.yaml").read_bytes()
    done = repository.graduate("--dry-run", "--format", "json")
    assert done.code == 0
    assert done.data["written"] is False
    assert not repository.out.exists()
    assert (repository.spec / "spec.yaml").read_bytes() == before


def test_what_local_adds_goes_along_but_no_secret(tmp_path: Path) -> None:
    repository = Repository(tmp_path, path="virt-v2v")
    local = repository.spec / "gitops/overlays/first/first-01/machines/local"
    patch = {"op": "replace", "path": "/spec/template/spec/terminationGracePeriodSeconds", "value": 7}
    budget = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "notes", "namespace": "web"}}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key", "namespace": "web"},
        "stringData": {"password": "hunter2"},
    }
    (local / "own.yaml").write_text(yaml.safe_dump_all([budget, secret]))
    component = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "resources": ["own.yaml"],
        "patches": [{"patch": yaml.safe_dump([patch]), "target": {"kind": "VirtualMachine", "name": "lin-01"}}],
    }
    (local / "kustomization.yaml").write_text(yaml.safe_dump(component))
    repository.commit()
    done = repository.graduate()
    assert done.code == 0, done.text
    given = {(obj["kind"], obj["metadata"]["name"]): obj for obj in repository.handed_over()}
    assert given["VirtualMachine", "lin-01"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 7
    assert ("ConfigMap", "notes") in given
    assert "hunter2" not in "".join(path.read_text() for path in repository.out.rglob("*.yaml")) + done.text
    assert "Secret web/key is not copied" in done.err


def test_a_vm_that_local_deletes_is_not_lost_silently(tmp_path: Path) -> None:
    repository = Repository(tmp_path, path="virt-v2v")
    local = repository.spec / "gitops/overlays/first/first-01/machines/local"
    patch = {
        "$patch": "delete",
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "win-01", "namespace": "web"},
    }
    component = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "patches": [{"patch": yaml.safe_dump(patch)}],
    }
    (local / "kustomization.yaml").write_text(yaml.safe_dump(component))
    repository.commit()
    done = repository.graduate()
    assert done.code == 1
    assert "lack VM win-01" in done.err
    assert not repository.out.exists()
