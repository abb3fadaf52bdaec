"""Rules about statements in a spec that several stages report."""

from vmferry.model.rule import declare

UNREADABLE_FILE = declare(
    "VMF009",
    "error",
    "file cannot be read",
    why="The spec depends on something that is missing or that the account running vmferry may not read: a sealed "
    "Secret, a hook's playbook, the commit to compare with. Without it the migration would be incomplete.",
)

SCHEMA_MISFIT = declare(
    "VMF013",
    "error",
    "value does not fit the schema",
    why="Kubernetes, KubeVirt or Forklift would refuse it after the pull request was merged, or read it differently "
    "from what you meant. A `TODO` left in a draft is reported here too, until someone decides it.",
)

SECRET_MATERIAL = declare(
    "VMF015",
    "error",
    "secret material in a spec",
    why="What is in git stays in its history for everyone who ever clones it, and the manifests would carry it into "
    "the cluster. Passwords and keys belong in a Secret that the spec refers to; one that was committed must be "
    "rotated.",
)

DEFINED_TWICE = declare(
    "VMF101",
    "error",
    "defined twice",
    why="One of the two would win by chance, or both would be written under the same name and overwrite each other in "
    "the cluster. Only the author knows which one is meant.",
)

UNDEFINED_REFERENCE = declare(
    "VMF102",
    "error",
    "reference to something that is not defined",
    why="A namespace, tier, vCenter or VM is misspelt, was renamed, or is missing from the spec. A manifest that "
    "refers to it would wait in the cluster for something that never comes.",
)

UNKNOWN_FACT = declare(
    "VMF108",
    "error",
    "fact is unknown",
    why="vmferry does not guess: the wrong firmware does not boot, a disk that is not listed is lost, and a new MAC "
    "address breaks licences and firewall rules. Import the inventory, or state the fact in the VM's entry.",
    source="kubevirt/containerized-data-importer pkg/apiserver/webhooks/util.go (thumbprint, VMDK)",
)

NOT_APPLICABLE = declare(
    "VMF116",
    "error",
    "field does not apply here",
    why="Someone would count on something that has no effect here: a cutover time for a cold migration, new addresses "
    "that nothing sets in the guest, a decision in an inventory that the next import overwrites.",
)

ASSIGNMENTS_MISFIT = declare(
    "VMF411",
    "error",
    "assignments do not fit the spec",
    why="assignments.yaml records what is already in the cluster. If it was lost, edited, or belongs to another "
    "migration, VMs that have moved would be planned again: copied twice, or started next to themselves.",
)

EVIDENCE_MISFIT = declare(
    "VMF873",
    "error",
    "evidence does not fit the spec",
    why="evidence.yaml records what happened in the cluster, and gates depend on it. A file that was edited, or that "
    "belongs to another migration, would open a gate for what never happened.",
)

ADOPTED_MISFIT = declare(
    "VMF880",
    "error",
    "recorded VMs do not fit the spec",
    why="adopted/ records VMs as they are in the cluster, and their manifests are made from it. From a file that was "
    "edited, a VM could get back without a disk or a NIC; two records of one VM cannot both be right.",
)
