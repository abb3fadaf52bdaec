"""Verifies a compiled tree: every root must build, and match schemas, references, patches and locks."""

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
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
from vmferry.verify.roots import Job, Outcome, Work, examine, files_of, inputs, listed, look, reopened
from vmferry.verify.schemas import Schemas
from vmferry.verify.sharing import Sharing
from vmferry.verify.whole import Across, Gathering, Whole, digests_of, recall, remember

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
    looking = _Looking(work, locks, kustomize, cache, progress, len(roots))
    known = recall(tree, kustomize, work.schemas, cache) if roots else None
    across = _again(known, looking, verification) or _anew(roots, looking, verification)
    verification.report(across.issues)
    verification.located += check_files(tree, locks)
    tree.notes.keep()
    slowest = max(looking.seconds, key=lambda root: looking.seconds[root], default="")
    return Report(
        tree=tree.top,
        findings=tuple(verification.findings()),
        roots=len(roots),
        built=len(looking.seconds),
        slowest=slowest,
        seconds=looking.seconds.get(slowest, 0.0),
        checked={(version, kind): number for version, kind, number in across.checked},
        unchecked=across.unchecked,
        external=across.external,
    )


def _again(whole: Whole | None, looking: "_Looking", verification: "_Verification") -> Across | None:
    """Return what is found across roots after few files changed; None if all have to be compared again."""
    if whole is None:
        return None
    tree = looking.work.tree
    digests = digests_of(tree)
    touched = whole.touched(tree, digests)
    if touched is None:
        return None
    looking.known = dict(looking.at(touched))
    now = None if looking.failed else whole.after(looking.known, digests)
    if now is None:
        return None
    remember(tree, now, looking.cache)
    verification.report(issue for root in now.roots.values() for issue in root.issues)
    return now.across


def _anew(roots: Sequence[str], looking: "_Looking", verification: "_Verification") -> Across:
    """Look at all roots; return what is found across them."""
    gathering = Gathering(looking.work.tree, looking.kustomize)
    for root, card in looking.at(roots):
        verification.take(root, card)
        gathering.take(root, card, looking.files.get(root))
    for outcome in looking.failed:
        verification.fail(outcome)
    across = verification.across()
    if gathering.certain and not verification.broken:
        remember(looking.work.tree, gathering.whole(across), looking.cache)
    return across


class _Looking:
    """Looks at roots, each once: their cards are known from an earlier run, or made."""

    def __init__(
        self, work: Work, locks: Locks, kustomize: str, cache: Cache, progress: Progress | None, total: int
    ) -> None:
        self.work = work
        self.kustomize = kustomize
        self.cache = cache
        self.seconds: dict[str, float] = {}
        self.failed: list[Outcome] = []
        self.known: dict[str, Card] = {}  # those that were kept
        self.files: dict[str, Set[str]] = {}  # that roots read, where that is certain, and matters for the cache
        self._owned = locks.owned
        self._progress = progress
        self._total = total

    def at(self, roots: Sequence[str]) -> Iterator[tuple[str, Card]]:
        """Yield the cards of these roots; those that have none are in ``failed``."""
        tree, cache = self.work.tree, self.cache
        yield from self.known.items()
        looked = {*self.known, *(outcome.root for outcome in self.failed)}
        roots = [root for root in roots if root not in looked]
        found = {root: files_of(tree, root, self._owned) for root in roots} if cache.enabled else {}
        reads = {root: files for root, files in found.items() if files is not None}
        self.files |= reads
        keys = {root: inputs(tree, root, self.kustomize, files) for root, files in reads.items()}
        known = _current_schemas(cache.get(_CARDS, keys.values(), Card), self.work.schemas)
        yield from ((root, known[key]) for root, key in keys.items() if key in known)
        jobs = [Job(root, listed(tree, root, self._owned)) for root in roots if keys.get(root) not in known]
        for number, outcome in enumerate(_outcomes(self.work, jobs), start=self._total - len(jobs) + 1):
            self.seconds |= {outcome.root: outcome.seconds} if outcome.seconds else {}
            if outcome.card:
                if outcome.root in keys:
                    cache.put(_CARDS, {keys[outcome.root]: msgspec.Raw(outcome.card)})
                yield outcome.root, msgspec.msgpack.decode(outcome.card, type=Card)
            else:
                self.failed.append(outcome)
            if self._progress is not None:
                self._progress(number, self._total)


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


def _outcomes(work: Work, jobs: Sequence[Job]) -> Iterator[Outcome]:
    """Yield the result of each job, in order: many jobs are spread over processes, few over threads."""
    if len(jobs) >= _MANY:
        prepare = functools.partial(reopened, work.tree.top, work.tree.prefix, work.schemas.directories)
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
            self.report([Issue(FILE_IN_THE_WAY, message, "remove it: a tree holds files", file=file)])
            self.broken = True
        return not self.broken

    def fail(self, outcome: Outcome) -> None:
        """Add a root that has no card."""
        self.located += outcome.findings
        self.report(outcome.issues)
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
        self.report(card.issues)
        self.graph.join(card.links)
        self.sharing.join(card.uses)
        self.entries += card.entries

    def across(self) -> Across:
        """Return what is found across roots; of external objects nothing if any root does not build."""
        issues = [*self.sharing.check()]
        external: dict[str, tuple[str, ...]] = {}
        if not self.broken:
            issues += check_entries(self.tree, self.entries, self.contents)
            listed, unusable = self._external()
            dangling, external = self.graph.check(listed)
            issues += (*unusable, *dangling)
        checked = sorted(Counter(self.checked.values()).items())
        return Across(
            issues=tuple(issues),
            checked=tuple((version, kind, number) for (version, kind), number in checked),
            unchecked=dict(sorted(Counter(key.kind for key in self.unchecked).items())),
            external=external,
        )

    def findings(self) -> Iterator[Finding]:
        """Yield the findings, by file and place."""
        found = [*self.located, *map(self.tree.locate, self.issues)]
        yield from sorted(found, key=_order)

    def report(self, issues: Iterable[Issue]) -> None:
        """Add issues."""
        self.issues.update(dict.fromkeys(issues))

    def _external(self) -> tuple[frozenset[tuple[str, str]], tuple[Issue, ...]]:
        """Return kinds and names in locks/external.txt, which has lines ``Kind namespace/name``; and bad lines."""
        if EXTERNAL not in self.tree.files:
            return frozenset(), ()
        try:
            text = self.tree.read(EXTERNAL).decode(errors="replace")
        except OSError:
            return frozenset(), ()  # `check_files` finds it edited
        listed, issues = set(), []
        for number, line in enumerate(text.splitlines(), start=1):
            words = line.split()
            if len(words) == 2:
                listed.add((words[0], words[1]))
            elif words and not line.startswith("#"):
                message = f"line {number} of `{EXTERNAL}` is not `Kind namespace/name`"
                issues.append(Issue(INVALID_LOCK, message, "run vmferry compile", file=EXTERNAL))
        return frozenset(listed), tuple(issues)


def _order(finding: Finding) -> tuple[str, int, str, str, str]:
    where = finding.where or Where(file="")
    return (where.file, where.document, str(where.path), finding.code, finding.message)
