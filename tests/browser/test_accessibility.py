"""axe-core finds no serious violation in any way into the browser, in both themes; all is reachable by keys."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from browser_tools import jupyterlab, open_notebook, run_cell
from builders import ROOT

from mmdu_analysis import export_site, load_benchmark, sample_answers, sample_scores

AXE = [
    Path(os.environ.get("MMDU_AXE", "")) / "axe.min.js",
    ROOT / ".cache" / "axe-core" / "package" / "axe.min.js",
    ROOT / "node_modules" / "axe-core" / "axe.min.js",
]
RATING = """
import sys
import mmdu_analysis as mmdu
from mmdu_analysis.browser.rating import RatingSession
from mmdu_analysis.browser.server import serve
sample, answers = mmdu.load_benchmark("sample"), mmdu.sample_answers()
new = lambda: RatingSession(sample, answers, rater="a", path=sys.argv[1])
serve(new, open_browser=False, ready=lambda address: print(address, flush=True))
"""


@pytest.fixture(scope="module")
def axe():
    found = next((path for path in AXE if path.is_file()), None)
    if found is None:
        pytest.skip("axe-core isn't here; 'make axe' fetches it into .cache/axe-core (npm pack axe-core)")
    return found.read_text(encoding="utf-8")


def violations(page, axe, scope="document"):
    """Return the rules that are seriously broken, with the elements."""
    page.evaluate(axe)
    found = page.evaluate(
        f"async () => (await axe.run({scope}, {{resultTypes: ['violations']}})).violations"
        ".filter((v) => ['serious', 'critical'].includes(v.impact))"
        ".map((v) => [v.id, v.nodes.map((n) => `${n.target} ${n.failureSummary}`)])"
    )
    return [f"{rule}: {nodes[:3]}" for rule, nodes in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_own_window(browser, own_window, sample_files, axe, scheme):
    page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme=scheme, bypass_csp=True)
    page.goto(own_window(sample_files, sample_files / "answers", sample_files / "scores"))
    page.wait_for_selector("article.focus")
    page.wait_for_selector(".strip img")
    states = {
        "reading": "n",
        "filters": "f",
        "all answers": "a",
        "differences": "d",
        "help": "?",
        "image": "Enter",
    }
    for state, key in states.items():
        page.keyboard.press(key)
        page.wait_for_timeout(500)
        assert violations(page, axe) == [], state
        if state == "help":
            page.keyboard.press("Escape")
    page.keyboard.press("s")
    page.wait_for_timeout(500)
    assert violations(page, axe) == []
    page.set_viewport_size({"width": 420, "height": 800})
    page.keyboard.press("Escape")
    assert violations(page, axe) == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_site_and_exported_page(browser, tmp_path, axe, scheme):
    part = load_benchmark("sample").select(["0", "1", "2"])
    index = export_site(part, tmp_path / "site", answers=sample_answers(), scores=sample_scores())
    page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme=scheme, bypass_csp=True)
    for path in (index, index.parent / "dialogs" / "d-1.html"):
        page.goto(f"file://{path}")
        page.wait_for_timeout(700)
        assert violations(page, axe) == [], path.name
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_rating(browser, tmp_path, axe, request, scheme):
    command = [sys.executable, "-c", RATING, str(tmp_path / "r")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    request.addfinalizer(lambda: (server.terminate(), server.wait(10)))
    page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme=scheme, bypass_csp=True)
    page.goto(server.stdout.readline().strip())
    page.wait_for_selector(".grid .cell.here")
    page.keyboard.press("4")
    page.wait_for_timeout(500)
    assert violations(page, axe) == []
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_jupyterlab(browser, tmp_path, axe, theme):
    code = "import mmdu_analysis as mmdu\nmmdu.browse(mmdu.Study.sample(), notes=None)"
    with jupyterlab(tmp_path, [code], f"JupyterLab {theme}") as address:
        page, _ = open_notebook(browser, address)
        run_cell(page, 0)
        page.wait_for_selector("article.focus", timeout=60_000)
        page.wait_for_timeout(1_000)
        assert (
            violations(
                page,
                axe,
                "document.querySelector('.jp-OutputArea-output:has(> [data-lm-suppress-shortcuts])') ?? document.querySelector('[data-lm-suppress-shortcuts]')",
            )
            == []
        )
        page.close()


def test_everything_is_reached_by_the_tab_key(browser, own_window, sample_files):
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    page.goto(own_window(sample_files, sample_files / "answers"))
    page.wait_for_selector(".strip img")
    page.keyboard.press("f")
    page.keyboard.press("Tab")
    deep = "() => { const e = document.activeElement.shadowRoot?.activeElement; return e ? [e.tagName, e.getAttribute('aria-label') ?? e.textContent.slice(0, 40)] : null; }"
    seen = []
    for _ in range(150):
        seen.append(tuple(page.evaluate(deep) or ()))
        page.keyboard.press("Tab")
        if seen[-1] == () and len(seen) > 3:
            break
    names = {name for _, *rest in filter(None, seen) for name in rest}
    for wanted in (
        "search questions, references and answers",
        "whole words only",
        "regular expression",
        "order",
        "progress, least",
        "reset",
        "dialogues",
        "conversation",
        "enlarge Image1",
        "add a tag",
        "note on this turn",
        "help on keys",
    ):
        assert wanted in names, wanted
    page.close()
