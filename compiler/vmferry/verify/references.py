"""The references between the objects of a tree, and their targets."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from vmferry.kube.kinds import CONTROLLER_GROUPS, EXTERNAL_SECRET, SEALED_SECRET
from vmferry.kube.nad import NETWORKS
from vmferry.layout.objects import Issue, Key, key_of, select, shown
from vmferry.model.finding import Path
from vmferry.model.manifest import RECORDED, KubeObject
from vmferry.model.rule import declare
from vmferry.verify.fields import (
    ALWAYS,
    CLUSTER_SCOPED,
    DATA_VOLUME,
    NAD,
    NAMESPACE,
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

_REMEDY = "correct the name, or add the missing object; the API server accepts the reference, and it fails later"


class Reference(NamedTuple):
    """One reference of an object: the field, and the keys that satisfy it."""

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


class Wanted(NamedTuple):
    """Alternative keys, one of which must exist, and whether it may be external."""

    targets: tuple[Key, ...]
    external: bool


Pairs = tuple[tuple[str, str], ...]
Sources = tuple[tuple[tuple[Key, Path], ...], ...]


class Links(msgspec.Struct, frozen=True, array_like=True):
    """The objects of one root, their references, and the objects that they create, without references within the root.

    ``sources`` has the referring fields for each of ``wanted``; ``pods`` the labels of all pods by namespace: both are
    rarely needed, and are only read on demand.
    """

    keys: tuple[Key, ...]
    made: tuple[Key, ...]  # by a controller, from an object of the root
    wanted: tuple[Wanted, ...]
    sources: msgspec.Raw
    pods: msgspec.Raw
    selectors: tuple[tuple[Key, Pairs], ...]
    claims: tuple[tuple[str, str], ...]  # of plans: namespace and name, disk numbers as "#"
    claim_prefixes: tuple[tuple[str, str], ...]
    controllers: tuple[str, ...]  # their namespaces, which are not in the tree


def links(objects: Iterable[KubeObject]) -> Links:
    """Return the references of a root's objects. They may have any shape: not every kind has a schema."""
    gathered = _Gathered()
    for obj in objects:
        gathered.add(obj)
    return gathered.links()


class _Gathered:
    """The collected data of one root's objects."""

    def __init__(self) -> None:
        self._keys: dict[Key, None] = {}
        self._made: dict[Key, None] = {}
        self._references: dict[Wanted, dict[tuple[Key, Path], None]] = defaultdict(dict)
        self._pods: dict[tuple[str, Pairs], None] = {}
        self._selectors: dict[Key, Pairs] = {}
        self._claims: dict[bool, dict[tuple[str, str], None]] = {True: {}, False: {}}
        self._controllers: dict[str, None] = {}

    def add(self, obj: KubeObject) -> None:
        key = key_of(obj)
        kind = (key.group, key.kind)
        self._keys[key] = None
        if key.group in CONTROLLER_GROUPS:
            self._controllers[key.namespace] = None
        for reference in references(obj):
            self._references[Wanted(reference.targets, reference.external)][reference.source, reference.path] = None
        self._made.update(dict.fromkeys(_made_by(obj, key)))
        if kind == PLAN:
            self._add_plan(obj)
        if kind in TEMPLATES:
            self._add_pod(obj, key, TEMPLATES[kind])
        if kind == SERVICE:
            for _, selector in select(obj, "spec.selector"):
                if pairs := _pairs(selector):
                    self._selectors[key] = pairs

    def links(self) -> Links:
        own = self._keys.keys() | self._made.keys()
        wanted = {each: by for each, by in self._references.items() if own.isdisjoint(each.targets)}
        pods: dict[str, list[frozenset[tuple[str, str]]]] = defaultdict(list)
        for namespace, labels in self._pods:
            pods[namespace].append(frozenset(labels))
        selectors = {
            key: pairs
            for key, pairs in self._selectors.items()
            if not any(frozenset(pairs) <= labels for labels in pods.get(key.namespace, ()))
        }
        return Links(
            keys=tuple(self._keys),
            made=tuple(self._made),
            wanted=tuple(wanted),
            sources=_raw(tuple(map(tuple, wanted.values()))),
            pods=_raw(tuple(self._pods)),
            selectors=tuple(selectors.items()),
            claims=tuple(self._claims[True]),
            claim_prefixes=tuple(self._claims[False]),
            controllers=tuple(self._controllers),
        )

    def _add_plan(self, plan: KubeObject) -> None:
        """Record the claims and pods of the VMs that Forklift will create."""
        namespace = _text(plan, "spec.targetNamespace")
        labels = dict(_pairs(next((value for _, value in select(plan, "spec.targetLabels")), None)))
        for _, vm in select(plan, "spec.vms[]"):
            name = _text(vm, "targetName") or _text(vm, "name")
            template = _text(vm, "pvcNameTemplate") or _text(plan, "spec.pvcNameTemplate")
            values = {"TargetVmName": name, "VmName": _text(vm, "name"), "VmId": _text(vm, "id")}
            claim, whole = _claim_name(template, {**values, "PlanName": plan["metadata"]["name"]})
            if claim:
                self._claims[whole][namespace, claim] = None
            # Forklift labels the pods `app` (setLabels in pkg/controller/plan/kubevirt.go)
            self._note_pod(namespace, {**labels, "app": name, **_vm_labels(name, name)})

    def _add_pod(self, obj: KubeObject, key: Key, template: str) -> None:
        at = f"{template}." if template else ""
        labels = dict(_pairs(next((value for _, value in select(obj, f"{at}metadata.labels")), None)))
        if (key.group, key.kind) == VM:
            labels |= _vm_labels(key.name, _text(obj, f"{VMI}.hostname") or key.name)
        if (key.group, key.kind) != DATA_VOLUME:
            self._note_pod(key.namespace, labels)

    def _note_pod(self, namespace: str, labels: dict[str, str]) -> None:
        self._pods[namespace, tuple(labels.items())] = None


