"""The connections that a migration opens across the border of the cluster, by the paths and methods that are in use."""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from msgspec import Struct

from vmferry.estate.addresses import is_address
from vmferry.estate.checks import connecting, port_of
from vmferry.estate.dependencies import outside
from vmferry.estate.methods import METHODS
from vmferry.estate.segments import Row, attached
from vmferry.estate.stages import OWNED
from vmferry.estate.urls import endpoint
from vmferry.estate.wording import counted
from vmferry.model.blueprint import Group, Machine, MachineNic
from vmferry.model.keys import VmKey
from vmferry.model.review import Review, Subject, once
from vmferry.model.spec import ExternalDns, PowerShell, Rfc2136, VCenter

Direction = Literal["out of the cluster", "into the cluster", "outside of the cluster"]
Protocol = Literal["TCP", "UDP", "ICMP"]

_HTTPS, _NFC, _SSH, _DNS = 443, 902, 22, 53
_DOCKER = "registry-1.docker.io"
_SHOWN = 6


class Opening(Struct, frozen=True, kw_only=True):
    """A connection that firewalls have to let through. ``port`` is None where nobody but its owner knows it."""

    direction: Direction
    sources: tuple[str, ...]
    destination: str
    port: int | None
    protocol: Protocol
    why: str
    phases: tuple[str, ...]  # those whose VMs need it; none: all of the migration does
    vms: tuple[VmKey, ...]


class _Need(NamedTuple):
    """A connection of one VM, or of the migration as a whole."""

    source: str
    destination: str
    port: int | None
    why: str
    vm: VmKey | None = None
    phase: str = ""
    direction: Direction = "out of the cluster"
    protocol: Protocol = "TCP"


def openings(review: Review) -> tuple[Opening, ...]:
    """Return what has to be open from now on, sorted by direction, destination and port.

    What groups needed that no longer copy is left out.
    """
    order = {phase.name: number for number, phase in enumerate(review.blueprint.phases)}
    found: dict[tuple[Direction, str, int | None, Protocol, str], list[_Need]] = {}
    for need in _needs(review):
        key = (need.direction, need.destination, need.port, need.protocol, need.why)
        found.setdefault(key, []).append(need)
    rows = [
        Opening(
            direction=direction,
            sources=tuple(sorted({need.source for need in needs})),
            destination=destination,
            port=port,
            protocol=protocol,
            why=why,
            phases=tuple(
                sorted({need.phase for need in needs if need.phase}, key=lambda phase: (order.get(phase, 0), phase))
            ),
            vms=tuple(sorted({need.vm for need in needs if need.vm is not None})),
        )
        for (direction, destination, port, protocol, why), needs in found.items()
    ]
    return tuple(
        sorted(
            rows,
            key=lambda each: (_ORDER.index(each.direction), each.destination, each.port or 0, each.protocol, each.why),
        )
    )


_ORDER: tuple[Direction, ...] = ("out of the cluster", "into the cluster", "outside of the cluster")


def listed(sources: Iterable[str]) -> str:
    """Return names of sources, the first of many."""
    names = [*sources]
    more = f" and {counted(len(names) - _SHOWN, 'other')}" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _needs(review: Review) -> Iterator[_Need]:
    yield from _repository(review)
    yield from _preflight(review)
    for group in review.blueprint.groups:
        if group.stage not in OWNED:
            yield from _copies(review, group)
            yield from _images(group)
        yield from _containers(review, group)
        yield from _records(group)
        yield from _routes(group)
        yield from _checks(review, group)
    yield from _hooks(review)
    yield from _external(review)


# --- the engine -------------------------------------------------------------------------------


def _repository(review: Review) -> Iterator[_Need]:
    """Yield how the engine reaches the repository; `git@HOST:PATH` is SSH."""
    gitops = review.blueprint.gitops
    short = re.fullmatch(r"[^/@]+@([^:/]+):.*", gitops.repo_url)
    host, port = (short[1], _SSH) if short else endpoint(gitops.repo_url)
    engine = "Flux" if gitops.engine == "flux" else "Argo CD"
    space = review.blueprint.target.engine_namespace
    yield _Need(f"pods in {space}", host, port, f"{engine} reads the Git repository")


