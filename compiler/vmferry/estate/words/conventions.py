"""Naming conventions, learned from the estate: where names contain the environment, and what codes mean.

No list can know that SQLT04 is a test system in one company, and that `dbs` in DEMUCPDBS001 is its code for databases.
The estate shows it: names differ in one letter where the folder, cluster or attribute differs, or the same name exists
with P, T and D in one place; and a code occurs in the names of VMs whose notes, file systems or folders reveal what
they are. A convention is accepted if enough VMs agree and few disagree. The result is a guess like any other, with
evidence.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from vmferry.estate.words.leftovers import bare
from vmferry.estate.words.vocabulary import DEV_CODES, PROD_CODES

_RUNS = re.compile(r"[^\W\d_]+|\d+|[\W_]+")
_LONGEST = 4  # letters of a code
_LABELLED = 12  # VMs known otherwise that a place of the environment needs
_PAIRS = 3  # names that exist for production and for something else, where no other evidence is
_AGREE = 0.95
_CODED = 0.9
_COVER = 0.8
_KINDS = 0.9
_MOST = 20  # habits: parts of one place tell the same


class Place(NamedTuple):
    """A place in names: the shape of the name, the run of letters counted from an end, and the part of that run."""

    shape: str  # "" for any
    run: int
    part: str  # "whole", "first", "last", or "LENGTH:FROM:TO" of runs of one length

    @property
    def where(self) -> str:
        """Return the place in words."""
        if self.part in ("first", "last"):
            return f"as the {self.part} letter of a part"
        return "as a part" if self.part == "whole" else f"at position {int(self.part.split(':')[1]) + 1}"


class Hint(NamedTuple):
    """What a convention says about a name."""

    value: str
    code: str
    why: str


class _Habit(NamedTuple):
    """The meanings of the codes at a place, and how many VMs confirm them."""

    place: Place
    meaning: Mapping[str, bool]  # code -> anything but production
    shown: int


class Conventions(NamedTuple):
    """The conventions of an estate. Empty by default."""

    habits: tuple[_Habit, ...] = ()
    codes: Mapping[str, Hint] = {}
    places: tuple[Place, ...] = ()  # where the code of what a VM is for stands

    def environment(self, name: str) -> Hint | None:
        """Return dev-test or prod by the code at this estate's place for it."""
        for habit in self.habits:
            code = _code_at(name, habit.place)
            if code is not None and code in habit.meaning:
                value = "dev-test" if habit.meaning[code] else "prod"
                why = f"{code!r} {habit.place.where} of the name, as in the names of {habit.shown} VMs here"
                return Hint(value, code, why)
        return None

    def words(self, name: str) -> tuple[str, ...]:
        """Return codes inside the words of a name: at the learned place, or next to the environment's letter."""
        at = (_code_at(name, place) for place in self.places)
        return tuple(dict.fromkeys([*(code for code in at if code is not None), *_beside(name, self.habits)]))

    def kind(self, name: str) -> Hint | None:
        """Return the meaning of the clearest code of a name in this estate."""
        found = (self.codes.get(code) for code in _candidates(name, self))
        return next((hint for hint in found if hint is not None), None)


NONE = Conventions()


@lru_cache(maxsize=16384)
def _runs(name: str) -> tuple[str, tuple[str, ...]]:
    """Return the shape of a name, such as `a-a9`, and its runs of letters."""
    found = _RUNS.findall(bare(name).casefold())
    shape = "".join("9" if run.isdigit() else "a" if run[0].isalpha() else run for run in found)
    return shape, tuple(run for run in found if run[0].isalpha())


class _Span(NamedTuple):
    """A place in names of one layout, and the code's position: the run of letters, from and to."""

    place: Place
    run: int
    start: int
    end: int


@lru_cache(maxsize=4096)
def _layout(shape: str, lengths: tuple[int, ...]) -> tuple[_Span, ...]:
    """Return every possible place of a code in names of one shape, whose runs have these lengths."""
    result: list[_Span] = []
    for index, length in enumerate(lengths):
        for kept, number in ((shape, index), ("", index), ("", index - len(lengths))):
            result += (_Span(Place(kept, number, part), index, *bounds) for part, bounds in _parts(length))
        result += (_Span(Place(shape, index, part), index, *bounds) for part, bounds in _slices(length))
    return tuple(result)


