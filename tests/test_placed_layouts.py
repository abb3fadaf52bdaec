"""Tests of `vmferry compile` where one side of a merge has the layout of an earlier vmferry. Nobody edited anything."""

import subprocess
from pathlib import Path

import pytest
from tests.cli.test_check import SPEC
from tests.invocation import vmferry
from tests.load.test_history import commit, git, write
from tests.output.former import formerly, with_one_name
from tests.test_placed_merges import compiled, merge, tree

WAYS = {"forklift": "path: forklift, method: cold", "image": "path: virt-v2v, method: image", "job": "path: virt-v2v"}
ALL = ("web-01", "web-02", "web-03", "web-05")


def add(repository: Path, *names: str) -> None:
    """Write an entry for each VM, in a file of its own, and compile."""
    for name in names:
        number = name[-2:]
        write(
            repository / f"vms/{name}.yaml",
            f"apiVersion: vmferry.dev/v1alpha1\nkind: VirtualMachineSet\nmetadata: {{name: {name}}}\nvms:\n"
            f"  - {{name: {name}, id: vm-{number}, uuid: 42301f6e-1c5d-4c6e-9d3a-2b8f6a7c00{number}, firmware: bios,\n"
            "     os: linux, powerState: poweredOn, cpu: {count: 2}, memory: 2Gi, host: esx, datacenter: dc,\n"
            "     guestId: rhel9_64Guest, hardwareVersion: vmx-19,\n"
            f"     disks: [{{size: 1Gi, datastore: ds1}}],\n"
            f"     nics: [{{network: lan, mac: '00:50:56:9a:10:{number}'}}]}}\n",
        )
    result = compiled(repository)
    assert result.code == 0, result.text


@pytest.fixture(params=[*((way, formerly) for way in WAYS), ("forklift", with_one_name), ("job", with_one_name)])
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A repository of a former layout; its branch aside adds a VM in that, and main takes the layout of now."""
    root = tmp_path / "repository"
    way, formerly = request.param
    text = SPEC.replace("path: forklift, method: cold", WAYS[way])
    trusted = f"conversionCredentials: {{secretRef: {{name: read}}}}\n      thumbprint: {':'.join(['5A'] * 20)}\n      "
    write(root / "spec.yaml", f"{text.replace('vddkImage', f'{trusted}vddkImage')}include: [vms/*.yaml]\n")
    add(root, "web-01", "web-05")
    formerly(root / "gitops")
    commit(root)
    git(root, "switch", "--quiet", "--create", "aside")
    add(root, "web-02")
    formerly(root / "gitops")
    commit(root)
    git(root, "switch", "--quiet", "main")
    add(root, "web-03")
    commit(root)
    return root


def take(repository: Path, side: str) -> None:
    """Take a side of every conflict; a file that this side does not have goes."""
    for path in dict.fromkeys(git(repository, "diff", "--name-only", "--diff-filter=U").split()):
        try:
            git(repository, "checkout", "--quiet", f"--{side}", "--", path)
        except subprocess.CalledProcessError:
            (repository / path).unlink(missing_ok=True)


def is_that_of_all_four(repository: Path) -> None:
    """Assert that the tree is what the merged spec gives, and that nothing of either layout is left."""
    result = compiled(repository)
    assert result.code == 0, result.text
    anew = repository.with_name("anew")
    assert vmferry("compile", repository, "--out", anew).code == 0
    assert tree(repository / "gitops") == tree(anew / "gitops")
    text = "".join(path.read_text() for path in (repository / "gitops/bases").rglob("*.yaml"))
    assert [name for name in ALL if name not in text] == []


@pytest.mark.parametrize("side", ["ours", "theirs"])
@pytest.mark.parametrize("into", ["main", "aside"])
def test_whichever_side_was_taken_the_merged_tree_is_compiled(repository: Path, into: str, side: str) -> None:
    git(repository, "switch", "--quiet", into)
    merge(repository, "merge", "--quiet", "aside" if into == "main" else "main")
    take(repository, side)
    commit(repository, "merged")
    is_that_of_all_four(repository)


@pytest.mark.parametrize("into", ["main", "aside"])
def test_in_the_middle_of_the_merge_the_tree_may_be_compiled_as_it_is(repository: Path, into: str) -> None:
    git(repository, "switch", "--quiet", into)
    merge(repository, "merge", "--quiet", "aside" if into == "main" else "main")
    git(repository, "checkout", "--quiet", "--ours", "--", "assignments.yaml")
    is_that_of_all_four(repository)


def test_a_branch_of_the_former_layout_is_put_on_top_of_the_new_one(repository: Path) -> None:
    git(repository, "switch", "--quiet", "aside")
    merge(repository, "rebase", "main")
    git(repository, "checkout", "--quiet", "--ours", "--", "assignments.yaml")
    is_that_of_all_four(repository)


def test_a_file_of_somebody_elses_that_a_branch_brought_stays(repository: Path) -> None:
    git(repository, "switch", "--quiet", "aside")
    mine = write(repository / "gitops/clusters/prod/mine/notes.yaml", "mine: true\n")
    commit(repository)
    git(repository, "switch", "--quiet", "main")
    merge(repository, "merge", "--quiet", "aside")
    take(repository, "ours")
    commit(repository, "merged")
    result = compiled(repository)
    assert result.code == 0, result.text
    assert mine.read_text() == "mine: true\n"
    assert not list((repository / "gitops").rglob("*-web-02*.yaml"))
