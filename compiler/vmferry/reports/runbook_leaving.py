"""The steps of phases of kind decommission in the runbook: from the decision to what is deleted by hand."""

from collections.abc import Iterator
from shlex import quote

from msgspec import Struct

from vmferry.estate.contacts import Role, contacts_of_phase
from vmferry.estate.decommission.takes import is_whole, named, takes_of
from vmferry.model.review import Review
from vmferry.model.spec import Phase, TakingState
from vmferry.reports.runbook_steps import DECISION, Step, When

_STATES: tuple[TakingState, ...] = ("planned", "started", "done")
_AS_IT_WAS = "none: nothing has changed"
_NO_WAY_BACK = "there is no way back"

_Action = tuple[TakingState, Role, str, str | None, str, str]
"""The state that it leads to, who does it, what, its command, what is expected, and what going back costs."""


class LeavingPlan(Struct, frozen=True, kw_only=True):
    """The execution plan of a phase of kind decommission."""

    phase: str
    state: TakingState
    takes: tuple[str, ...]
    windows: tuple[str, ...]
    steps: tuple[Step, ...]


def leaving_plans(review: Review) -> Iterator[LeavingPlan]:
    """Yield the plans of the phases that take hosts out of vSphere, in the order of the spec."""
    for phase in review.spec.phases:
        if phase.kind == "decommission":
            yield LeavingPlan(
                phase=phase.name,
                state=phase.state,
                takes=tuple(map(named, takes_of(phase, review.spec))),
                windows=tuple(f"{window.start} for {window.duration}" for window in phase.windows),
                steps=tuple(_steps(phase, review)),
            )


def _steps(phase: Phase, review: Review) -> Iterator[Step]:
    reach = contacts_of_phase(phase, review.spec)
    now = _STATES.index(phase.state)
    for number, (state, owner, what, command, expected, back) in enumerate(_actions(phase, review), 1):
        rank = _STATES.index(state) if not what.startswith(_BY_HAND) else len(_STATES)
        when: When = "done" if rank <= now else "next" if rank == now + 1 else "later"
        yield Step(
            number=number,
            stage=state,
            owner=owner,
            decision=what.startswith(DECISION),
            contacts=reach.get(owner, ()),
            what=what,
            command=command,
            expected=expected,
            state=when,
            outage=back,
            data=back,
        )


_BY_HAND = "By hand, "


def _actions(phase: Phase, review: Review) -> Iterator[_Action]:
    """Yield what people do: before the first host goes, host by host, and once all are gone."""
    spec, takes = quote(review.project.given or "migration/"), takes_of(phase, review.spec)
    report = f"vmferry report decommission {spec}"
    what = f"{DECISION}nothing needs these hosts any more: groups are validated, dual runs and business cycle are over."
    yield "started", "application", what, report, "all sign off, and no VM is left that must stay", _AS_IT_WAS
    what = f"Pull request: `state: started` in phase {phase.name}. Merge it before the first host goes."
    yield "started", "platform", what, f"vmferry check {spec}", "no VMF452 to VMF456", _AS_IT_WAS
    what = (
        "Take out host by host, in the order of the report and inside the windows: into maintenance mode, off, out of "
        "vCenter. The script takes the hosts you name, and leaves alone any with a VM on it."
    )
    back = "install ESXi again on what was taken out"
    yield "done", "vSphere", what, f"{report} --format sh > hosts.sh", "each host is empty before it goes", back
    if any(taken.as_node for taken in takes):
        what = "Install the hosts with `asNode` as nodes of the target cluster, before the phase that needs them."
        yield "done", "platform", what, None, "the nodes are Ready, and listed in target.cluster.nodes", back
    whole = [taken.source for taken in takes if is_whole(taken)]
    what = f"Pull request: `state: done` in phase {phase.name}."
    if whole:
        what += f" Provider, maps, Plans and credentials of {', '.join(whole)} leave the sync; VMs and their data stay."
    yield "done", "platform", what, f"vmferry check {spec}", "no VMF461, and the sync succeeds", _NO_WAY_BACK
    yield "done", "vSphere", "Cancel the licences that fall away.", report, "cancelled or not renewed", _NO_WAY_BACK
    if whole:
        space = quote(review.blueprint.forklift.namespace)
        what = (
            f"{_BY_HAND}once nothing is to go back to, delete what is left of {', '.join(whole)}: first Plans, then "
            "maps, then the Provider and its Secret. With a Plan, Forklift deletes its volumes that no VM owns: look "
            "for such volumes first."
        )
        command = f"kubectl -n {space} get plans,networkmaps,storagemaps,providers,secrets"
        yield "done", "platform", what, command, "nothing of this migration is listed", _NO_WAY_BACK
