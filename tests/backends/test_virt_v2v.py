"""Tests of `vmferry.backends.virt_v2v`; the scripts run in a real Bash with tools that only take notes."""

import hashlib
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.backends import schemas
from tests.backends.blueprints import (
    BLANK,
    THUMBPRINT,
    UPLOAD,
    blueprint,
    disk,
    group,
    http,
    machine,
    nic,
    registry,
    vcenter,
)
from tests.backends.decided import changed

from vmferry.backends import cdi, virt_v2v
from vmferry.backends.metadata import VM_LABEL
from vmferry.model.blueprint import Blueprint, KeptNic, Machine, Placement
from vmferry.model.forklift import ConversionStorage
from vmferry.model.manifest import File, KubeObject, Resource
from vmferry.model.spec import Cluster, GitOps, Readdressing, Toleration, VCenter
from vmferry.resolve.conversions import conversion_now

HOSTILE = "db'; touch pwned; echo $(id) `id` \"\\ ${HOME} #\n-x"
USER = "ACME\\svc migrate@vsphere.local"
ENCODED_USER = "ACME%5Csvc%20migrate%40vsphere.local"
PASSWORD = "p'a\"s$s `w` ö"

TWO_DISKS = (disk("web-01"), disk("web-01", 1, volume_mode="Filesystem"))


def emitted(*machines: Machine, source: VCenter | None = None) -> list[KubeObject]:
    return schemas.objects(list(virt_v2v.emit(blueprint(group(*machines), source=source))))


def job(subject: Machine, source: VCenter | None = None) -> KubeObject:
    [found] = [obj for obj in emitted(subject, source=source) if obj["kind"] == "Job"]
    schemas.assert_fits(found)
    return found


def pod(subject: Machine, source: VCenter | None = None) -> dict[str, Any]:
    spec: dict[str, Any] = job(subject, source)["spec"]["template"]["spec"]
    return spec


def environment(subject: Machine, source: VCenter | None = None) -> dict[str, str]:
    """Return the environment as the kubelet sets it: `$$` is `$`."""
    return {entry["name"]: entry["value"].replace("$$", "$") for entry in pod(subject, source)["containers"][0]["env"]}


# --- manifests


def test_every_object_fits_its_schema() -> None:
    full = machine(
        "db-01",
        disks=TWO_DISKS,
        luks_secret="luks",
        transfer_network="web/transfer",
        placement=Placement(node_selector={"zone": "b"}, tolerations=(Toleration(key="gpu"),)),
    )
    objects = emitted(machine(), full)
    assert {obj["kind"] for obj in objects} == {"ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Job"}
    for obj in objects:
        schemas.assert_fits(obj)


def test_access_and_jobs_lie_in_their_layers() -> None:
    items = virt_v2v.emit(blueprint(group(machine())))
    places = {item.object["kind"]: item.directory for item in items if isinstance(item, Resource)}
    assert places["Role"] == "bases/stateful/stateful-01/access"
    assert places["Job"] == "bases/stateful/stateful-01/conversion"


def test_role_reaches_the_groups_claims_and_nothing_else() -> None:
    objects = emitted(machine(disks=TWO_DISKS), machine("web-02"))
    [role] = [obj for obj in objects if obj["kind"] == "Role"]
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["persistentvolumeclaims"],
            "resourceNames": ["web-01-disk-0", "web-01-disk-1", "web-02-disk-0"],
            "verbs": ["get", "patch"],
        }
    ]


def test_on_openshift_the_jobs_account_may_use_the_constraint_that_admits_its_pod() -> None:
    plan = blueprint(group(machine()))
    openshift = changed(plan, cluster=replace(plan.cluster, distribution="openshift"))
    objects = {obj["kind"]: obj for obj in schemas.objects(list(virt_v2v.emit(openshift)))}
    assert objects["Role"]["rules"][1:] == [
        {
            "apiGroups": ["security.openshift.io"],
            "resources": ["securitycontextconstraints"],
            "resourceNames": ["nonroot-v2"],
            "verbs": ["use"],
        }
    ]
    assert objects["RoleBinding"]["subjects"][0]["name"] == objects["ServiceAccount"]["metadata"]["name"]


def test_job_runs_as_the_account_its_group_binds_and_with_the_groups_script() -> None:
    objects = {obj["kind"]: obj for obj in emitted(machine())}
    spec = objects["Job"]["spec"]["template"]["spec"]
    name = objects["ServiceAccount"]["metadata"]["name"]
    assert spec["serviceAccountName"] == name
    assert objects["RoleBinding"]["roleRef"]["name"] == objects["Role"]["metadata"]["name"]
    assert objects["RoleBinding"]["subjects"][0]["name"] == name
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert volumes["script"]["configMap"]["name"] == objects["ConfigMap"]["metadata"]["name"]
    assert volumes["credentials"]["secret"]["secretName"] == "vc1-read"


def test_job_is_final_on_the_scripts_own_codes_and_never_made_again() -> None:
    spec = job(machine())["spec"]
    assert spec["podFailurePolicy"]["rules"][1]["onExitCodes"]["values"] == [42, 43, 44]
    assert "ttlSecondsAfterFinished" not in spec
    assert job(machine())["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/ssa"] == "IfNotPresent"


def test_exit_codes_of_manifest_and_script_agree() -> None:
    codes = {name: getattr(virt_v2v, name) for name in ("HOLDS_DATA", "NOT_SHUT_OFF", "TAKEN")}
    assert " ".join(f"{name}={code}" for name, code in codes.items()) in virt_v2v.script("convert", [])


def test_argo_cd_syncs_volumes_that_wait_for_a_conversion_together_with_it() -> None:
    plan = changed(blueprint(group(machine())), gitops=GitOps(engine="argocd", repo_url="https://git.acme.example/x"))
    waves: dict[str, set[str]] = {}
    for obj in schemas.objects([*cdi.emit(plan), *virt_v2v.emit(plan)]):
        wave = obj["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", "0")
        waves.setdefault(obj["kind"], set()).add(wave)
    assert waves["DataVolume"] == waves["Job"] == {"1"}
    assert waves["Role"] == waves["ConfigMap"] == {"0"}


def test_pod_is_unprivileged() -> None:
    spec = pod(machine())
    assert spec["securityContext"]["runAsNonRoot"] is True
    for container in spec["containers"] + spec["initContainers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }


RESTRICTED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
"""What Pod Security's restricted profile lets a pod mount (kubernetes.io/docs, Pod Security Standards)."""


@pytest.mark.parametrize("scratch", [None, ConversionStorage(storage_class="fast", size="20Gi")])
def test_pod_is_admitted_where_pod_security_is_restricted(scratch: ConversionStorage | None) -> None:
    cluster = Cluster(name="prod-a", conversion_scratch=scratch)
    began = conversion_now(cluster, vcenter(), "vc1-read", 1)
    spec = pod(machine(disks=TWO_DISKS, luks_secret="luks", conversion=began))
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] != 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {kind for volume in spec["volumes"] for kind in volume if kind != "name"} <= RESTRICTED_VOLUMES
    assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}


def test_service_of_the_vm_does_not_select_its_conversion() -> None:
    labels = job(machine())["spec"]["template"]["metadata"]["labels"]
    assert VM_LABEL not in labels
    assert labels["app.kubernetes.io/component"] == "conversion"


