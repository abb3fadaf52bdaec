"""How entries of evidence are made: times in one form, clean words, causes with their next step."""

from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec import structs

from vmferry.estate.causes import BY_CODE, Cause, recognized
from vmferry.estate.words.secrecy import said
from vmferry.model.evidence import Entry, Outcome, What
from vmferry.observe.belonging import Place
from vmferry.observe.shapes import Condition, Metadata

Times = tuple[str | None, str | None]
"""When something started, and when it reached its outcome, as the cluster writes times."""

_TENTHS = 10


def entry(
    place: Place,
    what: What,
    object_: str,
    outcome: Outcome,
    *,
    times: Times = (None, None),
    size: int | None = None,
    cause: Cause | None = None,
    texts: Iterable[str] = (),
) -> Entry:
    """Return an entry. ``texts`` are what the cluster says; they are only kept with a ``cause``."""
    machine = place.machine
    return structs.replace(
        told(what, object_, outcome, times=times, cause=cause, texts=texts),
        group=place.group.name,
        vm=machine.key if machine is not None else None,
        name=machine.name if machine is not None else None,
        attempt=place.attempt if place.attempt is not None else place.group.attempt,
        remigrate=place.group.remigrate,
        bytes=size,
    )


def told(
    what: What,
    object_: str,
    outcome: Outcome,
    *,
    times: Times = (None, None),
    cause: Cause | None = None,
    texts: Iterable[str] = (),
) -> Entry:
    """Return what an object shows, whatever it is about; ``texts`` as for `entry`."""
    words = said("; ".join(dict.fromkeys(text for text in texts if text))) if cause is not None else ""
    return Entry(
        what=what,
        object=object_,
        outcome=outcome,
        started=moment(times[0]),
        finished=moment(times[1]),
        cause=cause.code if cause is not None else None,
        problem=cause.problem if cause is not None else None,
        next=cause.next if cause is not None else None,
        said=words or None,
    )


def cause_of(texts: Iterable[str], otherwise: str = "unknown") -> Cause:
    """Return the cause that texts name, or another one by its code."""
    return recognized(texts) or BY_CODE[otherwise]


def moment(text: str | None) -> str | None:
    """Return a time in UTC and in one form; None for what is not one."""
    if not text or len(text) > 40:
        return None
    try:
        found = datetime.fromisoformat(text)
        return stamp(found) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def stamp(time: datetime) -> str:
    """Return a time as it is in evidence."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def tenths(done: int, total: int) -> int:
    """Return how much of a copy is done, rounded down to tenths, so that progress adds few entries."""
    if total <= 0:
        return 0
    return total * (_TENTHS * min(max(done, 0), total) // total) // _TENTHS


def title(kind: str, metadata: Metadata) -> str:
    """Return the name of an object in an entry; the caller knows that it is one of vmferry's names."""
    return f"{kind} {metadata.namespace}/{metadata.name}"


def true(conditions: Iterable[Condition] | None, *types: str) -> Condition | None:
    """Return the first condition of these types that is true."""
    return next((each for each in conditions or () if each.type in types and each.status == "True"), None)


def words(*parts: str | None) -> str:
    """Return reason and message as one text."""
    return " ".join(part for part in parts if part)
