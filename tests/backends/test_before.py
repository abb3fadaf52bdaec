"""Whatever scripts print, at the source and in the pod: two outputs have one value exactly if their bytes are equal."""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.backends import schemas
from tests.backends.estate import blueprint, group, machine

from vmferry.backends import before, checks
from vmferry.backends.trials import FAILED
from vmferry.model.blueprint import Group, MachineCheck
from vmferry.model.manifest import Resource
from vmferry.model.spec import Check, SecretRef

PRINTS = '#!/bin/sh\ncat "$FILE"\n'
MOST = 10 << 20
_LINE = re.compile(r"=(\d+) ([0-9a-f]{32})(?: ([ -~]{0,100}))?")


def compared(*names: str, script: str = PRINTS, vms: tuple[str, ...] = ("web-01",), **fields: Any) -> Group:
    made = [machine(name) for name in vms]
    its = tuple(
        MachineCheck(check=Check(name=name, same=f"{name}.sh"), address="10.0.7.1", source="10.0.7.1", made_of="abc")
        for name in names or ("data",)
    )
    stated = {"stage": "prepared", "checks": {vm.key: its for vm in made}} | fields
    return group("first-01", "job", *made, **stated, check_scripts=dict.fromkeys(names or ("data",), script))


def asked(found: Group, file: Path, **environment: str) -> tuple[int, list[dict[str, str]], bytes]:
    """Return what before.sh does: its exit code, the values it prints, and what it says."""
    command = ["bash", "-c", before.script("acme", found)]
    done = subprocess.run(
        command, env=os.environ | {"FILE": str(file)} | environment, capture_output=True, check=False, timeout=120
    )
    printed = json.loads(done.stdout)
    assert set(printed) == {"kind", "migration", "group", "attempt", "remigrate", "values"}
    return done.returncode, printed["values"], done.stderr


