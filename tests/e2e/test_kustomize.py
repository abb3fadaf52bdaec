"""The oldest kustomize that is supported builds the examples like the newest."""

import os
import re
import subprocess
from functools import partial
from pathlib import Path

import pytest
from tests.e2e.test_kubeconform import CHECKOUT, PROGRAMS, roots
from tests.ran import ran

REQUIRED = os.environ.get("VMFERRY_REQUIRE_KUSTOMIZE") == "1"

pytestmark = [pytest.mark.slow, pytest.mark.kustomize]


def program(name: str) -> str:
    """Return the path of a kustomize that make built; skip without it, unless VMFERRY_REQUIRE_KUSTOMIZE=1."""
    path = PROGRAMS / name
    if not path.is_file() and REQUIRED:
        pytest.fail(f"{name} is not in {PROGRAMS}: make testtools")
    if not path.is_file():
        pytest.skip(f"{name} is not in {PROGRAMS}: make testtools")
    return str(path)


def built(kustomize: str, root: Path) -> str:
    return subprocess.run([kustomize, "build", root], capture_output=True, text=True, check=True).stdout


def version(kustomize: str) -> str:
    told = subprocess.run([kustomize, "version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v\d+\.\d+\.\d+", told)
    assert found is not None, told
    return found[0]


@pytest.mark.parametrize("name", ["acme", "acme-argocd", "minimal"])
def test_the_oldest_and_the_newest_kustomize_build_the_same(name: str) -> None:
    newest, oldest = program("kustomize"), program("kustomize-oldest")
    assert version(newest) != version(oldest)
    gitops = CHECKOUT / "examples" / name / "gitops"
    different = [str(root.relative_to(gitops)) for root in roots(gitops) if built(newest, root) != built(oldest, root)]
    assert different == []
    assert any(roots(gitops))
    ran("kustomize, oldest supported", partial(version, oldest), "builds every root of every example like the newest")
