"""`vmferry diff`: drift of vCenter against the spec's inventory."""

from pathlib import Path

from tests.invocation import vmferry
from tests.load.test_inventory import INVENTORY, project


def today(folder: Path, text: str) -> str:
    folder.mkdir()
    (folder / "c1.yaml").write_text(text)
    return str(folder)


def test_nothing_changed(tmp_path: Path) -> None:
    spec = project(tmp_path)
    result = vmferry("diff", str(spec), "--inventory", today(tmp_path / "today", INVENTORY))
    assert (result.code, result.out) == (0, "")
    assert "0 changes" in result.err


def test_a_change_that_blocks_gives_exit_code_1_and_can_be_read_by_programs(tmp_path: Path) -> None:
    spec = project(tmp_path)
    assert vmferry("compile", str(spec), "--out", str(tmp_path / "out")).code == 0
    text = (spec / "spec.yaml").read_text()
    (spec / "spec.yaml").write_text(text.replace("assign:", "groups: {first-01: {stage: prepared}}\nassign:"))
    assert vmferry("compile", str(spec), "--out", str(tmp_path / "out")).code == 0
    moved = today(tmp_path / "today", INVENTORY.replace("datastore: ds1", "datastore: ds2", 1))
    result = vmferry("diff", str(spec), "--inventory", moved)
    assert result.code == 1
    assert "blocks   web-01 [first-01, prepared]: disk 1 moved from ds1 to ds2" in result.out
    [change] = vmferry("diff", str(spec), "--inventory", moved, "--format", "json").data
    assert (change["vm"], change["verdict"]) == ("web-01", "blocks")
    assert vmferry("diff", str(spec), "--inventory", moved, "--only", "harmless").out == ""


def test_a_vcenter_of_the_spec_that_is_not_in_the_new_inventory_is_said_to_be_left_out(tmp_path: Path) -> None:
    spec = project(tmp_path)
    result = vmferry("diff", str(spec), "--inventory", today(tmp_path / "today", INVENTORY.replace("vc1", "fra")))
    assert result.code == 0
    assert "decision vcenter fra: new vCenter with 2 VMs" in result.out
    assert "not compared: vc1" in result.err


def test_a_file_that_cannot_be_read_is_reported_in_the_format_asked_for(tmp_path: Path) -> None:
    spec = project(tmp_path)
    (tmp_path / "broken.yaml").write_text("a: [")
    result = vmferry("diff", str(spec), "--inventory", str(tmp_path / "broken.yaml"), "--format", "json")
    assert (result.code, result.data["findings"][0]["code"]) == (1, "VMF001")
    assert vmferry("diff", str(spec), "--inventory", str(tmp_path / "none")).code == 2


def test_a_file_that_is_no_inventory_is_refused(tmp_path: Path) -> None:
    spec = project(tmp_path)
    result = vmferry("diff", str(spec), "--inventory", str(spec / "spec.yaml"))
    assert result.code == 1
    assert "VMF011" in result.out
