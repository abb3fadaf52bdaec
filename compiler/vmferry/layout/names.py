"""What files and folders of a compiled tree are called."""

KUSTOMIZATION = "kustomization.yaml"
KUSTOMIZATION_FILES = (KUSTOMIZATION, "kustomization.yml", "Kustomization")
"""What kustomize takes for a kustomization; vmferry writes the first."""

LOCAL = "local"
"""The component of an overlay that its user owns."""

STAGE = "stage"
"""The component before it, with what the group's stage changes."""

OWNER = "locks/migration.txt"
"""File that says which migration and cluster a tree is of: two never share one."""
