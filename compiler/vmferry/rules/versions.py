"""What the target's versions do not support: leaving out a field must not lose a decision."""

from collections.abc import Iterator

from vmferry.estate.stages import begun
from vmferry.kube import versions
from vmferry.kube.versions import Component, Support
from vmferry.model.blueprint import Group
from vmferry.model.review import Problem, Review
from vmferry.model.spec import Versions
from vmferry.rules.registry import also, rule

_STARTED = ("Always", "RerunOnFailure")
"""Run strategies that start a VM."""

_SOURCE = "kubev2v/forklift operator/config/crd/bases (Plan); issue 2053"


@rule("VMF506", "error", "not supported by the target's version", source=_SOURCE, essential=True)
def too_old(review: Review) -> Iterator[Problem]:
    """An older Forklift drops a field that its Plan does not have yet: the VM would run without its labels.

    The network policies, Services and placement that select by label would no longer apply to it.
    """
    blueprint = review.blueprint
    here = blueprint.cluster.versions
    for group in blueprint.groups:
        if group.path == "forklift" and (lost := sorted(_lost(group, here))):
            yield Problem(
                f"Forklift {here.forklift} does not support {', '.join(lost)} of group {group.name}",
                "2.10 does: update Forklift and target.cluster.versions.forklift, or remove the decision",
                blueprint.places.get(group.machines[0].key),
                tuple(machine.name for machine in group.machines),
            )


@also(too_old)
def link_state(review: Review) -> Iterator[Problem]:
    """Yield disconnected NICs: KubeVirt before 1.5 refuses them (VEP 3, pkg/network/admitter/admit.go)."""
    here = review.blueprint.cluster.versions
    if versions.certain(here, versions.LINK_STATE):
        return
    for subject, group, machine in review.moving:
        down = [nic.name for nic in machine.nics if not nic.connected and nic.binding != "sriov"]
        if down and group.path == "virt-v2v" and not machine.golden:
            yield subject.problem(
                f"{', '.join(down)} is not connected, and KubeVirt {here.kubevirt} does not support a link state",
                "1.5 does: update KubeVirt and target.cluster.versions.kubevirt, or connect or remove the NIC",
                "nics",
            )


@also(too_old, groups=True)
def nvme(review: Review) -> Iterator[Problem]:
    """Yield VMs with disks that an older Forklift does not see: it only maps those on SATA, IDE and SCSI."""
    here = review.blueprint.cluster.versions
    if versions.certain(here, versions.NVME_DISKS):
        return
    for subject, group, _ in review.moving:
        disks = [index for index, disk in enumerate(subject.vm.disks or ()) if disk.controller == "nvme"]
        if disks and group.path == "forklift" and not begun(group.stage):
            yield subject.problem(
                f"one of its disks is on an NVMe controller, and Forklift {here.forklift} skips such disks",
                f"{versions.NVME_DISKS.since} supports them: update Forklift and "
                "target.cluster.versions.forklift, move the "
                "disk to a SCSI controller, or use path virt-v2v",
                "disks",
                disks[0],
            )


@also(too_old, groups=True)
def power_state(review: Review) -> Iterator[Problem]:
    """Yield VMs that an older Forklift starts, or leaves off, against the spec: it restores the source's state."""
    here = review.blueprint.cluster.versions
    if versions.certain(here, versions.TARGET_POWER_STATE):
        return
    for subject, group, machine in review.moving:
        if group.path != "forklift" or begun(group.stage):
            continue
        starts, wanted = subject.vm.power_state == "poweredOn", machine.run_strategy in _STARTED
        if subject.vm.power_state is not None and starts != wanted:
            yield subject.decided(
                "run_strategy",
                f"its runStrategy is {machine.run_strategy}, and Forklift {here.forklift} does not support it: the VM "
                f"{'is started, as its source was running' if starts else 'stays off, as its source was'}",
                f"{versions.TARGET_POWER_STATE.since} does: update Forklift and target.cluster.versions.forklift; or "
                "follow the source's power state",
            )


def _lost(group: Group, here: Versions) -> Iterator[str]:
    placement = group.placement
    if not versions.certain(here, versions.TARGET_PLACEMENT):
        if placement.labels:
            yield "labels"
        if placement.node_selector:
            yield "nodeSelector"
        if placement.apart_from is not None:
            yield "apartFrom"
    if any(machine.nbde_clevis for machine in group.machines) and not versions.certain(here, versions.NBDE_CLEVIS):
        yield "nbdeClevis"


@rule(
    "VMF509",
    "error",
    "version is older than the manifests support",
    source="vmferry.kube.versions; kubev2v/forklift v2.7.0: a Plan has no name templates",
    essential=True,
)
def below_floor(review: Review) -> Iterator[Problem]:
    """Fields that vmferry always writes are missing from this release's definitions, or work differently in it.

    Server-side apply refuses an object for a single field that its definition lacks. A Plan whose fields are dropped
    gives its volumes different names from those the rest of the output expects.
    """
    for support, version in _used(review):
        if versions.too_old(version, support):
            name = support.component.title
            yield Problem(
                f"{name} {version} is too old: the manifests need {name} {support.oldest} or later",
                f"update {name} before the migration, and state its version in target.cluster.versions",
                review.at("target", "cluster", "versions", support.component.value),
            )


@rule("VMF510", "warning", "version is newer than this vmferry supports", source="vmferry.kube.versions")
def beyond_known(review: Review) -> Iterator[Problem]:
    """What a later release changed is not in vmferry's tables: it may refuse a manifest, or handle it differently.

    The manifests are those for the newest release that is known.
    """
    for support, version in _used(review):
        if versions.unknown(version, support):
            yield Problem(
                f"{support.component.title} {version} is newer than {support.newest}, the newest that this "
                "vmferry supports",
                "update vmferry, or try one group first and suppress this; if it is a typo, correct it",
                review.at("target", "cluster", "versions", support.component.value),
            )


@rule("VMF511", "info", "version is no longer maintained upstream", source="vmferry.kube.versions")
def past_its_end(review: Review) -> Iterator[Problem]:
    """Bugs in it are no longer fixed upstream. A vendor's build of it may well still be maintained.

    An update in the middle of a migration is a risk of its own: do it before the first phase or after the last.
    """
    for support, version in _used(review):
        if versions.ended(version, support) and not versions.too_old(version, support):
            yield Problem(
                f"{support.component.title} {version} is no longer maintained upstream ({support.newest} is the "
                "newest)",
                "plan its update before the first phase or after the last; suppress this if a vendor maintains it",
                review.at("target", "cluster", "versions", support.component.value),
            )


def _used(review: Review) -> Iterator[tuple[Support, str]]:
    """Yield the components that this migration uses, each with its version in the spec."""
    blueprint = review.blueprint
    paths = {group.path for group in blueprint.groups}
    used = {
        Component.KUBERNETES: True,
        Component.KUBEVIRT: bool(paths & {"forklift", "virt-v2v"}),
        Component.CDI: bool(paths & {"forklift", "virt-v2v"}),
        Component.FORKLIFT: "forklift" in paths,
        Component.FLUX: blueprint.gitops.engine == "flux",
        Component.ARGOCD: blueprint.gitops.engine == "argocd",
    }
    for support in versions.SUPPORT:
        if used[support.component]:
            yield support, versions.stated(blueprint.cluster.versions, support.component)
