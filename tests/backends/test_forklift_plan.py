"""What Plans, StorageMaps and Hooks say of copies and conversions, held against the schemas of each Forklift."""

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace
from tests.backends import estate, schemas
from tests.backends.estate import disk, group, machine

from vmferry.backends import forklift, namespaces
from vmferry.kube import kinds
from vmferry.model.blueprint import ArrayCopy, Blueprint, HookPlan, PlanOptions, ScriptPlan, XcopyCopy
from vmferry.model.forklift import AapJob, ConversionStorage, ConvertorPods, CsiImport, NodeTerm

FILES = ScriptPlan(
    name="agent",
    config_map="acme-scripts-agent",
    namespace="konveyor-forklift",
    scripts={"20_win_firstboot_a.ps1": "exit\n", "10_linux_run_a.sh": "true\n"},
)
EXISTING = ScriptPlan(name="theirs", config_map="guests", namespace="tools")
EVERYTHING = PlanOptions(
    conversion_storage=ConversionStorage(storage_class="ceph-block", size="200Gi"),
    convertor=ConvertorPods(
        labels={"team": "move"},
        node_selector={"disk": "fast"},
        require_nodes=(NodeTerm(key="zone", operator="In", values=("a", "b")),),
        prefer_nodes=(NodeTerm(key="nvme"),),
        spread=True,
    ),
    service_account="mover",
    virt_v2v_image="registry.example.com/v2v:1",
    xfs_compatibility=True,
    scripts="agent",
    tags=("prod", "owner"),
    legacy_drivers=False,
)
BY_ARRAY = ArrayCopy(
    xcopy=XcopyCopy(secret="ontap", product="ontap", hosts=("host-21",)),
    csi=CsiImport(secret_ref="ontap", storage_vendor_product="ontap"),
)


def blueprint(options: PlanOptions, version: str = "main", **fields: Any) -> Blueprint:
    """Return a migration whose one group has these options."""
    vm = machine(
        "web-01",
        forklift=options,
        nested_virtualization=fields.pop("nested", None),
        rdm_as_lun=fields.pop("luns", False),
        scsi_reservation=fields.pop("reservation", False),
        disks=(disk("web-01", 0, offload=fields.get("offload")),),
    )
    given: dict[str, Any] = {"forklift": options}
    if (copy := fields.pop("offload", None)) is not None:
        given["storage"] = (replace(estate.group("x-01", "cold").storage[0], offload=copy),)
    return estate.blueprint(
        group("stateless-01", fields.pop("method", "cold"), vm, **given),
        forklift=version,
        scripts=(FILES, EXISTING),
        **fields,
    )


def plan(options: PlanOptions | None, version: str = "main", **fields: Any) -> dict[str, Any]:
    items = list(forklift.emit(blueprint(options, version, **fields)))
    found: dict[str, Any] = schemas.named(items, "Plan", "acme-stateless-01")["spec"]
    return found


def row(copy: ArrayCopy) -> dict[str, Any]:
    items = list(forklift.emit(blueprint(PlanOptions(), offload=copy)))
    [found] = schemas.named(items, "StorageMap", "acme-stateless-01")["spec"]["map"]
    result: dict[str, Any] = found
    return result


# --- conversion ------------------------------------------------------------------------------


def test_a_group_without_options_says_nothing_of_its_conversion() -> None:
    said = plan(PlanOptions())
    assert (said["skipGuestConversion"], said["useCompatibilityMode"]) == (False, True)
    assert not {key for key in said if key.startswith(("convert", "conversion", "custom", "virtV2v", "tag", "install"))}


def test_a_plan_says_how_its_vms_are_converted() -> None:
    said = plan(EVERYTHING)
    assert (said["conversionTempStorageClass"], said["conversionTempStorageSize"]) == ("ceph-block", "200Gi")
    assert said["convertorLabels"] == {"team": "move"}
    assert said["convertorNodeSelector"] == {"disk": "fast"}
    assert said["serviceAccount"] == "mover"
    assert said["virtV2vImage"] == "registry.example.com/v2v:1"
    assert said["xfsCompatibility"] is True
    assert said["installLegacyDrivers"] is False
    assert said["customizationScripts"] == {"namespace": "konveyor-forklift", "name": "acme-scripts-agent"}


