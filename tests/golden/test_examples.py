"""The examples compile to exactly what is committed beside them, and acme really shows everything it claims to."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from tests import gateway_api
from tests.ran import ran

from vmferry.verify import kustomize

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
ACME = EXAMPLES / "acme"
WARNINGS = {
    "minimal": set(),
    "dns": set(),
    "dual-run": set(),
    # names that are changed, the one VM that would like to live-migrate and cannot, a phase that overtook another,
    # disks of a cluster that reserves them, virtual TPMs, and a firewall whose adapters nobody configures again
    "acme": {"VMF111", "VMF304", "VMF426", "VMF570", "VMF724", "VMF727"},
    "acme-argocd": {"VMF111", "VMF304", "VMF426", "VMF570", "VMF724", "VMF727"},
}
REQUIRED = os.environ.get("VMFERRY_REQUIRE_KUSTOMIZE") == "1"
CRDS = Path(os.environ.get("VMFERRY_SCHEMAS", ROOT.parent / "shared/crds"))

Object = dict[str, Any]
every_example = pytest.mark.parametrize("name", sorted(WARNINGS))


class Run(NamedTuple):
    """What a run of vmferry left behind."""

    code: int
    out: str
    err: str


def vmferry(*args: str | Path) -> Run:
    """Run vmferry at the top of the checkout."""
    command = [sys.executable, "-m", "vmferry", *map(str, args)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    return Run(done.returncode, done.stdout, done.stderr)


def tree(top: Path) -> dict[str, bytes]:
    """Return every file below a directory, by its path."""
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file()}


def load(path: Path) -> Any:
    return yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)


def documents(path: Path) -> list[Any]:
    return list(yaml.load_all(path.read_bytes(), Loader=yaml.CSafeLoader))


@cache
def manifests(example: Path) -> tuple[Object, ...]:
    """Return every object in the bases and the infra of an example's committed output."""
    files = [
        path
        for part in ("bases", "infra")
        for path in sorted((example / "gitops" / part).rglob("*.yaml"))
        if path.name != "kustomization.yaml"
    ]
    return tuple(obj for path in files for obj in documents(path))


def of_kind(kind: str) -> dict[str, Object]:
    """Return the objects of a kind in acme's output, as namespace/name."""
    found = [obj for obj in manifests(ACME) if obj["kind"] == kind]
    return {f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}": obj for obj in found}


def one(kind: str, name: str) -> Object:
    return of_kind(kind)[name]


def guest(name: str) -> Object:
    """Return the template's spec of a VM."""
    spec: Object = one("VirtualMachine", name)["spec"]["template"]["spec"]
    return spec


@cache
def decisions() -> dict[str, Object]:
    """Return what `vmferry explain` says of every VM of acme, by the VM's name."""
    run = vmferry("explain", ACME, "--all", "--format", "json")
    assert run.code == 0, run.err
    return {found["vm"]: found for found in json.loads(run.out)}


def entries() -> list[Object]:
    """Return every VM entry of acme as it is written."""
    return [vm for path in sorted((ACME / "vms").glob("*.yaml")) for vm in load(path)["vms"]]


def spec() -> Object:
    loaded: Object = load(ACME / "spec.yaml")
    return loaded


# --- every example --------------------------------------------------------------------------------------


def test_every_example_is_tested() -> None:
    assert {path.parent.name for path in EXAMPLES.glob("*/*.yaml")} == set(WARNINGS)


@every_example
def test_check_finds_no_error_and_only_the_warnings_that_are_meant(name: str) -> None:
    run = vmferry("check", EXAMPLES / name, "--format", "json")
    assert run.code == 0, run.out
    findings = [each for each in json.loads(run.out)["findings"] if each["severity"] != "info"]
    assert {finding["severity"] for finding in findings} <= {"warning"}
    assert {finding["code"] for finding in findings} == WARNINGS[name]


@every_example
def test_the_committed_output_is_up_to_date(name: str) -> None:
    run = vmferry("compile", EXAMPLES / name, "--out", EXAMPLES / name, "--check")
    assert run.code == 0, run.out + run.err


