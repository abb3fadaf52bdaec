"""Recorded dumps of failures: each names its cause and the next step. Written by hand after the sources beside them.

forklift: kubev2v/forklift main at d42511bb; cdi: kubevirt/containerized-data-importer main at c07cdb6f; kubernetes:
release-1.34; kubevirt: main. The dumps are lists as `kubectl get … -o json` prints them, cut to what matters.
"""

from pathlib import Path
from typing import Any

import pytest
from tests.cli.repository import ACME
from tests.invocation import vmferry

from vmferry.estate.causes import BY_CODE, CAUSES

DUMPS = Path(__file__).parent / "dumps"
NOW = ("--now", "2027-02-01T00:00:00Z")

# dump: what, VM (None: the group), outcome, cause
FAILURES = {
    # forklift pkg/controller/plan/migration.go: updateConversionProgress, "Guest conversion failed. See pod logs"
    "conversion-failed": ("migration", "ldap-01", "failed", "conversion-failed"),
    # kubernetes pkg/controller/job/job_controller.go: BackoffLimitExceeded
    "conversion-failed-job": ("conversion", "lab-probe", "failed", "conversion-failed"),
    # forklift pkg/controller/plan/validation.go: validateVddkImage
    "vddk-image": ("plan", None, "failed", "vddk-image"),
    "vddk-invalid": ("plan", None, "failed", "vddk-image"),
    # forklift pkg/controller/plan/adapter/vsphere/client.go: "error cheking task status: %s", with vSphere's words
    "snapshot-failed": ("migration", "web-03", "failed", "snapshot-failed"),
    # kubevirt pkg/storage/snapshot/snapshot.go: updateSnapshotStatus, updateSnapshotSnapshotableVolumes
    "vm-snapshot-failed": ("snapshot", "ERP-DB-01", "failed", "vm-snapshot-failed"),
    "vm-snapshot-partial": ("snapshot", "ERP-DB-01", "failed", "vm-snapshot-partial"),
    # cdi pkg/controller/datavolume/controller-base.go: ErrExceededQuota
    "quota-exceeded": ("volume", "lic-01", "waiting", "quota-exceeded"),
    # kubernetes plugin/pkg/admission/resourcequota/controller.go: "exceeded quota: %s, requested: %s, …"
    "quota-exceeded-job": ("conversion", "lab-probe", "waiting", "quota-exceeded"),
    # forklift pkg/controller/plan/migration.go: PhaseWaitForGuestReboots, EnsureWaitForRebootPod
    "reboot-wait-quota": ("migration", "ldap-01", "failed", "reboot-wait-quota"),
    # kubernetes pkg/controller/volume/persistentvolume/pv_controller.go: ProvisioningFailed, FailedBinding, ClaimLost
    "pvc-pending-no-provisioner": ("volume", "lic-01", "waiting", "volume-not-provisioned"),
    "pvc-pending-unbound": ("volume", "lic-01", "waiting", "volume-not-provisioned"),
    "pvc-lost": ("volume", "lic-01", "failed", "volume-lost"),
    # kubernetes pkg/kubelet/images/types.go: ErrImagePull, ImagePullBackOff
    "image-pull": ("conversion", "lab-probe", "waiting", "image-pull"),
    "image-pull-forklift": ("migration", "ldap-01", "waiting", "image-pull"),
    # forklift pkg/controller/plan/migration.go: PhaseCopyingPaused waits for the cutover
    "cutover-overdue": ("migration", "web-01", "waiting", "cutover-overdue"),
    # forklift pkg/controller/plan/migration.go: Canceled, UserRequested
    "canceled": ("migration", "ldap-01", "canceled", "canceled"),
    # kubernetes pkg/kubelet/eviction/eviction_manager.go; api/core/v1: DisruptionTarget
    "node-lost": ("conversion", "lab-probe", "failed", "node-lost"),
    # kubevirt pkg/virt-controller/watch/node/node.go: NodeUnresponsiveReason
    "node-lost-vm": ("virtualMachine", "web-01", "failed", "node-lost"),
    # vmferry backends/scripts/convert.sh; kubernetes pkg/controller/job/pod_failure_policy.go has the message
    "volume-holds-data": ("conversion", "lab-probe", "failed", "volume-holds-data"),
    "source-not-off": ("conversion", "lab-probe", "failed", "source-not-off"),
    "source-not-off-pod": ("conversion", "lab-probe", "failed", "source-not-off"),
    "volume-taken": ("conversion", "lab-probe", "failed", "volume-taken"),
    # forklift pkg/controller/plan/validation.go: category Critical
    "vm-not-found": ("plan", None, "failed", "vm-not-found"),
    "vm-already-exists": ("plan", None, "failed", "vm-already-exists"),
    "plan-not-ready": ("plan", None, "failed", "plan-not-ready"),
    # forklift pkg/controller/migration/validation.go: PlanNotReady
    "plan-not-valid": ("migration", None, "failed", "plan-not-valid"),
    # cdi pkg/importer/http-datasource.go, checksum.go, cmd/cdi-importer/importer.go
    "image-not-found": ("volume", "lic-01", "failed", "image-not-found"),
    "checksum-mismatch": ("volume", "lic-01", "failed", "checksum-mismatch"),
    "import-failed": ("volume", "lic-01", "failed", "import-failed"),
    # kubernetes pkg/scheduler/framework/types.go: "%v/%v nodes are available"
    "no-node": ("conversion", "lab-probe", "waiting", "no-node"),
    # kubernetes pkg/kubelet/kuberuntime: OOMKilled
    "out-of-memory": ("conversion", "lab-probe", "failed", "out-of-memory"),
    # virt-v2v convert/convert.ml: check_guest_free_space
    "disk-full": ("migration", "ldap-01", "failed", "disk-full"),
    # govmomi vim25/types: InvalidLogin, with vCenter's words
    "vcenter-login": ("migration", "ldap-01", "failed", "vcenter-login"),
    # forklift pkg/controller/plan/hook.go: "Retry limit exceeded."
    "hook-failed": ("migration", "ldap-01", "failed", "hook-failed"),
    # kubevirt staging/src/kubevirt.io/api/core/v1/types.go: VirtualMachinePrintableStatus
    "vm-crashes": ("virtualMachine", "web-01", "failed", "vm-crashes"),
    "volume-missing": ("virtualMachine", "web-01", "failed", "volume-missing"),
    # vmferry backends/networks.py: a VM of a smoke test is Ready only while it reaches the other
    "smoke-test-failed": ("smokeTest", None, "failed", "smoke-test-failed"),
    # fluxcd/kustomize-controller internal/controller/kustomization_controller.go: ReconciliationFailed
    "sync-failed": ("sync", None, "failed", "sync-failed"),
    # vmferry backends/scripts/check.sh; kubernetes pkg/controller/job/pod_failure_policy.go has the condition
    "check-failed": ("check", None, "failed", "check-failed"),
    "check-not-run": ("check", None, "failed", "check-not-run"),
    # vmferry backends/scripts/preflight.sh; kubernetes pkg/kubelet/kuberuntime: FailedCreatePodSandBox
    "preflight-failed": ("preflight", None, "failed", "preflight-failed"),
    "preflight-not-run": ("preflight", None, "failed", "preflight-not-run"),
    "network-not-attached": ("preflight", None, "waiting", "network-not-attached"),
    # kubevirt pkg/virt-controller/watch/vmi/lifecycle.go: the condition is there as long as the agent is connected
    "agent-not-connected": ("check", "web-01", "failed", "agent-not-connected"),
    "unknown": ("migration", "ldap-01", "failed", "unknown"),
}


