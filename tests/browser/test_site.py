"""The static site: names, escaping, a policy, and what Chromium shows of it."""

from __future__ import annotations

import html
import json
import re
import time
from dataclasses import replace

import pandas as pd
import pytest
from browser_tools import watch
from builders import HOSTILE, SHARED
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmdu_analysis import (
    DataError,
    Study,
    export_site,
    load_answers,
    load_scores,
    sample_answers,
    sample_scores,
)
from mmdu_analysis.browser.site import html_table, page_names

REAL = SHARED / "data" / "mmdu"


def few(sample, *dialog_ids):
    return sample.select(dialog_ids or ["0", "1", "2"])


@given(st.lists(st.text(max_size=80), unique=True, max_size=20))
def test_names_are_safe_and_unique(ids):
    names = page_names(ids)
    assert list(names) == ids
    assert len({name.lower() for name in names.values()}) == len(ids)
    for name in names.values():
        assert re.fullmatch(r"[dn]-[A-Za-z0-9_-]*\.html", name)
        assert len(name) < 100


def test_names_that_systems_do_not_allow():
    names = page_names(["a/../b", "CON", "a", "A", "é", "e", "x" * 999, "图", ""])
    assert len({name.lower() for name in names.values()}) == 9
    assert names["a"] == "d-a.html"


@given(st.text(max_size=40))
def test_no_cell_is_markup(text):
    table = html_table(pd.DataFrame({text or "x": [text]}))
    tags = re.findall(r"<[^>]*>", table)
    assert set(tags) == {
        '<div class="scroll" tabindex="0" role="region" aria-label="table">',
        *("<table>", "<thead>", "<tr>", "<th scope='col'>", "</th>", "</tr>", "</thead>", "<tbody>"),
        *("<td>", "</td>", "</tbody>", "</table>", "</div>"),
    }


def test_ids_and_names_of_scored_models_are_escaped_in_the_list(sample, tmp_path):
    small = few(sample, "0")
    parts = {
        "dialogs": small.dialogs.rename(index={"0": HOSTILE}),
        "turns": small.turns.assign(dialog_id=HOSTILE),
        "images": small.images.iloc[:0],
    }
    scores = sample_scores().query("dialog_id == '0' and model == 'open-B'")
    page = export_site(
        replace(small, **parts), tmp_path / "site", scores=scores.assign(dialog_id=HOSTILE, model=HOSTILE)
    )
    shown = page.read_text()
    assert shown.count(html.escape(HOSTILE[:90])[:60]) >= 2  # the id and the model
    assert "<img src=x" not in shown
    assert "<script>window" not in shown


def test_hostile_texts_and_other_files(sample, tmp_path, browser):
    turns = sample.turns.copy()
    turns.loc[turns["dialog_id"] == "0", ["question", "answer"]] = HOSTILE
    hostile = replace(few(replace(sample, turns=turns)), name=HOSTILE)
    figure = tmp_path / "f.png"
    Image.new("RGB", (9, 9)).save(figure)
    page = export_site(
        hostile,
        tmp_path / "site",
        answers=sample_answers().assign(answer=HOSTILE, model=HOSTILE[:200]),
        figures={HOSTILE: figure},
        tables={HOSTILE: pd.DataFrame({HOSTILE: [HOSTILE]})},
    )
    window = browser.new_page()
    told = watch(window)
    for path in (page, *(tmp_path / "site" / "dialogs").glob("*.html")):
        window.goto(f"file://{path}")
        window.wait_for_timeout(300)
        assert window.evaluate("window.hit") is None
        assert window.locator("iframe, svg, .mmdu style, main img:not([alt])").count() == 0
        assert "default-src 'none'" in path.read_text()
    assert told == []
    window.close()
    export_site(few(sample, "5"), tmp_path / "site")  # again: what was there is replaced
    assert [path.name for path in (tmp_path / "site" / "dialogs").iterdir()] == ["d-5.html"]
    assert list((tmp_path / "site" / "figures").iterdir()) == []
    with pytest.raises(DataError, match="holds other files"):
        export_site(few(sample), tmp_path)
    with pytest.raises(DataError, match="is not a PNG"):
        export_site(few(sample), tmp_path / "new", figures={"x": tmp_path / "none.png"})
    assert not (tmp_path / "new").exists()