@every_example
def test_compiling_into_an_empty_directory_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    copy, out = tmp_path / "spec", tmp_path / "out"
    shutil.copytree(EXAMPLES / name, copy, ignore=shutil.ignore_patterns("gitops"))
    run = vmferry("compile", copy, "--out", out)
    assert run.code == 0, run.out + run.err
    assert tree(out / "gitops") == tree(EXAMPLES / name / "gitops")
    assert (copy / "assignments.yaml").read_bytes() == (EXAMPLES / name / "assignments.yaml").read_bytes()


@pytest.mark.kustomize
@pytest.mark.skipif(
    not REQUIRED and not shutil.which("kustomize") and not shutil.which("kubectl"),
    reason="neither kustomize nor kubectl is installed",
)
@every_example
def test_verify_finds_nothing(name: str, tmp_path: Path) -> None:
    routes = ("--schemas", gateway_api.laid_out(tmp_path)) if name == "dual-run" else ()
    schemas = ("--schemas", CRDS, *routes) if CRDS.is_dir() else ()
    run = vmferry("verify", EXAMPLES / name, *schemas, "--format", "json")
    report = json.loads(run.out)
    assert report["findings"] == []
    assert run.code == 0
    assert not schemas or report["unchecked"] == {}
    ran("kustomize", kustomize.version, "`vmferry verify` builds every root of every example")


@every_example
def test_editors_find_the_schema_of_every_file(name: str) -> None:
    files = [path for path in sorted((EXAMPLES / name).rglob("*.yaml")) if "gitops" not in path.parts]
    ours = [path for path in files if path.name == "spec.yaml" or path.parent.name == "vms"]
    assert ours
    for path in ours:
        marker, _, schema = path.read_text(encoding="utf-8").splitlines()[0].partition("$schema=")
        assert marker == "# yaml-language-server: "
        wanted = f"{load(path)['kind'].lower()}.schema.json"
        assert (path.parent / schema).resolve() == ROOT / "schemas" / wanted


def test_acme_argocd_is_acme_with_another_engine() -> None:
    other = EXAMPLES / "acme-argocd"
    for part in ("vms", "hooks", "secrets"):
        assert tree(other / part) == tree(ACME / part)
    ours, theirs = load(ACME / "spec.yaml"), load(other / "spec.yaml")
    engines = {ours["target"].pop("gitops")["engine"], theirs["target"].pop("gitops")["engine"]}
    assert engines == {"flux", "argocd"}
    assert ours == theirs
    assert (other / "assignments.yaml").read_bytes() == (ACME / "assignments.yaml").read_bytes()


def test_each_engine_has_its_own_entry_points() -> None:
    def kinds(name: str) -> set[str]:
        files = (EXAMPLES / name / "gitops" / "clusters").rglob("*.yaml")
        versions = {obj["apiVersion"] for path in files for obj in documents(path)}
        return {each.partition("/")[0] for each in versions} - {"kustomize.config.k8s.io"}

    assert kinds("acme") == {"kustomize.toolkit.fluxcd.io", "source.toolkit.fluxcd.io"}
    assert kinds("acme-argocd") == {"argoproj.io"}


# --- what acme shows: the estate ------------------------------------------------------------------------


def test_acme_has_sixty_vms_and_more_from_two_vcenters() -> None:
    vms = entries()
    assert len(vms) >= 60
    assert {vm["source"] for vm in vms} == {source["name"] for source in spec()["sources"]} == {"vc1", "vc2"}
    for fact, values in {
        "os": {"linux", "windows", "other"},
        "firmware": {"bios", "efi"},
        "powerState": {"poweredOn", "poweredOff"},
        "secureBoot": {True, False},
        "vtpm": {True, False},
    }.items():
        assert {vm[fact] for vm in vms if fact in vm} == values
    assert {len(vm.get("disks", ())) for vm in vms} >= {1, 2, 3}
    assert {len(vm.get("nics", ())) for vm in vms} >= {1, 2}


