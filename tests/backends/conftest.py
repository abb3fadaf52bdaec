"""What tests of scripts share."""

import socket

import pytest


@pytest.fixture
def closed() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    return number
