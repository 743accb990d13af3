"""Requirements of figures, and the reasons why a study does not meet them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mmdu_analysis.schema import LABEL, MMDU
from mmdu_analysis.stats.dataset import FEWEST_REFERENCES
from mmdu_analysis.stats.topics import N_TOPICS

if TYPE_CHECKING:
    from mmdu_analysis.study_parts import StudyParts as Study

FEWEST_SIZES = 0.9
"""Minimum share of pictures of known size for figures of image tokens."""

FEWEST_TURNS = 0.5
"""Minimum share of scores with a known turn for figures by turn."""


def _benchmark(study: Study) -> str | None:
    return None if study.benchmark is not None else "it needs a benchmark (benchmark=, MMDU_DATA)"


def _topics(study: Study) -> str | None:
    if study.benchmark is None:
        return _benchmark(study)
    count = len(study.benchmark.dialogs)
    return None if count > N_TOPICS else f"it needs more than {N_TOPICS} dialogues; {count} given"


def _references(study: Study) -> str | None:
    if study.benchmark is None:
        return _benchmark(study)
    known, total = int(study.benchmark.turns["answer"].notna().sum()), len(study.benchmark.turns)
    if known >= FEWEST_REFERENCES * total:
        return None
    return f"it needs reference answers; {known:,} of {total:,} turns have one"


def _some_references(study: Study) -> str | None:
    if study.benchmark is None:
        return _benchmark(study)
    known = bool(study.benchmark.turns["answer"].notna().any())
    return None if known else "it needs reference answers; none is known"


def _context(study: Study) -> str | None:
    """Return the reason why the context of a turn is unknown: references or answers of the models are missing."""
    return None if study.answers is not None else _references(study)


def _image_sizes(study: Study) -> str | None:
    if study.benchmark is None:
        return _benchmark(study)
    images = study.benchmark.images
    known = int(images["width"].notna().sum())
    if len(images) and known >= FEWEST_SIZES * len(images):
        return None
    return f"it needs the sizes of the pictures; {known:,} of {len(images):,} are known"


def _answers(study: Study) -> str | None:
    return None if study.answers is not None else "it needs models' answers (answers=, MMDU_ANSWERS)"


def _scores(study: Study) -> str | None:
    return None if study.scores is not None else "it needs judges' scores (scores=, MMDU_SCORES)"


def _ratings(study: Study) -> str | None:
    return None if study.ratings is not None else "it needs people's ratings (ratings=, MMDU_RATINGS)"


def _turns(study: Study) -> str | None:
    if study.scores is None:
        return _scores(study)
    known, total = int(study.scores["turn"].notna().sum()), len(study.scores)
    if known >= FEWEST_TURNS * total:
        return None
    dialogs = study.scores.loc[study.scores["turn"].notna(), "dialog_id"].nunique()
    return (
        f"it needs the turn of each score; {dialogs} of {study.scores['dialog_id'].nunique()} dialogues have turn "
        "numbers (write null for an unjudged turn, or a 'turn' key)"
    )


def _two_models(study: Study) -> str | None:
    count = 0 if study.scores is None else study.scores.loc[study.scores["score"].notna(), "model"].nunique()
    return None if count >= 2 else f"it needs scores of two models or more; {count} given"


def _both_kinds(study: Study) -> str | None:
    access = study.access
    scored = [] if study.scores is None else study.scores.dropna(subset="score")["model"].unique()
    have = {access.get(str(model)) for model in scored}
    missing = [kind for kind in ("closed", "open") if kind not in have]
    return (
        f"it needs scores of a closed and of an open model; no {missing[0]} one is given" if missing else None
    )


def _two_judges(study: Study) -> str | None:
    count = 0 if study.scores is None else study.scores["judge"].nunique()
    return None if count >= 2 else f"it needs scores of two judges or more; {count} given"


def _judged(study: Study) -> str | None:
    if study.scores is None:
        return _scores(study)
    only_labels = set(study.scores["dimension"]) == {LABEL}
    return "it needs a judge's dimensions; the scores are right/wrong labels" if only_labels else None


def _labels(study: Study) -> str | None:
    labelled = study.scores is not None and LABEL in set(study.scores["dimension"])
    return None if labelled else "it needs labels of right and wrong answers"


def _mmdu_rubric(study: Study) -> str | None:
    return None if study.rubric == MMDU else "it compares with MMDU, and the scores are on another rubric"


def _overall(study: Study) -> str | None:
    if study.scores is None:
        return _scores(study)
    if study.rubric.overall in set(study.scores["dimension"]):
        return None
    return f"it needs the overall score; the scores have {', '.join(study.scores['dimension'].unique()[:4])}"


def _main_dimension(study: Study) -> str | None:
    if study.scores is None or study.scores["dimension"].nunique() == 1:
        return _scores(study)
    return _overall(study)


def _two_dimensions(study: Study) -> str | None:
    count = 2 if study.scores is None else study.scores["dimension"].nunique()
    return None if count >= 2 else "it compares dimensions; the scores have only one"


def _one_judge(study: Study) -> str | None:
    count = 1 if study.scores is None else study.scores["judge"].nunique()
    return None if count == 1 else f"it needs scores of one judge; {count} given"


def _several_dialogs(study: Study) -> str | None:
    count = 0 if study.scores is None else study.scores["dialog_id"].nunique()
    return None if count >= 2 else f"it needs scores of two dialogues or more; {count} given"


REQUIREMENTS: dict[str, Callable[[Study], str | None]] = {
    "benchmark": _benchmark,
    "topics": _topics,
    "references": _references,
    "some references": _some_references,
    "context": _context,
    "image sizes": _image_sizes,
    "answers": _answers,
    "scores": _scores,
    "ratings": _ratings,
    "turns": _turns,
    "dialogs": _several_dialogs,
    "two models": _two_models,
    "both kinds": _both_kinds,
    "two judges": _two_judges,
    "judged dimensions": _judged,
    "labels": _labels,
    "overall": _overall,
    "main dimension": _main_dimension,
    "one judge": _one_judge,
    "two dimensions": _two_dimensions,
    "mmdu rubric": _mmdu_rubric,
}
"""Requirements of figures: each returns the reason why a study doesn't meet it, or None."""
