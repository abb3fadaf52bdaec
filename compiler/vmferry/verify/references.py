"""The references between the objects of a tree, and what they point at."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from vmferry.kube.kinds import CONTROLLER_GROUPS, EXTERNAL_SECRET, SEALED_SECRET
from vmferry.layout.objects import Issue, Key, key_of, select, shown
from vmferry.model.finding import Path
from vmferry.model.manifest import KubeObject
from vmferry.model.rule import declare
from vmferry.verify.fields import (
    ALWAYS,
    CLUSTER_SCOPED,
    DATA_VOLUME,
    NAD,
    NAMESPACE,
    NETWORKS,
    PLAN,
    PVC,
    RULES,
    SECRET,
    SERVICE,
    TEMPLATES,
    VM,
    VMI,
    Rule,
)

_REMEDY = "correct the name, or add what it should lead to; a reference into nothing is accepted, and fails later"


class Reference(NamedTuple):
    """One reference of an object: the field, and the keys that would satisfy it."""

    source: Key
    path: Path
    targets: tuple[Key, ...]
    external: bool


DANGLING_REFERENCE = declare(
    "VMF607",
    "error",
    "reference dangles",
    why="The API server accepts a VM whose claim, network or Secret does not exist, and a Service that selects "
    "nothing. It fails when it starts, which in a migration is the night of the cutover.",
    source="kubevirt/kubevirt pkg/virt-api/webhooks/validating-webhook/admitters (claims and networks are "
    "not looked up)",
)


class Graph:
    """What the objects of a tree are, refer to, and bring about; each build of one may be added.

    Objects may be of any shape: not every kind has a schema that they were held against.
    """

    def __init__(self) -> None:
        self.keys: set[Key] = set()
        self._made: set[Key] = set()  # by a controller, from an object in the tree
        self._references: dict[Reference, None] = {}
        self._claims: dict[str, set[str]] = defaultdict(set)  # per namespace, disk numbers as "#"
        self._claim_prefixes: dict[str, set[str]] = defaultdict(set)
        self._pods: dict[str, set[frozenset[tuple[str, str]]]] = defaultdict(set)
        self._selectors: dict[Key, frozenset[tuple[str, str]]] = {}
        self._controllers: set[str] = set()  # their namespaces, which are not in the tree

    def add(self, obj: KubeObject) -> None:
        """Take note of an object."""
        key = key_of(obj)
        kind = (key.group, key.kind)
        self.keys.add(key)
        if key.group in CONTROLLER_GROUPS:
            self._controllers.add(key.namespace)
        for reference in references(obj):
            self._references[reference] = None
        self._made.update(_made_by(obj, key))
        if kind == PLAN:
            self._add_plan(obj)
        if kind in TEMPLATES:
            self._add_pod(obj, key, TEMPLATES[kind])
        if kind == SERVICE:
            for _, selector in select(obj, "spec.selector"):
                if pairs := _pairs(selector):
                    self._selectors[key] = pairs

    def check(self, external: frozenset[tuple[str, str]]) -> tuple[list[Issue], dict[str, tuple[str, ...]]]:
        """Return what dangles (VMF607), and by kind the names of what the tree needs and others provide.

        ``external`` lists those as kind and ``namespace/name``, beside what is external by its nature:
        Secrets, the ConfigMaps of environments, the ServiceAccounts of controllers, ClusterRoles.
        """
        issues: list[Issue] = []
        provided: dict[str, set[str]] = defaultdict(set)
        for reference in self._references:
            if any(self._exists(target) for target in reference.targets):
                continue
            listed = [each for each in reference.targets if (each.kind, qualified(each)) in external]
            if listed or reference.external:
                target = (listed or reference.targets)[0]
                provided[target.kind].add(qualified(target))
            else:
                issues.append(_dangling(reference))
        issues += self._unselecting()
        issues += self._homeless(external, provided)
        return issues, {kind: tuple(sorted(names)) for kind, names in sorted(provided.items())}

    def _exists(self, key: Key) -> bool:
        if key in self.keys or key in self._made or (key.group, key.kind, key.name) in ALWAYS:
            return True
        if (key.group, key.kind) == PVC:
            return self._is_plans_claim(key)
        return (key.group, key.kind) == NAMESPACE and key.name in self._controllers

    def _is_plans_claim(self, key: Key) -> bool:
        claims = self._claims.get(key.namespace, set())
        for number in re.finditer("[0-9]+", key.name):
            if f"{key.name[: number.start()]}#{key.name[number.end() :]}" in claims:
                return True
        prefixes = self._claim_prefixes.get(key.namespace, set())
        return key.name in claims or any(key.name.startswith(prefix) for prefix in prefixes)

    def _add_plan(self, plan: KubeObject) -> None:
        """Note the claims and the pods of the VMs that Forklift will make."""
        namespace = _text(plan, "spec.targetNamespace")
        labels = dict(_pairs(next((value for _, value in select(plan, "spec.targetLabels")), None)))
        for _, vm in select(plan, "spec.vms[]"):
            name = _text(vm, "targetName") or _text(vm, "name")
            template = _text(vm, "pvcNameTemplate") or _text(plan, "spec.pvcNameTemplate")
            values = {"TargetVmName": name, "VmName": _text(vm, "name"), "VmId": _text(vm, "id")}
            claim, whole = _claim_name(template, {**values, "PlanName": plan["metadata"]["name"]})
            if claim:
                (self._claims if whole else self._claim_prefixes)[namespace].add(claim)
            # Forklift labels the pods `app` (setLabels in pkg/controller/plan/kubevirt.go)
            self._pods[namespace].add(frozenset({**labels, "app": name, **_vm_labels(name, name)}.items()))

    def _add_pod(self, obj: KubeObject, key: Key, template: str) -> None:
        at = f"{template}." if template else ""
        labels = dict(_pairs(next((value for _, value in select(obj, f"{at}metadata.labels")), None)))
        if (key.group, key.kind) == VM:
            labels |= _vm_labels(key.name, _text(obj, f"{VMI}.hostname") or key.name)
        if (key.group, key.kind) != DATA_VOLUME:
            self._pods[key.namespace].add(frozenset(labels.items()))

    def _unselecting(self) -> Iterator[Issue]:
        having: dict[tuple[str, tuple[str, str]], list[frozenset[tuple[str, str]]]] = defaultdict(list)
        for namespace, pods in self._pods.items():
            for labels in pods:
                for pair in labels:
                    having[namespace, pair].append(labels)
        for key, selector in self._selectors.items():
            rarest = min((having.get((key.namespace, pair), []) for pair in selector), key=len)
            if not any(selector <= labels for labels in rarest):
                wanted = ", ".join(f"{name}={value}" for name, value in sorted(selector))
                message = f"{key} selects `{wanted}`, which no VM and no pod in its namespace has"
                yield Issue(DANGLING_REFERENCE, message, _REMEDY, key=key, path=("spec", "selector"))

    def _homeless(self, external: frozenset[tuple[str, str]], provided: dict[str, set[str]]) -> Iterator[Issue]:
        """Yield an issue for each namespace that objects are in and nothing creates."""
        first: dict[str, Key] = {}
        for key in self.keys:
            if key.namespace:
                first[key.namespace] = min(key, first.get(key.namespace, key))
        for namespace, key in sorted(first.items()):
            if Key(*NAMESPACE, "", namespace) in self.keys:
                continue
            if namespace in self._controllers or ("Namespace", namespace) in external:
                provided["Namespace"].add(namespace)
                continue
            message = f"{key} is in namespace {namespace}, which nothing in the tree creates"
            yield Issue(DANGLING_REFERENCE, message, _REMEDY, key=key, path=("metadata", "namespace"))


def references(obj: KubeObject) -> Iterator[Reference]:
    """Yield what an object refers to, according to RULES and to its Multus annotation."""
    key = key_of(obj)
    kind = (key.group, key.kind)
    for rule in RULES.get(kind, ()):
        for path, value in select(obj, rule.at):
            found = _named(value, rule, key.namespace)
            if found:
                namespace, name = found
                targets = tuple(_target(each, namespace, name) for each in rule.to)
                deeper = (*path, rule.field) if isinstance(value, dict) else path
                yield Reference(key, deeper, targets, rule.external)
    if kind in TEMPLATES:
        at = f"{TEMPLATES[kind]}.metadata.annotations".removeprefix(".")
        for path, annotations in select(obj, at):
            text = annotations.get(NETWORKS) if isinstance(annotations, dict) else None
            for namespace, name in _networks(text, key.namespace):
                yield Reference(key, (*path, NETWORKS), (Key(*NAD, namespace, name),), external=False)


def qualified(key: Key) -> str:
    """Return the name with its namespace, if it has one: ``namespace/name``."""
    return f"{key.namespace}/{key.name}" if key.namespace else key.name


def _named(value: Any, rule: Rule, own: str) -> tuple[str, str] | None:
    """Return the namespace and name that a field's value gives, None if it gives none."""
    if isinstance(value, str):
        namespace, _, name = value.rpartition("/")
        return (namespace or own, name) if name else None
    if not isinstance(value, dict) or value.get("optional") is True:
        return None
    if rule.when and value.get(rule.when[0]) != rule.when[1]:
        return None
    name = _text(value, rule.field)
    return (_text(value, "namespace") or own, name) if name else None


