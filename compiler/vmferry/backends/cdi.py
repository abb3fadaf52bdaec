"""CDI: a DataVolume for each volume that a conversion or an image fills, and a DataSource for each golden image."""

from collections.abc import Iterator
from typing import Any

from vmferry.backends.metadata import VM_LABEL, head
from vmferry.backends.places import of_machine
from vmferry.backends.vcenter import conversion_secret
from vmferry.estate.methods import METHODS
from vmferry.kube import kinds
from vmferry.kube.quantity import format_size
from vmferry.model.blueprint import Blueprint, Group, Machine, MachineDisk, Origin
from vmferry.model.facts import HttpImage, RegistryImage
from vmferry.model.manifest import Item, KubeObject

BIND_IMMEDIATELY = {"cdi.kubevirt.io/storage.bind.immediate.requested": "true"}
"""Makes CDI fill a WaitForFirstConsumer volume before a VM runs (CDI doc/waitforfirstconsumer-storage-handling.md).

Each volume is then bound separately: on local storage, the volumes of a VM with several disks can land on different
nodes, and the VM is never scheduled. A DataVolume cannot name a node, so only method job is safe.
"""

APPLY_ONCE = {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}
"""Keeps Flux from applying immutable objects again: one refused object would block the whole root."""

_ADOPT = {"cdi.kubevirt.io/allowClaimAdoption": "true"}
_KEEP = {"cdi.kubevirt.io/storage.deleteAfterCompletion": "false"}


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the volumes of groups that move by CDI's, and what names golden images.

    A shared disk has one DataVolume, its owner's; a clone has none, because its VM has dataVolumeTemplates.
    """
    for group in blueprint.groups:
        layer = METHODS[group.method].volumes
        if layer is None:
            continue
        for machine in group.machines:
            if machine.clone_of is not None:
                continue
            for disk in machine.disks:
                if disk.owner:
                    volume = _data_volume(blueprint, group, layer, machine, disk)
                    yield of_machine(group, layer, machine, volume)
                if machine.golden:
                    yield of_machine(group, "images", machine, _data_source(blueprint, group, machine, disk))


def storage(disk: MachineDisk) -> dict[str, Any]:
    """Return `spec.storage` of a DataVolume, complete, so that no StorageProfile changes it."""
    return {
        "accessModes": [disk.access_mode],
        "resources": {"requests": {"storage": format_size(disk.size)}},
        "storageClassName": disk.storage_class,
        "volumeMode": disk.volume_mode,
    }


def _data_volume(blueprint: Blueprint, group: Group, layer: str, machine: Machine, disk: MachineDisk) -> KubeObject:
    return {
        **head(
            kinds.DATA_VOLUME,
            blueprint,
            disk.claim,
            machine.namespace,
            group=group,
            layer=layer,
            labels={VM_LABEL: machine.target_name},
            annotations=_ADOPT | APPLY_ONCE | _kept(group.origins[machine.key]) | _binding(group, disk),
        ),
        "spec": {
            "contentType": "kubevirt",
            "source": _source(group.origins[machine.key], machine, disk),
            "storage": storage(disk),
        },
    }


def _kept(origin: Origin) -> dict[str, str]:
    """Return what keeps CDI from deleting the DataVolume once it is complete.

    The GitOps engine would create it again, and CDI would refuse it because the claim exists (CDI issues 2735 and
    2754).
    """
    return _KEEP if origin.collected else {}


def _binding(group: Group, disk: MachineDisk) -> dict[str, str]:
    """Return the annotation that binds the volume immediately, if needed.

    A conversion's pod is the first consumer of all disks of its VM: they are bound together, on its node.
    """
    converted_here = METHODS[group.method].converts and disk.source.blank is not None
    return BIND_IMMEDIATELY if disk.bind_immediately and not converted_here else {}


def _data_source(blueprint: Blueprint, group: Group, machine: Machine, disk: MachineDisk) -> KubeObject:
    return {
        **head(
            kinds.DATA_SOURCE,
            blueprint,
            disk.claim,
            machine.namespace,
            group=group,
            layer="images",
            labels={VM_LABEL: machine.target_name},
        ),
        "spec": {"source": {"pvc": {"name": disk.claim, "namespace": machine.namespace}}},
    }


def _source(origin: Origin, machine: Machine, disk: MachineDisk) -> dict[str, Any]:
    source = disk.source
    if source.http is not None:
        return {"http": _http(origin, source.http)}
    if source.registry is not None:
        return {"registry": _registry(source.registry)}
    if source.vddk is not None:
        return {"vddk": _vddk(origin, machine, disk)}
    return {"upload": {}} if source.upload is not None else {"blank": {}}


def _http(origin: Origin, image: HttpImage) -> dict[str, str]:
    return _present(
        url=image.url,
        secretRef=image.secret_ref,
        certConfigMap=image.cert_config_map,
        checksum=image.checksum if origin.checksums else None,
    )


def _registry(image: RegistryImage) -> dict[str, str]:
    return _present(url=image.url, secretRef=image.secret_ref)


def _vddk(origin: Origin, machine: Machine, disk: MachineDisk) -> dict[str, str]:
    """Return the vddk source; CDI refuses it unless all but the image are set (validateVDDKSource)."""
    return _present(
        backingFile=disk.file,
        url=origin.conversion.url,
        uuid=origin.uuid,
        thumbprint=origin.conversion.thumbprint,
        secretRef=conversion_secret(origin, machine),
        initImageURL=origin.conversion.vddk_image,
    )


def _present(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}
