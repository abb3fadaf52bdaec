"""Limits of the programs that apply manifests."""

from vmferry.model.rule import declare

MAX_OF_ROOT = 300
"""Maximum objects per root: kustomize's time is quadratic in their number."""

MAX_OF_GROUP = MAX_OF_ROOT - 20
"""Maximum objects a group is filled with: they are counted before they are emitted, and users add some in `local/`."""

ROOT_TOO_LARGE = declare(
    "VMF609",
    "error",
    "root holds too many resources",
    why="kustomize takes four times as long for twice as many objects. Beyond some hundreds, Argo CD gives up on the "
    "root after 90 seconds, and Flux gets to nothing else.",
    source="kubernetes-sigs/kustomize issue 5084; argoproj/argo-cd docs/operator-manual/high_availability.md",
)
