"""Illegal moves are refused, each by its rule, and whoever does what the help says has a move that is accepted.

The help is read as a person would: the first instruction that it gives is followed, whatever the move was.
"""

import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.cli.illegal_moves import LATER, MOVES, Copy, Move, laid_out, set_group
from tests.cli.repository import NOW, Estate
from tests.invocation import vmferry

ROUNDS = 5  # following one finding may show the next, but the help leads somewhere


@pytest.fixture(scope="session")
def commits(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Estate]:
    """Return what was committed before the moves, by name."""
    found = {
        name: laid_out(tmp_path_factory.mktemp(name), LATER if name == "later" else ())
        for name in ("acme", "later", "evidence")
    }
    signed = found["evidence"]
    assert vmferry("sign", signed.spec, "stateless-07", "--by", "ada", "--note", "x", *NOW).code == 0
    signed.commit()
    return found


def git(estate: Estate, *words: str) -> str:
    return subprocess.run(("git", *words), cwd=estate.top, check=True, capture_output=True, text=True).stdout


def errors(estate: Estate, now: str) -> list[dict[str, Any]]:
    """Return the errors in comparison with what is committed."""
    found = vmferry("check", estate.spec, "--against", "HEAD", "--format", "json", "--now", now).data["findings"]
    return [finding for finding in found if finding["severity"] == "error"]


# --- how a person follows the help -----------------------------------------------------------

Finding = Mapping[str, Any]
Step = Callable[[Estate, Finding, re.Match[str]], object]


def group_of(finding: Finding) -> str:
    found = re.search(r"group ([a-z0-9-]+)", finding["message"])
    assert found, finding
    return found[1]


def setting(field: str, convert: Callable[[str], object] = str) -> Step:
    """Return the step that sets a field of the finding's group to what the help says."""
    return lambda estate, finding, said: set_group(estate, group_of(finding), **{field: convert(said[1])})


def removing(*fields: str) -> Step:
    return lambda estate, finding, _: set_group(estate, group_of(finding), **dict.fromkeys(fields))


def restore(estate: Estate, finding: Finding, said: re.Match[str]) -> None:
    """Take the files from git that the help names: by name, as the place of the finding, or as the VM's entry."""
    named = re.findall(r"\w+\.yaml", said[0])
    git(estate, "checkout", "HEAD", "--", *(f"migration/{name}" for name in named))
    if re.match(r"restore (it|its target|the phase)\b", said[0]):
        git(estate, "checkout", "HEAD", "--", str(Path(finding["file"]).relative_to(estate.top)))
    if said[0].startswith("restore its entry"):
        git(estate, "checkout", "HEAD", "--", "migration/vms")


def remove_line(estate: Estate, finding: Finding, _: re.Match[str]) -> None:
    path = Path(finding["file"])
    lines = path.read_text().splitlines(keepends=True)
    del lines[finding["line"] - 1]
    path.write_text("".join(lines))


def remove_group(estate: Estate, _: Finding, said: re.Match[str]) -> None:
    lines = estate.file.read_text().splitlines(keepends=True)
    left = [line for line in lines if not line.startswith(f"  {said[1]}: ")]
    assert len(left) == len(lines) - 1
    estate.file.write_text("".join(left))


def remove_vm(estate: Estate, finding: Finding, said: re.Match[str]) -> None:
    text = estate.file.read_text()
    own = said[1].rpartition("/")[2]
    assert text.count(f", {own}]") == 1
    estate.file.write_text(text.replace(f", {own}]", "]"))


def run(estate: Estate, _: Finding, said: re.Match[str]) -> None:
    program, *words = shlex.split(said[1].replace("NAME", "ada").replace("TEXT", "'seen in the cluster'"))
    assert program == "vmferry"
    result = vmferry(*words, *NOW)
    assert result.code == 0, result.text


