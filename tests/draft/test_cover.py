"""Tests of patterns that select VMs: these and no others, also as resolve/selection reads them."""

import fnmatch

from hypothesis import given
from hypothesis import strategies as st
from tests.importers.estates import vm

from vmferry.draft.cover import Names, literal, selects
from vmferry.estate.ties import Member


def members(*names: str) -> list[Member]:
    return [Member(f"vc1/vm-{i}", "vc1", vm(i, name)) for i, name in enumerate(names)]


def test_numbered_names_become_one_pattern() -> None:
    everyone = members("web-01", "web-02", "web-10", "db-01")
    assert Names(everyone).cover(everyone[:3]) == (["web-[0-9]*"], [])


def test_pattern_that_would_take_another_vm_is_not_used() -> None:
    everyone = members("web-01", "web-02", "web-03-old")
    assert Names(everyone).cover(everyone[:2]) == (["web-01", "web-02"], [])
    assert Names(everyone).cover(everyone[:2], {everyone[2].key}) == (["web-[0-9]*"], [])


def test_two_vms_of_one_name_cannot_be_told_apart_by_it() -> None:
    everyone = members("web", "web")
    assert Names(everyone).cover(everyone[:1]) == ([], everyone[:1])


def test_place_of_a_rule_is_read_as_the_compiler_does() -> None:
    [member] = members("web-01")
    assert selects({"folder": "/Prod/*"}, member)
    assert selects({"folder": ["/Dev/*", "/Prod/Web"]}, member)
    assert not selects({"folder": "/Dev/*"}, member)
    assert not selects({"resourcePool": "*"}, member)
    assert not selects({"template": True}, member)
    assert not selects({"tags": "*"}, member)
    assert not selects({"customAttributes": {"Env": "*"}}, member)
    assert selects({"source": "vc1", "name": "web-*"}, member)


@given(st.lists(st.text(max_size=12, min_size=1), min_size=1, max_size=8, unique=True), st.data())
def test_cover_selects_what_was_asked_for_and_nothing_else(names: list[str], data: st.DataObject) -> None:
    everyone = members(*names)
    wanted = data.draw(st.lists(st.sampled_from(everyone), unique_by=lambda member: member.key))
    patterns, rest = Names(everyone).cover(wanted)
    selected = {m.key for m in everyone if any(fnmatch.fnmatchcase(m.vm.name, pattern) for pattern in patterns)}
    assert selected | {member.key for member in rest} == {member.key for member in wanted}
    assert not any("${" in pattern for pattern in patterns)


@given(st.text())
def test_literal_matches_its_text(text: str) -> None:
    assert fnmatch.fnmatchcase(text, literal(text))
