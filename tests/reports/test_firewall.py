"""Tests of `vmferry report firewall`: each path and method opens what it uses, and nothing that it does not."""

from pathlib import Path
from typing import Any

import yaml
from tests.invocation import vmferry
from tests.reports.test_addresses import NETWORKS, nic
from tests.reports.test_assessment import inventory
from tests.reports.test_assessment import vm as fact
from tests.reports.test_schedule import GIB, spec, vm

EXAMPLES = Path(__file__).parents[2] / "examples"
FORKLIFT = {"phase": "one", "namespace": "web", "path": "forklift", "method": "cold"}
JOB = FORKLIFT | {"path": "virt-v2v", "method": "job"}
IMAGE = FORKLIFT | {"path": "virt-v2v", "method": "image"}


def report(file: Path) -> list[dict[str, Any]]:
    result = vmferry("report", "firewall", file, "--format", "json")
    assert result.code == 0, result.err
    return list(result.data)


def ways(file: Path) -> set[tuple[str, str, int | None]]:
    """Return every source, destination and port."""
    return {(source, each["destination"], each["port"]) for each in report(file) for source in each["sources"]}


def copies(file: Path) -> set[tuple[str, str, int | None]]:
    return {way for way in ways(file) if way[1] in ("vc1.example.com", "esx1", "esx2")}


def with_image(number: int, **source: Any) -> dict[str, Any]:
    disk = {"size": "40Gi", "datastore": "ds1", "file": f"[ds1] vm-{number}/vm.vmdk", "source": source}
    return vm(number, GIB, disks=[disk])


def test_forklift_reads_from_vcenter_and_the_host_of_the_vm(tmp_path: Path) -> None:
    assert copies(spec(tmp_path, [vm(1, GIB)], defaults=FORKLIFT)) == {
        ("pods in konveyor-forklift", "vc1.example.com", 443),
        ("pods in web", "vc1.example.com", 443),
        ("pods in web", "esx1", 443),
        ("pods in web", "esx1", 902),
    }


def test_a_job_reads_by_itself_and_needs_no_forklift(tmp_path: Path) -> None:
    found = copies(spec(tmp_path, [vm(1, GIB)], defaults=JOB))
    assert found == {
        ("pods in web", "vc1.example.com", 443),
        ("pods in web", "esx1", 443),
        ("pods in web", "esx1", 902),
    }


def test_without_vddk_a_job_reads_through_vcenter_alone(tmp_path: Path) -> None:
    file = spec(tmp_path, [vm(1, GIB)], defaults=JOB)
    data = yaml.safe_load(file.read_text())
    del data["sources"][0]["vcenter"]["vddkImage"]
    file.write_text(yaml.safe_dump(data))
    assert copies(file) == {("pods in web", "vc1.example.com", 443)}


def test_a_bastion_reads_and_cdi_fetches_its_images(tmp_path: Path) -> None:
    disks = [with_image(1, http={"url": "http://images.example.com/vm-1.qcow2"}), with_image(2, upload={})]
    disks.append(with_image(3, registry={"url": "docker://registry.example.com:5000/vm-3:1"}))
    file = spec(tmp_path, disks, defaults=IMAGE)
    found = report(file)
    assert {each["direction"] for each in found if each["destination"] in ("vc1.example.com", "esx1")} == {
        "outside of the cluster"
    }
    assert ("pods in web", "images.example.com", 80) in ways(file)
    assert ("pods in web", "registry.example.com", 5000) in ways(file)
    [upload] = [each for each in found if each["direction"] == "into the cluster"]
    assert (upload["destination"], upload["port"]) == ("cdi-uploadproxy", 443)


def test_every_host_of_the_cluster_counts_because_a_vm_may_move(tmp_path: Path) -> None:
    hosts = [{"name": name, "cluster": cluster} for name, cluster in (("esx1", "c1"), ("esx2", "c1"), ("esx3", "c2"))]
    part = {"apiVersion": "vmferry.dev/v1alpha1", "kind": "Inventory", "metadata": {"name": "vc1"}}
    part |= {"source": {"name": "vc1", "kind": "vcenter"}, "hosts": hosts}
    (tmp_path / "hosts.yaml").write_text(yaml.safe_dump(part))
    file = spec(tmp_path, [vm(1, GIB)], defaults=JOB, include=["hosts.yaml"])
    assert {(to, port) for _, to, port in ways(file) if to.startswith("esx")} == {
        ("esx1", 443),
        ("esx1", 902),
        ("esx2", 443),
        ("esx2", 902),
    }


