"""Loading models' answers."""

from __future__ import annotations

import json
import warnings

import pandas as pd
import pytest
from builders import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdu_analysis import DataError, load_answers, load_benchmark
from mmdu_analysis.io.predictions import CELL_LIMIT, whole_items
from mmdu_analysis.schema import DataWarning
from mmdu_analysis.synthetic.sample import MODELS, sample_answers


def dialog(key, answers, **extra):
    talk = [m for a in answers for m in ({"from": "user", "value": "Q?"}, {"from": "assistant", "value": a})]
    return {"id": key, "image": [], "conversations": talk, **extra}


def rows(frame):
    return frame[["model", "dialog_id", "turn", "answer"]].to_numpy().tolist()


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_sample_files_load_to_the_sample(sample_files):
    keys = ["model", "dialog_id", "turn"]
    answers = load_answers(sample_files / "answers", strict=True)
    assert set(answers["model"]) == set(MODELS)
    assert answers["synthetic"].all()
    expected = sample_answers().sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(
        answers.sort_values(keys, ignore_index=True), expected[answers.columns.tolist()]
    )


def test_answers_in_one_folder_batches_and_one_file(tmp_path):
    write(tmp_path / "a" / "0-10" / "3.json", dialog(3, ["a", [{"text": "b"}]]))
    assert rows(load_answers(tmp_path / "a", model="mine")) == [["mine", "3", 1, "a"], ["mine", "3", 2, "b"]]
    write(tmp_path / "mine.jsonl", "\n".join(json.dumps(dialog(k, ["x"])) for k in (1, 2)))
    frame = load_answers(tmp_path / "mine.jsonl")
    assert rows(frame) == [["mine", "1", 1, "x"], ["mine", "2", 1, "x"]]
    assert not frame["synthetic"].any()


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
    assert rows(frame) == [["M", "0", 1, "a"], ["M", "0", 2, "b"]]


CUT = "['First, it\\'s whole.', \"Second\\none.\", 'Third, cut"
CELLS = {  # answers, words of the problem
    "whole": ("['one', 'two']", ["one", "two"], None),
    "text alone": ("one answer", ["one answer"], None),
    "cut in the third": (CUT, ["First, it's whole.", "Second\none."], "2 whole answers kept"),
    "cut at the limit": ("['a', '" + "x" * (CELL_LIMIT - 7), ["a"], f"{CELL_LIMIT:,}"),
    "cut in the first": ("['" + "x" * (CELL_LIMIT - 2), [], f"{CELL_LIMIT:,}"),
    "text at the limit": ("x" * CELL_LIMIT, [], f"{CELL_LIMIT:,}"),
    "cut behind a comma": ("['a', ", ["a"], "1 whole answer kept"),
    "cut in an escape": ("['a', 'b\\", ["a"], "1 whole answer kept"),
    "empty": ("", [], "the prediction is empty"),
    "blank": ("  ", [], "the prediction is empty"),
    "nan": ("nan", [], "the prediction is empty"),
    "failed": ("Failed to obtain answer via API.", [], "the request failed"),
    "one failed": ("['a', 'Failed to obtain answer via API.', 'c']", ["a", "c"], "the request failed"),
    "one empty": ("['a', '']", ["a", ""], "the answer is empty"),
    "code": ("['a', open('x')]", [], "not a Python list"),
    "not texts": ("[1, 2]", [], "not a list of texts"),
    "surrogate": ("['\\ud800']", [], "row is left out"),
}


@pytest.mark.parametrize("case", CELLS)
def test_cells_of_predictions(tmp_path, case):
    cell, expected, message = CELLS[case]
    table = [{"index": 7, "prediction": cell}, {"index": 8, "prediction": "['kept']"}]
    write(tmp_path / "M_MMDU.json", table)
    frame, problems = load_answers(tmp_path / "M_MMDU.json", return_problems=True)
    assert frame.loc[frame["dialog_id"] == "7", "answer"].tolist() == expected
    assert frame.loc[frame["dialog_id"] == "8", "answer"].tolist() == ["kept"]
    assert (message is None) == problems.empty
    if message:
        assert message in problems["problem"].iloc[0]
        assert problems["dialog_id"].tolist() == ["7"]