def test_every_mount_has_its_volume() -> None:
    spec = pod(machine(disks=TWO_DISKS, luks_secret="luks"))
    volumes = {volume["name"] for volume in spec["volumes"]}
    [container] = spec["containers"]
    mounted = {mount["name"] for mount in container["volumeMounts"] + container["volumeDevices"]}
    assert mounted == volumes
    assert container["volumeDevices"] == [{"devicePath": "/dev/block0", "name": "disk-0"}]
    assert {"mountPath": "/mnt/disks/disk1", "name": "disk-1"} in container["volumeMounts"]


def test_every_disk_is_converted_into_its_own_volume() -> None:
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod(machine(disks=TWO_DISKS))["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claims == {f"disk-{index}": each.claim for index, each in enumerate(TWO_DISKS)}


def test_a_pod_that_failed_is_replaced_by_the_job_and_not_restarted() -> None:
    assert pod(machine())["restartPolicy"] == "Never"


def test_without_vddk_there_is_no_init_container() -> None:
    source = vcenter(vddk_image=None)
    assert "initContainers" not in pod(machine(), source)
    assert "VDDK_LIBDIR" not in environment(machine(), source)


def test_a_job_that_has_begun_is_as_it_was_whatever_the_spec_says_by_now() -> None:
    began = machine(conversion=conversion_now(Cluster(name="prod-a", v2v_image="v2v:first"), vcenter(), "vc1-read", 1))
    now = vcenter(url="https://vc2.acme.example/sdk", thumbprint=":".join(["00"] * 20), vddk_image=None)
    assert pod(began, now) == pod(began)
    assert pod(began)["containers"][0]["image"] == "v2v:first"
    assert pod(machine(), now) != pod(machine())


def test_conversion_runs_where_the_vm_may_run() -> None:
    placement = Placement(node_selector={"zone": "b"}, tolerations=(Toleration(key="gpu"),))
    spec = pod(machine(placement=placement))
    assert spec["nodeSelector"] == {"kubevirt.io/schedulable": "true", "zone": "b"}
    assert spec["tolerations"] == [{"key": "gpu", "operator": "Exists"}]


GI = 1 << 30


def scratch(subject: Machine) -> tuple[Any, Any, Any]:
    """Return the volume for scratch files, and what the container asks of the node's disk, and gets at most."""
    spec = pod(subject)
    [volume] = [each for each in spec["volumes"] if each["name"] == "scratch"]
    resources = spec["containers"][0]["resources"]
    return volume, *(resources[each].get("ephemeral-storage") for each in ("requests", "limits"))


def began(cluster: Cluster, size: int = GI) -> Machine:
    disks = (disk("web-01", size=size), disk("web-01", 1))
    return machine(disks=disks, conversion=conversion_now(cluster, vcenter(), "vc1-read", 1))


def test_many_small_disks_have_no_limit_below_what_is_asked_for() -> None:
    many = tuple(disk("web-01", index, size=GI) for index in range(20))
    began = machine(disks=many, conversion=conversion_now(Cluster(name="prod-a"), vcenter(), "vc1-read", 1))
    _, request, limit = scratch(began)
    assert (request, limit) == ("22Gi", "23Gi")


def test_scratch_space_on_the_node_is_asked_for_and_bounded() -> None:
    small, large = scratch(began(Cluster(name="prod-a"))), scratch(began(Cluster(name="prod-a"), 200 * GI))
    assert small == ({"name": "scratch", "emptyDir": {"sizeLimit": "10Gi"}}, "4Gi", "11Gi")
    assert large == ({"name": "scratch", "emptyDir": {"sizeLimit": "200Gi"}}, "4Gi", "201Gi")


def test_scratch_space_may_be_a_volume_that_goes_with_the_pod() -> None:
    place = ConversionStorage(storage_class="fast", size="20Gi")
    volume, request, limit = scratch(began(Cluster(name="prod-a", conversion_scratch=place)))
    assert (request, limit) == (None, None)
    claim = volume["ephemeral"]["volumeClaimTemplate"]["spec"]
    assert (claim["storageClassName"], claim["resources"]["requests"]["storage"]) == ("fast", "20Gi")
    assert claim["volumeMode"] == "Filesystem"


def test_a_job_that_began_without_a_size_of_its_scratch_space_keeps_it() -> None:
    former = replace(conversion_now(Cluster(name="prod-a"), vcenter(), "vc1-read", 1), sized=False)
    assert scratch(machine(conversion=former)) == ({"name": "scratch", "emptyDir": {}}, None, None)


def test_job_takes_turns_at_the_places_of_its_vcenter() -> None:
    found = environment(placed(limit=4))
    assert (found["PLACES"], found["PLACES_AT"]) == ("4", f"infra/configmaps/{PLACES}")
    assert "PLACES" not in environment(machine())


def test_job_with_a_queue_waits_for_kueue_to_let_it_go() -> None:
    began = conversion_now(Cluster(name="prod-a", kueue_queue="conversions"), vcenter(), "vc1-read", 1, "infra/x")
    found = job(machine(conversion=began))
    assert found["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "conversions"
    assert found["spec"]["suspend"] is True
    assert "kueue.x-k8s.io/queue-name" not in found["spec"]["template"]["metadata"]["labels"]
    assert "PLACES" not in environment(machine(conversion=began))
    assert job(machine())["spec"]["suspend"] is False


def test_location_is_percent_encoded() -> None:
    found = environment(machine(datacenter="/Folder/DC 1/", cluster="Prod?#", host="esx%1"))
    assert found["SOURCE_LOCATION"] == "vc.acme.example/Folder/DC%201/Prod%3F%23/esx%251"


def test_host_without_a_cluster_follows_its_datacenter() -> None:
    assert environment(machine(cluster=None))["SOURCE_LOCATION"] == "vc.acme.example/DC%201/esx1.acme.example"


def test_esxi_endpoint_needs_no_path() -> None:
    source = vcenter(url="https://esx1:8443/sdk", sdk_endpoint="esxi", insecure_skip_verify=True)
    found = environment(machine(), source)
    assert (found["SOURCE_SCHEME"], found["SOURCE_LOCATION"]) == ("esx", "esx1:8443")
    assert found["SOURCE_INSECURE"] == "1"


def test_kubernetes_does_not_expand_a_vms_name() -> None:
    entries = pod(machine(name="$(CLAIMS) $$x"))["containers"][0]["env"]
    [value] = [entry["value"] for entry in entries if entry["name"] == "VM_NAME"]
    assert value == "$$(CLAIMS) $$$$x"


def test_new_addresses_of_windows_are_set_by_virt_v2v() -> None:
    new = Readdressing(addresses=("10.0.2.14/24",), gateway="10.0.2.1", nameservers=("10.0.0.53", "10.0.0.54"))
    nics = (nic(readdress=new),)
    found = environment(machine(os="windows", nics=nics))
    assert found["ADDRESSES"] == "00:50:56:9a:10:00:ip:10.0.2.14,10.0.2.1,24,10.0.0.53,10.0.0.54"
    assert "ADDRESSES" not in environment(machine(nics=nics))


def test_each_new_address_of_windows_has_the_gateway_of_its_family() -> None:
    new = Readdressing(addresses=("10.0.2.14/24", "2001:db8::5/64"), gateway=("10.0.2.1", "2001:db8::1"))
    found = environment(machine(os="windows", nics=(nic(readdress=new),)))["ADDRESSES"]
    assert ":ip:10.0.2.14,10.0.2.1,24" in found
    assert ":ip:2001:db8::5,2001:db8::1,64" in found


def addresses(**fields: Any) -> list[str]:
    return environment(machine(os="windows", nics=(nic(**fields),)))["ADDRESSES"].split()


def test_static_addresses_of_windows_are_set_again() -> None:
    kept = KeptNic(addresses=("10.0.2.14/24",), gateways=("10.0.2.1",), nameservers=("10.0.0.53",))
    assert addresses(kept=kept) == ["00:50:56:9a:10:00:ip:10.0.2.14,10.0.2.1,24,10.0.0.53"]


def test_each_address_has_the_gateway_and_servers_of_its_family() -> None:
    kept = KeptNic(
        addresses=("10.0.2.14/24", "2001:db8::14/64"),
        gateways=("10.0.2.1", "fe80::1"),
        nameservers=("10.0.0.53", "2001:db8::53"),
    )
    assert addresses(kept=kept) == [
        "00:50:56:9a:10:00:ip:10.0.2.14,10.0.2.1,24,10.0.0.53",
        "00:50:56:9a:10:00:ip:2001:db8::14,fe80::1,64,2001:db8::53",
    ]


def test_an_ipv6_address_gets_no_ipv4_gateway() -> None:
    new = Readdressing(addresses=("2001:db8::14/64", "10.0.2.14/24"), gateway="10.0.2.1", nameservers=("10.0.0.53",))
    assert addresses(readdress=new) == [
        "00:50:56:9a:10:00:ip:2001:db8::14,,64",
        "00:50:56:9a:10:00:ip:10.0.2.14,10.0.2.1,24,10.0.0.53",
    ]


def test_only_the_first_address_of_a_nic_brings_the_gateway() -> None:
    kept = KeptNic(addresses=("10.0.2.14/24", "10.0.2.15/24"), gateways=("10.0.2.1",))
    assert addresses(kept=kept) == [
        "00:50:56:9a:10:00:ip:10.0.2.14,10.0.2.1,24",
        "00:50:56:9a:10:00:ip:10.0.2.15,,24",
    ]


def test_a_linux_job_knows_its_nics_by_mac_name_and_address() -> None:
    nics = (
        nic(kept=KeptNic(addresses=("10.0.2.14/24", "2001:db8::14/64"))),
        nic(1, kept=KeptNic(interface="ens224", seen=("10.0.9.9/24",))),
        nic(2, kept=KeptNic()),
        nic(3),
    )
    assert environment(machine(nics=nics))["INTERFACES"].split() == [
        "00:50:56:9a:10:00=10.0.2.14/24,2001:db8::14/64",
        "00:50:56:9a:10:01@ens224=10.0.9.9/24",
        "00:50:56:9a:10:02",
    ]
    assert "INTERFACES" not in environment(machine(os="windows", nics=nics))
    assert "INTERFACES" not in environment(machine())


def test_clones_are_not_converted() -> None:
    assert emitted(machine(clone_of="rhel9")) == []


def test_job_name_says_its_attempt() -> None:
    assert virt_v2v.job_name(machine(), 2) == "web-01-convert-2"


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True), st.integers(1, 10**6))
def test_job_name_always_fits(name: str, attempt: int) -> None:
    found = virt_v2v.job_name(machine(name), attempt)
    assert len(found) <= 63
    assert found.endswith(f"-convert-{attempt}")


