"""Verifies a compiled tree: every root must build, and match schemas, references, patches and locks."""

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from vmferry import cores
from vmferry.cache import Cache
from vmferry.layout.compiled import FILE_IN_THE_WAY, Tree, open_tree
from vmferry.layout.locks import INVALID_LOCK
from vmferry.layout.objects import Issue, Key
from vmferry.model.finding import Finding, Where
from vmferry.verify.card import Card
from vmferry.verify.entries import Entry, check_entries
from vmferry.verify.kustomize import build_all, identity
from vmferry.verify.owned import EXTERNAL, Locks, check_files, read_locks
from vmferry.verify.references import Graph
from vmferry.verify.roots import Job, Outcome, Work, examine, inputs, listed, look, reopened
from vmferry.verify.schemas import Schemas
from vmferry.verify.sharing import Sharing

_CARDS = "cards of roots, 1"
_MANY = 48  # roots; fewer are checked before processes for them would have started
Progress = Callable[[int, int], object]


class Report(Struct, frozen=True, kw_only=True):
    """What was verified, and what is wrong.

    ``roots`` is the number of roots, ``built`` of those that kustomize built in this run, ``slowest`` is the slowest
    build and ``seconds`` its duration. An object that several roots build counts once in ``checked`` (by apiVersion and
    kind, with a schema) and ``unchecked`` (by kind, without one). ``external`` has the names of needed external
    objects, by kind; it stays empty if any root does not build.
    """

    tree: Path
    findings: tuple[Finding, ...]
    roots: int
    built: int
    slowest: str
    seconds: float
    checked: dict[tuple[str, str], int]
    unchecked: dict[str, int]
    external: dict[str, tuple[str, ...]]


def verify(
    directory: Path, schemas: Sequence[Path], *, progress: Progress | None = None, cache: Cache | None = None
) -> Report:
    """Return what is wrong with the compiled tree in ``directory``.

    ``schemas`` are directories as `Schemas` takes them; ``progress`` is called with the number of checked roots and of
    all roots. If any root does not build, references across the tree are not checked. A root whose files are unchanged
    since an earlier run is not checked again if its result is still in ``cache``. Raises SpecError: VMF603 without a
    tree, VMF605 without kustomize, VMF009 for schemas that cannot be used.
    """
    cache = cache or Cache(enabled=False)
    tree = open_tree(directory, cache)
    kustomize = identity()
    work = Work(tree, Schemas(schemas))
    locks = read_locks(tree)
    verification = _Verification(tree)
    roots = tree.roots() if verification.safe() else []
    keys = {root: inputs(tree, root, kustomize) for root in roots} if cache.enabled else {}
    known = _current_schemas(cache.get(_CARDS, keys.values(), Card), work.schemas)
    jobs = [Job(root, listed(tree, root, locks.owned)) for root in roots if keys.get(root) not in known]
    for root, key in keys.items():
        if key in known:
            verification.take(root, known[key])
    seconds: dict[str, float] = {}
    for number, outcome in enumerate(_outcomes(work, jobs, schemas), start=len(roots) - len(jobs) + 1):
        verification.note(outcome)
        seconds |= {outcome.root: outcome.seconds} if outcome.seconds else {}
        if outcome.card and cache.enabled:
            cache.put(_CARDS, {keys[outcome.root]: msgspec.Raw(outcome.card)})
        if progress is not None:
            progress(number, len(roots))
    external = verification.finish(locks)
    tree.notes.keep()
    slowest = max(seconds, key=lambda root: seconds[root], default="")
    return Report(
        tree=tree.top,
        findings=tuple(verification.findings()),
        roots=len(roots),
        built=len(seconds),
        slowest=slowest,
        seconds=seconds.get(slowest, 0.0),
        checked=dict(sorted(Counter(verification.checked.values()).items())),
        unchecked=dict(sorted(Counter(key.kind for key in verification.unchecked).items())),
        external=external,
    )


