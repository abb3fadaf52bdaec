"""The checks of VMs: definitions by name, and for each VM those that it has to pass, with the way to it."""

from collections.abc import Mapping

from msgspec.structs import replace

from vmferry.estate import checks
from vmferry.estate.network_map import NetworkMap, resource_name
from vmferry.estate.statements import DEFINED_TWICE, NOT_APPLICABLE, UNDEFINED_REFERENCE
from vmferry.kube.dns import digest
from vmferry.kube.nodes import bridge_nodes, vm_nodes
from vmferry.model.blueprint import CheckSegment, Machine, MachineCheck
from vmferry.model.keys import Reference, VmKey
from vmferry.model.project import Project
from vmferry.model.spec import BridgeNetwork, Check, Cluster
from vmferry.resolve.hooks import text_of
from vmferry.resolve.notes import Noting, decide
from vmferry.resolve.selection import Candidate

_KINDS = "tcp, http, ping, guestAgent, service, script and same"

PlannedChecks = tuple[dict[VmKey, tuple[MachineCheck, ...]], dict[str, str]]
"""The checks of each VM, and the texts of scripts by check."""


def plan_checks(
    project: Project,
    networks: NetworkMap,
    machines: tuple[Machine, ...],
    candidates: Mapping[VmKey, Candidate],
) -> Noting[PlannedChecks]:
    """Return the checks of each VM that will run, as the spec states them now: they are never frozen.

    ``candidates`` are the VMs by the key of their machine.
    """
    known, scripts = yield from _defined(project, networks)
    found: dict[VmKey, tuple[MachineCheck, ...]] = {}
    for machine in machines:
        candidate = candidates.get(machine.key)
        names = candidate.decisions.checks if candidate is not None else None
        if candidate is None or not names:
            continue
        if unknown := [name for name in names if name not in known]:
            yield UNDEFINED_REFERENCE.finding(
                f"VM {machine.name} names {_quoted(unknown)}, which `checks` does not define",
                f"defined checks: {', '.join(sorted(known)) or 'none'}",
                where=candidate.origin("checks"),
                vms=(machine.name,),
            )
        if checks.checkable(machine):
            its = tuple(
                _made(check, machine, candidate, networks, scripts.get(name), project.spec.target.cluster)
                for name in dict.fromkeys(names)
                if (check := known.get(name)) is not None
            )
            if its:
                found[machine.key] = its
                listed = ", ".join(each.check.name for each in its)
                yield decide(machine.key, "checks", listed, "the spec says so", where=candidate.origin("checks"))
                yield from _explain(machine, its, candidate)
    return found, scripts


def _defined(project: Project, networks: NetworkMap) -> Noting[tuple[dict[str, Check], dict[str, str]]]:
    """Return the checks by name, and the text of scripts; what is wrong with a definition is a finding."""
    known: dict[str, Check] = {}
    scripts: dict[str, str] = {}
    for index, check in enumerate(project.spec.checks):
        where = project.where.at("checks", index)
        if check.name in known:
            yield DEFINED_TWICE.finding(f"check {check.name} is defined twice", where=where.at("name"))
            continue
        known[check.name] = check
        if len(check.kinds) != 1:
            has = " and ".join(check.kinds) or "none of them"
            yield NOT_APPLICABLE.finding(
                f"check {check.name} needs exactly one of {_KINDS}; it has {has}",
                "make it several checks, each with a name of its own" if check.kinds else "say what it checks",
                where=where,
            )
        if check.network is not None and networks.named(check.network) is None:
            yield UNDEFINED_REFERENCE.finding(
                f"check {check.name} goes over network {check.network}, which is not defined",
                f"networks by name: {', '.join(sorted({row.name for row in networks.rows})) or 'none'}",
                where=where.at("network"),
            )
        if check.secret_ref is not None and check.file is None:
            yield NOT_APPLICABLE.finding(
                f"check {check.name} has a Secret that nothing would read",
                "remove secretRef: only scripts get it (`script` and `same`)",
                where=where.at("secretRef"),
            )
        if check.file is not None:
            text = yield from text_of(project, "script", check.file, where.at(*check.kinds[-1:]))
            if text is not None:
                scripts[check.name] = text
    return known, scripts


def _made(
    check: Check,
    machine: Machine,
    candidate: Candidate,
    networks: NetworkMap,
    script: str | None,
    cluster: Cluster,
) -> MachineCheck:
    """Return a check of a VM, with the ways to it."""
    if not check.connects:
        return MachineCheck(check=check)
    nads = _nads(check, machine, networks)
    address = checks.address(check, machine, candidate.vm, candidate.decisions, nads)
    made = MachineCheck(check=check, address=address, segment=_segment(check, machine, networks, cluster))
    if check.same is None:
        return made
    source = checks.source_address(machine, candidate.vm, nads)
    return replace(made, source=source, made_of=digest(script or "", 12))


def _nads(check: Check, machine: Machine, networks: NetworkMap) -> set[Reference | None] | None:
    """Return the networks over which a check goes; None: any."""
    if check.network is None:
        return None
    row = networks.named(check.network)
    return {row.nad(machine.namespace, copy) for copy in range(len(machine.nics))} if row is not None else set()


def _explain(machine: Machine, its: tuple[MachineCheck, ...], candidate: Candidate) -> Noting[None]:
    """Say where the data of a VM are compared."""
    for each in its:
        if each.check.same is not None:
            yield decide(
                machine.key,
                f"check {each.check.name}",
                "prints the same at the source and in the target",
                f"before the move at {each.source or 'an address that its owner states'}, after it at "
                f"{each.address or 'an unknown address'}",
                where=candidate.origin("checks"),
            )


def _segment(check: Check, machine: Machine, networks: NetworkMap, cluster: Cluster) -> CheckSegment | None:
    """Return the network that the pod of a check is attached to itself; VMF582 reports one to which none can be."""
    row = networks.named(check.network) if check.network is not None else None
    if check.from_ is None or row is None or checks.unattached(row.network.target) is not None:
        return None
    target = row.network.target
    return CheckSegment(
        network=row.name,
        address=check.from_,
        target=target,
        nad=row.nad(machine.namespace) if not isinstance(target, BridgeNetwork) else None,
        resource=resource_name(target),
        node_selector=vm_nodes(cluster.distribution) | bridge_nodes(target, cluster),
        tolerations=machine.placement.tolerations,
    )


def _quoted(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))
