"""Runs kustomize on directories of a tree, several at a time, and explains its failures in one line."""

import os
import re
import shlex
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

from vmferry.layout.names import KUSTOMIZATION_FILES
from vmferry.model.finding import Finding, SpecError, Where
from vmferry.model.rule import declare

OVERRIDE = "VMFERRY_KUSTOMIZE"
TIMEOUT = 120.0  # seconds; Argo CD gives up after 90 (operator-manual/high_availability.md)

_GET_IT = (
    "Install kustomize (https://kubectl.docs.kubernetes.io/installation/kustomize/) or kubectl, which "
    f"contains it, or set {OVERRIDE} to a command that takes a directory, such as `/opt/bin/kustomize build`."
)
# Fetching remote resources ends at a closed port: a tree must be self-contained.
_NO_NETWORK = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_TERMINAL_PROMPT": "0",
    "KUBECONFIG": os.devnull,
    "LC_ALL": "C",
}
# A build finishes before garbage collection pays off, unless it is huge; one build per processor runs.
_HASTE = {"GOGC": "off", "GOMEMLIMIT": "512MiB", "GOMAXPROCS": "1"}
_KEPT = ("PATH", "HOME", "TMPDIR")
_LOG_PREFIX = re.compile(r'^(?:[EWIF][0-9]{4} \S+ +[0-9]+ [^\]]+\] "[^"]*" err=|[Ee]rror: )')
_LONGEST_MESSAGE = 600


class Build(NamedTuple):
    """The result of building one directory: its output or error, and its duration in seconds."""

    directory: str
    seconds: float
    output: bytes
    error: SpecError | None


BUILD_FAILS = declare(
    "VMF605",
    "error",
    "kustomize build fails",
    why="Flux and Argo CD build each root with kustomize, like this check. A root that does not build is not applied "
    "at all, "
    "and everything that depends on it waits.",
)


def find() -> tuple[str, ...]:
    """Return the command that builds a directory: ``kustomize build`` or ``kubectl kustomize``.

    The environment variable VMFERRY_KUSTOMIZE overrides it. Raises SpecError (VMF605) if there is none.
    """
    if override := os.environ.get(OVERRIDE, "").strip():
        return _overridden(override)
    for program, verb in (("kustomize", "build"), ("kubectl", "kustomize")):
        if path := shutil.which(program):
            return (path, verb)
    raise SpecError(BUILD_FAILS.finding("neither kustomize nor kubectl was found", _GET_IT))


def version() -> str:
    """Return kustomize's version, such as ``v5.5.0``; empty if unknown. Raises the same exceptions as `find`."""
    return _version(find())


def build(directory: Path, *, top: Path | None = None, timeout: float = TIMEOUT) -> bytes:
    """Return kustomize's output for ``directory``: YAML documents.

    Load restrictions and disabled plugins are kustomize's defaults, as in Flux and Argo CD. ``timeout`` is in seconds;
    paths in messages are relative to ``top``. Raises SpecError (VMF605) with kustomize's message.
    """
    command = find()
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | _NO_NETWORK | _HASTE
    try:
        result = subprocess.run(
            [*command, str(directory)],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=environment,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SpecError(_failure(directory, f"kustomize did not end within {timeout:g} s")) from None
    except OSError as error:
        message = f"`{shlex.join(command)}` cannot be run: {error.strerror}"
        raise SpecError(BUILD_FAILS.finding(message, _GET_IT)) from None
    if result.returncode != 0:
        text = result.stderr.decode(errors="replace") or f"kustomize ended with status {result.returncode}"
        raise SpecError(_failure(directory, clean(text, top)))
    return result.stdout


def build_all(top: Path, directories: Iterable[str], *, timeout: float = TIMEOUT) -> Iterator[Build]:
    """Yield the build of each directory below ``top``, in their order, one per processor at a time.

    Only a few outputs are buffered. Raises SpecError only if kustomize is missing.
    """
    find()
    workers = os.cpu_count() or 1
    waiting: deque[Future[Build]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for directory in directories:
                waiting.append(pool.submit(timed, top, directory, timeout))
                if len(waiting) >= 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def clean(text: str, top: Path | None = None) -> str:
    """Return a message of kustomize on one line, without log prefix, warnings, and the path of ``top``."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("# Warning")]
    message = " ".join(lines)
    if match := _LOG_PREFIX.match(message):
        quoted = match[0].endswith("err=") and message.endswith('"')
        message = message[match.end() :]
        if quoted:
            message = message[1:-1].replace('\\"', '"').replace("\\n", " ").replace("\\t", " ")
    for path in {str(top), str(top.resolve())} if top is not None else ():
        message = message.replace(f"{path}/", "").replace(path, ".")
    message = re.sub(r"[\x00-\x1f\x7f\s]+", " ", message).strip()
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…"


def identity() -> str:
    """Return the identity of the kustomize program without starting it. Raises the same exceptions as `find`."""
    command = find()
    try:
        status = Path(command[0]).stat()
    except OSError:
        return shlex.join(command)
    return f"{shlex.join(command)} {status.st_size} {status.st_mtime_ns}"


def timed(top: Path, directory: str, timeout: float = TIMEOUT) -> Build:
    """Return the build of a directory below ``top``, with its error if it fails."""
    start = time.monotonic()
    try:
        output, error = build(top / directory, top=top, timeout=timeout), None
    except SpecError as caught:
        output, error = b"", caught
    return Build(directory, time.monotonic() - start, output, error)


def _overridden(command: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        message = f"{OVERRIDE} is not a command: {error}"
        raise SpecError(BUILD_FAILS.finding(message, _GET_IT)) from None
    program = shutil.which(words[0])
    if program is None:
        message = f"`{words[0]}`, which {OVERRIDE} names, was not found"
        raise SpecError(BUILD_FAILS.finding(message, _GET_IT))
    if len(words) == 1:
        verb = {"kustomize": "build", "kubectl": "kustomize"}.get(Path(program).name)
        return (program, verb) if verb else (program,)
    return (program, *words[1:])


@cache
def _version(command: tuple[str, ...]) -> str:
    arguments = ("version", "--client") if command[1:2] == ("kustomize",) else ("version",)
    try:
        result = subprocess.run(
            [command[0], *arguments], capture_output=True, stdin=subprocess.DEVNULL, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    text = result.stdout.decode(errors="replace")
    match = re.search(r"Kustomize Version: (\S+)", text) or re.search(r"\b(v?[0-9]+\.[0-9]+\.[0-9]+\S*)", text)
    return match[1] if match else ""


def _failure(directory: Path, message: str) -> Finding:
    names = [name for name in KUSTOMIZATION_FILES if (directory / name).is_file()]
    where = Where(file=str(directory / (names[0] if names else KUSTOMIZATION_FILES[0])))
    remedy = "correct the file that the message names; usually it is in a local/ component"
    return BUILD_FAILS.finding(f"kustomize build fails: {message}", remedy, where=where)
