"""From a live VirtualMachine to the spec that is recorded, or why it is not recorded."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from vmferry.adoption.live import Live, LiveObjects
from vmferry.estate.adoption import claims, lacks, misshapen
from vmferry.estate.cloud_init import seed
from vmferry.estate.words.secrecy import secret_name, secret_text
from vmferry.model.blueprint import Machine
from vmferry.yaml.write import dump

_DATES = ("creationTimestamp", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "uid", "selfLink")
_OWN = ("kubevirt.io", "openshift.io")
"""Domains of annotations in a template that decide how the VM runs; others may contain anything."""
_SEEDS = ("cloudInitNoCloud", "cloudInitConfigDrive")
_INLINE = {
    "userData": "secretRef",
    "userDataBase64": "secretRef",
    "networkData": "networkDataSecretRef",
    "networkDataBase64": "networkDataSecretRef",
}
"""Fields of a cloud-init volume with text of its own, and the reference to use instead."""


class Refusal(msgspec.Struct, frozen=True):
    """Why a VM is not recorded, and how to fix that."""

    group: str
    vm: str
    what: str
    fix: str


def found(machine: Machine, objects: LiveObjects) -> Live | tuple[str, str] | None:
    """Return a machine's live VM, why it is uncertain which one it is (with a fix), or None if there is none."""
    place = (machine.namespace, machine.target_name)
    here = objects.vms.get(place, [])
    same = objects.by_id.get((machine.namespace, machine.id), []) if machine.id is not None else []
    others = sorted({live.name for live in same} - {machine.target_name})
    if len(here) > 1:
        return "the dumps show it in two states", "pass one dump, made after the last change"
    if others:
        return (
            f"another VM, {others[0]}, has the label vmID={machine.id}, too",
            f"remove the label from the one that Forklift did not make: kubectl label vm NAME -n {place[0]} vmID-",
        )
    if not here:
        return None
    if here[0].vm_id is not None and machine.id is not None and here[0].vm_id != machine.id:
        return (
            f"the VM of that name was made from {here[0].vm_id}, not from {machine.id} (label vmID)",
            "find out which VM that is: its name is taken",
        )
    return here[0]


def refused(machine: Machine, live: Live, objects: LiveObjects) -> Iterator[tuple[str, str]]:
    """Yield why a live VM must not be recorded, each with a fix."""
    if live.leaving:
        yield "it is being deleted", "wait, and find out who deletes it"
        return
    if (wrong := misshapen(live.spec)) is not None:
        yield f"{wrong} has another form than in a VirtualMachine", "dump it with `kubectl get vm -o json`"
        return
    if live.spec.get("running") is not None:
        name = f"{live.name} -n {live.namespace}"
        patch = """'{"spec":{"running":null,"runStrategy":"Always"}}'"""
        yield "it has `running`, which excludes `runStrategy`", f"kubectl patch vm {name} --type merge -p {patch}"
    few = lacks(live.spec, len(machine.disks), len(machine.nics))
    if few is not None:
        yield f"it has {few}", "attach what is missing, or correct the spec: a record must not take it off for good"
    yield from _unbound(live, objects)
    yield from _inline(machine, live)
    yield from _headers(live)
    try:
        dump(spec_of(live))
    except (TypeError, ValueError, RecursionError):
        yield "its spec contains a value that YAML cannot carry", "dump it with `kubectl get vm -o json`"


def _unbound(live: Live, objects: LiveObjects) -> Iterator[tuple[str, str]]:
    for claim in sorted(set(claims(live.spec).values())):
        phase = objects.claims.get((live.namespace, claim))
        if phase is None:
            fix = f"dump claims, too: kubectl get vm,pvc -n {live.namespace} -o json"
            yield f"the dump does not contain its claim {claim}", fix
        elif phase != "Bound":
            yield f"its claim {claim} is {phase}, not Bound", f"see kubectl describe pvc {claim} -n {live.namespace}"


def _inline(machine: Machine, live: Live) -> Iterator[tuple[str, str]]:
    """Yield cloud-init data that is in the spec itself: it often contains passwords and keys."""
    own = seed(machine)
    known = (own.user_data, own.network_data) if own is not None else ()
    for volume in live.spec["template"]["spec"].get("volumes", ()):
        for kind in _SEEDS:
            source = volume.get(kind)
            for field, reference in _INLINE.items():
                text = source.get(field) if isinstance(source, dict) else None
                if text and text not in known:
                    yield (
                        f"volume {volume['name']} has {kind}.{field}, which may contain a password",
                        f"move the text to a Secret and refer to it with {reference}: git must not have it",
                    )


def _headers(live: Live) -> Iterator[tuple[str, str]]:
    """Yield probes that seem to contain a credential."""
    instance = live.spec["template"]["spec"]
    for probe in ("readinessProbe", "livenessProbe"):
        texts = list(_texts(instance.get(probe)))
        if any(secret_text(text) or secret_name(text) or "authorization" in text.lower() for text in texts):
            yield f"its {probe} seems to contain a credential", "remove it from the probe: git must not have it"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def spec_of(live: Live) -> dict[str, Any]:
    """Return the spec to record, in a fixed order: what only the cluster knows at this moment is left out.

    What KubeVirt's webhook filled in when the VM was made stays, such as firmware.uuid and the machine type: a VM made
    again from git is then the same machine to its guest. Left out are the run strategy, which is up to the stage, and
    the revisions of instance type and preference, which KubeVirt makes for this very object.
    """
    spec = {key: value for key, value in live.spec.items() if key not in ("running", "runStrategy")}
    for matcher in ("instancetype", "preference"):
        if isinstance(spec.get(matcher), dict):
            spec[matcher] = {key: value for key, value in spec[matcher].items() if key != "revisionName"}
    template = dict(spec["template"])
    if isinstance(template.get("metadata"), dict):
        template["metadata"] = _metadata(template["metadata"])
    spec["template"] = template
    if spec.get("dataVolumeTemplates"):
        spec["dataVolumeTemplates"] = [_made(each) for each in spec["dataVolumeTemplates"]]
    result: dict[str, Any] = _settled(spec)
    return result


def _made(volume: Any) -> Any:
    if not isinstance(volume, dict):
        return volume
    kept = {key: value for key, value in volume.items() if key != "status"}
    if isinstance(kept.get("metadata"), dict):
        kept["metadata"] = {key: value for key, value in kept["metadata"].items() if key not in _DATES}
        kept["metadata"].pop("annotations", None)
    return kept


def _metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a template."""
    kept = {key: value for key, value in metadata.items() if key not in _DATES}
    annotations = kept.pop("annotations", None)
    if isinstance(annotations, dict):
        own = {key: value for key, value in annotations.items() if _decides(key)}
        kept |= {"annotations": own} if own else {}
    return kept


def _decides(key: str) -> bool:
    domain = key.partition("/")[0] if "/" in key else ""
    return any(domain == own or domain.endswith(f".{own}") for own in _OWN)


def _settled(value: Any) -> Any:
    """Return a value without nulls and with sorted keys."""
    if isinstance(value, dict):
        return {key: _settled(part) for key, part in sorted(value.items()) if part is not None}
    if isinstance(value, list):
        return [_settled(part) for part in value]
    return value
