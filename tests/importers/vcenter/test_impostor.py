"""Somebody between vmferry and vCenter, who lets the first connection through and answers the others himself."""

import hashlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count

import pytest
from tests.importers.vcsim import PASSWORD, USER, Server, running

from vmferry.importers.errors import ImporterError
from vmferry.importers.vcenter.read import read_vcenter
from vmferry.importers.vcenter.session import Login, Trust


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("vcsim"), "-vm", "1") as found:
        yield found


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A certificate of the impostor's own."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl, which makes the certificate")
    made = tmp_path_factory.mktemp("impostor")
    ask = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=impostor", "-days", "2")
    subprocess.run([*ask, "-keyout", made / "key", "-out", made / "crt"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made / "crt", made / "key")
    return context


def _thumbprint(server: Server) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(server.certificate)).hexdigest()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


@contextmanager
def _between(server: Server, identity: ssl.SSLContext, honest: int) -> Iterator[tuple[str, list[bytes]]]:
    """Relay the first ``honest`` connections, and answer the others. Yields the address and what the others told."""
    host, _, port = server.authority.rpartition(":")
    heard: list[bytes] = []

    def serve(client: socket.socket, number: int) -> None:
        with client, suppress(OSError):
            if number >= honest:
                with identity.wrap_socket(client, server_side=True) as trusting:
                    heard.append(trusting.recv(65536))
                return
            with socket.create_connection((host, int(port))) as upstream:
                back = threading.Thread(target=_pump, args=(upstream, client), daemon=True)
                back.start()
                _pump(client, upstream)
                back.join(timeout=10)

    def accept() -> None:
        with suppress(OSError):
            for number in count():
                client, _ = listening.accept()
                threading.Thread(target=serve, args=(client, number), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}", heard


def _read(address: str, server: Server) -> None:
    read_vcenter(address, "vc1", Login(user=USER, password=PASSWORD), Trust(thumbprint=_thumbprint(server)))


def test_every_connection_must_show_the_thumbprint(server: Server, identity: ssl.SSLContext) -> None:
    with _between(server, identity, honest=2) as (address, heard):  # the probe, and the question for versions
        with pytest.raises(ImporterError, match="another SHA256 thumbprint"):
            _read(address, server)
        assert not any(heard)


def test_a_relay_that_passes_everything_on_is_no_impostor(server: Server, identity: ssl.SSLContext) -> None:
    with _between(server, identity, honest=100) as (address, heard):
        _read(address, server)
        assert heard == []
