"""Applications of VMs that are rebuilt, and their volumes."""

import re

from msgspec.structs import replace

from vmferry.estate.statements import NOT_APPLICABLE
from vmferry.kube.dns import fit
from vmferry.kube.quantity import parse_size
from vmferry.model.blueprint import Machine, StateVolume
from vmferry.model.rule import declare
from vmferry.resolve.notes import Noting, decide
from vmferry.resolve.selection import Candidate
from vmferry.resolve.storage import NO_CLASS_FITS, Need, StorageMap

_PINNED = re.compile(r"@sha256:[0-9a-f]{64}$|:[A-Za-z0-9_][A-Za-z0-9_.-]*$")


INCOMPLETE_APPLICATION = declare(
    "VMF114",
    "error",
    "application is incomplete",
    why="A rebuilt VM leaves its disks behind, and only a container image says what runs in its place. Without one "
    "there is nothing to start.",
)


UNPINNED_IMAGE = declare(
    "VMF115",
    "warning",
    "image is not pinned",
    why="Nodes pull the image whenever a pod starts there, so `latest` may be another version after each restart. "
    "Replicas of one application then differ, and nobody knows which version to go back to.",
    source="https://kubernetes.io/docs/concepts/containers/images/",
)


def rebuilt(candidate: Candidate, machine: Machine, storage: StorageMap) -> Noting[Machine | None]:
    """Return a machine with its application and its volumes; None if something is missing."""
    application, vm = candidate.vm.application, candidate.vm
    where = candidate.where.at("application")
    if application is None or application.image is None:
        yield INCOMPLETE_APPLICATION.finding(
            f"VM {vm.name} is to be rebuilt, but has no image",
            "add application.image, or choose another path",
            where=where if application is not None else candidate.where.at("name"),
            vms=(vm.name,),
        )
        return None
    pinned = _PINNED.search(application.image)
    if pinned is None or pinned[0] == ":latest":
        yield UNPINNED_IMAGE.finding(
            f"VM {vm.name}: image {application.image} is not pinned",
            "use a tag other than latest, or a digest: otherwise a restart may bring another version",
            where=where.at("image"),
            vms=(vm.name,),
        )
    for index, variable in enumerate(application.env):
        given = [variable.value, variable.secret_key_ref, variable.config_map_key_ref]
        if sum(value is not None for value in given) != 1:
            yield NOT_APPLICABLE.finding(
                f"VM {vm.name}: variable {variable.name} needs exactly one of value and the references",
                where=where.at("env", index),
                vms=(vm.name,),
            )
    state = yield from _state(candidate, machine.target_name, storage)
    return None if state is None else replace(machine, application=application, state=state)


def _state(candidate: Candidate, target_name: str, storage: StorageMap) -> Noting[tuple[StateVolume, ...] | None]:
    """Return the volumes of a rebuilt application; None if one has no class."""
    result: list[StateVolume] = []
    for index, state in enumerate(candidate.vm.application.state if candidate.vm.application else ()):
        where = candidate.where.at("application", "state", index)
        need = Need(
            storage_class=state.storage_class,
            tier=state.tier or (None if state.storage_class else candidate.decisions.tier),
            live_migration="required" if state.shared else "none",
            filesystem=True,
            source=f"volume {state.name}",
            where=where,
        )
        volume, reason, refused = storage.choose(need)
        if volume is None:
            yield NO_CLASS_FITS.finding(
                f"VM {candidate.vm.name}, volume {state.name}: no StorageClass fits",
                "refused: " + ("; ".join(refused) or "no class is defined"),
                where=where,
                vms=(candidate.vm.name,),
            )
            return None
        yield decide(candidate.key, f"volume {state.name}", volume.storage_class, reason, where=where, refused=refused)
        result.append(
            StateVolume(
                name=state.name,
                claim=fit(f"{target_name}-{state.name}"),
                mount_path=state.mount_path,
                size=parse_size(state.size),
                storage_class=volume.storage_class,
                access_mode=volume.access_mode,
            )
        )
    return tuple(result)