def observe(name: str) -> list[dict[str, Any]]:
    """Return what a dump would add to the evidence of the example."""
    dump = DUMPS / f"{name}.json"
    result = vmferry("observe", ACME, "--from", dump, "--dry-run", "--format", "json", *NOW)
    assert result.code == 0, result.text
    entries: list[dict[str, Any]] = result.data["entries"]
    return entries


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_has_its_cause_and_a_next_step(name: str) -> None:
    what, vm, outcome, cause = FAILURES[name]
    found = [entry for entry in observe(name) if (entry["what"], entry.get("name")) == (what, vm)]
    assert [(entry["outcome"], entry["cause"]) for entry in found] == [(outcome, cause)]
    assert found[0]["problem"] == BY_CODE[cause].problem
    assert found[0]["next"] == BY_CODE[cause].next


def test_every_cause_has_a_recorded_dump() -> None:
    asked = {"slower-than-before", "not-compared"}  # of Prometheus: tests/observe/test_prometheus.py
    compared = {"data-differ", "nothing-to-compare"}  # with what was recorded before: tests/cli/test_integrity.py
    assert {cause.code for cause in CAUSES} == {cause for *_, cause in FAILURES.values()} | asked | compared


def test_an_unknown_failure_is_shown_in_the_clusters_words_without_its_credentials() -> None:
    said = [entry["said"] for entry in observe("unknown") if entry.get("said")]
    assert said
    for text in said:
        assert text.startswith("Finalize The flux capacitor is depleted")
        assert "hunter2" not in text


