"""What the target's versions cannot do: a field that is left out must not be a decision that is lost."""

from collections.abc import Iterator

from vmferry.model.blueprint import Group
from vmferry.model.quantity import version
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import also, rule

_SOURCE = "kubev2v/forklift operator/config/crd/bases (Plan); issue 2053"
_PLAN_FIELDS = (2, 10)
"""Forklift release that brought targetLabels, targetNodeSelector, targetAffinity, targetPowerState and nbdeClevis."""

_LINK_STATE = (1, 5)
"""KubeVirt release that brought an interface's state `up` and `down`."""


@rule("VMF506", "error", "the target's version cannot do it", source=_SOURCE, essential=True)
def too_old(review: Review) -> Iterator[Problem]:
    """An older Forklift drops a field that its Plan does not have yet: the VM would run without its labels.

    With them go the network policies, Services and placement that select by label.
    """
    blueprint = review.blueprint
    if version(blueprint.cluster.versions.forklift) >= _PLAN_FIELDS:
        return
    for group in blueprint.groups:
        if group.path == "forklift" and (wishes := sorted(_wishes(group))):
            yield Problem(
                f"Forklift {blueprint.cluster.versions.forklift} has no field for {', '.join(wishes)} "
                f"of group {group.name}",
                "2.10 has: update Forklift and target.cluster.versions.forklift, or drop the decision",
                blueprint.places.get(group.machines[0].key),
                tuple(machine.name for machine in group.machines),
            )


@also("VMF506")
def link_state(review: Review) -> Iterator[Problem]:
    """Yield NICs that are to be unplugged: KubeVirt before 1.5 refuses them (VEP 3, pkg/network/admitter/admit.go)."""
    kubevirt = review.blueprint.cluster.versions.kubevirt
    if version(kubevirt) >= _LINK_STATE:
        return
    for subject, group, machine in review.moving:
        down = [nic.name for nic in machine.nics if not nic.connected and nic.binding != "sriov"]
        if down and group.path == "virt-v2v" and not machine.golden:
            yield subject.problem(
                f"{', '.join(down)} is not connected, and KubeVirt {kubevirt} has no link state",
                "1.5 has: update KubeVirt and target.cluster.versions.kubevirt, or connect or remove the NIC",
                "nics",
            )


def _wishes(group: Group) -> Iterator[str]:
    placement = group.placement
    if placement.labels:
        yield "labels"
    if placement.node_selector:
        yield "nodeSelector"
    if placement.apart_from is not None:
        yield "apartFrom"
    if any(machine.nbde_clevis for machine in group.machines):
        yield "nbdeClevis"
