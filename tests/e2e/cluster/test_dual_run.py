"""Each mode of dual run until hosts go, followed by a real engine: clients move as git says, and VMs stay."""

from collections import Counter
from collections.abc import Iterator

import pytest
from tests.e2e.cluster.dual_run import DualRun
from tests.e2e.cluster.team import engine, playing

pytestmark = pytest.mark.cluster

LOSS = ("--to", "rolled-back", "--data-loss", "accepted", "--reason", "it is slow")
SECOND, THIRD = "2027-01-23T20:30:00Z", "2027-01-30T20:30:00Z"
LATER, LAST = "2027-03-15T08:00:00Z", "2027-06-05T09:00:00Z"
NEW = ("web-01-new", "shop-01-new", "db-01-new")
NEEDED = ("ExternalSecret", "NetworkMap", "Plan", "Provider", "StorageMap")
NOON = 1_800_000_000  # 2027-01-15T08:00:00Z


@pytest.fixture(scope="module", params=[engine("flux"), engine("argocd")])
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DualRun]:
    with playing(request.param, tmp_path_factory.mktemp(request.param)) as played:
        made = DualRun(played)
        made.begin()
        yield made


def test_from_planned_until_hosts_go(team: DualRun, tally: Counter[str]) -> None:
    files, plans, replica = (team.group_of(name) for name in ("files-01", "mail-01", "db-01"))
    clone, containers = (team.group_of(name) for name in ("web-01", "news-01"))
    everything = (files, plans, clone, containers, replica)

    # the pre-flight: what changed is tried again, and while it fails nothing begins to move
    assert team.refused_pods() == ""
    team.moved(*everything)
    team.observe()
    team.fail("preflight-source-vc1", "vcenter.example.com port 443: no answer within 10 s\n")
    team.vcenter(thumbprint=":".join(["0B"] * 20))
    assert team.compile_as_it_is().code == 0
    team.commit("vCenter has another certificate")
    assert "preflight-source-vc1" in team.follower.fails("preflight")
    assert "node-1: vcenter.example.com port 443: no answer within 10 s" in team.observe().out
    team.refuses("VMF870", files)
    team.mend("preflight-source-vc1")
    team.observe()
    team.moved(files, plans)
    team.observe()
    team.sign(plans)

    # checks: the VMs are there, and not accepted as long as one fails
    team.forklift_makes(plans)
    team.fail("check", "files-01 share port 445: Connection refused\n")
    team.advanced(files, plans)
    assert team.compile_as_it_is().code == 0
    team.commit("cut over")
    assert "Job" in team.follower.fails("check")
    assert "share failed" in team.observe().out
    team.mend("check")
    assert "share succeeded" in team.observe().out

    # the gate: no phase after it goes on before its VMs are as fast as they were
    team.now = ("--now", SECOND)
    team.refuses("VMF895", clone)
    assert "40 ms per write (2 in vSphere, at most 5)" in team.compare("files-01", NOON, slower=20).out
    team.refuses("VMF895", clone)
    team.sign(plans)
    assert "performance succeeded" in team.compare("files-01", NOON + 86400).out
    team.adopt(plans)
    team.moved(files, plans, clone, containers, replica)
    assert team.named("VirtualMachine", "db-01-new")["spec"]["runStrategy"] == "Always"
    assert team.alias() == "db-01.example.com"
    team.observe()

    # the first clients go to the targets, and the database is promoted once somebody signed that it has everything
    team.now = ("--now", THIRD)
    team.refuses("VMF878", clone, containers, replica)
    team.sign(replica, "--caught-up", "read-only")
    team.advanced(clone, containers, replica)
    team.edit("the first clients, and the database", clone, containers, weight=5)
    assert team.shares("web-01", "shop-01", "news-01") == [{"source": 95, "target": 5}] * 3
    assert team.alias() == "db-01-new.servers.svc.cluster.local"
    first = team.machines()

    # back, and once more from the start, while the containers go on
    team.moved(clone, replica, *LOSS)
    assert team.alias() == "db-01.example.com"
    assert team.shares("web-01", "shop-01") == [{"source": 100, "target": 0}] * 2
    assert team.shares("news-01") == [{"source": 95, "target": 5}]
    stopped = team.machines()
    for name in NEW:
        assert stopped[name] == first[name].stopped()
    team.delete_made("rhel9-golden", *NEW)
    team.sign(files, plans)
    team.advanced(files, plans)
    team.set(containers, weight=25)
    team.moved(clone, replica, "--to", "prepared", "--remigrate")
    team.observe()
    team.set(containers, weight=50)
    team.moved(clone, replica)
    team.observe()
    team.sign(replica, "--caught-up", "off")
    team.advanced(clone, replica)
    team.set(containers, weight=100)
    team.edit("the first clients again", clone, weight=5)
    machines = team.machines()
    for weight in (25, 50, 100, 25, 50, 100):
        team.edit(f"{weight} % of the clients", clone, weight=weight)
        assert team.shares("web-01", "shop-01") == [{"source": 100 - weight, "target": weight}] * 2
        assert team.machines() == machines

    # accepted, retired; what reads vSphere leaves the sync last, and takes nothing along that holds data
    team.now = ("--now", LATER)
    team.observe()
    team.moved(clone, containers, replica)
    team.sign(clone, containers, replica)
    team.moved(clone, containers, replica)
    team.sign(*everything)
    team.advanced(*everything)
    team.phase("decommission", state="started")
    team.merged("retired, and hosts begin to go")
    assert team.shares("web-01", "shop-01", "news-01") == [{"target": 100}] * 3
    assert team.alias() == "db-01-new.servers.svc.cluster.local"
    assert [str(key) for key in team.deleted if key.kind in NEEDED] == []
    before = team.kept(NEEDED)
    assert {key.kind for key in before} == set(NEEDED)
    team.now = ("--now", LAST)
    team.phase("decommission", state="done")
    report = team.merged("the hosts are gone")
    assert before.keys() & report.applied.keys() == set()
    assert team.kept(NEEDED).keys() == before.keys()  # out of the sync, and left to people
    assert team.machines() == machines
    tally.update(deleted=len(team.deleted), lost=len(team.lost()))
    assert team.lost() == []
