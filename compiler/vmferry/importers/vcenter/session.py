"""A session with a vCenter: address, trust, login and logout, and messages for errors."""

import hashlib
import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from xml.parsers.expat import ExpatError

from msgspec import Struct
from pyVim.connect import SmartStubAdapter
from pyVmomi import vim, vmodl

from vmferry.estate.urls import bracketed
from vmferry.importers.errors import ImporterError
from vmferry.importers.vcenter.patience import ANSWER, FIRST, Patience, patient

CONNECT_TIMEOUT = 20  # seconds

_stub_adapter: Any = SmartStubAdapter  # pyvmomi's stubs do not type constructors
_service: Any = vim.ServiceInstance
_DIGESTS = {40: "sha1", 64: "sha256"}


class Address(NamedTuple):
    """Where the SDK of a vCenter answers."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Return the SDK address in the spec's form."""
        return f"https://{self.authority}/sdk"

    @property
    def authority(self) -> str:
        """Return host and port in a URL's form; the port only if it is not 443."""
        host = bracketed(self.host)
        return host if self.port == 443 else f"{host}:{self.port}"


class Trust(NamedTuple):
    """Which certificates are accepted: signed by a CA (the system's or ``ca``), by digest, or any."""

    ca: Path | None = None
    thumbprint: str | None = None
    insecure: bool = False

    def context(self) -> ssl.SSLContext:
        """Return the TLS context. Raises ImporterError for an invalid CA file."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except ssl.SSLError as error:
            raise ImporterError(f"{self.ca} contains no PEM certificate") from error
        if self.insecure or self.thumbprint:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE  # a thumbprint is compared after the handshake instead
        return context

    @property
    def digest(self) -> str | None:
        """Return the thumbprint as bare lower-case hex. Raises ImporterError unless it is of SHA-1 or SHA-256."""
        if self.thumbprint is None:
            return None
        digest = re.sub(r"^sha-?(1|256)[:=]", "", self.thumbprint.strip().lower()).replace(":", "")
        if len(digest) not in _DIGESTS or not re.fullmatch("[0-9a-f]+", digest):
            raise ImporterError("--thumbprint takes the 20 bytes of a SHA-1 or the 32 of a SHA-256 digest, in hex")
        return digest

    def verify(self, certificate: bytes, address: Address) -> None:
        """Raise ImporterError unless the certificate (DER) matches the thumbprint, if there is one."""
        digest = self.digest
        if digest is None:
            return
        found = hashlib.new(_DIGESTS[len(digest)], certificate, usedforsecurity=True).hexdigest()
        if found != digest:
            raise ImporterError(
                f"the certificate of {address.authority} has another {_DIGESTS[len(digest)].upper()} thumbprint, "
                f"{_colons(found)}: it was renewed, or something intercepts the connection"
            )


class Login(Struct, frozen=True, kw_only=True):
    """User and password; the password is never part of a representation."""

    user: str
    password: str

    def __repr__(self) -> str:
        """Return only the user."""
        return f"Login(user={self.user!r})"


class Session:
    """An open session. ``calls`` counts every SOAP request, including lazily read attributes."""

    def __init__(self, stub: Any, content: Any, calls: list[int]) -> None:
        self.stub = stub
        self.content = content
        self._calls = calls

    @property
    def calls(self) -> int:
        """Return how many SOAP requests were sent."""
        return self._calls[0]

    def now(self) -> datetime:
        """Return the vCenter's time."""
        time: datetime = _service("ServiceInstance", self.stub).CurrentTime()
        return time


def parse_address(url: str) -> Address:
    """Return the address for user input: HOST, HOST:PORT, https://HOST or https://HOST/sdk.

    Raises ImporterError for anything else; a URL with a password is refused without showing it.
    """
    parts = urlsplit(url if "://" in url else f"https://{url}")
    try:
        host, port = parts.hostname, parts.port or 443
    except ValueError:
        host, port = None, 0
    if "@" in parts.netloc:
        raise ImporterError("the URL contains credentials: remove them and use --user and --password-file")
    if parts.scheme != "https" or not host or parts.path not in ("", "/", "/sdk", "/sdk/") or parts.query:
        raise ImporterError("the URL of a vCenter is https://HOST/sdk")
    return Address(host, port)