def test_a_failed_turn_keeps_the_numbers_of_the_others(tmp_path):
    write(
        tmp_path / "M_MMDU.json", [{"index": 7, "prediction": ["a", "Failed to obtain answer via API.", "c"]}]
    )
    frame, problems = load_answers(tmp_path / "M_MMDU.json", return_problems=True)
    assert frame["turn"].tolist() == [1, 3]
    assert problems["turn"].tolist() == [2]


def test_fewer_answers_than_questions_are_reported(tmp_path):
    write(tmp_path / "M_MMDU.json", [{"index": 7, "question": "['p', 'q', 'r']", "prediction": "['a', 'b']"}])
    _, problems = load_answers(tmp_path / "M_MMDU.json", return_problems=True)
    assert problems["problem"].tolist() == ["2 answers to 3 questions"]


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=5), st.integers(0, 200))
def test_a_cut_list_gives_its_whole_items(texts, cut):
    cell = repr(texts)
    kept, _ = whole_items(cell[:cut])
    assert kept == texts[: len(kept)]
    assert whole_items(cell) == (texts, "")


def test_the_shared_output_of_vlmevalkit():
    folder = SHARED / "cases" / "vlmevalkit"
    if not folder.is_dir():
        pytest.skip("the cases aren't beside the project (../shared/cases)")
    for path in (folder, folder / "Qwen2-VL-7B"):
        frame, problems = load_answers(path, return_problems=True)
        assert rows(frame) == [
            ["Qwen2-VL-7B", "1", 1, "one"],
            ["Qwen2-VL-7B", "1", 2, "two"],
            ["Qwen2-VL-7B", "2", 1, "First answer, whole."],
        ]
        assert sorted(problems["dialog_id"]) == ["2", "3", "4"]