class Graph:
    """The objects of a tree, their references, and the objects that they create; each build may be added."""

    def __init__(self) -> None:
        self.keys: set[Key] = set()
        self._made: set[Key] = set()
        self._links: list[Links] = []
        self._claims: dict[str, set[str]] = defaultdict(set)
        self._claim_prefixes: dict[str, set[str]] = defaultdict(set)
        self._controllers: set[str] = set()

    def add(self, *objects: KubeObject) -> None:
        """Record the objects of a root."""
        self.join(links(objects))

    def join(self, each: Links) -> None:
        """Record the links of a root."""
        self._links.append(each)
        self.keys.update(each.keys)
        self._made.update(each.made)
        self._controllers.update(each.controllers)
        for known, found in ((self._claims, each.claims), (self._claim_prefixes, each.claim_prefixes)):
            for namespace, claim in found:
                known[namespace].add(claim)

    def check(self, external: frozenset[tuple[str, str]]) -> tuple[list[Issue], dict[str, tuple[str, ...]]]:
        """Return dangling references (VMF607), and by kind the names of external objects that the tree needs.

        ``external`` lists those as kind and ``namespace/name``, besides kinds that are always external: Secrets, the
        ConfigMaps of environments, the ServiceAccounts of controllers, ClusterRoles.
        """
        issues: dict[Issue, None] = {}
        provided: dict[str, set[str]] = defaultdict(set)
        for each in self._links:
            for number, wanted in enumerate(each.wanted):
                if not self.keys.isdisjoint(wanted.targets) or any(map(self._will_exist, wanted.targets)):
                    continue
                listed = [target for target in wanted.targets if (target.kind, qualified(target)) in external]
                if listed or wanted.external:
                    target = (listed or wanted.targets)[0]
                    provided[target.kind].add(qualified(target))
                else:
                    sources = msgspec.msgpack.decode(each.sources, type=Sources)[number]
                    issues.update(dict.fromkeys(_dangling(*source, wanted.targets) for source in sources))
        found = [*issues, *self._unselecting(), *self._homeless(external, provided)]
        return found, {kind: tuple(sorted(names)) for kind, names in sorted(provided.items())}

    def _will_exist(self, key: Key) -> bool:
        """Return whether an object outside of the tree will exist."""
        if key in self._made or (key.group, key.kind, key.name) in ALWAYS:
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

    def _unselecting(self) -> Iterator[Issue]:
        selectors = dict(selector for each in self._links for selector in each.selectors)
        having: dict[tuple[str, tuple[str, str]], list[frozenset[tuple[str, str]]]] = defaultdict(list)
        for each in self._links if selectors else ():
            for namespace, pod in msgspec.msgpack.decode(each.pods, type=tuple[tuple[str, Pairs], ...]):
                for pair in pod:
                    having[namespace, pair].append(frozenset(pod))
        for key, selector in selectors.items():
            rarest = min((having.get((key.namespace, pair), []) for pair in selector), key=len)
            if not any(labels.issuperset(selector) for labels in rarest):
                wanted = ", ".join(f"{name}={value}" for name, value in sorted(selector))
                message = f"{key} selects `{wanted}`, which no VM and no pod in its namespace has"
                yield Issue(DANGLING_REFERENCE, message, _REMEDY, key=key, path=("spec", "selector"))

    def _homeless(self, external: frozenset[tuple[str, str]], provided: dict[str, set[str]]) -> Iterator[Issue]:
        """Yield an issue for each namespace with objects that nothing creates."""
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
    """Yield the references of an object, according to RULES and to its Multus annotation."""
    key = key_of(obj)
    kind = (key.group, key.kind)
    recorded = kind == VM and any(_recorded(notes) for _, notes in select(obj, "metadata.annotations"))
    for rule in RULES.get(kind, ()):
        for path, value in select(obj, rule.at):
            found = _named(value, rule, key.namespace)
            if found:
                namespace, name = found
                targets = tuple(_target(each, namespace, name) for each in rule.to)
                deeper = (*path, rule.field) if isinstance(value, dict) else path
                yield Reference(key, deeper, targets, rule.external or recorded)
    if kind in TEMPLATES:
        at = f"{TEMPLATES[kind]}.metadata.annotations".removeprefix(".")
        for path, annotations in select(obj, at):
            text = annotations.get(NETWORKS) if isinstance(annotations, dict) else None
            for namespace, name in _networks(text, key.namespace):
                yield Reference(key, (*path, NETWORKS), (Key(*NAD, namespace, name),), external=False)


