"""A compile after which nothing changed is seen to change nothing, and only then."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.invocation import Result, vmferry
from tests.load.test_history import git
from tests.work import counted

from vmferry import cores, kept_findings

ACME = Path(__file__).parents[1] / "examples/acme"


class Estate:
    """A copy of an example that was compiled until nothing changed any more."""

    def __init__(self, top: Path) -> None:
        self.spec, self.out, self.cache = top / "acme", top / "out", top / "cache"
        shutil.copytree(ACME, self.spec, ignore=shutil.ignore_patterns("gitops"))
        assert self.compile().code == 0
        assert self.compile().code == 0
        assert self.known

    def compile(self, *options: str) -> Result:
        """Compile, and take down whether the spec was read for it."""
        with counted() as calls:
            result = vmferry("compile", self.spec, "--out", self.out, "--cache-dir", self.cache, *options)
        self.known = not calls["check"]
        return result


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path)


@pytest.mark.parametrize("options", [(), ("--format", "json"), ("--all",), ("--check",), ("--diff",)])
def test_what_is_told_is_what_a_whole_run_tells(estate: Estate, options: tuple[str, ...]) -> None:
    told = estate.compile(*options)
    assert estate.known
    whole = vmferry("compile", estate.spec, "--out", estate.out, "--no-cache", *options)
    assert told == whole


CHANGES: dict[str, Callable[[Estate], object]] = {
    "a file of the spec": lambda estate: _append(estate.spec / "spec.yaml"),
    "a file of VMs": lambda estate: _append(next((estate.spec / "vms").glob("*.yaml"))),
    "a new file that a glob names": lambda estate: shutil.copy(ACME / "vms/web.yaml", estate.spec / "vms/zz.yaml"),
    "a new file beside the spec": lambda estate: (estate.spec / "more.yaml").write_text("apiVersion: v1\nkind: List\n"),
    "a link beside the spec": lambda estate: (estate.spec / "link.yaml").symlink_to("spec.yaml"),
    "the assignments": lambda estate: _append(estate.spec / "assignments.yaml"),
    "no assignments": lambda estate: (estate.spec / "assignments.yaml").unlink(),
    "a compiled file": lambda estate: _append(next((estate.out / "gitops/bases").rglob("kustomization.yaml"))),
    "a compiled file is gone": lambda estate: next((estate.out / "gitops/bases").rglob("kustomization.yaml")).unlink(),
    "a lock is gone": lambda estate: next((estate.out / "gitops/locks").rglob("*.lock")).unlink(),
    "a file of somebody else's": lambda estate: (estate.out / "gitops/bases/mine.yaml").write_text("a: 1\n"),
    "an edit of a local component": lambda estate: _append(
        next((estate.out / "gitops/overlays").rglob("local/*.yaml"))
    ),
}


def _append(path: Path) -> None:
    path.write_text(path.read_text() + "# changed\n")


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changed_is_seen(estate: Estate, change: str) -> None:
    CHANGES[change](estate)
    result = estate.compile("--format", "json")
    assert not estate.known
    whole = vmferry("compile", estate.spec, "--out", estate.out, "--no-cache", "--format", "json")
    assert result.code == whole.code
    if result.code == 0:
        assert result.data["findings"] == whole.data["findings"]


def test_a_file_that_was_touched_and_is_the_same_changes_nothing(estate: Estate) -> None:
    for path in (estate.spec / "spec.yaml", next((estate.out / "gitops/bases").rglob("kustomization.yaml"))):
        text = path.read_text()
        path.unlink()
        path.write_text(text)
    assert estate.compile().code == 0
    assert estate.known


def test_force_and_a_run_without_the_cache_look_at_everything(estate: Estate) -> None:
    for option in ("--force", "--no-cache"):
        assert estate.compile(option).code == 0
        assert not estate.known


def test_a_tree_of_somebody_else_that_appears_beside_it_is_looked_at(estate: Estate) -> None:
    before = estate.compile("--format", "json").data["findings"]
    shutil.copytree(estate.out / "gitops", estate.out / "gitops-b")
    owner = estate.out / "gitops-b/locks/migration.txt"
    owner.write_text(owner.read_text().replace("acme", "other", 1))
    found = estate.compile("--format", "json").data["findings"]
    assert {each["code"] for each in found} - {each["code"] for each in before} == {"VMF632"}


def test_a_repository_in_which_the_tree_is_elsewhere_is_looked_at(estate: Estate) -> None:
    (estate.out / "file").write_text("")
    git(estate.out.parent, "init", "-q", "-b", "main")
    found = estate.compile("--format", "json").data["findings"]
    assert "VMF633" in {each["code"] for each in found}


def test_a_tree_with_links_is_never_taken_for_known(estate: Estate) -> None:
    (estate.out / "gitops/bases/elsewhere.yaml").symlink_to("nothing")
    for _ in range(2):
        estate.compile()
        assert not estate.known


def test_a_link_to_the_spec_that_leads_elsewhere_is_seen(estate: Estate, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(estate.spec, other)
    _append(other / "spec.yaml")
    link, estate.spec = tmp_path / "link", tmp_path / "link"
    link.symlink_to(tmp_path / "acme")
    for known in (False, True):
        estate.compile()
        assert estate.known is known
    link.unlink()
    link.symlink_to(other)
    estate.compile()
    assert not estate.known


def test_what_a_killed_compile_left_is_cleared_up_though_nothing_changed(estate: Estate) -> None:
    left = estate.out / ".gitops.vmferry-123-0123abcd"
    left.mkdir()
    (left / "vmferry-staging").touch()
    assert estate.compile().code == 0
    assert not left.exists()
    assert estate.compile().code == 0
    assert estate.known


def _grow(estate: Estate) -> None:
    """Give a VM more memory, which changes what is compiled."""
    path = estate.spec / "vms/web.yaml"
    path.write_text(path.read_text().replace("memory: 4Gi", "memory: 8Gi", 1))


def test_the_new_tree_is_made_of_a_copy_that_was_made_meanwhile(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "count", lambda: 2)
    _grow(estate)
    with counted() as calls:
        result = vmferry("compile", estate.spec, "--out", estate.out, "--cache-dir", estate.cache, "--format", "json")
    assert result.data["updated"]
    assert (calls["_change"], calls["_build"]) == ((1, 0) if sys.platform == "linux" else (0, 1))
    assert [path.name for path in estate.out.iterdir()] == ["gitops"]
    assert vmferry("compile", estate.spec, "--out", estate.out, "--no-cache", "--check").code == 0


@pytest.mark.parametrize("option", ["--check", "--diff"])
def test_a_run_that_writes_nothing_makes_no_copy(estate: Estate, option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "count", lambda: 2)
    _grow(estate)
    with counted() as calls:
        assert estate.compile(option).code == int(option == "--check")
    assert calls["fork"] == 0


def test_no_copy_is_made_where_the_spec_would_be_read_from(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "count", lambda: 2)
    arguments = ("compile", estate.spec, "--out", estate.spec, "--cache-dir", estate.cache)
    assert vmferry(*arguments).code == 0
    _grow(estate)
    with counted() as calls:
        assert vmferry(*arguments).code == 0
    assert (calls["_change"], calls["_build"]) == (0, 1)
    with counted() as calls:
        assert vmferry(*arguments).code == 0
    assert not calls["check"]


@pytest.mark.parametrize("verb", ["compile", "check", "advance"])
def test_findings_that_the_cache_lost_are_found_again(
    estate: Estate, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {
        "compile": ("compile", estate.spec, "--out", estate.out, "--format", "json"),
        "check": ("check", estate.spec, "--format", "json"),
        "advance": ("advance", estate.spec, "--all-ready", "--dry-run"),
    }[verb]
    whole = vmferry(*words, "--no-cache")
    assert vmferry(*words, "--cache-dir", estate.cache) == whole
    monkeypatch.setattr(kept_findings, "recall", lambda key, cache: None)
    assert vmferry(*words, "--cache-dir", estate.cache) == whole
    _grow(estate)
    assert vmferry(*words, "--cache-dir", estate.cache).code == vmferry(*words, "--no-cache").code
