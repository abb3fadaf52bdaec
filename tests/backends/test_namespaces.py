"""Tests of `vmferry.backends.namespaces`."""

from typing import Any

import msgspec
import pytest
from tests.backends import schemas
from tests.backends.blueprints import disk
from tests.backends.decided import decided

from vmferry.backends import namespaces
from vmferry.model.application import Application, NamedPort
from vmferry.model.blueprint import (
    ArrayCopy,
    Credential,
    Group,
    Machine,
    MachineNic,
    NamespacePlan,
    Path,
    Places,
    SourcePlan,
    SourceRef,
    XcopyCopy,
)
from vmferry.model.forklift import CsiImport
from vmferry.model.manifest import Item, Resource
from vmferry.model.spec import (
    Cluster,
    Credentials,
    ExternalSecret,
    Forklift,
    GitOps,
    Method,
    SecretRef,
    ServiceAccountRef,
    StoreRef,
    VCenter,
    Versions,
)

POD = MachineNic(index=0, name="nic-0", network=SourceRef(name="VM Network"), mac=None, binding="masquerade", nad=None)
LAN = MachineNic(index=0, name="nic-0", network=SourceRef(name="lan"), mac=None, binding="bridge", nad="web/lan")
HTTPS = NamedPort(name="https", port=443, target_port=8443)
SSH = NamedPort(name="ssh", port=22)
STORE = ExternalSecret(store_ref=StoreRef(name="vault"), key="vcenter/vc1")
SOURCE = SourcePlan(
    name="vc1",
    provider="acme-vc1",
    vcenter=VCenter(
        url="https://vc1.acme.example/sdk",
        credentials=Credentials(secret_ref=SecretRef(name="vc1")),
    ),
    credential=Credential(source="vc1", name="vc1", namespace="konveyor-forklift", external=STORE),
)
PATHS: dict[Method, Path] = {
    "warm": "forklift",
    "cold": "forklift",
    "job": "virt-v2v",
    "image": "virt-v2v",
    "rebuild": "rebuild",
}


def machine(name: str, method: Method, namespace: str = "web", **fields: Any) -> Machine:
    return Machine(
        key=f"vc1/{name}",
        name=name,
        source="vc1",
        target_name=name,
        namespace=namespace,
        phase="stateless",
        group="g",
        path=PATHS[method],
        method=method,
        **{"os": "linux", **fields},
    )


def group(*machines: Machine) -> Group:
    first = machines[0]
    return Group(
        name=f"{first.namespace}-{first.method}",
        full_name="acme-g",
        phase="stateless",
        phase_kind="stateless",
        stage="planned",
        path=first.path,
        method=first.method,
        source="vc1",
        namespace=first.namespace,
        machines=machines,
        layers=(),
    )


def compile_(
    *groups: Group,
    plans: tuple[NamespacePlan, ...] = (NamespacePlan(name="web"),),
    gitops: GitOps | None = None,
    cluster: Cluster | None = None,
) -> list[Item]:
    blueprint = decided(
        name="acme",
        cluster=cluster or Cluster(name="prod-a"),
        gitops=gitops or GitOps(engine="flux", repo_url="https://git.acme.example/gitops"),
        forklift=Forklift(),
        sources=(SOURCE,),
        namespaces=plans,
        groups=groups,
    )
    return list(namespaces.emit(blueprint))


def isolated(**fields: Any) -> tuple[NamespacePlan, ...]:
    return (NamespacePlan(name="web", isolate=True, **fields),)


def rights(items: list[Item], role: str = "vmferry-applier") -> dict[str, list[str]]:
    return {
        resource: rule["verbs"]
        for rule in schemas.named(items, "Role", role)["rules"]
        for resource in rule["resources"]
    }


def test_every_object_fits_its_schema() -> None:
    groups = (
        group(machine("a", "warm", ports=(HTTPS,), nics=(POD,))),
        group(machine("b", "job", ports=(HTTPS,), nics=(POD,))),
        group(machine("c", "image", golden=True)),
        group(machine("d", "rebuild", application=Application(image="d", ports=(SSH,)))),
        group(machine("e", "image", "db", clone_of="c")),
    )
    plans = (
        NamespacePlan(
            name="web",
            labels={"team": "web"},
            quota={"requests.memory": "40Gi", "requests.cpu": "4"},
            quota_basis="3 VMs",
            isolate=True,
            forklift=True,
            credentials=(
                Credential(source="vc1", name="v2v", namespace="web", external=STORE, purpose="conversion"),
                Credential(source="vc1", name="v2v", namespace="web", content=b"kind: SealedSecret\n"),
            ),
        ),
        NamespacePlan(name="db"),
    )
    items = compile_(*groups, plans=plans)
    for item in items:
        assert isinstance(item, Resource)
        if item.raw is None:
            schemas.assert_fits(item.object)
    assert {item.directory for item in items if isinstance(item, Resource)} == {
        "infra/namespaces/web",
        "infra/namespaces/db",
        "infra/cluster",
    }


