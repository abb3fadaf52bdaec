"""The API server takes whatever vmferry lets pass: near misses of the rules, and estates as odd as can be generated.

All that a spec gives is offered, of planned groups too. Namespaces are made; the rest is only tried
(`--dry-run=server`), so that no spec is in the way of the next one.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.e2e.cluster import server
from tests.e2e.cluster.crds import Object
from tests.e2e.cluster.server import Cluster, Key, key_of
from tests.properties.estates import Estate, build, estates, staged
from tests.resolve.projects import Data, project, vm
from tests.rules.laying import EXAMPLES as RULES
from tests.rules.laying import walk
from tests.rules.ruling import app

from vmferry import backends
from vmferry.check import review
from vmferry.layout.objects import is_object, parse
from vmferry.model import application, base
from vmferry.model.manifest import Resource
from vmferry.model.spec.client_routes import RouteHostname
from vmferry.resolve.blueprint import resolve
from vmferry.rules import check
from vmferry.ruleset import every

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.environ.get("VMFERRY_E2E") != "1", reason="takes minutes and an API server: make e2e"),
]


class Offers:
    """A server that is offered objects."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._made: dict[str, Object] = {}

    def offer(self, objects: Iterable[Object]) -> list[str]:
        """Return what the server says of objects: nothing if it takes them, and without a warning."""
        found: dict[Key, Object] = {key_of(obj): obj for obj in objects}
        spaces = {key.name: obj for key, obj in found.items() if key.kind == "Namespace"}
        for space in sorted({key.namespace for key in found} - {""} - spaces.keys() - self._made.keys()):
            spaces[space] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
        new = [obj for name, obj in spaces.items() if self._made.get(name) != obj]
        self._made |= spaces
        others = [obj for key, obj in found.items() if key.kind != "Namespace"]
        return self._apply(new) + self._apply(others, "--dry-run=server")

    def _apply(self, objects: list[Object], *options: str) -> list[str]:
        if not objects:
            return []
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        how = ("--server-side", "--force-conflicts", "--validate=strict", "--filename=-")
        done = self._cluster.kubectl("apply", *how, *options, text=listed, check=False)
        said = [line for line in done.stderr.splitlines() if line.strip()]
        assert said or done.returncode == 0
        return said


@pytest.fixture(scope="module")
def offers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Offers]:
    with server.running(tmp_path_factory.mktemp("admission")) as cluster:
        yield Offers(cluster)


def objects(files: Iterable[bytes]) -> Iterator[Object]:
    """Yield what of files goes to an API server; Flux decrypts a SOPS file first."""
    for content in files:
        for document in parse(content):
            kustomize = is_object(document) and document["apiVersion"].startswith("kustomize.config.k8s.io/")
            if is_object(document) and not kustomize and "sops" not in document:
                yield document


def test_the_server_takes_the_near_miss_of_every_rule(offers: Offers, tmp_path: Path, tally: Counter[str]) -> None:
    refused = {}
    compiled = 0
    for code in every():
        if not (RULES / code / "passes.yaml").is_file():
            continue
        walk(RULES / code / "passes.yaml", tmp_path / code)
        found = list(objects(path.read_bytes() for path in sorted((tmp_path / code / "gitops").rglob("*.yaml"))))
        compiled += bool(found)
        tally["offered"] += len(found)
        if said := offers.offer(found):
            refused[code] = said
    tally["refused"] += len(refused)
    assert refused == {}
    assert compiled > 200


def test_the_server_takes_any_estate(offers: Offers, tmp_path_factory: pytest.TempPathFactory) -> None:
    @given(estates(), st.randoms(use_true_random=False))
    @settings(max_examples=15, deadline=None, database=None)
    def offer(estate: Estate, dice: Any) -> None:
        scratch = tmp_path_factory.mktemp("estate")
        first = build(estate, scratch / "first")
        output = build(staged(estate, first, dice), scratch / "second", assignments=first.assignments)
        manifests = (content for path, content in sorted(output.files.items()) if path.endswith(".yaml"))
        assert offers.offer(objects(manifests)) == []

    offer()


# --- and what vmferry refuses would have been refused ----------------------------------------

