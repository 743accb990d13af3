"""Figures of people and planning show the numbers of their frames."""

from __future__ import annotations

import pytest

from mmdu_analysis import NotAvailable, Study, plots


@pytest.fixture(scope="module")
def rated():
    return Study.sample()


def test_the_power_curve_shows_the_plan():
    frame = Study().numbers("power_curve")
    ax = plots.power_curve(frame)
    lines = {line.get_label(): line for line in ax.get_lines()}
    detected = lines["detected with 80% power"]
    assert detected.get_xdata().tolist() == frame["n_dialogs"].tolist()
    assert detected.get_ydata() == pytest.approx(frame["detectable"].to_numpy())
    assert lines["margin for showing equivalence"].get_ydata() == pytest.approx(
        frame["equivalence"].to_numpy()
    )


def test_calibrated_means_show_three_intervals_a_model(rated):
    frame = rated.numbers("calibration")
    ax = plots.calibration(frame)
    assert [label.get_text() for label in ax.get_yticklabels()] == frame["model"].tolist()
    shown = {c.get_label(): c.lines[0].get_xdata() for c in ax.containers}
    assert shown["judge alone, all dialogues"] == pytest.approx(frame["judge_mean"].to_numpy())
    assert shown["people alone, rated dialogues"] == pytest.approx(frame["people_mean"].to_numpy())
    assert shown["judge corrected by people"] == pytest.approx(frame["mean"].to_numpy())


def test_agreement_shows_alpha_by_dimension(rated):
    frame = rated.numbers("rating_agreement")
    ax = plots.rating_agreement(frame)
    assert set(frame["group"]) == {"between raters", "raters and judge"}
    for container in ax.containers:
        part = frame.loc[frame["group"] == container.get_label()]
        assert container.lines[0].get_xdata() == pytest.approx(part["alpha"].to_numpy())


def test_without_ratings_they_say_so():
    for name in ("calibration", "rating_agreement"):
        with pytest.raises(NotAvailable, match="ratings"):
            Study.sample().with_(ratings=None).numbers(name)
