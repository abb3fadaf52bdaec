"""Tests of what names, places, guests and disks are taken for."""

from typing import Any

import pytest
from tests.importers.estates import disk, vm

from vmferry.draft.guesses import container_hint, guess, leave, leftover, tier
from vmferry.draft.systems import kind
from vmferry.estate.words.environments import words
from vmferry.model.facts import GuestDisk


@pytest.mark.parametrize(
    ("name", "fields", "phase"),
    [
        ("web-dev-01", {}, "dev-test"),
        ("db01", {"folder": "/Test/DB"}, "dev-test"),
        ("db01", {"folder": "/Prod/Test Tools/DB"}, "dev-test"),  # the deepest folder says most
        ("test-01", {"folder": "/Prod"}, None),  # the folder is plainer than the name
        ("latest-01", {}, None),  # a word, not a part of one
        ("x1", {"tags": ("Environment/QA",), "folder": "/Prod"}, "dev-test"),
        ("x1", {"custom_attributes": {"Env": "Development"}}, "dev-test"),
        ("x1", {"custom_attributes": {"Owner": "Development"}}, None),
        ("x1", {"custom_attributes": {"Klasse": "TEST"}}, "dev-test"),
        ("x1", {"custom_attributes": {"Klasse": "test bench of Gail"}}, None),
        ("x1", {"custom_attributes": {"Env": "INT"}}, "dev-test"),
        ("x1", {"folder": "/Recette"}, "dev-test"),
        ("x1", {"folder": "/Entwicklung/Web"}, "dev-test"),
        ("ns1-int", {}, None),  # internal
        ("x-integration", {}, "dev-test"),
        ("wqtestdev01", {}, "dev-test"),
        ("ERPQA2", {}, "dev-test"),
        ("PORTABJSTEST01b", {}, "dev-test"),
        ("xmdmuat", {}, "dev-test"),
        ("contest", {}, None),
        ("contest-portal", {}, None),
        ("x1", {"resource_pool": "Dev/Web", "folder": None}, "dev-test"),
        ("PRODSQL2019", {}, "stateful"),
        ("oradb-1", {}, "stateful"),
        ("WebServer01", {}, "stateless"),
        ("web-db-01", {}, "stateful"),
        ("dc1-web-01", {"os": "windows"}, "stateless"),
        ("dc1", {"os": "windows"}, "stateful"),
        ("dc1-x", {"os": "linux"}, None),
        ("web-01", {"disks": (disk(), disk("200Gi"))}, "stateful"),
        ("web-01", {"disks": (disk("2Ti"),)}, "stateful"),
        ("web-01", {"guest_disks": (GuestDisk(path="/var/lib/mysql"),)}, "stateful"),
        ("web-01", {"disks": (disk(rdm="virtual"),)}, "stateful"),
        ("veeam-proxy", {}, "management"),
        ("n1", {"guest_name": "Red Hat CoreOS"}, "stateless"),
        ("n1", {"guest_tools_name": "Microsoft Windows 11 (64-bit)"}, "stateful"),
        ("n1", {}, None),
    ],
)
def test_phase_is_guessed(name: str, fields: dict[str, Any], phase: str | None) -> None:
    found = guess(vm(1, name, **({"folder": None} | fields)))
    assert (found.phase if found else None) == phase
    assert found is None or found.why


@pytest.mark.parametrize(
    ("name", "fields", "disposition"),
    [
        ("vCLS-0f1e", {}, "exclude"),
        ("vCLS (3)", {}, "exclude"),
        ("vclsserver", {}, None),
        ("vcsa01", {}, "retain"),
        ("dc1_vcenter_01", {}, "retain"),
        ("vcenter-docs", {}, "retain"),
        ("invcenters", {}, None),
        ("ariane-01", {}, None),
        ("aria-ops-1", {}, "retain"),
        ("nsx-manager-2", {}, "retain"),
        ("nsxmgr01", {}, "retain"),
        ("nsx-edge-01", {}, "retain"),
        ("x", {"annotation": "VMware vCenter Server Appliance"}, "retain"),
        ("x", {"srm_placeholder": True}, "exclude"),
        ("x", {"managed_by": "com.vmware.vim.eam (vsphere)"}, "exclude"),
        ("x", {"connection_state": "orphaned"}, "retain"),
        ("x", {"disks": ()}, "retain"),
        ("x", {"guest_disks": tuple(GuestDisk(path=f"/storage/{part}") for part in ("db", "seat", "dblog"))}, "retain"),
        ("portpsc1", {"folder": "/Management"}, "retain"),
        ("portsrm17-S", {"cluster": "Mgmt"}, "retain"),
        ("x", {"noted": ("media agent",)}, "retain"),
        ("veeam-01", {}, "retain"),
        ("x", {"disks": None}, None),
        ("web-01", {}, None),
    ],
)
def test_vms_to_leave_out(name: str, fields: dict[str, Any], disposition: str | None) -> None:
    found = leave(vm(1, name, **fields))
    assert (found.disposition if found else None) == disposition
    assert found is None or len(found.reason) > 10