def test_every_disposition_occurs_and_what_stays_behind_says_why() -> None:
    found = {name: vm["disposition"] for name, vm in decisions().items()}
    assert {item["value"] for item in found.values()} == {"migrate", "rebuild", "retire", "retain", "exclude"}
    left = {name: item for name, item in found.items() if item["value"] in ("retire", "retain", "exclude")}
    assert {"vCLS-4f2a", "wiki-old", "vc1.acme.example"} <= set(left)
    assert all(len(item["reason"]) > 20 for item in left.values())


def test_every_path_and_method_occurs() -> None:
    routes = {(vm["path"]["value"], vm["method"]["value"]) for vm in decisions().values() if "path" in vm}
    assert routes == {
        ("forklift", "warm"),
        ("forklift", "cold"),
        ("virt-v2v", "job"),
        ("virt-v2v", "image"),
        ("rebuild", "rebuild"),
    }


@pytest.mark.parametrize(
    ("vm", "path", "reason"),
    [
        ("web-24", "forklift", "vc1 has 41 standard VMs (threshold 20)"),
        ("ml-train-01", "virt-v2v", "it is special: GPU"),
        ("search-01", "virt-v2v", "the spec says so"),
        ("CMS_media-01", "rebuild", "an application is described for it"),
        ("db-01", "forklift", "the spec says so"),
    ],
)
def test_path_auto_chooses_and_says_why(vm: str, path: str, reason: str) -> None:
    assert decisions()[vm]["path"]["value"] == path
    assert decisions()[vm]["path"]["reason"] == reason


def test_half_a_farm_keeps_its_path_when_the_other_half_is_prepared() -> None:
    farm = [f"web-{number:02d}" for number in range(1, 25)]
    assert {decisions()[vm]["path"]["value"] for vm in farm} == {"forklift"}
    assert {"migrating", "planned"} <= {decisions()[vm]["phase"]["reason"].rpartition(" ")[2] for vm in farm}


def test_groups_are_in_every_stage_that_compiles() -> None:
    states = spec()["groups"]
    assert {state["stage"] for state in states.values()} == {"prepared", "migrating", "cutover"}
    assert {vm["group"]["value"] for vm in decisions().values() if "group" in vm} > set(states), "some are planned"
    assert any(state.get("attempt", 1) > 1 for state in states.values())


def test_four_phases_of_different_kinds_have_windows() -> None:
    phases = spec()["phases"]
    assert [phase["kind"] for phase in phases] == ["dev-test", "stateless", "stateful", "migrate", "decommission"]
    assert all(phase["windows"] for phase in phases)
    assert any(phase.get("dualRun", {}).get("mode") == "fallback" for phase in phases)
    assert {vm["phase"]["value"] for vm in decisions().values() if "phase" in vm} == {p["name"] for p in phases[:-1]}


def test_vms_that_depend_on_each_other_in_a_circle_move_together() -> None:
    vms = {vm["name"]: vm for vm in entries()}
    assert vms["ERP-DB-01"]["dependsOn"] == ["ERP_APP_01"]
    assert vms["ERP_APP_01"]["dependsOn"] == ["ERP-DB-01"]
    assert decisions()["ERP-DB-01"]["group"]["value"] == decisions()["ERP_APP_01"]["group"]["value"]
    assert {"external": "smtp.acme.example:25"} in vms["db-01"]["dependsOn"]


def test_assign_rules_match_by_everything_people_go_by() -> None:
    fields = {field for rule in spec()["assign"] for field in rule["match"]}
    assert fields >= {"folder", "name", "source", "os", "tags", "network", "datastore", "customAttributes", "guestId"}


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("Shop Session Cache", "shop-session-cache"),
        ("CMS_media-01", "cms-media-01"),
        ("ERP_APP_01", "erp-app-01"),
        ("ERP Report Server", "erp-reports"),
    ],
)
def test_messy_names_are_made_to_fit(name: str, target: str) -> None:
    assert decisions()[name]["target name"]["value"] == target


# --- what acme shows: sources ---------------------------------------------------------------------------


def test_each_vcenter_has_its_kind_of_credentials() -> None:
    secrets = {
        name: one("Provider", f"konveyor-forklift/acme-{name}")["spec"]["secret"]["name"] for name in ("vc1", "vc2")
    }
    external = one("ExternalSecret", f"konveyor-forklift/{secrets['vc1']}")
    assert {item["secretKey"] for item in external["spec"]["data"]} == {"user", "password", "cacert", "ca.crt"}
    assert f"konveyor-forklift/{secrets['vc2']}" in of_kind("SealedSecret")


