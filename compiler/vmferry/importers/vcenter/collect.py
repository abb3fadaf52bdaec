"""Reads properties of many managed objects in pages: the only way vmferry reads a vCenter.

A container view lists every object of some types, and RetrievePropertiesEx returns the requested properties of a page
of them (vSphere API, PropertyCollector): each page is a separate request, so that vCenter need not collect all of them
before the first response. Attributes of pyVmomi's managed objects are never read: each would be a round trip, and
objects from here have no connection.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from http.client import HTTPException
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from pyVmomi import vmodl

from vmferry.importers.vcenter.exchange import Exchange
from vmferry.importers.vcenter.session import Session
from vmferry.importers.vcenter.values import VIM, value

Paths = Mapping[Any, Sequence[str]]  # pyVmomi type -> property paths
_query: Any = vmodl.query.PropertyCollector  # its stubs do not type constructors


class Record(NamedTuple):
    """vCenter's response about one object. ``missing`` are the paths it did not show."""

    id: str
    kind: str
    properties: Mapping[str, Any]
    missing: frozenset[str]

    def __str__(self) -> str:
        """Return the object for messages: kind, name and id."""
        name = self.properties.get("name")
        return f"{self.kind} {name!r} ({self.id})" if name else f"{self.kind} {self.id}"

    def get(self, path: str) -> Any:
        """Return the value of a property; None if it is unset, hidden or was not requested."""
        return self.properties.get(path)


class Collector:
    """Reads properties through one session. ``unknown``: paths that this vCenter is too old for; they are left out."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.unknown: set[str] = set()

    def everything(self, paths: Paths, page: int) -> Iterator[Record]:
        """Yield every object of these types in the inventory, ``page`` objects per call."""
        content = self._session.content
        view = content.viewManager.CreateContainerView(content.rootFolder, list(paths), True)
        try:
            members = self.one(view, "view").get("view") or []
        finally:
            with suppress(vmodl.MethodFault, OSError, HTTPException):  # it ends with the session anyway
                view.DestroyView()
        return self._read(members, paths, page)

    def one(self, obj: Any, *paths: str) -> Record:
        """Return properties of one object, in one call."""
        return next(self._read([obj], {type(obj): paths}, 1), Record(key(obj), "", {}, frozenset()))

    def _read(self, objects: Sequence[Any], paths: Paths, page: int) -> Iterator[Record]:
        """Yield objects, without those that vanished since they were listed."""
        waiting = deque(objects[start : start + page] for start in range(0, len(objects), page))
        with closing(Exchange(self._session)) as exchange:
            while waiting or exchange.asked:
                if not exchange.asked:
                    self._ask(exchange, waiting[0], paths)
                try:
                    result = exchange.answer()
                except vmodl.query.InvalidProperty as fault:
                    if fault.name in self.unknown or not any(fault.name in wanted for wanted in paths.values()):
                        raise
                    self.unknown.add(fault.name)
                    continue
                token = result.findtext(f"{VIM}token") if result is not None else None
                if token:  # vCenter made the page smaller
                    exchange.ask("ContinueRetrievePropertiesEx", token)
                else:
                    waiting.popleft()
                    if waiting:
                        self._ask(exchange, waiting[0], paths)
                for content in result.iterfind(f"{VIM}objects") if result is not None else ():
                    yield _record(content)

    def _ask(self, exchange: Exchange, objects: Sequence[Any], paths: Paths) -> None:
        wanted = {kind: [path for path in those if path not in self.unknown] for kind, those in paths.items()}
        question = _query.FilterSpec(
            objectSet=[_query.ObjectSpec(obj=obj) for obj in objects],
            propSet=[_query.PropertySpec(type=kind, all=False, pathSet=those) for kind, those in wanted.items()],
            reportMissingObjectsInResults=True,  # leaves them out
        )
        exchange.ask("RetrievePropertiesEx", [question], _query.RetrieveOptions(maxObjects=len(objects)))


def key(obj: Any) -> str:
    """Return the managed object id of a reference, without a call."""
    return str(obj._moId)


def unescape(name: str) -> str:
    """Return a name as shown to people: the API escapes slashes, backslashes and percent signs (ManagedEntity.name)."""
    return re.sub("%(2f|5c|25)", lambda found: chr(int(found[1], 16)), name, flags=re.IGNORECASE)


def _record(content: Element) -> Record:
    obj = content.find(f"{VIM}obj")
    if obj is None or not obj.text:
        raise HTTPException("an object without its id")
    try:
        properties = {
            prop.findtext(f"{VIM}name", ""): value(found) if (found := prop.find(f"{VIM}val")) is not None else None
            for prop in content.iterfind(f"{VIM}propSet")
        }
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise HTTPException(f"a value of {obj.text} cannot be read") from error
    return Record(
        id=obj.text,
        kind=obj.get("type", ""),
        properties=properties,
        missing=frozenset(item.findtext(f"{VIM}path", "") for item in content.iterfind(f"{VIM}missingSet")),
    )
