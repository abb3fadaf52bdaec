"""From objects of NSX's Policy API to an inventory: segments, groups, policies with their rules, and VMs.

Field names: the schemas Segment, SegmentSubnet, Group, SecurityPolicy, GatewayPolicy, Rule and VirtualMachine of the
NSX-T Data Center REST API (developer.broadcom.com/xapis/nsx-t-data-center-rest-api); the same in
vmware/terraform-provider-nsxt: nsxt/segment_common.go, resource_nsxt_policy_group.go, policy_common.go.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from vmferry.estate.wording import counted
from vmferry.importers.build import build
from vmferry.importers.cells import fits
from vmferry.importers.errors import ImporterError
from vmferry.importers.nsx.answers import Answers, Object
from vmferry.importers.nsx.expressions import criteria
from vmferry.model.nsx import ANY, Nsx, NsxGroup, NsxPolicy, NsxRule, NsxSegment, NsxSubnet, NsxVm

_CATEGORIES = ("Ethernet", "Emergency", "Infrastructure", "Environment", "Application")
"""Categories of the distributed firewall in the order in which they apply (SecurityPolicy.category)."""
_GATEWAY = ("Emergency", "SystemRules", "SharedPreRules", "LocalGatewayRules", "AutoServiceRules", "Default")
_SHOWN = 3


def nsx_of(answers: Answers, vcenters: tuple[str, ...]) -> Nsx:
    """Return the facts. Raises ImporterError for what does not fit, and for policies whose rules are missing."""
    found: defaultdict[str, dict[str, list[Object]]] = defaultdict(lambda: defaultdict(list))
    for each in answers.objects:
        found[each.kind][each.path].append(each)
    return Nsx(
        vcenters=tuple(sorted(set(vcenters))),
        segments=tuple(_only([_segment(each) for each in same], same) for _, same in sorted(found["Segment"].items())),
        groups=tuple(_only([_group(each) for each in same], same) for _, same in sorted(found["Group"].items())),
        policies=tuple(_policies(found)),
        vms=tuple(_only([_vm(each) for each in same], same) for _, same in sorted(found["VirtualMachine"].items())),
    )


def _only(parts: list[Any], same: list[Object]) -> Any:
    """Return what all answers say about an object. Raises ImporterError if they differ."""
    if any(part != parts[0] for part in parts):
        raise ImporterError(f"{same[-1].where}: another answer differs about it; save all of them at one time")
    return parts[0]


# --- fields -----------------------------------------------------------------------------------


def _text(data: Mapping[str, Any], field: str) -> str | None:
    value = data.get(field)
    return fits(value) if isinstance(value, str) else None


def _texts(data: Mapping[str, Any], field: str, where: str) -> tuple[str, ...]:
    """Return a list of texts. Raises ImporterError for anything else: without one, a rule would say less."""
    value = data.get(field)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, str) and fits(each) for each in value):
        raise ImporterError(f"{where}: {field} is not a list of texts of at most 1024 characters")
    return tuple(each.strip() for each in value)


def _flag(data: Mapping[str, Any], field: str) -> bool:
    return data.get(field) is True


def _name(each: Object) -> str:
    return _text(each.data, "display_name") or _text(each.data, "id") or each.path.rpartition("/")[2] or each.path


def _tags(data: Mapping[str, Any]) -> tuple[str, ...]:
    tags = data.get("tags")
    found = [each for each in tags if isinstance(each, dict)] if isinstance(tags, list) else []
    return tuple(sorted({f"{_text(each, 'scope') or ''}|{_text(each, 'tag') or ''}" for each in found}))


def _or_any(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return ANY for a list that is empty or says so in any case (Rule.source_groups)."""
    return (ANY,) if not texts or any(text.upper() == ANY for text in texts) else texts


# --- segments, groups, VMs --------------------------------------------------------------------


def _segment(each: Object) -> NsxSegment:
    data, where = each.data, each.where
    subnets = [subnet for subnet in data.get("subnets") or () if isinstance(subnet, dict)]
    vlans = _texts(data, "vlan_ids", where)
    return build(
        NsxSegment,
        where,
        path=each.path,
        name=_name(each),
        ids=tuple(sorted({text for field in ("unique_id", "realization_id") if (text := _text(data, field))})) or None,
        # vmware/terraform-provider-nsxt nsxt/segment_common.go: vlan_ids are required of a VLAN segment
        kind="vlan" if vlans else "overlay",
        vlans=vlans or None,
        transport_zone=_text(data, "transport_zone_path"),
        gateway=_text(data, "connectivity_path"),
        subnets=tuple(_subnet(subnet, where) for subnet in subnets) or None,
        dhcp=_text(data, "dhcp_config_path") is not None
        or any(subnet.get("dhcp_config") or subnet.get("dhcp_ranges") for subnet in subnets)
        or None,
        tags=_tags(data) or None,
    )


def _subnet(data: Mapping[str, Any], where: str) -> NsxSubnet:
    return build(
        NsxSubnet,
        where,
        network=_text(data, "network"),
        gateway=_text(data, "gateway_address"),
        dhcp_ranges=_texts(data, "dhcp_ranges", where) or None,
    )


def _group(each: Object) -> NsxGroup:
    return build(
        NsxGroup,
        each.where,
        path=each.path,
        name=_name(each),
        any_of=criteria(each.data.get("expression"), each.where) or None,
        users=bool(each.data.get("extended_expression")) or None,
    )


