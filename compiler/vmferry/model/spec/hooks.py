"""The Forklift hooks of a spec, and their use by VMs."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Duration, Image, Model, Name, Text
from vmferry.model.forklift import AapJob


class HookUse(Model, frozen=True, kw_only=True):
    """A Forklift hook that runs for a VM."""

    name: Annotated[Name, Meta(description="One of `hooks`.")]
    step: Annotated[Literal["PreHook", "PostHook"], Meta(description="When.")]


HOOK_RUNNER = "quay.io/konveyor/hook-runner:latest"
"""Image of hooks that set none and start no AAP job."""


class Hook(Model, frozen=True, kw_only=True):
    """A Forklift Hook: an image, an Ansible playbook it runs, or a job of the Ansible Automation Platform."""

    name: Annotated[Name, Meta(description="Its name.")]
    image: (
        Annotated[Image, Meta(description=f"Image of the hook runner, without `aap`. Default: {HOOK_RUNNER}.")] | None
    ) = None
    playbook: Annotated[Text, Meta(description="Ansible playbook: a file beside the spec.")] | None = None
    service_account: Annotated[Name, Meta(description="ServiceAccount, in the Plan's namespace.")] | None = None
    deadline: Annotated[Duration, Meta(description="Time limit.")] | None = None
    aap: Annotated[AapJob, Meta(description="AAP job to start, instead of image and playbook.")] | None = None
