"""Study: what it holds, what it refuses, and that the user's data are never replaced."""

from __future__ import annotations

import pandas as pd
import pytest

import mmdu_analysis as mmdu
from mmdu_analysis import DataError, NotAvailable, Study, answer_metrics, load_benchmark
from mmdu_analysis.schema import ProblemWarning, Rubric
from mmdu_analysis.synthetic.sample import sample_answers, sample_scores


def test_without_arguments_it_holds_the_facts():
    study = Study()
    assert study.benchmark is None
    assert study.scores is None
    assert not study.synthetic
    assert len(study.models) == 17
    assert study.models["n_scored"].eq(0).all()
    assert study.problems.columns.tolist() == ["file", "where", "dialog_id", "turn", "problem"]
    assert study.statistics().equals(mmdu.load_published("statistics"))
    for missing in (study.summary, study.ranking, study.lengths, study.calibration):
        with pytest.raises(NotAvailable, match=r"no (scores|benchmark|ratings)"):
            missing()


def test_the_sample_is_marked_everywhere():
    study = Study.sample()
    assert study.synthetic
    assert study.models["synthetic"].all()
    assert study.model_table()["synthetic"].all()
    assert not set(study.model_table()["model"]) & set(Study().models["model"])
    assert study.summary()["synthetic"].all()
    assert "synthetic sample" in repr(study)


def test_parts_from_paths_equal_parts_from_objects(sample_files):
    study = Study(
        sample_files / "benchmark.json", answers=sample_files / "answers", scores=sample_files / "scores"
    )
    sample = Study.sample()
    assert study.own_models == sample.own_models
    left = study.summary().drop(columns="synthetic")
    right = sample.summary().drop(columns="synthetic")
    pd.testing.assert_frame_equal(left, right)
    assert study.synthetic


def test_the_environment_names_the_parts(sample_files, monkeypatch):
    monkeypatch.setenv("MMDU_DATA", str(sample_files / "benchmark.json"))
    monkeypatch.setenv(
        "MMDU_SCORES", f"{sample_files / 'scores' / 'open-A'}:{sample_files / 'scores' / 'open-B'}"
    )
    monkeypatch.setenv("MMDU_ACCESS", "open-A=open,open-B=finetuned")
    study = Study.from_env()
    assert study.own_models == ["open-A", "open-B"]
    assert study.access["open-B"] == "finetuned"
    assert study.answers is None
    monkeypatch.setenv("MMDU_ACCESS", "open-A")
    with pytest.raises(DataError, match="MMDU_ACCESS got 'open-A'"):
        Study.from_env()


def test_with_replaces_and_removes_parts():
    study = Study.sample()
    other = study.with_(answers=None, access={"open-A": "closed"})
    assert other.answers is None
    assert study.answers is not None
    assert other.access["open-A"] == "closed"
    with pytest.raises(DataError, match="got 'score'"):
        study.with_(score=None)


def test_with_keeps_the_problems_of_the_other_parts_and_drops_access_without_models(tmp_path, sample_files):
    import shutil

    copy = tmp_path / "open-A"
    shutil.copytree(sample_files / "scores" / "open-A", copy)
    path = copy / "0.json"
    path.write_text(path.read_text().replace('"Creativity": ', '"Creativity": 9', 1))
    with pytest.warns(mmdu.DataWarning):
        study = Study(scores=tmp_path, access={"open-A": "open"})
    assert "Creativity" in str(study.problems["problem"].tolist())
    assert study.with_(answers=None).problems.equals(study.problems)
    assert study.with_(scores=None).problems.empty
    assert "open-A" not in study.with_(scores=None).access


def test_access_of_unknown_models_is_refused():
    with pytest.raises(DataError, match="known: closed-A"):
        Study.sample().with_(access={"opne-A": "open"})
    with pytest.raises(DataError, match="expected one of closed, open, finetuned"):
        Study(access={"GPT-4o": "free"})


def test_own_models_are_put_into_the_published_table():
    scores = Study.sample().scores.assign(synthetic=False)
    one = scores.loc[scores["model"] == "open-A"].replace({"model": {"open-A": "mine"}})
    table = Study(scores=one, access={"mine": "open"}).model_table()
    assert len(table) == 18
    assert table.loc[table["own"], "model"].tolist() == ["mine"]
    replaced = Study(scores=one.assign(model="GPT-4o")).model_table()
    assert len(replaced) == 17
    assert replaced.loc[replaced["model"] == "GPT-4o", "own"].all()


