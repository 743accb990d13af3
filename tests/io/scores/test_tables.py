"""Scores in tables: of this package, of people, of VLMEvalKit."""

from __future__ import annotations

import json
import pickle

import pandas as pd
import pytest
from builders import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdu_analysis import DataError, Rubric, load_scores
from mmdu_analysis.schema import DIMENSION_NAMES, DataWarning, Dimension
from mmdu_analysis.synthetic.sample import sample_scores

FRAME = sample_scores().head(140).drop(columns="synthetic").assign(synthetic=True)
FORMS = {
    "csv": lambda path: FRAME.to_csv(path / "t.csv", index=False),
    "tsv": lambda path: FRAME.to_csv(path / "t.tsv", sep="\t", index=False),
    "semicolons": lambda path: FRAME.to_csv(path / "t.csv", sep=";", decimal=",", index=False),
    "tabs in csv": lambda path: FRAME.to_csv(path / "t.csv", sep="\t", index=False),
    "xlsx": lambda path: FRAME.to_excel(path / "t.xlsx", index=False),
    "records": lambda path: FRAME.to_json(path / "t.json", orient="records"),
    "lines": lambda path: FRAME.to_json(path / "t.jsonl", orient="records", lines=True),
    "capitals": lambda path: FRAME.rename(columns=str.upper).to_csv(path / "t.csv", index=False),
    "spaces": lambda path: FRAME.rename(columns={"dialog_id": "Dialog ID"}).to_csv(
        path / "t.csv", index=False
    ),
    "float ids": lambda path: FRAME.assign(
        dialog_id=FRAME["dialog_id"].astype(float), turn=FRAME["turn"].astype(float)
    ).to_csv(path / "t.csv"),
    "short names": lambda path: FRAME.assign(
        dimension=FRAME["dimension"].replace(
            {"Visual Perception": "VP", "Overall Score": "Avg", "Richness": "r"}
        )
    ).to_csv(path / "t.csv", index=False),
}


def check(path, rubric=None):
    found = load_scores(path, strict=True, **({"rubric": rubric} if rubric else {}))
    keys = ["model", "judge", "dialog_id", "turn", "dimension"]
    columns = FRAME.columns.tolist()
    assert sorted(found.columns) == sorted(columns)
    pd.testing.assert_frame_equal(
        found[columns].sort_values(keys, ignore_index=True), FRAME.sort_values(keys, ignore_index=True)
    )


@pytest.mark.parametrize("form", FORMS)
def test_the_own_frame_is_read_back(tmp_path, form):
    FORMS[form](tmp_path)
    (path,) = tmp_path.iterdir()
    check(path)


@pytest.mark.parametrize("names", ["full", "short", "mixed"])
def test_one_column_a_dimension(tmp_path, names):
    keys = ["model", "judge", "dialog_id", "turn", "synthetic"]
    wide = FRAME.pivot(index=keys, columns="dimension", values="score").reset_index()
    short = {
        "Creativity": "C",
        "Overall Score": "Avg",
        "Visual Perception": "vp",
        "Richness": "richness_score",
    }
    if names != "full":
        wide = wide.rename(columns=short if names == "short" else dict(list(short.items())[:2]))
    wide.to_csv(tmp_path / "t.csv", index=False)
    check(tmp_path / "t.csv")
    wide.assign(Creativity_=1).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="two columns"):
        load_scores(tmp_path / "t.csv")


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