SUCCESSES = {
    "success-forklift-cold": {("migration", "ldap-01"), ("migration", "ldap-02"), ("migration", None), ("plan", None)},
    "success-job": {("conversion", name) for name in ("DEV_Win11_Test", "lab-probe", "dev-legacy")},
    "success-image": {("volume", "fw-edge-01"), ("volume", "lic-01")},
    "success-running": {(what, name) for what in ("virtualMachine", "check") for name in ("web-01", "web-02")},
    "success-sync": {("sync", None), ("plan", None)},
    "success-smoke-test": {("smokeTest", None)},
    "success-preflight": {("preflight", None)},
    "success-checks": {
        ("check", None),
        *((what, f"ci-runner-0{n}") for what in ("virtualMachine", "check") for n in range(1, 5)),
    },
    "success-snapshot": {
        ("snapshot", name) for name in ("ERP-DB-01", "ERP_APP_01", "ERP_APP_02", "ERP Report Server", "ERP_TERM_01")
    },
}


@pytest.mark.parametrize("name", SUCCESSES)
def test_a_success_is_recorded(name: str) -> None:
    entries = observe(name)
    assert {entry["outcome"] for entry in entries} == {"succeeded"}
    assert {(entry["what"], entry.get("name")) for entry in entries} == SUCCESSES[name]


def test_a_warm_vm_has_its_first_copy_while_the_migration_runs() -> None:
    entries = [entry for entry in observe("success-forklift-warm") if entry.get("name") == "web-03"]
    assert {(entry["what"], entry["outcome"]) for entry in entries} == {("copy", "succeeded"), ("migration", "running")}
    copy = next(entry for entry in entries if entry["what"] == "copy")
    assert (copy["started"], copy["finished"]) == ("2027-01-11T20:06:00Z", "2027-01-11T21:00:00Z")


def test_a_smoke_test_is_of_a_network_and_of_each_of_its_vms() -> None:
    found = [(each.get("group"), each["network"], each["object"]) for each in observe("success-smoke-test")]
    assert found == [(None, "web-prod", f"VirtualMachine web/smoke-web-prod-{one}") for one in ("a", "b")]


def test_a_vm_of_a_smoke_test_has_a_while_to_boot() -> None:
    options = ("--from", DUMPS / "smoke-test-failed.json", "--dry-run", "--format", "json")
    found = vmferry("observe", ACME, *options, "--now", "2027-01-05T09:10:00Z").data["entries"]
    assert found == []


def test_progress_is_recorded_in_tenths() -> None:
    sizes = {(entry["name"], entry["what"]): entry["bytes"] for entry in observe("running") if "bytes" in entry}
    assert sizes == {
        ("ldap-01", "migration"): 6 * (40 << 30) // 10,
        ("ldap-02", "migration"): (40 << 30) // 10,
        ("lic-01", "volume"): 4 * (50 << 30) // 10,
    }
