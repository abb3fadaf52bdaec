"""Tests of `vmferry.backends.rebuild`."""

from typing import Any

import msgspec
import pytest
from tests.backends import schemas
from tests.backends.decided import decided

from vmferry.backends import rebuild
from vmferry.kube.quantity import parse_size
from vmferry.model.application import Application, EnvVar, KeyRef, NamedPort, Probe, Resources
from vmferry.model.blueprint import Group, Machine, Placement, StateVolume
from vmferry.model.manifest import Item, Resource
from vmferry.model.spec import Cluster, Forklift, GitOps, Toleration

APPLICATION = Application(
    image="registry.acme.example/shop:1.4",
    replicas=2,
    command=("/shop",),
    ports=(NamedPort(name="http", port=80, target_port=8080), NamedPort(name="admin", port=8081)),
    env=(
        EnvVar(name="MODE", value="prod"),
        EnvVar(name="EMPTY", value=""),
        EnvVar(name="TOKEN", secret_key_ref=KeyRef(name="shop", key="token")),
        EnvVar(name="LEVEL", config_map_key_ref=KeyRef(name="shop-levels", key="level")),
    ),
    env_from_secrets=("shop-env",),
    config={"b.conf": "b=1\n", "a.conf": "a=1\n"},
    resources=Resources(cpu="0.5", memory="1024Mi"),
    readiness=Probe(port=8080, path="/ready", delay="0s"),
    liveness=Probe(port=8080, period="1m"),
    allow_from=("web", "ops"),
)
DATA = StateVolume(
    name="data",
    claim="shop-data",
    mount_path="/var/lib/shop",
    size=parse_size("20Gi"),
    storage_class="ceph-block",
    access_mode="ReadWriteOnce",
)


def compile_(application: Application = APPLICATION, **machine: Any) -> list[Item]:
    cluster = machine.pop("cluster", Cluster(name="prod-a"))
    shop = Machine(
        key="vc1/vm-1",
        name="shop",
        source="vc1",
        target_name="shop",
        namespace="shop",
        phase="stateless",
        group="stateless-01",
        path="rebuild",
        method="rebuild",
        os="linux",
        application=application,
        **machine,
    )
    group = Group(
        name="stateless-01",
        full_name="acme-stateless-01",
        phase="stateless",
        phase_kind="stateless",
        stage="planned",
        path="rebuild",
        method="rebuild",
        source="vc1",
        namespace="shop",
        machines=(shop,),
        layers=("config", "workload"),
    )
    blueprint = decided(
        name="acme",
        cluster=cluster,
        gitops=GitOps(engine="flux", repo_url="https://git.acme.example/gitops"),
        forklift=Forklift(),
        sources=(),
        groups=(group,),
    )
    return list(rebuild.emit(blueprint))


def changed(**fields: Any) -> Application:
    return msgspec.structs.replace(APPLICATION, **fields)


def pod(items: list[Item], kind: str = "Deployment") -> dict[str, Any]:
    return schemas.named(items, kind, "shop")["spec"]["template"]["spec"]


def kinds(items: list[Item]) -> list[tuple[str, str]]:
    return [(obj["kind"], obj["metadata"]["name"]) for obj in schemas.objects(items)]


