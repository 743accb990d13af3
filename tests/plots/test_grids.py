"""Plots in small Axes of a user's own grid: no Axes collapse, and no text reaches into another plot."""

from __future__ import annotations

import itertools
import re
import warnings

import matplotlib.pyplot as plt
import pytest
from matplotlib.text import Text
from plot_tools import hidden_ticks, layout_faults, numbers_or_none, overlaps

import mmdu_analysis as mmdu
from mmdu_analysis.plots._texts import read_texts
from mmdu_analysis.registry import all_figures

GRIDS = {"2x2": ((2, 2), (7, 5)), "1x3": ((1, 3), (7, 2.6)), "2x1": ((2, 1), (3.3, 5))}
LARGE = {
    "benchmark_comparison",
    "dimension_profiles",
    "distributions",
    "finetuning_benchmarks",
    "memory_by_kind",
    "own_model",
}
"""Figures of many rows or panels, which need larger Axes, as the guide says."""
REFUSED = {"2x2": LARGE, "1x3": LARGE | {"judge_slopes"}, "2x1": LARGE - {"memory_by_kind"}}
"""Figures that each grid is too small for."""
NAMES = [
    name
    for name in all_figures()
    if name not in LARGE and name != "figure4_donuts"  # its rings lose their room to larger plots beside it
]
GROUPS = [NAMES[start : start + 4] for start in range(0, len(NAMES), 4)]
FEW = {"own_model", "gap_over_time", "turns"}
"""Those that the fast tests draw."""
NO_ROOM = r"(has no room in Axes of .* inches with their labels, it needs about [\d.]+ x [\d.]+: enlarge)|leaves no room"


def frame_of(name):
    found = numbers_or_none(mmdu.Study(), name)
    return found if found is not None else numbers_or_none(mmdu.Study.sample(), name)


def drawn(names, shape, size):
    """Draw figures in a grid; return the grid, and for each figure its Axes with panels."""
    figure, axes = plt.subplots(*shape, figsize=size, layout="constrained")
    owned = []
    for name, ax in zip(names, axes.flat, strict=False):
        before = set(figure.axes)
        all_figures()[name].draw(frame_of(name), ax=ax)
        owned.append([ax, *(part for part in figure.axes if part not in before)])
    return figure, owned


def boxes_of(parts, hidden):
    texts = [text for part in parts for text in part.findobj(Text)]
    shown = [
        text for text in texts if text.get_visible() and text.get_text().strip() and id(text) not in hidden
    ]
    return [(text.get_text(), text.get_window_extent()) for text in shown]


def faults_between(figure, owned):
    """Texts of a plot on another one or out of the figure, and Axes without any area."""
    figure.canvas.draw()
    hidden = hidden_ticks(figure)
    found = [
        f"no area: {part}"
        for parts in owned
        for part in parts
        if part.axison and min(part.bbox.width, part.bbox.height) < 3
    ]
    for parts, others in itertools.permutations(owned, 2):
        theirs = [part.bbox for part in others if part.axison] + [box for _, box in boxes_of(others, hidden)]
        for text, box in boxes_of(parts, hidden):
            found += [text for other in theirs if overlaps(box, other, 2)]
    for text, box in (pair for parts in owned for pair in boxes_of(parts, hidden)):
        inside = box.x0 > -2 and box.y0 > -2 and box.x1 < figure.bbox.x1 + 2 and box.y1 < figure.bbox.y1 + 2
        found += [] if inside else [f"cut: {text}"]
    return found


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(names, marks=pytest.mark.slow if rank % 5 else (), id=names[0])
        for rank, names in enumerate(GROUPS)
    ],
)
def test_four_figures_share_a_grid_of_7_by_5_inches(names):
    figure, axes = plt.subplots(2, 2, figsize=(7, 5), layout="constrained")
    owned, refused = [], []
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="constrained_layout not applied")
        for name, ax in zip(names, axes.flat, strict=False):
            before = set(figure.axes)
            try:
                all_figures()[name].draw(frame_of(name), ax=ax)
            except mmdu.DataError as error:  # the others are drawn
                refused.append(str(error))
            owned.append([ax, *(part for part in figure.axes if part not in before)])
        assert faults_between(figure, owned) == []
    assert len(refused) <= 1
    assert all(re.search(NO_ROOM, text) for text in refused)


def test_the_example_of_the_guide_is_clean():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="constrained_layout not applied")
        figure, owned = drawn(["main_results", "gap_by_dimension"], (1, 2), (7, 3))
        assert layout_faults(figure) == []
    assert set(read_texts(owned[0][0])) == {"title"}


