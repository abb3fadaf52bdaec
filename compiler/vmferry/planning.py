"""Puts a proposed schedule into the user's own file, if every rule accepts that."""

from pathlib import Path

from msgspec import Struct

from vmferry import files
from vmferry.advance import Before, Edit, rechecked
from vmferry.check import Checked, review
from vmferry.estate.timetable.proposal import Proposal, propose
from vmferry.model.finding import Finding
from vmferry.yaml.edit import Value, with_items, with_values
from vmferry.yaml.text import MAX_BYTES, encoded


class Planned(Struct, frozen=True):
    """What a proposal would change: the file with its new content, and what the rules say about it."""

    proposal: Proposal
    edit: Edit
    findings: tuple[Finding, ...]  # those that the proposal brings
    checked: Checked  # the spec after it

    @property
    def refused(self) -> bool:
        """Return whether any rule refuses it."""
        return any(finding.is_error for finding in self.findings)


def planned(before: Before) -> Planned:
    """Return the proposal for a spec. Raises CannotEditError if the file has to be edited by hand, and OSError."""
    checked = before.checked
    proposal = propose(review(checked.project, checked.resolution, now=before.now))
    edit = _edited(before, proposal)
    findings, after = rechecked(before, edit) if not proposal.empty else ((), checked)
    return Planned(proposal, edit, findings, after)


def _edited(before: Before, proposal: Proposal) -> Edit:
    project = before.checked.project
    path = Path(project.where.file)
    raw = files.read_named(path, MAX_BYTES + 1)
    text = raw.decode("utf-8-sig")
    for index, phase in enumerate(project.spec.phases):
        new = [{"start": each.start, "duration": each.duration} for each in proposal.windows.get(phase.name, ())]
        if new:
            text = with_items(text, project.where.document, ("phases", index, "windows"), new)
    values: dict[tuple[str, ...], Value] = {
        ("groups", name, "cutover"): time for name, time in proposal.cutovers.items()
    }
    if values:
        text = with_values(text, project.where.document, values)
    return Edit(path, encoded(text, raw))