def test_long_names_that_begin_alike_have_different_jobs() -> None:
    names = {virt_v2v.job_name(machine("a" * 60 + end), 1) for end in ("x", "y")}
    assert len(names) == 2


@pytest.mark.parametrize(("index", "name"), [(0, "sda"), (25, "sdz"), (26, "sdaa"), (51, "sdaz"), (702, "sdaaa")])
def test_disks_are_called_as_virt_v2v_calls_them(index: int, name: str) -> None:
    assert virt_v2v.device(index) == name


# --- the scripts, in Bash


class Run(NamedTuple):
    code: int
    output: str
    calls: list[list[str]]  # of the fake tools, each with its name first
    folder: Path

    def of(self, tool: str) -> list[list[str]]:
        return [call[1:] for call in self.calls if call[0] == tool]


NOTE = """\
#!/bin/bash
{ printf '%s\\0' "${0##*/}" "$@"; printf '\\n\\0'; } >>"$NOTES"
"""
FAKES = {
    "virsh": 'cat "$LIBVIRT_AUTH_FILE" >"$NOTES.auth"; printf "%s\\n\\n" "${STATE-shut off}"\n',
    "virt-v2v": """\
[[ $1 != --version ]] || { echo "virt-v2v ${V2V_VERSION-2.7.1rhel=9}"; exit; }
while [[ $1 != -- ]]; do
  case $1 in
    -os) os=$2 ;;
    -on) on=$2 ;;
    -ic) uri=$2 ;;
    -ip) cat -- "$2" >"$NOTES.password" ;;
  esac
  shift
done
echo "Setting up the source: -ic $uri"
if [[ -n ${RUNNING:-} ]]; then
  echo + >>"$RUNNING"
  read -rt 0.2 <> <(:)
  echo - >>"$RUNNING"
fi
if [[ -d $os ]]; then for letter in $LETTERS; do echo "disk $letter" >>"$os/$on-sd$letter" || exit 1; done; fi
exit "${V2V_CODE:-0}"
""",
    "curl": f"""\
cat -- "$(printf '%s\\n' "$@" | grep -m1 '^/dev/fd/')" >"$NOTES.token"
exec {shlex.quote(sys.executable)} api.py "$@"
""",
    "guestfish": """\
case $1:${3:-} in
  --listen:*) [[ -z ${GUEST_BROKEN:-} ]] && echo "GUESTFISH_PID=999999; export GUESTFISH_PID"; exit ;;
esac
shift 2
case $1 in
  is-dir) [[ -d $GUEST$2 ]] && echo true || echo false ;;
  is-file) [[ -f $GUEST$2 ]] && echo true || echo false ;;
  -tar-out) tar -C "$GUEST$2" -cf "$3" . ;;
  -mkdir-p) mkdir -p "$GUEST$2" ;;
  -upload) [[ -n ${GUEST_FULL:-} ]] || cp "$2" "$GUEST$3" ;;
  filesize) stat -c %s "$GUEST$2" ;;
  -lgetxattrs) printf '[0] = {\\n  attrname: security.selinux\\n  attrval: system_u:object_r:etc_t:s0\\\\x00\\n}\\n' ;;
esac
""",
    "timeout": 'shift; exec "$@"\n',
    "sleep": "sed -i s/Running/Succeeded/ volumes.json\n",
    "virtctl": 'echo "${VIRTCTL_SAYS:-}"; exit "${VIRTCTL_CODE:-0}"\n',
    "nbdkit": 'while [[ $1 != --run ]]; do shift; done; uri=nbd+unix:x exec bash -c "$2"\n',
    "qemu-img": 'echo "raw ${@: -2:1}" >"${@: -1}"; exit "${COPY_CODE:-0}"\n',
}
API = """\
import fcntl, json, os, sys
claim = sys.argv[-1].rpartition("/")[2]
store = os.environ.get("STORE", "volumes.json")
lock = open(store + ".lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
volumes = json.load(open(store))
volume = volumes.setdefault(claim, {"version": 7, "annotations": {}})
if claim == os.environ.get("MISSING"):
    sys.exit(22)
if claim == os.environ.get("LATE") and not os.path.exists("late"):
    open("late", "w")
    sys.exit(22)
if "PATCH" in sys.argv:
    data = sys.argv[sys.argv.index("--data") + 1]
    if os.environ.get("REFUSED", "nothing") in data:
        sys.exit(22)
    for key, value in json.loads(os.environ.get("RIVAL", "{}")).items():
        if key not in volume["annotations"]:
            volume["annotations"][key] = value
            volume["version"] += 1
    patch = json.loads(data)["metadata"]
    if patch.get("resourceVersion", str(volume["version"])) == str(volume["version"]):
        for field, new in (("annotations", patch.get("annotations", {})), ("data", json.loads(data).get("data", {}))):
            merged = volume.get(field, {}) | new
            volume[field] = {key: value for key, value in merged.items() if value is not None}
        volume["version"] += 1
        code = 0
    else:
        code = 22
    with open(store, "w") as file:
        json.dump(volumes, file)
    sys.exit(code)
indent = 2 if os.environ.get("PRETTY") else None
fields = {"f:vmferry.dev/converted": {}, "f:vmferry.dev/converting": {}}
metadata = {"resourceVersion": str(volume["version"]), "annotations": volume["annotations"], "managedFields": fields}
kind = os.environ.get("KIND", "PersistentVolumeClaim")
print(json.dumps({"kind": kind, "metadata": metadata, "data": volume.get("data", {})}, indent=indent))
"""
"""What curl talks to: the claims and places in volumes.json, with the API server's versions and merge patches."""

