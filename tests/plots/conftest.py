"""What the tests of plots share."""

from __future__ import annotations

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import pytest

import mmdu_analysis as mmdu


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def facts():
    return mmdu.Study()


@pytest.fixture(scope="session")
def sample_study(sample):
    """The sample's dialogues and answers, without scores."""
    return mmdu.Study(sample, answers=mmdu.sample_answers())
