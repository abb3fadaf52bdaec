"""What is written about records: DNSEndpoints and their patches, scripts for the owners of zones."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from tests.backends.estate import blueprint, group, machine
from tests.backends.schemas import assert_fits, named

from vmferry.backends import dns, namespaces
from vmferry.estate.dns import changes, pointers
from vmferry.estate.dual_run import weight_of
from vmferry.estate.stages import STAGES
from vmferry.model.blueprint import DnsRecord, Group
from vmferry.model.manifest import File, Item, Resource
from vmferry.model.spec import (
    Dns,
    DnsZone,
    DualRun,
    ExternalDns,
    PowerShell,
    Rfc2136,
    Stage,
    TsigKey,
    TsigSecret,
    ZoneFile,
)
from vmferry.output.complete import Ledger, LostError

OLD, NEW = ("10.0.0.5",), ("10.1.0.5", "2001:db8::5")


def at(stage: Stage, provider: Any, *records: DnsRecord, weight: int | None = None) -> Group:
    """Return a group with a VM whose records change, at a stage; with a weight, its source serves as well."""
    run = DualRun(mode="parallel" if weight is not None else "fallback")
    share = weight_of(run, stage, weight)
    zones = Dns(zones=(DnsZone(name="acme.example", provider=provider, ttl="1h", cutover_ttl="30s"),))
    known = records or (DnsRecord(name="www.acme.example", switch=True, before=OLD, after=NEW),)
    beside = weight is not None
    found = [changes(record, "vc1/vm-web", stage, zones, share, parallel=beside) for record in known]
    made = group("first-01", "job", machine("web"), stage=stage, dual_run=run.mode, weight=share)
    return structs.replace(made, dns=tuple(each for each in found if each is not None), layers=(*made.layers, "dns"))


def emitted(made: Group) -> list[Item]:
    return [*dns.emit(blueprint(made))]


def text(made: Group) -> str:
    [found] = emitted(made)
    assert isinstance(found, File)
    return found.content.decode()


def test_the_base_has_the_records_before_the_cutover_with_the_lowered_ttl_at_every_stage() -> None:
    for stage in STAGES:
        found = named(emitted(at(stage, ExternalDns())), "DNSEndpoint", "web")
        assert_fits(found)
        assert found["spec"]["endpoints"] == [
            {"dnsName": "www.acme.example", "recordTTL": 30, "recordType": "A", "targets": ["10.0.0.5"]}
        ]


@pytest.mark.parametrize(
    ("stage", "values", "ttl"),
    [
        ("cutover", NEW, 30),
        ("adopted", NEW, 30),
        ("validated", NEW, 3600),
        ("retired", NEW, 3600),
        ("rolled-back", OLD, 3600),
    ],
)
def test_a_patch_makes_of_them_what_the_stage_says(stage: Stage, values: tuple[str, ...], ttl: int) -> None:
    [patch] = dns.patches(at(stage, ExternalDns()))
    assert (patch.kind, patch.namespace, patch.op, patch.path) == ("DNSEndpoint", "web", "replace", "/spec/endpoints")
    assert [target for each in patch.value for target in each["targets"]] == list(values)
    assert {each["recordTTL"] for each in patch.value} == {ttl}
    assert [each["recordType"] for each in patch.value] == ["A", "AAAA"][: len(values)]


@pytest.mark.parametrize("stage", ["prepared", "migrating"])
def test_before_the_cutover_nothing_is_patched(stage: Stage) -> None:
    assert list(dns.patches(at(stage, ExternalDns()))) == []


WEIGHED = ExternalDns(weights="aws")
NAME = DnsRecord(name="www.acme.example", switch=True, before=OLD, after=("10.1.0.5",))


def shares(endpoints: list[dict[str, Any]]) -> list[tuple[str, str, list[str], str, int]]:
    """Return type, set identifier, values, weight and TTL of endpoints."""
    for each in endpoints:
        assert [one["name"] for one in each["providerSpecific"]] == ["aws/weight"]
    return [
        (
            each["recordType"],
            each["setIdentifier"],
            each["targets"],
            each["providerSpecific"][0]["value"],
            each["recordTTL"],
        )
        for each in endpoints
    ]


def test_in_a_parallel_run_the_base_has_both_sides_and_all_clients_at_the_source() -> None:
    for stage in STAGES[:-2]:
        found = named(emitted(at(stage, WEIGHED, NAME, weight=0)), "DNSEndpoint", "web")
        assert_fits(found)
        assert shares(found["spec"]["endpoints"]) == [
            ("A", "source", ["10.0.0.5"], "100", 30),
            ("A", "target", ["10.1.0.5"], "0", 30),
        ]


@pytest.mark.parametrize(
    ("stage", "weight", "sides", "ttl"),
    [
        ("cutover", 5, ("95", "5"), 30),
        ("adopted", 50, ("50", "50"), 30),
        ("adopted", 100, ("0", "100"), 30),
        ("validated", 100, ("0", "100"), 3600),
        ("rolled-back", 50, ("100", "0"), 3600),
    ],
)
def test_a_step_gives_each_side_its_weight(stage: Stage, weight: int, sides: tuple[str, str], ttl: int) -> None:
    made = at(stage, WEIGHED, NAME, weight=weight)
    [patch] = dns.patches(made)
    before, after = sides
    assert shares(patch.value) == [
        ("A", "source", ["10.0.0.5"], before, ttl),
        ("A", "target", ["10.1.0.5"], after, ttl),
    ]
    base = named(emitted(made), "DNSEndpoint", "web")
    assert_fits(base | {"spec": {"endpoints": patch.value}})


def test_once_the_source_may_be_gone_only_the_weighted_record_of_the_target_is_left() -> None:
    [patch] = dns.patches(at("retired", WEIGHED, NAME, weight=100))
    assert shares(patch.value) == [("A", "target", ["10.1.0.5"], "100", 3600)]


def test_without_weights_a_record_is_switched_at_the_last_step() -> None:
    assert list(dns.patches(at("cutover", ExternalDns(), NAME, weight=0))) == []
    [patch] = dns.patches(at("cutover", ExternalDns(), NAME, weight=100))
    assert [each["targets"] for each in patch.value] == [["10.1.0.5"]]
    assert [path for path, _ in dns.scripts(at("cutover", ZoneFile(), NAME, weight=0))] == [
        "bases/first/first-01/dns-lower.zone"
    ]
    assert [path for path, _ in dns.scripts(at("cutover", ZoneFile(), NAME, weight=100))] == [
        "bases/first/first-01/dns-switch.zone"
    ]


def test_nothing_deletes_a_dnsendpoint_because_externaldns_would_delete_its_records() -> None:
    notes = named(emitted(at("cutover", ExternalDns())), "DNSEndpoint", "web")["metadata"]["annotations"]
    assert notes["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
    assert notes["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"


def test_a_script_accepts_what_the_record_holds_before_or_after_and_sets_what_the_stage_says() -> None:
    made = text(at("cutover", Rfc2136(server="ns1.acme.example", tsig=TsigKey(file="/etc/my key"))))
    assert made.endswith(
        "server=ns1.acme.example port=53 zone=acme.example.\nkey_file '/etc/my key'\n"
        "record www.acme.example 30 'A 10.1.0.5' 'AAAA 2001:db8::5' "
        "::: 'A 10.0.0.5' AAAA CNAME ::: 'A 10.1.0.5' 'AAAA 2001:db8::5' CNAME\n\nexit $failed\n"
    )
    assert "vmferry, which never runs it" in made


@pytest.mark.parametrize("act", ["prepared", "cutover", "validated", "rolled-back"])
def test_bash_takes_every_script(act: Stage) -> None:
    ref = TsigKey(secret_ref=TsigSecret(name="key", namespace="dns"))
    for tsig in (ref, None, TsigKey(file="$(reboot)'")):
        subprocess.run(["bash", "-n"], input=text(at(act, Rfc2136(server="::1", tsig=tsig))), text=True, check=True)


def test_powershell_and_zone_files_get_the_same_values() -> None:
    alias = DnsRecord(name="acme.example", switch=True, before=OLD, after=("10.1.0.6",), ttl="2h")
    shell = text(at("validated", PowerShell(server="dc01"), alias))
    assert "\nSet-Record 'dc01' 'acme.example' '@' 7200 @('A 10.1.0.6') @('A 10.0.0.5') @('A 10.1.0.6')\n" in shell
    lines = text(at("rolled-back", ZoneFile(), alias)).splitlines()[-3:]
    assert lines == [
        "$ORIGIN acme.example.",
        "; remove: acme.example. IN A 10.1.0.6",
        "acme.example. 7200 IN A 10.0.0.5",
    ]


def test_an_alias_ends_with_a_dot_wherever_a_name_without_one_would_be_below_the_zone() -> None:
    alias = DnsRecord(name="www.acme.example", switch=True, before=OLD, after=("lb.acme.example",))
    assert "'CNAME lb.acme.example.'" in text(at("cutover", Rfc2136(server="ns1"), alias))
    assert "www.acme.example. 30 IN CNAME lb.acme.example.\n" in text(at("cutover", ZoneFile(), alias))
    [patch] = dns.patches(at("cutover", ExternalDns(), alias))
    assert patch.value[0]["targets"] == ["lb.acme.example"]


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_unknown_or_stays_is_in_no_file(stage: Stage) -> None:
    records = (
        DnsRecord(name="www.acme.example", switch=True, before=OLD),
        DnsRecord(name="web.acme.example", switch=True, after=NEW),
        DnsRecord(name="app.acme.example"),
        DnsRecord(name="www.other.example", switch=True, before=OLD, after=NEW),
    )
    for provider in (ExternalDns(), Rfc2136(server="ns1"), PowerShell(server="dc01"), ZoneFile()):
        assert emitted(at(stage, provider, *records)) == []


def test_who_applies_the_tree_may_apply_dnsendpoints_and_never_delete_them() -> None:
    rules = {
        resource: rule["verbs"]
        for item in namespaces.emit(blueprint(at("cutover", ExternalDns())))
        if isinstance(item, Resource)
        and item.object["kind"] == "Role"
        and item.object["metadata"]["namespace"] == "web"
        for rule in item.object["rules"]
        for resource in rule["resources"]
    }
    assert {"create", "patch"} <= set(rules["dnsendpoints"])
    assert "delete" not in rules["dnsendpoints"]


def test_a_record_that_no_dnsendpoint_has_stops_the_compile() -> None:
    made = blueprint(at("cutover", ExternalDns()))
    ledger = Ledger()
    list(ledger.passing(item for item in dns.emit(made) if isinstance(item, File)))
    with pytest.raises(LostError, match=r"web: record www\.acme\.example"):
        ledger.check(made, tuple(structs.replace(each, machines=each.machines, path="other") for each in made.groups))


# --- PTR records -----------------------------------------------------------------------------


def leading_back(stage: Stage, provider: Any, *records: DnsRecord, hostname: str = "web") -> Group:
    """Return a group with a VM whose addresses lead back to it, in zones of a provider."""
    kinds = {"ttl": "1h", "cutover_ttl": "30s"}
    names = ("acme.example", "10.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa")
    zones = Dns(zones=tuple(DnsZone(name=name, provider=provider, **kinds) for name in names))
    made = structs.replace(machine("web"), hostname=hostname, records=records)
    share = weight_of(DualRun(), stage, None)
    known = [changes(record, made.key, stage, zones, share) for record in records]
    changed = [each for each in known if each is not None]
    found = (*changed, *pointers(made, changed, zones))
    return structs.replace(group("first-01", "job", made, stage=stage), dns=found)


OWN = DnsRecord(name="web.acme.example", switch=True, before=OLD, after=NEW)
ALIAS = DnsRecord(name="www.acme.example", switch=True, before=OLD, after=NEW)
_NEW6 = "5." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa"


@pytest.mark.parametrize(("stage", "old", "new"), [("prepared", True, False), ("cutover", False, True)])
def test_an_address_leads_back_to_the_name_of_its_vm_while_it_has_it(stage: Stage, old: bool, new: bool) -> None:
    found = {each.name: each for each in leading_back(stage, ZoneFile(), OWN, ALIAS).dns if "arpa" in each.name}
    assert found.keys() == {"5.0.0.10.in-addr.arpa", "5.0.1.10.in-addr.arpa", _NEW6}
    assert bool(found["5.0.0.10.in-addr.arpa"].values) == old
    assert bool(found["5.0.1.10.in-addr.arpa"].values) == bool(found[_NEW6].values) == new
    assert {value for each in found.values() for value in (*each.before, *each.after)} == {"web.acme.example"}


def test_an_address_that_stays_keeps_what_it_leads_to() -> None:
    record = DnsRecord(name="web.acme.example", switch=True, before=("10.0.0.5",), after=("10.0.0.5", "10.0.0.6"))
    names = [each.name for each in leading_back("cutover", ZoneFile(), record).dns]
    assert names == ["web.acme.example", "6.0.0.10.in-addr.arpa"]


def test_among_several_names_none_is_guessed() -> None:
    found = leading_back("cutover", ZoneFile(), ALIAS, structs.replace(ALIAS, name="shop.acme.example")).dns
    assert not [each.name for each in found if "arpa" in each.name]
    alone = leading_back("cutover", ZoneFile(), ALIAS).dns
    assert {each.after for each in alone if "in-addr" in each.name} == {(), ("www.acme.example",)}


def test_pointers_are_written_for_every_owner_but_externaldns() -> None:
    assert "\n5.0.1.10.in-addr.arpa. 30 IN PTR web.acme.example.\n" in text(leading_back("cutover", ZoneFile(), OWN))
    assert "; remove: 5.0.0.10.in-addr.arpa. IN PTR web.acme.example.\n" in text(
        leading_back("cutover", ZoneFile(), OWN)
    )
    shell = text(leading_back("cutover", Rfc2136(server="ns1"), OWN))
    assert "record 5.0.0.10.in-addr.arpa 30 ::: 'PTR web.acme.example.' CNAME ::: PTR CNAME\n" in shell
    windows = text(leading_back("cutover", PowerShell(server="dc01"), OWN))
    assert (
        "Set-Record 'dc01' '10.in-addr.arpa' '5.0.1' 30 @('PTR web.acme.example') @() @('PTR web.acme.example')"
        in windows
    )
    assert [each.name for each in leading_back("cutover", ExternalDns(), OWN).dns] == ["web.acme.example"]


def test_keys_that_kubectl_reads_are_not_left_behind(tmp_path: Path) -> None:
    """Two zones are two keys, and both files go when the script ends."""
    key = TsigKey(secret_ref=TsigSecret(name="key", namespace="dns"))
    programs, scratch = tmp_path / "bin", tmp_path / "tmp"
    programs.mkdir()
    scratch.mkdir()
    for name, does in (("kubectl", "echo key"), ("nsupdate", 'ls "$TMPDIR" >>"$SEEN"')):
        (programs / name).write_text(f"#!/bin/bash\n{does}\n")
        (programs / name).chmod(0o755)
    env = {"PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(scratch), "SEEN": str(tmp_path / "seen")}
    shell = text(leading_back("cutover", Rfc2136(server="ns1", tsig=key), OWN))
    subprocess.run(["bash"], input=shell, text=True, env=env, check=True, capture_output=True)
    assert len(set((tmp_path / "seen").read_text().split())) == 3  # one a zone: names, IPv4 and IPv6 addresses
    assert list(scratch.iterdir()) == []
