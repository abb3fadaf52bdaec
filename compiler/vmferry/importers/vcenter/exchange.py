"""Pipelined requests to the PropertyCollector: the next request is sent before the last response is read.

So vCenter works on a page while vmferry processes the previous one, without a thread. Certificates, sessions, requests
and faults are still handled by pyVmomi.
"""

import gzip
import xml.etree.ElementTree as ET
import zlib
from http.client import HTTPException
from typing import Any

from pyVmomi import SoapAdapter, vmodl

from vmferry.importers.vcenter.session import Session
from vmferry.importers.vcenter.values import VIM, parse

_collector: Any = vmodl.query.PropertyCollector
_faults: Any = SoapAdapter.SoapResponseDeserializer


class Exchange:
    """One connection of a session: ``ask``, then ``answer``, and finally ``close``.

    ``asked`` is the method whose response is pending, or None.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stub = session.stub
        self._connection = self._stub.GetConnection()
        self.asked: Any = None

    def ask(self, method: str, *arguments: Any) -> None:
        """Send a request to the PropertyCollector. Raises OSError and HTTPException."""
        info = _collector._GetMethodInfo(method)
        request = self._stub.SerializeRequest(self._session.content.propertyCollector, info, arguments)
        for modify in self._stub.requestModifierList:
            request = modify(request)
        headers = {
            "Cookie": self._stub.cookie,
            "SOAPAction": self._stub.versionId,
            "Content-Type": "text/xml; charset=UTF-8",
            "Accept-Encoding": "gzip",
        }
        self.asked = info
        self._connection.request("POST", self._stub.path, request, headers)

    def answer(self) -> ET.Element | None:
        """Return the page in response to the last request, if any.

        Raises vCenter's fault, OSError, and HTTPException for an invalid response.
        """
        response = self._connection.getresponse()
        text = response.read()
        asked, self.asked = self.asked, None
        if response.status not in (200, 500):
            raise HTTPException(f"{response.status} {response.reason}")
        try:
            if response.getheader("Content-Encoding") == "gzip":
                text = gzip.decompress(text)
            root = parse(text)
        except (ET.ParseError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise HTTPException(str(error)) from error
        if response.status == 500:
            raise _faults(self._stub).Deserialize(text, asked.result)
        return root.find(f".//{VIM}returnval")

    def close(self) -> None:
        """Return the connection to the pool, or close it if a response is pending."""
        if self.asked:
            self._connection.close()
        else:
            self._stub.ReturnConnection(self._connection)