HEAD = "model,judge,dialog_id,turn,dimension,score\n"
BAD_TABLES = {
    "turns from 0": (HEAD + "m,j,1,0,Creativity,5\nm,j,1,1,Creativity,6\n", "turns counted from 1"),
    "unknown columns": ("a,b\n1,2\n", "expected"),
    "two columns of ids": (
        "id,dialog_id,turn,dimension,score\n1,1,1,Creativity,5\n",
        "expected one dialog_id",
    ),
    "percent": (
        HEAD + "".join(f"m,j,{n},1,Creativity,{50 + n}\n" for n in range(9)),
        "outside the scale 0-10",
    ),
    "shares": (HEAD + "".join(f"m,j,{n},1,Creativity,0.{n}\n" for n in range(1, 12)), "look like shares"),
    "no score": (HEAD + "m,j,1,1,Creativity,\n", "no usable score"),
    "head only": (HEAD, "got columns|no usable score"),
    "binary": ("\x00\x01 no table", "got columns|not a readable"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_tables_that_are_refused(tmp_path, case):
    text, message = BAD_TABLES[case]
    with pytest.raises(DataError, match=message) as caught:
        load_scores(write(tmp_path / "t.csv", text))
    assert "\n" not in str(caught.value)


ROWS = {  # a row, what is told of it, its score and turn
    "word": ("m,j,1,1,Creativity,seven", "'seven', not a number", None, 1),
    "range": ("m,j,1,1,Creativity,5-6", "not a number", None, 1),
    "outside": ("m,j,1,1,Creativity,12", "outside 0-10", None, 1),
    "huge": ("m,j,1,1,Creativity,1e300", "outside 0-10", None, 1),
    "many digits": ("m,j,1,1,Creativity," + "9" * 400, "outside 0-10", None, 1),
    "turn in words": ("m,j,1,first,Creativity,7", "turn is 'first'", 7, None),
    "huge turn": ("m,j,1,1e300,Creativity,7", "turn is '1e300'", 7, None),
    "half turn": ("m,j,1,1.5,Creativity,7", "turn is '1.5'", 7, None),
    "no turn": ("m,j,1,,Creativity,7", None, 7, None),
    "few shares": ("m,j,1,1,Creativity,0.5", None, 0.5, 1),
    "decimal comma": ('m,j,1,1,Creativity,"8,5"', None, 8.5, 1),
    "of ten": ("m,j,1,1,Creativity,7/10", None, 7, 1),
}


@pytest.mark.parametrize("case", ROWS)
def test_rows_of_a_table(tmp_path, case):
    row, message, score, turn = ROWS[case]
    path = write(tmp_path / "t.csv", f"{HEAD}{row}\nm,j,2,1,Creativity,9\nm,j,3,1,Creativity,8\n")
    frame, problems = load_scores(path, return_problems=True)
    first = frame.iloc[0]
    assert (None if pd.isna(first["score"]) else first["score"]) == score
    assert (None if pd.isna(first["turn"]) else first["turn"]) == turn
    assert len(problems) == (message is not None)
    if message:
        assert message in problems["problem"][0]
        assert problems["where"][0] == "row 2"


def test_a_dimension_that_the_rubric_does_not_have_is_left_out(tmp_path):
    path = write(tmp_path / "t.csv", HEAD + "m,j,1,1,Style,7\nm,j,1,1,Richness,6\n")
    frame, problems = load_scores(path, return_problems=True)
    assert frame["dimension"].tolist() == ["Richness"]
    assert "'Style' is not in the rubric MMDU" in problems["problem"][0]
    style = Rubric("s", (Dimension("Style", "S"),), (0.0, 10.0))
    assert load_scores(path, rubric=style, return_problems=True)[0]["score"].tolist() == [7]


def test_low_values_are_reported_where_few_rows_leave_the_scale_open(tmp_path):
    path = write(tmp_path / "t.csv", HEAD + "m,j,1,1,Creativity,0.5\nm,j,2,1,Creativity,0.9\n")
    frame, problems = load_scores(path, return_problems=True)
    assert frame["score"].tolist() == [0.5, 0.9]
    assert "check that they are on this scale" in problems["problem"][0]


@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_table_ends_in_scores_or_a_data_error(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes((HEAD + "m,j,1,1,Creativity,5\n" + text).encode("utf-8", "surrogatepass"))
    try:
        frame, _ = load_scores(path, return_problems=True)
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017 - it may end in a result as well
        return
    assert frame["score"].dropna().between(0, 10).all()


EXTREME = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("\ud800"), st.just(10**400),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip
FIELDS = (
    "model",
    "judge",
    "dialog_id",
    "turn",
    "dimension",
    "score",
    "repeat",
    "reason",
    "synthetic",
    "correct",
    "images",
)


@given(st.sampled_from(FIELDS), EXTREME, st.booleans())
@settings(max_examples=300, deadline=None)
def test_extreme_values_in_every_field_end_in_scores_or_a_data_error(tmp_path_factory, field, value, label):
    row = {"model": "m", "judge": "j", "dialog_id": "1", "turn": 1, "dimension": "Creativity", "score": 5}
    row = {"model": "m", "dialog_id": "1", "turn": 1, "correct": 1} if label else row
    path = tmp_path_factory.mktemp("t") / "t.json"
    path.write_text(json.dumps([row | {field: value}, row | {"dialog_id": "2"}]))
    try:
        frame, _ = load_scores(path, return_problems=True)
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017 - it may end in a result as well
        return
    frame.to_csv(path.with_suffix(".csv"), index=False)
    assert frame["score"].dropna().between(0, 10).all()
    assert len(frame) <= 2


def test_the_shared_table_with_capitals():
    path = SHARED / "cases" / "files" / "capital_headers.csv"
    if not path.is_file():
        pytest.skip("the cases aren't beside the project (../shared/cases)")
    frame = load_scores(path, strict=True)
    assert frame.to_numpy().tolist() == [["m", "j", "1", 1, "Creativity", 6.0, False]]


def summary(path, **sets):
    table = pd.DataFrame(
        [{"set": name} | dict.fromkeys(DIMENSION_NAMES, value) for name, value in sets.items()]
    )
    table.to_csv(path, index=False)
    return path


def test_a_summary_of_vlmevalkit_has_no_dialogues(tmp_path):
    with pytest.warns(DataWarning, match="no interval"):
        frame = load_scores(summary(tmp_path / "M_MMDU_gpt-4o_score.csv", all=41.5, valid=50.0))
    assert frame["dialog_id"].isna().all()
    assert frame["turn"].isna().all()
    assert frame[["model", "judge", "score"]].drop_duplicates().to_numpy().tolist() == [["M", "gpt-4o", 5.0]]
    frame = load_scores(summary(tmp_path / "N_score.csv", all=41.5), return_problems=True)[0]
    assert frame[["model", "judge", "score"]].drop_duplicates().to_numpy().tolist() == [
        ["N_score", "judge", 4.15]
    ]


def test_the_shared_output_of_vlmevalkit():
    folder = SHARED / "cases" / "vlmevalkit"
    if not folder.is_dir():
        pytest.skip("the cases aren't beside the project (../shared/cases)")
    for path in (folder, folder / "Qwen2-VL-7B"):
        frame, problems = load_scores(path, return_problems=True)
        assert frame[["model", "judge"]].drop_duplicates().to_numpy().tolist() == [["Qwen2-VL-7B", "gpt-4o"]]
        assert frame["score"].tolist() == [6.0] * 7
        assert len(problems) == 1


class Payload:
    def __reduce__(self):
        return exec, ("raise RuntimeError('a pickle ran')",)


def test_a_pickle_is_refused(tmp_path):
    path = tmp_path / "M_MMDU_gpt-4o.pkl"
    path.write_bytes(pickle.dumps(Payload()))
    with pytest.raises(DataError, match="executes code"):
        load_scores(path)
    turns = pd.DataFrame([dict.fromkeys(DIMENSION_NAMES, score) for score in (6, 8)])
    path.write_bytes(pickle.dumps({0: {"res": turns, "log": []}, 1: None}))
    summary(tmp_path / "M_MMDU_gpt-4o_score.csv", valid=70.0)
    for where in (path, tmp_path):
        with pytest.warns(DataWarning, match="no frame"):
            frame = load_scores(where, allow_pickle=True)
        assert frame["turn"].unique().tolist() == [1, 2]
        assert frame["model"].unique().tolist() == ["M"]
        assert frame["judge"].unique().tolist() == ["gpt-4o"]
    assert load_scores(tmp_path, return_problems=True)[0]["score"].tolist() == [7.0] * 7


def test_labels_of_a_person(tmp_path, shared):
    frame = load_scores(shared / "data" / "mmdu" / "correctness.csv", strict=True)
    assert set(frame.groupby("model").size()) == {1622}
    assert set(frame["score"]) == {0, 10}
    assert frame["dimension"].unique().tolist() == ["Correct"]
    path = write(tmp_path / "l.csv", "dialog_id,turn,correct\n1,1,1\n1,x,1\n1,2,maybe\n1,1,0\n1,3,2\n")
    with pytest.warns(DataWarning, match="4 problems"):
        assert len(load_scores(path)) == 1
    five = Rubric("five", (Dimension("Style", "S"),), (1.0, 5.0))
    assert load_scores(path, rubric=five, return_problems=True)[0]["score"].tolist() == [5.0]


def test_labels_beside_the_benchmark(shared, real):
    frame, problems = load_scores(
        shared / "data" / "mmdu" / "correctness.csv", benchmark=real, return_problems=True
    )
    sizes = frame.groupby("model")["score"].agg(["size", "count"])
    assert set(sizes["size"]) == {1615}
    assert set(sizes["count"]) == {1612}  # three questions have no label
    assert set(problems["dialog_id"]) == {"40", "68"}


@pytest.mark.parametrize("name", ["no.xlsx", "no.csv", "no.pkl", "nothing"])
def test_unreadable_scores_are_one_line(tmp_path, name):
    path = tmp_path / name
    if name != "nothing":
        path.write_bytes(b"\x00\x01 no table")
    with pytest.raises(DataError) as caught:
        load_scores(path, allow_pickle=True)
    assert "\n" not in str(caught.value)


def test_spaces_around_names_make_no_second_model(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("model,judge,dialog_id,turn,dimension,score\na,j,1,1,Avg,5\n a ,j ,1,2,Avg,6\n")
    frame = load_scores(path)
    assert frame[["model", "judge"]].drop_duplicates().to_numpy().tolist() == [["a", "j"]]


def test_a_dimension_on_another_scale_is_refused_beside_others_that_fit(tmp_path):
    """Its few values that fit the scale, such as 0 and 10 of 100, would be its mean."""
    path = tmp_path / "s.csv"
    rows = "".join(f"a,j,1,{turn},7,{10 * turn}\n" for turn in range(1, 10))
    path.write_text("model,judge,dialog_id,turn,Creativity,Avg\n" + rows)
    with pytest.raises(DataError, match="8 scores of Overall Score lie outside the scale 0-10"):
        load_scores(path)


def test_a_table_without_turns_says_which_columns_it_has(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("model,judge,dialog_id,turn_idx,dimension,score\na,j,1,1,Avg,5\na,j,1,2,Avg,6\n")
    _, problems = load_scores(path, return_problems=True)
    assert "no column 'turn' (got 'model', 'judge', 'dialog_id', 'turn_idx'" in problems["problem"].iloc[0]


@pytest.mark.parametrize("column", ["model", "judge"])
def test_names_in_only_some_rows_are_refused(tmp_path, column):
    """As merged cells of a spreadsheet are exported; the rest would be scores of another model or judge."""
    row = {"model": "a", "judge": "j", "dialog_id": "1", "turn": 1, "dimension": "Avg", "score": 5}
    pd.DataFrame([row, row | {"turn": 2, column: ""}]).to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(DataError, match=f"{column} is empty in 1 of 2 rows"):
        load_scores(tmp_path / "s.csv")


def test_a_workbook_with_a_sheet_for_each_model_is_refused(tmp_path):
    """Only the first sheet is read; the other models would be lost."""
    row = {"dialog_id": "1", "turn": 1, "dimension": "Avg", "score": 5}
    with pd.ExcelWriter(tmp_path / "s.xlsx") as book:
        for model in ("a", "b"):
            pd.DataFrame([row]).to_excel(book, sheet_name=model, index=False)
    with pytest.raises(DataError, match="2 sheets have the same columns"):
        load_scores(tmp_path / "s.xlsx")
    with pd.ExcelWriter(tmp_path / "s.xlsx") as book:
        pd.DataFrame([row]).to_excel(book, sheet_name="a", index=False)
        pd.DataFrame([{"note": "of Tuesday"}]).to_excel(book, sheet_name="notes", index=False)
    assert load_scores(tmp_path / "s.xlsx")["score"].tolist() == [5.0]
