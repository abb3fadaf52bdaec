"""The Job that checks VMs: its script against real servers on loopback, its manifests, and probes."""

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from tests.backends import schemas
from tests.backends.estate import blueprint, group, machine

from vmferry.backends import checks, namespaces
from vmferry.backends.trials import FAILED
from vmferry.estate.checks import job_name, jobs
from vmferry.kube.nad import check_config
from vmferry.model.blueprint import CheckSegment, Group, MachineCheck, NamespacePlan, VmCutover
from vmferry.model.manifest import Resource
from vmferry.model.spec import BridgeNetwork, Check, HttpCheck, OvnLocalnet, Toleration

PAGE = b"<h1>it's fine: $(reboot) `id`</h1>\0"


class Pages(http.server.BaseHTTPRequestHandler):
    """`/health` is right for one host only, `/moved` redirects, everything else is missing."""

    def do_GET(self) -> None:
        found = self.path.startswith("/health") and self.headers["Host"].startswith(("127.", "shop.example.com"))
        self.send_response(200 if found else 302 if self.path == "/moved" else 404)
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def checked(*found: Check, address: str = "127.0.0.1", scripts: dict[str, str] | None = None, **fields: Any) -> Group:
    vm = machine("web-01")
    its = tuple(MachineCheck(check=check, address=address if check.connects else None) for check in found)
    return group(
        "first-01",
        fields.pop("method", "job"),
        vm,
        **{
            "stage": "cutover",
            "layers": ("checks",),
            "check_image": "registry.example.com/check:1",
            "checks": {vm.key: its},
        }
        | fields,
        check_scripts=scripts or {},
    )


def run(found: Group, tmp_path: Path, **environment: str) -> tuple[int, list[str], str]:
    """Return exit code, lines and message of the script of a group."""
    for name, text in found.check_scripts.items():
        file = tmp_path / f"script.{name}"
        file.write_text(text)
        file.chmod(0o555)
    message = tmp_path / "message"
    message.write_text("")
    settings = {"PATIENCE": "0", "LIMIT": "3", "SCRIPTS_DIR": str(tmp_path), "MESSAGE": str(message)}
    done = subprocess.run(
        ["bash", "-c", checks.script(found)],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **settings, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines(), message.read_text()


def test_a_port_that_answers_passes(port: int, tmp_path: Path) -> None:
    assert run(checked(Check(name="web", tcp=port)), tmp_path) == (0, ["web-01: web passed", "all passed"], "")


def test_a_closed_port_fails_and_the_others_still_count(port: int, closed: int, tmp_path: Path) -> None:
    code, lines, message = run(checked(Check(name="ssh", tcp=closed), Check(name="web", tcp=port)), tmp_path)
    assert code == FAILED
    why = f"port {closed}: Connection refused"
    assert lines == ["web-01: web passed", f"web-01: ssh FAILED: {why}", "1 of 2 failed"]
    assert message == f"web-01 ssh {why}\n"


def test_a_name_that_does_not_resolve_says_so(tmp_path: Path) -> None:
    code, _, message = run(checked(Check(name="ssh", tcp=22), address="web-01.nowhere.invalid"), tmp_path)
    assert code == FAILED
    assert "not known" in message or "resolution" in message


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ({"path": "/health"}, None),
        ({"path": "/health?deep=1&x=$(reboot)"}, None),
        ({"path": "/health", "host": "shop.example.com"}, None),
        ({"path": "/health", "host": "other.example.com"}, "status 404"),
        ({"path": "/missing"}, "status 404"),
        ({"path": "/missing", "status": (401, 404)}, None),
        ({"path": "/moved"}, None),
        ({"path": "/moved", "status": (200,)}, "status 302"),
        ({"path": "/health", "contains": "it's fine: $(reboot) `id`"}, None),
        ({"path": "/health", "contains": "it's"}, None),
        ({"path": "/health", "contains": ".*"}, "status 200, and the page does not contain the text"),
    ],
)
def test_a_page_is_checked_by_status_host_and_text(
    page: dict[str, Any], why: str | None, port: int, tmp_path: Path
) -> None:
    code, _, message = run(checked(Check(name="page", http=HttpCheck(port=port, **page))), tmp_path)
    assert (code, message) == ((0, "") if why is None else (FAILED, f"web-01 page {why}\n"))


