"""Each VM has one file in a layer, whatever it is called, and what VMs share has another."""

import hashlib
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.test_check import SPEC, vm
from tests.invocation import vmferry

from vmferry.layout.names import KUSTOMIZATION_FILES, file_of, shared_file
from vmferry.model.base import Name
from vmferry.model.manifest import KubeObject, Resource
from vmferry.output.render import render
from vmferry.verify.kustomize import build_all

EXAMPLES = Path(__file__).parents[2] / "examples"


def thing(kind: str, name: str) -> KubeObject:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "web"}}


DIRECTORY = "bases/p/g/machines"


def placed(obj: KubeObject, **fields: Any) -> Resource:
    return Resource(directory=DIRECTORY, object=obj, **{"lock": "p/g"} | fields)


def rendered(*items: Resource) -> dict[str, tuple[str, bytes]]:
    """Return the files of a tree by path, each with its lock."""
    return {file.path: (file.lock, file.content) for file in render(items)}


def test_objects_of_one_file_are_its_documents_in_order_below_one_comment() -> None:
    vm, service = thing("VirtualMachine", "web"), thing("Service", "web")
    lock, content = rendered(placed(vm, file="web.yaml"), placed(service, file="web.yaml"))[
        "bases/p/g/machines/web.yaml"
    ]
    assert lock == "p/g"
    assert list(yaml.safe_load_all(content)) == [vm, service]
    assert content.count(b"# Compiled by vmferry") == content.count(b"\n---\n") == 1
    assert content.startswith(b"# Compiled by vmferry")


def test_each_file_is_listed_once_however_many_objects_it_has() -> None:
    items = [placed(thing(kind, "web"), file="web.yaml") for kind in ("VirtualMachine", "Service")]
    _, listed = rendered(*items, placed(thing("ConfigMap", "all"), file=shared_file("machines", "g")))[
        "bases/p/g/machines/kustomization.yaml"
    ]
    assert yaml.safe_load(listed)["resources"] == ["machines-g.group.yaml", "web.yaml"]


def test_an_object_that_is_there_twice_is_refused() -> None:
    twice = placed(thing("Service", "web"), file="web.yaml")
    with pytest.raises(ValueError, match=r"bases/p/g/machines/web\.yaml would be written twice"):
        rendered(twice, twice)


def test_a_file_is_of_one_lock() -> None:
    with pytest.raises(ValueError, match="would be written twice"):
        rendered(placed(thing("Service", "a"), file="x.yaml"), placed(thing("Service", "b"), file="x.yaml", lock="p/h"))


def test_a_list_of_several_groups_files_is_of_a_lock_of_its_own() -> None:
    items = [placed(thing("Service", name), file=f"{name}.yaml", lock=f"p/{name}", listed="p") for name in ("a", "b")]
    found = rendered(*items)
    assert {path.rpartition("/")[2]: lock for path, (lock, _) in found.items() if path.startswith("bases/")} == {
        "a.yaml": "p/a",
        "b.yaml": "p/b",
        "kustomization.yaml": "p",
    }


@pytest.mark.parametrize("name", ["kustomization", "group", "namespace", "a", "0", "x" * 63])
def test_no_vm_takes_the_place_of_what_others_share(name: str) -> None:
    assert file_of(name) not in KUSTOMIZATION_FILES
    assert len({file_of(name), file_of("kustomization"), file_of("web")}) == len({name, "kustomization", "web"})


VM_NAMES = st.from_regex(get_args(Name)[1].pattern).filter(lambda name: len(name) <= 63)


@given(VM_NAMES, st.sampled_from(["access", "migration", "plan"]), VM_NAMES)
def test_no_vm_takes_the_file_of_what_its_group_shares(vm: str, layer: str, group: str) -> None:
    shared = shared_file(layer, group)
    assert shared not in (file_of(vm), file_of(f"{layer}-{group}"), *KUSTOMIZATION_FILES)


