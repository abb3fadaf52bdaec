"""Small trees on disk, built by the real kustomize: every check fires once, and once it nearly does."""

import copy
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.invocation import vmferry

from vmferry.kube.limits import MAX_OF_ROOT
from vmferry.layout.locks import Lock, render
from vmferry.model.finding import SpecError
from vmferry.verify.run import Report, verify
from vmferry.yaml import write as yaml

REQUIRED = os.environ.get("VMFERRY_REQUIRE_KUSTOMIZE") == "1"
pytestmark = [
    pytest.mark.kustomize,
    pytest.mark.skipif(
        not REQUIRED and not shutil.which("kustomize") and not shutil.which("kubectl"),
        reason="neither kustomize nor kubectl is installed",
    ),
]
CRDS = Path(os.environ.get("VMFERRY_SCHEMAS", Path(__file__).parents[3] / "shared/crds"))

NAMESPACE = "infra/namespaces/web"
BASE = "bases/first/web-01/machines"
OVERLAY = "overlays/first/web-01/all"
COMPONENT = "components/migrate"
CLUSTER = "clusters/prod-a"

VOLUMES = "/spec/template/spec/volumes"
EMPTY = {"name": "n", "emptyDisk": {"capacity": "1Gi"}}

Object = dict[str, Any]


def thing(api_version: str, kind: str, name: str, namespace: str | None = None, **fields: Any) -> Object:
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **place}, **fields}


def vm(name: str = "web-01", mac: str = "00:50:56:9a:10:01", claim: str = "web-01-disk-0") -> Object:
    devices = {
        "disks": [{"name": "disk-0", "disk": {"bus": "virtio"}}],
        "interfaces": [{"name": "nic-0", "macAddress": mac, "masquerade": {}}],
    }
    inner = {
        "domain": {"devices": devices},
        "networks": [{"name": "nic-0", "pod": {}}],
        "volumes": [{"name": "disk-0", "persistentVolumeClaim": {"claimName": claim}}],
    }
    spec = {"runStrategy": "Halted", "template": {"spec": inner}}
    return thing("kubevirt.io/v1", "VirtualMachine", name, "web", spec=spec)


def claim(name: str = "web-01-disk-0") -> Object:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "volumeMode": "Block",
        "storageClassName": "ceph-block",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    return thing("v1", "PersistentVolumeClaim", name, "web", spec=spec)


def config_map(name: str, **data: str) -> Object:
    return thing("v1", "ConfigMap", name, "web", data=data)


def flux(name: str, path: str, **fields: Any) -> Object:
    spec = {
        "interval": "10m",
        "prune": True,
        "path": path,
        "sourceRef": {"kind": "GitRepository", "name": "estate"},
        **fields,
    }
    return thing("kustomize.toolkit.fluxcd.io/v1", "Kustomization", name, "flux-system", spec=spec)


def patch(path: str, value: Any, op: str = "replace", **target: str) -> Object:
    text = yaml.dump([{"op": op, "path": path, "value": value}]).decode()
    return {"patch": text, "target": {"kind": "VirtualMachine", "name": "web-01", **target}}


