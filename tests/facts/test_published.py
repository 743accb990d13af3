"""The shipped tables equal their sources."""

from __future__ import annotations

import pandas as pd
import pytest

from mmdu_analysis import DataError, load_published, published_tables
from mmdu_analysis.schema import DIMENSIONS

FILES = {
    "statistics": "table1_statistics",
    "distributions": "figure4_distributions",
    "main_results": "table2_main_results",
    "finetuning": "table3_finetuning",
    "multi_image": "table4_multi_image",
    "ablation": "table5_ablation",
    "judges": "table6_judges",
    "human_agreement": "human_agreement",
    "benchmarks": "figure1_benchmarks",
    "cluster_accuracy": "cluster_accuracy",
    "later_results": "later_results",
}


@pytest.mark.parametrize("name", FILES)
def test_every_published_number(shared, name):
    source = pd.read_csv(shared / "paper" / f"{FILES[name]}.csv")
    pd.testing.assert_frame_equal(load_published(name), source, check_dtype=False)


def test_every_table_loads_with_its_source():
    index = published_tables()
    assert set(FILES) <= set(index.index)
    for name, row in index.iterrows():
        table = load_published(name)
        assert len(table) > 0
        assert row["source"]
    with pytest.raises(DataError, match="no published table"):
        load_published("none")


def test_avg_is_not_the_mean_of_the_six():
    table = load_published("main_results")
    difference = table[list(DIMENSIONS)[:-1]].mean(axis=1) - table["Avg"]
    assert len(table) == 17
    assert difference.min().round(1) == 0.1
    assert difference.max().round(1) == 2.3


def test_measured_tables_have_no_texts():
    longest = max(
        load_published(name)
        .drop(columns="note", errors="ignore")  # the audit's own words, no text of the data
        .select_dtypes("str")
        .apply(lambda column: column.str.len().max())
        .max()
        for name in published_tables().query("kind == 'measured'").index
    )
    assert longest < 40


def test_measured_tables_can_be_made_again(shared, tmp_path):
    import runpy

    from builders import ROOT

    script = runpy.run_path(str(ROOT / "scripts" / "measure_real_data.py"))
    script["main"](shared / "data", tmp_path)
    for path in tmp_path.glob("*.csv"):
        assert path.read_bytes() == (ROOT / "mmdu_analysis" / "facts" / path.name).read_bytes(), path.name
