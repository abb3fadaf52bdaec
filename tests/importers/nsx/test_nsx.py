"""`vmferry import nsx` reads what an admin saved with curl, all of it or nothing, and never connects."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cli.test_hostile_names import NAMES, harmless
from tests.importers.test_validated import HOSTILE, refused
from tests.invocation import Result, vmferry

ROOT = Path(__file__).parents[3]
TREE = Path(__file__).parent / "acme.json"
DOMAIN = "/infra/domains/default"


def imported(out: Path, *answers: Any, options: tuple[str, ...] = ()) -> Result:
    """Import answers, each from a file of its own."""
    folder = out.parent / f"{out.name}-answers"
    folder.mkdir(exist_ok=True)
    for number, answer in enumerate(answers):
        (folder / f"{number}.json").write_text(answer if isinstance(answer, str) else json.dumps(answer))
    return vmferry("import", "nsx", "--from", folder, "--out", out, *options)


def facts(out: Path, name: str = "nsx") -> dict[str, Any]:
    """Return what an import wrote."""
    return dict(yaml.safe_load((out / name / "surroundings.yaml").read_text())["nsx"])


def segment(number: int, **more: Any) -> dict[str, Any]:
    path = f"/infra/segments/s{number}"
    return {"resource_type": "Segment", "id": f"s{number}", "path": path, "display_name": f"seg-{number}"} | more


def group(number: int, *expression: Any, **more: Any) -> dict[str, Any]:
    path = f"{DOMAIN}/groups/g{number}"
    return {"resource_type": "Group", "id": f"g{number}", "path": path, "expression": list(expression)} | more


def rule(number: int, policy: str = "p", **more: Any) -> dict[str, Any]:
    parent = f"{DOMAIN}/security-policies/{policy}"
    fields = {"id": f"r{number}", "path": f"{parent}/rules/r{number}", "parent_path": parent, "action": "ALLOW"}
    return {"resource_type": "Rule", **fields} | more


def policy(name: str = "p", *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    path = f"{DOMAIN}/security-policies/{name}"
    return {"resource_type": "SecurityPolicy", "id": name, "path": path, "rules": list(rules)} | more


def page(*results: dict[str, Any], total: int | None = None, cursor: str | None = None) -> dict[str, Any]:
    stated = {"result_count": total} if total is not None else {}
    return {"results": list(results), "sort_ascending": True} | stated | ({"cursor": cursor} if cursor else {})


# --- what it writes ---------------------------------------------------------------------------


@pytest.mark.parametrize("example", ["acme", "acme-argocd"])
def test_the_examples_inventory_is_what_a_saved_tree_gives(example: str, tmp_path: Path) -> None:
    result = vmferry("import", "nsx", "--from", TREE, "--source", "vc1", "--out", tmp_path)
    assert result.out.startswith("nsx: 4 segments, 6 groups, 5 policies, 8 rules, 0 VMs with tags\n"), result.text
    assert facts(tmp_path) == facts(ROOT / "examples" / example / "inventory")


def test_the_same_answers_as_lists_give_the_same_facts(tmp_path: Path) -> None:
    tree = json.loads(TREE.read_text())
    segments = [child["Segment"] for child in tree["children"] if "Segment" in child]
    domain = next(child["Domain"] for child in tree["children"] if "Domain" in child)["children"]
    groups = [child["Group"] for child in domain if "Group" in child]
    policies = [child[kind] for child in domain for kind in ("SecurityPolicy", "GatewayPolicy") if kind in child]
    listed, single = [], []
    for each in policies:
        rules = [child["Rule"] for child in each.pop("children")]
        listed.append(each)
        single.append(each | {"rules": rules})
    kinds = [[each for each in listed if each["resource_type"] == kind] for kind in ("SecurityPolicy", "GatewayPolicy")]
    answers = [
        page(*segments[:3], total=4, cursor="0003"),
        page(segments[3]),
        page(*groups, total=len(groups)),
        *(page(*each, total=len(each)) for each in kinds),
        *single,
    ]
    assert imported(tmp_path / "lists", *answers, options=("--source", "vc1")).code == 0
    assert facts(tmp_path / "lists") == facts(ROOT / "examples/acme/inventory")


def test_standard_input_several_answers_in_a_row_and_a_list_of_them_are_read(tmp_path: Path) -> None:
    answers = [page(segment(1), total=1), policy("p", rule(1))]
    row = "\n".join(map(json.dumps, answers)).encode()
    for name, raw in (("row", row), ("list", json.dumps(answers).encode()), ("bom", b"\xef\xbb\xbf" + row)):
        result = vmferry("import", "nsx", "--from", "-", "--out", tmp_path / name, stdin=raw)
        assert result.code == 0, result.text
        assert facts(tmp_path / name) == facts(tmp_path / "row")


def test_policies_stand_in_the_order_in_which_nsx_applies_them(tmp_path: Path) -> None:
    names = [("z", "Emergency", 5), ("b", "Application", 1), ("a", "Application", 2), ("y", "Infrastructure", 9)]
    policies = [
        policy(name, rule(2, name, sequence_number=1), rule(1, name, sequence_number=7), category=category)
        | {"sequence_number": number}
        for name, category, number in names
    ]
    assert imported(tmp_path / "out", *policies).code == 0
    found = facts(tmp_path / "out")["policies"]
    assert [each["path"].rpartition("/")[2] for each in found] == ["z", "y", "b", "a"]
    assert [[each["id"] for each in policy["rules"]] for policy in found] == [["r2", "r1"]] * 4


def test_a_segment_says_whether_it_is_an_overlay_and_whether_nsx_gives_addresses(tmp_path: Path) -> None:
    subnet = {"network": "10.1.0.0/24", "gateway_address": "10.1.0.1/24"}
    answers = [
        segment(1, vlan_ids=["0-4094"]),
        segment(2, overlay_id=70000, connectivity_path="/infra/tier-1s/t1", subnets=[subnet]),
        segment(3, subnets=[subnet | {"dhcp_ranges": ["10.1.0.5-10.1.0.9"]}]),
        segment(4, dhcp_config_path="/infra/dhcp-relay-configs/r", marked_for_delete=False),
        segment(5, marked_for_delete=True),
    ]
    assert imported(tmp_path / "out", *answers).code == 0
    found = {each["name"]: each for each in facts(tmp_path / "out")["segments"]}
    assert found.keys() == {"seg-1", "seg-2", "seg-3", "seg-4"}
    assert (found["seg-1"]["kind"], found["seg-1"]["vlans"]) == ("vlan", ["0-4094"])
    assert (found["seg-2"]["kind"], found["seg-2"]["gateway"]) == ("overlay", "/infra/tier-1s/t1")
    assert [name for name, each in found.items() if each.get("dhcp")] == ["seg-3", "seg-4"]


def condition(value: str, **more: str) -> dict[str, str]:
    fields = {"member_type": "VirtualMachine", "key": "Name", "operator": "EQUALS", "value": value}
    return {"resource_type": "Condition", **fields} | more


AND = {"resource_type": "ConjunctionOperator", "conjunction_operator": "AND"}
OR = {"resource_type": "ConjunctionOperator", "conjunction_operator": "OR"}


def nested(*expressions: Any) -> dict[str, Any]:
    return {"resource_type": "NestedExpression", "expressions": list(expressions)}


@pytest.mark.parametrize(
    ("expression", "alternatives"),
    [
        ([condition("a")], [["a"]]),
        ([condition("a"), OR, condition("b")], [["a"], ["b"]]),
        ([condition("a"), AND, condition("b")], [["a", "b"]]),
        ([nested(condition("a"), AND, condition("b")), OR, condition("c")], [["a", "b"], ["c"]]),
        ([nested(condition("a"), OR, condition("b")), AND, condition("c")], [["a", "c"], ["b", "c"]]),
        ([{"resource_type": "PathExpression", "paths": ["/x", "/y"]}], [["/x", "/y"]]),
        ([], []),
        # which of the two comes first, NSX does not say
        ([condition("a"), AND, condition("b"), OR, condition("c")], [["AND and OR in one list"]]),
        ([condition("a", key="OSName")], [["VirtualMachine OSName EQUALS a"]]),
        ([condition("a|b", key="Tag", scope_operator="NOTEQUALS")], [["VirtualMachine Tag EQUALS a|b"]]),
        ([{"resource_type": "SomethingNew"}], [["SomethingNew"]]),
    ],
)
def test_a_group_is_a_list_of_alternatives(expression: list[Any], alternatives: list[Any], tmp_path: Path) -> None:
    assert imported(tmp_path / "out", group(1, *expression), segment(1)).code == 0
    [found] = facts(tmp_path / "out")["groups"]
    criteria = [[value for each in one["allOf"] for value in each["values"]] for one in found.get("anyOf", [])]
    assert criteria == alternatives


def test_a_rule_keeps_what_it_excludes_where_it_is_enforced_and_what_it_describes_itself(tmp_path: Path) -> None:
    entry = {"resource_type": "L4PortSetServiceEntry", "l4_protocol": "UDP", "destination_ports": ["53", "5353-5355"]}
    full = rule(
        1,
        source_groups=["any"],
        destination_groups=[f"{DOMAIN}/groups/g", "10.0.0.0/8"],
        destinations_excluded=True,
        services=["ANY"],
        service_entries=[entry, {"resource_type": "ICMPTypeServiceEntry", "protocol": "ICMPv4"}],
        profiles=["/infra/context-profiles/SSL"],
        scope=[f"{DOMAIN}/groups/h"],
        direction="IN",
        disabled=True,
        notes="password: hunter2",
        display_name="nightly",
    )
    assert imported(tmp_path / "out", policy("p", full, display_name="Shop")).code == 0
    [found] = facts(tmp_path / "out")["policies"]
    assert found["rules"] == [
        {
            "id": "r1",
            "name": "nightly",
            "action": "ALLOW",
            "direction": "IN",
            "destinations": [f"{DOMAIN}/groups/g", "10.0.0.0/8"],
            "destinationsExcluded": True,
            "services": ["UDP 53,5353-5355", "ICMPv4"],
            "profiles": ["/infra/context-profiles/SSL"],
            "appliedTo": [f"{DOMAIN}/groups/h"],
            "disabled": True,
        }
    ]
    assert "hunter2" not in (tmp_path / "out/nsx/surroundings.yaml").read_text()


def test_vms_have_their_tags_and_vcenters_uuid(tmp_path: Path) -> None:
    vm = {
        "resource_type": "VirtualMachine",
        "external_id": "5031aa",
        "display_name": "web-01",
        "compute_ids": ["moIdOnHost:17", "instanceUuid:5031AA-1"],
        "tags": [{"scope": "env", "tag": "prod"}, {"tag": "pci"}],
    }
    assert imported(tmp_path / "out", page(vm, total=1), segment(1)).code == 0
    assert facts(tmp_path / "out")["vms"] == [
        {"id": "5031aa", "name": "web-01", "instanceUuid": "5031AA-1", "tags": ["env|prod", "|pci"]}
    ]


# --- what it refuses --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([page(segment(1), segment(2), total=3, cursor="c")], "2 of 3 Segments are there: a page is missing"),
        ([page(segment(1), segment(2), total=3)], "2 of 3 Segments are there: a page is missing"),
        ([page(segment(3), cursor="d")], "the first page of this list of Segments is missing"),
        ([page(segment(3))], "the first page of this list of Segments is missing"),
        ([page(segment(1), total=3, cursor="c"), page(segment(3))], "2 of 3 Segments"),
        ([page(segment(1), total=1), page(segment(2), total=2)], "the pages of Segments are of different times"),
        ([page(segment(1), segment(2), total=1)], "the pages of Segments are of different times"),
        ([page(total=2)], "an empty page of a list that is not empty"),
        ([page(total=0, cursor="c")], "an empty page of a list that is not empty"),
        ([page(rule(1), total=2), policy("p")], f"1 of 2 Rules of {DOMAIN}/security-policies/p are there"),
        ([segment(1), segment(1, vlan_ids=["5"])], "another answer differs about it"),
        ([policy("p", rule(1)), rule(1, action="DROP")], "another answer differs about it"),
        ([page(policy("p") | {"rules": None}, total=1)], "the rules of 1 policy are missing"),
        ([policy("p", rule(1), rule_count=2)], "the rules of 1 policy are missing"),
        ([policy("p"), policy("q")], "the rules of 2 policies are missing"),
        ([rule(1)], "its policy /infra/domains/default/security-policies/p is missing"),
        ([{"httpStatus": "FORBIDDEN", "error_code": 403, "error_message": "no\x1b[2J"}], "NSX answered with error 403"),
        (["<html>Log in</html>"], "what starts at line 1 is not JSON"),
        ([json.dumps(segment(1)) + "\n{"], "what starts at line 2 is not JSON"),
        (["  "], "it is empty"),
        (["[" * 100_000], "is nested too deeply"),
        (["7"], "this is not an answer of NSX's Policy API"),
        ([{"a": 1}], "this is not an answer of NSX's Policy API"),
        ([page(segment(1), total=1) | {"results": [1]}], "this is not a list of the Policy API"),
        ([{"resource_type": "Segment"}], "a Segment without a path"),
        ([segment(1, vlan_ids=["9999x"])], "(Segment /infra/segments/s1): vlans[0]: "),
        ([segment(1, vlan_ids="5")], "vlan_ids is not a list of texts"),
        ([group(1, {"resource_type": "PathExpression", "paths": [""]})], "paths is not a list of texts"),
        ([policy("p", rule(1, source_groups=["x" * 1025]))], "source_groups is not a list of texts"),
        ([page(total=0)], "there is no segment, group or policy in these answers"),
    ],
)
def test_what_is_not_complete_or_not_clear_is_an_error_and_writes_nothing(
    answers: list[Any], said: str, tmp_path: Path
) -> None:
    result = imported(tmp_path / "out", *answers)
    assert (result.code, result.out) == (1, ""), result.text
    assert said in result.err
    assert harmless(result.err)
    assert not (tmp_path / "out").exists()


def test_an_empty_policy_is_no_missing_rule_if_others_have_theirs(tmp_path: Path) -> None:
    answers = [policy("p", rule(1)), policy("q"), page(policy("r") | {"rules": None, "rule_count": 0}, total=1)]
    assert imported(tmp_path / "out", *answers).code == 0
    assert [len(each.get("rules", [])) for each in facts(tmp_path / "out")["policies"]] == [1, 0, 0]


def test_objects_of_other_types_are_counted(tmp_path: Path) -> None:
    service = {"resource_type": "Service\x1b[2J", "path": "/infra/services/x"}
    result = imported(tmp_path / "out", page(service, service, total=1), segment(1))
    assert result.code == 0
    assert "note: not read: 2 Service?[2J" in result.err


def test_a_directory_without_answers_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    result = vmferry("import", "nsx", "--from", tmp_path / "nothing", "--out", tmp_path / "out")
    assert (result.code, result.err) == (1, f"vmferry: {tmp_path / 'nothing'} contains no .json file\n")


def test_an_nsx_never_replaces_the_inventory_of_a_vcenter(tmp_path: Path) -> None:
    assert vmferry("import", "rvtools", exported(tmp_path), "--source", "vc1", "--out", tmp_path / "out").code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.yaml")}
    result = imported(tmp_path / "out", segment(1), options=("--name", "vc1"))
    assert result.code == 1
    assert "describes a vCenter, not an NSX: use another name" in result.err
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.yaml")} == before
    assert imported(tmp_path / "out", segment(1)).code == 0
    again = vmferry("import", "rvtools", exported(tmp_path), "--source", "nsx", "--out", tmp_path / "out")
    assert "describes an NSX, not a vCenter: use another name" in again.err


def exported(directory: Path) -> Path:
    from tests.importers import exports

    return exports.folder(directory / "in", exports.estate())


def test_a_draft_has_no_vcenter_for_it_and_includes_its_facts(tmp_path: Path) -> None:
    assert vmferry("import", "rvtools", exported(tmp_path), "--source", "vc1", "--out", tmp_path / "out").code == 0
    without = vmferry("init", "--from", tmp_path / "out", "--out", tmp_path / "one").out
    assert imported(tmp_path / "out", segment(1)).code == 0
    assert vmferry("init", "--from", tmp_path / "out", "--out", tmp_path / "two").out.replace("/two", "/one") == without


# --- hostile answers --------------------------------------------------------------------------

TEXT = st.sampled_from((*HOSTILE, *NAMES.values(), "ANY", "any", "|", "a|b", "/infra/segments/s1", "10.0.0.0/8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FIELDS = (
    *("display_name", "vlan_ids", "subnets", "tags", "expression", "extended_expression", "rules", "children", "scope"),
    *("source_groups", "destination_groups", "services", "service_entries", "profiles", "compute_ids", "category"),
    *("sequence_number", "rule_count", "unique_id", "dhcp_config_path", "parent_path", "direction", "action", "id"),
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from((segment(1), segment(2), group(1), policy("p", rule(1)), rule(2), rule(3))),
            st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3),
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_whatever_it_reads_is_an_error_or_can_be_loaded(
    tmp_path_factory: pytest.TempPathFactory, objects: list[tuple[dict[str, Any], dict[str, Any]]], paged: bool
) -> None:
    out = tmp_path_factory.mktemp("nsx") / "out"
    answers: list[Any] = [base | changed for base, changed in objects]
    result = imported(out, page(*answers, total=len(answers)) if paged else answers)
    assert result.code in (0, 1), result.text
    assert harmless(result.text)
    assert out.exists() == (result.code == 0)
    assert refused(out) == []
