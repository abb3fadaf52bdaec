"""Tests of `vmferry explain`."""

from pathlib import Path

import pytest
from tests.invocation import vmferry

SUBJECTS = {
    "disposition", "path", "method", "namespace", "target name", "nic-0", "disk-0", "run strategy", "live migration",
    "phase", "group",
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    assert vmferry("init", tmp_path).code == 0
    return tmp_path


@pytest.mark.parametrize("name", ["web-01", "vm-101", "vc1/vm-101"])
def test_a_vm_is_found_by_name_id_and_key(project: Path, name: str) -> None:
    [found] = vmferry("explain", project, name, "--format", "json").data
    assert (found["vm"], found["key"]) == ("web-01", "vc1/vm-101")


def test_every_decision_has_its_reason_and_its_place(project: Path) -> None:
    [found] = vmferry("explain", project, "web-01", "--format", "json").data
    assert found.keys() >= SUBJECTS
    for subject in found.keys() - {"vm", "key"}:
        assert found[subject].keys() == {"value", "reason", "where", "refused"}
        assert found[subject]["value"]
        assert found[subject]["reason"]
    assert found["namespace"]["where"].startswith(f"{project}/spec.yaml:")


def test_text_names_every_decision(project: Path) -> None:
    result = vmferry("explain", project, "web-01")
    assert result.code == 0
    assert result.out.startswith("web-01 (vc1/vm-101)")
    assert all(subject in result.out for subject in SUBJECTS)
    assert "web-02" not in result.out


def test_all_explains_every_vm(project: Path) -> None:
    assert [found["vm"] for found in vmferry("explain", project, "--all", "--format", "json").data] == [
        "web-01",
        "web-02",
    ]


def test_unknown_vm_is_a_wrong_call_that_says_what_was_meant(project: Path) -> None:
    result = vmferry("explain", project, "wbe-01")
    assert result.code == 2
    assert "No VM 'wbe-01' in the spec. Did you mean 'web-01'?" in result.err
    assert "--all shows every VM" in vmferry("explain", project, "xyz").err


def test_vm_that_stays_is_called_by_its_name(project: Path) -> None:
    team = project / "vms/team-a.yaml"
    team.write_text(team.read_text() + "  - {name: old-01, id: vm-9, disposition: retire, reason: nobody uses it}\n")
    [found] = vmferry("explain", project, "old-01", "--format", "json").data
    assert found["disposition"]["value"] == "retire"


def test_a_broken_spec_is_explained_as_far_as_possible(project: Path) -> None:
    team = project / "vms/team-a.yaml"
    team.write_text(team.read_text().replace('VM Network, mac: "00:50:56:9a:10:01"', "Other"))
    result = vmferry("explain", project, "web-01", "--format", "json")
    assert result.code == 1
    assert result.data[0]["path"]["value"] == "virt-v2v"
    assert "error[VMF201]" in result.err
    by_id = vmferry("explain", project, "vm-101")
    assert "error[VMF201]" in by_id.err
    assert "error[VMF201]" not in vmferry("explain", project, "web-02").err


def test_what_cannot_be_read_is_said_in_the_format_asked_for(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("a: [")
    result = vmferry("explain", tmp_path, "--all", "--format", "json")
    assert result.code == 1
    assert [finding["code"] for finding in result.data["findings"]] == ["VMF001"]


def test_what_a_vm_depends_on_outside_the_migration_is_shown_and_of_no_other(project: Path) -> None:
    team = project / "vms/team-a.yaml"
    team.write_text(
        team.read_text().replace(
            "  - name: web-01\n", "  - name: web-01\n    dependsOn: [{external: ldap.acme.example:636}]\n", 1
        )
    )
    shown = [vmferry("explain", project, name, "--format", "json").data[0] for name in ("web-01", "web-02")]
    assert shown[0]["outside"]["value"] == "ldap.acme.example:636"
    assert "outside" not in shown[1]


def test_environment_and_kind_have_their_evidence(project: Path) -> None:
    [found] = vmferry("explain", project, "web-01", "--format", "json").data
    assert (found["kind"]["value"], found["kind"]["reason"]) == ("stateless", "web server ('web' in the name)")
