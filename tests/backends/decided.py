"""Blueprints made by hand, with what `resolve` decides by them: tests of backends say the rest themselves."""

from typing import Any

from msgspec.structs import asdict, replace

from vmferry.model.blueprint import Blueprint, Group, NamespacePlan
from vmferry.model.spec import Target
from vmferry.resolve.conversions import conversion_now, origin
from vmferry.resolve.forklift import default_requests, kept_on_failure
from vmferry.resolve.target import plan_target


def decided(**fields: Any) -> Blueprint:
    """Return a Blueprint of these fields, and of what follows from them."""
    target = Target(cluster=fields["cluster"], gitops=fields["gitops"], forklift=fields["forklift"])
    machines = [machine for group in fields.get("groups", ()) for machine in group.machines]
    return Blueprint(
        **fields
        | {
            "target": plan_target(fields["name"], target, machines),
            "groups": tuple(_group(group, fields) for group in fields.get("groups", ())),
            "namespaces": tuple(_namespace(plan, fields) for plan in fields.get("namespaces", ())),
        }
    )


def changed(blueprint: Blueprint, **fields: Any) -> Blueprint:
    """Return a Blueprint of other fields, and of what follows from them."""
    return decided(**asdict(blueprint) | fields)


def _group(group: Group, fields: dict[str, Any]) -> Group:
    vcenters = {source.name: source for source in fields["sources"]}
    secrets = {
        (plan.name, credential.source): credential.name
        for plan in fields.get("namespaces", ())
        for credential in plan.credentials
        if credential.purpose == "conversion"
    }
    origins = {}
    for machine in group.machines:
        if machine.path == "virt-v2v" and machine.source in vcenters:
            source = vcenters[machine.source]
            now = conversion_now(fields["cluster"], source.vcenter, None, places_at=source.places_at)
            secret = secrets.get((machine.namespace, machine.source))
            origins[machine.key] = origin(machine, machine.conversion or now, secret)
    kept = kept_on_failure(group.machines, fields["cluster"].versions)
    return replace(group, origins=origins, kept_on_failure=kept)


def _namespace(plan: NamespacePlan, fields: dict[str, Any]) -> NamespacePlan:
    machines = [
        machine for group in fields.get("groups", ()) if group.namespace == plan.name for machine in group.machines
    ]
    return replace(plan, default_requests=default_requests(machines, plan.quota, fields["cluster"].versions))
