"""Guesses from names, folders, tags, guests and disks, each with its reason."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from vmferry.draft.hints import (
    APPLIANCE_MOUNTS,
    BACKUP,
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
    Table,
)
from vmferry.estate.hardware import is_vcls
from vmferry.estate.words.conventions import NONE, Conventions
from vmferry.estate.words.environments import Dimension, said, words
from vmferry.estate.words.leftovers import LEFT
from vmferry.estate.words.phrases import IDLE, REBUILT, STATELESS, meanings
from vmferry.estate.words.secrecy import noted
from vmferry.kube.quantity import parse_size
from vmferry.model.spec import Disposition, VirtualMachine

LARGE = 500 << 30
"""Bytes on disk that a VM without its own data rarely exceeds."""

TIERS = ("gold", "silver", "bronze")
"""Tiers that may be guessed, best first."""

_IMAGE_ROOM = 100 << 30  # a system disk that holds no data to speak of


class Guess(NamedTuple):
    """A proposed phase, its evidence, and the reason in words."""

    phase: PhaseName
    dimension: Dimension | None  # None: from the VM's own facts
    value: str  # tag, attribute, path or cluster that says so; empty where names and facts do
    why: str


class Leave(NamedTuple):
    """A VM that is proposed to stay where it is."""

    disposition: Disposition
    reason: str


def named(name: str, table: Table, codes: tuple[str, ...] = ()) -> tuple[str, str] | None:
    """Return the kind of software and the word in the name that indicates it; ``codes``: more words of it."""
    for word in (*words(name), *codes):
        if (what := table.what(word)) is not None:
            plain = word.rstrip("0123456789")
            if table.what(plain) != what:
                return what, word
            return what, next((code for code in codes if plain.startswith(code) and table.what(code) == what), plain)
    return None


# --- VMs to leave out -------------------------------------------------------------------------------

_BROKEN = ("orphaned", "inaccessible", "invalid")


def leave(vm: VirtualMachine) -> Leave | None:
    """Return why a VM is proposed to be left out; None without a reason."""
    if is_vcls(vm):
        return Leave("exclude", "vSphere Cluster Services: vSphere creates and removes it itself")
    if vm.srm_placeholder:
        return Leave("exclude", "placeholder of Site Recovery Manager: the VM itself is at the other site")
    managed = (vm.managed_by or "").lower()
    for prefix, what in EXTENSIONS:
        if managed.startswith(prefix):
            kind: Disposition = "exclude" if "placeholder" in what or "agent" in what else "retain"
            return Leave(kind, f"{what}: extension {managed} manages it")
    texts = tuple(_texts(vm))
    for what, pattern in PRODUCTS:
        where = next((place for place, text in texts if pattern.search(text)), None)
        if where is not None:
            return Leave("retain", f"{what}, by its {where}: it serves vSphere and is retired with it")
    if (why := _serves(vm)) is not None:
        return Leave("retain", why)
    if vm.connection_state in _BROKEN:
        return Leave("retain", f"vCenter reports it as {vm.connection_state}: repair or remove it, then import again")
    if vm.disks == ():
        return Leave("retain", "it has no disks: there is nothing to copy")
    return None


_GLUED = re.compile(r"vcsa|vcpsc|(?:psc|srm)[0-9]+(?![a-z0-9])", re.IGNORECASE)
_MANAGEMENT = re.compile(r"(?:^|[/ _-])(?:manage?ment|mgmt|vmware|vsphere)(?:$|[/ _0-9-])", re.IGNORECASE)


def _serves(vm: VirtualMachine) -> str | None:
    """Return why a VM serves vSphere or its backup, by its file systems, its place or its notes."""
    mounts = {mount.path for mount in vm.guest_disks or ()} & APPLIANCE_MOUNTS
    if len(mounts) > 2:
        return f"vCenter Server, by its file systems ({', '.join(sorted(mounts)[:3])}): it serves vSphere"
    place = " ".join((vm.folder or "", vm.resource_pool or "", vm.cluster or ""))
    if (glued := _GLUED.search(vm.name)) and any(_MANAGEMENT.search(part) for part in place.split()):
        return f"vCenter Server or Site Recovery Manager ({glued[0]!r} in the name), among management VMs"
    phrase = phrase_of(vm, "backup")
    if phrase is not None:
        return f"backup of vSphere ({phrase!r} in the notes): it backs up the VMs still in vSphere"
    found = named(vm.name, BACKUP)
    return f"backup of vSphere ({found[1]!r} in the name): it backs up the VMs still in vSphere" if found else None


def _phrases(vm: VirtualMachine) -> tuple[str, ...]:
    return (*vm.noted, *noted(vm.annotation or ""))


def said_in_notes(vm: VirtualMachine) -> list[tuple[str, str]]:
    """Return the meanings of phrases in a VM's notes, each with its phrase, clearest first."""
    return meanings(_phrases(vm))


def phrase_of(vm: VirtualMachine, what: str) -> str | None:
    """Return the phrase in a VM's notes that has this meaning."""
    return next((phrase for meaning, phrase in said_in_notes(vm) if meaning == what), None)


def leftover(vm: VirtualMachine) -> str | None:
    """Return the evidence that a VM is a leftover and may be retired; None for a running VM, or without evidence."""
    if vm.power_state != "poweredOff" or vm.template:
        return None
    for where, text in (("name", vm.name), *(("folder", part) for part in (vm.folder or "").split("/"))):
        found = LEFT.search(text)
        if found is not None:
            return f"off, {found[0].strip('-_. ()')!r} in the {where}"
    phrase = phrase_of(vm, "leftover")
    return f"off, {phrase!r} in the notes" if phrase is not None else None