STEPS: tuple[tuple[str, Step], ...] = (
    (r"(?:set|keep) stage: ([a-z-]+)", setting("stage")),
    (r"(?:set|keep) attempt: (\d+)", setting("attempt", int)),
    (r"set (?:attempt: \d+ and )?remigrate: (\d+)", setting("remigrate", int)),
    (r"add `dataLoss: (\w+)`", setting("dataLoss")),
    (r"add `(reason)`", setting("reason")),
    (r"remove `dataLoss` and `reason`", removing("dataLoss", "reason")),
    (r"remove `hold`", removing("hold")),
    (r"remove its `stage`", removing("stage")),
    (r"remove `cutover`", removing("cutover")),
    (r"(?:add `cutover`|set a later `cutover`|set a time)[^:]*windows: (\S+) for", setting("cutover")),
    (r"remove (?:it|this), ", remove_line),
    (r"remove (?!it,|this,)([a-z0-9-]+)(?:,|:) (?:and set|there is|or correct|or name)", remove_group),
    (r"remove (\S+) from `vms`", remove_vm),
    (r"restore [^;]*", restore),
    (r"move ([a-z0-9-]+) to cutover first", lambda estate, _, said: set_group(estate, said[1], stage="cutover")),
    (r"move it back", lambda _, finding, __: Path(finding["file"]).unlink()),
    (r"`(vmferry sign [^`]+)`", run),
)
"""Instructions as findings word them, and what somebody does who reads them."""


def follow(estate: Estate, finding: Finding) -> None:
    """Do what the help of a finding says first; where it says two things with `and`, both."""
    said = [(match, step) for words, step in STEPS if (match := re.search(words, finding["help"]))]
    assert said, f"nobody knows what to do: {finding['help']}"
    first = min(match.start() for match, _ in said)
    for match, step in said:
        if match.start() == first:
            step(estate, finding, match)


# --- the moves -------------------------------------------------------------------------------


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move.says)
def test_it_is_refused_and_accepted_once_the_help_is_followed(
    move: Move, commits: Mapping[str, Estate], tmp_path: Path
) -> None:
    estate = Copy(commits[move.commit], tmp_path / "copy")
    move.edit(estate)
    changed = git(estate, "diff")
    assert changed
    found = errors(estate, move.now)
    assert move.code in {finding["code"] for finding in found}, found
    if not move.compiles:
        result = vmferry("compile", estate.spec, "--out", estate.top)
        assert (result.code, git(estate, "diff")) == (1, changed), result.text
    trail = []
    for _ in range(ROUNDS):
        if not found:
            break
        first = next((finding for finding in found if finding["code"] == move.code), found[0])
        trail.append(f"{first['code']} {first['message']} = {first['help']}")
        follow(estate, first)
        found = errors(estate, move.now)
    assert not found, (trail, found)
    estate.compile()
    assert errors(estate, move.now) == []
    verified = vmferry("verify", estate.top / "gitops")
    assert verified.code == 0, verified.text


ADVANCES = (
    ("dev-test-01", "migrating", "VMF411"),
    ("dev-test-01", "rolled-back", "VMF863"),
    ("dev-test-02", "validated", "VMF850"),
    ("dev-test-03", "retired", "VMF850"),
    ("dev-test-04", "prepared", "VMF411"),
    ("stateful-01", "planned", "VMF851"),
    ("stateful-06", "cutover", "VMF402"),
    ("stateless-02", "cutover", "VMF850"),
    ("stateless-04", "cutover", "VMF406"),
    ("stateless-05", "migrating", "VMF850"),
    ("stateless-05", "rolled-back", "VMF866"),
    ("stateless-07", "adopted", "VMF850"),
)


@pytest.mark.parametrize(("group", "stage", "code"), ADVANCES)
def test_a_refused_advance_writes_nothing(
    group: str, stage: str, code: str, commits: Mapping[str, Estate], tmp_path: Path
) -> None:
    estate = Copy(commits["acme"], tmp_path / "copy")
    result = estate.advance(group, "--to", stage)
    assert (result.code, code in result.out) == (1, True), result.text
    assert git(estate, "status", "--porcelain") == ""


def test_there_are_many_and_each_is_another_one() -> None:
    assert len({move.says for move in MOVES}) == len(MOVES) >= 80
    assert len({move.code for move in MOVES}) >= 20
