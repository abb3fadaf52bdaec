"""The pre-flight: Jobs that try from the nodes what the migration needs, before anything moves. They have no rights."""

from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Any

from vmferry.backends import trials
from vmferry.backends.cdi import APPLY_ONCE
from vmferry.backends.metadata import head, stamps
from vmferry.backends.tolerations import toleration
from vmferry.estate.addresses import is_address
from vmferry.estate.preflight import job_name
from vmferry.estate.urls import bracketed
from vmferry.kube import kinds
from vmferry.kube.dns import suffixed
from vmferry.kube.nad import NETWORKS
from vmferry.model.base import LABEL_DOMAIN
from vmferry.model.blueprint import Blueprint, PreflightClaim, PreflightPlan, PreflightTest, PreflightVCenter
from vmferry.model.manifest import Item, KubeObject, Resource

ROOT = "infra/preflight"
LABEL = f"{LABEL_DOMAIN}/preflight"

_SCRIPTS = "/etc/vmferry/preflight"
_LIBRARY, _SCRIPT = "library.sh", "test.sh"
_VDDK = "/etc/vmferry/vddk"
_VOLUME = "/volume"
_PATIENCE = 300  # seconds in which a test is repeated
_SETTLE = 30  # seconds in which the scheduler finds nodes for all pods of a Job
_ESXI = (443, 902)
"""Ports of ESXi hosts for authentication and data (kubev2v/forklift-documentation ref_ports.adoc)."""


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield each test's Job, its script, and the claims that its pods share."""
    plan = blueprint.preflight
    if plan is None:
        return
    if plan.tests:
        yield Resource(directory=ROOT, object=_config_map(blueprint, plan, _shared(blueprint), _LIBRARY, library()))
    for test in plan.tests:
        name, text = job_name(blueprint.name, plan, test), script(plan, test)
        yield Resource(directory=ROOT, object=_config_map(blueprint, plan, name, _SCRIPT, text))
        yield Resource(directory=ROOT, object=_job(blueprint, plan, test))
        if test.claim is not None and test.claim.storage_class is not None:
            yield Resource(directory=ROOT, object=_claim(blueprint, plan, test.claim))


def library() -> str:
    """Return the functions that the scripts of all tests share."""
    folder = Path(__file__).with_name("scripts")
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in ("check.sh", "preflight.sh"))


def script(plan: PreflightPlan, test: PreflightTest) -> str:
    """Return the Bash script of a test; all values from the spec and vCenter are quoted."""
    commands = [" ".join(map(quote, ("check", *command))) for command in _commands(plan, test)]
    start = ["#!/usr/bin/env bash", "set -euo pipefail", f". {_SCRIPTS}/{_LIBRARY}"]
    return "\n".join([*start, "settle", *commands, "finish\n"])


def _commands(plan: PreflightPlan, test: PreflightTest) -> Iterator[tuple[str, ...]]:
    """Yield what is tried: of what, the name of the test, and a function of the scripts with its arguments."""
    if test.vcenter is not None:
        yield from _of_vcenter(plan, test.vcenter)
    for network in test.networks:
        yield network.name, "attached", "true"  # its pod would not run otherwise
    if test.claim is not None:
        yield test.claim.storage_class or "default-class", "mounted", "mounted", _VOLUME


def _of_vcenter(plan: PreflightPlan, vcenter: PreflightVCenter) -> Iterator[tuple[str, ...]]:
    host, port = vcenter.host, str(vcenter.port)
    authority = bracketed(host)
    yield host, f"port-{port}", "tcp", host, port
    if vcenter.thumbprint is not None:
        named = () if is_address(host) else ("-servername", host)
        yield host, "thumbprint", "thumbprint", authority, port, vcenter.thumbprint, *named
    yield host, "clock", "clock", f"https://{authority}:{port}/", str(plan.max_clock_skew)
    for esxi in vcenter.esxi:
        for number in _ESXI:
            if (esxi, number) != (host, vcenter.port):
                yield esxi, f"port-{number}", "tcp", esxi, str(number)
    if vcenter.vddk_image is not None:
        yield "VDDK", "library", "vddk", _VDDK


def _config_map(blueprint: Blueprint, plan: PreflightPlan, name: str, key: str, text: str) -> KubeObject:
    return {
        **head(kinds.CONFIG_MAP, blueprint, name, plan.namespace, annotations=trials.AS_WRITTEN),
        "data": {key: text},
    }


def _shared(blueprint: Blueprint) -> str:
    """Return the name of the ConfigMap with the library."""
    return suffixed(blueprint.name, "preflight")


def _job(blueprint: Blueprint, plan: PreflightPlan, test: PreflightTest) -> KubeObject:
    """Return the Job, one pod for each node. It holds no data: one of an earlier spec is pruned.

    It has no deadline, so that it goes on by itself once a class, an image or a node is there.
    """
    name = job_name(blueprint.name, plan, test)
    labels = {"app.kubernetes.io/component": "preflight", LABEL: name}
    template: dict[str, Any] = {"labels": labels | stamps(blueprint)}
    if test.networks:
        template["annotations"] = {NETWORKS: ",".join(network.nad for network in test.networks)}
    return {
        **head(
            kinds.JOB,
            blueprint,
            name,
            plan.namespace,
            labels={LABEL: name},
            annotations=APPLY_ONCE | trials.AS_WRITTEN,
            keep=False,
        ),
        "spec": trials.job("preflight", test.nodes, template, _pod(blueprint, plan, test, name)),
    }


