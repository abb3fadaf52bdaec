"""Which rules touch a segment, by which way, and whether they are enforced there."""

from typing import Any

import pytest
from tests.estate.nsx.test_members import GROUPS, PLACES, PORTS, S1, S2, S3, VMS, condition, group

from vmferry.estate.nsx.members import Directory
from vmferry.estate.nsx.touching import Touch, touches
from vmferry.model.nsx import Nsx, NsxPolicy, NsxRule, NsxSegment

T1, T0 = "/infra/tier-1s/t1", "/infra/tier-0s/t0"
SEGMENTS = {
    S1: NsxSegment(path=S1, name="seg-web", kind="overlay", gateway=T1),
    S2: NsxSegment(path=S2, name="seg-db", kind="vlan", vlans=("130",)),
    S3: NsxSegment(path=S3, name="seg-empty", kind="overlay", gateway="/infra/tier-1s/other"),
}
WEB = group((condition("path", S1),), name="web")
DB = group((condition("name", "db-", of="VirtualMachine", operator="STARTSWITH"),), name="db")
NET = group((condition("address", "10.1.0.128/25"),), name="net")
LOST = f"{GROUPS}/lost"
NOT_THERE = f"group lost: {LOST} is not in the import"


def touched(segment: str, *rules: NsxRule, **policy: Any) -> list[Touch]:
    fields: dict[str, Any] = {"path": "/p", "name": "p", "kind": "distributed", "rules": rules}
    nsx = Nsx(groups=(WEB, DB, NET), vms=VMS, policies=(NsxPolicy(**(fields | policy)),))
    return list(touches(SEGMENTS[segment], nsx, Directory(nsx, PLACES, PORTS)))


def rule(*sources: str, to: tuple[str, ...] = ("192.168.0.0/16",), **more: Any) -> NsxRule:
    return NsxRule(id="r", name="r", action="ALLOW", sources=sources, destinations=to, **more)


@pytest.mark.parametrize(
    ("segment", "one", "way", "side", "what"),
    [
        (S1, rule(S1), "segment", "source", "the segment itself"),
        (S1, rule(WEB.path), "group", "source", "group web has the segment"),
        (S1, rule("192.168.1.1", to=(WEB.path,)), "group", "destination", "group web has the segment"),
        (S1, rule(WEB.path, to=(WEB.path,)), "group", "both", "group web has the segment"),
        (S2, rule(DB.path), "vm", "source", "group db has db-01, db-02"),
        (S1, rule("10.1.0.11"), "vm", "source", "10.1.0.11 has web-02"),
        (S1, rule(NET.path), "address", "source", "group net has addresses of it"),
        (S1, rule("10.1.0.200"), "address", "source", "10.1.0.200 has addresses of it"),
        (S1, rule(f"{S1}/ports/x"), "address", "source", "group x has a port of it"),
        (S1, rule("ANY"), "any", "source", "ANY"),
        # a group says more than ANY does
        (S1, rule("ANY", to=(WEB.path,)), "group", "destination", "group web has the segment"),
        (S1, rule(LOST), "unknown", "source", NOT_THERE),
        (S1, rule(LOST, to=("ANY",)), "any", "destination", "ANY"),
        (S1, rule(DB.path), None, "", ""),
        (S3, rule(DB.path, to=(WEB.path,)), None, "", ""),
        (S1, rule(WEB.path, sources_excluded=True), None, "", ""),
        (S2, rule(WEB.path, sources_excluded=True), "any", "source", "everyone but web"),
        (S2, rule(DB.path, sources_excluded=True), "any", "source", "everyone but db"),
        (S2, rule("ANY", sources_excluded=True), None, "", ""),
        (S1, rule(LOST, sources_excluded=True), "unknown", "source", f"everyone but lost ({NOT_THERE})"),
    ],
)
def test_a_rule_touches_a_segment_by_its_nearest_way(
    segment: str, one: NsxRule, way: str | None, side: str, what: str
) -> None:
    found = [(touch.way, touch.side, touch.what) for touch in touched(segment, one)]
    assert found == ([(way, side, what)] if way is not None else [])


@pytest.mark.parametrize(
    ("own", "of_policy", "enforced"),
    [
        (("ANY",), ("ANY",), True),
        ((WEB.path,), ("ANY",), True),
        ((DB.path,), ("ANY",), False),
        ((LOST,), ("ANY",), None),
        ((DB.path, LOST), ("ANY",), None),
        ((WEB.path, LOST), ("ANY",), True),
        ((WEB.path,), (DB.path,), False),  # the scope of the policy wins
        ((DB.path,), (WEB.path,), True),
    ],
)
def test_a_distributed_rule_is_enforced_where_it_is_applied_to(
    own: tuple[str, ...], of_policy: tuple[str, ...], enforced: bool | None
) -> None:
    [touch] = touched(S1, rule("ANY", applied_to=own), applied_to=of_policy)
    assert touch.enforced is enforced


@pytest.mark.parametrize(
    ("segment", "scope", "found"),
    [
        (S1, (T1,), [("any", True)]),
        (S1, (f"{T1}/locale-services/default/interfaces/up",), [("any", True)]),
        (S1, (f"{T1}0",), []),
        (S1, (T0,), [("unknown", None)]),  # whether t1 hangs on it is not in the import
        (S2, (T1,), [("unknown", None)]),  # a VLAN segment does not say its gateway
        (S3, (T1,), []),
    ],
)
def test_a_gateway_rule_touches_what_is_behind_its_gateway(
    segment: str, scope: tuple[str, ...], found: list[tuple[str, bool | None]]
) -> None:
    touching = touched(segment, rule("ANY", applied_to=scope), kind="gateway")
    assert [(touch.way, touch.enforced) for touch in touching] == found


def test_many_vms_are_counted() -> None:
    ports = [PORTS[0]._replace(name=f"vm-{number}", vm=f"vc1/vm-{number}") for number in range(9)]
    every = group((condition("name", "vm-", of="VirtualMachine", operator="STARTSWITH"),), name="all")
    nsx = Nsx(
        groups=(every,), policies=(NsxPolicy(path="/p", name="p", kind="distributed", rules=(rule(every.path),)),)
    )
    [touch] = touches(SEGMENTS[S1], nsx, Directory(nsx, PLACES, ports))  # type: ignore[arg-type]
    assert touch.what == "group all has vm-0, vm-1, vm-2 and 6 more"