def _preflight(review: Review) -> Iterator[_Need]:
    """Yield what the Jobs of the pre-flight try, on every node that runs VMs."""
    plan = review.blueprint.preflight
    if plan is None:
        return
    if plan.image is not None:
        yield _pull(plan.image, "image of the pre-flight")
    for test in plan.tests:
        if test.vcenter is not None:
            pods = f"pods in {plan.namespace}"
            yield _Need(pods, test.vcenter.host, test.vcenter.port, _TRIES)
            for host in test.vcenter.esxi:
                yield _Need(pods, host, _HTTPS, _TRIES)
                yield _Need(pods, host, _NFC, _TRIES)


_TRIES = "the pre-flight tries it from every node"


def _hooks(review: Review) -> Iterator[_Need]:
    space = review.blueprint.forklift.namespace
    for hook in review.blueprint.hooks:
        if hook.image is not None:
            yield _pull(hook.image, "image of a hook")
        if hook.aap is not None and hook.aap.url is not None:
            yield _Need(f"pods in {space}", *endpoint(hook.aap.url), "Forklift starts a job of AAP as a hook")


# --- copies -----------------------------------------------------------------------------------

# Ports: kubev2v/forklift-documentation documentation/modules/network-prerequisites.adoc (VMware vSphere).
_LOGS_IN = "login, inventory and snapshots"
_READS = "pods log in to the host whose disks they read (VDDK)"
_DATA = "the data of the disks (VDDK, NFC)"


def _copies(review: Review, group: Group) -> Iterator[_Need]:
    """Yield how whatever copies the disks of a group reaches vSphere."""
    method = METHODS[group.method]
    for machine in group.machines:
        source = next((each for each in review.spec.sources if each.name == machine.source), None)
        if source is None or not machine.disks or machine.clone_of is not None:
            continue
        vcenter = source.vcenter
        pods = f"pods in {machine.namespace}"
        if group.transfer_network is not None:
            pods += f" over {group.transfer_network}"
        if group.path == "forklift":
            yield _of(machine, f"pods in {review.blueprint.forklift.namespace}", *endpoint(vcenter.url), _LOGS_IN)
            if group.forklift.offload:
                yield from _offloaded(group, machine, vcenter, pods)
            else:
                yield from _vddk(review, machine, vcenter, pods)
        elif method.converts:
            yield _of(machine, pods, *endpoint(vcenter.url), _LOGS_IN)
            origin = group.origins.get(machine.key)
            if origin is None or origin.conversion.vddk_image is not None:
                yield from _vddk(review, machine, vcenter, pods)
        elif any(disk.source.vddk is not None for disk in machine.disks):
            yield from _vddk(review, machine, vcenter, pods)
        elif method.from_images and not all(disk.source.blank is not None for disk in machine.disks):
            for need in (
                _of(machine, _BASTION, *endpoint(vcenter.url), _LOGS_IN),
                *_vddk(review, machine, vcenter, ""),
            ):
                yield need._replace(source=_BASTION, direction="outside of the cluster")


_BASTION = "the bastion that runs bastion.sh"


def _vddk(review: Review, machine: Machine, vcenter: VCenter, pods: str) -> Iterator[_Need]:
    """Yield what VDDK needs: vCenter, and each host that the VM may be on by then."""
    yield _of(machine, pods, *endpoint(vcenter.url), _LOGS_IN)
    if vcenter.sdk_endpoint == "esxi":
        yield _of(machine, pods, endpoint(vcenter.url)[0], _NFC, _DATA)
        return
    for host in _hosts(review, machine, vcenter):
        yield _of(machine, pods, host, _HTTPS, _READS)
        yield _of(machine, pods, host, _NFC, _DATA)


