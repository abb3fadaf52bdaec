"""The pre-flight: its script against real servers on loopback, and its manifests."""

import http.server
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from tests.backends import schemas
from tests.backends.estate import blueprint

from vmferry.backends import preflight
from vmferry.backends.trials import FAILED
from vmferry.estate.preflight import job_name
from vmferry.model.blueprint import (
    Blueprint,
    PreflightClaim,
    PreflightNetwork,
    PreflightPlan,
    PreflightTest,
    PreflightVCenter,
)
from vmferry.model.keys import Reference
from vmferry.model.manifest import Resource

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


class Dated(http.server.BaseHTTPRequestHandler):
    """Answers with the Date of a clock that is `late` by some seconds."""

    late = 0

    def do_GET(self) -> None:
        self.send_response_only(200)
        self.send_header("date", self.date_time_string(self.timestamp()))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def timestamp(self) -> float:
        return time.time() - self.late

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class VCenter:
    """A server on loopback with a certificate of its own."""

    def __init__(self, folder: Path) -> None:
        key, certificate = folder / "key.pem", folder / "cert.pem"
        subject = ("-subj", "/CN=vc1.example.com", "-days", "1")
        command = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate)
        subprocess.run([*command, *subject], check=True, capture_output=True)
        shown = ("openssl", "x509", "-noout", "-fingerprint", "-sha1", "-in", certificate)
        told = subprocess.run(shown, check=True, capture_output=True, text=True).stdout
        self.thumbprint = told.strip().partition("=")[2]
        self.handler = type("Handler", (Dated,), {})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def vcenter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VCenter]:
    found = VCenter(tmp_path_factory.mktemp("vcenter"))
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture(autouse=True)
def in_sync(vcenter: VCenter) -> None:
    vcenter.handler.late = 0


def plan(*tests: PreflightTest, **fields: Any) -> PreflightPlan:
    settings = {"namespace": "preflight", "image": "registry.example.com/check:1", "max_clock_skew": 30}
    return PreflightPlan(tests=tests, **settings | fields)


def source(vcenter: PreflightVCenter, **fields: Any) -> PreflightTest:
    return PreflightTest(**{"name": "source-vc1-workers", "source": "vc1", "vcenter": vcenter} | fields)


