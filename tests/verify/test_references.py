"""Every field of the table, with and without what it refers to, and the exceptions among them."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests import gateway_api

from vmferry.layout.objects import Issue, Key
from vmferry.verify.fields import CLUSTER_SCOPED, NAMESPACE, PVC, RULES, TEXT, KindKey, Rule
from vmferry.verify.references import Graph, references
from vmferry.verify.schemas import builtin_schemas

CRDS = Path(os.environ.get("VMFERRY_SCHEMAS", Path(__file__).parents[3] / "shared/crds"))
TABLE = [(kind, rule) for kind, rules in RULES.items() for rule in rules]
IDS = [f"{kind[1]}:{rule.at}" + (f"={rule.when[1]}" if rule.when else "") for kind, rule in TABLE]

NOWHERE: frozenset[tuple[str, str]] = frozenset()
Object = dict[str, Any]


def thing(kind: KindKey, name: str, namespace: str = "web", **fields: Any) -> Object:
    place = {} if kind in CLUSTER_SCOPED or not namespace else {"namespace": namespace}
    version = f"{kind[0]}/v1" if kind[0] else "v1"
    return {"apiVersion": version, "kind": kind[1], "metadata": {"name": name, **place}, **fields}


def referring(kind: KindKey, rule: Rule, name: str = "target") -> Object:
    """Return an object of ``kind`` whose field refers to ``name``."""
    value: Any = {rule.field: name} if rule.field else name
    if rule.when:
        value[rule.when[0]] = rule.when[1]
    for step in reversed(rule.at.split(".")):
        value = {step.removesuffix("[]"): [value] if step.endswith("[]") else value}
    return {**thing(kind, "source"), **value}


def dangling(*objects: Object, external: frozenset[tuple[str, str]] = NOWHERE) -> list[Issue]:
    graph = Graph()
    for obj in (thing(NAMESPACE, "web"), *objects):
        graph.add(obj)
    return graph.check(external)[0]


def provided(*objects: Object) -> dict[str, tuple[str, ...]]:
    graph = Graph()
    for obj in (thing(NAMESPACE, "web"), *objects):
        graph.add(obj)
    issues, external = graph.check(NOWHERE)
    assert issues == []
    return external


# --- the table --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "rule"), TABLE, ids=IDS)
def test_a_field_that_refers_to_nothing_dangles_or_is_external(kind: KindKey, rule: Rule) -> None:
    source = referring(kind, rule)
    if rule.external:
        assert "target" in provided(source)[rule.to[0][1]][-1]
    else:
        (issue,) = dangling(source)
        assert issue.rule.code == "VMF607"
        assert f"refers to {rule.to[0][1]} " in issue.message


@pytest.mark.parametrize(("kind", "rule"), TABLE, ids=IDS)
def test_a_field_that_refers_to_what_is_there_is_fine(kind: KindKey, rule: Rule) -> None:
    for target in rule.to:
        assert not dangling(referring(kind, rule), thing(target, "target"))


@pytest.mark.skipif(not CRDS.is_dir(), reason=f"no schemas in {CRDS} (set VMFERRY_SCHEMAS)")
@pytest.mark.parametrize(("kind", "rule"), TABLE, ids=IDS)
def test_a_field_of_the_table_is_in_the_schema_of_its_kind(kind: KindKey, rule: Rule) -> None:
    schema, definitions = schema_of(kind)
    for step in rule.at.split("."):
        schema = resolved(schema, definitions)["properties"][step.removesuffix("[]")]
        if step.endswith("[]"):
            schema = resolved(schema, definitions)["items"]
    schema = resolved(schema, definitions)
    assert ("string" in schema["type"]) is (rule.field == TEXT)
    assert rule.field == TEXT or rule.field in schema["properties"]
    assert not rule.when or rule.when[0] in schema["properties"]


@cache
def schema_of(kind: KindKey) -> tuple[Any, Any]:
    group, name = kind
    if group == gateway_api.GROUP:
        return gateway_api.schema(gateway_api.ROUTES[name]), {}
    found = sorted((CRDS / group).glob(f"{name.lower()}_*.json")) if group else []
    if found:
        return msgspec.json.decode(found[-1].read_bytes()), {}
    folder = builtin_schemas()
    assert folder is not None
    short = "-".join(part for part in (name.lower(), group.partition(".")[0], "v1") if part)
    definitions = msgspec.json.decode((folder / "_definitions.json").read_bytes())
    return msgspec.json.decode((folder / f"{short}.json").read_bytes()), definitions["$defs"]


def resolved(schema: Any, definitions: Any) -> Any:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    return schema


# --- names ------------------------------------------------------------------------------------------


def plan(**spec: Any) -> Object:
    return thing(("forklift.konveyor.io", "Plan"), "plan", "konveyor-forklift", spec=spec)


def machine(*volumes: Object, **inner: Any) -> Object:
    spec = {"template": {"spec": {"volumes": list(volumes), **inner}}}
    return thing(("kubevirt.io", "VirtualMachine"), "web-01", spec=spec)


def on_claim(name: str) -> Object:
    return machine({"name": "disk-0", "persistentVolumeClaim": {"claimName": name}})


def service(**selector: str) -> Object:
    return thing(("", "Service"), "web", spec={"selector": selector})


def test_a_reference_says_where_it_is_and_stays_in_its_namespace() -> None:
    (reference,) = references(on_claim("disk"))
    assert reference.path == ("spec", "template", "spec", "volumes", 0, "persistentVolumeClaim", "claimName")
    elsewhere = thing(PVC, "disk", "other")
    assert [issue.rule.code for issue in dangling(on_claim("disk"), elsewhere, thing(NAMESPACE, "other"))] == ["VMF607"]


def test_a_reference_may_name_another_namespace() -> None:
    migration = thing(("forklift.konveyor.io", "Migration"), "m", "konveyor-forklift")
    migration["spec"] = {"plan": {"name": "plan", "namespace": "konveyor-forklift"}}
    assert not dangling(migration, plan())
    migration["spec"] = {"plan": {"name": "plan", "namespace": "forklift"}}
    assert len(dangling(migration, plan())) == 1


def test_a_network_name_may_hold_its_namespace() -> None:
    network = thing(("k8s.cni.cncf.io", "NetworkAttachmentDefinition"), "vlan120", "web")
    for name, count in (("web/vlan120", 0), ("vlan120", 0), ("db/vlan120", 1)):
        vm = machine(networks=[{"name": "nic-0", "multus": {"networkName": name}}])
        assert len(dangling(vm, network)) == count


@pytest.mark.parametrize(
    "annotation",
    ["web/vlan120@eth1", "vlan120, web/vlan120", '[{"name": "vlan120"}, {"name": "vlan120", "namespace": "web"}]'],
)
def test_networks_in_an_annotation_of_a_pod_are_references(annotation: str) -> None:
    template = {"metadata": {"annotations": {"k8s.v1.cni.cncf.io/networks": annotation}}}
    job = thing(("batch", "Job"), "copy", spec={"template": template})
    network = thing(("k8s.cni.cncf.io", "NetworkAttachmentDefinition"), "vlan120", "web")
    assert not dangling(job, network)
    assert dangling(job)


def test_an_optional_reference_may_dangle() -> None:
    pod = thing(("", "Pod"), "p", spec={"volumes": [{"name": "v", "configMap": {"name": "c"}}]})
    assert len(dangling(pod)) == 1
    pod["spec"]["volumes"][0]["configMap"]["optional"] = True
    assert not dangling(pod)


def test_a_config_map_of_a_containers_environment_may_be_the_teams_own() -> None:
    variable = {"name": "V", "valueFrom": {"configMapKeyRef": {"name": "theirs", "key": "k"}}}
    for container in ({"env": [variable]}, {"envFrom": [{"configMapRef": {"name": "theirs"}}]}):
        pod = thing(("", "Pod"), "p", spec={"containers": [container]})
        assert provided(pod) == {"ConfigMap": ("web/theirs",)}
        assert provided(pod, thing(("", "ConfigMap"), "theirs")) == {}


def test_a_config_map_that_a_volume_mounts_is_in_the_tree() -> None:
    sources = [{"configMap": {"name": "c"}}]
    for volume in ({"configMap": {"name": "c"}}, {"projected": {"sources": sources}}):
        pod = thing(("", "Pod"), "p", spec={"volumes": [{"name": "v", **volume}]})
        assert len(dangling(pod)) == 1
        assert not dangling(pod, thing(("", "ConfigMap"), "c"))


def test_what_every_cluster_has_is_there() -> None:
    spec = {"serviceAccountName": "default", "priorityClassName": "system-node-critical"}
    assert provided(thing(("", "Pod"), "p", spec=spec)) == {}


def test_a_users_or_groups_role_is_no_reference_to_a_service_account() -> None:
    binding = thing(("rbac.authorization.k8s.io", "RoleBinding"), "b", subjects=[{"kind": "Group", "name": "g"}])
    assert provided(binding) == {}


@pytest.mark.parametrize(
    "maker",
    [
        thing(("external-secrets.io", "ExternalSecret"), "creds"),
        thing(("external-secrets.io", "ExternalSecret"), "other", spec={"target": {"name": "creds"}}),
        thing(("bitnami.com", "SealedSecret"), "creds"),
    ],
)
def test_a_secret_that_a_controller_makes_is_not_external(maker: Object) -> None:
    provider = thing(("forklift.konveyor.io", "Provider"), "vc1", spec={"secret": {"name": "creds"}})
    assert "Secret" not in provided(provider, maker)
    assert provided(provider)["Secret"] == ("web/creds",)


def test_external_names_have_to_be_exact() -> None:
    vm = on_claim("disk")
    assert not dangling(vm, external=frozenset({("PersistentVolumeClaim", "web/disk")}))
    assert not dangling(vm, external=frozenset({("DataVolume", "web/disk")}))
    assert dangling(vm, external=frozenset({("PersistentVolumeClaim", "disk")}))


def test_a_data_volume_template_makes_the_claim_of_its_vm() -> None:
    vm = machine({"name": "disk-0", "dataVolume": {"name": "clone"}})
    assert len(dangling(vm)) == 1
    vm["spec"]["dataVolumeTemplates"] = [{"metadata": {"name": "clone"}, "spec": {}}]
    assert not dangling(vm)


# --- what Forklift will make ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "claim", "found"),
    [
        ("{{.TargetVmName}}-disk-{{.DiskIndex}}", "web-01-disk-0", True),
        ("{{.TargetVmName}}-disk-{{.DiskIndex}}", "web-01-disk-12", True),
        ("{{ .TargetVmName }}-{{ .DiskIndex }}", "web-01-3", True),
        ("{{trunc 3 .TargetVmName}}-{{.DiskIndex}}", "web-0", True),
        ("{{.VmName}}-{{.VmId}}-{{.DiskIndex}}", "WEB01-vm-7-0", True),
        ("literal", "literal", True),
        ("{{.TargetVmName}}-{{.FileName}}", "web-01-anything", True),
        ("{{.TargetVmName}}-disk-{{.DiskIndex}}", "web-02-disk-0", False),
        ("{{.TargetVmName}}-disk-{{.DiskIndex}}", "web-01-disk-a", False),
        ("{{.TargetVmName}}-{{.FileName}}", "web-02-anything", False),
        ("", "web-01-disk-0", False),
    ],
)
def test_claims_of_a_plan_are_known_by_their_template(template: str, claim: str, found: bool) -> None:
    vms = [{"name": "WEB01", "id": "vm-7", "targetName": "web-01"}]
    for_all = plan(targetNamespace="web", pvcNameTemplate=template, vms=vms)
    assert (not dangling(on_claim(claim), for_all)) is found
    own = plan(targetNamespace="web", pvcNameTemplate="x", vms=[{**vms[0], "pvcNameTemplate": template}])
    assert (not dangling(on_claim(claim), own)) is (found if template else claim == "x")


def test_claims_of_a_plan_are_in_its_target_namespace() -> None:
    template = {"pvcNameTemplate": "{{.TargetVmName}}-{{.DiskIndex}}", "vms": [{"targetName": "web-01"}]}
    other = (plan(targetNamespace="db", **template), thing(NAMESPACE, "db"))
    assert len(dangling(on_claim("web-01-0"), *other)) == 1


# --- Services ---------------------------------------------------------------------------------------


def deployment(**labels: str) -> Object:
    return thing(("apps", "Deployment"), "d", spec={"template": {"metadata": {"labels": labels}}})


@pytest.mark.parametrize(
    "selected",
    [
        machine(),
        plan(targetNamespace="web", vms=[{"targetName": "web-01"}]),
        deployment(**{"vm.kubevirt.io/name": "web-01", "tier": "web"}),
    ],
)
def test_a_service_selects_a_vm_or_a_pod(selected: Object) -> None:
    assert not dangling(service(**{"vm.kubevirt.io/name": "web-01"}), selected)
    (issue,) = dangling(service(**{"vm.kubevirt.io/name": "web-02"}), selected)
    assert "selects `vm.kubevirt.io/name=web-02`" in issue.message


def test_a_service_needs_all_its_labels_on_one_pod() -> None:
    other = {**deployment(tier="db"), "metadata": {"name": "e", "namespace": "web"}}
    pods = (deployment(tier="web", app="shop"), other)
    assert not dangling(service(tier="web", app="shop"), *pods)
    assert len(dangling(service(tier="db", app="shop"), *pods)) == 1


def test_a_hostname_becomes_the_vms_label() -> None:
    vm = machine(hostname="srv-web.acme.example")
    assert not dangling(service(**{"vm.kubevirt.io/name": "srv-web"}), vm)
    assert len(dangling(service(**{"vm.kubevirt.io/name": "web-01"}), vm)) == 1


def test_the_labels_of_a_plans_target_count() -> None:
    made = plan(targetNamespace="web", targetLabels={"tier": "web"}, vms=[{"targetName": "web-01"}])
    assert not dangling(service(tier="web"), made)


def test_a_service_selects_a_plans_vm_by_forklifts_own_label() -> None:
    vms = [{"name": "WEB01", "targetName": "web-01"}, {"name": "web-02"}]
    made = plan(targetNamespace="web", targetLabels={"app": "shop"}, vms=vms)
    for name in ("web-01", "web-02"):
        assert not dangling(service(app=name), made)
    for name in ("WEB01", "shop"):
        (issue,) = dangling(service(app=name), made)
        assert f"selects `app={name}`" in issue.message


def test_a_service_without_a_selector_is_fine() -> None:
    assert not dangling(service())


# --- namespaces -------------------------------------------------------------------------------------


def test_a_namespace_that_nothing_creates_is_reported_once() -> None:
    (issue,) = dangling(thing(PVC, "b", "db"), thing(PVC, "a", "db"))
    assert "PersistentVolumeClaim db/a is in namespace db" in issue.message
    assert not dangling(thing(PVC, "a", "db"), external=frozenset({("Namespace", "db")}))


def test_namespaces_of_controllers_are_external() -> None:
    hook = thing(("forklift.konveyor.io", "Hook"), "h", "konveyor-forklift")
    secret = thing(("", "Secret"), "s", "konveyor-forklift")
    assert provided(hook, secret) == {"Namespace": ("konveyor-forklift",)}
    assert len(dangling(secret)) == 1


# --- shapes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*RULES, ("", "Service"), ("cdi.kubevirt.io", "DataVolume")], ids=str)
@pytest.mark.parametrize("odd", [None, 1, "x", [], [1], {"": {}}])
def test_an_object_of_an_unexpected_shape_is_no_crash(kind: KindKey, odd: Any) -> None:
    inner = {"spec": odd, "metadata": odd}
    spec = {"template": inner, "selector": odd, "vms": [odd], "map": odd, "targetLabels": odd, "volumes": odd}
    for shape in (odd, spec, {"template": odd}, {"dataVolumeTemplates": [odd]}):
        dangling(thing(kind, "source", spec=shape))


def test_keys_are_shown_as_people_write_them() -> None:
    assert str(Key("", "Namespace", "", "web")) == "Namespace web"
    assert str(Key("kubevirt.io", "VirtualMachine", "web", "web-01")) == "VirtualMachine web/web-01"
