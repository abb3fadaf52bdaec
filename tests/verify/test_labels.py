"""Label selectors in text form."""

import pytest

from vmferry.verify.labels import selects

LABELS = {"tier": "web", "app.kubernetes.io/name": "shop", "empty": ""}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", True),
        ("tier=web", True),
        ("tier==web", True),
        ("tier=we", False),
        ("tier!=web", False),
        ("tier!=db", True),
        ("gone!=db", True),
        ("tier", True),
        ("gone", False),
        ("!gone", True),
        ("! tier", False),
        ("empty=", True),
        ("tier in (web, db)", True),
        ("tier in (db)", False),
        ("tier notin (db,app)", True),
        ("tier notin (web)", False),
        ("tier=web,app.kubernetes.io/name = shop , !gone", True),
        ("tier=web,app.kubernetes.io/name=other", False),
        ("tier=web,,", False),
        ("tier in web", False),
    ],
)
def test_a_selector_selects_as_in_kubernetes(selector: str, expected: bool) -> None:
    assert selects(selector, LABELS) is expected
