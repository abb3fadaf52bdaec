"""From a file, a directory or standard input to a Project: the spec and everything that belongs to it."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from vmferry import files
from vmferry.cache import Cache
from vmferry.estate.statements import UNREADABLE_FILE
from vmferry.layout.names import ADOPTED, ASSIGNMENTS, EVIDENCE, GENERATED
from vmferry.load import generated, include, parsed
from vmferry.load.inventory import merge
from vmferry.load.trail import Tracker
from vmferry.load.validate import convert, may_be_secret, settle
from vmferry.model.adopted import AdoptedMachines
from vmferry.model.base import API_VERSION
from vmferry.model.finding import Finding, SpecError, UnreadableError, Where
from vmferry.model.inventory import Inventory
from vmferry.model.project import Entry, Project
from vmferry.model.rule import declare
from vmferry.model.spec import Credentials, MigrationSpec, VirtualMachineSet
from vmferry.yaml.positions import line_text
from vmferry.yaml.read import Document, read
from vmferry.yaml.text import MAX_BYTES, readable

STDIN = "<stdin>"
T = TypeVar("T")

_TYPES: dict[str, type[MigrationSpec | VirtualMachineSet | Inventory]] = {
    "MigrationSpec": MigrationSpec,
    "VirtualMachineSet": VirtualMachineSet,
    "Inventory": Inventory,
}


def load(
    spec: Path,
    assignments: Path | None = None,
    *,
    undecided: bool = False,
    cache: Cache | None = None,
    instead: Mapping[str, bytes] | None = None,
) -> Project:
    """Return the project at ``spec``: a file, a directory, or ``-`` for standard input.

    A directory stands for the YAML files directly in it; ``include`` adds others below it. ``assignments`` defaults to
    assignments.yaml beside the spec; the evidence is beside them. With ``undecided``, `TODO` instead of a value is not
    raised but added to the project's findings, and a valid value replaces it. Files that are in the ``cache`` are not
    read again. ``instead`` has the content that files would have, by path. Raises SpecError with all findings if
    anything cannot be read or does not fit its schema.
    """
    reading = _Reading(root=spec if spec.is_dir() else spec.parent, cache=cache, instead=instead)
    if str(spec) == "-":
        reading.tracker.uncertain()
        reading.document(STDIN, sys.stdin.buffer.read(MAX_BYTES + 1), strict=True)
    elif spec.is_dir():
        for name in reading.names(spec):
            if name not in GENERATED and name.endswith((".yaml", ".yml")) and not name.startswith("."):
                reading.neighbour(spec / name)
    else:
        reading.file(spec, strict=True, named=True)
    reading.includes()
    beside = assignments is None
    if assignments is None and str(spec) != "-":
        assignments = reading.root / ASSIGNMENTS
    project = reading.project(assignments, beside=beside, given=str(spec))
    if project.findings and not undecided:
        raise UnreadableError(project.findings, project.texts)
    return project


UNKNOWN_KIND = declare(
    "VMF011",
    "error",
    "unknown apiVersion or kind",
    why="A file with a typo in these two lines would be skipped as another tool's file, and every VM in it with it. A "
    "version that this vmferry does not know may give the same fields another meaning.",
)


def read_inventories(path: Path) -> tuple[Inventory, ...]:
    """Return the inventory at ``path``: one file, or every YAML file below a directory.

    Raises SpecError with all findings if anything cannot be read, or is not an inventory.
    """
    reading = _Reading(root=path if path.is_dir() else path.parent)
    if path.is_dir():
        reading.below(path)
    else:
        reading.file(path, strict=True, named=True)
    if reading.specs or reading.sets:
        where = (reading.specs or reading.sets)[0][1]
        reading.findings.append(UNKNOWN_KIND.finding("this is not an inventory", where=where.at("kind")))
    if not reading.inventories and not reading.findings:
        message = f"no inventory in {path}"
        reading.findings.append(UNKNOWN_KIND.finding(message, where=Where(file=str(path))))
    if reading.findings:
        raise UnreadableError(reading.findings, reading.texts)
    return tuple(inventory for inventory, _ in reading.inventories)


def attachments_of(project: Project, contents: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the opaque files that a project's spec names, of the ``contents`` of all its files by path."""
    given = Path(project.given)
    root = given if given.is_dir() else given.parent
    names = {name for name, _ in _named_files(project.spec, project.where)}
    return {name: _opaque(root / name, contents[path]) for name in names if (path := str(root / name)) in contents}


