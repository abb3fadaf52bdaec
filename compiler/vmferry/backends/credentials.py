"""Secrets by reference: existing ones, those in an external store, and those in an encrypted file."""

from collections.abc import Iterator
from typing import Any

from vmferry.backends.durations import go_duration
from vmferry.backends.metadata import head
from vmferry.kube import kinds
from vmferry.model.blueprint import Blueprint, Credential
from vmferry.model.manifest import KubeObject, Resource
from vmferry.model.spec import ExternalSecret

KEYS = {
    "provider": {"user": "user", "password": "password", "cacert": "cacert", "ca.crt": "cacert"},
    "conversion": {"accessKeyId": "user", "secretKey": "password", "cacert": "cacert"},
}
"""Keys of the Secret, each with the property of the store's entry that fills it.

Forklift needs user, password and the CA of a vCenter (pkg/controller/provider/validation.go): before 2.12 in cacert,
from then on in ca.crt or cacert (pull request 5549). Both are written, so that an update needs no new Secret. CDI's
vddk source and conversion Jobs need accessKeyId and secretKey; the Jobs verify the vCenter with cacert.
"""


def resources(
    blueprint: Blueprint,
    credential: Credential,
    directory: str,
    *,
    insecure: bool = False,
) -> Iterator[Resource]:
    """Yield the manifests that create the Secret of ``credential``; nothing for an existing one.

    With ``insecure``, the server's certificate is not verified: the Secret says so, and contains no CA. An encrypted
    file is copied byte for byte; the object of its Resource stands for the decrypted Secret.
    """
    if credential.content is not None:
        identity = {"name": credential.name, "namespace": credential.namespace}
        yield Resource(
            directory=directory,
            object={"apiVersion": kinds.SECRET.api_version, "kind": kinds.SECRET.name, "metadata": identity},
            raw=credential.content,
        )
    elif credential.external is not None:
        yield Resource(
            directory=directory,
            object=_external_secret(blueprint, credential, credential.external, insecure),
        )


def _external_secret(
    blueprint: Blueprint, credential: Credential, external: ExternalSecret, insecure: bool
) -> KubeObject:
    """Return the ExternalSecret.

    The Secret outlives it (Orphan, Retain): Forklift cancels the running migrations of a Provider whose credentials
    disappear, so neither pruning this object nor a failing store may delete the Secret.
    """
    keys = KEYS[credential.purpose]
    target: dict[str, Any] = {
        "name": credential.name,
        "creationPolicy": "Orphan",
        "deletionPolicy": "Retain",
    }
    if insecure:
        keys = {key: value for key, value in keys.items() if value != "cacert"}
    if insecure and credential.purpose == "provider":
        # The Provider's webhook would refuse it together with a CA.
        target["template"] = {
            "engineVersion": "v2",
            "mergePolicy": "Merge",
            "data": {"insecureSkipVerify": "true"},
        }
    return {
        **head(kinds.EXTERNAL_SECRET, blueprint, credential.name, credential.namespace),
        "apiVersion": external.api_version,  # as the cluster has it
        "spec": {
            "refreshInterval": go_duration(external.refresh_interval),
            "secretStoreRef": {"name": external.store_ref.name, "kind": external.store_ref.kind},
            "target": target,
            "data": [
                {
                    "secretKey": key,
                    "remoteRef": {
                        "key": external.key,
                        "property": value,
                        "conversionStrategy": "Default",
                        "decodingStrategy": "None",
                        "metadataPolicy": "None",
                    },
                }
                for key, value in keys.items()
            ],
        },
    }
