"""Reads properties of many managed objects in pages: the one way vmferry reads a vCenter.

A container view holds every object of some types, and RetrievePropertiesEx returns `maxObjects` of them a
call (vSphere API, PropertyCollector). Attributes of pyVmomi's managed objects are never read: each would be a
round trip.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException
from typing import Any, NamedTuple

from pyVmomi import vim, vmodl

from vmferry.inventory.vcenter.session import Session

Paths = Mapping[Any, Sequence[str]]  # pyVmomi type -> property paths
_query: Any = vmodl.query.PropertyCollector  # its stubs do not type constructors
_RESTARTS = 2  # when an object vanishes while its page is read


class Record(NamedTuple):
    """What vCenter returned of one object. ``missing`` are the paths it would not show."""

    id: str
    kind: str
    properties: Mapping[str, Any]
    missing: frozenset[str]

    def get(self, path: str) -> Any:
        """Return the value of a property; None where it is unset, hidden or was not asked for."""
        return self.properties.get(path)


class Collector:
    """Reads properties through one session. ``unknown``: paths this vCenter is too old for, which are left out."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._property_collector = session.content.propertyCollector
        self.unknown: set[str] = set()

    def everything(self, paths: Paths, page: int) -> Iterator[Record]:
        """Yield every object of the types in the inventory, ``page`` objects a call.

        An object may come twice where the traversal had to start again; the later record counts.
        """
        content = self._session.content
        view = content.viewManager.CreateContainerView(content.rootFolder, list(paths), True)
        try:
            yield from self._restarted(view, paths, page)
        finally:
            with suppress(vmodl.MethodFault, OSError, HTTPException):  # it ends with the session anyway
                view.DestroyView()

    def one(self, obj: Any, *paths: str) -> Record:
        """Return properties of one object, in one call."""
        spec = _filter(_query.ObjectSpec(obj=obj), {type(obj): paths}, self.unknown)
        return next(self._pages(spec, 1))

    def _restarted(self, view: Any, paths: Paths, page: int) -> Iterator[Record]:
        restarts = 0
        while True:
            try:
                yield from self._pages(_filter(_members(view), paths, self.unknown), page)
            except vmodl.query.InvalidProperty as fault:
                if not fault.name or fault.name in self.unknown:
                    raise
                self.unknown.add(fault.name)
            except vmodl.fault.ManagedObjectNotFound:
                restarts += 1
                if restarts > _RESTARTS:
                    raise
            else:
                return

    def _pages(self, spec: Any, page: int) -> Iterator[Record]:
        options = _query.RetrieveOptions(maxObjects=page)
        result = self._property_collector.RetrievePropertiesEx([spec], options)
        while result is not None:
            token = result.token
            try:
                for content in result.objects:
                    yield _record(content)
            except GeneratorExit:
                if token:
                    with suppress(vmodl.MethodFault, OSError, HTTPException):
                        self._property_collector.CancelRetrievePropertiesEx(token)
                raise
            result = self._property_collector.ContinueRetrievePropertiesEx(token) if token else None


def key(obj: Any) -> str:
    """Return the managed object id of a reference, without a call."""
    return str(obj._moId)


def unescape(name: str) -> str:
    """Return a name as people see it: the API escapes slashes, backslashes and percents (ManagedEntity.name)."""
    return re.sub("%(2f|5c|25)", lambda found: chr(int(found[1], 16)), name, flags=re.IGNORECASE)


def _record(content: Any) -> Record:
    return Record(
        id=key(content.obj),
        kind=content.obj._wsdlName,
        properties={prop.name: _plain(prop.val) for prop in content.propSet},
        missing=frozenset(prop.path for prop in content.missingSet),
    )


def _plain(value: Any) -> Any:
    """Return a scalar as Python's own: pyVmomi has subclasses of int and str that no encoder knows."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    return str(value) if isinstance(value, str) else value


def _members(view: Any) -> Any:
    """Return the start of a traversal that visits what the view holds, and not the view."""
    members = _query.TraversalSpec(type=vim.view.ContainerView, path="view", skip=False)
    return _query.ObjectSpec(obj=view, skip=True, selectSet=[members])


def _filter(start: Any, paths: Paths, without: set[str]) -> Any:
    return _query.FilterSpec(
        objectSet=[start],
        propSet=[
            _query.PropertySpec(type=kind, all=False, pathSet=[path for path in wanted if path not in without])
            for kind, wanted in paths.items()
        ],
    )
