"""What the forecast of a schedule assumes: `settings.schedule`. Nothing that is emitted depends on it."""

from typing import Annotated, Literal

from msgspec import Meta, field

from vmferry.model.base import Duration, Model, Size, Text, Timestamp, text

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TimeOfDay = Annotated[str, text("([01][0-9]|2[0-3]):[0-5][0-9]", "A time of the day.", example="20:00")]
Zone = Annotated[Text, Meta(description="Time zone, as in Europe/Berlin. Default: UTC.")]

WEEK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Bandwidth(Model, frozen=True, kw_only=True):
    """What all copies together may take of the network, always or at certain hours."""

    rate: Annotated[Size, Meta(description="Bytes per second.")]
    days: Annotated[tuple[Weekday, ...], Meta(min_length=1, description="Days on which it begins to hold.")] = WEEK
    since: Annotated[TimeOfDay, Meta(description="From when on.")] | None = field(default=None, name="from")
    until: Annotated[TimeOfDay, Meta(description="Until when; the next day, if that is earlier.")] | None = field(
        default=None, name="to"
    )
    timezone: Zone = "UTC"


class Freeze(Model, frozen=True, kw_only=True):
    """A change freeze: nothing cuts over."""

    start: Annotated[Timestamp, Meta(description="When it begins.")]
    duration: Annotated[Duration, Meta(description="How long it lasts.")]
    reason: Annotated[Text, Meta(description="Why, as in `end of the quarter`.")] | None = None


class WeeklyWindow(Model, frozen=True, kw_only=True):
    """When the business accepts windows: `vmferry plan schedule` proposes them then."""

    days: Annotated[tuple[Weekday, ...], Meta(min_length=1, description="Days on which one may open.")] = ("sat",)
    at: Annotated[TimeOfDay, Meta(description="When it opens.")] = "20:00"
    duration: Annotated[Duration, Meta(description="How long it stays open.")] = "8h"
    timezone: Zone = "UTC"


class ConversionTimes(Model, frozen=True, kw_only=True):
    """How long it takes to convert a guest, by its system."""

    linux: Annotated[Duration, Meta(description="Linux.")] = "3m"
    windows: Annotated[Duration, Meta(description="Windows.")] = "5m"
    other: Annotated[Duration, Meta(description="Any other guest, and unknown ones.")] = "5m"
    per_disk: Annotated[Duration, Meta(description="More for each disk.")] = "30s"


class ScheduleSettings(Model, frozen=True, kw_only=True):
    """What the report `schedule` assumes where nothing was measured. docs/schedule.md says where defaults come from."""

    conversion: Annotated[ConversionTimes, Meta(description="How long guests are converted.")] = ConversionTimes()
    shutdown: Annotated[Duration, Meta(description="How long a guest takes to shut down.")] = "2m"
    start: Annotated[Duration, Meta(description="How long it takes until a VM serves again: start, DNS, checks.")] = (
        "15m"
    )
    daily_change: Annotated[
        float,
        Meta(
            ge=0,
            le=1000,
            description="Percent of the bytes in use that a VM writes a day, where no baseline says how much.",
        ),
    ] = 5.0
    precopy_interval: Annotated[
        Duration, Meta(description="Time between warm copies: Forklift's controller_precopy_interval.")
    ] = "1h"
    copy_ahead: Annotated[
        Duration, Meta(description="How long before a window first copies of warm VMs begin at the earliest.")
    ] = "7d"
    best: Annotated[
        float, Meta(ge=0, le=1, description="Factor on assumed times in the best case. Rates are not better.")
    ] = 0.5
    worst: Annotated[float, Meta(ge=1, le=100, description="Factor on the times of everything in the worst case.")] = (
        2.0
    )
    vms_per_datastore: (
        Annotated[int, Meta(ge=1, description="VMs of one datastore that are copied at once. Default: any number.")]
        | None
    ) = None
    bandwidth: Annotated[tuple[Bandwidth, ...], Meta(description="Limits of the network; the lowest counts.")] = ()
    freezes: Annotated[tuple[Freeze, ...], Meta(description="Change freezes.")] = ()
    vms_per_window: (
        Annotated[
            int,
            Meta(
                ge=1,
                description="VMs that the team can take through one window of a phase; in a phase without windows, in "
                "one day (UTC). Default: any number.",
            ),
        ]
        | None
    ) = None
    groups_per_window: Annotated[int, Meta(ge=1, description="The same for groups.")] | None = None
    business_cycle: (
        Annotated[
            Duration,
            Meta(description="How long sources are kept at least, so that they see a whole cycle, such as a month."),
        ]
        | None
    ) = None
    windows: Annotated[WeeklyWindow, Meta(description="When windows may be proposed.")] = WeeklyWindow()
