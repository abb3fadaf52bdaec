"""What an older Forklift or KubeVirt has no field for."""

import pytest
from tests.resolve.projects import Data, vm
from tests.rules.ruling import only, ruled, silent

from vmferry.model.finding import Finding


def target(forklift: str = "2.12", kubevirt: str = "1.9") -> Data:
    return {
        "cluster": {"name": "prod-a", "versions": {"forklift": forklift, "kubevirt": kubevirt}},
        "gitops": {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"},
    }


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"labels": {"team": "shop"}}, "labels"),
        ({"nodeSelector": {"disk": "fast"}}, "nodeSelector"),
        ({"apartFrom": "shop"}, "apartFrom"),
        ({"nbdeClevis": True}, "nbdeClevis"),
    ],
)
def test_forklift_has_the_field_since_2_10(fields: Data, name: str) -> None:
    plan = vm("a", path="forklift", method="cold", **fields)
    assert f"does not support {name} of group first-01" in only("VMF506", plan, target=target("2.9")).message
    assert silent("VMF506", plan, target=target("2.10"))


def test_an_old_forklift_matters_only_to_what_it_moves() -> None:
    old = target("2.9")
    assert silent("VMF506", vm("a", labels={"team": "shop"}), target=old)
    assert silent("VMF506", vm("a", path="forklift", method="cold"), target=old)


def test_an_old_forklift_leaves_nvme_disks_out() -> None:
    disks = [{"size": "40Gi", "datastore": "ds1", "controller": "nvme", "unit": "nvme0:0"}]
    fast = vm("a", path="forklift", method="cold", disks=disks)
    for release in ("2.9", "2.10", "2.10.3"):
        assert f"Forklift {release} skips such disks" in only("VMF506", fast, target=target(release)).message
    for release in ("2.10.4", "2.11"):
        assert silent("VMF506", fast, target=target(release))
    assert silent("VMF506", vm("a", disks=disks), target=target("2.9"))


@pytest.mark.parametrize(
    ("power", "strategy", "result"),
    [
        ("poweredOn", "Halted", "the VM is started"),
        ("poweredOn", "Manual", "the VM is started"),
        ("poweredOff", "Always", "the VM stays off"),
        ("poweredOn", "Always", None),
        ("poweredOff", None, None),
        (None, "Halted", None),
    ],
)
def test_forklift_2_9_restores_the_power_state_of_the_source(
    power: str | None, strategy: str | None, result: str | None
) -> None:
    plan = vm("a", path="forklift", method="cold", powerState=power, runStrategy=strategy)
    if result is None:
        assert silent("VMF506", plan, target=target("2.9"))
    else:
        assert result in only("VMF506", plan, target=target("2.9")).message
    assert silent("VMF506", plan, target=target("2.10"))


def test_kubevirt_unplugs_a_nic_since_1_5() -> None:
    unplugged = {"network": "vlan-7", "mac": "00:50:56:00:00:01", "connected": False}
    message = only("VMF506", vm("a", nics=[unplugged]), target=target(kubevirt="1.4")).message
    assert "nic-0 is not connected, and KubeVirt 1.4 does not support a link state" in message
    assert silent("VMF506", vm("a", nics=[unplugged]), target=target(kubevirt="1.5"))
    assert silent("VMF506", vm("a"), target=target(kubevirt="1.4"))


def told(code: str, *vms: Data, target: Data) -> Finding:
    """Return the one finding of a rule about the cluster."""
    [finding] = [each for each in ruled(*vms, target=target) if each.code == code]
    assert finding.where is not None
    assert finding.where.path[:3] == ("target", "cluster", "versions")
    return finding


def test_a_release_below_the_floor_is_refused_only_where_it_is_used() -> None:
    plan = vm("a", path="forklift", method="cold")
    assert "Forklift 2.6 is too old" in told("VMF509", plan, target=target("2.6")).message
    assert silent("VMF509", plan, target=target("2.9"))
    assert silent("VMF509", plan, target=target("main"))
    assert silent("VMF509", vm("a"), target=target("2.6"))
    assert "KubeVirt 1.2 is too old" in told("VMF509", vm("a"), target=target(kubevirt="1.2")).message


def test_a_release_that_is_not_known_yet_is_told_and_its_patches_are_not() -> None:
    plan = vm("a", path="forklift", method="cold")
    assert "Forklift 2.99 is newer than 2.12" in told("VMF510", plan, target=target("2.99")).message
    for known in ("2.12", "2.12.99", "main"):
        assert silent("VMF510", plan, target=target(known))


def test_what_upstream_looks_after_no_more_is_told() -> None:
    assert "KubeVirt 1.6 is no longer maintained" in told("VMF511", vm("a"), target=target(kubevirt="1.6")).message
    assert silent("VMF511", vm("a"), target=target(kubevirt="1.7"))
