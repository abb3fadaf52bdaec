"""A VM's kind of system and its environment, each with the evidence, for `explain`."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from vmferry.draft.guesses import data_of, leave, named, said_in_notes
from vmferry.draft.hints import GUESTS, STATEFUL_SOFTWARE, STATELESS_SOFTWARE, WINDOWS_SOFTWARE
from vmferry.estate.words.conventions import NONE, Conventions, environments, kinds
from vmferry.estate.words.environments import said
from vmferry.estate.words.phrases import IDLE, STATELESS, meanings
from vmferry.estate.words.secrecy import noted
from vmferry.model.spec import VirtualMachine

_INFRASTRUCTURE = frozenset(
    (
        "directory",
        "directory or certificates",
        "network service",
        "monitoring",
        "print server",
        "backup",
        "backup of vSphere",
        "cluster control plane",
        "terminal server broker",
        "secrets or certificates",
    )
)
_DATABASES = frozenset(("SQL Server", "PostgreSQL", "MySQL", "Oracle", "database"))
_STORES = ("MySQL", "PostgreSQL", "MongoDB", "SQL Server", "Oracle", "Cassandra", "SAP HANA")
_FUNCTIONS = re.compile(
    r"role|rolle|rôle|function|funktion|fonction|función|funzione|service|dienst|servicio|serviço|servizio|usage|zweck"
    r"|application|anwendung|applikation|aplicaci[oó]n|aplicação|applicazione|applicatie",
    re.IGNORECASE,
)
"""Names of custom attributes that describe a VM's purpose."""
_FOLDERS = re.compile(
    r"(?P<database>databases?|datenbank(?:en)?|bases? de (?:données|donnees|datos)|bancos? de dados"
    r"|bases?[ _-]donn[ée]es|bdd|sql|sql[ _-]?servers?|oracle|mysql|postgresql|db|dbs|bazy danych|basi (?:di )?dati)"
    r"|(?P<stateless>web|web[ _-]?servers?|serveurs web|servidores web|applications?|apps?|anwendungen|applikationen"
    r"|applicatifs?|aplicaciones|aplicações|applicazioni|applicaties|aplikacje|front[ _-]?ends?|terminal[ _-]?servers?"
    r"|session hosts|citrix)"
    r"|(?P<infrastructure>infrastructures?|infrastruktur|infraestructura|infraestrutura|infrastruttura|infrastruktura"
    r"|infra|basisdienste|core services|services de base|active directory)",
    re.IGNORECASE,
)


class Kind(NamedTuple):
    """What a VM is, and the evidence; empty without evidence."""

    value: str
    why: str


NOTHING = Kind("", "")


def learn(vms: Sequence[VirtualMachine]) -> Conventions:
    """Return the naming conventions of these VMs, learned from VMs with clearer evidence.

    ``vms``: those that `leave` does not propose to leave out; vSphere's own VMs are named by their vendor.
    """
    names = [vm.name for vm in vms]
    labels = {vm.name: each.dev for vm in vms if (each := said(vm)) is not None and each.dimension != "cluster"}
    habits = environments(names, labels)
    known = {vm.name: found.value for vm in vms if (found := _plain(vm)) is not None}
    return kinds(names, known, _codes(), habits)


def _codes() -> frozenset[str]:
    return frozenset((*STATEFUL_SOFTWARE.codes, *STATELESS_SOFTWARE.codes, *WINDOWS_SOFTWARE.codes))


def environment(vm: VirtualMachine, conventions: Conventions = NONE) -> Kind:
    """Return dev-test or prod with the evidence."""
    found = said(vm, conventions)
    return NOTHING if found is None else Kind("dev-test" if found.dev else "prod", found.why)


def kind(vm: VirtualMachine, conventions: Conventions = NONE) -> Kind:
    """Return database, stateful, stateless, infrastructure or appliance, with the clearest evidence."""
    staying = leave(vm)
    if staying is not None and vm.disks != ():
        return Kind("infrastructure" if "backup" in staying.reason.lower() else "appliance", staying.reason)
    found = _plain(vm, folders=False) or _named(vm, conventions)
    if found is not None:
        return found
    if (hint := conventions.kind(vm.name)) is not None:
        return Kind(hint.value, hint.why)
    return _placed(vm) or _by_guest(vm) or _by_disks(vm)


def _plain(vm: VirtualMachine, *, folders: bool = True) -> Kind | None:
    """Return the evidence in a VM's notes, file systems, attributes or folders, ignoring its name."""
    for what, phrase in said_in_notes(vm):
        if what not in IDLE:
            return Kind(_value(what), f"{phrase!r} in the notes")
    by_mount = data_of(vm, disks=False)
    if by_mount is not None and "file system" in by_mount:
        return Kind("database" if any(word in by_mount for word in _STORES) else "stateful", by_mount)
    for name, text in sorted(vm.custom_attributes.items()):
        if _FUNCTIONS.search(name):
            for what, phrase in meanings(noted(text)):
                if what not in IDLE:
                    return Kind(_value(what), f"{phrase!r} in custom attribute {name}")
    return _placed(vm) if folders else None


def _value(what: str) -> str:
    if what in _DATABASES:
        return "database"
    if what in _INFRASTRUCTURE:
        return "infrastructure"
    return "appliance" if what == "appliance" else "stateless" if what in STATELESS else "stateful"


def _named(vm: VirtualMachine, conventions: Conventions) -> Kind | None:
    codes = conventions.words(vm.name)
    tables = [STATEFUL_SOFTWARE, STATELESS_SOFTWARE, *([WINDOWS_SOFTWARE] if vm.os == "windows" else [])]
    for table in tables:
        found = named(vm.name, table, codes)
        if found is not None:
            return Kind(_value(found[0]), f"{found[0]} ({found[1]!r} in the name)")
    return None


def _placed(vm: VirtualMachine) -> Kind | None:
    for part in reversed((vm.folder or "").split("/")):
        match = _FOLDERS.fullmatch(part.strip())
        if match is not None and match.lastgroup is not None:
            return Kind(match.lastgroup, f"folder {vm.folder}")
    return None


def _by_guest(vm: VirtualMachine) -> Kind | None:
    name = vm.guest_tools_name or vm.guest_name or ""
    what = next(((phase, what) for phase, what, pattern in GUESTS if pattern.search(name)), None)
    return (
        None
        if what is None
        else Kind("stateful" if what[0] == "stateful" else "stateless", f"{what[1]}, by its guest system")
    )


def _by_disks(vm: VirtualMachine) -> Kind:
    why = data_of(vm)
    return Kind("stateful", why) if why is not None else NOTHING
