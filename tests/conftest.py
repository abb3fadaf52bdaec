"""Gives the tests a cache of their own, which treats their small estates as it treats large ones."""

import os
import shutil
import tempfile

import pytest
from hypothesis import HealthCheck, settings

from vmferry.estate import blocks
from vmferry.load import parsed

_CACHE = pytest.StashKey[str]()


# No test asserts wall time: a busy machine is no fault.
settings.register_profile("vmferry", deadline=None, suppress_health_check=[HealthCheck.too_slow])


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("vmferry")
    blocks.SIZE, parsed.LEAST = 16, 0
    config.stash[_CACHE] = os.environ["VMFERRY_CACHE_DIR"] = tempfile.mkdtemp(prefix="vmferry-test-cache-")


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[_CACHE], ignore_errors=True)
