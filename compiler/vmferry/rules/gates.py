"""Gates: a group moves on when what the stage before should reach is recorded, and the record is never rewritten."""

import shlex
from collections import Counter
from collections.abc import Iterator

from vmferry.estate.gates import PERFORMANCE, Lack, gated, lacking, outage_begins, sentence, slower_or_unknown
from vmferry.estate.history import History
from vmferry.estate.network_map import network_map
from vmferry.estate.phases import ancestors
from vmferry.estate.statements import EVIDENCE_MISFIT
from vmferry.model.blueprint import Group
from vmferry.model.evidence import Entry
from vmferry.model.finding import Where
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import also, rule


@rule("VMF870", "error", "stage has no recorded success", needs="comparison", progress=True, groups=True)
def gate(review: Review) -> Iterator[Problem]:
    """A merge moves the group whether or not the stage before worked: the next one may stop a source that has no copy.

    evidence.yaml says what really happened. `vmferry observe` writes it from what `kubectl get` shows, and
    `vmferry sign` adds what only a person can say. `gates` of a phase, or of the settings, says when it is needed:
    `recorded` (the default) once the file exists, `required` always, `none` never.
    """
    if review.before is None:
        return
    evidence = review.project.evidence
    history = History(evidence)
    was = {group.name: group.stage for group in review.before.blueprint.groups}
    for group in review.blueprint.groups:
        before = was.get(group.name, "planned")
        if not gated(review.spec, group.phase, evidence):
            continue
        for lack in lacking(group, before, group.stage, history):
            if lack.need.what in ("replication", "before"):
                continue  # VMF878, VMF879
            yield Problem(
                f"group {group.name} goes from {before} to {group.stage}, but {sentence(lack)}",
                _remedy(review, group, lack),
                review.at("groups", group.name, "stage"),
                lack.vms or tuple(machine.name for machine in group.machines),
            )


def _remedy(review: Review, group: Group, lack: Lack) -> str:
    spec = shlex.quote(review.project.given or ".")
    sign = f"vmferry sign {spec} {group.name} --stage {lack.stage} --by NAME --note TEXT"
    if lack.need.what == "preflight":
        return (
            f"record what the cluster shows: `vmferry observe {spec} --watch`; if a test failed, fix what it says and "
            f"delete its Job, and it runs again; to move the group nevertheless: `{sign}`"
        )
    if lack.need.what == "check":
        return (
            f"record what the cluster shows: `vmferry observe {spec} --watch`; if a check failed, `vmferry status "
            f"{spec}` says why; to accept the group nevertheless: `{sign} --despite-checks`"
        )
    if lack.need.what == "performance":
        return (
            f"ask Prometheus `vmferry observe {spec} --queries`, and record its answers: `vmferry observe {spec} "
            f"--prometheus FILE`; `vmferry status {spec}` says who is slower; to accept the group nevertheless: "
            f"`{sign} --despite-performance`"
        )
    if lack.need.signed:
        return (
            f"record what the cluster shows: `vmferry observe {spec} --watch`; if a snapshot failed, delete it, and it "
            "is taken again; to accept the VMs without one, set acceptanceSnapshot: false in the phase"
        )
    if lack.need.what == "signOff":
        return f"record who accepts it: `{sign}`"
    return (
        f"record what the cluster shows: `vmferry observe {spec} --watch`, or --from a dump of `kubectl get -o json`; "
        f"if you know that it worked, sign it off: `{sign}`"
    )