CONVERTED = "vmferry.dev/converted"
CONVERTING = "vmferry.dev/converting"
BEGUN = "vmferry.dev/begun"
IMPORT = "cdi.kubevirt.io/storage.import.source"
POD_PHASE = "cdi.kubevirt.io/storage.pod.phase"


def run(folder: Path, script: str, *arguments: str, **variables: str) -> Run:
    """Run ``script`` in ``folder`` with fake tools first on the PATH."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    for name, body in FAKES.items():
        (tools / name).write_text(NOTE + body)
        (tools / name).chmod(0o755)
    notes = folder / "notes"
    notes.write_bytes(b"")
    (folder / "script.sh").write_text(script)
    result = subprocess.run(
        ["bash", "script.sh", *arguments],
        cwd=folder,
        env={"PATH": f"{tools}:{os.environ['PATH']}", "NOTES": str(notes), "LETTERS": "a", "HOME": "/"} | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    calls = [call.split("\0")[:-1] for call in notes.read_text().split("\n\0")[:-1]]
    return Run(result.returncode, result.stdout + result.stderr, calls, folder)


def convert(
    folder: Path,
    subject: Machine,
    source: VCenter | None = None,
    annotations: dict[str, dict[str, str]] | None = None,
    **variables: str,
) -> Run:
    """Run the conversion script as the machine's Job would, on claims with these annotations."""
    volumes = {claim: {"version": 7, "annotations": each} for claim, each in (annotations or {}).items()}
    (folder / "volumes.json").write_text(json.dumps(volumes))
    (folder / "api.py").write_text(API)
    for name, files in {
        "account": {"token": "tok\n", "ca.crt": "ca"},
        "credentials": {"accessKeyId": USER, "secretKey": PASSWORD + "\n"},
        "private": {},
        "scratch": {},
    }.items():
        (folder / name).mkdir(exist_ok=True)
        for file, content in files.items():
            (folder / name / file).write_text(content)
    settings = environment(subject, source)
    settings["DISKS"] = settings["DISKS"].replace("=/", f"={folder}/volumes/")
    for pair in settings["DISKS"].split():
        Path(pair.partition("=")[2]).parent.mkdir(parents=True, exist_ok=True)
    directories = {
        "SERVICE_ACCOUNT_DIR": "account",
        "CREDENTIALS_DIR": "credentials",
        "LUKS_DIR": "luks",
        "PRIVATE_DIR": "private",
        "SCRATCH_DIR": "scratch",
    }
    places = {name: str(folder / path) for name, path in directories.items()}
    return run(folder, virt_v2v.script("convert", [subject]), **settings | places | variables)


def patched(result: Run) -> list[str]:
    return [call[-1].rpartition("/")[2] for call in result.of("curl") if "PATCH" in call]


def annotated(result: Run) -> dict[str, dict[str, str]]:
    """Return the annotations that the claims have after a run."""
    volumes = json.loads((result.folder / "volumes.json").read_text())
    return {claim: volume["annotations"] for claim, volume in volumes.items()}


def test_conversion_writes_every_volume_and_marks_it(tmp_path: Path) -> None:
    result = convert(tmp_path, machine(disks=TWO_DISKS), LETTERS="a b")
    assert result.code == 0, result.output
    assert (tmp_path / "volumes/dev/block0").read_text() == "disk a\n"
    assert (tmp_path / "volumes/mnt/disks/disk1/disk.img").read_text() == "disk b\n"
    assert annotated(result) == {claim: {BEGUN: "1", CONVERTED: "1"} for claim in BOTH}


NICS = (nic(kept=KeptNic(addresses=("10.0.2.14/24",))),)
RULES = "etc/udev/rules.d/70-vmferry-net.rules"


def guest(folder: Path) -> Path:
    """Return a guest's files, below which the guestfish of these tests works."""
    (folder / "guest/etc/network").mkdir(parents=True)
    (folder / "guest/etc/network/interfaces").write_text("iface ens192 inet static\n  address 10.0.2.14/24\n")
    return folder / "guest"


def test_a_converted_linux_guest_gets_the_names_of_its_nics_back(tmp_path: Path) -> None:
    (tmp_path / "luks").mkdir()
    (tmp_path / "luks" / "root").write_text("x")
    result = convert(tmp_path, machine(nics=NICS, disks=TWO_DISKS), LETTERS="a b", GUEST=str(guest(tmp_path)))
    assert result.code == 0, result.output
    assert 'ATTR{address}=="00:50:56:9a:10:00"' in (tmp_path / "guest" / RULES).read_text()
    assert 'NAME="ens192"' in (tmp_path / "guest" / RULES).read_text()
    assert result.of("guestfish")[0] == [
        *("--listen", "-i", "--format=raw", "-a", f"{tmp_path}/volumes/dev/block0"),
        *("--format=raw", "-a", f"{tmp_path}/volumes/mnt/disks/disk1/disk.img"),
        *("--key", f"all:file:{tmp_path}/luks/root"),
    ]
    label = "system_u:object_r:etc_t:s0"
    assert ["--remote", "--", "-setxattr", "security.selinux", label, str(len(label)), f"/{RULES}"] in result.of(
        "guestfish"
    )
    assert result.of("guestfish")[-1] == ["--remote", "--", "exit"]
    assert annotated(result)["web-01-disk-0"] == {BEGUN: "1", CONVERTED: "1"}
    assert not (tmp_path / "scratch" / "interfaces").exists()


def test_names_come_back_after_the_conversion_and_before_the_mark(tmp_path: Path) -> None:
    calls = convert(tmp_path, machine(nics=NICS), GUEST=str(guest(tmp_path))).calls
    order = [call[0] for call in calls if call[0] in ("virt-v2v", "guestfish") or CONVERTED in " ".join(call)]
    assert order[0] == "virt-v2v"
    assert set(order[1:-1]) == {"guestfish"}
    assert order[-1] == "curl"


