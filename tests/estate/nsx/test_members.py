"""Who is in a group of NSX: the truth where all facts are known, and never a guess where some are not."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmferry.estate.nsx.members import Directory, Place, Port, span_of
from vmferry.model.keys import VmKey
from vmferry.model.nsx import Nsx, NsxCondition, NsxCriterion, NsxGroup, NsxVm

S1, S2, S3 = "/infra/segments/s1", "/infra/segments/s2", "/infra/segments/s3"
GROUPS = "/infra/domains/default/groups"
NET = {S1: ipaddress.ip_network("10.1.0.0/24"), S2: ipaddress.ip_network("10.2.0.0/24")}
PLACES = (
    Place(S1, "seg-web", ("zone|web",), (NET[S1],)),
    Place(S2, "seg-db", ("zone|db", "env|prod"), (NET[S2],)),
    Place(S3, "seg-empty"),
)
TAGS = {"web-01": ("env|prod", "app|web"), "web-02": ("env|test",), "db-01": ("env|prod", "|pci"), "db-02": ()}
HOMES = {"web-01": (S1, S2), "web-02": (S1,), "db-01": (S2,), "db-02": (S2,)}


def port(name: str, segment: str, number: int, *, known: bool = True) -> Port:
    address = NET[segment][number + 10]
    mac = f"00:50:56:00:00:{number:02x}"
    key, uuid = VmKey(f"vc1/{name}"), f"5031-{name}"
    return Port(key, name, segment, f"{name}.example", uuid, (address,), mac) if known else Port(key, name, segment)


PORTS = [port(name, segment, number) for number, name in enumerate(HOMES) for segment in HOMES[name]]
VMS = tuple(NsxVm(id=f"ext-{name}", name=name, instance_uuid=f"5031-{name}", tags=tags) for name, tags in TAGS.items())


def condition(what: Any, *values: str, of: str | None = None, operator: str | None = None) -> NsxCondition:
    return NsxCondition(what=what, of=of, operator=operator, values=values)


def group(*alternatives: tuple[NsxCondition, ...], name: str = "g", users: bool = False) -> NsxGroup:
    criteria = tuple(NsxCriterion(all_of=each) for each in alternatives)
    return NsxGroup(path=f"{GROUPS}/{name}", name=name, any_of=criteria, users=users)


def directory(*groups: NsxGroup, vms: tuple[NsxVm, ...] = VMS, ports: list[Port] = PORTS) -> Directory:
    return Directory(Nsx(groups=groups, vms=vms), PLACES, ports)


def inside(found: Directory, name: str = "g") -> tuple[set[str], set[tuple[str, str]], set[tuple[str, str]]]:
    """Return the segments in a group, its ports by VM and segment, and those that are undecided."""
    members = found.members(f"{GROUPS}/{name}")
    ports = [{(found.ports[n].name, found.ports[n].segment) for n in each} for each in (members.ports, members.maybe)]
    return set(members.segments), ports[0], ports[1]


# --- an independent answer, port by port --------------------------------------------------------


def holds(one: NsxCondition, name: str, segment: str, number: int) -> bool:
    value = one.values[0].lower()
    if one.what == "path":
        return segment in one.values
    if one.what == "name":
        text = next(place.name for place in PLACES if place.path == segment) if one.of == "Segment" else name
        return compared(text.lower(), one.operator or "EQUALS", value)
    if one.what == "tag":
        tags = next(place.tags for place in PLACES if place.path == segment) if one.of == "Segment" else TAGS[name]
        scope, _, tag = value.partition("|")
        pairs = [text.lower().split("|") for text in tags]
        return any(
            scope in ("", its_scope) and (not tag or compared(its_tag, one.operator or "EQUALS", tag))
            for its_scope, its_tag in pairs
        )
    if one.what == "id":
        return f"ext-{name}" in one.values
    if one.what == "mac":
        return f"00:50:56:00:00:{number:02x}" in one.values
    address = NET[segment][number + 10]
    return any(address in ipaddress.ip_network(text) for text in one.values)


def compared(text: str, operator: str, value: str) -> bool:
    return {
        "EQUALS": text == value,
        "CONTAINS": value in text,
        "STARTSWITH": text[: len(value)] == value,
        "ENDSWITH": text[-len(value) :] == value,
    }[operator]


OPERATORS = st.sampled_from(("EQUALS", "CONTAINS", "STARTSWITH", "ENDSWITH"))
WORDS = st.sampled_from(("web", "WEB-01", "db", "-0", "seg-web", "seg", "1"))
SCOPED = st.sampled_from(("env|prod", "ENV|p", "|pci", "env|", "zone|web", "app|w", "|prod"))
SUBNETS = st.sampled_from(("10.1.0.0/24", "10.2.0.8/29", "10.0.0.0/8", "10.1.0.10/32", "192.168.0.0/16"))
CONDITIONS = st.one_of(
    st.builds(lambda path: condition("path", path), st.sampled_from((S1, S2, S3))),
    st.builds(
        lambda word, operator, of: condition("name", word, of=of, operator=operator),
        *(WORDS, OPERATORS, st.sampled_from(("VirtualMachine", "Segment"))),
    ),
    st.builds(
        lambda tag, operator, of: condition("tag", tag, of=of, operator=operator),
        *(SCOPED, OPERATORS, st.sampled_from(("VirtualMachine", "Segment"))),
    ),
    st.builds(lambda name: condition("id", f"ext-{name}", of="VirtualMachine"), st.sampled_from(sorted(HOMES))),
    st.builds(lambda number: condition("mac", f"00:50:56:00:00:{number:02x}"), st.integers(0, 4)),
    st.builds(lambda net: condition("address", net), SUBNETS),
)
ALTERNATIVES = st.lists(st.lists(CONDITIONS, min_size=1, max_size=3).map(tuple), max_size=3)


def truth(alternatives: list[tuple[NsxCondition, ...]]) -> set[tuple[str, str]]:
    return {
        (name, segment)
        for number, name in enumerate(HOMES)
        for segment in HOMES[name]
        if any(all(holds(one, name, segment, number) for one in each) for each in alternatives)
    }


@given(ALTERNATIVES)
def test_with_all_facts_every_port_is_decided_as_nsx_would(alternatives: list[tuple[NsxCondition, ...]]) -> None:
    _, ports, maybe = inside(directory(group(*alternatives)))
    assert (ports, maybe) == (truth(alternatives), set())


@given(ALTERNATIVES, st.sets(st.sampled_from(sorted(HOMES))), st.booleans())
def test_without_some_facts_what_is_decided_is_true_and_the_rest_is_undecided(
    alternatives: list[tuple[NsxCondition, ...]], unknown: set[str], tagged: bool
) -> None:
    ports = [
        port(name, segment, number, known=name not in unknown)
        for number, name in enumerate(HOMES)
        for segment in HOMES[name]
    ]
    found = directory(group(*alternatives), vms=VMS if tagged else (), ports=ports)
    _, inside_, maybe = inside(found)
    assert inside_ <= truth(alternatives) <= inside_ | maybe
    assert not maybe or found.members(f"{GROUPS}/g").why


@given(ALTERNATIVES)
def test_a_group_of_a_group_has_the_same_members(alternatives: list[tuple[NsxCondition, ...]]) -> None:
    inner = group(*alternatives, name="inner")
    outer = group((condition("path", inner.path),))
    found = directory(inner, outer)
    assert inside(found) == inside(found, "inner")


# --- what cannot be decided ---------------------------------------------------------------------

EVERYONE = {(port.name, port.segment) for port in PORTS}


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (condition("tag", "env|prod", of="VirtualMachine"), None),
        (condition("path", f"{GROUPS}/elsewhere"), f"{GROUPS}/elsewhere is not in the import"),
        (condition("tag", "a|b", of="SegmentPort"), "SegmentPort tag a|b needs facts that are not imported"),
        (condition("name", "a", of="VirtualMachine", operator="MATCHES"), "VirtualMachine name MATCHES a"),
        (condition("tag", "no bar", of="Segment"), "Segment tag no bar cannot be decided"),
        (condition("other", "VirtualMachine OSName CONTAINS Ubuntu", of="VirtualMachine"), "OSName CONTAINS Ubuntu"),
        (condition("address", "not an address"), "'not an address' is not an address"),
        (condition("path", f"{GROUPS}/g"), "groups contain each other"),
    ],
)
def test_what_needs_other_facts_is_undecided_and_says_which(one: NsxCondition, why: str | None) -> None:
    found = directory(group((one,)))
    _, ports, maybe = inside(found)
    if why is None:
        assert (ports, maybe) == (truth([(one,)]), set())
        return
    assert (ports, maybe) == (set(), EVERYONE)
    assert why in " ".join(found.members(f"{GROUPS}/g").why)


def test_a_group_for_users_of_a_directory_has_at_most_its_other_members() -> None:
    _, ports, maybe = inside(directory(group((condition("path", S1),), users=True)))
    assert (ports, maybe) == (set(), {("web-01", S1), ("web-02", S1)})


def test_containers_and_bare_metal_are_no_vms() -> None:
    found = inside(directory(group((condition("tag", "a|b", of="KubernetesNamespace"),))))
    assert found == (set(), set(), set())


def test_a_chain_of_groups_of_any_length_ends() -> None:
    groups = [group((condition("path", f"{GROUPS}/g{number + 1}"),), name=f"g{number}") for number in range(5000)]
    _, ports, maybe = inside(directory(*groups), "g0")
    assert (ports, maybe) == (set(), EVERYONE)


def test_a_port_of_a_segment_makes_it_a_member_in_part() -> None:
    found = directory(group((condition("path", f"{S1}/ports/default:abc"),)))
    assert found.members(f"{GROUPS}/g").parts == {(S1, "a port")}


def test_two_vms_of_one_name_are_told_apart_by_their_uuid_or_not_at_all() -> None:
    ports = [Port(VmKey(f"vc{n}/a"), "a", S1, instance_uuid=uuid) for n, uuid in ((1, "u-1"), (2, None))]
    vms = (NsxVm(id="e-1", name="a", instance_uuid="U-1", tags=("env|prod",)),)
    found = directory(group((condition("tag", "env|prod", of="VirtualMachine"),)), vms=vms, ports=ports)
    members = found.members(f"{GROUPS}/g")
    assert ({found.ports[n].vm for n in members.ports}, {found.ports[n].vm for n in members.maybe}) == (
        {"vc1/a"},
        {"vc2/a"},
    )


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("10.0.0.1", ("10.0.0.1", "10.0.0.1")),
        ("10.0.0.9/24", ("10.0.0.0", "10.0.0.255")),
        ("10.0.0.1-10.0.1.0", ("10.0.0.1", "10.0.1.0")),
        ("10.0.0.1 - 10.0.0.2", ("10.0.0.1", "10.0.0.2")),
        ("fe80::1-fe80::f", ("fe80::1", "fe80::f")),
        ("10.0.0.2-10.0.0.1", None),
        ("10.0.0.1-::1", None),
        ("a-b-c", None),
        ("", None),
    ],
)
def test_addresses_subnets_and_ranges_are_spans(text: str, span: tuple[str, str] | None) -> None:
    found = span_of(text)
    assert (tuple(map(str, found)) if found is not None else None) == span
