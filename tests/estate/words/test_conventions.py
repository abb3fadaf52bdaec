"""Tests of what is learned from the names of an estate, and of what is not."""

from typing import Any

from tests.importers.estates import vm

from vmferry.draft.systems import environment, kind, learn
from vmferry.estate.words.conventions import Conventions
from vmferry.estate.words.environments import is_environment, said
from vmferry.model.spec import VirtualMachine


def vms(*names: str, **fields: Any) -> list[VirtualMachine]:
    return [vm(number, name, **({"folder": None} | fields)) for number, name in enumerate(names)]


def numbered(*stems: str, upto: int = 4) -> list[str]:
    return [f"{stem}{number:02d}" for stem in stems for number in range(1, upto)]


def value(name: str, learned: Conventions) -> str:
    return environment(vm(0, name, folder=None), learned).value


def test_a_letter_that_differs_where_folders_differ_is_the_environment() -> None:
    known = [
        *vms(*numbered("XAZUP", "XBZUP", "XCZUP"), folder="/Produktion"),
        *vms(*numbered("XAZUT", "XBZUT", "XCZUT"), folder="/Entwicklung"),
    ]
    learned = learn([*known, *vms("XDZUP01", "XDZUT01")])
    assert value("XDZUT09", learned) == "dev-test"
    assert value("XDZUP09", learned) == "prod"
    assert "18 VMs" in environment(vm(0, "XDZUT09", folder=None), learned).why


def test_names_in_pairs_show_the_place_of_the_environment_without_any_folder() -> None:
    learned = learn(vms(*numbered("kelp", "kelt", "kelq", "fonp", "font", "barp", "bart", "bard")))
    assert value("kelt07", learned) == "dev-test"
    assert value("fonp07", learned) == "prod"


def test_letters_that_no_names_share_are_no_environment() -> None:
    learned = learn(vms(*numbered("help", "melt", "ramp", "wind", "crop", "salt", "loop", "told")))
    assert value("salt07", learned) == ""


def test_pairs_that_folders_contradict_are_no_environment() -> None:
    names = numbered("kelp", "kelt", "fonp", "font", "barp", "bart")
    learned = learn(vms(*names, folder="/Produktion"))
    assert value("kelt07", learned) == ""


def test_a_few_names_teach_nothing() -> None:
    assert value("kelt07", learn(vms("kelp01", "kelt01", "fonp01", "font01"))) == ""


def test_a_code_stands_for_what_notes_say_of_other_vms_with_it() -> None:
    learned = learn([*vms("lyo-quf-1", "lyo-quf-2", noted=("postgresql",)), *vms("dij-quf-1", "lyo-zab-1")])
    assert kind(vm(0, "dij-quf-1", folder=None), learned).value == "database"
    assert "2 VMs" in kind(vm(0, "dij-quf-1", folder=None), learned).why
    assert kind(vm(0, "dij-zab-1", folder=None), learned).value == ""


def test_a_code_of_vms_that_differ_stands_for_nothing() -> None:
    some = vms("lyo-quf-1", "lyo-quf-2", noted=("postgresql",)) + vms("lyo-quf-3", "lyo-quf-4", noted=("nginx",))
    assert kind(vm(0, "dij-quf-1", folder=None), learn(some)).value == ""


def test_a_name_says_more_than_the_cluster_which_carries_everything() -> None:
    found = said(vm(1, "test-01", folder=None, cluster="PROD-01"))
    assert found is not None
    assert found.dev


def test_production_behind_a_no_is_no_production() -> None:
    for folder in ("/NonProd/CI", "/Hors production", "/Vor-Produktion"):
        found = said(vm(1, "x1", folder=folder))
        assert found is not None, folder
        assert found.dev, folder


def test_only_whole_words_for_environments_pass_for_a_harmless_value() -> None:
    assert is_environment("Vorproduktion")
    assert is_environment("non-prod")
    assert not any(map(is_environment, ("Test1234", "Testgeheim", "prod.secret", "t", "")))
