"""How long a whole answer may take: a server that sends one byte a second never runs into the timeout of a socket."""

import ssl
import time
from typing import Any

FIRST = 45.0  # seconds; a few hundred bytes, before and at the login
ANSWER = 300.0  # seconds; a busy vCenter may think long about a page of VMs


class Patience:
    """Seconds that an answer may take from when it is waited for until its last byte."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class PatientSocket(ssl.SSLSocket):
    """A TLS connection that gives up an answer which is not complete in time; what is sent begins a new one."""

    _until: float | None = None

    def send(self, data: Any, flags: int = 0) -> int:
        """Send; the next answer has all its time."""
        self._until = None
        return super().send(data, flags)

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Receive. Raises TimeoutError once the time of the answer is over."""
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
    """Return the context, whose connections wait no longer than that."""
    context.sslsocket_class = PatientSocket
    context.patience = patience  # type: ignore[attr-defined]
    return context
