"""The table of what each release can do: which releases a version stands for, and what they have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmferry.kube import versions
from vmferry.kube.versions import MAIN, Component, Feature
from vmferry.model.spec import Versions


def feature(since: str | None = None, until: str | None = None) -> Feature:
    return Feature(Component.FORKLIFT, "something", since, until)


@pytest.mark.parametrize(
    ("version", "since", "until", "certain", "possible"),
    [
        ("2.12", "2.12", None, True, True),
        ("2.12", "2.12.3", None, False, True),
        ("2.12.3", "2.12.3", None, True, True),
        ("2.12.2", "2.12.3", None, False, False),
        ("2.9", "2.10", None, False, False),
        ("2.10", "2.9", None, True, True),
        ("2.11", None, "2.11.1", False, True),
        ("2.11.0", None, "2.11.1", True, True),
        ("2.11.1", "2.11.1", MAIN, True, True),
        ("2.12.5", "2.11.1", MAIN, True, True),
        (MAIN, "2.11.1", MAIN, False, False),
        (MAIN, MAIN, None, True, True),
        ("2.12.5", MAIN, None, False, False),
        (MAIN, "2.9", None, True, True),
    ],
)
def test_a_field_needs_every_patch_and_a_defect_some(
    version: str, since: str | None, until: str | None, certain: bool, possible: bool
) -> None:
    here = Versions(forklift=version)
    assert versions.certain(here, feature(since, until)) is certain
    assert versions.possible(here, feature(since, until)) is possible


@pytest.mark.parametrize(
    ("version", "certain", "possible"),
    [
        ("2.10.5", False, False),
        ("2.10.6", True, True),
        ("2.10.7", True, True),
        ("2.10", False, True),
        ("2.11.0", False, False),
        ("2.11.1", True, True),
        (MAIN, True, True),
    ],
)
def test_a_backport_reaches_to_the_end_of_its_line(version: str, *, certain: bool, possible: bool) -> None:
    backported = feature("2.11.1")._replace(backports=("2.10.6",))
    assert versions.certain_in(version, backported) is certain
    assert versions.possible_in(version, backported) is possible
    assert backported.releases == "2.10.6, 2.11.1 and later"


NUMBERS = st.integers(0, 30)
RELEASES = st.one_of(
    st.just(MAIN),
    st.builds("{}.{}".format, NUMBERS, NUMBERS),
    st.builds("{}.{}.{}".format, NUMBERS, NUMBERS, NUMBERS),
)


@given(RELEASES, st.none() | RELEASES, st.none() | RELEASES)
def test_what_is_certain_is_possible(version: str, since: str | None, until: str | None) -> None:
    if versions.certain_in(version, feature(since, until)):
        assert versions.possible_in(version, feature(since, until))


@given(RELEASES, RELEASES)
def test_before_a_release_and_from_it_on_exclude_each_other(version: str, border: str) -> None:
    before, after = feature(until=border), feature(since=border)
    assert not (versions.certain_in(version, before) and versions.possible_in(version, after))
    assert versions.possible_in(version, before) or versions.possible_in(version, after)


def test_the_default_of_a_spec_is_the_newest_release_of_each_component() -> None:
    here = Versions()
    assert {each.component: versions.stated(here, each.component) for each in versions.SUPPORT} == {
        each.component: each.newest for each in versions.SUPPORT
    }
    assert set(versions.BY_COMPONENT) == set(Component)


@pytest.mark.parametrize("support", versions.SUPPORT, ids=lambda each: each.component.value)
def test_the_newest_release_is_known_maintained_and_above_the_floor(support: versions.Support) -> None:
    assert not versions.unknown(support.newest, support)
    assert not versions.ended(support.newest, support)
    assert not versions.too_old(support.newest, support)
    assert not versions.too_old(support.oldest, support)


def test_every_feature_says_where_its_fact_comes_from() -> None:
    assert versions.features()
    for each in versions.features():
        assert each.source, each.what
        assert each.since or each.until, each.what
