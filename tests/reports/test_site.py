"""Tests of `vmferry report site`: what its files say, without a browser. `tests/browser` opens them."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.cli.test_check import SPEC, vm
from tests.cli.test_hostile_names import NAMES
from tests.invocation import vmferry

EXAMPLES = Path(__file__).parents[2] / "examples"
NOW = "2027-01-18T09:00:00Z"


def built(spec: Path | str, out: Path, *options: str) -> dict[str, str]:
    """Build a site and return its files."""
    stdin = spec.encode() if isinstance(spec, str) else b""
    result = vmferry(
        "report", "site", spec if isinstance(spec, Path) else "-", "--out", out, "--now", NOW, *options, stdin=stdin
    )
    assert (result.code, result.out) == (0, ""), result.text
    return {path.name: path.read_text() for path in sorted(out.iterdir())}


class _Page(HTMLParser):
    """Collects the elements of a page with their attributes, and what links say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.links: list[tuple[str, str]] = []
        self._href: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        if tag == "a":
            self._href = given.get("href")
            self.links.append((self._href or "", ""))

    def handle_data(self, data: str) -> None:
        if self._href is not None:
            href, text = self.links[-1]
            self.links[-1] = (href, text + data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._href = None


def data_of(files: dict[str, str]) -> Any:
    return json.loads(files["data.js"].removeprefix("globalThis.VMFERRY = ").removesuffix(";\n"))


def picked(data: Any, query: str) -> list[Any]:
    """Return the rows of the table of VMs that a link's query selects, as the page's script does."""
    wanted = parse_qsl(query, keep_blank_values=True)
    facets, strings = data["facets"], data["strings"]
    return [
        row
        for row in data["rows"]
        if all(value in [strings[each] for each in row[0][facets.index(name)]] for name, value in wanted)
    ]


@pytest.mark.parametrize("example", ["acme", "minimal"])
def test_every_number_of_vms_leads_to_as_many_vms(example: str, tmp_path: Path) -> None:
    files = built(EXAMPLES / example, tmp_path / "site")
    data = data_of(files)
    counted = 0
    for name, text in files.items():
        for href, words in _Page(text).links if name.endswith(".html") else []:
            target, _, query = urlsplit(href).fragment.partition("?")
            if target == "vms" and re.fullmatch("[0-9]+", words):
                rows = picked(data, query)
                vcpus = sum(row[1][0] or 0 for row in rows)
                assert int(words) in (len(rows), vcpus), (name, href, words)
                counted += 1
    assert counted > 20


def test_every_link_leads_to_a_page_a_file_or_a_vm(tmp_path: Path) -> None:
    files = built(EXAMPLES / "acme", tmp_path / "site")
    data = data_of(files)
    keys = {data["strings"][row[0][data["facets"].index("key")][0]] for row in data["rows"]}
    for name, text in files.items():
        for href, _ in _Page(text).links if name.endswith(".html") else []:
            parts = urlsplit(href)
            assert not parts.scheme
            assert not parts.netloc
            assert parts.path in files or not parts.path, (name, href)
            target, _, query = parts.fragment.partition("?")
            if target == "vm":
                assert dict(parse_qsl(query))["key"] in keys


def test_a_page_loads_nothing_from_elsewhere_and_its_policy_forbids_it(tmp_path: Path) -> None:
    files = built(EXAMPLES / "acme", tmp_path / "site")
    for name, text in files.items():
        if not name.endswith(".html"):
            continue
        page = _Page(text)
        [policy] = [
            each["content"] for tag, each in page.elements if each.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policy.startswith("default-src 'none'; ")
        loaded = {
            each.get("src") or each.get("href") for tag, each in page.elements if tag in ("script", "link", "img")
        }
        assert loaded <= {"site.js", "style.css", "data.js"}
        assert not [each for _, each in page.elements if any(key.startswith("on") or key == "style" for key in each)]


def test_the_same_spec_gives_the_same_bytes(tmp_path: Path) -> None:
    assert built(EXAMPLES / "acme", tmp_path / "one") == built(EXAMPLES / "acme", tmp_path / "two")


def test_a_vm_has_its_decisions_with_their_lines_and_its_findings(tmp_path: Path) -> None:
    data = data_of(built(EXAMPLES / "acme", tmp_path / "site"))
    strings = data["strings"]
    placed = 0
    for row in data["rows"]:
        for what, value, _, file, line in row[3]:
            if strings[what] == "namespace" and file >= 0 and line:
                text = Path(strings[file]).read_text().splitlines()[line - 1]
                assert strings[value] in text or "namespace" in text or strings[row[2]] in text
                placed += 1
    assert placed > 20
    [row] = [row for row in data["rows"] if strings[row[2]] == "lab-probe"]
    assert ("warning", "VMF431") in {(strings[severity], strings[code]) for severity, code, _ in row[4]}


def test_a_single_file_has_every_page_and_runs_only_its_own_script(tmp_path: Path) -> None:
    out = tmp_path / "plan.html"
    result = vmferry("report", "site", EXAMPLES / "acme", "--out", out, "--single-file", "--now", NOW)
    assert result.code == 0
    text = out.read_text()
    page = _Page(text)
    assert {each["id"] for tag, each in page.elements if tag == "article"} >= {
        "assessment",
        "status",
        "concerns",
        "vms",
    }
    [policy] = [each["content"] for _, each in page.elements if each.get("http-equiv") == "Content-Security-Policy"]
    assert re.search("script-src 'sha256-[^']+'; style-src 'sha256-[^']+';", policy)
    assert [each for tag, each in page.elements if tag in ("link", "img") or (tag == "script" and "src" in each)] == []
    streamed = vmferry("report", "site", EXAMPLES / "acme", "--out", "-", "--single-file", "--now", NOW)
    assert streamed.out == text


@pytest.mark.parametrize(
    "name", [*NAMES.values(), "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>"]
)
def test_names_are_no_markup(name: str, tmp_path: Path) -> None:
    clean = built(f"{SPEC}vms:\n{vm('a')}", tmp_path / "clean")
    text = f"{SPEC}vms:\n{vm('a').replace('name: a,', f'name: {json.dumps(name)}, targetName: a,')}"
    files = built(text, tmp_path / "site")
    for file in clean:
        if file.endswith(".html"):
            tags = [tag for tag, _ in _Page(files[file]).elements]
            assert [tag for tag, _ in _Page(clean[file]).elements if tag in ("script", "img")] == [
                tag for tag in tags if tag in ("script", "img")
            ]
    assert "</script" not in files["data.js"]


def test_files_of_an_earlier_run_go_and_those_of_others_stay(tmp_path: Path) -> None:
    out = tmp_path / "site"
    built(EXAMPLES / "minimal", out)
    (out / "old.html").write_text("ours once")
    (out / "notes.txt").write_text("somebody's")
    listed = (out / ".vmferry-site").read_text()
    (out / ".vmferry-site").write_text(f"{listed}old.html\n../outside.txt\n..\n")
    (tmp_path / "outside.txt").write_text("not below the site")
    built(EXAMPLES / "minimal", out)
    assert not (out / "old.html").exists()
    assert (out / "notes.txt").read_text() == "somebody's"
    assert (tmp_path / "outside.txt").exists()


def test_a_file_of_somebody_else_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("somebody's")
    result = vmferry("report", "site", EXAMPLES / "minimal", "--out", tmp_path)
    assert result.code == 1
    assert "index.html exists and is not from an earlier run" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_a_spec_with_errors_has_a_site_that_says_so(tmp_path: Path) -> None:
    broken = vm("a").replace("datastore: ds1", "datastore: elsewhere")
    files = built(f"{SPEC}vms:\n{broken}", tmp_path / "site")
    assert "The spec has errors, so that most rules did not run." in files["index.html"]
