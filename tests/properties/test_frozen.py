"""What is prepared stays: whatever is said of a VM or of its neighbours later, its files do not change."""

import random
import tempfile
from pathlib import Path

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.properties.estates import DATASTORES, Estate, Output, build, clone, estates, machines, staged

OFTEN = settings(max_examples=20, deadline=None)


def prepared(estate: Estate, directory: Path, seed: int) -> tuple[Estate, Output]:
    """Return the estate with some groups past `planned`, and what it compiles to, its VMs frozen."""
    first = build(estate, directory / "first")
    moved_on = staged(estate, first, random.Random(seed))
    return moved_on, build(moved_on, directory / "prepared", assignments=first.assignments)


def frozen_files(output: Output) -> dict[str, bytes]:
    """Return every file of the frozen groups."""
    groups = [group for group in output.checked.resolution.blueprint.groups if group.frozen]
    places = tuple(f"{top}/{g.phase}/{g.name}/" for g in groups for top in ("bases", "overlays"))
    return {path: content for path, content in output.files.items() if path.startswith(places)}


def assert_frozen_files_stay(before: Output, after: Output) -> None:
    names = {group.name for group in before.checked.resolution.blueprint.groups if group.frozen}
    assert names <= {group.name for group in after.checked.resolution.blueprint.groups if group.frozen}
    assert frozen_files(after) == frozen_files(before)


@given(estates(), st.data(), st.integers(0, 2**32))
@OFTEN
def test_a_new_vm_changes_no_frozen_file(estate: Estate, data: st.DataObject, seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        estate, before = prepared(estate, Path(name), seed)
        after = estate.copy()
        for number in range(data.draw(st.integers(1, 3))):
            kind = data.draw(st.sampled_from(("warm", "cold", "job", "image", "rebuild")))
            new = data.draw(machines(100 + number, kind))
            if data.draw(st.booleans()):  # the twin of another, but for the signs that Kubernetes does not know
                twin = data.draw(st.sampled_from(estate.vms))
                new = {field: value for field, value in new.items() if field != "targetName" and field != "ports"}
                new |= {"name": twin["name"] + "." * (number + 1), "id": f"vm-{1100 + number}"}
                assume(kind != "rebuild" or new["application"]["kind"] == "Deployment")
            after.vms.append(new)
        templates = [vm for vm in estate.vms if vm.get("template")]
        if templates and data.draw(st.booleans()):
            after.vms.append(clone(data.draw(machines(110, "clone")), templates[0]))
        assert_frozen_files_stay(before, build(after, Path(name, "after"), assignments=before.assignments))


@given(estates(offload=False), st.data(), st.integers(0, 2**32))
@OFTEN
def test_a_disk_that_moved_to_another_datastore_changes_no_frozen_file(
    estate: Estate, data: st.DataObject, seed: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        estate, before = prepared(estate, Path(name), seed)
        after = estate.copy()
        for vm in after.vms:
            for disk in vm.get("disks", ()):
                if "datastore" in disk and "shared" not in disk:
                    disk["datastore"] = data.draw(st.sampled_from(tuple(DATASTORES)))
        assert_frozen_files_stay(before, build(after, Path(name, "after"), assignments=before.assignments))


@given(estates(offload=False), st.permutations(tuple(DATASTORES.values())), st.integers(0, 2**32))
@OFTEN
def test_a_datastore_that_is_mapped_otherwise_changes_no_frozen_file(
    estate: Estate, tiers: list[str], seed: int
) -> None:
    assume(not any("shared" in disk for vm in estate.vms for disk in vm.get("disks", ())) or tiers[0] == "gold")
    with tempfile.TemporaryDirectory() as name:
        estate, before = prepared(estate, Path(name), seed)
        after = estate.copy()
        for row, tier in zip(after.spec["storage"]["map"], tiers, strict=True):
            row["tier"] = tier
        assert_frozen_files_stay(before, build(after, Path(name, "after"), assignments=before.assignments))


@given(estates(), st.data(), st.integers(0, 2**32))
@OFTEN
def test_a_neighbour_that_is_dropped_changes_no_frozen_file(estate: Estate, data: st.DataObject, seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        estate, before = prepared(estate, Path(name), seed)
        assume(len(estate.vms) > 1)
        gone = data.draw(st.sampled_from(estate.vms))
        assume(not gone.get("template"))
        after = Estate(estate.spec, [dict(vm) for vm in estate.vms if vm is not gone])
        for vm in after.vms:
            vm.pop("dependsOn", None)
        key = f"vc1/{gone.get('id', gone['name'])}"
        frozen = {m.key for g in before.checked.resolution.blueprint.groups if g.frozen for m in g.machines}
        # while its group is at migrating, that is an error: tests/resolve/test_staying.py
        stages = {m.key: g.stage for g in before.checked.resolution.blueprint.groups for m in g.machines}
        assume(stages.get(key) != "migrating")
        if before.groups.get(key) not in set(before.groups.values()) - {before.groups.get(key)}:
            left = [other for other, group in before.groups.items() if group == before.groups.get(key) and other != key]
            assume(left or key in frozen or before.groups.get(key) is None)  # a group named in the spec has to exist
        output = build(after, Path(name, "after"), assignments=before.assignments)
    assert_frozen_files_stay(before, output)
    codes = {finding.code for finding in output.checked.findings if gone["name"] in finding.vms}
    assert (key in output.groups) == ("VMF410" in codes) == (key in frozen)
    if key in frozen:
        assert output.checked.resolution.assignments.vms[key] == before.checked.resolution.assignments.vms[key]


@given(estates(), st.integers(0, 2**32))
@OFTEN
def test_files_with_other_names_change_no_frozen_file(estate: Estate, seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        estate, before = prepared(estate, Path(name), seed)
        after = build(estate, Path(name, "after"), dice=random.Random(seed), assignments=before.assignments)
    assert_frozen_files_stay(before, after)
    assert after.files == before.files


@given(estates(), st.integers(0, 2**32))
@OFTEN
def test_what_is_new_for_conversions_changes_no_file_of_an_attempt_that_has_begun(estate: Estate, seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        estate, before = prepared(estate, Path(name), seed)
        after = estate.copy()
        after.spec["target"]["cluster"] |= {"v2vImage": "registry.example.com/v2v:next", "versions": {"cdi": "1.66"}}
        [source] = after.spec["sources"]
        source["vcenter"] |= {
            "url": "https://vc2.example.com/sdk",
            "thumbprint": ":".join(["0F"] * 20),
            "vddkImage": "registry.example.com/vddk:next",
            "conversionCredentials": {"secretRef": {"name": "another"}},
        }
        output = build(after, Path(name, "after"), assignments=before.assignments)
    begun = [
        f"bases/{group.phase}/{group.name}/"
        for group in before.checked.resolution.blueprint.groups
        if group.path == "virt-v2v" and group.stage in ("migrating", "cutover")
    ]
    for path, content in before.files.items():
        if path.startswith(tuple(begun)):
            assert output.files[path] == content, path