@pytest.mark.parametrize("trouble", [{"GUEST_BROKEN": "1"}, {"GUEST_FULL": "1"}])
def test_a_guest_whose_names_cannot_be_given_is_converted_all_the_same(tmp_path: Path, trouble: dict[str, str]) -> None:
    result = convert(tmp_path, machine(nics=NICS), GUEST=str(guest(tmp_path)), **trouble)
    assert result.code == 0, result.output
    assert "WARNING: guest network: " in result.output
    assert annotated(result) == {"web-01-disk-0": {BEGUN: "1", CONVERTED: "1"}}


def test_a_guest_without_nics_to_name_is_not_opened_again(tmp_path: Path) -> None:
    assert convert(tmp_path, machine()).of("guestfish") == []


@pytest.mark.parametrize(
    ("version", "code"), [("2.2.0", 1), ("2.5.6rhel=9,release=1.el9", 1), ("2.5.7", 0), ("2.10.0", 0)]
)
def test_an_address_without_a_gateway_wants_a_virt_v2v_that_takes_it(tmp_path: Path, version: str, code: int) -> None:
    nics = (nic(kept=KeptNic(addresses=("10.0.2.14/24",))),)
    result = convert(tmp_path, machine(os="windows", nics=nics), V2V_VERSION=version)
    assert result.code == code, result.output
    assert ("takes virt-v2v 2.5.7 or later" in result.output) == bool(code)


def test_virt_v2v_gets_the_options_of_the_vm(tmp_path: Path) -> None:
    (tmp_path / "luks").mkdir()
    (tmp_path / "luks" / "root").write_text("x")
    subject = machine(name=HOSTILE, root_disk="/dev/sdb", nbde_clevis=True)
    [arguments] = convert(tmp_path, subject).of("virt-v2v")
    scratch = str(tmp_path / "scratch" / "out")
    assert arguments == [
        *("-i", "libvirt"),
        *("-ic", f"vpx://{ENCODED_USER}@vc.acme.example/DC%201/Prod/esx1.acme.example"),
        *("-ip", str(tmp_path / "private" / "password")),
        *("--root", "/dev/sdb"),
        *("-it", "vddk", "-io", "vddk-libdir=/opt/vmware-vix-disklib-distrib"),
        *("-io", f"vddk-thumbprint={THUMBPRINT}"),
        *("--key", f"all:file:{tmp_path}/luks/root", "--key", "all:clevis"),
        *("-o", "kubevirt", "-os", scratch, "-on", "web-01", "-of", "raw"),
        *("--", HOSTILE),
    ]


def test_certificate_is_verified_with_the_secrets_ca(tmp_path: Path) -> None:
    convert(tmp_path, machine())
    ca = tmp_path / "credentials" / "cacert"
    ca.write_text("ca")
    begun = {"web-01-disk-0": {BEGUN: "1"}}
    assert convert(tmp_path, machine(), annotations=begun).of("virt-v2v")[0][3].endswith(f"?cacert={ca}")
    insecure = convert(tmp_path, machine(), vcenter(insecure_skip_verify=True), annotations=begun)
    assert insecure.of("virt-v2v")[0][3].endswith("?no_verify=1")


def test_password_goes_through_files_that_end_without_a_line_break(tmp_path: Path) -> None:
    result = convert(tmp_path, machine())
    assert (tmp_path / "notes.password").read_text() == PASSWORD
    assert f"password={PASSWORD}\n" in (tmp_path / "notes.auth").read_text()
    assert (tmp_path / "private" / "password").stat().st_mode & 0o077 == 0
    assert not [call for call in result.calls if PASSWORD in " ".join(call) or "tok" in call]
    assert (tmp_path / "notes.token").read_text() == 'header = "Authorization: Bearer tok"\n'


def test_log_shows_neither_user_nor_password(tmp_path: Path) -> None:
    output = convert(tmp_path, machine()).output
    assert "Setting up the source: -ic vpx://...@vc.acme.example" in output
    assert "migrate" not in output
    assert PASSWORD not in output


BOTH = ("web-01-disk-0", "web-01-disk-1")


@pytest.mark.parametrize("pretty", ["", "1"])
@pytest.mark.parametrize("by", ["1", "2", "7"])
def test_vm_that_any_attempt_converted_is_done_and_nothing_is_touched(tmp_path: Path, by: str, pretty: str) -> None:
    marks = {claim: {CONVERTED: by} for claim in BOTH}
    result = convert(tmp_path, machine(disks=TWO_DISKS), annotations=marks, PRETTY=pretty)
    assert result.code == 0, result.output
    assert f"converted already, by attempt {by}" in result.output
    assert {call[0] for call in result.calls} == {"curl"}
    assert annotated(result) == marks


def test_vm_that_runs_in_vsphere_again_or_is_gone_there_is_still_done(tmp_path: Path) -> None:
    result = convert(tmp_path, machine(), annotations={"web-01-disk-0": {CONVERTED: "1"}}, STATE="running")
    assert result.code == 0, result.output


@pytest.mark.parametrize("pretty", ["", "1"])
@pytest.mark.parametrize(("marked", "other"), [BOTH, BOTH[::-1]])
def test_half_a_converted_vm_is_refused_with_the_ways_out(tmp_path: Path, marked: str, other: str, pretty: str) -> None:
    result = convert(tmp_path, machine(disks=TWO_DISKS), annotations={marked: {CONVERTED: "3"}}, PRETTY=pretty)
    assert result.code == 42
    assert f"kubectl annotate pvc --namespace web {other} {CONVERTED}=3" in result.output
    assert f"kubectl annotate pvc --namespace web {marked} {CONVERTED}-" in result.output
    assert not result.of("virt-v2v")
    assert not patched(result)


def test_marks_are_completed_where_a_pod_was_killed_while_it_set_them(tmp_path: Path) -> None:
    left = {"web-01-disk-0": {CONVERTED: "1"}, "web-01-disk-1": {CONVERTING: "1", BEGUN: "1"}}
    result = convert(tmp_path, machine(disks=TWO_DISKS), annotations=left)
    assert result.code == 0, result.output
    assert not result.of("virt-v2v")
    assert {claim: notes[CONVERTED] for claim, notes in annotated(result).items()} == dict.fromkeys(BOTH, "1")


def test_volume_that_another_attempt_holds_is_not_taken_for_a_part_of_a_converted_vm(tmp_path: Path) -> None:
    left = {"web-01-disk-0": {CONVERTED: "1"}, "web-01-disk-1": {CONVERTING: "2"}}
    result = convert(tmp_path, machine(disks=TWO_DISKS), annotations=left)
    assert result.code == 42
    assert not patched(result)


# --- volumes that are not blank


def fill(folder: Path, content: bytes) -> None:
    (folder / "volumes/dev").mkdir(parents=True)
    (folder / "volumes/dev/block0").write_bytes(content)


def test_volume_with_data_that_no_attempt_wrote_is_kept(tmp_path: Path) -> None:
    fill(tmp_path, bytes(510) + b"\x55\xaa" + bytes(9000))
    result = convert(tmp_path, machine())
    assert result.code == 42
    assert f"kubectl annotate pvc --namespace web web-01-disk-0 {CONVERTED}=1" in result.output
    assert f"kubectl annotate pvc --namespace web web-01-disk-0 {BEGUN}=1" in result.output
    assert not result.of("virt-v2v")
    assert not patched(result)