def test_a_sealed_secret_is_carried_byte_for_byte() -> None:
    sealed = (ACME / "secrets/vc2-vcenter.sealed.yaml").read_bytes()
    assert sealed in tree(ACME / "gitops/infra/source/vc2").values()


def test_esxi_hosts_are_copied_from_directly() -> None:
    assert {host["spec"]["id"] for host in of_kind("Host").values()} == {"host-21", "host-22"}


def test_conversions_get_read_only_credentials_in_every_namespace_they_run_in() -> None:
    jobs = [job for job in of_kind("Job").values() if job["spec"]["template"]["spec"].get("serviceAccountName")]
    namespaces = {job["metadata"]["namespace"] for job in jobs}
    assert {"dev", "data", "ml", "infra"} <= namespaces
    for namespace in namespaces:
        secret = one("ExternalSecret", f"{namespace}/acme-vc1-conversion")
        keys = [item["secretKey"] for item in secret["spec"]["data"]]
        assert keys == ["accessKeyId", "secretKey", "cacert"]


def test_vms_are_checked_after_their_cutover_by_jobs_without_any_rights() -> None:
    jobs = {name: job["spec"]["template"]["spec"] for name, job in of_kind("Job").items() if "-check-" in name}
    assert {name.partition("/")[0] for name in jobs} == {"dev", "web"}
    assert all(pod["automountServiceAccountToken"] is False for pod in jobs.values())
    assert guest("dev/ci-runner-01")["readinessProbe"]["exec"]["command"][-1] == "gitlab-runner"


def test_the_preflight_tries_every_node_of_every_pool_without_any_rights() -> None:
    jobs = {name: job["spec"] for name, job in of_kind("Job").items() if name.startswith("preflight/")}
    assert {name.rpartition("-")[0]: job["completions"] for name, job in jobs.items() if "-source-vc1-" in name} == {
        f"preflight/acme-preflight-source-vc1-{pool['name']}": pool["count"]
        for pool in spec()["target"]["cluster"]["nodes"]
    }
    pods = [job["template"]["spec"] for job in jobs.values()]
    assert all(pod["automountServiceAccountToken"] is False and "serviceAccountName" not in pod for pod in pods)


# --- what acme shows: path A ----------------------------------------------------------------------------


def test_plans_are_warm_and_cold_and_carry_what_a_plan_can_say() -> None:
    plans = [plan["spec"] for plan in of_kind("Plan").values()]
    assert {plan["type"] for plan in plans} == {"warm", "cold"}
    assert {plan["preserveStaticIPs"] for plan in plans} == {True, False}
    assert {"namespace": "default", "name": "migration-transfer"} in [plan.get("transferNetwork") for plan in plans]
    assert any("podAntiAffinity" in plan.get("targetAffinity", {}) for plan in plans)
    assert any(plan["targetLabels"].get("acme.example/backup") == "nightly" for plan in plans)
    vms = [vm for plan in plans for vm in plan["vms"]]
    assert all(vm["id"] and vm["targetName"] for vm in vms)
    assert any(vm.get("rootDisk") for vm in vms)


def test_a_hook_runs_its_playbook() -> None:
    hook = one("Hook", "konveyor-forklift/acme-quiesce-mq")
    assert base64.b64decode(hook["spec"]["playbook"]) == (ACME / "hooks/quiesce-mq.yaml").read_bytes()
    uses = [vm.get("hooks") for plan in of_kind("Plan").values() for vm in plan["spec"]["vms"]]
    assert [{"step": "PreHook", "hook": {"namespace": "konveyor-forklift", "name": "acme-quiesce-mq"}}] in uses


def test_a_warm_group_cuts_over_at_its_appointment() -> None:
    overlay = load(ACME / "gitops/overlays/stateless/stateless-03/migration/stage/kustomization.yaml")
    (patch,) = overlay["patches"]
    assert patch["target"]["kind"] == "Migration"
    assert yaml.safe_load(patch["patch"])[0]["value"] == spec()["groups"]["stateless-03"]["cutover"]
    assert not any("cutover" in migration["spec"] for migration in of_kind("Migration").values())


