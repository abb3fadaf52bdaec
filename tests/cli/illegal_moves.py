"""The illegal moves of `test_illegal_moves.py`: what was committed, what somebody does, and which rule refuses it."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from tests.cli.repository import Estate

Edit = Callable[[Estate], object]
Steps = tuple[dict[str, dict[str, object]], ...]


def set_group(estate: Estate, group: str, **values: object) -> None:
    """Set fields of a group, or remove those that are None."""
    lines = estate.file.read_text().splitlines()
    found = [number for number, line in enumerate(lines) if line.startswith(f"  {group}: {{")]
    if found:
        head, _, rest = lines[found[0]].partition(": ")
        state = yaml.safe_load(rest)
    else:
        found, head, state = [lines.index("groups:") + 1], f"  {group}", {}
        lines.insert(found[0], "")
    state = {field: value for field, value in (state | values).items() if value is not None}
    flow = yaml.safe_dump(state, default_flow_style=True, width=10_000, sort_keys=False).strip()
    lines[found[0]] = f"{head}: {flow}"
    estate.file.write_text("\n".join(lines) + "\n")


def group(name: str, **values: object) -> Edit:
    """Return the edit that sets fields of a group."""
    return lambda estate: set_group(estate, name, **values)


def text(file: str, old: str, new: str) -> Edit:
    """Return the edit that replaces a text."""
    return lambda estate: estate.edit(old, new, file=file)


def without(file: str, vm: str) -> Edit:
    """Return the edit that removes the entry of a VM."""

    def edit(estate: Estate) -> None:
        path = estate.spec / file
        pattern = rf"  - name: {vm}\n(?:(?:    .*|  #.*)?\n)*?(?=  - name|  #|\Z)"
        changed, count = re.subn(pattern, "", path.read_text())
        assert count == 1
        path.write_text(changed)

    return edit


def record(change: Callable[[dict[str, Any]], object]) -> Edit:
    """Return the edit that changes assignments.yaml."""

    def edit(estate: Estate) -> None:
        path = estate.spec / "assignments.yaml"
        data = yaml.load(path.read_text(), yaml.CSafeLoader)
        change(data["vms"])
        path.write_text(yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False))

    return edit


def lost(*names: str) -> Edit:
    """Return the edit that deletes files."""
    return lambda estate: [(estate.spec / name).unlink() for name in names] and None


def both(*edits: Edit) -> Edit:
    """Return several edits as one."""

    def edit(estate: Estate) -> None:
        for each in edits:
            each(estate)

    return edit


class Move(NamedTuple):
    """An illegal move: what somebody does, and the rule that refuses it."""

    says: str
    edit: Edit
    code: str  # of the rule that refuses it
    commit: str = "acme"  # what was committed: see COMMITS
    compiles: bool = False  # whether only the comparison with git refuses it: the record does not know enough
    now: str = "2026-12-01T00:00:00Z"


LATER: Steps = (
    {
        "dev-test-02": {"stage": "adopted"},
        "dev-test-03": {"stage": "adopted"},
        "stateless-01": {"stage": "rolled-back"},
        "stateless-03": {"stage": "rolled-back", "dataLoss": "accepted", "reason": "it is slow"},
        "stateless-04-web-05": {"stage": "rolled-back", "splitFrom": "stateless-04", "vms": ["vm-1005"]},
        "stateless-06": {"stage": "rolled-back"},
        "stateless-07": {"stage": "cutover"},
        "stateless-08": {"stage": "rolled-back"},
        "stateful-01": {"hold": "its owner is away"},
        "stateful-03": {"stage": "prepared"},
    },
    {
        "dev-test-02": {"stage": "validated"},
        "dev-test-03": {"stage": "validated"},
        "stateful-03": {"stage": "migrating"},
        "stateless-07": {"stage": "adopted"},
    },
    {"dev-test-03": {"stage": "retired"}},
)
"""What is committed, one after the other, for the moves that need groups further on."""


class Copy(Estate):
    """A copy of a repository, as it was committed."""

    def __init__(self, original: Estate, top: Path) -> None:
        shutil.copytree(original.top, top)
        self.top, self.spec = top, top / "migration"
        self.file = self.spec / "spec.yaml"


def laid_out(folder: Path, steps: Steps) -> Estate:
    """Return the example with some moves committed."""
    estate = Estate(folder)
    for step in steps:
        for name, values in step.items():
            set_group(estate, name, **values)
        estate.compile()
        estate.commit()
    return estate


WEB_05 = "stateless-04-web-05"
WINDOW = "2027-01-30T22:00:00Z"
BACKED = {"stage": "rolled-back", "dataLoss": "accepted", "reason": "it is slow"}


def dropped(vm: str) -> Edit:
    """Return the edit of a bad merge, which drops the record of a VM."""
    return record(lambda vms: vms.pop(vm))


def machine(vm: str, **values: object) -> Edit:
    """Return the edit that changes what is recorded of a VM."""
    return record(lambda vms: vms[vm]["machine"].update(values))


def disk(vm: str, **values: object) -> Edit:
    """Return the edit that changes what is recorded of the first disk of a VM."""
    return record(lambda vms: vms[vm]["machine"]["disks"][0].update(values))


def nic(vm: str, **values: object) -> Edit:
    """Return the edit that changes what is recorded of the first NIC of a VM."""
    return record(lambda vms: vms[vm]["machine"]["nics"][0].update(values))


def evidence(old: str, new: str) -> Edit:
    """Return the edit that rewrites evidence."""
    return text("evidence.yaml", old, new)


MOVES = (
    # stages skipped
    Move("planned to migrating", group("stateless-05", stage="migrating"), "VMF850", compiles=True),
    Move("planned to cutover", group("stateful-06", stage="cutover"), "VMF402"),
    Move("planned to rolled-back", group("stateless-05", stage="rolled-back"), "VMF866"),
    Move("prepared to cutover", group("stateless-02", stage="cutover"), "VMF850", compiles=True),
    Move("prepared to adopted", group("stateful-05", stage="adopted"), "VMF850", compiles=True),
    Move("migrating to adopted", group("stateless-07", stage="adopted"), "VMF850", compiles=True),
    Move("migrating to retired", group("stateless-06", stage="retired"), "VMF850", compiles=True),
    Move("cutover to validated", group("dev-test-03", stage="validated"), "VMF850", compiles=True),
    Move("cutover to retired", group("dev-test-02", stage="retired"), "VMF850", compiles=True),
    Move("adopted to retired", group("stateless-07", stage="retired"), "VMF850", "later", compiles=True),
    # stages moved back
    Move("prepared to planned", group("stateless-02", stage="planned"), "VMF851", compiles=True),
    Move(
        "prepared group deleted from the spec",
        text("spec.yaml", "  stateless-08: {stage: prepared}\n", ""),
        "VMF851",
        compiles=True,
    ),
    Move("migrating to prepared", group("stateless-01", stage="prepared"), "VMF411"),
    Move("migrating to planned", group("dev-test-04", stage="planned", attempt=None), "VMF411"),
    Move(
        "migrating group deleted from the spec", text("spec.yaml", "  stateless-07: {stage: migrating}\n", ""), "VMF411"
    ),
    Move("cutover to migrating", group("dev-test-01", stage="migrating"), "VMF411"),
    Move("cutover to prepared", group("dev-test-03", stage="prepared"), "VMF411"),
    Move("warm cutover to migrating", group("stateless-03", stage="migrating"), "VMF411"),
    Move("adopted to cutover", group("stateless-07", stage="cutover"), "VMF411", "later"),
    Move("validated to adopted", group("dev-test-02", stage="adopted"), "VMF411", "later"),
    Move("retired to validated", group("dev-test-03", stage="validated"), "VMF411", "later"),
    Move("retired to planned", group("dev-test-03", stage="planned"), "VMF411", "later"),
    Move("retired to rolled-back", group("dev-test-03", **BACKED), "VMF411", "later"),
    # roll-backs, and what follows them
    Move("rolled back without a word on the data", group("dev-test-01", stage="rolled-back"), "VMF863"),
    Move("rolled back without a reason", group("dev-test-03", stage="rolled-back", dataLoss="accepted"), "VMF863"),
    Move("adopted VMs rolled back without a word", group("stateless-07", stage="rolled-back"), "VMF863", "later"),
    Move("dataLoss without a roll-back", group("dev-test-01", dataLoss="accepted", reason="x"), "VMF863"),
    Move(
        "dataLoss left over",
        group("stateless-03", stage="prepared", attempt=2, remigrate=1, cutover=None),
        "VMF863",
        "later",
    ),
    Move("rolled-back to migrating", group("stateless-01", stage="migrating"), "VMF864", "later"),
    Move("rolled-back to cutover", group("stateless-06", stage="cutover"), "VMF864", "later"),
    Move(
        "rolled-back to adopted", group("stateless-03", stage="adopted", dataLoss=None, reason=None), "VMF864", "later"
    ),
    Move("prepared again with the old attempt", group("stateless-01", stage="prepared"), "VMF864", "later"),
    Move(
        "prepared again without remigrate",
        group("stateless-03", stage="prepared", dataLoss=None, reason=None, attempt=2),
        "VMF864",
        "later",
    ),
    Move("planned again without remigrate", group("stateless-01", stage="planned"), "VMF864", "later"),
    Move("attempt raised while rolled back", group("stateless-01", attempt=2), "VMF864", "later"),
    Move("remigrate raised while rolled back", group("stateless-01", remigrate=1), "VMF864", "later"),
    # numbers
    Move("attempt lowered while it copies", group("dev-test-04", attempt=1), "VMF855", compiles=True),
    Move("attempt removed while it copies", group("dev-test-04", attempt=None), "VMF855", compiles=True),
    Move("attempt raised after a job's cutover", group("dev-test-03", attempt=2), "VMF862"),
    Move("attempt lowered at its cutover", group("dev-test-04", stage="cutover", attempt=1), "VMF862"),
    Move("attempt raised at its cutover", group("dev-test-04", stage="cutover", attempt=3), "VMF862"),
    Move("attempt raised of a retired group", group("dev-test-03", attempt=2), "VMF862", "later"),
    Move("remigrate raised while it copies", group("stateless-01", remigrate=1), "VMF864"),
    Move("remigrate raised at cutover", group("dev-test-01", remigrate=1), "VMF864"),
    # holds
    Move("a group on hold is moved", group("stateful-01", stage="migrating"), "VMF865", "later"),
    Move("a group goes on hold and moves", group("stateless-08", stage="migrating", hold="wait"), "VMF865"),
    Move("a planned group on hold is prepared", group("stateless-05", stage="prepared", hold="wait"), "VMF865"),
    Move("a group on hold is retried", group("dev-test-04", attempt=3, hold="wait"), "VMF865"),
    # VMs on their own
    Move(
        "a copying VM leaves for prepared",
        group("own", splitFrom="stateless-04", vms=["web-05"], stage="prepared"),
        "VMF867",
    ),
    Move(
        "a copying VM leaves for migrating",
        group("own", splitFrom="stateless-04", vms=["web-05"], stage="migrating"),
        "VMF867",
    ),
    Move(
        "a VM leaves a retired group",
        group("own", splitFrom="dev-test-03", vms=["ci-runner-01"], **BACKED),
        "VMF867",
        "later",
    ),
    Move(
        "a prepared VM leaves for planned",
        group("own", splitFrom="stateful-05", vms=["vm-1210"], stage="planned"),
        "VMF867",
    ),
    Move(
        "a prepared VM leaves for migrating",
        group("own", splitFrom="stateful-05", vms=["vm-1210"], stage="migrating"),
        "VMF867",
    ),
    Move("every VM leaves", group("own", splitFrom="stateless-08", vms=["DC01"], stage="rolled-back"), "VMF867"),
    Move(
        "a VM leaves a group that does not exist",
        group("own", splitFrom="stateless-40", vms=["web-05"], stage="rolled-back"),
        "VMF867",
    ),
    Move(
        "a VM leaves a group that it is not in",
        group("own", splitFrom="stateless-04", vms=["web-01"], stage="rolled-back"),
        "VMF867",
    ),
    Move("another VM joins one that left", group(WEB_05, vms=["vm-1005", "vm-1006"]), "VMF867", "later"),
    Move(
        "a VM that left returns",
        text("spec.yaml", f"  {WEB_05}: {{stage: rolled-back, splitFrom: stateless-04, vms: [vm-1005]}}\n", ""),
        "VMF411",
        "later",
    ),
    Move("a VM that left copies again at once", group(WEB_05, stage="migrating"), "VMF864", "later"),
    # groups that do not exist
    Move("a stage for a group that does not exist", group("stateless-77", stage="prepared"), "VMF404"),
    Move("a group is renamed", text("spec.yaml", "  stateless-02: {", "  stateless-20: {"), "VMF404"),
    # times
    Move("a warm cutover without a time", group("stateless-04", stage="cutover"), "VMF406"),
    Move(
        "a warm cutover outside its window",
        group("stateless-04", stage="cutover", cutover="2027-01-30T12:00:00Z"),
        "VMF406",
    ),
    Move(
        "a cutover on a day that does not exist",
        group("stateless-04", stage="cutover", cutover="2027-02-30T12:00:00Z"),
        "VMF406",
    ),
    Move(
        "a warm cutover in the past",
        group("stateful-03", stage="cutover", cutover="2027-02-13T22:00:00Z"),
        "VMF430",
        "later",
        now="2027-02-20T00:00:00Z",
        compiles=True,
    ),
    Move("a cutover time for a cold group", group("stateless-02", cutover=WINDOW), "VMF116"),
    # VMs that were removed or changed
    Move(
        "a VM is removed at migrating, with its group",
        both(without("vms/web.yaml", "lb-01"), group("stateless-02", stage="migrating")),
        "VMF439",
    ),
    Move(
        "an excluded VM moves",
        both(
            text(
                "vms/web.yaml", "  - name: lb-01\n", "  - name: lb-01\n    disposition: exclude\n    reason: too old\n"
            ),
            group("stateless-02", stage="migrating"),
        ),
        "VMF439",
    ),
    Move(
        "a removed VM and a lost record",
        both(without("vms/dev.yaml", "dev-build-01"), dropped("vc1/vm-1501")),
        "VMF411",
    ),
    # the record
    Move("assignments.yaml is lost", lost("assignments.yaml"), "VMF411"),
    Move("a bad merge drops a running VM", dropped("vc1/vm-1502"), "VMF411"),
    Move("a bad merge drops a prepared VM", dropped("vc1/vm-1025"), "VMF411"),
    Move("the record of a disk is edited", disk("vc1/vm-1501", size=1 << 30), "VMF411"),
    Move("the class of a disk is edited", disk("vc1/vm-1501", storageClass="ceph-block"), "VMF411"),
    Move("a MAC is edited", nic("vc1/vm-1001", mac="00:50:56:8a:99:99"), "VMF411"),
    Move("a target name is edited", machine("vc1/vm-1001", targetName="web-99"), "VMF411"),
    Move("a namespace is edited", machine("vc1/vm-1001", namespace="dev"), "VMF411"),
    Move("the record of another migration", text("assignments.yaml", "  name: acme\n", "  name: other\n"), "VMF411"),
    Move(
        "a rolled-back group is deleted from the spec",
        text("spec.yaml", "  stateless-06: {stage: rolled-back}\n", ""),
        "VMF411",
        "later",
    ),
    # what VMs stand on
    Move(
        "a network changes under running VMs",
        text("spec.yaml", "vlan: 120, mtu: 1500", "vlan: 121, mtu: 1500"),
        "VMF859",
        compiles=True,
    ),
    Move(
        "the migration is renamed", text("spec.yaml", "metadata:\n  name: acme", "metadata:\n  name: acme-2"), "VMF411"
    ),
    Move(
        "the tree moves",
        text("spec.yaml", "    engine: flux\n", "    engine: flux\n    path: elsewhere\n"),
        "VMF860",
        compiles=True,
    ),
    Move("the engine changes", text("spec.yaml", "engine: flux", "engine: argocd"), "VMF860", compiles=True),
    Move("the cluster is renamed", text("spec.yaml", "name: prod-a", "name: prod-b"), "VMF860", compiles=True),
    Move("a vCenter is removed", text("spec.yaml", "  - name: vc2 #", "  - name: vc3 #"), "VMF411"),
    Move("a phase is renamed", text("spec.yaml", "  - name: dev-test\n", "  - name: test\n"), "VMF411"),
    # evidence
    Move("a stage without evidence", group("stateless-01", stage="cutover"), "VMF870", "evidence", compiles=True),
    Move("a Plan that nobody saw Ready", group("stateless-02", stage="migrating"), "VMF870", "evidence", compiles=True),
    Move("a sign-off is removed", lost("evidence.yaml"), "VMF871", "evidence", compiles=True),
    Move("a sign-off is rewritten", evidence("by: ada", "by: bob"), "VMF871", "evidence", compiles=True),
    Move("evidence of another migration", evidence("name: acme", "name: other"), "VMF873", "evidence"),
    Move("retired without an acceptance", group("dev-test-02", stage="validated"), "VMF870", "evidence", compiles=True),
    # silence
    Move(
        "a skipped stage is suppressed",
        both(
            group("stateless-02", stage="planned"),
            text("spec.yaml", "suppress:\n", "suppress:\n  - {rule: VMF411, reason: we know}\n"),
        ),
        "VMF902",
    ),
    Move(
        "a rule is switched off", text("spec.yaml", "  VMF729: info #", "  VMF411: 'off'\n  VMF729: info #"), "VMF902"
    ),
)