def run(test: PreflightTest, tmp_path: Path, **environment: str) -> tuple[int, list[str], str]:
    """Return exit code, lines and message of the script of a test."""
    message = tmp_path / "message"
    message.write_text("")
    (tmp_path / "library.sh").write_text(preflight.library())
    text = preflight.script(plan(test), test).replace("/etc/vmferry/preflight", str(tmp_path))
    text = text.replace("/etc/vmferry/vddk", str(tmp_path / "vddk"))
    done = subprocess.run(
        ["bash", "-c", text],
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "PATIENCE": "0",
            "LIMIT": "3",
            "MESSAGE": str(message),
            "NODE_NAME": "worker-1",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines(), message.read_text()


def reached(vcenter: VCenter, **fields: Any) -> PreflightTest:
    found = PreflightVCenter(host="127.0.0.1", port=vcenter.port, thumbprint=vcenter.thumbprint)
    return source(structs.replace(found, **fields))


def test_a_vcenter_with_its_port_certificate_and_clock_passes(vcenter: VCenter, tmp_path: Path) -> None:
    code, lines, message = run(reached(vcenter), tmp_path)
    assert (code, message) == (0, "")
    assert lines == [
        "node worker-1",
        f"127.0.0.1: port-{vcenter.port} passed",
        "127.0.0.1: thumbprint passed",
        "127.0.0.1: clock passed",
        "all passed",
    ]


def test_another_certificate_fails_and_the_message_names_both(vcenter: VCenter, tmp_path: Path) -> None:
    code, _, message = run(reached(vcenter, thumbprint=":".join(["00"] * 20)), tmp_path)
    assert code == FAILED
    assert message == (
        f"127.0.0.1 thumbprint the certificate has thumbprint {vcenter.thumbprint}, not {':'.join(['00'] * 20)}\n"
    )


@pytest.mark.parametrize(("late", "words"), [(90, "ahead"), (-90, "behind")])
def test_a_clock_that_is_off_fails_with_how_far(vcenter: VCenter, tmp_path: Path, late: int, words: str) -> None:
    vcenter.handler.late = late
    code, _, message = run(reached(vcenter), tmp_path)
    assert code == FAILED
    assert message.startswith("127.0.0.1 clock the node's clock is ")
    assert message.endswith(f" s {words}; 30 s are allowed\n")
    assert 85 <= int(message.split(" is ")[1].split()[0]) <= 95


def test_a_clock_within_the_margin_passes(vcenter: VCenter, tmp_path: Path) -> None:
    vcenter.handler.late = 20
    assert run(reached(vcenter), tmp_path)[0] == 0


def test_a_response_without_a_date_is_no_clock(vcenter: VCenter, tmp_path: Path, closed: int) -> None:
    code, _, message = run(reached(vcenter, port=closed, thumbprint=None), tmp_path)
    assert code == FAILED
    assert message.splitlines() == [
        f"127.0.0.1 port-{closed} port {closed}: Connection refused",
        "127.0.0.1 clock no response with a Date",
    ]


def test_what_is_no_tls_server_shows_no_certificate(vcenter: VCenter, tmp_path: Path) -> None:
    with socket.socket() as plain:
        plain.bind(("127.0.0.1", 0))
        plain.listen()
        number = plain.getsockname()[1]
        found = run(reached(vcenter, port=number), tmp_path, LIMIT="1")
    assert f"127.0.0.1 thumbprint port {number} shows no certificate" in found[2].splitlines()


def test_every_esxi_host_is_tried_on_both_ports_and_by_its_name(vcenter: VCenter, tmp_path: Path) -> None:
    hostile = "esx $(touch /tmp/vmferry-was-here) 'a"
    code, _, message = run(reached(vcenter, esxi=("127.0.0.1", "esx1.nowhere.invalid", hostile)), tmp_path)
    assert code == FAILED
    lines = message.splitlines()
    assert [line for line in lines if line.startswith("127.0.0.1")] == [
        "127.0.0.1 port-443 port 443: Connection refused",
        "127.0.0.1 port-902 port 902: Connection refused",
    ]
    unknown = [line for line in lines if line.startswith("esx1.nowhere.invalid port-")]
    assert len(unknown) == 2
    assert all("not known" in line or "resolution" in line for line in unknown)
    assert not Path("/tmp/vmferry-was-here").exists()


def test_the_vddk_library_has_to_be_in_its_image(vcenter: VCenter, tmp_path: Path) -> None:
    test = reached(vcenter, vddk_image="registry.example.com/vddk:8")
    code, _, message = run(test, tmp_path)
    assert code == FAILED
    assert message.startswith("VDDK library its image was not pulled")
    library = tmp_path / "vddk/vmware-vix-disklib-distrib/lib64/libvixDiskLib.so.8.0.3"
    library.parent.mkdir(parents=True)
    library.touch()
    assert run(test, tmp_path)[0] == 0


def test_an_image_without_openssl_is_named(vcenter: VCenter, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "timeout", "mktemp", "rm", "tr", "date", "cat", "sleep", "curl"):
        (tools / name).symlink_to(shutil.which(name) or name)
    found = run(reached(vcenter), tmp_path, PATH=str(tools))
    assert found[2] == "127.0.0.1 thumbprint the image has no openssl\n"


def test_pods_that_were_attached_and_have_their_volume_pass(tmp_path: Path) -> None:
    network = PreflightNetwork(name="web", nad=Reference("preflight/web"))
    assert run(PreflightTest(name="networks-workers", networks=(network,)), tmp_path)[1][1] == "web: attached passed"
    code, _, message = run(PreflightTest(name="storage-ceph", claim=PreflightClaim(storage_class="ceph")), tmp_path)
    assert (code, message) == (FAILED, "ceph mounted not mounted at /volume\n")


# --- manifests -------------------------------------------------------------------------------


def emitted(found: PreflightPlan, **fields: Any) -> dict[str, list[dict[str, Any]]]:
    """Return the objects by kind, all of them valid."""
    whole: Blueprint = structs.replace(blueprint(), preflight=found, **fields)
    result: dict[str, list[dict[str, Any]]] = {}
    for item in preflight.emit(whole):
        assert isinstance(item, Resource)
        assert item.directory == preflight.ROOT
        schemas.assert_fits(item.object)
        result.setdefault(item.object["kind"], []).append(item.object)
    return result


REACHED = source(PreflightVCenter(host="vc1.example.com", port=443, vddk_image="registry.example.com/vddk:8"), nodes=3)


def test_without_a_preflight_nothing_is_emitted() -> None:
    assert list(preflight.emit(blueprint())) == []


def test_each_pod_of_a_test_is_on_a_node_of_its_own() -> None:
    [job] = emitted(plan(structs.replace(REACHED, node_selector={"pool": "a"})))["Job"]
    pod = job["spec"]["template"]["spec"]
    assert (job["spec"]["completions"], job["spec"]["parallelism"]) == (3, 3)
    [term] = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert term["labelSelector"]["matchLabels"].items() <= job["spec"]["template"]["metadata"]["labels"].items()
    assert pod["nodeSelector"] == {"pool": "a"}


def test_the_vddk_image_runs_beside_the_test_as_forklift_runs_it() -> None:
    [job] = emitted(plan(REACHED))["Job"]
    test, vddk = job["spec"]["template"]["spec"]["containers"]
    assert (vddk["image"], vddk["volumeMounts"]) == (
        "registry.example.com/vddk:8",
        [{"mountPath": "/opt", "name": "vddk"}],
    )
    assert "command" not in vddk
    assert {"mountPath": "/etc/vmferry/vddk", "name": "vddk", "readOnly": True} in test["volumeMounts"]


def test_pods_have_no_token_and_are_restricted() -> None:
    [job] = emitted(plan(REACHED))["Job"]
    pod = job["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}


def test_networks_are_attached_with_the_resources_that_they_need() -> None:
    feed = "openshift.io/feed"
    networks = (
        PreflightNetwork(name="a", nad=Reference("preflight/a"), resource=feed),
        PreflightNetwork(name="b", nad=Reference("preflight/b"), resource=feed),
        PreflightNetwork(name="web", nad=Reference("default/web")),
    )
    [job] = emitted(plan(PreflightTest(name="networks-a", networks=networks)))["Job"]
    template = job["spec"]["template"]
    assert template["metadata"]["annotations"] == {preflight.NETWORKS: "preflight/a,preflight/b,default/web"}
    resources = template["spec"]["containers"][0]["resources"]
    assert (resources["limits"][feed], resources["requests"][feed]) == ("2", "2")


def test_pods_on_two_nodes_share_one_claim_and_it_may_be_pruned() -> None:
    shared = PreflightClaim(storage_class="ceph-block", access_mode="ReadWriteMany", volume_mode="Block")
    found = emitted(plan(PreflightTest(name="storage-ceph-block", nodes=2, claim=shared)))
    [claim], [job] = found["PersistentVolumeClaim"], found["Job"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert "prune" not in str(claim["metadata"]["annotations"])
    pod = job["spec"]["template"]["spec"]
    assert pod["volumes"][-1]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert pod["containers"][0]["volumeDevices"] == [{"devicePath": "/volume", "name": "volume"}]


def test_a_claim_of_the_default_class_goes_with_its_pod() -> None:
    found = emitted(plan(PreflightTest(name="storage-default", claim=PreflightClaim())))
    assert "PersistentVolumeClaim" not in found
    spec = found["Job"][0]["spec"]["template"]["spec"]["volumes"][-1]["ephemeral"]["volumeClaimTemplate"]["spec"]
    assert "storageClassName" not in spec


def test_a_job_that_changes_gets_another_name_and_the_old_one_is_pruned() -> None:
    [job] = emitted(plan(REACHED))["Job"]
    assert "kustomize.toolkit.fluxcd.io/prune" not in job["metadata"]["annotations"]
    other = plan(REACHED, image="registry.example.com/check:2")
    assert job_name("first", other, REACHED) != job_name("first", plan(REACHED), REACHED)