def test_search_links_and_means(sample, tmp_path, browser):
    part = few(sample)
    page = export_site(part, tmp_path / "site", answers=sample_answers(), scores=sample_scores())
    window = browser.new_page()
    told = watch(window)
    window.goto(f"file://{page}")
    rows = window.locator("#dialogs tbody tr")
    assert rows.count() == 3
    overall = sample_scores().query("dimension == 'Overall Score'")
    mean = 10 * overall.groupby(["model", "dialog_id"])["score"].mean()
    heads = window.locator("#dialogs th").all_inner_texts()
    cells = rows.nth(1).locator("td").all_inner_texts()
    for model in overall["model"].unique():
        assert cells[heads.index(model)] == f"{mean[model, '1']:.1f}"
    word = "castle"
    holds = [
        key
        for key in part.dialogs.index
        if word in " ".join(part.turns.query("dialog_id == @key")[["question", "answer"]].to_numpy().ravel())
        or word in " ".join(sample_answers().query("dialog_id == @key")["answer"])
    ]
    window.get_by_label("Search").fill(word.upper())
    assert window.locator("#dialogs tbody tr:visible a").all_inner_texts() == holds
    window.get_by_label("Search").fill("")
    rows.nth(1).locator("a").click()
    window.locator(".title:has-text('dialogue 1 ')").wait_for()
    window.wait_for_selector(".strip img")
    window.keyboard.press("n")
    window.locator(".title:has-text('turn 2 ')").wait_for()
    assert "copy the line" not in window.locator("article.focus").inner_text()
    window.get_by_role("link", name="next").click()
    window.locator(".title:has-text('dialogue 2 ')").wait_for()
    window.get_by_role("link", name="all dialogues").click()
    window.wait_for_selector("#dialogs")
    window.close()
    assert told == []


def test_a_phone_shows_whole_questions_and_scores_without_sideways_scrolling(sample, tmp_path, browser):
    page = export_site(few(sample), tmp_path / "site", scores=sample_scores())
    window = browser.new_page(viewport={"width": 420, "height": 800})
    window.goto(f"file://{page}")
    table = window.locator(".scroll[aria-label=dialogues]")
    assert table.evaluate("box => box.scrollWidth - box.clientWidth") <= 1
    cells = window.locator("#dialogs tbody tr").first.locator("td")
    right = table.bounding_box()["x"] + table.bounding_box()["width"]
    for cell in cells.all():
        box = cell.bounding_box()
        assert box["x"] + box["width"] <= right + 1
    heads = cells.evaluate_all("cells => cells.map(cell => cell.dataset.head)")
    assert heads == ["dialogue", "turns", "images", "first question", *sample_scores()["model"].unique()]
    window.close()


def test_a_study_brings_its_tables(sample, tmp_path):
    whole = Study.sample()
    study = whole.with_(benchmark=few(sample), scores=whole.scores.query("dialog_id in ['0', '1', '2']"))
    page = study.export_site(tmp_path / "site").read_text()
    mean = study.summary().query("model == 'closed-A' and dimension == 'Overall Score'")["mean"].iloc[0]
    assert f"<td>{mean:.3f}".rstrip("0").rstrip(".") in page
    assert "<h2>Mean scores, 0-100</h2>" in page
    assert "<h2>Dialogues</h2>" in page
    bare = Study(few(sample)).export_site(tmp_path / "bare").read_text()
    assert "<h2>Mean scores" not in bare


def test_no_page_tells_a_folder_of_this_machine(sample_files, tmp_path):
    export_site(sample_files / "benchmark.json", tmp_path / "site")
    texts = [path.read_text() for path in (tmp_path / "site").rglob("*.html")]
    assert len(texts) == 111
    assert not any(str(sample_files) in text for text in texts)


@pytest.mark.slow
def test_the_real_data_fit_in_60_megabytes_and_a_minute(real, tmp_path):
    start = time.perf_counter()
    answers, scores = load_answers(REAL / "answers"), load_scores(REAL / "correctness.csv")
    export_site(real, tmp_path / "site", answers=answers, scores=scores)
    assert time.perf_counter() - start < 60
    sizes = [path.stat().st_size for path in (tmp_path / "site").rglob("*") if path.is_file()]
    assert len(sizes) == 112
    assert sum(sizes) < 60e6
    page = (tmp_path / "site" / "dialogs" / "d-10.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])
    assert sum(bool(picture["data"]) for picture in data["pictures"].values()) == 2