def test_a_page_by_https_of_a_server_without_it_fails(port: int, tmp_path: Path) -> None:
    found = checked(Check(name="page", http=HttpCheck(port=port, scheme="https", insecure_skip_verify=True)))
    code, _, message = run(found, tmp_path)
    assert code == FAILED
    assert "curl" in message


def test_a_script_gets_vm_and_address_and_its_last_line_says_what_is_wrong(tmp_path: Path) -> None:
    good = '#!/bin/sh\n[ "$1 $2" = "web-01 127.0.0.1" ]\n'
    bad = "#!/bin/sh\necho looking\nprintf 'the standby is \\033[31m90 s\\033[0m behind\\n\\n'\nexit 7\n"
    own = [Check(name=name, script=f"{name}.sh") for name in ("good", "bad")]
    code, lines, message = run(checked(*own, scripts={"good": good, "bad": bad}), tmp_path)
    assert code == FAILED
    assert lines[0] == "web-01: good passed"
    assert message == "web-01 bad the standby is [31m90 s[0m behind\n"


def test_a_script_that_hangs_is_ended(tmp_path: Path) -> None:
    found = checked(Check(name="slow", script="slow.sh"), scripts={"slow": "#!/bin/sh\nexec sleep 60\n"})
    assert run(found, tmp_path, SCRIPT_LIMIT="1")[2] == "web-01 slow the script took longer than 1 s\n"


def test_a_vm_that_comes_up_late_passes_in_a_later_round(tmp_path: Path) -> None:
    late = f"#!/bin/sh\ncd {tmp_path}\n[ -e second ] && exit 0\n: >second\nexit 1\n"
    found = checked(Check(name="late", script="late.sh"), scripts={"late": late})
    assert run(found, tmp_path, PATIENCE="30", PAUSE="0")[:2] == (0, ["web-01: late passed", "all passed"])


def test_the_message_keeps_within_what_kubernetes_shows(tmp_path: Path) -> None:
    wordy = {f"check-{n}": f"#!/bin/sh\nprintf '%0500d' {n}\nexit 1\n" for n in range(40)}
    found = checked(*(Check(name=name, script=name) for name in wordy), scripts=wordy)
    code, lines, message = run(found, tmp_path)
    assert code == FAILED
    assert len(lines) == 41
    assert len(message) <= 4096
    listed = message.splitlines()
    assert len(listed) - 1 + int(listed[-1].removeprefix("+")) == 40


def test_ping_says_what_keeps_it_from_answering(tmp_path: Path) -> None:
    fake = tmp_path / "bin"
    fake.mkdir()
    ping = fake / "ping"
    path = f"{fake}:/usr/bin:/bin"
    found = checked(Check(name="alive", ping=True))
    for text, why in (
        ("exit 0", ""),
        ("echo 'ping: socket: Operation not permitted' >&2; exit 2", "this pod may not ping: its node needs"),
        ("echo '1 packets transmitted, 0 received'; exit 1", "no answer to ping"),
    ):
        ping.write_text(f"#!/bin/sh\n{text}\n")
        ping.chmod(0o755)
        message = run(found, tmp_path, PATH=path)[2]
        assert why in message
        assert bool(message) == bool(why)


def test_the_job_waits_for_the_cutover_of_a_warm_migration(tmp_path: Path) -> None:
    late = VmCutover(id="vm-1", time="2027-01-12T01:00:00+02:00")
    found = checked(
        Check(name="ssh", tcp=22),
        method="warm",
        cutover="2027-01-11T22:00:00Z",
        vm_cutover=(late,),
    )
    [_, job] = (item.object for item in checks.emit(blueprint(found)) if isinstance(item, Resource))
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert {"name": "START_AT", "value": "1799708400"} in container["env"]
    later = checked(Check(name="ssh", tcp=22), method="warm", cutover="2027-01-13T22:00:00Z")
    assert job_name(later) != job_name(found)


