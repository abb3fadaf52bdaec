"""Reads dumps: JSON of any size and form that `kubectl get -o json` writes, or that someone made up."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from vmferry import files
from vmferry.observe.shapes import KINDS, Head, Object
from vmferry.yaml import json_row

MOST = 512 << 20
"""Bytes of one dump. 10,000 VMs with all their objects take less."""
_SHOWN = 3  # objects of one reason that are named


class DumpError(Exception):
    """A file that is not a dump; says why."""


class _List(msgspec.Struct, frozen=True):
    kind: str
    items: list[msgspec.Raw] | None = None


class Dump:
    """The objects of dumps, and how many objects were ignored, by reason."""

    def __init__(self) -> None:
        self.objects: list[tuple[str, Object]] = []  # each with its kind
        self.ignored: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}

    def ignore(self, reason: str, example: str = "") -> None:
        """Count an object that is not read."""
        self.ignored[reason] += 1
        known = self._examples.setdefault(reason, [])
        if example and len(known) < _SHOWN:
            known.append(example)

    def notices(self) -> Iterator[str]:
        """Yield what was read and what was not, sorted."""
        kinds = Counter(kind for kind, _ in self.objects)
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        yield f"read {listed}" if listed else "read no object of a kind that vmferry knows"
        for reason, count in sorted(self.ignored.items()):
            names = self._examples[reason]
            more = ", …" if count > len(names) else ""
            yield f"ignored {count}: {reason}" + (f" ({', '.join(names)}{more})" if names else "")

    def add(self, raw: bytes) -> None:
        """Read the objects of one dump: an object, a List, or several of them in a row. Raises DumpError."""
        for item in objects_of(raw):
            self._object(item)

    def _object(self, raw: bytes) -> None:
        try:
            head = msgspec.json.decode(raw, type=Head)
        except (msgspec.MsgspecError, RecursionError):
            self.ignore("not a Kubernetes object")
            return
        group = (head.api_version or "").rpartition("/")[0]
        form = KINDS.get((group, head.kind or ""))
        if form is None:
            self.ignore("of another kind", _short(head.kind or "?"))
            return
        try:
            self.objects.append((head.kind or "", msgspec.json.decode(raw, type=form)))
        except (msgspec.MsgspecError, RecursionError) as error:
            name = head.metadata.name if head.metadata is not None else None
            self.ignore(f"{head.kind} of an unknown form: {_short(str(error))}", _short(name or "?"))


class Taker(Protocol):
    """What takes the text of dumps."""

    def add(self, raw: bytes) -> None:
        """Take one dump. Raises DumpError."""


def objects_of(raw: bytes) -> Iterator[bytes]:
    """Yield the JSON of each object in a dump: an object, a List, or several of them in a row. Raises DumpError."""
    for document in _documents(raw):
        try:
            found = msgspec.json.decode(document, type=_List)
            items = found.items if found.kind.endswith("List") else None
        except (msgspec.MsgspecError, RecursionError):
            items = None
        yield from map(bytes, [document] if items is None else items)


def read(source: Path, stdin: bytes | None, dump: Taker) -> None:
    """Add a file, every JSON file directly in a directory, or standard input. Raises DumpError and OSError."""
    if stdin is not None:
        _add(dump, stdin, "standard input")
    elif source.is_dir():
        paths = sorted(path for path in source.iterdir() if path.suffix == ".json")
        if not paths:
            raise DumpError(f"{source} contains no .json file")
        for path in paths:
            _add(dump, files.read(path, MOST + 1), str(path))
    else:
        _add(dump, files.read_named(source, MOST + 1), str(source))


def _add(dump: Taker, raw: bytes, name: str) -> None:
    if len(raw) > MOST:
        raise DumpError(f"{name} is larger than {MOST >> 20} MiB: dump fewer namespaces at once")
    try:
        dump.add(raw)
    except DumpError as error:
        raise DumpError(f"{name}: {error}") from None


def _documents(raw: bytes) -> Iterator[bytes | msgspec.Raw]:
    """Yield the JSON documents of a text, one after the other."""
    try:
        whole = msgspec.json.decode(raw, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        yield from _several(raw)
    else:
        yield whole


def _several(raw: bytes) -> Iterator[bytes]:
    """Yield documents that stand in a row, as several calls of kubectl leave them."""
    try:
        for _, text in json_row.documents(raw):
            yield text.encode()
    except json_row.NotJsonError as error:
        where = f"in what starts at line {error.place}; write it with `kubectl get … -o json`"
        said = {
            "encoding": f"it is not UTF-8 text (byte {error.place})",
            "empty": "it is empty; `kubectl get … -o json` prints at least a List",
            "nesting": f"it is nested too deeply, {where}",
            "syntax": f"it is not JSON, {where}",
        }
        raise DumpError(said[error.fault]) from None


def _short(text: str) -> str:
    line = "".join(char if char.isprintable() else "?" for char in text[:80])
    return line if len(text) <= 80 else f"{line}…"
