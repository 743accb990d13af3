"""Loading answers and scores."""

from __future__ import annotations

import json
import math
import pickle

import pandas as pd
import pytest

from mmdu_analysis import DataError, load_answers, load_scores
from mmdu_analysis.schema import DIMENSION_NAMES, DataWarning
from mmdu_analysis.synthetic.sample import MODELS, sample_answers, sample_scores, write_sample


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder)
    return folder


def turn(score=7, **other):
    return dict.fromkeys(DIMENSION_NAMES, score) | other


def dialog(key, answers):
    talk = [m for a in answers for m in ({"from": "user", "value": "Q?"}, {"from": "assistant", "value": a})]
    return {"id": key, "image": [], "conversations": talk}


def test_sample_files_load_to_the_sample(written, sample):
    from mmdu_analysis import load_benchmark

    bench = load_benchmark(written / "benchmark.json", strict=True)
    pd.testing.assert_frame_equal(bench.turns, sample.turns)
    pd.testing.assert_frame_equal(bench.images, sample.images)
    assert bench.synthetic
    keys = ["model", "dialog_id", "turn"]
    answers = load_answers(written / "answers", strict=True)
    assert set(answers["model"]) == set(MODELS)
    expected = sample_answers().sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(answers.sort_values(keys, ignore_index=True), expected)
    scores = load_scores(written / "scores", judge="simulated judge", benchmark=bench, strict=True)
    assert answers.attrs["synthetic"]
    assert scores.attrs["synthetic"]
    order = [*keys, "dimension"]
    pd.testing.assert_frame_equal(
        scores.sort_values(order, ignore_index=True), sample_scores().sort_values(order, ignore_index=True)
    )


def test_answers_in_one_folder_batches_and_one_file(tmp_path):
    (tmp_path / "0-10").mkdir()
    (tmp_path / "0-10" / "3.json").write_text(json.dumps(dialog(3, ["a", [{"text": "b"}]])))
    assert load_answers(tmp_path, model="mine").to_numpy().tolist() == [
        ["mine", "3", 1, "a"],
        ["mine", "3", 2, "b"],
    ]
    (tmp_path / "mine.jsonl").write_text("\n".join(json.dumps(dialog(k, ["x"])) for k in (1, 2)))
    frame = load_answers(tmp_path / "mine.jsonl")
    assert frame["model"].unique().tolist() == ["mine"]
    assert frame["dialog_id"].tolist() == ["1", "2"]


@pytest.mark.parametrize("suffix", ["tsv", "csv", "xlsx", "json"])
def test_predictions_of_vlmevalkit(tmp_path, suffix):
    table = pd.DataFrame({"index": [0, 1], "prediction": [str(["a", "b"]), "[open('x')]"]})
    path = tmp_path / f"M_MMDU.{suffix}"
    if suffix == "xlsx":
        table.to_excel(path, index=False)
    elif suffix == "json":
        table.to_json(path, orient="records")
    else:
        table.to_csv(path, sep="\t" if suffix == "tsv" else ",", index=False)
    with pytest.warns(DataWarning, match="row 3"):
        frame = load_answers(path)
    assert frame["answer"].tolist() == ["a", "b"]


def test_broken_answer_files_are_named(tmp_path):
    (tmp_path / "1.json").write_text(json.dumps(dialog(1, ["a"])))
    (tmp_path / "2.json").write_text('{"id": 2, "conversations"')
    with pytest.warns(DataWarning, match=r"2\.json"):
        assert len(load_answers(tmp_path)) == 1
    with pytest.raises(DataError, match="no such file or folder"):
        load_answers(tmp_path / "none")


def test_a_short_list_leaves_the_turn_unknown(tmp_path, sample):
    key = sample.dialogs.index[0]
    n_turns = int(sample.dialogs["n_turns"].iloc[0])
    (tmp_path / "0-10").mkdir()
    (tmp_path / "0-10" / f"{key}.json").write_text(json.dumps([turn()] * (n_turns - 2)))
    with pytest.warns(DataWarning, match="turn is NA"):
        frame = load_scores(tmp_path, benchmark=sample)
    assert frame["turn"].isna().all()
    overall = frame.loc[frame["dimension"] == "Overall Score", "score"]
    assert len(overall) == n_turns
    assert overall.isna().sum() == 2


