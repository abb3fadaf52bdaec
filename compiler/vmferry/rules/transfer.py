"""Requirements of the copy from vSphere: names that Forklift finds, thumbprints, readable disks, a transfer network."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote

from vmferry.estate.methods import METHODS
from vmferry.estate.network_map import network_map
from vmferry.estate.stages import begun
from vmferry.estate.statements import UNKNOWN_FACT
from vmferry.estate.storage_map import StorageRows
from vmferry.kube.nad import INVALID_NETWORK
from vmferry.model.blueprint import Blueprint, Group, Machine, NetworkPair, StoragePair
from vmferry.model.keys import apart
from vmferry.model.review import Problem, Review
from vmferry.model.spec import OvnLayer2, OvnLocalnet
from vmferry.rules.registry import also, rule

_PATH = re.compile("/|%[0-9A-Fa-f]{2}")


@also(UNKNOWN_FACT)
def certificates(review: Review) -> Iterator[Problem]:
    """Yield missing facts that VDDK needs to copy disks."""
    for group in review.blueprint.groups:
        for machine in group.machines if group.path != "rebuild" else ():
            yield from _vddk(review.blueprint, machine)


@rule(
    "VMF741",
    "error",
    "Forklift reads the name as a path",
    source="kubev2v/forklift pkg/controller/provider: web/vsphere/base.go, container/vsphere/model.go (Decoded)",
    essential=True,
    blueprint=True,
)
def found_by_name(review: Review) -> Iterator[Problem]:
    """Forklift reads a name as a path: it looks for the part after the last `/`, and reads `%2f` as a slash.

    A network or datastore with such a name is never found, and no Plan that needs it becomes Ready. For a VM it may
    find another VM, whose whole name is that last part, and migrate that one instead. An id is looked up as it is.
    """
    for group in _not_started(review):
        for machine in group.machines:
            if machine.id is None and _PATH.search(machine.name):
                yield Problem(
                    f"VM {machine.name}: Forklift would look for {_searched_name(machine.name)!r} instead",
                    "add `id` (vCenter: the moRef, such as vm-4711; RVTools: VM ID)",
                    review.blueprint.places.get(machine.key),
                    (machine.name,),
                )
    networks = network_map(review.spec.networks, review.project.where)
    datastores = StorageRows(review.spec.storage.map)

    def network(vcenter: str, name: str) -> int | None:
        rows = networks.rows_of(vcenter, name)
        return next((row.index for row in rows if row.network.source.id is None), None)

    yield from _not_found(review, "network", network, ("networks",), lambda group: group.networks)
    yield from _not_found(review, "datastore", datastores.find, ("storage", "map"), lambda group: group.storage)


def _not_started(review: Review) -> Iterator[Group]:
    """Yield the groups that Forklift moves and whose copy has not started."""
    return (group for group in review.blueprint.groups if group.path == "forklift" and not begun(group.stage))


def _not_found(
    review: Review,
    what: str,
    find: Callable[[str, str], int | None],
    at: tuple[str, ...],
    pairs: Callable[[Group], Iterable[NetworkPair | StoragePair]],
) -> Iterator[Problem]:
    """Yield each row of the map at ``at`` without an id, and with a name that Forklift reads as a path."""
    users: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for group in _not_started(review):
        for pair in pairs(group):
            if pair.source.id is None and _PATH.search(pair.source.name):
                users[group.source, pair.source.name].update(machine.name for machine in group.machines)
    for (vcenter, name), vms in sorted(users.items()):
        row = find(vcenter, name)
        yield Problem(
            f"{what} {name!r} of {vcenter}: Forklift would look for {_searched_name(name)!r} instead",
            "add `id` to its row: the managed object id, which the URL of its page in vCenter contains",
            review.at(*at, row, "source") if row is not None else review.at(*at),
            tuple(sorted(vms)),
        )


def _searched_name(name: str) -> str:
    return unquote(name).rpartition("/")[2]


@rule(
    "VMF742",
    "warning",
    "warm or unconverted copy without a VDDK image",
    source="kubev2v/forklift pkg/controller/plan/validation.go (VDDKInitImageUnavailable)",
    blueprint=True,
)
def vddk_image(review: Review) -> Iterator[Problem]:
    """Forklift reads changed blocks with VMware's VDDK, which may not be redistributed: build your own image.

    It is also needed for disks of guests that are not converted. Without an image on the Provider, or for all Providers
    on the ForkliftController, the Plan reports `VDDK image is required for warm migration` (or `for raw copy mode
    migration`) and does not become Ready.
    """
    for index, source in enumerate(review.spec.sources):
        vms = [
            machine.name
            for group in _not_started(review)
            if group.source == source.name and group.method == "warm"
            for machine in group.machines
        ]
        if vms and source.vcenter.vddk_image is None:
            yield Problem(
                f"vCenter {source.name} has no vddkImage, and {len(vms)} VM{'s are' if len(vms) > 1 else ' is'} "
                "copied warm",
                "add vddkImage; if the ForkliftController has one (vddk_image), suppress this",
                review.at("sources", index, "vcenter"),
                tuple(sorted(vms)),
            )


@also(INVALID_NETWORK)
def transfer_networks(review: Review) -> Iterator[Problem]:
    """Yield transfer networks on which pods would get no address."""
    for group in review.blueprint.groups:
        if group.path != "rebuild":
            yield from _transfer_network(review.blueprint, group)


def _vddk(blueprint: Blueprint, machine: Machine) -> Iterator[Problem]:
    vcenter = next((source.vcenter for source in blueprint.sources if source.name == machine.source), None)
    raw = [disk for disk in machine.disks if disk.source.vddk is not None]
    if vcenter is None or not (raw or (METHODS[machine.method].converts and vcenter.vddk_image is not None)):
        return
    where = blueprint.places.get(machine.key)
    if vcenter.thumbprint is None:
        yield Problem(
            f"VM {machine.name}: the thumbprint of vCenter {machine.source} is unknown",
            "add vcenter.thumbprint: VDDK only connects to a certificate that it can verify",
            where,
            (machine.name,),
        )
    for disk in raw:
        if disk.file is None:
            yield Problem(
                f"VM {machine.name}, {disk.name}: its VMDK is unknown",
                "add `file`, as in `[ds1] web-01/web-01.vmdk`: source vddk copies it",
                where.at("disks") if where else None,
                (machine.name,),
            )


def _transfer_network(blueprint: Blueprint, group: Group) -> Iterator[Problem]:
    """Yield a finding if pods would get no address on their transfer network."""
    namespace, name = apart(group.transfer_network) if group.transfer_network else ("", "")
    for plan in blueprint.namespaces:
        for nad in plan.nads:
            target = nad.network.target
            if plan.name != namespace or nad.name != name:
                continue
            if not (isinstance(target, OvnLayer2 | OvnLocalnet) and target.subnets):
                yield Problem(
                    f"group {group.name}: pods get no address on transfer network {name}",
                    "use a NetworkAttachmentDefinition with IPAM (type nad), or an OVN network with subnets",
                    blueprint.places.get(group.machines[0].key),
                    tuple(machine.name for machine in group.machines),
                )
