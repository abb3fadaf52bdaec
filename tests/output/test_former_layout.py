"""A tree in which each object was a file, and each phase had a lock, becomes one of a file for each VM by compiling."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.invocation import vmferry
from tests.output.former import formerly, with_one_name

from vmferry.layout.compiled import open_tree
from vmferry.verify.kustomize import build_all

EXAMPLES = Path(__file__).parents[2] / "examples"
every_example = pytest.mark.parametrize("example", ["acme", "acme-argocd", "minimal"])
builds = pytest.mark.skipif(
    not shutil.which("kustomize") and not shutil.which("kubectl"), reason="needs kustomize or kubectl"
)
_PATHS = "argocd.argoproj.io/manifest-generate-paths"


def project(example: str, folder: Path) -> Path:
    """Return a copy of an example whose tree is laid out as it was before."""
    copy = folder / example
    shutil.copytree(EXAMPLES / example, copy)
    formerly(copy / "gitops")
    return copy


def compiled(copy: Path, *options: str) -> Any:
    return vmferry("compile", copy, "--out", copy, *options)


def tree(top: Path) -> dict[str, bytes]:
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}


@every_example
def test_the_former_layout_has_a_file_for_each_object_and_a_lock_for_each_phase(example: str, tmp_path: Path) -> None:
    top = project(example, tmp_path) / "gitops"
    files = [path for path in top.glob("bases/*/*/*/*.yaml") if path.name != "kustomization.yaml"]
    assert files
    for path in files:
        obj = yaml.safe_load(path.read_text())
        assert path.name == f"{obj['kind'].lower()}-{obj['metadata']['name']}.yaml"
    phases = {path.name for path in (top / "bases").iterdir()}
    assert {path.stem for path in (top / "locks").rglob("*.lock")} == phases | {"_infra"}


@every_example
def test_one_compile_makes_it_the_layout_of_now_and_nothing_is_left(example: str, tmp_path: Path) -> None:
    copy = project(example, tmp_path)
    result = compiled(copy)
    assert result.code == 0, result.text
    assert tree(copy / "gitops") == tree(EXAMPLES / example / "gitops")
    assert compiled(copy, "--check").code == 0


@every_example
def test_one_compile_names_what_a_group_shares_after_the_group(example: str, tmp_path: Path) -> None:
    copy = tmp_path / example
    shutil.copytree(EXAMPLES / example, copy)
    with_one_name(copy / "gitops")
    assert list(copy.rglob("_group.yaml"))
    for lock in (copy / "gitops/locks").rglob("*.lock"):
        assert owned(lock) == {path: digest(copy / "gitops" / path) for path in owned(lock)}
    result = compiled(copy)
    assert result.code == 0, result.text
    assert tree(copy / "gitops") == tree(EXAMPLES / example / "gitops")


def owned(lock: Path) -> dict[str, str]:
    """Return the files that a lock owns, with their digests."""
    lines = (line.split("  ", 1) for line in lock.read_text().splitlines() if not line.startswith("#"))
    return {path: digest for digest, path in lines}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@builds
@every_example
def test_every_root_builds_to_the_objects_that_it_built_to(example: str, tmp_path: Path) -> None:
    copy = project(example, tmp_path)
    before = built(copy / "gitops")
    assert compiled(copy).code == 0
    after = built(copy / "gitops")
    assert sum(map(len, after.values())) > 10
    assert after == before
    assert vmferry("verify", copy / "gitops", "--format", "json").data["findings"] == []


def built(top: Path) -> dict[str, dict[tuple[str, ...], Any]]:
    """Return what each root that an engine syncs builds to, by kind and name; of a group's base the same, all of it."""
    found: dict[str, dict[tuple[str, ...], Any]] = {}
    for build in build_all(top, open_tree(top).roots()):
        assert build.error is None
        parts = build.directory.split("/")
        root = "/".join(parts[:3]) if parts[0] == "bases" else build.directory
        for obj in yaml.load_all(build.output, yaml.CSafeLoader):
            meta = obj["metadata"]
            meta.get("annotations", {}).pop(_PATHS, None)  # names the directories of layers
            found.setdefault(root, {})[obj["kind"], meta.get("namespace", ""), meta["name"]] = obj
    return found


def test_what_is_in_local_stays_and_still_has_the_last_word(tmp_path: Path) -> None:
    copy = project("acme", tmp_path)
    local = copy / "gitops/overlays/dev-test/dev-test-03/machines/local/kustomization.yaml"
    patch = yaml.safe_dump([{"op": "add", "path": "/metadata/labels/team", "value": "dev"}])
    patches = [{"target": {"kind": "VirtualMachine"}, "patch": patch}]
    component = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "patches": patches}
    local.write_text(yaml.safe_dump(component))
    text = local.read_bytes()
    result = compiled(copy)
    assert result.code == 0, result.text
    assert local.read_bytes() == text
    if shutil.which("kustomize") or shutil.which("kubectl"):
        [build] = build_all(copy / "gitops", ["overlays/dev-test/dev-test-03/machines"])
        labels = [obj["metadata"]["labels"] for obj in yaml.safe_load_all(build.output)]
        assert {each.get("team") for each in labels} == {"dev"}


def test_an_edit_by_hand_of_a_former_file_is_a_conflict(tmp_path: Path) -> None:
    copy = project("minimal", tmp_path)
    [plan] = (copy / "gitops").glob("bases/*/*/plan/plan-*.yaml")
    plan.write_text(plan.read_text() + "# by hand\n")
    before = tree(copy)
    result = compiled(copy)
    assert (result.code, "VMF601" in result.out, plan.name in result.out) == (1, True, True)
    assert tree(copy) == before
    assert compiled(copy, "--force").code == 0
    assert tree(copy / "gitops") == tree(EXAMPLES / "minimal" / "gitops")


def test_the_locks_of_phases_are_understood_by_verify(tmp_path: Path) -> None:
    copy = project("minimal", tmp_path)
    [plan] = (copy / "gitops").glob("bases/*/*/plan/plan-*.yaml")
    plan.unlink()
    found = vmferry("verify", copy / "gitops", "--format", "json").data["findings"]
    assert "VMF604" in {finding["code"] for finding in found}
