"""Whom to reach while a group moves, by reference: nothing here is a person's name or number."""

from typing import Annotated

from msgspec import Meta

from vmferry.model.base import Model, text

Contact = Annotated[
    str,
    text(
        r"(?!.*://[^/]*@)[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*",
        "A page, a rota or a list that leads to who is on duty: a URL without credentials, the name of an on-call "
        "schedule, or an e-mail list.",
        max_length=200,
        example="https://oncall.acme.example/rotas/web",
    ),
]


class Contacts(Model, frozen=True, kw_only=True):
    """Whom to reach, by who does a step of the runbook."""

    platform: Annotated[Contact, Meta(description="Who owns the GitOps repository and the cluster.")] | None = None
    v_sphere: Annotated[Contact, Meta(description="Who owns vCenter.")] | None = None
    application: (
        Annotated[Contact, Meta(description="Who owns the applications, for VMs without a `contact` of their own.")]
        | None
    ) = None
    network: Annotated[Contact, Meta(description="Who owns the network, DNS and firewalls.")] | None = None
