"""A compile that finds what earlier ones left writes what one that knows nothing writes, and makes less."""

import json
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.invocation import Result, vmferry
from tests.properties.edits import EDITS
from tests.properties.estates import Estate, estates
from tests.work import counted

from vmferry import backends
from vmferry.model.blueprint import Blueprint
from vmferry.model.manifest import Item

ACME = Path(__file__).parents[2] / "examples/acme"


def content(directory: Path) -> dict[str, bytes]:
    found = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in found}


def compiled(spec: Path, out: Path, *options: str | Path) -> Result:
    return vmferry("compile", spec, "--out", out, "--format", "json", *options)


def said(result: Result, folder: Path) -> object:
    """Return all that a run told, wherever its spec lies."""
    data = json.loads(result.out.replace(f"{folder}/", ""))
    return {key: value for key, value in data.items() if key != "root"}


@given(estates(), st.integers(0, 2**32))
@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.generate))
def test_warm_and_cold_write_and_tell_the_same_after_any_edits(estate: Estate, seed: int) -> None:
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        for _ in range(6):
            specs = [estate.write(top / way) for way in ("warm", "cold")]
            warm = compiled(specs[0], top / "warm-out", "--cache-dir", top / "cache")
            cold = compiled(specs[1], top / "cold-out", "--no-cache")
            assert warm.code == cold.code
            if warm.code:
                return  # an edit that does not compile
            assert content(top / "warm-out") == content(top / "cold-out")
            assert (specs[0] / "assignments.yaml").read_bytes() == (specs[1] / "assignments.yaml").read_bytes()
            assert said(warm, specs[0]) == said(cold, specs[1])
            if dice.random() < 0.6:
                estate = estate.copy()
                dice.choice(EDITS)(estate, dice)


@pytest.fixture
def acme(tmp_path: Path) -> Callable[[], Result]:
    """Return a compile of a copy of an example, which has been compiled once with the cache."""
    shutil.copytree(ACME, tmp_path / "acme", ignore=shutil.ignore_patterns("gitops"))

    def again() -> Result:
        return compiled(tmp_path / "acme", tmp_path / "out", "--cache-dir", tmp_path / "cache")

    assert again().code == 0
    return again


def emitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that fills with the groups that backends are asked for."""
    asked: list[str] = []

    def watching(name: str) -> Callable[[Blueprint], Iterator[Item]]:
        original = backends.BACKENDS[name].emit

        def emit(blueprint: Blueprint) -> Iterator[Item]:
            asked.extend(group.name for group in blueprint.groups)
            yield from original(blueprint)

        return emit

    for name, backend in list(backends.BACKENDS.items()):
        if backend.of_groups:
            monkeypatch.setitem(backends.BACKENDS, name, backend._replace(emit=watching(name)))
    return asked


def test_only_the_group_of_an_edited_vm_is_emitted_again(
    acme: Callable[[], Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = emitted(monkeypatch)
    assert acme().data["unchanged"] > 0
    assert asked == []
    spec = tmp_path / "acme/spec.yaml"
    moved = spec.read_text().replace("dev-test-04: {stage: migrating", "dev-test-04: {stage: cutover")
    spec.write_text(moved)
    result = acme()
    assert result.code == 0, result.text
    assert result.data["updated"]
    assert set(asked) == {"dev-test-04"}


@pytest.mark.parametrize("kind", ["bases", "overlays", "clusters"])
def test_a_file_that_somebody_edited_is_found_though_nothing_else_changed(
    acme: Callable[[], Result], tmp_path: Path, kind: str
) -> None:
    for path in sorted((tmp_path / "out/gitops" / kind).rglob("*.yaml")):
        if "local" in path.parts:
            continue
        original = path.read_bytes()
        path.write_bytes(original.replace(b"a", b"b", 1))  # of the same size
        result = acme()
        assert result.code == 1
        assert [each["code"] for each in result.data["findings"] if each["severity"] == "error"] == ["VMF601"]
        path.write_bytes(original)
        return
    raise AssertionError("there is no such file")


def test_a_file_that_is_gone_comes_back(acme: Callable[[], Result], tmp_path: Path) -> None:
    before = content(tmp_path / "out")
    for path in sorted((tmp_path / "out/gitops/bases").rglob("*.yaml"))[::7]:
        path.unlink()
    for path in sorted((tmp_path / "out/gitops/overlays").rglob("local/kustomization.yaml"))[::3]:
        path.unlink()
    assert acme().code == 0
    assert content(tmp_path / "out") == before


def test_explain_tells_the_same_reasons_from_the_cache(tmp_path: Path) -> None:
    spec = shutil.copytree(ACME, tmp_path / "acme", ignore=shutil.ignore_patterns("gitops"))
    told = [
        vmferry("explain", spec, "--all", "--format", "json", *options)
        for options in (("--no-cache",), ("--cache-dir", tmp_path / "cache"), ("--cache-dir", tmp_path / "cache"))
    ]
    assert told[0] == told[1] == told[2]
    assert told[0].code == 0


def test_explain_does_not_decide_again_what_it_knows(tmp_path: Path) -> None:
    for number in range(2):
        with counted() as calls:
            assert vmferry("explain", ACME, "--all", "--format", "json", "--cache-dir", tmp_path).code == 0
        assert bool(calls["_need"]) is (number == 0)  # of a disk
