"""The results of a `Study`: thin methods over the functions of ``stats``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mmdu_analysis.facts.tables import load_published
from mmdu_analysis.schema import MMDU, ComparabilityWarning, NotAvailable
from mmdu_analysis.stats.places import CAVEAT
from mmdu_analysis.study_parts import StudyParts

if TYPE_CHECKING:
    import pandas as pd


class StudyResults(StudyParts):
    """The analyses of a `Study`, which describes the parameters."""

    def statistics(self, *, compare: bool = False) -> pd.DataFrame:
        """Return Table 1: of the benchmark, else as published.

        Parameters
        ----------
        compare : bool, default False
            Add the published values and the differences, with `compare_statistics`.

        Returns
        -------
        pandas.DataFrame
            See `dataset_statistics`.
        """
        from mmdu_analysis.stats.compare import compare_statistics
        from mmdu_analysis.stats.dataset import dataset_statistics

        published = load_published("statistics")
        if self._benchmark is None:
            return published
        return (
            compare_statistics(self.measured(), published) if compare else dataset_statistics(self.measured())
        )

    def summary(self, by: str | Sequence[str] = "model", **options: Any) -> pd.DataFrame:
        """Return the mean scores with intervals: `summarize_scores` of the study's scores."""
        from mmdu_analysis.stats.scores import summarize_scores

        return summarize_scores(self.need_scores(), by, rubric=self._rubric, **options)

    def ranking(self, **options: Any) -> pd.DataFrame:
        """Return the ranks of the models: `rank_models` of the study's scores.

        Raises
        ------
        NotAvailable
            If there are no scores, or they are of one model.
        """
        from mmdu_analysis.stats.pairs import rank_models

        scored = self.need_scores().dropna(subset="score")
        if scored["model"].nunique() < 2:
            raise NotAvailable("ranks need scores of two models or more, got one")
        return rank_models(self.need_scores(), rubric=self._rubric, **options)

    def gap(self, by: Any = "dimension", **options: Any) -> pd.DataFrame:
        """Return the gap between closed and open models.

        Parameters
        ----------
        by : str, default "dimension"
            ``dimension``: `gap_analysis` of the own models if there are at least two closed and two open
            ones, otherwise of the published table including the own models, with a warning; else
            `gap_breakdown` of the study's scores.
        **options
            Of these functions.

        Returns
        -------
        pandas.DataFrame
            See there.
        """
        from mmdu_analysis.stats.gap import gap_analysis
        from mmdu_analysis.stats.gap_turns import gap_breakdown

        if by != "dimension":
            scores = self.need_scores()
            return gap_breakdown(scores, self.access, by, self._benchmark, rubric=self._rubric, **options)
        return gap_analysis(self._gap_table(), rubric=self._rubric, **options)

    def _gap_table(self) -> pd.DataFrame:
        """Return the models that a gap compares: the own ones alone if they are at least two of each kind."""
        table = self.model_table()
        own = table.loc[table["own"]]
        if own.empty or len(own) == len(table):
            return table
        counts = own["access"].value_counts()
        if min(counts.get("closed", 0), counts.get("open", 0)) >= 2:
            return own.reset_index(drop=True)
        known = own.loc[own["access"].notna(), "model"]
        text = (
            f"{', '.join(known)}: compared with the published models"
            if len(known)
            else "only published models are compared"
        )
        unknown = own.loc[own["access"].isna(), "model"]
        left_out = f"; {', '.join(unknown)} left out, since the access is not known" if len(unknown) else ""
        warnings.warn(f"{text}{left_out}; {CAVEAT}", ComparabilityWarning, stacklevel=3)
        return table

    def decay(self, **options: Any) -> pd.DataFrame:
        """Return the coefficients of memory decay: of the study's scores, else of the measured labels."""
        from mmdu_analysis.stats.decay import memory_decay

        if self._scores is None:
            return memory_decay(load_published("correctness"), **options)
        return memory_decay(self._scores, self.need_benchmark(), rubric=self._rubric, **options)

    def calibration(self, **options: Any) -> pd.DataFrame:
        """Return the judge's means corrected by people's ratings: `calibrate_scores`.

        Raises
        ------
        NotAvailable
            If there are no scores or no ratings.
        """
        from mmdu_analysis.stats.calibration import calibrate_scores

        if self._ratings is None:
            raise NotAvailable("no ratings are given; pass ratings= or set MMDU_RATINGS")
        return calibrate_scores(self.need_scores(), self._ratings, rubric=self._rubric, **options)

    def audit(self) -> pd.DataFrame:
        """Return the paper's claims with the values recomputed from its tables and the benchmark: `audit_paper`."""
        from mmdu_analysis.stats.audit import audit_paper

        return audit_paper(self._benchmark)

    def model_table(self) -> pd.DataFrame:
        """Return one row per model with its mean in each dimension, by short name.

        Returns
        -------
        pandas.DataFrame
            ``model``, ``access``, the dimensions (0-100), ``low`` and ``high`` of the overall score, ``own``
            (bool), ``synthetic``. The published Table 2 without scores; with scores on MMDU's rubric, the own
            models are added (a published model of the same name is replaced); synthetic models and other
            rubrics are returned without the published ones.
        """
        import pandas as pd

        from mmdu_analysis.stats.scores import score_table, summarize_scores

        published = load_published("main_results").assign(own=False, synthetic=False)
        if self._scores is None:
            return published
        summary = summarize_scores(self._scores, rubric=self._rubric)
        own = score_table(summary, self.access, rubric=self._rubric).assign(own=True)
        own["synthetic"] = [self._is_synthetic_model(model) for model in own["model"]]
        if own["synthetic"].any() or self._rubric != MMDU or not self._has_overall():
            return own
        kept = published.loc[~published["model"].isin(own["model"])]
        return pd.concat([kept, own], ignore_index=True)

    def _has_overall(self) -> bool:
        return self._scores is not None and self._rubric.overall in set(self._scores["dimension"])
