"""Talks to the test API server without kubectl, whose start costs more than what is asked again and again."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import requests
import yaml
from requests.adapters import HTTPAdapter
from tests.e2e.cluster.crds import Object
from urllib3.util import Retry

_TIMEOUT = 60.0  # seconds


class Api:
    """The API of a server that takes a bearer token, as that of `make .tools/bin/apiserver` does."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self._server: str = cluster["server"]
        self._session = requests.Session()
        self._session.verify = cluster["certificate-authority"]
        self._session.headers["Authorization"] = f"Bearer {config['users'][0]['user']['token']}"
        self._session.trust_env = False  # or a proxy is asked for 127.0.0.1
        later = Retry(total=20, status_forcelist=[requests.codes.too_many_requests], allowed_methods=None)
        self._session.mount("https://", HTTPAdapter(max_retries=later))  # it says so while it gets ready for a new kind
        self._path = cache(self._discover)

    def objects(self, resource: str, namespace: str = "") -> list[Object]:
        """Return the objects of a resource, such as ``job.batch``, with their kind."""
        listed = self._call("GET", self._url(resource, namespace)).json()
        of = {"apiVersion": listed["apiVersion"], "kind": listed["kind"].removesuffix("List")}
        return [of | item for item in listed["items"]]

    def create(self, resource: str, obj: Object) -> Object:
        """Create an object in its namespace, or return the one that is there."""
        url = self._url(resource, obj["metadata"]["namespace"])
        answer = self._session.post(self._server + url, json=obj, timeout=_TIMEOUT)
        if answer.status_code == requests.codes.conflict:
            return self._call("GET", f"{url}/{obj['metadata']['name']}").json()
        assert answer.ok, answer.text
        return answer.json()

    def patch(self, resource: str, meta: Object, change: Object, subresource: str = "") -> bool:
        """Merge a change into an object. Return False where it is not there (any more)."""
        url = "/".join(
            part for part in (self._url(resource, meta.get("namespace", "")), meta["name"], subresource) if part
        )
        headers = {"Content-Type": "application/merge-patch+json"}
        answer = self._call("PATCH", url, data=json.dumps(change), headers=headers)
        return answer.status_code != requests.codes.not_found

    def _url(self, resource: str, namespace: str) -> str:
        path, plural = self._path(resource)
        return f"{path}/namespaces/{namespace}/{plural}" if namespace else f"{path}/{plural}"

    def _discover(self, resource: str) -> tuple[str, str]:
        """Return the path of a resource's version, and its plural; either may be how it is asked for."""
        name, _, group = resource.partition(".")
        for path in self._versions(group) if group else ("/api/v1",):
            for each in self._call("GET", path).json()["resources"]:
                if name in (each["name"], each["singularName"]) and "/" not in each["name"]:
                    return path, each["name"]
        raise LookupError(f"the server has no {resource}")

    def _versions(self, group: str) -> list[str]:
        """Return the paths of a group's versions, the preferred one first: not every kind is in that one."""
        found = self._call("GET", f"/apis/{group}").json()
        versions = [found["preferredVersion"], *found["versions"]]
        return [f"/apis/{each['groupVersion']}" for each in versions]

    def _call(self, method: str, path: str, **options: Any) -> requests.Response:
        answer = self._session.request(method, self._server + path, timeout=_TIMEOUT, **options)
        assert answer.ok or (method == "PATCH" and answer.status_code == requests.codes.not_found), answer.text
        return answer
