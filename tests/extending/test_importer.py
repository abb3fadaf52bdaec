"""An importer is added by one module and one line: here one of a format that nobody has."""

from pathlib import Path

import pytest
from tests.extending.scratch import Scratch

TOY = '''"""The importer of toy files: a VM a line, NAME CPUS."""

from pathlib import Path

import click

from vmferry.importers.build import build
from vmferry.importers.errors import ImporterError
from vmferry.importers.protocol import Reading
from vmferry.model.facts import Cpu
from vmferry.model.inventory import Inventory, InventoryMetadata, Origin
from vmferry.model.spec import VirtualMachine


class Toy:
    help = "Read toy files."
    parameters = (
        click.Argument(["file"], type=click.Path(exists=True, path_type=Path)),
        click.Option(["--shout"], is_flag=True, help="Names in capitals."),
    )

    def read(self, request, /, *, file, shout):
        vms = []
        for number, line in enumerate(file.read_text().splitlines(), 1):
            name, _, cpus = line.partition(" ")
            if not cpus.isdigit():
                raise ImporterError(f"{file}: line {number} has no number of CPUs")
            where = f"{file}: line {number} ({name})"
            cpu = build(Cpu, where, count=int(cpus))
            vms.append(build(VirtualMachine, where, name=name.upper() if shout else name, cpu=cpu))
        source = build(Origin, file, name="toy", kind="toy", by=request.by)
        metadata = InventoryMetadata(name="toy")
        return Reading((build(Inventory, file, metadata=metadata, source=source, vms=tuple(vms)),))


IMPORTER = Toy()
'''
LINE = '    "toy": ("vmferry.importers.toy", "Read toy files."),'


@pytest.fixture
def extended(tmp_path: Path) -> Scratch:
    scratch = Scratch(tmp_path / "copy")
    scratch.add("importers/toy.py", TOY)
    scratch.register("importers/__init__.py", LINE, after="= {")
    return scratch


def test_an_importer_takes_one_file_and_one_line(extended: Scratch) -> None:
    assert extended.added() == (["importers/toy.py"], {"importers/__init__.py": [f"+ {LINE}"]})


def test_it_has_a_command_with_its_own_options_and_those_of_every_importer(extended: Scratch) -> None:
    assert "toy      Read toy files." in extended.vmferry("import", "--help").out
    text = extended.vmferry("import", "toy", "--help").out
    for option in ("--out", "--shout", "--notes", "--attribute"):
        assert option in text


def test_what_it_reads_is_written_and_can_be_drafted_from(extended: Scratch, tmp_path: Path) -> None:
    (tmp_path / "estate.toy").write_text("web-01 4\ndb-01 8\n")
    result = extended.vmferry("import", "toy", tmp_path / "estate.toy", "--shout", "--out", tmp_path / "inventory")
    assert result.out.startswith("toy: 2 VMs"), result.text
    drafted = extended.vmferry("init", "--from", tmp_path / "inventory", "--out", tmp_path / "draft")
    assert drafted.out.startswith("2 VMs to move"), drafted.text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("web-01 many", "line 1 has no number of CPUs"),
        ("web-01 4000", "line 1 (web-01): count: expected `int` <= 1024, found '4000'"),
    ],
)
def test_what_it_cannot_read_ends_with_1_and_writes_nothing(
    line: str, said: str, extended: Scratch, tmp_path: Path
) -> None:
    (tmp_path / "estate.toy").write_text(line)
    result = extended.vmferry("import", "toy", tmp_path / "estate.toy", "--out", tmp_path / "inventory")
    assert (result.code, result.out) == (1, "")
    assert said in result.err
    assert not (tmp_path / "inventory").exists()


def test_no_importer_is_imported_to_list_them(extended: Scratch) -> None:
    extended.register("importers/toy.py", 'raise RuntimeError("imported")', after='a VM a line, NAME CPUS."""')
    assert extended.vmferry("import", "--help").code == 0
    assert "imported" in extended.vmferry("import", "toy", "--help").err