def _pod(blueprint: Blueprint, plan: PreflightPlan, test: PreflightTest, name: str) -> KubeObject:
    image = test.vcenter.vddk_image if test.vcenter is not None else None
    containers = [_container(plan, test), *([_vddk(image)] if image is not None else [])]
    volumes = [
        {
            "name": "script",
            "projected": {
                "defaultMode": 0o555,
                "sources": [{"configMap": {"name": each}} for each in (_shared(blueprint), name)],
            },
        },
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        *([{"name": "vddk", "emptyDir": {}}] if image is not None else []),
        *([_volume(blueprint, test.claim)] if test.claim is not None else []),
    ]
    result = trials.pod(containers, volumes, plan.user, dict(sorted(test.node_selector.items())))
    if test.nodes > 1:
        term = {"labelSelector": {"matchLabels": {LABEL: name}}, "topologyKey": "kubernetes.io/hostname"}
        result["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    if plan.tolerations:
        result["tolerations"] = [toleration(each) for each in plan.tolerations]
    return result


def _container(plan: PreflightPlan, test: PreflightTest) -> dict[str, Any]:
    claim = test.claim
    block = claim is not None and claim.volume_mode == "Block"
    mounts = [
        {"mountPath": _SCRIPTS, "name": "script", "readOnly": True},
        {"mountPath": "/tmp", "name": "tmp"},  # noqa: S108
    ]
    if test.vcenter is not None and test.vcenter.vddk_image is not None:
        mounts.append({"mountPath": _VDDK, "name": "vddk", "readOnly": True})
    if claim is not None and not block:
        mounts.append({"mountPath": _VOLUME, "name": "volume"})
    devices = {network.resource: "0" for network in test.networks if network.resource is not None}
    for network in test.networks:
        if network.resource is not None:
            devices[network.resource] = str(int(devices[network.resource]) + 1)
    wait = _SETTLE if test.nodes > 1 else 0
    return {
        "name": "preflight",
        "image": plan.image or "",  # VMF576
        "imagePullPolicy": "IfNotPresent",
        "command": ["bash", f"{_SCRIPTS}/{_SCRIPT}"],
        "env": [
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}},
            {"name": "PATIENCE", "value": str(_PATIENCE)},
            {"name": "SETTLE", "value": str(wait)},
        ],
        "resources": {
            "limits": {"memory": "128Mi"} | dict(sorted(devices.items())),
            "requests": {"cpu": "50m", "memory": "64Mi"} | dict(sorted(devices.items())),
        },
        **trials.LAST,
        **({"volumeDevices": [{"devicePath": _VOLUME, "name": "volume"}]} if block else {}),
        "volumeMounts": mounts,
    }


def _vddk(image: str) -> dict[str, Any]:
    """Return the container of the VDDK image, as Forklift, CDI and conversion Jobs run it: with its own entrypoint."""
    return {
        "name": "vddk",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"limits": {"memory": "500Mi"}, "requests": {"cpu": "50m", "memory": "150Mi"}},
        **trials.LAST,
        "volumeMounts": [{"mountPath": "/opt", "name": "vddk"}],
    }


# --- volumes ---------------------------------------------------------------------------------


def _claim_spec(claim: PreflightClaim) -> dict[str, Any]:
    named = {} if claim.storage_class is None else {"storageClassName": claim.storage_class}
    return {
        "accessModes": [claim.access_mode],
        "resources": {"requests": {"storage": "1Gi"}},
        **named,
        "volumeMode": claim.volume_mode,
    }


def _claim_name(blueprint: Blueprint, claim: PreflightClaim) -> str:
    """Return the name of a claim, which cannot be changed: it says all that it is made from."""
    return suffixed(f"{blueprint.name}-preflight-{claim.storage_class}", claim.volume_mode.lower())


def _claim(blueprint: Blueprint, plan: PreflightPlan, claim: PreflightClaim) -> KubeObject:
    """Return the claim that the pods of a test mount on several nodes at once. It stays empty, and may be pruned."""
    name = _claim_name(blueprint, claim)
    return {
        **head(kinds.CLAIM, blueprint, name, plan.namespace, labels={LABEL: name}, annotations=APPLY_ONCE, keep=False),
        "spec": _claim_spec(claim),
    }


def _volume(blueprint: Blueprint, claim: PreflightClaim) -> dict[str, Any]:
    """Return the volume: of the default class one that goes with its pod, since it could change its class."""
    if claim.storage_class is None:
        return {"name": "volume", "ephemeral": {"volumeClaimTemplate": {"spec": _claim_spec(claim)}}}
    return {"name": "volume", "persistentVolumeClaim": {"claimName": _claim_name(blueprint, claim)}}
