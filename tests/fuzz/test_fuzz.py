"""A bounded number of hostile files in CI (VMFERRY_FUZZ says how many of each kind), and all that once went wrong."""

import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.target import CORPUS, KINDS, HungError, inputs, limited, survives

COUNT = int(os.environ.get("VMFERRY_FUZZ", "40"))
FILES = sorted(CORPUS.glob("*/*"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_once_went_wrong_is_survived(path: Path) -> None:
    survives(path.parent.name, path.read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=COUNT, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_hostile_files_are_survived(kind: str, data: st.DataObject) -> None:
    survives(kind, data.draw(_INPUTS[kind]))


_INPUTS = {kind: inputs(kind) for kind in KINDS}


def test_a_run_that_hangs_would_be_noticed() -> None:
    with pytest.raises(HungError), limited(1):
        threading.Event().wait()
