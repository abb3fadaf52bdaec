import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmferry.importers.errors import ImporterError
from vmferry.importers.inventory_files import split, write
from vmferry.model.facts import Cpu, Disk, Nic
from vmferry.model.inventory import Inventory, InventoryMetadata, InventoryNetwork, Origin, Unjoined
from vmferry.model.spec import VirtualMachine
from vmferry.yaml.read import read
from vmferry.yaml.write import dump


def inventory(*vms: VirtualMachine, taken: str = "2027-01-01T00:00:00Z", name: str = "vc1") -> Inventory:
    return Inventory(
        metadata=InventoryMetadata(name=name),
        source=Origin(name=name, kind="rvtools", taken=taken, by="vmferry 1"),
        vms=vms,
        networks=(InventoryNetwork(name="web"),),
    )


def machine(name: str, cluster: str | None = "Prod", **facts: object) -> VirtualMachine:
    return VirtualMachine(name=name, cluster=cluster, **facts)  # type: ignore[arg-type]


def tree(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def restore(out: Path) -> Inventory:
    parts = []
    for path in sorted(out.rglob("*.yaml")):
        [document] = read(path.read_bytes(), path.name)
        parts.append(msgspec.convert(document.data, Inventory, strict=True))
    [whole] = [part for part in parts if part.source.by is not None]
    vms = sorted((vm for part in parts for vm in part.vms), key=lambda vm: (vm.name, vm.id or "", vm.cluster or ""))
    return msgspec.structs.replace(whole, vms=tuple(vms))


def test_vms_are_split_by_cluster_and_sorted(tmp_path: Path) -> None:
    write(split(inventory(machine("b"), machine("a"), machine("c", "Dev"), machine("d", None))), tmp_path, dump)
    assert sorted(tree(tmp_path)) == [
        "vc1/dev.yaml",
        "vc1/no-cluster.yaml",
        "vc1/prod.yaml",
        "vc1/surroundings.yaml",
    ]
    assert (tmp_path / "vc1/prod.yaml").read_text().index("name: a") < (tmp_path / "vc1/prod.yaml").read_text().index(
        "name: b"
    )


def test_clusters_that_would_share_a_file_name_get_a_digest() -> None:
    names = split(
        inventory(machine("a", "Prod 1"), machine("b", "prod-1"), machine("c", "surroundings"), machine("d", "…"))
    )
    assert len(names) == 5
    assert len({name.lower() for name in names}) == 5
    assert all("/" not in name.removeprefix("vc1/") for name in names)


def test_a_second_import_of_the_same_changes_nothing(tmp_path: Path) -> None:
    assert len(write(split(inventory(machine("a"))), tmp_path, dump)) == 2
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.yaml")}
    assert write(split(inventory(machine("a"), taken="2028-01-01T00:00:00Z")), tmp_path, dump) == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.yaml")} == before


def test_only_the_file_of_the_cluster_that_changed_is_written(tmp_path: Path) -> None:
    write(split(inventory(machine("a"), machine("b", "Dev"))), tmp_path, dump)
    changed = write(split(inventory(machine("a", memory="2Gi"), machine("b", "Dev"))), tmp_path, dump)
    assert changed == [tmp_path / "vc1/prod.yaml"]


def test_a_file_of_a_cluster_that_vanished_is_removed_and_nothing_else(tmp_path: Path) -> None:
    write(split(inventory(machine("a"), machine("b", "Dev"))), tmp_path, dump)
    write(split(inventory(machine("z"), name="vc2")), tmp_path, dump)
    (tmp_path / "vc1/notes.yaml").write_text("mine: true\n")
    assert write(split(inventory(machine("a"))), tmp_path, dump) == [tmp_path / "vc1/dev.yaml"]
    assert sorted(tree(tmp_path)) == [
        "vc1/notes.yaml",
        "vc1/prod.yaml",
        "vc1/surroundings.yaml",
        "vc2/prod.yaml",
        "vc2/surroundings.yaml",
    ]


def test_a_file_that_no_import_wrote_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "vc1").mkdir()
    (tmp_path / "vc1/prod.yaml").write_text("mine: true\n")
    with pytest.raises(ImporterError, match=r"prod\.yaml"):
        write(split(inventory(machine("a"))), tmp_path, dump)
    assert tree(tmp_path) == {"vc1/prod.yaml": b"mine: true\n"}


def test_a_link_that_leads_out_of_the_directory_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/vc1").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ImporterError):
        write(split(inventory(machine("a"))), tmp_path / "out", dump)
    assert tree(tmp_path / "elsewhere") == {}


def test_a_failed_write_leaves_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write(split(inventory(machine("a"))), tmp_path, dump)
    assert tree(tmp_path) == {}


def test_a_very_large_cluster_is_split_so_that_a_new_vm_changes_one_file(tmp_path: Path) -> None:
    vms = [machine(f"vm-{number}", id=f"vm-{number}") for number in range(4001)]
    files = split(inventory(*vms))
    assert len(files) == 17
    more = split(inventory(*vms, machine("new", id="vm-new")))
    assert sum(files[name] != more[name] for name in files) == 1


