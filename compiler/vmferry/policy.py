"""How a spec adjusts the rules: severities and suppressions."""

import fnmatch
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime

from msgspec import Struct, structs

from vmferry import ruleset
from vmferry.model.finding import Finding, Where, inserted
from vmferry.model.project import Project
from vmferry.model.rule import RETIRED, Rule, declare
from vmferry.model.spec import Suppression


class _Accepted(Struct):
    """A suppression, and whether anything matched it."""

    suppression: Suppression
    where: Where
    concerns: Callable[[Finding], bool]
    vm: str | None = None  # the VM whose entry contains it
    used: bool = False


_Index = Mapping[tuple[str, str | None], list[_Accepted]]
"""Suppressions by rule and VM; those of the whole spec have no VM."""


def apply(
    findings: Iterable[Finding], project: Project, now: datetime | None, *, compared: bool = False
) -> tuple[Finding, ...]:
    """Return the remaining findings with their severity, and problems with the policy itself, all `by_place`.

    ``findings`` are `by_place`. A suppression of an essential rule has no effect, nor does one that has expired at
    ``now``. Whether one is used is only known if its rule could find something: ``now`` is known, and for rules on
    transitions the spec was ``compared`` with another commit.
    """
    accepted = tuple(_accepted(project))
    index: defaultdict[tuple[str, str | None], list[_Accepted]] = defaultdict(list)
    for item in accepted:
        index[item.suppression.rule, item.vm].append(item)
    own = [*_unknown(project, accepted), *_too_lax(project, accepted), *_expired(accepted, now)]
    kept = [finding for finding in _severities(findings, project) if not _suppressed(finding, index, now)]
    if now is not None and not any(finding.is_error for finding in kept):  # rules may not have run because of errors
        own += [_unused(item) for item in accepted if _idle(item, now, compared=compared)]
    return inserted(kept, _severities(own, project))


def suppresses(project: Project) -> bool:
    """Return whether the spec accepts any finding: without, what becomes of a finding does not depend on others."""
    return any(_accepted(project))


def accepted(findings: Iterable[Finding], project: Project) -> tuple[Finding, ...]:
    """Return the remaining findings about a compiled tree, with their severity."""
    index: defaultdict[tuple[str, str | None], list[_Accepted]] = defaultdict(list)
    for item in _accepted(project):
        index[item.suppression.rule, item.vm].append(item)
    return tuple(finding for finding in _severities(findings, project) if not _suppressed(finding, index, None))


def _accepted(project: Project) -> Iterator[_Accepted]:
    for index, item in enumerate(project.spec.suppress):
        yield _Accepted(item, project.where.at("suppress", index), _of_vms(item.vms))
    names = Counter(entry.vm.name for entry in project.entries)
    for entry in project.entries:
        for index, suppression in enumerate(entry.vm.suppress):
            name = entry.vm.name
            concerns = _only(name, entry.where if names[name] > 1 else None)
            yield _Accepted(suppression, entry.where.at("suppress", index), concerns, name)


def _only(name: str, entry: Where | None) -> Callable[[Finding], bool]:
    """Return whether a finding is only about one VM; if others have its name, by the place in its ``entry``."""
    return lambda finding: finding.vms == (name,) and (entry is None or _within(finding.where, entry))


def _within(place: Where | None, entry: Where) -> bool:
    return (
        place is not None
        and (place.file, place.document) == (entry.file, entry.document)
        and place.path[: len(entry.path)] == entry.path
    )


def _of_vms(globs: tuple[str, ...]) -> Callable[[Finding], bool]:
    """Return whether a finding is only about VMs that match a glob or name; without globs, all match."""
    if not globs:
        return lambda _: True
    pattern = re.compile("|".join(fnmatch.translate(glob) for glob in globs))
    return lambda finding: bool(finding.vms) and all(vm in globs or pattern.match(vm) for vm in finding.vms)


def _severities(findings: Iterable[Finding], project: Project) -> Iterator[Finding]:
    """Yield findings with their severity from the spec, without those of rules that are off.

    A settled severity stays: what can no longer be changed does not stop the compiler.
    """
    own = {code: level for code, level in project.spec.rules.items() if not _lax(code, level)}
    for finding in findings:
        level = own.get(finding.code)
        if level is None or (finding.settled and level != "off"):
            yield finding
        elif level != "off":
            yield structs.replace(finding, severity=level)


