"""Examples of rules, laid out as the projects they stand for.

An example is a file below compiler/vmferry/rules/examples/CODE: `fires.yaml` or `passes.yaml`. Its document without a
`kind` is laid over the MigrationSpec of `_base.yaml` as a JSON merge patch (RFC 7386: lists are replaced, null
removes); documents with a kind are files of their own, evidence and recorded VMs beside the spec. `before.yaml`,
likewise, is what was compiled and committed before. Comments on top say more:

    # now: 2027-01-01T00:00:00Z     the time it is checked at
    # whole                         the file is the spec as it stands, not laid over anything
    # beside                        the file as it stands, whatever bytes it is of, lies beside the inventory
    # before: {phases: null}        what was laid over the spec, and committed without being compiled
    # was: FOLDER                   the folder that it was committed in, where nothing lies now
    # reached: migrating            before.yaml: from where its groups were rolled back (cutover)
    # lost                          assignments.yaml was lost since, and the groups went through their stages again
    # former                        assignments.yaml is as the vmferry before wrote it (see tests/resolve/formerly.py)
    # neighbour: {metadata: …}      what is laid over the spec of another tree, compiled into the same repository before
    # into: FOLDER                  of the repository, that the tree is compiled into
    # git: FOLDER                   of the repository, that git has in its next commit
    # tree                          its last document maps files of the compiled tree to their new text (null: removed)
    # script: scripts/rows.sh        a script that lies beside the spec
    # times: 300                    such a text that says NUMBER is written so many times
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import yaml
from tests.invocation import Result, vmferry
from tests.resolve.formerly import former_record

from vmferry.estate.stages import STAGES
from vmferry.model.assignments import Assignments
from vmferry.model.spec import Stage
from vmferry.rules.page import EXAMPLES
from vmferry.yaml.write import dump

_TRANSITIONS = (430, 812, *range(850, 900))


def directive(text: str, name: str) -> str | None:
    """Return what a comment on top says; an empty text where it says only its name."""
    match = re.search(rf"^# {name}(?:: (?P<value>.*))?$", text, re.MULTILINE)
    return (match["value"] or "") if match else None


def lay_out(example: Path, project: Path) -> None:
    """Write the files of an example below ``project``."""
    _write(example.read_bytes(), project)


def _write(raw: bytes, project: Path) -> None:
    text = raw.decode("utf-8", errors="replace")
    (project / "inventory").mkdir(parents=True, exist_ok=True)
    if directive(text, "whole") is not None:
        (project / "spec.yaml").write_bytes(raw)
        return
    if (script := directive(text, "script")) is not None:
        (project / script).parent.mkdir(exist_ok=True)
        (project / script).write_text("#!/bin/sh\necho 42 rows\n")
    beside = directive(text, "beside") is not None
    if beside:
        (project / "inventory" / "example.yaml").write_bytes(raw)
    spec, *parts = yaml.safe_load_all((EXAMPLES / "_base.yaml").read_text(encoding="utf-8"))
    documents = list(yaml.safe_load_all("" if beside else text))
    for document in documents[:-1] if directive(text, "tree") is not None else documents:
        if document is None:
            continue
        if document.get("kind") == "Evidence":
            (project / "evidence.yaml").write_bytes(dump(document))
        elif document.get("kind") == "AdoptedMachines":
            (project / "adopted").mkdir(exist_ok=True)
            (project / "adopted" / f"{document['group']}.yaml").write_bytes(dump(document))
        elif "kind" in document:
            parts.append(document)
        else:
            spec = merge(spec, document)
    (project / "spec.yaml").write_bytes(dump(spec))
    for number, part in enumerate(parts):
        (project / "inventory" / f"{number}.yaml").write_bytes(dump(part))


def merge(target: Any, patch: Any) -> Any:
    """Return ``target`` with a JSON merge patch applied."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def run(example: Path, directory: Path) -> Result:
    """Return what vmferry says of an example."""
    text = example.read_text(encoding="utf-8", errors="replace")
    if any(directive(text, name) is not None for name in ("neighbour", "into", "git")):
        return _compile(example, text, directory / "repository")
    project, arguments = directory / "project", ["--format", "json"]
    if (moment := directive(text, "now")) is not None:
        arguments += ["--now", moment]
    if _commit_before(example, text, project) and int(example.parent.name[3:]) in _TRANSITIONS:
        arguments += ["--against", "HEAD"]
    if directive(text, "lost") is not None:
        (project / "assignments.yaml").unlink()
        walk(example, project)
    if directive(text, "former") is not None:
        _rewrite(project / "assignments.yaml")
    lay_out(example, project)
    if directive(text, "tree") is None:
        return vmferry("check", project, *arguments)
    walk(example, project)
    *_, files = yaml.safe_load_all(text)
    for name, content in files.items():
        path = project / "gitops" / name
        if content is None:
            path.unlink()
            continue
        times = int(directive(text, "times") or 1) if "NUMBER" in content else 1
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(content.replace("NUMBER", str(n)) for n in range(times)), encoding="utf-8")
    return vmferry("verify", project / "gitops", *arguments)


