"""kubeconform, which validates manifests in many pipelines, finds nothing in what the examples build."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.ran import module_version, ran

CHECKOUT = Path(__file__).resolve().parents[2]
SCHEMAS = Path(os.environ.get("VMFERRY_SCHEMAS", CHECKOUT.parent / "shared" / "crds"))
PROGRAMS = CHECKOUT / ".tools" / "bin"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SCHEMAS.is_dir(), reason="no schemas in VMFERRY_SCHEMAS or ../shared/crds"),
]


def program(name: str) -> str:
    """Return the path of a program; skip without it, unless VMFERRY_REQUIRE_KUBECONFORM=1."""
    found = shutil.which(name, path=f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}")
    if found is None and os.environ.get("VMFERRY_REQUIRE_KUBECONFORM") == "1":
        pytest.fail(f"{name} is neither in .tools/bin nor on PATH: make testtools")
    if found is None:
        pytest.skip(f"{name} is neither in .tools/bin nor on PATH: make testtools")
    return found


def roots(gitops: Path) -> Iterator[Path]:
    """Yield what an engine builds: the directories of kustomizations that are no components and no bases."""
    for path in sorted(gitops.rglob("kustomization.yaml")):
        part = path.relative_to(gitops).parts[0]
        if part in ("clusters", "infra", "overlays") and "kind: Component" not in path.read_text():
            yield path.parent


def conform(manifests: str) -> dict[str, list[str]]:
    """Return the kinds of the objects by what kubeconform says of them; core kinds have no schema at hand."""
    where = f"{SCHEMAS}/{{{{.Group}}}}/{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json"
    options = ("-strict", "-ignore-missing-schemas", "-verbose", "-output", "json", "-schema-location", where)
    done = subprocess.run(
        [program("kubeconform"), *options, "-"], input=manifests, capture_output=True, text=True, check=False
    )
    told: dict[str, list[str]] = {}
    for each in json.loads(done.stdout)["resources"]:
        told.setdefault(each["status"], []).append(f"{each['version'].rpartition('/')[0]} {each['kind']}")
    return told


@pytest.mark.parametrize("name", ["acme", "acme-argocd", "minimal"])
def test_kubeconform_finds_nothing_in_an_example(name: str) -> None:
    kustomize = program("kustomize")
    built = "---\n".join(
        subprocess.run([kustomize, "build", root], capture_output=True, text=True, check=True).stdout
        for root in roots(CHECKOUT / "examples" / name / "gitops")
    )
    told = conform(built)
    assert set(told) == {"statusValid", "statusSkipped"}
    # nmstate.io: its schema says `required: []`, which the draft of JSON Schema that kubeconform takes it for forbids
    own = {
        "nmstate.io",
        "apps",
        "batch",
        "networking.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "scheduling.k8s.io",
        "",
    }
    assert {kind.split(" ")[0] for kind in told["statusSkipped"]} <= own
    assert len(told["statusValid"]) > 10
    version = partial(module_version, Path(program("kubeconform")), "github.com/yannh/kubeconform")
    ran(
        "kubeconform",
        version,
        "strict, every root of every example, by the schemas of the custom resources",
    )


def test_kubeconform_finds_a_field_that_does_not_exist() -> None:
    manifest = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "vm"},
        "spec": {"runStrategy": "Halted", "template": {"spec": {"domain": {"devices": {}, "cpus": 2}}}},
    }
    assert conform(json.dumps(manifest)) == {"statusInvalid": ["kubevirt.io VirtualMachine"]}
