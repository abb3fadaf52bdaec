"""Attempts that start when their VMs already run in the target."""

from collections.abc import Iterator

from vmferry.estate.stages import begun, running
from vmferry.model.blueprint import Group
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import rule


@rule(
    "VMF862",
    "error",
    "attempt starts after cutover",
    source="kubev2v/forklift pkg/controller/plan: a Plan that succeeded is only reconciled to be archived",
    needs="comparison",
    groups=True,
)
def after_cutover(review: Review) -> Iterator[Problem]:
    """A new attempt copies VMs again that already run in the target.

    New conversion Jobs find their volumes in use: they fail or wait forever, their Kustomization or Application with
    them, and no later change of these VMs is applied. Forklift starts nothing for a Plan that has succeeded: only if
    the previous run failed, a new Migration moves the remaining VMs.
    """
    for group in review.blueprint.groups:
        was = _attempt(review, group)
        if was is None or was == group.attempt or group.path == "rebuild" or not running(group.stage):
            continue
        retry = group.path == "forklift" and group.attempt > was
        yield Problem(
            f"group {group.name} is at {group.stage} and goes from attempt {was} to {group.attempt}: {_what(group)}",
            f"set attempt: {was}" + (", unless the previous Migration failed in Forklift" if retry else ""),
            review.at("groups", group.name, "attempt") if group.attempt > 1 else review.at("groups", group.name),
            tuple(machine.name for machine in group.machines),
            severity="warning" if retry else None,
        )


def _attempt(review: Review, group: Group) -> int | None:
    """Return the attempt of a group at the last compile, if recorded."""
    known = review.project.assignments.vms if review.project.assignments else {}
    for machine in group.machines:
        item = known.get(machine.key)
        if item is not None and item.group == group.name and begun(item.stage):
            converted = item.machine.conversion.attempt if item.machine and item.machine.conversion else None
            if (attempt := item.attempt or converted) is not None:
                return attempt
    return None


def _what(group: Group) -> str:
    if group.path == "forklift":
        return "Forklift does not rerun a Plan that has succeeded"
    return "its VMs run in the target, and their volumes would be converted again"
