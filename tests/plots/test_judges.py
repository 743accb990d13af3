"""Judges: correlations, offsets, slopes."""

from __future__ import annotations

import pytest
from plot_tools import marked_points, row_labels

import mmdu_analysis as mmdu
from mmdu_analysis.plots._texts import read_texts


@pytest.fixture(scope="module")
def judges():
    return mmdu.load_published("judges")


def test_correlations_are_those_of_the_table(judges):
    frame = mmdu.Study().numbers("judge_agreement")
    overall = frame.loc[(frame["dimension"] == "Overall Score") & (frame["judge_b"] != "people")]
    wide = judges.pivot(index="model", columns="judge", values="Avg")
    expected = [wide[a].corr(wide[b]) for a, b in zip(overall["judge_a"], overall["judge_b"], strict=True)]
    human = mmdu.load_published("human_agreement")["pearson"] / 100
    ax = mmdu.plots.judge_agreement(frame)
    pearson = sorted(
        (y, x) for line in ax.lines if line.get_marker() == "o" for x, y in line.get_xydata().tolist()
    )
    assert [x for _, x in pearson] == pytest.approx([*expected, *human])
    assert [label.split("\n")[1] for label in row_labels(ax).values()][3:] == ["people"] * 3


def test_offsets_are_distances_from_the_mean_of_judges(judges):
    ax = mmdu.Study().plot("judge_offsets", context="paper")
    wide = judges.pivot(index="model", columns="judge", values="Avg")
    offsets = wide.sub(wide.mean(axis=1), axis=0)
    rows = {name: at for at, name in row_labels(ax).items()}
    mean = offsets["Claude3-Opus"].mean()
    drawn = marked_points(ax, f"Claude3-Opus (mean {mean:+.1f})")
    found = {name: x for x, y in drawn for name, at in rows.items() if abs(at - y) < 0.3}
    assert found == pytest.approx(offsets["Claude3-Opus"].to_dict())


def test_slopes_are_the_scores(judges):
    ax = mmdu.Study().plot("judge_slopes", context="paper")
    order = [text.get_text().strip() for text in ax.get_xticklabels()]
    wide = judges.pivot(index="model", columns="judge", values="Avg")[order]
    drawn = sorted(line.get_ydata().tolist() for line in ax.lines)
    assert drawn == sorted(wide.to_numpy().tolist())
    spread = wide.max(axis=1) - wide.min(axis=1)
    assert f"{spread.min():.1f} to {spread.max():.1f}" in read_texts(ax)["title"]


def test_own_scores_of_two_judges():
    scores = mmdu.sample_scores().query("dimension == 'Overall Score'").assign(synthetic=False)
    shifted = scores.assign(judge="second", score=(scores["score"] - 1).clip(0, 10))
    import pandas as pd

    study = mmdu.Study(scores=pd.concat([scores, shifted], ignore_index=True))
    offsets = study.numbers("judge_offsets").groupby("judge")["judge_offset"].first()
    assert offsets["second"] == pytest.approx(-5, abs=0.2)
    assert study.plot("judge_agreement", context="paper") is not None