def _current_schemas(cards: dict[bytes, Card], schemas: Schemas) -> dict[bytes, Card]:
    """Return the cards whose objects were checked against the current schemas."""
    identities: dict[tuple[str, str], str] = {}

    def same(version: str, kind: str, identity: str) -> bool:
        if (version, kind) not in identities:
            identities[version, kind] = schemas.identity(version, kind)
        return identities[version, kind] == identity

    return {
        key: card
        for key, card in cards.items()
        if all(same(version, kind, identity) for version, kind, identity, _ in card.schemas)
    }


def _outcomes(work: Work, jobs: Sequence[Job], schemas: Sequence[Path]) -> Iterator[Outcome]:
    """Yield the result of each job, in order: many jobs are spread over processes, few over threads."""
    if len(jobs) >= _MANY:
        prepare = functools.partial(reopened, work.tree.top, work.tree.prefix, schemas)
        yield from cores.spread(look, jobs, work, prepare)
        return
    builds = build_all(work.tree.top, [job.root for job in jobs if job.listed is None])
    for job in jobs:
        yield look(work, job) if job.listed is not None else examine(work, next(builds))


class _Verification:
    """The collected data of a tree so far."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.graph = Graph()
        self.sharing = Sharing()
        self.entries: list[Entry] = []
        self.contents: dict[str, list[Key]] = {}
        self.issues: dict[Issue, None] = {}  # a base's mistake occurs again in each overlay
        self.located: list[Finding] = []
        self.checked: dict[Key, tuple[str, str]] = {}
        self.unchecked: set[Key] = set()
        self.broken = False

    def safe(self) -> bool:
        """Return whether every file belongs to this tree: kustomize would block on a pipe, and follow links."""
        for file, what in self.tree.strange():
            message = f"`{file}` is {what}; no root is built"
            self._report([Issue(FILE_IN_THE_WAY, message, "remove it: a tree holds files", file=file)])
            self.broken = True
        return not self.broken

    def note(self, outcome: Outcome) -> None:
        """Add the result of a root in this run."""
        self.located += outcome.findings
        self._report(outcome.issues)
        if outcome.card:
            self.take(outcome.root, msgspec.msgpack.decode(outcome.card, type=Card))
        else:
            self.broken = True

    def take(self, root: str, card: Card) -> None:
        """Add the card of a root."""
        known = {(version, kind): known for version, kind, _, known in card.schemas}
        self.contents[root] = [key for _, key in card.objects]
        for version, key in card.objects:
            if known[version, key.kind]:
                self.checked[key] = (version, key.kind)
            else:
                self.unchecked.add(key)
        self._report(card.issues)
        self.graph.join(card.links)
        self.sharing.join(card.uses)
        self.entries += card.entries

    def finish(self, locks: Locks) -> dict[str, tuple[str, ...]]:
        """Check the tree as a whole, and return the external objects."""
        self.located += check_files(self.tree, locks)
        self._report(self.sharing.check())
        if self.broken:
            return {}
        self._report(check_entries(self.tree, self.entries, self.contents))
        issues, external = self.graph.check(self._external())
        self._report(issues)
        return external

    def findings(self) -> Iterator[Finding]:
        """Yield the findings, by file and place."""
        found = [*self.located, *map(self.tree.locate, self.issues)]
        yield from sorted(found, key=_order)

    def _report(self, issues: Iterable[Issue]) -> None:
        self.issues.update(dict.fromkeys(issues))

    def _external(self) -> frozenset[tuple[str, str]]:
        """Return kinds and names in locks/external.txt, which has lines ``Kind namespace/name``."""
        if EXTERNAL not in self.tree.files:
            return frozenset()
        listed = set()
        try:
            text = self.tree.read(EXTERNAL).decode(errors="replace")
        except OSError:
            return frozenset()  # `check_files` finds it edited
        for number, line in enumerate(text.splitlines(), start=1):
            words = line.split()
            if len(words) == 2:
                listed.add((words[0], words[1]))
            elif words and not line.startswith("#"):
                message = f"line {number} of `{EXTERNAL}` is not `Kind namespace/name`"
                self._report([Issue(INVALID_LOCK, message, "run vmferry compile", file=EXTERNAL)])
        return frozenset(listed)


def _order(finding: Finding) -> tuple[str, int, str, str, str]:
    where = finding.where or Where(file="")
    return (where.file, where.document, str(where.path), finding.code, finding.message)
