"""Our way from XML to pyVmomi's objects, held against pyVmomi's own."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import ParseError

import pytest
from pyVmomi import SoapAdapter, VmomiSupport, vim
from tests.importers.vcsim import PASSWORD, USER, running

from vmferry.importers.vcenter.collect import Collector
from vmferry.importers.vcenter.session import Login, Session, Trust, open_session, parse_address
from vmferry.importers.vcenter.values import VIM, parse, value

_support: Any = VmomiSupport
WHOLE = {  # pyVmomi reads neither runtime nor summary of the simulator's VMs
    vim.VirtualMachine: ("config", "guest", "layoutEx", "network", "capability"),
    vim.HostSystem: ("config", "summary", "vm"),
    vim.ClusterComputeResource: ("configurationEx", "summary"),
    vim.DistributedVirtualSwitch: ("config", "capability"),
    vim.dvs.DistributedVirtualPortgroup: ("config",),
}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with running(tmp_path_factory.mktemp("vcsim"), "-vm=3", "-pg=2", "-pg-nsx=1") as server:
        login = Login(user=USER, password=PASSWORD)
        with open_session(parse_address(server.url), login, Trust(insecure=True)) as found:
            yield found


def _of_pyvmomi(session: Session, kind: Any, path: str) -> dict[str, Any]:
    """Return a property of all objects of a type, as pyVmomi reads it."""
    query: Any = SoapAdapter.GetVmodlType("vmodl.query.PropertyCollector")
    content = session.content
    view = content.viewManager.CreateContainerView(content.rootFolder, [kind], True)
    spec = query.FilterSpec(
        objectSet=[query.ObjectSpec(obj=each) for each in view.view],
        propSet=[query.PropertySpec(type=kind, pathSet=[path])],
    )
    result = content.propertyCollector.RetrievePropertiesEx([spec], query.RetrieveOptions())
    return {each.obj._moId: prop.val for each in result.objects for prop in each.propSet}


def _plain(found: Any) -> Any:
    """Return an object as dicts, lists and scalars that can be compared, dates aside."""
    if isinstance(found, _support.ManagedObject):
        return type(found), found._moId
    if isinstance(found, _support.DataObject):
        fields = {info.name: getattr(found, info.name) for info in found._GetPropertyList()}
        dates = {info.name for info in found._GetPropertyList() if info.type is datetime}
        return type(found), {name: _plain(each) for name, each in fields.items() if name not in dates}
    return [_plain(each) for each in found] if isinstance(found, list) else found


@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind, paths in WHOLE.items() for path in paths])
def test_values_are_what_pyvmomi_makes_of_them(session: Session, kind: Any, path: str) -> None:
    ours = {each.id: each.get(path) for each in Collector(session).everything({kind: (path,)}, 2)}
    theirs = _of_pyvmomi(session, kind, path)
    assert theirs
    assert {key: _plain(ours[key]) for key in theirs} == {key: _plain(each) for key, each in theirs.items()}


def _xml(inner: str) -> Any:
    schema = 'xmlns="urn:vim25" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    return parse(f"<returnval {schema}>{inner}</returnval>".encode()).find(f"{VIM}val")


def test_types_and_fields_of_a_newer_vcenter_are_passed_over() -> None:
    device = "<key>7</key><quantumState>up</quantumState>"
    assert value(_xml(f'<val xsi:type="VirtualTPM">{device}</val>')).key == 7
    assert value(_xml(f'<val xsi:type="VirtualOracle">{device}</val>')) is None
    [found] = value(
        _xml(f'<val xsi:type="ArrayOfVirtualDevice"><VirtualDevice xsi:type="X">{device}</VirtualDevice></val>')
    )
    assert (type(found), found.key) == (vim.vm.device.VirtualDevice, 7)


def test_a_mode_that_pyvmomi_does_not_know_stays_text() -> None:
    backing = '<val xsi:type="VirtualDiskFlatVer2BackingInfo"><fileName/><diskMode>floating</diskMode></val>'
    assert value(_xml(backing)).diskMode == "floating"


def test_lists_of_two_objects_are_not_one() -> None:
    first, second = (value(_xml('<val xsi:type="VirtualDisk"><iofilter>a</iofilter></val>')) for _ in range(2))
    first.iofilter.append("b")
    assert second.iofilter == ["a"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<a>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        '<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-16"),
    ],
)
def test_what_is_no_answer_is_refused(text: bytes) -> None:
    with pytest.raises(ParseError):
        parse(text)
