"""What lies around a compiled tree: the git repository it is in, and other trees there."""

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from vmferry.load.git import Repository
from vmferry.model.blueprint import Blueprint
from vmferry.model.finding import Finding, SpecError
from vmferry.output.layout import trees_below
from vmferry.output.neighbours import shared
from vmferry.output.render import OWNER, owner
from vmferry.output.tree import Planned


def around(root: Path, out: Path, blueprint: Blueprint, planned: Iterable[Planned]) -> Iterator[Finding]:
    """Yield what is wrong about the place of a tree: engines look elsewhere for it, or another tree has its objects."""
    repository = _repository(root)
    if repository is not None:
        yield from _path(repository, root, blueprint)
    trees: list[Path] = []
    if repository is not None:  # a copy of this migration's tree, elsewhere in the repository, need not be synced
        trees += [tree for tree in repository.holding(OWNER) if owner(tree)[0] != blueprint.name]
    with suppress(OSError):
        trees += trees_below(out, 2)
    yield from shared(root, trees, blueprint.cluster.name, planned)


def not_in_git(directory: Path, paths: Collection[str]) -> list[str]:
    """Return the paths below a directory that are not in the next commit; none where there is no repository."""
    tracked = Repository(directory).tracked() if paths else None
    return [] if tracked is None else [path for path in paths if path not in tracked]


def _repository(root: Path) -> Repository | None:
    """Return the repository that a tree lies in, or will, or None."""
    there = next(path for path in (root, *root.absolute().parents) if path.is_dir())
    repository = Repository(there)
    with suppress(SpecError):  # no git
        return repository if repository.top().is_absolute() else None
    return None


def _path(repository: Repository, root: Path, blueprint: Blueprint) -> Iterator[Finding]:
    """Yield a finding (VMF633) where the entry points name another folder than the tree has in its repository.

    Nothing is known of a repository that is fetched from elsewhere than the spec says: the tree may be copied.
    """
    stated = blueprint.gitops.path
    real = root.resolve().relative_to(repository.top().resolve()).as_posix()
    remotes = repository.remotes()
    if real == stated or (remotes and _address(blueprint.gitops.repo_url) not in map(_address, remotes)):
        return
    engine = "Flux" if blueprint.gitops.engine == "flux" else "Argo CD"
    yield Finding(
        code="VMF633",
        message=f"{engine} is told to read `{stated}` from the repository's top, and the tree is at `{real}` in it",
        help=f"set target.gitops.path: {real}, and compile with --out at the repository's top",
    )


def _address(url: str) -> str:
    """Return what addresses of one repository have in common, however it is reached: host and path."""
    short = re.sub(r"^[a-z+]+://", "", url.strip().lower())
    host, _, path = re.sub(r"^[^@/]*@", "", short).replace(":", "/", 1).partition("/")
    path = re.sub(r"^[0-9]+/", "", path)
    return f"{host}/{path.strip('/').removesuffix('.git')}"