def documents_of(name: str, raw: bytes, cache: Cache) -> list[tuple[int, parsed.Value]] | None:
    """Return the documents of one file, by their place in it; None if there is anything to say about it."""
    reading = _Reading(root=Path(), cache=cache)
    reading.document(name, raw, strict=True)
    if reading.findings or reading.undecided:
        return None
    found: dict[int, parsed.Value] = {}
    for values in (reading.specs, reading.sets, reading.inventories):
        found |= {where.document: value for value, where in values}
    return sorted(found.items())


NOT_ONE_SPEC = declare(
    "VMF012",
    "error",
    "not exactly one MigrationSpec",
    why="A directory is one migration with one target and one set of phases. With two specs in it, nobody could say "
    "which VMs belong to which; with none, there is nothing to compile.",
)
EMPTY_INCLUDE = declare(
    "VMF018",
    "error",
    "include matches no file",
    why="The glob is misspelt, or its files are missing from the checkout. The VMs in them would be left behind "
    "unnoticed.",
)


def by_content(entry: Entry) -> tuple[str, str, str]:
    """Return what entries are sorted by: not their file, whose name must not matter."""
    return entry.vm.source or "", entry.vm.name, entry.vm.id or ""


class _Reading:
    """Collects documents and findings while files are read."""

    def __init__(self, root: Path, cache: Cache | None = None, instead: Mapping[str, bytes] | None = None) -> None:
        self.root = root
        self.instead = instead or {}
        self.cache = cache or Cache(enabled=False)
        self.tracker = Tracker()
        self.findings: list[Finding] = []
        self.undecided: list[Finding] = []
        self.texts: dict[str, str] = {}
        self.skipped: list[str] = []
        self.seen: set[Path] = set()
        self.specs: list[tuple[MigrationSpec, Where]] = []
        self.sets: list[tuple[VirtualMachineSet, Where]] = []
        self.inventories: list[tuple[Inventory, Where]] = []
        self.failed_spec = False  # there was a MigrationSpec, but it did not fit its schema

    def file(self, path: Path, *, strict: bool, named: bool = False) -> None:
        """Read one file once, however many globs match it. ``named``: by the caller, who may pass a pipe."""
        real = Path(os.path.realpath(path))
        if real in self.seen:
            return
        self.seen.add(real)
        raw = self._bytes(path, named=named)
        if raw is not None:
            self.document(str(path), raw, strict=strict)

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder, sorted."""
        with os.scandir(folder) as items:
            entries = list(items)
        self.tracker.folder(folder, entries)
        return sorted(entry.name for entry in entries)

    def below(self, path: Path) -> None:
        """Read every YAML file below a directory."""
        found = include.find(path, "**/*.yaml")
        for obstacle in found.obstacles:
            self.findings.append(_obstructed(obstacle, Where(file=str(obstacle.path))))
        for file in found.paths:
            self.file(file, strict=True)

    def neighbour(self, path: Path) -> None:
        """Read one file of the spec's directory, which may also contain other tools' files."""
        where = Where(file=str(path))
        if path.name.startswith(".#"):
            return
        try:
            self._inside(path, path.name, where)
        except SpecError as error:
            self.findings += error.findings
            self.failed_spec = True
        else:
            self.file(path, strict=False)

    def _bytes(self, path: Path, *, named: bool = False) -> bytes | None:
        """Return the content of a file; only of a regular file, unless it was named explicitly."""
        if str(path) in self.instead:
            self.tracker.uncertain()
            return self.instead[str(path)]
        try:
            raw = (
                files.read_named(path, MAX_BYTES + 1)
                if named
                else files.read(Path(os.path.realpath(path)), MAX_BYTES + 1)
            )
        except OSError as error:
            message = f"cannot read {path}: {error.strerror}"
            fix = (
                "pass a spec file, or the directory that contains it"
                if named
                else "put a regular file in its place that you may read, or remove it"
            )
            self.findings.append(UNREADABLE_FILE.finding(message, fix, where=Where(file=str(path))))
            return None
        self.tracker.file(path, raw)
        return raw

    def document(self, name: str, raw: bytes, *, strict: bool) -> None:
        """Read the documents of one file. ``strict``: other tools' files are not allowed here."""
        self.texts[name] = readable(raw)
        known = parsed.recall(raw, self.cache)
        if known is not None:
            for index, value in known:
                self._take(value, Where(file=name, document=index))
            return
        before = self._count()
        try:
            documents = read(raw, name)
        except SpecError as error:
            self.findings += [_discreet(finding, self.texts[name]) for finding in error.findings]
            self.failed_spec = True
            return
        values = [
            (document.index, self._one(document, strict=strict)) for document in documents if document.data is not None
        ]
        if self._count() == before:  # nothing about it has to be said
            parsed.remember(raw, ((index, value) for index, value in values if value is not None), self.cache)

    def _count(self) -> int:
        return len(self.findings) + len(self.undecided) + len(self.skipped)

    def _one(self, document: Document, *, strict: bool) -> parsed.Value | None:
        where = Where(file=document.file, document=document.index)
        data = document.data
        if not isinstance(data, dict):
            self.findings.append(_not_ours(where, "is not a mapping"))
            return None
        version, kind = data.get("apiVersion"), data.get("kind")
        if version != API_VERSION or not isinstance(kind, str) or kind not in _TYPES:
            if not strict and isinstance(version, str) and isinstance(kind, str) and not _meant(version, kind):
                self.skipped.append(f"{document.file} ({kind})")
            else:
                self.findings.append(_wrong_kind(where, data))
                self.failed_spec = True
            return None
        text = self.texts[document.file]
        self.undecided += settle(data, _TYPES[kind], where, text)
        value, findings = convert(data, _TYPES[kind], where, text)
        self.findings += findings
        if value is None and kind == "MigrationSpec":
            self.failed_spec = True
        if value is not None:
            self._take(value, where)
        return value

    def _take(self, value: parsed.Value, where: Where) -> None:
        if isinstance(value, MigrationSpec):
            self.specs.append((value, where))
        elif isinstance(value, VirtualMachineSet):
            self.sets.append((value, where))
        else:
            self.inventories.append((value, where))

    def includes(self) -> None:
        """Read what the spec includes, never from outside its directory."""
        for spec, where in tuple(self.specs):
            for index, pattern in enumerate(spec.include):
                place = where.at("include", index)
                try:
                    for path in self._glob(pattern, place):
                        self.file(path, strict=True)
                except SpecError as error:
                    self.findings += error.findings

    def _glob(self, pattern: str, where: Where) -> list[Path]:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise SpecError(_leaves(pattern, where))
        try:
            found = include.find(self.root, pattern)
        except ValueError as error:
            message = f"include {_short(pattern)!r}: {error}"
            raise SpecError(EMPTY_INCLUDE.finding(message, where=where)) from None
        if found.obstacles:
            raise SpecError(*(_obstructed(obstacle, where) for obstacle in found.obstacles))
        for folder, entries in found.folders.items():
            self.tracker.folder(folder, entries)
        own = self.root / ADOPTED
        paths = [path for path in found.paths if path.name not in GENERATED and path.parent != own]
        for path in paths:
            self._inside(path, pattern, where)
        if not paths:
            raise SpecError(
                EMPTY_INCLUDE.finding(
                    f"include {_short(pattern)!r} matches no file",
                    f"globs are relative to {self.root}; use vms/**/*.yaml for every depth",
                    where=where,
                )
            )
        return paths

    def _inside(self, path: Path, text: str, where: Where) -> None:
        if not files.inside(path, self.root):
            raise SpecError(_leaves(text, where))

    def project(self, assignments: Path | None, *, beside: bool, given: str) -> Project:
        """Return the project, or raise SpecError with all findings.

        ``beside``: the assignments are in their default place, not named explicitly.
        """
        written = self._generated(assignments, generated.ASSIGNMENTS, beside=beside)
        evidence = assignments.with_name(EVIDENCE) if assignments is not None else None
        happened = self._generated(evidence, generated.EVIDENCE, beside=True)
        folder = self.root / ADOPTED if given != "-" else None
        adopted = self._adopted(folder) if folder is not None else {}
        if not self.specs and not self.failed_spec and not self.findings:
            message = f"no MigrationSpec in {self.root}"
            help_text = "write one with `vmferry init DIR`"
            self.findings.append(NOT_ONE_SPEC.finding(message, help_text, where=Where(file=str(self.root))))
        for spec, where in self.specs[1:]:
            message = f"a second MigrationSpec, {spec.metadata.name}; the first is in {self.specs[0][1].file}"
            self.findings.append(
                NOT_ONE_SPEC.finding(
                    message,
                    "one directory is one migration",
                    where=where.at("kind"),
                )
            )
        attachments = self._attachments()
        if self.findings:
            raise UnreadableError([*self.undecided, *self.findings], self.texts)
        spec, where = self.specs[0]
        entries = self._entries(spec, where)
        if self.findings:
            raise UnreadableError([*self.undecided, *self.findings], self.texts)
        entries.sort(key=by_content)
        return Project(
            spec=spec,
            where=where,
            entries=tuple(entries),
            inventories=tuple(inventory for inventory, _ in self.inventories),
            assignments=written,
            evidence=happened,
            evidence_file=str(evidence or ""),
            adopted=adopted,
            adopted_folder=str(folder or ""),
            given=given,
            attachments=attachments,
            texts=self.texts,
            skipped=tuple(self.skipped),
            findings=tuple(self.undecided),
            trail=self.tracker.trail(),
        )

    def _entries(self, spec: MigrationSpec, where: Where) -> list[Entry]:
        """Return every VM: of the spec, of its sets, and of the inventory."""
        entries = [Entry(vm=vm, where=where.at("vms", i)) for i, vm in enumerate(spec.vms)]
        for part, place in self.sets:
            entries += [Entry(vm=vm, where=place.at("vms", i)) for i, vm in enumerate(part.vms)]
        if self.inventories:
            entries, findings = merge(entries, self.inventories, [source.name for source in spec.sources])
            self.findings += findings
        return entries

    def _generated(self, path: Path | None, form: generated.Form[T], *, beside: bool) -> T | None:
        """Return a file of vmferry's own; None if there is none, or if it is broken, which is a finding."""
        if path is None:
            return None
        if not os.path.lexists(path):
            self.tracker.file(path, None)
            return None
        if path.is_symlink() and (beside or path.is_file()) and not files.inside(path, path.parent):
            self.findings.append(_leaves(path.name, Where(file=str(path))))
            return None
        raw = self._bytes(path, named=not beside)
        if raw is None:
            return None
        self.texts[str(path)] = raw.decode("utf-8", errors="replace")
        value, findings = form.read(raw, str(path), self.texts[str(path)])
        self.findings += findings
        return value

    def _adopted(self, folder: Path) -> dict[str, AdoptedMachines]:
        """Return the recorded VMs by file."""
        if not os.path.lexists(folder):
            self.tracker.file(folder, None)
            return {}
        if not folder.is_dir() or not files.inside(folder, self.root):
            self.findings.append(_leaves(folder.name, Where(file=str(folder))))
            return {}
        paths = [folder / name for name in self.names(folder) if name.endswith(".yaml")]
        found = {str(path): self._generated(path, generated.ADOPTED, beside=True) for path in paths}
        known = {path: value for path, value in found.items() if value is not None}
        self.findings += generated.unfit(known)
        return known

    def _attachments(self) -> dict[str, bytes]:
        """Read the opaque files that the spec names: secrets to copy, playbooks."""
        result: dict[str, bytes] = {}
        for spec, where in self.specs[:1]:
            for name, place in _named_files(spec, where):
                try:
                    result[name] = self._attachment(name, place)
                except SpecError as error:
                    self.findings += error.findings
        return result

    def _attachment(self, name: str, where: Where) -> bytes:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise SpecError(_leaves(name, where))
        path = self.root / name
        help_text = f"paths are relative to {self.root}"
        try:
            self._inside(path, name, where)
            content = files.read(Path(os.path.realpath(path)), MAX_BYTES + 1)
            self.tracker.file(path, content)
            if len(content) <= MAX_BYTES:
                return _opaque(path, content)
            message = f"{name} is larger than {MAX_BYTES // 2**20} MiB"
        except OSError as error:
            message = f"cannot read {name}: {error.strerror}"
        except ValueError as error:  # a zero byte in the name
            message = f"cannot read {name!r}: {error}"
        raise SpecError(UNREADABLE_FILE.finding(message, help_text, where=where))


