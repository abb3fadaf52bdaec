"""Several NICs of a VM on one network, and networks that are deliberately not connected."""

import pytest
from tests.resolve.projects import Data, codes, defaults, finding, group, machines, resolved, vm
from tests.resolve.test_freeze import prepared

from vmferry.estate.resolution import Resolution
from vmferry.model.blueprint import NamespacePlan, NetworkPair

GITOPS: Data = {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"}
BRIDGE: Data = {"type": "bridge", "bridge": "br-vm"}
POOL: Data = {"type": "nad", "name": "lan", "namespace": "default", "pool": ["zeta", "beta"]}
IGNORED: Data = {"type": "ignored", "reason": "backups are taken from the storage now"}
FORKLIFT: Data = {"path": "forklift", "method": "cold"}


def on(*networks: str) -> list[Data]:
    return [
        {"network": network, "mac": f"00:50:56:00:70:{number:02x}", "origin": "dhcp"}
        for number, network in enumerate(networks)
    ]


def row(network: str, to: Data, **fields: object) -> Data:
    return {"source": {"portGroup": network, "vlan": 7}, "target": to, **fields}


def decided(*networks: str, to: Data = BRIDGE, forklift: str | None = "2.12", **fields: object) -> Resolution:
    """Return what becomes of a VM with NICs on these; by virt-v2v where no version of Forklift is given."""
    versions = {} if forklift is None else {"versions": {"forklift": forklift}}
    path = {} if forklift is None else FORKLIFT
    rows = [row("lan", to), row("backup", IGNORED), row("other", BRIDGE)]
    return resolved(
        vm("web", nics=on(*networks), **path, **fields),
        networks=rows,
        target={"cluster": {"name": "prod-a", **versions}, "gitops": GITOPS},
    )


def nads(found: Resolution) -> list[tuple[str, str | None]]:
    return [(nic.name, nic.nad) for nic in machines(found)["web"].nics]


def rows_of(found: Resolution) -> list[tuple[str, str | None]]:
    [plan] = found.blueprint.groups
    return [(pair.source.name, "ignored" if pair.ignored else pair.nad) for pair in plan.networks]


def made(found: Resolution) -> list[str]:
    [web] = [plan for plan in found.blueprint.namespaces if isinstance(plan, NamespacePlan) and plan.name == "web"]
    return [nad.name for nad in web.nads]


# --- several NICs on one network -----------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.11.7", "2.12", "2.12.5", "main"])
def test_each_nic_on_a_network_gets_a_definition_of_its_own_where_forklift_takes_several(version: str) -> None:
    found = decided("lan", "other", "lan", "lan", forklift=version)
    assert nads(found) == [("nic-0", "web/lan"), ("nic-1", "web/other"), ("nic-2", "web/lan-2"), ("nic-3", "web/lan-3")]
    assert rows_of(found) == [("lan", "web/lan"), ("lan", "web/lan-2"), ("lan", "web/lan-3"), ("other", "web/other")]
    assert made(found) == ["lan", "lan-2", "lan-3", "other"]


@pytest.mark.parametrize("version", ["2.10", "2.11.0", "2.11.6", "2.11", None])
def test_one_definition_is_for_all_nics_where_forklift_takes_one_row_only_or_is_not_there(version: str | None) -> None:
    found = decided("lan", "lan", forklift=version)
    assert nads(found) == [("nic-0", "web/lan"), ("nic-1", "web/lan")]
    assert rows_of(found) == [("lan", "web/lan")]
    assert made(found) == ["lan"]


def test_the_second_definition_has_the_same_network_in_it() -> None:
    found = decided("lan", "lan")
    [web] = found.blueprint.namespaces
    first, second = web.nads
    assert first.network == second.network


@pytest.mark.parametrize("version", ["2.12", None])
def test_existing_definitions_are_taken_in_the_order_of_the_pool(version: str | None) -> None:
    found = decided("lan", "lan", "lan", to=POOL, forklift=version)
    assert [nad for _, nad in nads(found)] == ["default/lan", "default/zeta", "default/beta"]
    assert [nad for _, nad in rows_of(found)] == ["default/lan", "default/zeta", "default/beta"]
    assert {"default/lan", "default/zeta", "default/beta"} <= set(found.blueprint.external_nads)


def test_a_pool_that_is_too_small_starts_again_with_the_first_definition() -> None:
    assert [nad for _, nad in nads(decided("lan", "lan", "lan", "lan", to=POOL))][-1] == "default/lan"


def test_further_definitions_never_take_the_name_of_another_network() -> None:
    rows = [row("lan", BRIDGE), row("lan-2", BRIDGE)]
    found = resolved(vm("web", nics=on("lan", "lan"), **FORKLIFT), networks=rows)
    clash = finding(found, "VMF101")
    assert (clash.vms, "lan-2" in clash.message) == (("web",), True)
    assert clash.where is not None
    assert clash.where.path == ("networks", 0, "source")
    assert codes(resolved(vm("web", nics=on("lan", "lan-2"), **FORKLIFT), networks=rows)) == []


def test_the_names_of_further_definitions_fit() -> None:
    rows = [row("lan", BRIDGE, name="n" * 63)]
    found = resolved(vm("web", nics=on("lan", "lan"), **FORKLIFT), networks=rows)
    assert made(found) == [f"{'n' * 61}-2", "n" * 63]


def test_vms_that_were_prepared_with_one_definition_for_two_nics_keep_it() -> None:
    twins = vm("web", nics=on("lan", "lan"), **FORKLIFT)
    old = {"cluster": {"name": "prod-a", "versions": {"forklift": "2.10"}}, "gitops": GITOPS}
    rows = [row("lan", BRIDGE)]
    record = prepared(twins, networks=rows, target=old)
    found = resolved(twins, networks=rows, assignments=record, groups={"first-01": {"stage": "prepared"}})
    assert [nad for _, nad in nads(found)] == ["web/lan", "web/lan"]
    assert rows_of(found) == [("lan", "web/lan")]
    assert made(found) == ["lan"]
    assert "nics" in finding(found, "VMF409").message


# --- networks that are not connected -------------------------------------------------------------


def test_a_nic_on_a_network_that_is_not_connected_stays_behind_with_its_reason() -> None:
    found = decided("backup", "lan")
    web = machines(found)["web"]
    [dropped] = web.dropped_nics
    assert (dropped.index, dropped.network.name, dropped.reason) == (0, "backup", IGNORED["reason"])
    assert [(nic.index, nic.name) for nic in web.nics] == [(1, "nic-0")]
    assert codes(found) == []
    [said] = [each for each in found.blueprint.decisions["vc1/web"] if each.subject == "NIC 1"]
    assert (said.value, said.reason) == ("backup → not connected", IGNORED["reason"])


def test_forklift_learns_that_the_network_is_not_connected() -> None:
    assert rows_of(decided("backup", "lan")) == [("backup", "ignored"), ("lan", "web/lan")]
    assert NetworkPair(source=machines(decided("backup"))["web"].dropped_nics[0].network, nad=None, ignored=True) in (
        group(decided("backup"), "first-01").networks
    )


def test_a_frozen_vm_keeps_what_it_left_behind_and_a_vm_without_such_a_nic_is_written_as_before() -> None:
    rows = [row("lan", BRIDGE), row("backup", IGNORED)]
    given = vm("web", nics=on("backup", "lan"))
    record = prepared(given, networks=rows)
    groups = {"first-01": {"stage": "prepared"}}
    found = resolved(given, networks=rows, assignments=record, groups=groups)
    assert (codes(found), len(machines(found)["web"].dropped_nics)) == ([], 1)
    connected = [rows[0], row("backup", BRIDGE)]
    found = resolved(given, networks=connected, assignments=record, groups=groups)
    assert "dropped_nics" in finding(found, "VMF409").message
    assert len(machines(found)["web"].nics) == 1


def test_a_network_that_is_not_connected_has_nothing_to_test_or_to_copy_over() -> None:
    smoke = {"addresses": ["10.0.0.2/24", "10.0.0.3/24"], "namespace": "web"}
    rows = [row("lan", BRIDGE), row("backup", IGNORED, name="backup", smokeTest=smoke)]
    assert "nothing to test" in finding(resolved(vm("web", nics=on("lan")), networks=rows), "VMF204").message
    rows[1].pop("smokeTest")
    copied = resolved(vm("web", nics=on("lan")), networks=rows, defaults=defaults(transferNetwork="backup"))
    assert "backup is not a network with" in finding(copied, "VMF102").message


# --- the network that disks are copied over ------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "gateway", "path", "expected"),
    [
        ("2.12", "10.40.50.1", FORKLIFT, "10.40.50.1"),
        ("2.9", "10.40.50.1", FORKLIFT, "10.40.50.1"),
        ("2.12", None, FORKLIFT, "none"),
        ("2.11", None, FORKLIFT, "none"),
        ("2.10", None, FORKLIFT, None),
        ("2.12", "10.40.50.1", {}, None),
    ],
)
def test_a_transfer_network_says_its_default_route_to_forklift_as_it_understands_it(
    version: str, gateway: str | None, path: Data, expected: str | None
) -> None:
    localnet = {"type": "ovn-localnet", "physicalNetwork": "physnet", "vlan": 77, "subnets": ["10.40.50.0/24"]}
    xfer = row("vmotion", localnet, name="xfer") | ({"gateway": gateway} if gateway else {})
    found = resolved(
        vm("web", nics=on("lan"), **path),
        networks=[row("lan", BRIDGE), xfer],
        target={"cluster": {"name": "prod-a", "versions": {"forklift": version}}, "gitops": GITOPS},
        defaults=defaults(transferNetwork="xfer"),
    )
    [web] = found.blueprint.namespaces
    assert [(nad.name, nad.route) for nad in web.nads] == [("lan", None), ("xfer", expected)]


# --- nodes that get a bridge ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("distribution", "stated", "expected"),
    [
        ("openshift", None, {"node-role.kubernetes.io/worker": ""}),
        ("kubernetes", None, {"kubevirt.io/schedulable": "true"}),
        ("rke2", None, {"kubevirt.io/schedulable": "true"}),
        ("k3s", {"pool": "vms"}, {"pool": "vms"}),
    ],
)
def test_a_bridge_is_made_on_nodes_that_have_the_label(distribution: str, stated: Data | None, expected: Data) -> None:
    bridge = {"name": "br-vm", "port": "bond1"} | ({"nodeSelector": stated} if stated else {})
    cluster = {"name": "prod-a", "distribution": distribution, "bridges": [bridge]}
    found = resolved(
        vm("web", nics=on("lan")), networks=[row("lan", BRIDGE)], target={"cluster": cluster, "gitops": GITOPS}
    )
    [plan] = found.blueprint.bridges
    assert (plan.node_selector, plan.vlans) == (expected, ((7, 7),))