def _hosts(review: Review, machine: Machine, vcenter: VCenter) -> Iterator[str]:
    """Yield the ESXi hosts that a VM may be on: its own, and the others of its cluster."""
    own = review.hosts.get((machine.source, machine.host or ""))
    cluster = (own.cluster if own is not None else None) or machine.cluster
    names = {
        name for (source, name), host in review.hosts.items() if source == machine.source and host.cluster == cluster
    }
    names = (names if cluster is not None else set()) | ({machine.host} if machine.host is not None else set())
    direct = {host.name: host.ip_address for host in vcenter.hosts}
    for name in sorted(names):
        yield f"{name} ({direct[name]})" if name in direct and direct[name] != name else name
    if not names:
        yield f"every ESXi host of {machine.source}"


def _offloaded(group: Group, machine: Machine, vcenter: VCenter, pods: str) -> Iterator[_Need]:
    """Yield what copies by a storage array need (kubev2v/forklift cmd/vsphere-xcopy-volume-populator, README)."""
    yield _of(machine, pods, *endpoint(vcenter.url), _LOGS_IN)
    used = {disk.datastore for disk in machine.disks}
    for pair in group.storage:
        if pair.offload is None or pair.source not in used:
            continue
        secrets = [pair.offload.xcopy.secret] if pair.offload.xcopy is not None else []
        secrets += [pair.offload.csi.secret_ref] if pair.offload.csi is not None else []
        for secret in secrets:
            array = f"management of the storage array (Secret {secret})"
            yield _of(machine, pods, array, None, "the array copies the disks")
        if pair.offload.xcopy is not None and vcenter.settings.get("esxiCloneMethod") == "ssh":
            for host in pair.offload.xcopy.hosts or (machine.host or f"every ESXi host of {machine.source}",):
                yield _of(machine, pods, host, _SSH, "ESXi starts the copy (esxiCloneMethod: ssh)")


# --- images -----------------------------------------------------------------------------------


def _images(group: Group) -> Iterator[_Need]:
    """Yield where CDI gets disks from that are images, and how uploads come in."""
    for machine in group.machines:
        pods = f"pods in {machine.namespace}"
        for disk in machine.disks if machine.clone_of is None else ():
            source = disk.source
            if source.http is not None:
                yield _of(machine, pods, *endpoint(source.http.url), "CDI imports the images of disks")
            elif source.registry is not None and source.registry.url.startswith("docker://"):
                host, port = _registry(source.registry.url.removeprefix("docker://"))
                yield _of(machine, pods, host, port, "CDI imports the images of disks")
            elif source.upload is not None:
                need = _of(machine, _BASTION, "cdi-uploadproxy", _HTTPS, "images of disks are uploaded (virtctl)")
                yield need._replace(direction="into the cluster")


def _containers(review: Review, group: Group) -> Iterator[_Need]:
    """Yield the registries that the nodes pull from."""
    vddk = {source.name: source.vcenter.vddk_image for source in review.spec.sources}
    copying = group.stage not in OWNED
    for machine in group.machines:
        origin = group.origins.get(machine.key)
        images: list[tuple[str | None, str]] = []
        if copying and METHODS[group.method].converts and origin is not None:
            images += [(origin.conversion.image, "image of conversions"), (origin.conversion.vddk_image, "VDDK image")]
        elif copying and group.path == "forklift":
            images += [(group.forklift.virt_v2v_image, "image of conversions"), (vddk[machine.source], "VDDK image")]
        elif copying and any(disk.source.vddk is not None for disk in machine.disks):
            images.append((vddk[machine.source], "VDDK image"))
        if machine.application is not None:
            images.append((machine.application.image, "image of an application"))
        if group.checks.get(machine.key):
            images.append((group.check_image, "image of the Job that checks VMs"))
        for image, why in images:
            if image is not None:
                yield _pull(image, why)._replace(vm=machine.key, phase=group.phase)
    if group.stage == "planned" and any(plan.smoke for plan in review.blueprint.namespaces):
        yield _pull(review.blueprint.cluster.smoke_image, "image of smoke-test VMs")


