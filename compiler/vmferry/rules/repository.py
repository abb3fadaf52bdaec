"""The URL of the repository that Flux or Argo CD reads: valid text that leads nowhere."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from vmferry.model.review import Problem, Review
from vmferry.model.rule import declare
from vmferry.rules.registry import also

_HELP = "as in https://git.example.com/team/gitops, or ssh://git@git.example.com/team/gitops"


INVALID_REPOSITORY_URL = declare(
    "VMF612",
    "error",
    "repository URL is not valid",
    why="Flux and Argo CD read the repository at this address. Git's short form in a URL, or an address without a "
    "host, parses as text and fails in the cluster, where the only sign is that nothing happens.",
    source="fluxcd/source-controller api/v1/gitrepository_types.go (spec.url)",
)


@also(INVALID_REPOSITORY_URL)
def addresses(review: Review) -> Iterator[Problem]:
    """Yield problems with the repository's URL; credentials in it are found when it is read."""
    url = review.spec.target.gitops.repo_url
    if problem := _problem(url):
        yield Problem(f"repoURL: {problem}", _HELP, review.at("target", "gitops", "repoURL"))


def _problem(url: str) -> str | None:
    if url.startswith("git@"):
        host, _, path = url.removeprefix("git@").partition(":")
        return None if host and path and "/" not in host else "in git's short form a colon ends the host"
    try:
        parts = urlsplit(url)
    except ValueError:
        return "it is not a URL"
    try:
        _ = parts.port
    except ValueError:
        return "the text after the host's colon is not a port; in a URL the path starts with a slash"
    if not parts.hostname:
        return "it has no host"
    return None if parts.path.strip("/") else "it has a host and no repository on it"
