"""The report: hostile names and texts stay texts."""

from __future__ import annotations

import re

import pytest

import mmdu_analysis as mmdu

MODEL = "<img src=x onerror=alert(1)>&amp;\"'"
TEXT = "<script>window.hit=1</script> {{ 7 * 7 }}"


@pytest.fixture(scope="module")
def study():
    sample = mmdu.Study.sample()
    answers = sample.answers.assign(
        model=sample.answers["model"].astype(str).replace({"open-A": MODEL}), answer=TEXT
    )
    scores = sample.scores.assign(model=sample.scores["model"].astype(str).replace({"open-A": MODEL}))
    return mmdu.Study(sample.benchmark, answers=answers, scores=scores, access={MODEL: "open"})


@pytest.mark.filterwarnings("ignore::mmdu_analysis.schema.DataWarning")
def test_names_and_texts_are_no_markup(study, tmp_path):
    mmdu.write_report(study, tmp_path / "r.html", sections=["scores", "worst"])
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert "<script>window" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;amp;" in page
    assert "&lt;script&gt;window.hit=1&lt;/script&gt; {{ 7 * 7 }}" in page


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("r.md", r"\<img src=x onerror=alert(1)>\&amp;"),
        ("r.tex", r"\textless{}img src=x onerror=alert(1)\textgreater{}\&amp;"),
    ],
)
def test_tables_for_a_paper_are_escaped(study, tmp_path, name, shown):
    mmdu.write_report(study, tmp_path / name, sections=["scores"])
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert text.count(shown) >= 2  # in the title and in the table
    assert re.search(r"(?<!\\)<img", text) is None


def test_the_reason_why_own_models_stand_alone_is_theirs(study, tmp_path):
    labels = study.scores.loc[study.scores["dimension"] == "Creativity"].assign(synthetic=False)
    rubric = mmdu.Rubric("own", study.rubric.dimensions, study.rubric.scale, study.rubric.overall)
    cases = {
        "simulated models are not ranked among published ones": study,
        "without an overall score of a judge they are not comparable": mmdu.Study(scores=labels),
        "the published scores are on another rubric": mmdu.Study(
            scores=study.scores.assign(synthetic=False), rubric=rubric
        ),
    }
    for reason, one in cases.items():
        mmdu.write_report(one, tmp_path / "r.md", sections=["scores"])
        assert reason in (tmp_path / "r.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore::mmdu_analysis.schema.DataWarning")
def test_captions_say_nothing_that_a_figure_does_not_show(study, tmp_path):
    one = study.scores.loc[study.scores["model"] == MODEL]
    mmdu.write_report(mmdu.Study(scores=one), tmp_path / "r.html", sections=["scores", "breakdowns"])
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", (tmp_path / "r.html").read_text("utf-8"))
    assert "All models ranked by their score" in captions
    assert not [text for text in captions if re.search("arrow|fine-tuned|paired|published|measured", text)]
