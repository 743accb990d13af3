"""The gap along the dialogue."""

from __future__ import annotations

import pytest

import mmdu_analysis as mmdu
from mmdu_analysis.plots._texts import read_texts


@pytest.fixture(scope="module")
def study():
    return mmdu.Study.sample()


def line_of(ax, label):
    (line,) = [line for line in ax.lines if line.get_label() == label]
    return line.get_ydata()


@pytest.mark.parametrize("name", ["gap_by_turn", "gap_by_images", "gap_by_context"])
def test_gap_and_sides_are_drawn_from_their_columns(study, name):
    frame = study.numbers(name)
    kept = frame.loc[frame["n_dialogs"] >= 5]
    ax = mmdu.plots.__getattr__(name)(frame)
    assert line_of(ax, "gap") == pytest.approx(kept["gap"].to_numpy(float))
    assert line_of(ax, "closed, mean") == pytest.approx(kept["closed_mean"].to_numpy(float))
    assert line_of(ax, "open, mean") == pytest.approx(kept["open_mean"].to_numpy(float))
    assert kept["gap"].to_numpy(float) == pytest.approx(
        (kept["closed_mean"] - kept["open_mean"]).to_numpy(float)
    )
    slope = frame["slope"].iloc[0]
    assert f"{slope:+.2f} [" in read_texts(ax)["title"]
    assert ax.get_ylim()[1] == 100


def test_one_side_is_a_reason(study):
    alone = mmdu.Study(scores=study.scores.query("model == 'open-A'"), access={"open-A": "open"})
    with pytest.raises(mmdu.NotAvailable, match="closed"):
        alone.numbers("gap_by_turn")
