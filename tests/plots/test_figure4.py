"""Figure 4: bars are the numbers of the frame, what was not observed is hatched, rings show the arcs."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.patches import Wedge

import mmdu_analysis as mmdu
from mmdu_analysis.plots._style import MARK
from mmdu_analysis.plots._texts import read_texts


def heights(ax):
    return [[bar.get_height() for bar in container] for container in ax.containers]


def test_bars_are_the_shares_published_and_measured(facts):
    frame = facts.numbers("images")
    published, measured = heights(mmdu.plots.images(frame))
    assert published == [47.3, 46.3, 6.3]
    dialogs = mmdu.load_published("measured_dialogs")["n_images"]
    counts = [(dialogs == 2).sum(), dialogs.between(3, 10).sum(), (dialogs > 10).sum()]
    assert measured == pytest.approx([100 * count / 110 for count in counts])


def test_swapped_rows_draw_other_bars(facts):
    frame = facts.numbers("images")
    swapped = frame.assign(bin=frame["bin"].replace({"2": "3-10", "3-10": "2"}))
    swapped = swapped.sort_values("bin", key=lambda c: c.map({"2": 0, "3-10": 1, "11-20": 2}), kind="stable")
    assert heights(mmdu.plots.images(frame)) != heights(mmdu.plots.images(swapped))


def test_labels_are_value_and_count(facts):
    labels = [text.get_text() for text in mmdu.plots.images(facts.numbers("images")).texts]
    assert labels == ["47.3", "46.4\n(51)", "46.3", "47.3\n(52)", "6.3", "6.4\n(7)"]


def test_turns_after_the_twentieth_are_hatched_not_zero(facts):
    frame = facts.numbers("turns")
    last = frame.loc[(frame["bin"] == ">20") & (frame["origin"] == "measured")].iloc[0]
    assert not last["observed"]
    assert pd.isna(last["percent"])
    ax = mmdu.plots.turns(frame)
    hatched = [patch for patch in ax.patches if patch.get_hatch()]
    assert [patch.get_y() for patch in hatched] == pytest.approx([100 * 38 / 110, 0])
    assert hatched[0].get_height() == pytest.approx(100 * 20 / 110)
    assert "not observed" in [text.get_text() for text in ax.figure.legends[0].get_texts()]


def test_four_panels_agree_with_the_single_figures(facts):
    frame = facts.numbers("distributions")
    for name in ("turns", "images", "tokens", "questions"):
        own = frame.loc[frame["panel"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(own, facts.numbers(name), check_dtype=False)
    panels = mmdu.plots.distributions(frame).figure.axes[1:]
    assert len(panels) == 4
    assert heights(panels[1]) == heights(mmdu.plots.images(facts.numbers("images")))


def test_tokens_of_unknown_references_are_refused_or_hatched(real):
    study = mmdu.Study(real)
    with pytest.raises(mmdu.NotAvailable, match=r"107 of 1,615"):
        study.numbers("tokens")
    frame = study.numbers("distributions")
    tokens = frame.loc[(frame["panel"] == "tokens") & (frame["origin"] == "measured")]
    assert not tokens["observed"].any()
    assert tokens["percent"].isna().all()


def test_questions_of_the_sample_are_those_it_was_made_with(sample_study):
    frame = sample_study.numbers("questions").query("origin == 'measured'")
    assert frame["count"].tolist() == [164, 446, 1035]
    assert frame["synthetic"].all()


def test_rings_show_the_arcs_and_print_the_labels(facts):
    frame = facts.numbers("figure4_donuts")
    ax = mmdu.plots.figure4_donuts(frame)
    panels = ax.figure.axes[1:]
    wedges = [patch for panel in panels for patch in panel.patches if isinstance(patch, Wedge)]
    sums = frame.groupby("distribution")["arc"].transform("sum")
    angles = [wedge.theta2 - wedge.theta1 for wedge in wedges]
    assert angles == pytest.approx((360 * frame["arc"] / sums).tolist(), abs=1e-3)
    marked = [text.get_text() for panel in panels for text in panel.texts if text.get_color() == MARK]
    assert [text.split("\n")[-2:] for text in marked] == [
        ["47.3%", "arc 46.4%"],
        ["46.3%", "arc 47.4%"],
        ["62.9%", "arc 73.0%"],
    ]
    assert read_texts(ax)["title"].startswith("3 of 13 labels")


def test_no_label_of_a_ring_is_on_the_ring(facts):
    ax = mmdu.plots.figure4_donuts(facts.numbers("figure4_donuts"), context="paper", width=3.3)
    ax.figure.canvas.draw()
    for panel in ax.figure.axes[1:]:
        (x, y), (edge, _) = panel.transData.transform([(0, 0), (1, 0)])
        for text in panel.texts:
            box = text.get_window_extent()
            near = (min(max(x, box.x0), box.x1), min(max(y, box.y0), box.y1))
            distance = ((near[0] - x) ** 2 + (near[1] - y) ** 2) ** 0.5
            assert distance > 0.98 * (edge - x), text.get_text()


def test_images_named_are_the_counts_of_the_questions(facts):
    frame = facts.numbers("images_named")
    named = mmdu.load_published("measured_questions")["images"].fillna("").str.count(r"\d+")
    assert dict(zip(frame["bin"].astype(int), frame["count"], strict=True)) == named.value_counts().to_dict()
    (bars,) = heights(mmdu.plots.images_named(frame))
    assert bars == pytest.approx(frame["percent"].tolist())
