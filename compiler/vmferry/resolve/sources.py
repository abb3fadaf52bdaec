"""vCenters and their credentials by reference: what Forklift needs besides the maps."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import structs

from vmferry.estate.decommission.takes import whole_sources
from vmferry.estate.statements import DEFINED_TWICE, SECRET_MATERIAL
from vmferry.kube.dns import digest, fit, sanitize
from vmferry.model.blueprint import Credential, Host, SourcePlan
from vmferry.model.finding import Where
from vmferry.model.project import Project
from vmferry.model.rule import declare
from vmferry.model.spec import Credentials, Source
from vmferry.resolve.notes import Noting

_SEALED = "SealedSecret"


def plan_sources(project: Project) -> Noting[tuple[SourcePlan, ...]]:
    """Return every vCenter with its Provider; ambiguous credentials are findings."""
    result: list[SourcePlan] = []
    seen: set[str] = set()
    for index, source in enumerate(project.spec.sources):
        where = project.where.at("sources", index)
        if source.name in seen:
            yield DEFINED_TWICE.finding(f"source {source.name} is defined twice", where=where.at("name"))
        seen.add(source.name)
        planned = yield from _plan(project, source, where)
        if planned is not None:
            result.append(planned)
    return tuple(result)


def _plan(project: Project, source: Source, where: Where) -> Noting[SourcePlan | None]:
    namespace = project.spec.target.forklift.namespace
    vcenter, at = source.vcenter, where.at("vcenter")
    credential = yield from credential_of(
        vcenter.credentials,
        source.name,
        fit(f"{project.spec.metadata.name}-{source.name}-vcenter"),
        namespace,
        project.attachments,
        at.at("credentials"),
    )
    hosts: list[Host] = []
    for index, host in enumerate(vcenter.hosts):
        name = fit(f"{project.spec.metadata.name}-{source.name}-{sanitize(host.name) or digest(host.name)}")
        place = at.at("hosts", index, "credentials")
        if any(done.name == name for done in hosts):
            yield DEFINED_TWICE.finding(f"two ESXi hosts would be named {name}", where=at.at("hosts", index, "name"))
            continue
        own = yield from credential_of(host.credentials, source.name, name, namespace, project.attachments, place)
        if own is not None:
            hosts.append(Host(host=host, name=name, credential=own))
    if credential is None:
        return None
    return SourcePlan(
        name=source.name,
        provider=fit(f"{project.spec.metadata.name}-{source.name}"),
        vcenter=vcenter,
        credential=credential,
        hosts=tuple(hosts),
        gone=source.name in whole_sources(project.spec),
    )


NO_CREDENTIALS = declare(
    "VMF113",
    "error",
    "credentials are missing",
    why="Forklift and each conversion Job log in to vCenter with a Secret; without it the copy fails at its first "
    "step, in the maintenance window. The spec must say where the Secret comes from, and a sealed one opens only "
    "in the namespace it was sealed for.",
    source="kubev2v/forklift pkg/controller/plan/adapter/vsphere/builder.go (Secret); https://github.com/bitnami-labs/sealed-secrets#scopes",
)


def credential_of(
    credentials: Credentials,
    source: str,
    name: str,
    namespace: str,
    files: Mapping[str, bytes],
    where: Where,
    purpose: Literal["provider", "conversion"] = "provider",
) -> Noting[Credential | None]:
    """Return the place of the Secret: ``name`` if vmferry emits it, otherwise the referenced one."""
    given = [credentials.secret_ref, credentials.external_secret, credentials.file]
    if sum(item is not None for item in given) != 1:
        yield NO_CREDENTIALS.finding("credentials need exactly one of secretRef, externalSecret and file", where=where)
        return None
    made = Credential(source=source, name=name, namespace=namespace, purpose=purpose)
    if credentials.secret_ref is not None:
        return structs.replace(made, name=credentials.secret_ref.name)
    if credentials.external_secret is not None:
        return structs.replace(made, external=credentials.external_secret)
    content = files[credentials.file or ""]
    found = yield from _opaque(content, namespace, where.at("file"))
    return None if found is None else structs.replace(made, name=found, content=content)


def _opaque(content: bytes, namespace: str, where: Where) -> Noting[str | None]:
    """Return the name of the Secret in a SealedSecret or SOPS file; anything else is refused."""
    import yaml  # only if a spec has such files

    try:
        documents: list[Any] = list(yaml.load_all(content, Loader=yaml.CSafeLoader))
    except yaml.YAMLError:
        documents = []
    data = documents[0] if len(documents) == 1 else None
    if not isinstance(data, dict) or not isinstance(data.get("metadata"), dict):
        yield NO_CREDENTIALS.finding("the file is not a single SealedSecret or SOPS-encrypted Secret", where=where)
        return None
    sealed = data.get("kind") == _SEALED
    encrypted = data.get("kind") == "Secret" and isinstance(data.get("sops"), dict) and _all_encrypted(data)
    if not sealed and not encrypted:
        yield SECRET_MATERIAL.finding(
            "the file contains an unencrypted Secret",
            "encrypt it with `sops --encrypt` or kubeseal, and change what leaked into git",
            where=where,
        )
        return None
    name, own = data["metadata"].get("name"), data["metadata"].get("namespace")
    if not isinstance(name, str) or own != namespace:
        yield NO_CREDENTIALS.finding(
            f"the Secret in the file is for namespace {own!r}, but it is needed in {namespace!r}",
            "seal it for that namespace: it cannot be decrypted anywhere else",
            where=where,
        )
        return None
    return name


def _all_encrypted(data: dict[str, Any]) -> bool:
    values = [v for part in ("data", "stringData") for v in (data.get(part) or {}).values()]
    return bool(values) and all(isinstance(value, str) and value.startswith("ENC[") for value in values)


def conversion_credentials(
    project: Project, source: str, namespace: str, vms: tuple[str, ...]
) -> Noting[Credential | None]:
    """Return the credentials that conversion Jobs of one namespace mount; None for a missing vCenter too."""
    index, wanted = next(((i, s) for i, s in enumerate(project.spec.sources) if s.name == source), (0, None))
    if wanted is None:
        return None  # reported with the groups that are frozen with it
    where = project.where.at("sources", index, "vcenter")
    if wanted.vcenter.conversion_credentials is None:
        yield NO_CREDENTIALS.finding(
            f"conversion Jobs in namespace {namespace} have no credentials for {source} ({len(vms)} VMs)",
            "add conversionCredentials: a read-only vCenter user, with keys accessKeyId and secretKey",
            where=where,
            vms=vms,
        )
        return None
    return (
        yield from credential_of(
            wanted.vcenter.conversion_credentials,
            source,
            fit(f"{project.spec.metadata.name}-{source}-conversion"),
            namespace,
            project.attachments,
            where.at("conversionCredentials"),
            purpose="conversion",
        )
    )
