"""Checks of VMs in the target: those that nothing could carry out, and those that would always fail."""

from collections.abc import Iterator, Mapping

from vmferry.estate.checks import STAYS_OFF, checkable, jobs, probed, unattached, unprobeable
from vmferry.estate.network_map import MappedNetwork, network_map
from vmferry.estate.segments import interface, is_host, subnet
from vmferry.model.blueprint import Group, Machine
from vmferry.model.review import Problem, Review, Subject
from vmferry.model.spec import Check
from vmferry.rules.registry import rule

_ON_THE_VM = "staging/src/kubevirt.io/api/core/v1/types.go (Handler)"


def _checked(review: Review) -> Iterator[tuple[Subject, Group, Machine]]:
    """Yield the VMs with checks, as far as they are not up to their team."""
    for subject, group, machine in review.moving if review.spec.checks else ():
        if subject.decisions.checks and not group.graduated:
            yield subject, group, machine


@rule("VMF560", "error", "no way to check the VM", each=True)
def unreachable(review: Review) -> Iterator[Problem]:
    """The Job that checks VMs runs in a pod: it takes the pod network, or routes from there to the guest's address.

    A VM that is not on the pod network needs an address that is known for certain: static in vSphere, or one of
    `readdress`. An address by DHCP may change.
    """
    for subject, group, machine in _checked(review):
        lost = [each.check for each in group.checks.get(machine.key, ()) if each.check.connects and not each.address]
        if lost:
            over = sorted({check.network for check in lost if check.network is not None})
            where = f" over network {', '.join(over)}" if over else ""
            yield subject.decided(
                "checks",
                f"no way to it{where} for check {', '.join(check.name for check in lost)}",
                "state its addresses and `origin: static` in `nics` of its entry, connect it to the pod network, or "
                "leave out the check",
            )


@rule("VMF561", "error", "VM with two probes", source=f"kubevirt/kubevirt {_ON_THE_VM}: one readinessProbe", each=True)
def two_probes(review: Review) -> Iterator[Problem]:
    """KubeVirt has one readiness probe for each VM, so it could only check one of them as long as the VM runs.

    A check with `service` always is a probe, since only KubeVirt can ask the guest.
    """
    for subject, _, machine in _checked(review):
        names = [check.name for check in probed(review.spec.checks, subject.decisions)]
        if len(names) > 1 and checkable(machine):
            yield subject.decided(
                "checks",
                f"KubeVirt can probe one check, and {', '.join(names)} are to be probed",
                "keep `probe: true` for the one that decides whether Services lead to the VM, and leave out other "
                "checks with `service`",
            )


@rule(
    "VMF562",
    "error",
    "check cannot be a probe",
    source="kubevirt/kubevirt pkg/virt-api/webhooks/validating-webhook/admitters/vmi-create-admitter.go "
    f"(podNetworkRequiredStatusCause); {_ON_THE_VM}",
    each=True,
)
def not_a_probe(review: Review) -> Iterator[Problem]:
    """A probe on a VM connects to a port on the pod network, gets a page, or asks the guest agent; nothing else.

    VMs that Forklift makes get none: their manifests come to git while they run, and adopting them changes nothing.
    """
    for subject, _, machine in _checked(review):
        for check in probed(review.spec.checks, subject.decisions):
            why = unprobeable(check, machine) if checkable(machine) else None
            if why is not None:
                fix = "check it another way: a service usually has a port" if check.service else "remove `probe`"
                yield subject.decided("checks", f"check {check.name} cannot be its probe: {why}", fix)


@rule("VMF563", "warning", "checks of a VM that stays off", each=True)
def stays_off(review: Review) -> Iterator[Problem]:
    """Nothing starts it, so nothing can be checked, and its group is accepted without."""
    for subject, _, machine in _checked(review):
        if machine.path == "rebuild" or checkable(machine):
            continue
        why = "it is a template" if machine.golden else f"its run strategy is {machine.run_strategy}"
        yield subject.decided(
            "checks",
            f"its checks are left out: {why}",
            "set `checks: []` in its entry"
            if machine.run_strategy not in STAYS_OFF
            else "set `checks: []` in its entry, or runStrategy: Always",
        )


@rule("VMF564", "warning", "checks of a rebuilt application", each=True)
def of_application(review: Review) -> Iterator[Problem]:
    """Its pods have probes of their own, and its Deployment is not healthy before they pass: state those instead."""
    for subject, _, machine in _checked(review):
        if machine.path == "rebuild":
            yield subject.decided(
                "checks",
                "its checks are left out: it becomes containers",
                "state `readiness` in its `application`, and set `checks: []` in its entry",
            )


@rule(
    "VMF565",
    "warning",
    "check needs a guest agent that may not be there",
    source="libguestfs/virt-v2v docs/virt-v2v.pod: it installs the QEMU guest agent in Linux and Windows guests",
    each=True,
)
def no_agent(review: Review) -> Iterator[Problem]:
    """virt-v2v installs the QEMU guest agent, unless nobody converts the guest or it is neither Linux nor Windows.

    Without the agent, the check never passes, and its group is not accepted.
    """
    asking = {check.name for check in review.spec.checks if not check.connects}
    for subject, _, machine in _checked(review) if asking else ():
        its = [name for name in subject.decisions.checks or () if name in asking]
        if its and checkable(machine) and (machine.raw or machine.os == "other"):
            why = "its disks are copied unchanged" if machine.raw else "its system is neither Linux nor Windows"
            yield subject.decided(
                "checks",
                f"check {', '.join(its)} asks the guest agent, and {why}",
                "install qemu-guest-agent in the guest, and suppress this with that reason, or leave out the check",
            )


