"""A vSphere API server for tests: vcsim, which `make testtools` builds, and a pyVmomi session that may change it."""

import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

USER, PASSWORD = "reader@vsphere.local", "hunter2-Pa55&<word>"
_BUILT = Path(__file__).parents[2] / ".tools" / "bin" / "vcsim"


class Server(NamedTuple):
    """A running vcsim."""

    url: str
    certificate: str  # PEM

    @property
    def authority(self) -> str:
        """Return host and port."""
        return self.url.removeprefix("https://").removesuffix("/sdk")

    @property
    def trust(self) -> ssl.SSLContext:
        """Return a TLS context that trusts this server."""
        return ssl.create_default_context(cadata=self.certificate)


@contextmanager
def running(scratch: Path, *flags: str) -> Iterator[Server]:
    """Run vcsim with some flags of its model; skip without it, unless VMFERRY_REQUIRE_VCSIM=1."""
    program = str(_BUILT) if _BUILT.is_file() else shutil.which("vcsim")
    if program is None:
        if os.environ.get("VMFERRY_REQUIRE_VCSIM") == "1":
            pytest.fail("vcsim is neither in .tools/bin nor on PATH: make testtools")
        pytest.skip("vcsim is neither in .tools/bin nor on PATH: make testtools")
    process = subprocess.Popen(
        [program, "-l", "127.0.0.1:0", "-username", USER, "-password", PASSWORD, *flags],
        stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(scratch)},
        text=True,
    )
    try:
        url = process.stdout.readline().strip() if process.stdout else ""
        assert url.startswith("https://"), "vcsim did not start"
        host, _, port = url.removeprefix("https://").removesuffix("/sdk").rpartition(":")
        yield Server(url, ssl.get_server_certificate((host, int(port))))
    finally:
        process.terminate()
        process.communicate(timeout=20)


@contextmanager
def administrator(server: Server) -> Iterator["Administrator"]:
    """Log in with pyVmomi, to change what the import then reads."""
    from pyVim.connect import Disconnect, SmartConnect

    host, _, port = server.authority.rpartition(":")
    service: Any = SmartConnect(host=host, port=int(port), user=USER, pwd=PASSWORD, sslContext=server.trust)
    try:
        yield Administrator(service)
    finally:
        Disconnect(service)


class Administrator:
    """Finds and changes objects; attribute access is a call each, which tests may afford."""

    def __init__(self, service: Any) -> None:
        self.content = service.content

    def all(self, kind: Any) -> dict[str, Any]:
        """Return the objects of a type by name."""
        view = self.content.viewManager.CreateContainerView(self.content.rootFolder, [kind], True)
        found = {each.name: each for each in view.view}
        view.DestroyView()
        return found

    def do(self, task: Any) -> Any:
        """Wait for a task and return its result. pyVim's own stumbles over unknown methods."""
        while (info := task.info).state in ("queued", "running"):
            time.sleep(0.01)
        if info.state != "success":
            raise RuntimeError(info.error.localizedMessage if info.error else info.state)
        return info.result
