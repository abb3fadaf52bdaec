"""What the VMs of a migration ask of its nodes, phase by phase; also where errors keep the Blueprint incomplete."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmferry.estate.capacity import Margins, Need, Pod, Pool, needed
from vmferry.estate.demand import CONVERTING, converts, pods_of, pods_of_vm, used_by
from vmferry.estate.placement import empty, missing
from vmferry.model.facts import Rate
from vmferry.model.review import Subject
from vmferry.reports.census import NONE, Vm
from vmferry.reports.content import Material


class Mover(NamedTuple):
    """A VM that moves, with its pods by requests and by measured use."""

    subject: Subject
    vm: Vm
    pods: tuple[Pod, ...]
    average: tuple[Pod, ...]
    peak: tuple[Pod, ...]
    converted: bool

    @property
    def measured(self) -> bool:
        """Return whether it has a baseline."""
        baseline = self.subject.vm.baseline
        return baseline is not None and (baseline.cpu is not None or baseline.memory is not None)

    @property
    def typed(self) -> bool:
        """Return whether only the cluster knows its size, from an instance type."""
        return self.subject.machine is not None and self.subject.machine.instancetype is not None

    @property
    def unknown(self) -> bool:
        """Return whether its size is unknown, so that it counts nowhere."""
        fact = self.subject.vm
        return self.subject.machine is None and (fact.cpu is None or fact.memory is None)


class Wave(NamedTuple):
    """A phase: what it brings, and what the nodes carry after it. Pods of earlier phases are included."""

    phase: str
    movers: tuple[Mover, ...]
    pods: tuple[Pod, ...]
    converting: int
    needs: dict[str, Need]
    unplaced: tuple[Pod, ...]
    more: dict[str, int]  # nodes that are missing, by pool

    @property
    def loaded(self) -> tuple[Pod, ...]:
        """Return its pods, with those that convert VMs."""
        return (*self.pods, *[CONVERTING] * self.converting)


def movers_of(material: Material) -> tuple[Mover, ...]:
    """Return the VMs that move, by key."""
    cluster = material.review.spec.target.cluster
    found = []
    for subject, vm in zip(material.review.subjects, material.vms.vms, strict=True):
        if vm.path == NONE:
            continue
        machine, group = subject.machine, subject.group
        pods = pods_of(machine, cluster) if machine is not None else pods_of_vm(subject.vm, cluster)
        average, peak = (used_by(pods, subject.vm, machine, of) for of in (_average, _peak))
        converted = converts(machine, group) if machine is not None and group is not None else vm.path != "rebuild"
        found.append(Mover(subject, vm, pods, average, peak, converted))
    return tuple(found)


def _average(rate: Rate) -> float:
    return min(100.0, rate.average)


def _peak(rate: Rate) -> float:
    return min(100.0, rate.peak)


def phases_of(material: Material) -> tuple[str, ...]:
    """Return the names of the phases in their order, at last that of VMs that have none."""
    names = [phase.name for phase in material.review.blueprint.phases]
    others = {vm.phase for vm in material.vms.vms if vm.path != NONE} - set(names)
    return (*names, *sorted(others))


def waves_of(material: Material, movers: Sequence[Mover], pools: Sequence[Pool], margins: Margins) -> Iterator[Wave]:
    """Yield each phase that brings VMs, in their order."""
    most, pods = material.review.spec.settings.sizing.conversions, tuple[Pod, ...]()
    placed = empty(pools, margins)
    for phase in phases_of(material):
        some = tuple(mover for mover in movers if mover.vm.phase == phase)
        if not some:
            continue
        new = tuple(pod for mover in some for pod in mover.pods)
        pods += new
        converting = min(most, sum(mover.converted for mover in some))
        placed, left = placed.add(new)
        _, waiting = placed.add([CONVERTING] * converting)
        needs = needed((*pods, *[CONVERTING] * converting), pools, margins)
        yield Wave(phase, some, pods, converting, needs, tuple(left), missing(placed, (*left, *waiting)))
