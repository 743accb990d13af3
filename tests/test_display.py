"""What notebooks show: figures, tables and sentences, or the reason why there is none."""

from __future__ import annotations

import pandas as pd

from mmdu_analysis import Study
from mmdu_analysis.display import Missing, Shown, figure, table, text


def test_a_figure_or_its_reason():
    drawn = figure(Study(), "benchmark_comparison")
    assert drawn.axes
    missing = figure(Study(), "text_tokens")
    assert isinstance(missing, Missing)
    assert "needs a benchmark" in missing._repr_html_()


def test_tables_are_for_people():
    frame = pd.DataFrame({"model": ["<b>"], "mean": [float("nan")], "p_value": [1e-9], "synthetic": [True]})
    shown = table(frame, ["model", "mean", "p_value"])
    assert "&lt;b&gt;" in shown.html
    assert "nan" not in shown.html.lower()
    assert "&lt;0.001" in shown.html
    assert "synthetic sample" in shown.html
    assert isinstance(table(Study().ranking), Missing)


def test_sentences_take_numbers_and_escape_texts():
    shown = text("Model **{model}** has {mean:.1f}.", model="<i>a</i>*b*", mean=1.25)
    assert isinstance(shown, Shown)
    assert "<i>" not in shown.html
    assert "<strong>" in shown.html
    assert "1.2." in shown.html
