"""What may be wrong with a statement, whoever finds it: the rules that several stages report with."""

from vmferry.model.rule import declare

SCHEMA_MISFIT = declare(
    "VMF013",
    "error",
    "value does not fit the schema",
    why="It would be refused by Kubernetes, KubeVirt or Forklift after the pull request was merged, or be "
    "understood otherwise than you meant it. `TODO` in a draft is reported here too, until somebody decides "
    "it.",
)

SECRET_MATERIAL = declare(
    "VMF015",
    "error",
    "secret material in a spec",
    why="What is in git stays in its history for everybody who ever clones it, and the manifests would carry it "
    "on into the cluster. Passwords and keys belong in a Secret that the spec refers to, and one that was "
    "committed must be changed.",
)

DEFINED_TWICE = declare(
    "VMF101",
    "error",
    "defined twice",
    why="One of the two would win by chance, or both would be written under one name and overwrite each other in "
    "the cluster. Which one is meant only their author knows.",
)

UNDEFINED_REFERENCE = declare(
    "VMF102",
    "error",
    "reference to something that is not defined",
    why="A namespace, tier, vCenter or VM is misspelt, was renamed, or is missing from the spec. A manifest that "
    "names it would wait in the cluster for something that never comes.",
)

UNKNOWN_FACT = declare(
    "VMF108",
    "error",
    "a fact is unknown",
    why="vmferry does not guess: the wrong firmware does not boot, a disk that is not listed is lost, and with a "
    "new MAC address licences and firewall rules no longer hold. Import the inventory, or state the fact in "
    "the VM's entry.",
    source="kubevirt/containerized-data-importer pkg/apiserver/webhooks/util.go (thumbprint, VMDK)",
)

NOT_APPLICABLE = declare(
    "VMF116",
    "error",
    "field does not apply here",
    why="Somebody would count on something that has no effect there: a cutover time for a cold migration, new "
    "addresses that nothing sets in the guest, a decision in an inventory that the next import overwrites.",
)

ASSIGNMENTS_MISFIT = declare(
    "VMF411",
    "error",
    "assignments do not fit the spec",
    why="assignments.yaml is the memory of what is in the cluster already. If it was lost, edited, or "
    "belongs to another migration, VMs that have moved would be planned anew: copied twice, or "
    "started beside their old selves.",
)