class Sketch:
    """A tree in the making: what each directory holds. ``extra`` files are in no lock."""

    def __init__(self) -> None:
        self.objects: dict[str, list[Object]] = {
            NAMESPACE: [thing("v1", "Namespace", "web")],
            BASE: [vm(), claim()],
            CLUSTER: [
                thing(
                    "source.toolkit.fluxcd.io/v1",
                    "GitRepository",
                    "estate",
                    "flux-system",
                    spec={"interval": "10m", "url": "https://git.acme.example/estate.git"},
                ),
                flux("namespace-web", f"./gitops/{NAMESPACE}"),
                flux("first-web-01", f"./gitops/{OVERLAY}", dependsOn=[{"name": "namespace-web"}]),
            ],
        }
        self.patches: list[Object] = [patch("/spec/runStrategy", "Always")]
        self.components: dict[str, list[Object]] = {COMPONENT: [], f"{OVERLAY}/local": []}
        self.files: dict[str, bytes] = {}
        self.extra: dict[str, bytes] = {}

    @property
    def machine(self) -> Object:
        return self.objects[BASE][0]

    def render(self) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        for directory, objects in self.objects.items():
            names = [f"{obj['kind'].lower()}-{obj['metadata']['name']}.yaml" for obj in objects]
            for name, obj in zip(names, objects, strict=True):
                files[f"{directory}/{name}"] = yaml.dump(obj)
            files[f"{directory}/kustomization.yaml"] = kustomization(resources=names)
        for directory, patches in self.components.items():
            files[f"{directory}/kustomization.yaml"] = kustomization("Component", patches=patches)
        up = "../../../../"
        files[f"{OVERLAY}/kustomization.yaml"] = kustomization(
            resources=[f"{up}{BASE}"], components=[f"{up}{COMPONENT}", "local"], patches=self.patches
        )
        return files | self.files

    def write(self, directory: Path) -> None:
        files = self.render()
        seeds = {path: files[path] for path in files if "/local/" in path}
        digests = {path: hashlib.sha256(files[path]).hexdigest() for path in files}
        owned = {path: digest for path, digest in digests.items() if path not in seeds}
        lock = Lock("first", "0", owned, {path: digests[path] for path in seeds})
        for path, content in {**files, "locks/first.lock": render(lock), **self.extra}.items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_bytes(content)


def kustomization(kind: str = "Kustomization", **fields: Any) -> bytes:
    version = "v1alpha1" if kind == "Component" else "v1beta1"
    content = {"apiVersion": f"kustomize.config.k8s.io/{version}", "kind": kind, **fields}
    return yaml.dump(content)  # kustomize refuses a component without any field, not one with empty lists


@pytest.fixture
def sketch() -> Sketch:
    return Sketch()


@pytest.fixture
def check(tmp_path: Path, sketch: Sketch) -> Callable[[], Report]:
    def run() -> Report:
        sketch.write(tmp_path / "gitops")
        return verify(tmp_path, [])

    return run


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


def only(report: Report, code: str) -> Any:
    assert codes(report) == [code], report.findings
    return report.findings[0]


# --- the tree as a whole ----------------------------------------------------------------------------


def test_a_sound_tree_has_no_findings_and_says_what_was_checked(check: Callable[[], Report]) -> None:
    report = check()
    assert report.findings == ()
    assert report.roots == 4
    assert report.slowest in (NAMESPACE, BASE, OVERLAY, CLUSTER)
    assert report.seconds > 0
    assert report.checked == {("v1", "Namespace"): 1, ("v1", "PersistentVolumeClaim"): 1}
    assert report.unchecked == {"GitRepository": 1, "Kustomization": 2, "VirtualMachine": 1}
    assert report.external == {"Namespace": ("flux-system",)}


@pytest.mark.skipif(not CRDS.is_dir(), reason=f"no schemas in {CRDS} (set VMFERRY_SCHEMAS)")
def test_the_real_schemas_know_every_kind(tmp_path: Path, sketch: Sketch) -> None:
    sketch.write(tmp_path)
    report = verify(tmp_path, [CRDS])
    assert report.findings == ()
    assert report.unchecked == {}
    assert report.checked["kubevirt.io/v1", "VirtualMachine"] == 1


def test_the_tree_is_found_by_itself_and_in_a_folder_below(tmp_path: Path, sketch: Sketch) -> None:
    sketch.write(tmp_path / "deploy/gitops")
    for objects in sketch.objects[CLUSTER][1:]:
        objects["spec"]["path"] = objects["spec"]["path"].replace("./", "./deploy/")
    sketch.write(tmp_path / "deploy/gitops")
    for directory in (tmp_path, tmp_path / "deploy", tmp_path / "deploy/gitops"):
        report = verify(directory, [])
        assert report.findings == ()
        assert report.tree == tmp_path / "deploy/gitops"


def test_a_directory_without_a_tree_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    with pytest.raises(SpecError, match=r"VMF603 .* contains no compiled tree"):
        verify(tmp_path, [])


def test_two_trees_in_one_directory_are_an_error(tmp_path: Path, sketch: Sketch) -> None:
    sketch.write(tmp_path / "one")
    sketch.write(tmp_path / "two")
    with pytest.raises(SpecError, match=r"VMF603 .* contains 2 compiled trees"):
        verify(tmp_path, [])


