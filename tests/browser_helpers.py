"""A real browser, and what a page may not do in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
DEADLINE = 180_000  # milliseconds of whatever is waited for, on the busiest machine


def find_browser() -> str | None:
    """The program of a browser that tests can drive."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


needs_browser = pytest.mark.skipif(
    find_browser() is None,
    reason="no chromium on this machine; `apt-get install chromium` installs it",
)


@dataclass
class Watched:
    """A page, and what was seen of it."""

    page: Any
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def foreign(self) -> list[str]:
        """Requests that left the machine."""
        own = ("file:", "data:", "blob:", "about:", "http://127.0.0.1:")
        return [url for url in self.requests if not url.startswith(own)]

    def faults(self) -> list[str]:
        """What axe-core finds to be a serious or critical barrier."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {each['help']}: {node['html'][:200]}"
            for each in found
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]


@contextmanager
def opened_browser() -> Iterator[Any]:
    """Start a browser for the tests of a module."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # root has no sandbox, as in a container; software draws what WebGL would
        browser = playwright.chromium.launch(
            executable_path=find_browser(),
            args=["--no-sandbox", "--enable-unsafe-swiftshader"],
            timeout=DEADLINE,  # Playwright's own half minute is short beside other trainings
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watched_page(browser: Any, **options: Any) -> Iterator[Watched]:
    """Open an empty page, such as ``watched_page(browser, color_scheme="dark")``."""
    context = browser.new_context(**options)
    page = context.new_page()
    watched = Watched(page)
    page.set_default_timeout(DEADLINE)
    page.on("request", lambda request: watched.requests.append(request.url))
    page.on("websocket", lambda socket: watched.requests.append(socket.url))
    page.on("pageerror", lambda error: watched.errors.append(str(error)))
    page.on(
        "console",
        lambda message: watched.errors.append(message.text) if message.type == "error" else None,
    )
    try:
        yield watched
    finally:
        context.close()