VARIANTS = {
    "full": (APPLICATION, {}),
    "smallest": (Application(image="shop"), {}),
    "state": (changed(replicas=1), {"state": (DATA,)}),
    "stateful set": (changed(kind="StatefulSet"), {"state": (DATA,)}),
    "no ports, closed": (changed(kind="StatefulSet", ports=(), allow_from=()), {}),
    "placed": (
        APPLICATION,
        {
            "placement": Placement(
                labels={"team": "shop"},
                node_selector={"pool": "apps"},
                tolerations=(Toleration(key="dedicated", value="shop", operator="Equal"),),
                apart_from="shops",
            ),
            "priority_class": "gold",
        },
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_object_fits_its_schema(variant: str) -> None:
    application, machine = VARIANTS[variant]
    for obj in schemas.objects(compile_(application, **machine)):
        schemas.assert_fits(obj)


def test_config_and_workload_are_layers_of_their_own_in_the_lock_of_the_group() -> None:
    items = compile_(changed(replicas=1), state=(DATA,))
    places = {(item.object["kind"], item.directory.rpartition("/")[2]) for item in items if isinstance(item, Resource)}
    assert places == {
        ("ConfigMap", "config"),
        ("PersistentVolumeClaim", "config"),
        ("Deployment", "workload"),
        ("Service", "workload"),
        ("NetworkPolicy", "workload"),
    }
    assert {item.lock for item in items} == {"stateless/stateless-01"}


def test_nothing_runs_before_cutover() -> None:
    for kind in ("Deployment", "StatefulSet"):
        assert schemas.named(compile_(changed(kind=kind)), kind, "shop")["spec"]["replicas"] == 0


def test_only_several_replicas_have_a_disruption_budget() -> None:
    assert ("PodDisruptionBudget", "shop") in kinds(compile_())
    assert ("PodDisruptionBudget", "shop") not in kinds(compile_(changed(replicas=1)))


def test_state_is_kept_when_it_leaves_the_repository() -> None:
    [claim] = [obj for obj in schemas.objects(compile_(state=(DATA,))) if obj["kind"] == "PersistentVolumeClaim"]
    assert claim["metadata"]["name"] == "shop-data"
    assert claim["metadata"]["annotations"] == {
        "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
    }
    assert claim["spec"]["resources"]["requests"]["storage"] == "20Gi"


def test_deployment_with_exclusive_state_is_recreated_rather_than_rolled() -> None:
    shared = msgspec.structs.replace(DATA, access_mode="ReadWriteMany")
    for state, strategy in ((DATA, "Recreate"), (shared, "RollingUpdate")):
        workload = schemas.named(compile_(changed(replicas=1), state=(state,)), "Deployment", "shop")
        assert workload["spec"]["strategy"]["type"] == strategy


def test_each_replica_of_a_stateful_set_finds_a_claim_from_git() -> None:
    items = compile_(changed(kind="StatefulSet"), state=(DATA,))
    workload = schemas.named(items, "StatefulSet", "shop")
    claims = [name for kind, name in kinds(items) if kind == "PersistentVolumeClaim"]
    assert claims == ["data-shop-0", "data-shop-1"]
    assert [each["metadata"]["name"] for each in workload["spec"]["volumeClaimTemplates"]] == ["data"]
    assert "data" not in [volume["name"] for volume in pod(items, "StatefulSet")["volumes"]]


def test_replicas_of_a_stateful_set_share_state_they_can_all_write() -> None:
    shared = msgspec.structs.replace(DATA, access_mode="ReadWriteMany")
    items = compile_(changed(kind="StatefulSet"), state=(shared,))
    assert "volumeClaimTemplates" not in schemas.named(items, "StatefulSet", "shop")["spec"]
    volume = next(each for each in pod(items, "StatefulSet")["volumes"] if each["name"] == "data")
    assert volume["persistentVolumeClaim"] == {"claimName": "shop-data"}


def test_stateful_set_has_its_headless_service_even_without_ports() -> None:
    items = compile_(changed(kind="StatefulSet", ports=()))
    workload = schemas.named(items, "StatefulSet", "shop")
    service = schemas.named(items, "Service", workload["spec"]["serviceName"])
    assert service["spec"]["clusterIP"] == "None"
    assert ("Service", "shop") not in kinds(items)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_mount_has_its_volume(variant: str) -> None:
    application, machine = VARIANTS[variant]
    items = compile_(application, **machine)
    workload = schemas.named(items, application.kind, "shop")["spec"]
    spec, claims = workload["template"]["spec"], workload.get("volumeClaimTemplates", ())
    volumes = {volume["name"] for volume in spec.get("volumes", ())} | {each["metadata"]["name"] for each in claims}
    [container] = spec["containers"]
    assert {mount["name"] for mount in container.get("volumeMounts", ())} == volumes


def test_pod_keeps_to_the_restricted_standard() -> None:
    spec = pod(compile_())
    [container] = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert spec["automountServiceAccountToken"] is False


def test_openshift_chooses_the_user_id_itself() -> None:
    context = pod(compile_(cluster=Cluster(name="ocp", distribution="openshift")))["securityContext"]
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & context.keys()


def test_environment_keeps_its_order_and_refers_to_secrets() -> None:
    [container] = pod(compile_())["containers"]
    assert container["env"] == [
        {"name": "MODE", "value": "prod"},
        {"name": "EMPTY"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}},
        {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "shop-levels", "key": "level"}}},
    ]
    assert container["envFrom"] == [{"secretRef": {"name": "shop-env"}}]


