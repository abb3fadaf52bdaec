"""A real Chromium, offline, for tests of the site. It runs where VMFERRY_BROWSER names one: `make browser`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.invocation import vmferry

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, ViewportSize

EXAMPLES = Path(__file__).parents[2] / "examples"
NOW = "2027-01-18T09:00:00Z"
DESKTOP: "ViewportSize" = {"width": 1280, "height": 900}
PHONE: "ViewportSize" = {"width": 390, "height": 800}


class Opened(NamedTuple):
    """A page with all that went wrong on it: what the console said, and what it asked for outside of its folder."""

    page: "Page"
    errors: list[str]
    requests: list[str]


class Visitor:
    """Opens files in pages of their own, without any network."""

    def __init__(self, browser: "Browser") -> None:
        self._browser = browser

    def open(self, file: Path, fragment: str = "", *, size: "ViewportSize" = DESKTOP, dark: bool = False) -> Opened:
        """Open a file and wait until it stands."""
        context = self._browser.new_context(offline=True, viewport=size, color_scheme="dark" if dark else "light")
        opened = Opened(context.new_page(), [], [])
        folder = file.parent.as_uri()

        def said(message: "ConsoleMessage") -> None:
            if message.type in ("error", "warning"):
                opened.errors.append(message.text)

        def asked(request: "Request") -> None:
            if not request.url.startswith((folder, "data:")):
                opened.requests.append(request.url)

        def broke(error: "Error") -> None:
            opened.errors.append(str(error))

        opened.page.on("console", said)
        opened.page.on("request", asked)
        opened.page.on("pageerror", broke)
        opened.page.goto(file.as_uri() + fragment, wait_until="load")
        return opened


@pytest.fixture(scope="session")
def visitor() -> Iterator[Visitor]:
    program = os.environ.get("VMFERRY_BROWSER")
    if not program:
        pytest.skip("VMFERRY_BROWSER does not name a Chromium: see make browser")
    playwright_api = pytest.importorskip("playwright.sync_api", reason="make browser installs Playwright")
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield Visitor(browser)
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of an example."""
    return built(EXAMPLES / "acme", tmp_path_factory.mktemp("site"))


def built(spec: Path, out: Path, *options: str) -> Path:
    """Build a site, and return where it is."""
    result = vmferry("report", "site", spec, "--out", out, "--now", NOW, *options)
    assert result.code == 0, result.text
    return out
