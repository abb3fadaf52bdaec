"""The shipped action, hooks and sample workflows, run as they are on a repository in one situation after another.

The action's script is taken out of action.yml and run by bash on a fresh clone, as the sample workflow checks it out;
the one for GitLab likewise; the hooks are run by pre-commit where somebody works.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
import yaml
from tests.cli.test_check import SPEC, vm
from tests.e2e.test_precommit import REPOSITORY, REQUIRED, commit, git, hooks
from tests.invocation import vmferry

__all__ = ["hooks"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not REQUIRED and not (REPOSITORY / ".git").exists(), reason="this is no checkout"),
]
NOBODY = "0" * 40


class Told(NamedTuple):
    """How a check ended and what it printed."""

    code: int
    out: str


class Situation(NamedTuple):
    """What somebody did on branch `work`, or pushed to main, and whether that is right.

    ``said`` is what a check that fails says of it; ``hook`` what the hooks say, where that is something else, and None
    where they cannot know.
    """

    do: Callable[[Path], None]
    said: str = ""
    hook: str | None = ""
    push: bool = False  # to main; else it is a pull request
    depth: int = 0


# --- what somebody does ----------------------------------------------------------------------------


def stage(repository: Path, name: str, *, compiled: bool = True, vms: str = "") -> None:
    text = f"{SPEC}vms:\n{vms or vm('web-01') + vm('web-02')}groups: {{first-01: {{stage: {name}}}}}\n"
    (repository / "spec.yaml").write_text(text)
    if compiled:
        done = vmferry("compile", repository, "--out", repository)
        assert done.code == 0, done.text


def on(repository: Path, branch: str) -> None:
    git(repository, "switch", "--quiet", branch)


def note(repository: Path) -> None:
    (repository / "NOTES").write_text("a note\n")
    commit(repository)


def one_step(repository: Path) -> None:
    stage(repository, "cutover")
    commit(repository)


def revert(repository: Path) -> None:
    git(repository, "revert", "--no-edit", "HEAD")


def skipped(repository: Path) -> None:
    git(repository, "reset", "--quiet", "--hard", "HEAD~1")
    git(repository, "branch", "--quiet", "--force", "main", "HEAD")
    stage(repository, "cutover")
    commit(repository)


def behind(repository: Path) -> None:
    note(repository)
    on(repository, "main")
    one_step(repository)
    on(repository, "work")


def merged(repository: Path) -> None:
    behind(repository)
    git(repository, "merge", "--quiet", "--no-edit", "main")


def merged_with_its_own_side(repository: Path) -> None:
    merged(repository)
    git(repository, "checkout", "--quiet", "HEAD^1", "--", ".")
    git(repository, "commit", "--quiet", "--amend", "--no-edit")


def untracked(repository: Path) -> None:
    vms = vm("web-01") + vm("web-02") + vm("web-03").replace("os: linux", "phase: second, os: linux")
    stage(repository, "migrating", compiled=False, vms=vms)
    spec = repository / "spec.yaml"
    spec.write_text(spec.read_text().replace("phases: [{name: first}]", "phases: [{name: first}, {name: second}]"))
    assert vmferry("compile", repository, "--out", repository).code == 0
    git(repository, "commit", "--quiet", "--all", "--message", "a commit")


def added(repository: Path) -> None:
    untracked(repository)
    commit(repository)


def not_compiled(repository: Path) -> None:
    stage(repository, "cutover", compiled=False)
    commit(repository)


def edited(repository: Path) -> None:
    [plan] = repository.rglob("plan/plan-*.yaml")
    plan.write_text(plan.read_text() + "# by hand\n")
    commit(repository)


def removed(repository: Path) -> None:
    stage(repository, "migrating", compiled=False, vms=vm("web-01"))
    commit(repository)


def moved_and_skipped(repository: Path) -> None:
    """Rename the file of the spec, and take the group back to planned: nothing is left of what was prepared."""
    (repository / "spec.yaml").rename(repository / "migration.yaml")
    text = (repository / "migration.yaml").read_text()
    (repository / "migration.yaml").write_text(text.replace("migrating", "planned"))
    (repository / "assignments.yaml").unlink()
    shutil.rmtree(repository / "gitops")
    assert vmferry("compile", repository, "--out", repository).code == 0
    commit(repository)


def rewritten(repository: Path) -> None:
    git(repository, "reset", "--quiet", "--hard", "HEAD~1")


def long_branch(repository: Path) -> None:
    for _ in range(3):
        git(repository, "commit", "--quiet", "--allow-empty", "--message", "more")


SITUATIONS = {
    "a group goes one stage on": Situation(one_step),
    "a group goes one stage on, on main": Situation(one_step, push=True),
    "a revert in a pull request": Situation(revert, "goes back from migrating to prepared"),
    "a revert on main": Situation(revert, "goes back from migrating to prepared", push=True),
    "main was taken back by force": Situation(rewritten, "goes back from migrating to prepared", None, push=True),
    "a stage is skipped": Situation(skipped, "goes from prepared to cutover and skips migrating"),
    "a branch is behind main": Situation(behind),
    "a branch merged main": Situation(merged),
    "a merge kept its own side": Situation(merged_with_its_own_side, "goes back from cutover to migrating"),
    "new output was not added": Situation(untracked, "would be created", "is not in git"),
    "new output was added": Situation(added),
    "somebody forgot to compile": Situation(not_compiled, "run vmferry compile"),
    "generated files were edited": Situation(edited, "was edited by hand"),
    "a VM that moves was removed": Situation(
        removed, "is no longer in the spec, and its group first-01, set to migrating, would move it"
    ),
    "the spec was renamed and a group taken back": Situation(moved_and_skipped, "goes back from migrating to planned"),
    "a shallow clone": Situation(long_branch, "fetch-depth: 0", None, depth=1),
    "a shallow clone of main": Situation(revert, "goes back from migrating to prepared", None, push=True, depth=1),
}


@pytest.fixture(params=SITUATIONS, ids=lambda name: name.replace(" ", "-"))
def situation(request: pytest.FixtureRequest) -> Situation:
    return SITUATIONS[request.param]


@pytest.fixture
def repository(situation: Situation, tmp_path: Path) -> Path:
    """A repository whose main was planned, prepared and migrating, with what somebody did then."""
    directory = tmp_path / "repository"
    directory.mkdir()
    git(directory, "init", "--quiet", "--initial-branch=main")
    for name in ("planned", "prepared", "migrating"):
        stage(directory, name)
        commit(directory)
    git(directory, "tag", "before")
    if not situation.push:
        git(directory, "switch", "--quiet", "--create", "work")
    situation.do(directory)
    return directory


# --- the checks ------------------------------------------------------------------------------------


def cloned(repository: Path, situation: Situation) -> Path:
    """Return a fresh clone, as CI has one; what a push replaced is there too, as GitHub keeps it."""
    clone = repository.with_name("clone")
    depth = [f"--depth={situation.depth}", "--no-single-branch"] if situation.depth else []
    git(repository, "clone", "--quiet", *depth, f"file://{repository}", str(clone))
    git(clone, "switch", "--quiet", "main" if situation.push else "work")
    return clone


def run(script: str, clone: Path, **environment: str) -> Told:
    """Run a script as GitHub and GitLab do: bash, which stops at the first command that fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT", "CI_", "PRE_COMMIT"))}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=clone,
        env=kept | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return Told(done.returncode, done.stdout)