def _parts(length: int) -> Iterator[tuple[str, tuple[int, int]]]:
    if length <= _LONGEST:
        yield "whole", (0, length)
    if length > 1:
        yield "first", (0, 1)
        yield "last", (length - 1, length)


def _slices(length: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the parts of names without separators, which all have the same length."""
    if _LONGEST < length <= 15:
        for start in range(length):
            for end in range(start + 1, min(start + _LONGEST, length) + 1):
                yield f"{length}:{start}:{end}", (start, end)


def _holders(names: Iterable[str], wanted: Callable[[_Span], bool]) -> defaultdict[Place, defaultdict[str, list[str]]]:
    """Return the names at each place by their code there.

    Names of one layout have the same places, so each place is only computed once.
    """
    alike: defaultdict[tuple[str, tuple[int, ...]], list[tuple[str, tuple[str, ...]]]] = defaultdict(list)
    for name in names:
        shape, runs = _runs(name)
        alike[shape, tuple(map(len, runs))].append((name, runs))
    result: defaultdict[Place, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for layout, same in alike.items():
        for place, run, start, end in filter(wanted, _layout(*layout)):
            by_code = result[place]
            for name, runs in same:
                by_code[runs[run][start:end]].append(name)
    return result


def _code_at(name: str, place: Place) -> str | None:
    """Return the text at a place of a name; None if the name has no such place."""
    shape, runs = _runs(name)
    if place.shape not in ("", shape) or not -len(runs) <= place.run < len(runs):
        return None
    run = runs[place.run]
    options = _slices(len(run)) if ":" in place.part else _parts(len(run))
    return next((run[start:end] for part, (start, end) in options if part == place.part), None)


def _beside(name: str, habits: Iterable[_Habit]) -> Iterator[str]:
    """Yield runs without their leading or trailing environment letter: `sql` of SQLT04."""
    _, runs = _runs(name)
    for habit in habits:
        place = habit.place
        if place.part not in ("first", "last") or _code_at(name, place) not in habit.meaning:
            continue
        run = runs[place.run]
        yield run[:-1] if place.part == "last" else run[1:]


# --- environments -----------------------------------------------------------------------------------


def environments(names: Sequence[str], known: Mapping[str, bool]) -> tuple[_Habit, ...]:
    """Return where these names contain the environment. ``known``: names, and whether they are not production."""
    habits = []
    for place, by_code in _holders(names, _one_code).items():
        if len(by_code) > 1:
            habit = _by_labels(place, by_code, known) or _by_pairs(place, by_code, known)
            if habit is not None:
                habits.append(habit)
    whole = {(each.place.shape, each.place.run): each.shown for each in habits if each.place.part == "whole"}
    habits = [
        each
        for each in habits
        if each.place.part == "whole" or each.shown > 1.1 * whole.get((each.place.shape, each.place.run), 0)
    ]
    return tuple(sorted(habits, key=lambda each: (-each.shown, max(map(len, each.meaning)), each.place)))[:_MOST]


def _one_code(span: _Span) -> bool:
    """Return whether a part may be an environment: a word, or one or two letters in names of one length."""
    return ":" not in span.place.part or span.end - span.start <= 2


def _by_labels(place: Place, by_code: Mapping[str, list[str]], known: Mapping[str, bool]) -> _Habit | None:
    counts = {code: Counter(known[name] for name in names if name in known) for code, names in by_code.items()}
    total = sum(count.total() for count in counts.values())
    if total < _LABELLED:
        return None
    meaning: dict[str, bool] = {}
    agreeing = 0
    for code, count in counts.items():
        for dev, number in count.most_common(1):
            if number >= 3 and number >= _AGREE * count.total():
                meaning[code] = dev
                agreeing += number
    if agreeing < _COVER * total or len(set(meaning.values())) < 2:
        return None
    if all(_coded(code) in (None, dev) for code, dev in meaning.items()):
        coded = {code: _coded(code) for code in by_code if code not in meaning}
        meaning |= {code: dev for code, dev in coded.items() if dev is not None}
    return _Habit(place, meaning, agreeing)


def _by_pairs(place: Place, by_code: Mapping[str, list[str]], known: Mapping[str, bool]) -> _Habit | None:
    """Return the codes of a place where names come in pairs: SQLP01 and SQLT01."""
    coded = {code: dev for code in by_code if (dev := _coded(code)) is not None}
    number = sum(len(names) for names in by_code.values())
    said = [(known[name], dev) for code, dev in coded.items() for name in by_code[code] if name in known]
    wrong = sum(one != other for one, other in said)
    inside = sum(len(by_code[code]) for code in coded)
    if inside < max(_LABELLED, _CODED * number) or wrong > (1 - _CODED) * len(said):
        return None
    stems: defaultdict[str, set[bool]] = defaultdict(set)
    for code, dev in coded.items():
        for name in by_code[code]:
            stems[_without(name, place)].add(dev)
    pairs = sum(len(both) > 1 for both in stems.values())
    return _Habit(place, coded, inside) if pairs >= _PAIRS else None


def _coded(code: str) -> bool | None:
    return True if code in DEV_CODES else False if code in PROD_CODES else None


def _without(name: str, place: Place) -> str:
    """Return the rest of a name without the code at a place and without numbers."""
    _, runs = _runs(name)
    rest = list(runs)
    run = rest[place.run]
    if place.part == "whole":
        rest[place.run] = "?"
    elif place.part in ("first", "last"):
        rest[place.run] = f"?{run[1:]}" if place.part == "first" else f"{run[:-1]}?"
    else:
        _, start, end = map(int, place.part.split(":"))
        rest[place.run] = f"{run[:start]}?{run[end:]}"
    return "-".join(rest)


# --- kinds ------------------------------------------------------------------------------------------


def kinds(
    names: Sequence[str], known: Mapping[str, str], words: Collection[str], habits: tuple[_Habit, ...]
) -> Conventions:
    """Return the meanings of codes in these names. ``known``: names and kinds; ``words``: commonly used codes."""
    learned = Conventions(habits, {}, _places(names, known, words))
    holders: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        for code in _candidates(name, learned):
            holders[code].add(name)
    codes: dict[str, Hint] = {}
    for code, found in holders.items():
        counts = Counter(known[name] for name in found if name in known)
        for value, number in counts.most_common(1):
            if number >= 2 and number >= _KINDS * counts.total() and len(found) <= 8 * number:
                codes[code] = Hint(value, code, f"{code!r} in the name, as in {number} VMs that are {value}")
    return learned._replace(codes=codes)


def _candidates(name: str, learned: Conventions) -> Iterator[str]:
    """Yield the codes of a name, clearest first."""
    yield from learned.words(name)
    _, runs = _runs(name)
    yield from (run for run in runs if len(run) > 1)


def _places(names: Sequence[str], known: Mapping[str, str], words: Collection[str]) -> tuple[Place, ...]:
    """Return where names without separators contain a code for the VM's purpose: the places that explain most VMs."""
    holders = _holders(names, lambda span: ":" in span.place.part and span.end - span.start > 1)
    found = [(score, place) for place, by_code in holders.items() if (score := _explained(by_code, known, words))]
    best: dict[str, Place] = {}
    for _, place in sorted(found, key=lambda each: (*(-part for part in each[0]), each[1])):
        best.setdefault(f"{place.shape} {place.run} {place.part.partition(':')[0]}", place)
    return tuple(best.values())


def _explained(
    by_code: Mapping[str, list[str]], known: Mapping[str, str], words: Collection[str]
) -> tuple[int, int] | None:
    """Return how many VMs' kinds the codes at a place explain, and how few codes that takes; None if it is chance."""
    total = sum(map(len, by_code.values()))
    covered, meanings = 0, set()
    for code, names in by_code.items():
        counts = Counter(known[name] for name in names if name in known)
        most = counts.most_common(1)
        if code in words:
            meanings.add(code)
        elif most and most[0][1] >= max(2, _KINDS * counts.total()):
            meanings.add(most[0][0])
        else:
            continue
        covered += len(names)
    if total < _LABELLED or len(meanings) < 3 or 2 * covered < total:
        return None
    return covered, -len(by_code)
