"""Keeps the tests away from the cache of whoever runs them: they have a directory of their own."""

import os
import shutil
import tempfile

import pytest

_CACHE = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_CACHE] = os.environ["VMFERRY_CACHE_DIR"] = tempfile.mkdtemp(prefix="vmferry-test-cache-")


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[_CACHE], ignore_errors=True)