def test_the_note_is_written_where_it_is_asked_for_and_the_subtitle_where_it_has_room():
    frame = frame_of("turns")
    _, low = plt.subplots(figsize=(3.5, 2.5), layout="constrained")
    mmdu.plots.turns(frame, ax=low, note=True)
    assert set(read_texts(low)) == {"title", "subtitle", "note"}
    _, high = plt.subplots(figsize=(6, 6), layout="constrained")
    mmdu.plots.turns(frame, ax=high)
    assert set(read_texts(high)) == {"title", "subtitle"}


def test_texts_follow_the_size_of_the_axes_unless_a_size_is_asked_for():
    frame = frame_of("turns")
    sizes = []
    for size, options in (((3.5, 2.5), {}), ((2, 1.5), {}), ((9, 7), {}), ((3.5, 2.5), {"font_size": 9})):
        _, ax = plt.subplots(figsize=size, layout="constrained")
        mmdu.plots.turns(frame, ax=ax, **options)
        sizes.append(ax.xaxis.label.get_size())
    assert sizes == pytest.approx([7, 6, 10, 9])


def test_dense_rows_become_smaller_instead_of_covering_each_other():
    _, ax = plt.subplots(figsize=(3.5, 2.5), layout="constrained")
    mmdu.plots.main_results(frame_of("main_results"), ax=ax)
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert len(boxes) == 17
    assert not any(overlaps(one, other) for one, other in itertools.pairwise(boxes))
    assert ax.get_yticklabels()[0].get_fontsize() >= 4.5


@pytest.mark.parametrize(
    ("grid", "name"),
    [
        pytest.param(grid, name, marks=() if name in FEW else pytest.mark.slow)
        for grid in GRIDS
        for name in all_figures()
    ],
)
def test_a_grid_of_one_figure_is_clean_or_refused_in_one_line(grid, name):
    shape, size = GRIDS[grid]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="constrained_layout not applied")
        if name in REFUSED[grid]:
            with pytest.raises(mmdu.DataError, match=NO_ROOM) as refused:
                drawn([name] * (shape[0] * shape[1]), shape, size)
            assert "\n" not in str(refused.value)
            return
        figure, owned = drawn([name] * (shape[0] * shape[1]), shape, size)
        assert faults_between(figure, owned) == []
        assert layout_faults(figure, slack=1.5 * figure.dpi / 72) == []


@pytest.mark.parametrize("name", ["own_model", "distributions", "finetuning_benchmarks"])
def test_the_size_that_a_refusal_states_is_enough_and_the_axes_are_left_empty(name):
    figure, axes = plt.subplots(1, 2, figsize=(4.6, 1.6), layout="constrained")
    with pytest.raises(mmdu.DataError) as refused:
        all_figures()[name].draw(frame_of(name), ax=axes[0])
    assert figure.axes == list(axes)
    assert not [*axes[0].lines, *axes[0].texts, *axes[0].patches, *axes[0].collections]
    width, height = map(float, re.search(r"about ([\d.]+) x ([\d.]+)", str(refused.value)).groups())
    figure, owned = drawn([name] * 2, (1, 2), (2 * width, height))
    assert faults_between(figure, owned) == []


def test_a_plot_that_squeezes_an_earlier_one_is_refused():
    figure, axes = plt.subplots(2, 1, figsize=(3.5, 9), layout="constrained")
    mmdu.plots.own_model(frame_of("own_model"), ax=axes[0])
    figure.set_size_inches(3.5, 4.4)
    with pytest.raises(
        mmdu.DataError, match=r"turns leaves no room for other plots of this figure of 3\.5 x 4\.4"
    ):
        mmdu.plots.turns(frame_of("turns"), ax=axes[1])
    plt.close(figure)


def test_long_rankings_show_fewer_words_in_low_axes():
    frame = frame_of("distinctive_words")
    _, ax = plt.subplots(figsize=(3.5, 2.5), layout="constrained")
    mmdu.plots.distinctive_words(frame, ax=ax)
    shown = [label.get_text() for label in ax.get_yticklabels()]
    half = len(shown) // 2
    assert shown == [*frame["word"].head(half), *frame["word"].tail(half)]
    assert 6 <= len(shown) < len(frame) == 24
    assert len(mmdu.plots.distinctive_words(frame).get_yticklabels()) == 24


@pytest.mark.parametrize("name", ["turns", "main_results", "distributions"])
def test_a_figure_for_slides_has_the_shape_of_a_slide(name):
    figure = all_figures()[name].draw(frame_of(name), context="slides").figure
    width, height = figure.get_size_inches()
    assert width / height == pytest.approx(16 / 9, rel=0.01)
    assert width >= 13.33
    assert layout_faults(figure) == []
