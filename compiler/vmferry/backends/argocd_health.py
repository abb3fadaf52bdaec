"""Health checks of Forklift's kinds, as keys of argocd-cm, so that Argo CD notices a failed migration.

Argo CD ships none for them (`resource_customizations/` in its repository), so a failure would look healthy. Its
configuration belongs to the cluster, so no Application syncs this file; whoever runs Argo CD applies it once.
"""

from collections.abc import Iterator

from vmferry.kube import kinds
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

_HEAD = """\
# Argo CD's health checks for Forklift. Nothing syncs this file: add it once for each cluster to where argocd-cm is
# kept, or apply it with: kubectl apply --server-side --field-manager vmferry-health -f {path}
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: {namespace}
data:
"""


def health(namespace: str) -> Iterator[File]:
    """Yield the file with the health checks, for Argo CD in ``namespace``."""
    lines = [_HEAD.format(path=PATH, namespace=namespace)]
    for kind, script in ((kinds.MIGRATION, MIGRATION), (kinds.PLAN, PLAN)):
        lines.append(f"  resource.customizations.health.{kind.group}_{kind.name}: |\n")
        lines += [f"    {line}\n" for line in script.splitlines()]
    yield File(path=PATH, content="".join(lines).encode())
