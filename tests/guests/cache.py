"""What takes minutes is made once: folders named after a digest of what they are made from."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("VMFERRY_GUESTS_CACHE", CHECKOUT / ".tools" / "guests")).absolute()


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder ``name`` of the cache; ``make`` fills it, once, whoever else asks at the same time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder, part = CACHE / name, CACHE / f"{name}.part"
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            make(part)
            part.rename(folder)
    return folder


def sh(*command: str | Path, input: str | None = None, log: Path | None = None, **environment: str) -> None:  # noqa: A002
    """Run a program. Raises AssertionError with the end of what it printed where it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        input=input,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"} | APPLIANCE | environment,
        check=False,
    )
    if log is not None:
        log.write_text(done.stdout)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stdout[-3000:]}"


APPLIANCE = {"LIBGUESTFS_BACKEND": "direct", "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg"}
"""libguestfs without libvirt, and without KVM: where tests run, nested virtualization works seldom or never."""