def test_conversion_pods_find_their_nodes_and_keep_apart() -> None:
    affinity = plan(EVERYTHING)["convertorAffinity"]
    node, apart = affinity["nodeAffinity"], affinity["podAntiAffinity"]
    [required] = node["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert required == {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}
    [preferred] = node["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["preference"] == {"matchExpressions": [{"key": "nvme", "operator": "Exists"}]}
    [term] = apart["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["labelSelector"] == {"matchLabels": {"forklift.app": "virt-v2v"}}


@pytest.mark.parametrize(
    ("tags", "said"),
    [("none", {"disabled": True}), ((), {"disabled": True}), (("b", "a"), {"labelTags": ["a", "b"]}), ("all", None)],
)
def test_no_tag_is_not_every_tag(tags: Any, said: Any) -> None:
    assert plan(PlanOptions(tags=tags)).get("tagMapping") == said


@pytest.mark.parametrize("emulated", [True, False])
def test_a_guest_that_nobody_converts_is_copied_as_it_is(emulated: bool) -> None:
    said = plan(PlanOptions(raw=True, emulated=emulated))
    assert (said["skipGuestConversion"], said["useCompatibilityMode"]) == (True, emulated)


def test_a_vm_says_what_its_guest_may_do() -> None:
    [entry] = plan(PlanOptions(), nested=False, luns=True, reservation=True)["vms"]
    assert (entry["enableNestedVirtualization"], entry["rdmAsLun"], entry["scsiReservation"]) == (False, True, True)
    [entry] = plan(PlanOptions())["vms"]
    assert not {"enableNestedVirtualization", "rdmAsLun", "scsiReservation"} & set(entry)


# --- scripts ---------------------------------------------------------------------------------


def test_scripts_lie_in_a_config_map_that_is_there_before_the_plan() -> None:
    items = list(forklift.emit(blueprint(EVERYTHING)))
    found = schemas.named(items, "ConfigMap", "acme-scripts-agent")
    assert list(found["data"]) == ["10_linux_run_a.sh", "20_win_firstboot_a.ps1"]
    assert found["metadata"]["namespace"] == "konveyor-forklift"
    assert {each.directory for each in items if getattr(each, "object", None) is found} == {forklift.SHARED}
    schemas.assert_fits(found)


def test_an_existing_config_map_is_referred_to_and_not_emitted() -> None:
    only = replace(blueprint(PlanOptions(scripts="theirs")), scripts=(EXISTING,))
    items = list(forklift.emit(only))
    assert "ConfigMap" not in {obj["kind"] for obj in schemas.objects(items)}
    said = schemas.named(items, "Plan", "acme-stateless-01")["spec"]["customizationScripts"]
    assert said == {"namespace": "tools", "name": "guests"}


def test_scripts_alone_need_the_shared_root() -> None:
    existing = {"forklift_provider": "host", "hooks": ()}
    assert forklift.has_shared(blueprint(EVERYTHING, **existing))
    assert not forklift.has_shared(replace(blueprint(EVERYTHING, **existing), scripts=(EXISTING,)))


def rights(made: Blueprint) -> set[str]:
    role = schemas.named(list(namespaces.emit(made)), "Role", "vmferry-applier-acme")
    return {name for each in role["rules"] for name in each["resources"]}


def test_who_applies_the_tree_may_write_the_scripts() -> None:
    assert "configmaps" in rights(blueprint(EVERYTHING))
    assert "configmaps" not in rights(replace(blueprint(EVERYTHING), scripts=(EXISTING,)))


# --- copies by the array ---------------------------------------------------------------------


def test_a_row_says_how_the_array_copies() -> None:
    assert row(BY_ARRAY)["offloadPlugin"] == {
        "vsphereXcopyConfig": {
            "secretRef": "ontap",
            "storageVendorProduct": "ontap",
            "dedicatedMigrationHosts": ["host-21"],
        },
        "csiVolumeImport": {"secretRef": "ontap", "storageVendorProduct": "ontap"},
    }


def test_a_row_names_only_the_plug_in_it_has() -> None:
    assert set(row(replace(BY_ARRAY, csi=None))["offloadPlugin"]) == {"vsphereXcopyConfig"}
    assert set(row(replace(BY_ARRAY, xcopy=None))["offloadPlugin"]) == {"csiVolumeImport"}
    assert "dedicatedMigrationHosts" not in str(row(ArrayCopy(xcopy=XcopyCopy(secret="s", product="ontap"))))


# --- hooks -----------------------------------------------------------------------------------


def hook(aap: AapJob, timeout: int | None = None) -> dict[str, Any]:
    plan_ = HookPlan(name="tell", full_name="acme-tell", image=None, aap=aap, aap_timeout=timeout)
    items = list(forklift.emit(blueprint(PlanOptions(), hooks=(plan_,))))
    found: dict[str, Any] = schemas.named(items, "Hook", "acme-tell")["spec"]
    return found


def test_a_hook_starts_a_job_of_aap() -> None:
    job = AapJob(job_template_id=7, url="https://aap.example.com", token_secret="aap")
    assert hook(job, 600) == {
        "aap": {
            "jobTemplateId": 7,
            "url": "https://aap.example.com",
            "tokenSecret": {"namespace": "konveyor-forklift", "name": "aap"},
            "timeout": 600,
        }
    }
    assert hook(AapJob(job_template_id=7)) == {"aap": {"jobTemplateId": 7}}


# --- versions --------------------------------------------------------------------------------

VERSIONS = ("2.9.2", "2.10.6", "2.11.7", "2.12.5", "main")


@functools.cache
def definition(version: str, kind: str) -> Draft202012Validator:
    """Return the schema of a kind in one release of Forklift."""
    crds = Path(os.environ.get("VMFERRY_SCHEMAS", Path(__file__).parents[3] / "shared" / "crds"))
    folders = sorted((crds.parent / "crds-versions" / "forklift").glob(f"{version}*"))
    if not folders:
        pytest.skip(f"no schemas of Forklift {version} beside {crds}; set VMFERRY_SCHEMAS")
    path = folders[0] / "forklift.konveyor.io" / f"{kind.lower()}_v1beta1.json"
    return Draft202012Validator(json.loads(path.read_text()))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_release_gets_no_field_that_it_lacks(version: str) -> None:
    aap = HookPlan(name="tell", full_name="acme-tell", image=None, aap=AapJob(job_template_id=7, token_secret="aap"))
    everything = blueprint(
        replace(EVERYTHING, raw=True),
        version,
        nested=True,
        luns=True,
        reservation=True,
        hooks=(aap,),
        offload=ArrayCopy(xcopy=BY_ARRAY.xcopy, csi=CsiImport(secret_ref="s", storage_vendor_product="primera3par")),
    )
    for obj in schemas.objects(list(forklift.emit(everything))):
        if obj["apiVersion"] == kinds.PLAN.api_version:
            assert [each.message for each in definition(version, obj["kind"]).iter_errors(obj)] == []


@pytest.mark.parametrize("version", ["2.12.2", "2.12", "2.11.3", "2.11"])
def test_a_line_of_releases_gets_what_each_of_them_has(version: str) -> None:
    said = plan(EVERYTHING, version, luns=True, reservation=True)
    [entry] = said["vms"]
    assert ("tagMapping" in said) == version.startswith("2.12")
    assert ("serviceAccount" in said) == (version != "2.11")
    assert ("rdmAsLun" in entry) == (version != "2.11")
    assert ("scsiReservation" in entry) == (version == "2.12.2")


def test_the_newest_fields_fit_their_definitions() -> None:
    aap = HookPlan(name="tell", full_name="acme-tell", image=None, aap=AapJob(job_template_id=7, token_secret="aap"))
    made = blueprint(EVERYTHING, offload=BY_ARRAY, hooks=(aap,))
    for obj in schemas.objects(list(forklift.emit(made))):
        if obj["apiVersion"] == kinds.PLAN.api_version:
            assert [each.message for each in definition("main", obj["kind"]).iter_errors(obj)] == []
