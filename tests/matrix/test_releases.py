"""What is compiled for a release fits the definitions of just that release."""

from pathlib import Path

import pytest
from tests.matrix import releases, specs
from tests.matrix.specs import AXES, NEWEST, OLDEST, Named

from vmferry.kube.versions import BY_COMPONENT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not releases.FOLDER.is_dir(), reason=releases.MISSING)]

ROWS = list(specs.matrix())


@pytest.mark.parametrize("name", ["acme", "acme-argocd", "minimal"])
@pytest.mark.parametrize("versions", ROWS, ids=specs.label)
def test_an_example_fits_the_releases_it_is_compiled_for(versions: Named, name: str, tmp_path: Path) -> None:
    objects = specs.of_example(name, tmp_path, versions)
    assert len({releases.component_of(obj) for obj in objects}) >= 2
    assert [line for obj in objects for line in releases.errors(obj, versions)] == []


@pytest.mark.parametrize("newest", [False, True], ids=["oldest", "newest"])
def test_the_near_misses_of_the_rules_fit_the_oldest_and_the_newest(*, newest: bool) -> None:
    made = specs.everything(newest=newest)
    # An API server is given the others: tests/e2e/cluster/test_admission.py.
    ours = [(name, obj) for name, objects in made.items() for obj in objects if releases.component_of(obj)]
    versions = NEWEST if newest else OLDEST
    assert [f"{name}: {line}" for name, obj in ours for line in releases.errors(obj, versions)] == []
    assert len(ours) > 500


def test_the_matrix_has_every_release_that_is_called_tested() -> None:
    for component in AXES:
        assert {row[component] for row in ROWS} >= set(BY_COMPONENT[component].tested)
    for component in releases.GROUPS.values():
        lines = {".".join(each.version.split(".")[:2]) for each in releases.releases(component)}
        assert lines == set(BY_COMPONENT[component].tested)
