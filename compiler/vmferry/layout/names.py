"""Names of files and folders in a compiled tree."""

KUSTOMIZATION = "kustomization.yaml"
KUSTOMIZATION_FILES = (KUSTOMIZATION, "kustomization.yml", "Kustomization")
"""File names that kustomize accepts for a kustomization; vmferry writes the first."""

NAMESPACE = "namespace.yaml"
"""File with a namespace and what its groups share."""

LOCAL = "local"
"""The component of an overlay that belongs to the user."""

STAGE = "stage"
"""The component before it, with the patches of the group's stage."""

ASSIGNMENTS = "assignments.yaml"
"""File beside the spec that says which VM is in which move group."""

EVIDENCE = "evidence.yaml"
"""File beside the assignments that says what really happened."""

ADOPTED = "adopted"
"""Folder beside the spec with the recorded VMs of each group that git takes over."""

GENERATED = (ASSIGNMENTS, EVIDENCE)

OWNER = "locks/migration.txt"
"""File with the migration and cluster of a tree: two never share a tree."""


def file_of(name: str) -> str:
    """Return the file of the VM or group called ``name``, beside others and beside what they share."""
    file = f"{name}.yaml"
    return f"_{file}" if file in KUSTOMIZATION_FILES else file


def shared_file(layer: str, group: str) -> str:
    """Return the file of a layer with what the VMs of a group share: plan-dev-test-04.group.yaml.

    It names what is in it, so that `plan-*.yaml` finds every Plan. No VM's file is called so, because the name of a VM
    is a DNS label and has no dot.
    """
    return f"{layer}-{group}.group.yaml"
