"""Groups whose VMs belong to another repository."""

from collections.abc import Iterator
from shlex import quote

from vmferry.estate.stages import OWNED
from vmferry.model.blueprint import Group
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import rule


@rule("VMF885", "error", "group is graduated at a stage at which its VMs are not adopted", essential=True, groups=True)
def unowned(review: Review) -> Iterator[Problem]:
    """`graduated: true` takes the VMs of a group out of the tree, because another repository owns them.

    Only VMs that git owns can be handed over: those of a group that is adopted, validated or retired. Before that, its
    VMs would never start, and a roll-back would not stop them.
    """
    for group in review.blueprint.groups:
        if not group.graduated:
            continue
        if all(machine.golden for machine in group.machines) or group.path == "rebuild":
            yield _problem(review, group, "is graduated and has no VMs to hand over", "remove `graduated`")
        elif group.stage not in OWNED:
            fix = "remove `graduated`, and hand the VMs over at stage adopted"
            if group.stage == "rolled-back":
                fix = "remove `graduated`: rolled back, its VMs are synced from here, and stopped"
            yield _problem(review, group, f"is graduated and at stage {group.stage}", fix)


@rule("VMF886", "error", "group was graduated before it was adopted", needs="comparison", progress=True, groups=True)
def hasty(review: Review) -> Iterator[Problem]:
    """What is handed over must be protected in the cluster first: adopting does that, and needs a commit of its own.

    From `adopted` on, the VMs and their Services carry the annotations that keep Flux and Argo CD from deleting them.
    """
    was = {group.name: group for group in review.before.blueprint.groups} if review.before else {}
    for group in review.blueprint.groups if review.before else ():
        before = was.get(group.name) or was.get(group.split_from or "")
        stage = before.stage if before is not None else "planned"
        if group.graduated and group.stage in OWNED and stage not in OWNED:
            fix = (
                f"remove `graduated`, let stage {group.stage} sync, and then run "
                f"`vmferry graduate {quote(review.project.given or '.')} {group.name} --out DIR`"
            )
            yield _problem(review, group, f"is graduated, and was {stage} at the other commit", fix)


@rule("VMF887", "error", "graduated VMs were taken back", needs="comparison")
def taken_back(review: Review) -> Iterator[Problem]:
    """Two repositories would apply the same VMs, and each sync would undo what the other one changed.

    This is what reverting the commit of a graduation does. Nothing is deleted, but a VM whose team has given it more
    memory loses that at its next start. To take VMs back on purpose, such as for a roll-back, remove them from the
    other repository without pruning them, and suppress this finding with the reason.
    """
    was = (
        {machine.key: group for group in review.before.blueprint.groups for machine in group.machines}
        if (review.before)
        else {}
    )
    for group in review.blueprint.groups:
        if group.graduated or group.path == "rebuild":
            continue
        back = [machine.name for machine in group.machines if machine.key in was and was[machine.key].graduated]
        if back:
            fix = (
                "set graduated: true; if you take the VMs back on purpose, remove them from the other repository "
                "first, and suppress VMF887 with the reason"
            )
            yield _problem(review, group, f"takes VMs back that belong to another repository: {_some(back)}", fix, back)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _problem(review: Review, group: Group, what: str, fix: str, names: list[str] | None = None) -> Problem:
    vms = names if names is not None else [machine.name for machine in group.machines]
    path = ("groups", group.name, "graduated") if group.graduated else ("groups", group.name)
    return Problem(f"group {group.name} {what}", fix, review.at(*path), tuple(vms))
