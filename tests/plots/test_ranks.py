"""Ranks and pairwise differences."""

from __future__ import annotations

import pytest
from plot_tools import marked_points, row_labels, texts_beside

import mmdu_analysis as mmdu
from mmdu_analysis.plots._texts import read_texts


@pytest.fixture(scope="module")
def facts():
    return mmdu.Study()


def test_ranks_of_the_real_models_with_their_share(facts):
    labels = mmdu.load_published("correctness")
    shares = (100 * labels.groupby("model")["correct"].mean()).sort_values(ascending=False)
    ax = facts.plot("rank_intervals", context="paper")
    assert list(row_labels(ax).values()) == shares.index.tolist()
    assert marked_points(ax) == [(1.0, 0.0), (2.0, 1.0), (3.0, 2.0)]
    assert [text.split()[0] for text in texts_beside(ax).values()] == [f"{share:.1f}" for share in shares]


def test_a_wider_interval_is_drawn_and_counted(facts):
    frame = facts.numbers("rank_intervals")
    wide = frame.assign(rank_high=[2, 2, 3], rank_low=[1, 1, 3])
    ax = mmdu.plots.rank_intervals(wide)
    segments = [[tuple(map(float, end)) for end in path.vertices] for path in ax.collections[0].get_paths()]
    assert segments == [[(1.0, 0.0), (2.0, 0.0)], [(1.0, 1.0), (2.0, 1.0)], [(3.0, 2.0), (3.0, 2.0)]]
    assert read_texts(ax)["title"].startswith("1 of 3 ranks")


def test_differences_are_positive_and_sorted(facts):
    frame = facts.numbers("pairwise_differences")
    ax = mmdu.plots.pairwise_differences(frame)
    expected = sorted(frame["difference"].abs(), reverse=True)
    assert [x for x, _ in sorted(marked_points(ax), key=lambda point: point[1])] == pytest.approx(expected)
    labels = mmdu.load_published("correctness")
    shares = 100 * labels.groupby("model")["correct"].mean()
    first = row_labels(ax)[0].split("\n- ")
    assert expected[0] == pytest.approx(shares[first[0]] - shares[first[1]])


def test_a_pair_without_a_significant_difference_is_hollow(facts):
    frame = facts.numbers("pairwise_differences")
    ax = mmdu.plots.pairwise_differences(frame.assign(p_holm=[0.5, *frame["p_holm"].iloc[1:]]))
    hollow = [line for line in ax.lines if line.get_markerfacecolor() == "white" and len(line.get_xdata())]
    assert [len(line.get_xdata()) for line in hollow] == [1]
    assert read_texts(ax)["title"].startswith("2 of 3 pairs")


def test_models_without_shared_turns_can_not_be_ranked():
    scores = mmdu.sample_scores().query("dimension == 'Overall Score'")
    ids = scores["dialog_id"].unique()
    apart = scores.loc[
        ((scores["model"] == "open-A") & scores["dialog_id"].isin(ids[:50]))
        | ((scores["model"] == "open-B") & scores["dialog_id"].isin(ids[50:]))
    ]
    study = mmdu.Study(scores=apart)
    with pytest.raises(mmdu.NotAvailable, match="share"):
        study.numbers("rank_intervals")
    with pytest.raises(mmdu.NotAvailable, match="share"):
        study.numbers("pairwise_differences")
