"""One name of a claim is one volume: two VMs that write to one destroy it."""

import pytest
from tests.resolve.projects import Data, codes, finding, resolved, vm


def app(name: str, state: str, **fields: object) -> Data:
    volume = {"name": state, "mountPath": "/data", "size": "1Gi", "tier": "gold"}
    application = {"image": "registry.example.com/app:1.4.2", "state": [volume], **fields}
    return vm(name, path="rebuild", method=None, application=application)


@pytest.mark.parametrize(
    ("one", "other", "claim"),
    [
        (app("a-b", "c"), app("a", "b-c"), "a-b-c"),
        (vm("x-y"), app("x", "y-disk-0"), "x-y-disk-0"),
        (app("db", "data", kind="StatefulSet"), app("data", "db-0"), "data-db-0"),
    ],
)
def test_two_vms_that_would_make_one_claim_are_an_error(one: Data, other: Data, claim: str) -> None:
    found = finding(resolved(one, other), "VMF101")
    assert claim in found.message
    assert set(found.vms) == {one["name"], other["name"]}


def test_a_frozen_vm_keeps_its_claim() -> None:
    prepared = {"groups": {"first-01": {"stage": "prepared"}}}
    before = resolved(app("a-b", "c"), **prepared)
    assert "VMF101" in codes(resolved(app("a-b", "c"), app("a", "b-c"), assignments=before.assignments, **prepared))


def test_claims_of_one_name_in_two_namespaces_are_two() -> None:
    sections = {"namespaces": [{"name": "web"}, {"name": "db"}]}
    assert codes(resolved(app("a-b", "c"), app("a", "b-c") | {"namespace": "db"}, **sections)) == []


def test_a_shared_disk_is_one_claim_and_no_error() -> None:
    disks = [{"size": "1Gi", "datastore": "ds1", "shared": "quorum"}]
    assert codes(resolved(*(vm(name, method="image", disks=disks) for name in ("a", "b")))) == []
