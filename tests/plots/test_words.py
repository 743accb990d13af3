"""Words: heights of letters are proportional to counts, bars are the counts."""

from __future__ import annotations

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

import mmdu_analysis as mmdu
from mmdu_analysis.plots._texts import read_texts
from mmdu_analysis.plots.words import font_for


@pytest.mark.parametrize("name", ["wordcloud_questions", "wordcloud_answers"])
def test_heights_of_words_are_proportional_to_counts(facts, name):
    frame = facts.numbers(name)
    cloud = getattr(mmdu.plots, name)(frame, width=16, context="paper").figure.axes[1]
    counts = frame.set_index("word")["count"]
    font = FontProperties(fname=font_for("a"))
    scale = {}
    for patch in cloud.patches:
        word = patch.get_gid()
        natural = TextPath((0, 0), word, size=100, prop=font).get_extents().height
        scale[word] = patch.get_path().get_extents().height / natural / counts[word]
    assert set(scale) == set(counts.index)
    assert max(scale.values()) == pytest.approx(min(scale.values()), rel=1e-6)


def test_words_of_a_cloud_do_not_cover_each_other(facts):
    cloud = mmdu.plots.wordcloud_questions(
        facts.numbers("wordcloud_questions"), width=16, context="paper"
    ).figure.axes[1]
    paths = [patch.get_path() for patch in cloud.patches]
    assert len(paths) == 60
    for place, one in enumerate(paths):
        assert not any(one.intersects_path(other) for other in paths[place + 1 :]), cloud.patches[
            place
        ].get_gid()


def test_the_ranking_shows_the_counts(facts):
    frame = facts.numbers("wordcloud_questions")
    bars = mmdu.plots.wordcloud_questions(frame).figure.axes[2]
    assert [bar.get_width() for bar in bars.patches] == frame["count"].head(15).tolist()
    assert [label.get_text() for label in bars.get_yticklabels()] == frame["word"].head(15).tolist()


def test_distinctive_words_are_z_values(facts):
    frame = facts.numbers("distinctive_words")
    ax = mmdu.plots.distinctive_words(frame)
    assert [bar.get_width() for bar in ax.patches] == pytest.approx(frame["z"].tolist())
    swapped = frame.iloc[::-1].reset_index(drop=True)
    assert [bar.get_width() for bar in mmdu.plots.distinctive_words(swapped).patches] != frame["z"].tolist()


def test_a_script_without_a_font_is_named():
    assert font_for("bird").name == "DejaVuSans.ttf"
    with pytest.raises(mmdu.DataError, match="no installed font"):
        font_for("\U0001f7ff\U000e0041")


@pytest.mark.parametrize(("width", "fewest", "most"), [(3.3, 20, 40), (7, 40, 60)])
def test_a_cloud_has_only_words_that_can_be_read(width, fewest, most):
    ax = mmdu.Study().plot("wordcloud_questions", width=width, context="paper")
    words = [patch for part in ax.figure.axes for patch in part.patches if patch.get_gid()]
    assert fewest <= len(words) <= most
    assert read_texts(ax)["note"].startswith(f"The {len(words)} most frequent")
    ax.figure.canvas.draw()
    heights = [patch.get_window_extent().height / ax.figure.dpi * 72 for patch in words]
    assert min(heights) > 2.3  # an x of 5 points without ascenders