def test_one_name_in_two_vcenters_is_two_networks() -> None:
    rows = {name: plan["spec"]["map"] for name, plan in of_kind("NetworkMap").items()}
    found = [row["destination"] for each in rows.values() for row in each if row["source"]["name"] == "VM Network"]
    assert {"type": "pod"} in found
    assert {"type": "multus", "namespace": "erp", "name": "muc-office"} in found


# --- what acme shows: path B ----------------------------------------------------------------------------


def test_data_volumes_come_from_every_kind_of_source() -> None:
    sources = {name: next(iter(volume["spec"]["source"])) for name, volume in of_kind("DataVolume").items()}
    assert set(sources.values()) == {"blank", "http", "registry", "upload", "vddk"}
    assert sources["infra/fw-edge-01-disk-0"] == "vddk"
    assert sources["dev/tpl-rhel9-golden-disk-0"] == "http"


def test_a_second_attempt_has_a_job_of_its_own() -> None:
    assert "dev/lab-probe-convert-2" in of_kind("Job")
    assert "dev/lab-probe-convert-1" not in of_kind("Job")


def test_firmware_is_what_it_was() -> None:
    windows, legacy = guest("data/sql-node-1")["domain"], guest("dev/dev-legacy")["domain"]
    assert windows["firmware"]["bootloader"] == {"efi": {"persistent": True, "secureBoot": True}}
    assert windows["features"]["smm"] == {"enabled": True}
    assert windows["devices"]["tpm"] == {"persistent": True}
    assert windows["features"]["hyperv"]["relaxed"] == {}
    assert legacy["firmware"]["bootloader"] == {"bios": {}}
    assert "smm" not in legacy["features"]


def test_the_boot_disk_stays_the_boot_disk_when_controllers_differ() -> None:
    disks = guest("dev/dev-legacy")["domain"]["devices"]["disks"]
    assert [(disk["name"], disk.get("bootOrder")) for disk in disks] == [("disk-0", 2), ("disk-1", 1)]
    size = one("DataVolume", "dev/dev-legacy-disk-1")["spec"]["storage"]["resources"]["requests"]["storage"]
    assert size == "20Gi", "libvirt counts SCSI before IDE, and the IDE disk boots"


def test_cluster_nodes_share_one_volume_each_mounts() -> None:
    def claims(name: str) -> set[str]:
        return {volume["persistentVolumeClaim"]["claimName"] for volume in guest(name)["volumes"]}

    common = claims("data/sql-node-1") & claims("data/sql-node-2")
    assert len(common) == 2
    for claim in common:
        storage = one("DataVolume", f"data/{claim}")["spec"]["storage"]
        assert (storage["accessModes"], storage["volumeMode"]) == (["ReadWriteMany"], "Block")
    for name in ("data/sql-node-1", "data/sql-node-2"):
        disks = guest(name)["domain"]["devices"]["disks"]
        assert sum(disk.get("shareable", False) for disk in disks) == 2
        (quorum,) = [disk for disk in disks if "lun" in disk]
        assert quorum["lun"] == {"bus": "scsi", "reservation": True}


def test_clones_start_from_the_golden_image() -> None:
    (template,) = one("VirtualMachine", "dev/ci-runner-01")["spec"]["dataVolumeTemplates"]
    origin = template["spec"]["sourceRef"]
    assert f"{origin['namespace']}/{origin['name']}" in of_kind("DataSource")
    assert "dev/tpl-rhel9-golden" not in of_kind("VirtualMachine")
    volumes = guest("dev/ci-runner-01")["volumes"]
    seeds = [volume["cloudInitNoCloud"] for volume in volumes if "cloudInitNoCloud" in volume]
    assert "10.20.140.211/24" in seeds[0]["networkData"]


