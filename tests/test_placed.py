"""Tests of what `vmferry compile` says of the place of a tree: other trees there, and the repository it lies in."""

from pathlib import Path

import pytest
from tests.cli.test_check import SPEC, vm
from tests.invocation import Result, vmferry
from tests.load.test_history import commit, git, write
from tests.output.former import formerly

PREPARED = f"{SPEC}vms:\n{vm('web-01')}groups: {{first-01: {{stage: prepared}}}}\n"


def spec(**other: str) -> str:
    """Return a spec with texts replaced: the name of the migration, of the cluster, of the namespace, the path."""
    text = PREPARED
    for old, new in (
        ("metadata: {name: demo}", f"metadata: {{name: {other.get('name', 'demo')}}}"),
        ("cluster: {name: prod,", f"cluster: {{name: {other.get('cluster', 'prod')},"),
        ("engine: flux", f"path: {other.get('path', 'gitops')}, engine: {other.get('engine', 'flux')}"),
        ("namespaces: [{name: web, quota: none}]", f"namespaces: [{other.get('space', '{name: web, quota: none}')}]"),
    ):
        assert old in text
        text = text.replace(old, new)
    return text.replace("namespace: web", f"namespace: {other['at']}") if "at" in other else text


def compiled(folder: Path, text: str, out: Path, *options: str) -> Result:
    write(folder / "spec.yaml", text)
    return vmferry("compile", folder, "--out", out, "--format", "json", *options)


def found(result: Result, code: str) -> list[dict[str, str]]:
    return [finding for finding in result.data["findings"] if finding["code"] == code]


# --- trees of other migrations ---------------------------------------------------------------------

QUOTA = "{name: web, quota: {memory: %s, storage: 500Gi}}"


def test_an_object_that_two_migrations_own_is_reported(tmp_path: Path) -> None:
    north = spec(name="north", space=QUOTA % "20Gi")
    south = spec(name="south", space=QUOTA % "90Gi", path="gitops-south")
    assert found(compiled(tmp_path / "north", north, tmp_path), "VMF632") == []
    told = found(compiled(tmp_path / "south", south, tmp_path), "VMF632")
    [differ] = [finding["message"] for finding in told if finding["severity"] == "warning"]
    assert differ.startswith("ResourceQuota web/vmferry: also in the tree of migration north")
    [alike] = [finding["message"] for finding in told if finding["severity"] == "info"]
    assert alike.startswith("Namespace web, ")
    assert "PriorityClass" not in alike
    assert found(compiled(tmp_path / "north", north, tmp_path), "VMF632") != []


@pytest.mark.parametrize("path", ["forklift, method: cold", "virt-v2v, method: image"])
def test_the_tree_of_an_earlier_vmferry_is_looked_through_as_well(path: str, tmp_path: Path) -> None:
    facts = "id: vm-1, uuid: 42301f6e-1c5d-4c6e-9d3a-2b8f6a7c0001, firmware: bios, cpu: {count: 2}, memory: 2Gi, "
    for name, folder in (("north", "gitops"), ("south", "gitops-south")):
        text = spec(name=name, path=folder).replace("path: forklift, method: cold", f"path: {path}")
        text = text.replace("os: linux", f"{facts}os: linux").replace(
            "network: lan", "network: lan, mac: '00:50:56:9a:10:01'"
        )
        told = found(compiled(tmp_path / name, text, tmp_path), "VMF632")
        formerly(tmp_path / folder)
    named = " ".join(finding["message"] for finding in told)
    assert "Namespace web" in named
    assert ("VirtualMachine web/web-01" in named, "DataVolume web/web-01-disk-0" in named) == (
        ("virt-v2v" in path,) * 2
    )


