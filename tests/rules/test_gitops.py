"""Rules on how the tree reaches the cluster, where the examples do not reach."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from tests.resolve.projects import Data, project, vm

from vmferry import rules
from vmferry.check import review
from vmferry.model.finding import Finding
from vmferry.model.review import Review
from vmferry.resolve.blueprint import resolve

NIGHT = {"start": "2027-02-06T20:00:00Z", "duration": "8h"}
SECRET = b"""apiVersion: v1
kind: Secret
metadata: {name: sealed, namespace: %s}
stringData: {user: "ENC[AES256_GCM,data:QknYD968,type:str]"}
sops: {version: 3.9.4}
"""
SEALED = b"""apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: sealed, namespace: konveyor-forklift}
spec: {encryptedData: {user: AgBy3i4OJSWK}}
"""


def reviewed(*vms: Data, files: dict[str, bytes] | None = None, now: datetime | None = None, **sections: Any) -> Review:
    found = replace(project(*vms, **sections), attachments=files or {})
    resolution = resolve(found)
    assert [each.message for each in resolution.findings if each.code not in ("VMF304", "VMF111")] == []
    return review(found, resolution, now=now)


def only(code: str, found: Review) -> list[Finding]:
    return [finding for finding in rules.check(found) if finding.code == code]


def gitops(**fields: Any) -> Data:
    known = {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"}
    return {"cluster": {"name": "prod-a"}, "gitops": known | fields}


def vcenter(name: str = "vc1", **fields: Any) -> Data:
    known = {
        "url": f"https://{name}.example.com/sdk",
        "credentials": {"secretRef": {"name": "vc1-vcenter"}},
        "conversionCredentials": {"secretRef": {"name": "vc1-conversion"}},
    }
    return {"name": name, "vcenter": known | fields}


def cold(name: str = "web-01", **fields: Any) -> Data:
    return vm(name, path="forklift", method="cold", **fields)


def host(name: str, credentials: Data | None = None) -> Data:
    return {"name": name, "ipAddress": "10.0.0.1", "credentials": credentials or {"secretRef": {"name": "esx"}}}


STORE = {"externalSecret": {"storeRef": {"name": "vault"}, "key": "vsphere"}}

# --- the repository


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/platform/gitops?private_token=abc",
        "https://git.example.com/platform/gitops?ref=main&API-Key=abc",
    ],
)
def test_a_token_is_found_wherever_it_stands_and_shown_nowhere(url: str) -> None:
    [finding] = only("VMF801", reviewed(vm(), target=gitops(repoURL=url)))
    assert finding.where is not None
    assert finding.where.path == ("target", "gitops", "repoURL")
    assert finding.secret
    assert "abc" not in finding.message


@pytest.mark.parametrize("url", ["git@git.example.com:platform/gitops", "https://git.example.com/gitops?ref=main"])
def test_an_address_without_a_token_is_none(url: str) -> None:
    assert only("VMF801", reviewed(vm(), target=gitops(repoURL=url))) == []


def test_argo_cd_has_its_keys_elsewhere() -> None:
    found = reviewed(vm(), target=gitops(engine="argocd", repoURL="git@git.example.com:platform/gitops"))
    assert only("VMF802", found) == []


def test_argo_cd_decrypts_nothing_whatever_the_spec_says() -> None:
    [finding] = only("VMF803", reviewed(vm(), target=gitops(engine="argocd", sopsSecret="sops-age")))
    assert finding.message.startswith("sopsSecret sops-age only applies to Flux")


# --- SOPS


def sops(engine: str, *vms: Data, content: bytes = SECRET % b"konveyor-forklift", **fields: Any) -> list[Finding]:
    sealed = {"file": "sealed.yaml"}
    source = vcenter(credentials=sealed, hosts=[host("esx1", sealed)])
    found = reviewed(*vms, files={"sealed.yaml": content}, sources=[source], target=gitops(engine=engine, **fields))
    return only("VMF804", found)


@pytest.mark.parametrize("engine", ["flux", "argocd"])
def test_a_sops_file_of_a_vcenter_and_of_its_hosts_needs_a_key(engine: str) -> None:
    paths = [finding.where.path[3:] for finding in sops(engine, cold()) if finding.where]
    assert paths == [("credentials", "file"), ("hosts", 0, "credentials", "file")]


def test_a_sealed_secret_needs_no_key_of_the_engines() -> None:
    assert sops("argocd", cold(), content=SEALED) == []


def test_credentials_that_are_not_in_the_output_need_no_key() -> None:
    assert sops("flux", vm()) == []  # no VM of this vCenter goes by Forklift


# --- who applies


@pytest.mark.parametrize(("namespace", "count"), [("gitops", 0), ("flux-system", 1)])
def test_flux_looks_for_the_applier_where_flux_is(namespace: str, count: int) -> None:
    applier = {"name": "migrator", "namespace": namespace}
    assert len(only("VMF805", reviewed(vm(), target=gitops(namespace="gitops", applier=applier)))) == count


def test_the_interval_is_none_of_argo_cds() -> None:
    phases = [{"name": "first", "windows": [NIGHT]}]
    found = reviewed(vm(), phases=phases, target=gitops(engine="argocd", interval="10s"))
    assert only("VMF807", found) == only("VMF808", found) == []


@pytest.mark.parametrize(("windows", "count"), [([NIGHT], 1), ([], 0), ([NIGHT | {"duration": "0s"}], 0)])
def test_only_a_window_that_opens_can_be_missed(windows: list[Data], count: int) -> None:
    found = reviewed(vm(), phases=[{"name": "first", "windows": windows}], target=gitops(interval="9h"))
    assert len(only("VMF808", found)) == count


# --- size


def test_a_plan_of_more_than_500_disks_is_too_large() -> None:
    def disks(number: int) -> list[Finding]:
        vms = [cold(f"web-{n:02d}", disks=[{"size": "1Gi", "datastore": "ds1"}] * (number // 10)) for n in range(10)]
        return only("VMF809", reviewed(*vms))

    [finding] = disks(510)
    assert "510 disks" in finding.message
    assert disks(500) == []


def test_a_plan_of_many_vms_with_hooks_is_too_large_by_itself() -> None:
    hooks = [{"name": "quiesce", "step": "PreHook"}, {"name": "quiesce", "step": "PostHook"}]
    nics = [{"network": "vlan-7"}]
    vms = [cold(f"web-{n:03d}", hooks=hooks, nics=nics) for n in range(400)]
    phases = [{"name": "first", "maxVms": 400}]
    [finding] = only("VMF809", reviewed(*vms, phases=phases, hooks=[{"name": "quiesce", "image": "hook:1"}]))
    assert "MiB, and etcd accepts 1.5" in finding.message
    assert "hourly" not in finding.message


def test_a_copy_that_is_over_grows_no_more() -> None:
    groups = {"first-01": {"stage": "cutover", "cutover": "2027-02-06T22:00:00Z"}}
    warm = vm(path="forklift", method="warm")
    first = resolve(project(warm))
    found = project(warm, assignments=first.assignments, groups=groups)
    early = datetime(2020, 1, 1, tzinfo=UTC)
    assert only("VMF809", review(found, resolve(found), now=early)) == []


def test_a_namespace_with_too_many_networks_is_found_before_it_is_compiled() -> None:
    def networks(number: int) -> list[Finding]:
        rows = [
            {"source": {"portGroup": f"vlan-{n}"}, "target": {"type": "bridge", "bridge": "br-vm", "vlan": n}}
            for n in range(1, number + 1)
        ]
        nics = [
            [
                {"network": f"vlan-{n}", "mac": f"00:50:56:01:{n >> 8:02x}:{n & 255:02x}"}
                for n in range(first, first + 10)
            ]
            for first in range(1, number, 10)
        ]
        return only("VMF609", reviewed(*(vm(f"web-{n:03d}", nics=each) for n, each in enumerate(nics)), networks=rows))

    [finding] = networks(310)
    assert "namespace web has 310 networks" in finding.message
    assert networks(300) == []


@pytest.mark.parametrize(("machine", "count"), [(cold(), 1), (vm(), 0)])
def test_a_vcenter_with_too_many_hosts_is_found_where_it_is_used(machine: Data, count: int) -> None:
    source = vcenter(hosts=[host(f"esx{n}", STORE) for n in range(151)])
    found = only("VMF609", reviewed(machine, sources=[source]))
    assert len(found) == count
    assert all("151 hosts (302 objects)" in finding.message for finding in found)


# --- names


def test_hosts_of_two_vcenters_meet_by_their_dashes() -> None:
    def named(second: str, *, used: bool = True) -> list[Finding]:
        sources = [
            vcenter("vc1", hosts=[host("a-esx1", STORE)], credentials=STORE),
            vcenter(second, hosts=[host("esx1", STORE)], credentials={"file": "sealed.yaml"}),
        ]
        vms = [cold(source="vc1"), vm("web-02", source=second, path="forklift" if used else "virt-v2v")]
        vms[1] |= {"method": "cold"} if used else {"method": "job"}
        return only("VMF810", reviewed(*vms, sources=sources, files={"sealed.yaml": SEALED}))

    assert [finding.message.partition(" would")[0] for finding in named("vc1-a")] == [
        "Host acme-vc1-a-esx1",
        "Secret acme-vc1-a-esx1",
    ]
    assert named("vc2") == []
    assert named("vc1-a", used=False) == []


def test_a_password_in_a_note_is_found_and_shown_nowhere() -> None:
    [finding] = only("VMF811", reviewed(vm(annotation="PWD=hunter2222")))
    assert finding.secret
    assert "hunter" not in finding.message
    assert only("VMF811", reviewed(vm(annotation="password policy: 90 days; password: <vault>"))) == []