def test_values_as_judges_leave_them(tmp_path):
    entries = [
        turn(
            **{
                "Creativity": "8",
                "Richness": 7.5,
                "Visual Perception": None,
                "Logical Coherence": 0,
                "Answer Accuracy": 12,
            }
        ),
        {"overall_score": "7/10", "creativity": "seven"},
        "### Richness\n**Score: 4**\n{'Overall Score': 5}",
        5,
    ]
    text = json.dumps(entries)[:-1] + ', {"Creativity": NaN}]'
    (tmp_path / "4.json").write_text(text)
    with pytest.warns(DataWarning):
        frame = load_scores(tmp_path, model="m")
    wide = frame.assign(entry=frame.index // 7).pivot(index="entry", columns="dimension", values="score")
    first = wide.loc[0, list(DIMENSION_NAMES[:5])].tolist()
    assert first[:2] == [8, 7.5]
    assert math.isnan(first[2])
    assert first[3] == 0
    assert math.isnan(first[4])
    assert wide.loc[1, "Overall Score"] == 7
    assert wide.loc[2, ["Richness", "Overall Score"]].tolist() == [4, 5]
    told = " ".join(problem.problem for problem in frame.attrs["problems"])
    assert "outside 0-10" in told
    assert "'seven', not a number" in told
    assert "got int" in told


def test_turn_numbers_in_the_file_are_used(tmp_path):
    (tmp_path / "4.json").write_text(json.dumps([turn(turn=3), turn(turn=5)]))
    assert load_scores(tmp_path, strict=True)["turn"].unique().tolist() == [3, 5]


def test_summary_of_vlmevalkit_has_no_dialogues(tmp_path):
    table = pd.DataFrame(
        [
            {"set": "all"} | dict.fromkeys(DIMENSION_NAMES, 41.5),
            {"set": "valid"} | dict.fromkeys(DIMENSION_NAMES, 50.0),
        ]
    )
    table.to_csv(tmp_path / "M_score.csv", index=False)
    with pytest.warns(DataWarning, match="no interval"):
        frame = load_scores(tmp_path / "M_score.csv")
    assert frame["dialog_id"].isna().all()
    assert sorted(frame["score"].unique()) == [4.15, 5.0]


class Payload:
    def __reduce__(self):
        return exec, ("raise RuntimeError('a pickle ran')",)


def test_a_pickle_is_refused(tmp_path):
    path = tmp_path / "M.pkl"
    path.write_bytes(pickle.dumps(Payload()))
    with pytest.raises(DataError, match="executes code"):
        load_scores(path)
    good = {0: {"res": pd.DataFrame([turn(6), turn(8)]), "log": []}, 1: None}
    path.write_bytes(pickle.dumps(good))
    with pytest.warns(DataWarning, match="no frame"):
        frame = load_scores(path, allow_pickle=True)
    assert frame["turn"].unique().tolist() == [1, 2]


def test_labels_of_a_person(tmp_path, shared):
    frame = load_scores(shared / "data" / "mmdu" / "correctness.csv", strict=True)
    assert frame.groupby("model").size().tolist() == [1622, 1622]
    assert set(frame["score"]) == {0, 10}
    (tmp_path / "l.csv").write_text("dialog_id,turn,correct\n1,1,1\n1,x,1\n1,2,maybe\n1,1,0\n")
    with pytest.warns(DataWarning, match="3 problems"):
        assert len(load_scores(tmp_path / "l.csv")) == 1


def test_a_tidy_table_round_trips(tmp_path):
    frame = sample_scores().head(700)
    frame.to_csv(tmp_path / "tidy.csv", index=False)
    pd.testing.assert_frame_equal(load_scores(tmp_path / "tidy.csv", strict=True), frame)


@pytest.mark.parametrize("name", ["no.xlsx", "no.csv", "no.pkl", "nothing"])
def test_unreadable_scores_are_one_line(tmp_path, name):
    path = tmp_path / name
    if name != "nothing":
        path.write_bytes(b"\x00\x01 no table")
    with pytest.raises(DataError):
        load_scores(path, allow_pickle=True)


def test_the_real_answers(shared):
    frame = load_answers(shared / "data" / "mmdu" / "answers", strict=True)
    assert frame.groupby("model").size().tolist() == [1615, 1615]
