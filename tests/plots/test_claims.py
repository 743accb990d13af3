"""The audit: marks are relative differences, labels count the claims that hold."""

from __future__ import annotations

import pandas as pd
import pytest

import mmdu_analysis as mmdu
from mmdu_analysis.plots._texts import read_texts


def test_marks_are_the_differences_in_percent(facts):
    frame = facts.numbers("audit").set_index("claim_id")
    assert frame.loc["maximum/turns/introduction", "difference_percent"] == pytest.approx(100 * 10 / 17)
    assert frame.loc["arcs/questions", "difference_percent"] == pytest.approx(100 * (73.0 - 62.9) / 62.9)
    assert frame.loc["derived/45k_questions", "difference_percent"] == pytest.approx(-100 * 1 / 410)
    assert pd.isna(frame.loc["45k/kind_of_tokens", "difference_percent"])
    ax = mmdu.plots.audit(frame)
    drawn = {line.get_label(): sorted(line.get_xdata()) for line in ax.lines[1:]}
    for verdict in ("holds", "differs"):
        rows = frame.loc[frame["verdict"] == verdict, "difference_percent"].dropna()
        assert drawn[verdict] == pytest.approx(sorted(rows))


def test_labels_count_the_claims_that_hold(facts):
    frame = facts.numbers("audit")
    ax = mmdu.plots.audit(frame, width=7)
    checked = frame.loc[frame["verdict"] != "needs data"]
    for label in ax.get_yticklabels():
        kind, _, counts = label.get_text().rpartition(" (")
        holds = (checked.loc[checked["kind"] == kind, "verdict"] == "holds").sum()
        assert counts == f"{holds}/{(checked['kind'] == kind).sum()})"
    assert "other" not in set(frame["kind"])
    assert read_texts(ax)["title"].startswith(f"Of {len(frame)} claims of the paper")
