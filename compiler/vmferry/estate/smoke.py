"""What evidence says of the smoke test of a network: whether both of its VMs reached each other, and since when."""

from typing import Literal, NamedTuple

from vmferry.estate.history import latest, moment
from vmferry.model.evidence import Evidence
from vmferry.model.spec import SmokeTest

State = Literal["passed", "failed", "not run"]


class Tested(NamedTuple):
    """The result of a smoke test; ``at`` is when it was reached, in RFC 3339, and ``why`` is set if it failed."""

    state: State
    at: str | None = None
    why: str = ""


def tested(network: str, test: SmokeTest, evidence: Evidence | None) -> Tested:
    """Return the result of the smoke test of a network, by the network's name in the target.

    Its VMs are in one namespace: what was recorded of a test that ran in another one no longer counts.
    """
    place = f"VirtualMachine {test.namespace}/"
    found = [
        entry
        for entry in latest(evidence.entries if evidence is not None else ())
        if entry.what == "smokeTest" and entry.network == network and (entry.object or "").startswith(place)
    ]
    failed = [entry for entry in found if entry.outcome != "succeeded"]
    if failed:
        last = max(failed, key=moment)
        return Tested("failed", moment(last) or None, last.problem or "")
    if len(found) < len(test.addresses):  # only one of the two was seen
        return Tested("not run")
    return Tested("passed", max(map(moment, found)) or None)