def test_a_gpu_vm_runs_where_the_cards_are_and_does_not_migrate() -> None:
    trainer = guest("ml/ml-train-01")
    assert len(trainer["domain"]["devices"]["gpus"]) == 2
    assert trainer["nodeSelector"] == {"acme.example/gpu": "t4"}
    assert trainer["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert trainer["evictionStrategy"] == "None"
    assert one("ResourceQuota", "ml/vmferry")["spec"]["hard"]["requests.nvidia.com/TU104GL_Tesla_T4"] == "2"


def test_instance_type_preference_priority_and_encryption_are_used() -> None:
    windows = one("VirtualMachine", "dev/dev-win11-test")["spec"]
    assert windows["instancetype"]["name"] == "u1.large"
    assert windows["preference"]["name"] == "windows.11.virtio"
    assert "cpu" not in windows["template"]["spec"]["domain"]
    assert guest("infra/dc01")["priorityClassName"] == "acme-critical"
    volumes = one("Job", "data/vault-01-convert-1")["spec"]["template"]["spec"]["volumes"]
    assert "vault-01-luks" in [volume.get("secret", {}).get("secretName") for volume in volumes]


# --- what acme shows: path C ----------------------------------------------------------------------------


def test_applications_are_rebuilt_as_deployments_and_a_stateful_set() -> None:
    catalog = one("Deployment", "shop/shop-catalog")["spec"]["template"]["spec"]["containers"][0]
    sources = {key for variable in catalog["env"] for key in variable.get("valueFrom", {})}
    assert sources == {"secretKeyRef", "configMapKeyRef"}
    assert catalog["envFrom"] == [{"secretRef": {"name": "shop-catalog-smtp"}}]
    assert {"readinessProbe", "livenessProbe"} <= set(catalog)
    assert "application.yaml" in one("ConfigMap", "shop/shop-catalog-config")["data"]
    assert "shop/shop-catalog" in of_kind("PodDisruptionBudget")
    assert [claim["metadata"]["name"] for claim in _claim_templates("shop/shop-session-cache")] == ["data"]
    media = one("PersistentVolumeClaim", "shop/cms-media-01-media")["spec"]
    assert (media["accessModes"], media["storageClassName"]) == (["ReadWriteMany"], "ceph-fs")


def _claim_templates(name: str) -> list[Object]:
    templates: list[Object] = one("StatefulSet", name)["spec"]["volumeClaimTemplates"]
    return templates


def test_only_who_is_named_may_connect() -> None:
    peers = one("NetworkPolicy", "shop/shop-catalog")["spec"]["ingress"][0]["from"]
    assert peers == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "web"}}}]
    assert {"data/vmferry-isolate", "shop/vmferry-isolate"} <= set(of_kind("NetworkPolicy"))


# --- what acme shows: networks and storage --------------------------------------------------------------


def _config(name: str) -> Object:
    config: Object = json.loads(one("NetworkAttachmentDefinition", name)["spec"]["config"])
    return config


def test_two_nics_on_one_network_get_a_definition_each_and_one_stays_behind() -> None:
    rows = one("NetworkMap", "konveyor-forklift/acme-management-01")["spec"]["map"]
    leads = [(row["source"]["name"], row["destination"].get("name", row["destination"]["type"])) for row in rows]
    assert leads == [("DVPG-Infra-140", "infra"), ("DVPG-Infra-140", "infra-2"), ("DVPG-KVM-Switch", "ignored")]
    first, second = _config("infra/infra"), _config("infra/infra-2")
    assert (first["bridge"], first["vlan"]) == (second["bridge"], second["vlan"])


def test_every_kind_of_network_is_mapped() -> None:
    rows = spec()["networks"]
    assert {row["target"]["type"] for row in rows} == {
        "pod",
        "bridge",
        "macvtap",
        "ovn-localnet",
        "ovn-layer2",
        "sriov",
        "nad",
        "ignored",
    }
    assert {row["source"]["kind"] for row in rows} == {"nsx-t", "nsx-v", "distributed", "standard"}
    assert {row["source"].get("transportZone") for row in rows} == {"overlay", "vlan", None}