FRAME = pd.DataFrame(
    {
        "model": ["m", "m"],
        "dialog_id": ["1", "2"],
        "turn": [1, 1],
        "answer": ["a; b", "c"],
        "synthetic": [True, False],
    }
)
FORMS = {
    "csv": lambda path: FRAME.to_csv(path / "t.csv", index=False),
    "tsv": lambda path: FRAME.to_csv(path / "t.tsv", sep="\t", index=False),
    "semicolons": lambda path: FRAME.to_csv(path / "t.csv", sep=";", index=False),
    "tabs in csv": lambda path: FRAME.to_csv(path / "t.csv", sep="\t", index=False),
    "xlsx": lambda path: FRAME.to_excel(path / "t.xlsx", index=False),
    "records": lambda path: FRAME.to_json(path / "t.json", orient="records"),
    "lines": lambda path: FRAME.to_json(path / "t.jsonl", orient="records", lines=True),
    "capitals": lambda path: FRAME.rename(columns=str.upper).to_csv(path / "t.csv", index=False),
    "float ids": lambda path: FRAME.assign(dialog_id=[1.0, 2.0], turn=[1.0, 1.0]).to_csv(path / "t.csv"),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_own_frame_is_read_back(tmp_path, form):
    FORMS[form](tmp_path)
    (path,) = tmp_path.iterdir()
    pd.testing.assert_frame_equal(load_answers(path, strict=True), FRAME.astype({"turn": "int64"}))


def test_turns_counted_from_0_are_refused(tmp_path):
    FRAME.assign(turn=[0, 1]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="turns counted from 1"):
        load_answers(tmp_path / "t.csv")


@pytest.mark.parametrize("turn", ["1e300", "9" * 400, "-1", "1.5", "x", "inf", "nan"])
def test_a_turn_that_is_none_is_reported(tmp_path, turn):
    FRAME.astype({"turn": object}).assign(turn=[turn, "1"]).to_csv(tmp_path / "t.csv", index=False)
    frame, problems = load_answers(tmp_path / "t.csv", return_problems=True)
    assert frame["dialog_id"].tolist() == ["2"]
    assert problems["where"].tolist() == ["row 2"]


def test_answers_that_the_benchmark_does_not_have(tmp_path):
    write(tmp_path / "b.json", [dialog(1, ["r"])])
    write(tmp_path / "m" / "1.json", dialog(1, ["a", "more"]))
    write(tmp_path / "m" / "9.json", dialog(9, ["a"]))
    bench = load_benchmark(tmp_path / "b.json")
    frame, problems = load_answers(tmp_path / "m", benchmark=bench, return_problems=True)
    assert rows(frame) == [["m", "1", 1, "a"]]
    assert problems["dialog_id"].tolist() == ["1", "9"]
    with pytest.raises(DataError, match="ids such as '9', expected such as '1'"):
        load_answers(tmp_path / "m" / "9.json", benchmark=bench)


def test_broken_and_hidden_files(tmp_path):
    write(tmp_path / "m" / "1.json", dialog(1, ["a"]))
    write(tmp_path / "m" / "2.json", '{"id": 2, "conversations"')
    write(tmp_path / "m" / ".3.json.x1.json", dialog(3, ["hidden"]))
    write(tmp_path / "m" / ".ipynb_checkpoints" / "4-checkpoint.json", dialog(4, ["hidden"]))
    write(tmp_path / "__MACOSX" / "m" / "5.json", dialog(5, ["hidden"]))
    with pytest.warns(DataWarning, match=r"2\.json"):
        assert rows(load_answers(tmp_path)) == [["m", "1", 1, "a"]]
    with pytest.raises(DataError, match="no such file or folder"):
        load_answers(tmp_path / "none")


def test_a_folder_that_is_one_level_too_high(tmp_path):
    write(tmp_path / "run" / "answers" / "m" / "1.json", dialog(1, ["a"]))
    write(tmp_path / "run" / "scores" / "m" / "1.json", [])
    with pytest.raises(DataError, match="run/answers instead"):
        load_answers(tmp_path / "run")
    for model in ("a", "b"):
        write(tmp_path / "deep" / "set" / model / "1.json", dialog(1, ["a"]))
    with pytest.raises(DataError, match="deep/set instead"):
        load_answers(tmp_path / "deep")


def test_several_paths_are_read_together(tmp_path):
    for model in ("one", "two"):
        write(tmp_path / model / "1.json", dialog(1, [model]))
    several = load_answers([tmp_path / "one", tmp_path / "two"])
    pd.testing.assert_frame_equal(several, load_answers(tmp_path))


def test_a_duplicated_dialogue_is_reported(tmp_path):
    write(tmp_path / "m" / "a.json", [dialog(1, ["first"]), dialog(1, ["second"])])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame, problems = load_answers(tmp_path / "m", return_problems=True)
    assert frame["answer"].tolist() == ["first"]
    assert "duplicated" in problems["problem"].iloc[-1]
    with pytest.raises(DataError, match="duplicated"):
        load_answers(tmp_path / "m", strict=True)


def test_the_real_answers(shared):
    frame = load_answers(shared / "data" / "mmdu" / "answers", strict=True)
    assert set(frame.groupby("model").size()) == {1615}


@pytest.mark.parametrize("turns", [(2, 1), (1, 1), (0, 1), (-1, 2), (None, 3), (1, 2**31)])
def test_stated_turns_that_cannot_be_are_reported(tmp_path, turns):
    answers = [{"from": "gpt", "value": text, "turn": turn} for text, turn in zip("ab", turns, strict=True)]
    questions = [{"from": "human", "value": "Which?"}] * 2
    talk = [message for pair in zip(questions, answers, strict=True) for message in pair]
    (tmp_path / "m.json").write_text(json.dumps([{"id": "1", "conversations": talk}]), encoding="utf-8")
    frame, problems = load_answers(tmp_path / "m.json", return_problems=True)
    assert frame[["turn", "answer"]].to_numpy().tolist() == [[1, "a"], [2, "b"]]
    assert problems["problem"].str.contains("the stated turns are not").sum() == 1


def test_names_in_only_some_rows_are_refused(tmp_path):
    """The answers without a name would be those of a model named by the file."""
    path = tmp_path / "a.csv"
    path.write_text("model,dialog_id,turn,answer\na,1,1,yes\n,1,2,no\n")
    with pytest.raises(DataError, match="model is empty in 1 of 2 rows"):
        load_answers(path)
    assert load_answers(path, model="b")["model"].tolist() == ["b", "b"]