def test_trees_that_are_alike_only_in_part_are_told_apart(tmp_path: Path) -> None:
    assert compiled(tmp_path / "a", spec(name="a"), tmp_path).code == 0
    other_place = spec(name="b", space="{name: db, quota: none}", at="db", path="gitops-b")
    assert found(compiled(tmp_path / "b", other_place, tmp_path), "VMF632") == []
    other_cluster = spec(name="c", cluster="prod-c", path="gitops-c")
    assert found(compiled(tmp_path / "c", other_cluster, tmp_path), "VMF632") == []


def test_trees_elsewhere_in_the_repository_are_found(tmp_path: Path) -> None:
    north = tmp_path / "teams/north/deploy"
    assert compiled(north / "spec", spec(name="north", path="teams/north/deploy/tree"), tmp_path).code == 0
    commit(tmp_path)
    south = spec(name="south", space=QUOTA % "90Gi", path="teams/south/deploy/tree")
    assert found(compiled(tmp_path / "teams/south/spec", south, tmp_path), "VMF632") != []


def test_the_spec_may_accept_it_or_have_it_refused(tmp_path: Path) -> None:
    assert compiled(tmp_path / "north", spec(name="north", space=QUOTA % "20Gi"), tmp_path).code == 0
    south = spec(name="south", space=QUOTA % "90Gi", path="gitops-south")
    suppressed = f"{south}suppress: [{{rule: VMF632, reason: north ends this week}}]\n"
    result = compiled(tmp_path / "south", suppressed, tmp_path)
    assert (result.code, found(result, "VMF632"), found(result, "VMF903")) == (0, [], [])
    result = compiled(tmp_path / "south", f"{south}rules: {{VMF632: error}}\n", tmp_path)
    assert result.code == 1
    assert [finding["severity"] for finding in found(result, "VMF632")].count("error") == 1


# --- the repository --------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    write(root / "README.md", "other things\n")
    commit(root)
    return root


@pytest.mark.parametrize("engine", ["flux", "argocd"])
def test_a_tree_that_is_not_where_engines_look_is_reported(repository: Path, engine: str) -> None:
    harbour = repository / "migrations/harbour"
    [finding] = found(compiled(harbour, spec(engine=engine), harbour), "VMF633")
    assert finding["severity"] == "warning"
    assert "`gitops`" in finding["message"]
    assert "target.gitops.path: migrations/harbour/gitops" in finding["help"]
    text = vmferry("compile", harbour, "--out", harbour).err
    assert "VMF633" in text


def test_a_tree_that_is_where_engines_look_is_fine(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(compiled(repository / "spec", spec(), repository), "VMF633") == []
    harbour = repository / "migrations/harbour"
    text = spec(name="harbour", path="migrations/harbour/gitops", space="{name: db, quota: none}", at="db")
    assert found(compiled(harbour, text, repository), "VMF633") == []
    monkeypatch.chdir(repository / "spec")
    assert found(compiled(Path(), spec(), Path("..")), "VMF633") == []


@pytest.mark.parametrize(
    ("remote", "same"),
    [
        ("https://git.acme.example/estate.git", True),
        ("ssh://git@git.acme.example:22/estate", True),
        ("git@git.acme.example:estate.git", True),
        ("https://git.acme.example/other.git", False),
        ("/srv/estate.git", False),
    ],
)
def test_of_a_repository_that_is_another_than_the_spec_says_nothing_is_known(
    repository: Path, remote: str, same: bool
) -> None:
    git(repository, "remote", "add", "origin", remote)
    text = spec()
    [url] = [part for part in text.split() if "git.acme.example" in part or "https://git" in part][:1]
    text = text.replace(url, '"https://git.acme.example/estate"}')
    assert bool(found(compiled(repository / "deep", text, repository / "deep"), "VMF633")) is same


def test_without_a_repository_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert found(compiled(tmp_path / "deep", spec(), tmp_path / "deep"), "VMF633") == []
    monkeypatch.setenv("PATH", str(tmp_path))
    assert found(compiled(tmp_path / "deep", spec(), tmp_path / "deep"), "VMF633") == []
