"""The parts that a `Study` holds: loading, access, models, problems."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.facts.tables import load_published
from mmdu_analysis.io.benchmark import Benchmark
from mmdu_analysis.schema import (
    ACCESS,
    MMDU,
    DataError,
    NotAvailable,
    Rubric,
    is_synthetic,
    problems_frame,
)
from mmdu_analysis.study_inputs import (
    Paths,
    read_answers,
    read_benchmark,
    read_ratings,
    read_scores,
    spelling_problems,
    turns_of_model,
    warn_of,
)

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.stats.lengths import DatasetLengths


class StudyParts:
    """The data of a `Study`, which describes the parameters."""

    def __init__(
        self,
        benchmark: Benchmark | str | Path | None = None,
        *,
        answers: pd.DataFrame | Paths | None = None,
        scores: pd.DataFrame | Paths | None = None,
        ratings: pd.DataFrame | Paths | None = None,
        access: Mapping[str, str] | None = None,
        rubric: Rubric | str | Path | None = None,
        strict: bool = False,
        allow_pickle: bool = False,
    ) -> None:
        self._given: dict[str, Any] = {
            "benchmark": benchmark,
            "answers": answers,
            "scores": scores,
            "ratings": ratings,
            "access": dict(access or {}),
            "rubric": rubric,
        }
        self._rubric = rubric if isinstance(rubric, Rubric) else Rubric.from_file(rubric) if rubric else MMDU
        self._problems: dict[str, pd.DataFrame] = {}
        self._benchmark = read_benchmark(benchmark, self._problems, strict)
        self._answers = read_answers(answers, self._benchmark, self._problems, strict)
        self._scores = read_scores(
            scores, self._benchmark, self._rubric, self._problems, strict, allow_pickle
        )
        self._ratings = read_ratings(ratings, self._rubric, self._problems, strict)
        self._problems["models"] = spelling_problems(self.own_models)
        self._access = self._checked_access(dict(access or {}))
        self._cache: dict[Any, Any] = {}
        warn_of(self.problems)

    @property
    def benchmark(self) -> Benchmark | None:
        """The benchmark, or None."""
        return self._benchmark

    @property
    def answers(self) -> pd.DataFrame | None:
        """The models' answers, or None."""
        return self._answers

    @property
    def scores(self) -> pd.DataFrame | None:
        """The judges' scores on the rubric's scale, or None."""
        return self._scores

    @property
    def ratings(self) -> pd.DataFrame | None:
        """People's ratings, or None."""
        return self._ratings

    @property
    def rubric(self) -> Rubric:
        """The rubric of the scores."""
        return self._rubric

    @property
    def access(self) -> dict[str, str]:
        """Model to access: as given, else as published for its name."""
        return dict(self._access)

    @property
    def own_models(self) -> list[str]:
        """Models of the given answers and scores, sorted."""
        frames = [frame for frame in (self._answers, self._scores) if frame is not None]
        return sorted({str(model) for frame in frames for model in frame["model"].unique()})

    @property
    def synthetic(self) -> bool:
        """Whether any given part is synthetic."""
        dialogs = None if self._benchmark is None else self._benchmark.dialogs
        return is_synthetic(dialogs, self._answers, self._scores, self._ratings)

    @property
    def name(self) -> str:
        """Name for titles: of the benchmark, else of the models."""
        if self._benchmark is not None:
            return self._benchmark.name
        return ", ".join(self.own_models[:3]) or "published and measured facts"

    @property
    def problems(self) -> pd.DataFrame:
        """Parts of files that could not be used: ``file``, ``where``, ``dialog_id``, ``turn``, ``problem``."""
        import pandas as pd

        found = [frame for frame in self._problems.values() if len(frame)]
        return pd.concat(found, ignore_index=True) if found else problems_frame()

    @property
    def models(self) -> pd.DataFrame:
        """The models: the given ones, else the published ones.

        Columns: ``model``, ``access`` (NA if unknown), ``parameters_b``, ``n_answers``, ``n_scored`` (turns
        with a score), ``synthetic``.
        """
        import pandas as pd

        published = load_published("main_results").set_index("model")
        names = self.own_models or list(published.index)
        frame = pd.DataFrame({"model": pd.array(names, dtype="str")})
        frame["access"] = pd.array([self._access.get(name) for name in names], dtype="str")
        frame["parameters_b"] = published["parameters_b"].reindex(names).to_numpy()
        frame["n_answers"] = [turns_of_model(self._answers, name) for name in names]
        frame["n_scored"] = [turns_of_model(self._scores, name) for name in names]
        frame["synthetic"] = [self._is_synthetic_model(name) for name in names]
        return frame

    def _is_synthetic_model(self, model: str) -> bool:
        frames = [f.loc[f["model"] == model] for f in (self._answers, self._scores) if f is not None]
        return is_synthetic(*frames)

    def _checked_access(self, given: dict[str, str]) -> dict[str, str]:
        """Return the access of all known models; refuse unknown models and words."""
        published = load_published("main_results").set_index("model")["access"].to_dict()
        known = self.own_models
        for model, access in given.items():
            if access not in ACCESS:
                raise DataError(f"access of {model!r} is {access!r}, expected one of {', '.join(ACCESS)}")
            if known and model not in known and model not in published:
                raise DataError(
                    f"access names {model!r}, which has no answers or scores; known: {', '.join(known)}"
                )
        return {str(k): str(v) for k, v in published.items()} | given

    def lengths(self, **options: Any) -> pd.DataFrame:
        """Return the `dialog_lengths` of the benchmark, measured once.

        Parameters
        ----------
        **options
            ``image_model`` and ``encoding`` of `dialog_lengths`.

        Returns
        -------
        pandas.DataFrame
            One row per dialogue.

        Raises
        ------
        NotAvailable
            If there is no benchmark.
        """
        return self.measured(**options).table.copy()

    def measured(self, **options: Any) -> DatasetLengths:
        """Return the lengths of the benchmark with its number of distinct images, measured once.

        Parameters
        ----------
        **options
            As in `lengths`.

        Returns
        -------
        DatasetLengths
            As `measure_dataset` returns it.

        Raises
        ------
        NotAvailable
            If there is no benchmark.
        """
        from mmdu_analysis.stats.lengths import measure_dataset

        benchmark = self.need_benchmark()
        key = ("lengths", *sorted(options.items()))
        if key not in self._cache:
            self._cache[key] = measure_dataset(benchmark, **options)
        return self._cache[key]

    def need_benchmark(self) -> Benchmark:
        """Return the benchmark.

        Raises
        ------
        NotAvailable
            If there is none.
        """
        if self._benchmark is None:
            raise NotAvailable("no benchmark is given; pass benchmark= or set MMDU_DATA")
        return self._benchmark

    def need_scores(self) -> pd.DataFrame:
        """Return the scores.

        Raises
        ------
        NotAvailable
            If there are none.
        """
        if self._scores is None:
            raise NotAvailable("no scores are given; pass scores= or set MMDU_SCORES")
        return self._scores

    def need_answers(self) -> pd.DataFrame:
        """Return the answers.

        Raises
        ------
        NotAvailable
            If there are none.
        """
        if self._answers is None:
            raise NotAvailable("no answers are given; pass answers= or set MMDU_ANSWERS")
        return self._answers