def _texts(vm: VirtualMachine) -> Iterable[tuple[str, str]]:
    # regular expressions treat an underscore as part of a word, admins as a separator
    yield "name", vm.name.replace("_", "-")
    notes = " ".join((*vm.noted, (vm.annotation or "")[:500]))
    if "appliance" in notes.lower():
        yield "notes", notes


# --- phases -----------------------------------------------------------------------------------------


def guess(vm: VirtualMachine, conventions: Conventions = NONE) -> Guess | None:
    """Return the phase that a VM's facts hint at; None without a hint.

    A stated environment decides first, then what runs in the VM, then its disks.
    """
    environment = _environment(vm, conventions)
    if environment is not None and environment.phase == "dev-test":
        return environment
    codes = conventions.words(vm.name)
    return _serving(vm) or _noted_stateful(vm) or _stateful(vm, codes) or _stateless(vm, codes)


def _environment(vm: VirtualMachine, conventions: Conventions) -> Guess | None:
    """Return the first evidence of a VM's environment; production means ``stateful`` here."""
    found = said(vm, conventions)
    if found is None:
        return None
    return Guess("dev-test" if found.dev else "stateful", found.dimension, found.value, found.why)


def _serving(vm: VirtualMachine) -> Guess | None:
    found = named(vm.name, SERVES_VSPHERE)
    return Guess("management", None, "", f"{found[0]} ({found[1]!r} in the name)") if found else None


def _noted_stateful(vm: VirtualMachine) -> Guess | None:
    """Return the careful phase for VMs that keep data or are needed by others according to their notes."""
    for what, phrase in said_in_notes(vm):
        if what not in IDLE:
            careful = what not in STATELESS
            return Guess("stateful", None, "", f"{what} ({phrase!r} in the notes)") if careful else None
    return None


def _stateful(vm: VirtualMachine, codes: tuple[str, ...]) -> Guess | None:
    why = data_of(vm)
    if why is not None:
        return Guess("stateful", None, "", why)
    found = named(vm.name, STATEFUL_SOFTWARE, codes) or named(_notes(vm), STATEFUL_SOFTWARE)
    if found is None and vm.os == "windows" and named(vm.name, STATELESS_SOFTWARE, codes) is None:
        found = named(vm.name, WINDOWS_SOFTWARE, codes)
    if found is not None:
        return Guess("stateful", None, "", f"{found[0]} ({found[1]!r} in the name)")
    return _by_guest(vm, "stateful")


def _by_guest(vm: VirtualMachine, phase: PhaseName) -> Guess | None:
    name = vm.guest_tools_name or vm.guest_name or ""
    what = next((what for guessed, what, pattern in GUESTS if guessed == phase and pattern.search(name)), None)
    return Guess(phase, None, "", f"{what}, by its guest system") if what else None


def _notes(vm: VirtualMachine) -> str:
    """Return tags that may indicate what runs in a VM; free text is too noisy."""
    return " ".join(vm.tags)


def _stateless(vm: VirtualMachine, codes: tuple[str, ...]) -> Guess | None:
    found = named(vm.name, STATELESS_SOFTWARE, codes) or named(_notes(vm), STATELESS_SOFTWARE)
    if found is not None:
        return Guess("stateless", None, "", f"{found[0]} ({found[1]!r} in the name), no data disk")
    return _by_guest(vm, "stateless")


def data_of(vm: VirtualMachine, *, disks: bool = True) -> str | None:
    """Return the evidence in a VM's disks that it keeps data; None without evidence.

    With ``disks`` False, their number and size are ignored.
    """
    return _kept(vm) or (_large(vm) if disks else None)


def _kept(vm: VirtualMachine) -> str | None:
    disks = vm.disks or ()
    if any(disk.shared for disk in disks):
        return "a disk shared with other VMs"
    if any(disk.rdm for disk in disks):
        return "a raw device mapping"
    for mount in sorted(vm.guest_disks or (), key=lambda each: each.path):
        for path, whose in DATA_MOUNTS.items():
            if mount.path == path or mount.path.startswith(f"{path}/"):
                return f"a file system for {whose} ({path})"
    return None


def _large(vm: VirtualMachine) -> str | None:
    disks = vm.disks or ()
    if len(disks) > 1:
        return "a data disk besides the system disk"
    if sum(parse_size(disk.size) for disk in disks) >= LARGE:
        return f"a disk of {LARGE >> 30} GiB or more"
    return None


# --- containers, tiers ------------------------------------------------------------------------------


def container_hint(vm: VirtualMachine) -> str | None:
    """Return the evidence that a VM could be rebuilt as containers; None unless all of it agrees."""
    word = next((word for word in words(vm.name) if word in CONTAINER_READY), None)
    phrase = next((each for each in _phrases(vm) if each in REBUILT), None)
    disks = vm.disks or ()
    if (
        (word or phrase) is None
        or leftover(vm) is not None
        or vm.os != "linux"
        or vm.template
        or len(disks) != 1
        or data_of(vm) is not None
    ):
        return None
    if parse_size(disks[0].size) > _IMAGE_ROOM or vm.gpus or vm.host_devices:
        return None
    where = f"{phrase!r} in the notes" if phrase else f"{word!r} in the name"
    return f"{where}, Linux, one disk of {disks[0].size} without data"


def tier(name: str, kind: str | None) -> tuple[str, str]:
    """Return the tier that a datastore's name or kind hints at, and the reason."""
    for guessed, known in TIER_WORDS:
        word = next((word for word in words(name) if word in known), None)
        if word is not None:
            return guessed, f"{word!r} in the name"
    guessed, what = TIER_KINDS.get((kind or "").lower(), ("silver", ""))
    return guessed, f"it is {what}" if what else "its purpose is unknown"
