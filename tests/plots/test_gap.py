"""Closed and open models: strips, border, size."""

from __future__ import annotations

import numpy as np
import pytest
from plot_tools import marked_points, row_labels, texts_beside

import mmdu_analysis as mmdu
from mmdu_analysis.plots._texts import read_texts

SHORTS = ["C", "R", "VP", "LC", "AA", "IRU", "Avg"]


@pytest.fixture(scope="module")
def table():
    return mmdu.load_published("main_results")


def test_every_model_is_a_mark_in_every_strip(table):
    ax = mmdu.Study().plot("gap_by_dimension", context="paper")
    marks = [group for group in ax.collections if len(group.get_offsets()) > 1]
    drawn = sorted(tuple(np.round(xy, 6)) for group in marks for xy in np.asarray(group.get_offsets()))
    shift = {"closed": -0.17, "open": 0.17, "finetuned": 0.0}
    expected = sorted(
        (row[short], round(at + shift[row["access"]], 6))
        for row in table.to_dict("records")
        for at, short in enumerate(SHORTS)
    )
    assert np.allclose(drawn, expected)
    assert list(row_labels(ax).values()) == SHORTS


def test_the_gap_beside_a_strip_is_that_of_the_analysis(table):
    gaps = mmdu.gap_analysis(table)
    beside = texts_beside(mmdu.Study().plot("gap_by_dimension", context="paper"))
    expected = [f"{r.gap:+.0f} [{r.low:+.0f}, {r.high:+.0f}]" for r in gaps.itertuples()]
    assert [beside[row] for row in range(7)] == expected
    closed = table.loc[table["access"] == "closed", "Avg"].mean()
    open_ = table.loc[table["access"] == "open", "Avg"].mean()
    assert beside[6].startswith(f"{closed - open_:+.0f} ")


def test_an_ordering_needs_an_interval_without_zero():
    frame = mmdu.Study().numbers("gap_by_dimension")
    clear = read_texts(mmdu.plots.gap_by_dimension(frame))["title"]
    unsure = read_texts(mmdu.plots.gap_by_dimension(frame.assign(gap_low=-1.0)))["title"]
    assert "above open ones" in clear
    assert "above" not in unsure


def test_the_border_has_the_fine_tuned_model(table):
    frame = mmdu.Study().numbers("gap_pairs")
    closed = table.loc[table["access"] == "closed"]
    for row in frame.to_dict("records"):
        best = table.loc[table["access"] == row["side"], row["short"]].max()
        assert row["margin"] == pytest.approx(closed[row["short"]].min() - best)
    tuned = frame.loc[frame["side"] == "finetuned"]
    assert set(tuned["model"]) == {"InternLM-XC2+MMDU-45k"}
    assert (tuned["margin"] < 0).all()
    ax = mmdu.plots.gap_pairs(frame)
    drawn = sorted(x for x, _ in marked_points(ax))
    expected = [*frame.drop_duplicates("dimension")["closed_mean"], *frame["mean"]]
    assert drawn == pytest.approx(sorted(expected))
    assert texts_beside(ax)[1] == "+0.9 / -3.7"


def test_sizes_and_scores_are_those_of_the_table(table):
    ax = mmdu.Study().plot("score_and_size", context="paper")
    sized = table.dropna(subset="parameters_b")
    expected = sorted(zip(sized["parameters_b"], sized["Avg"], strict=True))
    assert sorted(marked_points(ax)) == expected
    lines = sorted(line.get_ydata()[0] for line in ax.lines if line.get_ls() == "--")
    assert lines == sorted(table.loc[table["access"] == "closed", "Avg"])
    assert "+0.0 [-9.6, +9.6]" in read_texts(ax)["title"]


def test_an_own_model_has_a_ring_if_its_size_is_known_and_a_note_if_not():
    frame = mmdu.Study().numbers("score_and_size")
    own = frame.assign(own=frame["model"].isin(["Monkey", "Yi-VL"]))
    own.loc[own["model"] == "Yi-VL", "parameters_b"] = float("nan")
    ax = mmdu.plots.score_and_size(own)
    (ring,) = [line for line in ax.lines if line.get_markerfacecolor() == "none"]
    assert ring.get_xydata().tolist() == [[10, 14.1]]
    note = read_texts(ax)["note"]
    assert "Not drawn, without a known size: Yi-VL." in note
    assert "Own models in a ring" in note
