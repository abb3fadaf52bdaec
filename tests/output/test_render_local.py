"""Tests that the user's component `local/` has the last word, in every stage and path, with the real kustomize."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.test_check import SPEC, vm
from tests.invocation import vmferry

from vmferry.verify.kustomize import build_all

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.skipif(
    not shutil.which("kustomize") and not shutil.which("kubectl"), reason="needs kustomize or kubectl"
)


def other(value: Any) -> Any:
    """Return another value of the kind."""
    match value:
        case int():
            return value + 7
        case list():
            return []
        case _:
            return "Manual" if "-" not in value else "2031-01-01T00:00:00Z"


def undo(stage: Path) -> dict[str, Any]:
    """Have `local/` set each value that the patches of a stage set, and return what it set, by object and path."""
    patches = yaml.safe_load(stage.read_text())["patches"]
    wanted = {}
    for patch in patches:
        [operation] = yaml.safe_load(patch["patch"])
        operation |= {"op": "replace", "value": other(operation["value"])}
        patch["patch"] = yaml.safe_dump([operation])
        name = patch["target"]["name"].replace("\\", "")
        wanted[f"{patch['target']['kind']}/{name}{operation['path']}"] = operation["value"]
    local = stage.parent.parent / "local/kustomization.yaml"
    component = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "patches": patches}
    local.write_text(yaml.safe_dump(component))
    return wanted


def built(top: Path, overlay: Path) -> dict[str, Any]:
    """Return what an overlay builds, by object and path of two steps."""
    [build] = build_all(top, [overlay.relative_to(top).as_posix()])
    assert build.error is None
    return {
        f"{item['kind']}/{item['metadata']['name']}/spec/{field}": value
        for item in yaml.safe_load_all(build.output)
        for field, value in item.get("spec", {}).items()
    }


@pytest.mark.parametrize("example", ["acme", "acme-argocd"])
def test_whatever_a_stage_sets_the_users_component_may_set_otherwise(example: str, tmp_path: Path) -> None:
    top = tmp_path / "gitops"
    shutil.copytree(EXAMPLES / example / "gitops", top)
    fields = set()
    for stage in sorted(top.glob("overlays/*/*/*/stage/kustomization.yaml")):
        wanted = undo(stage)
        found = built(top, stage.parent.parent)
        assert {place: found[place] for place in wanted} == wanted
        fields |= {place.rpartition("/")[2] for place in wanted}
    assert fields == {"cutover", "replicas", "runStrategy"}
    assert [f for f in vmferry("verify", top, "--format", "json").data["findings"] if f["code"] == "VMF608"] == []


def test_the_layout_of_an_earlier_vmferry_becomes_this_one(tmp_path: Path) -> None:
    """Patches were in the overlay itself, where they came after the user's: the next compile moves them."""
    for name in ("prepared", "migrating", "cutover"):
        (tmp_path / "spec.yaml").write_text(
            f"{SPEC}vms:\n{vm('web-01')}groups: {{first-01: {{stage: {name}}}}}\n".replace(
                "path: forklift, method: cold", "path: forklift, method: warm"
            )
            .replace("stage: cutover", 'stage: cutover, cutover: "2027-01-11T21:00:00Z"')
            .replace(
                "phases: [{name: first}]",
                "phases: [{name: first, windows: [{start: 2027-01-11T20:00:00Z, duration: 6h}]}]",
            )
        )
        result = vmferry("compile", tmp_path, "--out", tmp_path)
        assert result.code == 0, result.text
    [stage] = tmp_path.glob("gitops/overlays/*/*/*/stage")
    overlay = stage.parent / "kustomization.yaml"
    now = overlay.read_bytes()
    body = yaml.safe_load(now)
    assert body["components"][-2:] == ["stage", "local"]
    body["components"].remove("stage")
    body["patches"] = yaml.safe_load((stage / "kustomization.yaml").read_text())["patches"]
    earlier = yaml.safe_dump(body).encode()
    _as_compiled(tmp_path / "gitops", overlay, earlier, without=stage / "kustomization.yaml")
    (stage.parent / "local/kustomization.yaml").write_text("kind: Component\n# mine\n")
    result = vmferry("compile", tmp_path, "--out", tmp_path)
    assert result.code == 0, result.text
    assert overlay.read_bytes() == now
    assert (stage / "kustomization.yaml").exists()
    assert (stage.parent / "local/kustomization.yaml").read_text().endswith("# mine\n")


def _as_compiled(top: Path, file: Path, content: bytes, without: Path) -> None:
    """Have a file be of another content, another one be missing, and the lock agree."""
    file.write_bytes(content)
    without.unlink()
    without.parent.rmdir()
    place = file.relative_to(top).as_posix()
    for lock in top.rglob("*.lock"):
        lines = [line for line in lock.read_text().splitlines() if not line.endswith(f"  {without.relative_to(top)}")]
        digest = hashlib.sha256(content).hexdigest()
        lines = [f"{digest}  {place}" if line.endswith(f"  {place}") else line for line in lines]
        lock.write_text("\n".join(lines) + "\n")
