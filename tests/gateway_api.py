"""The definitions of the Gateway API's routes, as its Go module has them: `make testtools` puts them into .tools.

They are not in the catalogue that the schemas of other custom resources come from.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.ran import ran

from vmferry.kube import kinds
from vmferry.kube.kinds import Kind

Object = dict[str, Any]
ROUTES = {kind.name: kind for kind in (kinds.HTTP_ROUTE, kinds.TCP_ROUTE)}
GROUP = kinds.HTTP_ROUTE.group
FOLDER = Path(__file__).parents[1] / ".tools" / "gateway-api"


@cache
def definition(kind: str) -> Object:
    """Return the CustomResourceDefinition of a route; skip without it, unless VMFERRY_REQUIRE_GATEWAY_API=1."""
    path = FOLDER / f"{kind.lower()}s.yaml"
    if not path.is_file():
        why = f"{path.name} is not in .tools/gateway-api: make testtools"
        (pytest.fail if os.environ.get("VMFERRY_REQUIRE_GATEWAY_API") == "1" else pytest.skip)(why)
    found: Object = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    version = found["metadata"]["annotations"]["gateway.networking.k8s.io/bundle-version"]
    ran("Definitions of the Gateway API", version, "its routes are stored as they were written")
    return found


def schema(kind: Kind) -> Object:
    """Return the JSON Schema of a route in which every field is named, as the API server takes it in strict mode."""
    versions = definition(kind.name)["spec"]["versions"]
    [found] = [each for each in versions if each["name"] == kind.version and each["served"]]
    made = _closed(found["schema"]["openAPIV3Schema"])
    made["properties"]["metadata"] = {"type": "object"}
    return made


def laid_out(folder: Path) -> Path:
    """Write the schemas of routes below a folder, as `vmferry verify --schemas` takes them, and return it."""
    for kind in ROUTES.values():
        path = folder / GROUP / f"{kind.name.lower()}_{kind.version}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(schema(kind)), encoding="utf-8")
    return folder


def _closed(node: Object) -> Object:
    """Return a schema that refuses fields which it does not name."""
    made = dict(node)
    if "properties" in node:
        made["properties"] = {name: _closed(each) for name, each in node["properties"].items()}
        made["additionalProperties"] = False
    if isinstance(node.get("items"), dict):
        made["items"] = _closed(node["items"])
    return made
