"""A rule that looks at one VM after the other finds of parts what it finds of the whole: it may be remembered.

Everything that fires a rule, and every near miss, is asked VM by VM and as a whole.
"""

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.rules.laying import EXAMPLES, lay_out

from vmferry.cache import Cache
from vmferry.check import review
from vmferry.load.project import load
from vmferry.model.blueprint import Machine
from vmferry.model.finding import Code, Finding, SpecError, Where
from vmferry.model.review import Problem, Review, Subject
from vmferry.model.spec import VirtualMachine
from vmferry.resolve.blueprint import resolve
from vmferry.rules import CHECKS, check
from vmferry.rules.parts import Parts
from vmferry.rules.registry import Find

EACH = [(code, each.find) for code, checks in sorted(CHECKS.items()) for each in checks if each.each]
ACME = Path(__file__).parents[2] / "examples/acme"


def of(spec: Path) -> Review | None:
    """Return the review of a spec; none where rules are not asked."""
    try:
        project = load(spec, undecided=True)
    except SpecError:
        return None
    resolution = resolve(project)
    if any(finding.is_error for finding in (*project.findings, *resolution.findings)):
        return None
    return review(project, resolution)


@cache
def reviews() -> tuple[tuple[Review, tuple[Review, ...]], ...]:
    """Return every example that rules are asked of, as a whole and VM by VM."""

    def found() -> Iterator[Review]:
        for example in sorted(EXAMPLES.glob("VMF*/*.yaml")):
            if example.name in ("fires.yaml", "passes.yaml"):
                with tempfile.TemporaryDirectory() as folder:
                    lay_out(example, Path(folder))
                    if (made := of(Path(folder))) is not None:
                        yield made

    whole = [doubled(each) for each in (*found(), of(ACME)) if each is not None]
    return tuple((each, tuple(Parts(each).of((subject,)) for subject in each.subjects)) for each in whole)


def doubled(whole: Review) -> Review:
    """Return a review in which each VM has a second like it: what is found of both together is not found of one."""
    twins = {subject.key: _twin(subject) for subject in whole.subjects}
    groups = tuple(
        replace(group, machines=(*group.machines, *(_twin_of(machine) for machine in group.machines)))
        for group in whole.blueprint.groups
    )
    by_name = {group.name: group for group in groups}
    subjects = [
        replace(each, group=by_name[each.group.name] if each.group is not None else None)
        for subject in whole.subjects
        for each in (subject, twins[subject.key])
    ]
    entries = [
        (entry, replace(entry, where=_beside(entry.where), vm=_named(entry.vm))) for entry in whole.project.entries
    ]
    return replace(
        whole,
        subjects=tuple(subjects),
        blueprint=replace(whole.blueprint, groups=groups),
        project=replace(whole.project, entries=tuple(each for pair in entries for each in pair)),
    )


def _twin(subject: Subject) -> Subject:
    machine = _twin_of(subject.machine) if subject.machine is not None else None
    return replace(subject, key=f"{subject.key}~", vm=_named(subject.vm), where=_beside(subject.where), machine=machine)


def _twin_of(machine: Machine) -> Machine:
    return replace(machine, key=f"{machine.key}~", name=f"{machine.name}~")


def _named(vm: VirtualMachine) -> VirtualMachine:
    return replace(vm, name=f"{vm.name}~")


def _beside(where: Where) -> Where:
    return replace(where, path=(*where.path, "twin"))


def shown(problems: Iterator[Problem]) -> list[str]:
    return sorted(map(repr, problems))


@pytest.mark.parametrize(("code", "find"), EACH, ids=[f"{code}-{find.__name__}" for code, find in EACH])
def test_parts_give_what_the_whole_gives(code: Code, find: Find) -> None:
    fired = False
    for whole, singles in reviews():
        expected = shown(iter(find(whole)))
        fired = fired or bool(expected)
        assert shown(problem for single in singles for problem in find(single)) == expected
    assert fired, f"nothing here makes {code} find anything: it cannot be known that it looks at one VM alone"


def test_there_are_many() -> None:
    assert len(EACH) >= 100


class Counting(Cache):
    """A cache that counts what was not in it."""

    missed = 0

    def get(self, kind, keys, form):  # type: ignore[no-untyped-def]
        wanted = list(keys)
        found = super().get(kind, wanted, form)
        self.missed += len(wanted) - len(found)
        return found


def ordered(found: tuple[Finding, ...]) -> list[str]:
    return sorted(map(repr, found))


def test_what_is_remembered_is_what_is_found(tmp_path: Path) -> None:
    whole = of(ACME)
    assert whole is not None
    expected = ordered(check(whole))
    misses = []
    for _ in range(2):
        store = Counting(tmp_path)
        assert ordered(check(whole, store)) == expected
        store.close()
        misses.append(store.missed)
    assert misses[0] > 0
    assert misses[1] == 0
