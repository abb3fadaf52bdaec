"""The rules that the passes report with."""

from vmferry.model.rule import declare

NO_DISPOSITION = declare(
    "VMF103",
    "error",
    "VM without a disposition",
    why="A VM that is in the inventory and that nobody decides on would stay in vSphere by accident, and be noticed "
    "when the hosts are switched off. Keeping or retiring it is a decision too.",
)

NO_PHASE = declare(
    "VMF104",
    "error",
    "VM without a phase",
    why="The phase says when a VM moves, in which windows and after what. Without one, the VM would be in no move "
    "group and would be left behind.",
)

NO_NAMESPACE = declare(
    "VMF105",
    "error",
    "VM without a namespace",
    why="In its namespace a VM shares a quota, network policies and a team's permissions. There is no safe default "
    "for who may see and stop it.",
)

NO_REASON = declare(
    "VMF106",
    "error",
    "a reason is required",
    why="A year from now someone will look for this VM, and only git remembers. Without a reason, it looks like one "
    "that was forgotten.",
)

METHOD_OF_ANOTHER_PATH = declare(
    "VMF107",
    "error",
    "method does not fit the path",
    why="Forklift copies warm or cold, virt-v2v in a Job or to an image, and a rebuilt VM is not copied at all. Any "
    "other method would have to be ignored: someone would count on a short, warm cutover, and the VM would be "
    "down for hours.",
)

MATCHES_NO_VM = declare(
    "VMF109",
    "warning",
    "match selects no VM",
    why="The VMs it was meant for were renamed or moved to another folder, or the glob is misspelt. Its decisions do "
    "not take effect: defaults apply, which may mean another phase or path.",
)

NAME_CHANGED = declare(
    "VMF111",
    "warning",
    "name was changed for Kubernetes",
    why="People, scripts, monitoring and backup know the VM by its name in vCenter, which Kubernetes does not allow "
    "or another VM also has. Review the new name in time: once the VM has moved it cannot be changed.",
    source="https://kubernetes.io/docs/concepts/overview/working-with-objects/names/",
)

NAMESPACES_OVERLAP = declare(
    "VMF112",
    "error",
    "namespaces overlap",
    why="Both claim the folder or resource pool that the VM is in, so the order of lines in a file would decide which "
    "team's quota and permissions apply to it.",
)

NO_CREDENTIALS = declare(
    "VMF113",
    "error",
    "credentials are missing",
    why="Forklift and each conversion Job log in to vCenter with a Secret; without it the copy fails at its first "
    "step, in the maintenance window. The spec must say where the Secret comes from, and a sealed one opens only "
    "in the namespace it was sealed for.",
    source="kubev2v/forklift pkg/controller/plan/adapter/vsphere/builder.go (Secret); https://github.com/bitnami-labs/sealed-secrets#scopes",
)

INCOMPLETE_APPLICATION = declare(
    "VMF114",
    "error",
    "application is incomplete",
    why="A rebuilt VM leaves its disks behind, and only a container image says what runs in its place. Without one "
    "there is nothing to start.",
)

UNPINNED_IMAGE = declare(
    "VMF115",
    "warning",
    "image is not pinned",
    why="Nodes pull the image whenever a pod starts there, so `latest` may be another version after each restart. "
    "Replicas of one application then differ, and nobody knows which version to go back to.",
    source="https://kubernetes.io/docs/concepts/containers/images/",
)

IDENTITY_CORRECTED = declare(
    "VMF136",
    "info",
    "frozen VM gets the identity its guest had in vSphere",
    why="An earlier vmferry wrote config.uuid into the VM's firmware unchanged. A guest with hardware version 13 or "
    "later reads its first three fields byte-swapped, and a serial number that starts with VMware-. It also gave "
    "a boot order to only one disk, so the firmware could not read the others. The VM has not started yet, so its "
    "frozen record is corrected; nothing else about it changes.",
    source="candlepin/virt-who #262; seabios src/hw/virtio-blk.c",
    essential=False,
)