def test_namespace_is_never_pruned() -> None:
    namespace = schemas.named(compile_(), "Namespace", "web")
    assert namespace["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled"


def test_quota_says_what_its_numbers_are_made_of() -> None:
    quota = {"requests.memory": "40Gi", "requests.cpu": "4"}
    plan = NamespacePlan(name="web", quota=quota, quota_basis="3 VMs, 40Gi")
    obj = schemas.named(compile_(plans=(plan,)), "ResourceQuota", "vmferry")
    assert list(obj["spec"]["hard"]) == ["requests.cpu", "requests.memory"]
    assert obj["metadata"]["annotations"] == {"vmferry.dev/quota-basis": "3 VMs, 40Gi"}


WINDOWS = machine("a", "cold", os="windows")
QUOTA = {"requests.memory": "40Gi", "requests.cpu": "4", "requests.storage": "1Ti"}


def defaults(quota: dict[str, str], *machines: Machine, version: str = "2.12") -> list[Any]:
    """Return the limits of the namespace's LimitRange; the applier may make one where there is one."""
    plan = NamespacePlan(name="web", quota=quota, forklift=True)
    items = compile_(
        group(*machines), plans=(plan,), cluster=Cluster(name="prod-a", versions=Versions(forklift=version))
    )
    found = [obj for obj in schemas.objects(items) if obj["kind"] == "LimitRange"]
    assert ("limitranges" in rights(items)) is bool(found)
    for obj in found:
        schemas.assert_fits(obj)
    return [limit for obj in found for limit in obj["spec"]["limits"]]


def test_the_pod_that_waits_for_windows_has_requests_where_a_quota_counts_them() -> None:
    [limit] = defaults(QUOTA, WINDOWS)
    assert limit == {"type": "Container", "defaultRequest": {"cpu": "10m", "memory": "64Mi"}}
    [limit] = defaults({"requests.memory": "40Gi"}, WINDOWS)
    assert limit["defaultRequest"] == {"memory": "64Mi"}


def test_the_pods_that_tell_a_storage_array_to_copy_have_requests() -> None:
    xcopy = ArrayCopy(xcopy=XcopyCopy(secret="array", product="ontap"))
    csi = ArrayCopy(csi=CsiImport(secret_ref="array", storage_vendor_product="ontap"))
    assert [limit["defaultRequest"] for limit in defaults(QUOTA, copied(xcopy), version="2.9")] == [
        {"cpu": "10m", "memory": "64Mi"}
    ]
    assert defaults(QUOTA, copied(csi)) == []


def copied(offload: ArrayCopy) -> Machine:
    return machine("a", "cold", disks=(disk("a", offload=offload),))


def test_nothing_else_takes_default_requests() -> None:
    assert defaults({}, WINDOWS) == []
    assert defaults({"requests.storage": "1Ti"}, WINDOWS) == []
    assert defaults(QUOTA, WINDOWS, version="2.11") == []
    assert defaults(QUOTA, machine("a", "cold")) == []
    assert defaults(QUOTA, machine("a", "cold", os="windows", run_strategy="Halted")) == []
    assert defaults(QUOTA, machine("a", "cold", os="windows", raw=True)) == []


def test_namespace_without_limits_has_no_quota() -> None:
    assert "ResourceQuota" not in {obj["kind"] for obj in schemas.objects(compile_())}


# --- rights ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gitops", "subject"),
    [
        ({"engine": "flux"}, ("kustomize-controller", "flux-system")),
        ({"engine": "argocd"}, ("argocd-application-controller", "argocd")),
        ({"engine": "argocd", "namespace": "openshift-gitops"}, ("argocd-application-controller", "openshift-gitops")),
        ({"engine": "flux", "applier": ServiceAccountRef(name="ci", namespace="apps")}, ("ci", "apps")),
    ],
)
def test_rights_go_to_whoever_applies(gitops: dict[str, Any], subject: tuple[str, str]) -> None:
    items = compile_(gitops=GitOps(repo_url="https://git.acme.example/gitops", **gitops))
    [found] = schemas.named(items, "RoleBinding", "vmferry-applier")["subjects"]
    assert (found["name"], found["namespace"]) == subject


