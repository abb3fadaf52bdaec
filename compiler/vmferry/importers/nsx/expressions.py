"""The members of a group in NSX: its expressions as alternatives, each a list of conditions that hold together.

A list has expressions at even places and conjunctions between them (Group.expression). What NSX does not say, such as
whether AND comes before OR, is not decided: the group then has a condition that nobody can.

Field names: the schemas Condition, PathExpression, NestedExpression, ConjunctionOperator, ExternalIDExpression,
IPAddressExpression and MACAddressExpression of the NSX-T Data Center REST API.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any, Literal

from vmferry.importers.build import build
from vmferry.importers.cells import fits
from vmferry.importers.errors import ImporterError
from vmferry.model.nsx import NsxCondition, NsxCriterion

Alternatives = tuple[tuple[NsxCondition, ...], ...]
"""Conditions that hold together, in each of several ways to be a member."""

_MOST = 64  # alternatives that AND makes of several OR: NSX itself allows five conditions in a list
_DEEPEST = 8
_KEYS: Mapping[str, Literal["tag", "name", "hostname"]] = {"Tag": "tag", "Name": "name", "ComputerName": "hostname"}


def criteria(expression: Any, where: str) -> tuple[NsxCriterion, ...]:
    """Return the criteria of a group. Raises ImporterError for what is not a list of expressions."""
    return tuple(build(NsxCriterion, where, all_of=alternative) for alternative in _level(expression, where, 0))


def _level(expression: Any, where: str, depth: int) -> Alternatives:
    if expression is None:
        return ()
    if not isinstance(expression, list) or not all(isinstance(each, dict) for each in expression):
        raise ImporterError(f"{where}: its expression is not a list")
    joints = {str(each.get("conjunction_operator") or "").upper() for each in expression if _joint(each)}
    terms = [_term(each, where, depth) for each in expression if not _joint(each)]
    if not terms:
        return ()
    if depth > _DEEPEST or not joints <= {"AND", "OR"} or len(joints) > 1:
        return ((_other("AND and OR in one list" if len(joints) > 1 else "an unknown conjunction", where),),)
    if joints != {"AND"}:
        return tuple(alternative for term in terms for alternative in term)
    count = 1
    for term in terms:
        count *= max(len(term), 1)
    if count > _MOST:
        return ((_other("too many conditions", where),),)
    return tuple(tuple(condition for part in parts for condition in part) for parts in product(*terms))


def _joint(each: Mapping[str, Any]) -> bool:
    return each.get("resource_type") == "ConjunctionOperator"


def _term(each: Mapping[str, Any], where: str, depth: int) -> Alternatives:
    """Return what one expression says."""
    kind = each.get("resource_type")
    if kind == "NestedExpression":
        return _level(each.get("expressions"), where, depth + 1)
    if kind == "Condition":
        return ((_condition(each, where),),)
    if kind == "PathExpression":
        return _listed("path", each, "paths", where)
    if kind == "IPAddressExpression":
        return _listed("address", each, "ip_addresses", where)
    if kind == "MACAddressExpression":
        return _listed("mac", each, "mac_addresses", where)
    if kind == "ExternalIDExpression":
        return _listed("id", each, "external_ids", where)
    return ((_other(str(kind)[:200], where),),)


def _listed(
    what: Literal["path", "address", "mac", "id"], each: Mapping[str, Any], field: str, where: str
) -> Alternatives:
    values = each.get(field)
    if not isinstance(values, list) or not all(isinstance(value, str) and fits(value) for value in values):
        raise ImporterError(f"{where}: {field} is not a list of texts of at most 1024 characters")
    if not values:
        return ()
    found = tuple(value.strip() for value in values)
    return ((build(NsxCondition, where, what=what, of=_word(each, "member_type"), values=found),),)


def _condition(each: Mapping[str, Any], where: str) -> NsxCondition:
    key, value = _word(each, "key"), _word(each, "value")
    known = _KEYS.get(key or "")
    reversed_ = (_word(each, "scope_operator") or "EQUALS") != "EQUALS"
    if known is None or value is None or reversed_:
        said = " ".join(str(each.get(name) or "") for name in ("member_type", "key", "operator", "value"))
        return _other(said[:1000], where, _word(each, "member_type"))
    # the operator may be absent for tags of segments and their ports (Condition.operator)
    operator = (_word(each, "operator") or "EQUALS").upper()
    return build(NsxCondition, where, what=known, of=_word(each, "member_type"), operator=operator, values=(value,))


def _other(said: str, where: str, of: str | None = None) -> NsxCondition:
    return build(NsxCondition, where, what="other", of=of, values=(said.strip() or "?",))


def _word(each: Mapping[str, Any], field: str) -> str | None:
    value = each.get(field)
    return fits(value) if isinstance(value, str) else None