def test_one_model_has_no_ranks():
    scores = Study.sample().scores
    one = Study(scores=scores.loc[scores["model"] == "open-A"])
    with pytest.raises(NotAvailable, match="two models or more, got one"):
        one.ranking()


def test_another_rubric_never_meets_mmdus_table(tmp_path):
    path = tmp_path / "rubric.toml"
    path.write_text('name = "mine"\nscale = [1, 5]\n[[dimensions]]\nname = "Grounding"\nshort = "G"\n')
    scores = pd.DataFrame(
        {
            "model": "m",
            "judge": "j",
            "dialog_id": ["0", "1", "2"],
            "turn": 1,
            "dimension": "Grounding",
            "score": [1, 3, 5],
        }
    )
    with pytest.raises(DataError, match="rubric MMDU"):
        Study(scores=scores)
    study = Study(scores=scores, rubric=path)
    assert study.summary()["mean"].tolist() == [50]
    assert study.model_table()["model"].tolist() == ["m"]
    assert study.rubric == Rubric.from_file(path)


def test_frames_are_checked():
    with pytest.raises(DataError, match="missing"):
        Study(scores=pd.DataFrame({"model": ["a"]}))
    with pytest.raises(DataError, match="empty frame"):
        Study(answers=pd.DataFrame(columns=["model", "dialog_id", "turn", "answer"]))
    whole = pd.DataFrame({"model": ["a"], "dialog_id": [3], "turn": [1], "answer": ["x"]})
    assert Study(answers=whole).answers["dialog_id"].tolist() == ["3"]


def test_the_card_shows_counts_and_escapes_texts():
    scores = Study.sample().scores.assign(judge="<script>alert(1)</script>")
    card = Study.sample().with_(scores=scores)._repr_html_()
    assert "110 dialogues, 1,645 turns, 421 images" in card
    assert "<script>" not in card
    assert "synthetic sample" in card


def test_frames_are_matched_with_the_benchmark_like_files():
    bench, scores, answers = load_benchmark("sample"), sample_scores(), sample_answers()
    whole = Study(bench, scores=scores, answers=answers)
    floats = scores["dialog_id"].astype(float), answers["dialog_id"].astype(float)
    changed = Study(
        bench, scores=scores.assign(dialog_id=floats[0]), answers=answers.assign(dialog_id=floats[1])
    )
    pd.testing.assert_frame_equal(changed.scores, whole.scores)
    pd.testing.assert_frame_equal(changed.answers, whole.answers)
    few = bench.select(bench.dialogs.index[:20])
    with pytest.warns(ProblemWarning, match="belong to no turn of the benchmark"):
        part = Study(few, scores=scores, answers=answers)
    assert set(part.scores["dialog_id"]) == set(part.answers["dialog_id"]) == set(few.dialogs.index)
    lost = part.problems["problem"].str.extract(r"([\d,]+) rows")[0].str.replace(",", "").astype(int)
    assert lost.sum() == len(scores) + len(answers) - len(part.scores) - len(part.answers)
    with pytest.raises(
        DataError, match="scores: no row belongs to a turn of the benchmark: got ids such as 'x0'"
    ):
        Study(bench, scores=scores.assign(dialog_id="x" + scores["dialog_id"]))


def test_names_that_differ_only_in_case_are_a_problem():
    scores = sample_scores()
    other = scores.loc[scores["model"] == "open-A"].assign(model="Open-A ")
    with pytest.warns(ProblemWarning, match="'Open-A ', 'open-A' differ only in case or spaces"):
        study = Study(scores=pd.concat([scores, other]))
    assert len(study.models) == 6


def test_answers_that_repeat_a_turn_are_refused():
    answers = sample_answers()
    with pytest.raises(DataError, match=r"answers: 3 of .* rows repeat a turn"):
        Study(answers=pd.concat([answers, answers[:3]]))
    with pytest.raises(DataError, match=r"answers: 3 of .* rows repeat a turn"):
        answer_metrics(pd.concat([answers, answers[:3]]), "sample")
