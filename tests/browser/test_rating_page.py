"""Rating by keys in real Chromium."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest
from browser_tools import watch

from mmdu_analysis.io.ratings_log import read_ratings

SERVER = """
import sys
import pandas as pd
import mmdu_analysis as mmdu
from mmdu_analysis.browser.rating import RatingSession
from mmdu_analysis.browser.server import serve
sample, answers = mmdu.load_benchmark("sample"), mmdu.sample_answers()
answers = answers.loc[answers["model"].isin(["closed-A", "open-B"])]
plan = pd.read_csv(sys.argv[2], dtype={"dialog_id": str})
new = lambda: RatingSession(sample, answers, rater=sys.argv[3], path=sys.argv[1], plan=plan)
serve(new, open_browser=False, ready=lambda address: print(address, flush=True))
"""
NAMES = ("closed-A", "open-B")
TURNS = 20


@pytest.fixture
def rating(request, tmp_path):
    plan = tmp_path / "plan.csv"
    rows = [(str(dialog), turn) for dialog in range(5) for turn in range(1, 5)]
    pd.DataFrame(rows, columns=["dialog_id", "turn"]).to_csv(plan, index=False)

    def start(rater):
        command = [sys.executable, "-c", SERVER, str(tmp_path / "r.jsonl"), str(plan), rater]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        request.addfinalizer(lambda: (server.terminate(), server.wait(10)))
        return server.stdout.readline().strip()

    return start


def rate_turns(page, done, count, key_of):
    """Rate turns by keys alone; return the keys in order."""
    typed = []
    for turn in range(done, done + count):
        for cell in range(14):
            page.wait_for_selector(".grid .cell.here")
            open_cells = page.locator(".grid .cell:text-is('·')").count()
            key = key_of(turn, cell)
            page.keyboard.press(key)
            typed.append(10 if key == "x" else int(key))
            if cell < 13:
                page.wait_for_function(
                    "n => [...document.querySelector('#browser').shadowRoot.querySelectorAll('.grid .cell')]"
                    ".filter((c) => c.textContent === '·').length === n",
                    arg=open_cells - 1,
                )
        page.locator(".count", has_text=f"{turn + 1} of {TURNS} turns rated").wait_for()
        if turn + 1 < TURNS:
            page.wait_for_function(
                "() => [...document.querySelector('#browser').shadowRoot.querySelectorAll('.grid .cell')]"
                ".filter((c) => c.textContent === '·').length === 14"
            )
    return typed


@pytest.mark.slow
def test_twenty_turns_by_keyboard_with_a_reload_and_two_raters(browser, rating, tmp_path):
    expected = {}
    for rater, shift in (("anna", 0), ("ben", 3)):
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        told = watch(page)

        def key_of(turn, cell, shift=shift):
            return "0123456789x"[(turn * 5 + cell * 3 + shift) % 11]

        page.goto(rating(rater))
        typed = rate_turns(page, 0, 9, key_of)
        seen = page.content() + page.locator(".mmdu").inner_html() + page.url
        page.reload()
        page.locator(".count", has_text=f"9 of {TURNS} turns rated").wait_for()
        typed += rate_turns(page, 9, TURNS - 9, key_of)
        page.locator(".done").wait_for()
        seen += page.locator(".mmdu").inner_html()
        assert not any(name in seen for name in NAMES)
        expected[rater] = typed
        page.close()
        assert told == []
    ratings, problems = read_ratings(tmp_path / "r.jsonl")
    assert problems == []
    for rater, typed in expected.items():
        assert [r.score for r in ratings if r.rater == rater] == typed
    keys = {(r.rater, r.model, r.dialog_id, r.turn, r.dimension) for r in ratings}
    assert len(keys) == 2 * TURNS * 2 * 7


def test_undo_and_a_narrow_screen(browser, rating, tmp_path):
    page = browser.new_page(viewport={"width": 480, "height": 800}, color_scheme="dark")
    told = watch(page)
    page.goto(rating("anna"))
    page.wait_for_selector(".grid .cell.here")
    page.keyboard.press("4")
    page.locator(".message", has_text="saved: answer A, Creativity: 4").wait_for()
    page.keyboard.press("u")
    page.wait_for_function(
        "() => document.querySelector('#browser').shadowRoot.querySelector('.grid .cell').textContent === '·'"
    )
    assert read_ratings(tmp_path / "r.jsonl")[0] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".grid").bounding_box()["y"] < 800
    page.keyboard.press("n")
    page.locator("article.focus[data-turn='2']").wait_for()
    page.close()
    assert told == []