def _opaque(path: Path, content: bytes) -> bytes:
    """Return a file as it is passed on: the same in every clone, whatever git does to line endings."""
    return content.replace(b"\r\n", b"\n") if path.suffix in (".yaml", ".yml") else content


def _discreet(finding: Finding, text: str) -> Finding:
    """Return a finding on YAML, without its quotes if its line may contain a secret."""
    span = finding.where.span if finding.where else None
    if span is None or not may_be_secret(line_text(text, span.line), span.column):
        return finding
    return replace(finding, message=re.sub("`[^`]*`", "…", finding.message), secret=True)


def _named_files(spec: MigrationSpec, where: Where) -> Iterator[tuple[str, Where]]:
    """Yield every file that a spec names, with the place of the reference."""
    for index, source in enumerate(spec.sources):
        place = where.at("sources", index, "vcenter")
        holders: list[tuple[Credentials | None, Where]] = [
            (source.vcenter.credentials, place.at("credentials")),
            (source.vcenter.conversion_credentials, place.at("conversionCredentials")),
        ]
        holders += [
            (host.credentials, place.at("hosts", i, "credentials")) for i, host in enumerate(source.vcenter.hosts)
        ]
        for credentials, at in holders:
            if credentials is not None and credentials.file is not None:
                yield credentials.file, at.at("file")
    for index, hook in enumerate(spec.hooks):
        if hook.playbook is not None:
            yield hook.playbook, where.at("hooks", index, "playbook")
    for index, scripts in enumerate(spec.scripts):
        for number, file in enumerate(scripts.files):
            yield file, where.at("scripts", index, "files", number)
    for index, check in enumerate(spec.checks):
        if check.file is not None:
            yield check.file, where.at("checks", index, *check.kinds[-1:])


