"""What people are shown of the three modes in which a source is kept beside its target: by the example dual-run."""

from pathlib import Path
from typing import Any

import pytest
from tests.invocation import vmferry

EXAMPLE = Path(__file__).parents[2] / "examples" / "dual-run"


def explained(vm: str) -> dict[str, Any]:
    [found] = vmferry("explain", EXAMPLE, vm, "--format", "json").data
    assert isinstance(found, dict)
    return found


def test_explain_names_the_mode_and_the_identity_that_follows() -> None:
    found = explained("web-01")
    assert found["dual run"]["value"] == "parallel"
    assert found["identity"]["value"].startswith("host name web-01-new, UUID ")
    assert not {"dual run", "identity"} & explained("files-01").keys()


def test_status_says_how_many_clients_go_to_the_target() -> None:
    text = vmferry("status", EXAMPLE).text
    assert "cutover, parallel 25 %" in text
    groups = {each["group"]: each for each in vmferry("status", EXAMPLE, "--format", "json").data["groups"]}
    assert (groups["frontend-02"]["dual_run"], groups["frontend-02"]["weight"]) == ("parallel", 25)
    assert (groups["files-01"]["dual_run"], groups["files-01"]["weight"]) == ("fallback", 100)


@pytest.mark.parametrize(
    ("group", "outage", "power"), [("files-01", "from the shutdown", 1), ("frontend-02", "none", 0)]
)
def test_the_way_back_of_a_parallel_run_has_no_outage_and_starts_nothing(group: str, outage: str, power: int) -> None:
    found = vmferry("explain", EXAMPLE, group, "--rollback", "--format", "json").data
    assert found["outage"].startswith(outage)
    assert sum(step["kind"] == "power" for step in found["steps"]) == power


def runbook() -> dict[str, list[str]]:
    groups = vmferry("report", "runbook", EXAMPLE, "--format", "json").data["groups"]
    return {each["group"]: [step["what"] for step in each["steps"]] for each in groups}


def test_the_runbook_has_a_decision_for_each_step_and_shuts_nothing_down() -> None:
    found = runbook()
    shares = [what.split(" %")[0] for what in found["frontend-02"] if "of clients to the target" in what]
    assert shares == [f"Go or no-go: {weight}" for weight in (5, 25, 50, 100)]
    assert not [what for what in found["frontend-02"] if "Shut down" in what or "source is off" in what]
    assert [what for what in found["files-01"] if "Shut down" in what]
    assert not [what for what in found["files-01"] if "of clients" in what]
