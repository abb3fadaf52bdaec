"""Who may do what with the VMs of a namespace: confirmed by people, never derived from vCenter."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Model, Name

AccessRole = Literal["view", "console", "operate", "migrate", "edit", "admin"]


class Access(Model, frozen=True, kw_only=True):
    """A role of a group of people in some namespaces; `vmferry report people` proposes entries."""

    group: Annotated[
        str,
        Meta(
            max_length=1024,
            description="Group as the cluster knows it, with the prefix that its OIDC settings add: oidc:web-team.",
        ),
    ]
    role: Annotated[
        AccessRole,
        Meta(
            description="view: see VMs. console: also their console and screen. operate: also start, stop, restart "
            "and pause. edit: also create, change and delete VMs. admin: also delete all at once. migrate: only "
            "live-migrate VMs."
        ),
    ]
    namespaces: Annotated[tuple[Name, ...], Meta(min_length=1, description="Namespaces in which the group has it.")]