def _target(kind: tuple[str, str], namespace: str, name: str) -> Key:
    return Key(*kind, "" if kind in CLUSTER_SCOPED else namespace, name)


def _networks(annotation: Any, own: str) -> Iterator[tuple[str, str]]:
    """Yield the NADs of a Multus annotation: ``ns/name@interface, ...`` or a JSON list."""
    if not isinstance(annotation, str):
        return
    if annotation.lstrip().startswith("["):
        try:
            entries = msgspec.json.decode(annotation, type=list[dict[str, Any]])
        except msgspec.DecodeError:
            return
        yield from ((entry.get("namespace") or own, entry["name"]) for entry in entries if "name" in entry)
        return
    for part in annotation.split(","):
        namespace, _, name = part.strip().partition("@")[0].rpartition("/")
        if name:
            yield namespace or own, name


def _made_by(obj: KubeObject, key: Key) -> Iterator[Key]:
    """Yield what a controller makes of an object."""
    if (key.group, key.kind) == VM:
        for _, name in select(obj, "spec.dataVolumeTemplates[].metadata.name"):
            yield Key(*DATA_VOLUME, key.namespace, str(name))
    elif (key.group, key.kind) == EXTERNAL_SECRET.key:
        yield Key(*SECRET, key.namespace, _text(obj, "spec.target.name") or key.name)
    elif (key.group, key.kind) == SEALED_SECRET.key:
        yield Key(*SECRET, key.namespace, key.name)