def test_a_vm_that_is_called_like_the_plan_of_its_group_has_a_file_of_its_own(tmp_path: Path) -> None:
    names = ("plan-first-01", "plan-first-01.group")
    vms = "".join(vm(name).replace("os: linux", "os: linux, ports: [{port: 80, name: http}]") for name in names)
    on_pods = SPEC.replace("target: {type: bridge, bridge: br-vm, vlan: 7}", "target: {type: pod}")
    (tmp_path / "spec.yaml").write_text(f"{on_pods}vms:\n{vms}")
    result = vmferry("compile", tmp_path, "--out", tmp_path)
    assert result.code == 0, result.text
    kinds = {
        path.name: [obj["kind"] for obj in yaml.safe_load_all(path.read_text())]
        for path in tmp_path.glob("gitops/bases/first/first-01/plan/plan-*.yaml")
    }
    assert kinds == {
        "plan-first-01.group.yaml": ["NetworkMap", "StorageMap", "Plan"],
        "plan-first-01.yaml": ["Service"],
        "plan-first-01-group.yaml": ["Service"],
    }


@pytest.mark.skipif(not shutil.which("kustomize") and not shutil.which("kubectl"), reason="needs kustomize or kubectl")
def test_vms_that_are_called_like_files_of_a_tree_are_built(tmp_path: Path) -> None:
    names = ("kustomization", "group", "namespace", "volumes", "local")
    vms = "".join(
        f"  - {{name: {name}, uuid: 42301f6e-1c5d-4c6e-9d3a-2b8f6a7c00{number:02}, firmware: bios, os: linux,\n"
        f"     powerState: poweredOn, cpu: {{count: 2}}, memory: 2Gi, disks: [{{size: 1Gi, datastore: ds1}}],\n"
        f"     nics: [{{network: lan, mac: '00:50:56:9a:10:{number:02}'}}]}}\n"
        for number, name in enumerate(names)
    )
    text = SPEC.replace("path: forklift, method: cold", "path: virt-v2v, method: image")
    (tmp_path / "spec.yaml").write_text(f"{text}vms:\n{vms}")
    result = vmferry("compile", tmp_path, "--out", tmp_path)
    assert result.code == 0, result.text
    [build] = build_all(tmp_path / "gitops", ["bases/first/first-01/machines"])
    assert build.error is None
    assert {obj["metadata"]["name"] for obj in yaml.safe_load_all(build.output)} == set(names)
    assert vmferry("verify", tmp_path, "--format", "json").data["findings"] == []


@pytest.mark.parametrize("example", ["acme", "acme-argocd", "minimal"])
def test_one_file_says_what_becomes_of_a_vm_in_a_layer(example: str) -> None:
    top = EXAMPLES / example / "gitops"
    for path in sorted(top.glob("bases/*/*/*/*.yaml")):
        if path.name == "kustomization.yaml":
            continue
        labels = [obj["metadata"]["labels"] for obj in yaml.safe_load_all(path.read_text())]
        assert {each.get("vmferry.dev/vm") for each in labels} == {None if path.stem.endswith(".group") else path.stem}


@pytest.mark.parametrize("example", ["acme", "acme-argocd", "minimal"])
def test_a_lock_owns_what_is_made_of_its_group_and_sha256sum_agrees(example: str) -> None:
    top = EXAMPLES / example / "gitops"
    for path in sorted(top.glob("locks/[!_]*/*.lock")):
        phase, group = path.parent.name, path.stem
        for line in path.read_text().splitlines():
            if not line.startswith("#"):
                digest, _, file = line.partition("  ")
                assert hashlib.sha256((top / file).read_bytes()).hexdigest() == digest
                part, _, rest = file.partition("/")
                assert rest.startswith(f"{phase}/{group}/") or (part, rest) in (
                    ("clusters", f"prod-a/{phase}/{group}.yaml"),
                    ("infra", f"monitoring/{phase}/{group}.yaml"),
                    ("infra", f"baselines/{phase}/{group}.baseline.yaml"),
                )
