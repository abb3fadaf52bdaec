"""Checks that compare data with the source's: what cannot be compared, and sources that stop before they were asked."""

import shlex
from collections.abc import Iterator

from msgspec import structs

from vmferry.estate.checks import checkable, connecting
from vmferry.estate.gates import BEFORE, Lack, despite, sentence
from vmferry.estate.history import History
from vmferry.estate.integrity import begins_again, comparable, compared, ends, of_vm, recorded, stops_at
from vmferry.estate.methods import METHODS
from vmferry.estate.stages import rank
from vmferry.model.blueprint import Group, Machine
from vmferry.model.review import Problem, Review, Subject
from vmferry.rules.registry import rule

_MOST = 90
"""Values that fit into the message of a pod (backends/scripts/same.sh): 4096 bytes."""


def _comparing(review: Review) -> Iterator[tuple[Subject, Group, Machine, str]]:
    """Yield the VMs whose data are compared, with the names of these checks, until their sources stop."""
    for subject, group, machine in review.moving if review.spec.checks else ():
        if rank(group.stage) < rank(stops_at(group.method)) and (its := of_vm(group, machine)):
            yield subject, group, machine, ", ".join(each.check.name for each in its)


@rule("VMF568", "warning", "address of a source is not certain", each=True)
def unknown_source(review: Review) -> Iterator[Problem]:
    """A check with `same` asks the source before it stops. An address by DHCP may be another machine's by then.

    So before.sh of the group leaves out a VM without an address that is known for certain, until someone passes one.
    """
    for subject, group, machine, _ in _comparing(review):
        lost = [each.check.name for each in of_vm(group, machine) if each.source is None]
        if lost and comparable(group, machine):
            yield subject.decided(
                "checks",
                f"nobody knows for certain where its source is for check {', '.join(lost)}",
                f"pass it when its data are recorded: `before.sh {machine.target_name}=ADDRESS`; if its address is "
                "static, state it and `origin: static` in `nics` of its entry",
            )


@rule("VMF569", "error", "nothing to compare with at the source", each=True)
def incomparable(review: Review) -> Iterator[Problem]:
    """A check with `same` compares what the source has with what the target has.

    A clone of a golden image starts with the image's data, and a source that is off answers nothing.
    """
    for subject, group, machine, names in _comparing(review):
        if not comparable(group, machine):
            why = "it is a clone, which has nothing of its source's disks"
        elif group.stage == "planned" and subject.vm.power_state in ("poweredOff", "suspended"):
            why = f"its source is {'off' if subject.vm.power_state == 'poweredOff' else 'suspended'}"
        else:
            continue
        yield subject.decided(
            "checks",
            f"check {names} has nothing to compare with: {why}",
            "leave out the check, use `script` instead of `same`, or let the source run until its data are recorded",
        )


@rule(
    "VMF574",
    "error",
    "more data to compare than a pod can pass on",
    source="kubernetes/kubernetes pkg/kubelet/container/runtime.go (MaxContainerTerminationMessageLength): 4096 bytes",
    blueprint=True,
)
def too_many(review: Review) -> Iterator[Problem]:
    """The Job of a group passes on a digest for each VM and check with `same`, in the message of its pod."""
    for group in (group for group in review.blueprint.groups if group.checks):
        count = sum(each.check.same is not None for _, each in connecting(group))
        if count > _MOST:
            yield Problem(
                f"group {group.name} has {count} checks with `same`, and the message of a pod holds {_MOST}",
                f"set maxVMs of phase {group.phase} so that its groups are smaller, or have one script print all of it",
                review.at("checks"),
                tuple(dict.fromkeys(machine.name for machine, _ in compared(group))),
            )


@rule(
    "VMF879", "error", "source stops before its data were recorded", needs="comparison", progress=True, blueprint=True
)
def not_recorded(review: Review) -> Iterator[Problem]:
    """A check with `same` needs what its script prints at the source. Once the source is off, nobody can ask it.

    So a group only goes to the stage at which its sources stop once the value of each such check is recorded for this
    attempt: `migrating`, or `cutover` where the source runs until then. Another attempt needs other values, since the
    source may have served in between. The sources of a warm group run until its `cutover`: as long as that is to come,
    nothing is found at this stage, but at `adopted`. No setting of `gates` waives it.
    """
    if review.before is None:
        return
    before = {group.name: group for group in review.before.blueprint.groups}
    history = History(review.project.evidence)
    spec, tree = shlex.quote(review.project.given or "."), review.blueprint.gitops.path
    for group in review.blueprint.groups:
        if not group.checks or despite(group, "before", history) is not None:
            continue
        was = before.get(group.name) or structs.replace(group, stage="planned")
        lost = tuple(machine.name for machine in group.machines if _lost(review, group, was, machine, history))
        if lost:
            moves = f"goes from {was.stage} to {group.stage}" if was.stage != group.stage else "begins another attempt"
            yield Problem(
                f"group {group.name} {moves}, but {sentence(Lack(was.stage, BEFORE, lost))}",
                f"keep stage: {was.stage}, end writes to the sources, and record it: "
                f"`bash {tree}/bases/{group.phase}/{group.name}/before.sh | vmferry observe {spec} --before -`; to go "
                f"on without: `vmferry sign {spec} {group.name} --by NAME --note TEXT --without-before`",
                review.at("groups", group.name, "stage"),
                lost,
            )


def _lost(review: Review, group: Group, was: Group, machine: Machine, history: History) -> bool:
    """Return whether nobody can record any more what the source of a VM has, because of a group's move."""
    if not of_vm(group, machine) or not checkable(machine) or recorded(group, machine, history):
        return False
    if METHODS[group.method].cutover and rank(was.stage) < rank("adopted") <= rank(group.stage):
        return True
    end = ends(group, machine)
    still = end is not None and review.now is not None and review.now < end
    return begins_again(group, was) and not still
