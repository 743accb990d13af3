"""Scores in the authors' form, and what the whole of them is checked for."""

from __future__ import annotations

import json
import math
import warnings

import pandas as pd
import pytest
from builders import SHARED

from mmdu_analysis import DataError, Rubric, load_benchmark, load_scores
from mmdu_analysis.schema import DIMENSION_NAMES, DataWarning, Dimension
from mmdu_analysis.synthetic.sample import sample_scores


def turn(score=7, **other):
    return dict.fromkeys(DIMENSION_NAMES, score) | other


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def overall(frame):
    """Return dialogue, turn and score of the overall score, sorted; -1 for NA."""
    part = frame.loc[frame["dimension"] == "Overall Score", ["dialog_id", "turn", "score"]]
    return sorted(map(tuple, part.fillna({"turn": -1, "score": -1}).to_numpy().tolist()))


@pytest.fixture
def bench(tmp_path):
    """A benchmark of two dialogues, with 3 and 2 turns."""
    talk = [{"from": "user", "value": "q"}, {"from": "assistant", "value": "a"}]
    records = [{"id": key, "image": [], "conversations": talk * n} for key, n in ((4, 3), (5, 2))]
    return load_benchmark(write(tmp_path / "bench" / "b.json", records))


def test_sample_files_load_to_the_sample(sample_files, sample):
    scores = load_scores(sample_files / "scores", judge="simulated judge", benchmark=sample, strict=True)
    assert scores["synthetic"].all()
    order = ["model", "dialog_id", "turn", "dimension"]
    expected = sample_scores()[scores.columns.tolist()]
    pd.testing.assert_frame_equal(
        scores.sort_values(order, ignore_index=True), expected.sort_values(order, ignore_index=True)
    )


def test_a_short_list_leaves_the_turn_unknown_and_names_the_cure(tmp_path, bench):
    write(tmp_path / "m" / "0-10" / "4.json", [turn(1), turn(2)])
    write(tmp_path / "m" / "0-10" / "5.json", [turn(3), turn(4)])
    frame, problems = load_scores(tmp_path / "m", benchmark=bench, return_problems=True)
    assert overall(frame) == [("4", -1, -1), ("4", -1, 1), ("4", -1, 2), ("5", 1, 3), ("5", 2, 4)]
    first, summary = problems["problem"]
    assert first.startswith("2 judged turns for a dialogue of 3 turns, so turn is NA; write null")
    assert summary.startswith("1 of 2 dialogues of m have turn numbers")
    assert problems["dialog_id"].iloc[0] == "4"


@pytest.mark.parametrize("gap", ["null", "turn"])
def test_the_cure_keeps_the_turn_numbers(tmp_path, bench, gap):
    entries = [turn(1), None, turn(2)] if gap == "null" else [turn(1, turn=1), turn(2, turn=3)]
    write(tmp_path / "m" / "4.json", entries)
    write(tmp_path / "m" / "5.json", [turn(3), turn(4)])
    frame = load_scores(tmp_path / "m", benchmark=bench, strict=True)
    assert overall(frame) == [("4", 1, 1), ("4", 2, -1), ("4", 3, 2), ("5", 1, 3), ("5", 2, 4)]


def test_dialogues_that_were_not_judged_are_missing(tmp_path, bench):
    write(tmp_path / "m" / "4.json", [turn(6), turn(6), turn(6)])
    frame = load_scores(tmp_path / "m", benchmark=bench, strict=True)
    missing = frame.loc[frame["score"].isna()]
    assert missing["dialog_id"].unique().tolist() == ["5"]
    assert len(missing) == 2 * 7
    assert missing["turn"].notna().all()


def test_turns_that_the_benchmark_does_not_have(tmp_path, bench):
    write(tmp_path / "m" / "4.json", [turn(n, turn=n) for n in (1, 2, 3, 9)])
    write(tmp_path / "m" / "6.json", [turn(8)])
    frame, problems = load_scores(tmp_path / "m", benchmark=bench, return_problems=True)
    assert overall(frame) == [("4", 1, 1), ("4", 2, 2), ("4", 3, 3), ("5", 1, -1), ("5", 2, -1)]
    told = dict(zip(problems["dialog_id"], problems["problem"], strict=True))
    assert "turn 9" in told["4"]
    assert "not in the benchmark" in told["6"]
    (tmp_path / "m" / "4.json").unlink()
    with pytest.raises(DataError, match="ids such as '6', expected such as '4'"):
        load_scores(tmp_path / "m", benchmark=bench)


