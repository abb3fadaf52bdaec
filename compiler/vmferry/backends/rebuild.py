"""Path C, an application rebuilt as containers: its Deployment or StatefulSet, and what belongs to it.

Every field that the API server would otherwise default is written out (kubernetes pkg/apis/*/v1/defaults.go), and pods
keep to the restricted Pod Security Standard.
"""

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from posixpath import normpath
from typing import Any

from vmferry.backends.metadata import APART_LABEL, PRIORITY_LABEL, VM_LABEL, head
from vmferry.backends.places import of_machine
from vmferry.kube import kinds
from vmferry.kube.dns import suffixed
from vmferry.kube.kinds import Kind
from vmferry.kube.quantity import format_size, parse_duration, parse_size
from vmferry.model.application import CONFIG_VOLUME, SCRATCH_VOLUME, Application, EnvVar, NamedPort, Probe
from vmferry.model.base import LABEL_DOMAIN
from vmferry.model.blueprint import Blueprint, Group, Machine, StateVolume
from vmferry.model.manifest import Item, KubeObject, Resource

CONFIG_DIGEST = f"{LABEL_DOMAIN}/config-digest"  # on pods: a changed file rolls them


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the objects of every rebuilt application; workloads have 0 replicas until cutover."""
    for group in blueprint.groups:
        if group.path != "rebuild":
            continue
        for machine in group.machines:
            if machine.application is not None:
                yield from _Rebuilt(blueprint, group, machine, machine.application).items()


class _Rebuilt:
    """One application, with the values that its objects share."""

    def __init__(self, blueprint: Blueprint, group: Group, machine: Machine, application: Application) -> None:
        self.blueprint = blueprint
        self.group = group
        self.machine = machine
        self.application = application
        self.name = machine.target_name
        self.config_name = suffixed(self.name, "config")
        self.headless_name = suffixed(self.name, "headless")
        # Each replica of a StatefulSet has its own volumes, unless all can write to the same one.
        self.own_state = tuple(volume for volume in machine.state if self._is_own(volume))
        self.common_state = tuple(volume for volume in machine.state if not self._is_own(volume))

    def items(self) -> Iterator[Item]:
        if self.application.config:
            yield self._resource("config", self._config_map())
        for claim in self._claims():
            yield self._resource("config", claim)
        yield self._resource("workload", self._workload())
        if self.application.ports:
            yield self._resource("workload", self._service(self.name))
        if self.application.kind == "StatefulSet":
            yield self._resource("workload", self._service(self.headless_name, headless=True))
        if self.application.replicas > 1:
            yield self._resource("workload", self._disruption_budget())
        if self.application.allow_from is not None:
            yield self._resource("workload", self._network_policy(self.application.allow_from))

    def _is_own(self, volume: StateVolume) -> bool:
        return self.application.kind == "StatefulSet" and volume.access_mode != "ReadWriteMany"

    def _resource(self, layer: str, obj: KubeObject) -> Resource:
        return of_machine(self.group, layer, self.machine, obj)

    def _head(self, kind: Kind, name: str, layer: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
        return head(
            kind,
            self.blueprint,
            name,
            self.machine.namespace,
            group=self.group,
            layer=layer,
            labels={**self.machine.placement.labels, VM_LABEL: self.name, **(labels or {})},
        )

    @property
    def _selector(self) -> dict[str, str]:
        return {VM_LABEL: self.name}

    # --- config ------------------------------------------------------------------------------

    def _config_map(self) -> KubeObject:
        return {
            **self._head(kinds.CONFIG_MAP, self.config_name, "config"),
            "data": dict(sorted(self.application.config.items())),
        }

    def _claims(self) -> Iterator[KubeObject]:
        """Yield the claims of all state; those of a StatefulSet under the names its controller looks for."""
        for volume in self.common_state:
            yield self._claim(volume, volume.claim)
        for volume in self.own_state:
            for ordinal in range(self.application.replicas):
                yield self._claim(volume, f"{volume.name}-{self.name}-{ordinal}")

    def _claim(self, volume: StateVolume, name: str) -> KubeObject:
        return {
            **self._head(kinds.CLAIM, name, "config"),
            "spec": _claim_spec(volume),
        }

    # --- workload ----------------------------------------------------------------------------

    def _workload(self) -> KubeObject:
        stateful = self.application.kind == kinds.STATEFUL_SET.name
        kind = kinds.STATEFUL_SET if stateful else kinds.DEPLOYMENT
        labels = {} if self.machine.priority_class else {PRIORITY_LABEL: "phase"}
        return {
            **self._head(kind, self.name, "workload", labels=labels),
            "spec": {
                "replicas": 0,
                "revisionHistoryLimit": 10,
                "selector": {"matchLabels": self._selector},
                **(self._stateful_set() if stateful else self._deployment()),
                "template": self._template(),
            },
        }

    def _deployment(self) -> dict[str, Any]:
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
        exclusive = any(volume.access_mode != "ReadWriteMany" for volume in self.machine.state)
        return {
            "progressDeadlineSeconds": 600,
            # A new pod could not mount the volume while the old one holds it.
            "strategy": {"type": "Recreate"} if exclusive else rolling,
        }

    def _stateful_set(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "serviceName": self.headless_name,
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        }
        if self.own_state:
            result["volumeClaimTemplates"] = [
                {
                    "apiVersion": kinds.CLAIM.api_version,
                    "kind": kinds.CLAIM.name,
                    "metadata": {"name": volume.name},
                    "spec": _claim_spec(volume),
                }
                for volume in self.own_state
            ]
        return result

    def _template(self) -> dict[str, Any]:
        labels = self._head(kinds.POD, self.name, "workload")["metadata"]["labels"]
        apart = self.machine.placement.apart_from
        template: dict[str, Any] = {"labels": labels | ({APART_LABEL: apart} if apart else {})}
        if self.application.config:
            template["annotations"] = {CONFIG_DIGEST: _digest(self.application.config)}
        return {"metadata": template, "spec": self._pod()}

    def _pod(self) -> dict[str, Any]:
        volumes = self._volumes()
        return {
            **({"priorityClassName": self.machine.priority_class} if self.machine.priority_class else {}),
            "serviceAccountName": "default",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler",
            "terminationGracePeriodSeconds": self.machine.termination_grace_period,
            "securityContext": self._pod_security(),
            **self._placement(),
            "containers": [self._container()],
            **({"volumes": volumes} if volumes else {}),
        }

    def _pod_security(self) -> dict[str, Any]:
        result: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        # OpenShift's restricted SCC gives each namespace a range of ids and refuses any other.
        if self.blueprint.cluster.distribution != "openshift":
            user = self.application.user
            result |= {"runAsUser": user, "runAsGroup": user, "fsGroup": user}
        if self.machine.state:
            result["fsGroupChangePolicy"] = "OnRootMismatch"
        return result

    def _placement(self) -> dict[str, Any]:
        placement = self.machine.placement
        result: dict[str, Any] = {}
        if placement.node_selector:
            result["nodeSelector"] = dict(sorted(placement.node_selector.items()))
        if placement.tolerations:
            result["tolerations"] = [
                {
                    key: value
                    for key, value in (
                        ("key", toleration.key),
                        ("operator", toleration.operator),
                        ("value", toleration.value),
                        ("effect", toleration.effect),
                    )
                    if value
                }
                for toleration in placement.tolerations
            ]
        if placement.apart_from:
            term = {
                "labelSelector": {"matchLabels": {APART_LABEL: placement.apart_from}},
                "topologyKey": "kubernetes.io/hostname",
            }
            preferred = [{"weight": 100, "podAffinityTerm": term}]
            result["affinity"] = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
        if self.application.replicas > 1:
            result["topologySpreadConstraints"] = [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": self._selector},
                }
            ]
        return result

    def _container(self) -> dict[str, Any]:
        application = self.application
        memory = format_size(parse_size(application.resources.memory))
        container: dict[str, Any] = {
            "name": "app",
            "image": application.image,
            "imagePullPolicy": _pull_policy(application.image or ""),
        }
        optional = {
            "command": list(application.command),
            "args": list(application.args),
            "ports": _container_ports(application.ports),
            "envFrom": [{"secretRef": {"name": name}} for name in application.env_from_secrets],
            "env": [_env(variable) for variable in application.env],
        }
        container |= {key: value for key, value in optional.items() if value}
        container["resources"] = {
            "requests": {"cpu": _cpu(application.resources.cpu), "memory": memory},
            "limits": {"memory": memory},
        }
        if application.readiness:
            container["readinessProbe"] = _probe(application.readiness)
        if application.liveness:
            container["livenessProbe"] = _probe(application.liveness)
        container |= {
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": application.read_only_root,
            },
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        }
        if mounts := self._mounts():
            container["volumeMounts"] = mounts
        return container

    def _mounts(self) -> list[dict[str, Any]]:
        mounts: list[dict[str, Any]] = []
        if self.application.config:
            mounts.append({"name": CONFIG_VOLUME, "mountPath": self.application.config_path, "readOnly": True})
        mounts += [{"name": volume.name, "mountPath": volume.mount_path} for volume in self.machine.state]
        if self._scratch:
            mounts.append({"name": SCRATCH_VOLUME, "mountPath": "/tmp"})  # noqa: S108  a mount in the container
        return mounts

    def _volumes(self) -> list[dict[str, Any]]:
        volumes: list[dict[str, Any]] = []
        if self.application.config:
            source = {"name": self.config_name, "defaultMode": 420}  # 0644, as the API server writes it
            volumes.append({"name": CONFIG_VOLUME, "configMap": source})
        volumes += [
            {"name": volume.name, "persistentVolumeClaim": {"claimName": volume.claim}} for volume in self.common_state
        ]
        if self._scratch:
            volumes.append({"name": SCRATCH_VOLUME, "emptyDir": {}})
        return volumes

    @property
    def _scratch(self) -> bool:
        """Whether the container gets a writable /tmp because the rest of its root is read-only."""
        paths = [volume.mount_path for volume in self.machine.state]
        paths += [self.application.config_path] if self.application.config else []
        return self.application.read_only_root and "/tmp" not in map(normpath, paths)  # noqa: S108

    # --- what stands around it ---------------------------------------------------------------

    def _service(self, name: str, *, headless: bool = False) -> KubeObject:
        spec: dict[str, Any] = {"type": "ClusterIP"}
        if headless:
            spec["clusterIP"] = "None"
        spec["selector"] = self._selector
        if headless:
            spec["publishNotReadyAddresses"] = True  # members find each other before they are ready
        if self.application.ports:
            spec["ports"] = [
                {
                    "name": port.name,
                    "protocol": port.protocol,
                    "port": port.port,
                    "targetPort": port.target_port or port.port,
                }
                for port in self.application.ports
            ]
        spec |= {"sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}
        return {
            **self._head(kinds.SERVICE, name, "workload"),
            "spec": spec,
        }

    def _disruption_budget(self) -> KubeObject:
        return {
            **self._head(kinds.DISRUPTION_BUDGET, self.name, "workload"),
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": self._selector}},
        }

    def _network_policy(self, allow_from: tuple[str, ...]) -> KubeObject:
        spec: dict[str, Any] = {
            "podSelector": {"matchLabels": self._selector},
            "policyTypes": ["Ingress"],
        }
        if allow_from:  # a policy without rules refuses everything
            peers = [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
                for name in sorted(set(allow_from))
            ]
            rule: dict[str, Any] = {"from": peers}
            if self.application.ports:
                rule["ports"] = [
                    {"protocol": port["protocol"], "port": port["containerPort"]}
                    for port in _container_ports(self.application.ports)
                ]
            spec["ingress"] = [rule]
        return {
            **self._head(kinds.NETWORK_POLICY, self.name, "workload"),
            "spec": spec,
        }


def _claim_spec(volume: StateVolume) -> dict[str, Any]:
    return {
        "accessModes": [volume.access_mode],
        "resources": {"requests": {"storage": format_size(volume.size)}},
        "storageClassName": volume.storage_class,
        "volumeMode": "Filesystem",
    }


def _container_ports(ports: tuple[NamedPort, ...]) -> list[dict[str, Any]]:
    """Return each port of the container once: server-side apply uses port and protocol as the key."""
    return [
        {"containerPort": number, "protocol": protocol}
        for number, protocol in sorted({(port.target_port or port.port, port.protocol) for port in ports})
    ]


def _env(variable: EnvVar) -> dict[str, Any]:
    for key, ref in (
        ("secretKeyRef", variable.secret_key_ref),
        ("configMapKeyRef", variable.config_map_key_ref),
    ):
        if ref is not None:
            return {"name": variable.name, "valueFrom": {key: {"name": ref.name, "key": ref.key}}}
    # The API server drops an empty value.
    return {"name": variable.name, "value": variable.value} if variable.value else {"name": variable.name}


def _probe(probe: Probe) -> dict[str, Any]:
    check: dict[str, Any] = {"tcpSocket": {"port": probe.port}}
    if probe.path is not None:
        check = {"httpGet": {"path": probe.path, "port": probe.port, "scheme": "HTTP"}}
    delay = parse_duration(probe.delay)
    return {
        **check,
        **({"initialDelaySeconds": delay} if delay else {}),
        "periodSeconds": max(1, parse_duration(probe.period)),
        "timeoutSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def _pull_policy(image: str) -> str:
    """Return the API server's default: images with a mutable name are always pulled."""
    if "@" in image:
        return "IfNotPresent"
    _, _, tag = image.rpartition("/")[2].partition(":")
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _cpu(text: str) -> str:
    """Return a CPU quantity in the API server's form: ``1000m`` is ``1``, ``0.5`` is ``500m``."""
    milli = int(text[:-1]) if text.endswith("m") else int(Decimal(text) * 1000)
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def _digest(config: dict[str, str]) -> str:
    text = "\0".join(part for item in sorted(config.items()) for part in item)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
