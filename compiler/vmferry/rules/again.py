"""Groups that migrate again, compared with another commit: a revert takes the record back with the spec."""

from collections.abc import Iterator

from vmferry.estate.again import MIGRATED_AGAIN, Run, misfits
from vmferry.model.blueprint import Group
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import also


@also(MIGRATED_AGAIN, groups=True)
def numbers(review: Review) -> Iterator[Problem]:
    """Yield groups whose numbers do not follow from those at the other commit."""
    was = {group.name: group for group in review.before.blueprint.groups} if review.before else {}
    for group in review.blueprint.groups:
        before = was.get(group.name) or was.get(group.split_from or "")
        for misfit in misfits(group.name, group.method, _run(before), _run(group)) if before else ():
            names = tuple(machine.name for machine in group.machines)
            yield Problem(misfit.message, misfit.fix, review.at("groups", group.name), names)


def _run(group: Group) -> Run:
    return Run(group.stage, group.attempt, group.remigrate, group.reached)
