"""vSphere tags, which only vCenter's REST API has: absent if it does not respond.

Requests: a session, the list of tags, their attached objects, then one per tag and category in use. The API is at /api
since vCenter 7.0 U2 and at /rest before (vSphere Automation API, cis.tagging).
"""

import base64
import http.client
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any
from urllib.parse import quote

from vmferry.importers.cells import fits
from vmferry.importers.errors import ImporterError
from vmferry.importers.vcenter.session import Address, Connection, Login, Trust

_SESSION = "vmware-api-session-id"
_AT_ONCE = 500  # tags per request


class TagsError(Exception):
    """The REST API did not respond as expected."""


def read_tags(address: Address, login: Login, trust: Trust) -> Mapping[str, tuple[str, ...]]:
    """Return `category/tag` of every tagged VM, by object id. Raises TagsError."""
    try:
        with closing(Connection(address, trust)) as connection:
            api = _Api(connection, login)
            try:
                return _attached(api)
            finally:
                api.leave()
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError, ImporterError) as error:
        raise TagsError(f"{type(error).__name__}: {error}") from error


def _attached(api: "_Api") -> Mapping[str, tuple[str, ...]]:
    found: dict[str, set[str]] = defaultdict(set)
    categories: dict[str, str] = {}
    for tag, vms in _uses(api, list(api.get("tag") or ())):
        about = api.get("tag", tag)
        category = about["category_id"]
        if category not in categories:
            categories[category] = api.get("category", category)["name"]
        name = fits(f"{categories[category]}/{about['name']}") or "?"
        for vm in vms:
            found[vm].add(name)
    return {vm: tuple(sorted(names)) for vm, names in found.items()}


def _uses(api: "_Api", tags: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield every tag of VMs, with the VMs."""
    for start in range(0, len(tags), _AT_ONCE):
        answer = api.ask(
            "tag-association", "list-attached-objects-on-tags", {"tag_ids": tags[start : start + _AT_ONCE]}
        )
        for item in answer or ():
            vms = [obj["id"] for obj in item["object_ids"] or () if obj["type"] == "VirtualMachine"]
            if vms:
                yield item["tag_id"], vms


class _Api:
    """The REST API in the vCenter's dialect."""

    def __init__(self, connection: http.client.HTTPConnection, login: Login) -> None:
        self._connection = connection
        basic = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {basic}"}
        self._modern = True
        status, token = self._send("POST", "/api/session")
        if status in (400, 404, 405):
            self._modern = False
            status, token = self._send("POST", "/rest/com/vmware/cis/session")
        if status not in (200, 201) or not isinstance(token, str):
            raise TagsError(f"no session: HTTP {status}")
        self._headers = {_SESSION: token, "Content-Type": "application/json"}

    def get(self, what: str, identity: str | None = None) -> Any:
        """Return the ids of tags or categories, or one of them."""
        if identity is None:
            return self._must("GET", f"{self._base}/{what}")
        mark = "" if self._modern else "id:"
        return self._must("GET", f"{self._base}/{what}/{mark}{quote(identity, safe=':')}")

    def ask(self, what: str, action: str, question: Mapping[str, Any]) -> Any:
        """Return the response to an action. vmferry only uses actions that read."""
        mark = "?" if self._modern else "?~"
        return self._must("POST", f"{self._base}/{what}{mark}action={action}", json.dumps(question))

    def leave(self) -> None:
        """End the session."""
        with suppress(OSError, http.client.HTTPException, ValueError):
            self._send("DELETE", "/api/session" if self._modern else "/rest/com/vmware/cis/session")

    @property
    def _base(self) -> str:
        return "/api/cis/tagging" if self._modern else "/rest/com/vmware/cis/tagging"

    def _must(self, method: str, path: str, body: str | None = None) -> Any:
        status, answer = self._send(method, path, body)
        if status != 200:
            raise TagsError(f"HTTP {status} for {path}")
        return answer

    def _send(self, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        if response.status not in (200, 201) or not content.strip():
            return response.status, None
        answer = json.loads(content)
        return response.status, answer if self._modern else answer.get("value")
