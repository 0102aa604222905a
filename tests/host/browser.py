"""A headless Chromium, the one that is installed, with what its console said
and what it asked of others.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import sync_playwright

from tools_missing import tool

HERE = ("file:", "data:", "http://127.0.0.1:")


@contextmanager
def chromium() -> Iterator[Any]:
    """Yields open_page(url, width, dark) -> (page, complaints): a list that
    errors and warnings are added to.
    """
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=tool("chromium"), args=["--no-sandbox"])

        def open_page(url: str, width: int = 1400, dark: bool = False) -> tuple[Any, list[str]]:
            viewport = {"width": width, "height": 900}
            page = browser.new_page(viewport=viewport, color_scheme="dark" if dark else "light")
            complaints: list[str] = []
            page.on(
                "console",
                lambda m: (
                    complaints.append(f"{m.type}: {m.text}")
                    if m.type in ("error", "warning")
                    else None
                ),
            )
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on(
                "request",
                lambda r: (
                    None if r.url.startswith(HERE) else complaints.append(f"it asks for {r.url}")
                ),
            )
            page.on(
                "requestfailed", lambda request: complaints.append(f"request failed: {request.url}")
            )
            page.goto(url)
            return page, complaints

        yield open_page
        browser.close()


def overflow(page: Any) -> int:
    """Pixels by which the page is wider than its window."""
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
