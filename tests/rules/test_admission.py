"""What admission would refuse, beyond the rule's own example."""

import pytest
from tests.resolve.projects import Data, vm
from tests.rules.ruling import app, only, ruled, silent

PORT = {"name": "http", "port": 80}
HTTPS = {"name": "https", "port": 443}
SAME_PORT = {"name": "also-http", "port": 80, "targetPort": 8080}
VARIABLE = {"name": "MODE", "value": "fast"}
STATE = {"name": "data", "mountPath": "/data", "size": "1Gi", "tier": "gold"}
LOGS = {"name": "logs", "mountPath": "/logs", "size": "1Gi", "tier": "gold"}
SRIOV = [{"source": {"portGroup": "vlan-7", "vlan": 7}, "target": {"type": "sriov", "resourceName": "intel.com/vf"}}]
NIC = {"network": "vlan-7", "mac": "00:50:56:00:00:01"}


def files(*sizes: int) -> Data:
    return {f"file-{number}": "x" * size for number, size in enumerate(sizes)}


def disks(count: int) -> list[Data]:
    return [{"size": "1Gi", "datastore": "ds1"}] * count


def readdressed(count: int) -> Data:
    addresses = [f"10.0.{number}.11/24" for number in range(count)]
    return vm("a", staticIP="cloud-init", readdress={"vlan-7": {"addresses": addresses, "gateway": "10.0.0.1"}})


@pytest.mark.parametrize(
    ("fires", "near_miss", "says"),
    [
        (app("app", replicas=2, state=[STATE]), app("app", state=[STATE]), "2 replicas cannot mount volume data"),
        (
            app("app", replicas=2, state=[STATE]),
            app("app", replicas=2, state=[STATE], kind="StatefulSet"),
            "2 replicas cannot mount volume data",
        ),
        (app("app", config=files(700_000, 348_577)), app("app", config=files(700_000, 348_576)), "1048577 bytes"),
        (app("app", config={"a": "ä" * 524_289}), app("app", config={"a": "a" * 524_289}), "1048578 bytes"),
        (app("a" * 53, kind="StatefulSet"), app("a" * 52, kind="StatefulSet"), "longer than 52"),
        (app("a" * 53, kind="StatefulSet"), app("a" * 53), "longer than 52"),
        (
            app("app", ports=[PORT, {**HTTPS, "name": "http"}]),
            app("app", ports=[PORT, HTTPS]),
            "two ports have the same name",
        ),
        (app("app", ports=[PORT, SAME_PORT]), app("app", ports=[PORT, {**SAME_PORT, "protocol": "UDP"}]), "80/TCP"),
        (app("app", state=[STATE, {**LOGS, "name": "data"}]), app("app", state=[STATE, LOGS]), "the same name, data"),
        (app("app", state=[STATE, {**LOGS, "mountPath": "/data/"}]), app("app", state=[STATE, LOGS]), "at /data"),
        (
            app("app", config={"a": "x"}, state=[{**STATE, "mountPath": "/etc/config"}]),
            app("app", state=[{**STATE, "mountPath": "/etc/config"}]),
            "two volumes are mounted at /etc/config",
        ),
        (app("app", state=[{**STATE, "name": "vmferry-tmp"}]), app("app", state=[STATE]), "vmferry-tmp is reserved"),
        (app("app", env=[VARIABLE, VARIABLE]), app("app", env=[VARIABLE]), "variable MODE is defined twice"),
        (readdressed(150), readdressed(10), "bytes, KubeVirt accepts at most 2048"),
        (vm("a", memory="512"), vm("a", memory="512Mi"), "memory is 512 bytes"),
        (
            vm("a", disks=[{"size": "40", "datastore": "ds1"}]),
            vm("a", disks=[{"size": "40Mi", "datastore": "ds1"}]),
            "disk-0 has 40 bytes",
        ),
        (
            vm("a", tolerations=[{"key": "gpu", "value": "yes"}]),
            vm("a", tolerations=[{"key": "gpu", "value": "yes", "operator": "Equal"}]),
            "toleration of gpu has a value",
        ),
        (
            vm("a", labels={"kubevirt.io/nodeName": "node-1"}),
            vm("a", labels={"example.com/nodeName": "node-1"}),
            "label kubevirt.io/nodeName is reserved for KubeVirt",
        ),
    ],
)
def test_what_admission_refuses_is_found_and_its_near_miss_is_not(fires: Data, near_miss: Data, says: str) -> None:
    assert says in only("VMF505", fires).message
    assert silent("VMF505", near_miss)


