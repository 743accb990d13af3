"""The audit: known disagreements, verdicts that can go either way, and the real data."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from mmdu_analysis import DataError, audit_paper, load_published
from mmdu_analysis.stats import audit
from mmdu_analysis.stats.audit import judge_claim, stated_number
from mmdu_analysis.stats.claims import Recomputed
from mmdu_analysis.stats.data_claims import measure_claims, measured_claims

KNOWN_TO_DIFFER = {
    "sum/questions": ("100 %", "90 %"),
    "maximum/turns/introduction": ("17", "27"),
    "45k/maximum/turns/conclusion": ("9", "27"),
    "share/turns/0-10": ("24.6 %", "24.55 %"),
    "derived/45k_questions": ("410k", "409k"),
}


@pytest.fixture(scope="module")
def frame():
    return audit_paper()


def test_the_known_disagreements_come_out(frame):
    for claim, (stated, recomputed) in KNOWN_TO_DIFFER.items():
        assert frame.loc[claim, ["stated", "recomputed", "verdict"]].tolist() == [
            stated,
            recomputed,
            "differs",
        ]


def test_there_are_claims_enough_and_each_has_its_place(frame):
    assert len(frame) >= 40
    assert (frame["verdict"] != "needs data").sum() >= 100
    assert list(frame.columns[:6]) == ["claim", "where", "stated", "recomputed", "difference", "verdict"]
    assert frame["where"].str.contains(r"Table|Figure|[Ss]ection|Abstract|[Aa]ppendi").all()
    assert set(frame["verdict"]) == {"holds", "differs", "needs data"}
    assert (frame.loc[frame["verdict"] == "needs data", "recomputed"] == "").all()
    assert (frame.loc[frame["verdict"] == "needs data", "note"] != "").all()


def test_every_delta_of_the_tables_is_that_of_its_rows(frame):
    deltas = frame.loc[frame.index.str.startswith("delta/")]
    assert len(deltas) == 2 * 7 + 2 * 10 + 6 + 4
    assert (deltas["verdict"] == "holds").all()
    for claim, row in deltas.iterrows():
        name, model, metric = claim.split("/")[1:4]
        table = load_published(name).set_index("model")
        base = table.loc[model, "base_model"]
        expected = table.loc[model, metric] - table.loc[base, metric]
        assert float(row["stated"]) == pytest.approx(expected, abs=0.051)


def test_a_changed_table_changes_the_verdict(monkeypatch):
    original = load_published

    def changed(name):
        table = original(name)
        if name == "main_results":
            table.loc[table["model"] == "Monkey", "Avg"] = 99.0
        if name == "finetuning":
            table.loc[table["model"] == "LLaVa1.5", "MMB"] += 5
        return table

    monkeypatch.setattr(audit, "load_published", changed)
    frame = audit_paper()
    for claim in ("best/open", "best/closed", "words/open_lag", "average/finetuning/LLaVa1.5"):
        assert frame.loc[claim, "verdict"] == ("holds" if claim == "best/closed" else "differs")
    assert frame.loc["delta/finetuning/LLaVa1.5+MMDU-45k/MMB", "verdict"] == "differs"


def test_avg_is_not_the_mean_of_the_six(frame):
    assert frame.loc["words/averaged", "verdict"] == "differs"
    table = load_published("main_results")
    excess = table[["C", "R", "VP", "LC", "AA", "IRU"]].mean(axis=1) - table["Avg"]
    assert f"{excess.min():.1f} to {excess.max():.1f}" in frame.loc["words/averaged", "note"]


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("+6.5", 6.5, 0.1),
        ("8.2k", 8200, 100),
        ("47.3 %", 47.3, 0.1),
        (">= 5", 5, 1),
        ("-0.1", -0.1, 0.1),
        ("410k", 410_000, 1000),
    ],
)
def test_printed_numbers(text, number, unit):
    assert stated_number(text) == pytest.approx((number, unit))


def test_rounding_decides_the_verdict():
    assert judge_claim("24.5 %", Recomputed(24.545)) == ("holds", pytest.approx(0.045))
    assert judge_claim("24.6 %", Recomputed(24.545))[0] == "differs"
    assert judge_claim("8.2k", Recomputed(8_249.0))[0] == "holds"
    assert judge_claim("8.2k", Recomputed(8_251.0))[0] == "differs"
    assert stated_number("especially") is None


def test_the_shipped_measurements_are_those_of_the_real_data(real):
    measured = measure_claims(real)
    shipped = measured_claims()
    assert measured.keys() == shipped.keys()
    for claim, outcome in measured.items():
        assert shipped[claim].note == outcome.note
        assert shipped[claim].value == (
            None if outcome.value is None else pytest.approx(outcome.value, abs=1e-5)
        )
    pd.testing.assert_frame_equal(audit_paper(real), audit_paper(), check_flags=False, atol=1e-5)


def test_the_real_data_has_its_images_the_other_way_round(frame):
    assert frame.loc["data/share/images/2", "recomputed"] == "46.36 %"
    assert "are swapped" in frame.loc["data/share/images/2", "note"]
    assert frame.loc["data/questions/single", "verdict"] == "differs"
    assert frame.loc["data/qa_pairs", "verdict"] == "needs data"
    assert frame.loc["data/images/count", "note"] == "419 different files"


def test_a_whole_benchmark_leaves_nothing_of_the_data_open(sample):
    frame = audit_paper(sample)
    data = frame.loc[frame.index.str.startswith("data/")]
    assert not (data["verdict"] == "needs data").any()
    assert frame.loc["data/turns/maximum", "verdict"] == "holds"
    assert frame.loc["data/tokens/average", "verdict"] == "holds"
    assert data["synthetic"].all()
    assert not frame["synthetic"].all()


def test_claims_are_told_in_our_own_words():
    claims = load_published("claims")
    assert claims["claim_id"].is_unique
    assert claims["claim"].str.len().max() < 120
    assert not claims["claim"].str.contains(re.compile("wrong|error|mistake|false", re.IGNORECASE)).any()


def test_each_table_is_read_once_and_each_claim_has_one_function():
    from mmdu_analysis.stats.claims import Tables, recompute

    read = []

    def load(name):
        read.append(name)
        return load_published(name)

    tables = Tables(load)
    for claim_id, beside in load_published("claims")[["claim_id", "beside"]].itertuples(index=False):
        if claim_id.split("/")[0] not in ("data", "open") and not isinstance(beside, str):
            assert recompute(claim_id, tables).value is not None
    assert len(read) == len(set(read))
    with pytest.raises(DataError, match="no recomputation"):
        recompute("mood/of/the/day", tables)
