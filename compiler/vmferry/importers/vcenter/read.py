"""Reads a vCenter into an inventory: a session, the surroundings, the VMs, tags, permissions, baselines."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from msgspec.structs import replace

from vmferry.estate.vcenter_account import Work
from vmferry.estate.wording import counted
from vmferry.estate.words.secrecy import NOTHING_MORE, Keep, stays
from vmferry.importers.build import build
from vmferry.importers.vcenter import machines, surroundings
from vmferry.importers.vcenter.account import check_privileges
from vmferry.importers.vcenter.collect import Collector
from vmferry.importers.vcenter.machines import Machine, name_shared_disks, read_machine
from vmferry.importers.vcenter.patience import ANSWER
from vmferry.importers.vcenter.perf import read_baselines
from vmferry.importers.vcenter.permissions import read_permissions
from vmferry.importers.vcenter.session import Login, Session, Trust, open_session, parse_address
from vmferry.importers.vcenter.surroundings import Surroundings
from vmferry.importers.vcenter.tags import TagsError, read_tags
from vmferry.model.inventory import Inventory, InventoryMetadata, Origin
from vmferry.model.spec import VirtualMachine

PAGE = 250  # VMs a call: some 5 MB
_PAGE_AROUND = 1000  # folders, hosts, networks … a call


class Answers(NamedTuple):
    """An inventory, what could not be read, and the number of SOAP calls."""

    inventory: Inventory
    notes: tuple[str, ...]
    calls: int


def read_vcenter(
    url: str,
    name: str,
    login: Login,
    trust: Trust,
    *,
    baseline: int | None = None,
    timeout: float = ANSWER,
    progress: Callable[[str], None] = lambda _: None,
    page: int = PAGE,
    keep: Keep = NOTHING_MORE,
    principals: bool = False,
    works: tuple[Work, ...] = (),
    by: str | None = None,
) -> Answers:
    """Return the inventory of a vCenter, read-only; ``name`` is its name as a source, ``baseline`` days to measure.

    ``principals`` also takes the names of users and groups with permissions. For ``works``, the account has to have the
    privileges. ``timeout`` is the time limit per response
    in seconds. Raises ImporterError if the vCenter cannot be reached, trusted, logged in to or read.
    """
    address = parse_address(url)
    taken = datetime.now(UTC).replace(microsecond=0)
    notes: list[str] = []
    with open_session(address, login, trust, timeout) as session:
        progress(f"logged in to {address.authority}")
        collector = Collector(session)
        around = Surroundings(collector.everything(surroundings.PATHS, _PAGE_AROUND))
        notes += check_privileges(session, works, around.datacenters()) if works else ()
        found = _machines(session, collector, around, page, progress, keep)
        vms = _sorted(name_shared_disks(found, name))
        try:
            tags = read_tags(address, login, trust)
        except TagsError as error:
            tags = {}
            notes.append(f"no tags: the REST API did not answer ({error})")
        vms = tuple(replace(vm, tags=tags.get(vm.id or "", ())) for vm in vms)
        who = read_permissions(session, collector, around, {vm.id: vm.name for vm in vms if vm.id}, names=principals)
        if baseline is not None:
            vms = _measured(session, collector, vms, baseline, progress)
        if collector.unknown:
            notes.append(f"this vCenter does not know {', '.join(sorted(collector.unknown))}")
        about = session.content.about
        calls = session.calls
    notes += stays(sum(machine.has_note for machine in found), (machine.withheld for machine in found), keep)
    notes += [who.note] if who.note else []
    if not principals and (hidden := len({(each.group, each.principal) for each in who.permissions})):
        text = counted(hidden, "user or group", "users and groups")
        notes.append(f"the names of {text} with permissions stay in vCenter: --principals imports them")
    if secret := sum(machine.secret for machine in found):
        notes.append(f"the notes of {secret} VMs seem to contain a secret and were left out: rotate the secrets")
    unseen = sum(vm.cpu is None for vm in vms)
    if unseen:
        notes.append(f"{unseen} of {len(vms)} VMs show no configuration: inaccessible, or the user may not see it")
    inventory = build(
        Inventory,
        address.authority,
        metadata=InventoryMetadata(name=name),
        source=build(
            Origin,
            address.authority,
            name=name,
            kind="vcenter",
            version=about.version or None,
            instance_uuid=about.instanceUuid or None,
            url=address.url,
            taken=taken.isoformat().replace("+00:00", "Z"),
            by=by,
        ),
        vms=vms,
        networks=tuple(sorted(around.networks.values(), key=lambda each: (each.name, each.id or ""))),
        datastores=around.datastores(),
        clusters=around.clusters(),
        hosts=around.hosts(),
        resource_pools=around.pools(),
        roles=who.roles,
        permissions=who.permissions,
    )
    return Answers(inventory, tuple(notes), calls)


def _machines(
    session: Session, collector: Collector, around: Surroundings, page: int, progress: Callable[[str], None], keep: Keep
) -> tuple[Machine, ...]:
    attributes = _attribute_names(session, collector)
    found: dict[str, Machine] = {}
    for record in collector.everything(machines.PATHS, page):
        found[record.id] = read_machine(record, around, attributes, keep)
        if len(found) % page == 0:
            progress(f"{len(found)} VMs")
    progress(f"{len(found)} VMs")
    return tuple(found.values())


def _sorted(vms: Iterable[VirtualMachine]) -> tuple[VirtualMachine, ...]:
    return tuple(sorted(vms, key=lambda vm: (vm.name, vm.id or "")))


def _attribute_names(session: Session, collector: Collector) -> Mapping[int, str]:
    manager: Any = session.content.customFieldsManager
    if manager is None:  # an ESXi host has none
        return {}
    return {field.key: field.name for field in collector.one(manager, "field").get("field") or ()}


def _measured(
    session: Session,
    collector: Collector,
    vms: tuple[VirtualMachine, ...],
    days: int,
    progress: Callable[[str], None],
) -> tuple[VirtualMachine, ...]:
    found = read_baselines(session, collector, vms, days, lambda done: progress(f"baseline of {done} VMs"))
    return tuple(replace(vm, baseline=found.get(vm.id or "")) for vm in vms)
