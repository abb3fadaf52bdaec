"""The registry of rules: every code with its severity and title. A code never changes its meaning.

Rules that a stage of the compiler enforces while it works (it cannot go on without them) stand in this file. Those
that are functions over a Review register themselves: see `vmferry.rules`.
"""

from msgspec import Struct

from vmferry.model.finding import Finding, Severity


class Rule(Struct, frozen=True):
    """One rule: what its code means.

    ``why`` and ``source`` (where the fact comes from) make its page. ``essential`` rules keep the compiler from
    writing something wrong: their severity cannot be lowered, and nothing suppresses them.
    """

    code: str
    severity: Severity
    title: str
    why: str = ""
    source: str = ""
    essential: bool = True

    @property
    def family(self) -> str:
        """Return the name of the rule's family, by the first digit of its code; VMF85x and up are transitions."""
        return "transition" if "VMF850" <= self.code < "VMF900" else FAMILIES[self.code[3]]


FAMILIES = {
    "0": "reading",
    "1": "spec",
    "2": "network",
    "3": "storage",
    "4": "order",
    "5": "kubevirt",
    "6": "output",
    "7": "source",
    "8": "gitops",
    "9": "policy",
}
"""Families by the first digit of a code."""

_RULES = (
    # 0xx: reading files
    Rule(
        "VMF001",
        "error",
        "YAML cannot be parsed",
        why="Nothing in a file can be relied on behind such a place; VMs that stand further down would be missing. "
        "Most often it is a colon or a bracket in text without quotes, a tab, or a merge conflict that was left "
        "in.",
    ),
    Rule(
        "VMF002",
        "error",
        "duplicate key",
        why="Many readers of YAML keep the last of the two without a word. Somebody sees `os: linux` under the name "
        "of a VM, and the migration goes by another line further down.",
        source="YAML 1.2.2, section 3.2.1.1: keys of a mapping are unique",
    ),
    Rule(
        "VMF003",
        "error",
        "aliases expand to too much",
        why="A few lines of aliases that refer to aliases can stand for billions of values, or for themselves, and "
        "whoever reads the file runs out of memory. No spec needs that, and CI that checks other people's pull "
        "requests must survive it.",
    ),
    Rule(
        "VMF004",
        "error",
        "YAML tags are not accepted",
        why="A tag tells the reader to make something else of a value, up to objects of its own program, and each "
        "program knows other tags. The schema says already of what type each value is.",
    ),
    Rule(
        "VMF005",
        "error",
        "mapping key is not a string",
        why="A key that is a number or `true` is text for one tool and something else for the next, so that a custom "
        "attribute called 4711 may not be found again. JSON, in which Kubernetes keeps everything, has text only.",
        source="RFC 8259, section 4: names in an object are strings",
    ),
    Rule(
        "VMF006",
        "error",
        "file is too large or too deep",
        why="The limits are far beyond what people write: a file that exceeds them was picked up by mistake, or made "
        "to exhaust whoever reads it. The inventory of a large estate has a file for each vSphere cluster, so it "
        "stays below them.",
    ),
    Rule(
        "VMF007",
        "error",
        "file is not UTF-8 text",
        why="Read in the wrong encoding, the names of VMs, folders and datastores are not those that vCenter knows, "
        "and nothing is found under them. Invisible control characters do the same harm, and nobody sees them in "
        "a review.",
        source="YAML 1.2.2, sections 5.1 and 5.2",
    ),
    Rule(
        "VMF008",
        "error",
        "path leaves the spec's directory",
        why="A spec is reviewed, checked and committed as one directory; a file from elsewhere could change without "
        "any of that. On a CI server, a pull request could read files that are none of its business.",
    ),
    Rule(
        "VMF009",
        "error",
        "file cannot be read",
        why="The spec counts on something that is missing, or that the account which runs vmferry may not read: a "
        "sealed Secret, the playbook of a hook, the commit to compare with. Without it the migration would lack "
        "what it was to bring.",
    ),
    Rule(
        "VMF010",
        "error",
        "scalar that YAML readers disagree on",
        why="`012` is twelve for one tool and ten for the next, and `0x1F` is a number or a word. What is compiled "
        "must not depend on whether vmferry, an editor or kustomize has read the file.",
        source="YAML 1.1 (yaml.org/type/int.html, float.html, merge.html) against YAML 1.2.2, section 10.3.2",
    ),
    Rule(
        "VMF011",
        "error",
        "unknown apiVersion or kind",
        why="A file with a slip in these two lines would be passed over as some other tool's, and so would every VM "
        "in it. A version that this vmferry does not know may mean something else by the same words.",
    ),
    Rule(
        "VMF012",
        "error",
        "not exactly one MigrationSpec",
        why="A directory is one migration with one target and one set of phases. With two specs in it nobody could "
        "say whose VMs are whose, and with none there is nothing to go by.",
    ),
    Rule(
        "VMF013",
        "error",
        "value does not fit the schema",
        why="It would be refused by Kubernetes, KubeVirt or Forklift after the pull request was merged, or be "
        "understood otherwise than you meant it. `TODO` in a draft is reported here too, until somebody decides "
        "it.",
    ),
    Rule(
        "VMF014",
        "error",
        "unknown field",
        why="A misspelt field would be dropped without a word, and its default would hold: the VM would move by "
        "another path, or into another namespace, than somebody wrote down.",
    ),
    Rule(
        "VMF015",
        "error",
        "secret material in a spec",
        why="What is in git stays in its history for everybody who ever clones it, and the manifests would carry it "
        "on into the cluster. Passwords and keys belong in a Secret that the spec refers to, and one that was "
        "committed must be changed.",
    ),
    Rule(
        "VMF016",
        "error",
        "`${` would be substituted by Flux",
        why="A Flux Kustomization with `postBuild` puts values in place of `${NAME}` before it applies a manifest, "
        "and nothing at all where the name is unknown. A start command would reach the cluster with holes in it.",
        source="https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution",
    ),
    Rule(
        "VMF017",
        "error",
        "key without a value",
        why="It may mean that the value is not known, that there is none, or that somebody forgot it, and the three "
        "lead to different migrations. Write `[]` for a list that is known to be empty, and leave out what nobody "
        "knows.",
    ),
    Rule(
        "VMF018",
        "error",
        "include matches no file",
        why="The glob is misspelt, or its files are missing from the checkout. The VMs in them would stay behind, and "
        "nobody would be told.",
    ),
    Rule(
        "VMF019",
        "error",
        "character that manifests cannot carry",
        why="kustomize refuses a whole file for one such character, and with it the group that the file belongs to. "
        "It usually comes in by copy and paste, and vCenter shows it as nothing or as a box.",
        source="go-yaml/yaml readerc.go: control characters are not allowed",
    ),
    # 1xx: the spec as a whole
    Rule(
        "VMF101",
        "error",
        "defined twice",
        why="One of the two would win by chance, or both would be written under one name and overwrite each other in "
        "the cluster. Which one is meant only their author knows.",
    ),
    Rule(
        "VMF102",
        "error",
        "reference to something that is not defined",
        why="A namespace, tier, vCenter or VM is misspelt, was renamed, or is missing from the spec. A manifest that "
        "names it would wait in the cluster for something that never comes.",
    ),
    Rule(
        "VMF103",
        "error",
        "VM without a disposition",
        why="A VM that the inventory has and nobody decides on would stay in vSphere by accident, and be noticed when "
        "the hosts are switched off. To keep or retire it is a decision too.",
    ),
    Rule(
        "VMF104",
        "error",
        "VM without a phase",
        why="The phase says when a VM moves, in which windows and after what. Without one it would be in no move "
        "group, and stay behind.",
    ),
    Rule(
        "VMF105",
        "error",
        "VM without a namespace",
        why="In its namespace a VM shares a quota, network policies and the rights of a team. There is no safe "
        "default for who may see and stop it.",
    ),
    Rule(
        "VMF106",
        "error",
        "a reason is required",
        why="In a year somebody looks for this VM, and only git remembers. Without a reason it cannot be told from "
        "one that was forgotten.",
    ),
    Rule(
        "VMF107",
        "error",
        "path and method do not fit",
        why="Forklift copies warm or cold, virt-v2v in a Job or to an image, and a rebuilt VM is not copied at all. "
        "Another method could only be ignored: somebody would count on a short, warm cutover, and the VM would be "
        "off for hours.",
    ),
    Rule(
        "VMF108",
        "error",
        "a fact is unknown",
        why="vmferry does not guess: the wrong firmware does not boot, a disk that is not listed is lost, and with a "
        "new MAC address licences and firewall rules no longer hold. Import the inventory, or state the fact in "
        "the VM's entry.",
        source="kubevirt/containerized-data-importer pkg/apiserver/webhooks/util.go (thumbprint, VMDK)",
    ),
    Rule(
        "VMF109",
        "warning",
        "match selects no VM",
        why="The VMs it was meant for were renamed or moved to another folder, or the glob is misspelt. What it was "
        "to decide for them does not happen: defaults hold, which may mean another phase or path.",
    ),
    Rule(
        "VMF110",
        "error",
        "two VMs with one target name",
        why="vCenter tells VMs in different folders apart, a namespace has each name once: one VM's manifest would "
        "overwrite the other's, and its disks with it.",
        source="https://kubernetes.io/docs/concepts/overview/working-with-objects/names/",
    ),
    Rule(
        "VMF111",
        "warning",
        "name was changed for Kubernetes",
        why="People, scripts, monitoring and backup know the VM by its name in vCenter, which Kubernetes does not "
        "take or another VM has as well. Look at the new one in time: once the VM has moved it cannot be changed.",
        source="https://kubernetes.io/docs/concepts/overview/working-with-objects/names/",
    ),
    Rule(
        "VMF112",
        "error",
        "namespaces overlap",
        why="Both lay claim to the folder or resource pool that the VM is in, so the order of lines in a file would "
        "decide which team's quota and rights it comes under.",
    ),
    Rule(
        "VMF113",
        "error",
        "credentials are missing",
        why="Forklift and each conversion Job log in to vCenter with a Secret; without it the copy fails at its first "
        "step, in the maintenance window. It must be clear where the Secret comes from, and a sealed one opens "
        "only in the namespace that it was sealed for.",
        source="kubev2v/forklift pkg/controller/plan/adapter/vsphere/builder.go (Secret); https://github.com/bitnami-labs/sealed-secrets#scopes",
    ),
    Rule(
        "VMF114",
        "error",
        "application is incomplete",
        why="A rebuilt VM leaves its disks behind, and only a container image says what runs in its place. Without "
        "one there is nothing to start.",
    ),
    Rule(
        "VMF115",
        "warning",
        "image is not pinned",
        why="Nodes pull the image when a pod starts there, so what is called `latest` may be another version after "
        "each restart. Replicas of one application then differ, and nobody knows which version to go back to.",
        source="https://kubernetes.io/docs/concepts/containers/images/",
    ),
    Rule(
        "VMF116",
        "error",
        "field does not apply here",
        why="Somebody would count on something that has no effect there: a cutover time for a cold migration, new "
        "addresses that nothing sets in the guest, a decision in an inventory that the next import overwrites.",
    ),
    Rule(
        "VMF136",
        "info",
        "a frozen VM gets the identity that its guest had in vSphere",
        why="An earlier vmferry wrote config.uuid into the VM's firmware as it is. A guest on hardware version 13 or "
        "later reads its first three fields byte-swapped, and a serial number that starts with VMware-. It also gave "
        "a boot order to one disk only, so that the firmware could not read the others. The VM has not started yet, "
        "so its frozen record is corrected; nothing else about it changes.",
        source="candlepin/virt-who #262; seabios src/hw/virtio-blk.c",
        essential=False,
    ),
    Rule(
        "VMF137",
        "info",
        "a VM that runs keeps the identity that an earlier vmferry gave it",
        why="Its guest has read that UUID and serial number since its cutover, and what was bound to them since then "
        "would break if they changed again. So the frozen record stays as it is, although this vmferry would write "
        "another one for a new VM.",
        source="candlepin/virt-who #262",
        essential=False,
    ),
    # 2xx: networks
    Rule(
        "VMF201",
        "error",
        "network is not mapped",
        why="Every NIC needs to know what it is attached to in the cluster. A VM whose port group or segment "
        "is in no row would arrive without that NIC, and Forklift refuses the whole Plan for it.",
        source="kubev2v/forklift pkg/controller/plan/validation.go (VMNetworksNotMapped)",
    ),
    Rule(
        "VMF202",
        "error",
        "overlay segment without a VLAN or layer 2 decision",
        why="NSX carries an overlay segment in Geneve, under a number (VNI) that no switch outside NSX knows. "
        "Outside there is no port group to fall back on: somebody has to set up a VLAN or another network "
        "in its place, and until that is said the VMs would come up on a wire that leads nowhere.",
    ),
    Rule(
        "VMF203",
        "error",
        "two NICs of one VM on the pod network",
        why="KubeVirt gives a VM one interface on the pod network at most. Admission refuses the VM, and "
        "Forklift the Plan; where a NetworkMap goes by names Forklift may not even notice before it "
        "copies.",
        source="kubevirt/kubevirt pkg/network/admitter/netsource.go; kubev2v/forklift "
        "pkg/controller/plan/validation.go (VMMultiplePodNetworkMappings), adapter/base/network.go",
    ),
    Rule(
        "VMF204",
        "error",
        "network definition is not valid",
        why="A NetworkAttachmentDefinition holds its configuration as a text that the API server does not "
        "read. A wrong VLAN, a bridge name over 15 characters or an MTU that the bridge does not have is "
        "accepted, and shows when the first VM does not start or loses its large packets.",
        source="containernetworking/plugins plugins/main/bridge/bridge.go; ovn-kubernetes "
        "docs/features/multiple-networks/multi-homing.md; kubev2v/forklift "
        "pkg/controller/plan/validation.go (NetMapDestinationNADNotValid)",
    ),
    Rule(
        "VMF205",
        "error",
        "MAC address is not valid",
        why="A multicast, zero or reserved address cannot be a NIC's. KubeVirt does not look, so the VM would "
        "start and never hear an answer.",
        source="kubevirt/kubevirt pkg/network/admitter (addresses are not checked for multicast)",
    ),
    Rule(
        "VMF206",
        "error",
        "MAC address is used twice",
        why="VMs keep their addresses, since licences and the guest's own configuration hang on them. Two "
        "NICs with one address on a network take each other's packets as soon as both run; KubeVirt does "
        "not notice, and Forklift refuses a Plan whose address the target has already.",
        source="kubevirt/kubevirt pkg/network/admitter (uniqueness is not checked); kubev2v/forklift "
        "pkg/controller/plan/validation.go (MacConflicts)",
    ),
    Rule(
        "VMF207",
        "error",
        "CNI has no network policies",
        why="Kubernetes accepts a NetworkPolicy on any cluster, and only the CNI enforces it. On a CNI that "
        "ignores policies the namespace looks as isolated as it was behind the NSX firewall, and is open.",
        source="kubernetes/website concepts/services-networking/network-policies.md (Prerequisites)",
    ),
    Rule(
        "VMF208",
        "warning",
        "static address on the pod network",
        why="On the pod network a VM is behind NAT and gets its address from KubeVirt. A guest with an "
        "address of its own keeps sending from it and reaches nobody; Forklift only warns.",
        source="kubev2v/forklift pkg/controller/plan/validation.go (NetMapPreservingIPsOnPodNetwork)",
    ),
    Rule(
        "VMF210",
        "error",
        "network is mapped twice",
        why="With two rows for one network it would depend on their order where the VMs land: half an estate "
        "on the wrong VLAN is found out late.",
    ),
    Rule(
        "VMF211",
        "error",
        "bridges of one node policy disagree",
        why="nmstate puts the bridge of each policy on the nodes it selects. Two policies with one bridge "
        "take its port from each other, and with it the network of every VM on the node.",
        source="kubernetes-nmstate docs/examples; test/e2e/handler/states.go",
    ),
    Rule(
        "VMF212",
        "error",
        "one name stands for several networks",
        why="A vCenter may have a network of one name in each datacenter, and an NSX segment is a port group on each "
        "switch it spans. By name alone a VM could land on the wrong one, and Forklift takes neither: its "
        "NetworkMap says `Source network has ambiguous ref`, or the Plan `VM has unmapped networks`.",
        source="kubev2v/forklift pkg/controller/map/network, pkg/controller/plan/validation.go",
    ),
    # 3xx: storage
    Rule(
        "VMF301",
        "error",
        "no StorageClass fits",
        why="A StorageClass has to offer what the disk asks for: its tier, its IOPS, and ReadWriteMany where "
        "the VM must live-migrate or shares the disk. Otherwise the claim stays Pending or, worse, the VM "
        "runs and no node with it can be drained.",
        source="kubevirt/containerized-data-importer pkg/storagecapabilities/storagecapabilities.go; "
        "kubevirt/kubevirt pkg/virt-handler/vm.go (calculateLiveMigrationCondition)",
    ),
    Rule(
        "VMF302",
        "error",
        "datastore is not mapped",
        why="Where the disks of a datastore go is a decision about speed and safety, so nothing is guessed. "
        "Forklift refuses a Plan with a datastore that its StorageMap lacks.",
        source="kubev2v/forklift pkg/controller/plan/validation.go (VMStorageNotMapped)",
    ),
    Rule(
        "VMF303",
        "error",
        "impossible or unknown StorageClass",
        why="An access mode that the driver does not have is accepted as long as it is only written down; the "
        "claim then waits forever. For a provisioner that CDI does not know, nothing can be concluded "
        "from its name: CDI has no profile for it and makes no claim without access modes.",
        source="kubevirt/containerized-data-importer pkg/storagecapabilities/storagecapabilities.go, "
        "pkg/controller/datavolume/util.go",
    ),
    Rule(
        "VMF304",
        "warning",
        "live migration was preferred and is not possible",
        why="vMotion was a matter of course. In the target a VM with a disk that only one node can have, a "
        "GPU or a macvtap NIC is shut down when its node is drained or upgraded; whoever plans "
        "maintenance should know which ones.",
        source="kubevirt/kubevirt pkg/virt-handler/vm.go (calculateLiveMigrationCondition)",
    ),
    Rule(
        "VMF306",
        "error",
        "shared disk is described differently by its VMs",
        why="VMs of a cluster mount one claim, which has one size, one class and one namespace. If their "
        "entries disagree, or one of them stays behind, each side would get a disk of its own and the "
        "cluster would split.",
    ),
    # 4xx: phases, groups, order
    Rule(
        "VMF401",
        "error",
        "dependency cycle over phases",
        why="Each of these VMs would have to move before the other, and their phases are weeks apart: "
        "whichever goes first runs without what it needs.",
    ),
    Rule(
        "VMF402",
        "error",
        "VM would move before what it depends on",
        why="The VM would run in the cluster while its database, say, is still in vSphere, on another network "
        "and behind another firewall. It may work; it should not be found out at cutover.",
    ),
    Rule(
        "VMF403",
        "error",
        "phases form a cycle",
        why="Each phase would wait for the other, so none could begin. Flux would say no more than that a "
        "dependency is not ready.",
        source="fluxcd/kustomize-controller docs/spec/v1/kustomizations.md (dependsOn)",
    ),
    Rule(
        "VMF404",
        "error",
        "group does not exist",
        why="A stage for a group that nobody is in would do nothing: the pull request is merged, everyone "
        "waits, and the group that was meant stays where it is.",
    ),
    Rule(
        "VMF405",
        "error",
        "group cannot be kept under the resource limit",
        why="What moves together is built and applied as one root, and kustomize takes four times as long for "
        "twice as many objects; Argo CD stops waiting after 90 seconds. A VM with very many disks, or a "
        "large circle of dependencies, cannot be cut any smaller.",
        source="kubernetes-sigs/kustomize issue 5084; argoproj/argo-cd docs/operator-manual/high_availability.md",
    ),
    Rule(
        "VMF406",
        "error",
        "cutover is missing or outside the phase's windows",
        why="A warm migration switches over at the time that is written in git. Outside the maintenance "
        "window it would stop the VM when users work, and without a time Forklift copies deltas for as "
        "long as it is let.",
        source="kubev2v/forklift operator/config/crd/bases (Migration, spec.cutover)",
    ),
    Rule(
        "VMF408",
        "error",
        "tied VMs cannot share a group",
        why="VMs that share a disk or need each other in a circle go in one group, and a group has one "
        "namespace, one path and one set of maps: that is what a Forklift Plan has. If their decisions "
        "differ, one of them would get the other's.",
        source="kubev2v/forklift operator/config/crd/bases (Plan, StorageMap)",
    ),
    Rule(
        "VMF409",
        "warning",
        "frozen VM differs from its assignment",
        why="Once a group is prepared its VMs stay as they were decided, so that a changed inventory cannot "
        "rename a disk under a running copy. What was changed since is therefore not in the output, and "
        "somebody may think it is.",
    ),
    Rule(
        "VMF410",
        "warning",
        "frozen VM is no longer in the spec",
        why="A VM that is prepared has objects in the cluster, perhaps a disk with data. Leaving out its "
        "entry must not remove those, so it stays, and somebody should know.",
    ),
    Rule(
        "VMF411",
        "error",
        "assignments do not fit the spec",
        why="assignments.yaml is the memory of what is in the cluster already. If it was lost, edited, or "
        "belongs to another migration, VMs that have moved would be planned anew: copied twice, or "
        "started beside their old selves.",
    ),
    Rule(
        "VMF439",
        "error",
        "a VM that is to stay would move with its group",
        why="Somebody decided, after the group was prepared, that the VM stays, or moves in another phase or by "
        "another path, or deleted its entry. As long as the group waits that is a warning (VMF409, VMF410). Once the "
        "group is set to migrating its Plan or its Job would shut the VM down and copy it all the same.",
    ),
    # 5xx: machines
    Rule(
        "VMF501",
        "error",
        "CPU topology is not possible",
        why="KubeVirt multiplies sockets, cores and threads, and Forklift divides without a remainder: the VM would "
        "get fewer CPUs than it has, and licences counted by socket would no longer fit.",
        source="kubev2v/forklift pkg/controller/plan/adapter/vsphere/builder.go (mapCPU)",
    ),
    Rule(
        "VMF502",
        "error",
        "live migration is required and not possible",
        why="KubeVirt accepts LiveMigrate on a VM that cannot, and then refuses every drain of its node: one "
        "such VM stops an upgrade of the cluster.",
        source="kubevirt/kubevirt pkg/virt-handler/vm.go (calculateLiveMigrationCondition), pod-eviction-admitter.go",
    ),
    Rule(
        "VMF503",
        "error",
        "disk cannot be migrated by this path",
        why="Not every path can read every disk: a warm copy needs changed block tracking and no snapshots, "
        "VDDK sees no independent disk and no physical RDM, and a shared disk would be copied once for "
        "each of its VMs. The copy would fail halfway, or yield a disk with nothing current on it.",
        source="kubev2v/forklift pkg/controller/plan/validation.go (VMMissingChangedBlockTracking, "
        "VMHasSnapshots, SharedDisks), validation/policies/io/konveyor/forklift/vmware",
    ),
    Rule(
        "VMF504",
        "error",
        "firmware is not possible",
        why="In vSphere secure boot and a vTPM need EFI, so one of the two facts is wrong. It matters which: a guest "
        "that was installed on one firmware does not boot on the other.",
        source="kubevirt/kubevirt pkg/virt-api/webhooks/validating-webhook/admitters/vmi-create-admitter.go "
        "(validateBootloader)",
    ),
    # 6xx: output
    Rule(
        "VMF601",
        "error",
        "file was edited by hand",
        why="The next compile would undo the edit, and until then the cluster runs what no spec says. Edits "
        "have a place of their own, the local/ component beside each overlay, which vmferry never "
        "touches.",
    ),
    Rule(
        "VMF602",
        "error",
        "file is in the way",
        why="vmferry overwrites and removes only files that it wrote itself. One of somebody else's where a "
        "compiled file goes would be lost, and one beside compiled manifests is listed in no "
        "kustomization.yaml: it looks deployed and is not.",
    ),
    Rule(
        "VMF603",
        "error",
        "lock file is not valid",
        why="A lock says which files are vmferry's, so that it can remove what is no longer compiled and "
        "nothing else. With a lock that cannot be read it would have to guess whose a file is.",
    ),
    Rule(
        "VMF604",
        "error",
        "output is not up to date",
        why="What Flux or Argo CD applies is the tree, not the spec. If the two differ, the reviewers of the "
        "pull request have looked at something that will not happen.",
    ),
    Rule(
        "VMF605",
        "error",
        "kustomize build fails",
        why="Flux and Argo CD build each root as kustomize does here. One that does not build is not applied "
        "at all, and what depends on it waits.",
    ),
    Rule(
        "VMF606",
        "error",
        "object does not fit its schema",
        why="The API server refuses an object with a field it does not know or a value of another type. "
        "GitOps says so only after the merge, and the rest of the root waits.",
    ),
    Rule(
        "VMF607",
        "error",
        "reference dangles",
        why="The API server accepts a VM whose claim, network or Secret does not exist, and a Service that "
        "selects nobody. It fails at start, which for a migration is the night of the cutover.",
        source="kubevirt/kubevirt pkg/virt-api/webhooks/validating-webhook/admitters (claims and networks are "
        "not looked up)",
    ),
    Rule(
        "VMF608",
        "error",
        "patch did not take effect",
        why="kustomize ignores a patch whose target matches nothing, without a word: a priority, a label or a "
        "start at cutover that everyone believes in would be missing.",
        source="kubernetes-sigs/kustomize api/internal/builtins/PatchTransformer.go; seen with v5.5.0",
    ),
    Rule(
        "VMF609",
        "error",
        "root holds too many resources",
        why="kustomize takes four times as long for twice as many objects. Past some hundreds Argo CD gives "
        "up on the root after 90 seconds, and Flux is kept from everything else.",
        source="kubernetes-sigs/kustomize issue 5084; argoproj/argo-cd docs/operator-manual/high_availability.md",
    ),
    Rule(
        "VMF610",
        "error",
        "one object in two roots",
        why="Two controllers' roots that hold one object take it from each other at every sync, and when one "
        "of them is removed it prunes the object under the other. Two VMs that write to one claim destroy "
        "the file system on it.",
        source="fluxcd/kustomize-controller docs/spec/v1/kustomizations.md (prune)",
    ),
    Rule(
        "VMF611",
        "error",
        "output path is not safe",
        why="Names from vCenter become paths, and locks say what may be removed. A path that leads out of the "
        "tree, into .git, or that another operating system takes for a different file would write or "
        "delete what is none of vmferry's business.",
    ),
    Rule(
        "VMF612",
        "error",
        "repository URL is not valid",
        why="Flux and Argo CD read the repository at this address. One with git's short form in a URL, or "
        "without a host, parses as text and fails in the cluster, where the only sign is that nothing "
        "happens.",
        source="fluxcd/source-controller api/v1/gitrepository_types.go (spec.url)",
    ),
    Rule(
        "VMF613",
        "warning",
        "manifest that nothing reads",
        why="Flux and Argo CD read what a kustomization lists, and nothing that merely lies in the tree: whoever put "
        "the file there believes that it is applied. A folder below clusters/ is worse: where Flux was bootstrapped "
        "into it, vmferry's kustomization.yaml does not list Flux's own objects, and Flux prunes itself.",
        source="fluxcd/flux2, bootstrap --path; kubernetes-sigs/kustomize api/types/kustomization.go",
    ),
    Rule(
        "VMF614",
        "error",
        "data is not protected against pruning",
        why="Flux and Argo CD delete what is no longer in git, and with a VirtualMachine, a DataVolume or a namespace "
        "go its disks; deleting a Plan or Migration cancels what runs. vmferry stamps annotations on them that "
        "forbid it, and a patch in a component took them away.",
        source="fluxcd/kustomize-controller docs/spec/v1/kustomizations.md (prune); argoproj/argo-cd #9853, #12388",
    ),
    Rule(
        "VMF630",
        "error",
        "generated file is not in git",
        why="`git commit --all` leaves out files that are new, and .gitignore may have a pattern that some of the tree "
        "fit, such as *.lock. A kustomization that lists a file which the commit does not have builds here and nowhere "
        "else: Flux stops for the whole root.",
        source="fluxcd/kustomize-controller docs/spec/v1/kustomizations.md (Ready, BuildFailed)",
    ),
    Rule(
        "VMF631",
        "error",
        "tree of another cluster",
        why="Somebody copies a spec and changes the name of the cluster to serve a second one. Compiled into the same "
        "folder, it would take away the entry point that the first cluster syncs, while its groups migrate.",
        essential=True,
    ),
    Rule(
        "VMF632",
        "warning",
        "one object in the trees of two migrations",
        why="Both are synced to one cluster, so each sync puts its own version in place of the other's: a quota, the "
        "rights of the applier, a network. The smaller quota stops the conversions of the other migration. When one of "
        "them no longer has the object, it prunes it under the other.",
        source="fluxcd/kustomize-controller docs/spec/v1/kustomizations.md (prune); argo-cd: SharedResourceWarning",
        essential=False,
    ),
    Rule(
        "VMF633",
        "warning",
        "entry points name another folder than the tree has",
        why="Flux and Argo CD read paths from the top of the repository. A tree that was compiled into a folder below "
        "it names folders that are not there: all checks are green, and the cluster cannot sync.",
        source="fluxcd/kustomize-controller docs/spec/v1/kustomizations.md (spec.path: relative to the root of the "
        "SourceRef); argo-cd docs/user-guide (spec.source.path)",
        essential=False,
    ),
    Rule(
        "VMF634",
        "error",
        "line ends were changed",
        why="With core.autocrlf git writes other line ends into a clone than were compiled. Nobody edited anything, "
        "and yet no file is as its lock says; a script that goes from there to a Linux machine does not start.",
        source="git: gitattributes(5), text",
    ),
    # 7xx: the source, and the way out of it
    Rule(
        "VMF760",
        "error",
        "script that no conversion would run",
        why="The pod that converts a guest runs the scripts whose names fit a pattern and passes over the others "
        "without a message. A ConfigMap holds 1 MiB at most: the API server refuses a larger one.",
        source="kubev2v/forklift pkg/virt-v2v/customize/customize.go",
    ),
    # 8xx: GitOps, and what changed between two commits
    Rule(
        "VMF812",
        "error",
        "nothing to compare the spec with",
        why="`check --against` follows a spec that was moved by its metadata.name. Where that cannot be done, or a new "
        "spec has groups on their way already, the rules on transitions would find nothing, and to rename a folder "
        "would be a way around them.",
        essential=False,
    ),
    Rule(
        "VMF861",
        "error",
        "the other commit does not compile",
        why="The rules on transitions need the earlier state: without it nobody notices that a stage was skipped, a "
        "disk shrank or a VM was removed while it was being copied. What was synced has been compiled, so compare "
        "with that commit.",
        essential=False,
    ),
    # 9xx: how the spec uses the rules
    Rule(
        "VMF901",
        "error",
        "rule does not exist",
        why="A slip in a code leaves the rule that you meant as it was: a finding that was accepted is back, or one "
        "that was to stop everybody still only warns.",
    ),
    Rule(
        "VMF902",
        "error",
        "rule cannot be lowered or suppressed",
        why="Such a rule keeps vmferry from writing manifests that are wrong or incomplete, for example two VMs with "
        "one MAC address. To accept what it finds does not make that work; correct it in the spec or in vCenter.",
    ),
    Rule(
        "VMF903",
        "warning",
        "suppression suppresses nothing",
        why="What it accepts has been mended since, or never was where it says. Left in place it would hide the same "
        "problem on the day it comes back, when nobody looks at it.",
    ),
    Rule(
        "VMF904",
        "error",
        "suppression has expired",
        why="Somebody accepted a risk up to a day, and that day is over. Otherwise a VM would run for years on what "
        "was meant for a week.",
    ),
)

CATALOG: dict[str, Rule] = {rule.code: rule for rule in _RULES}
"""Every rule that is known, by code."""


def register(rule: Rule) -> None:
    """Add a rule. Raises ValueError for a code that is taken."""
    if rule.code in CATALOG:
        raise ValueError(f"{rule.code} is taken: {CATALOG[rule.code].title}")
    CATALOG[rule.code] = rule


def severity(finding: Finding) -> Severity:
    """Return how grave a finding is: as the spec has it, else as its rule has it."""
    return finding.severity or CATALOG[finding.code].severity


def is_error(finding: Finding) -> bool:
    """Return whether a finding stops the compiler."""
    return severity(finding) == "error"
