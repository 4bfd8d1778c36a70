"""What the browser tests share: headless Chromium, and a page that collects what goes wrong."""

import os
import shutil

import pytest
from live_figures import PAGE, make

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="session")
def browser():
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        message = "no Chromium on this machine: install the package chromium"
        pytest.fail(message) if os.environ.get("REQUIRE_BROWSER") else pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=[(1280, "light"), (1280, "dark"), (390, "light")],
                ids=["wide", "dark", "phone"])
def look(request, browser):
    """An empty page, and lists that fill with what goes wrong on it."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.errors, page.requests = [], []
    page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    yield page
    context.close()


@pytest.fixture
def opened(look, tmp_path):
    """Opens the named figure twice on one page, from disk, all unfolded; returns both."""
    def go(name, **traits):
        page = tmp_path / f"{name}.html"
        page.write_text(PAGE.format(make(name, **traits).static() + make(name, **traits).static()),
                        encoding="utf-8")
        look.goto(page.as_uri())
        figures = look.locator(f"[data-figure={name}]")
        figures.nth(1).locator(".si-fig").wait_for()
        for fold in look.locator("summary").all():
            fold.press("Enter")
        return figures.nth(0), figures.nth(1)
    return go