def by_action(clone: Path, situation: Situation, before: str) -> Told:
    [step] = [
        s for s in yaml.safe_load((REPOSITORY / "action.yml").read_text())["runs"]["steps"] if s.get("id") == "run"
    ]
    sample = yaml.safe_load((REPOSITORY / ".github/sample-workflows/migration.yml").read_text())
    checkout, action = sample["jobs"]["vmferry"]["steps"]
    assert checkout["with"] == {"fetch-depth": 0}
    programs = clone.with_name("temp") / "vmferry/bin"
    programs.mkdir(parents=True)
    (programs / "vmferry").symlink_to(Path(sys.executable).with_name("vmferry"))
    event = (
        {"GITHUB_EVENT_NAME": "push", "GITHUB_REF_NAME": "main", "BEFORE": before}
        if situation.push
        else {
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_REF_NAME": "7/merge",
            "GITHUB_BASE_REF": "main",
            "BEFORE": "",
        }
    )
    output = programs.parents[1] / "output"
    told = run(
        step["run"],
        clone,
        SPEC=action["with"]["spec"],
        OUT=action["with"]["out"],
        AGAINST="",
        DEFAULT_BRANCH="main",
        RUNNER_TEMP=str(programs.parents[1]),
        GITHUB_OUTPUT=str(output),
        **event,
    )
    assert told.code == 0, told.out
    assert (programs.parents[1] / "vmferry.txt").read_text() == told.out
    assert not situation.push or (programs.parents[1] / "vmferry.md").read_text() == ""
    return Told(int(output.read_text().removeprefix("status=")), told.out)


