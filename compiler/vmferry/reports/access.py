"""Who does what in vCenter today, and the access in the target that follows from it, for people to confirm.

A proposal never widens silently: it has the weakest role that its user or group has on any of the namespace's VMs, and
says how many VMs of the namespace they do not reach today. Administration of hosts, storage or vCenter becomes no role.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from vmferry.estate.permissions import Held, Holder, held
from vmferry.estate.privileges import MIGRATE, RANK, beyond, role_of
from vmferry.estate.wording import counted
from vmferry.kube import versions
from vmferry.model.inventory import EntityKind, InventoryPermission
from vmferry.model.keys import VmKey
from vmferry.model.report import Block, Column, Prose, Row, Snippet, Table
from vmferry.model.spec import Access, AccessRole
from vmferry.reports.census import NONE, Picked
from vmferry.reports.content import Material
from vmferry.yaml.write import dump

UNDECIDED = "not decided"  # the namespace of VMs without one

_KINDS: Mapping[EntityKind, str] = {
    "root": "the whole vCenter",
    "datacenter-folder": "folder of datacenters",
    "datacenter": "datacenter",
    "vm-folder": "folder",
    "compute-folder": "folder of hosts",
    "cluster": "cluster",
    "host": "host",
    "resource-pool": "resource pool",
    "vm": "VM",
    "datastore": "datastore",
    "network": "network",
}


class Permission(Struct, frozen=True, kw_only=True):
    """A permission in vCenter, and how many VMs it is on, whatever permissions nearer to them say."""

    source: str
    principal: str
    kind: str  # user, group or service
    role: str
    on: str
    below: bool
    vms: int


class Proposal(Struct, frozen=True, kw_only=True):
    """A role in a namespace for a user or group of vCenter."""

    source: str
    principal: str
    roles: tuple[str, ...]
    on: tuple[str, ...]
    namespace: str
    role: AccessRole
    migrate: bool
    reached: int  # VMs of the namespace that they reach today
    vms: int  # VMs of the namespace
    note: str


class Remainder(Struct, frozen=True, kw_only=True):
    """What a user or group may do today, and no role covers."""

    source: str
    principal: str
    area: str
    privileges: tuple[str, ...]
    instead: str


class Who(Struct, frozen=True, kw_only=True):
    """All of it. ``imported``: an inventory has permissions."""

    imported: bool
    permissions: tuple[Permission, ...]
    proposals: tuple[Proposal, ...]
    remainders: tuple[Remainder, ...]
    confirmed: tuple[Access, ...]


def who(material: Material) -> Who:
    """Return who does what today, what is proposed, and what the spec confirms."""
    review = material.review
    found = held(review.project.inventories, review.subjects)
    people = [each for each in found if not each.holder.service]
    spaces: defaultdict[str, set[VmKey]] = defaultdict(set)
    for vm in material.vms.vms:
        if vm.path not in ("rebuild", NONE):  # containers are no VMs to start or to edit
            spaces[vm.namespace].add(vm.key)
    can_migrate = versions.certain(review.blueprint.cluster.versions, versions.MIGRATE_ROLE)
    proposals = [proposal for each in people for proposal in _proposals(each, spaces, can_migrate=can_migrate)]
    return Who(
        imported=bool(found),
        permissions=tuple(permission for each in found for permission in _permissions(each)),
        proposals=tuple(proposals),
        remainders=tuple(remainder for each in people for remainder in _remainders(each, proposals)),
        confirmed=review.spec.access,
    )


def blocks(found: Who, vms: Picked) -> Iterator[Block]:
    """Yield what a report shows of it; ``vms`` are all VMs."""
    if not found.imported:
        yield Prose("Who may do what", (_NOTHING,))
    else:
        yield Table(
            "Who may do what today",
            "permission",
            _OF_PERMISSION,
            [*map(_permission_row, found.permissions)],
            covers="some",
        )
        yield Table(
            "Proposed access",
            "proposal",
            _OF_PROPOSAL,
            [_proposal_row(each, vms) for each in found.proposals],
            note=_PROPOSED,
            covers="some",
        )
        rows = [*map(_remainder_row, found.remainders)]
        yield Table("What no role covers", "area", _OF_REMAINDER, rows, note=_REMAINS)
        if text := pasted(found.proposals):
            yield Snippet("Access to confirm in the spec", text)
    if found.confirmed:
        rows = [(each.group, each.role, ", ".join(each.namespaces)) for each in found.confirmed]
        yield Table("Confirmed access", "entry", _OF_CONFIRMED, rows)


_NOTHING = (
    "The inventory has no permissions: exports of RVTools have none. `vmferry import vcenter` reads them, without the "
    "names of people. Until then, agree with each team on `access` for its namespaces."
)
_PROPOSED = (
    "Nothing of this is granted before `access` in the spec confirms it. The role is the weakest that they have on any "
    "of these VMs today. Global permissions of vCenter, and who is in which group, are not imported."
)
_REMAINS = "No role in a namespace covers this, and none is proposed for the whole cluster."
_OF_PERMISSION = (
    *(Column("vCenter"), Column("who"), Column("kind"), Column("role"), Column("on"), Column("below it")),
    Column("VMs", "count"),
)
_OF_PROPOSAL = (
    *(Column("vCenter"), Column("who"), Column("today"), Column("on"), Column("namespace"), Column("proposed")),
    *(Column("VMs reached today", "count"), Column("VMs there", "count"), Column("note")),
)
_OF_REMAINDER = (
    *(Column("vCenter"), Column("who"), Column("what"), Column("privileges", "count"), Column("in the target")),
)
_OF_CONFIRMED = (Column("group"), Column("role"), Column("namespaces"))


# --- what is found ----------------------------------------------------------------------------


def _permissions(found: Held) -> Iterator[Permission]:
    holder = found.holder
    for each, vms in found.permissions:
        yield Permission(
            source=holder.source,
            principal=holder.principal,
            kind="service" if holder.service else "group" if holder.group else "user",
            role=each.role,
            on=_on(each),
            below=each.propagate,
            vms=vms,
        )


def _on(permission: InventoryPermission) -> str:
    kind = _KINDS.get(permission.kind)
    return kind if kind and permission.kind == "root" else f"{kind or 'object'} {permission.path}"


def _proposals(found: Held, spaces: Mapping[str, set[VmKey]], *, can_migrate: bool) -> Iterator[Proposal]:
    """Yield a proposal for each namespace in which they see VMs; ``spaces`` are the VMs of each."""
    for namespace, there in sorted(spaces.items()):
        reached = {key: role for key in there & found.on.keys() if (role := role_of(found.on[key])) is not None}
        if not reached:
            continue
        more = 0 if namespace == NONE else len(there) - len(reached)
        weakest, strongest = (pick(reached.values(), key=RANK.__getitem__) for pick in (min, max))
        yield Proposal(
            source=found.holder.source,
            principal=found.holder.principal,
            roles=tuple(sorted({each.role for each, _ in found.permissions})),
            on=tuple(dict.fromkeys(_on(each) for each, _ in found.permissions)),
            namespace=UNDECIDED if namespace == NONE else namespace,
            role=weakest,
            migrate=can_migrate and all(MIGRATE in found.on[key] for key in reached),
            reached=len(reached),
            vms=len(there),
            note="; ".join(_notes(found.holder, more, weakest, strongest)),
        )


def _notes(holder: Holder, more: int, weakest: AccessRole, strongest: AccessRole) -> Iterator[str]:
    if not holder.group:
        yield "a user: make a group for their work"
    if more:
        yield f"reaches {counted(more, 'more VM')} than today"
    if weakest != strongest:
        yield f"{strongest} on some of them today"


def _remainders(found: Held, proposals: Iterable[Proposal]) -> Iterator[Remainder]:
    who = found.holder
    mine = [each for each in proposals if (each.source, each.principal) == (who.source, who.principal)]
    role = min((each.role for each in mine), key=RANK.__getitem__, default=None)
    migrate = bool(mine) and all(each.migrate for each in mine)
    for area, privileges in beyond(found.privileges, role, migrate=migrate).items():
        yield Remainder(
            source=who.source,
            principal=who.principal,
            area=area.name,
            privileges=privileges,
            instead=area.instead,
        )


# --- what is shown ----------------------------------------------------------------------------


def _permission_row(each: Permission) -> Row:
    return (each.source, each.principal, each.kind, each.role, each.on, "yes" if each.below else "no", each.vms)


def _proposal_row(each: Proposal, vms: Picked) -> Row:
    there = vms.where("namespace", each.namespace)
    proposed = f"{each.role}, migrate" if each.migrate else each.role
    return (
        *(each.source, each.principal, ", ".join(each.roles), "; ".join(each.on), each.namespace, proposed),
        *(each.reached, there.count if len(there.vms) == each.vms else each.vms, each.note),
    )


def _remainder_row(each: Remainder) -> Row:
    return (each.source, each.principal, each.area, len(each.privileges), each.instead)


def pasted(proposals: Sequence[Proposal]) -> str:
    """Return the proposals as `access` for a spec, each with whom it is from; their groups are to be filled in.

    Empty without a proposal for a namespace that is decided.
    """
    spaces: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    notes: defaultdict[tuple[str, str, str], list[Proposal]] = defaultdict(list)
    whom: dict[tuple[str, str, str], Proposal] = {}
    for each in proposals:
        if each.namespace == UNDECIDED:
            continue
        for role in (each.role, *(["migrate"] if each.migrate else [])):
            key = each.source, each.principal, role
            spaces[key].append(each.namespace)
            whom.setdefault(key, each)
            notes[key] += [each] if each.note else []
    parts = ["access:\n"]
    for key, names in spaces.items():
        source, principal, role = key
        roles, on = ", ".join(whom[key].roles), "; ".join(whom[key].on)
        told = [f"{each.namespace}: {each.note}" for each in notes[key]]
        comment = "\n".join(" ".join(line.split()) for line in (f"{principal} of {source}: {roles} on {on}", *told))
        text = dump([{"group": "", "role": role, "namespaces": names}], comment).decode()
        parts += [f"  {line}\n" for line in text.splitlines()]
    return "".join(parts) if spaces else ""
