"""Gives the tests a cache of their own, and cuts their small estates into several blocks, as large ones are."""

import os
import shutil
import tempfile

import pytest

from vmferry.estate import blocks

_CACHE = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    blocks.SIZE = 16
    config.stash[_CACHE] = os.environ["VMFERRY_CACHE_DIR"] = tempfile.mkdtemp(prefix="vmferry-test-cache-")


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[_CACHE], ignore_errors=True)
