"""Any sequence of moves, legal and illegal: what is refused changes nothing, and what is accepted harms nothing.

`VMFERRY_LIFECYCLES=10000 pytest tests/properties/test_lifecycle.py` soaks it.
"""

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from tests.properties.lifecycle import ONWARD, STAGES, Known, Migration, State, legal, may_leave

_LIKELY = st.sampled_from(("onward", "onward", "onward", "back", "any"))
_DELTA = st.sampled_from((0, 0, 0, 0, 1, 1, -1))
_SOMETIMES = st.sampled_from((False, False, False, True))


class Lifecycle(RuleBasedStateMachine):
    """People who move groups of every method, by commits."""

    def __init__(self) -> None:
        super().__init__()
        self.migration = Migration()

    def _name(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.migration.groups)))

    def _stage(self, data: st.DataObject, was: str) -> str:
        how = data.draw(_LIKELY)
        if how == "onward":
            return ONWARD.get(was, "prepared")
        return "rolled-back" if how == "back" else data.draw(st.sampled_from(STAGES))

    def _tried(self, name: str, new: State, known: Known, after: dict[str, Known], *, allowed: bool) -> None:
        """Commit a change of one group; it is refused exactly if it is illegal."""
        codes = self.migration.commit({name: new}, after)
        assert (codes == []) is allowed, f"{known.state} of {known.method} to {new}: {codes or 'accepted'}"

    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        """Set a group to a stage, with some numbers, a hold and a word on the data, or without."""
        name = self._name(data)
        known = self.migration.groups[name]
        old = known.state
        new: State = {key: value for key, value in old.items() if key in ("splitFrom", "vms")}
        new["stage"] = self._stage(data, old["stage"])
        going = old["stage"] == "rolled-back" and new["stage"] != "rolled-back" and data.draw(st.booleans())
        for field, first in (("attempt", 1), ("remigrate", 0)):
            number = old.get(field, first) + (1 if going else data.draw(_DELTA))
            if number != first and number >= first:
                new[field] = number
        if data.draw(_SOMETIMES):
            new["hold"] = "the owner is away"
        stated = new["stage"] == "rolled-back" and data.draw(st.sampled_from((True, True, True, False)))
        if stated or data.draw(st.integers(0, 19)) == 0:
            new |= {"dataLoss": "accepted", "reason": "it is slow"}
        self._tried(name, new, known, {name: self._after(known, new)}, allowed=legal(known, new))

    @staticmethod
    def _after(known: Known, new: State) -> Known:
        back = new["stage"] == "rolled-back"
        reached = known.reached if known.state["stage"] == "rolled-back" else known.state["stage"]
        return Known(known.method, known.vms, new, reached if back else None)

    @precondition(lambda self: any(len(known.vms) > 1 for known in self.migration.groups.values()))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """Let one VM leave its group."""
        name = self._name(data)
        known = self.migration.groups[name]
        one = known.vms[-1]
        own = f"own-{one}"
        if own in self.migration.groups:
            return
        was = known.state["stage"]
        stage = data.draw(st.sampled_from(("rolled-back", "rolled-back", was, *STAGES)))
        new: State = {"stage": stage, "splitFrom": name, "vms": [one]}
        new |= {field: known.state[field] for field in ("attempt", "remigrate") if field in known.state}
        if stage == "rolled-back" and data.draw(st.sampled_from((True, True, False))):
            new |= {"dataLoss": "accepted", "reason": "it is slow"}
        left = Known(known.method, known.vms[:-1], known.state, known.reached)
        reached = known.reached if was == "rolled-back" else was
        alone = Known(known.method, (one,), new, reached if stage == "rolled-back" else None)
        self._tried(own, new, known, {name: left, own: alone}, allowed=may_leave(known, new))

    @precondition(lambda self: len(self.migration.past) > 1)
    @rule(data=st.data())
    def revert(self, data: st.DataObject) -> None:
        """Revert to an earlier commit, record and all: it may be refused, and does no harm if it is not."""
        groups, assignments = data.draw(st.sampled_from(self.migration.past[1:]))
        stated = {name: known.state for name, known in groups.items() if known.state != {"stage": "planned"}}
        codes: Any = self.migration.commit_all(stated, assignments, groups)
        assert codes == [] or all(code.startswith("VMF") for code in codes)


Lifecycle.TestCase.settings = settings(
    max_examples=int(os.environ.get("VMFERRY_LIFECYCLES", "60")),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
test_any_sequence_of_moves = Lifecycle.TestCase
