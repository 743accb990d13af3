"""The palette: apart for every reader, the same model in the same colour everywhere, nothing global."""

from __future__ import annotations

import itertools

import matplotlib as mpl
import numpy as np
import pytest
from colorspacious import cspace_convert, deltaE

import mmdu_analysis as mmdu
from mmdu_analysis.plots import _style as style


def distances(colors, deficiency=None):
    values = np.array([mpl.colors.to_rgb(color) for color in colors])
    if deficiency:
        space = {"name": "sRGB1+CVD", "cvd_type": deficiency, "severity": 100}
        values = np.clip(cspace_convert(values, space, "sRGB1"), 0, 1)
    return [deltaE(a, b, input_space="sRGB1") for a, b in itertools.combinations(values, 2)]


@pytest.mark.parametrize("deficiency", [None, "deuteranomaly", "protanomaly", "tritanomaly"])
@pytest.mark.parametrize("colors", [style.ACCESS_COLORS.values(), style.MODEL_COLORS[:4]])
def test_colours_are_apart_for_every_reader(colors, deficiency):
    assert min(distances(colors, deficiency)) > 15  # of 100; a just noticeable difference is about 1


def test_models_differ_in_grey_or_in_marker_and_dash():
    lightness = [cspace_convert(mpl.colors.to_rgb(c), "sRGB1", "CIELab")[0] for c in style.MODEL_COLORS[:4]]
    assert min(abs(a - b) for a, b in itertools.combinations(lightness, 2)) > 12
    styles = style.model_styles(["a", "b", "c", "d"]).values()
    assert len({(s["marker"], s["ls"]) for s in styles}) == 4


def test_no_model_or_judge_has_the_colour_of_an_access():
    access = [mpl.colors.to_rgb(color) for color in style.ACCESS_COLORS.values()]
    for color in (*style.MODEL_COLORS, *style.JUDGE_COLORS):
        assert min(deltaE(mpl.colors.to_rgb(color), other, input_space="sRGB1") for other in access) > 12, (
            color
        )


def test_a_measured_model_keeps_its_colour_whatever_else_is_drawn():
    alone = style.model_styles(["BLIP-2"])["BLIP-2"]["color"]
    assert style.model_styles(["AAA", "BLIP-2", "LLaVa1.6-vicuna-7B", "Z"])["BLIP-2"]["color"] == alone


def test_a_context_ends_with_its_block():
    before = dict(mpl.rcParams)
    with style.style_context("slides"):
        assert mpl.rcParams["font.size"] == 16
    with style.style_context("paper", 9):
        assert mpl.rcParams["axes.labelsize"] == 9
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", ["turn_curves", "own_model"])
def test_a_dollar_in_the_name_of_a_model_is_drawn_as_it_is(name):
    from matplotlib.text import Text

    study = mmdu.Study.sample()
    model = r"$\frac{1$ model"
    scores = study.scores.assign(model=study.scores["model"].replace({"open-A": model}))
    own = mmdu.Study(study.benchmark, scores=scores, access={model: "open"})
    drawn = own.plot(name).figure
    drawn.canvas.draw()
    assert any(model in text.get_text() for text in drawn.findobj(Text))


@pytest.mark.parametrize("name", ["context_growth", "image_tokens"])
def test_logarithmic_axes_have_numbers_for_powers(name):
    ax = mmdu.Study().plot(name)
    ax.figure.canvas.draw()
    axis = ax.yaxis if name == "context_growth" else ax.xaxis
    texts = [label.get_text() for label in axis.get_ticklabels()]
    assert "1,000" in texts
    assert not any("$" in text for text in texts)


def test_thousands_are_written_as_in_texts():
    ax = mmdu.Study().plot("tokens_by_estimator", context="paper")
    ax.figure.canvas.draw()
    assert "10,000" in [label.get_text() for label in ax.get_xticklabels()]


def test_legends_of_access_have_one_order():
    figure = mmdu.Study().plot("dimension_profiles", context="paper").figure
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == list(style.ACCESS_LABELS.values())
