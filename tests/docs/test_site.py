"""The built site: every page, link and picture is there, search works, and a phone can read it."""

from __future__ import annotations

import functools
import http.server
import threading
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urlparse

import pytest
from browser_tools import chromium
from builders import ROOT

SITE = ROOT / "docs" / "_build" / "html"
PHONE = {"width": 390, "height": 844}

pytestmark = pytest.mark.skipif(not SITE.is_dir(), reason="the site isn't built; run make docs")


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.targets, self.ids = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids |= {values[key] for key in ("id", "name") if values.get(key)}
        for key in ("href", "src"):
            if values.get(key):
                self.targets.append(values[key])


@functools.cache
def parsed(path):
    return Links(path.read_text(encoding="utf-8"))


PAGES = [page for page in sorted(SITE.rglob("*.html")) if "_static" not in page.parts]


def test_every_link_and_picture_is_there():
    broken = []
    for page in PAGES:
        for target in parsed(page).targets:
            address, fragment = urldefrag(target.split("?")[0] if "#" not in target else target)
            if urlparse(address).scheme or address.startswith("//"):
                continue
            file = (page.parent / unquote(address)).resolve() if address else page
            if not file.exists():
                broken.append(f"{page.relative_to(SITE)}: {target}")
            elif fragment and file.suffix == ".html" and unquote(fragment) not in parsed(file).ids:
                broken.append(f"{page.relative_to(SITE)}: no {target}")
    assert len(PAGES) > 100
    assert not broken


def test_nothing_is_loaded_from_elsewhere():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert '<script src="http' not in text
        assert 'rel="stylesheet" href="http' not in text


@pytest.fixture(scope="module")
def address():
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.slow
def test_search_finds_a_function_and_phones_need_no_sideways_scrolling(address):
    with chromium() as browser:
        page = browser.new_page(viewport=PHONE)
        for path in (
            "index",
            "howto/index",
            "howto/convert",
            "gallery/index",
            "api/index",
            "api/compare_models",
            "definitions",
        ):
            page.goto(f"{address}/{path}.html")
            wide = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wide <= 1, path
        page.goto(f"{address}/search.html?q=summarize_scores")
        page.wait_for_selector("#search-results li")
        assert "summarize_scores" in page.inner_text("#search-results")
