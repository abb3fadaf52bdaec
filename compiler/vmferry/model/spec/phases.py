"""The phases of a spec: their order, windows and dual run."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Duration, Model, Name, ShortName, Text, Timestamp
from vmferry.model.spec.contacts import Contacts
from vmferry.model.spec.dual_run import DualRun
from vmferry.model.spec.performance import PhasePerformance

PhaseKind = Literal["migrate", "dev-test", "stateless", "stateful", "decommission"]


Gates = Literal["required", "recorded", "none"]
"""When a move to the next stage needs evidence: always, from the first recorded entry on, or never."""


class Window(Model, frozen=True, kw_only=True):
    """A maintenance window."""

    start: Annotated[Timestamp, Meta(description="When it opens.")]
    duration: Annotated[Duration, Meta(description="How long it stays open.")]


class Taken(Model, frozen=True, kw_only=True):
    """What leaves vSphere: a whole vCenter, one of its clusters, or one ESXi host."""

    source: Annotated[Name, Meta(description="The source.")]
    cluster: Annotated[Text, Meta(description="A cluster of it; without one, the whole vCenter.")] | None = None
    host: Annotated[Text, Meta(description="One ESXi host, by its name in vCenter.")] | None = None
    as_node: Annotated[bool, Meta(description="The hosts become nodes of the target cluster.")] = False


TakingState = Literal["planned", "started", "done"]
"""How far the hosts of a phase are: still in use, being taken out of vSphere, or gone."""


class Phase(Model, frozen=True, kw_only=True):
    """A phase of the migration: VMs with similar risk, with their windows."""

    name: Annotated[ShortName, Meta(description="Its name.")]
    kind: Annotated[
        PhaseKind,
        Meta(description="Which component its VMs share. `decommission` has none: its hosts leave vSphere."),
    ] = "migrate"
    after: Annotated[tuple[Name, ...], Meta(description="Phases that come first.")] = ()
    windows: Annotated[tuple[Window, ...], Meta(description="When cutovers may happen.")] = ()
    dual_run: Annotated[DualRun, Meta(description="How long the source is kept, and how.")] | None = None
    max_vms: Annotated[int, Meta(ge=1, le=500, description="VMs per move group; overrides the setting.")] | None = None
    acceptance_snapshot: Annotated[
        bool,
        Meta(description="Snapshot every VM once it is adopted, so that it can be restored to before its acceptance."),
    ] = False
    gates: (
        Annotated[Gates, Meta(description="Whether stages of its groups need evidence; overrides the setting.")] | None
    ) = None
    takes: Annotated[
        tuple[Taken, ...],
        Meta(description="With kind decommission: what leaves vSphere. Default: every source, with all that it has."),
    ] = ()
    state: Annotated[
        TakingState,
        Meta(
            description="With kind decommission: `started` once people take hosts out of vSphere, `done` once they are "
            "gone. Of a whole vCenter that is done, nothing is synced any more that reads from it."
        ),
    ] = "planned"
    performance: (
        Annotated[PhasePerformance, Meta(description="Compare its VMs with what they were in vSphere.")] | None
    ) = None
    contacts: Annotated[Contacts, Meta(description="Whom to reach; over those of the settings.")] = Contacts()
