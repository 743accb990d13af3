"""The ranked models, and own models among the published ones."""

from __future__ import annotations

import pytest
from plot_tools import marked_points, row_labels, texts_beside

import mmdu_analysis as mmdu
from mmdu_analysis.plots._texts import read_texts


@pytest.fixture(scope="module")
def one_model():
    scores = mmdu.sample_scores().query("model == 'open-A'")
    return scores.assign(model="MyModel", synthetic=False)


def test_each_model_has_its_score_in_its_row():
    table = mmdu.load_published("main_results").set_index("model")
    ax = mmdu.Study().plot("main_results", context="paper")
    labels = row_labels(ax)
    drawn = {labels[y].split(" (")[0]: x for x, y in marked_points(ax)}
    assert drawn == table["Avg"].to_dict()
    assert [drawn[label.split(" (")[0]] for label in labels.values()] == sorted(drawn.values(), reverse=True)
    assert labels[0] == "GPT-4o"
    assert "InternVL-Chat-V1.5 (26)" in labels.values()
    assert texts_beside(ax) == {row: f"{drawn[name.split(' (')[0]]:.1f}" for row, name in labels.items()}


def test_arrows_lead_from_the_base_to_the_fine_tuned_model():
    ax = mmdu.Study().plot("main_results", context="paper")
    arrows = {(text.xyann[0], text.xy[0]) for text in ax.texts if text.arrow_patch is not None}
    assert arrows == {(32.2, 37.2), (35.6, 50.1)}


def test_swapped_scores_are_seen():
    frame = mmdu.Study().numbers("main_results")
    swapped = frame.copy()
    swapped.loc[[0, 1], "mean"] = frame.loc[[1, 0], "mean"].to_numpy()
    drawn = marked_points(mmdu.plots.main_results(frame))
    assert sorted(drawn) != sorted(marked_points(mmdu.plots.main_results(swapped)))


def test_the_title_names_ranges_and_no_order():
    title = read_texts(mmdu.Study().plot("main_results", context="paper"))["title"]
    assert title == (
        "Overall Score: closed models 46.9 to 70.2, open ones 14.1 to 42.8, fine-tuned ones 37.2 to 50.1"
    )


def test_an_own_model_stands_between_its_neighbours(one_model):
    study = mmdu.Study(scores=one_model, access={"MyModel": "open"})
    frame = study.numbers("own_model")
    row = frame.loc[frame["own"]].iloc[0]
    mean = mmdu.summarize_scores(one_model).query("dimension == 'Overall Score'")["mean"].item()
    published = mmdu.load_published("main_results").set_index("model")["Avg"]
    assert row["mean"] == pytest.approx(mean)
    assert published[row["above"]] == published[published > mean].min()
    assert published[row["below"]] == published[published <= mean].max()
    assert row["above_difference"] == pytest.approx(mean - published[row["above"]])
    assert row["below_difference"] == pytest.approx(mean - published[row["below"]])
    assert len(frame) == 18
    ax = mmdu.plots.own_model(frame)
    position = next(at for at, name in row_labels(ax).items() if name == "MyModel")
    assert (pytest.approx(mean), position) in marked_points(ax)
    texts = read_texts(ax)
    assert "comparable only with the same judge, prompt and turns" in texts["note"]
    assert row["above"] in texts["subtitle"]


def test_own_models_are_marked_in_the_ranking(one_model):
    study = mmdu.Study(scores=one_model, access={"MyModel": "open"})
    ax = study.plot("main_results", context="paper")
    bold = [text.get_text() for text in ax.get_yticklabels() if text.get_fontweight() == "bold"]
    assert bold == ["MyModel"]


def test_another_rubric_never_meets_the_published_table(one_model):
    rubric = mmdu.Rubric("other", (mmdu.schema.Dimension("Quality", "Q"),), (0.0, 10.0))
    scores = one_model.query("dimension == 'Overall Score'").assign(dimension="Quality")
    study = mmdu.Study(scores=scores, rubric=rubric)
    assert study.numbers("main_results")["model"].tolist() == ["MyModel"]
    with pytest.raises(mmdu.NotAvailable, match="on another rubric"):
        study.numbers("own_model")
    assert study.numbers("score_and_size")["model"].nunique() == 17


def test_a_legend_of_the_access_is_drawn_only_where_an_access_is_known():
    sample = mmdu.Study.sample()
    unknown = mmdu.Study(scores=sample.scores)
    for name in ("main_results", "dimension_profiles"):
        legends = unknown.plot(name).figure.legends
        assert legends == []
        known = [text.get_text() for text in sample.plot(name).figure.legends[0].get_texts()]
        assert known == ["closed", "open"]
    subtitle = read_texts(unknown.plot("dimension_heatmap"))["subtitle"]
    assert subtitle == "Points on 0-100."
    assert read_texts(sample.plot("dimension_heatmap"))["subtitle"].endswith("c closed, o open.")


def test_an_own_model_without_access_is_called_own(one_model):
    legend = mmdu.Study(scores=one_model).plot("main_results").figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()][-1] == "own model"
    known = mmdu.Study(scores=one_model, access={"MyModel": "open"}).plot("main_results").figure.legends[0]
    assert "own model" not in [text.get_text() for text in known.get_texts()]


def test_a_judge_without_a_name_is_said_to_have_none(one_model):
    ax = mmdu.Study(scores=one_model.assign(judge="judge")).plot("main_results")
    assert "judged by a judge without a name; the published ones by GPT-4o" in read_texts(ax)["note"]
