"""What is written about records: DNSEndpoints and their patches, scripts for the owners of zones."""

import subprocess
from typing import Any

import pytest
from msgspec import structs
from tests.backends.estate import blueprint, group, machine
from tests.backends.schemas import assert_fits, named

from vmferry.backends import dns, namespaces
from vmferry.estate.dns import changes
from vmferry.estate.stages import STAGES
from vmferry.model.blueprint import DnsRecord, Group
from vmferry.model.manifest import File, Item, Resource
from vmferry.model.spec import Dns, DnsZone, ExternalDns, PowerShell, Rfc2136, Stage, TsigKey, TsigSecret, ZoneFile
from vmferry.output.complete import Ledger, LostError

OLD, NEW = ("10.0.0.5",), ("10.1.0.5", "2001:db8::5")


def at(stage: Stage, provider: Any, *records: DnsRecord) -> Group:
    """Return a group with a VM whose records change, at a stage."""
    zones = Dns(zones=(DnsZone(name="acme.example", provider=provider, ttl="1h", cutover_ttl="30s"),))
    known = records or (DnsRecord(name="www.acme.example", switch=True, before=OLD, after=NEW),)
    found = [changes(record, "vc1/vm-web", stage, zones) for record in known]
    made = group("first-01", "job", machine("web"), stage=stage)
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
