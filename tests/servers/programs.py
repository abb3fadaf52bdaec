"""Real servers from Debian packages, which `make servers` installs."""

import os
import shutil

import pytest

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def program(name: str) -> str:
    """Return where a program is; skip without it, unless VMFERRY_REQUIRE_SERVERS=1."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        if os.environ.get("VMFERRY_REQUIRE_SERVERS") == "1":
            pytest.fail(f"{name} is not on PATH: make servers")
        pytest.skip(f"{name} is not on PATH: make servers")
    return found
