"""A spec's options for Forklift's copies and conversions: versions that do not support them, and lost decisions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vmferry.estate.stages import begun
from vmferry.kube import versions
from vmferry.kube.versions import Feature
from vmferry.model.blueprint import ArrayCopy, Group, Machine, PlanOptions
from vmferry.model.forklift import ForkliftDecisions
from vmferry.model.review import Problem, Review
from vmferry.model.spec import Versions
from vmferry.rules.lost_decisions import lost
from vmferry.rules.registry import also
from vmferry.rules.versions import too_old


class Wish(NamedTuple):
    """A requested option: its name in the spec, and the feature that it needs."""

    what: str
    feature: Feature


@also(too_old)
def options_too_old(review: Review) -> Iterator[Problem]:
    """Yield options of groups that the Forklift release does not support yet."""
    here = review.blueprint.cluster.versions
    for group in review.blueprint.groups:
        if group.path != "forklift":
            continue
        for wish in _missing(_wishes(group), here):
            yield Problem(
                f"group {group.name}: {wish.what} needs Forklift {wish.feature.releases}, this is {here.forklift}",
                "update Forklift and state its version in target.cluster.versions.forklift, or remove the decision",
                review.blueprint.places.get(group.machines[0].key),
                tuple(machine.name for machine in group.machines),
            )


@also(too_old)
def hooks_too_old(review: Review) -> Iterator[Problem]:
    """Yield AAP hooks that VMs use, if the Forklift release does not support them yet."""
    here = review.blueprint.cluster.versions
    users = _users(review)
    for index, hook in enumerate(review.spec.hooks):
        if hook.aap is not None and hook.name in users and not versions.certain(here, versions.AAP_HOOKS):
            yield Problem(
                f"hook {hook.name}: AAP jobs need Forklift {versions.AAP_HOOKS.releases}, this is {here.forklift}",
                "update Forklift and state its version, or let an image or a playbook start the job",
                review.at("hooks", index, "aap"),
                tuple(sorted(users[hook.name])),
            )


def _users(review: Review) -> dict[str, set[str]]:
    users: defaultdict[str, set[str]] = defaultdict(set)
    for _, group, machine in review.moving:
        for use in machine.hooks if group.path == "forklift" else ():
            users[use.name].add(machine.name)
    return users


def _missing(wishes: Iterable[Wish], here: Versions) -> list[Wish]:
    """Return the options that not every patch of the version supports, each once."""
    return sorted({wish.what: wish for wish in wishes if not versions.certain(here, wish.feature)}.values())


def _wishes(group: Group) -> Iterator[Wish]:
    options = group.forklift
    pods = options.convertor
    asked = {
        versions.COMPATIBILITY_MODE: ("conversion: skip", options.raw),
        versions.CONVERSION_STORAGE: ("conversionStorage", options.conversion_storage),
        versions.CONVERTOR_PODS: ("convertor", pods),
        versions.SERVICE_ACCOUNT: ("serviceAccount", options.service_account),
        versions.VIRT_V2V_IMAGE: ("virtV2vImage", options.virt_v2v_image),
        versions.XFS_COMPATIBILITY: ("xfsCompatibility", options.xfs_compatibility),
        versions.CUSTOMIZATION_SCRIPTS: ("scripts", options.scripts),
        versions.TAG_MAPPING: ("tags", options.tags != "all"),
        versions.VM_CUTOVER: ("vmCutover", group.vm_cutover),
    }
    yield from (Wish(what, feature) for feature, (what, wanted) in asked.items() if wanted)
    for machine in group.machines:
        yield from _own_wishes(machine)
    for pair in group.storage:
        if pair.offload is not None:
            yield from _copy_wishes(pair.offload, warm=group.method == "warm")


def _own_wishes(machine: Machine) -> Iterator[Wish]:
    if machine.nested_virtualization is not None:
        yield Wish("nestedVirtualization", versions.NESTED_VIRTUALIZATION)
    if machine.rdm_as_lun:
        yield Wish("rdmAsLun", versions.RDM_AS_LUN)
    if machine.scsi_reservation:
        yield Wish("scsiReservation", versions.SCSI_RESERVATION)
    if any(disk.unreadable and disk.offload is not None for disk in machine.disks):
        yield Wish("copy offload of a raw device mapping", versions.OFFLOAD_RDM)


_ARRAYS = {
    "pureFlashArray": versions.XCOPY_PURE_POWERFLEX,
    "powerflex": versions.XCOPY_PURE_POWERFLEX,
    "flashsystem": versions.XCOPY_MORE_ARRAYS,
    "infinibox": versions.XCOPY_MORE_ARRAYS,
    "powermax": versions.XCOPY_MORE_ARRAYS,
    "powerstore": versions.XCOPY_MORE_ARRAYS,
}
"""Arrays that the first copy offload did not support (enum of storageVendorProduct)."""


def _copy_wishes(copy: ArrayCopy, *, warm: bool) -> Iterator[Wish]:
    if copy.xcopy is not None:
        if copy.xcopy.product in _ARRAYS:
            yield Wish(f"xcopy of {copy.xcopy.product}", _ARRAYS[copy.xcopy.product])
        if copy.xcopy.hosts:
            yield Wish("dedicatedMigrationHosts", versions.MIGRATION_HOSTS)
        if warm:
            yield Wish("xcopy with method warm", versions.OFFLOAD_WARM)
    if copy.csi is not None:
        yield Wish("csiVolumeImport", versions.CSI_VOLUME_IMPORT)
        if copy.csi.storage_vendor_product == "ontap":
            yield Wish("csiVolumeImport from ontap", versions.CSI_ONTAP)


# --- decisions that are lost --------------------------------------------------------------------


@also(lost, groups=True)
def lost_elsewhere(review: Review) -> Iterator[Problem]:
    """Yield options without effect on other paths: guest options always, copy options if the VM itself sets them."""
    for subject, group, machine in review.moving:
        decided = subject.decisions.forklift
        if group.path == "forklift" or begun(group.stage) or decided is None:
            continue
        own = subject.vm.forklift
        lost = [name for name, value in _of_guest(decided).items() if value is not None]
        lost += [name for name, value in _of_pods(own).items() if value is not None] if own is not None else []
        if lost:
            yield subject.decided(
                "forklift",
                f"path {machine.path} ({machine.method}) does not support forklift.{', forklift.'.join(sorted(lost))}",
                "use path forklift, or remove the decision",
            )


def _of_guest(decided: ForkliftDecisions) -> dict[str, object]:
    """Return options about the VM itself, independent of the path."""
    return {
        "legacyDrivers": decided.legacy_drivers,
        "nestedVirtualization": decided.nested_virtualization,
        "rdmAsLun": decided.rdm_as_lun or None,
        "scripts": decided.scripts,
        "scsiReservation": decided.scsi_reservation or None,
        "xfsCompatibility": decided.xfs_compatibility or None,
    }


def _of_pods(decided: ForkliftDecisions) -> dict[str, object]:
    """Return options about the copy: as a default for all VMs, they are meant for those that Forklift moves."""
    return {
        "conversionStorage": decided.conversion_storage,
        "convertor": decided.convertor,
        "offload": decided.offload,
        "serviceAccount": decided.service_account,
        "tags": decided.tags,
        "virtV2vImage": decided.virt_v2v_image,
    }


@also(lost, groups=True)
def lost_unconverted(review: Review) -> Iterator[Problem]:
    """Yield conversion options of guests that are not converted, and devices of guests that are."""
    for subject, group, machine in review.moving:
        if begun(group.stage) or group.path == "rebuild":
            continue
        if machine.raw and (lost := sorted(_needs_conversion(machine))):
            yield subject.decided(
                "conversion",
                f"{', '.join(lost)} would have no effect with conversion: skip",
                "remove it, or have the guest converted",
            )
        if not machine.raw and subject.decisions.devices is not None:
            yield subject.decided(
                "devices",
                "`devices` is for VMs with conversion: skip; virt-v2v gives virtio devices to those it converts",
                "remove it, or state `bus` and `model` on disks and NICs (path virt-v2v)",
            )


def _needs_conversion(machine: Machine) -> Iterator[str]:
    options = machine.forklift or PlanOptions()
    if options.scripts is not None:
        yield "forklift.scripts"
    if options.legacy_drivers is not None:
        yield "forklift.legacyDrivers"
    if options.xfs_compatibility:
        yield "forklift.xfsCompatibility"
    if machine.luks_secret is not None:
        yield "luksSecret"
    if machine.nbde_clevis:
        yield "nbdeClevis"


@also(lost, groups=True)
def two_images(review: Review) -> Iterator[Problem]:
    """Yield VMs with their own image and the switch for another: the image wins (pkg/controller/conversion)."""
    for subject, group, machine in review.moving:
        options = machine.forklift or PlanOptions()
        if options.virt_v2v_image is not None and options.xfs_compatibility and not begun(group.stage):
            yield subject.decided(
                "forklift",
                f"virtV2vImage {options.virt_v2v_image} overrides xfsCompatibility, which has no effect",
                "remove one of the two",
            )
