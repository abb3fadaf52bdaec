"""What was found in a whole tree, so that after an edit only the roots that read a changed file are looked at.

A root has a face: what is compared with other roots. While every face is as it was, so is what was found across roots.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec
from msgspec import Struct, structs

from vmferry.cache import Cache
from vmferry.layout.compiled import Tree
from vmferry.layout.names import KUSTOMIZATION_FILES
from vmferry.layout.objects import Issue
from vmferry.verify.card import Card
from vmferry.verify.owned import EXTERNAL
from vmferry.verify.schemas import Schemas

_KIND = "whole tree 2"
_SIZE = 16  # bytes of a file's digest


class Root(Struct, frozen=True, array_like=True):
    """A root: the files that it reads, by their number in the tree, and what its card says."""

    files: tuple[int, ...]
    face: bytes
    issues: tuple[Issue, ...]


class Across(Struct, frozen=True, kw_only=True):
    """What is found across roots: issues, objects by whether there was a schema, and needed external objects."""

    issues: tuple[Issue, ...]
    checked: tuple[tuple[str, str, int], ...]  # apiVersion and kind, and how many
    unchecked: dict[str, int]  # by kind
    external: dict[str, tuple[str, ...]]  # names by kind


class Whole(Struct, frozen=True, array_like=True):
    """A tree all of whose roots build, by the digests of its files."""

    listing: bytes
    digests: bytes
    roots: dict[str, Root]
    schemas: tuple[tuple[str, str, str], ...]  # identity of the schema of each apiVersion and kind
    across: Across

    def touched(self, tree: Tree, now: bytes) -> list[str] | None:
        """Return the roots that read a changed file; None if what is across roots may have changed as well.

        ``now`` are the digests of the tree's files.
        """
        changed = {
            number
            for number in range(len(tree.files))
            if now[number * _SIZE : (number + 1) * _SIZE] != self.digests[number * _SIZE : (number + 1) * _SIZE]
        }
        names = [tree.files[number] for number in changed]
        if any(name == EXTERNAL or name.rpartition("/")[2] in KUSTOMIZATION_FILES for name in names):
            return None
        return [root for root, each in self.roots.items() if not changed.isdisjoint(each.files)]

    def after(self, cards: Mapping[str, Card], now: bytes) -> "Whole | None":
        """Return what is found if files have these digests and some roots other cards; None for another face."""
        roots = dict(self.roots)
        for root, card in cards.items():
            if _face(card) != roots[root].face:
                return None
            roots[root] = structs.replace(roots[root], issues=card.issues)
        return structs.replace(self, digests=now, roots=roots)


def recall(tree: Tree, kustomize: str, schemas: Schemas, cache: Cache) -> Whole | None:
    """Return what was found in a tree with the same files, schemas and kustomize, whatever is in the files."""
    key = _key(tree)
    whole = cache.get(_KIND, [key], Whole).get(key)
    if whole is None or whole.listing != _listing(tree, kustomize):
        return None
    same = all(schemas.identity(version, kind) == identity for version, kind, identity in whole.schemas)
    return whole if same else None


def remember(tree: Tree, whole: Whole, cache: Cache) -> None:
    """Keep what was found in a tree."""
    cache.put(_KIND, {_key(tree): whole})


class Gathering:
    """Collects what is found, root by root. ``certain``: so far, each is certain to read no other files."""

    def __init__(self, tree: Tree, kustomize: str) -> None:
        self.certain = True
        self._tree = tree
        self._kustomize = kustomize
        self._numbers = {file: number for number, file in enumerate(tree.files)}
        self._roots: dict[str, Root] = {}
        self._schemas: set[tuple[str, str, str]] = set()

    def take(self, root: str, card: Card, files: Iterable[str] | None) -> None:
        """Add a root, with the files that it reads; None if that is uncertain, and then nothing is collected."""
        self.certain = self.certain and files is not None
        if files is not None and self.certain:
            numbers = sorted(self._numbers[file] for file in files)
            self._roots[root] = Root(tuple(numbers), _face(card), card.issues)
            self._schemas.update((version, kind, identity) for version, kind, identity, _ in card.schemas)

    def whole(self, across: Across) -> Whole:
        """Return what was found."""
        listing, digests = _listing(self._tree, self._kustomize), digests_of(self._tree)
        return Whole(listing, digests, self._roots, tuple(sorted(self._schemas)), across)


def _face(card: Card) -> bytes:
    return blake2b(msgspec.msgpack.encode(structs.replace(card, issues=())), digest_size=_SIZE).digest()


def _listing(tree: Tree, kustomize: str) -> bytes:
    names = "\0".join((kustomize, tree.prefix, *tree.files)).encode(errors="surrogateescape")
    return blake2b(names, digest_size=_SIZE).digest()


def digests_of(tree: Tree) -> bytes:
    """Return the digests of a tree's files, in order."""
    return b"".join(tree.notes.digest(file)[:_SIZE].ljust(_SIZE) for file in tree.files)


def _key(tree: Tree) -> bytes:
    return str(tree.top.absolute()).encode(errors="surrogateescape")
