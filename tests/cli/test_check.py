"""Tests of `vmferry check`: standard input, the shape of its JSON, what is shown of a line."""

from pathlib import Path

import pytest
import yaml
from tests.invocation import Result, vmferry

SPEC = """apiVersion: vmferry.dev/v1alpha1
kind: MigrationSpec
metadata: {name: demo}
sources:
  - name: vc1
    vcenter:
      url: https://vcenter.example.com/sdk
      vddkImage: registry.example.com/vddk:8.0.3
      credentials: {secretRef: {name: vc1}}
target:
  cluster: {name: prod, cni: cilium, existingBridges: [{name: br-vm, vlanFiltering: true}]}
  gitops: {engine: flux, repoURL: https://git.example.com/gitops.git}
networks:
  - {source: {portGroup: lan}, target: {type: bridge, bridge: br-vm, vlan: 7}}
storage:
  classes: [{name: ceph, provisioner: rook-ceph.rbd.csi.ceph.com, tier: gold}]
  map: [{source: {datastore: ds1}, tier: gold}]
namespaces: [{name: web, quota: none}]
phases: [{name: first}]
defaults: {phase: first, namespace: web, path: forklift, method: cold}
"""
FINDING_KEYS = {"code", "severity", "message", "help", "file", "line", "column", "endLine", "endColumn", "vms"}


def vm(name: str, network: str = "lan") -> str:
    """Return a VM's entry, whatever its name."""
    quoted = yaml.safe_dump(name, default_style='"', width=10_000).strip()
    return (
        f"  - {{name: {quoted}, os: linux, powerState: poweredOn,\n"
        f"     disks: [{{size: 1Gi, datastore: ds1}}], nics: [{{network: {network}}}]}}\n"
    )


def check(text: str, *options: str) -> Result:
    return vmferry("check", "-", *options, stdin=text.encode())


def test_standard_input_is_a_spec() -> None:
    result = check(f"{SPEC}vms:\n{vm('web-01')}")
    assert result == (0, "", "no findings; 1 VM in 1 group\n")


def test_findings_in_standard_input_have_their_place_and_line() -> None:
    result = check(SPEC.replace("engine: flux", "engine: fluks"))
    assert result.code == 1
    assert result.out.startswith("<stdin>:12:20: error[VMF013] `target.gitops.engine` must be `argocd` or `flux`")
    assert "\n  12 |   gitops: {engine: fluks, repoURL" in result.out
    assert "\n     |                    ^^^^^\n" in result.out
    assert result.err == "1 error\n"


@pytest.mark.parametrize("text", [SPEC.replace("flux", "fluks"), f"{SPEC}vms:\n{vm('a', 'other')}", "a: [", "", "7"])
def test_json_has_every_key_in_every_finding(text: str) -> None:
    result = check(text, "--format", "json")
    assert result.code == 1
    assert result.data.keys() == {"findings"}
    for finding in result.data["findings"]:
        assert finding.keys() == FINDING_KEYS
        assert finding["severity"] in ("error", "warning", "info")


def test_json_without_findings_is_an_empty_list() -> None:
    assert check(f"{SPEC}vms:\n{vm('web-01')}", "--format", "json").data == {"findings": []}


def test_json_span_covers_the_value() -> None:
    [finding] = check(f"{SPEC}vms:\n{vm('a', 'other')}", "--format", "json").data["findings"]
    lines = f"{SPEC}vms:\n{vm('a', 'other')}".splitlines()
    assert lines[finding["line"] - 1][finding["column"] - 1 : finding["endColumn"] - 1] == "other"
    assert finding["vms"] == ["a"]


def test_ten_findings_of_a_kind_are_shown_unless_all_are_asked_for() -> None:
    vms = "".join(f"  - {{name: vm-{number}, colour: red}}\n" for number in range(25))
    text = f"{SPEC}vms:\n{vms}"
    short, full = check(text), check(text, "--all")
    assert short.out.count("error[VMF014]") == 10
    assert "… and 15 more VMF014 (unknown field); --all shows them" in short.out
    assert full.out.count("error[VMF014]") == 25
    assert short.err == full.err == "25 errors\n"


def test_findings_come_in_the_order_of_the_file() -> None:
    vms = "".join(f"  - {{name: vm-{number}, colour: red}}\n" for number in range(12))
    findings = check(f"{SPEC}vms:\n{vms}", "--format", "json").data["findings"]
    assert [finding["line"] for finding in findings] == sorted(finding["line"] for finding in findings)


def test_long_line_is_shown_around_the_place() -> None:
    text = f"{SPEC}vms: [{{name: web-01, tags: [{'x' * 500}], colour: red, folder: {'y' * 500}}}]\n"
    result = check(text)
    shown, under = result.out.splitlines()[1:3]
    assert len(shown) < 220
    assert shown.endswith("…")
    assert shown[under.index("^") : under.index("^") + 6] == "colour"


def test_wide_escapes_do_not_move_the_underline() -> None:
    result = check(f'{SPEC}vms: [{{name: "\u200b\u202e", colour: red}}]\n')
    shown, under = result.out.splitlines()[1:3]
    assert shown[under.index("^") : under.rindex("^") + 1] == "colour"


def test_files_of_other_tools_beside_the_spec_are_named_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "kustomization.yaml").write_text("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n")
    result = vmferry("check", tmp_path)
    assert result.code == 0
    assert f"skipped: {tmp_path}/kustomization.yaml (Kustomization)\n" in result.err


def test_spec_split_over_documents_is_read_as_one(tmp_path: Path) -> None:
    head = "apiVersion: vmferry.dev/v1alpha1\nkind: VirtualMachineSet\nmetadata: {name: team}\n"
    (tmp_path / "spec.yaml").write_text(f"{SPEC}---\n{head}vms:\n{vm('a')}---\n{head}vms:\n{vm('b')}")
    assert vmferry("check", tmp_path).err == "no findings; 2 VMs in 1 group\n"