def test_a_changed_list_of_checks_is_another_job_and_another_attempt_too() -> None:
    ssh = Check(name="ssh", tcp=22)
    names = {
        job_name(checked(ssh)),
        job_name(checked(Check(name="ssh", tcp=2222))),
        job_name(checked(ssh, attempt=2)),
        job_name(checked(ssh, check_image="registry.example.com/check:2")),
        job_name(checked(Check(name="ssh", script="a"), scripts={"ssh": "exit 0"})),
        job_name(checked(Check(name="ssh", script="a"), scripts={"ssh": "exit 1"})),
    }
    assert len(names) == 6
    assert job_name(checked(ssh)) == job_name(checked(ssh, stage="adopted"))


BRIDGE = CheckSegment(
    network="front",
    address="10.0.7.250/24",
    target=BridgeNetwork(bridge="br-vm", vlan=7, mtu=9000),
    node_selector={"rack": "a", "kubevirt.io/schedulable": "true"},
    tolerations=(Toleration(key="vms"),),
)
LOCALNET = CheckSegment(
    network="back", address="10.0.8.250/24", target=OvnLocalnet(physical_network="phys"), nad="web/back"
)
ALIVE, SSH = Check(name="alive", ping=True), Check(name="ssh", tcp=22)


def from_networks(*segments: CheckSegment | None, **fields: Any) -> Group:
    """Return a group with a VM that is pinged from each of these networks, or from the pod network (None)."""
    vm = machine("web-01")
    its = tuple(MachineCheck(check=ALIVE, address="10.0.7.11", segment=segment) for segment in segments)
    return checked(**fields | {"checks": {vm.key: its}})


def emitted(found: Group) -> list[dict[str, Any]]:
    return [item.object for item in checks.emit(blueprint(found)) if isinstance(item, Resource)]


def test_each_network_has_a_job_of_its_own_and_what_there_is_without_one_stays_as_it_was() -> None:
    found = from_networks(BRIDGE, None, LOCALNET)
    made = emitted(found)
    for each in made:
        schemas.assert_fits(each)
    kinds = [each["kind"] for each in made]
    assert (kinds.count("Job"), kinds.count("ConfigMap"), kinds.count("NetworkAttachmentDefinition")) == (3, 3, 1)
    assert {each["metadata"]["name"] for each in made} == {*jobs(found)}
    alone = emitted(from_networks(None))
    assert [each for each in made if each["metadata"]["name"] == job_name(found)] == alone
    assert "annotations" not in alone[1]["spec"]["template"]["metadata"]


def test_a_pod_on_a_bridge_gets_its_address_from_a_definition_that_may_be_pruned() -> None:
    [_, definition, job] = emitted(from_networks(BRIDGE))
    config = json.loads(definition["spec"]["config"])
    assert check_config(definition["spec"]["config"]) == []
    assert (config["bridge"], config["vlan"], config["mtu"]) == ("br-vm", 7, 9000)
    assert config["ipam"] == {"type": "static", "addresses": [{"address": "10.0.7.250/24"}]}
    assert "disableContainerInterface" not in config  # the plugin refuses it with an ipam
    assert definition["metadata"].get("annotations", {}) == {}
    assert "vmferry.dev/group" not in definition["metadata"]["labels"]
    template = job["spec"]["template"]
    assert template["metadata"]["annotations"] == {
        "k8s.v1.cni.cncf.io/networks": f"web/{definition['metadata']['name']}"
    }
    assert template["spec"]["nodeSelector"] == {"kubevirt.io/schedulable": "true", "rack": "a"}
    assert template["spec"]["tolerations"] == [{"key": "vms", "operator": "Exists"}]


def test_ovn_is_asked_for_the_address_on_the_network_of_the_vms() -> None:
    [_, job] = emitted(from_networks(LOCALNET))
    annotation = job["spec"]["template"]["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"]
    assert json.loads(annotation) == [{"name": "back", "namespace": "web", "ips": ["10.0.8.250/24"]}]


def test_a_pod_asks_for_the_bridge_that_its_node_marks() -> None:
    marked = structs.replace(BRIDGE, resource="bridge.network.kubevirt.io/br-vm")
    [_, definition, job] = emitted(from_networks(marked))
    assert definition["metadata"]["annotations"] == {
        "k8s.v1.cni.cncf.io/resourceName": "bridge.network.kubevirt.io/br-vm"
    }
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["bridge.network.kubevirt.io/br-vm"] == "1"


