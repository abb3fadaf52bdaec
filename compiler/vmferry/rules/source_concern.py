"""Rules on the source: facts about a VM in vSphere, separate from whether they matter for its path."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from inspect import cleandoc
from typing import NamedTuple

from vmferry.estate.stages import serves
from vmferry.model.blueprint import Group, Machine
from vmferry.model.finding import Severity
from vmferry.model.inventory import InventoryCluster
from vmferry.model.review import Problem, Review, Subject, once
from vmferry.model.spec import VirtualMachine
from vmferry.rules.registry import rule

POLICIES = "kubev2v/forklift validation/policies/io/konveyor/forklift/vmware"


class Seen(NamedTuple):
    """A VM in vSphere."""

    vm: VirtualMachine
    cluster: InventoryCluster | None = None  # None: unknown, or none


class Detected(NamedTuple):
    """A fact about a VM, what to do about it, and its field."""

    what: str
    fix: str
    path: tuple[str | int, ...] = ()


Detect = Callable[[Seen], Iterator[Detected]]
Matters = Callable[[Subject, Group, Machine], bool]


class Concern(NamedTuple):
    """A rule on the source: what it detects in any VM, and when that matters."""

    code: str
    forklift: str  # id of Forklift's concern; empty where it has none
    detect: Detect
    matters: Matters
    loss: bool = False  # a permanent loss: also reported for a VM that runs in the target
    by_cluster: bool = False  # reported once for all VMs of a cluster


CONCERNS: dict[str, Concern] = {}
"""Every rule on the source by its code."""


def copied(subject: Subject, group: Group, machine: Machine) -> bool:  # noqa: ARG001
    """Return whether the VM's own disks are copied: it is neither rebuilt nor cloned from an image."""
    return machine.path != "rebuild" and machine.clone_of is None


def converted(subject: Subject, group: Group, machine: Machine) -> bool:
    """Return whether the guest is converted."""
    return copied(subject, group, machine) and not machine.raw


def warm(subject: Subject, group: Group, machine: Machine) -> bool:  # noqa: ARG001
    """Return whether the VM is copied while it runs."""
    return machine.method == "warm"


def by_forklift(subject: Subject, group: Group, machine: Machine) -> bool:  # noqa: ARG001
    """Return whether Forklift moves the VM."""
    return machine.path == "forklift"


def concern(
    code: str,
    severity: Severity,
    title: str,
    *,
    forklift: str = "",
    source: str = "",
    matters: Matters = copied,
    by_cluster: bool = False,
    loss: bool = False,
    essential: bool = False,
) -> Callable[[Detect], Detect]:
    """Register what a function detects as the rule ``code``, where it ``matters``; its docstring is the page.

    ``source`` is the upstream file or page, a bare name one of Forklift's policies. ``by_cluster`` reports all VMs of a
    cluster together. A ``loss`` is still reported as information when the VM runs in the target, because that is when
    people notice it.
    """

    def add(detect: Detect) -> Detect:
        found = CONCERNS[code] = Concern(code, forklift, detect, matters, loss, by_cluster)

        def check(review: Review) -> Iterator[Problem]:
            return _of_clusters(review, found) if by_cluster else _of_vms(review, found)

        check.__doc__ = cleandoc(detect.__doc__ or "")
        origin = f"{POLICIES}/{source}" if source.endswith(".rego") else source
        rule(code, severity, title, source=origin, essential=essential, each=not by_cluster, groups=by_cluster)(check)
        return detect

    return add


def seen(review: Review, subject: Subject) -> Seen:
    """Return a VM with its cluster: its own, otherwise its host's."""
    host = review.hosts.get((subject.source, subject.vm.host or ""))
    name = subject.vm.cluster or (host.cluster if host else None)
    return Seen(subject.vm, review.clusters.get((subject.source, name or "")))


@once
def _all(review: Review) -> dict[str, list[tuple[Subject, Detected]]]:
    """Return what every concern of single VMs detects where it matters, by code: each VM is met once.

    For VMs that run in the target, only losses are relevant.
    """
    result: dict[str, list[tuple[Subject, Detected]]] = {code: [] for code in CONCERNS}
    every = _by_where([concern for concern in CONCERNS.values() if not concern.by_cluster])
    losses = _by_where([concern for concern in CONCERNS.values() if concern.loss and not concern.by_cluster])
    for subject, group, machine in review.moving:
        facts = seen(review, subject)
        for matters, concerns in every if serves(group.stage) else losses:
            if matters(subject, group, machine):
                for concern in concerns:
                    for found in concern.detect(facts):
                        result[concern.code].append((subject, found))
    return result


def _by_where(concerns: Iterable[Concern]) -> list[tuple[Matters, list[Concern]]]:
    """Return concerns by where they matter, which is asked once for all of them."""
    found: dict[Matters, list[Concern]] = {}
    for concern in concerns:
        found.setdefault(concern.matters, []).append(concern)
    return list(found.items())


def _of_vms(review: Review, concern: Concern) -> Iterator[Problem]:
    for subject, found in _all(review)[concern.code]:
        problem = subject.problem(found.what, found.fix, *found.path)
        if subject.group is not None and not serves(subject.group.stage):
            problem = problem._replace(severity="info", help="for information only: the VM was copied this way")
        yield problem


def _of_clusters(review: Review, concern: Concern) -> Iterator[Problem]:
    clusters: defaultdict[tuple[str, str], list[tuple[Subject, Detected]]] = defaultdict(list)
    for subject, group, machine in review.moving:
        if (serves(group.stage) or concern.loss) and concern.matters(subject, group, machine):
            facts = seen(review, subject)
            name = facts.cluster.name if facts.cluster else ""  # without a cluster nothing is detected
            clusters[subject.source, name] += ((subject, found) for found in concern.detect(facts))
    for (source, name), members in sorted(clusters.items()):
        if not members:
            continue
        first, found = members[0]
        vms = tuple(subject.name for subject, _ in members)
        yield Problem(f"cluster {name} of {source}: {found.what}", found.fix, first.where, vms)