PORT = {"name": "http", "port": 80}
STATE = {"name": "data", "mountPath": "/data", "size": "1Gi", "tier": "gold"}
POD = [{"source": {"portGroup": "vlan-7", "vlan": 7}, "target": {"type": "pod"}}]
SAME_PORT = [PORT, {**PORT, "name": "also-http"}]
OLD = {
    "cluster": {"name": "prod-a", "versions": {"kubernetes": "1.34"}},
    "gitops": {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"},
}


@pytest.mark.parametrize(
    ("data", "sections", "words"),
    [
        pytest.param(
            app("1-app", ports=[PORT]),
            {"target": OLD},
            "a DNS-1035 label must consist of",
            marks=pytest.mark.skipif(not server.OLDEST, reason="Kubernetes takes it from 1.36 on"),
        ),
        (app("app", ports=SAME_PORT), {}, 'duplicate entries for key [port=80,protocol="TCP"]'),
        (app("app", ports=[PORT, {**PORT, "port": 81}]), {}, 'spec.ports[1].name: Duplicate value: "http"'),
        (vm("a", ports=SAME_PORT), {"networks": POD}, 'duplicate entries for key [port=80,protocol="TCP"]'),
        (app("app", config={"a": "x" * 600_000, "b": "x" * 600_000}), {}, "may not be more than 1048576 bytes"),
        (app("app", state=[STATE, {**STATE, "name": "logs"}]), {}, 'duplicate entries for key [mountPath="/data"]'),
        (app("app", state=[STATE, {**STATE, "mountPath": "/logs"}]), {}, "duplicate entries for key"),
        (app("app", env=[{"name": "A", "value": "1"}] * 2), {}, 'env: duplicate entries for key [name="A"]'),
        (vm("a", tolerations=[{"key": "gpu", "value": "yes"}]), {}, "value must be empty when `operator` is 'Exists'"),
        (
            vm("a"),
            {"namespaces": [{"name": "web", "labels": {"pod-security.kubernetes.io/enforce": "strict"}}]},
            "must be one of privileged, baseline, restricted",
        ),
    ],
)
def test_what_vmf505_finds_the_server_refuses(offers: Offers, data: Data, sections: Data, words: str) -> None:
    spec = project(data, **sections)
    resolution = resolve(spec)
    assert "VMF505" in {finding.code for finding in check(review(spec, resolution))}
    emitted = [item.object for item in backends.emit(resolution.blueprint) if isinstance(item, Resource)]
    assert words in "\n".join(offers.offer(emitted))


def route_objects(**stated: Any) -> Iterator[Object]:
    """Yield what is emitted of a VM with a route."""
    from tests.rules.test_client_routes import GOLD, HTTP, WHERE, clone

    made = resolve(project(GOLD, clone(route=HTTP | stated), **WHERE)).blueprint
    yield from (item.object for item in backends.emit(made) if isinstance(item, Resource))


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.1.1", "224.0.0.1", "::", "::1", "fe80::1"])
def test_what_vmf147_finds_the_server_refuses(offers: Offers, address: str) -> None:
    assert "endpoints[0].addresses[0]" in "\n".join(offers.offer(route_objects(before={"address": address})))


def test_host_names_of_routes_are_what_the_server_takes(offers: Offers) -> None:
    form, longest = pattern(RouteHostname)
    texts: set[str] = set()

    @given(st.from_regex(form), st.integers(1, 260))
    @settings(max_examples=100, deadline=None, database=None)
    def collect(fitting: str, length: int) -> None:
        texts.update(text for text in (fitting, "a" * length, f"*.{'a' * length}") if len(text) <= longest)

    collect()
    [route] = [obj for obj in route_objects() if obj["kind"] == "HTTPRoute"]
    routes = [
        route
        | {"metadata": route["metadata"] | {"name": f"of-{number}"}, "spec": route["spec"] | {"hostnames": [text]}}
        for number, text in enumerate(sorted(texts))
    ]
    assert len(routes) > 50
    assert offers.offer(routes) == []


def pattern(kind: Any) -> tuple[str, int]:
    """Return what a text of the spec must match, and how long it may be."""
    [meta] = [each for each in get_args(kind) if getattr(each, "pattern", None)]
    return meta.pattern, meta.max_length


KINDS: dict[str, tuple[Any, Any]] = {
    "a label key": (base.LabelKey, lambda text: {"metadata": {"labels": {text: ""}}}),
    "a label value": (base.LabelValue, lambda text: {"metadata": {"labels": {"key": text}}}),
    "a key of a ConfigMap": (base.ConfigKey, lambda text: {"data": {text: ""}}),
    "a name": (base.Name, lambda text: {"metadata": {"name": text}}),
    "a subdomain": (base.Subdomain, lambda text: {"metadata": {"name": text}}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_texts_of_a_form_are_what_the_server_takes(offers: Offers, kind: str) -> None:
    declared, place = KINDS[kind]
    form, longest = pattern(declared)
    texts: set[str] = set()

    @given(st.from_regex(form), st.text("ab./-_A1", max_size=12), st.integers(1, 260))
    @settings(max_examples=150, deadline=None, database=None)
    def collect(fitting: str, other: str, length: int) -> None:
        long = ("a" * length, f"{'a' * length}/b", f"a/{'b' * length}", f"a.{'b' * length}")
        texts.update(text for text in (fitting, other, *long) if re.search(form, text) and len(text) <= longest)

    collect()
    assert len(texts) > 50
    assert offers.offer(map(place_in(place), enumerate(sorted(texts)))) == []


def place_in(place: Any) -> Any:
    """Return what makes a ConfigMap of a number and a text."""

    def config_map(numbered: tuple[int, str]) -> Object:
        number, text = numbered
        made = place(text)
        meta = {"name": f"of-{number}", "namespace": "forms"} | made.get("metadata", {})
        return {"apiVersion": "v1", "kind": "ConfigMap"} | made | {"metadata": meta}

    return config_map


def test_the_name_of_a_variable_is_one_for_the_server(offers: Offers) -> None:
    form, _ = pattern(application.EnvName)
    assert re.search(form, "A.b-c_1")
    variables = [{"name": "A.b-c_1", "value": "1"}, {"name": "_", "value": "2"}]
    spec = project(app("app", env=variables))
    emitted = [item.object for item in backends.emit(resolve(spec).blueprint) if isinstance(item, Resource)]
    assert offers.offer(emitted) == []
