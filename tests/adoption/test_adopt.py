"""`vmferry adopt` records what is in the cluster, and syncing the record changes nothing."""

import pytest
import yaml
from tests.adoption.forklift import NAMES, RELEASES, facts
from tests.adoption.migrated import Migrated
from tests.backends.schemas import assert_fits
from tests.invocation import vmferry


@pytest.fixture(scope="module", params=RELEASES)
def adopted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Migrated:
    """Return a migration whose VMs are recorded and adopted, by release of Forklift."""
    migrated = Migrated(tmp_path_factory.mktemp("adopted"), request.param)
    done = migrated.adopt()
    assert done.code == 0, done.text
    migrated.stage("adopted")
    done = migrated.compile()
    assert done.code == 0, done.text
    return migrated


def differing(manifest: object, live: object, path: str = "spec") -> list[str]:
    """Return the fields of a manifest that are not as in the live object; a list is one field."""
    if isinstance(manifest, dict) and isinstance(live, dict):
        return [
            each
            for key, value in manifest.items()
            for each in (differing(value, live[key], f"{path}.{key}") if key in live else [f"{path}.{key}"])
        ]
    return [] if manifest == live else [path]


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_an_adopted_manifest_is_as_in_the_cluster(adopted: Migrated, name: str) -> None:
    manifest, live = adopted.emitted()[name], adopted.vms[name]
    spec = manifest["spec"] | {"runStrategy": "Always"}  # the overlay's patch, see the next test
    assert differing(spec, live["spec"]) == []
    assert_fits(manifest)


def test_adopted_vms_run_and_are_protected_from_pruning(adopted: Migrated) -> None:
    overlay = adopted.spec / "gitops/overlays/first/first-01"
    patches = "".join(path.read_text() for path in overlay.rglob("kustomization.yaml"))
    assert patches.count("/spec/runStrategy") == len(NAMES)
    for manifest in adopted.emitted().values():
        assert manifest["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled"


def test_what_only_the_cluster_knows_is_not_recorded(adopted: Migrated) -> None:
    text = adopted.record.read_text()
    for word in ("revisionName", "s3cr3t", "resourceVersion", "managedFields", "runStrategy", "status", "null"):
        assert word not in text
    record = yaml.safe_load(text)["vms"]["vc1/vm-12"]["spec"]
    assert record["template"]["spec"]["domain"]["firmware"]["uuid"] == "5d307ca9-b3ef-428c-8861-06e72d69f223"
    assert record["preference"] == {"kind": "virtualmachineclusterpreference", "name": "windows.2k22.virtio"}


def test_what_forklift_made_as_decided_has_no_differences(adopted: Migrated) -> None:
    again = adopted.adopt("--format", "json")
    assert again.code == 0
    found = {vm["name"]: vm["differences"] for vm in again.data["adopted"]}
    assert found == {name: [] for name in NAMES}


def test_recording_the_same_again_changes_nothing(adopted: Migrated) -> None:
    before = adopted.record.read_bytes()
    again = adopted.adopt()
    assert "nothing new to record" in again.err
    assert adopted.record.read_bytes() == before


def test_a_compiled_tree_of_adopted_vms_verifies(adopted: Migrated) -> None:
    done = adopted.compile()
    assert done.code == 0, done.text
    verified = vmferry("verify", adopted.spec / "gitops")
    assert verified.code == 0, verified.text


def test_the_facts_of_the_spec_are_those_of_the_live_vms() -> None:
    assert [facts(name)["id"] for name in NAMES] == ["vm-11", "vm-12", "vm-13", "vm-14"]
