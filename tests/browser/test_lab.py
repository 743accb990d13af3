"""Charts and still pictures in real JupyterLab."""

from __future__ import annotations

import json
import urllib.request

import pytest
from browser_tools import jupyterlab, open_notebook, run_cell
from builders import ROOT

pytest.importorskip("altair", reason="linked charts need the extra 'explore'")
SHOTS = ROOT / ".screenshots"
EXPLORE = """import mmdu_analysis as mmdu
answers = mmdu.sample_answers().query("model in ['closed-A', 'open-B']")
scores = mmdu.sample_scores({'closed-A': 'closed', 'open-B': 'open'})
linked = mmdu.explore(mmdu.load_benchmark("sample"), "turn", answers=answers, scores=scores, notes=None)
linked"""
STATE = 'print("AT", len(linked.view.filtered), len(linked.filtered), linked.chart.params.here)'


def shoot(page, name):
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")


def printed(page, number):
    run_cell(page, number)
    page.wait_for_timeout(800)
    return page.locator(".jp-Cell").nth(number).locator(".jp-OutputArea-output").last.inner_text()


def drag(page, start, end):
    """Drag over the chart from one part of its size to another one."""
    chart = page.locator(".vega-embed canvas, .vega-embed svg").first
    chart.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    box = chart.bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=8)
    page.mouse.up()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_chart_and_the_list_follow_each_other(browser, tmp_path, theme):
    with jupyterlab(tmp_path, [EXPLORE, STATE], f"JupyterLab {theme.title()}") as address:
        page, told = open_notebook(browser, address)
        run_cell(page, 0)
        page.wait_for_selector("article.focus", timeout=90_000)
        page.wait_for_selector(".vega-embed canvas, .vega-embed svg", timeout=30_000)
        page.wait_for_timeout(1_000)
        assert page.locator(".mmdu-still:visible").count() == 0  # the live widget hides it
        assert "AT 1645 3290" in printed(page, 1)

        drag(page, (0.3, 0.1), (0.45, 0.9))  # the list changes
        page.locator(".count", has_text=" turns").first.wait_for(timeout=20_000)
        page.wait_for_timeout(800)
        kept = int(page.locator("header .count").first.inner_text().split(",")[-1].split()[0])
        assert 0 < kept < 1645
        text = printed(page, 1)
        assert f"AT {kept} " in text
        assert page.locator(".row").count() > 0
        page.locator(".vega-embed").scroll_into_view_if_needed()
        shoot(page, f"explore-{theme}")
        before = text.partition("[")[2]  # the mark moves
        page.locator(".mmdu .row").nth(3).click()
        page.wait_for_timeout(800)
        after = printed(page, 1).partition("[")[2]
        assert before != after
        marked = json.loads("[" + after.strip().replace("'", '"'))
        turn = int(page.locator(".title").inner_text().split("turn ")[1].split()[0])
        assert {round(mark["x"]) for mark in marked} == {turn}
        page.close()
        assert told == []


@pytest.mark.slow
def test_a_saved_notebook_without_its_kernel_shows_the_still_picture(browser, tmp_path):
    code = 'import mmdu_analysis as mmdu\nview = mmdu.browse(mmdu.load_benchmark("sample"), notes=None)\nview'
    with jupyterlab(tmp_path, [code, EXPLORE]) as address:
        page, told = open_notebook(browser, address)
        for number in (0, 1):
            run_cell(page, number)
            page.locator("article.focus").nth(number).wait_for(timeout=90_000)
        page.keyboard.press("Escape")
        page.keyboard.press("Control+s")
        page.wait_for_timeout(2_000)
        assert told == []
        page.close()
        base, _, rest = address.partition("/doc/")
        token = rest.partition("token=")[2]
        with urllib.request.urlopen(f"{base}/api/kernels?token={token}") as answer:
            kernels = json.load(answer)
        for kernel in kernels:
            request = urllib.request.Request(
                f"{base}/api/kernels/{kernel['id']}?token={token}", method="DELETE"
            )
            urllib.request.urlopen(request).close()
        saved = json.loads((tmp_path / "b.ipynb").read_text())
        assert "object at 0x" not in json.dumps(saved)
        kinds = [[output["output_type"] for output in cell["outputs"]] for cell in saved["cells"]]
        assert kinds == [["display_data", "display_data"]] * 2
        page, _ = open_notebook(browser, address)
        page.wait_for_timeout(2_000)
        stills = page.locator(".mmdu-still:visible")
        assert stills.count() == 2
        assert "dialogue 0" in stills.first.inner_text()
        shown = page.locator(".mmdu-still:visible img, img[alt=chart]").evaluate_all(
            "images => images.map((i) => i.complete && i.naturalWidth > 50)"
        )
        assert len(shown) > 4
        assert all(shown)
        shoot(page, "still-light")
        page.close()