def _suppressed(finding: Finding, index: _Index, now: datetime | None) -> bool:
    if finding.essential:
        return False
    met = [item for vm in (None, *finding.vms) for item in index.get((finding.code, vm), ()) if item.concerns(finding)]
    for item in met:
        item.used = True
    return any(not _over(item, now) for item in met)


def _over(item: _Accepted, now: datetime | None) -> bool:
    until = item.suppression.until
    return now is not None and until is not None and now.astimezone(UTC).date() > _day(until)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return date.min  # a day that does not exist counts as past


def _lax(code: str, level: str) -> bool:
    """Return whether a severity would allow wrong output."""
    rule = ruleset.find(code)
    return rule is not None and rule.essential and rule.severity == "error" and level != "error"


NO_SUCH_RULE = declare(
    "VMF901",
    "error",
    "rule does not exist",
    why="A typo in a code leaves the rule that you meant unchanged: an accepted finding is back, or one that was to "
    "stop everyone is still only a warning.",
)


def _unknown(project: Project, accepted: Iterable[_Accepted]) -> Iterator[Finding]:
    named = [(code, project.where.at("rules", code)) for code in project.spec.rules]
    named += [(item.suppression.rule, item.where.at("rule")) for item in accepted]
    for code, where in named:
        if code in RETIRED:
            yield NO_SUCH_RULE.finding(f"rule {code} is retired: {RETIRED[code]}", "remove this", where=where)
        elif ruleset.find(code) is None:
            yield NO_SUCH_RULE.finding(f"there is no rule {code}", _LIST, where=where)


_LIST = "`vmferry rules` lists them"


def _too_lax(project: Project, accepted: Iterable[_Accepted]) -> Iterator[Finding]:
    for code, level in project.spec.rules.items():
        rule = ruleset.find(code)
        if rule is not None and _lax(code, level):
            yield _essential(rule, f"cannot be {level}", project.where.at("rules", code))
    for item in accepted:
        rule = ruleset.find(item.suppression.rule)
        if rule is not None and rule.essential:
            yield _essential(rule, "cannot be suppressed", item.where.at("rule"))


RULE_IS_ESSENTIAL = declare(
    "VMF902",
    "error",
    "rule cannot be lowered or suppressed",
    why="Such a rule keeps vmferry from writing manifests that are wrong or incomplete, for example two VMs with the "
    "same MAC address. Accepting its finding does not make them work; correct the spec or vCenter.",
)


def _essential(rule: Rule, what: str, where: Where) -> Finding:
    return RULE_IS_ESSENTIAL.finding(
        f"{rule.code} ({rule.title}) {what}",
        "remove this, and fix what it finds: otherwise the compiled output would be wrong",
        where=where,
    )


EXPIRED_SUPPRESSION = declare(
    "VMF904",
    "error",
    "suppression has expired",
    why="Someone accepted a risk up to a date, and that date has passed. Otherwise a VM would run for years on what "
    "was meant for a week.",
)


def _expired(accepted: Iterable[_Accepted], now: datetime | None) -> Iterator[Finding]:
    for item in accepted:
        if _over(item, now):
            yield EXPIRED_SUPPRESSION.finding(
                f"suppression of {item.suppression.rule} expired after {item.suppression.until}",
                "fix what it accepts, or renew the decision with a later date",
                where=item.where.at("until"),
            )


def _idle(item: _Accepted, now: datetime, *, compared: bool) -> bool:
    """Return whether a suppression matches nothing."""
    rule = ruleset.find(item.suppression.rule)
    if rule is None or rule.essential or rule.needs == "tree" or (rule.needs == "comparison" and not compared):
        return False
    return not item.used and not _over(item, now)


IDLE_SUPPRESSION = declare(
    "VMF903",
    "warning",
    "suppression matches no finding",
    why="The accepted problem was fixed since, or never was in this place. Left in, the suppression would hide the "
    "same problem on the day it comes back.",
)


def _unused(item: _Accepted) -> Finding:
    return IDLE_SUPPRESSION.finding(
        f"this suppression of {item.suppression.rule} matches no finding",
        "remove it",
        where=item.where,
    )
