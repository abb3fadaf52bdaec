"""The files of a spec: the migration, and sets of VMs beside it."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import API_VERSION, Model, Name, RuleCode, ShortName, Text
from vmferry.model.forklift import ScriptSet
from vmferry.model.spec.access import Access
from vmferry.model.spec.assign import Assign, ForMany
from vmferry.model.spec.checks import Check
from vmferry.model.spec.costs import Costs
from vmferry.model.spec.dns import Dns
from vmferry.model.spec.groups import GroupState
from vmferry.model.spec.hooks import Hook
from vmferry.model.spec.namespaces import Namespace
from vmferry.model.spec.networks import Network
from vmferry.model.spec.phases import Phase
from vmferry.model.spec.settings import Settings
from vmferry.model.spec.sources import Source
from vmferry.model.spec.storage import Storage
from vmferry.model.spec.suppressions import VmSuppression
from vmferry.model.spec.target import Target
from vmferry.model.spec.vms import VirtualMachine

ApiVersion = Literal["vmferry.dev/v1alpha1"]
assert ApiVersion.__args__ == (API_VERSION,)  # type: ignore[attr-defined]  # noqa: S101


class Metadata(Model, frozen=True, kw_only=True):
    """Name of the migration."""

    name: Annotated[ShortName, Meta(description="Prefix of names that share a namespace with other migrations.")]


class MigrationSpec(Model, frozen=True, kw_only=True):
    """One migration: sources, target, maps, phases and bulk decisions."""

    api_version: Annotated[ApiVersion, Meta(description="Version of the format.")]
    kind: Annotated[Literal["MigrationSpec"], Meta(description="Kind of the file.")]
    metadata: Annotated[Metadata, Meta(description="Name.")]
    include: Annotated[tuple[Text, ...], Meta(description="Globs of further files, relative to this one.")] = ()
    sources: Annotated[tuple[Source, ...], Meta(min_length=1, description="vCenters.")]
    target: Annotated[Target, Meta(description="The cluster.")]
    networks: Annotated[tuple[Network, ...], Meta(description="Network map.")] = ()
    storage: Annotated[Storage, Meta(description="Storage classes and map.")] = Storage()
    namespaces: Annotated[tuple[Namespace, ...], Meta(description="Namespaces.")] = ()
    access: Annotated[
        tuple[Access, ...], Meta(description="Who may do what with the VMs of namespaces; nobody else gets access.")
    ] = ()
    dns: Annotated[Dns, Meta(description="DNS zones in which VMs have records.")] | None = None
    phases: Annotated[tuple[Phase, ...], Meta(min_length=1, description="Phases.")]
    groups: Annotated[dict[Name, GroupState], Meta(description="Move groups past `planned`.")] = {}
    hooks: Annotated[tuple[Hook, ...], Meta(description="Forklift hooks.")] = ()
    scripts: Annotated[tuple[ScriptSet, ...], Meta(description="Scripts for conversions by Forklift.")] = ()
    checks: Annotated[
        tuple[Check, ...], Meta(description="What proves that VMs work in the target; VMs name theirs in `checks`.")
    ] = ()
    defaults: Annotated[ForMany, Meta(description="Decisions for every VM.")] = ForMany()
    assign: Annotated[tuple[Assign, ...], Meta(description="Bulk decisions in order; later ones win.")] = ()
    vms: Annotated[tuple[VirtualMachine, ...], Meta(description="VMs.")] = ()
    settings: Annotated[Settings, Meta(description="Settings.")] = Settings()
    costs: Annotated[Costs, Meta(description="What it costs, for `vmferry report cost`.")] | None = None
    rules: Annotated[
        dict[RuleCode, Literal["error", "warning", "info", "off"]],
        Meta(description="Severity of rules; overrides their default."),
    ] = {}
    suppress: Annotated[tuple[VmSuppression, ...], Meta(description="Accepted findings.")] = ()


class VirtualMachineSet(Model, frozen=True, kw_only=True):
    """VMs of one team, in a separate file."""

    api_version: Annotated[ApiVersion, Meta(description="Version of the format.")]
    kind: Annotated[Literal["VirtualMachineSet"], Meta(description="Kind of the file.")]
    metadata: Annotated[Metadata, Meta(description="Name.")]
    vms: Annotated[tuple[VirtualMachine, ...], Meta(description="VMs.")] = ()
