"""What NSX says of its segments and its firewall: facts from the Policy API, for people who plan what replaces it."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Cidr, Model, Name, Text, Trunk

PolicyPath = Annotated[str, Meta(min_length=1, max_length=1024, description="A path in NSX's policy.")]

ANY = "ANY"
"""Stands for everything in sources, destinations, services and scopes of NSX, alone and in any case."""


class NsxSubnet(Model, frozen=True, kw_only=True):
    """A subnet of a segment."""

    network: Annotated[Cidr, Meta(description="The subnet.")] | None = None
    gateway: Annotated[Cidr, Meta(description="Its gateway, with the prefix.")] | None = None
    dhcp_ranges: Annotated[tuple[Text, ...], Meta(description="Addresses that DHCP gives.")] = ()


class NsxSegment(Model, frozen=True, kw_only=True):
    """A segment."""

    path: Annotated[PolicyPath, Meta(description="Its path, as in /infra/segments/web.")]
    name: Annotated[Text, Meta(description="Its name.")]
    ids: Annotated[tuple[Text, ...], Meta(description="Its UUIDs in NSX, which vCenter may know it by.")] = ()
    kind: Annotated[Literal["overlay", "vlan"], Meta(description="Whether it is an overlay.")]
    vlans: Annotated[Trunk, Meta(description="VLANs of a VLAN segment.")] = ()
    transport_zone: Annotated[PolicyPath, Meta(description="Its transport zone.")] | None = None
    gateway: Annotated[PolicyPath, Meta(description="The tier-0 or tier-1 gateway that it is connected to.")] | None = (
        None
    )
    subnets: Annotated[tuple[NsxSubnet, ...], Meta(description="Its subnets.")] = ()
    dhcp: Annotated[bool, Meta(description="NSX gives addresses on it, or relays DHCP.")] = False
    tags: Annotated[tuple[Text, ...], Meta(description="Its tags, as scope|tag.")] = ()


class NsxVm(Model, frozen=True, kw_only=True):
    """A VM as NSX knows it."""

    id: Annotated[Text, Meta(description="Its external id.")]
    name: Annotated[Text, Meta(description="Its name.")]
    instance_uuid: Annotated[Text, Meta(description="vCenter's UUID of it.")] | None = None
    tags: Annotated[tuple[Text, ...], Meta(description="Its tags in NSX, as scope|tag.")] = ()


class NsxCondition(Model, frozen=True, kw_only=True):
    """One condition of a group."""

    what: Annotated[
        Literal["path", "tag", "name", "hostname", "id", "address", "mac", "other"],
        Meta(description="What it looks at; `other` is what vmferry cannot decide."),
    ]
    of: Annotated[Text, Meta(description="The kind of member, as in VirtualMachine.")] | None = None
    operator: Annotated[Text, Meta(description="How it compares, as in EQUALS.")] | None = None
    values: Annotated[tuple[Text, ...], Meta(description="With what; one of them is enough.")]


class NsxCriterion(Model, frozen=True, kw_only=True):
    """Conditions that a member fulfils together."""

    all_of: Annotated[tuple[NsxCondition, ...], Meta(min_length=1, description="The conditions.")]


class NsxGroup(Model, frozen=True, kw_only=True):
    """A group. Who fulfils any of its criteria is a member."""

    path: Annotated[PolicyPath, Meta(description="Its path.")]
    name: Annotated[Text, Meta(description="Its name.")]
    any_of: Annotated[tuple[NsxCriterion, ...], Meta(description="Its criteria.")] = ()
    users: Annotated[bool, Meta(description="It is also limited to users of a directory.")] = False


class NsxRule(Model, frozen=True, kw_only=True):
    """A firewall rule. Paths are those of groups or segments; addresses stand for themselves."""

    id: Annotated[Text, Meta(description="Its id in its policy.")]
    name: Annotated[Text, Meta(description="Its name.")]
    action: Annotated[Text, Meta(description="What it does, as in ALLOW.")]
    direction: Annotated[Text, Meta(description="IN, OUT or IN_OUT.")] = "IN_OUT"
    sources: Annotated[tuple[Text, ...], Meta(description="From whom.")] = (ANY,)
    sources_excluded: Annotated[bool, Meta(description="From everyone but these.")] = False
    destinations: Annotated[tuple[Text, ...], Meta(description="To whom.")] = (ANY,)
    destinations_excluded: Annotated[bool, Meta(description="To everyone but these.")] = False
    services: Annotated[tuple[Text, ...], Meta(description="Services, by path or as protocol and ports.")] = (ANY,)
    profiles: Annotated[tuple[Text, ...], Meta(description="Layer 7 profiles that it is limited to.")] = ()
    applied_to: Annotated[tuple[Text, ...], Meta(description="Where it is enforced.")] = (ANY,)
    disabled: Annotated[bool, Meta(description="It is disabled.")] = False


class NsxPolicy(Model, frozen=True, kw_only=True):
    """Firewall rules in their order."""

    path: Annotated[PolicyPath, Meta(description="Its path.")]
    name: Annotated[Text, Meta(description="Its name.")]
    kind: Annotated[
        Literal["distributed", "gateway"],
        Meta(description="Whether it is enforced at the VMs, or at tier-0 and tier-1 gateways."),
    ]
    category: Annotated[Text, Meta(description="Its category, as in Application.")] | None = None
    applied_to: Annotated[
        tuple[Text, ...], Meta(description="Where its rules are enforced, over what they say themselves.")
    ] = (ANY,)
    rules: Annotated[tuple[NsxRule, ...], Meta(description="Its rules.")] = ()


class Nsx(Model, frozen=True, kw_only=True):
    """What one NSX Manager says."""

    vcenters: Annotated[tuple[Name, ...], Meta(description="vCenters that it serves; none: all of them.")] = ()
    segments: Annotated[tuple[NsxSegment, ...], Meta(description="Segments.")] = ()
    groups: Annotated[tuple[NsxGroup, ...], Meta(description="Groups.")] = ()
    policies: Annotated[tuple[NsxPolicy, ...], Meta(description="Policies, as NSX applies them.")] = ()
    vms: Annotated[tuple[NsxVm, ...], Meta(description="VMs with their tags; none: the tags are unknown.")] = ()
