"""A VM's environment, from attributes, folders, pools, clusters and names, clearest first."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

from vmferry.estate.words.conventions import NONE, Conventions
from vmferry.estate.words.vocabulary import (
    ATTRIBUTE_WORDS,
    DEV_CODES,
    DEV_STEMS,
    DEV_WORDS,
    ENVIRONMENT_ATTRIBUTES,
    ENVIRONMENTS,
    NOT,
    PROD_CODES,
    PROD_STEMS,
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
"""Prefixes of `test` in words that are not about tests: contest, latest, protest, attest, detest, greatest."""


class Said(NamedTuple):
    """Evidence of an environment, and whether it is not production."""

    dev: bool
    word: str
    dimension: Dimension
    value: str
    """What a rule would match: tag, NAME\\0VALUE of an attribute, path or cluster."""
    learned: str = ""

    @property
    def why(self) -> str:
        """Return the evidence in words."""
        if self.learned:
            return self.learned
        return f"{self.word!r} in the {_LABELS.get(self.dimension, self.dimension.removesuffix('s'))}"


@lru_cache(maxsize=16384)
def words(text: str) -> tuple[str, ...]:
    """Return the words of a name: split at anything but letters, between letters and digits, at capitals."""
    parts = re.split(r"[\W_]+", _CAMEL.sub(" ", text))
    found = [part.lower() for part in parts if part]
    bare = [piece for part in found for piece in re.findall(r"[^\W\d_]+", part)]
    return tuple(dict.fromkeys([*found, *bare]))


def said(vm: VirtualMachine, conventions: Conventions = NONE) -> Said | None:
    """Return the first evidence of a VM's environment, if any.

    Names are searched for words first, then at this estate's place for the environment.
    """
    for dimension, value, texts in _places(vm):
        if dimension == "cluster" and (hint := conventions.environment(vm.name)) is not None:
            return Said(hint.value == "dev-test", hint.code, "name", "", hint.why)
        found = _verdict(texts, dimension)
        if found is not None:
            dev, word, text = found
            return Said(dev, word, dimension, text if value is None else value)
    return None


def _places(vm: VirtualMachine) -> Iterable[tuple[Dimension, str | None, tuple[str, ...]]]:
    """Yield possible places of an environment: what a rule would match, and the texts.

    In a path the deepest part counts, and the rule matches up to there: the value is None then. An attribute counts by
    its name, or by an unambiguous value: PROD in column Klasse.
    """
    for tag in vm.tags:
        yield "tags", tag, (tag,)
    for name, text in sorted(vm.custom_attributes.items()):
        of_something_else = all(word in ATTRIBUTE_WORDS for word in words(name))  # as Owner: Development
        if _asks(name) or (is_environment(text) and not of_something_else):
            yield "customAttributes", f"{name}\0{text}", (text,)
    yield "folder", None, _upward(vm.folder)
    yield "resourcePool", None, _upward(vm.resource_pool)
    yield "name", "", (vm.name,)
    yield "cluster", vm.cluster or "", (vm.cluster or "",)  # production hosts also run everything else


def _asks(attribute: str) -> bool:
    """Return whether an attribute's name means the environment."""
    return any(word in ENVIRONMENT_ATTRIBUTES for word in words(attribute))


def is_environment(text: str) -> bool:
    """Return whether a text is an environment and nothing else: `PROD`, `Vorproduktion`, `non-prod`."""
    own = re.split(r"[\W_]+", text.casefold().strip())
    pair = len(own) == 2 and own[0] in NOT and own[1] in ENVIRONMENTS
    return pair or (len(own) == 1 and own[0] in ENVIRONMENTS)


def _upward(path: str | None) -> tuple[str, ...]:
    """Return a path and those above it, the longest first; each is judged by its last part."""
    parts = (path or "").split("/")
    return tuple(p for p in ("/".join(parts[:n]) for n in range(len(parts), 0, -1)) if p.strip("/"))


def _verdict(texts: tuple[str, ...], dimension: Dimension) -> tuple[bool, str, str] | None:
    """Return whether the first text with a verdict means development, with the word and the text."""
    for text in texts:
        own = text.rpartition("/")[2]
        found = _read(own)
        if found is None and dimension == "customAttributes":
            found = _code(own)
        if found is None and dimension == "name" and not any(map(_prod, words(own))) and (glued := _glued(text)):
            found = True, glued
        if found is not None:
            return *found, text
    return None


def _read(text: str) -> tuple[bool, str] | None:
    """Return whether a text means development, with the word; None if it means neither, or both."""
    own = words(text)
    dev = next((word for word in own if _dev(word)), None)
    prod = next((word for word in own if _prod(word)), None)
    if prod is not None and (before := _before(prod, text)) in NOT:
        return True, f"{before} {prod}"
    return (dev is not None, dev or prod or "") if (dev is None) != (prod is None) else None


def _before(word: str, text: str) -> str:
    own = ["", *(part.lower() for part in re.findall(r"[^\W\d_]+", _CAMEL.sub(" ", text)))]
    return own[own.index(word) - 1] if word in own else ""


def _dev(word: str) -> bool:
    return word in DEV_WORDS or DEV_STEMS.match(word) is not None


def _prod(word: str) -> bool:
    return word in PROD_WORDS or PROD_STEMS.match(word) is not None


def _code(text: str) -> tuple[bool, str] | None:
    """Return the meaning of a code in a column for environments: P, or T2."""
    own = [word for word in words(text) if not any(map(str.isdigit, word))]
    if len(own) != 1 or (own[0] in DEV_CODES) == (own[0] in PROD_CODES):
        return None
    return own[0] in DEV_CODES, own[0]


def _glued(name: str) -> str | None:
    """Return the word for tests that a name ends in without a separator, as in wqtestdev01 or ERPQA2."""
    tail = re.fullmatch(r".*?([a-z]+)[0-9]*[a-z]?", name, re.IGNORECASE)
    for run in (tail[1], *re.findall(r"([a-zA-Z]+)[0-9]+[a-z]?$", name)) if tail else ():
        match = _GLUED.fullmatch(run)
        if match is not None and match["lead"].lower() not in _ENGLISH:
            return match["word"].lower()
    return None