def test_applier_cannot_delete_what_holds_data() -> None:
    held = rights(compile_(group(machine("a", "job")), group(machine("b", "rebuild"))))
    for resource in ("virtualmachines", "datavolumes", "persistentvolumeclaims", "namespaces"):
        assert "delete" not in held[resource]
    assert "delete" in held["jobs"]


def test_applier_may_do_what_a_server_side_apply_takes() -> None:
    held = rights(compile_(group(machine("a", "image")), group(machine("b", "rebuild"))))
    for verbs in held.values():
        assert set(verbs) >= {"get", "list", "watch", "create", "patch"}


def test_applier_has_no_rights_on_kinds_the_namespace_does_not_get() -> None:
    held = rights(compile_(group(machine("a", "rebuild"))))
    assert not {"virtualmachines", "datavolumes", "jobs", "resourcequotas", "secrets"} & held.keys()


def test_conversion_jobs_of_all_namespaces_may_take_places_and_touch_nothing_else() -> None:
    places = Places(name="acme-vc1-conversions", accounts=("crm/acme-a-convert", "web/acme-b-convert"))
    items = compile_(group(machine("web-01", "job")), plans=(NamespacePlan(name="web", places=(places,)),))
    for obj in schemas.objects(items):
        schemas.assert_fits(obj)
    assert [*schemas.named(items, "ConfigMap", places.name)["data"]] == ["about"]  # places are the Jobs' own keys
    [rule] = schemas.named(items, "Role", places.name)["rules"]
    assert (rule["resourceNames"], rule["verbs"]) == ([places.name], ["get", "patch"])
    subjects = schemas.named(items, "RoleBinding", places.name)["subjects"]
    assert [(each["namespace"], each["name"]) for each in subjects] == [
        ("crm", "acme-a-convert"),
        ("web", "acme-b-convert"),
    ]


def constraints(items: list[Item]) -> list[dict[str, Any]]:
    rules = schemas.named(items, "Role", "vmferry-applier")["rules"]
    return [rule for rule in rules if rule["resources"] == ["securitycontextconstraints"]]


def test_applier_on_openshift_holds_the_constraint_that_it_grants_to_conversion_jobs() -> None:
    openshift = Cluster(name="prod-a", distribution="openshift")
    [rule] = constraints(compile_(group(machine("web-01", "job")), cluster=openshift))
    assert (rule["resourceNames"], rule["verbs"]) == (["nonroot-v2"], ["use"])
    assert not constraints(compile_(group(machine("web-01", "image")), cluster=openshift))
    assert not constraints(compile_(group(machine("web-01", "job"))))


def test_applier_may_create_virtual_machines_where_forklift_puts_them_and_own_them_later() -> None:
    plan = NamespacePlan(name="web", forklift=True)
    granted = rights(compile_(group(machine("a", "warm")), plans=(plan,)))["virtualmachines"]
    assert granted == ["get", "list", "watch", "create", "patch"]


def test_applier_of_plans_can_read_providers_in_forklifts_namespace() -> None:
    items = compile_(group(machine("a", "warm")))
    role = schemas.named(items, "Role", "vmferry-applier-acme")
    held = rights(items, "vmferry-applier-acme")
    assert role["metadata"]["namespace"] == "konveyor-forklift"
    assert "get" in held["providers"]
    assert "delete" not in held["plans"]
    assert "externalsecrets" in held


def test_without_forklift_nothing_is_granted_in_its_namespace() -> None:
    items = compile_(group(machine("a", "job")))
    assert not [obj for obj in schemas.objects(items) if obj["metadata"].get("namespace") == "konveyor-forklift"]


def test_rights_lie_in_forklifts_namespace_root_when_vmferry_makes_that_namespace() -> None:
    plans = (NamespacePlan(name="web"), NamespacePlan(name="konveyor-forklift"))
    items = compile_(group(machine("a", "warm")), plans=plans)
    assert not [item for item in items if isinstance(item, Resource) and item.directory == "infra/cluster"]


