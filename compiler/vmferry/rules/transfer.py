"""What the copy from vSphere needs: thumbprints, readable disks, an address on the transfer network."""

from collections.abc import Iterator

from vmferry.model.blueprint import Blueprint, Group, Machine
from vmferry.model.finding import Finding
from vmferry.model.spec import OvnLayer2, OvnLocalnet


def check(blueprint: Blueprint) -> Iterator[Finding]:
    """Yield what would make a copy fail."""
    for group in blueprint.groups:
        if group.path != "rebuild":
            yield from _transfer_network(blueprint, group)
            for machine in group.machines:
                yield from _vddk(blueprint, machine)


def _vddk(blueprint: Blueprint, machine: Machine) -> Iterator[Finding]:
    vcenter = next((source.vcenter for source in blueprint.sources if source.name == machine.source), None)
    raw = [disk for disk in machine.disks if disk.source.vddk is not None]
    if vcenter is None or not (raw or (machine.method == "job" and vcenter.vddk_image is not None)):
        return
    where = blueprint.places.get(machine.key)
    if vcenter.thumbprint is None:
        yield Finding(
            code="VMF108",
            message=f"VM {machine.name}: the thumbprint of vCenter {machine.source} is unknown",
            help="add vcenter.thumbprint: VDDK connects to nothing whose certificate it cannot tell",
            where=where,
            vms=(machine.name,),
        )
    for disk in raw:
        if disk.file is None:
            yield Finding(
                code="VMF108",
                message=f"VM {machine.name}, {disk.name}: its VMDK is unknown",
                help="add `file`, as in `[ds1] web-01/web-01.vmdk`: source vddk copies it",
                where=where.at("disks") if where else None,
                vms=(machine.name,),
            )


def _transfer_network(blueprint: Blueprint, group: Group) -> Iterator[Finding]:
    """Yield a finding where pods would get no address on the network they are to copy over."""
    namespace, _, name = (group.transfer_network or "").partition("/")
    for plan in blueprint.namespaces:
        for nad in plan.nads:
            target = nad.network.target
            if plan.name != namespace or nad.name != name:
                continue
            if not (isinstance(target, OvnLayer2 | OvnLocalnet) and target.subnets):
                yield Finding(
                    code="VMF204",
                    message=f"group {group.name}: pods get no address on transfer network {name}",
                    help="use a NetworkAttachmentDefinition with IPAM (type nad), or an OVN network with subnets",
                    where=blueprint.places.get(group.machines[0].key),
                    vms=tuple(machine.name for machine in group.machines),
                )
