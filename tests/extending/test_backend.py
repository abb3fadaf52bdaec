"""A backend is added by one module and its registration: here one that lists who comes to a namespace."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.extending.scratch import Scratch

TOY = '''"""A ConfigMap in each namespace with the names of the VMs that come there."""

from collections.abc import Iterator

from vmferry.backends.metadata import head
from vmferry.backends.places import of_namespace
from vmferry.kube import kinds
from vmferry.model.blueprint import Blueprint
from vmferry.model.manifest import Item


def emit(blueprint: Blueprint) -> Iterator[Item]:
    for plan in blueprint.namespaces:
        here = (group for group in blueprint.groups if group.namespace == plan.name)
        names = sorted(machine.target_name for group in here for machine in group.machines)
        arrivals = head(kinds.CONFIG_MAP, blueprint, "arrivals", plan.name)
        yield of_namespace(plan.name, arrivals | {"data": {"vms": " ".join(names)}})
'''
IMPORT, ENTRY = "    toy,", '    "toy": Backend(toy.emit, puts=(kinds.CONFIG_MAP,)),'
EXAMPLE = Path(__file__).parents[2] / "examples/minimal"


@pytest.fixture
def extended(tmp_path: Path) -> Scratch:
    scratch = Scratch(tmp_path / "copy")
    scratch.add("backends/toy.py", TOY)
    scratch.register("backends/__init__.py", IMPORT, after="    rebuild,")
    scratch.register("backends/__init__.py", ENTRY, after='    "applier": Backend(applier.emit),')
    return scratch


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    folder = tmp_path / "spec"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("gitops"))
    return folder


def test_a_backend_takes_one_module_and_its_registration(extended: Scratch) -> None:
    lines = [f"+ {IMPORT}", f"+ {ENTRY}"]
    assert extended.added() == (["backends/toy.py"], {"backends/__init__.py": lines})


def test_what_it_yields_is_written_owned_and_applied(extended: Scratch, spec: Path, tmp_path: Path) -> None:
    result = extended.vmferry("compile", spec, "--out", tmp_path)
    assert result.code == 0, result.text
    top = tmp_path / "gitops/infra/namespaces/web"
    objects = {(each["kind"], each["metadata"]["name"]): each for each in documents(top / "namespace.yaml")}
    arrivals = objects["ConfigMap", "arrivals"]
    assert arrivals["data"] == {"vms": "web-01 web-02"}
    assert arrivals["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "vmferry"
    assert "namespace.yaml" in (top / "kustomization.yaml").read_text()
    assert extended.vmferry("compile", spec, "--out", tmp_path, "--check").code == 0


def test_who_applies_the_tree_may_write_it(extended: Scratch, spec: Path, tmp_path: Path) -> None:
    def granted(scratch: Scratch, out: Path) -> set[str]:
        assert scratch.vmferry("compile", spec, "--out", out).code == 0
        [role] = [
            each for each in documents(out / "gitops/infra/namespaces/web/namespace.yaml") if each["kind"] == "Role"
        ]
        return {resource for row in role["rules"] for resource in row["resources"]}

    plain = Scratch(tmp_path / "plain")
    assert granted(extended, tmp_path / "one") - granted(plain, tmp_path / "other") == {"configmaps"}


@pytest.mark.kustomize
def test_its_objects_build_and_verify(extended: Scratch, spec: Path, tmp_path: Path) -> None:
    assert extended.vmferry("compile", spec, "--out", tmp_path).code == 0
    result = extended.vmferry("verify", tmp_path / "gitops")
    assert result.code == 0, result.text


def test_without_it_the_object_goes(extended: Scratch, spec: Path, tmp_path: Path) -> None:
    assert extended.vmferry("compile", spec, "--out", tmp_path).code == 0
    plain = Scratch(tmp_path / "plain")
    assert plain.vmferry("compile", spec, "--out", tmp_path).code == 0
    assert "arrivals" not in (tmp_path / "gitops/infra/namespaces/web/namespace.yaml").read_text()


def test_a_kind_that_is_not_listed_is_refused_before_anything_is_written(
    extended: Scratch, spec: Path, tmp_path: Path
) -> None:
    file = extended.package / "backends/toy.py"
    file.write_text(file.read_text().replace("head(kinds.CONFIG_MAP,", 'head(kinds.CONFIG_MAP._replace(name="Guest"),'))
    result = extended.vmferry("compile", spec, "--out", tmp_path)
    assert result.code == 3
    assert "Guest" in result.err
    assert not (tmp_path / "gitops").exists()


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))
