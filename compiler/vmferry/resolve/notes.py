"""Notes of a pass: it yields its notes (findings, and reasons of decisions) and returns its value.

So a pass is a function of its arguments: `collect` returns both, and both can be cached.
"""

from collections import defaultdict
from collections.abc import Generator, Iterable
from typing import TypeAlias, TypeVar

from msgspec import Struct

from vmferry.model.blueprint import Decision
from vmferry.model.finding import Finding, Where

T = TypeVar("T")


class Reason(Struct, frozen=True):
    """A decision on the VM ``key``, with its reason."""

    key: str
    decision: Decision


Note: TypeAlias = Finding | Reason

Noting: TypeAlias = Generator[Note, None, T]
"""A pass, or a part of one, that yields notes before it returns a value."""


def decide(
    key: str, subject: str, value: str, reason: str, *, where: Where | None = None, refused: tuple[str, ...] = ()
) -> Reason:
    """Return a decision on the VM ``key``, with the rejected alternatives."""
    return Reason(key, Decision(subject=subject, value=value, reason=reason, where=where, refused=refused))


def collect(noting: Noting[T]) -> tuple[T, tuple[Note, ...]]:
    """Run a pass; return its value and its notes."""
    notes: list[Note] = []
    while True:
        try:
            notes.append(next(noting))
        except StopIteration as end:
            return end.value, tuple(notes)


def collect_findings(noting: Noting[T]) -> tuple[T, tuple[Finding, ...]]:
    """Run a pass; return its value and its findings. Reasons, which are many, are dropped immediately."""
    found: list[Finding] = []
    while True:
        try:
            note = next(noting)
        except StopIteration as end:
            return end.value, tuple(found)
        if type(note) is Finding:
            found.append(note)


def value_of(noting: Noting[T]) -> T:
    """Run a pass; return only its value, if its notes were reported before or are irrelevant."""
    return collect(noting)[0]


def findings(notes: Iterable[Note]) -> tuple[Finding, ...]:
    """Return the findings in some notes, in order."""
    return tuple(note for note in notes if isinstance(note, Finding))


def decisions(notes: Iterable[Note]) -> dict[str, tuple[Decision, ...]]:
    """Return the decisions in some notes, by VM in sorted order."""
    found: defaultdict[str, list[Decision]] = defaultdict(list)
    for note in notes:
        if isinstance(note, Reason):
            found[note.key].append(note.decision)
    return {key: tuple(found[key]) for key in sorted(found)}
