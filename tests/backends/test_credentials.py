"""Tests of `vmferry.backends.credentials`."""

from typing import Any

from tests.backends import estate, schemas

from vmferry.backends import credentials
from vmferry.model.blueprint import Credential
from vmferry.model.manifest import Resource
from vmferry.model.spec import ExternalSecret, StoreRef

EXTERNAL = ExternalSecret(store_ref=StoreRef(name="vault"), key="vc1", refresh_interval="1d")


def emitted(insecure: bool = False, **fields: Any) -> list[Resource]:
    credential = Credential(source="vc1", name="vc1-vcenter", namespace="konveyor-forklift", **fields)
    return list(credentials.resources(estate.blueprint(), credential, "infra/source/vc1", insecure=insecure))


def keys(resource: Resource) -> dict[str, str]:
    return {entry["secretKey"]: entry["remoteRef"]["property"] for entry in resource.object["spec"]["data"]}


def test_a_secret_that_exists_is_not_emitted() -> None:
    assert emitted() == []


def test_an_external_secret_has_the_keys_forklift_reads() -> None:
    [resource] = emitted(external=EXTERNAL)
    schemas.assert_fits(resource.object)
    assert keys(resource) == {"user": "user", "password": "password", "cacert": "cacert", "ca.crt": "cacert"}
    assert resource.object["spec"]["secretStoreRef"] == {"name": "vault", "kind": "ClusterSecretStore"}


def test_an_external_secret_of_a_conversion_has_the_keys_cdi_and_the_jobs_read() -> None:
    [resource] = emitted(external=EXTERNAL, purpose="conversion")
    assert keys(resource) == {"accessKeyId": "user", "secretKey": "password", "cacert": "cacert"}


def test_the_secret_survives_its_external_secret_and_its_store() -> None:
    [resource] = emitted(external=EXTERNAL)
    target = resource.object["spec"]["target"]
    assert (target["creationPolicy"], target["deletionPolicy"]) == ("Orphan", "Retain")


def test_a_vcenter_that_is_not_verified_has_the_flag_and_no_ca() -> None:
    [resource] = emitted(insecure=True, external=EXTERNAL)
    schemas.assert_fits(resource.object)
    assert keys(resource).keys().isdisjoint({"ca.crt", "cacert"})
    template = resource.object["spec"]["target"]["template"]
    assert (template["data"], template["mergePolicy"]) == ({"insecureSkipVerify": "true"}, "Merge")


def test_a_conversion_that_does_not_verify_has_neither_ca_nor_forklifts_flag() -> None:
    [resource] = emitted(insecure=True, external=EXTERNAL, purpose="conversion")
    assert keys(resource) == {"accessKeyId": "user", "secretKey": "password"}
    assert "template" not in resource.object["spec"]["target"]


def test_a_refresh_interval_in_days_is_written_in_hours() -> None:
    [resource] = emitted(external=EXTERNAL)
    assert resource.object["spec"]["refreshInterval"] == "24h"


def test_the_older_api_of_the_operator_can_be_asked_for() -> None:
    older = ExternalSecret(store_ref=StoreRef(name="vault"), key="vc1", api_version="external-secrets.io/v1beta1")
    [resource] = emitted(external=older)
    schemas.assert_fits(resource.object)


def test_an_encrypted_file_is_carried_byte_for_byte() -> None:
    content = b"kind: Secret\r\nsops: {mac: ENC[...]}\n"
    [resource] = emitted(content=content)
    assert resource.raw == content
    assert resource.object["metadata"] == {"name": "vc1-vcenter", "namespace": "konveyor-forklift"}
