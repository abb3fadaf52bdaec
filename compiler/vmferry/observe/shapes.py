"""The few fields that are read of objects in a dump; everything else in it is skipped unread.

Only names, times, states and messages, and the node of a pod: no field of a Secret, no environment of a pod, no spec
of a VM.
"""

from typing import TypeVar

from msgspec import Struct

T = TypeVar("T")


class Shape(Struct, frozen=True, rename="camel"):
    """A part of an object. Kubernetes leaves fields out, or writes null."""


class Head(Shape, frozen=True):
    """What identifies an object before its kind is known."""

    api_version: str | None = None
    kind: str | None = None
    metadata: "Metadata | None" = None


class Metadata(Shape, frozen=True):
    """Identity of an object."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    labels: dict[str, str] | None = None
    creation_timestamp: str | None = None


class Condition(Shape, frozen=True):
    """A condition; Forklift adds a category and the VMs that it is about."""

    type: str | None = None
    status: str | None = None
    reason: str | None = None
    message: str | None = None
    category: str | None = None
    last_transition_time: str | None = None
    items: tuple[str, ...] | None = None


class Error(Shape, frozen=True):
    """Why a step of Forklift's pipeline failed (pkg/apis/forklift/v1beta1/plan/migration.go)."""

    phase: str | None = None
    reasons: tuple[str, ...] | None = None


class Progress(Shape, frozen=True):
    """How far a step is; of disk transfers in MiB."""

    total: int | None = None
    completed: int | None = None


class Step(Shape, frozen=True):
    """A step of the pipeline of a VM."""

    name: str | None = None
    reason: str | None = None
    error: Error | None = None
    progress: Progress | None = None


class Precopy(Shape, frozen=True):
    """One copy of a warm migration."""

    start: str | None = None
    end: str | None = None


class Warm(Shape, frozen=True):
    """The copies of a warm migration."""

    precopies: tuple[Precopy, ...] | None = None


class VmStatus(Shape, frozen=True):
    """A VM in a Plan or a Migration (pkg/apis/forklift/v1beta1/plan/vm.go)."""

    id: str | None = None
    name: str | None = None
    phase: str | None = None
    started: str | None = None
    completed: str | None = None
    error: Error | None = None
    pipeline: tuple[Step, ...] | None = None
    warm: Warm | None = None
    conditions: tuple[Condition, ...] | None = None


class Named(Shape, frozen=True):
    """A reference."""

    kind: str | None = None
    name: str | None = None
    namespace: str | None = None


class Run(Shape, frozen=True):
    """A run of a Plan (pkg/apis/forklift/v1beta1/plan/snapshot.go)."""

    migration: Named | None = None


class PlanRuns(Shape, frozen=True):
    """The runs of a Plan; the VMs are those of the last one."""

    history: tuple[Run, ...] | None = None
    vms: tuple[VmStatus, ...] | None = None


class PlanStatus(Shape, frozen=True):
    """Status of a Plan."""

    conditions: tuple[Condition, ...] | None = None
    migration: PlanRuns | None = None


class Plan(Shape, frozen=True):
    """A Forklift Plan."""

    metadata: Metadata
    status: PlanStatus | None = None


class MigrationSpec(Shape, frozen=True):
    """Spec of a Migration."""

    cutover: str | None = None


class MigrationStatus(Shape, frozen=True):
    """Status of a Migration."""

    started: str | None = None
    completed: str | None = None
    conditions: tuple[Condition, ...] | None = None
    vms: tuple[VmStatus, ...] | None = None


class Migration(Shape, frozen=True):
    """A Forklift Migration."""

    metadata: Metadata
    spec: MigrationSpec | None = None
    status: MigrationStatus | None = None


class JobStatus(Shape, frozen=True):
    """Status of a Job."""

    start_time: str | None = None
    completion_time: str | None = None
    active: int | None = None
    conditions: tuple[Condition, ...] | None = None


class Job(Shape, frozen=True):
    """A Job."""

    metadata: Metadata
    status: JobStatus | None = None


class Terminated(Shape, frozen=True):
    """A container that ended."""

    exit_code: int | None = None
    reason: str | None = None
    message: str | None = None


class Waiting(Shape, frozen=True):
    """A container that does not start."""

    reason: str | None = None
    message: str | None = None


class ContainerState(Shape, frozen=True):
    """State of a container."""

    terminated: Terminated | None = None
    waiting: Waiting | None = None


class Container(Shape, frozen=True):
    """A container of a pod."""

    state: ContainerState | None = None


