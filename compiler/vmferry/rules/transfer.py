"""What the copy from vSphere needs: thumbprints, readable disks, an address on the transfer network."""

from collections.abc import Iterator

from vmferry.model.blueprint import Blueprint, Group, Machine
from vmferry.model.review import Problem, Review
from vmferry.model.spec import OvnLayer2, OvnLocalnet
from vmferry.rules.registry import also


@also("VMF108")
def certificates(review: Review) -> Iterator[Problem]:
    """Yield what VDDK would have to know to copy disks."""
    for group in review.blueprint.groups:
        for machine in group.machines if group.path != "rebuild" else ():
            yield from _vddk(review.blueprint, machine)


@also("VMF204")
def transfer_networks(review: Review) -> Iterator[Problem]:
    """Yield transfer networks on which pods would get no address."""
    for group in review.blueprint.groups:
        if group.path != "rebuild":
            yield from _transfer_network(review.blueprint, group)


def _vddk(blueprint: Blueprint, machine: Machine) -> Iterator[Problem]:
    vcenter = next((source.vcenter for source in blueprint.sources if source.name == machine.source), None)
    raw = [disk for disk in machine.disks if disk.source.vddk is not None]
    if vcenter is None or not (raw or (machine.method == "job" and vcenter.vddk_image is not None)):
        return
    where = blueprint.places.get(machine.key)
    if vcenter.thumbprint is None:
        yield Problem(
            f"VM {machine.name}: the thumbprint of vCenter {machine.source} is unknown",
            "add vcenter.thumbprint: VDDK connects to nothing whose certificate it cannot tell",
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
    """Yield a finding where pods would get no address on the network they are to copy over."""
    namespace, _, name = (group.transfer_network or "").partition("/")
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
