"""The real kustomize-controller on the test server, and its source: the files of a directory, published as a revision.

source-controller is played: it would fetch from git, and no git server is needed to find out what Flux does with files.
"""

import hashlib
import json
import os
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import yaml
from tests.e2e.cluster.api import Api
from tests.e2e.cluster.crds import Object
from tests.e2e.cluster.engines import Report
from tests.e2e.cluster.server import OLDEST, Cluster, Key, of_age, tool
from tests.ran import module_version, ran

_PATIENCE = 300.0  # seconds without any Kustomization getting on, until a test fails
_OTHER_SOURCES = {"Bucket": "buckets", "OCIRepository": "ocirepositories"}
"""kustomize-controller watches them, too, and does not start without; vmferry emits none."""


class Root(NamedTuple):
    """What kustomize-controller says of a Kustomization."""

    name: str
    after: frozenset[str]
    ready: str  # True, False or Unknown
    since: str  # when that became so
    reason: str
    message: str
    revision: str  # applied last
    inventory: frozenset[Key]

    def is_at(self, revision: str) -> bool:
        """Tell whether a revision is applied and healthy."""
        return self.ready == "True" and self.revision == revision


@contextmanager
def running(cluster: Cluster, scratch: Path) -> Iterator["Flux"]:
    """Run kustomize-controller against a server, with its defaults but for how long it waits between two looks."""
    program = tool("kustomize-controller")
    for kind, plural in _OTHER_SOURCES.items():
        cluster.kubectl("create", "-f", "-", text=json.dumps(_any_source(kind, plural)))
    published = scratch / "published"
    published.mkdir()
    handler = partial(_Quiet, directory=str(published))
    log = scratch / "kustomize-controller.log"
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, log.open("wb") as said:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        arguments = ("--requeue-dependency=1s", "--metrics-addr=0", "--health-addr=127.0.0.1:0")
        process = subprocess.Popen(
            [program, *arguments, "--interval-jitter-percentage=0", "--log-level=error"],
            env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "RUNTIME_NAMESPACE": "flux-system"},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        version = module_version(program, "github.com/fluxcd/kustomize-controller")
        examples = "one example" if OLDEST else "the examples"  # see make e2e-oldest
        how = f"the controller itself, over every Kustomization of {examples}, in all stages, with pruning"
        ran(of_age("Flux, kustomize-controller"), version, how)
        try:
            yield Flux(cluster, published, f"http://127.0.0.1:{server.server_port}", process, log)
        finally:
            process.terminate()
            process.wait(timeout=60)
            server.shutdown()


def _any_source(kind: str, plural: str) -> Object:
    group = "source.toolkit.fluxcd.io"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


