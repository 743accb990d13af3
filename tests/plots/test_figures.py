"""Every figure: no label on another, none cut off, colours apart, the same bytes twice."""

from __future__ import annotations

import itertools

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
from colorspacious import cspace_convert, deltaE

from mmdu_analysis import DataError
from mmdu_analysis.figures import style
from mmdu_analysis.figures.inputs import Inputs
from mmdu_analysis.figures.registry import SPECS, find_specs, render, write

NAMES = [spec.name for spec in SPECS]


def texts_of(figure):
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    found = []
    for text in figure.findobj(mpl.text.Text):
        if text.get_visible() and text.get_text().strip():
            box = text.get_window_extent(renderer)
            if box.width and box.height:
                found.append((text.get_text(), box))
    return found


def overlaps(one, other, slack=0.5):
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > slack and height > slack


def hidden_ticks(figure):
    """Labels of ticks outside of the view: they have a box but aren't drawn."""
    hidden = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low - 1e-9 <= tick.get_loc() <= high + 1e-9 or not ax.axison:
                    hidden |= {id(tick.label1), id(tick.label2)}
    return hidden


@pytest.fixture(scope="module", params=["facts", "sample"])
def inputs(request, sample):
    return Inputs(None if request.param == "facts" else sample)


@pytest.mark.parametrize("name", NAMES)
def test_no_text_overlaps_or_is_cut(name, inputs):
    (spec,) = find_specs([name])
    check_texts(spec, inputs)


@pytest.mark.parametrize("name", [spec.name for spec in SPECS if spec.uses_scores])
def test_no_text_overlaps_with_own_scores(name, sample):
    from mmdu_analysis import sample_answers, sample_scores

    inputs = Inputs(sample, sample_scores(), sample_answers(), {"open-A": "open"})
    check_texts(find_specs([name])[0], inputs)


def check_texts(spec, inputs):
    with style.house_style():
        _, figure = render(spec, inputs)
        figure.canvas.draw()
        hidden = hidden_ticks(figure)
        renderer = figure.canvas.get_renderer()
        boxes = [
            (text.get_text(), text.get_window_extent(renderer))
            for text in figure.findobj(mpl.text.Text)
            if text.get_visible() and text.get_text().strip() and id(text) not in hidden
        ]
    canvas = figure.bbox
    cut = [t for t, b in boxes if b.x0 < -1 or b.y0 < -1 or b.x1 > canvas.x1 + 1 or b.y1 > canvas.y1 + 1]
    pairs = [(a, b) for (a, one), (b, two) in itertools.combinations(boxes, 2) if overlaps(one, two)]
    plt.close(figure)
    assert cut == []
    assert pairs == []
    assert len(boxes) >= 4


def test_the_overlap_test_can_fail():
    figure = plt.figure()
    figure.text(0.5, 0.5, "one")
    figure.text(0.5, 0.5, "two")
    (_, one), (_, two) = texts_of(figure)
    plt.close(figure)
    assert overlaps(one, two)


@pytest.mark.parametrize("name", [spec.name for spec in SPECS if spec.uses_data or spec.uses_scores])
def test_the_sample_is_marked(name, sample):
    from mmdu_analysis import sample_scores

    (spec,) = find_specs([name])
    _, figure = render(spec, Inputs(sample, sample_scores()))
    said = [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_gid() == "synthetic"]
    plt.close(figure)
    assert said == ["synthetic sample"]


@pytest.mark.parametrize("deficiency", [None, "deuteranomaly", "protanomaly", "tritanomaly"])
def test_colours_are_apart_for_every_reader(deficiency):
    colors = np.array([mpl.colors.to_rgb(color) for color in style.ACCESS_COLORS.values()])
    if deficiency:
        space = {"name": "sRGB1+CVD", "cvd_type": deficiency, "severity": 100}
        colors = np.clip(cspace_convert(colors, space, "sRGB1"), 0, 1)
    distances = [deltaE(a, b, input_space="sRGB1") for a, b in itertools.combinations(colors, 2)]
    assert min(distances) > 18  # of 100; a just noticeable difference is about 1
    assert len(set(style.ACCESS_MARKERS.values())) == 3


def test_the_same_input_gives_the_same_bytes(tmp_path):
    for name in ("main_results", "wordcloud_questions"):
        (spec,) = find_specs([name])
        first = [path.read_bytes() for path in write(spec, Inputs(), tmp_path / "a")]
        second = [path.read_bytes() for path in write(spec, Inputs(), tmp_path / "b")]
        assert first == second
        assert len(first[1]) < 2_000_000
        assert b"/Type3" not in first[1]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(
        f"{name}{suffix}"
        for name in ("main_results", "wordcloud_questions")
        for suffix in (".csv", ".pdf", ".png")
    )


def test_a_figure_draws_on_the_axes_it_is_given():
    from mmdu_analysis import load_published
    from mmdu_analysis.figures.main_results import main_results

    figure, ax = plt.subplots()
    before = dict(mpl.rcParams)
    assert main_results(load_published("main_results"), ax=ax) is ax
    assert dict(mpl.rcParams) == before
    plt.close(figure)


def test_a_script_without_a_font_is_told():
    from mmdu_analysis.figures.words import font_for

    assert font_for("bird").name == "DejaVuSans.ttf"
    with pytest.raises(DataError, match="no font"):
        font_for("\U0001f7ff\U000e0041")
