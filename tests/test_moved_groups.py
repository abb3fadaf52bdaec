"""After groups moved to a later stage, only these groups are decided again, and nobody sees a difference."""

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.bench import estate as large
from tests.cli.illegal_moves import LATER, Copy, laid_out, set_group
from tests.cli.repository import NOW, Estate
from tests.cli.test_illegal_moves import ADVANCES
from tests.invocation import Result, vmferry
from tests.properties.edits import EDITS
from tests.properties.estates import ANY_WAY, estates
from tests.properties.estates import Estate as Generated
from tests.rules.laying import EXAMPLES, lay_out
from tests.rules.test_each import reviews
from tests.work import counted

from vmferry.check import check
from vmferry.estate.stages import STAGES, frozen, onward, rank, running
from vmferry.model.blueprint import Group
from vmferry.model.finding import Finding
from vmferry.model.review import Review
from vmferry.model.rule import declared
from vmferry.model.spec import Stage
from vmferry.rules import CHECKS, of_moved
from vmferry.rules.registry import Check, Find, run
from vmferry.yaml.write import dump

ALL = [(code, check) for code, checks in sorted(CHECKS.items()) for check in checks]
OF_A_STAGE = {"stage", "running", "frozen", "layers", "steps", "reached", "adopted"}
"""Fields of a Group that differ from stage to stage."""


def _names(found: Any, seen: set[object]) -> Iterator[str]:
    """Yield every name in the code of a function, and in that of the functions that it uses."""
    found = getattr(found, "__wrapped__", found)
    if isinstance(found, type):
        for each in vars(found).values():
            yield from _names(each.fget if isinstance(each, property) else each, seen)
    if not isinstance(found, FunctionType) or found in seen or not found.__module__.startswith("vmferry.rules"):
        return
    seen.add(found)
    codes: list[CodeType] = [found.__code__]
    for code in codes:  # grows meanwhile
        codes += [each for each in code.co_consts if isinstance(each, CodeType)]
        for name in code.co_names:
            yield name
            yield from _names(found.__globals__.get(name), seen)
    for cell in found.__closure__ or ():
        yield from _names(cell.cell_contents, seen)


def reads_stages(find: Find) -> set[str]:
    return OF_A_STAGE & {*_names(find, set())}


def test_a_function_that_reads_stages_says_what_else_it_depends_on() -> None:
    """Otherwise its findings would be taken over from before the move."""
    unmarked = [
        (code, check.find.__name__)
        for code, check in ALL
        if reads_stages(check.find) and not (check.each or check.blueprint or check.groups or check.fewer)
    ]
    assert unmarked == []
    assert sum(bool(reads_stages(check.find)) for _, check in ALL if check.groups or check.fewer) > 30


# --- what rules find of the groups that move is what they find of everything -------------------------


def _at(review: Review, name: str, stage: Stage) -> Review:
    """Return a review in which a group is at another stage."""
    was = next(group for group in review.blueprint.groups if group.name == name)
    now = structs.replace(was, stage=stage, running=running(stage), frozen=frozen(stage))
    groups = tuple(now if group is was else group for group in review.blueprint.groups)
    return structs.replace(
        review,
        blueprint=structs.replace(review.blueprint, groups=groups),
        subjects=tuple(structs.replace(each, group=now) if each.group is was else each for each in review.subjects),
    )


def _alone(review: Review, name: str) -> Review:
    """Return the review of one group alone."""
    groups = tuple(group for group in review.blueprint.groups if group.name == name)
    subjects = tuple(each for each in review.subjects if each.group is not None and each.group.name == name)
    places = {_place(each.where) for each in subjects}
    return structs.replace(
        review,
        project=structs.replace(
            review.project, entries=tuple(each for each in review.project.entries if _place(each.where) in places)
        ),
        blueprint=structs.replace(review.blueprint, groups=groups),
        subjects=subjects,
    )


def _place(where: object) -> str:
    return repr(where)


def _moves() -> Iterator[tuple[Review, Group, Stage]]:
    for whole, _ in reviews():
        for group in whole.blueprint.groups:
            following = onward(group.stage)
            while following is not None:
                yield whole, group, following
                following = onward(following)


def _found(review: Review, checks: Callable[[Check], bool]) -> Counter[Finding]:
    found = (finding for code, check in ALL if checks(check) for finding in run(declared()[code], review, (check,)))
    return Counter(structs.replace(finding, vms=tuple(sorted(finding.vms))) for finding in found)