def _meant(version: str, kind: str) -> bool:
    """Whether a document looks like one of vmferry's with a typo, which must not be skipped silently."""
    ours = (*_TYPES, "Assignments", "Evidence", "AdoptedMachines")
    return "ferry" in version.lower() or kind.lower() in {name.lower() for name in ours}


def _not_ours(where: Where, why: str) -> Finding:
    return UNKNOWN_KIND.finding(
        f"the document {why}",
        f"start it with apiVersion: {API_VERSION} and kind: MigrationSpec or VirtualMachineSet",
        where=where,
    )


def _wrong_kind(where: Where, data: dict[str, Any]) -> Finding:
    version, kind = data.get("apiVersion"), data.get("kind")
    field, got, wanted = ("apiVersion", version, API_VERSION) if version != API_VERSION else ("kind", kind, _either())
    message = f"`{field}` is {_short(repr(got))}" if field in data else f"`{field}` is missing"
    return UNKNOWN_KIND.finding(message, f"write {field}: {wanted}", where=where.at(field))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


def _obstructed(obstacle: include.Obstacle, where: Where) -> Finding:
    """Return the finding for a path that a glob could not read."""
    if obstacle.leaves:
        return _leaves(str(obstacle.path), where)
    return UNREADABLE_FILE.finding(
        f"cannot read {obstacle.path}: {obstacle.problem}",
        "fix or remove it: otherwise files below it would be silently skipped",
        where=where,
    )


def _either(names: Iterable[str] = _TYPES) -> str:
    return " or ".join(names)


PATH_LEAVES_SPEC = declare(
    "VMF008",
    "error",
    "path leaves the spec's directory",
    why="A spec is reviewed, checked and committed as one directory; a file from elsewhere could change without any "
    "of that. On a CI server, a pull request could read files it has no business reading.",
)


def _leaves(text: str, where: Where) -> Finding:
    return PATH_LEAVES_SPEC.finding(
        f"{text!r} leaves the spec's directory",
        "put the file below the directory of the spec; links that lead out are not followed",
        where=where,
    )
