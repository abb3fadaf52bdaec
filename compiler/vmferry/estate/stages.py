"""The stages of a move group, in the order in which pull requests go through them."""

from typing import get_args

from vmferry.model.spec import Stage

STAGES: tuple[Stage, ...] = get_args(Stage)
"""Every stage that compiles, in order: none other is in the schemas, in messages or in help."""


def rank(stage: Stage) -> int:
    """Return how far a stage is: 0 is `planned`."""
    return STAGES.index(stage)


def reached(stage: Stage, other: Stage) -> bool:
    """Return whether a group at ``stage`` has been through ``other``, or is at it."""
    return rank(stage) >= rank(other)
