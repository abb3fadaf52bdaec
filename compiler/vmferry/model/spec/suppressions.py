"""Findings that were reviewed and accepted."""

from typing import Annotated

from msgspec import Meta

from vmferry.model.base import Day, Model, Reason, RuleCode, Text


class Suppression(Model, frozen=True, kw_only=True):
    """A finding that was reviewed and accepted."""

    rule: Annotated[RuleCode, Meta(description="The rule to suppress.")]
    reason: Annotated[Reason, Meta(description="Why it is accepted.")]
    until: (
        Annotated[
            Day, Meta(description="Last day that it is accepted; after that, the suppression itself is an error.")
        ]
        | None
    ) = None


class VmSuppression(Suppression, frozen=True, kw_only=True):
    """Findings on many VMs, or on none, that were reviewed and accepted."""

    vms: Annotated[tuple[Text, ...], Meta(description="Names or globs of VMs. Default: all findings of the rule.")] = ()
