"""A migration that is led from commit to commit, and what an engine would sync: the model of the stateful test.

It says by itself which moves are legal, without the compiler's table, and what must hold after each.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from msgspec import Struct, structs
from tests.resolve.projects import project, vm

from vmferry import backends, rules
from vmferry.model.adopted import AdoptedMachine, AdoptedMachines
from vmferry.model.assignments import Assignments
from vmferry.model.blueprint import Blueprint, Group
from vmferry.model.manifest import File, KubeObject, Resource, Root
from vmferry.model.review import Review, review_of
from vmferry.model.spec import Metadata
from vmferry.resolve.blueprint import resolve

METHODS = ("cold", "warm", "job", "image", "rebuild")
ONWARD = {
    "planned": "prepared",
    "prepared": "migrating",
    "migrating": "cutover",
    "cutover": "adopted",
    "adopted": "validated",
    "validated": "retired",
}
STAGES = (*ONWARD, "retired", "rolled-back")
RAN = ("cutover", "adopted", "validated")
COPIES = ("Migration", "Job", "DataVolume")
CUTOVER = "2027-01-11T20:00:00Z"

State = dict[str, Any]
Key = tuple[str, str, str]


class Known(Struct):
    """What the model knows of a group."""

    method: str
    vms: tuple[str, ...]
    state: State
    reached: str | None = None  # from where it was rolled back


class Synced(Struct):
    """An object that an engine applies."""

    group: str
    object: KubeObject


class Migration:
    """A repository with one spec, its record, and the model of both."""

    def __init__(self) -> None:
        self.vms = [self._vm(method, number) for method in METHODS for number in range(2)]
        self.groups: dict[str, Known] = {
            f"{method}-01": Known(method, (f"{method}-vm-0", f"{method}-vm-1"), {"stage": "planned"})
            for method in METHODS
        }
        self.assignments: Assignments | None = None
        self.review: Review | None = None
        self.synced: dict[Key, Synced] = {}
        self.gone: dict[Key, tuple[int, int]] = {}  # what copied, and left the sync: attempt and remigrate at that time
        self.past: list[tuple[dict[str, Known], Assignments | None]] = []
        assert self.commit({}, {}) == []

    @staticmethod
    def _vm(method: str, number: int) -> dict[str, Any]:
        path = {"cold": "forklift", "warm": "forklift", "rebuild": "rebuild"}.get(method, "virt-v2v")
        chosen: dict[str, Any] = {"path": path, "phase": method, "namespace": "web", "id": f"vm-{method}-{number}"}
        if method == "rebuild":
            chosen["application"] = {"image": "registry.example.com/app:1.4.2"}
        else:
            chosen["method"] = method
        if method == "warm":
            chosen["changeTracking"] = True
        at = 2 * METHODS.index(method) + number
        chosen["nics"] = [{"network": "vlan-7", "mac": f"00:50:56:00:00:{at:02x}"}]
        chosen["uuid"] = f"42301f6e-1c5d-4c6e-9d3a-{at:012x}"
        return vm(f"{method}-vm-{number}", **chosen)

    # --- moves ---------------------------------------------------------------------------------

    def stated(self, changes: Mapping[str, State]) -> dict[str, State]:
        """Return the groups of the spec with changes."""
        found = {name: deepcopy(known.state) for name, known in self.groups.items()}
        return {name: state for name, state in (found | dict(changes)).items() if state != {"stage": "planned"}}

    def commit(self, changes: Mapping[str, State], moved: Mapping[str, Known]) -> list[str]:
        """Commit changes of groups if nothing refuses them; return the codes of the errors otherwise."""
        return self.commit_all(self.stated(changes), self.assignments, {**self.groups, **moved})

    def commit_all(
        self, stated: Mapping[str, State], assignments: Assignments | None, groups: Mapping[str, Known]
    ) -> list[str]:
        """Commit a whole spec with a record."""
        made = project(
            *self.vms,
            assignments=assignments,
            groups={name: self._whole(name, state, groups) for name, state in stated.items()},
            phases=[{"name": method} for method in METHODS],
            defaults={"namespace": "web"},
        )
        made = structs.replace(made, adopted={"adopted/all.yaml": self._recorded(groups)})
        resolution = resolve(made, reasons=False)
        errors = [finding.code for finding in resolution.findings if finding.is_error]
        if errors:
            return errors
        review = review_of(made, resolution.blueprint, resolution.subjects)
        compared = structs.replace(review, before=self.review) if self.review else review
        errors = [finding.code for finding in rules.check(compared) if finding.is_error]
        if errors:
            return errors
        self._sync(resolution.blueprint, groups)
        self.past.append((dict(self.groups), self.assignments))
        self.groups, self.assignments, self.review = dict(groups), resolution.assignments, review
        return []

    def _recorded(self, groups: Mapping[str, Known]) -> AdoptedMachines:
        """Return what `vmferry adopt` records of the VMs that Forklift made."""
        machines = {}
        for known in groups.values():
            for name in known.vms if known.method in ("cold", "warm") else ():
                [facts] = [each for each in self.vms if each["name"] == name]
                machines[f"vc1/{facts['id']}"] = AdoptedMachine(
                    attempt=known.state.get("attempt", 1),
                    remigrate=known.state.get("remigrate", 0),
                    spec=_made(name, facts["nics"][0]["mac"]),
                )
        return AdoptedMachines(metadata=Metadata(name="acme"), group="all", vms=machines)

    @staticmethod
    def _whole(name: str, state: State, groups: Mapping[str, Known]) -> State:
        warm = name in groups and groups[name].method == "warm" and state["stage"] in (*RAN, "retired")
        return state | ({"cutover": CUTOVER} if warm else {})

    # --- what holds after every commit ----------------------------------------------------------

    def _sync(self, blueprint: Blueprint, groups: Mapping[str, Known]) -> None:
        items = list(backends.emit_groups(blueprint, blueprint.groups))
        now = dict(_synced(blueprint, items))
        homes = Counter(machine.name for group in blueprint.groups for machine in group.machines)
        assert homes == Counter(each["name"] for each in self.vms), "a VM is in no group, or in two"
        by_name = {group.name: group for group in blueprint.groups}
        self._nothing_begins_twice(now, by_name)
        self._nothing_is_copied_twice(now, blueprint)
        self._disks_stay(now, by_name)
        self._never_both_sides(now, items, by_name)
        self.synced = now

    def _nothing_begins_twice(self, now: dict[Key, Synced], groups: Mapping[str, Group]) -> None:
        """Whatever copies and left the sync never comes back under its name, and begins only where it may."""
        before = {group.name: group for group in self.review.blueprint.groups} if self.review else {}
        for key in [key for key in self.synced if key not in now and key[0] in COPIES]:
            group = before[self.synced[key].group]
            self.gone[key] = (group.attempt, group.remigrate)
        for key, each in now.items():
            if key in self.synced or key[0] not in COPIES:
                continue
            group = groups[each.group]
            if key in self.gone:
                again = (group.attempt, group.remigrate)
                assert key[0] == "DataVolume", f"{key} is made again"
                assert again > self.gone[key], f"{key} is made again by the same attempt"
            was = before.get(each.group)
            assert was is not None, f"{key} begins in a group that nobody saw"
            # Forklift moves with another Migration only what failed (VMF862 warns)
            late = ("cutover",) if key[0] == "Migration" else ()
            assert was.stage in ("prepared", "migrating", *late), f"{key} begins in a group at {was.stage}"
            assert was.stage == "prepared" or group.attempt > was.attempt, f"{key} begins without a new attempt"

    def _nothing_is_copied_twice(self, now: dict[Key, Synced], blueprint: Blueprint) -> None:
        copies: Counter[str] = Counter()
        plans = {obj.object["metadata"]["name"]: obj.object for obj in _of_base(blueprint)}
        for (kind, _, _), each in now.items():
            if kind == "Migration":
                spec = each.object["spec"]
                ended = {ref["id"] for ref in spec.get("cancel", ())}
                named = {entry["id"] for entry in plans[spec["plan"]["name"]]["spec"]["vms"]}
                copies.update(named - ended)
            elif kind == "Job":
                copies[each.object["metadata"]["labels"]["vmferry.dev/vm"]] += 1
        assert all(count == 1 for count in copies.values()), copies

    def _disks_stay(self, now: dict[Key, Synced], groups: Mapping[str, Group]) -> None:
        for key, each in now.items():
            if key[0] != "VirtualMachine" or key not in self.synced:
                continue
            was, new = (x.object["spec"]["template"]["spec"] for x in (self.synced[key], each))
            assert was["volumes"] == new["volumes"], key
            assert was["domain"]["devices"]["interfaces"] == new["domain"]["devices"]["interfaces"], key
            assert was["domain"]["firmware"] == new["domain"]["firmware"], key

    def _never_both_sides(self, now: dict[Key, Synced], items: list[Any], groups: Mapping[str, Group]) -> None:
        """Only a group whose VMs are stopped in the target has scripts that start its sources."""
        back = {item.path.split("/")[2] for item in items if isinstance(item, File) and "start-sources" in item.path}
        assert back == {name for name, each in groups.items() if each.stage == "rolled-back" and each.path != "rebuild"}
        for key, each in now.items():
            if key[0] == "VirtualMachine" and each.group in back:
                assert each.object["spec"]["runStrategy"] == "Halted", key


def _made(name: str, mac: str) -> dict[str, Any]:
    """Return the spec of a VM that Forklift made."""
    devices = {
        "disks": [{"name": "disk-0", "disk": {"bus": "virtio"}}],
        "interfaces": [{"name": "nic-0", "bridge": {}, "macAddress": mac}],
    }
    return {
        "template": {
            "spec": {
                "domain": {"devices": devices, "firmware": {"uuid": name}},
                "networks": [{"name": "nic-0", "multus": {"networkName": "web/vlan-7"}}],
                "volumes": [{"name": "disk-0", "persistentVolumeClaim": {"claimName": f"{name}-disk-0"}}],
            }
        }
    }


def _of_base(blueprint: Blueprint) -> Iterator[Synced]:
    for item in backends.emit_groups(blueprint, blueprint.groups):
        if isinstance(item, Resource) and item.object["kind"] == "Plan":
            yield Synced("", item.object)


def _synced(blueprint: Blueprint, items: list[Any]) -> Iterator[tuple[Key, Synced]]:
    """Yield what the overlays build to, patches applied; nothing is in two of them."""
    held: dict[str, list[Resource]] = {}
    for item in items:
        if isinstance(item, Resource):
            held.setdefault(item.directory, []).append(item)
    seen: set[Key] = set()
    for root in (item for item in items if isinstance(item, Root) and item.directory.startswith("overlays/")):
        group = root.directory.split("/")[2]
        for directory in root.resources:
            for resource in held.get(directory, ()):
                obj = deepcopy(resource.object)
                meta = obj["metadata"]
                for patch in root.patches:
                    if (patch.kind, patch.name) == (obj["kind"], meta["name"]):
                        *way, last = patch.path.strip("/").split("/")
                        holder: Any = obj
                        for step in way:
                            holder = holder[step]
                        holder[last] = patch.value
                key = (obj["kind"], meta.get("namespace", ""), meta["name"])
                assert key not in seen, f"{key} is synced twice"
                seen.add(key)
                yield key, Synced(group, obj)


# --- which moves are legal -------------------------------------------------------------------


def legal(known: Known, new: State) -> bool:
    """Return whether a group may go from its state to another."""
    old = known.state
    was, now = old["stage"], new["stage"]
    attempt = new.get("attempt", 1) - old.get("attempt", 1)
    again = new.get("remigrate", 0) - old.get("remigrate", 0)
    if not _data_is_decided(known, new):
        return False
    if was == "rolled-back" and now != was:
        return "hold" not in new and _goes_again(known, now, attempt, again)
    if again and (was != "planned" or again < 0):
        return False
    copied = was not in ("planned", "prepared")
    if "hold" in new and now != "rolled-back" and (now != was or (copied and attempt > 0)):
        return False
    if now == was:
        return _stays(known, was, attempt)
    if now == "rolled-back":
        return attempt == 0 and was in ("prepared", "migrating", *RAN)
    if ONWARD.get(was) != now:
        return False
    return _counts_on(known, now, attempt)


def _data_is_decided(known: Known, new: State) -> bool:
    """Return whether a roll-back after a cutover says what becomes of the data, and nothing else does."""
    if new["stage"] != "rolled-back":
        return "dataLoss" not in new
    reached = known.reached if known.state["stage"] == "rolled-back" else known.state["stage"]
    return reached not in RAN or ("dataLoss" in new and "reason" in new)


def _goes_again(known: Known, now: str, attempt: int, again: int) -> bool:
    if now not in ("prepared", "planned") or attempt < 0 or again < 0:
        return False
    if known.reached == "prepared":
        return True
    overwrites = known.method in ("job", "rebuild")
    if now == "planned":
        return again > 0
    return attempt > 0 and (again > 0 or (known.reached == "migrating" and overwrites))


def _stays(known: Known, stage: str, attempt: int) -> bool:
    return attempt == 0 if stage == "rolled-back" else _counts_on(known, stage, attempt)


def _counts_on(known: Known, now: str, attempt: int) -> bool:
    """Return whether the number of the attempt may change: not once it runs, unless Forklift finishes what failed."""
    was = known.state["stage"]
    if now in (*RAN, "retired"):
        if known.method == "rebuild":
            return attempt >= 0 or was != "migrating"
        return attempt == 0 or (known.method in ("warm", "cold") and attempt > 0)
    return attempt >= 0


def may_leave(known: Known, state: State) -> bool:
    """Return whether a VM may leave a group, with the group's own numbers, for one at a stage."""
    was, now = known.state["stage"], state["stage"]
    if len(known.vms) < 2 or not _data_is_decided(known, state):
        return False
    if now == "rolled-back":
        return was in ("prepared", "migrating", *RAN, "rolled-back")
    return was in ("planned", "prepared") and now == was
