"""Asks the cluster with the user's own kubectl: fixed questions, and never for a Secret."""

import shutil
import subprocess
from collections.abc import Iterator

from vmferry.model.blueprint import Blueprint
from vmferry.observe.dumps import Dump, DumpError

_TIMEOUT = 120  # seconds for one answer
_FORKLIFT = ("plans.forklift.konveyor.io", "migrations.forklift.konveyor.io")
_OF_VMS = (
    *("jobs.batch", "pods", "events", "persistentvolumeclaims", "datavolumes.cdi.kubevirt.io"),
    *("virtualmachines.kubevirt.io", "virtualmachineinstances.kubevirt.io"),
)
_ENGINES = {"flux": "kustomizations.kustomize.toolkit.fluxcd.io", "argocd": "applications.argoproj.io"}


def questions(blueprint: Blueprint) -> Iterator[tuple[str, str]]:
    """Yield the resources to ask for, each with its namespace."""
    if any(group.path == "forklift" for group in blueprint.groups):
        yield from ((resource, blueprint.forklift.namespace) for resource in _FORKLIFT)
    moving = [group for group in blueprint.groups if group.steps and group.path != "rebuild"]
    for namespace in sorted({group.namespace for group in moving}):
        yield from ((resource, namespace) for resource in _OF_VMS)
    for namespace in sorted({group.namespace for group in moving if group.snapshots}):
        yield "virtualmachinesnapshots.snapshot.kubevirt.io", namespace
    for namespace in (plan.name for plan in blueprint.namespaces if plan.smoke):
        if namespace not in {group.namespace for group in moving}:
            yield "virtualmachines.kubevirt.io", namespace
    if blueprint.preflight is not None:
        yield from ((resource, blueprint.preflight.namespace) for resource in ("jobs.batch", "pods", "events"))
    yield _ENGINES[blueprint.gitops.engine], blueprint.target.engine_namespace


def kubectl() -> str | None:
    """Return the path of the user's kubectl; None if there is none."""
    return shutil.which("kubectl")


def ask(program: str, context: str | None, blueprint: Blueprint, dump: Dump) -> Iterator[str]:
    """Add what the cluster has to a dump; yield what it did not answer. Resources that it lacks are no failure."""
    chosen = [f"--context={context}"] if context is not None else []
    for resource, namespace in questions(blueprint):
        command = [program, *chosen, "get", resource, "--namespace", namespace, "--output", "json"]
        command += ["--request-timeout", "60s", "--ignore-not-found"]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT, check=False, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            yield f"{resource} in {namespace}: no answer within {_TIMEOUT} seconds"
            continue
        if done.returncode != 0:
            yield f"{resource} in {namespace}: {done.stderr.decode(errors='replace')}"
            continue
        if done.stdout.strip():
            try:
                dump.add(done.stdout)
            except DumpError as error:
                yield f"{resource} in {namespace}: kubectl printed what vmferry cannot read: {error}"
