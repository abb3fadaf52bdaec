"""Access of people: every confirmed group gets its role in its namespaces, once, and nobody gets anything else."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.backends import schemas
from tests.resolve.projects import codes, resolved, vm

from vmferry.backends import emit
from vmferry.kube.roles import CLUSTER_ROLES, OWN_ROLES
from vmferry.model.manifest import Item, KubeObject
from vmferry.yaml.write import dump

SPACES = ("app", "db", "web")
NAMESPACES = [{"name": name} for name in SPACES]
HOSTILE = ("<script>alert(1)</script>", "=cmd|' /C calc'!A0", "- x: 'y'", "a\nb: c", "*", "\u202egnp", 'CN="x",DC=y')
GROUPS = st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=12)).filter(lambda text: text == text.strip())
ENTRIES = st.lists(
    st.builds(
        lambda group, role, spaces: {"group": group, "role": role, "namespaces": sorted(spaces)},
        GROUPS,
        st.sampled_from(sorted({*CLUSTER_ROLES, *OWN_ROLES})),
        st.sets(st.sampled_from(SPACES), min_size=1),
    ),
    max_size=5,
)


def emitted(access: list[dict[str, Any]]) -> list[Item]:
    """Return what is emitted for a VM in `web`, with this access."""
    return list(emit(resolved(vm(), access=access, namespaces=NAMESPACES).blueprint))


def granted(items: list[Item]) -> Iterator[tuple[str, str, str]]:
    """Yield each group with a namespace, and the name of what it gets there."""
    for obj in schemas.objects(items):
        for subject in obj.get("subjects", ()):
            if subject["kind"] != "ServiceAccount":
                assert subject["kind"] == "Group"
                assert obj["kind"] == "RoleBinding"
                yield subject["name"], obj["metadata"]["namespace"], obj["roleRef"]["name"]


def meant(role: str) -> str:
    return CLUSTER_ROLES.get(role, f"vmferry-access-{role}")  # type: ignore[call-overload, no-any-return]


@given(ENTRIES)
def test_exactly_what_is_confirmed_is_granted_and_once(access: list[dict[str, Any]]) -> None:
    wanted = {(each["group"], space, meant(each["role"])) for each in access for space in each["namespaces"]}
    assert Counter(granted(emitted(access))) == Counter(wanted)


@given(ENTRIES, st.randoms())
def test_the_order_of_entries_changes_nothing(access: list[dict[str, Any]], dice: Any) -> None:
    other = list(access)
    dice.shuffle(other)
    assert rendered(emitted(other)) == rendered(emitted(access))


def rendered(items: list[Item]) -> list[bytes]:
    return [dump(obj) for obj in schemas.objects(items)]


@pytest.mark.parametrize("group", HOSTILE)
def test_a_hostile_group_is_the_name_of_a_subject_and_nothing_else(group: str) -> None:
    [binding] = bindings(emitted([{"group": group, "role": "edit", "namespaces": ["web"]}]))
    assert yaml.safe_load(dump(binding)) == binding
    assert binding["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}]


def bindings(items: list[Item]) -> list[KubeObject]:
    return [
        obj
        for obj in schemas.objects(items)
        if obj["kind"] == "RoleBinding" and obj["metadata"]["name"].startswith("vmferry-access-")
    ]


def test_every_object_fits_its_schema() -> None:
    access = [{"group": "g", "role": role, "namespaces": ["web"]} for role in (*CLUSTER_ROLES, *OWN_ROLES)]
    items = emitted(access)
    assert len(bindings(items)) == len(access)
    for obj in schemas.objects(items):
        if "access" in obj["metadata"]["name"] or obj["kind"] == "ClusterRole":
            schemas.assert_fits(obj)


def test_an_operator_changes_no_vm() -> None:
    items = emitted([{"group": "g", "role": "operate", "namespaces": ["web"]}])
    rules = schemas.named(items, "Role", "vmferry-access-operate")["rules"]
    allowed = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    assert {
        ("virtualmachines/start", "update"),
        ("virtualmachines/stop", "update"),
        ("virtualmachineinstances/vnc", "get"),
    } <= allowed
    assert {verb for resource, verb in allowed if "/" not in resource} == {"get", "list", "watch"}


def test_the_applier_may_bind_what_is_confirmed_and_no_other_role_of_the_cluster() -> None:
    access = [{"group": "g", "role": role, "namespaces": ["web"]} for role in ("edit", "operate")]
    rules = schemas.named(emitted(access), "ClusterRole", "vmferry-applier-acme")["rules"]
    [bound] = [rule for rule in rules if "clusterroles" in rule["resources"]]
    assert (bound["resourceNames"], bound["verbs"]) == (["kubevirt.io:edit"], ["bind"])
    [named] = [rule for rule in rules if "escalate" in rule["verbs"]]
    assert "vmferry-access-operate" in named["resourceNames"]


def test_without_access_nothing_is_bound() -> None:
    items = emitted([])
    assert bindings(items) == []
    assert not [
        rule
        for rule in schemas.named(items, "ClusterRole", "vmferry-applier-acme")["rules"]
        if "clusterroles" in rule["resources"]
    ]


def test_the_same_access_twice_is_a_finding() -> None:
    twice = [{"group": "g", "role": "view", "namespaces": ["web"]}] * 2
    assert codes(resolved(vm(), access=twice)) == ["VMF101"]
    other = [{"group": "g", "role": role, "namespaces": ["web"]} for role in ("view", "migrate")]
    assert codes(resolved(vm(), access=other)) == []