def in_pod(found: Group, file: Path, **environment: str) -> tuple[int, str]:
    """Return what the Job's script does: its exit code and message."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in found.check_scripts.items():
            script = Path(folder) / f"script.{name}"
            script.write_text(text)
            script.chmod(0o555)
        message = Path(folder) / "message"
        message.write_text("")
        own = {"PATIENCE": "0", "SCRIPTS_DIR": folder, "MESSAGE": str(message), "FILE": str(file)}
        done = subprocess.run(
            ["bash", "-c", checks.script(found)],
            env=os.environ | own | environment,
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.stderr == b""
        return done.returncode, message.read_text(encoding="ascii")


def values(message: str) -> dict[int, str]:
    """Return what the message of a pod has of each check; nothing else may be in it."""
    found = [_LINE.fullmatch(line) for line in message.splitlines()]
    assert all(found), message
    return {int(match[1]): match[2] for match in found if match is not None}


@settings(max_examples=40, deadline=None)
@given(was=st.binary(min_size=1, max_size=600), now=st.binary(min_size=1, max_size=600), equal=st.booleans())
def test_two_outputs_have_one_value_exactly_if_their_bytes_are_equal(was: bytes, now: bytes, equal: bool) -> None:
    now = was if equal else now
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(was)
        code, [value], _ = asked(compared(), Path(file.name))
        Path(file.name).write_bytes(now)
        status, message = in_pod(compared(), Path(file.name))
    assert (code, status) == (0, 0)
    assert re.fullmatch(r"[ -~]{0,100}", value["shown"])
    assert (value["value"] == f"sha256:{values(message)[0]}") == (was == now)


HOSTILE = {
    "a newline more": b"rows 7\n\n",
    "quotes": b'"\'`$(reboot)`\\"},{\\u0022',
    "ANSI": b"\x1b[31mred\x1b]0;title\x07",
    "every byte": bytes(range(256)),
    "zeros": b"\0" * 1000,
    "a line of the message": b"=0 00000000000000000000000000000000\nweb-01 data lost\n+7\n",
    "JSON": b'","value":"sha256:00000000000000000000000000000000","taken":"2027-01-01T00:00:00Z',
    "10 MB": b"0123456789" * 1_000_000,
    "one line of 10 MiB": b"x" * MOST,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_output_is_data(name: str, tmp_path: Path) -> None:
    file = tmp_path / "output"
    file.write_bytes(HOSTILE[name])
    code, [value], said = asked(compared(), file)
    status, message = in_pod(compared(), file)
    assert (code, status) == (0, 0)
    assert set(value) == {"vm", "check", "script", "value", "taken", "shown"}
    assert value["value"] == f"sha256:{values(message)[0]}"
    assert re.fullmatch(rb"[ -~\n]*", said)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("#!/bin/sh\n", "it prints nothing, which proves nothing"),
        ("#!/bin/sh\nexec yes\n", f"it prints more than {MOST} bytes: let it print a checksum"),
        ("#!/bin/sh\necho 7 rows\necho 'connection \033[31mlost' >&2\nexit 1\n", "connection [31mlost"),
        ("#!/bin/sh\necho 7 rows\nexec sleep 60\n", "the script took too long"),
        ("#!/bin/sh\necho 7 rows\nkill -9 $$\n", ""),
    ],
    ids=["nothing", "no-end", "failure", "no-answer", "killed"],
)
def test_what_fails_has_no_value(script: str, why: str, tmp_path: Path) -> None:
    found = compared(script=script)
    code, printed, said = asked(found, tmp_path, SAME_LIMIT="2")
    assert (code, printed) == (1, [])
    assert f"FAILED: {why}" in said.decode()
    status, message = in_pod(found, tmp_path, SAME_LIMIT="2")
    assert status == FAILED
    assert message.startswith(f"web-01 data {why}")
    assert "=" not in message


def test_as_many_as_vmf574_allows_fit_into_the_message_of_a_pod(tmp_path: Path) -> None:
    wordy = "#!/bin/sh\nprintf '%0500d' 7\n"
    names = tuple(f"check-with-a-rather-long-name-{number}" for number in range(90))
    found = compared(*names, script=wordy)
    status, message = in_pod(found, tmp_path)
    assert (status, len(values(message))) == (0, 90)
    assert len(message) <= 4096


def test_digests_come_first_and_failures_as_far_as_there_is_room(tmp_path: Path) -> None:
    names = tuple(f"check-{number}" for number in range(80))
    found = compared(*names)
    bad = dict.fromkeys(names[:40], "#!/bin/sh\nprintf '%0500d\\n' 7 >&2\nexit 1\n")
    good = dict.fromkeys(names[40:], "#!/bin/sh\nprintf '%0500d' 7\n")
    status, message = in_pod(structs.replace(found, check_scripts=bad | good), tmp_path)
    lines = message.splitlines()
    assert status == FAILED
    assert len(message) <= 4096
    assert len([line for line in lines if line.startswith("=")]) == 40
    shown = [line for line in lines if line.startswith("web-01 ")]
    assert len(shown) + int(lines[-1].removeprefix("+")) == 40


def test_a_job_that_compares_nothing_has_the_script_that_it_had() -> None:
    its = (MachineCheck(check=Check(name="ssh", tcp=22), address="127.0.0.1"),)
    found = compared(checks={machine("web-01").key: its})
    text = checks.script(found)
    assert "measure" not in text
    assert "CREDENTIALS" not in text
    assert not list(before.emit(blueprint(found)))


def test_the_pod_with_a_secret_fits_its_schema() -> None:
    secret = SecretRef(name="reader")
    check = Check(name="data", same="data.sh", secret_ref=secret)
    its = (MachineCheck(check=check, address="10.0.7.1"),)
    key = machine("web-01").key
    image = "registry.example.com/check:1"
    found = compared(checks={key: its}, stage="cutover", layers=("checks",), check_image=image)
    for item in checks.emit(blueprint(found)):
        if isinstance(item, Resource):
            schemas.assert_fits(item.object)