IDENTITY_KEPT = declare(
    "VMF137",
    "info",
    "running VM keeps the identity an earlier vmferry gave it",
    why="Its guest has used that UUID and serial number since its cutover, and whatever was bound to them since would "
    "break if they changed again. The frozen record stays as it is, although this vmferry would write a different "
    "one for a new VM.",
    source="candlepin/virt-who #262",
    essential=False,
)

UNMAPPED_NETWORK = declare(
    "VMF201",
    "error",
    "network is not mapped",
    why="Every NIC must be attached to something in the cluster. A VM whose port group or segment is in no row would "
    "arrive without that NIC, and Forklift refuses the whole Plan for it.",
    source="kubev2v/forklift pkg/controller/plan/validation.go (VMNetworksNotMapped)",
)

UNDECIDED_OVERLAY = declare(
    "VMF202",
    "error",
    "overlay segment without a VLAN or layer 2 decision",
    why="NSX carries an overlay segment in Geneve, under a number (VNI) that no switch outside NSX knows. Outside "
    "there is no port group to fall back on: someone has to provide a VLAN or another network instead, and until "
    "the spec names it the VMs would be connected to nothing.",
)

TWO_POD_NICS = declare(
    "VMF203",
    "error",
    "two NICs of the same VM on the pod network",
    why="KubeVirt allows a VM at most one interface on the pod network. Admission refuses the VM, and Forklift the "
    "Plan; if a NetworkMap goes by names, Forklift may not even notice before it copies.",
    source="kubevirt/kubevirt pkg/network/admitter/netsource.go; kubev2v/forklift "
    "pkg/controller/plan/validation.go (VMMultiplePodNetworkMappings), adapter/base/network.go",
)

INVALID_MAC = declare(
    "VMF205",
    "error",
    "MAC address is not valid",
    why="A NIC cannot have a multicast, zero or reserved address. KubeVirt does not check, so the VM would start and "
    "never receive an answer.",
    source="kubevirt/kubevirt pkg/network/admitter (addresses are not checked for multicast)",
)

NO_NETWORK_POLICIES = declare(
    "VMF207",
    "error",
    "CNI does not enforce network policies",
    why="Kubernetes accepts a NetworkPolicy on any cluster, but only the CNI enforces it. With a CNI that ignores "
    "policies, the namespace looks as isolated as it was behind the NSX firewall, and is open.",
    source="kubernetes/website concepts/services-networking/network-policies.md (Prerequisites)",
)

STATIC_ON_POD_NETWORK = declare(
    "VMF208",
    "warning",
    "static address on the pod network",
    why="On the pod network a VM is behind NAT and gets its address from KubeVirt. A guest with a static address "
    "keeps sending from it and reaches nothing; Forklift only warns.",
    source="kubev2v/forklift pkg/controller/plan/validation.go (NetMapPreservingIPsOnPodNetwork)",
)

NETWORK_MAPPED_TWICE = declare(
    "VMF210",
    "error",
    "network is mapped twice",
    why="With two rows for one network, their order would decide where the VMs land: half an estate on the wrong VLAN "
    "is noticed late.",
)

BRIDGES_DISAGREE = declare(
    "VMF211",
    "error",
    "node policies disagree about a bridge",
    why="nmstate creates each policy's bridge on the nodes it selects. Two policies with the same bridge take its "
    "port from each other, and with it the network of every VM on the node.",
    source="kubernetes-nmstate docs/examples; test/e2e/handler/states.go",
)

AMBIGUOUS_NETWORK = declare(
    "VMF212",
    "error",
    "one name stands for several networks",
    why="A vCenter may have a network of the same name in each datacenter, and an NSX segment is a port group on each "
    "switch it spans. By name alone a VM could land on the wrong one, and Forklift accepts neither: its "
    "NetworkMap reports `Source network has ambiguous ref`, or the Plan `VM has unmapped networks`.",
    source="kubev2v/forklift pkg/controller/map/network, pkg/controller/plan/validation.go",
)

