"""Time limit per response: a server that sends one byte per second never hits a socket's timeout."""

import ssl
import time
from typing import Any

FIRST = 45.0  # seconds; a few hundred bytes, before and at the login
ANSWER = 300.0  # seconds; a busy vCenter may think long about a page of VMs


class Patience:
    """Seconds that a response may take, until its last byte."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class PatientSocket(ssl.SSLSocket):
    """A TLS connection that aborts an incomplete response after the time limit; sending starts a new response."""

    _until: float | None = None

    def send(self, data: Any, flags: int = 0) -> int:
        """Send; the next response has the full time limit."""
        self._until = None
        return super().send(data, flags)

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Receive. Raises TimeoutError after the time limit of the response."""
        patience: Patience = self.context.patience  # type: ignore[attr-defined]
        now = time.monotonic()
        if self._until is None:
            self._until = now + patience.seconds
        left = self._until - now
        if left <= 0:
            raise TimeoutError("the response was not complete in time")
        before = self.gettimeout()
        self.settimeout(left if before is None else min(before, left))
        try:
            return super().recv_into(buffer, nbytes, flags)
        finally:
            self.settimeout(before)


def patient(context: ssl.SSLContext, patience: Patience) -> ssl.SSLContext:
    """Return the context, whose connections have this time limit."""
    context.sslsocket_class = PatientSocket
    context.patience = patience  # type: ignore[attr-defined]
    return context