def test_groups_that_move_change_what_is_found_as_if_everything_were_looked_at() -> None:
    changed, uncertain, compared = 0, 0, 0
    local = lambda check: check.each or check.groups or check.fewer  # noqa: E731
    before: dict[int, Counter[Finding]] = {}
    for whole, group, stage in _moves():
        was = before.get(id(whole))
        if was is None:
            was = before[id(whole)] = _found(structs.replace(whole), local)
        after = structs.replace(_at(whole, group.name, stage), before=whole)
        known = {finding.code for finding in was}
        one = _alone(whole, group.name)
        change = of_moved(one, structs.replace(_alone(after, group.name), before=one), known)
        if change is None:
            uncertain += 1
            continue
        now = _found(after, local)
        gone, new = (Counter(structs.replace(f, vms=tuple(sorted(f.vms))) for f in part) for part in change)
        assert was - gone + new == now, (group.name, stage)
        assert not gone - was
        changed += bool(gone or new)
        compared += 1
    assert min(changed, compared, uncertain) > 20


def test_what_finds_fewer_never_finds_more_as_groups_move_on() -> None:
    fewer = lambda check: check.fewer  # noqa: E731
    found = 0
    for whole, group, stage in _moves():
        was, now = _found(structs.replace(whole), fewer), _found(_at(whole, group.name, stage), fewer)
        assert now <= was, (group.name, stage)
        found += was != now
    assert found


# --- with a memory and without ----------------------------------------------------------------------


class Twice:
    """A spec that two people compile and check: one has a cache, the other has none."""

    def __init__(self, top: Path) -> None:
        self.spec = top / "spec"
        self._top = top

    def _run(self, verb: str, name: str, *options: str | Path) -> Result:
        memory = ("--cache-dir", self._top / "cache") if name == "warm" else ("--no-cache",)
        return vmferry(verb, self.spec, *options, "--assignments", self._top / f"{name}.yaml", "--all", *memory)

    def check(self) -> bool:
        """Check, and assert that both are told the same; return whether the one with a cache looked at everything."""
        with counted() as calls:
            warm = self._run("check", "warm", *NOW)
        assert _told(warm) == _told(self._run("check", "cold", *NOW))
        return calls["of_estate"] > 0

    def compile(self) -> bool:
        """Compile, and assert that both are told the same and have the same; return the same as `check`."""
        with counted() as calls:
            warm = self._run("compile", "warm", "--out", self._top / "warm")
        assert _told(warm) == _told(self._run("compile", "cold", "--out", self._top / "cold"))
        assert _content(self._top / "warm") == _content(self._top / "cold")
        records = [self._top / f"{name}.yaml" for name in ("warm", "cold")]
        assert len({path.read_bytes() if path.exists() else b"" for path in records}) == 1
        return calls["of_estate"] > 0


def _told(result: Result) -> tuple[int, str, str]:
    text = [each.replace("warm", "NAME").replace("cold", "NAME") for each in (result.out, result.err)]
    return result.code, text[0], text[1]


