"""Results for the NICs of VMs: some stay behind, and some networks share a name."""

from collections import defaultdict
from collections.abc import Iterator

from vmferry.estate.segments import Row, Rows, attached
from vmferry.model.blueprint import DroppedNic, Machine
from vmferry.model.review import Problem, Review
from vmferry.model.spec import PodNetwork
from vmferry.rules.registry import rule


@rule("VMF214", "info", "network is deliberately not connected")
def not_connected(review: Review) -> Iterator[Problem]:
    """The network map says `type: ignored`: VMs arrive without the NICs they have on this network.

    This rule counts them. With path A the NetworkMap tells Forklift to skip them; with path B the VirtualMachine has no
    such NIC.
    """
    found: defaultdict[tuple[str, str], list[tuple[Machine, DroppedNic]]] = defaultdict(list)
    rows, places = Rows(review), {}
    for subject, _, machine in review.moving:
        for nic in machine.dropped_nics if not machine.golden else ():
            found[nic.network.name, nic.reason].append((machine, nic))
            row = rows.of(subject, nic.index, nic.network)
            places[nic.network.name] = row.where.at("target") if row is not None else review.at("networks")
    for (name, reason), nics in sorted(found.items()):
        vms = tuple(sorted({machine.name for machine, _ in nics}))
        yield Problem(
            f"network {name!r} is not connected: {len(nics)} NIC{'s' if len(nics) > 1 else ''} of {len(vms)} "
            f"VM{'s' if len(vms) > 1 else ''} stay behind ({reason})",
            "nothing to do if that is still intended; otherwise give the network another target",
            places[name],
            vms,
        )


@rule("VMF215", "warning", "VM loses its only network", each=True)
def cut_off(review: Review) -> Iterator[Problem]:
    """All networks of the VM are deliberately not connected: it arrives without a NIC, and cannot be reached."""
    for subject, _, machine in review.moving:
        if machine.dropped_nics and not machine.nics and not machine.golden:
            names = ", ".join(sorted({repr(nic.network.name) for nic in machine.dropped_nics}))
            yield subject.problem(
                f"none of its networks is connected in the target ({names})",
                "map one of them to a network of the cluster; or suppress this if only its console is needed",
                "nics",
                machine.dropped_nics[0].index,
            )


@rule("VMF209", "error", "new addresses on a network that is not connected", each=True)
def readdressed(review: Review) -> Iterator[Problem]:
    """`readdress` gives addresses to a NIC that the VM will not have: one of the two decisions is wrong."""
    for subject, _, machine in review.moving:
        for nic in machine.dropped_nics:
            names = {nic.network.name, (subject.vm.nics or ())[nic.index].network} if subject.vm.nics else set()
            for name in sorted(names & subject.vm.readdress.keys()):
                yield subject.problem(
                    f"it gets new addresses on {name!r}, which is not connected in the target",
                    "remove them, or give the network a target other than ignored",
                    "readdress",
                    name,
                )


@rule("VMF216", "warning", "same network name in several datacenters")
def datacenters(review: Review) -> Iterator[Problem]:
    """Two datacenters of a vCenter can each have a network of the same name, and one row covers both here.

    If their ids are known, VMF212 distinguishes them. By name alone, VMs of both land on one target network, whether or
    not they shared one in vSphere.
    """
    found: defaultdict[tuple[int, str], defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    rows: dict[int, Row] = {}
    for item in attached(review):
        row = item.row
        by_name = row.network.source.id is None and item.fact.network_id is None
        if item.machine.path != "virt-v2v" or not by_name or row.nsx or isinstance(row.network.target, PodNetwork):
            continue
        if item.machine.datacenter is not None:
            rows[row.index] = row
            found[row.index, item.subject.source][item.machine.datacenter].add(item.machine.name)
    for (index, vcenter), by_datacenter in sorted(found.items()):
        if len(by_datacenter) > 1:
            vms = tuple(sorted({name for names in by_datacenter.values() for name in names}))
            counts = ", ".join(
                f"{datacenter} ({len(names)} VMs)" for datacenter, names in sorted(by_datacenter.items())
            )
            yield Problem(
                f"network {rows[index].original!r} of {vcenter} is in several datacenters, {counts}, and one row "
                "covers all",
                "if they are two networks, give each its own row, found by `id`, and the NICs their networkId; "
                "if they are one VLAN, suppress this",
                rows[index].where.at("source"),
                vms,
            )


@rule("VMF251", "warning", "NIC's link state changes at the next start", each=True)
def changed_by_hand(review: Review) -> Iterator[Problem]:
    """Someone connected or disconnected the NIC while the VM runs, but not for its next start.

    The copy follows the setting for the start ("Connect At Power On"): a NIC that carries traffic today would be down
    after the move, or one that is kept off the network would be on it.
    """
    for subject, _, machine in review.moving:
        facts = subject.vm.nics or ()
        for nic in machine.nics if machine.path != "rebuild" and not machine.golden else ():
            fact = facts[nic.index] if nic.index < len(facts) else None
            if fact is None or fact.linked is None or fact.linked is nic.connected:
                continue
            now, then = ("connected", "down") if fact.linked else ("disconnected", "connected")
            yield subject.problem(
                f"its NIC on {fact.network!r} is {now} now, and will be {then} after the move, because it is set to "
                f"{'not start' if fact.linked else 'start'} connected",
                "correct Connect At Power On in vSphere and import again, or state `nics` in its entry",
                "nics",
                nic.index,
                "connected",
            )
