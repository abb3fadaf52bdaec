"""Reads and writes evidence.yaml: new entries beside those that are there."""

import errno
from pathlib import Path

from vmferry import files
from vmferry.cache import Cache
from vmferry.check import Checked, check
from vmferry.estate.integrity import judged
from vmferry.load.generated import EVIDENCE
from vmferry.model.evidence import Entry, Evidence
from vmferry.model.finding import SpecError, UnreadableError
from vmferry.observe.observe import added, merged, render
from vmferry.yaml.text import MAX_BYTES


def checked_spec(spec: Path, assignments: Path | None, cache: Cache) -> Checked:
    """Return a spec that has no errors of its own; rules do not matter here. Raises SpecError."""
    checked = check(spec, assignments, cache=cache, reasons=False, brief=True)
    if not checked.complete:
        raise SpecError(*(finding for finding in checked.findings if finding.is_error))
    return checked


class EvidenceFile:
    """The evidence of a migration in its file. Others may write to it as well, so it is read before each change."""

    def __init__(self, checked: Checked) -> None:
        self.path = Path(checked.project.evidence_file)
        self._name = checked.project.spec.metadata.name
        self._groups = checked.resolution.blueprint.groups

    def add(self, entries: tuple[Entry, ...], *, dry: bool = False) -> tuple[Entry, ...]:
        """Add what the file lacks of these entries, and return that; ``dry`` writes nothing. Raises SpecError."""
        evidence = self._read()
        news = added(evidence, judged(entries, self._groups, evidence))
        if news and not dry:
            path = self.path.resolve() if self.path.is_symlink() else self.path
            content = render(merged(evidence, self._name, news))
            if len(content) > MAX_BYTES:  # nobody could load it
                raise OSError(errno.EFBIG, f"it would be larger than {MAX_BYTES >> 20} MiB", str(self.path))
            files.replace(path, content)
        return news

    def _read(self) -> Evidence | None:
        """Return what the file contains now; None if there is none."""
        try:
            raw = files.read(self.path.resolve(), MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        text = raw.decode("utf-8", errors="replace")
        evidence, findings = EVIDENCE.read(raw, str(self.path), text)
        if findings:
            raise UnreadableError(findings, {str(self.path): text})
        return evidence