class PodStatus(Shape, frozen=True):
    """Status of a pod."""

    phase: str | None = None
    reason: str | None = None
    message: str | None = None
    conditions: tuple[Condition, ...] | None = None
    init_container_statuses: tuple[Container, ...] | None = None
    container_statuses: tuple[Container, ...] | None = None


class PodSpec(Shape, frozen=True):
    """Where a pod runs."""

    node_name: str | None = None


class Pod(Shape, frozen=True):
    """A pod."""

    metadata: Metadata
    spec: PodSpec | None = None
    status: PodStatus | None = None


class VolumeStatus(Shape, frozen=True):
    """Status of a DataVolume."""

    phase: str | None = None
    progress: str | None = None
    conditions: tuple[Condition, ...] | None = None


class DataVolume(Shape, frozen=True):
    """A DataVolume of CDI."""

    metadata: Metadata
    status: VolumeStatus | None = None


class PhaseStatus(Shape, frozen=True):
    """Status with a phase."""

    phase: str | None = None
    reason: str | None = None
    conditions: tuple[Condition, ...] | None = None


class Claim(Shape, frozen=True):
    """A PersistentVolumeClaim."""

    metadata: Metadata
    status: PhaseStatus | None = None


class MachineStatus(Shape, frozen=True):
    """Status of a VirtualMachine."""

    printable_status: str | None = None
    conditions: tuple[Condition, ...] | None = None


class VirtualMachine(Shape, frozen=True):
    """A VirtualMachine of KubeVirt."""

    metadata: Metadata
    status: MachineStatus | None = None


class Instance(Shape, frozen=True):
    """A VirtualMachineInstance of KubeVirt."""

    metadata: Metadata
    status: PhaseStatus | None = None


class SnapshotVolumes(Shape, frozen=True):
    """The volumes of a VM that its snapshot contains."""

    included_volumes: tuple[str, ...] | None = None


class SnapshotError(Shape, frozen=True):
    """Why a snapshot is not ready."""

    message: str | None = None


class SnapshotStatus(Shape, frozen=True):
    """Status of a VirtualMachineSnapshot."""

    phase: str | None = None
    ready_to_use: bool | None = None
    creation_time: str | None = None
    error: SnapshotError | None = None
    conditions: tuple[Condition, ...] | None = None
    snapshot_volumes: SnapshotVolumes | None = None


class Snapshot(Shape, frozen=True):
    """A VirtualMachineSnapshot of KubeVirt."""

    metadata: Metadata
    status: SnapshotStatus | None = None


class Event(Shape, frozen=True):
    """An event, which explains another object."""

    metadata: Metadata
    involved_object: Named | None = None
    type: str | None = None
    reason: str | None = None
    message: str | None = None


class KustomizationStatus(Shape, frozen=True):
    """Status of a Kustomization."""

    conditions: tuple[Condition, ...] | None = None


class Kustomization(Shape, frozen=True):
    """A Kustomization of Flux."""

    metadata: Metadata
    status: KustomizationStatus | None = None


class Health(Shape, frozen=True):
    """Health or sync state of an Application."""

    status: str | None = None
    message: str | None = None


class Operation(Shape, frozen=True):
    """The last sync of an Application."""

    phase: str | None = None
    message: str | None = None
    finished_at: str | None = None


class ApplicationStatus(Shape, frozen=True):
    """Status of an Application."""

    sync: Health | None = None
    health: Health | None = None
    operation_state: Operation | None = None


class Application(Shape, frozen=True):
    """An Application of Argo CD."""

    metadata: Metadata
    status: ApplicationStatus | None = None


Object = (
    Plan
    | Migration
    | Job
    | Pod
    | DataVolume
    | Claim
    | VirtualMachine
    | Instance
    | Snapshot
    | Event
    | Kustomization
    | Application
)

KINDS: dict[tuple[str, str], type[Object]] = {
    ("forklift.konveyor.io", "Plan"): Plan,
    ("forklift.konveyor.io", "Migration"): Migration,
    ("batch", "Job"): Job,
    ("", "Pod"): Pod,
    ("cdi.kubevirt.io", "DataVolume"): DataVolume,
    ("", "PersistentVolumeClaim"): Claim,
    ("kubevirt.io", "VirtualMachine"): VirtualMachine,
    ("kubevirt.io", "VirtualMachineInstance"): Instance,
    ("snapshot.kubevirt.io", "VirtualMachineSnapshot"): Snapshot,
    ("", "Event"): Event,
    ("kustomize.toolkit.fluxcd.io", "Kustomization"): Kustomization,
    ("argoproj.io", "Application"): Application,
}
"""Every kind that is read, by group and kind."""