def _recorded(annotations: Any) -> bool:
    return isinstance(annotations, dict) and RECORDED in annotations


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
    """Yield the objects that a controller creates from an object."""
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


def _pairs(labels: Any) -> Pairs:
    items = labels.items() if isinstance(labels, dict) else ()
    return tuple((name, value) for name, value in items if isinstance(name, str) and isinstance(value, str))


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.msgpack.encode(value))


def _vm_labels(name: str, hostname: str) -> dict[str, str]:
    """Return the labels that KubeVirt sets on a VM's pod (pkg/virt-controller/services/template.go, podLabels)."""
    short = hostname.partition(".")[0][:63]
    return {"kubevirt.io": "virt-launcher", "vm.kubevirt.io/name": short, "vmi.kubevirt.io/id": name}


_ACTION = re.compile(r"\{\{\s*(?:trunc\s+(?P<length>[0-9]+)\s+)?\.(?P<name>[A-Za-z]+)\s*\}\}")


def _claim_name(template: str, values: dict[str, str | None]) -> tuple[str, bool]:
    """Return the claim names of Forklift's template, with the disk's number as ``#``, and whether that is complete.

    For a template with other actions it is the part before the first of those.
    """

    def fill(match: re.Match[str]) -> str:
        value = "#" if match["name"] == "DiskIndex" else values.get(match["name"])
        if value is None:
            return match[0]
        return value[: int(match["length"])] if match["length"] else value

    known, unknown, _ = _ACTION.sub(fill, template).partition("{{")
    return known.partition("#")[0] if unknown else known, not unknown


def _dangling(source: Key, path: Path, targets: tuple[Key, ...]) -> Issue:
    names = " or ".join(map(str, targets))
    message = f"{source}: `{shown(path)}` refers to {names}, which is not in the tree"
    return Issue(DANGLING_REFERENCE, message, _REMEDY, key=source, path=path)
