"""Writes evidence.yaml: new entries beside those that are there."""

from pathlib import Path

from vmferry import files
from vmferry.cache import Cache
from vmferry.check import Checked, check
from vmferry.model.evidence import Entry, Evidence
from vmferry.model.finding import SpecError
from vmferry.observe.observe import added, merged, render


def checked_spec(spec: Path, assignments: Path | None, cache: Cache) -> Checked:
    """Return a spec that has no errors of its own; rules do not matter here. Raises SpecError."""
    checked = check(spec, assignments, cache=cache, reasons=False, brief=True)
    if not checked.complete:
        raise SpecError(*(finding for finding in checked.findings if finding.is_error))
    return checked


class EvidenceFile:
    """The evidence of a migration, in its file."""

    def __init__(self, checked: Checked) -> None:
        self.path = Path(checked.project.evidence_file)
        self._name = checked.project.spec.metadata.name
        self._evidence: Evidence | None = checked.project.evidence

    def news(self, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        """Return the entries that the file lacks."""
        return added(self._evidence, entries)

    def write(self, news: tuple[Entry, ...]) -> None:
        """Add entries. Without any, the file stays as it is."""
        if news:
            self._evidence = merged(self._evidence, self._name, news)
            files.replace(self.path.resolve() if self.path.is_symlink() else self.path, render(self._evidence))