@rule("VMF566", "error", "no image to check VMs with", blueprint=True)
def no_image(review: Review) -> Iterator[Problem]:
    """Checks that connect to a VM run in a Job, in an image with bash, curl and coreutils, and ping if it is used."""
    groups = [group for group in review.blueprint.groups if group.checks]
    connecting = any(each.address for group in groups for its in group.checks.values() for each in its)
    if connecting and review.spec.target.cluster.check_image is None:
        yield Problem(
            "VMs have checks, and there is no image that carries them out",
            "set target.cluster.checkImage to one that the cluster can pull",
            review.at("target", "cluster"),
        )


@rule("VMF567", "warning", "check that no VM has")
def unused(review: Review) -> Iterator[Problem]:
    """Someone counts on it, and nothing carries it out."""
    named = {name for subject in review.subjects for name in subject.decisions.checks or ()}
    for index, check in enumerate(review.spec.checks):
        if check.name not in named:
            yield Problem(
                f"no VM has check {check.name}",
                "name it in `checks` of a VM, of an `assign` rule or of `defaults`, or remove it",
                review.at("checks", index, "name"),
            )


# --- from a network ---------------------------------------------------------------------------


@rule(
    "VMF582",
    "error",
    "check cannot run from its network",
    source="containernetworking/plugins plugins/ipam/static; ovn-kubernetes "
    "docs/features/multiple-networks/multi-homing.md",
    essential=True,
    blueprint=True,
)
def unattached_check(review: Review) -> Iterator[Problem]:
    """With `from`, the pod of a check is attached to the network itself, by an address that nothing else has.

    That needs a network with one VLAN on a bridge, or one of OVN-Kubernetes without subnets, and an address of a host
    in the subnet of the network, with its prefix.
    """
    rows = {row.name: row for row in network_map(review.spec.networks, review.project.where).rows}
    for index, check in enumerate(review.spec.checks):
        found = _misplaced(check, rows) if check.from_ is not None else None
        if found is not None:
            yield Problem(f"check {check.name}: {found[0]}", found[1], review.at("checks", index, "from"))


def _misplaced(check: Check, rows: Mapping[str, MappedNetwork]) -> tuple[str, str] | None:
    """Return why a check cannot run from its network, and what to do; an undefined network is reported elsewhere."""
    if not check.connects:
        return f"{check.kinds[0]} asks KubeVirt, and no pod runs for it", "remove `from`"
    if check.network is None:
        return "`from` is an address of a network, and it names none", "state its `network`"
    row = rows.get(check.network)
    if row is None:
        return None
    why = unattached(row.network.target)
    if why is not None:
        return f"no pod can be attached to network {row.name} with an address: {why}", "remove `from`"
    ip = interface(check.from_)
    if ip is None or not is_host(ip):
        return f"{check.from_} is not the address of a host", "state a free address of the network, with its prefix"
    net = subnet(row.network)
    if net is not None and ip.network != net:
        return f"{check.from_} is not an address of {net}, the subnet of {row.name}", "state one, with that prefix"
    return None


@rule("VMF583", "error", "VM is not a neighbour of the check's pod", essential=True, each=True)
def elsewhere(review: Review) -> Iterator[Problem]:
    """The pod has an address in one subnet, and no route to others on that network.

    To a VM with an address in another one, it would go through the pod network and routers, which is what a check
    without `from` tries.
    """
    for subject, group, machine in _checked(review):
        for each in group.checks.get(machine.key, ()):
            ip = interface(each.segment.address) if each.segment is not None else None
            if ip is None or each.address is None:
                continue
            its = interface(each.address)
            if its is None or its.ip not in ip.network:
                yield subject.decided(
                    "checks",
                    f"its address {each.address} is not in {ip.network}, from where check {each.check.name} runs",
                    "correct `from` or its prefix, use another check for this VM, or remove `from`",
                )


@rule("VMF584", "warning", "two groups are checked from one address at the same time", blueprint=True)
def at_once(review: Review) -> Iterator[Problem]:
    """Each group has a Job of its own, and while two of them run, answers to one pod go to the other.

    A Job runs for half an hour at most once its group is at `cutover`; with what it says, the group can move on.
    """
    first: dict[tuple[str, str], str] = {}
    for group in review.blueprint.groups if any(check.from_ for check in review.spec.checks) else ():
        for segment in jobs(group).values() if group.stage == "cutover" else ():
            if segment is None:
                continue
            owner = first.setdefault((segment.network, segment.address), group.name)
            if owner != group.name:
                yield Problem(
                    f"groups {owner} and {group.name} are both at cutover, and checked from {segment.address} on "
                    f"{segment.network}",
                    "move one of them on first, or state checks with another address for one of them",
                    review.at("groups", group.name, "stage"),
                    tuple(machine.name for machine in group.machines),
                )