def _content(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _set(folder: Path, group: str, **state: object) -> None:
    """Change the state of a group in the spec of a folder."""
    path = folder / "spec.yaml"
    data = yaml.safe_load(path.read_text())
    groups = data.setdefault("groups", {})
    groups[group] = groups.get(group, {}) | state
    path.write_bytes(dump(data))


def _groups(folder: Path) -> tuple[Group, ...]:
    return check(folder, reasons=False).resolution.blueprint.groups


def test_a_group_that_moves_on_is_decided_alone(tmp_path: Path) -> None:
    both = Twice(tmp_path)
    large.write(both.spec, 40)
    for _ in range(2):
        both.compile()
    alone: Counter[str] = Counter()
    for group in _groups(both.spec)[::5]:
        for stage in ("prepared", "migrating", "cutover"):
            if rank(stage) <= rank(group.stage):
                continue
            timed = {"cutover": "2027-01-11T20:00:00Z"} if stage == "cutover" and group.method == "warm" else {}
            _set(both.spec, group.name, stage=stage, **timed)
            alone[stage] += not both.compile()
            alone["afterwards"] += not both.compile()
            both.check()
    assert min(alone[stage] for stage in ("prepared", "migrating", "cutover")) >= 1, alone
    assert alone["afterwards"] > 4


@given(estates(), st.integers(0, 2**32))
@settings(max_examples=25, deadline=None, phases=(Phase.explicit, Phase.generate))
def test_nobody_sees_a_difference_whatever_moves(estate: Generated, seed: int) -> None:
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        both = Twice(Path(name))
        for _ in range(5):
            estate.write(both.spec)
            for _ in range(dice.randint(0, 2)):  # somebody who checks more often than they compile
                both.check()
            if dice.random() < 0.7:
                both.compile()
            estate = estate.copy()
            groups = estate.spec.setdefault("groups", {})
            estate.spec["suppress"] = [ANY_WAY]
            for group in _groups(both.spec):
                state = groups.get(group.name, {})
                if dice.random() < 0.4:
                    stage = dice.choice((onward(group.stage) or "retired", dice.choice(STAGES)))
                    groups[group.name] = state | {"stage": stage}
            if dice.random() < 0.3:
                dice.choice(EDITS)(estate, dice)


# --- advance ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["acme", "later"])
def committed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """Return the example in a git repository, with what the last run left of it in a cache."""
    estate = laid_out(tmp_path_factory.mktemp("acme"), LATER if request.param == "later" else ())
    assert vmferry("check", estate.spec, "--cache-dir", estate.top.parent / "cache").code == 0
    return estate


def test_advance_says_the_same_with_and_without_a_memory(committed: Estate) -> None:
    cache = committed.top.parent / "cache"
    moves = [(group.name, str(onward(group.stage))) for group in _groups(committed.spec) if onward(group.stage)]
    moves += [(group, stage) for group, stage, _ in ADVANCES]
    quick = 0
    for group, stage in moves:
        words = ("advance", committed.spec, group, "--to", stage, "--dry-run", *NOW)
        with counted() as calls:
            warm = vmferry(*words, "--cache-dir", cache)
        assert warm == vmferry(*words, "--no-cache"), (group, stage)
        quick += not calls["of_estate"]
    assert quick >= 5
    for several in (("--all-ready",), ("--phase", "dev-test"), ("--phase", "stateless", "--all-ready")):
        options = ("advance", committed.spec, *several, "--dry-run", *NOW)
        assert vmferry(*options, "--cache-dir", cache) == vmferry(*options, "--no-cache")


def _moved(estate: Estate) -> None:
    """Move a group on and compile it, which nobody has committed."""
    set_group(estate, "stateless-02", stage="migrating")
    estate.compile()


@pytest.mark.parametrize(
    "edit",
    [
        lambda estate: (estate.spec / "notes.txt").write_text("x"),
        lambda estate: (estate.spec / "more.yaml").write_text("apiVersion: v1\nkind: ConfigMap\n"),
        _moved,
        lambda estate: (estate.spec / "assignments.yaml").unlink(),
    ],
    ids=["untracked", "another-file", "moved", "lost"],
)
def test_advance_compares_with_head_even_if_the_memory_is_of_what_is_here(
    edit: Callable[[Estate], object], committed: Estate, tmp_path: Path
) -> None:
    estate = Copy(committed, tmp_path / "copy")
    edit(estate)
    cache = tmp_path / "cache"
    vmferry("check", estate.spec, "--cache-dir", cache)
    for group in ("dev-test-01", "stateless-02", "stateful-02"):
        words = ("advance", estate.spec, group, "--dry-run", *NOW)
        assert vmferry(*words, "--cache-dir", cache) == vmferry(*words, "--no-cache")


def test_a_refused_move_shows_the_line_of_another_file(tmp_path: Path) -> None:
    lay_out(EXAMPLES / "VMF586/fires.yaml", tmp_path / "spec")
    spec = tmp_path / "spec/spec.yaml"
    moved = yaml.safe_load(spec.read_text())
    [group] = [name for name, state in moved["groups"].items() if state["stage"] == "migrating"]
    for stage in ("planned", "prepared"):
        moved["groups"][group]["stage"] = stage
        spec.write_bytes(dump(moved))
        assert vmferry("compile", spec.parent, "--out", tmp_path / "out").code == 0
    assert vmferry("check", spec.parent, "--cache-dir", tmp_path / "cache").code == 0
    words = ("advance", spec.parent, group, *NOW)
    with counted() as calls:
        warm = vmferry(*words, "--cache-dir", tmp_path / "cache")
    assert not calls["of_estate"]
    assert warm == vmferry(*words, "--no-cache")
    assert (warm.code, "VMF586" in warm.out, "^^^" in warm.out) == (1, True, True)
