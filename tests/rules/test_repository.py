"""Addresses of repositories that the schema lets pass."""

import pytest
from tests.resolve.projects import Data, project, vm

from vmferry.check import review
from vmferry.resolve.blueprint import resolve
from vmferry.rules.registry import run
from vmferry.rules.repository import INVALID_REPOSITORY_URL


def findings(url: str) -> list[str]:
    target: Data = {
        "cluster": {"name": "prod-a"},
        "gitops": {"engine": "flux", "repoURL": url, "gitSecret": "key"},
    }
    made = project(vm("a"), target=target)
    return [each.message for each in run(INVALID_REPOSITORY_URL, review(made, resolve(made)))]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ssh://git@git.example.com:platform/gitops", "not a port"),
        ("https://[git.example.com/gitops", "not a URL"),
        ("https:///platform/gitops", "has no host"),
        ("https://git.example.com", "no repository"),
        ("https://git.example.com/", "no repository"),
        ("git@git.example.com/platform/gitops", "a colon ends the host"),
        ("git@git.example.com/platform:gitops", "a colon ends the host"),
        ("git@git.example.com:", "a colon ends the host"),
    ],
)
def test_an_address_that_leads_nowhere_is_found(url: str, says: str) -> None:
    [message] = findings(url)
    assert says in message


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/gitops",
        "https://git.example.com:8443/platform/gitops.git",
        "ssh://git@git.example.com/platform/gitops",
        "ssh://git@git.example.com:2222/platform/gitops",
        "git@git.example.com:platform/gitops.git",
        "https://[2001:db8::1]/gitops",
    ],
)
def test_an_address_git_understands_is_let_pass(url: str) -> None:
    assert findings(url) == []
