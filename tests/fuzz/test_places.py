"""Something else where vmferry reads or writes a file: a link, a pipe, a device, a folder. Each verb survives each."""

import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.fuzz.target import LIMIT, ended, good_tree, lay_out, limited
from tests.invocation import vmferry

SECRET = "what somebody else keeps"


def _socket(path: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)  # the address of a socket may not be long
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


STRANGE: dict[str, Callable[[Path, Path], None]] = {
    "a folder": lambda path, _: path.mkdir(),
    "an empty file": lambda path, _: path.touch(),
    "a pipe": lambda path, _: os.mkfifo(path),
    "a socket": lambda path, _: _socket(path),
    "a link to itself": lambda path, _: path.symlink_to(path.name),
    "a link to nothing": lambda path, _: path.symlink_to("nothing"),
    "a link out of it": lambda path, elsewhere: path.symlink_to(elsewhere),
    "a link to a folder out of it": lambda path, elsewhere: path.symlink_to(elsewhere.parent),
    "a link to a device": lambda path, _: path.symlink_to("/dev/zero"),
    "a link to the folder above": lambda path, _: path.symlink_to(".."),
}
PLACES = (
    *("spec/spec.yaml", "spec/assignments.yaml", "spec/more.yaml", "spec/vms", "spec"),
    *("out/gitops", "out/gitops/locks", "out/gitops/locks/first", "out/gitops/locks/first/first-01.lock"),
    *("out/gitops/locks/_infra.lock", "out/gitops/locks/migration.txt"),
    *("out/gitops/overlays", "out/gitops/infra/forklift/kustomization.yaml", "out/gitops/mine.yaml"),
)
VERBS = ("check SPEC", "compile SPEC --out OUT", "compile SPEC --out OUT --check", "verify OUT", "explain SPEC web-01")


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("what", STRANGE)
def test_every_verb_survives_what_is_no_file(place: str, what: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        elsewhere = Path(directory) / "elsewhere" / "notes.txt"
        elsewhere.parent.mkdir()
        elsewhere.write_text(SECRET)
        root = Path(directory) / "root"
        root.mkdir()
        lay_out(root, good_tree())
        path = root / place
        if path.exists():
            path.rename(Path(directory) / "moved away")
        STRANGE[what](path, elsewhere)
        for verb in VERBS:
            arguments = verb.replace("SPEC", str(root / "spec")).replace("OUT", str(root / "out")).split(" ")
            with limited(LIMIT):
                result = vmferry(*arguments)
            ended(result)
            if place != "spec":  # which the caller named: it leads to where it leads
                assert SECRET not in result.text, verb
        assert {each.name: each.read_text() for each in elsewhere.parent.iterdir()} == {"notes.txt": SECRET}
