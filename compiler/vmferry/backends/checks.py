"""Checks of VMs: a Job for each group that reaches them as their users do, and what KubeVirt probes."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import Any

from vmferry.backends import trials
from vmferry.backends.cdi import APPLY_ONCE
from vmferry.backends.metadata import VM_LABEL, head, stamps
from vmferry.backends.networks import RESOURCE_NAME, pod_config
from vmferry.backends.places import of_group, of_machine
from vmferry.backends.tolerations import toleration
from vmferry.estate.checks import job_name, jobs, needs_service, of_segment, port_of, service_name, starts
from vmferry.estate.urls import bracketed
from vmferry.kube import kinds
from vmferry.kube.nad import NETWORKS
from vmferry.model.blueprint import Blueprint, CheckSegment, Group, Machine, MachineCheck
from vmferry.model.keys import apart, reference
from vmferry.model.manifest import Item, KubeObject
from vmferry.model.spec import BridgeNetwork, Check, HttpCheck

_LAYER = "checks"
_MOUNT = "/etc/vmferry/check"
_CREDENTIALS = "/etc/vmferry/credentials"
_BOOT = 30 * 60  # seconds that guests take to boot at most, and their applications to start
_LAST_COPY = 4 * 60 * 60  # and the last copy of a warm migration, with the conversion
_ANY = "200-399"  # also what KubeVirt's probe accepts


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the Jobs of every group whose VMs have checks, their scripts, and Services that lead to VMs without one."""
    for group in blueprint.groups:
        if _LAYER not in group.layers:
            continue
        for segment in jobs(group).values():
            yield of_group(group, _LAYER, _config_map(blueprint, group, segment))
            if segment is not None and isinstance(segment.target, BridgeNetwork):
                yield of_group(group, _LAYER, _definition(blueprint, group, segment, segment.target))
            yield of_group(group, _LAYER, _job(blueprint, group, segment))
        for machine in group.machines:
            if needs_service(group, machine):
                yield of_machine(group, _LAYER, machine, _service(blueprint, group, machine))


def script(group: Group, segment: CheckSegment | None = None) -> str:
    """Return the Bash script that checks the VMs of a group; all values from the spec and vCenter are quoted."""
    its = of_segment(group, segment)
    commands = [_command(number, machine, each) for number, (machine, each) in enumerate(its)]
    lines = [" ".join(map(quote, command)) for command in commands]
    return "\n".join(
        ["#!/usr/bin/env bash", "set -euo pipefail\n", *_sources(check.check for _, check in its), *lines, "finish\n"]
    )


def _sources(checks: Iterable[Check]) -> Iterator[str]:
    """Yield the parts of the script that checks need."""
    its = [*checks]
    yield text_of("check.sh")
    if any(check.secret_ref is not None for check in its):
        yield text_of("credentials.sh")
    if any(check.same is not None for check in its):
        yield text_of("measure.sh")
        yield text_of("same.sh")


def text_of(script: str) -> str:
    """Return a part of a script."""
    return (Path(__file__).with_name("scripts") / script).read_text(encoding="utf-8")


def _command(number: int, machine: Machine, each: MachineCheck) -> list[str]:
    check, address = each.check, each.address or ""
    first = ["check", machine.target_name, check.name]
    if check.tcp is not None:
        return [*first, "tcp", address, str(check.tcp)]
    if check.http is not None:
        status = " ".join(map(str, check.http.status)) if check.http.status is not None else _ANY
        options = ["--insecure"] if check.http.insecure_skip_verify else []
        return [
            *(*first, "http", bracketed(address), _url(check.http, address), status),
            *(check.http.contains or "", *options),
        ]
    if check.ping is not None:
        return [*first, "answer", address]
    secret = ["with", check.secret_ref.name] if check.secret_ref is not None else []
    kind = ["same", str(number)] if check.same is not None else ["script"]
    return [*first, *secret, *kind, _script_key(check.name), machine.target_name, address]


def _url(http: HttpCheck, address: str) -> str:
    return f"{http.scheme}://{http.host or bracketed(address)}:{http.port}{http.path}"


def _script_key(name: str) -> str:
    """Return the key of a script in the ConfigMap; no check's name has a dot."""
    return f"script.{name}"


def _config_map(blueprint: Blueprint, group: Group, segment: CheckSegment | None) -> KubeObject:
    own = {_script_key(name): text for name, text in sorted(group.check_scripts.items())}
    return {
        **_head(kinds.CONFIG_MAP, blueprint, group, segment, trials.AS_WRITTEN),
        "data": {"check.sh": script(group, segment)} | own,
    }


def _definition(blueprint: Blueprint, group: Group, segment: CheckSegment, target: BridgeNetwork) -> KubeObject:
    """Return the definition by which the pod of a Job gets its address. No VM uses it, so it is pruned with its layer.

    It has no label of the group, whose definitions nothing may prune.
    """
    known = (kinds.NAD, blueprint, job_name(group, segment), group.namespace)
    notes = {RESOURCE_NAME: segment.resource} if segment.resource is not None else None
    return {
        **head(*known, annotations=notes, keep=False),
        "spec": {"config": json.dumps(pod_config(target, segment.network, segment.address))},
    }


def _attached(group: Group, segment: CheckSegment) -> str:
    """Return the value of Multus' annotation; OVN-Kubernetes assigns the address that it asks for."""
    if segment.nad is None:
        return reference(group.namespace, job_name(group, segment))
    namespace, name = apart(segment.nad)
    return json.dumps([{"name": name, "namespace": namespace, "ips": [segment.address]}])


