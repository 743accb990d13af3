"""The palette: apart for every reader, the same model in the same colour everywhere, nothing global."""

from __future__ import annotations

import itertools

import matplotlib as mpl
import numpy as np
import pytest
from colorspacious import cspace_convert, deltaE

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


def test_levels_of_intervals_come_from_the_column():
    import pandas as pd

    assert style.interval_words(pd.DataFrame({"ci": [0.9, 0.9]})).startswith("90 % intervals")
    assert style.interval_words(pd.DataFrame({"x": [1]})) == ""