def test_rebuild_needs_every_piece_of_evidence() -> None:
    assert "'nginx'" in (container_hint(vm(1, "nginx-01")) or "")
    assert container_hint(vm(1, "x-01")) is None
    assert container_hint(vm(1, "nginx-01", os="windows")) is None
    assert container_hint(vm(1, "nginx-01", disks=(disk(), disk()))) is None
    assert container_hint(vm(1, "nginx-01", disks=(disk("300Gi"),))) is None
    assert container_hint(vm(1, "nginx-01", template=True)) is None


def test_tier_goes_by_the_name_then_by_the_kind() -> None:
    assert tier("DS-SSD-01", "NFS") == ("gold", "'ssd' in the name")
    assert tier("ds7", "vsan") == ("gold", "it is vSAN")
    assert tier("backup_7", "VMFS")[0] == "bronze"
    assert tier("ds7", None) == ("silver", "its purpose is unknown")


def test_words_of_a_name() -> None:
    assert words("WebServer01-dev_2") == ("web", "server01", "dev", "2", "server")


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("upsc1", {"folder": "/Web"}),  # the letters, and no place of management
        ("vcarpool-web01", {"folder": "/Management"}),
        ("x", {"guest_disks": (GuestDisk(path="/storage/db"),)}),
        ("x", {"noted": ("nginx", "vmware")}),
    ],
)
def test_what_serves_nothing_of_vsphere_moves(name: str, fields: dict[str, Any]) -> None:
    assert leave(vm(1, name, **fields)) is None


@pytest.mark.parametrize(
    ("name", "fields", "why"),
    [
        ("web-01_old", {}, "'old' in the name"),
        ("SQLT09-RIP", {}, "'RIP' in the name"),
        ("zz_decom_20260315_web", {}, "'decom' in the name"),
        ("web-01", {"folder": "/Stillgelegt"}, "'Stillgelegt' in the folder"),
        ("web-01", {"noted": ("à supprimer",)}, "'à supprimer' in the notes"),
    ],
)
def test_what_is_off_and_said_to_go_is_proposed_for_retirement(name: str, fields: dict[str, Any], why: str) -> None:
    assert why in (leftover(vm(1, name, power_state="poweredOff", **fields)) or "")
    assert leftover(vm(1, name, power_state="poweredOn", **fields)) is None


@pytest.mark.parametrize("name", ["gold-01", "holder", "scripts-01", "COPY OF web-01", "altona-web01"])
def test_names_with_these_letters_are_no_leftovers(name: str) -> None:
    assert leftover(vm(1, name, power_state="poweredOff")) is None


def test_notes_are_evidence_for_rebuilding() -> None:
    assert "'tomcat' in the notes" in (container_hint(vm(1, "x-01", noted=("tomcat",))) or "")
    assert container_hint(vm(1, "x-01", noted=("jenkins",))) is None


@pytest.mark.parametrize(
    ("name", "fields", "value"),
    [
        ("x", {"noted": ("jenkins",)}, "stateful"),
        ("x", {"noted": ("domain controller",)}, "infrastructure"),
        ("x", {"noted": ("postgresql",)}, "database"),
        ("x", {"guest_disks": (GuestDisk(path="/var/lib/pgsql"),)}, "database"),
        ("web-01", {"disks": (disk(), disk())}, "stateless"),  # the name says what it is, the disks how it moves
        ("x", {"folder": "/Production/Datenbanken"}, "database"),
        ("x", {"folder": None, "disks": (disk(), disk())}, "stateful"),
        ("vcsa01", {}, "appliance"),
        ("x", {"folder": None}, ""),
    ],
)
def test_a_kind_is_told_by_the_plainest_evidence(name: str, fields: dict[str, Any], value: str) -> None:
    found = kind(vm(1, name, **fields))
    assert found.value == value
    assert bool(found.why) is bool(value)