def _job(blueprint: Blueprint, group: Group, segment: CheckSegment | None) -> KubeObject:
    """Return the Job; it only has the credentials that checks name."""
    template: dict[str, Any] = {"labels": {"app.kubernetes.io/component": "check"} | stamps(blueprint, group)}
    if segment is not None:
        template["annotations"] = {NETWORKS: _attached(group, segment)}
    return {
        **_head(kinds.JOB, blueprint, group, segment, APPLY_ONCE | trials.AS_WRITTEN),
        "spec": trials.job("check", 1, template, _pod(group, segment)),
    }


def _pod(group: Group, segment: CheckSegment | None) -> KubeObject:
    its = [each.check.secret_ref for _, each in of_segment(group, segment)]
    secrets = list(enumerate(sorted({secret.name for secret in its if secret is not None})))
    device = {segment.resource: "1"} if segment is not None and segment.resource is not None else {}
    container = {
        "name": "check",
        "image": group.check_image or "",  # VMF566
        "imagePullPolicy": "IfNotPresent",
        "command": ["bash", f"{_MOUNT}/check.sh"],
        "env": _environment(group),
        "resources": {
            "limits": {"memory": "256Mi"} | device,
            "requests": {"cpu": "50m", "memory": "64Mi"} | device,
        },
        **trials.LAST,
        "volumeMounts": [
            {"mountPath": _MOUNT, "name": "script", "readOnly": True},
            {"mountPath": "/tmp", "name": "tmp"},  # noqa: S108
            *({"mountPath": f"{_CREDENTIALS}/{name}", "name": f"secret-{n}", "readOnly": True} for n, name in secrets),
        ],
    }
    volumes: list[KubeObject] = [
        {"name": "script", "configMap": {"name": job_name(group, segment), "defaultMode": 0o555}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
        # ssh accepts a key that others can read if it belongs to another user
        *({"name": f"secret-{n}", "secret": {"secretName": name, "defaultMode": 0o444}} for n, name in secrets),
    ]
    if segment is None:
        return trials.pod([container], volumes, group.check_user)
    result = trials.pod([container], volumes, group.check_user, dict(sorted(segment.node_selector.items())))
    if segment.tolerations:
        result["tolerations"] = [toleration(each) for each in segment.tolerations]
    return result


def _environment(group: Group) -> list[dict[str, str]]:
    """Return from when on the script checks, as seconds since 1970, and how long VMs have to come up."""
    start = starts(group)
    if start is None:
        return [{"name": "PATIENCE", "value": str(_BOOT)}]
    begins = str(int(datetime.fromisoformat(start).timestamp()))
    return [{"name": "START_AT", "value": begins}, {"name": "PATIENCE", "value": str(_LAST_COPY + _BOOT)}]


def _head(
    kind: kinds.Kind, blueprint: Blueprint, group: Group, segment: CheckSegment | None, annotations: dict[str, str]
) -> dict[str, Any]:
    known = (kind, blueprint, job_name(group, segment), group.namespace)
    return head(*known, group=group, layer=_LAYER, annotations=annotations)


def _service(blueprint: Blueprint, group: Group, machine: Machine) -> KubeObject:
    """Return the Service that leads to a VM on the pod network, whether it is ready or not."""
    ports = sorted({port for each in group.checks[machine.key] if (port := port_of(each.check)) is not None})
    spec: dict[str, Any] = {
        "type": "ClusterIP",
        "clusterIP": "None",
        "selector": {"app" if group.path == "forklift" else VM_LABEL: machine.target_name},
        "publishNotReadyAddresses": True,
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
    }
    if ports:
        spec["ports"] = [{"name": f"tcp-{port}", "port": port, "protocol": "TCP", "targetPort": port} for port in ports]
    return {
        **head(
            kinds.SERVICE,
            blueprint,
            service_name(machine),
            machine.namespace,
            group=group,
            layer=_LAYER,
            labels={VM_LABEL: machine.target_name},
        ),
        "spec": spec,
    }


# --- what KubeVirt probes --------------------------------------------------------------------


def readiness(check: Check, machine: Machine) -> dict[str, Any]:
    """Return the readiness probe of a VM (kubevirt staging/src/kubevirt.io/api/core/v1/types.go, Probe)."""
    return {
        **_handler(check, machine),
        "initialDelaySeconds": 60,
        "periodSeconds": 20,
        "timeoutSeconds": 5,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def _handler(check: Check, machine: Machine) -> dict[str, Any]:
    if check.tcp is not None:
        return {"tcpSocket": {"port": check.tcp}}
    if check.http is not None:
        scheme = check.http.scheme.upper()
        host = {"httpHeaders": [{"name": "Host", "value": check.http.host}]} if check.http.host is not None else {}
        return {"httpGet": {"path": check.http.path, "port": check.http.port, "scheme": scheme} | host}
    if check.service is not None:
        return {"exec": {"command": _running(check.service, machine)}}
    return {"guestAgentPing": {}}


def _running(service: str, machine: Machine) -> list[str]:
    """Return the command that succeeds while a service runs in the guest; its name needs no quotes in any shell."""
    if machine.os == "windows":
        script = f"if ((Get-Service -Name '{service}').Status -ne 'Running') {{ exit 1 }}"
        return ["powershell.exe", "-NoProfile", "-NonInteractive", "-Command", script]
    return ["systemctl", "is-active", "--quiet", service]
