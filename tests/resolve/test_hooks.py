"""Hooks and scripts: what Forklift would refuse or pass over."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.resolve.projects import Data, codes, defaults, finding, project, resolved, vm

from vmferry.estate.resolution import Resolution
from vmferry.resolve.blueprint import resolve

COLD = defaults(path="forklift", method="cold", hooks=[{"name": "drain", "step": "PreHook"}])
SCRIPTED = defaults(path="forklift", method="cold", forklift={"scripts": "agent"})


def hooked(**fields: Any) -> Resolution:
    return resolved(vm("a"), defaults=COLD, hooks=[{"name": "drain", **fields}])


def scripted(scripts: Data, **files: bytes) -> Resolution:
    made = project(vm("a"), defaults=SCRIPTED, scripts=[{"name": "agent", **scripts}])
    attachments = {name: files.get(name.partition("_")[0], b"exit 0\n") for name in scripts.get("files", ())}
    return resolve(replace(made, attachments=attachments))


def test_a_hook_without_an_image_gets_the_hook_runner() -> None:
    [hook] = hooked().blueprint.hooks
    assert hook.image == "quay.io/konveyor/hook-runner:latest"


def test_a_hook_that_starts_an_aap_job_has_no_image() -> None:
    aap = {"jobTemplateId": 7, "url": "https://aap.example.com", "tokenSecret": "aap", "timeout": "1h"}
    found = hooked(aap=aap)
    [hook] = found.blueprint.hooks
    assert (hook.image, hook.aap_timeout) == (None, 3600)
    assert "VMF116" not in codes(found)


def test_an_aap_hook_may_use_the_operators_own_connection() -> None:
    assert "VMF116" not in codes(hooked(aap={"jobTemplateId": 7}))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"image": "registry.example.com/hook:1"}, "also has image"),
        ({"serviceAccount": "runner"}, "also has serviceAccount"),
    ],
)
def test_a_hook_is_an_aap_job_or_runs_in_the_cluster(fields: Data, words: str) -> None:
    assert words in finding(hooked(aap={"jobTemplateId": 7}, **fields), "VMF116").message


@pytest.mark.parametrize("half", [{"url": "https://aap.example.com"}, {"tokenSecret": "aap"}])
def test_half_a_connection_to_aap_is_an_error(half: Data) -> None:
    assert "only work together" in finding(hooked(aap={"jobTemplateId": 7, **half}), "VMF116").message


def test_scripts_keep_their_names_as_keys() -> None:
    found = scripted({"files": ["scripts/10_linux_run_agent.sh", "20_win_firstboot_agent.ps1"]})
    [scripts] = found.blueprint.scripts
    assert scripts.scripts is not None
    assert sorted(scripts.scripts) == ["10_linux_run_agent.sh", "20_win_firstboot_agent.ps1"]
    assert (scripts.config_map, scripts.namespace) == ("acme-scripts-agent", "konveyor-forklift")


def test_an_existing_config_map_is_looked_for_beside_forklift() -> None:
    [scripts] = scripted({"configMap": {"name": "guests"}}).blueprint.scripts
    assert (scripts.config_map, scripts.namespace, scripts.scripts) == ("guests", "konveyor-forklift", None)


@pytest.mark.parametrize(
    "name", ["agent.sh", "10_linux_agent.sh", "10_win_run_agent.ps1", "x10_linux_run.sh", "10_linux_run_a b.sh"]
)
def test_a_name_that_no_conversion_looks_for_is_an_error(name: str) -> None:
    assert name in finding(scripted({"files": [name]}), "VMF760").message


@pytest.mark.parametrize("name", ["10_linux_run.sh", "1_linux_firstboot_a-b.sh", "001_win_firstboot_x.ps1"])
def test_a_name_that_a_conversion_looks_for_is_fine(name: str) -> None:
    assert codes(scripted({"files": [name]})) == codes(
        resolved(vm("a"), defaults=defaults(path="forklift", method="cold"))
    )


def test_two_scripts_of_one_name_are_an_error() -> None:
    found = scripted({"files": ["a/10_linux_run_x.sh", "b/10_linux_run_x.sh"]})
    assert "two files" in finding(found, "VMF101").message


def test_more_than_a_config_map_holds_is_an_error() -> None:
    found = scripted({"files": ["10_linux_run_x.sh"]}, **{"10": b"#" * (1 << 20) + b"\n"})
    assert "1048577 bytes" in finding(found, "VMF760").message


def test_a_script_that_is_no_text_is_an_error() -> None:
    assert "UTF-8" in finding(scripted({"files": ["10_linux_run_x.sh"]}, **{"10": b"\xff"}), "VMF007").message


@pytest.mark.parametrize("both", [{}, {"files": ["10_linux_run_x.sh"], "configMap": {"name": "guests"}}])
def test_scripts_are_files_or_a_config_map(both: Data) -> None:
    assert "exactly one" in finding(scripted(both), "VMF116").message


def test_scripts_that_are_not_defined_are_an_error() -> None:
    found = resolved(vm("a"), defaults=SCRIPTED)
    assert "scripts agent, which are not defined" in finding(found, "VMF102").message