NO_CLASS_FITS = declare(
    "VMF301",
    "error",
    "no StorageClass fits",
    why="A StorageClass has to offer what the disk asks for: its tier, its IOPS, and ReadWriteMany if the VM must "
    "live-migrate or shares the disk. Otherwise the claim stays Pending or, worse, the VM runs and its node "
    "cannot be drained.",
    source="kubevirt/containerized-data-importer pkg/storagecapabilities/storagecapabilities.go; "
    "kubevirt/kubevirt pkg/virt-handler/vm.go (calculateLiveMigrationCondition)",
)

UNMAPPED_DATASTORE = declare(
    "VMF302",
    "error",
    "datastore is not mapped",
    why="Where the disks of a datastore go is a decision about speed and safety, so vmferry does not guess. Forklift "
    "refuses a Plan with a datastore that its StorageMap lacks.",
    source="kubev2v/forklift pkg/controller/plan/validation.go (VMStorageNotMapped)",
)

IMPOSSIBLE_CLASS = declare(
    "VMF303",
    "error",
    "impossible or unknown StorageClass",
    why="An access mode that the driver does not support is accepted when the class is written down; the claim then "
    "waits forever. For a provisioner that CDI does not know, nothing follows from its name: CDI has no profile "
    "for it and creates no claim without access modes.",
    source="kubevirt/containerized-data-importer pkg/storagecapabilities/storagecapabilities.go, "
    "pkg/controller/datavolume/util.go",
)

NO_PREFERRED_LIVE_MIGRATION = declare(
    "VMF304",
    "warning",
    "live migration is preferred and not possible",
    why="vMotion was taken for granted. In the target, a VM with a disk that only one node can mount, a GPU or a "
    "macvtap NIC is shut down when its node is drained or upgraded; whoever plans maintenance should know which "
    "VMs those are.",
    source="kubevirt/kubevirt pkg/virt-handler/vm.go (calculateLiveMigrationCondition)",
)

SHARED_DISK_DIFFERS = declare(
    "VMF306",
    "error",
    "shared disk is described differently by its VMs",
    why="The VMs of a cluster mount one claim, which has one size, one class and one namespace. If their entries "
    "disagree, or one of them stays behind, each side would get its own disk and the cluster would split.",
)

DEPENDENCY_CYCLE = declare(
    "VMF401",
    "error",
    "dependency cycle across phases",
    why="Each of these VMs would have to move before the other, and their phases are weeks apart: whichever goes "
    "first runs without what it depends on.",
)

MOVES_TOO_EARLY = declare(
    "VMF402",
    "error",
    "VM would move before what it depends on",
    why="The VM would run in the cluster while its database, for example, is still in vSphere, on another network and "
    "behind another firewall. It may work, but cutover is the wrong time to find out.",
)

PHASE_CYCLE = declare(
    "VMF403",
    "error",
    "phases form a cycle",
    why="Each phase would wait for the other, so none could start. Flux would only report that a dependency is not "
    "ready.",
    source="fluxcd/kustomize-controller docs/spec/v1/kustomizations.md (dependsOn)",
)

NO_SUCH_GROUP = declare(
    "VMF404",
    "error",
    "group does not exist",
    why="A stage for a group without VMs would do nothing: the pull request is merged, everyone waits, and the "
    "intended group stays where it is.",
)

GROUP_TOO_LARGE = declare(
    "VMF405",
    "error",
    "group cannot be kept under the resource limit",
    why="What moves together is built and applied as one root, and kustomize takes four times as long for twice as "
    "many objects; Argo CD stops waiting after 90 seconds. A VM with very many disks, or a large dependency "
    "cycle, cannot be split any further.",
    source="kubernetes-sigs/kustomize issue 5084; argoproj/argo-cd docs/operator-manual/high_availability.md",
)