def test_progress_counts_the_roots(tmp_path: Path, sketch: Sketch) -> None:
    sketch.write(tmp_path)
    steps: list[tuple[int, int]] = []
    verify(tmp_path, [], progress=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_missing_schemas_are_an_error(tmp_path: Path, sketch: Sketch) -> None:
    sketch.write(tmp_path)
    with pytest.raises(SpecError, match=r"VMF009 .* is not a directory of schemas"):
        verify(tmp_path, [tmp_path / "nowhere"])


# --- builds -----------------------------------------------------------------------------------------


def test_a_root_that_does_not_build_is_reported_with_a_relative_path(
    check: Callable[[], Report], sketch: Sketch, tmp_path: Path
) -> None:
    sketch.files[f"{NAMESPACE}/kustomization.yaml"] = kustomization(resources=["gone.yaml"])
    finding = only(check(), "VMF605")
    assert f"{NAMESPACE}/gone.yaml" in finding.message
    assert str(tmp_path) not in finding.message
    assert finding.where.file == str(tmp_path / "gitops" / NAMESPACE / "kustomization.yaml")


def test_a_resource_from_the_network_is_not_fetched(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.files[f"{NAMESPACE}/kustomization.yaml"] = kustomization(resources=["https://example.com/namespace.yaml"])
    assert codes(check()) == ["VMF605"]


def test_a_root_of_more_than_300_resources_is_refused(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.objects[NAMESPACE] += [config_map(f"c-{number}") for number in range(MAX_OF_ROOT)]
    assert f"holds {MAX_OF_ROOT + 1} resources" in only(check(), "VMF609").message


def test_a_root_of_300_resources_is_fine(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.objects[NAMESPACE] += [config_map(f"c-{number}") for number in range(MAX_OF_ROOT - 1)]
    assert codes(check()) == []


# --- schemas ----------------------------------------------------------------------------------------


def test_a_built_in_kind_is_checked_strictly_and_found_in_its_file(
    check: Callable[[], Report], sketch: Sketch, tmp_path: Path
) -> None:
    sketch.objects[BASE][1]["spec"]["storageClass"] = "ceph-block"
    finding = only(check(), "VMF606")
    assert "`spec`" in finding.message
    assert "storageClass" in finding.message
    file = tmp_path / "gitops" / BASE / "persistentvolumeclaim-web-01-disk-0.yaml"
    assert (finding.where.file, finding.where.path) == (str(file), ("spec",))


def test_a_schema_in_a_directory_comes_first(tmp_path: Path, sketch: Sketch) -> None:
    schema = {"properties": {"spec": {"properties": {"runStrategy": {"enum": ["Always"]}}}}}
    folder = tmp_path / "schemas/kubevirt.io"
    folder.mkdir(parents=True)
    (folder / "virtualmachine_v1.json").write_text(json.dumps(schema))
    sketch.write(tmp_path / "gitops")
    report = verify(tmp_path, [folder.parent])
    finding = only(report, "VMF606")
    assert "at `spec.runStrategy`" in finding.message
    assert finding.where.path == ("spec", "runStrategy")
    assert report.checked["kubevirt.io/v1", "VirtualMachine"] == 1


def test_a_group_that_only_looks_built_in_has_no_schema(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.objects[BASE].append(thing("batch.acme.example/v1", "Job", "j", "web", anything=True))
    report = check()
    assert codes(report) == []
    assert report.unchecked["Job"] == 1


def test_a_secrets_value_stays_out_of_the_message(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.objects[BASE].append(thing("v1", "Secret", "s", "web", stringData={"password": 1234567}))
    assert "1234567" not in only(check(), "VMF606").message


def test_a_broken_schema_is_an_error(tmp_path: Path, sketch: Sketch) -> None:
    (tmp_path / "schemas/kubevirt.io").mkdir(parents=True)
    (tmp_path / "schemas/kubevirt.io/virtualmachine_v1.json").write_text("{")
    sketch.write(tmp_path / "gitops")
    with pytest.raises(SpecError, match=r"VMF009 schema .* cannot be used"):
        verify(tmp_path, [tmp_path / "schemas"])


def test_numbers_that_only_look_like_text_stay_text(check: Callable[[], Report], sketch: Sketch) -> None:
    odd = ("0755", "1e3", "12:34:56", "_1", "._1", "on", "1_0", "2026-01-01", "0o14", "~", "=")
    sketch.objects[BASE].append(config_map("odd", **{f"k{at}": text for at, text in enumerate(odd)}))
    assert codes(check()) == []


# --- networks ---------------------------------------------------------------------------------------


def nad(config: str) -> Object:
    return thing("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition", "vlan120", "web", spec={"config": config})


def test_a_network_that_is_not_json_is_reported(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.objects[NAMESPACE].append(nad('{"type": "bridge"'))
    finding = only(check(), "VMF204")
    assert finding.where.path == ("spec", "config")


def test_a_sound_network_is_fine(check: Callable[[], Report], sketch: Sketch) -> None:
    config = {"cniVersion": "0.3.1", "name": "vlan120", "type": "bridge", "bridge": "br-vm", "vlan": 120}
    sketch.objects[NAMESPACE].append(nad(json.dumps(config)))
    assert codes(check()) == []


# --- references (each kind of them: test_references.py) ---------------------------------------------


def test_a_claim_that_nobody_makes_dangles_at_its_line(
    check: Callable[[], Report], sketch: Sketch, tmp_path: Path
) -> None:
    sketch.objects[BASE][0] = vm(claim="web-01-disk-1")
    finding = only(check(), "VMF607")
    assert "PersistentVolumeClaim web/web-01-disk-1" in finding.message
    assert finding.where.file == str(tmp_path / "gitops" / BASE / "virtualmachine-web-01.yaml")
    volume = ("spec", "template", "spec", "volumes", 0)
    assert finding.where.path == (*volume, "persistentVolumeClaim", "claimName")


def test_a_finding_in_a_file_of_several_objects_has_the_line_of_its_object(
    check: Callable[[], Report], sketch: Sketch, tmp_path: Path
) -> None:
    sketch.objects[BASE] = []
    documents = [yaml.dump(claim(), comment="Compiled"), yaml.dump(vm(claim="web-01-disk-1"))]
    sketch.files[f"{BASE}/web-01.yaml"] = b"---\n".join(documents)
    sketch.files[f"{BASE}/kustomization.yaml"] = kustomization(resources=["web-01.yaml"])
    finding = only(check(), "VMF607")
    assert (finding.where.file, finding.where.document) == (str(tmp_path / "gitops" / BASE / "web-01.yaml"), 1)
    found = vmferry("verify", tmp_path, "--format", "json").data["findings"]
    [told] = [each for each in found if each["code"] == "VMF607"]
    lines = (tmp_path / "gitops" / BASE / "web-01.yaml").read_text().splitlines()
    assert "claimName: web-01-disk-1" in lines[told["line"] - 1]


def test_a_network_of_somebody_elses_has_to_be_listed(check: Callable[[], Report], sketch: Sketch) -> None:
    inner = sketch.machine["spec"]["template"]["spec"]
    inner["networks"] = [{"name": "nic-0", "multus": {"networkName": "shared/dmz"}}]
    assert "NetworkAttachmentDefinition shared/dmz" in only(check(), "VMF607").message
    sketch.files["locks/external.txt"] = b"# not ours\nNetworkAttachmentDefinition shared/dmz\n"
    report = check()
    assert codes(report) == []
    assert report.external["NetworkAttachmentDefinition"] == ("shared/dmz",)


def test_a_list_of_externals_that_is_not_one_is_reported(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.files["locks/external.txt"] = b"shared/dmz\n"
    assert "line 1" in only(check(), "VMF603").message


def test_a_planned_group_is_only_a_base_and_counts_for_references(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.objects["bases/second/db/machines"] = [vm("db", mac="00:50:56:9a:10:02", claim="db-disk-0")]
    assert "db-disk-0" in only(check(), "VMF607").message
    sketch.objects["bases/second/db/volumes"] = [claim("db-disk-0")]
    assert codes(check()) == []


def test_references_wait_until_every_root_builds(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.objects[BASE][0] = vm(claim="web-01-disk-1")
    sketch.files[f"{NAMESPACE}/kustomization.yaml"] = b"resources: [gone.yaml]\n"
    assert codes(check()) == ["VMF605"]


# --- what is synced ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("./gitops/overlays/first/web-02/all", "does not exist"),
        (f"./elsewhere/{OVERLAY}", "does not exist"),
        ("./gitops/overlays/first", "has no kustomization.yaml"),
        (f"./gitops/{COMPONENT}", "has no kustomization.yaml"),
    ],
)
def test_a_flux_kustomization_leads_to_a_root(
    check: Callable[[], Report], sketch: Sketch, path: str, problem: str
) -> None:
    sketch.objects[CLUSTER][2]["spec"]["path"] = path
    finding = only(check(), "VMF607")
    assert problem in finding.message
    assert finding.where.path == ("spec", "path")


@pytest.mark.parametrize("path", [f"gitops/{OVERLAY}", f"/gitops/{OVERLAY}/", f"./gitops/./{OVERLAY}"])
def test_a_path_may_be_spelled_in_several_ways(check: Callable[[], Report], sketch: Sketch, path: str) -> None:
    sketch.objects[CLUSTER][2]["spec"]["path"] = path
    assert codes(check()) == []


def application(path: str, project: str = "estate") -> Object:
    source = {"repoURL": "https://git.acme.example/estate.git", "path": path}
    return thing("argoproj.io/v1alpha1", "Application", "web", "argocd", spec={"project": project, "source": source})


def test_an_argocd_application_leads_to_a_root_and_has_a_project(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.objects[CLUSTER] = [
        thing("argoproj.io/v1alpha1", "AppProject", "estate", "argocd", spec={}),
        application(f"gitops/{OVERLAY}"),
    ]
    assert codes(check()) == []
    sketch.objects[CLUSTER][1] = application("gitops/overlays/gone", project="other")
    assert codes(check()) == ["VMF607", "VMF607"]


def test_an_object_in_two_roots_is_refused(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.objects["infra/cluster"] = [claim()]
    assert codes(check()) == []  # nothing syncs it
    sketch.objects[CLUSTER].append(flux("cluster", "./gitops/infra/cluster"))
    message = only(check(), "VMF610").message
    assert message.startswith("PersistentVolumeClaim web/web-01-disk-0 is in 2 roots")


def test_a_root_that_is_synced_twice_is_refused(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.objects[CLUSTER].append(flux("again", f"./gitops/{OVERLAY}"))
    assert "is synced twice, by Kustomization flux-system/again and" in only(check(), "VMF610").message


def test_a_part_of_a_cluster_is_synced_once(check: Callable[[], Report], sketch: Sketch) -> None:
    part = f"{CLUSTER}/first"
    sketch.objects[part] = [sketch.objects[CLUSTER].pop()]
    sketch.objects[CLUSTER].append(flux("first", f"./gitops/{part}"))
    assert codes(check()) == []
    resources = ["first", *(f"{obj['kind'].lower()}-{obj['metadata']['name']}.yaml" for obj in sketch.objects[CLUSTER])]
    sketch.files[f"{CLUSTER}/kustomization.yaml"] = kustomization(resources=resources)
    assert codes(check()) == ["VMF610"]


# --- patches ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        {"name": "web"},  # anchored: not a prefix
        {"namespace": "default"},
        {"kind": "VirtualMachineInstance"},
        {"group": "cdi.kubevirt.io"},
        {"version": "v2"},
        {"labelSelector": "tier=web"},
        {"annotationSelector": "tier"},
    ],
)
def test_a_patch_that_matches_nothing_is_reported(
    check: Callable[[], Report], sketch: Sketch, target: dict[str, str]
) -> None:
    sketch.patches.append(patch("/spec/runStrategy", "Always", **target))
    finding = only(check(), "VMF608")
    assert "matches no object" in finding.message
    assert finding.where.path == ("patches", 1)


@pytest.mark.parametrize(
    "target",
    [
        {"name": "web-.*"},
        {"name": r"web-0[1-9]", "namespace": "we."},
        {"group": "kubevirt.io", "version": "v1"},
        {"labelSelector": "tier in (web, db),!old"},
    ],
)
def test_a_patch_that_matches_by_pattern_is_fine(
    check: Callable[[], Report], sketch: Sketch, target: dict[str, str]
) -> None:
    sketch.machine["metadata"]["labels"] = {"tier": "web"}
    sketch.patches.append(patch("/spec/runStrategy", "Always", **target))
    assert codes(check()) == []


def test_a_shared_component_may_match_nothing_but_the_local_one_may_not(
    check: Callable[[], Report], sketch: Sketch
) -> None:
    sketch.components[COMPONENT] = [patch("/spec/runStrategy", "Always", name="other")]
    assert codes(check()) == []
    sketch.components[f"{OVERLAY}/local"] = [patch("/spec/runStrategy", "Always", name="other")]
    assert "local/kustomization.yaml" in only(check(), "VMF608").where.file


def test_the_patches_of_a_stage_have_to_match_and_the_users_may_undo_them(
    check: Callable[[], Report], sketch: Sketch
) -> None:
    stage = f"{OVERLAY}/stage"
    sketch.patches, up = [], "../../../../"
    sketch.components[stage] = [patch("/spec/runStrategy", "Always")]
    sketch.components[f"{OVERLAY}/local"] = [patch("/spec/runStrategy", "Halted")]
    sketch.files[f"{OVERLAY}/kustomization.yaml"] = kustomization(
        resources=[f"{up}{BASE}"], components=[f"{up}{COMPONENT}", "stage", "local"]
    )
    assert codes(check()) == []
    sketch.components[stage] = [patch("/spec/runStrategy", "Always", name="other")]
    assert "stage/kustomization.yaml" in only(check(), "VMF608").where.file


def test_a_patched_value_that_the_output_does_not_have_is_reported(check: Callable[[], Report], sketch: Sketch) -> None:
    # kustomize's replacements run after its patches.
    replacement = {
        "source": {"kind": "VirtualMachine", "fieldPath": "metadata.name"},
        "targets": [{"select": {"kind": "VirtualMachine"}, "fieldPaths": ["spec.runStrategy"]}],
    }
    sketch.files[f"{OVERLAY}/kustomization.yaml"] = kustomization(
        resources=[f"../../../../{BASE}"], patches=sketch.patches, replacements=[replacement]
    )
    message = only(check(), "VMF608").message
    assert 'the value is "web-01" instead of "Always" at `/spec/runStrategy`' in message


@pytest.mark.parametrize(
    "patches",
    [
        [patch("/metadata/annotations/acme.example~1note", "1", op="add")],
        [patch("/metadata/labels", {"a": "b", "c": "d"}, op="add")],
        [patch(f"{VOLUMES}/-", EMPTY, op="add")],
        [patch(f"{VOLUMES}/0", EMPTY, op="add")],
        [patch("/spec/runStrategy", None, op="remove")],
        [patch(f"{VOLUMES}/0", None, op="remove")],
        [patch("/spec/runStrategy", "Manual"), patch("/spec/runStrategy", "Always")],
        [patch("/metadata/labels", {"a": "b"}, op="add"), patch("/metadata/labels/a", "c")],
        [patch("/spec/template/metadata", {"labels": {"on": "12:30:00"}}, op="add")],
        # An item that is put in, or taken out, moves what was patched before.
        [patch(f"{VOLUMES}/0/name", "x"), patch(f"{VOLUMES}/0", EMPTY, op="add")],
        [patch(f"{VOLUMES}/0", EMPTY, op="add"), patch(f"{VOLUMES}/0", None, op="remove")],
        [patch(f"{VOLUMES}/0", EMPTY, op="add"), patch(f"{VOLUMES}/-", {**EMPTY, "name": "m"}, op="add")],
        [patch(VOLUMES, [EMPTY]), patch(f"{VOLUMES}/-", {**EMPTY, "name": "m"}, op="add")],
        [patch("/metadata/annotations", {"a~b": "1"}, op="add"), patch("/metadata/annotations/a~0b", "2")],
    ],
)
def test_what_patches_do_is_recognised(check: Callable[[], Report], sketch: Sketch, patches: list[Object]) -> None:
    sketch.patches = copy.deepcopy(patches)
    for entry in sketch.patches:
        if "remove" in entry["patch"]:
            entry["patch"] = entry["patch"].replace("  value: null\n", "")
    report = check()
    assert codes(report) == []


def test_a_component_is_overruled_by_the_overlay(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.components[COMPONENT] = [patch("/spec/runStrategy", "Manual")]
    assert codes(check()) == []


def test_a_json6902_patch_in_a_file_is_checked(check: Callable[[], Report], sketch: Sketch) -> None:
    operations = [{"op": "replace", "path": "/spec/runStrategy", "value": "Once"}]
    sketch.files[f"{OVERLAY}/patch.yaml"] = yaml.dump(operations)
    sketch.patches = [{"path": "patch.yaml", "target": {"kind": "VirtualMachine", "name": "web-01"}}]
    assert codes(check()) == []
    sketch.patches[0]["target"]["name"] = "web-02"
    assert codes(check()) == ["VMF608"]


def test_a_strategic_merge_patch_in_a_file_is_checked(check: Callable[[], Report], sketch: Sketch) -> None:
    merge = thing("kubevirt.io/v1", "VirtualMachine", "web-01", "web", spec={"runStrategy": "Once"})
    sketch.files[f"{OVERLAY}/merge.yaml"] = yaml.dump(merge)
    sketch.patches = [{"path": "merge.yaml"}]
    assert codes(check()) == []
    sketch.patches = [{"path": "merge.yaml", "target": {"kind": "VirtualMachine", "name": "web-02"}}]
    assert codes(check()) == ["VMF608"]


# --- what VMs share ---------------------------------------------------------------------------------


def test_a_mac_address_is_used_once_over_the_whole_tree(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.objects["bases/second/db/machines"] = [
        vm("db", mac="00-50-56-9A-10-01", claim="db-disk-0"),
        claim("db-disk-0"),
    ]
    finding = only(check(), "VMF206")
    assert "00:50:56:9a:10:01 of VirtualMachine web/web-01 (nic-0)" in finding.message
    assert finding.where.path[-1] == "macAddress"


def test_two_vms_must_not_write_to_one_claim(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.objects[BASE].append(vm("web-02", mac="00:50:56:9a:10:02"))
    assert "is mounted by 2 VMs: web-01, web-02" in only(check(), "VMF610").message


@pytest.mark.parametrize("disk", [{"shareable": True, "disk": {"bus": "virtio"}}, {"cdrom": {"bus": "sata"}}])
def test_two_vms_may_share_a_disk_that_is_meant_to(check: Callable[[], Report], sketch: Sketch, disk: Object) -> None:
    sketch.objects[BASE].append(vm("web-02", mac="00:50:56:9a:10:02"))
    for machine in (sketch.objects[BASE][0], sketch.objects[BASE][2]):
        machine["spec"]["template"]["spec"]["domain"]["devices"]["disks"] = [{"name": "disk-0", **disk}]
    assert codes(check()) == []


# --- locks ------------------------------------------------------------------------------------------


def test_a_file_edited_by_hand_is_reported(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.extra[f"{NAMESPACE}/namespace-web.yaml"] = yaml.dump(thing("v1", "Namespace", "web")) + b"# mine\n"
    assert "namespace-web.yaml` was edited by hand" in only(check(), "VMF601").message


def test_a_missing_file_is_reported(tmp_path: Path, sketch: Sketch) -> None:
    sketch.files["bastion.sh"] = b"#!/bin/sh\n"
    sketch.write(tmp_path)
    (tmp_path / "bastion.sh").unlink()
    assert "`bastion.sh` is missing" in only(verify(tmp_path, []), "VMF604").message


def test_a_manifest_of_somebody_elses_among_ours_is_reported(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.extra[f"{NAMESPACE}/mine.yaml"] = yaml.dump(config_map("mine"))
    assert "mine.yaml` is not vmferry's" in only(check(), "VMF602").message


def test_files_of_the_users_own_are_no_business_of_ours(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.extra = {
        f"{OVERLAY}/local/mine.yaml": yaml.dump(config_map("mine")),
        f"{OVERLAY}/local/kustomization.yaml": kustomization("Component", resources=["mine.yaml"]),
        f"{NAMESPACE}/README.md": b"hello\n",
        "notes/mine.yaml": b"a: 1\n",
    }
    assert codes(check()) == []


def test_a_manifest_in_a_folder_of_its_own_is_read_by_nobody(check: Callable[[], Report], sketch: Sketch) -> None:
    for name in ("one", "two"):
        sketch.extra[f"{NAMESPACE}/more/{name}.yaml"] = yaml.dump(config_map(name))
    message = only(check(), "VMF613").message
    assert message == f"`{NAMESPACE}/more/one.yaml` and 1 more there is not vmferry's, and nothing in the tree reads it"


def test_flux_bootstrapped_into_the_entry_point_would_prune_itself(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.extra = {
        f"{CLUSTER}/flux-system/gotk-sync.yaml": yaml.dump(config_map("gotk-sync")),
        f"{CLUSTER}/flux-system/kustomization.yaml": kustomization(resources=["gotk-sync.yaml"]),
    }
    assert "bootstrap Flux with a different --path" in only(check(), "VMF613").help


def test_what_a_component_of_the_users_own_refers_to_is_read(check: Callable[[], Report], sketch: Sketch) -> None:
    up = "../../../../../"
    shared = {"path": f"{up}infra/shared/patch.yaml", "target": {"kind": "VirtualMachine"}}
    sketch.extra = {
        "infra/shared/patch.yaml": b"- op: add\n  path: /spec/template/spec/hostname\n  value: web\n",
        "infra/shared/more/kustomization.yaml": kustomization(resources=["deeper"]),
        "infra/shared/more/deeper/kustomization.yaml": kustomization(resources=["mine.yaml"]),
        "infra/shared/more/deeper/mine.yaml": yaml.dump(config_map("mine")),
        f"{OVERLAY}/local/kustomization.yaml": kustomization(
            "Component", resources=[f"{up}infra/shared/more"], patches=[shared, patch("/spec/runStrategy", "Always")]
        ),
    }
    assert [code for code in codes(check()) if code == "VMF613"] == []


KEEP = {
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
    "argocd.argoproj.io/sync-options": "Delete=false, Prune=false",
}


@pytest.mark.parametrize(
    ("annotations", "lacks"),
    [
        (KEEP, ""),
        (KEEP | {"kustomize.toolkit.fluxcd.io/prune": "enabled"}, "kustomize.toolkit.fluxcd.io/prune: disabled"),
        (KEEP | {"argocd.argoproj.io/sync-options": "Prune=false"}, "argocd.argoproj.io/sync-options: Delete=false"),
    ],
)
def test_a_vm_that_an_engine_may_delete_is_reported(
    check: Callable[[], Report], sketch: Sketch, annotations: dict[str, str], lacks: str
) -> None:
    labels = {"app.kubernetes.io/managed-by": "vmferry", "vmferry.dev/group": "web-01"}
    sketch.machine["metadata"] |= {"labels": labels, "annotations": annotations}
    found = [finding for finding in check().findings if finding.code == "VMF614"]
    assert {finding.message.partition(" lacks ")[2] for finding in found} == ({lacks} if lacks else set())


def test_a_vm_that_proves_a_network_may_be_deleted(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.machine["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "vmferry"}
    assert codes(check()) == []


def test_a_namespace_without_any_annotation_is_reported(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.objects[NAMESPACE][0]["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "vmferry"}
    assert "Namespace web lacks kustomize.toolkit.fluxcd.io/prune: disabled and" in only(check(), "VMF614").message


def test_a_lock_with_a_merge_conflict_is_reported(check: Callable[[], Report], sketch: Sketch) -> None:
    sketch.extra["locks/second.lock"] = b"# vmferry lock v1\n<<<<<<< HEAD\n"
    assert "merge conflict" in only(check(), "VMF603").message


def test_findings_come_in_one_order_whatever_the_hash_seed(tmp_path: Path, sketch: Sketch) -> None:
    sketch.objects[BASE] = [vm(f"web-0{number}", claim=f"gone-{number}") for number in range(1, 6)]
    sketch.write(tmp_path)
    script = "import sys, pathlib; from vmferry.verify.run import verify; "
    script += "print(*(f'{f.code} {f.message}' for f in verify(pathlib.Path(sys.argv[1]), []).findings), sep='\\n')"
    outputs = set()
    for seed in ("1", "2"):
        command = [sys.executable, "-c", script, str(tmp_path)]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        outputs.add(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert len(outputs) == 1
    assert outputs.pop().count(b"VMF607") == 5
