"""Tests of the text report over many VMs: what is alike is said once, with the count, and nothing else is merged."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.cli.test_check import SPEC
from tests.invocation import Result, vmferry


def entry(name: str, path: str = "forklift", power: str = "powerState: poweredOn, ", **more: str) -> str:
    """Return a VM that has everything but what is left out."""
    fields = "".join(f"{key}: {value}, " for key, value in more.items())
    return f"  - {{name: {name}, os: linux, {power}{fields}disks: [{{size: 1Gi, datastore: ds1}}], nics: []}}\n"


def unpowered(names: Iterable[str]) -> str:
    """Return VMs of which nobody knows whether they run: VMF108."""
    return "".join(entry(name, power="") for name in names)


def check(vms: str, *options: str) -> Result:
    return vmferry("check", "-", "--select", "VMF108", *options, stdin=f"{SPEC}vms:\n{vms}".encode())


def test_a_finding_of_412_vms_is_one_with_the_count_and_the_first_names() -> None:
    result = check(unpowered(f"web-{number:03d}" for number in range(412)))
    heads = [line for line in result.out.splitlines() if "[VMF108]" in line]
    assert len(heads) == 1
    names = "web-000, web-001, web-002, web-003, web-004, …"
    assert heads[0].endswith(f"error[VMF108] 412 VMs: whether it runs is unknown ({names})")
    assert result.out.count("= help:") == 1
    assert "more VMF108" not in result.out
    assert result.err.startswith("412 errors; ")


def test_all_lists_every_vm() -> None:
    result = check(unpowered(f"web-{number:03d}" for number in range(412)), "--all")
    assert result.out.count("error[VMF108] VM web-") == 412
    assert "412 VMs" not in result.out


@pytest.mark.parametrize("style", ["json", "sarif", "github", "gitlab", "junit"])
def test_programs_get_every_finding(style: str) -> None:
    result = check(unpowered(f"web-{number:03d}" for number in range(412)), "--format", style)
    assert all(result.out.count(f"VM web-{number:03d}: whether it runs") >= 1 for number in range(412))


def test_the_place_and_the_line_are_those_of_the_first() -> None:
    lines = SPEC.count("\n") + 2
    result = check(unpowered(["zebra", "ant"]))
    assert result.out.startswith(f"<stdin>:{lines}:")
    assert f"  {lines} |   - {{name: zebra, os" in result.out
    assert "2 VMs: whether it runs is unknown (ant, zebra)" in result.out


def test_two_are_named_without_an_ellipsis_and_one_is_not_counted() -> None:
    assert "2 VMs: whether it runs is unknown (a, b)\n" in check(unpowered("ab")).out
    assert "(a, b, c, d, e)\n" in check(unpowered("abcde")).out
    assert "(a, b, c, d, e, …)\n" in check(unpowered("abcdef")).out
    assert "VM a: whether it runs is unknown\n" in check(unpowered("a")).out


def test_a_vm_counts_in_each_group_it_is_in() -> None:
    bare = "".join(f"  - {{name: {name}, os: linux, disks: [{{size: 1Gi, datastore: ds1}}]}}\n" for name in "ab")
    out = check(bare + unpowered("cd")).out
    assert "4 VMs: whether it runs is unknown (a, b, c, d)" in out
    assert "2 VMs: the list of its NICs is unknown (a, b)" in out


def test_messages_with_different_values_are_not_merged() -> None:
    networks = "".join(
        f"  - {{name: {name}, os: linux, powerState: poweredOn, disks: [], nics: [{{network: {network}}}]}}\n"
        for name, network in (("a", "dmz"), ("b", "dmz"), ("c", "lab"))
    )
    macs = "".join(
        f"  - {{name: m{name}, os: linux, powerState: poweredOn, disks: [], "
        f"nics: [{{network: lan, mac: '01:50:56:9a:10:0{name}'}}]}}\n"
        for name in "123"
    )
    text = f"{SPEC}vms:\n{networks}{macs}".encode()
    out = vmferry("check", "-", stdin=text).out
    assert "'dmz'" in out
    assert "'lab'" in out
    for name in "123":
        assert f"01:50:56:9a:10:0{name}" in out.lower()
    assert out.count("error[VMF205]") == 3


def test_two_findings_of_one_vm_are_not_two_vms() -> None:
    nics = "[{network: lan, mac: '00:50:56:9a:10:01'}, {network: lan, mac: '00:50:56:9a:10:01'}]"
    text = f"{SPEC}vms:\n  - {{name: a, os: linux, powerState: poweredOn, disks: [], nics: {nics}}}\n"
    assert "2 VMs" not in vmferry("check", "-", stdin=text.encode()).out


@pytest.mark.parametrize("name", ["b: c", "VM b", "b (x, y)", "412 VMs", "b'c"])
def test_names_that_look_like_a_message_are_grouped_like_others(name: str) -> None:
    result = check(unpowered(["a", f'"{name}"']))
    assert f"2 VMs: whether it runs is unknown ({', '.join(sorted(['a', name]))})" in result.out


def test_severities_of_one_rule_are_not_merged_and_errors_stay_first(tmp_path: Path) -> None:
    text = f"{SPEC}assign: [{{match: {{name: x}}, set: {{phase: first}}}}]\nvms:\n{unpowered('ab')}"
    result = vmferry("check", "-", stdin=text.encode())
    heads = [line.partition("[")[0].rpartition(" ")[2] for line in result.out.splitlines() if "[VMF" in line]
    assert heads == sorted(heads, key=["error", "warning", "info"].index)
    assert "error[VMF108] 2 VMs" in result.out


def test_groups_are_what_is_cut_to_ten() -> None:
    vms = "".join(f"  - {{name: vm-{n}, colour{n}: red}}\n" for n in range(12))
    result = vmferry("check", "-", stdin=f"{SPEC}vms:\n{vms}".encode())
    assert result.out.count("error[VMF014]") == 10
    assert "… and 2 more VMF014" in result.out
