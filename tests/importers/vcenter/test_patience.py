"""A vCenter that drips: every byte is in time, and the answer never is."""

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from vmferry.importers.errors import ImporterError
from vmferry.importers.vcenter.read import read_vcenter
from vmferry.importers.vcenter.session import Login, Trust

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 20000\r\n\r\n"


@pytest.fixture
def dripping(tmp_path: Path) -> Iterator[str]:
    if not shutil.which("openssl"):
        pytest.skip("no openssl, which makes the certificate")
    ask = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=drip", "-days", "2")
    subprocess.run([*ask, "-keyout", tmp_path / "key", "-out", tmp_path / "crt"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    over = threading.Event()

    def serve(plain: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(plain, server_side=True) as peer:
            peer.recv(65536)
            peer.sendall(HEAD)
            while not over.wait(0.1):
                peer.sendall(b" ")

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        over.set()


def test_an_answer_that_never_ends_is_given_up(dripping: str) -> None:
    login = Login(user="reader", password="none")
    with pytest.raises(ImporterError, match="does not answer"):
        read_vcenter(dripping, "vc1", login, Trust(insecure=True), timeout=0.5)
