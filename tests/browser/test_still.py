"""The still picture for notebooks without a kernel."""

from __future__ import annotations

import re
from dataclasses import replace

from builders import HOSTILE

from mmdu_analysis import sample_answers, sample_scores
from mmdu_analysis.browser.session import Session
from mmdu_analysis.browser.still import still_html
from mmdu_analysis.browser.widget import DialogBrowser


def test_it_shows_the_open_turn(sample):
    session = Session(sample, sample_answers(), sample_scores())
    session.select("3", 5)
    page = still_html(session)
    turn = sample.turns.query("dialog_id == '3' and turn == 5").iloc[0]
    answer = sample_answers().query("dialog_id == '3' and turn == 5").iloc[0]
    for text in (turn["question"], turn["answer"], answer["answer"], "synthetic sample", "turn 5 of"):
        assert text in page
    score = sample_scores().query("dialog_id == '3' and turn == 5").iloc[0]
    assert f"{score['score']:g} ({score['judge']})" in page
    assert page.count("<img") == turn["images_so_far"]
    assert page.count("<li>") == sample.dialogs.loc["3", "n_turns"]
    assert len(page) < 300_000


def test_hostile_texts_are_escaped(sample):
    turns = sample.turns.assign(question=HOSTILE, answer=HOSTILE)
    hostile = replace(sample, turns=turns, name=HOSTILE)
    answers = sample_answers().assign(answer=HOSTILE, model=HOSTILE)
    page = still_html(Session(hostile, answers), HOSTILE)
    tags = {tag.split()[0].strip("/") for tag in re.findall(r"<([^>]*)>", page)}
    allowed = "div p b br small strong img table tr th td details summary ol li code"
    assert tags <= set(allowed.split())
    for tag in re.findall(r"<img [^>]*>", page):
        assert re.fullmatch(
            r'<img alt="Image\d+" title="Image\d+" src="data:image/\w+;base64,[\w+/=]+">', tag
        )


def test_a_dialogue_without_turns(sample):
    turns = sample.turns.loc[sample.turns["dialog_id"] != "0"]
    dialogs = sample.dialogs.assign(n_turns=sample.dialogs["n_turns"].where(sample.dialogs.index != "0", 0))
    session = Session(replace(sample, turns=turns, dialogs=dialogs))
    session.select("0", None)
    assert "has no turns" in still_html(session)


def test_it_is_displayed_with_the_widget(sample, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda what, **options: shown.append((what, options)))
    view = DialogBrowser(Session(sample))
    view._ipython_display_()
    (still, _), (bundle, options) = shown
    assert f"mmdu-still-{view._key}" in still.data
    assert options["raw"]
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == view.model_id
    assert bundle["text/plain"].startswith("DialogBrowser('synthetic sample', 110 dialogues")
