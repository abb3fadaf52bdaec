"""The definitions of each release of Forklift, KubeVirt and CDI, and the fields that custom resources have there.

They are no part of the repository: COMPONENT/RELEASE/GROUP/KIND_VERSION.json, below VMFERRY_SCHEMAS_VERSIONS or
../shared/crds-versions. Without them these tests are skipped and say so.
"""

import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs
import kubernetes_validate
from tests.backends.schemas import CORE
from tests.backends.schemas import assert_fits as assert_fits_any

from vmferry.kube.versions import MAIN, Component, span
from vmferry.model.manifest import KubeObject, api_group

FOLDER = Path(
    os.environ.get("VMFERRY_SCHEMAS_VERSIONS", Path(__file__).resolve().parents[3] / "shared" / "crds-versions")
)
MISSING = f"no schemas of each release in {FOLDER}; set VMFERRY_SCHEMAS_VERSIONS"

GROUPS = {
    "forklift.konveyor.io": Component.FORKLIFT,
    "kubevirt.io": Component.KUBEVIRT,
    "snapshot.kubevirt.io": Component.KUBEVIRT,
    "cdi.kubevirt.io": Component.CDI,
}
"""Whose definitions there are for each release, by the group of its resources."""

Schema = dict[str, Any]


class Release(NamedTuple):
    """A release whose definitions are at hand; ``version`` is as the table has it: 2.12.5 or main."""

    component: Component
    version: str
    folder: Path


def releases(component: Component) -> list[Release]:
    """Return the releases of a component whose definitions are at hand, oldest first."""
    folders = (path for path in (FOLDER / component.value).glob("*") if path.is_dir())
    found = [Release(component, _version(path.name), path) for path in folders]
    return sorted(found, key=lambda release: span(release.version).first)


def _version(name: str) -> str:
    return MAIN if name.startswith(MAIN) else name


def every_release() -> list[Release]:
    """Return the releases of every component."""
    return [release for component in GROUPS.values() for release in releases(component)]


def of(component: Component, version: str) -> Release:
    """Return the release whose definitions stand for a version of a spec: the newest patch at hand."""
    here = span(version)
    [*_, newest] = [each for each in releases(component) if here.first <= span(each.version).first < here.end]
    return newest


def component_of(obj: KubeObject) -> Component | None:
    """Return whose custom resource an object is; None if there are not definitions for each release."""
    return GROUPS.get(api_group(obj))


@functools.cache
def schema(release: Release, api_version: str, kind: str) -> Schema | None:
    """Return the schema of a kind in a release; None if the release does not have the kind."""
    group, _, version = api_version.partition("/")
    path = release.folder / group / f"{kind.lower()}_{version}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


@functools.cache
def _validator(release: Release, api_version: str, kind: str) -> Any:
    found = schema(release, api_version, kind)
    assert found is not None, f"{release.component} {release.version} has no {kind} of {api_version}"
    return jsonschema_rs.validator_for(found)


def errors(obj: KubeObject, versions: dict[Component, str]) -> list[str]:
    """Return how an object does not fit the releases that a spec names."""
    component = component_of(obj)
    if component is not None:
        release = of(component, versions[component])
        found = _validator(release, obj["apiVersion"], obj["kind"]).iter_errors(obj)
        return [f"{_named(obj)}, {component.title} {release.version}: {error.message}" for error in found]
    if api_group(obj) in CORE:
        return _core_errors(json.dumps(obj, sort_keys=True), versions[Component.KUBERNETES])
    assert_fits_any(obj)
    return []


@functools.cache  # most of what an example is compiled to is the same for all releases
def _core_errors(text: str, version: str) -> list[str]:
    obj = json.loads(text)
    try:
        kubernetes_validate.validate(obj, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{_named(obj)}, Kubernetes {version}: {error.message}"]
    return []


def _named(obj: KubeObject) -> str:
    return f"{obj['kind']} {obj['metadata']['name']}"


def unknown_fields(obj: KubeObject, release: Release) -> Iterator[str]:
    """Yield the fields of an object that a release does not have, as the table writes them."""
    found = schema(release, obj["apiVersion"], obj["kind"])
    if found is None:
        yield obj["kind"]
        return
    yield from _unknown(found, obj, obj["kind"])


def _unknown(here: Schema, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _unknown(here.get("items", {}), each, f"{path}[]")
    if not isinstance(value, dict) or "properties" not in here:
        return  # a map, whose keys people choose, or anything at all
    for name, below in value.items():
        known = here["properties"].get(name)
        if known is None:
            yield f"{path}.{name}"
        else:
            yield from _unknown(known, below, f"{path}.{name}")


def has(release: Release, field: str) -> bool:
    """Return whether a release has a field: ``Plan.spec.vms[].name``, or only a kind."""
    kind, *names = field.replace("[]", ".[]").split(".")
    here: Schema | None = _of_kind(release, kind)
    for name in names:
        if here is None:
            return False
        here = here.get("items") if name == "[]" else here.get("properties", {}).get(name)
    return here is not None


@functools.cache
def _of_kind(release: Release, kind: str) -> Schema | None:
    """Return the schema of a kind in its newest version."""
    paths = sorted(path for group in GROUPS for path in (release.folder / group).glob(f"{kind.lower()}_*.json"))
    return json.loads(paths[-1].read_text(encoding="utf-8")) if paths else None