def _commit_before(example: Path, text: str, project: Path) -> bool:
    """Commit what was there before, if anything was."""
    before, broken = example.with_name("before.yaml"), directive(text, "before")
    former = project / (directive(text, "was") or "")
    if before.exists():
        walk(before, former)
    elif broken is not None:
        _write(broken.encode(), former)
    if not project.exists():
        return False
    commit(project)
    if former != project:
        shutil.rmtree(former)
    return True


def _compile(example: Path, text: str, repository: Path) -> Result:
    """Return what is said of a tree that is compiled beside others into a repository, and then of its commit."""
    out, added = repository / (directive(text, "into") or ""), directive(text, "git")
    if (neighbour := directive(text, "neighbour")) is not None:
        _write(neighbour.encode(), repository / "neighbour")
        assert vmferry("compile", repository / "neighbour", "--out", repository).code == 0
    lay_out(example, repository / "spec")
    if added is not None:
        subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    result = vmferry("compile", repository / "spec", "--out", out, "--format", "json")
    if result.code == 0 and added is not None:
        subprocess.run(["git", "-C", str(repository), "add", f"./{added}"], check=True)
        result = vmferry("compile", repository / "spec", "--out", out, "--format", "json", "--check")
    return result


def _rewrite(path: Path) -> None:
    """Write the record of frozen VMs as the vmferry before would have."""
    record = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Assignments)
    path.write_bytes(dump(msgspec.to_builtins(former_record(record))))


def walk(example: Path, project: Path) -> None:
    """Compile an example stage by stage, up to the stages its groups are at."""
    lay_out(example, project)
    spec = yaml.safe_load((project / "spec.yaml").read_text(encoding="utf-8"))
    reached: Any = directive(example.read_text(encoding="utf-8", errors="replace"), "reached") or "cutover"
    given: dict[str, Any] = spec.get("groups", {})
    ways = {
        name: _way(group.get("stage", "planned"), reached) for name, group in given.items() if "splitFrom" not in group
    }
    # one that waits is held, and one VM leaves for a group of its own, once a group is where it is
    later = any("hold" in group or "splitFrom" in group for group in given.values())
    last = max(map(len, ways.values()), default=1) - 1 + later
    # hosts leave once all groups are where they are
    waiting = [{each: phase[each] for each in phase if each != "state"} for phase in spec["phases"]]
    for step in range(last + 1):
        groups = {name: given[name] if step >= len(way) - 1 else {"stage": way[step]} for name, way in ways.items()}
        if step < last:
            groups = {name: {each: group[each] for each in group if each != "hold"} for name, group in groups.items()}
        stated = {"groups": given} if step == last else {"groups": groups, "phases": waiting}
        (project / "spec.yaml").write_bytes(dump(spec | stated))
        result = vmferry("compile", project, "--out", project)
        assert result.code == 0, result.text


def _way(stage: Stage, reached: Stage) -> tuple[Stage, ...]:
    """Return the stages from the first one to ``stage``, which is rolled back from the one it ``reached``."""
    if stage == "rolled-back":
        return (*_way(reached, reached), stage)
    return STAGES[: STAGES.index(stage) + 1]


def commit(project: Path) -> None:
    """Commit everything in a repository of its own."""
    git = ("git", "-C", str(project), "-c", "user.name=t", "-c", "user.email=t@example.com")
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "before"], check=True)