def test_a_vm_has_as_many_disks_as_kubevirt_takes() -> None:
    assert "257 disks, KubeVirt supports 256" in only("VMF505", vm("a", disks=disks(257))).message


def test_a_nic_on_sr_iov_has_no_link_to_take_away() -> None:
    off, on = ({**NIC, "connected": connected} for connected in (False, True))
    assert "SR-IOV does not support a link state" in only("VMF505", vm("a", nics=[off]), networks=SRIOV).message
    assert silent("VMF505", vm("a", nics=[on]), networks=SRIOV)


def on_kubernetes(version: str) -> Data:
    return {
        "cluster": {"name": "prod-a", "versions": {"kubernetes": version}},
        "gitops": {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"},
    }


def test_a_service_begins_with_a_letter_before_kubernetes_1_36() -> None:
    digit = app("1-app", ports=[PORT])
    finding = only("VMF505", digit, target=on_kubernetes("1.35"))
    assert "Service 1-app would not start with a letter, as Kubernetes 1.35 requires" in finding.message
    assert silent("VMF505", digit, target=on_kubernetes("1.36"))
    for near_miss in (app("app-1", ports=[PORT]), app("1-app")):
        assert silent("VMF505", near_miss, target=on_kubernetes("1.35"))


def test_the_finding_is_at_the_field_that_is_wrong() -> None:
    where = only("VMF505", app("app", ports=[PORT, SAME_PORT])).where
    assert where is not None
    assert where.path == ("vms", 0, "application")


@pytest.mark.parametrize("ports", [[PORT, SAME_PORT], [PORT, {**HTTPS, "name": "http"}]])
def test_a_vm_has_a_service_on_the_pod_network_only(ports: list[Data]) -> None:
    pod = [{"source": {"portGroup": "vlan-7", "vlan": 7}, "target": {"type": "pod"}}]
    assert "defined twice" in only("VMF505", vm("a", ports=[PORT, SAME_PORT]), networks=pod).message
    old = on_kubernetes("1.34")
    assert "start with a letter" in only("VMF505", vm("1", ports=[PORT]), networks=pod, target=old).message
    assert silent("VMF505", vm("1", ports=ports), target=old)


@pytest.mark.parametrize(
    ("key", "value", "near_miss"),
    [
        ("pod-security.kubernetes.io/enforce", "strict", "restricted"),
        ("pod-security.kubernetes.io/warn", "", "baseline"),
        ("pod-security.kubernetes.io/audit-version", "1.32", "v1.32"),
        ("pod-security.kubernetes.io/enforce-version", "newest", "latest"),
        ("kubernetes.io/metadata.name", "other", "web"),
    ],
)
def test_a_namespace_has_no_label_that_the_server_reads_otherwise(key: str, value: str, near_miss: str) -> None:
    [finding] = [
        each for each in ruled(vm("a"), namespaces=[{"name": "web", "labels": {key: value}}]) if each.code == "VMF505"
    ]
    assert finding.where is not None
    assert finding.where.path == ("namespaces", 0, "labels", key)
    assert key in finding.message
    assert silent("VMF505", vm("a"), namespaces=[{"name": "web", "labels": {key: near_miss}}])
    assert silent(
        "VMF505", vm("a"), namespaces=[{"name": "web", "labels": {key.replace("kubernetes.io", "k8s.io"): value}}]
    )