@rule(
    "VMF895",
    "error",
    "earlier VMs are slower, or not compared yet",
    needs="comparison",
    progress=True,
    blueprint=True,
)
def waits(review: Review) -> Iterator[Problem]:
    """If the new platform is slower, every further group makes it worse, and the way back gets longer.

    In a phase with `performance`, the next group of the phase, and of phases after it, only goes out of service once
    all VMs that run there were compared with what they were in vSphere, and are not slower. A group that is rolled back
    holds up nobody, nor does one that moves in the same commit. Groups that are out of service already go on.
    """
    if review.before is None:
        return
    evidence = review.project.evidence
    was = {group.name: group for group in review.before.blueprint.groups}
    earlier = ancestors(review.blueprint.phases)
    moving = [
        group
        for group in review.blueprint.groups
        if outage_begins(group, was[group.name].stage if group.name in was else "planned")
    ]
    if not moving:
        return
    history = History(evidence)
    open_ = [
        (group, vms)
        for group in review.blueprint.groups
        if (old := was.get(group.name)) is not None
        and old.running
        and gated(review.spec, group.phase, evidence)
        and (vms := slower_or_unknown(group, history))
    ]
    spec = shlex.quote(review.project.given or ".")
    for group in moving:
        for other, vms in open_:
            if other.name != group.name and (other.phase == group.phase or other.phase in earlier[group.phase]):
                yield Problem(
                    f"group {group.name} goes on, but {sentence(Lack(other.stage, PERFORMANCE, vms))} ({other.name})",
                    f"record how they compare with vSphere: `vmferry observe {spec} --queries` and --prometheus; if "
                    "they are slower, docs/performance.md says what to look at; to go on nevertheless: "
                    f"`vmferry sign {spec} {other.name} --by NAME --note TEXT --despite-performance`",
                    review.at("groups", group.name, "stage"),
                    vms,
                )


@rule("VMF871", "error", "recorded evidence was changed", needs="comparison")
def rewritten(review: Review) -> Iterator[Problem]:
    """Evidence is a log: an entry that disappears or changes opens or closes a gate for what never happened.

    After a merge conflict in evidence.yaml, keep the entries of both sides.
    """
    before = review.before.project.evidence if review.before is not None else None
    if before is None:
        return
    now = review.project.evidence
    lost = Counter(before.entries) - Counter(now.entries if now is not None else ())
    if lost:
        first = next(iter(lost))
        count = lost.total()
        yield Problem(
            f"evidence.yaml lost {'an entry' if count == 1 else f'{count} entries'} of the other commit, such as "
            f"{_named(first)}",
            "restore evidence.yaml from git, and record again: entries are only added",
            review.project.where if now is None else _file(review),
        )


@rule("VMF872", "warning", "evidence names an unknown group, VM or network")
def unknown(review: Review) -> Iterator[Problem]:
    """Nothing counts an entry whose group, VM or network the migration does not have.

    The name is misspelt, or what it named is gone.
    """
    evidence = review.project.evidence
    if evidence is None:
        return
    groups = {group.name for group in review.blueprint.groups}
    networks = {row.name for row in network_map(review.spec.networks, review.project.where).rows}
    vms = {subject.key for subject in review.subjects} | {machine.key for _, machine in review.machines}
    for index, entry in enumerate(evidence.entries):
        place = _file(review).at("entries", index)
        if entry.group is None:
            if entry.network is not None and entry.network not in networks:
                yield Problem(
                    f"evidence names network {entry.network}, which does not exist",
                    "check the name; what is recorded of a network that is gone has no effect",
                    place.at("network"),
                )
        elif entry.group not in groups:
            yield Problem(
                f"evidence names group {entry.group}, which does not exist",
                "check the name; what is recorded of a group that is gone has no effect",
                place.at("group"),
            )
        elif entry.vm is not None and entry.vm not in vms:
            yield Problem(
                f"evidence names VM {entry.vm}, which does not exist",
                "check the key; what is recorded of a VM that is gone has no effect",
                place.at("vm"),
            )


@also(EVIDENCE_MISFIT)
def foreign(review: Review) -> Iterator[Problem]:
    """Yield a problem if the evidence is of another migration."""
    evidence, name = review.project.evidence, review.spec.metadata.name
    if evidence is not None and evidence.metadata.name != name:
        yield Problem(
            f"evidence.yaml belongs to migration {evidence.metadata.name}, not {name}",
            "move it back to its migration; this one starts without evidence",
            _file(review).at("metadata", "name"),
        )


def _file(review: Review) -> Where:
    """Return the place of evidence.yaml."""
    return Where(file=review.project.evidence_file)


def _named(entry: Entry) -> str:
    of = f"{entry.about}/{entry.name or entry.vm}" if entry.vm is not None else entry.about
    return f"{entry.what} {entry.outcome} of {of}"