def test_other_namespaces_may_clone_a_golden_image() -> None:
    golden = group(machine("tpl", "image", golden=True))
    plans = (NamespacePlan(name="web"), NamespacePlan(name="db"))
    items = compile_(golden, group(machine("x", "image", "db", clone_of="tpl")), plans=plans)
    binding = schemas.named(items, "RoleBinding", "vmferry-golden-images")
    assert binding["metadata"]["namespace"] == "web"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "default", "namespace": "db"}]
    alone = compile_(golden, group(machine("x", "image", clone_of="tpl")), plans=plans)
    assert "vmferry-golden-images" not in [obj["metadata"]["name"] for obj in schemas.objects(alone)]


# --- network policies ------------------------------------------------------------------------


def policies(items: list[Item]) -> dict[str, dict[str, Any]]:
    return {obj["metadata"]["name"]: obj["spec"] for obj in schemas.objects(items) if obj["kind"] == "NetworkPolicy"}


def test_namespace_that_is_not_isolated_has_no_policy() -> None:
    assert policies(compile_(group(machine("a", "job", ports=(SSH,), nics=(POD,))))) == {}


def test_isolated_namespace_takes_nothing_from_others_and_keeps_its_egress() -> None:
    assert policies(compile_(plans=isolated())) == {
        "vmferry-isolate": {
            "podSelector": {},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {}}]}],
        }
    }


def test_declared_ports_are_open_where_the_guest_listens() -> None:
    found = policies(compile_(group(machine("a", "job", ports=(HTTPS, SSH), nics=(POD,))), plans=isolated()))
    assert found["vmferry-ports-tcp-22-tcp-8443"] == {
        "podSelector": {"matchExpressions": [{"key": "vmferry.dev/vm", "operator": "In", "values": ["a"]}]},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [{"protocol": "TCP", "port": 22}, {"protocol": "TCP", "port": 8443}]}],
    }


def test_machines_with_the_same_ports_share_a_policy() -> None:
    machines = [machine(name, "job", ports=(SSH,), nics=(POD,)) for name in ("b", "a")]
    found = policies(compile_(group(*machines), plans=isolated()))
    [selector] = found["vmferry-ports-tcp-22"]["podSelector"]["matchExpressions"]
    assert selector["values"] == ["a", "b"]


def test_machines_that_forklift_makes_are_found_by_the_label_it_gives_them() -> None:
    found = policies(compile_(group(machine("a", "warm", ports=(SSH,), nics=(POD,))), plans=isolated(forklift=True)))
    [selector] = found["vmferry-forklift-ports-tcp-22"]["podSelector"]["matchExpressions"]
    assert selector == {"key": "app", "operator": "In", "values": ["a"]}


def test_ports_of_a_machine_off_the_pod_network_open_nothing() -> None:
    found = policies(compile_(group(machine("a", "job", ports=(SSH,), nics=(LAN,))), plans=isolated()))
    assert set(found) == {"vmferry-isolate", "vmferry-cdi"}


def test_rebuilt_application_is_open_unless_it_says_who_may_connect() -> None:
    application = Application(image="d:1", ports=(SSH,))
    for allow_from, expected in ((None, True), (("ops",), False)):
        changed = msgspec.structs.replace(application, allow_from=allow_from)
        found = policies(compile_(group(machine("d", "rebuild", application=changed)), plans=isolated()))
        assert ("vmferry-ports-tcp-22" in found) is expected


def test_isolation_lets_the_migration_itself_through() -> None:
    found = policies(compile_(group(machine("a", "warm")), plans=isolated(forklift=True)))
    [rule] = found["vmferry-forklift"]["ingress"]
    assert [port["port"] for port in rule["ports"]] == [2112, 8080]
    assert found["vmferry-cdi"]["ingress"][0]["ports"] == [{"protocol": "TCP", "port": 8443}]


def test_many_ports_still_make_a_name_of_63_characters() -> None:
    ports = tuple(NamedPort(name=f"p{number}", port=number) for number in range(10000, 10040))
    found = policies(compile_(group(machine("a", "job", ports=ports, nics=(POD,))), plans=isolated()))
    assert all(len(name) <= 63 for name in found)


def test_credentials_of_conversion_jobs_lie_in_their_namespace() -> None:
    credential = Credential(source="vc1", name="v2v", namespace="web", external=STORE, purpose="conversion")
    items = compile_(plans=(NamespacePlan(name="web", credentials=(credential,)),))
    assert schemas.named(items, "ExternalSecret", "v2v")["metadata"]["namespace"] == "web"
    assert "externalsecrets" in rights(items)