def _text(value: Any, pattern: str) -> str:
    """Return the text that ``pattern`` leads to; empty if there is none."""
    return next((found for _, found in select(value, pattern) if isinstance(found, str)), "")


def _pairs(labels: Any) -> frozenset[tuple[str, str]]:
    items = labels.items() if isinstance(labels, dict) else ()
    return frozenset((name, value) for name, value in items if isinstance(value, str))


def _vm_labels(name: str, hostname: str) -> dict[str, str]:
    """Return the labels KubeVirt gives a VM's pod (pkg/virt-controller/services/template.go, podLabels)."""
    short = hostname.partition(".")[0][:63]
    return {"kubevirt.io": "virt-launcher", "vm.kubevirt.io/name": short, "vmi.kubevirt.io/id": name}


_ACTION = re.compile(r"\{\{\s*(?:trunc\s+(?P<length>[0-9]+)\s+)?\.(?P<name>[A-Za-z]+)\s*\}\}")


def _claim_name(template: str, values: dict[str, str | None]) -> tuple[str, bool]:
    """Return the claims' name by Forklift's template, the disk's number as ``#``, and whether that is all.

    Of a template with other actions it is what comes before the first of those.
    """

    def fill(match: re.Match[str]) -> str:
        value = "#" if match["name"] == "DiskIndex" else values.get(match["name"])
        if value is None:
            return match[0]
        return value[: int(match["length"])] if match["length"] else value

    known, unknown, _ = _ACTION.sub(fill, template).partition("{{")
    return known.partition("#")[0] if unknown else known, not unknown


def _dangling(reference: Reference) -> Issue:
    names = " or ".join(str(target) for target in reference.targets)
    message = f"{reference.source}: `{shown(reference.path)}` refers to {names}, which the tree does not have"
    return Issue(DANGLING_REFERENCE, message, _REMEDY, key=reference.source, path=reference.path)
