"""Findings that were looked at and accepted."""

from typing import Annotated

from msgspec import Meta

from vmferry.model.base import Day, Model, Reason, RuleCode, Text


class Suppression(Model, frozen=True, kw_only=True):
    """A finding that was looked at and accepted."""

    rule: Annotated[RuleCode, Meta(description="The rule that says nothing of it.")]
    reason: Annotated[Reason, Meta(description="Why it is accepted.")]
    until: (
        Annotated[Day, Meta(description="Last day it is accepted; then it is an error that it still stands here.")]
        | None
    ) = None


class VmSuppression(Suppression, frozen=True, kw_only=True):
    """Findings on many VMs, or on none, that were looked at and accepted."""

    vms: Annotated[tuple[Text, ...], Meta(description="Names or globs of VMs. Default: whatever the rule finds.")] = ()
