"""A page in a real browser, on which an error fails the test."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app import create_app
from app.server import bind
from discover.survey import Survey
from tests.app.survey_on_disk import build

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what drives a browser, and say why where it cannot run."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM.exists():
                item.add_marker(pytest.mark.skip(reason=f"{CHROMIUM} is not installed"))


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    return build(tmp_path / "Reef 7")


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Return what serves a survey and returns its address."""
    servers = []

    def start(survey: Survey, annotator: str = "mara") -> str:
        server = bind(create_app(survey, annotator=annotator), port=0)
        threading.Thread(target=server.run, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.effective_port}"

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def address(survey: Survey, serve: Callable[..., str]) -> str:
    return serve(survey)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=20_000)  # a loaded machine is no failure
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[[str], Page]]:
    """Return what opens a page; an error, or a request that leaves this computer, is a failure."""
    problems: list[str] = []
    contexts = []

    def start(address: str) -> Page:
        context = chromium.new_context(
            viewport={"width": 1280, "height": 800}, base_url=address, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(f"{error} {error.stack}"))
        own = (address, "data:", "blob:")
        page.on("request", lambda r: None if r.url.startswith(own) else problems.append(r.url))
        return page

    yield start
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def page(address: str, open_page: Callable[[str], Page]) -> Page:
    return open_page(address)
