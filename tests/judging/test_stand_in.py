"""The simulated model and judge."""

from __future__ import annotations

from judging_tools import texts

import mmdu_analysis as mmdu
from mmdu_analysis.judging.stand_in import stand_in
from mmdu_analysis.schema import Dimension, Rubric

RUBRIC = Rubric("r", (Dimension("Näme, one", "N"), Dimension("Two", "T")), (1.0, 5.0))


def test_it_answers_and_judges_on_any_rubric(small, tmp_path):
    with stand_in() as url:
        answers = mmdu.answer(small, tmp_path / "a", "m", base_url=url)
        scores = mmdu.judge(small, answers, tmp_path / "s", "j", base_url=url, repeat=2)
        other = mmdu.judge(small, answers, tmp_path / "r", "j", base_url=url, rubric=RUBRIC)
    assert all(text.startswith("A synthetic answer") for text in texts(answers).values())
    assert len(scores) == 7 * 7 * 2
    assert scores["score"].between(4, 9).all()
    assert set(other["dimension"]) == {"Näme, one", "Two"}
    assert other["score"].between(1, 5).all()
