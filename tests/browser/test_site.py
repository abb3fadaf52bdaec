"""The site in a real browser: pages open offline without an error, everybody can read them, and their parts work."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.bench import estate
from tests.browser.conftest import DESKTOP, EXAMPLES, PHONE, Opened, Visitor, built

from vmferry.reports import REPORTS

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGES = ("index", *REPORTS, "vms")
_AXE = Path(__file__).parents[2] / ".tools/axe/package/axe.min.js"
LARGE = 5000


def is_fine(opened: Opened) -> bool:
    """Return whether nothing went wrong, and nothing was asked for."""
    assert opened.errors == []
    assert opened.requests == []
    return True


def violations(page: "Page") -> list[str]:
    """Return what axe-core finds: contrast, names, roles, order of headings and the rest of WCAG 2.1 A and AA."""
    page.context.new_cdp_session(page).send("Page.setBypassCSP", {"enabled": True})
    page.reload()
    page.evaluate(_AXE.read_text())
    found: list[dict[str, Any]] = page.evaluate("async () => (await axe.run(document)).violations")
    return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_offline_without_an_error_or_a_request(name: str, site: Path, visitor: Visitor) -> None:
    opened = visitor.open(site / f"{name}.html")
    assert is_fine(opened)
    assert opened.page.locator("h1").inner_text()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES[1:])
def test_a_page_can_be_read_by_everybody(name: str, dark: bool, site: Path, visitor: Visitor) -> None:
    assert violations(visitor.open(site / f"{name}.html", dark=dark).page) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone(name: str, site: Path, visitor: Visitor) -> None:
    page = visitor.open(site / f"{name}.html", size=PHONE).page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_printed(name: str, site: Path, visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.open(site / f"{name}.html").page
    content = page.pdf(path=tmp_path / "page.pdf", format="A4")
    assert content.startswith(b"%PDF-")
    page.emulate_media(media="print")
    assert not page.locator("header nav").is_visible()
    assert page.locator("h1").is_visible()


def test_every_page_is_one_click_away(site: Path, visitor: Visitor) -> None:
    opened = visitor.open(site / "index.html")
    for name in PAGES[1:]:
        opened.page.locator(f'nav a[data-page="{name}"]').click()
        assert opened.page.url.endswith(f"/{name}.html")
        assert opened.page.locator('nav a[aria-current="page"]').get_attribute("data-page") == name
    assert is_fine(opened)


def test_a_number_leads_to_the_vms_that_it_counts(site: Path, visitor: Visitor) -> None:
    opened = visitor.open(site / "assessment.html")
    page = opened.page
    links = page.locator('td.n a[href*="#vms?"]')
    wanted = [(each.inner_text(), each.get_attribute("href") or "") for each in links.all()[:60]]
    numbers = [(int(text), href) for text, href in wanted if re.fullmatch("[0-9]+", text) and "GiB" not in text]
    first = {href: number for number, href in reversed(numbers)}  # the first number with an address counts its VMs
    assert len(first) > 8
    for href, number in first.items():
        page.goto(f"{site.as_uri()}/{href}")
        assert page.locator("#count").get_attribute("data-count") == str(number), href
    assert is_fine(opened)


def test_the_table_of_vms_filters_sorts_and_explains(site: Path, visitor: Visitor) -> None:
    opened = visitor.open(site / "vms.html")
    page = opened.page
    status = page.locator("#count")
    assert status.inner_text().startswith("77 of 77 VMs")
    page.get_by_label("phase").select_option(label="dev-test (15)")
    assert status.inner_text().startswith("15 of 77 VMs")
    page.get_by_label("name").fill("ci-runner")
    assert status.inner_text().startswith("4 of 77 VMs")
    page.get_by_role("button", name="Show all").click()
    assert status.inner_text().startswith("77 of 77 VMs")
    page.get_by_role("button", name="vCPUs").click()
    page.get_by_role("button", name="vCPUs").click()
    assert page.locator("#all th[aria-sort]").get_attribute("aria-sort") == "descending"
    column = page.locator("#all thead th").all_inner_texts().index("vCPUs ▼".removesuffix(" ▼"))
    numbers = [int(text) for text in page.locator(f"#all tbody td:nth-child({column + 1})").all_inner_texts() if text]
    assert numbers == sorted(numbers, reverse=True)
    page.get_by_role("link", name="lab-probe").click()
    assert page.locator("#one h2").inner_text() == "lab-probe"
    assert page.locator("#one").get_by_role("cell", name="VMF431", exact=True).count() == 1
    assert is_fine(opened)


def test_a_table_sorts_by_number_and_by_keyboard(site: Path, visitor: Visitor) -> None:
    page = visitor.open(site / "assessment.html").page
    table = page.get_by_role("region", name="Guest systems").locator("table")
    heading = table.get_by_role("button", name="memory")
    heading.focus()
    page.keyboard.press("Enter")
    cells = table.locator("tbody td:nth-child(4)")
    numbers = [float(each.get_attribute("data-n") or "inf") for each in cells.all()]
    assert numbers == sorted(numbers)


def test_the_skip_link_is_the_first_thing_a_keyboard_reaches(site: Path, visitor: Visitor) -> None:
    page = visitor.open(site / "status.html").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_one_file_has_all_pages_and_their_links_work(visitor: Visitor, tmp_path: Path) -> None:
    file = built(EXAMPLES / "acme", tmp_path / "plan.html", "--single-file")
    opened = visitor.open(file)
    page = opened.page
    assert [each.get_attribute("id") for each in page.locator("article:visible").all()] == ["assessment"]
    for name in PAGES[1:]:
        page.locator(f'nav a[data-page="{name}"]').click()
        assert [each.get_attribute("id") for each in page.locator("article:visible").all()] == [name]
    page.goto(f"{file.as_uri()}#vms?phase=dev-test")
    page.reload()
    assert page.locator("#count").get_attribute("data-count") == "15"
    page.emulate_media(media="print")
    assert page.locator("article:visible").count() == len(PAGES) - 1
    assert is_fine(opened)


def test_names_do_nothing_in_a_browser(visitor: Visitor, tmp_path: Path) -> None:
    bad = '<img src=x onerror="document.title=1">'
    spec = tmp_path / "spec"
    spec.mkdir()
    text = (EXAMPLES / "minimal/spec.yaml").read_text()
    assert "- name: " in text
    files = {
        path.relative_to(EXAMPLES / "minimal"): path.read_text() for path in (EXAMPLES / "minimal").glob("vms/*.yaml")
    }
    for path, content in {Path("spec.yaml"): text, **files}.items():
        (spec / path).parent.mkdir(exist_ok=True)
        (spec / path).write_text(re.sub(r"(?m)^(  - name: )web-01$", rf"\g<1>'{bad}'\n    targetName: web-01", content))
    assert any(bad in path.read_text() for path in spec.rglob("*.yaml"))
    for options, target in (((), tmp_path / "site"), (("--single-file",), tmp_path / "plan.html")):
        built(spec, target, *options)
        file = target if options else target / "vms.html"
        opened = visitor.open(file, "#vms?")
        assert opened.page.locator("#all tbody").get_by_role("link", name=bad).count() == 1
        opened.page.get_by_role("link", name=bad).click()
        assert opened.page.locator("#one h2").inner_text() == bad
        assert opened.page.title() != "1"
        assert is_fine(opened)


_WATCH = """
globalThis.longest = 0;
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, each.duration);
}).observe({ type: "longtask", buffered: true });
"""


def test_a_large_estate_is_drawn_in_pieces(
    visitor: Visitor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    estate.write(tmp_path / "spec", LARGE)
    site = built(tmp_path / "spec", tmp_path / "site")
    single = built(tmp_path / "spec", tmp_path / "plan.html", "--single-file")
    opened = visitor.open(site / "vms.html")
    page = opened.page
    page.evaluate(_WATCH)
    assert page.locator("#count").inner_text().startswith(f"{LARGE} of {LARGE} VMs")
    rows = page.locator("#all tbody tr")
    assert rows.count() <= 400
    page.get_by_label("name").fill("VM_00")
    page.get_by_label("phase").select_option(index=1)
    page.get_by_role("button", name="Show all").click()
    page.get_by_role("button", name="memory").click()
    assert rows.count() <= 400
    for _ in range(20):
        page.mouse.wheel(0, 5000)
        page.wait_for_timeout(20)
    assert rows.count() > 400
    whole = sum(path.stat().st_size for path in site.iterdir())
    assert whole < 15_000_000
    assert single.stat().st_size < 20_000_000
    assert is_fine(opened)
    with capsys.disabled():  # measured, not asserted: machines differ
        longest = page.evaluate("globalThis.longest")
        print(
            f"\n{LARGE} VMs: site {whole >> 10} KiB, one file {single.stat().st_size >> 10} KiB, "
            f"longest task {longest} ms"
        )


@pytest.fixture(scope="session", autouse=True)
def _pictures(request: pytest.FixtureRequest) -> None:
    """Take screenshots into the folder that VMFERRY_PICTURES names, for docs/."""
    folder = os.environ.get("VMFERRY_PICTURES")
    if folder:
        site, visitor = request.getfixturevalue("site"), request.getfixturevalue("visitor")
        for name in PAGES[1:]:
            page = visitor.open(site / f"{name}.html", size=DESKTOP).page
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
