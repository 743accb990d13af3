"""`Study`: a benchmark, answers, scores and ratings, and all results computed from them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.benchmark import Benchmark, load_benchmark
from mmdu_analysis.requirements import REQUIREMENTS
from mmdu_analysis.schema import (
    SYNTHETIC_LABEL,
    DataError,
    NotAvailable,
    parse_access,
)
from mmdu_analysis.study_results import StudyResults

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from mmdu_analysis.registry import Figure
    from mmdu_analysis.report.page import WrittenReport


class Study(StudyResults):
    """A benchmark, models' answers, judges' scores and people's ratings, with the access of the models.

    Without arguments it holds the published tables and the measurements of the real dialogues, which need no
    files. The given data are never replaced: a result that needs missing data raises `NotAvailable`.

    Parameters
    ----------
    benchmark : Benchmark, path or name, optional
        As `load_benchmark` takes it.
    answers : pandas.DataFrame, path or sequence of paths, optional
        As `load_answers` returns or takes it.
    scores : pandas.DataFrame, path or sequence of paths, optional
        As `load_scores` returns or takes it.
    ratings : pandas.DataFrame, path or sequence of paths, optional
        People's ratings, as `load_ratings` returns or takes them.
    access : mapping of str to str, optional
        Model to ``closed``, ``open`` or ``finetuned``, for models that the paper doesn't list.
    rubric : Rubric or path, optional
        The dimensions and the scale of the scores; MMDU's by default.
    strict : bool, default False
        Raise the first problem of a file instead of collecting them.
    allow_pickle : bool, default False
        Read scores from a ``.pkl``, which executes code: only from a file of your own.

    Raises
    ------
    DataError
        If an input can't be read, or `access` names an unknown model or access.

    See Also
    --------
    load_benchmark, load_answers, load_scores : The loaders behind it.

    Examples
    --------
    >>> import mmdu_analysis as mmdu
    >>> study = mmdu.Study()
    >>> study.numbers("main_results")["model"].nunique()
    17
    """

    @classmethod
    def from_env(cls) -> Study:
        """Return the study of the environment variables, else the one without files.

        Returns
        -------
        Study
            From ``MMDU_DATA``, ``MMDU_ANSWERS``, ``MMDU_SCORES``, ``MMDU_RATINGS``, ``MMDU_RUBRIC`` and
            ``MMDU_ACCESS`` (``MODEL=open`` pairs, separated by commas). ``MMDU_DATA=sample`` gives the
            synthetic sample. Several paths are separated by the system's path separator.
        """
        return cls.from_options(env=os.environ)

    @classmethod
    def from_options(
        cls,
        benchmark: str | Benchmark | None = None,
        answers: Sequence[str | Path] | None = None,
        scores: Sequence[str | Path] | None = None,
        ratings: Sequence[str | Path] | None = None,
        access: Mapping[str, str] | None = None,
        rubric: str | Path | None = None,
        *,
        strict: bool = False,
        allow_pickle: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> Study:
        """Return a study from paths or a loaded benchmark; missing arguments are taken from the environment.

        Parameters
        ----------
        benchmark, answers, scores, ratings, access, rubric, strict, allow_pickle
            See `Study`.
        env : mapping of str to str, optional
            Environment variables, see `from_env`; ``os.environ`` by default.

        Returns
        -------
        Study
            ``benchmark="sample"`` without any other part gives the synthetic sample.
        """
        env = os.environ if env is None else env

        def paths(given: Sequence[str | Path] | None, name: str) -> list[str | Path] | None:
            found: list[str | Path] = list(given or [])
            found = found or [p for p in env.get(name, "").split(os.pathsep) if p]
            return found or None

        benchmark = benchmark or env.get("MMDU_DATA") or None
        parts = {
            "answers": paths(answers, "MMDU_ANSWERS"),
            "scores": paths(scores, "MMDU_SCORES"),
            "ratings": paths(ratings, "MMDU_RATINGS"),
        }
        pairs = [pair for pair in env.get("MMDU_ACCESS", "").split(",") if pair.strip()]
        access = parse_access(pairs, "MMDU_ACCESS") | dict(access or {})
        if benchmark == "sample" and not any(parts.values()):
            return cls.sample().with_(access=access) if access else cls.sample()
        rubric = rubric or env.get("MMDU_RUBRIC") or None
        return cls(benchmark, **parts, access=access, rubric=rubric, strict=strict, allow_pickle=allow_pickle)

    @classmethod
    def sample(cls) -> Study:
        """Return the study of the synthetic sample: dialogues, answers, scores and ratings, all marked synthetic.

        Returns
        -------
        Study
            With the known truth of ``sample_truth()``.
        """
        from mmdu_analysis.synthetic import sample

        return cls(
            load_benchmark("sample"),
            answers=sample.sample_answers(),
            scores=sample.sample_scores(),
            ratings=sample.sample_ratings(),
            access=sample.MODELS,
        )

    def with_(self, **parts: Any) -> Study:
        """Return another study in which some parts are replaced.

        Parameters
        ----------
        **parts
            The arguments of `Study`; None removes a part.

        Returns
        -------
        Study
            The other parts are not loaded again.

        Raises
        ------
        DataError
            If there is no such part.
        """
        unknown = sorted(set(parts) - set(self._given))
        if unknown:
            raise DataError(f"Study.with_ got {unknown[0]!r}, expected one of {', '.join(self._given)}")
        loaded: dict[str, Any] = {
            "benchmark": self._benchmark,
            "answers": self._answers,
            "scores": self._scores,
            "ratings": self._ratings,
            "rubric": self._rubric,
        }
        study = Study(**(loaded | parts))
        study._problems |= {part: found for part, found in self._problems.items() if part not in parts}
        if "access" not in parts:
            kept = {m: a for m, a in self._given["access"].items() if m in study.own_models}
            study._given["access"], study._access = kept, study._access | kept
        return study

    def unavailable(self, figure: Figure) -> str | None:
        """Return the reason why a figure can't be drawn from this study, or None.

        Parameters
        ----------
        figure : Figure
            From `mmdu_analysis.registry.find_figures`.

        Returns
        -------
        str or None
            A reason that names what is missing.
        """
        package = figure.missing_package()
        if package is not None:
            return f"the optional package {package} is not installed"
        if self.uses_facts(figure):
            return None
        reasons = (REQUIREMENTS[need](self) for need in figure.needs)
        return next((reason for reason in reasons if reason), None)

    def uses_facts(self, figure: Figure) -> bool:
        """Return whether a figure is drawn from the published and measured facts."""
        if figure.facts in ("benchmark", "answers", "scores"):
            return getattr(self, figure.facts) is None
        return figure.facts == "always"

    def available(self) -> pd.DataFrame:
        """Return which figures can be drawn from this study.

        Returns
        -------
        pandas.DataFrame
            One row per figure: ``figure``, ``available`` (bool), ``reason`` (empty if available).
        """
        import pandas as pd

        from mmdu_analysis.registry import find_figures

        rows = [(figure.name, self.unavailable(figure)) for figure in find_figures()]
        frame = pd.DataFrame(rows, columns=["figure", "reason"])
        frame.insert(1, "available", frame["reason"].isna())
        return frame.astype({"figure": "str"}).assign(reason=frame["reason"].fillna("").astype("str"))

    def numbers(self, figure: str) -> pd.DataFrame:
        """Return the numbers of a figure.

        Parameters
        ----------
        figure : str
            Name, as in `available`.

        Returns
        -------
        pandas.DataFrame
            All data of the plot; the figure can be redrawn from it, also after writing it to CSV.

        Raises
        ------
        NotAvailable
            If the study lacks data that the figure needs.
        """
        from mmdu_analysis.registry import find_figures

        (found,) = find_figures([figure])
        reason = self.unavailable(found)
        if reason:
            raise NotAvailable(f"figure {figure!r} can't be drawn: {reason}")
        if ("numbers", figure) not in self._cache:
            try:
                self._cache["numbers", figure] = found.numbers(self)
            except NotAvailable:
                raise
            except DataError as error:  # the data don't support it; other figures can be drawn
                raise NotAvailable(f"figure {figure!r} can't be drawn: {error}") from error
        return self._cache["numbers", figure].copy()

    def plot(self, figure: str, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw a figure.

        Parameters
        ----------
        figure : str
            Name, as in `available`.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.
        **options
            Keywords of the plot, such as ``title``, ``note``, ``width``, ``height``.

        Returns
        -------
        matplotlib.axes.Axes
            The Axes that were drawn on.

        Raises
        ------
        NotAvailable
            If the study lacks data that the figure needs.
        """
        from mmdu_analysis.registry import find_figures

        frame = self.numbers(figure)
        return find_figures([figure])[0].draw(frame, ax=ax, **options)

    def browse(self, **options: Any) -> Any:
        """Open the dialogue browser on the study; see `mmdu_analysis.browse`."""
        import mmdu_analysis as public  # the browser is a higher layer, so it is imported by its public name

        return public.browse(self, **options)

    def explore(self, name: Any = "context", **options: Any) -> Any:
        """Open a chart that is linked with the dialogue browser; see `mmdu_analysis.browser.explore`."""
        import mmdu_analysis as public

        return public.explore(self, name, **options)

    def report(self, path: str | Path, **options: Any) -> WrittenReport:
        """Write a report as HTML, Markdown or LaTeX; see `mmdu_analysis.write_report`."""
        import mmdu_analysis as public

        return public.write_report(self, path, **options)

    def save_figures(self, folder: str | Path = "figures", **options: Any) -> pd.DataFrame:
        """Write all available figures; see `mmdu_analysis.save_figures`."""
        import mmdu_analysis as public

        return public.save_figures(self, folder, **options)

    def export_site(self, folder: str | Path, **options: Any) -> Path:
        """Write the dialogues as a static site; see `mmdu_analysis.export_site`."""
        import mmdu_analysis as public

        return public.export_site(self, folder, **options)

    def _repr_html_(self) -> str:
        from mmdu_analysis.card import study_card

        return study_card(self)

    def __repr__(self) -> str:
        parts = [f"{len(self._benchmark.dialogs)} dialogues"] if self._benchmark is not None else []
        count = len(self.own_models)
        parts += [f"{count} model{'s' if count > 1 else ''}"] if count else []
        parts += [f"{self._scores['score'].notna().sum():,} scores"] if self._scores is not None else []
        parts += [SYNTHETIC_LABEL] if self.synthetic else []
        return f"Study({self.name!r}: {', '.join(parts) or 'no files needed'})"