def test_the_repository_and_the_registries_are_those_of_the_spec(tmp_path: Path) -> None:
    found = ways(spec(tmp_path, [vm(1, GIB)], defaults=FORKLIFT))
    assert ("pods in flux-system", "git.example.com", 443) in found
    assert ("every node", "registry.example.com", 443) in found
    acme = {(each["destination"], each["port"]) for each in report(EXAMPLES / "acme")}
    assert ("git.acme.example", 22) in acme
    assert ("registry-1.docker.io", 443) in acme


def test_what_a_vm_depends_on_is_reached_from_where_it_will_be(tmp_path: Path) -> None:
    needs = {"dependsOn": [{"external": "smtp.example.com:25"}]}
    new = {"readdress": {"lan": {"addresses": ["10.0.7.99/24"], "gateway": "10.0.7.1"}}, "staticIP": "cloud-init"}
    vms = [
        vm(1, GIB, nics=[nic(11)], **needs),
        vm(2, GIB, nics=[nic(12)], **needs, **new),
        vm(3, GIB, nics=[nic(13, network="pods")], **needs),
    ]
    [opening] = [
        each
        for each in report(spec(tmp_path, vms, networks=NETWORKS, defaults=FORKLIFT))
        if each["destination"] == "smtp.example.com"
    ]
    assert opening["port"] == 25
    assert opening["sources"] == ["VM vm-01", "VM vm-02 (new address 10.0.7.99)", "VM vm-03 (address of its node)"]


def test_name_servers_are_reached_by_whoever_runs_the_scripts() -> None:
    found = [each for each in report(EXAMPLES / "dns") if "records in" in each["why"]]
    assert {(each["destination"], each["port"], each["protocol"]) for each in found if each["port"] == 53} >= {
        ("ns1.example.com", 53, "TCP"),
        ("ns1.example.com", 53, "UDP"),
    }


def test_jobs_that_check_vms_reach_their_networks() -> None:
    found = [each for each in report(EXAMPLES / "acme") if each["why"] == "a Job checks VMs"]
    assert ("VMs on web-prod (10.20.120.0/24)", 80, ["pods in web"]) in [
        (each["destination"], each["port"], each["sources"]) for each in found
    ]


def test_what_was_copied_opens_nothing_any_more(tmp_path: Path) -> None:
    file = spec(tmp_path, [vm(1, GIB, hardwareVersion="vmx-19")], defaults=JOB, settings={"gates": "none"})
    data = yaml.safe_load(file.read_text())
    data["sources"][0]["vcenter"]["thumbprint"] = ":".join(["5A"] * 20)
    reads = {}
    for stage in ("planned", "prepared", "migrating", "cutover", "adopted"):
        data["groups"] = {} if stage == "planned" else {"one-01": {"stage": stage}}
        file.write_text(yaml.safe_dump(data))
        result = vmferry("compile", tmp_path, "--out", tmp_path / "out", "--no-cache")
        assert result.code == 0, result.out
        reads[stage] = bool(copies(file))
    assert reads == {"planned": True, "prepared": True, "migrating": True, "cutover": True, "adopted": False}


def test_a_bare_inventory_is_no_complete_list(tmp_path: Path) -> None:
    result = vmferry("report", "firewall", inventory(tmp_path / "inventory", fact(1)))
    assert result.code == 0
    assert "the list is not complete" in result.out


def test_the_pre_flight_tries_every_host_before_anything_moves() -> None:
    found = [each for each in report(EXAMPLES / "acme") if each["sources"] == ["pods in preflight"]]
    ways = {(each["destination"], each["port"]) for each in found}
    assert {("vc1.acme.example", 443), ("esx-fra-03.acme.example", 443), ("esx-fra-03.acme.example", 902)} <= ways
