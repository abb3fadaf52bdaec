"""`vmferry compile`, killed at any instant: the tree is the old one or the new one, and the next run works."""

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.invocation import process

from vmferry.yaml.write import dump

pytestmark = pytest.mark.slow

KILLS = 50
MOST = 500
"""Runs after which the test gives up meeting the moments it is about."""
_API = "vmferry.dev/v1alpha1"

# What `vmferry` runs, loaded once: for each line (seconds, then arguments) a child is forked that runs the
# command line as a process of its own would, and killed after so many seconds.
NURSERY = """
import os, signal, sys, time
import vmferry.cli.compile, vmferry.compile
from vmferry.cli import run
for line in sys.stdin:
    seconds, *arguments = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        sys.argv = ["vmferry", *arguments]
        run()
    time.sleep(float(seconds))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    print("killed" if os.WIFSIGNALED(status) else f"ended {os.waitstatus_to_exitcode(status)}", flush=True)
"""


def spec(memory: str, count: int) -> dict[str, Any]:
    """Return a spec whose variants differ in many files and in how many there are."""
    vms = [
        {
            "name": f"web-{index:02d}",
            "uuid": f"42301f6e-1c5d-4c6e-9d3a-{index:012x}",
            "powerState": "poweredOn",
            "os": "linux",
            "firmware": "bios",
            "cpu": {"count": 2},
            "memory": memory,
            "disks": [{"size": "20Gi", "datastore": "ds"}],
            "nics": [{"network": "vlan", "mac": f"00:50:56:00:00:{index:02x}"}],
        }
        for index in range(count)
    ]
    return {
        "apiVersion": _API,
        "kind": "MigrationSpec",
        "metadata": {"name": "kill"},
        "sources": [
            {
                "name": "vc1",
                "vcenter": {"url": "https://vc1.example.com/sdk", "credentials": {"secretRef": {"name": "vc1"}}},
            }
        ],
        "target": {
            "cluster": {"name": "prod-a"},
            "gitops": {"engine": "flux", "repoURL": "https://git.example.com/platform/gitops"},
        },
        "networks": [{"source": {"portGroup": "vlan", "vlan": 7}, "target": {"type": "bridge", "bridge": "br"}}],
        "storage": {
            "classes": [{"name": "ceph", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"}],
            "map": [{"source": {"datastore": "ds"}, "tier": "gold"}],
        },
        "namespaces": [{"name": "web"}],
        "phases": [{"name": "first"}],
        "defaults": {"phase": "first", "namespace": "web", "path": "virt-v2v", "method": "image"},
        "vms": vms,
    }


def content(directory: Path) -> dict[str, bytes]:
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_a_compile_that_is_killed_leaves_the_old_tree_or_the_new_one(tmp_path: Path) -> None:
    dice = random.Random(4711)
    home, tree = tmp_path / "home", tmp_path / "out/gitops"
    variants = [dump(spec("2Gi", 40)), dump(spec("4Gi", 30))]
    home.mkdir()

    def compile_fully(variant: bytes) -> float:
        (home / "spec.yaml").write_bytes(variant)
        start = time.monotonic()
        done = process("compile", home, "--out", tree.parent)
        assert done.code == 0, done.text
        return time.monotonic() - start

    longest = 0.0
    trees, assignments = [], []
    for variant in variants:
        longest = max(longest, compile_fully(variant))
        trees.append(content(tree))
        assignments.append((home / "assignments.yaml").read_bytes())

    kills, interrupted, replaced = 0, 0, 0
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as nursery:
        assert nursery.stdin
        assert nursery.stdout
        turn, runs = 1, 0
        # machines differ in how long each part takes: go on until enough of the kills met what they are meant to
        while runs < MOST and (kills < KILLS or replaced <= 5 or interrupted <= 3):
            turn, runs = 1 - turn, runs + 1
            (home / "spec.yaml").write_bytes(variants[turn])
            before = content(tree)
            # a child does not have to import anything: half the time of a process is more than enough
            nursery.stdin.write(f"{dice.uniform(0.005, longest / 2)}\tcompile\t{home}\t--out\t{tree.parent}\n")
            kills += nursery.stdout.readline() == "killed\n"
            now = content(tree)
            assert now in trees
            assert (home / "assignments.yaml").read_bytes() in assignments
            interrupted += len(list(tree.parent.iterdir())) > 1  # a staging directory was left
            replaced += now != before
        nursery.stdin.close()
    assert replaced > 5, "the kills came too early to prove anything"
    assert interrupted > 3, "the kills came too early or too late to prove anything"

    for turn in (0, 1):
        compile_fully(variants[turn])
        assert content(tree.parent) == {f"gitops/{path}": raw for path, raw in trees[turn].items()}
        assert (home / "assignments.yaml").read_bytes() == assignments[turn]
        assert process("compile", home, "--out", tree.parent, "--check").code == 0
