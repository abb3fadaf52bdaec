"""Compares VMs with their baseline, by what Prometheus answered to the queries of `vmferry observe --queries`.

The answers are those of its HTTP API (prometheus/prometheus docs/querying/api.md): `/api/v1/query` gives a vector, each
series with one value; `/api/v1/query_range` gives a matrix: the last value of each series counts.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any, NamedTuple

import msgspec
from msgspec import structs

from vmferry.estate.causes import BY_CODE
from vmferry.estate.performance import as_it_is, compared, compares, in_words, missing, shown_by, slower
from vmferry.estate.wording import counted, duration
from vmferry.estate.words.secrecy import said
from vmferry.kube import metrics
from vmferry.kube.quantity import parse_duration
from vmferry.model.blueprint import Blueprint, Comparison, Group, Machine
from vmferry.model.evidence import Entry
from vmferry.model.facts import Baseline
from vmferry.observe.belonging import Place
from vmferry.observe.dumps import DumpError, objects_of
from vmferry.observe.entries import entry, stamp

_ENOUGH = 0.9
"""Part of the period that a VM has to have been measured."""
_SHOWN = 5  # VMs that are named
_LATEST = 253402300799  # the last second of the year 9999

_Sample = tuple[float, str]


class _Series(msgspec.Struct, frozen=True):
    metric: dict[str, str] = {}
    value: _Sample | None = None
    values: list[_Sample] | None = None


class _Data(msgspec.Struct, frozen=True, rename="camel"):
    result_type: str = ""
    result: list[msgspec.Raw] | None = None


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"{}")
    error: str | None = None


class _Measured(NamedTuple):
    value: float
    time: float  # seconds since 1970


_Key = tuple[str, str | None]  # sum and disk


class Answers:
    """What Prometheus answered, by namespace and name of the VM, and how many series were ignored, by reason."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], dict[_Key, _Measured]] = {}
        self._ignored: Counter[str] = Counter()
        self._read = 0

    def add(self, raw: bytes) -> None:
        """Read one answer, or several in a row. Raises DumpError."""
        for text in objects_of(raw):
            try:
                answer = msgspec.json.decode(text, type=_Answer)
                data = msgspec.json.decode(answer.data, type=_Data)
            except (msgspec.MsgspecError, RecursionError):
                raise DumpError("it is not an answer of Prometheus' /api/v1/query or query_range") from None
            if answer.status != "success":
                raise DumpError(f"Prometheus did not answer: {said(answer.error or answer.status)}")
            if data.result_type not in ("vector", "matrix"):
                raise DumpError(f"an answer is of type {said(data.result_type, 40)!r}, not a vector or a matrix")
            for series in data.result or ():
                self._series(series)

    def _series(self, raw: msgspec.Raw) -> None:
        try:
            series = msgspec.json.decode(raw, type=_Series)
        except (msgspec.MsgspecError, RecursionError):
            self._ignored["of an unknown form"] += 1
            return
        labels, measured = series.metric, _last(series)
        name, measure = (labels.get("namespace", ""), labels.get("name", "")), labels.get(metrics.MEASURE)
        if measure not in metrics.SUMS and measure != metrics.COVERED:
            self._ignored[f"without the label {metrics.MEASURE} that `--queries` adds"] += 1
        elif measured is None:
            self._ignored["without a number"] += 1
        else:
            self._read += 1
            known = self._found.setdefault(name, {})
            key = (str(measure), labels.get("drive"))
            if key not in known or known[key].time <= measured.time:
                known[key] = measured

    def of(self, machine: Machine) -> Mapping[_Key, _Measured]:
        """Return what Prometheus has of a VM."""
        return self._found.get((machine.namespace, machine.target_name), {})

    def notices(self, blueprint: Blueprint) -> Iterator[str]:
        """Yield what was read and what was not."""
        yield f"read {counted(self._read, 'value')} of {counted(len(self._found), 'VM')}"
        for reason, count in sorted(self._ignored.items()):
            yield f"ignored {count} series {reason}"
        unknown = [machine.name for _, machine, _ in _vms(blueprint) if not self.of(machine)]
        if unknown:
            more = ", …" if len(unknown) > _SHOWN else ""
            yield f"nothing is measured of {counted(len(unknown), 'VM')} ({', '.join(unknown[:_SHOWN])}{more})"


def _last(series: _Series) -> _Measured | None:
    """Return the last value of a series; None if it is not a number that can be compared."""
    sample = series.value or (series.values[-1] if series.values else None)
    if sample is None:
        return None
    try:
        value = float(sample[1])
    except ValueError:
        return None
    usable = isfinite(value) and value >= 0 and isfinite(sample[0]) and 0 <= sample[0] <= _LATEST
    return _Measured(value, sample[0]) if usable else None


def queries(blueprint: Blueprint) -> tuple[str, ...]:
    """Return what to ask Prometheus; nothing if no VM is to be compared."""
    namespaces = {machine.namespace for _, machine, _ in _vms(blueprint)}
    if not namespaces or blueprint.performance is None:
        return ()
    return tuple(metrics.queries(parse_duration(blueprint.performance.period), namespaces))


def _vms(blueprint: Blueprint) -> Iterator[tuple[Group, Machine, Baseline]]:
    """Yield the VMs that run and are to be compared."""
    for group in filter(compares, blueprint.groups):
        for machine, was in compared(group):
            yield group, machine, was


def observed(answers: Answers, blueprint: Blueprint) -> tuple[Entry, ...]:
    """Return how VMs compare with their baseline; nothing of those that Prometheus does not have."""
    return tuple(
        _compared(Place(group, machine), group.performance, was, known)
        for group, machine, was in _vms(blueprint)
        if group.performance is not None and (known := answers.of(machine))
    )


def _compared(place: Place, how: Comparison, was: Baseline, known: Mapping[_Key, _Measured]) -> Entry:
    machine, group = place.machine, place.group
    assert machine is not None  # noqa: S101 - of a VM
    now: dict[Any, float] = {key: each.value for key, each in known.items()}
    when = stamp(datetime.fromtimestamp(max(each.time for each in known.values()), UTC))
    object_ = shown_by(group, machine)
    if lack := _too_little(how, was, now):
        found = entry(place, "performance", object_, "waiting", cause=BY_CODE["not-compared"], texts=[lack])
        return structs.replace(found, finished=when)
    if worse := slower(was, now, machine, how):
        cause, texts = BY_CODE["slower-than-before"], [in_words(each) for each in worse]
        return entry(place, "performance", object_, "failed", times=(None, when), cause=cause, texts=texts)
    found = entry(place, "performance", object_, "succeeded", times=(None, when))
    return structs.replace(found, said=said(as_it_is(was, now, machine, how)) or None)


def _too_little(how: Comparison, was: Baseline, now: Mapping[Any, float]) -> str:
    """Return what is missing to compare a VM; empty if nothing is."""
    period = parse_duration(how.settings.period)
    covered = min(now.get((metrics.COVERED, None), 0), period)
    if covered < _ENOUGH * period:
        return f"measured for {duration(covered)} of {duration(period)}"
    lost = missing(was, now, how)
    return f"nothing is measured of {', '.join(lost)}" if lost else ""
