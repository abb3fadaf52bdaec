"""What files and folders of a compiled tree are called."""

KUSTOMIZATION = "kustomization.yaml"
KUSTOMIZATION_FILES = (KUSTOMIZATION, "kustomization.yml", "Kustomization")
"""What kustomize takes for a kustomization; vmferry writes the first."""

SHARED = "_group.yaml"
"""File of a layer with what its VMs share; no VM is called so, for none has an underscore in its name."""

NAMESPACE = "namespace.yaml"
"""File with a namespace and what its groups share."""

LOCAL = "local"
"""The component of an overlay that its user owns."""

STAGE = "stage"
"""The component before it, with what the group's stage changes."""

OWNER = "locks/migration.txt"
"""File that says which migration and cluster a tree is of: two never share one."""


def file_of(name: str) -> str:
    """Return the file of the VM or group called ``name``, beside others and beside SHARED."""
    file = f"{name}.yaml"
    return f"_{file}" if file in KUSTOMIZATION_FILES else file
