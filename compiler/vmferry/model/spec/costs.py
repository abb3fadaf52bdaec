"""The costs of a spec, for `vmferry report cost`: only what is stated counts, nothing is assumed."""

from typing import Annotated, Literal

from msgspec import Meta

from vmferry.model.base import Model, Text

Money = Annotated[float, Meta(ge=0, le=1e12)]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)", description="A day: 2027-06-30.")]
Side = Literal["vsphere", "target", "both"]


class Licence(Model, frozen=True, kw_only=True):
    """A licence or subscription of what runs today, or of the target."""

    name: Annotated[Text, Meta(description="Its name.")]
    of: Annotated[Side, Meta(description="What it is for; it falls away with it.")] = "vsphere"
    kind: Annotated[
        Literal["subscription", "perpetual"], Meta(description="A perpetual licence costs what its support costs.")
    ] = "subscription"
    per_year: Annotated[Money, Meta(description="What it costs per year.")] | None = None
    per_core: Annotated[Money, Meta(description="What a core costs per year, instead of perYear.")] | None = None
    cores: (
        Annotated[
            int,
            Meta(ge=1, le=10**7, description="Cores that are licensed. Default: those of all ESXi hosts."),
        ]
        | None
    ) = None
    minimum_cores: Annotated[
        int, Meta(ge=0, le=1024, description="Cores per CPU that are counted at least; VMware counts 16.")
    ] = 16
    ends: Annotated[Day, Meta(description="Last day it is paid for.")] | None = None


class Recurring(Model, frozen=True, kw_only=True):
    """What is paid again and again: support, power, housing."""

    name: Annotated[Text, Meta(description="What it is.")]
    of: Annotated[Side, Meta(description="What it is for; it falls away with it.")]
    per_month: Annotated[Money, Meta(description="What it costs per month.")]


class Once(Model, frozen=True, kw_only=True):
    """What is paid once: hardware, training, a partner."""

    name: Annotated[Text, Meta(description="What it is.")]
    amount: Annotated[Money, Meta(description="What it costs.")]


class Team(Model, frozen=True, kw_only=True):
    """What the people cost who do the migration."""

    day_rate: Annotated[Money, Meta(description="What a day of one person costs.")]
    days: Annotated[float, Meta(ge=0, le=1e6, description="Days of all of them.")]


class Costs(Model, frozen=True, kw_only=True):
    """What the migration costs, and what it saves."""

    currency: Annotated[str, Meta(min_length=1, max_length=8, description="Currency of all amounts, as in EUR.")]
    source: Annotated[Text, Meta(description="Where the amounts come from: an offer, an invoice, a date.")]
    licences: Annotated[tuple[Licence, ...], Meta(description="Licences and subscriptions.")] = ()
    recurring: Annotated[tuple[Recurring, ...], Meta(description="What is paid every month.")] = ()
    once: Annotated[tuple[Once, ...], Meta(description="What is paid once, for the migration.")] = ()
    team: Annotated[Team, Meta(description="The people.")] | None = None
