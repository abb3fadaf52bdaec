"""The path and method of a VM: A Forklift, B virt-v2v, C rebuild."""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from vmferry.estate.methods import METHODS, methods_of, usual_of
from vmferry.estate.routing import auto, is_standard
from vmferry.model.blueprint import Path
from vmferry.model.finding import Where
from vmferry.model.keys import VmKey
from vmferry.model.rule import declare
from vmferry.model.spec import Method, SimilarVms
from vmferry.resolve.notes import Noting, decide
from vmferry.resolve.selection import Candidate, is_raw


class Route(Struct, frozen=True):
    """The path and method of one VM."""

    path: Path
    method: Method


def standard_vms(everyone: Iterable[Candidate], settings: SimilarVms) -> Mapping[str, int]:
    """Return for how many VMs of each vCenter Forklift would be installed.

    Frozen VMs count too, or half an estate would change its path when the other half is prepared.
    """
    return Counter(candidate.source for candidate in everyone if _counts(candidate, settings))


METHOD_OF_ANOTHER_PATH = declare(
    "VMF107",
    "error",
    "method does not fit the path",
    why="Forklift copies warm or cold, virt-v2v in a Job or to an image, and a rebuilt VM is not copied at all. Any "
    "other method would have to be ignored: someone would count on a short, warm cutover, and the VM would be "
    "down for hours.",
)


def route(
    candidates: Iterable[Candidate], standard: Mapping[str, int], settings: SimilarVms
) -> Noting[dict[VmKey, Route]]:
    """Return the route of each VM by key. ``standard`` is the result of `standard_vms`."""
    routes: dict[VmKey, Route] = {}
    for candidate in candidates:
        path, reason, where = _path(candidate, standard.get(candidate.source, 0), settings)
        if candidate.decisions.disposition == "rebuild" and path != "rebuild":
            yield METHOD_OF_ANOTHER_PATH.finding(
                f"VM {candidate.vm.name} is to be rebuilt, but its path is {path}",
                "remove one of the two: a rebuilt VM leaves its disks behind",
                where=where,
                vms=(candidate.vm.name,),
            )
        yield decide(candidate.key, "path", path, reason, where=where)
        method, reason, where = _method(candidate, path)
        if method is None:
            yield METHOD_OF_ANOTHER_PATH.finding(
                f"VM {candidate.vm.name}: path {path} has no method {candidate.decisions.method}",
                f"path {path} takes method {' or '.join(methods_of(path))}",
                where=where,
                vms=(candidate.vm.name,),
            )
            method = methods_of(path)[0]
        yield decide(candidate.key, "method", method, reason, where=where)
        routes[candidate.key] = Route(path, method)
    return routes


def _counts(candidate: Candidate, settings: SimilarVms) -> bool:
    """Return whether a VM counts among the standard ones: nobody chose another path for it, and `auto` would not."""
    if candidate.decisions.path not in (None, "auto", "forklift") or candidate.decisions.disposition == "rebuild":
        return False
    return is_standard(candidate.vm, settings, raw=is_raw(candidate))


def _path(candidate: Candidate, standard: int, settings: SimilarVms) -> tuple[Path, str, Where]:
    chosen = candidate.decisions.path
    if candidate.decisions.disposition == "rebuild" and not (chosen not in (None, "auto") and _own(candidate, "path")):
        return "rebuild", "its disposition is rebuild", candidate.origin("disposition")
    if chosen is not None and chosen != "auto":
        return chosen, "the spec says so", candidate.origin("path")
    found = auto(candidate.vm, candidate.source, standard, settings, raw=is_raw(candidate))
    where = candidate.where.at("application") if found.question == "rebuild" else candidate.origin("path")
    return found.path, found.reason, where


def _method(candidate: Candidate, path: Path) -> tuple[Method | None, str, Where]:
    """Return the method with its reason; None if the requested one does not exist."""
    if path == "rebuild":
        return *usual_of(path, candidate.vm), candidate.origin("path")
    wanted, where = candidate.decisions.method, candidate.origin("method")
    known = methods_of(path)
    if is_raw(candidate) and any(METHODS[name].converts for name in known):
        raw = [name for name in known if not METHODS[name].converts]
        if wanted not in known or wanted in raw or not _own(candidate, "method"):
            chosen = wanted if wanted in raw else raw[0]
            return chosen, "its disks are copied unchanged, and a Job would convert the guest", where
    if wanted is not None and wanted in known:
        return wanted, "the spec says so", where
    if wanted is not None and _asked_together(candidate):
        return None, f"method {wanted} belongs to another path", where
    usual, reason = usual_of(path, candidate.vm)
    if wanted is not None:
        reason += f" ({wanted} is for another path)"
    return usual, reason, where


def _asked_together(candidate: Candidate) -> bool:
    """Whether the spec requests this method for this path, not for VMs in general."""
    path, method = candidate.origin("path"), candidate.origin("method")
    together = method.path[:-1] == path.path[:-1] and candidate.decisions.path not in (None, "auto")
    return _own(candidate, "method") or together


def _own(candidate: Candidate, field: str) -> bool:
    """Whether the VM's entry itself decides a field, not a rule for many."""
    place, entry = candidate.origin(field), candidate.where
    return place != entry and place.file == entry.file and place.path[: len(entry.path)] == entry.path
