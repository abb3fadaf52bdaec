"""A method is added by one module and one word: here one whose VMs start on empty volumes, for replication to fill."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.extending.scratch import Scratch
from tests.rules.laying import lay_out

TOY = '''"""Method refill of path virt-v2v: a fresh VM on empty volumes, which replication fills from prepared on."""

from vmferry.estate.methods.traits import Layer, MoveMethod
from vmferry.kube import kinds

METHOD = MoveMethod(
    path="virt-v2v",
    layers={
        "volumes": Layer(("prepared", "migrating", "cutover"), wave=1),
        "machines": Layer(("migrating", "cutover"), wave=3),
    },
    steps=(("volumes", ("volumes",)), ("machines", ("machines",))),
    kinds=(kinds.SERVICE, kinds.DATA_VOLUME, kinds.VIRTUAL_MACHINE),
    facts=(("datacenter", "its datacenter", "add `datacenter`: replication starts there"),),
    volumes="volumes",
    source_runs=True,
)
'''
WORD = '    "refill",'
DEFAULTS = "defaults: {method: refill}\n"


@pytest.fixture
def extended(tmp_path: Path) -> Scratch:
    scratch = Scratch(tmp_path / "copy")
    scratch.add("estate/methods/refill.py", TOY)
    scratch.register("model/spec/decisions.py", WORD, after='    "image",')
    return scratch


def project(scratch: Scratch, text: str = DEFAULTS) -> Path:
    """Lay a text over the spec of the rules' examples, whose four VMs move by path virt-v2v; return the spec."""
    file = scratch.directory / "example.yaml"
    file.write_text(text)
    lay_out(file, scratch.directory / "spec")
    return scratch.directory / "spec"


def at(scratch: Scratch, stage: str, engine: str = "flux") -> Path:
    """Compile the spec with its first group at a stage, as one after the other is merged; return the tree."""
    for each in ("planned", "prepared", "migrating", "cutover"):
        gitops = f"target: {{gitops: {{engine: {engine}}}}}\n"
        spec = project(scratch, f"{DEFAULTS}{gitops}groups: {{first-01: {{stage: {each}}}}}\n")
        result = scratch.vmferry("compile", spec, "--out", scratch.directory)
        assert result.code == 0, result.text
        if each == stage:
            break
    return scratch.directory / "gitops"


def method(scratch: Scratch, spec: Path) -> tuple[str, str]:
    """Return the method of one VM, and the reason."""
    [vm] = scratch.vmferry("explain", spec, "web-01", "--format", "json").data
    return vm["method"]["value"], vm["method"]["reason"]


def objects(folder: Path) -> list[dict[str, Any]]:
    return [each for path in sorted(folder.rglob("*.yaml")) for each in yaml.safe_load_all(path.read_text())]


def test_a_method_takes_one_module_and_one_word(extended: Scratch) -> None:
    added = (["estate/methods/refill.py"], {"model/spec/decisions.py": [f"+ {WORD}"]})
    assert extended.added() == added


def test_specs_can_choose_it_and_editors_complete_it(extended: Scratch) -> None:
    schema = extended.vmferry("schema", "MigrationSpec").data["$defs"]["ForMany"]["properties"]["method"]
    assert schema["enum"] == ["cold", "image", "job", "refill", "replica", "warm"]
    spec = project(extended)
    assert extended.vmferry("check", spec).code == 0
    assert method(extended, spec) == ("refill", "the spec says so")


def test_nobody_gets_it_who_did_not_choose_it(extended: Scratch) -> None:
    spec = project(extended, "defaults: {method: null}\n")
    assert "refill" not in extended.vmferry("explain", spec, "--all").out


def test_what_it_needs_to_know_is_asked_for(extended: Scratch) -> None:
    spec = project(extended)
    inventory = spec / "inventory"
    for path in inventory.glob("*.yaml"):
        path.write_text(path.read_text().replace("datacenter: DC1", ""))
    result = extended.vmferry("check", spec)
    assert result.code == 1
    assert "4 VMs: its datacenter is unknown" in result.text
    assert "replication starts there" in result.text


def test_another_path_does_not_have_it(extended: Scratch) -> None:
    spec = project(extended, "vms: [{name: web-01, path: forklift, method: refill}]\n")
    result = extended.vmferry("check", spec)
    assert result.code == 1
    assert "path forklift takes method warm or cold" in result.text


@pytest.mark.parametrize(
    ("stage", "steps"),
    [("planned", []), ("prepared", ["volumes"]), ("migrating", ["machines", "volumes"])],
)
def test_its_layers_are_in_the_cluster_from_their_stages_on(stage: str, steps: list[str], extended: Scratch) -> None:
    overlays = at(extended, stage) / "overlays/first/first-01"
    assert sorted(path.name for path in overlays.glob("*/")) == steps


def test_its_volumes_are_empty_and_no_job_fills_them(extended: Scratch) -> None:
    base = at(extended, "prepared") / "bases/first/first-01"
    found = objects(base)
    volumes = [each for each in found if each["kind"] == "DataVolume"]
    assert volumes
    assert all(each["spec"]["source"] == {"blank": {}} for each in volumes)
    assert {each["kind"] for each in found} == {"DataVolume", "VirtualMachine", "Kustomization"}


def test_its_layers_are_in_order_under_argo_cd_too(extended: Scratch) -> None:
    base = at(extended, "migrating", engine="argocd") / "bases/first/first-01"
    waves = {
        each["kind"]: each["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]
        for each in objects(base)
        if each["kind"] != "Kustomization"
    }
    assert waves == {"DataVolume": "1", "VirtualMachine": "3"}


def test_who_applies_it_may_write_what_it_puts_into_a_namespace(extended: Scratch) -> None:
    tree = at(extended, "prepared")
    roles = [each for each in objects(tree / "infra/namespaces/web") if each["kind"] == "Role"]
    granted = {resource for role in roles for row in role["rules"] for resource in row["resources"]}
    assert {"datavolumes", "virtualmachines", "services"} <= granted
    assert not {"jobs", "serviceaccounts", "datasources"} & granted


@pytest.mark.kustomize
def test_its_tree_verifies_up_to_cutover(extended: Scratch) -> None:
    result = extended.vmferry("verify", at(extended, "cutover"))
    assert result.code == 0, result.text


def test_a_frozen_vm_keeps_it(extended: Scratch) -> None:
    at(extended, "prepared")
    spec = project(extended, "defaults: {method: job}\ngroups: {first-01: {stage: prepared}}\n")
    assert method(extended, spec)[0] == "refill"
    project(extended, "defaults: {method: job}\n")  # back at planned
    assert method(extended, spec)[0] == "job"