text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
hostile = st.one_of(
    text,
    st.sampled_from(
        (
            *("../../etc/passwd", "a\nb: c", "\x1b[31mred", "- x", "{a: b}", "null", "1e3", "0x1F", "on", "vm ${X}"),
            *("💾" * 50, "\u202egnp.exe", "a" * 300, "'", '"', "#", "a: b", "---", "  lead", "trail  ", "\t", "\ufeff"),
        )
    ),
)
size = st.integers(1, 2**40).map(str)
disks = st.builds(Disk, size=size, file=hostile, datastore=hostile, thin=st.none() | st.booleans())
nics = st.builds(Nic, network=hostile, connected=st.booleans(), addresses=st.just(()) | st.just(("10.0.0.1",)))
vms = st.builds(
    VirtualMachine,
    name=hostile,
    id=hostile,
    cluster=st.none() | hostile,
    datacenter=st.none() | hostile,
    folder=st.none() | hostile,
    annotation=st.none() | hostile,
    custom_attributes=st.dictionaries(hostile, hostile, max_size=3),
    cpu=st.none() | st.builds(Cpu, count=st.integers(1, 64)),
    disks=st.none() | st.lists(disks, max_size=3).map(tuple),
    nics=st.none() | st.lists(nics, max_size=3).map(tuple),
    template=st.none() | st.booleans(),
)
unjoined = st.builds(Unjoined, tab=text, row=st.integers(1, 10**6), vm=hostile, reason=hostile)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(vms, max_size=6, unique_by=lambda vm: vm.id),
    st.lists(unjoined, max_size=3),
    st.lists(st.builds(InventoryNetwork, name=hostile, vlan=st.none() | st.integers(1, 4094)), max_size=3),
)
def test_what_is_written_is_read_back_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    machines: list[VirtualMachine],
    rows: list[Unjoined],
    networks: list[InventoryNetwork],
) -> None:
    out = tmp_path_factory.mktemp("inventory")
    whole = Inventory(
        metadata=InventoryMetadata(name="vc1"),
        source=Origin(name="vc1", kind="rvtools", by="vmferry"),
        vms=tuple(sorted(machines, key=lambda vm: (vm.name, vm.id or "", vm.cluster or ""))),
        unjoined=tuple(rows),
        networks=tuple(networks),
    )
    write(split(whole), out, dump)
    assert restore(out) == whole
    assert write(split(whole), out, dump) == []


def test_files_of_a_cluster_with_a_long_odd_name_are_known_again(tmp_path: Path) -> None:
    for name in ("💾" * 1000, "\U000e0041" * 1000):
        assert write(split(inventory(machine("a", name))), tmp_path, dump)
        assert write(split(inventory(machine("a", name))), tmp_path, dump) == []


def test_another_vcenter_of_the_same_name_replaces_nothing(tmp_path: Path) -> None:
    def of(uuid: str) -> Inventory:
        whole = inventory(machine("a"))
        return msgspec.structs.replace(whole, source=msgspec.structs.replace(whole.source, instance_uuid=uuid))

    write(split(of("5f1e8a34-0000-4000-8000-000000000001")), tmp_path, dump)
    before = tree(tmp_path)
    with pytest.raises(ImporterError, match="another vCenter"):
        write(split(of("5f1e8a34-0000-4000-8000-000000000002")), tmp_path, dump)
    assert tree(tmp_path) == before


def test_parts_of_a_large_cluster_never_meet_the_file_of_another() -> None:
    vms = [machine(f"vm-{number}", id=f"vm-{number}") for number in range(4001)]
    small = [machine(f"small-{digit}", f"prod.{digit}") for digit in "0123456789abcdef"]
    files = split(inventory(*vms, *small))
    assert sum(len(part.vms) for part in files.values()) == 4017


@pytest.mark.parametrize("name", ["CON", "nul", "com1", "LPT9", "aux.old"])
def test_no_file_has_a_name_that_windows_keeps_for_devices(name: str) -> None:
    stems = [Path(path).name.partition(".")[0] for path in split(inventory(machine("a", name)))]
    assert name.lower().partition(".")[0] not in stems


def test_one_vcenter_is_not_written_under_two_names(tmp_path: Path) -> None:
    def called(name: str) -> dict[str, Inventory]:
        whole = inventory(machine("a"), name=name)
        uuid = "5f1e8a34-0000-4000-8000-000000000001"
        return split(msgspec.structs.replace(whole, source=msgspec.structs.replace(whole.source, instance_uuid=uuid)))

    write(called("vc1-berlin"), tmp_path, dump)
    before = tree(tmp_path)
    with pytest.raises(ImporterError, match="--source vc1-berlin"):
        write(called("vc1"), tmp_path, dump)
    assert tree(tmp_path) == before