STATED = {
    "one without": ([turn(), turn(turn=2)], "no 'turn' key"),
    "zero": ([turn(turn=0), turn(turn=1)], "turn is 0"),
    "huge": ([turn(turn=10**400)], "expected a whole number"),
    "float": ([turn(turn=1e300)], "expected a whole number"),
    "text": ([turn(turn="first")], "expected a whole number"),
    "negative": ([turn(turn=-1)], "expected a whole number"),
    "true": ([turn(turn=True)], "expected a whole number"),
}


@pytest.mark.parametrize("case", STATED)
def test_turns_that_entries_state_badly_are_unknown(tmp_path, case):
    entries, message = STATED[case]
    write(tmp_path / "m" / "4.json", entries)
    frame, problems = load_scores(tmp_path / "m", return_problems=True)
    assert frame["turn"].isna().all()
    assert (frame["score"] == 7).all()
    assert message in problems["problem"].iloc[0]


def test_stated_turns_as_text_or_float_count(tmp_path):
    write(tmp_path / "m" / "4.json", [turn(turn="3"), turn(turn=5.0)])
    assert load_scores(tmp_path / "m", strict=True)["turn"].unique().tolist() == [3, 5]


def test_values_as_judges_leave_them(tmp_path):
    first = {
        "Creativity": "8",
        "Richness": 7.5,
        "Visual Perception": None,
        "Logical Coherence": 0,
        "Answer Accuracy": 12,
    }
    nested = {name: {"score": 6, "reason": "2 of 3"} for name in DIMENSION_NAMES}
    entries = [turn(**first), {"overall_score": "7/10", "creativity": "seven"},
               "### Richness\n**Score: 4**\n{'Overall Score': 5}", 5, nested, {"scores": turn(3)}]  # fmt: skip
    write(tmp_path / "m" / "4.json", json.dumps(entries)[:-1] + ', {"Creativity": NaN}]')
    frame, problems = load_scores(tmp_path / "m", return_problems=True)
    wide = frame.assign(entry=frame.index // 7).pivot(index="entry", columns="dimension", values="score")
    values = wide.loc[0, list(DIMENSION_NAMES[:5])].tolist()
    assert values[:2] == [8, 7.5]
    assert math.isnan(values[2])
    assert values[3] == 0
    assert math.isnan(values[4])
    assert wide.loc[1, "Overall Score"] == 7
    assert wide.loc[2, ["Richness", "Overall Score"]].tolist() == [4, 5]
    assert wide.loc[4].tolist() == [6] * 7
    assert wide.loc[5].tolist() == [3] * 7
    told = " ".join(problems["problem"])
    for message in ("outside 0-10", "'seven', not a number", "got int", "Creativity is missing"):
        assert message in told
    assert frame["reason"].notna().sum() == 7


@pytest.mark.parametrize(
    "value", [1e300, -1e300, 10**400, "1e300", "inf", True, [1, 2], {"a": 1}, "\ud800", "9" * 5000]
)
def test_extreme_values_are_reported(tmp_path, value):
    write(tmp_path / "m" / "4.json", [turn(Creativity=value, judge="\ud800", reason="\udfff")])
    frame, problems = load_scores(tmp_path / "m", return_problems=True)
    assert frame.loc[frame["score"].isna(), "dimension"].tolist() == ["Creativity"]
    assert problems["problem"].iloc[0].startswith("Creativity ")
    assert frame["judge"].unique().tolist() == ["�"]
    frame.to_csv(tmp_path / "again.csv", index=False)


def test_repeats_and_reasons_are_kept(tmp_path):
    entries = [turn(n, turn=1, repeat=n, reason=f"r{n}", judge="j") for n in (1, 2)]
    write(tmp_path / "m" / "4.json", entries)
    frame = load_scores(tmp_path / "m", strict=True)
    assert frame[["repeat", "reason", "judge"]].drop_duplicates().to_numpy().tolist() == [
        [1, "r1", "j"],
        [2, "r2", "j"],
    ]


def test_hidden_files_are_never_scores(tmp_path):
    write(tmp_path / "m" / "4.json", [turn()])
    for name in (".4.json.ab.json", ".ipynb_checkpoints/4-checkpoint.json", "__MACOSX/5.json", "run.json"):
        write(tmp_path / "m" / name, [turn(1)])
    frame = load_scores(tmp_path, return_problems=True)[0]
    assert frame["model"].unique().tolist() == ["m"]
    assert (frame["score"] == 7).all()


def test_the_shared_checkpoints():
    folder = SHARED / "cases" / "checkpoints"
    if not folder.is_dir():
        pytest.skip("the cases aren't beside the project (../shared/cases)")
    frame = load_scores(folder / "scores", benchmark=load_benchmark(folder / "benchmark.json"), strict=True)
    assert frame["model"].unique().tolist() == ["m"]
    assert frame["score"].mean() * 10 == 70
    with pytest.raises(DataError, match="scores instead"):
        load_scores(folder)


@pytest.mark.parametrize("factor", [0.1, 10], ids=["shares", "percent"])
def test_scores_on_another_scale_are_refused(tmp_path, factor):
    write(tmp_path / "m" / "4.json", [turn(factor * score) for score in (6, 8, 5, 10)])
    with pytest.raises(DataError, match="rubric"):
        load_scores(tmp_path / "m")


def test_another_rubric(tmp_path):
    rubric = Rubric("own", (Dimension("Grounding", "G", ("依据",)), Dimension("Tone", "T")), (1.0, 5.0))
    write(
        tmp_path / "m" / "4.json", [{"G": 5, "tone": "4/5"}, {"依据": 2, "Tone": 0}, "Grounding: 3\nTone: 1"]
    )
    frame, problems = load_scores(tmp_path / "m", rubric=rubric, return_problems=True)
    assert frame["dimension"].unique().tolist() == ["Grounding", "Tone"]
    assert frame["score"].fillna(-1).tolist() == [5, 4, 2, -1, 3, 1]
    assert problems["problem"].iloc[0] == "Tone is 0, outside 1-5"
    with pytest.raises(DataError, match="no usable score"):
        load_scores(tmp_path / "m")


def test_strict_and_warning(tmp_path):
    write(tmp_path / "m" / "4.json", [turn(Creativity=12)])
    with pytest.raises(DataError, match="strict=True"):
        load_scores(tmp_path, strict=True)
    with pytest.warns(DataWarning, match="2 problems"):
        load_scores(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load_scores(tmp_path, return_problems=True)[1]) == 2


def test_a_duplicate_turn_is_told_with_file_and_place(tmp_path):
    write(tmp_path / "m" / "4.json", [turn(turn=1), turn(turn=1, Richness=2)])
    frame, problems = load_scores(tmp_path, return_problems=True)
    assert len(frame) == 7
    assert (frame["score"] == 7).all()
    (problem,) = problems.itertuples()
    assert problem.file.endswith("4.json")
    assert (problem.where, problem.dialog_id, problem.turn) == ("$[1]", "4", 1)
    assert "scored twice" in problem.problem


def test_a_folder_that_a_run_wrote_names_the_model_below_folders_of_judges(tmp_path):
    """Otherwise the judge's folder would be the model, with the scores of one of its models."""
    for judge, score in (("x", 4), ("y", 8)):
        for model in ("a", "b"):
            folder = tmp_path / "scores" / judge / model
            write(folder / "0.json", [turn(score, turn=1, judge=judge)])
            write(folder / "run.json", {"command": "judge"})
    frame = load_scores(tmp_path / "scores")
    means = frame.groupby(["model", "judge"])["score"].mean()
    assert means.to_dict() == {("a", "x"): 4, ("a", "y"): 8, ("b", "x"): 4, ("b", "y"): 8}
