"""Health checks as keys of argocd-cm, so that Argo CD notices a failed migration or snapshot.

Argo CD ships none for them (`resource_customizations/` in its repository), so a failure would look healthy. Its
configuration belongs to the cluster, so no Application syncs this file; whoever runs Argo CD applies it once.
"""

from collections.abc import Iterator

from vmferry.kube import kinds
from vmferry.kube.kinds import Kind
from vmferry.model.blueprint import Blueprint
from vmferry.model.manifest import File

PATH = "infra/argocd/argocd-cm.yaml"

MIGRATION = """\
hs = {status = "Progressing", message = "Forklift has not begun"}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, c in ipairs(obj.status.conditions) do
    if c.status == "True" then
      if c.type == "Failed" or c.type == "Canceled" or (c.category == "Critical" and c.type ~= "PlanNotReady") then
        return {status = "Degraded", message = c.type .. ": " .. (c.message or "")}
      end
      if c.type == "Running" or c.type == "Succeeded" then
        hs = {status = "Healthy", message = c.message or c.type}
      end
    end
  end
end
return hs
"""
"""For a Migration. A running one is healthy: a sync that waits for the copy would delay the next commit for hours.

The conditions: kubev2v/forklift pkg/controller/migration (reflectPlan, validation.go), from v2.7 to main.
"""

PLAN = """\
hs = {status = "Progressing", message = "Forklift has not looked at it"}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, c in ipairs(obj.status.conditions) do
    if c.status == "True" then
      if c.type == "Ready" or c.type == "Executing" or c.type == "Succeeded" or c.type == "Archived" then
        return {status = "Healthy", message = c.message or c.type}
      end
      if c.category == "Critical" then
        hs = {status = "Degraded", message = c.type .. ": " .. (c.message or "")}
      end
    end
  end
end
return hs
"""
"""For a Plan: a refused one is Degraded. One whose run failed is Ready again, or no retry would be synced."""

READY = """\
hs = {status = "Progressing", message = "Forklift has not looked at it"}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, c in ipairs(obj.status.conditions) do
    if c.status == "True" then
      if c.type == "Ready" then
        return {status = "Healthy", message = c.message or c.type}
      end
      if c.type == "SourceProviderNotReady" or c.type == "DestinationProviderNotReady" then
        hs = {status = "Healthy", message = c.message or c.type}
      elseif c.category == "Critical" or c.category == "Error" then
        return {status = "Degraded", message = c.type .. ": " .. (c.message or "")}
      end
    end
  end
end
return hs
"""
"""For a Provider, Host, Hook, NetworkMap or StorageMap: Ready, unless a condition is Critical or an Error.

A map whose Provider is not ready is not at fault, and a sync that waits for it would wait as long as vCenter is down.
Sources: kubev2v/forklift pkg/controller/provider, host, hook and map (controller.go, validation.go), and
pkg/lib/condition/condition.go (HasBlockerCondition), from v2.9 to main.
"""

SNAPSHOT = """\
hs = {status = "Progressing", message = "KubeVirt has not taken it"}
if obj.status ~= nil then
  if obj.status.phase == "Failed" then
    local why = obj.status.error ~= nil and obj.status.error.message or "it took too long"
    return {status = "Degraded", message = why}
  end
  if obj.status.readyToUse == true then
    hs = {status = "Healthy", message = "Ready"}
  end
end
return hs
"""
"""For a VirtualMachineSnapshot (kubevirt/kubevirt pkg/storage/snapshot/snapshot.go, updateSnapshotStatus)."""

_FORKLIFT = (
    *((kinds.HOOK, READY), (kinds.HOST, READY), (kinds.MIGRATION, MIGRATION), (kinds.NETWORK_MAP, READY)),
    *((kinds.PLAN, PLAN), (kinds.PROVIDER, READY), (kinds.STORAGE_MAP, READY)),
)

_HEAD = """\
# Health checks of kinds that Argo CD knows nothing about. Nothing syncs this file: add it once for each cluster to
# where argocd-cm is kept, or apply it with:
# kubectl apply --server-side --field-manager vmferry-health -f {path}
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: {namespace}
data:
"""


def health(blueprint: Blueprint) -> Iterator[File]:
    """Yield the file with the health checks of the kinds that a Blueprint emits, if there are any."""
    scripts: list[tuple[Kind, str]] = []
    if any(group.path == "forklift" for group in blueprint.groups):
        scripts += _FORKLIFT
    if any(group.snapshots for group in blueprint.groups):
        scripts.append((kinds.SNAPSHOT, SNAPSHOT))
    if not scripts:
        return
    lines = [_HEAD.format(path=PATH, namespace=blueprint.target.engine_namespace)]
    for kind, script in scripts:
        lines.append(f"  resource.customizations.health.{kind.group}_{kind.name}: |\n")
        lines += [f"    {line}\n" for line in script.splitlines()]
    yield File(path=PATH, content="".join(lines).encode())