def test_a_changed_config_file_rolls_the_pods() -> None:
    digests = {
        schemas.named(compile_(changed(config=config)), "Deployment", "shop")["spec"]["template"]["metadata"][
            "annotations"
        ][rebuild.CONFIG_DIGEST]
        for config in ({"a": "1"}, {"a": "2"}, {"b": "1"})
    }
    assert len(digests) == 3


def test_quantities_are_written_as_the_api_server_prints_them() -> None:
    [container] = pod(compile_())["containers"]
    assert container["resources"] == {
        "requests": {"cpu": "500m", "memory": "1Gi"},
        "limits": {"memory": "1Gi"},
    }
    [container] = pod(compile_(changed(resources=Resources(cpu="2000m"))))["containers"]
    assert container["resources"]["requests"]["cpu"] == "2"


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("shop", "Always"),
        ("registry:5000/shop", "Always"),
        ("registry:5000/shop:latest", "Always"),
        ("registry:5000/shop:1.4", "IfNotPresent"),
        ("shop:latest@sha256:" + "0" * 64, "IfNotPresent"),
    ],
)
def test_image_is_always_pulled_only_if_its_name_can_change_meaning(image: str, policy: str) -> None:
    [container] = pod(compile_(changed(image=image)))["containers"]
    assert container["imagePullPolicy"] == policy


def test_probes_say_every_field() -> None:
    [container] = pod(compile_())["containers"]
    assert container["readinessProbe"] == {
        "httpGet": {"path": "/ready", "port": 8080, "scheme": "HTTP"},
        "periodSeconds": 10,
        "timeoutSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert container["livenessProbe"]["tcpSocket"] == {"port": 8080}
    assert container["livenessProbe"]["periodSeconds"] == 60


def test_only_allowed_namespaces_may_connect_and_only_to_the_ports() -> None:
    policy = schemas.named(compile_(), "NetworkPolicy", "shop")
    [rule] = policy["spec"]["ingress"]
    names = [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in rule["from"]]
    assert names == ["ops", "web"]
    assert [port["port"] for port in rule["ports"]] == [8080, 8081]


def test_nobody_may_connect_when_the_list_is_empty_and_everybody_without_one() -> None:
    assert "ingress" not in schemas.named(compile_(changed(allow_from=())), "NetworkPolicy", "shop")["spec"]
    assert ("NetworkPolicy", "shop") not in kinds(compile_(changed(allow_from=None)))


def test_own_priority_class_wins_over_that_of_the_phase() -> None:
    workload = schemas.named(compile_(), "Deployment", "shop")
    assert workload["metadata"]["labels"]["vmferry.dev/priority"] == "phase"
    items = compile_(priority_class="gold")
    assert "vmferry.dev/priority" not in schemas.named(items, "Deployment", "shop")["metadata"]["labels"]
    assert pod(items)["priorityClassName"] == "gold"


def test_service_and_workload_select_the_same_pods() -> None:
    items = compile_()
    workload = schemas.named(items, "Deployment", "shop")["spec"]
    selector = workload["selector"]["matchLabels"]
    assert selector.items() <= workload["template"]["metadata"]["labels"].items()
    assert schemas.named(items, "Service", "shop")["spec"]["selector"] == selector
    assert schemas.named(items, "PodDisruptionBudget", "shop")["spec"]["selector"]["matchLabels"] == selector


@pytest.mark.parametrize(
    ("application", "path", "scratch"),
    [
        (Application(image="a:1"), None, True),
        (Application(image="a:1"), "/tmp/", False),
        (Application(image="a:1", config={"a": "b"}, config_path="/tmp"), None, False),
        (Application(image="a:1", config_path="/tmp"), None, True),  # without a file nothing is mounted there
        (Application(image="a:1", read_only_root=False), None, False),
    ],
)
def test_the_container_can_write_to_tmp_unless_something_is_mounted_there(
    application: Application, path: str | None, *, scratch: bool
) -> None:
    state = (msgspec.structs.replace(DATA, mount_path=path),) if path else ()
    [deployment] = [obj for obj in schemas.objects(compile_(application, state=state)) if obj["kind"] == "Deployment"]
    mounts = deployment["spec"]["template"]["spec"]["containers"][0].get("volumeMounts", [])
    assert len({mount["mountPath"].rstrip("/") for mount in mounts}) == len(mounts)
    assert ("vmferry-tmp" in {mount["name"] for mount in mounts}) == scratch
