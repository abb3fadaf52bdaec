"""The table of features agrees with the definitions of each release, and knows every field that one of them lacks."""

from collections.abc import Iterator

import pytest
from tests.matrix import releases, specs
from tests.matrix.releases import Release

from vmferry.kube import versions
from vmferry.kube.versions import Feature

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not releases.FOLDER.is_dir(), reason=releases.MISSING)]

WITH_FIELDS = [feature for feature in versions.features() if feature.fields]


@pytest.mark.parametrize("feature", WITH_FIELDS, ids=lambda feature: feature.fields[0])
def test_a_release_has_the_fields_of_a_feature_if_the_table_says_so(feature: Feature) -> None:
    assert feature.component in releases.GROUPS.values(), "nothing is at hand to hold these fields against"
    told = {(release.version, field): release in having(feature) for release in of(feature) for field in feature.fields}
    real = {(release.version, field): releases.has(release, field) for release, field in pairs(feature)}
    assert told == real


def of(feature: Feature) -> list[Release]:
    return releases.releases(feature.component)


def having(feature: Feature) -> list[Release]:
    return [release for release in of(feature) if versions.certain_in(release.version, feature)]


def pairs(feature: Feature) -> Iterator[tuple[Release, str]]:
    return ((release, field) for release in of(feature) for field in feature.fields)


def named(release: Release) -> str:
    return f"{release.component}-{release.version}"


@pytest.mark.parametrize("newest", [False, True], ids=["emitted-for-oldest", "emitted-for-newest"])
@pytest.mark.parametrize("release", releases.every_release(), ids=named)
def test_a_field_that_a_release_lacks_is_in_the_table(release: Release, *, newest: bool) -> None:
    emitted = (obj for objects in specs.everything(newest=newest).values() for obj in objects)
    mine = [obj for obj in emitted if releases.component_of(obj) is release.component]
    assert len(mine) > 100
    lacking = {field for obj in mine for field in releases.unknown_fields(obj, release)}
    assert {field for field in lacking if not gated(field, release)} == set()


def gated(field: str, release: Release) -> bool:
    """Tell whether the table says that a release lacks a field, or what it is part of."""
    return any(
        f"{field}.".startswith((f"{known}.", f"{known}[]"))
        for feature in WITH_FIELDS
        if feature.component is release.component and not versions.certain_in(release.version, feature)
        for known in feature.fields
    )