def _pull(image: str, why: str) -> _Need:
    return _Need("every node", *_registry(image), f"nodes pull the {why}")


def _registry(image: str) -> tuple[str, int]:
    """Return host and port of an image's registry; Docker Hub if it names none (distribution/reference)."""
    first, slash, _ = image.partition("/")
    if not slash or not (first == "localhost" or "." in first or ":" in first):
        return _DOCKER, _HTTPS
    host, _, port = first.partition(":")
    return (_DOCKER if host == "docker.io" else host), int(port) if port.isdecimal() else _HTTPS


# --- records, checks and what VMs need --------------------------------------------------------


def _records(group: Group) -> Iterator[_Need]:
    """Yield how whoever changes records reaches the name servers."""
    for change in group.dns if group.stage != "retired" else ():
        provider, why = change.provider, f"records in {change.zone} are changed"
        if isinstance(provider, Rfc2136):
            need = _Need("whoever runs nsupdate", provider.server, provider.port, why, change.vm, group.phase)
            need = need._replace(direction="outside of the cluster")
            yield from (need, need._replace(protocol="UDP"))
        elif isinstance(provider, PowerShell):
            need = _Need("whoever runs the PowerShell script", provider.server, None, why, change.vm, group.phase)
            yield need._replace(direction="outside of the cluster")
        elif isinstance(provider, ExternalDns):
            server = "the DNS provider of ExternalDNS"
            yield _Need("the pods of ExternalDNS", server, None, why, change.vm, group.phase)


def _routes(group: Group) -> Iterator[_Need]:
    """Yield how Gateways reach the sources that they still send clients to."""
    for machine in group.machines if group.stage != "retired" else ():
        route = machine.route
        if route is not None and route.address is not None:
            proxies = f"the proxies of Gateway {route.gateway.namespace}/{route.gateway.name}"
            yield _of(machine, proxies, route.address, route.source_port, "clients of the source come through it")


def _checks(review: Review, group: Group) -> Iterator[_Need]:
    """Yield how the Job that checks VMs reaches those with an address outside of the pod network."""
    if group.stage in ("validated", "retired"):
        return
    networks = _networks(review)
    for machine, each in connecting(group):
        if each.address is None or not is_address(each.address) or each.segment is not None:
            continue  # on one network, nothing is in between
        row = networks.get(each.address)
        subnet = f" ({row.network.subnet})" if row is not None and row.network.subnet is not None else ""
        place = f"VMs on {row.name}{subnet}" if row is not None else f"{machine.name} ({each.address})"
        need = _of(machine, f"pods in {group.namespace}", place, port_of(each.check), "a Job checks VMs")
        yield need._replace(protocol="ICMP") if each.check.ping is not None else need


@once
def _networks(review: Review) -> dict[str, Row]:
    """Return the networks of the addresses that VMs will have."""
    return {str(ip.ip): item.row for item in attached(review) for ip in item.addresses}


def _external(review: Review) -> Iterator[_Need]:
    """Yield what VMs need outside of the migration (`dependsOn`), from where they will be."""
    for subject, _, machine in review.moving:
        for service in outside(subject.vm):
            host, _, port = service.rpartition(":")
            to, number = (host, int(port)) if host else (service, None)
            yield _of(machine, _from(subject, machine), to, number, "VMs depend on it (`dependsOn`)")


def _from(subject: Subject, machine: Machine) -> str:
    """Return where a VM's connections come from: its address in the target, or that of its node."""
    name = f"VM {subject.name}"
    if machine.path == "rebuild" or machine.golden or any(nic.nad is None for nic in machine.nics):
        return f"{name} (address of its node)"
    new = [text.partition("/")[0] for nic in machine.nics for text in _new(nic)]
    return f"{name} (new address {', '.join(new)})" if new else name


def _new(nic: MachineNic) -> tuple[str, ...]:
    return nic.readdress.addresses if nic.readdress is not None else ()


def _of(machine: Machine, source: str, destination: str, port: int | None, why: str) -> _Need:
    return _Need(source, destination, port, why, machine.key, machine.phase)