def test_blank_volume_is_written(tmp_path: Path) -> None:
    fill(tmp_path, bytes(9000))
    assert convert(tmp_path, machine()).code == 0


@pytest.mark.parametrize("notes", [{"vmferry.dev/begun": "1"}, {"vmferry.dev/converting": "1"}])
def test_what_an_attempt_left_unfinished_is_written_again(tmp_path: Path, notes: dict[str, str]) -> None:
    fill(tmp_path, b"half a disk")
    assert convert(tmp_path, machine(), annotations={"web-01-disk-0": notes}).code == 0


# --- what is known before anything is written


@pytest.mark.parametrize(("missing", "kind"), [("web-01-disk-1", "PersistentVolumeClaim"), ("", "Status")])
def test_volume_that_cannot_be_looked_up_is_not_converted(tmp_path: Path, missing: str, kind: str) -> None:
    result = convert(tmp_path, machine(disks=TWO_DISKS), MISSING=missing, KIND=kind)
    assert result.code == 1
    assert not result.of("virt-v2v")


@pytest.mark.parametrize("state", ["running", "paused", ""])
def test_source_that_is_not_off_is_refused(tmp_path: Path, state: str) -> None:
    result = convert(tmp_path, machine(), STATE=state)
    assert result.code == 43
    assert not result.of("virt-v2v")
    assert not patched(result)


@pytest.mark.parametrize("code", ["1", "42"])
def test_failed_conversion_marks_nothing_and_may_be_retried(tmp_path: Path, code: str) -> None:
    result = convert(tmp_path, machine(disks=TWO_DISKS), V2V_CODE=code)
    assert result.code == 1
    assert all(CONVERTED not in annotations for annotations in annotated(result).values())


def test_conversion_that_cannot_be_marked_fails(tmp_path: Path) -> None:
    result = convert(tmp_path, machine(), REFUSED=CONVERTED)
    assert result.code == 1
    assert "cannot be marked" in result.output


# --- attempts that meet


def test_every_volume_is_claimed_before_any_is_written(tmp_path: Path) -> None:
    result = convert(tmp_path, machine(disks=TWO_DISKS))
    before = result.calls[: [call[0] for call in result.calls].index("virt-v2v")]
    claims = [call for call in before if "PATCH" in call]
    assert [call[-1].rpartition("/")[2] for call in claims] == ["web-01-disk-0", "web-01-disk-1"]
    body = '{"metadata":{"resourceVersion":"7","annotations":{"vmferry.dev/converting":"1","vmferry.dev/begun":"1"}}}'
    assert all(body in call for call in claims)


@pytest.mark.parametrize("held", ["web-01-disk-0", "web-01-disk-1"])
def test_volume_that_another_attempt_writes_is_refused(tmp_path: Path, held: str) -> None:
    result = convert(tmp_path, machine(disks=TWO_DISKS), annotations={held: {CONVERTING: "7"}})
    assert result.code == 44
    assert f"attempt 7 writes to volume {held}" in result.output
    command = "kubectl annotate pvc --namespace web web-01-disk-0 web-01-disk-1 vmferry.dev/converting-"
    assert command in result.output
    assert not result.of("virt-v2v")
    assert not patched(result)


def test_attempt_goes_on_where_its_pod_was_killed(tmp_path: Path) -> None:
    held = {"web-01-disk-0": {CONVERTING: "1", BEGUN: "1"}}
    result = convert(tmp_path, machine(disks=TWO_DISKS), annotations=held)
    assert result.code == 0, result.output
    assert annotated(result) == {claim: {BEGUN: "1", CONVERTED: "1"} for claim in BOTH}


def test_of_two_attempts_at_once_one_is_refused(tmp_path: Path) -> None:
    result = convert(tmp_path, machine(), RIVAL=json.dumps({CONVERTING: "2"}))
    assert result.code == 44
    assert not result.of("virt-v2v")
    assert annotated(result) == {"web-01-disk-0": {CONVERTING: "2"}}


def test_volume_that_something_else_changes_meanwhile_is_claimed_all_the_same(tmp_path: Path) -> None:
    result = convert(tmp_path, machine(), RIVAL='{"cdi.kubevirt.io/note": "x"}')
    assert result.code == 0, result.output
    assert annotated(result)["web-01-disk-0"] == {"cdi.kubevirt.io/note": "x", BEGUN: "1", CONVERTED: "1"}


def test_volume_that_cannot_be_claimed_is_not_written(tmp_path: Path) -> None:
    result = convert(tmp_path, machine(), REFUSED=CONVERTING)
    assert result.code == 1
    assert not result.of("virt-v2v")


def test_failed_conversion_lets_the_next_attempt_have_the_volumes(tmp_path: Path) -> None:
    result = convert(tmp_path, machine(disks=TWO_DISKS), V2V_CODE="1")
    assert annotated(result) == {claim: {BEGUN: "1"} for claim in BOTH}


# --- places


PLACES = "acme-vc1-conversions"


def placed(name: str = "web-01", limit: int = 1, **fields: Any) -> Machine:
    """Return a VM whose Job takes one of so many places for its vCenter."""
    source = vcenter(parallel_conversions=limit)
    began = conversion_now(Cluster(name="prod-a"), source, "vc1-read", 1, f"infra/{PLACES}")
    return machine(name, conversion=began, **fields)


def taken(result: Run) -> dict[str, str]:
    """Return the places that are taken after a run."""
    found: dict[str, str] = json.loads((result.folder / "volumes.json").read_text())[PLACES].get("data", {})
    return found


def with_places(folder: Path, data: dict[str, str], **variables: str) -> Run:
    store = folder / "places.json"
    store.write_text(json.dumps({PLACES: {"version": 7, "annotations": {}, "data": data}}))
    limit = len(data) or 1
    result = convert(folder, placed(limit=limit), STORE=str(store), POLL_AFTER="0", **variables)
    (folder / "volumes.json").write_text(store.read_text())
    return result


def test_conversion_takes_a_place_before_it_reads_and_gives_it_back(tmp_path: Path) -> None:
    result = with_places(tmp_path, {})
    assert result.code == 0, result.output
    tools = ["virt-v2v" if call[0] == "virt-v2v" else call[-1] for call in result.calls]
    place = f"https://kubernetes.default.svc/api/v1/namespaces/infra/configmaps/{PLACES}"
    assert tools.index(place) < tools.index("virt-v2v")
    data = [call[call.index("--data") + 1] for call in result.calls if call[-1] == place and "PATCH" in call]
    assert data == [
        '{"metadata":{"resourceVersion":"7"},"data":{"place-0":"web/web-01/1 0"}}',
        '{"metadata":{"resourceVersion":"8"},"data":{"place-0":null}}',
    ]


@pytest.mark.parametrize("variables", [{"V2V_CODE": "1"}, {"STATE": "running"}, {"REFUSED": CONVERTED}])
def test_conversion_that_fails_gives_its_place_back(tmp_path: Path, variables: dict[str, str]) -> None:
    result = with_places(tmp_path, {}, **variables)
    assert result.code != 0
    assert taken(result) == {}


def test_conversion_waits_while_the_places_are_taken_and_takes_that_of_one_who_died(tmp_path: Path) -> None:
    others = {"place-0": "web/web-08/1 3", "place-1": "crm/crm-01/1 0"}
    result = with_places(tmp_path, others, DEAD_AFTER="0")
    assert result.code == 0, result.output
    assert "all 2 places for conversions are taken" in result.output
    assert len(result.of("virsh")) == 2  # somebody may have started the source meanwhile
    assert taken(result) == {"place-1": "crm/crm-01/1 0"}


