"""What holds for every registered figure: redrawn from its CSV, fits every width, needs no attrs."""

from __future__ import annotations

import warnings

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import pytest
from plot_tools import artists_of, layout_faults, numbers_or_none, same_artists, through_csv

import mmdu_analysis as mmdu
from mmdu_analysis.registry import all_figures

NAMES = list(all_figures())
SIZES = {
    "2.5": {"context": "paper", "width": 2.5},
    "3.3": {"context": "paper", "width": 3.3},
    "7": {"context": "paper", "width": 7.0},
    "slides": {"context": "slides"},
}


@pytest.fixture(scope="module")
def studies():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {"facts": mmdu.Study(), "sample": mmdu.Study.sample()}


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def draw(studies, origin, name, **options):
    frame = numbers_or_none(studies[origin], name)
    if frame is None:
        pytest.skip(f"{origin} can't support {name}")
    return frame, all_figures()[name].draw(frame, **options)


@pytest.mark.parametrize("origin", ["facts", "sample"])
@pytest.mark.parametrize("name", NAMES)
def test_the_csv_alone_draws_the_same_artists(studies, name, origin):
    frame, ax = draw(studies, origin, name, context="paper")
    again = all_figures()[name].draw(through_csv(frame), context="paper")
    assert same_artists(artists_of(ax.figure), artists_of(again.figure)) is None


@pytest.mark.parametrize("name", NAMES)
def test_attrs_change_nothing(studies, name):
    origin = "facts" if numbers_or_none(studies["facts"], name) is not None else "sample"
    frame, ax = draw(studies, origin, name, context="paper")
    bare = frame.copy()
    bare.attrs = {"ci": 0.5, "source": "elsewhere", "synthetic": True, "name": "x", "n": 1}
    assert (
        same_artists(
            artists_of(ax.figure), artists_of(all_figures()[name].draw(bare, context="paper").figure)
        )
        is None
    )


@pytest.mark.parametrize("origin", ["facts", "sample"])
@pytest.mark.parametrize(
    "size", ["3.3", *(pytest.param(size, marks=pytest.mark.slow) for size in SIZES if size != "3.3")]
)
@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_covered_or_cut(studies, name, size, origin):
    _, ax = draw(studies, origin, name, **SIZES[size])
    assert layout_faults(ax.figure) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_sample_is_marked_and_called_a_demonstration(studies, name):
    frame, ax = draw(studies, "sample", name, context="paper")
    texts = {text.get_gid(): text.get_text() for text in ax.figure.texts}
    if "synthetic" in frame and frame["synthetic"].any():
        assert texts["mark"] == "synthetic sample"
        assert texts["title"].startswith("Demonstration: ")
    else:
        assert "mark" not in texts


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_composes_into_a_users_grid(studies, name):
    origin = "facts" if numbers_or_none(studies["facts"], name) is not None else "sample"
    if numbers_or_none(studies[origin], name) is None:
        pytest.skip(f"neither facts nor sample support {name}")
    before = dict(mpl.rcParams)
    figure, axes = plt.subplots(1, 2, figsize=(16, 8), layout="constrained")
    assert studies[origin].plot(name, ax=axes[1]) is axes[1]
    assert dict(mpl.rcParams) == before
    assert figure.axes[0] is axes[0]
    assert not axes[0].has_data()


def test_names_of_modules_and_figures_differ():
    modules = {figure.module.rsplit(".", 1)[-1] for figure in all_figures().values()}
    assert modules.isdisjoint(NAMES)


def test_every_figure_is_in_a_notebook_of_the_project():
    from builders import ROOT

    stems = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {figure.notebook for figure in all_figures().values()} <= stems


def test_captions_are_one_line_without_a_full_stop():
    for figure in all_figures().values():
        assert figure.caption
        assert "\n" not in figure.caption
        assert not figure.caption.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_describes_every_parameter(name):
    import inspect

    function = all_figures()[name].draw
    documented = " ".join(line for line in function.__doc__.splitlines() if " : " in line)
    for parameter in inspect.signature(function).parameters:
        assert parameter in documented, parameter
    assert function.__doc__.count("\nParameters\n") == 1


def test_examples_of_plots_run():
    import doctest

    for name in ("turns", "benchmark_comparison"):
        found = doctest.DocTestFinder().find(all_figures()[name].draw, name, globs={}, module=False)
        results = [doctest.DocTestRunner().run(test) for test in found if test.examples]
        assert [(result.failed, result.attempted) for result in results] == [(0, 3)]