def _vm(each: Object) -> NsxVm:
    ids = (text.partition(":") for text in _texts(each.data, "compute_ids", each.where))
    uuid = next((value for key, _, value in ids if key == "instanceUuid" and value), None)
    return build(NsxVm, each.where, id=each.path, name=_name(each), instance_uuid=uuid, tags=_tags(each.data) or None)


# --- policies ---------------------------------------------------------------------------------


def _policies(found: Mapping[str, Mapping[str, list[Object]]]) -> Iterator[NsxPolicy]:
    """Yield the policies as NSX applies them: distributed ones first, then by category and number."""
    rules: defaultdict[str, list[list[Object]]] = defaultdict(list)
    for path, same in found.get("Rule", {}).items():
        rules[_policy_of(same[0], path)].append(same)
    kinds: tuple[tuple[str, Literal["distributed", "gateway"]], ...] = (
        ("SecurityPolicy", "distributed"),
        ("GatewayPolicy", "gateway"),
    )
    for kind, enforced in kinds:
        policies = dict(found.get(kind, {}))
        _refuse_without_rules(policies, rules)
        for path, same in sorted(policies.items(), key=_place):
            own = [(_only([_rule(each) for each in rule], rule), rule[0]) for rule in rules.pop(path, [])]
            ordered = tuple(rule for rule, _ in sorted(own, key=lambda item: (_number(item[1]), item[0].id)))
            yield _only([_policy(each, enforced, ordered) for each in same], same)
    for path, lost in sorted(rules.items()):
        raise ImporterError(f"{lost[0][0].where}: its policy {path[:200]} is missing; save the policies, too")


def _policy_of(rule: Object, path: str) -> str:
    return _text(rule.data, "parent_path") or path.rpartition("/rules/")[0]


def _refuse_without_rules(policies: Mapping[str, list[Object]], rules: Mapping[str, list[list[Object]]]) -> None:
    """Raise ImporterError if rules are missing: a list of policies has none of them, and a tree may lack them."""
    lacking = []
    for path, same in policies.items():
        counts = [each.data["rule_count"] for each in same if isinstance(each.data.get("rule_count"), int)]
        unlisted = all(each.listed and not isinstance(each.data.get("rules"), list) for each in same)
        if len(rules.get(path, ())) < max(counts, default=1 if unlisted else 0):
            lacking.append(path)
    if policies and not lacking and not any(path in rules for path in policies):
        lacking = list(policies)  # every NSX has its default rules
    if lacking:
        names = ", ".join(path[:200] for path in sorted(lacking)[:_SHOWN])
        more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
        raise ImporterError(
            f"the rules of {counted(len(lacking), 'policy', 'policies')} are missing: {names}{more}; a list of "
            "policies does not contain them: save each policy by itself (GET /policy/api/v1PATH), or the whole tree "
            "with GET /policy/api/v1/infra?type_filter=Segment;Group;SecurityPolicy;GatewayPolicy"
        )


def _place(item: tuple[str, list[Object]]) -> tuple[int, int, str]:
    path, same = item
    order = _CATEGORIES if same[0].kind == "SecurityPolicy" else _GATEWAY
    category = _text(same[0].data, "category") or ""
    return order.index(category) if category in order else len(order), _number(same[0]), path


def _number(each: Object) -> int:
    number = each.data.get("sequence_number")
    return number if isinstance(number, int) else 0


def _policy(each: Object, kind: Literal["distributed", "gateway"], rules: tuple[NsxRule, ...]) -> NsxPolicy:
    scope = _or_any(_texts(each.data, "scope", each.where))
    return build(
        NsxPolicy,
        each.where,
        path=each.path,
        name=_name(each),
        kind=kind,
        category=_text(each.data, "category"),
        applied_to=scope if scope != (ANY,) else None,
        rules=rules or None,
    )


def _rule(each: Object) -> NsxRule:
    data, where = each.data, each.where
    facts: dict[str, tuple[str, ...]] = {
        "sources": _or_any(_texts(data, "source_groups", where)),
        "destinations": _or_any(_texts(data, "destination_groups", where)),
        "applied_to": _or_any(_texts(data, "scope", where)),
        "services": _services(data, where),
        "profiles": _or_any(_texts(data, "profiles", where)),
    }
    stated: dict[str, Any] = {name: texts for name, texts in facts.items() if texts != (ANY,)}
    return build(
        NsxRule,
        where,
        id=_text(data, "id") or each.path.rpartition("/")[2],
        name=_name(each),
        action=_text(data, "action") or "unknown",
        direction=direction if (direction := _text(data, "direction")) != "IN_OUT" else None,
        sources_excluded=_flag(data, "sources_excluded") or None,
        destinations_excluded=_flag(data, "destinations_excluded") or None,
        disabled=_flag(data, "disabled") or None,
        **stated,
    )


def _services(data: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Return the services of a rule: paths, and those that the rule describes itself (ServiceEntry)."""
    paths = _texts(data, "services", where)
    entries = [entry for entry in data.get("service_entries") or () if isinstance(entry, dict)]
    raw = tuple(text[:1024] for text in map(_service, entries))
    return raw if raw and _or_any(paths) == (ANY,) else (*_or_any(paths), *raw)


def _service(entry: Mapping[str, Any]) -> str:
    parts: Iterable[Any] = (
        entry.get("l4_protocol") or entry.get("protocol") or entry.get("alg") or entry.get("protocol_number"),
        ",".join(str(port) for port in entry.get("destination_ports") or ()),
    )
    text = " ".join(str(part) for part in parts if part not in (None, ""))
    return text or str(entry.get("resource_type") or "unknown")