def test_networks_become_what_was_decided() -> None:
    assert _config("web/web-prod")["vlan"] == 120
    assert _config("infra/edge-trunk")["vlanTrunk"] == [{"id": 120}, {"id": 140}, {"minID": 200, "maxID": 210}]
    assert _config("data/db-prod")["vlanID"] == 130, "from the source's VLAN"
    assert _config("data/cluster-heartbeat")["topology"] == "layer2"
    assert _config("ml/market-feed")["type"] == "sriov"
    assert _config("dev/lab-raw")["type"] == "macvtap"
    assert guest("dev/dev-win11-test")["networks"] == [{"name": "nic-0", "pod": {}}]


def test_what_exists_already_is_referred_to_and_not_made() -> None:
    used = {
        f"{row['destination']['namespace']}/{row['destination']['name']}"
        for each in of_kind("NetworkMap").values()
        for row in each["spec"]["map"]
        if row["destination"]["type"] == "multus"
    }
    assert used - set(of_kind("NetworkAttachmentDefinition")) == {"default/backup-net"}


def test_a_service_stands_for_each_vm_with_ports_on_the_pod_network() -> None:
    assert {"dev/dev-build-01", "dev/dev-win11-test"} <= set(of_kind("Service"))


def test_bridges_and_smoke_tests_come_first() -> None:
    policy = one("NodeNetworkConfigurationPolicy", "/acme-br-vm")["spec"]
    tags = policy["desiredState"]["interfaces"][0]["bridge"]["port"][0]["vlan"]["trunk-tags"]
    assert {tag.get("id") for tag in tags} >= {120, 140, 160, 170}
    pairs = {"web/smoke-web-prod-a", "web/smoke-web-prod-b", "data/smoke-db-prod-a", "data/smoke-db-prod-b"}
    assert pairs <= set(of_kind("VirtualMachine"))


def _storage() -> Iterator[tuple[str, str, str]]:
    """Yield class, access mode and volume mode of every volume that CDI makes."""
    for volume in of_kind("DataVolume").values():
        storage = volume["spec"]["storage"]
        yield storage["storageClassName"], storage["accessModes"][0], storage["volumeMode"]
    for each in of_kind("StorageMap").values():
        for row in each["spec"]["map"]:
            to = row["destination"]
            yield to["storageClass"], to["accessMode"], to["volumeMode"]


def test_disks_get_the_class_they_need() -> None:
    assert set(_storage()) == {
        ("ceph-block", "ReadWriteMany", "Block"),
        ("ceph-block", "ReadWriteOnce", "Block"),  # clones that need not live-migrate
        ("ceph-block-ec", "ReadWriteMany", "Block"),
        ("powerstore-fc", "ReadWriteMany", "Block"),
        ("local-nvme", "ReadWriteOnce", "Block"),
        ("hostpath", "ReadWriteOnce", "Filesystem"),
    }


def test_what_was_refused_is_said() -> None:
    refused = decisions()["db-01"]["disk-1"]["refused"]
    assert any(item.startswith("local-nvme: ") for item in refused)
    assert decisions()["db-01"]["live migration"]["value"] == "LiveMigrate"


def test_every_namespace_has_a_quota_with_its_basis() -> None:
    quotas = of_kind("ResourceQuota")
    limited = {namespace["name"] for namespace in spec()["namespaces"] if namespace.get("quota") != "none"}
    assert {name.partition("/")[0] for name in quotas} == limited
    basis = {name: quota["metadata"]["annotations"]["vmferry.dev/quota-basis"] for name, quota in quotas.items()}
    assert basis["shop/vmferry"] == "stated in the spec"
    assert "peak in phase stateful" in basis["data/vmferry"]


def test_clients_find_vms_with_new_addresses_by_a_script_of_the_zones_owner() -> None:
    [path] = (ACME / "gitops").rglob("dns-*.sh")
    assert path.relative_to(ACME / "gitops").as_posix() == "bases/dev-test/dev-test-03/dns-switch.sh"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("record ci-runner")]
    assert len(lines) == 4
    assert all(" 60 'A 10.20.140.21" in line for line in lines)


def test_a_guest_that_asks_for_its_address_keeps_it_by_a_reservation() -> None:
    result = vmferry("report", "addresses", ACME, "--format", "dnsmasq")
    assert "dhcp-host=00:50:56:8a:1f:35,10.20.140.190\n" in result.out
