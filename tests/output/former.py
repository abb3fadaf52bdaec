"""Turns a compiled tree into what an earlier vmferry wrote of the same spec."""

import hashlib
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import yaml

_HEAD = "# Compiled by vmferry; edits are found and refused. Change the spec, or the local/ component of the overlay.\n"
_KIND = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
_APART = re.compile(r"^---\n", re.MULTILINE)
_LIST = "kustomization.yaml"


def formerly(top: Path) -> None:
    """Give each object of the tree at ``top`` a file of its own, and each phase a lock that agrees with the files."""
    lines: defaultdict[str, list[str]] = defaultdict(list)  # of each lock
    for name, entry in list(_entries(top)):
        lock = name.partition("/")[0]  # what a group or a namespace owns was its phase's, or the infrastructure's
        if entry.startswith("# seed: "):
            lines[lock].append(entry)
            continue
        path = entry.split("  ", 1)[1]
        text = (top / path).read_bytes().decode()
        (top / path).unlink()
        for former, document in _separate(path, text):
            (top / former).parent.mkdir(parents=True, exist_ok=True)
            (top / former).write_bytes(document.encode())
            lines[lock].append(f"{hashlib.sha256(document.encode()).hexdigest()}  {former}")
    for path, lock in _directories(lines):
        names = sorted(each.name for each in (top / path).glob("*.yaml"))
        listed = "".join(f"- {name}\n" for name in names)
        document = f"{_HEAD}{_KIND}resources:\n{listed}"
        (top / path / _LIST).write_text(document)
        lines[lock].append(f"{hashlib.sha256(document.encode()).hexdigest()}  {path}/{_LIST}")
    for path in sorted((top / "locks").rglob("*.lock")):
        path.unlink()
    for name, entries in lines.items():
        head = ["# vmferry lock v1", f"# check from the top of the tree: sha256sum -c locks/{name}.lock"]
        head += [f"# phase: {name}", "# inputs: sha256:00"]
        seeds = sorted((each for each in entries if each.startswith("#")), key=lambda each: each.split("  ", 1)[1])
        files = sorted((each for each in entries if not each.startswith("#")), key=lambda each: each.split("  ", 1)[1])
        (top / f"locks/{name}.lock").write_text("\n".join([*head, *seeds, *files, ""]))
    for folder in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def with_one_name(top: Path) -> None:
    """Call what the VMs of a group share _group.yaml in every layer of the tree at ``top``, as locks and lists do."""
    renamed = {path: path.with_name("_group.yaml") for path in sorted(top.glob("bases/*/*/*/*.group.yaml"))}
    for path, former in renamed.items():
        path.rename(former)
        listing = path.with_name(_LIST)
        before = hashlib.sha256(listing.read_bytes()).hexdigest()
        listing.write_text(re.sub(f'(?m)^- "?{re.escape(path.name)}"?$', "- _group.yaml", listing.read_text()))
        after = hashlib.sha256(listing.read_bytes()).hexdigest()
        lock = top / f"locks/{'/'.join(path.relative_to(top).parts[1:3])}.lock"
        text = lock.read_text().replace(before, after)
        lock.write_text(text.replace(*(each.relative_to(top).as_posix() for each in (path, former))))


def _entries(top: Path) -> Iterator[tuple[str, str]]:
    """Yield the name of each lock with each of its lines that names a file."""
    for path in sorted((top / "locks").rglob("*.lock")):
        name = path.relative_to(top / "locks").as_posix().removesuffix(".lock")
        for line in path.read_text().splitlines():
            if line.startswith("# seed: ") or not line.startswith("#"):
                yield name, line


def _separate(path: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield the files that there were in place of one, and what was in them; lists of objects are made later."""
    directory, name = posixpath.split(path)
    if path.startswith("overlays/"):
        yield path, _layers(text)
    elif not path.startswith(("bases/", "infra/", "clusters/")) or not text.startswith(_HEAD):
        yield path, text
    elif name != _LIST:
        for document in _APART.split(text.removeprefix(_HEAD)):
            obj = yaml.safe_load(document)
            called = f"{obj['kind'].lower()}-{obj['metadata']['name']}.yaml"
            yield (
                f"{_place(directory, obj['kind'])}/{called}",
                _HEAD + _watched(document),
            )


def _place(directory: str, kind: str) -> str:
    """Return the directory that an object was in: volumes were a layer of their own, with golden images among them."""
    above, _, layer = directory.rpartition("/")
    moved = directory.startswith("bases/") and (layer == "images" or (layer, kind) == ("conversion", "DataVolume"))
    return f"{above}/volumes" if moved else directory


def _layers(text: str) -> str:
    """Return an overlay with the layers that there were."""
    text = re.sub(r'(?m)^- ".*/images"\n', "", text)
    return re.sub(r'(?m)^(- ".*/)conversion"$', r'\1volumes"\n\1conversion"', text)


def _watched(document: str) -> str:
    """Return an object; if it is an Application, one that looks at the layers that there were."""
    document = re.sub(r';[^;"\n]*/images(?=[;"])', "", document)
    return re.sub(r'(;[^;"\n]*/)conversion(?=[;"])', r"\1volumes\1conversion", document)


def _directories(lines: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Return the directories of objects, each with its lock: that of the phase whose groups are in it."""
    found: dict[str, str] = {}
    for lock, entries in lines.items():
        for entry in entries:
            path = entry.split("  ", 1)[1]
            if path.startswith(("bases/", "infra/", "clusters/")) and path.endswith(".yaml"):
                found[posixpath.dirname(path)] = lock
    return [(path, lock) for path, lock in sorted(found.items()) if path != "infra/argocd"]
