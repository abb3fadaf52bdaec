"""Prints what the API server made of the examples, in one line."""

from collections import Counter

import pytest

TALLY = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TALLY] = Counter()


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Counter[str]:
    """Return what is counted over all tests."""
    return request.config.stash.setdefault(TALLY, Counter())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tally = config.stash.get(TALLY, Counter())
    if tally:
        words = ("offered", "applied", "refused", "warned", "drifted", "deleted", "kept", "stranded", "lost", "ready")
        terminalreporter.write_line("e2e: objects " + ", ".join(f"{word} {tally[word]}" for word in words))