def test_conversion_whose_pod_was_replaced_goes_on_in_its_own_place(tmp_path: Path) -> None:
    result = with_places(tmp_path, {"place-0": "web/web-08/1 3", "place-1": "web/web-01/1 9"})
    assert result.code == 0, result.output
    assert "are taken" not in result.output
    assert taken(result) == {"place-0": "web/web-08/1 3"}


def test_converted_vm_needs_no_place(tmp_path: Path) -> None:
    store = tmp_path / "places.json"
    store.write_text(json.dumps({"web-01-disk-0": {"version": 7, "annotations": {CONVERTED: "1"}}}))
    assert convert(tmp_path, placed(), STORE=str(store)).code == 0
    assert PLACES not in store.read_text()


def test_conversion_waits_for_places_that_cannot_be_read(tmp_path: Path) -> None:
    result = with_places(tmp_path, {}, LATE=PLACES)
    assert result.code == 0, result.output
    assert "cannot be read" in result.output


def test_holder_of_a_place_says_that_it_lives(tmp_path: Path) -> None:
    result = with_places(tmp_path, {}, RENEW_AFTER="0", RUNNING=str(tmp_path / "running"))
    assert result.code == 0, result.output
    assert b'"place-0":"web/web-01/1 1"' in (tmp_path / "notes").read_bytes()
    assert taken(result) == {}


def test_no_more_conversions_read_at_once_than_there_are_places(tmp_path: Path) -> None:
    store, running = tmp_path / "store.json", tmp_path / "running"
    store.write_text("{}")
    names = [f"web-{number:02d}" for number in range(3)]

    def one(name: str) -> Run:
        (tmp_path / name).mkdir()
        shared = {"STORE": str(store), "RUNNING": str(running), "POLL_AFTER": "1"}
        return convert(tmp_path / name, placed(name), **shared)

    with ThreadPoolExecutor(len(names)) as pool:
        results = list(pool.map(one, names))
    assert [result.code for result in results] == [0] * 3, results[0].output
    steps = [1 if line == "+" else -1 for line in running.read_text().split()]
    assert len(steps) == 6
    assert max(accumulate(steps)) == 1


# --- volumes that CDI still prepares


def test_conversion_waits_until_cdi_is_done_with_the_volume(tmp_path: Path) -> None:
    preparing = {"web-01-disk-0": {IMPORT: "none", POD_PHASE: "Running"}}
    result = convert(tmp_path, machine(), annotations=preparing)
    assert result.code == 0, result.output
    assert len(result.of("sleep")) == 1


def test_volume_that_cdi_never_prepares_is_not_converted(tmp_path: Path) -> None:
    preparing = {"web-01-disk-0": {IMPORT: "none"}}
    result = convert(tmp_path, machine(), annotations=preparing)
    assert result.code == 1
    assert "volume web-01-disk-0 is not prepared" in result.output
    assert not result.of("virt-v2v")


def test_adopted_volume_needs_no_preparation(tmp_path: Path) -> None:
    assert not convert(tmp_path, machine(), annotations={"web-01-disk-0": {}}).of("sleep")


# --- the bastion's script


IMAGES = machine(
    name=HOSTILE,
    method="image",
    disks=(
        disk("web-01", source=UPLOAD),
        disk("web-01", 1, source=http("https://images.acme.example/it%27s%20%24(id)/..%2F%3B%20x.qcow2?y")),
        disk("web-01", 2, source=BLANK),
        disk("web-01", 3, source=registry("docker://registry.acme.example/web:1")),
    ),
)


def bastion_file(plan: Blueprint) -> File:
    [found] = [item for item in virt_v2v.emit(plan) if isinstance(item, File)]
    return found


def bastion(folder: Path, *arguments: str, subjects: tuple[Machine, ...] = (IMAGES,), **variables: str) -> Run:
    (folder / "user").write_text(USER + "\n")
    (folder / "password").write_text(PASSWORD + "\n")
    (folder / "www").mkdir(exist_ok=True)
    given = {"VCENTER_USER_FILE": "user", "VCENTER_PASSWORD_FILE": "password", "PUBLISH_DIR": "www"}
    content = bastion_file(blueprint(group(*subjects))).content.decode()
    return run(folder, content, *arguments, **given | {"LETTERS": "a b c d"} | variables)


def test_script_lies_beside_the_groups_layers() -> None:
    found = bastion_file(blueprint(group(IMAGES)))
    assert (found.path, found.lock) == ("bases/stateful/stateful-01/bastion.sh", "stateful/stateful-01")


def test_group_without_images_needs_no_script() -> None:
    assert not list(virt_v2v.emit(blueprint(group(machine(method="image")))))


def test_bastion_converts_publishes_and_uploads(tmp_path: Path) -> None:
    result = bastion(tmp_path)
    assert result.code == 0, result.output
    [arguments] = result.of("virt-v2v")
    output = ["-o", "local", "-os", "images/.web-01.part", "-on", "web-01", "-of", "qcow2"]
    assert arguments[-12:] == ["--root", "first", *output, "--", HOSTILE]
    assert arguments[3] == f"vpx://{ENCODED_USER}@vc.acme.example/DC%201/Prod/esx1.acme.example"
    [upload] = result.of("virtctl")
    options = ["--namespace", "web", "--no-create", "--image-path", "images/web-01/web-01-sda"]
    assert upload == ["image-upload", "dv", "web-01-disk-0", *options]
    assert [path.name for path in (tmp_path / "www").iterdir()] == ["; x.qcow2"]
    assert (tmp_path / "www" / "; x.qcow2").read_text() == "disk b\n"
    assert "docker://registry.acme.example/web:1" in result.output


def test_bastion_gives_nics_their_names_back_before_it_takes_digests(tmp_path: Path) -> None:
    subject = replace(IMAGES, nics=NICS, nbde_clevis=True)
    result = bastion(tmp_path, subjects=(subject,), GUEST=str(guest(tmp_path)))
    assert result.code == 0, result.output
    assert 'NAME="ens192"' in (tmp_path / "guest" / RULES).read_text()
    opened = result.of("guestfish")[0]
    assert opened[:4] == ["--listen", "-i", "--format=qcow2", "-a"]
    assert [argument.rpartition("/")[2] for argument in opened if "-sd" in argument] == [
        f"web-01-sd{letter}" for letter in "abcd"
    ]
    assert opened[-2:] == ["--key", "all:clevis"]
    assert result.output.index("wrote /etc/udev") < result.output.index("digests for")


def test_a_group_without_nics_to_name_carries_no_functions_for_it() -> None:
    assert "guest_facts" not in virt_v2v.script("bastion", [machine()])
    assert "guest_facts" in virt_v2v.script("bastion", [machine(), machine(nics=NICS)])


def test_bastion_prints_the_digest_for_the_spec(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"disk b\n").hexdigest()
    assert f"sha256:{digest}  web-01-sdb" in bastion(tmp_path).output


def test_bastion_does_not_convert_twice(tmp_path: Path) -> None:
    bastion(tmp_path)
    again = bastion(tmp_path)
    assert again.code == 0
    assert not again.of("virt-v2v")
    assert again.of("virtctl")


