"""A migration from planned to retired, one commit a move, followed by a real engine: nothing runs twice or is lost."""

from collections import Counter
from collections.abc import Iterator

import pytest
import yaml
from tests.e2e.cluster.life import Life
from tests.e2e.cluster.team import engine, minimal, playing
from tests.invocation import vmferry

pytestmark = pytest.mark.cluster

LOSS = ("--data-loss", "accepted", "--reason", "it is slow")


@pytest.fixture(scope="module", params=[engine("flux"), engine("argocd")])
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with playing(request.param, tmp_path_factory.mktemp(request.param)) as played:
        made = Life(played, minimal(request.param))
        made.has("plans", "cold-01", "cold-02")
        made.has("jobs", "job-01", "job-02", "job-03", path="virt-v2v", method="job")
        made.begin()
        yield made


def test_everything_from_planned_to_retired_with_what_goes_wrong_on_the_way(life: Life, tally: Counter[str]) -> None:
    life.moved("plans-01", "jobs-01")
    life.moved("plans-01", "jobs-01")
    begun = life.begun()
    assert {key.kind for key in begun} == {"Migration", "Job"}

    # a retry, and one VM that is rolled back and tried again alone while the others go on
    life.step("jobs-01", "migrating", attempt=2)
    life.moved("jobs-01", "--vm", "job-03")
    own = "jobs-01-job-03"
    assert life.advance(own, "--to", "migrating").code == 1
    life.moved(own, "--to", "prepared")
    life.forklift_makes("plans-01")
    life.moved(own, "jobs-01", "plans-01")
    assert life.live("Job", "job-03-convert-3")
    assert life.named("VirtualMachine", "job-01")["spec"]["runStrategy"] == "Always"

    # on hold; and git owns what Forklift made: the first sync changes nothing in it
    spec = life.repository / "spec.yaml"
    text = spec.read_text()
    spec.write_text(text.replace("splitFrom: jobs-01", "hold: its owner is away, splitFrom: jobs-01"))
    assert spec.read_text() != text
    assert "VMF865" in life.advance(own).text
    spec.write_text(text)
    made = {key: obj["spec"] for key, obj in life.live("VirtualMachine", "cold-0").items()}
    assert "VMF881" in life.advance("plans-01").text
    life.adopt("plans-01")
    life.moved("plans-01", own)
    assert {key: obj["spec"] for key, obj in life.live("VirtualMachine", "cold-0").items()} == made
    assert life.named("VirtualMachine", "cold-01")["metadata"]["labels"]["vmferry.dev/group"] == "plans-01"

    # a roll-back of the group, and once more from the start; a VM that comes late has a group of its own
    life.moved("plans-01", "--to", "rolled-back", *LOSS)
    stopped = life.live("VirtualMachine", "cold-0")
    assert [obj["spec"]["runStrategy"] for obj in stopped.values()] == ["Halted", "Halted"]
    assert {key: obj["spec"]["template"] for key, obj in stopped.items()} == {k: s["template"] for k, s in made.items()}
    life.delete_made("cold-01", "cold-02")
    life.has("late", "job-04", path="virt-v2v", method="job")
    spec.write_text(yaml.safe_dump(life.spec, sort_keys=False))
    life.moved("plans-01", "--to", "prepared", "--remigrate")
    life.moved("plans-01")
    life.forklift_makes("plans-01")
    life.moved("plans-01")
    life.adopt("plans-01")
    life.merged("recorded again")

    # two branches merge
    main = life.git("rev-parse", "--abbrev-ref", "HEAD").strip()
    life.git("checkout", "--quiet", "-b", "other")
    assert life.advance("late-01").code == 0
    assert vmferry("compile", life.repository, "--out", life.repository).code == 0
    life.commit("late-01 prepared")
    life.git("checkout", "--quiet", main)
    life.moved("plans-01", "jobs-01", own)
    assert life.live("Job", "job-0")
    life.git("merge", "--no-edit", "--quiet", "other")
    life.merged("merged")
    life.moved("late-01")

    # a revert of what has run is refused, and does no harm if somebody merges it
    head = life.git("rev-parse", "HEAD").strip()
    life.git("revert", "--no-edit", "HEAD")
    assert vmferry("check", life.repository, "--against", head, *life.now).code == 1
    life.sync()
    assert life.lost() == []
    life.git("revert", "--no-edit", "HEAD")

    # to the end
    life.moved("plans-01", "jobs-01")
    life.moved("plans-01", "jobs-01")
    [plan] = life.live("Plan", "plans-01-r1").values()
    assert plan["spec"]["archived"] is True
    assert life.named("VirtualMachine", "job-01")["spec"]["runStrategy"] == "Always"

    # nothing that copied was ever made again, and whatever looks at it later changes nothing
    life.again()
    after = life.begun()
    assert {key: uid for key, uid in begun.items() if after.get(key) != uid} == {}
    assert life.lost() == []
    tally.update(lost=len(life.lost()))
