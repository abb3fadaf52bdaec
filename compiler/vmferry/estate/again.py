"""The numbers of a group's runs: what copied its VMs is named after them, and a name that was used never is again."""

from collections.abc import Iterator
from typing import NamedTuple

from vmferry.estate.methods import METHODS
from vmferry.estate.stages import begun, running
from vmferry.model.rule import declare
from vmferry.model.spec import Method, Stage

MIGRATED_AGAIN = declare(
    "VMF864",
    "error",
    "group migrates again without a new number",
    why="What copied the VMs ran, and its name is taken: Forklift reruns no Plan that has succeeded, and a Job that is "
    "complete does not start again. Volumes that hold an earlier copy must not be mistaken for new ones: `remigrate` "
    "states that they were deleted, by whoever decided that their data is not needed.",
    source="kubev2v/forklift pkg/controller/plan: a Plan that succeeded is only reconciled to be archived",
)


class Run(NamedTuple):
    """Where a group is, and how its runs are numbered. ``reached`` is the stage from which it was rolled back."""

    stage: Stage
    attempt: int
    remigrate: int
    reached: Stage | None = None


class Misfit(NamedTuple):
    """A number that does not follow from the past, and how to fix it."""

    message: str
    fix: str


def misfits(name: str, method: Method, was: Run, now: Run) -> Iterator[Misfit]:
    """Yield what is wrong with the numbers of a group."""
    lower = now.remigrate < was.remigrate or (now.attempt < was.attempt and not begun(was.stage))
    if lower or (was.stage == "rolled-back" and now.attempt < was.attempt):
        wanted = f"attempt: {max(was.attempt, now.attempt)} and remigrate: {max(was.remigrate, now.remigrate)}"
        yield Misfit(
            f"group {name} goes from attempt {was.attempt} and remigrate {was.remigrate} back to {now.attempt} and "
            f"{now.remigrate}",
            f"set {wanted}, or raise them: what earlier runs were called is taken",
        )
    elif was.stage == "rolled-back" and now.stage != "rolled-back":
        yield from _again(name, method, was, now)
    elif now.remigrate != was.remigrate and was.stage != "planned":
        yield Misfit(
            f"group {name} is at {now.stage}, and its `remigrate` changed from {was.remigrate} to {now.remigrate}",
            f"set remigrate: {was.remigrate}; it is raised when the group leaves rolled-back",
        )
    elif now.stage == "rolled-back" and now.attempt != was.attempt:
        yield Misfit(
            f"group {name} is rolled back, and its `attempt` changed from {was.attempt} to {now.attempt}",
            f"set attempt: {was.attempt}; it is raised when the group leaves rolled-back",
        )


def _again(name: str, method: Method, was: Run, now: Run) -> Iterator[Misfit]:
    """Yield what a group lacks that goes on after a roll-back as if nothing of the earlier run were there."""
    reached = was.reached or "prepared"
    if not begun(reached):
        return
    deleted = now.stage == "planned" or running(reached) or not _overwrites(method)
    wanted = [f"attempt: {was.attempt + 1}"] if now.stage != "planned" and now.attempt <= was.attempt else []
    if deleted and now.remigrate <= was.remigrate:
        wanted.append(f"remigrate: {was.remigrate + 1}")
    if wanted:
        condition = ", once its VirtualMachines, DataVolumes and claims in the target are deleted" if deleted else ""
        yield Misfit(
            f"group {name} was rolled back from {reached} and goes to {now.stage} as if it had never run",
            f"set {' and '.join(wanted)}{condition}",
        )


def _overwrites(method: Method) -> bool:
    """Return whether another attempt may write into the volumes of one that did not finish."""
    traits = METHODS[method]
    return traits.converts or traits.path == "rebuild"
