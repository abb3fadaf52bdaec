"""Verifies a compiled tree: every root builds, and schemas, references, patches and locks agree with it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from vmferry.estate.network_map import INVALID_NETWORK
from vmferry.kube.kinds import NAD
from vmferry.kube.limits import MAX_RESOURCES, ROOT_TOO_LARGE
from vmferry.kube.nad import check_config
from vmferry.layout.compiled import FILE_IN_THE_WAY, Tree, open_tree
from vmferry.layout.locks import INVALID_LOCK
from vmferry.layout.objects import Issue, Key, is_object, key_of, parse
from vmferry.model.finding import Finding, Where
from vmferry.model.manifest import KubeObject
from vmferry.model.rule import Rule
from vmferry.verify.entries import Entry, check_entries, entries
from vmferry.verify.kustomize import BUILD_FAILS, Build, build_all
from vmferry.verify.owned import EXTERNAL, check_files
from vmferry.verify.patches import check_patches
from vmferry.verify.protection import check_protection
from vmferry.verify.references import Graph, qualified
from vmferry.verify.schemas import OBJECT_MISFIT, Schemas
from vmferry.verify.sharing import Sharing

Progress = Callable[[int, int], object]


class Report(Struct, frozen=True, kw_only=True):
    """What was verified, and what is wrong.

    ``roots`` counts the directories built, ``slowest`` is the one that took longest, ``seconds`` how long. An
    object that several roots build counts once in ``checked`` (by apiVersion and kind; held against a schema)
    and ``unchecked`` (by kind; no schema known). ``external`` has the names of what the tree needs and does
    not create, by kind; it stays empty while a root does not build.
    """

    tree: Path
    findings: tuple[Finding, ...]
    roots: int
    slowest: str
    seconds: float
    checked: dict[tuple[str, str], int]
    unchecked: dict[str, int]
    external: dict[str, tuple[str, ...]]


def verify(directory: Path, schemas: Sequence[Path], *, progress: Progress | None = None) -> Report:
    """Return what is wrong with the compiled tree in ``directory``.

    ``schemas`` are directories as `Schemas` takes them; ``progress`` is called with the number of roots built
    so far and of all. While a root does not build, what the tree as a whole refers to is not looked at.
    Raises SpecError: VMF603 without a tree, VMF605 without kustomize, VMF009 for schemas that cannot be used.
    """
    tree = open_tree(directory)
    verification = _Verification(tree, Schemas(schemas))
    roots = tree.roots() if verification.safe() else []
    slowest = Build("", 0.0, b"", None)
    for number, build in enumerate(build_all(tree.top, roots), start=1):
        slowest = max(slowest, build._replace(output=b""), key=lambda each: each.seconds)
        verification.take(build)
        if progress is not None:
            progress(number, len(roots))
    external = verification.finish()
    return Report(
        tree=tree.top,
        findings=tuple(verification.findings()),
        roots=len(roots),
        slowest=slowest.directory,
        seconds=slowest.seconds,
        checked=dict(sorted(Counter(verification.checked.values()).items())),
        unchecked=dict(sorted(Counter(key.kind for key in verification.unchecked).items())),
        external=external,
    )


class _Verification:
    """What has been seen of a tree so far; a root's objects are dropped once they were looked at."""

    def __init__(self, tree: Tree, schemas: Schemas) -> None:
        self.tree = tree
        self.schemas = schemas
        self.graph = Graph()
        self.sharing = Sharing()
        self.entries: list[Entry] = []
        self.contents: dict[str, list[Key]] = {}
        self.issues: dict[Issue, None] = {}  # a base's mistake is met again in each overlay
        self.located: list[Finding] = []
        self.checked: dict[Key, tuple[str, str]] = {}
        self.unchecked: set[Key] = set()
        self.broken = False

    def safe(self) -> bool:
        """Return whether every file is one of this tree: kustomize would wait for a pipe, and read what links show."""
        for file, what in self.tree.strange():
            message = f"`{file}` is {what}; no root is built"
            self._report([Issue(FILE_IN_THE_WAY, message, "remove it: a tree holds files", file=file)])
            self.broken = True
        return not self.broken

    def take(self, build: Build) -> None:
        """Look at what one root builds."""
        if build.error is not None:
            self.broken = True
            self.located += build.error.findings
            return
        try:
            documents = parse(build.output)
        except ValueError as error:
            self.broken = True
            remedy = "look for text that only looks like YAML in the root's local/ component"
            self._of_root(build, BUILD_FAILS, f"the output of kustomize is not YAML: {error}", remedy)
            return
        objects = [document for document in documents if is_object(document)]
        if len(objects) < len(documents):
            remedy = "give every document apiVersion, kind and metadata.name"
            self._of_root(build, OBJECT_MISFIT, "the root holds a document that is no object with a name", remedy)
        if len(objects) > MAX_RESOURCES:
            message = f"the root holds {len(objects)} resources; at most {MAX_RESOURCES} build in good time"
            self._of_root(
                build, ROOT_TOO_LARGE, message, "take resources out of its local/ component into a root of their own"
            )
        self.contents[build.directory] = [key_of(obj) for obj in objects]
        for obj in objects:
            self._look_at(obj)
            self._report(check_protection(obj, build.directory, self.tree.kustomizations[build.directory].file))
        self._report(check_patches(self.tree, build.directory, objects))

    def finish(self) -> dict[str, tuple[str, ...]]:
        """Look at the tree as a whole, and return what others provide."""
        self.located += check_files(self.tree)
        self._report(self.sharing.check())
        if self.broken:
            return {}
        self._report(check_entries(self.tree, self.entries, self.contents))
        issues, external = self.graph.check(self._external())
        self._report(issues)
        return external

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong, by file and place."""
        found = [*self.located, *map(self.tree.locate, self.issues)]
        yield from sorted(found, key=_order)

    def _look_at(self, obj: KubeObject) -> None:
        key = key_of(obj)
        issues = self.schemas.check(obj)
        if issues is None:
            self.unchecked.add(key)
        else:
            self.checked[key] = (obj["apiVersion"], key.kind)
            self._report(issues)
        if (key.group, key.kind) == NAD.key:
            self._report(_check_network(obj, key))
        self.graph.add(obj)
        self.sharing.add(obj)
        self.entries += entries(obj)

    def _report(self, issues: Iterable[Issue]) -> None:
        self.issues.update(dict.fromkeys(issues))

    def _of_root(self, build: Build, rule: Rule, message: str, remedy: str) -> None:
        file = self.tree.kustomizations[build.directory].file
        self._report([Issue(rule, f"`{build.directory}`: {message}", remedy, file=file)])

    def _external(self) -> frozenset[tuple[str, str]]:
        """Return kind and name of what locks/external.txt lists, a line each: ``Kind namespace/name``."""
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


def _check_network(nad: KubeObject, key: Key) -> Iterator[Issue]:
    config = (nad.get("spec") or {}).get("config")
    for problem in check_config(config if isinstance(config, str) else "", qualified(key)):
        yield Issue(
            INVALID_NETWORK, f"{key}: {problem}", "correct spec.config, a JSON text", key=key, path=("spec", "config")
        )


def _order(finding: Finding) -> tuple[str, int, str, str, str]:
    where = finding.where or Where(file="")
    return (where.file, where.document, str(where.path), finding.code, finding.message)
