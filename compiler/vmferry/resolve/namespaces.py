"""The namespace of a VM: as stated, otherwise by its resource pool or folder."""

import difflib
from collections.abc import Iterable
from functools import cache, partial

from vmferry.estate.statements import DEFINED_TWICE, NOT_APPLICABLE, UNDEFINED_REFERENCE
from vmferry.model.finding import Where
from vmferry.model.keys import VmKey
from vmferry.model.rule import declare
from vmferry.model.spec import Namespace, NamespaceSource
from vmferry.resolve.notes import Noting, decide
from vmferry.resolve.selection import Candidate


def place(candidates: Iterable[Candidate], namespaces: tuple[Namespace, ...], where: Where) -> Noting[dict[VmKey, str]]:
    """Return the namespace of each VM by key; a VM without one is a finding. ``where`` is the spec."""
    known = {namespace.name for namespace in namespaces}
    rank = cache(partial(_ranked, namespaces))  # many VMs share a folder
    result: dict[VmKey, str] = {}
    for candidate in candidates:
        stated = candidate.decisions.namespace
        if stated is not None:
            yield from _stated(candidate, stated, known)
            result[candidate.key] = stated
        elif (index := (yield from _by_source(candidate, rank(*_place(candidate)), namespaces, where))) is not None:
            name = namespaces[index].name
            result[candidate.key] = name
            place_ = where.at("namespaces", index, "source")
            yield decide(candidate.key, "namespace", name, _reason(namespaces[index].source), where=place_)
    return result


def _reason(source: NamespaceSource | None) -> str:
    if source is None:
        return ""
    return f"resource pool {source.resource_pool}" if source.resource_pool else f"folder {source.folder}"


def check_namespaces(namespaces: tuple[Namespace, ...], where: Where) -> Noting[None]:
    """Report namespaces that are defined twice, or by pool and folder at once."""
    seen: set[str] = set()
    for index, namespace in enumerate(namespaces):
        if namespace.name in seen:
            yield DEFINED_TWICE.finding(
                f"namespace {namespace.name} is defined twice",
                "merge the two entries",
                where=where.at("namespaces", index, "name"),
            )
        seen.add(namespace.name)
        source = namespace.source
        if source is not None and (source.resource_pool is None) == (source.folder is None):
            yield NOT_APPLICABLE.finding(
                f"namespace {namespace.name}: set either resourcePool or folder",
                where=where.at("namespaces", index, "source"),
            )


def _stated(candidate: Candidate, name: str, known: set[str]) -> Noting[None]:
    where = candidate.origin("namespace")
    yield decide(candidate.key, "namespace", name, "the spec says so", where=where)
    if name not in known:
        close = difflib.get_close_matches(name, sorted(known), n=1)
        yield UNDEFINED_REFERENCE.finding(
            f"namespace {name} of VM {candidate.vm.name} is not defined"
            + (f"; did you mean {close[0]}?" if close else ""),
            f"add it to `namespaces`, or use one of: {', '.join(sorted(known)) or 'none yet'}",
            where=where,
            vms=(candidate.vm.name,),
        )


def _place(candidate: Candidate) -> tuple[str, str, str]:
    """Return where the VM is in vSphere: vCenter, resource pool, folder."""
    return candidate.source, candidate.vm.resource_pool or "", candidate.vm.folder or ""


def _ranked(namespaces: tuple[Namespace, ...], vcenter: str, pool: str, folder: str) -> list[tuple[int, int]]:
    """Return the namespaces that contain a place: number of matching path elements, and index; closest first."""
    depths = ((_depth(item.source, vcenter, pool, folder), index) for index, item in enumerate(namespaces))
    return sorted((found for found in depths if found[0]), reverse=True)


NO_NAMESPACE = declare(
    "VMF105",
    "error",
    "VM without a namespace",
    why="In its namespace a VM shares a quota, network policies and a team's permissions. There is no safe default "
    "for who may see and stop it.",
)


NAMESPACES_OVERLAP = declare(
    "VMF112",
    "error",
    "namespaces overlap",
    why="Both claim the folder or resource pool that the VM is in, so the order of lines in a file would decide which "
    "team's quota and permissions apply to it.",
)


def _by_source(
    candidate: Candidate,
    ranked: list[tuple[int, int]],
    namespaces: tuple[Namespace, ...],
    where: Where,
) -> Noting[int | None]:
    """Return the namespace with the closest pool or folder of the VM."""
    if not ranked:
        yield NO_NAMESPACE.finding(
            f"VM {candidate.vm.name} has no namespace",
            "set `namespace`, or map its resource pool or folder in `namespaces`",
            where=candidate.where.at("name"),
            vms=(candidate.vm.name,),
        )
        return None
    best = {namespaces[index].name for depth, index in ranked if depth == ranked[0][0]}
    if len(best) > 1:
        yield NAMESPACES_OVERLAP.finding(
            f"VM {candidate.vm.name} fits namespaces {' and '.join(sorted(best))} equally",
            "set its `namespace`",
            where=where.at("namespaces", ranked[0][1], "source"),
            vms=(candidate.vm.name,),
        )
    return ranked[0][1]


def _depth(source: NamespaceSource | None, vcenter: str, pool: str, folder: str) -> int:
    """Return how many path elements match; 0 if the place is not below the source."""
    if source is None or source.source not in (None, vcenter):
        return 0
    wanted = source.resource_pool or source.folder or ""
    own = pool if source.resource_pool else folder
    parts, owned = _steps(wanted), _steps(own)
    return len(parts) + 1 if own and owned[: len(parts)] == parts else 0


def _steps(path: str) -> list[str]:
    """Return the elements of a path; none for the root."""
    return [step for step in path.split("/") if step]
