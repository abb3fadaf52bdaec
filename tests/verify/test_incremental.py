"""A tree that is verified again is found to be the same, whatever was changed, and only that is looked at again."""

import contextlib
import hashlib
import json
import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from vmferry import cores
from vmferry.cache import Cache
from vmferry.layout.compiled import open_tree
from vmferry.layout.objects import key_of, parse
from vmferry.verify.kustomize import build
from vmferry.verify.owned import read_locks
from vmferry.verify.roots import listed
from vmferry.verify.run import Report, verify
from vmferry.verify.sharing import Sharing

REQUIRED = os.environ.get("VMFERRY_REQUIRE_KUSTOMIZE") == "1"
pytestmark = [
    pytest.mark.kustomize,
    pytest.mark.skipif(
        not REQUIRED and not shutil.which("kustomize") and not shutil.which("kubectl"),
        reason="neither kustomize nor kubectl is installed",
    ),
]
EXAMPLES = sorted(path.parent for path in (Path(__file__).parents[2] / "examples").glob("*/gitops"))
SHARED = Sharing.check
PATCH = """\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: []
patches:
- target: {kind: Plan}
  patch: |
    - {op: add, path: /metadata/annotations/note, value: "%d"}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    example = next(path for path in EXAMPLES if path.name == "acme")
    shutil.copytree(example / "gitops", tmp_path / "gitops", symlinks=True)
    return tmp_path / "gitops"


def run(tree: Path, cache: Path) -> Report:
    with contextlib.closing(Cache(cache)) as opened:
        return verify(tree, (), cache=opened)


def found(report: Report) -> object:
    """Return all but what depends on what was known before."""
    return msgspec.structs.replace(report, built=0, slowest="", seconds=0.0)


def edit_a_base(tree: Path, chance: random.Random) -> None:
    path = chance.choice(sorted(tree.glob("bases/**/*.yaml")))
    path.write_text(path.read_text().replace("web", "wab", 1) + "# edited\n")


def remove_a_file(tree: Path, chance: random.Random) -> None:
    chance.choice(sorted(tree.glob("bases/**/*.yaml"))).unlink()


def patch_in_a_local_component(tree: Path, chance: random.Random) -> None:
    path = chance.choice(sorted(tree.glob("overlays/**/local/kustomization.yaml")))
    path.write_text(PATCH % chance.randrange(1000))


def add_a_file_that_a_local_component_reads(tree: Path, chance: random.Random) -> None:
    path = chance.choice(sorted(tree.glob("overlays/**/local/kustomization.yaml")))
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine, namespace: web}\ndata: {a: '%s'}\n"
    (path.parent / "more.yaml").write_text(text % chance.random())
    path.write_text(PATCH.replace("resources: []", "resources: [more.yaml]") % 1)


def break_a_kustomization(tree: Path, chance: random.Random) -> None:
    chance.choice(sorted(tree.glob("*/**/kustomization.yaml"))).write_text("resources: [nowhere.yaml]\n")


def restore(tree: Path, chance: random.Random) -> None:
    shutil.copytree(EXAMPLES[0].parent / "acme/gitops", tree, dirs_exist_ok=True)


EDITS = (
    edit_a_base,
    remove_a_file,
    patch_in_a_local_component,
    add_a_file_that_a_local_component_reads,
    break_a_kustomization,
    restore,
)


@pytest.mark.parametrize("seed", range(2))
def test_warm_and_cold_find_the_same_after_any_edits(tree: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for edit in chance.choices(EDITS, k=4):
        run(tree, tmp_path / "cache")
        edit(tree, chance)
        assert found(run(tree, tmp_path / "cache")) == found(verify(tree, ()))


def test_what_did_not_change_is_not_built_again(tree: Path, tmp_path: Path) -> None:
    first = run(tree, tmp_path / "cache")
    assert first.built > 1
    assert run(tree, tmp_path / "cache").built == 0
    local = min(tree.glob("overlays/**/local/kustomization.yaml"))
    local.write_text(local.read_text() + "# a comment\n")
    assert run(tree, tmp_path / "cache").built == 1


def test_other_schemas_are_held_against_everything_again(tree: Path, tmp_path: Path) -> None:
    run(tree, tmp_path / "cache")
    (tmp_path / "schemas/kubevirt.io").mkdir(parents=True)
    (tmp_path / "schemas/kubevirt.io/virtualmachine_v1.json").write_text('{"required": ["nothing"]}')
    with contextlib.closing(Cache(tmp_path / "cache")) as cache:
        report = verify(tree, (tmp_path / "schemas",), cache=cache)
    assert "VMF606" in {finding.code for finding in report.findings}
    assert ("kubevirt.io/v1", "VirtualMachine") in report.checked


def write_as_compile_does(tree: Path, path: Path, text: str) -> None:
    was, now = (hashlib.sha256(each).hexdigest() for each in (path.read_bytes(), text.encode()))
    path.write_text(text)
    lock = next(each for each in tree.glob("locks/**/*.lock") if was in each.read_text())
    lock.write_text(lock.read_text().replace(was, now))


def test_what_is_wrong_in_one_root_is_found_without_comparing_all(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = {"properties": {"spec": {"properties": {"runStrategy": {"type": "string"}}}}}
    (tmp_path / "schemas/kubevirt.io").mkdir(parents=True)
    (tmp_path / "schemas/kubevirt.io/virtualmachine_v1.json").write_text(json.dumps(schema))
    path = next(each for each in sorted(tree.glob("bases/*/*/machines/*.yaml")) if "runStrategy" in each.read_text())
    right = path.read_text()

    def warm() -> Report:
        with contextlib.closing(Cache(tmp_path / "cache")) as cache:
            return verify(tree, (tmp_path / "schemas",), cache=cache)

    assert not warm().findings
    monkeypatch.setattr(Sharing, "check", None)  # what is compared across roots is known
    for text, codes in ((re.sub("runStrategy: .*", "runStrategy: 1", right), {"VMF606"}), (right, set())):
        write_as_compile_does(tree, path, text)
        again = warm()
        assert {finding.code for finding in again.findings} == codes
        with monkeypatch.context() as undone:
            undone.setattr(Sharing, "check", SHARED)
            assert found(again) == found(verify(tree, (tmp_path / "schemas",)))


def test_a_root_that_holds_other_objects_is_compared_with_all(tree: Path, tmp_path: Path) -> None:
    path = next(each for each in sorted(tree.glob("bases/*/*/machines/*.yaml")) if "networkName" in each.read_text())
    right = path.read_text()
    assert not run(tree, tmp_path / "cache").findings
    for text, codes in ((re.sub("networkName: .*", "networkName: web/nowhere", right), {"VMF607"}), (right, set())):
        write_as_compile_does(tree, path, text)
        again = run(tree, tmp_path / "cache")
        assert {finding.code for finding in again.findings} == codes
        assert found(again) == found(verify(tree, ()))


CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine, namespace: web}\ndata: {a: %s}\n"


@pytest.mark.parametrize(
    ("entry", "folder"),
    [("../../../../../../shared", "../shared"), (".extra", "LOCAL/.extra"), ("../../../../../mine", "mine")],
    ids=["beside-the-tree", "hidden", "of-the-user"],
)
def test_what_a_component_reads_elsewhere_is_read_again(tree: Path, tmp_path: Path, entry: str, folder: str) -> None:
    local = tree / "overlays/dev-test/dev-test-04/convert/local"
    place = Path(os.path.normpath(tree / folder.replace("LOCAL", str(local.relative_to(tree)))))
    place.mkdir()
    (place / "kustomization.yaml").write_text("resources: [cm.yaml]\n")
    (local / "kustomization.yaml").write_text(PATCH.replace("resources: []", f"resources: [{entry}]") % 1)
    for value in ("x", "5"):  # a number is no string, as the schema has it
        (place / "cm.yaml").write_text(CONFIG_MAP % value)
        for _ in range(2):
            assert found(run(tree, tmp_path / "cache")) == found(verify(tree, ()))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_a_base_that_only_lists_files_is_what_kustomize_makes_of_it(example: Path) -> None:
    tree = open_tree(example)
    locks = read_locks(tree)
    plain = {root: files for root in tree.roots() if (files := listed(tree, root, locks.owned)) is not None}
    assert plain
    assert all(root.startswith("bases/") for root in plain)
    for root, files in plain.items():
        read = {key_of(obj): obj for file in files for obj in tree.documents(file)}
        assert read == {key_of(obj): obj for obj in parse(build(tree.top / root))}


def test_a_base_with_a_file_that_was_edited_is_left_to_kustomize(tree: Path) -> None:
    def plain() -> set[str]:
        opened = open_tree(tree)
        owned = read_locks(opened).owned
        return {root for root in opened.roots() if listed(opened, root, owned) is not None}

    before = plain()
    path = min(file for root in before for file in (tree / root).glob("[!k]*.yaml"))
    path.write_text(path.read_text() + "---\n")
    assert before - plain() == {path.parent.relative_to(tree).as_posix()}


# --- every core ---------------------------------------------------------------------------------------


def power(base: int, item: int) -> int:
    if item == 77:
        raise ValueError("77")
    return item**base


def two() -> int:
    return 2


@pytest.mark.parametrize("size", [0, 1, 5, 70])
def test_work_is_spread_and_comes_back_in_order(size: int) -> None:
    assert list(cores.spread(power, range(size), 2, two)) == [item**2 for item in range(size)]
    assert list(cores.spread(power, range(size), 2, two, least=1000)) == [item**2 for item in range(size)]


def test_what_a_worker_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="77"):
        list(cores.spread(power, range(100), 2, two))


def test_both_ways_to_begin_a_process_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: list[Callable[[], bool]] = [lambda: True, lambda: False]
    for kind in kinds:
        monkeypatch.setattr(cores, "_may_fork", kind)
        assert list(cores.spread(power, range(30), 2, two)) == [item**2 for item in range(30)]
