"""Pages made smaller, properties that vCenter is too old for, and answers that are none: from a script over HTTP."""

import gzip
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pyVmomi import SoapStubAdapter, vim, vmodl
from tests.importers.vcsim import PASSWORD, USER, administrator, running

from vmferry.importers.vcenter.collect import Collector, Record
from vmferry.importers.vcenter.read import read_vcenter
from vmferry.importers.vcenter.session import Login, Session, Trust, open_session, parse_address

_machine: Any = vim.VirtualMachine
VMS = [_machine(f"vm-{number}") for number in range(3)]
PATHS = {vim.VirtualMachine: ("name", "config.brandNew")}
_BODY = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><e:Body>{}</e:Body></e:Envelope>'
)
_FAULT = (
    '<e:Fault><faultcode>e</faultcode><faultstring/><detail><InvalidPropertyFault xmlns="urn:vim25" '
    'xsi:type="InvalidProperty"><name>config.brandNew</name></InvalidPropertyFault></detail></e:Fault>'
)
TOO_OLD = (500, _FAULT)


def _page(*vms: str, token: str = "") -> tuple[int, str]:
    objects = "".join(
        f'<objects><obj type="VirtualMachine">{vm}</obj>'
        f"<propSet><name>name</name><val>{vm.upper()}</val></propSet></objects>"
        for vm in vms
    )
    held = f"<token>{token}</token>" if token else ""
    method = "RetrievePropertiesExResponse"
    return 200, f'<{method} xmlns="urn:vim25"><returnval>{held}{objects}</returnval></{method}>'


@contextmanager
def _scripted(*answers: tuple[int, str]) -> Iterator[tuple[Collector, list[str]]]:
    """Serve some answers in turn. Yields a collector, and what it asks."""
    asked: list[str] = []
    left = list(answers)

    class Script(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            status, inner = left.pop(0)
            body = gzip.compress(_BODY.format(inner).encode())
            self.send_response(status)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Script) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        make: Any = SoapStubAdapter
        stub = make(host="127.0.0.1", port=-server.server_port, path="/sdk", version="vim.version.version9")
        collector: Any = vmodl.query.PropertyCollector
        content = vim.ServiceInstanceContent(propertyCollector=collector("propertyCollector"))
        yield Collector(Session(stub, content, [0])), asked
        stub.DropConnections()
        server.shutdown()


def _names(records: Sequence[Record]) -> list[Any]:
    return [record.get("name") for record in records]


def test_a_page_that_vcenter_makes_smaller_is_continued() -> None:
    with _scripted(_page("vm-0", token="more"), _page("vm-1"), _page("vm-2")) as (collector, asked):
        assert _names(list(collector._read(VMS, PATHS, 2))) == ["VM-0", "VM-1", "VM-2"]
    assert [">more</token>" in question for question in asked] == [False, True, False]


def test_a_property_that_vcenter_is_too_old_for_is_left_out() -> None:
    with _scripted(TOO_OLD, _page("vm-0", "vm-1"), _page("vm-2")) as (collector, asked):
        assert len(list(collector._read(VMS, PATHS, 2))) == 3
        assert collector.unknown == {"config.brandNew"}
    assert ["config.brandNew" in question for question in asked] == [True, False, False]


def test_a_property_that_is_refused_twice_is_an_error() -> None:
    with _scripted(TOO_OLD, TOO_OLD) as (collector, _), pytest.raises(vmodl.query.InvalidProperty):
        list(collector._read(VMS, PATHS, 2))


def test_the_next_page_is_asked_for_before_this_one_is_read() -> None:
    answers = (_page("vm-0"), _page("vm-1"))
    with _scripted(*answers) as (collector, asked), closing(collector._read(VMS[:2], PATHS, 1)) as records:
        assert next(records).id == "vm-0"
        deadline = time.monotonic() + 10
        while len(asked) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(asked) == 2
        assert next(records).id == "vm-1"


@pytest.mark.parametrize(
    "answer",
    [
        (200, "<a>"),
        (503, ""),
        (200, '<r><returnval xmlns="urn:vim25"><objects><obj/></objects></returnval></r>'),
        (200, _page("vm-0")[1].replace("<val>", '<val xsi:type="xsd:int">')),
    ],
)
def test_an_answer_that_is_none_is_an_error(answer: tuple[int, str]) -> None:
    with _scripted(answer) as (collector, _), pytest.raises(HTTPException):
        list(collector._read(VMS, PATHS, 3))


def test_a_vm_that_vanished_since_it_was_listed_is_left_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("vcsim"), "-vm=1") as server:
        login = Login(user=USER, password=PASSWORD)
        with open_session(parse_address(server.url), login, Trust(insecure=True)) as session:
            collector = Collector(session)
            [known, *_] = collector.everything({vim.VirtualMachine: ("name",)}, 5)
            found = list(collector._read([_machine("vm-gone"), _machine(known.id)], PATHS, 5))
    assert [record.id for record in found] == [known.id]


def test_an_import_leaves_no_task_in_vcenter(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("vcsim"), "-vm=1") as server, administrator(server) as admin:
        before = [task._moId for task in admin.content.taskManager.recentTask]
        read_vcenter(server.url, "vc1", Login(user=USER, password=PASSWORD), Trust(insecure=True), baseline=1)
        assert [task._moId for task in admin.content.taskManager.recentTask] == before
