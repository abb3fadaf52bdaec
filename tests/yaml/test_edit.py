"""A value is set in a YAML text, and every other character stays."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmferry.yaml.edit import CannotEditError, with_items, with_values
from vmferry.yaml.read import read
from vmferry.yaml.write import dump

STAGE = ("groups", "dev-01", "stage")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("groups:\n  dev-01: {stage: planned}  # soon\nx: 1\n", "groups:\n  dev-01: {stage: prepared}  # soon\nx: 1\n"),
        ("groups:\n  dev-01:\n    stage: planned\n", "groups:\n  dev-01:\n    stage: prepared\n"),
        ('groups:\n  dev-01:\n    stage: "planned" # a\n', 'groups:\n  dev-01:\n    stage: "prepared" # a\n'),
        ("groups: {dev-01: {stage: 'planned'}}\n", "groups: {dev-01: {stage: 'prepared'}}\n"),
        (
            "groups:\n  dev-01:\n    attempt: 2  # again\n\n# next\nx: 1\n",
            "groups:\n  dev-01:\n    attempt: 2  # again\n    stage: prepared\n\n# next\nx: 1\n",
        ),
        ("groups:\n  dev-01: {attempt: 2}\n", "groups:\n  dev-01: {attempt: 2, stage: prepared}\n"),
        ("groups:\n  dev-01: {}\n", "groups:\n  dev-01: {stage: prepared}\n"),
        ("groups:\n  dev-01:\nx: 1\n", "groups:\n  dev-01: {stage: prepared}\nx: 1\n"),
        (
            "groups:\n    a-01: {stage: cutover}\n# of b\nb: 1\n",
            "groups:\n    a-01: {stage: cutover}\n    dev-01: {stage: prepared}\n# of b\nb: 1\n",
        ),
        ("groups: {a-01: {stage: cutover}}\n", "groups: {a-01: {stage: cutover}, dev-01: {stage: prepared}}\n"),
        ("groups: {}\n", "groups: {dev-01: {stage: prepared}}\n"),
        ("groups:\n", "groups: {dev-01: {stage: prepared}}\n"),
        ("groups: ~\n", "groups: {dev-01: {stage: prepared}}\n"),
        ("x:\n- 1\n- 2", "x:\n- 1\n- 2\ngroups: {dev-01: {stage: prepared}}\n"),
        ("x: |\n  text\n  more\n", "x: |\n  text\n  more\ngroups: {dev-01: {stage: prepared}}\n"),
        (
            "x: 1\r\ngroups:\r\n  dev-01:\r\n    attempt: 2\r\n",
            "x: 1\r\ngroups:\r\n  dev-01:\r\n    attempt: 2\r\n    stage: prepared\r\n",
        ),
        ("x: Ä🦀 # 🦀\ngroups: {dev-01: {stage: planned}}\n", "x: Ä🦀 # 🦀\ngroups: {dev-01: {stage: prepared}}\n"),
        ('{"groups": {"dev-01": {"stage": "planned"}}}', '{"groups": {"dev-01": {"stage": "prepared"}}}'),
        ('{"groups": {"a-01": {}}}', '{"groups": {"a-01": {}, "dev-01": {"stage": "prepared"}}}'),
        ("x: 1\r\ny: 2\nz: 3\n", "x: 1\r\ny: 2\nz: 3\ngroups: {dev-01: {stage: prepared}}\n"),
        (
            "groups: {\n  a-01: {stage: cutover},  # done\n}\n",
            "groups: {\n  a-01: {stage: cutover}, dev-01: {stage: prepared},  # done\n}\n",
        ),
    ],
)  # fmt: skip
def test_a_value_is_set_where_it_belongs(before: str, after: str) -> None:
    try:
        found = with_values(before, 0, {STAGE: "prepared"})
    except CannotEditError:
        found = ""
    assert found == after


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {stage: planned}\ngroups: {dev-01: *x}\n",
        "groups: prose\n",
        "groups: [1]\n",
        "- groups\n",
        "groups: {dev-01: {stage: [a]}}\n",
        "groups: {dev-01: {stage: |\n",
        "groups:\n  dev-01:\n    stage: >-\n      planned\n# next\n",
        "",
    ],
)
def test_what_cannot_be_told_is_left_alone(text: str) -> None:
    with pytest.raises(CannotEditError):
        with_values(text, 0, {STAGE: "prepared"})


_KEYS = st.sampled_from(("groups", "dev-01", "stage", "a", "on", "10", "Ä ö"))
_DATA = st.dictionaries(
    _KEYS,
    st.recursive(
        st.one_of(st.text(max_size=20), st.integers(-9, 9), st.none(), st.booleans(), st.just("a\nb\n")),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=3)),
        max_leaves=8,
    ),
    min_size=1,
    max_size=4,
)


@given(_DATA, st.lists(_KEYS, min_size=1, max_size=3).map(tuple))
def test_only_the_value_changes_in_any_document(data: dict[str, Any], path: tuple[str, ...]) -> None:
    wanted: Any = deepcopy(data)
    holder, possible = wanted, True
    for step in path[:-1]:
        holder[step] = {} if holder.get(step) is None else holder[step]
        holder = holder[step]
        possible = isinstance(holder, dict)
        if not possible:
            break
    was = holder.get(path[-1]) if possible else None
    possible = possible and not isinstance(was, dict | list) and "\n" not in str(was)  # no block scalar
    text = dump(data).decode()
    try:
        found = with_values(text, 0, {path: "new"})
    except CannotEditError:
        assert not possible
        return
    holder[path[-1]] = "new"
    assert [each.data for each in read(found.encode(), "")] == [wanted]
    assert sum(1 for line in text.splitlines() if line not in found.splitlines()) <= 1


@pytest.mark.parametrize(
    "text", ["", "groups: {}\n", "groups:\n  a: {stage: x}\n  b:\n    stage: y # b\nz: 1\n", '{"groups": {}}']
)
def test_several_values_are_set_at_once(text: str) -> None:
    text = text or "x: 1\n"
    values = {("groups", name, "stage"): name * 2 for name in ("b", "c", "a", "d")}
    data = read(with_values(text, 0, values).encode(), "")[0].data
    assert {name: group["stage"] for name, group in data["groups"].items()} == {n: n * 2 for n in "abcd"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("groups:\n  a: {stage: x, why: y} # a\n", "groups:\n  a: {stage: x} # a\n"),
        ("groups:\n  a: {why: y, stage: x}\n", "groups:\n  a: {stage: x}\n"),
        ("groups:\n  a: {why: y}\n", "groups:\n  a: {}\n"),
        ("groups:\n  a:\n    why: y # z\n    stage: x\n", "groups:\n  a:\n    stage: x\n"),
        ("groups:\n  a:\n    stage: x\n    why: |\n      y\n      z\nb: 1\n", "groups:\n  a:\n    stage: x\nb: 1\n"),
        ("groups:\n  a:\n    stage: x\n    why: y", "groups:\n  a:\n    stage: x\n"),
        ('{"groups": {"a": {"stage": "x", "why": "y"}}}', '{"groups": {"a": {"stage": "x"}}}'),
        ("groups:\n  a: {stage: x}\n", "groups:\n  a: {stage: x}\n"),
        ("other: 1\n", "other: 1\n"),
    ],
)
def test_a_value_is_removed_with_its_key_and_nothing_else(before: str, after: str) -> None:
    for ends in ("\n", "\r\n"):
        found = with_values(before.replace("\n", ends), 0, {("groups", "a", "why"): None})
        assert found == after.replace("\n", ends)


def test_a_key_that_shares_its_line_with_what_has_to_stay_is_left_alone() -> None:
    with pytest.raises(CannotEditError):
        with_values("groups:\n  a: &x {why: y}\n  b: *x\n", 0, {("groups", "a", "why"): None})
    with pytest.raises(CannotEditError):
        with_values("groups:\n  a:\n    why: y\n", 0, {("groups", "a", "why"): None})


@given(_DATA, st.lists(_KEYS, min_size=1, max_size=3).map(tuple))
def test_removing_takes_nothing_else_from_any_document(data: dict[str, Any], path: tuple[str, ...]) -> None:
    wanted: Any = deepcopy(data)
    holder = wanted
    for step in path[:-1]:
        holder = holder.get(step) if isinstance(holder, dict) else None
    text = dump(data).decode()
    try:
        found = with_values(text, 0, {path: None})
    except CannotEditError:
        return
    if isinstance(holder, dict):
        holder.pop(path[-1], None)
    assert [each.data for each in read(found.encode(), "")] == [wanted]


def test_values_are_set_and_removed_together_and_numbers_are_numbers() -> None:
    text = "groups:\n  a: {stage: rolled-back, attempt: 1, dataLoss: accepted, reason: slow} # a\n  b: {stage: x}\n"
    values: dict[tuple[str, ...], str | int | None] = {
        ("groups", "a", "stage"): "prepared",
        ("groups", "a", "attempt"): 2,
        ("groups", "a", "remigrate"): 1,
        ("groups", "a", "dataLoss"): None,
        ("groups", "a", "reason"): None,
    }
    assert with_values(text, 0, values) == (
        "groups:\n  a: {stage: prepared, attempt: 2, remigrate: 1} # a\n  b: {stage: x}\n"
    )


ITEM = {"start": "2027-01-11T20:00:00Z", "duration": "6h"}
FLOW = '{start: "2027-01-11T20:00:00Z", duration: "6h"}'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("p:\n  - name: a # first\n    after: [b]\n  # of c\n  - name: c\n",
         f"p:\n  - name: a # first\n    after: [b]\n    windows:\n      - {FLOW}\n  # of c\n  - name: c\n"),
        ("p:\n- name: a\n  windows:\n  - {x: y} # old\n  kind: b\n",
         f"p:\n- name: a\n  windows:\n  - {{x: y}} # old\n  - {FLOW}\n  kind: b\n"),
        ("p:\n- name: a\n  windows:\n  - x: y\n    z: |\n      text\n  kind: b\n",
         f"p:\n- name: a\n  windows:\n  - x: y\n    z: |\n      text\n  - {FLOW}\n  kind: b\n"),
        ("p: [{name: a}] # x\n", f"p: [{{name: a, windows: [{FLOW}]}}] # x\n"),
        ("p: [{name: a, windows: []}]\n", f"p: [{{name: a, windows: [{FLOW}]}}]\n"),
        ("p: [{name: a, windows: [{x: y}]}]\n", f"p: [{{name: a, windows: [{{x: y}}, {FLOW}]}}]\n"),
        ("p:\n- windows:\n  name: a\n", f"p:\n- windows: [{FLOW}]\n  name: a\n"),
        ("p:\n- windows: ~\n  name: a\n", f"p:\n- windows: [{FLOW}]\n  name: a\n"),
        ("p:\r\n- name: a\r\nq: 1\r\n", f"p:\r\n- name: a\r\n  windows:\r\n    - {FLOW}\r\nq: 1\r\n"),
        ("p:\n- name: a", f"p:\n- name: a\n  windows:\n    - {FLOW}\n"),
        ('{"p": [{"name": "a"}]}',
         '{"p": [{"name": "a", "windows": [{"start": "2027-01-11T20:00:00Z", "duration": "6h"}]}]}'),
    ],
)  # fmt: skip
def test_items_are_added_to_a_list_where_it_ends(before: str, after: str) -> None:
    assert with_items(before, 0, ("p", 0, "windows"), [ITEM]) == after


@pytest.mark.parametrize(
    "text",
    [
        "x: &a {name: b}\np: [*a]\n",
        "x: &a [{x: y}]\np: [{windows: *a}]\n",
        "p: [{windows: prose}]\n",
        "p: []\n",
        "- p\n",
    ],
)
def test_items_that_cannot_be_added_leave_the_text_alone(text: str) -> None:
    with pytest.raises(CannotEditError):
        with_items(text, 0, ("p", 0, "windows"), [ITEM])
