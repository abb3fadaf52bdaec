"""Which environment a VM serves: what attributes, folders, pools, clusters and names say, the plainest first."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

from vmferry.inventory.vocabulary import (
    ATTRIBUTE_WORDS,
    DEV_WORDS,
    ENVIRONMENT_ATTRIBUTES,
    ENVIRONMENTS,
    INTEGRATION,
    PROD_WORDS,
)
from vmferry.model.spec import VirtualMachine

Dimension = Literal["tags", "customAttributes", "folder", "resourcePool", "cluster", "name"]

_LABELS = {"folder": "folder", "resourcePool": "resource pool", "customAttributes": "custom attribute"}
_CAMEL = re.compile(r"(?<=[a-zß-ÿ])(?=[A-Z])")
_GLUED = re.compile(
    r"(?P<lead>[a-z]*?)(?P<word>testdev|devtest|test|tst|dev|uat|qa|preprod|sandbox|staging|recette)", re.IGNORECASE
)
_ENGLISH = frozenset(("con", "la", "lat", "pro", "at", "de", "grea", "fas", "bigg", "high", "low", "bes", "old", "new"))
"""What stands before `test` in words that are not about tests: contest, latest, protest, attest, detest, greatest."""


class Said(NamedTuple):
    """What says which environment, and whether that is anything but production."""

    dev: bool
    word: str
    dimension: Dimension
    value: str
    """What a rule would match: tag, NAME\\0VALUE of an attribute, path or cluster."""

    @property
    def why(self) -> str:
        """Return the evidence in words."""
        return f"{self.word!r} in the {_LABELS.get(self.dimension, self.dimension.removesuffix('s'))}"


@lru_cache(maxsize=16384)
def words(text: str) -> tuple[str, ...]:
    """Return the words of a name: split at anything but letters, between letters and digits, at capitals."""
    parts = re.split(r"[\W_]+", _CAMEL.sub(" ", text))
    found = [part.lower() for part in parts if part]
    bare = [piece for part in found for piece in re.findall(r"[^\W\d_]+", part)]
    return tuple(dict.fromkeys([*found, *bare]))


def said(vm: VirtualMachine) -> Said | None:
    """Return the first thing that says what environment a VM belongs to; None where nothing does."""
    for dimension, value, texts in _places(vm):
        found = _verdict(texts, dimension)
        if found is not None:
            dev, word, text = found
            return Said(dev, word, dimension, text if value is None else value)
    return None


def _places(vm: VirtualMachine) -> Iterable[tuple[Dimension, str | None, tuple[str, ...]]]:
    """Yield where an environment may be said: what a rule would match, and the texts.

    Of a path the deepest part counts, and the rule matches up to there: the value is None then. An attribute says it
    by its name, or by a value that means nothing else: PROD in column Klasse.
    """
    for tag in vm.tags:
        yield "tags", tag, (tag,)
    for name, text in sorted(vm.custom_attributes.items()):
        plain = " ".join(re.findall(r"[^\W_]+", text)).casefold()
        of_something_else = all(word in ATTRIBUTE_WORDS for word in words(name))  # as Owner: Development
        by_value = plain in ENVIRONMENTS and not of_something_else
        if by_value or any(word in ENVIRONMENT_ATTRIBUTES for word in words(name)):
            yield "customAttributes", f"{name}\0{text}", (text,)
    yield "folder", None, _upward(vm.folder)
    yield "resourcePool", None, _upward(vm.resource_pool)
    if vm.cluster:
        yield "cluster", vm.cluster, (vm.cluster,)
    yield "name", "", (vm.name,)


def _upward(path: str | None) -> tuple[str, ...]:
    """Return a path and those above it, the longest first; each is judged by its last part."""
    parts = (path or "").split("/")
    return tuple(p for p in ("/".join(parts[:n]) for n in range(len(parts), 0, -1)) if p.strip("/"))


def _verdict(texts: tuple[str, ...], dimension: Dimension) -> tuple[bool, str, str] | None:
    """Return whether the first text with a verdict says development, with the word and the text."""
    for text in texts:
        own = words(text.rpartition("/")[2])
        dev = next((word for word in own if word in DEV_WORDS), None)
        if dev is None and dimension == "customAttributes" and INTEGRATION in own:
            dev = INTEGRATION  # in a name it means internal
        if dev is None and dimension == "name":
            dev = _glued(text)
        prod = next((word for word in own if word in PROD_WORDS), None)
        if (dev is None) != (prod is None):
            return dev is not None, dev or prod or "", text
    return None


def _glued(name: str) -> str | None:
    """Return the word for tests that a name ends in without a separator, as in wqtestdev01 or ERPQA2."""
    tail = re.fullmatch(r".*?([a-z]+)[0-9]*[a-z]?", name, re.IGNORECASE)
    for run in (tail[1], *re.findall(r"([a-zA-Z]+)[0-9]+[a-z]?$", name)) if tail else ():
        match = _GLUED.fullmatch(run)
        if match is not None and match["lead"].lower() not in _ENGLISH:
            return match["word"].lower()
    return None
