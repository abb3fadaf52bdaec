"""The page of what was tried says what the nightly workflow installs, and what ran is held against it."""

from tests.e2e.compatibility import BY_HAND, PAGE, Row, nightly, page, table, untrue

KUSTOMIZE = Row("kustomize", "v5.5.0", "builds", "2026-11-28")
OURS = Row("Definitions of KubeVirt", "1.6.2", "stores", "2026-11-28")


def test_the_page_has_what_is_pinned_for_the_night_and_what_was_asked_by_hand() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for rows in (nightly(), BY_HAND):
        assert table(rows) in text


def test_what_ran_as_shown_is_fine_on_any_day() -> None:
    assert list(untrue(page([KUSTOMIZE]), page([KUSTOMIZE._replace(when="2027-01-01")]))) == []


def test_another_version_is_not_what_is_shown() -> None:
    newer = KUSTOMIZE._replace(version="v5.6.0")
    assert list(untrue(page([KUSTOMIZE]), page([newer]))) == [
        "missing: | kustomize | v5.6.0 | builds",
        "not run: | kustomize | v5.5.0 | builds",
    ]


def test_other_schemas_where_it_runs_are_no_fault_of_the_page() -> None:
    older = OURS._replace(program="Definitions of KubeVirt and CDI", version="KubeVirt 1.6.2, CDI 1.63.1")
    assert list(untrue(page([KUSTOMIZE, OURS]), page([KUSTOMIZE, older]))) == []


def test_what_nobody_ran_may_not_be_shown_unless_its_data_are_no_part_of_the_repository() -> None:
    assert list(untrue(page([KUSTOMIZE, OURS]), page([KUSTOMIZE]))) == []
    assert list(untrue(page([KUSTOMIZE, OURS]), page([OURS]))) == ["not run: | kustomize | v5.5.0 | builds"]
