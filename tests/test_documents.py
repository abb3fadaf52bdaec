"""The documents of the project name modules, functions, rules and files that exist, and link to pages that do."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "compiler" / "vmferry"
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
PAGES = [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *DECISIONS]
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\(([^)#:\s]+)\)")
_FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_VARIABLE = re.compile(r"VMFERRY_[A-Z_]+")
_NAME = re.compile(r"[A-Za-z_]\w*")
_PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|md|toml|yaml)")
_FIELD = re.compile(r"[A-Z]\w+\.\w+")
_DOTTED = re.compile(r"(?:vmferry\.)?[a-z_]\w*(?:\.\w+)+")
_OUTSIDE = frozenset(
    # names of kustomize, Python, the operating system, mypyc and vSphere, and words of YAML, specs and compiled trees
    (
        *("namePrefix", "nameSuffix", "namespace", "nameReference", "dependsOn", "renameat2", "RENAME_EXCHANGE", "yq"),
        *("renamex_np", "gc.freeze", "msgspec.convert", "xml.etree", "pickle", "return", "if", "abort", "CSafeDumper"),
        *("dumps", "Meta", "datetime", "float", "_1", "on", "no", "maxVms", "kustomization", "conversion", "images"),
        *("volumes", "planned", "prepared", "migrating", "cutover", "rebuild", "defaults", "assign"),
        *("conversion/tsdb-01.yaml", "machines/tsdb-01.yaml", "vms/data.yaml"),
    )
)
_WRITTEN = ("bases/", "overlays/", "locks/", "local/", "gitops/", "infra/", "clusters/", "components/")
_ALSO_WRITTEN = (
    "assignments.yaml",
    "evidence.yaml",
    "namespace.yaml",
    "kustomization.yaml",
    "_group.yaml",
    "_kustomization.yaml",
)


@cache
def defined(path: Path) -> frozenset[str]:
    """Return the names that a module defines: functions, classes with their fields, constants, parameters."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
    return frozenset(found)


@cache
def names() -> frozenset[str]:
    """Return every name that a module of the package or of its tests defines or is called."""
    sources = [path for top in (PACKAGE, ROOT / "tests") for path in top.rglob("*.py")]
    called = (name for path in sources for name in (path.stem, *(part.name for part in path.parents)))
    return frozenset(called).union(*map(defined, sources))


def is_module(path: Path) -> bool:
    """Return whether a path without its suffix is a module or a package."""
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def mentioned(page: Path) -> list[str]:
    """Return what a page has in backticks, but for blocks of code."""
    return _CODE.findall(_FENCED.sub("", page.read_text(encoding="utf-8")))


@cache
def file_names() -> frozenset[str]:
    """Return the names of all files of the package, of its tests, and at the top."""
    below = (path for top in (PACKAGE, ROOT / "tests") for path in top.rglob("*") if path.is_file())
    return frozenset(path.name for path in (*below, *ROOT.iterdir()))


@cache
def variables() -> frozenset[str]:
    """Return the environment variables that the sources read."""
    sources = (ROOT / "Makefile", *PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py"))
    return frozenset(word for path in sources for word in _VARIABLE.findall(path.read_text(encoding="utf-8")))


def is_there(path: str) -> bool:
    """Return whether a path leads somewhere: in the package, in the repository, or in its tests."""
    return path in file_names() or any((top / path).exists() for top in (PACKAGE, PACKAGE.parent, ROOT, ROOT / "tests"))


def is_known(text: str) -> bool:
    """Return whether what a page names exists; what is neither a path nor a name is an example or a command."""
    if text in _OUTSIDE or text in _ALSO_WRITTEN or text.startswith(_WRITTEN):
        return True
    if _VARIABLE.fullmatch(text):
        return text in variables()
    if _PATH.fullmatch(text):
        return is_there(text) or any(word.isupper() for word in re.split(r"[/.]", text))  # NAME.py stands for many
    if text in file_names():
        return True
    if _FIELD.fullmatch(text):
        return {*text.split(".")} <= names()
    if _DOTTED.fullmatch(text):
        *modules, last = text.removeprefix("vmferry.").split(".")
        module = PACKAGE.joinpath(*modules)
        sources = [path for path in (module.with_suffix(".py"), module / "__init__.py") if path.is_file()]
        return is_module(module / last) or any(last in defined(path) for path in sources)
    if _NAME.fullmatch(text):
        return text in names() or re.fullmatch(r"[A-Z]+|VMF\d{3}", text) is not None
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_exists(page: Path) -> None:
    unknown = sorted({text for text in mentioned(page) if not is_known(text)})
    assert not unknown, f"{page.name} names what does not exist: {', '.join(unknown)}"


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_a_page_links_to_pages_that_exist(page: Path) -> None:
    gone = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert not gone, f"{page.name} links to {', '.join(gone)}"


def test_every_rule_that_a_page_names_has_a_page_of_its_own() -> None:
    codes = {code for page in PAGES for code in re.findall(r"\bVMF\d{3}\b", page.read_text(encoding="utf-8"))}
    assert {code for code in codes if not (ROOT / f"docs/rules/{code}.md").is_file()} <= {"VMF999"}  # the toy's


@pytest.mark.parametrize("folder", ["docs", "docs/decisions"])
def test_every_page_of_a_folder_is_in_its_index(folder: str) -> None:
    index = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    listed = {link for link in _LINK.findall(index) if "/" not in link}
    assert listed == {page.name for page in (ROOT / folder).glob("*.md")} - {"README.md"}


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent.name == "decisions"], ids=lambda page: page.name
)
def test_every_decision_says_what_was_measured(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "|---" in text
    assert re.search(r"\d", text.split("|---", 1)[1])


def test_names_that_do_not_exist_are_noticed() -> None:
    assert is_known("output/swap.py")
    assert is_known("estate.stages")
    assert is_known("decide_machines")
    assert not is_known("output/swapped.py")
    assert not is_known("estate.no_such_module")
    assert not is_known("no_such_function")
