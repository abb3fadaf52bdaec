"""From the XML of a response to pyVmomi's objects, five times as fast as pyVmomi.

pyVmomi calls Python for every tag and checks every field that it sets: 20 s for 5,000 VMs. Here ElementTree's parser,
which is C, builds a tree, and objects are filled without checks. Differences: dates and other rare scalars stay text,
managed objects have no stub (so nothing can be read from them by accident), and types or fields that this pyVmomi does
not know are skipped.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from pyVmomi import VmomiSupport

VIM = "{urn:vim25}"
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_NAMESPACES = (VIM.strip("{}"), "http://www.w3.org/2001/XMLSchema")
_support: Any = VmomiSupport  # its stubs know only a part of it


class _Field(NamedTuple):
    name: str
    kind: Any
    many: bool


def parse(text: bytes) -> ET.Element:
    """Return the root of a response. Raises ParseError for invalid XML, and for a DTD, which SOAP does not allow."""
    if b"<!DOCTYPE" in text or b"\0" in text:  # UTF-16 could hide one
        raise ET.ParseError("it has a DTD, or is not UTF-8")
    return ET.fromstring(text, ET.XMLParser(encoding="utf-8"))  # noqa: S314 - without a DTD there are no entities


def value(element: ET.Element, declared: Any = object) -> Any:
    """Return the value of an element, which may state a narrower type than the declared one."""
    said = element.get(_TYPE)
    kind = (_named(said.rpartition(":")[2]) if said else None) or declared
    return _reader(kind)(element, kind)


@cache
def _named(name: str) -> Any:
    """Return the type of a name in the WSDL; None if pyVmomi does not know it."""
    if name.endswith("ManagedObjectReference"):  # of its array too
        name = name.removesuffix("Reference")
    for namespace in _NAMESPACES:
        try:
            return _support.GetWsdlType(namespace, name)
        except KeyError:
            continue
    return None


@cache
def _reader(kind: Any) -> Callable[[ET.Element, Any], Any]:
    readers: tuple[tuple[Any, Callable[[ET.Element, Any], Any]], ...] = (
        (list, lambda element, kind: [value(item, kind.Item) for item in element]),
        (_support.ManagedObject, _reference),
        (_support.DataObject, _struct),
        (bool, lambda element, _: element.text in ("true", "1")),
        (int, lambda element, _: int(element.text or "")),
        (float, lambda element, _: float(element.text or "")),
    )
    return next((read for base, read in readers if issubclass(kind, base)), _text)


def _text(element: ET.Element, _: Any) -> str | None:
    return None if len(element) else element.text or ""  # with children it is of an unknown type


def _reference(element: ET.Element, _: Any) -> Any:
    kind = _named(element.get("type", "")) or _support.ManagedObject
    return kind(element.text or "")


def _struct(element: ET.Element, kind: Any) -> Any:
    found = kind.__new__(kind)
    fields = found.__dict__
    fields.update(_defaults(kind))
    started: set[str] = set()  # lists that are no longer the empty one of the defaults
    for child in element:
        field = _field(kind, child.tag)
        if field is None:
            continue
        if not field.many:
            fields[field.name] = value(child, field.kind)
        elif field.name in started:
            fields[field.name].append(value(child, field.kind))
        else:
            started.add(field.name)
            fields[field.name] = [value(child, field.kind)]
    return found


@cache
def _field(kind: Any, tag: str) -> _Field | None:
    try:
        info = kind._GetPropertyInfo(tag.rpartition("}")[2])
    except AttributeError:
        return None
    many = issubclass(info.type, list)
    return _Field(info.name, info.type.Item if many else info.type, many)


@cache
def _defaults(kind: Any) -> Mapping[str, Any]:
    return dict(vars(kind()))
