"""Charts that are linked with the browser, without their window."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from builders import HOSTILE

from mmdu_analysis import DataError, NotAvailable, explore, load_benchmark, sample_answers, sample_scores
from mmdu_analysis.browser import charts
from mmdu_analysis.browser.charts import MOST_POINTS, chart_of, is_crowded, shown_points
from mmdu_analysis.stats.explore_points import EXPLORATIONS, Points, explore_points
from mmdu_analysis.stats.tokens import count_tokens

pytest.importorskip("altair", reason="linked charts need the extra 'explore'")


def points_of(sample, name, **options):
    return explore_points(sample, sample_answers(), sample_scores(), name, **options)


def test_points_are_what_the_frames_hold(sample):
    overall = sample_scores().query("dimension == 'Overall Score'")
    table = points_of(sample, "turn").frame
    assert len(table) == len(overall)
    wanted = overall.set_index(["model", "dialog_id", "turn"])["score"] * 10
    found = table.set_index(["group", "dialog_id", "turn"])["y"]
    assert np.allclose(found.to_numpy(), wanted.reindex(found.index).to_numpy())
    assert (table["x"] == table["turn"]).all()
    assert table["synthetic"].all()
    lengths = points_of(sample, "answer_length").frame.set_index(["group", "dialog_id", "turn"])["x"]
    answers = sample_answers().iloc[[0, 999]]
    for row in answers.itertuples():
        assert lengths[row.model, row.dialog_id, row.turn] == count_tokens([row.answer])[0]
    pair = points_of(sample, "models", models=("open-B", "closed-A"), dimension="VP").frame.iloc[7]
    seen = sample_scores().query("dimension == 'Visual Perception'").set_index(["model", "dialog_id", "turn"])
    key = (pair["dialog_id"], pair["turn"])
    assert (pair["x"], pair["y"]) == (
        seen.loc[("open-B", *key), "score"] * 10,
        seen.loc[("closed-A", *key), "score"] * 10,
    )
    sizes = points_of(sample, "length").frame.set_index("dialog_id")
    assert sizes["x"].to_dict() == sample.dialogs["n_turns"].to_dict()
    assert sizes["turn"].isna().all()


def test_what_is_missing_is_named(sample):
    with pytest.raises(NotAvailable, match="shows scores"):
        explore_points(sample, None, None, "context")
    with pytest.raises(NotAvailable, match="needs answers"):
        explore_points(sample, None, sample_scores(), "answer_length")
    with pytest.raises(DataError, match="expected one of context"):
        explore_points(sample, None, None, "none")
    with pytest.raises(DataError, match="expected two of"):
        points_of(sample, "models", models=("x", "open-B"))
    assert len(explore_points(sample, None, None, "topics").frame) == 110


def test_a_selection_narrows_the_browser_and_the_open_turn_is_marked(sample):
    view = explore(sample, "turn", answers=sample_answers(), scores=sample_scores(), notes=None)
    assert len(view.filtered) == 5 * 1645
    view.select(x=(9.6, 12.4), y=(60, 100))
    table = view.points.query("10 <= x <= 12 and y >= 60")
    assert len(view.filtered) == len(table)
    wanted = table[["dialog_id", "turn"]].drop_duplicates()
    assert len(view.view.filtered) == len(wanted)
    assert set(view.view.filtered["turn"]) == {10, 11, 12}
    assert view.view.selection["turn"] in (10, 11, 12)
    view.view.open("7", 5)
    marks = view.chart.params.here
    scores = view.points.query("dialog_id == '7' and turn == 5")
    assert [mark["y"] for mark in marks] == scores["y"].tolist()
    assert [round(mark["x"]) for mark in marks] == [5] * 5
    view.select()
    assert len(view.view.filtered) == 1645
    dialogs = explore(sample, "length", notes=None).select(x=(20, 30))
    kept = sample.dialogs.query("n_turns >= 20").index
    assert set(dialogs.view.filtered["dialog_id"]) == set(kept)


def test_every_chart_is_valid_and_needs_no_web(sample):
    import vl_convert

    for name in EXPLORATIONS:
        spec = chart_of(points_of(sample, name), sample.name).to_dict()
        assert "synthetic sample" in spec["title"]["text"]
        assert vl_convert.vegalite_to_svg(spec).startswith("<svg")
        assert '"url"' not in json.dumps(spec)
    view = explore(sample, "length", notes=None)
    assert "esm.sh" not in view.chart._esm
    assert len(view.chart._esm) > 100_000


def test_many_points_are_aggregated(monkeypatch, sample):
    rng = np.random.default_rng(0)
    n = 674_000
    frame = pd.DataFrame(
        {
            "dialog_id": "1",
            "turn": 1,
            "group": "m",
            "x": rng.normal(size=n),
            "y": rng.integers(0, 101, n) * 1.0,
        }
    ).assign(synthetic=False)
    points = Points(frame, "x", "y", "model")
    assert is_crowded(points)
    spec = chart_of(points, "many").to_dict()
    cells = spec["layer"][0]["data"]["values"]
    assert sum(cell["points"] for cell in cells) == n
    assert len(json.dumps(spec)) < 500_000
    assert n > MOST_POINTS
    few = Points(frame.head(100), "x", "y", "model")
    assert not is_crowded(few)
    drawn = chart_of(few, "few").to_dict()["layer"][0]["data"]["values"]
    assert sorted(row["x"] for row in drawn) == sorted(few.frame["x"])


def test_groups_stand_side_by_side_without_mixing(sample):
    points = points_of(sample, "n_images")
    shown = shown_points(points)["x"]
    assert (np.round(shown) == points.frame["x"]).all()
    by_group = points.frame.assign(shown=shown).query("x == 2").groupby("group")["shown"].nunique()
    assert (by_group == 1).all()


def test_labels_of_models_do_not_cover_each_other(sample):
    scores = sample_scores().query("dimension == 'Overall Score'")
    labels = scores.assign(dimension="Correct", score=(scores["score"] > 5).astype(float))
    for part in (labels, labels.query("dialog_id < '2'")):
        points = explore_points(sample, None, part, "context")
        shown = shown_points(points).assign(value=points.frame["y"])
        lanes = shown.groupby("y")["group"].nunique()
        assert (lanes == 1).all()
        assert len(lanes) == len(shown[["group", "value"]].drop_duplicates())
        assert (shown["x"] == points.frame["x"]).all()
        spec = chart_of(points, "labels").to_dict()["layer"][0]
        assert spec["encoding"]["y"]["axis"]["values"] == sorted(points.frame["y"].unique())
        assert spec["encoding"]["color"]["field"] == "group"
        if is_crowded(points):
            cells = spec["data"]["values"]
            assert sum(cell["points"] for cell in cells) == len(points.frame)
            assert {cell["group"] for cell in cells} == set(shown["group"])


def test_hostile_names_stay_text(sample):
    scores = sample_scores()
    scores = scores.assign(model=HOSTILE[:150] + scores["model"])
    hostile = replace(sample, name=HOSTILE)
    view = explore(hostile, "turn", scores=scores, notes=None)
    shown = []

    def display(what, **_):
        shown.append(getattr(what, "data", ""))

    import IPython.display

    original, IPython.display.display = IPython.display.display, display
    try:
        view._ipython_display_()
    finally:
        IPython.display.display = original
    assert "<script" not in shown[0]
    assert "data:image/png;base64," in shown[0]


def test_an_absent_extra_is_named(monkeypatch, sample):
    import builtins

    from mmdu_analysis.browser.explore import _offline_chart

    real = builtins.__import__

    def without(name, *rest):
        if name == "vl_convert":
            raise ImportError(name)
        return real(name, *rest)

    _offline_chart.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NotAvailable, match=r"mmdu-analysis\[explore\]"):
        explore(load_benchmark("sample"), "length", notes=None)
    assert charts.MOST_POINTS == MOST_POINTS