CUTOVER_OUTSIDE_WINDOW = declare(
    "VMF406",
    "error",
    "cutover is missing, not valid or outside the phase's windows",
    why="A warm migration switches over at the time that is written in git. Outside the maintenance window it would "
    "stop the VM while people work with it, and without a time Forklift keeps copying deltas.",
    source="kubev2v/forklift operator/config/crd/bases (Migration, spec.cutover)",
)

TIED_VMS_APART = declare(
    "VMF408",
    "error",
    "tied VMs cannot share a group",
    why="VMs that share a disk or depend on each other in a cycle go into one group, and a group has one namespace, "
    "one path and one set of maps, as a Forklift Plan has. If their decisions differ, one of them would get the "
    "other's.",
    source="kubev2v/forklift operator/config/crd/bases (Plan, StorageMap)",
)

FROZEN_DIFFERS = declare(
    "VMF409",
    "warning",
    "frozen VM differs from its assignment",
    why="Once a group is prepared, its VMs stay as they were decided, so that a changed inventory cannot rename a "
    "disk under a running copy. What changed since is therefore not in the output, although someone may think it "
    "is.",
)

FROZEN_GONE = declare(
    "VMF410",
    "warning",
    "frozen VM is no longer in the spec",
    why="A prepared VM has objects in the cluster, perhaps a disk with data. Removing its entry must not remove "
    "those, so the VM stays, and someone should know.",
)

STAYING_VM_MOVES = declare(
    "VMF439",
    "error",
    "VM that is to stay would move with its group",
    why="After the group was prepared, someone decided that the VM stays, or moves in another phase or by another "
    "path, or deleted its entry. While the group waits, that is a warning (VMF409, VMF410). Once the group is at "
    "`migrating`, its Plan or its Job would shut the VM down and copy it all the same.",
)

CPU_TOPOLOGY = declare(
    "VMF501",
    "error",
    "CPU topology is not possible",
    why="KubeVirt multiplies sockets, cores and threads, and Forklift divides without a remainder: the VM would get "
    "fewer CPUs than it has, and licences counted by socket would no longer fit.",
    source="kubev2v/forklift pkg/controller/plan/adapter/vsphere/builder.go (mapCPU)",
)

NO_REQUIRED_LIVE_MIGRATION = declare(
    "VMF502",
    "error",
    "live migration is required and not possible",
    why="KubeVirt accepts LiveMigrate on a VM that cannot live-migrate, and then refuses every drain of its node: one "
    "such VM blocks an upgrade of the cluster.",
    source="kubevirt/kubevirt pkg/virt-handler/vm.go (calculateLiveMigrationCondition), pod-eviction-admitter.go",
)

DISK_NOT_MIGRATABLE = declare(
    "VMF503",
    "error",
    "disk cannot be migrated by this path",
    why="Not every path can read every disk: a warm copy needs changed block tracking and no snapshots, VDDK cannot "
    "read independent disks or physical RDMs, and a shared disk would be copied once for each of its VMs. The "
    "copy would fail halfway, or produce a disk without current data.",
    source="kubev2v/forklift pkg/controller/plan/validation.go (VMMissingChangedBlockTracking, "
    "VMHasSnapshots, SharedDisks), validation/policies/io/konveyor/forklift/vmware",
)

IMPOSSIBLE_FIRMWARE = declare(
    "VMF504",
    "error",
    "firmware is not possible",
    why="In vSphere, secure boot and a vTPM need EFI, so one of the two facts is wrong. It matters which: a guest "
    "installed on one firmware does not boot on the other.",
    source="kubevirt/kubevirt pkg/virt-api/webhooks/validating-webhook/admitters/vmi-create-admitter.go "
    "(validateBootloader)",
)

SCRIPT_NOT_RUN = declare(
    "VMF760",
    "error",
    "no conversion would run the script",
    why="The pod that converts a guest runs the scripts whose names match a pattern and silently skips the others. A "
    "ConfigMap holds at most 1 MiB: the API server refuses a larger one.",
    source="kubev2v/forklift pkg/virt-v2v/customize/customize.go",
)
