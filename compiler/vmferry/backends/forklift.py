"""Forklift (path A): Providers, Hosts and Hooks of the migration; maps, Plan and Migration of each group."""

import base64
from collections.abc import Iterator
from typing import Any

from vmferry.backends import credentials, forklift_plan
from vmferry.backends.metadata import APART_LABEL, belonging, head
from vmferry.backends.places import of_group
from vmferry.kube import kinds
from vmferry.kube.kinds import Kind
from vmferry.model.blueprint import Blueprint, Group, HookPlan, Host, Machine, SourcePlan
from vmferry.model.forklift import AapJob
from vmferry.model.keys import Reference, apart
from vmferry.model.manifest import Item, KubeObject, Resource

SHARED = "infra/forklift"
"""Root of what all sources share; no vCenter's root can have this name."""


_POWER = {"Always": "on", "RerunOnFailure": "on", "Manual": "off", "Halted": "off"}
"""Power state of the new VM: Forklift only supports Always and Halted, and Manual starts nothing by itself."""


def emit(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the Forklift objects of every group on path forklift, and of their sources."""
    yield from emit_sources(blueprint)
    yield from emit_plans(blueprint)


def emit_sources(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the Forklift objects of the sources that groups come from."""
    if sources := used_sources(blueprint):
        yield from _shared(blueprint)
        for source in sources:
            yield from _source(blueprint, source)


def emit_plans(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the Forklift objects of every group on path forklift."""
    for group in blueprint.groups:
        if group.path == "forklift" and not group.source_gone:
            yield from _plan_layer(blueprint, group)
            yield of_group(group, "migration", migration(blueprint, group))


def used_sources(blueprint: Blueprint) -> list[SourcePlan]:
    """Return the sources that some Forklift group comes from, until they are gone; only they need a Provider."""
    return [source for source in known_sources(blueprint) if not source.gone]


def known_sources(blueprint: Blueprint) -> list[SourcePlan]:
    """Return the sources that some Forklift group comes from, also those that are gone: what was theirs is pruned."""
    used = {group.source for group in blueprint.groups if group.path == "forklift"}
    return sorted((source for source in blueprint.sources if source.name in used), key=lambda each: each.name)


def has_shared(blueprint: Blueprint) -> bool:
    """Return whether there is a root of what all sources share."""
    made = blueprint.forklift.provider is None or blueprint.hooks or any(forklift_plan.made(blueprint))
    return bool(used_sources(blueprint)) and bool(made)


def migration_name(group: Group, attempt: int | None = None) -> str:
    """Return the name of the group's Migration: a new one for each attempt, because a Migration only runs once."""
    return f"{group.full_name}-{attempt or group.attempt}"


# --- infra -----------------------------------------------------------------------------------


def _shared(blueprint: Blueprint) -> Iterator[Item]:
    """Yield the Provider of the target and the Hooks."""
    namespace = blueprint.forklift.namespace
    if blueprint.forklift.provider is None:
        provider = {
            # Deleting a Provider cancels its running migrations.
            **head(kinds.PROVIDER, blueprint, blueprint.target.host_provider, namespace),
            # An empty url means the cluster that Forklift runs in; the CRD still requires a secret.
            "spec": {"type": "openshift", "url": "", "secret": {}},
        }
        yield Resource(directory=SHARED, object=provider)
    starts_jobs = "Hook.spec.aap" not in blueprint.target.withheld
    for hook in sorted(blueprint.hooks, key=lambda each: each.full_name):
        if hook.image is not None or starts_jobs:  # before that, every Hook has an image
            yield Resource(directory=SHARED, object=_hook(blueprint, hook))
    for scripts in forklift_plan.made(blueprint):
        yield Resource(directory=SHARED, object=forklift_plan.config_map(blueprint, scripts))


def _hook(blueprint: Blueprint, hook: HookPlan) -> KubeObject:
    spec: dict[str, Any] = {"image": hook.image} if hook.image is not None else {}
    if hook.aap is not None:
        spec["aap"] = _aap(blueprint, hook.aap, hook.aap_timeout)
    if hook.service_account is not None:
        spec["serviceAccount"] = hook.service_account
    if hook.playbook is not None:
        spec["playbook"] = base64.b64encode(hook.playbook.encode()).decode()
    if hook.deadline is not None:
        spec["deadline"] = hook.deadline
    return {
        **head(kinds.HOOK, blueprint, hook.full_name, blueprint.forklift.namespace),
        "spec": spec,
    }


def _aap(blueprint: Blueprint, job: AapJob, timeout: int | None) -> dict[str, Any]:
    """Return a job template of AAP; its token is read from the namespace of the Plan (pkg/controller/plan/hook.go)."""
    found: dict[str, Any] = {"jobTemplateId": job.job_template_id}
    if job.url is not None:
        found["url"] = job.url
    if job.token_secret is not None:
        found["tokenSecret"] = _reference(blueprint.forklift.namespace, job.token_secret)
    if timeout is not None:
        found["timeout"] = timeout
    return found


def _source(blueprint: Blueprint, source: SourcePlan) -> Iterator[Item]:
    """Yield a vCenter's Provider, its credential and the ESXi hosts to copy from."""
    directory = f"infra/source/{source.name}"
    vcenter = source.vcenter
    yield from credentials.resources(blueprint, source.credential, directory, insecure=vcenter.insecure_skip_verify)
    settings: dict[str, str] = {str(key): value for key, value in vcenter.settings.items()}
    if vcenter.vddk_image is not None:
        settings["vddkInitImage"] = vcenter.vddk_image
    # Always set, because Forklift's webhook would write it.
    settings["sdkEndpoint"] = vcenter.sdk_endpoint
    provider = {
        **head(kinds.PROVIDER, blueprint, source.provider, blueprint.forklift.namespace),
        "spec": {
            "type": "vsphere",
            "url": vcenter.url,
            "secret": _reference(source.credential.namespace, source.credential.name),
            "settings": dict(sorted(settings.items())),
        },
    }
    yield Resource(directory=directory, object=provider)
    secrets = {source.credential.name}
    for host in sorted(source.hosts, key=lambda each: each.name):
        if host.credential.name not in secrets:  # hosts often share one file
            yield from credentials.resources(blueprint, host.credential, directory)
            secrets.add(host.credential.name)
        yield Resource(directory=directory, object=_host(blueprint, source, host))


def _host(blueprint: Blueprint, source: SourcePlan, host: Host) -> KubeObject:
    return {
        **head(kinds.HOST, blueprint, host.name, blueprint.forklift.namespace),
        "spec": {
            **found(host.host.id, host.host.name),
            "ipAddress": host.host.ip_address,
            "provider": _reference(blueprint.forklift.namespace, source.provider),
            "secret": _reference(host.credential.namespace, host.credential.name),
        },
    }


# --- a group's layers ------------------------------------------------------------------------


def _plan_layer(blueprint: Blueprint, group: Group) -> Iterator[Item]:
    yield of_group(group, "plan", _network_map(blueprint, group))
    yield of_group(group, "plan", _storage_map(blueprint, group))
    yield of_group(group, "plan", plan(blueprint, group))


def _network_map(blueprint: Blueprint, group: Group) -> KubeObject:
    rows = []
    for pair in group.networks:
        destination = {"type": "pod"}
        if pair.ignored:
            destination = {"type": "ignored"}
        elif pair.nad is not None:
            namespace, name = apart(pair.nad)
            destination = {"type": "multus", "namespace": namespace, "name": name}
        rows.append({"source": found(pair.source.id, pair.source.name), "destination": destination})
    return _map(blueprint, group, kinds.NETWORK_MAP, rows)


def _storage_map(blueprint: Blueprint, group: Group) -> KubeObject:
    rows = [
        {
            "source": found(pair.source.id, pair.source.name),
            "destination": {
                "storageClass": pair.storage_class,
                "volumeMode": pair.volume_mode,
                "accessMode": pair.access_mode,
            },
            **forklift_plan.offload(pair.offload, blueprint.target.withheld),
        }
        for pair in group.storage
    ]
    return _map(blueprint, group, kinds.STORAGE_MAP, rows)


def _map(blueprint: Blueprint, group: Group, kind: Kind, rows: list[dict[str, Any]]) -> KubeObject:
    return {
        **head(kind, blueprint, group.full_name, blueprint.forklift.namespace, group=group, layer="plan"),
        "spec": {"provider": _providers(blueprint, group), "map": rows},
    }


def plan(blueprint: Blueprint, group: Group) -> KubeObject:
    """Return the group's Plan, with explicit values for all fields that Forklift or its CRD would default."""
    namespace = blueprint.forklift.namespace
    itself = _reference(namespace, group.full_name)
    options = group.forklift
    spec: dict[str, Any] = {
        "description": f"{blueprint.name}: {group.name} of phase {group.phase}",
        "targetNamespace": group.namespace,
        "provider": _providers(blueprint, group),
        "map": {"network": itself, "storage": dict(itself)},
        # `type` supersedes `warm`, but a Plan with warm: true stays warm whatever its type.
        "warm": group.method == "warm",
        "type": group.method,
        "archived": False,
        "preserveStaticIPs": group.preserve_static_ips,
        "migrateSharedDisks": True,  # VMs with shared disks never come this way
        # The CRD's default deletes the new VM with its disks whenever its migration fails, a failed
        # PostHook included, and by then the VM may have served. Its entry says so where it is safe.
        "deleteVmOnFailMigration": False,
        # It inspects the disks before any is copied, so that a hopeless migration fails early.
        "runPreflightInspection": True,
        "skipGuestConversion": options.raw,
        # Only read with skipGuestConversion; its default is devices that any guest can boot from.
        "useCompatibilityMode": options.emulated,
        # Exact names, so that manifests can adopt what Forklift creates later.
        "pvcNameTemplateUseGenerateName": False,
        "volumeNameTemplate": "disk-{{.VolumeIndex}}",
        "networkNameTemplate": "nic-{{.NetworkIndex}}",
        "targetLabels": _target_labels(blueprint, group),
        "targetNodeSelector": dict(sorted(group.placement.node_selector.items())),
        "targetAffinity": _affinity(group.placement.apart_from),
        "transferNetwork": _nad_reference(group.transfer_network),
        **forklift_plan.conversion(blueprint, options),
        "vms": [_machine(blueprint, group, machine) for machine in _planned(group)],
    }
    return {
        **head(kinds.PLAN, blueprint, group.full_name, namespace, group=group, layer="plan"),
        "spec": _known(blueprint, "Plan.spec", spec),
    }


def _planned(group: Group) -> list[Machine]:
    """Return the VMs that a group's Plan names: those that left it later, too."""
    everyone = {machine.key: machine for machine in (*group.machines, *(each.machine for each in group.departed))}
    return [machine for _, machine in sorted(everyone.items())]


def migration(blueprint: Blueprint, group: Group) -> KubeObject:
    """Return the group's Migration. It runs once it is applied; an overlay adds the cutover."""
    namespace = blueprint.forklift.namespace
    return {
        # Deleting it cancels the run, and applying it again starts another.
        **head(kinds.MIGRATION, blueprint, migration_name(group), namespace, group=group, layer="migration"),
        "spec": {"plan": _reference(namespace, group.full_name)},
    }


def _machine(blueprint: Blueprint, group: Group, machine: Machine) -> dict[str, Any]:
    """Return the VM's entry in the Plan."""
    namespace = blueprint.forklift.namespace
    hooks = {hook.name: hook.full_name for hook in blueprint.hooks}
    entry: dict[str, Any] = {
        **found(machine.id, machine.name),
        "targetName": machine.target_name,
        "targetPowerState": _POWER[machine.run_strategy],
        "pvcNameTemplate": claim_template(machine),
        "deleteVmOnFailMigration": None if machine.key in group.kept_on_failure else True,
        "rootDisk": machine.root_disk,
        "instanceType": machine.instancetype.name if machine.instancetype else None,
        # Forklift looks for the Secret in the Plan's namespace (secretLUKS in pkg/controller/plan/kubevirt.go).
        "luks": _reference(namespace, machine.luks_secret) if machine.luks_secret else None,
        "nbdeClevis": machine.nbde_clevis or None,
        **forklift_plan.devices(machine),
        "hooks": [{"step": use.step, "hook": _reference(namespace, hooks[use.name])} for use in machine.hooks],
    }
    return _known(blueprint, "Plan.spec.vms[]", entry)


def claim_template(machine: Machine) -> str:
    """Return the pvcNameTemplate that gives the machine's volumes the names of its claims.

    Forklift's DiskIndex counts from 0 over SATA, IDE, SCSI and NVMe disks in this order (SortedDisksAsVmware,
    pkg/controller/plan/adapter/vsphere/builder.go), as the machine's disks do. The plan-wide ``{{.TargetVmName}}`` is
    not used: the copy-offload path of v2.12.5 leaves it empty, and long claim names are truncated.
    """
    first = machine.disks[0]
    return f"{first.claim.removesuffix(str(first.index))}{{{{.DiskIndex}}}}"


def _target_labels(blueprint: Blueprint, group: Group) -> dict[str, str]:
    """Return the labels of the VMs' pods; Forklift adds `app`, the VM's name, and puts none on the VM."""
    labels = group.placement.labels | belonging(blueprint, group)
    if group.placement.apart_from is not None:
        labels[APART_LABEL] = group.placement.apart_from
    return dict(sorted(labels.items()))


def _affinity(apart_from: str | None) -> dict[str, Any] | None:
    """Return the preference for another node than the rest of an anti-affinity set."""
    if apart_from is None:
        return None
    term = {
        "labelSelector": {"matchLabels": {APART_LABEL: apart_from}},
        "topologyKey": "kubernetes.io/hostname",
    }
    preferred = [{"weight": 100, "podAffinityTerm": term}]
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}


def _providers(blueprint: Blueprint, group: Group) -> dict[str, Any]:
    namespace = blueprint.forklift.namespace
    source = next(source for source in blueprint.sources if source.name == group.source)
    return {
        "source": _reference(namespace, source.provider),
        "destination": _reference(namespace, blueprint.target.host_provider),
    }


def _reference(namespace: str, name: str) -> dict[str, str]:
    """Return a reference; Forklift treats a reference without a namespace as not set."""
    return {"namespace": namespace, "name": name}


def _nad_reference(nad: Reference | None) -> dict[str, str] | None:
    return _reference(*apart(nad)) if nad is not None else None


def found(id_: str | None, name: str) -> dict[str, str]:
    """Return how Forklift finds an object in vSphere: by id, or by name if the id is unknown."""
    return {"id": id_, "name": name} if id_ is not None else {"name": name}


def _known(blueprint: Blueprint, path: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields below a path that say something and that this version of Forklift has."""
    withheld = blueprint.target.withheld
    return {
        key: value
        for key, value in fields.items()
        if value is not None and value not in ({}, []) and f"{path}.{key}" not in withheld
    }