class Flux:
    """A running kustomize-controller."""

    def __init__(
        self, cluster: Cluster, published: Path, url: str, process: subprocess.Popen[bytes], log: Path
    ) -> None:
        self._cluster = cluster
        self._api = Api(cluster.kubeconfig)
        self._published = published
        self._url = url
        self._process = process
        self._log = log

    def publish(self, repository: Path, source: str) -> str:
        """Make a directory the newest revision of a GitRepository, as source-controller would; return the revision."""
        archive = self._published / "next.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            for path in sorted(repository.iterdir()):
                tar.add(path, path.name)
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        file = archive.rename(self._published / f"{digest}.tar.gz")
        revision = f"main@sha1:{digest[:40]}"
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": now}
        artifact = {
            "digest": f"sha256:{digest}",
            "lastUpdateTime": now,
            "path": file.name,
            "revision": revision,
            "size": file.stat().st_size,
            "url": f"{self._url}/{file.name}",
        }
        status = {"status": {"artifact": artifact, "conditions": [ready], "observedGeneration": 1}}
        where = ("--namespace=flux-system", "--subresource=status", "--type=merge")
        self._cluster.kubectl("patch", "gitrepository", source, *where, "--patch", json.dumps(status))
        return revision

    def roots(self) -> Mapping[str, Root]:
        """Return the Kustomizations by name."""
        listed = self._api.objects("kustomization.kustomize.toolkit.fluxcd.io", "flux-system")
        return {root.name: root for root in map(_root, listed)}

    def settle(self, revision: str, names: frozenset[str]) -> Mapping[str, Root]:
        """Wait until exactly these Kustomizations exist and are ready at a revision; fail if nothing moves any more."""
        deadline, before = time.monotonic() + _PATIENCE, 0
        while True:
            roots = self.roots()
            there = sum(root.is_at(revision) for root in roots.values())
            if there == len(roots) and set(roots) == names:
                return roots
            assert self._process.poll() is None, f"kustomize-controller stopped: {self._log.read_text()[-2000:]}"
            if there > before:
                deadline, before = time.monotonic() + _PATIENCE, there
            waiting = [f"{root.name}: {root.message}" for root in roots.values() if not root.is_at(revision)]
            missing = sorted(names ^ set(roots))
            assert time.monotonic() < deadline, "\n".join([*waiting, f"missing or too many: {missing}"])
            time.sleep(0.5)

    def fails(self, part: str) -> str:
        """Wait until the health check of a Kustomization with a part of its name fails; return what Flux says of it."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            for root in self.roots().values():
                if part in root.name and root.ready == "False" and root.reason == "HealthCheckFailed":
                    return root.message
            assert time.monotonic() < deadline, f"{part} does not fail: {[*self.roots().values()]}"
            time.sleep(0.5)

    def reconcile(self) -> None:
        """Have every Kustomization reconciled once more, as `flux reconcile` does, and wait for it."""
        asked = str(time.time_ns())
        note = f"reconcile.fluxcd.io/requestedAt={asked}"
        # Flux takes back what kubectl itself says of an object; its own program goes by this name.
        who = ("--namespace=flux-system", "--field-manager=flux")
        self._cluster.kubectl("annotate", "kustomizations", *who, "--all", "--overwrite", note)
        handled = "jsonpath={.status.lastHandledReconcileAt}=" + asked
        where = ("--namespace=flux-system", "--timeout=240s")
        self._cluster.kubectl("wait", "kustomizations", "--all", *where, f"--for={handled}")


class Follower:
    """A repository that kustomize-controller follows, from the day somebody applies its entry point."""

    def __init__(self, cluster: Cluster, flux: Flux, repository: Path, bootstrap: str) -> None:
        self._cluster = cluster
        self._flux = flux
        self._repository = repository
        self._bootstrap = bootstrap
        self._held: set[Key] = set()  # by any Kustomization
        self.roots: Mapping[str, Root] = {}

    def sync(self, *, again: bool = False) -> Report:
        """Publish what the repository holds now, wait until all of it is ready, and tell what that did.

        ``again`` has every Kustomization reconciled once more, whether its files changed or not.
        """
        if not self.roots:
            entry = str(self._repository / self._bootstrap)
            self._cluster.kubectl("apply", "--server-side", "--kustomize", entry)
        declared = self._declared()
        [source] = (obj["metadata"]["name"] for obj in declared if obj["kind"] == "GitRepository")
        names = frozenset(obj["metadata"]["name"] for obj in declared if obj["kind"] == "Kustomization")
        revision = self._flux.publish(self._repository, source)
        self.roots = self._flux.settle(revision, names)
        if again:
            self._flux.reconcile()
        live = self._cluster.objects()
        held = {key for root in self.roots.values() for key in root.inventory}
        gone = sorted(self._held - held)
        self._held = held
        return Report(
            applied={key: live[key] for key in sorted(held)},
            refused=[],  # else it had not settled
            warned=[],
            deleted=[key for key in gone if key not in live],
            kept=[key for key in gone if key in live],
            stranded=[],
        )

    def fails(self, part: str) -> str:
        """Publish what the repository holds now, and return what Flux says of the root that fails for it."""
        [source] = (each["metadata"]["name"] for each in self._declared() if each["kind"] == "GitRepository")
        self._flux.publish(self._repository, source)
        return self._flux.fails(part)

    def _declared(self) -> list[Object]:
        return _declared(self._repository / self._bootstrap)


def _declared(directory: Path) -> list[Object]:
    """Return Flux's own objects below an entry point."""
    files = sorted(directory.rglob("*.yaml"))
    documents = (obj for path in files for obj in yaml.safe_load_all(path.read_text()))
    return [obj for obj in documents if obj["apiVersion"].split("/")[0].endswith(".fluxcd.io")]


def _root(obj: Object) -> Root:
    status = obj.get("status", {})
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    ready = conditions.get(
        "Ready", {"status": "Unknown", "lastTransitionTime": "", "reason": "", "message": "never looked at"}
    )
    entries = status.get("inventory", {}).get("entries", ())
    return Root(
        name=obj["metadata"]["name"],
        after=frozenset(each["name"] for each in obj["spec"].get("dependsOn", ())),
        ready=ready["status"],
        since=ready["lastTransitionTime"],
        reason=ready["reason"],
        message=ready["message"],
        revision=status.get("lastAppliedRevision", ""),
        inventory=frozenset(_entry(each["id"]) for each in entries),
    )


def _entry(text: str) -> Key:
    """Read an entry of an inventory: NAMESPACE_NAME_GROUP_KIND; a colon in a name is written as two underscores."""
    namespace, rest = text.split("_", 1)
    name, group, kind = rest.rsplit("_", 2)
    return Key(group, kind, namespace, name.replace("__", ":"))
