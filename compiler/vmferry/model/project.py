"""The input: the spec, its VMs from all files, earlier assignments, and what happened since."""

from collections.abc import Mapping

from msgspec import Struct

from vmferry.model.adopted import AdoptedMachines
from vmferry.model.assignments import Assignments
from vmferry.model.evidence import Evidence
from vmferry.model.finding import Finding, Where
from vmferry.model.inventory import Inventory
from vmferry.model.spec import MigrationSpec, VirtualMachine
from vmferry.model.trail import Trail


class Entry(Struct, frozen=True, kw_only=True):
    """A VM as written, with its place."""

    vm: VirtualMachine
    where: Where
    overrides: tuple[str, ...] = ()  # facts that it overrides in the inventory
    imported: VirtualMachine | None = None  # its entry in the inventory; None: only the spec knows it
    stated: tuple[str, ...] = ()  # where there is an inventory: what the spec states itself, `name` or `id` too


class Project(Struct, frozen=True, kw_only=True):
    """A spec with everything that belongs to it, from all files."""

    spec: MigrationSpec
    where: Where  # of the MigrationSpec
    entries: tuple[Entry, ...]
    inventories: tuple[Inventory, ...] = ()
    assignments: Assignments | None = None
    evidence: Evidence | None = None
    evidence_file: str = ""  # where it is, or would be
    adopted: Mapping[str, AdoptedMachines] = {}  # by file
    adopted_folder: str = ""  # where these files are, or would be
    given: str = ""  # the spec as it was named, for commands that a message proposes
    attachments: Mapping[str, bytes] = {}  # files the spec names: opaque secrets, playbooks
    texts: Mapping[str, str] = {}  # every file read, for showing places in it
    skipped: tuple[str, ...] = ()  # files of other tools in the spec's directory
    findings: tuple[Finding, ...] = ()  # what is left to decide; stand-ins are in its place
    trail: Trail | None = None  # what was read; None where that is not certain
