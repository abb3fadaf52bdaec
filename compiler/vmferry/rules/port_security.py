"""Whether guests may still send with other MAC addresses than those of their NICs, where a port group lets them."""

from collections import defaultdict
from collections.abc import Collection, Iterator

from vmferry.estate.segments import Rows, attached
from vmferry.estate.wording import listing
from vmferry.model.inventory import InventoryNetwork
from vmferry.model.review import Problem, Review
from vmferry.model.spec import BridgeNetwork, NetworkTarget, OvnLayer2, OvnLocalnet, SriovNetwork
from vmferry.rules.registry import rule

_SAID = {
    "promiscuous": "promiscuous mode",
    "macChanges": "MAC address changes",
    "forgedTransmits": "forged transmits",
    "macLearning": "MAC learning",
}


@rule(
    "VMF253",
    "warning",
    "target drops frames that the port group accepts",
    source="containernetworking/plugins plugins/main/bridge (macspoofchk); ovn-kubernetes "
    "docs/features/multiple-networks/multi-homing.md (port security prevents MAC spoofing); vSphere Networking, "
    "security policy: a standard switch accepts MAC address changes and forged transmits unless that was changed",
)
def frames_dropped(review: Review) -> Iterator[Problem]:
    """The port group lets its VMs send with MAC addresses that are not those of their NICs, which is not the default.

    Pairs of firewalls and load balancers need that for a shared virtual MAC (VRRP, CARP, HSRP, Windows NLB), and so do
    hypervisors and containers with MACs of their own. Where the target checks MACs, such a VM starts and looks healthy,
    its own address answers, and the shared one does not. The policy of a standard port group only counts if it accepts
    promiscuous mode, since it accepts the rest by default.
    """
    vms: defaultdict[int, set[str]] = defaultdict(set)
    for each in attached(review):
        vms[each.row.index].add(each.machine.name)
    for row in Rows(review).rows:
        known = [fact for _, fact in row.known if _deliberate(fact)]
        fix = _fix(row.network.target)
        if not known or fix is None or not vms[row.index]:
            continue
        accepted = {each for fact in known for each in fact.accepts}
        names = tuple(sorted(vms[row.index]))
        yield Problem(
            f"network {row.original!r} accepts {_spelled(accepted)} in vSphere, and its target drops frames with a MAC "
            f"that is not the NIC's ({listing(names)})",
            f"{fix} if any of these VMs shares a MAC (VRRP, CARP, NLB) or runs others inside, or suppress this if none "
            "does",
            row.where.at("target"),
            names,
        )


def _deliberate(fact: InventoryNetwork) -> bool:
    """Return whether what a port group accepts is not what it accepts by default."""
    return (fact.kind == "distributed" and bool(fact.accepts)) or "promiscuous" in fact.accepts


def _fix(target: NetworkTarget) -> str | None:
    """Return what lets a guest use other MACs on a network; None if it may, or if nobody can tell."""
    match target:
        case BridgeNetwork(macspoofchk=True):
            return "set macspoofchk: false in its target"
        case SriovNetwork(spoofchk=True):
            return "set spoofchk: false in its target"
        case OvnLocalnet() | OvnLayer2():
            return "use a bridge with macspoofchk: false, since OVN-Kubernetes always checks MACs,"
    return None


def _spelled(accepted: Collection[str]) -> str:
    said = [text for name, text in _SAID.items() if name in accepted]
    return " and ".join(filter(None, (", ".join(said[:-1]), said[-1])))