class Connection(http.client.HTTPSConnection):
    """An HTTPS connection that also verifies a thumbprint, before anything is sent."""

    def __init__(
        self, address: Address, trust: Trust, timeout: float = CONNECT_TIMEOUT, patience: Patience | None = None
    ) -> None:
        context = patient(trust.context(), patience or Patience(ANSWER))
        super().__init__(address.host, address.port, timeout=timeout, context=context)
        self._address = address
        self._trust = trust

    def connect(self) -> None:
        """Connect. Raises ImporterError with the reason of a failure."""
        try:
            super().connect()
        except (OSError, UnicodeError) as error:
            raise ImporterError(_unreachable(self._address, error)) from error
        certificate: Any = self.sock.getpeercert(binary_form=True)
        try:
            self._trust.verify(certificate, self._address)
        except ImporterError:
            self.close()
            raise


@contextmanager
def open_session(address: Address, login: Login, trust: Trust, timeout: float = ANSWER) -> Iterator[Session]:
    """Log in, and always log out.

    ``timeout`` is the time limit per response in seconds. Raises ImporterError for an address that does not answer, an
    untrusted certificate, refused credentials, and any fault that vCenter returns while the session is open.
    """
    with closing(Connection(address, trust)) as probe:
        probe.connect()  # pyVmomi would wait minutes for an address that drops packets
    calls = [0]
    with _explained(address):
        patience = Patience(min(FIRST, timeout))
        stub = _adapter(address, trust, timeout, patience)
        stub.requestModifierList.append(lambda request: _counted(calls, request))
        try:
            content: Any = _service("ServiceInstance", stub).RetrieveContent()
            _log_in(content, login)
            patience.seconds = timeout
            try:
                yield Session(stub, content, calls)
            finally:
                with suppress(vmodl.MethodFault, OSError, http.client.HTTPException):
                    content.sessionManager.Logout()
        finally:
            stub.DropConnections()


def _adapter(address: Address, trust: Trust, timeout: float, patience: Patience) -> Any:
    """Return a SOAP stub for the newest version that both sides know."""
    try:
        stub = _stub_adapter(
            host=address.host,
            port=address.port,
            path="/sdk",
            sslContext=patient(trust.context(), patience),
            httpConnectionTimeout=timeout,
        )
    except OSError:
        raise
    except Exception as error:  # pyVmomi raises a bare Exception if it is not a vCenter
        raise ImporterError(f"{address.authority} does not respond like a vCenter") from error
    # pyVmomi 9.1 only compares a thumbprint after failed verification, which is off then
    stub.scheme = lambda **_: Connection(address, trust, timeout, patience)
    return stub


def _counted(calls: list[int], request: Any) -> Any:
    calls[0] += 1
    return request


def _log_in(content: Any, login: Login) -> None:
    try:
        content.sessionManager.Login(login.user, login.password, None)
    except vim.fault.InvalidLogin:
        raise ImporterError(f"the vCenter refused user {login.user!r} or the password") from None
    except vim.fault.NoPermission:
        raise ImporterError(f"user {login.user!r} is not allowed to log in to the vCenter") from None


@contextmanager
def _explained(address: Address) -> Iterator[None]:
    """Turn errors of pyVmomi and the network into an ImporterError, which never contains a password."""
    try:
        yield
    except vmodl.MethodFault as fault:
        what = f"{type(fault).__name__.rpartition('.')[2]}: {getattr(fault, 'msg', None) or 'no message'}"
        raise ImporterError(f"{address.authority} returned a fault: {what}") from fault
    except OSError as error:
        raise ImporterError(_unreachable(address, error)) from error
    except (http.client.HTTPException, ExpatError) as error:
        raise ImporterError(f"{address.authority} does not respond like a vCenter: {error}") from error


def _unreachable(address: Address, error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {address.authority} is not trusted: {error.verify_message}; name its CA with --ca "
            f"or, once you have compared it with the vCenter's own, pass --thumbprint {_seen(address)}"
        )
    if isinstance(error, ssl.SSLError):
        return f"{address.authority} has a TLS problem: {error.reason or error}"
    if isinstance(error, TimeoutError):
        return f"{address.authority} does not answer"
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return f"host {address.host!r} not found"
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens at {address.authority}"
    return f"the connection to {address.authority} broke: {getattr(error, 'strerror', None) or error}"


def _seen(address: Address) -> str:
    """Return the server's SHA-256 thumbprint, or a placeholder."""
    try:
        pem = ssl.get_server_certificate((address.host, address.port), timeout=CONNECT_TIMEOUT)
    except OSError:
        return "SHA256"
    return _colons(hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest())


def _colons(digest: str) -> str:
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2)).upper()
