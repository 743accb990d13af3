"""The review page in real Chromium."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from browser_tools import chromium, watch
from builders import HOSTILE
from building_tools import write_folder

from mmdu_analysis.building.review import Review


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "dialogs", n_dialogs=2, n_turns=3)


@pytest.fixture
def start(request, folder):
    """`mmdu build review`; returns the address."""

    def run(reviewer):
        command = [sys.executable, "-m", "mmdu_analysis.cli", "build", "review", str(folder), "--no-open"]
        server = subprocess.Popen([*command, "--reviewer", reviewer], stdout=subprocess.PIPE, text=True)
        request.addfinalizer(lambda: (server.terminate(), server.wait(10)))
        return server.stdout.readline().strip()

    return run


def open_page(browser, address):
    page = browser.new_page(viewport={"width": 1300, "height": 800})
    told = watch(page)
    page.goto(address)
    page.wait_for_selector("article.focus")
    return page, told


def log(folder):
    return [json.loads(line) for line in (folder / "review.jsonl").read_text().splitlines()]


def until(page, is_true):
    for _ in range(50):
        if is_true():
            return
        page.wait_for_timeout(100)
    raise AssertionError("not within 5 s")


def press(page, key, message):
    page.keyboard.press(key)
    page.locator("#message", has_text=message).wait_for(timeout=5000)


def test_accept_edit_reject_undo_and_reload(browser, start, folder):
    address = start("Ann")
    page, told = open_page(browser, address)
    assert page.locator("#reviewer").inner_text() == "reviewer: Ann"
    assert page.locator("#synthetic").is_visible()
    page.wait_for_selector("#items figure img")
    assert "caption of item" in page.locator("#items").inner_text()
    press(page, "a", "turn 1: accept")
    page.locator("article.focus[data-turn='2']").wait_for()
    page.keyboard.press("e")
    page.locator("textarea.answer").fill("A better answer about Image2. j k a r u")
    press(page, "Control+Enter", "turn 2: edit")
    press(page, "r", "turn 3: reject")
    assert [event["kind"] for event in log(folder)] == ["accept", "edit", "reject"]
    assert page.locator("#progress").inner_text() == "3 of 6 turns decided"
    press(page, "u", "undone: reject of turn 3")
    assert page.locator("#progress").inner_text() == "2 of 6 turns decided"
    page.reload()
    page.wait_for_selector("article.focus")
    assert page.locator("#progress").inner_text() == "2 of 6 turns decided"
    assert "A better answer about Image2. j k a r u" in page.locator("article[data-turn='2']").inner_text()
    assert "edit" in page.locator("article[data-turn='2']").get_attribute("class")
    press(page, "u", "undone: edit of turn 2")
    assert "A better answer" not in page.locator("#talk").inner_text()
    page.keyboard.press("n")
    page.locator("h2", has_text="Dialogue d2").wait_for()
    press(page, "Shift+A", "dialogue d2: accept")
    until(page, lambda: page.locator("article.accept").count() == 3)
    press(page, "u", "undone: accept of the dialogue")
    press(page, "Shift+R", "dialogue d2: reject")
    assert page.locator("#list .rejected").inner_text() == "d2"
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.close()
    assert told == []
    assert [event["kind"] for event in log(folder)].count("undo") == 3


def test_an_edit_that_breaks_a_rule_is_not_kept(browser, start, folder):
    page, told = open_page(browser, start("Ann"))
    page.keyboard.press("e")
    page.locator("textarea.answer").fill("See Image9.")
    press(page, "Control+Enter", "Image9, which was not shown")
    assert page.locator("textarea.answer").input_value() == "See Image9."  # nothing typed is lost
    page.locator("textarea.answer").fill("See <image>.")
    press(page, "Control+Enter", "placeholder")
    page.keyboard.press("Escape")
    assert not (folder / "review.jsonl").exists()
    page.close()
    assert told == []


def test_two_reviewers_at_once(browser, start, folder):
    ann, told_ann = open_page(browser, start("Ann"))
    bob, told_bob = open_page(browser, start("Bob"))
    press(ann, "a", "turn 1: accept")
    bob.locator("article[data-turn='1'] .decision.accept", has_text="Ann: accept").wait_for(timeout=5000)
    bob.keyboard.press("e")  # Bob edits what Ann has accepted
    bob.locator("textarea.question").fill("What else is in Image1?")
    press(bob, "Control+Enter", "turn 1: edit")
    ann.locator("article[data-turn='1'] .outdated", has_text="Ann: decided before an edit").wait_for(
        timeout=5000
    )
    assert ann.locator("#progress").inner_text() == "0 of 6 turns decided"
    ann.keyboard.press("k")
    press(ann, "a", "turn 1: accept")
    bob.locator("article[data-turn='1'] .decision.accept", has_text="Ann: accept").wait_for(timeout=5000)
    review = Review(folder)
    state = review.turns("d1")[0]
    assert state.decisions == {"Ann": "accept", "Bob": "edit"}
    assert state.accepted(2)
    press(bob, "u", "undone: edit of turn 1")
    until(ann, lambda: "What else" not in ann.locator("article[data-turn='1']").inner_text())
    ann.close()
    bob.close()
    assert told_ann == told_bob == []


def test_hostile_texts_stay_texts(browser, start, folder):
    file = folder / "d1.json"
    record = json.loads(file.read_text())
    record["pairs"][0] |= {"question": HOSTILE, "answer": HOSTILE}
    record["items"][0] |= {"title": HOSTILE, "caption": HOSTILE, "text": HOSTILE, "source": HOSTILE}
    file.write_text(json.dumps(record))
    page, told = open_page(browser, start("<img src=x onerror=window.hit=1>"))
    press(page, "r", "turn 1: reject")
    page.wait_for_selector("#items figure img")
    assert page.evaluate("window.hit") is None
    assert page.locator(":is(article, figure, header) :is(script, iframe, svg, a, style)").count() == 0
    assert "<script>window.hit=1</script>" in page.locator("article[data-turn='1']").inner_text()
    page.close()
    assert told == []


def test_strangers_get_nothing(browser, start, folder):
    import urllib.error
    import urllib.request

    address = start("Ann")
    base = address.split("?")[0]
    for url, headers in ((base, {}), (base + "review.js", {}), (address, {"Host": "evil.invalid"})):
        with pytest.raises(urllib.error.HTTPError, match="40"):
            urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5)