def by_gitlab(clone: Path, situation: Situation, before: str) -> Told:
    job: dict[str, Any] = yaml.safe_load((REPOSITORY / ".github/sample-workflows/gitlab-ci.yml").read_text())["vmferry"]
    install, script = job["script"]
    assert "pip install" in install
    base = "" if situation.push else git(clone, "merge-base", "origin/main", "HEAD").decode().strip()
    return run(
        script,
        clone,
        **{name: value for name, value in job["variables"].items() if name in ("SPEC", "OUT")},
        PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        CI_MERGE_REQUEST_DIFF_BASE_SHA=base,
        CI_COMMIT_BEFORE_SHA=before if situation.push else NOBODY,
    )


def agree(told: Told, said: str) -> None:
    """Assert that a check passes where nothing is wrong, and elsewhere fails and says what."""
    if said:
        assert told.code == 1, told.out
        assert said in told.out
    else:
        assert told.code == 0, told.out
        assert "error" not in told.out


def test_the_action(repository: Path, situation: Situation) -> None:
    before = git(repository, "rev-parse", "before").decode().strip()
    agree(by_action(cloned(repository, situation), situation, before), situation.said)


def test_the_sample_for_gitlab(repository: Path, situation: Situation) -> None:
    if situation.depth:
        pytest.skip("GIT_DEPTH is a part of the sample")
    before = git(repository, "rev-parse", "before").decode().strip()
    agree(by_gitlab(cloned(repository, situation), situation, before), situation.said)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pre-commit keeps the environments that it builds: one is enough for all situations."""
    return tmp_path_factory.mktemp("pre-commit")


_NO_NETWORK = re.compile("NewConnectionError|ConnectTimeout|ProxyError|name resolution|Network is unreachable")


@pytest.mark.skipif(
    not REQUIRED and importlib.util.find_spec("pre_commit") is None, reason="pre-commit is not installed"
)
def test_the_hooks(repository: Path, situation: Situation, hooks: Path, installed: Path) -> None:
    if situation.hook is None:
        pytest.skip("hooks run where somebody works, and see the commits that are there")
    revision = git(hooks, "rev-parse", "HEAD").decode().strip()
    chosen = [{"id": "vmferry-check"}, {"id": "vmferry-compile"}]
    config = repository.with_name("pre-commit.yaml")
    config.write_text(yaml.safe_dump({"repos": [{"repo": str(hooks), "rev": revision, "hooks": chosen}]}))
    command = f"{sys.executable} -m pre_commit run --config {config} --all-files --verbose --color never"
    told = run(command, repository, PRE_COMMIT_HOME=str(installed))
    if _NO_NETWORK.search(told.out) and not REQUIRED:
        pytest.skip("pre-commit cannot build its environment: the package index is out of reach")
    said = situation.hook or situation.said
    if said:
        assert told.code == 1, told.out
        assert said in told.out
    else:
        assert told.code == 0, told.out
    assert git(repository, "status", "--porcelain", "--untracked-files=no") == b""


# --- what a change means ---------------------------------------------------------------------------


@pytest.fixture
def advanced(tmp_path: Path) -> Path:
    """Return a fresh clone of a repository in which a branch moves a group one stage on."""
    directory = tmp_path / "repository"
    directory.mkdir()
    git(directory, "init", "--quiet", "--initial-branch=main")
    for name in ("planned", "prepared", "migrating"):
        stage(directory, name)
        commit(directory)
    git(directory, "switch", "--quiet", "--create", "work")
    one_step(directory)
    return cloned(directory, Situation(one_step))


MEANING = "| first-01 | migrating → cutover | "


def test_the_action_tells_reviewers_what_a_pull_request_means(advanced: Path) -> None:
    told = by_action(advanced, Situation(one_step), "")
    assert told.code == 0, told.out
    temp = advanced.with_name("temp")
    assert MEANING in (temp / "vmferry.md").read_text()
    [step] = [
        s
        for s in yaml.safe_load((REPOSITORY / "action.yml").read_text())["runs"]["steps"]
        if s.get("name") == "Comment"
    ]
    programs = advanced.with_name("gh")
    programs.mkdir()
    (programs / "gh").write_text('#!/bin/sh\necho "$@" >>"$RUNNER_TEMP/asked"\n')
    (programs / "gh").chmod(0o755)
    for status, verdict in (("0", "has no findings"), ("1", "has findings")):
        done = run(
            step["run"],
            advanced,
            RUNNER_TEMP=str(temp),
            GITHUB_REPOSITORY="a/b",
            NUMBER="7",
            STATUS=status,
            PATH=f"{programs}:{os.environ['PATH']}",
        )
        assert done.code == 0, done.out
        comment = (temp / "comment.md").read_text()
        assert comment.startswith("<!-- vmferry -->\n**vmferry** The spec ")
        assert verdict in comment
        assert MEANING in comment
    assert "repos/a/b/issues/7/comments -F body=@" in (temp / "asked").read_text()


class _Notes(BaseHTTPRequestHandler):
    """GitLab's API of notes, with those that a merge request has."""

    notes: ClassVar[list[dict[str, Any]]]

    def do_GET(self) -> None:
        first = "page=1" in self.path.split("&")
        self._answer(self.notes if first else [])

    def do_POST(self) -> None:
        self.notes.append({"id": len(self.notes) + 1, **self._body()})
        self._answer({})

    def do_PUT(self) -> None:
        number = int(self.path.rpartition("/")[2])
        [note] = [note for note in self.notes if note["id"] == number]
        note |= self._body()
        self._answer({})

    def _body(self) -> dict[str, Any]:
        assert self.headers["PRIVATE-TOKEN"] == "secret"
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return body

    def _answer(self, data: object) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(data).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_the_sample_for_gitlab_keeps_one_note_and_a_code_quality_report(advanced: Path) -> None:
    job = yaml.safe_load((REPOSITORY / ".github/sample-workflows/gitlab-ci.yml").read_text())["vmferry"]
    told = by_gitlab(advanced, Situation(one_step), NOBODY)
    assert told.code == 0, told.out
    report = json.loads((advanced / job["artifacts"]["reports"]["codequality"]).read_text())
    assert {entry["severity"] for entry in report} <= {"minor", "info"}
    _Notes.notes = [{"id": 1, "body": "what a person wrote"}]
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Notes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    [script] = job["after_script"]
    asked = {
        "SPEC": ".",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": git(advanced, "merge-base", "origin/main", "HEAD").decode().strip(),
        "CI_API_V4_URL": f"http://127.0.0.1:{server.server_port}/api/v4",
        "CI_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "7",
    }
    try:
        assert run(script, advanced, **asked).code == 0  # without a token there is no note
        assert len(_Notes.notes) == 1
        for _ in range(2):
            done = run(script, advanced, **asked, VMFERRY_TOKEN="secret")
            assert done.code == 0, done.out
            assert "secret" not in done.out
    finally:
        server.shutdown()
        server.server_close()
    assert [note["id"] for note in _Notes.notes] == [1, 2]
    assert _Notes.notes[1]["body"].startswith("<!-- vmferry -->\n### What this changes")
    assert MEANING in _Notes.notes[1]["body"]
