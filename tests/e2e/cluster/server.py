"""A Kubernetes API server for tests, which `make .tools/bin/apiserver` builds, and kubectl to talk to it.

No controller runs. What a test needs of one is played here: the quota controller's word on what is used.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.e2e.cluster.crds import KINDS, Object, definitions
from tests.ran import module_version, ran

TOOLS = Path(__file__).resolve().parents[3] / ".tools" / "bin"
OLDEST = os.environ.get("VMFERRY_SERVERS") == "oldest"
"""Whether the servers are of the oldest release supported, not of the newest that builds: see make e2e-oldest."""
OPERATORS = ("argocd", "flux-system", "konveyor-forklift", "monitoring")
"""Namespaces that are in a cluster before vmferry's output is."""

_TIMEOUT = 300.0  # seconds that any one kubectl may take
_CORE = (
    *(
        "configmaps",
        "limitranges",
        "namespaces",
        "persistentvolumeclaims",
        "pods",
        "resourcequotas",
        "secrets",
    ),
    *(
        "serviceaccounts",
        "services",
        "deployments.apps",
        "statefulsets.apps",
        "jobs.batch",
        "networkpolicies.networking.k8s.io",
        "endpointslices.discovery.k8s.io",
    ),
    *("poddisruptionbudgets.policy", "roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io"),
    "priorityclasses.scheduling.k8s.io",
)


class Key(NamedTuple):
    """What makes an object one."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}".replace(" /", " ")


class Applied(NamedTuple):
    """What the server said to one `kubectl apply`."""

    objects: dict[Key, Object]  # as they are now, defaults and all
    refused: list[str]
    warned: list[str]


def tool(name: str) -> Path:
    """Return the path of a program; fail without it."""
    path = TOOLS / (f"{name}-oldest" if OLDEST else name)
    if not path.is_file():
        pytest.fail(f"{path.name} is not in {TOOLS}: make tools builds it")
    return path


def of_age(program: str) -> str:
    """Return what a program is called on the page of what ran."""
    return f"{program}, oldest supported" if OLDEST else program


def key_of(obj: Object) -> Key:
    """Return the key of an object."""
    meta = obj["metadata"]
    return Key(obj["apiVersion"].rpartition("/")[0], obj["kind"], meta.get("namespace", ""), meta["name"])


@contextmanager
def running(scratch: Path) -> Iterator["Cluster"]:
    """Run a server with the custom resources and the operators' namespaces in it."""
    program = tool("apiserver")
    process = subprocess.Popen(
        [program, "--dir", scratch / "server"],
        stdin=subprocess.PIPE,  # the server stops when this process is gone
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        kubeconfig = process.stdout.readline().strip() if process.stdout else ""
        assert kubeconfig, "the API server did not start"
        cluster = Cluster(Path(kubeconfig))
        cluster.install()
        modules = ("k8s.io/kubernetes", "go.etcd.io/etcd/server/v3")
        kubernetes, etcd = (module_version(program, module) for module in modules)
        how = "kube-apiserver and etcd as one program: every example applied, applied again, taken through its stages"
        ran(of_age("Kubernetes"), f"{kubernetes}, etcd {etcd}", how)
        yield cluster
    finally:
        process.terminate()
        process.communicate(timeout=60)


class Cluster:
    """A running API server; ``played`` says that no controllers run and the tests play them.

    What is applied and deleted is so by the user ``applier``, or by an administrator without one.
    """

    def __init__(self, kubeconfig: Path, *, played: bool = True, applier: str = "") -> None:
        self.kubeconfig = kubeconfig
        self._applies = (f"--as={applier}",) if applier else ()
        self._played = played
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(kubeconfig.parent)}

    def kubectl(self, *arguments: str, text: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run kubectl; its standard input is ``text``."""
        done = subprocess.run(
            [tool("kubectl"), *arguments],
            input=text or "",
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stderr
        return done

    def install(self) -> None:
        """Install the custom resources, and the namespaces of operators."""
        made = definitions()
        namespaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in OPERATORS]
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": made + namespaces})
        self.kubectl("create", "-f", "-", text=listed)
        names = [f"crd/{each['metadata']['name']}" for each in made]
        self.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)

    def apply(self, text: str, manager: str) -> Applied:
        """Apply YAML on the server's side. Fields that a schema does not know are refused (--validate=strict)."""
        done = self.kubectl(
            *("apply", "--server-side", "--force-conflicts", f"--field-manager={manager}"),
            *("--validate=strict", "--output=json", "--filename=-", *self._applies),
            text=text,
            check=False,
        )
        said = [line for line in done.stderr.splitlines() if line.strip()]
        warned = [line for line in said if line.startswith("Warning:")]
        refused = [line for line in said if line not in warned]
        assert refused or done.returncode == 0, done.stderr
        objects = {key_of(obj): obj for obj in _objects(done.stdout)}
        if self._played:
            self._play_quota_controller(objects)
        return Applied(objects, refused, warned)

    def delete(self, key: Key) -> None:
        """Delete an object, and do not wait for its finalizers."""
        resource = f"{key.kind}.{key.group}" if key.group else key.kind
        namespace = ("--namespace", key.namespace) if key.namespace else ()
        self.kubectl("delete", resource, key.name, *namespace, "--wait=false", *self._applies)

    def objects(self) -> dict[Key, Object]:
        """Return every object of the kinds that vmferry emits."""
        custom = (f"{kind.name}.{kind.api_version.partition('/')[0]}" for kind in KINDS)
        listed = self.kubectl("get", ",".join((*_CORE, *custom)), "--all-namespaces", "--output=json")
        return {key_of(obj): obj for obj in _objects(listed.stdout)}

    def _play_quota_controller(self, objects: dict[Key, Object]) -> None:
        """Say of new quotas that nothing is used: until then the server refuses whatever they count."""
        for key, quota in objects.items():
            if key.kind != "ResourceQuota" or quota.get("status", {}).get("hard") == quota["spec"]["hard"]:
                continue
            hard = quota["spec"]["hard"]
            used = dict.fromkeys(hard, "0") | quota.get("status", {}).get("used", {})
            status = {"status": {"hard": hard, "used": used}}
            where = ("--namespace", key.namespace, "--subresource=status", "--type=merge")
            self.kubectl("patch", "resourcequota", key.name, *where, "--patch", json.dumps(status))


def _objects(output: str) -> list[Any]:
    if not output.strip():
        return []
    data = json.loads(output)
    return list(data["items"]) if data["kind"] == "List" else [data]
