"""Titles, notes, legends and panels: they fit, in figures of the package and in a user's own."""

from __future__ import annotations

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from plot_tools import layout_faults, overlaps

import mmdu_analysis as mmdu
from mmdu_analysis.plots._layout import panels
from mmdu_analysis.plots._texts import read_texts

LONG = "A title of many words that has to be broken into several lines to fit into a narrow column of a paper"


@pytest.fixture
def frame():
    return mmdu.Study().numbers("benchmark_comparison")


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


@pytest.mark.parametrize("width", [2.5, 3.3, 5, 7])
def test_a_long_title_is_wrapped_to_the_width(frame, width):
    ax = mmdu.plots.benchmark_comparison(frame, title=LONG, width=width, context="paper")
    assert ax.figure.get_figwidth() == width
    assert read_texts(ax)["title"] == LONG
    assert layout_faults(ax.figure) == []


def test_height_and_width_are_those_asked_for(frame):
    figure = mmdu.plots.benchmark_comparison(frame, width=7, height=4, context="paper").figure
    assert tuple(figure.get_size_inches()) == (7, 4)


def test_texts_add_to_the_height(frame):
    bare = mmdu.plots.benchmark_comparison(frame, title=False, note=False, context="paper").figure
    full = mmdu.plots.benchmark_comparison(frame, context="paper").figure
    assert bare.get_figheight() == pytest.approx(1.9)
    assert full.get_figheight() > 1.9 + 0.2
    assert bare.texts == []


def test_settings_of_matplotlib_are_respected_without_a_context(frame):
    with mpl.rc_context({"font.size": 14, "axes.spines.right": True, "text.color": "#112233"}):
        ax = mmdu.plots.benchmark_comparison(frame)
        assert ax.figure.get_figwidth() == pytest.approx(14)
        assert ax.figure.axes[1].spines["right"].get_visible()
        assert {text.get_color() for text in ax.figure.texts} == {"#112233"}
    assert mmdu.plots.benchmark_comparison(frame, context="slides").figure.get_figwidth() == pytest.approx(
        13.33
    )
    assert mmdu.plots.benchmark_comparison(frame, font_size=7).figure.get_figwidth() == pytest.approx(7)


def test_a_users_savefig_embeds_truetype_fonts(frame, tmp_path):
    mmdu.plots.benchmark_comparison(frame).figure.savefig(tmp_path / "own.pdf")
    content = (tmp_path / "own.pdf").read_bytes()
    assert b"/Type3" not in content
    assert b"/CIDFontType2" in content or b"/TrueType" in content
    assert mpl.rcParams["pdf.fonttype"] == 3


def test_wrong_sizes_are_refused(frame):
    for wrong in ({"width": -1}, {"font_size": 0}, {"context": "poster"}):
        with pytest.raises(mmdu.DataError):
            mmdu.plots.benchmark_comparison(frame, **wrong)


@pytest.mark.parametrize("layout", ["constrained", None])
def test_texts_of_panels_keep_clear_of_the_panels(frame, layout):
    figure, axes = plt.subplots(2, 2, figsize=(12, 9), layout=layout)
    ax = mmdu.plots.benchmark_comparison(frame, ax=axes[0, 1], title=LONG)
    figure.canvas.draw()
    parts = [part.get_tightbbox() for part in figure.axes if part not in set(axes.flat) and part.axison]
    assert len(parts) == 3
    for text in ax.texts:
        assert not any(overlaps(text.get_window_extent(), box) for box in parts), text.get_text()


def test_panels_need_a_grid():
    with pytest.raises(mmdu.DataError, match="grid"):
        panels(plt.figure().add_axes((0, 0, 1, 1)), 1, 2)


def test_source_and_abbreviations_are_written_once():
    from mmdu_analysis.plots._render import Drawing, figure
    from mmdu_analysis.registry import _figures

    def numbers(_):
        return pd.DataFrame({"name": ["C", "VP"], "value": [1.0, 2.0], "source": ["one table"] * 2})

    @figure(caption="Throwaway", numbers=numbers, notebook="01_dataset_statistics", facts="always")
    def throwaway_abbreviations(frame, ax):
        """Draw."""
        ax.bar(frame["name"], frame["value"])
        return Drawing("Two bars", note="n=2.")

    try:
        note = read_texts(throwaway_abbreviations(numbers(None)))["note"]
    finally:
        del _figures["throwaway_abbreviations"]
    assert note == "n=2. C Creativity, VP Visual Perception. Source: one table."
