"""What kind of system a VM is and which environment it serves, each with the evidence: for `explain`."""

import re
from typing import NamedTuple

from vmferry.inventory.environments import Said, said
from vmferry.inventory.guesses import data_of, leave, named
from vmferry.inventory.hints import CODES, STATEFUL_SOFTWARE, STATELESS_SOFTWARE, WINDOWS_SOFTWARE
from vmferry.inventory.secrecy import noted
from vmferry.inventory.vocabulary import MEANING
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
_STATELESS = frozenset(("web server", "application server", "session host", "worker", "cache", "gateway"))
_DATABASES = frozenset(("SQL Server", "PostgreSQL", "MySQL", "Oracle", "database"))
_IDLE = frozenset(("leftover", "vsphere"))  # say nothing of what runs
_FOLDERS = re.compile(
    r"(?P<database>databases?|datenbank(?:en)?|bases? de (?:données|donnees|datos)|bancos? de dados|sql|oracle|db)"
    r"|(?P<stateless>web|webserver|applications?|apps?|anwendungen|applicatifs?|aplicaciones|frontends?)"
    r"|(?P<infrastructure>infrastructures?|infrastruktur|infraestructura|infra)",
    re.IGNORECASE,
)


class Kind(NamedTuple):
    """What a VM is, and what says so; empty where nothing does."""

    value: str
    why: str


def environment(vm: VirtualMachine) -> Kind:
    """Return dev-test or prod with the evidence."""
    found: Said | None = said(vm)
    return Kind("", "") if found is None else Kind("dev-test" if found.dev else "prod", found.why)


def kind(vm: VirtualMachine) -> Kind:
    """Return database, stateful, stateless, infrastructure or appliance, with the plainest evidence there is."""
    staying = leave(vm)
    if staying is not None and vm.disks != ():
        value = "infrastructure" if "backup" in staying.reason.lower() else "appliance"
        return Kind(value, staying.reason)
    for phrase in (*vm.noted, *noted(vm.annotation or "")):
        what = MEANING[phrase]
        if what not in _IDLE:
            return Kind(_value(what), f"{phrase!r} in the notes")
    by_mount = data_of(vm, disks=False)
    if by_mount is not None and "file system" in by_mount:
        stores = ("MySQL", "PostgreSQL", "MongoDB", "SQL Server", "Oracle", "Cassandra", "SAP HANA")
        return Kind("database" if any(word in by_mount for word in stores) else "stateful", by_mount)
    return _named(vm) or _placed(vm) or _by_disks(vm)


def _value(what: str) -> str:
    if what in _DATABASES:
        return "database"
    if what in _INFRASTRUCTURE:
        return "infrastructure"
    return "appliance" if what == "appliance" else "stateless" if what in _STATELESS else "stateful"


def _named(vm: VirtualMachine) -> Kind | None:
    tables = [CODES, STATEFUL_SOFTWARE, STATELESS_SOFTWARE]
    if vm.os == "windows":
        tables.append(WINDOWS_SOFTWARE)
    for table in tables:
        found = named(vm.name, table)
        if found is not None:
            stateless = table is STATELESS_SOFTWARE
            return Kind("stateless" if stateless else _value(found[0]), f"{found[0]} ({found[1]!r} in the name)")
    return None


def _placed(vm: VirtualMachine) -> Kind | None:
    for part in reversed((vm.folder or "").split("/")):
        match = _FOLDERS.fullmatch(part.strip())
        if match is not None and match.lastgroup is not None:
            return Kind(match.lastgroup, f"folder {vm.folder}")
    return None


def _by_disks(vm: VirtualMachine) -> Kind:
    why = data_of(vm)
    return Kind("stateful", why) if why is not None else Kind("", "")
