"""What is made of a group alone is made of what its lock says it is made of, and of nothing else."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from vmferry.backends.inputs import digests, excerpt
from vmferry.backends.places import lock
from vmferry.compile import assignments_path, check
from vmferry.emission import files_of
from vmferry.model.blueprint import Blueprint, Group

EXAMPLES = Path(__file__).parents[2] / "examples"
every_example = pytest.mark.parametrize("example", ["acme", "acme-argocd", "minimal"])


def blueprint(example: str) -> Blueprint:
    folder = EXAMPLES / example
    return check(folder, assignments_path(folder)).resolution.blueprint


def files(whole: Blueprint) -> dict[str, dict[str, bytes]]:
    """Return what is emitted of a Blueprint, by lock; the entry points of groups are made of all groups."""
    found: dict[str, dict[str, bytes]] = {}
    for file in files_of(whole):
        if not file.path.startswith("clusters/"):
            found.setdefault(file.lock, {})[file.path] = file.content
    return found


@every_example
def test_the_excerpt_of_a_group_gives_the_files_of_the_group(example: str) -> None:
    whole = blueprint(example)
    expected = files(whole)
    assert whole.groups
    for group in whole.groups:
        assert files(excerpt(whole, group))[lock(group)] == expected[lock(group)]


@every_example
def test_every_lock_has_the_digest_of_its_inputs(example: str) -> None:
    whole = blueprint(example)
    assert set(files(whole)) <= set(digests(whole))


def changed(whole: Blueprint, group: Group) -> Blueprint:
    groups = tuple(replace(each, attempt=each.attempt + 1) if each is group else each for each in whole.groups)
    return replace(whole, groups=groups)


@every_example
def test_a_change_of_one_group_changes_the_digest_of_its_lock_alone(example: str) -> None:
    whole = blueprint(example)
    before = digests(whole)
    for group in whole.groups:
        after = digests(changed(whole, group))
        assert [name for name, digest in after.items() if digest != before[name]] == [lock(group)]


def test_what_no_file_of_a_group_says_is_in_no_digest_of_a_group() -> None:
    whole = blueprint("acme")
    before = digests(whole)
    rotated = [
        replace(source, credential=replace(source.credential, content=b"kind: SealedSecret\n"))
        for source in whole.sources
    ]
    after = digests(replace(whole, sources=tuple(rotated), decisions={}, places={}))
    assert [name for name, digest in after.items() if digest != before[name]] == ["_infra"]
