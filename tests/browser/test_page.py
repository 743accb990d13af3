"""The browser as a reader meets it: in JupyterLab, in its own window, as an exported page, in real Chromium."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from browser_tools import jupyterlab, open_notebook, run_cell, watch
from builders import HOSTILE, ROOT, SHARED

from mmdu_analysis import sample_scores
from mmdu_analysis.synthetic.sample import sample_answers

SHOTS = ROOT / ".screenshots"
REAL = SHARED / "data" / "mmdu"


def wait_for(page, script, argument=None):
    page.wait_for_function(script, arg=argument, timeout=20_000)


def title(page):
    return page.locator(".title").inner_text()


def until(page, true):
    """Wait until something is true: the list is filled after the dialogue is drawn."""
    for _ in range(200):
        if true():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it did not come true within 20 s")


def row_scores(page):
    return [int(text) for text in page.locator(".row .score").all_inner_texts()]


def settle(page):
    """Wait until the list and the pictures of the strip are there."""
    page.wait_for_selector(".strip figure :is(img, .lost)")
    page.wait_for_timeout(300)


def shoot(page, name):
    SHOTS.mkdir(exist_ok=True)
    page.locator(".mmdu").screenshot(path=SHOTS / f"{name}.png")


def cells(notes):
    if REAL.is_dir():
        data = repr(str(REAL))
        load = f'folder = {data}\nbench = mmdu.load_benchmark(folder + "/benchmark.json")\nanswers = mmdu.load_answers(folder + "/answers")\n'
        load += 'scores = mmdu.load_scores(folder + "/correctness.csv")\n'
    else:
        load = 'bench = mmdu.load_benchmark("sample")\nanswers, scores = mmdu.sample_answers(), mmdu.sample_scores()\n'
    start = f'import warnings; warnings.simplefilter("ignore")\nimport mmdu_analysis as mmdu\n{load}'
    return [
        f"{start}view = mmdu.browse(bench, answers, scores, notes={str(notes)!r})\nview",
        'print("AT", view.selection, len(view.filtered), len(view.notes))',
        'view.open(bench.dialogs.index[3], 2); print("OPENED")',
    ]


def test_a_reader_in_jupyterlab(browser, tmp_path):
    notes = tmp_path / "notes.jsonl"
    with jupyterlab(tmp_path, cells(notes)) as address:
        page, told = open_notebook(browser, address)
        run_cell(page, 0)
        page.wait_for_selector("article.focus", timeout=60_000)
        settle(page)
        assert title(page).startswith("dialogue 0 · turn 1 of")
        box = page.locator(".mmdu")

        box.focus()  # step by keys; JupyterLab's own j, k, d d do nothing meanwhile
        for key, expected in (("j", "dialogue 1 "), ("n", "turn 2 "), ("p", "turn 1 "), ("k", "dialogue 0 ")):
            page.keyboard.press(key)
            wait_for(page, "text => document.querySelector('.jp-OutputArea-output > *') && true")
            page.locator(f".title:has-text('{expected}')").wait_for(timeout=10_000)
        page.keyboard.press("d")
        page.keyboard.press("d")
        assert page.locator(".jp-Notebook .jp-Cell").count() == 3

        first = page.locator(".strip figure button").first
        first.click()  # enlarge, and close
        page.wait_for_selector("dialog.lightbox[open] img")
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog.lightbox:not([open])", state="attached")
        box.focus()
        page.keyboard.press("?")
        page.wait_for_selector("dialog.help[open]")
        page.keyboard.press("Escape")

        page.keyboard.press("/")  # search
        page.keyboard.type("architect" if REAL.is_dir() else "castle")
        wait_count = page.locator(".count", has_text="turns")
        wait_count.wait_for(timeout=10_000)
        page.wait_for_selector("article mark")
        hits = int(wait_count.first.inner_text().split()[0])
        assert 0 < hits < 110
        until(page, lambda: 0 < page.locator(".row").count() <= hits)
        page.keyboard.press("Escape")

        page.keyboard.press("f")  # filter
        page.get_by_role("button", name="reset").click()
        page.get_by_label("turns, least", exact=True).fill("18")
        page.get_by_label("turns, least", exact=True).press("Enter")
        page.locator(".count", has_text=" of 110 dialogues").wait_for()
        page.wait_for_function(
            "() => [...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean)"
            ".some(r => [...r.querySelectorAll('.row .facts')].every(e => parseInt(e.textContent) >= 18))"
        )
        page.get_by_role("button", name="reset").click()

        assert page.locator("article.focus .column").count() >= 3  # compare: the reference and two models
        assert page.locator("article.focus .bar").count() >= 2
        page.locator("article.focus .tools input").first.uncheck()
        before = page.locator("article.focus .column").count()
        page.locator("article.focus .tools input").first.check()
        assert page.locator("article.focus .column").count() == before + 1

        page.keyboard.press("f")  # filters fold away
        box.focus()  # tag
        page.keyboard.press("t")
        page.keyboard.type("hallucination")
        page.keyboard.press("Enter")
        page.wait_for_selector("article.focus .tag")
        assert json.loads(notes.read_text())["tags"] == ["hallucination"]

        run_cell(page, 1)
        line = page.locator(".jp-OutputArea-output", has_text="AT {").inner_text()
        assert "'turn': 1" in line
        assert line.strip().endswith(" 1")
        run_cell(page, 2)  # open from Python
        page.locator(".title:has-text('turn 2 ')").wait_for(timeout=10_000)

        run_cell(page, 0)  # reload: the notes are there again
        page.locator(".title:has-text('dialogue 0 · turn 1 ')").wait_for(timeout=30_000)
        page.locator(".mmdu").focus()
        page.keyboard.press("f")
        page.get_by_label("tag", exact=True).select_option("*")
        page.wait_for_selector("article.focus .tag")
        page.locator(".count", has_text="1 of 110 dialogues").wait_for()
        page.close()
        assert told == []


STATES = ("reading", "comparing", "searching")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_three_main_states_in_both_themes(browser, tmp_path, theme):
    code = "import mmdu_analysis as mmdu\nmmdu.browse(mmdu.load_benchmark(\"sample\"), mmdu.sample_answers().query(\"model in ['closed-A', 'open-B']\"), "
    code += "mmdu.sample_scores({'closed-A': 'closed', 'open-B': 'open'}), notes=None)"
    with jupyterlab(tmp_path, [code], f"JupyterLab {theme.title()}") as address:
        page, told = open_notebook(browser, address)
        run_cell(page, 0)
        page.wait_for_selector("article.focus", timeout=60_000)
        settle(page)
        background = page.locator(".mmdu").evaluate("e => getComputedStyle(e).backgroundColor")
        brightness = sum(int(part) for part in background[4:-1].split(",")[:3]) / 3
        assert (brightness > 200) == (theme == "light")
        shoot(page, f"reading-{theme}")
        page.locator(".mmdu").focus()
        for key in ("j", "n", "n", "d"):
            page.keyboard.press(key)
            page.wait_for_timeout(200)
        page.wait_for_selector("article.focus ins")
        shoot(page, f"comparing-{theme}")
        page.keyboard.press("d")
        page.keyboard.press("/")
        page.keyboard.type("quiet garden")
        page.wait_for_selector("article mark")
        settle(page)
        shoot(page, f"searching-{theme}")
        page.close()
        assert told == []
    assert all((SHOTS / f"{state}-{theme}.png").stat().st_size > 10_000 for state in STATES)


def write_odd_dialogues(folder: Path):
    """Dialogues at the edges: hostile, without images or turns, 20 images, 27 turns, other scripts, very long."""
    place = "Image{0}: <ImageHere>. "

    def record(key, turns, images=0, question="What is this?", answer="A bird."):
        talk = []
        for turn in range(turns):
            labels = "".join(place.format(n + 1) for n in range(images)) if turn == 0 else ""
            talk += [{"from": "user", "value": labels + question}, {"from": "assistant", "value": answer}]
        return {"id": key, "image": [f"{n}.png" for n in range(images)], "conversations": talk}

    records = [
        record(HOSTILE, 2, 1, HOSTILE, HOSTILE) | {"image": [HOSTILE]},
        record("no images", 3),
        record("no turns", 0),
        record("many images", 2, 20),
        record("many turns", 27, 2),
        record("arabic", 2, 0, "ما هذا الطائر في الصورة؟", "هذا طائر صغير. **جميل**"),
        record("chinese", 2, 0, "图1中的建筑是什么？", "这是一座**古老**的建筑。"),
        record("long", 2, 0, "Tell me all.", "A long line of words. " * 900),
    ]
    folder.mkdir()
    (folder / "benchmark.json").write_text(json.dumps(records))
    return folder


def test_hostile_and_odd_dialogues(browser, own_window, tmp_path):
    data = write_odd_dialogues(tmp_path / "data")
    answers = tmp_path / "answers" / "<img src=x onerror=window.hit=1>"
    answers.mkdir(parents=True)
    talk = [{"from": "user", "value": "Q"}, {"from": "assistant", "value": HOSTILE}] * 2
    (answers / "1.json").write_text(json.dumps({"id": HOSTILE, "image": [], "conversations": talk}))
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    told = watch(page)
    page.goto(own_window(data, answers.parent))
    page.wait_for_selector("article.focus")
    page.wait_for_timeout(500)
    assert page.evaluate("window.hit") is None
    assert page.locator(".mmdu :is(script, iframe, svg, a, style)").count() == 0
    assert page.locator(".talk img").count() == 0
    assert "<script>window.hit=1</script>" in page.locator("article.focus .question").inner_text()
    assert page.locator("header h1").is_visible()
    assert page.locator("article.focus .column", has_text="onerror").count() == 2
    turns = {
        "no images": 3,
        "no turns": 0,
        "many images": 2,
        "many turns": 27,
        "arabic": 2,
        "chinese": 2,
        "long": 2,
    }
    for name, count in turns.items():
        page.keyboard.press("j")
        page.locator(f".title:has-text('dialogue {name} ')").wait_for()
        assert page.locator("article").count() == count
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("article.focus .text").first.inner_text().count("A long line") == 900
    page.close()
    assert told == []


def test_an_own_window_on_the_real_data(browser, own_window, shared):
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    told = watch(page)
    page.goto(own_window(REAL / "benchmark.json", REAL / "answers", REAL / "correctness.csv"))
    page.wait_for_selector("article.focus")
    assert page.url.count("token") == 0
    page.keyboard.press("f")  # keys work at once
    page.get_by_label("order").select_option("worst")
    until(page, lambda: len(scores := row_scores(page)) > 10 and scores == sorted(scores))
    page.get_by_label("order").select_option("disagreement")
    page.get_by_label("kind").select_option("single image")
    page.locator(".count", has_text="turns").first.wait_for()
    page.get_by_role("button", name="reset").click()
    page.get_by_label("images, least", exact=True).fill("11")
    page.get_by_label("images, least", exact=True).press("Enter")
    page.locator(".count", has_text="7 of 110 dialogues").wait_for()
    until(page, lambda: page.locator(".row").count() == 7)
    lost = page.locator(".lost", has_text="unpack the archive")
    page.evaluate("location.hash = 'dialog_id=47&turn=3&order=images'")
    page.reload()  # the address opens the same state
    page.locator(".title:has-text('dialogue 47 · turn 3 ')").wait_for()
    page.keyboard.press("f")
    assert page.get_by_label("order").input_value() == "images"
    page.get_by_role("button", name="reset").click()
    page.evaluate("location.hash = 'dialog_id=48'")
    page.reload()  # image 2 of dialogue 48 is one of the four that are missing
    lost.first.wait_for()
    page.close()
    assert told == []


def test_an_exported_page_needs_no_server(browser, sample_files, tmp_path):
    command = [
        sys.executable,
        "-m",
        "mmdu_analysis.cli",
        "browse",
        "--data",
        str(sample_files),
        "--export",
        "4",
    ]
    extra = [
        "--answers",
        sample_files / "answers",
        "--scores",
        sample_files / "scores",
        "--out",
        tmp_path / "page.html",
    ]
    subprocess.run([*command, *map(str, extra)], check=True, capture_output=True)
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    told = watch(page)
    page.goto(f"file://{tmp_path / 'page.html'}")
    page.wait_for_selector("article.focus")
    settle(page)
    page.keyboard.press("n")
    page.locator(".title:has-text('turn 2 ')").wait_for()
    page.keyboard.press("d")
    page.wait_for_selector("article.focus ins")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog.lightbox[open] img")
    assert page.locator(".synthetic").inner_text() == "synthetic sample"
    assert page.locator("article.focus .column").count() == 1 + sample_answers()["model"].nunique()
    assert page.locator("article.focus .bar").count() == 7 * sample_scores()["model"].nunique()
    page.close()
    assert told == []


def test_a_report_opens_from_the_file_system(browser, sample_files, tmp_path):
    own = [
        "--data",
        str(sample_files / "benchmark.json"),
        "--scores",
        str(sample_files / "scores"),
        "--out",
        str(tmp_path / "r.html"),
    ]
    subprocess.run(
        [sys.executable, "-m", "mmdu_analysis.cli", "report", *own], check=True, capture_output=True
    )
    page = browser.new_page(viewport={"width": 1000, "height": 800}, color_scheme="dark")
    told = watch(page)
    page.goto(f"file://{tmp_path / 'r.html'}")
    assert page.locator("figure img").evaluate_all(
        "images => images.every((i) => i.complete && i.naturalWidth > 300)"
    )
    judged = [
        "--scores",
        str(sample_files / "scores"),
        "--data",
        str(sample_files / "benchmark.json"),
        "--format",
        "csv",
    ]
    command = [sys.executable, "-m", "mmdu_analysis.cli", "scores", *judged]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    table = page.locator("section", has=page.locator("h2", has_text="Dimensions")).locator("table")
    shown = [row.split("\t") for row in table.locator("tbody tr").all_inner_texts()]
    assert len(shown) == len(printed) - 1
    for cells, line in zip(shown, printed[1:], strict=True):
        values = line.split(",")
        assert cells[:2] == values[:2]
        assert [float(cell) for cell in cells[2:6]] == pytest.approx(
            [float(value) for value in values[2:6]], abs=0.0051
        )
    head = table.locator("th", has_text="mean")
    head.click()
    head.click()
    means = [float(text) for text in table.locator("tbody tr td:nth-child(3)").all_inner_texts()]
    assert means == sorted(means, reverse=True)
    page.close()
    assert told == []
