"""A vCenter whose answers are damaged on the way: an import ends with a message, or with what it could read."""

import http.client
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.mutations import BYTES, ODD
from tests.fuzz.target import LIMIT, ended, limited
from tests.importers.vcsim import PASSWORD, USER, Server, running
from tests.invocation import vmferry

COUNT = int(os.environ.get("VMFERRY_FUZZ", "40")) // 2

JUNK = (None, b"", *BYTES, *(str(odd).encode(errors="replace") for odd in ODD if isinstance(odd, int | str | float)))
"""What stands in place of a piece of an answer; None for the piece twice."""

Change = Callable[[int, bytes], bytes]
"""What becomes of the body of an answer, by its number."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("vcsim"), "-vm", "1") as found:
        yield found


class Listening(ThreadingHTTPServer):
    """A server that says nothing of clients that went away."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


class Relay:
    """Passes requests on to a vCenter, and answers with what a change makes of its answers."""

    def __init__(self, server: Server, identity: ssl.SSLContext) -> None:
        relay, host = self, server.authority
        self.change: Change = lambda _, body: body
        self.answers = 0

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                upstream = http.client.HTTPSConnection(host, context=context, timeout=20)
                named = ("Content-Length", "Host", "Accept-Encoding")
                headers = {name: text for name, text in self.headers.items() if name not in named}
                upstream.request(self.command, self.path, body, headers)
                answer = upstream.getresponse()
                content = relay.change(relay.answers, answer.read())
                relay.answers += 1
                self.send_response(answer.status)
                for name, text in answer.getheaders():
                    if name.lower() in ("content-type", "set-cookie"):
                        self.send_header(name, text)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                upstream.close()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        setattr(Handler, "do_GET", Handler.do_POST)  # noqa: B010
        self.listening = Listening(("127.0.0.1", 0), Handler)
        self.listening.socket = identity.wrap_socket(self.listening.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.listening.server_address[1]}"


@contextmanager
def relaying(server: Server, scratch: Path) -> Iterator[Relay]:
    if not shutil.which("openssl"):
        pytest.skip("no openssl, which makes the certificate")
    ask = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=relay", "-days", "2")
    subprocess.run([*ask, "-keyout", scratch / "key", "-out", scratch / "crt"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(scratch / "crt", scratch / "key")
    relay = Relay(server, context)
    thread = threading.Thread(target=relay.listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        relay.listening.shutdown()
        thread.join(timeout=10)
        relay.listening.server_close()


@pytest.fixture(scope="module")
def relay(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    with relaying(server, tmp_path_factory.mktemp("relay")) as found:
        yield found


@pytest.fixture(autouse=True, scope="module")
def credentials() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VMFERRY_VCENTER_USER", USER)
        patch.setenv("VMFERRY_VCENTER_PASSWORD", PASSWORD)
        yield


def imported(relay: Relay, change: Change, out: Path) -> int:
    """Import over the relay; return the exit code of a run that ended as one may."""
    relay.change, relay.answers = change, 0
    with limited(LIMIT):
        run = vmferry("import", "vcenter", relay.url, "--source", "vc1", "--out", out, "--insecure", "--timeout", "10")
    ended(run)
    assert PASSWORD not in run.text
    return run.code


def test_answers_that_are_passed_on_are_read(relay: Relay, tmp_path: Path) -> None:
    assert imported(relay, lambda _, body: body, tmp_path) == 0
    assert relay.answers > 5


@st.composite
def damages(draw: st.DrawFn) -> Change:
    """Yield what damages one answer: pieces are gone, doubled, or other bytes."""
    hit = draw(st.integers(0, 12))
    edits = draw(
        st.lists(st.tuples(st.floats(0, 1), st.integers(0, 200), st.sampled_from(JUNK)), min_size=1, max_size=4)
    )

    def damage(number: int, body: bytes) -> bytes:
        for at, length, junk in edits if number == hit else ():
            start = int(at * len(body))
            body = body[:start] + (body[start : start + length] * 2 if junk is None else junk) + body[start + length :]
        return body

    return damage


@pytest.mark.slow
@settings(max_examples=COUNT, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(change=damages())
def test_damaged_answers_are_survived(relay: Relay, tmp_path: Path, change: Change) -> None:
    out = tmp_path / "out"
    imported(relay, change, out)
    assert {path.name for path in tmp_path.iterdir()} <= {"out"}, "a run wrote elsewhere"