def test_another_address_is_another_job_because_a_job_cannot_be_changed() -> None:
    other = structs.replace(BRIDGE, address="10.0.7.251/24")
    moved = structs.replace(BRIDGE, tolerations=())
    assert len({name for each in (BRIDGE, other, moved) for name in jobs(from_networks(each))}) == 3


def test_the_script_of_a_job_has_its_own_checks_alone() -> None:
    vm = machine("web-01")
    its = (
        MachineCheck(check=SSH, address="web-01.web.svc"),
        MachineCheck(check=ALIVE, address="10.0.7.11", segment=BRIDGE),
    )
    found = checked(checks={vm.key: its})
    assert ("check web-01 ssh" in checks.script(found), "check web-01 alive" in checks.script(found)) == (True, False)
    own = checks.script(found, BRIDGE)
    assert ("check web-01 ssh" in own, "check web-01 alive answer 10.0.7.11" in own) == (False, True)


def test_only_who_applies_such_definitions_may_prune_them() -> None:
    def verbs(found: Group) -> set[str]:
        plan = NamespacePlan(name="web")
        return {
            verb
            for item in namespaces.emit(blueprint(found, namespaces=(plan,)))
            if isinstance(item, Resource) and item.object["kind"] == "Role"
            for rule in item.object["rules"]
            if "network-attachment-definitions" in rule["resources"]
            for verb in rule["verbs"]
        }

    assert "delete" in verbs(from_networks(BRIDGE, stage="validated"))
    assert not verbs(from_networks(None, LOCALNET))


@pytest.mark.parametrize("method", ["job", "warm"])
def test_a_vm_on_the_pod_network_gets_a_service_for_it_ready_or_not(method: str) -> None:
    found = checked(Check(name="ssh", tcp=22), address="web-01-check.web.svc", method=method)
    objects = [item.object for item in checks.emit(blueprint(found)) if isinstance(item, Resource)]
    [service] = [each for each in objects if each["kind"] == "Service"]
    assert service["metadata"]["name"] == "web-01-check"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["selector"] == {"app" if method == "warm" else "vmferry.dev/vm": "web-01"}
    for each in objects:
        schemas.assert_fits(each)


def test_the_pod_has_no_rights_and_openshift_chooses_its_user() -> None:
    names = set()
    for user in (65534, None):
        whole = blueprint(checked(Check(name="ssh", tcp=22), check_user=user))
        [_, job] = (item.object for item in checks.emit(whole) if isinstance(item, Resource))
        names.add(job["metadata"]["name"])
        pod = job["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"].get("runAsUser") == user
        assert "ttlSecondsAfterFinished" not in job["spec"]
    assert len(names) == 2, "a Job cannot be changed"


@pytest.mark.parametrize(
    ("check", "handler"),
    [
        (Check(name="a", tcp=22), {"tcpSocket": {"port": 22}}),
        (
            Check(name="a", http=HttpCheck(port=443, scheme="https", host="shop.example.com")),
            {
                "httpGet": {
                    "path": "/",
                    "port": 443,
                    "scheme": "HTTPS",
                    "httpHeaders": [{"name": "Host", "value": "shop.example.com"}],
                }
            },
        ),
        (Check(name="a", guest_agent=True), {"guestAgentPing": {}}),
        (Check(name="a", service="nginx"), {"exec": {"command": ["systemctl", "is-active", "--quiet", "nginx"]}}),
    ],
)
def test_a_probe_has_one_handler(check: Check, handler: dict[str, Any]) -> None:
    found = checks.readiness(check, machine("web-01"))
    assert {name: found[name] for name in handler} == handler
    assert found.keys() - handler.keys() == {
        "initialDelaySeconds",
        "periodSeconds",
        "timeoutSeconds",
        "successThreshold",
        "failureThreshold",
    }


def test_a_service_of_windows_is_asked_for_by_powershell() -> None:
    found = checks.readiness(Check(name="a", service="MSSQL$PROD"), machine("sql-01", os="windows"))
    assert found["exec"]["command"][-1] == "if ((Get-Service -Name 'MSSQL$PROD').Status -ne 'Running') { exit 1 }"
