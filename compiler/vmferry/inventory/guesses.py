"""What names, folders, tags, guests and disks hint at: guesses, each with its reason."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

from vmferry.inventory.hints import (
    CONTAINER_READY,
    DATA_MOUNTS,
    EXTENSIONS,
    GUESTS,
    PRODUCTS,
    SERVES_VSPHERE,
    STATEFUL_SOFTWARE,
    STATELESS_SOFTWARE,
    TIER_KINDS,
    TIER_WORDS,
    WINDOWS_SOFTWARE,
    PhaseName,
    Software,
)
from vmferry.inventory.vocabulary import DEV_WORDS, ENVIRONMENT_ATTRIBUTES, PROD_WORDS
from vmferry.model.quantity import parse_size
from vmferry.model.spec import Disposition, VirtualMachine

Dimension = Literal["tags", "customAttributes", "folder", "resourcePool", "cluster", "name"]

LARGE = 500 << 30
"""Bytes on disk that a VM without data of its own rarely has."""

TIERS = ("gold", "silver", "bronze")
"""What tiers are guessed, the best first."""

_IMAGE_ROOM = 100 << 30  # a system disk that holds no data to speak of


class Guess(NamedTuple):
    """A proposed phase, what it was read from, and the reason in words."""

    phase: PhaseName
    dimension: Dimension | None  # None: from the VM's own facts
    value: str  # tag, attribute, path or cluster that says so; empty where names and facts do
    why: str


class Leave(NamedTuple):
    """A VM that is proposed to be left where it is."""

    disposition: Disposition
    reason: str


_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@lru_cache(maxsize=16384)
def words(text: str) -> tuple[str, ...]:
    """Return the words of a name: split at anything but letters, between letters and digits, at capitals."""
    parts = re.split(r"[^A-Za-z0-9]+", _CAMEL.sub(" ", text))
    found = [part.lower() for part in parts if part]
    bare = [piece for part in found for piece in re.findall(r"[a-z]+", part)]
    return tuple(dict.fromkeys([*found, *bare]))


def _is(word: str, wanted: str) -> bool:
    if wanted.startswith("*"):
        return word.endswith(wanted[1:])
    return word.startswith(wanted[:-1]) if wanted.endswith("*") else word == wanted


@lru_cache(maxsize=16384)
def _named(name: str, table: tuple[Software, ...]) -> tuple[str, str] | None:
    """Return the kind of software and the word in the name that says so."""
    for word in words(name):
        for software in table:
            if any(_is(word, wanted) for wanted in software.words):
                return software.what, word
    return None


# --- VMs to leave out -------------------------------------------------------------------------------

_VCLS = re.compile(r"vCLS[- (]", re.IGNORECASE)
_BROKEN = ("orphaned", "inaccessible", "invalid")


def is_vcls(vm: VirtualMachine) -> bool:
    """Return whether a VM is one of vSphere Cluster Services, which vSphere makes and removes itself."""
    return _VCLS.match(vm.name) is not None


def leave(vm: VirtualMachine) -> Leave | None:
    """Return why a VM is proposed to be left out; None where nothing says so."""
    if is_vcls(vm):
        return Leave("exclude", "vSphere Cluster Services: vSphere makes and removes it itself")
    if vm.srm_placeholder:
        return Leave("exclude", "placeholder of Site Recovery Manager: the VM itself is at the other site")
    managed = (vm.managed_by or "").lower()
    for prefix, what in EXTENSIONS:
        if managed.startswith(prefix):
            kind: Disposition = "exclude" if "placeholder" in what or "agent" in what else "retain"
            return Leave(kind, f"{what}: extension {managed} manages it")
    for what, pattern in PRODUCTS:
        where = next((place for place, text in _texts(vm) if pattern.search(text)), None)
        if where is not None:
            return Leave("retain", f"{what}, by its {where}: it serves vSphere and goes with it")
    if vm.connection_state in _BROKEN:
        return Leave("retain", f"vCenter reports it as {vm.connection_state}: repair or remove it, then import again")
    if vm.disks == ():
        return Leave("retain", "it has no disks: there is nothing to copy")
    return None


def _texts(vm: VirtualMachine) -> Iterable[tuple[str, str]]:
    # an underscore is part of a word to a pattern, and no more than a dash to an admin
    yield "name", vm.name.replace("_", "-")
    notes = " ".join((*vm.noted, (vm.annotation or "")[:500]))
    if "appliance" in notes.lower():
        yield "notes", notes


# --- phases -----------------------------------------------------------------------------------------


def guess(vm: VirtualMachine) -> Guess | None:
    """Return the phase that a VM's facts hint at; None where nothing does.

    Where it is said what environment a VM belongs to, that decides; then what runs in it; then its disks.
    """
    environment = _environment(vm)
    if environment is not None and environment.phase == "dev-test":
        return environment
    return _serving(vm) or _stateful(vm) or _stateless(vm)


def _environment(vm: VirtualMachine) -> Guess | None:
    """Return the first thing that says what environment a VM belongs to; production is ``stateful`` here."""
    for dimension, value, texts in _places(vm):
        found = _verdict(texts)
        if found is not None:
            dev, word, text = found
            where = {"folder": "folder", "resourcePool": "resource pool", "customAttributes": "custom attribute"}
            label = where.get(dimension, dimension.removesuffix("s"))
            why = f"{word!r} in the {label}"
            return Guess("dev-test" if dev else "stateful", dimension, text if value is None else value, why)
    return None


def _places(vm: VirtualMachine) -> Iterable[tuple[Dimension, str | None, tuple[str, ...]]]:
    """Yield where an environment may be said, the plainest first: what a rule would match, and the texts.

    Of a path the deepest part counts, and the rule matches up to there: the value is None then.
    """
    for tag in vm.tags:
        yield "tags", tag, (tag,)
    for name, text in sorted(vm.custom_attributes.items()):
        if any(word in ENVIRONMENT_ATTRIBUTES for word in words(name)):
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


def _verdict(texts: tuple[str, ...]) -> tuple[bool, str, str] | None:
    """Return whether the first text with a verdict says development, with the word and the text."""
    for text in texts:
        own = words(text.rpartition("/")[2])
        dev = next((word for word in own if word in DEV_WORDS), None)
        prod = next((word for word in own if word in PROD_WORDS), None)
        if (dev is None) != (prod is None):
            return dev is not None, dev or prod or "", text
    return None


def _serving(vm: VirtualMachine) -> Guess | None:
    found = _named(vm.name, SERVES_VSPHERE)
    return Guess("decommission", None, "", f"{found[0]} ({found[1]!r} in the name)") if found else None


def _stateful(vm: VirtualMachine) -> Guess | None:
    why = data_of(vm)
    if why is not None:
        return Guess("stateful", None, "", why)
    found = _named(vm.name, STATEFUL_SOFTWARE) or _named(_notes(vm), STATEFUL_SOFTWARE)
    if found is None and vm.os == "windows" and _named(vm.name, STATELESS_SOFTWARE) is None:
        found = _named(vm.name, WINDOWS_SOFTWARE)
    if found is not None:
        return Guess("stateful", None, "", f"{found[0]} ({found[1]!r} in the name)")
    return _by_guest(vm, "stateful")


def _by_guest(vm: VirtualMachine, phase: PhaseName) -> Guess | None:
    name = vm.guest_tools_name or vm.guest_name or ""
    what = next((what for guessed, what, pattern in GUESTS if guessed == phase and pattern.search(name)), None)
    return Guess(phase, None, "", f"{what}, by its guest system") if what else None


def _notes(vm: VirtualMachine) -> str:
    """Return tags that may say what runs in a VM; free text says too much to be of use."""
    return " ".join(vm.tags)


def _stateless(vm: VirtualMachine) -> Guess | None:
    found = _named(vm.name, STATELESS_SOFTWARE) or _named(_notes(vm), STATELESS_SOFTWARE)
    if found is not None:
        return Guess("stateless", None, "", f"{found[0]} ({found[1]!r} in the name), no data disk")
    return _by_guest(vm, "stateless")


def data_of(vm: VirtualMachine) -> str | None:
    """Return what about a VM's disks says that it keeps data; None where nothing does."""
    disks = vm.disks or ()
    if any(disk.shared for disk in disks):
        return "a disk shared with other VMs"
    if any(disk.rdm for disk in disks):
        return "a raw device mapping"
    for mount in sorted(vm.guest_disks or (), key=lambda each: each.path):
        for path, whose in DATA_MOUNTS.items():
            if mount.path == path or mount.path.startswith(f"{path}/"):
                return f"a file system for {whose} ({path})"
    if len(disks) > 1:
        return "a data disk beside the system's"
    if sum(parse_size(disk.size) for disk in disks) >= LARGE:
        return f"a disk of {LARGE >> 30} GiB or more"
    return None


# --- containers, tiers ------------------------------------------------------------------------------


def container_hint(vm: VirtualMachine) -> str | None:
    """Return the evidence that a VM could be rebuilt as containers; None unless all of it agrees."""
    word = next((word for word in words(vm.name) if word in CONTAINER_READY), None)
    disks = vm.disks or ()
    if word is None or vm.os != "linux" or vm.template or len(disks) != 1 or data_of(vm) is not None:
        return None
    if parse_size(disks[0].size) > _IMAGE_ROOM or vm.gpus or vm.host_devices:
        return None
    return f"{word!r} in the name, Linux, one disk of {disks[0].size} without data"


def tier(name: str, kind: str | None) -> tuple[str, str]:
    """Return the tier that a datastore's name or kind hints at, and the reason."""
    for guessed, known in TIER_WORDS:
        word = next((word for word in words(name) if word in known), None)
        if word is not None:
            return guessed, f"{word!r} in the name"
    guessed, what = TIER_KINDS.get((kind or "").lower(), ("silver", ""))
    return guessed, f"it is {what}" if what else "nothing says what it is"