def test_bastion_publishes_nothing_over_the_image_of_another_vm(tmp_path: Path) -> None:
    assert bastion(tmp_path).code == 0
    [published] = (tmp_path / "www").iterdir()
    assert "published already" in bastion(tmp_path).output
    published.write_text("the disk of another VM")
    result = bastion(tmp_path)
    assert result.code == 1
    assert "move it away" in result.output
    assert published.read_text() == "the disk of another VM"


def test_bastion_goes_on_where_an_image_was_uploaded_before(tmp_path: Path) -> None:
    other = machine("web-02", method="image", disks=(disk("web-02", source=UPLOAD),))
    said = "PVC web-01-disk-0 already successfully imported/cloned/updated"
    result = bastion(tmp_path, subjects=(IMAGES, other), VIRTCTL_CODE="1", VIRTCTL_SAYS=said)
    assert result.code == 0, result.output
    assert [call[2] for call in result.of("virtctl")] == ["web-01-disk-0", "web-02-disk-0"]


def test_bastion_says_why_an_upload_failed(tmp_path: Path) -> None:
    result = bastion(tmp_path, VIRTCTL_CODE="1", VIRTCTL_SAYS="no upload proxy")
    assert result.code == 1
    assert "web-01-disk-0 failed: no upload proxy" in result.output


def test_bastion_converts_again_after_a_failure(tmp_path: Path) -> None:
    failed = bastion(tmp_path, V2V_CODE="1")
    assert failed.code == 1
    assert not failed.of("virtctl")
    assert bastion(tmp_path).of("virt-v2v")


def test_bastion_refuses_a_running_source(tmp_path: Path) -> None:
    result = bastion(tmp_path, STATE="running")
    assert result.code == 1
    assert not result.of("virt-v2v")


UNREADABLE = machine(
    "sql-01",
    method="image",
    disks=(
        disk("sql-01", source=UPLOAD),
        disk("sql-01", 1, source=UPLOAD),
        disk("quorum", 2, source=UPLOAD, shared="quorum", owner=False, lun=True, unreadable=True),
    ),
)


def test_bastion_refuses_a_vm_with_a_disk_that_vsphere_cannot_read_and_goes_on(tmp_path: Path) -> None:
    result = bastion(tmp_path, subjects=(UNREADABLE, IMAGES))
    assert result.code == 3
    assert "sql-01: vSphere cannot read sdc" in result.output
    assert "image every disk of the VM with other tools" in result.output
    assert [call[-1] for call in result.of("virt-v2v")] == [HOSTILE]
    assert [call[2] for call in result.of("virtctl")] == ["web-01-disk-0"]


def test_bastion_publishes_images_that_other_tools_made(tmp_path: Path) -> None:
    (tmp_path / "images" / "sql-01").mkdir(parents=True)
    result = bastion(tmp_path, subjects=(UNREADABLE,))
    assert result.code == 0, result.output
    assert not result.of("virt-v2v")
    assert [call[2] for call in result.of("virtctl")] == ["sql-01-disk-0", "sql-01-disk-1"]


RAW = machine(
    name=HOSTILE,
    id="vm-42",
    method="image",
    raw=True,
    disks=(
        disk("web-01", source=UPLOAD, file="[ds 1] it's/$(touch pwned).vmdk"),
        disk("web-01", 1, source=UPLOAD),
    ),
)


def test_bastion_copies_a_guest_that_nobody_converts_as_it_is(tmp_path: Path) -> None:
    result = bastion(tmp_path, subjects=(RAW,), VDDK_LIBDIR="/vddk")
    assert result.code == 0, result.output
    assert not result.of("virt-v2v")
    first, second = result.of("nbdkit")
    password = next(each for each in first if each.startswith("password=+"))
    assert first[3:] == [
        *("vddk", "libdir=/vddk", "server=vc.acme.example", f"user={USER}", password, f"thumbprint={THUMBPRINT}"),
        *("vm=moref=vm-42", "file=[ds 1] it's/$(touch pwned).vmdk", "--run"),
        'qemu-img convert -f raw -O qcow2 "$uri" "$image"',
    ]
    assert f"file={RAW.disks[1].file}" in second
    assert (tmp_path / "images/web-01/web-01-sdb").read_text() == "raw nbd+unix:x\n"
    assert [call[2] for call in result.of("virtctl")] == ["web-01-disk-0", "web-01-disk-1"]
    assert "sha256:" in result.output
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("variables", "fields", "told"),
    [
        ({"STATE": "running"}, {}, "not shut off"),
        ({"COPY_CODE": "1"}, {}, "the copy of sda failed"),
        ({"VDDK_LIBDIR": ""}, {}, "set VDDK_LIBDIR"),
        ({}, {"id": None}, "add `id` and `file`"),
        ({}, {"disks": (disk("web-01", source=UPLOAD, file=None),)}, "the VMDK of sda is not known"),
    ],
)
def test_bastion_says_why_a_guest_is_not_copied_and_leaves_no_images(
    tmp_path: Path, variables: dict[str, str], fields: dict[str, Any], told: str
) -> None:
    result = bastion(tmp_path, subjects=(replace(RAW, **fields),), **{"VDDK_LIBDIR": "/vddk"} | variables)
    assert result.code in (1, 2)
    assert told in result.output
    assert not (tmp_path / "images/web-01").exists()
    assert not result.of("virtctl")


def test_bastion_takes_the_vms_it_is_told(tmp_path: Path) -> None:
    other = machine("web-02", method="image", disks=(disk("web-02", source=UPLOAD),))
    result = bastion(tmp_path, "web-02", subjects=(IMAGES, other))
    assert [call[2] for call in result.of("virtctl")] == ["web-02-disk-0"]
    assert bastion(tmp_path, "nobody", subjects=(IMAGES, other)).code == 2


def test_bastion_needs_credentials_in_files(tmp_path: Path) -> None:
    assert bastion(tmp_path, VCENTER_USER_FILE="").code == 2


def test_bastion_shows_neither_user_nor_password_and_leaves_no_copy(tmp_path: Path) -> None:
    result = bastion(tmp_path, TMPDIR=str(tmp_path / "www"))
    assert "migrate" not in result.output
    assert PASSWORD not in result.output
    assert [path.name for path in (tmp_path / "www").iterdir()] == ["; x.qcow2"]


@pytest.mark.parametrize("name", [HOSTILE, "'", "\n\n# x", "$(touch pwned)", "--help", "a\tb\x1b[31m", "…"])
def test_hostile_names_are_data_for_bash(tmp_path: Path, name: str) -> None:
    subject = machine(name=name, datacenter=name, method="image", disks=(disk("web-01", source=UPLOAD),))
    content = bastion_file(blueprint(group(subject))).content.decode()
    assert subprocess.run(["bash", "-n"], input=content, text=True, check=False).returncode == 0
    result = bastion(tmp_path, subjects=(subject,))
    assert result.code == 0, result.output
    assert result.of("virt-v2v")[0][-1] == name
    assert result.of("virsh")[0][-1] == name
    assert not (tmp_path / "pwned").exists()


@given(name=st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1))
def test_every_name_is_one_word_of_the_script(name: str) -> None:
    subject = machine(name=name, method="image", disks=(disk("web-01", source=UPLOAD),))
    content = bastion_file(blueprint(group(subject))).content.decode()
    command = content[content.index("\n  convert web-01") + 1 :]
    assert shlex.split(command, comments=False)[2] == name
