"""People rate answers: dimensions by keys, model names hidden, every score saved immediately."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.browser.aligned import TurnRows, align_answers
from mmdu_analysis.browser.masking import NameMask
from mmdu_analysis.browser.pictures import PagePictures
from mmdu_analysis.browser.replies import Replies, Reply
from mmdu_analysis.browser.texts import cut, question_parts
from mmdu_analysis.io.files import read_table
from mmdu_analysis.io.ratings_log import Rating, append_ratings, read_ratings
from mmdu_analysis.schema import (
    MMDU,
    SYNTHETIC_LABEL,
    DataError,
    Problem,
    Rubric,
    is_synthetic,
    require_columns,
    short_path,
)

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

_MOST_KEYS = 11  # one key per score: 0-9 and x


@dataclass(frozen=True)
class Task:
    """A turn to rate: the answers of some models, in the order in which they are shown."""

    dialog_id: str
    turn: int
    models: tuple[str, ...]


class RatingSession(Replies):
    """A person's rating of answers.

    Parameters
    ----------
    benchmark : Benchmark
        The dialogues.
    answers : pandas.DataFrame
        From `load_answers`.
    rater : str
        Name of the person.
    path : path
        Log of the ratings; ratings that it has already are done.
    plan : pandas.DataFrame, optional
        ``dialog_id`` and ``turn``, and optionally ``model`` and ``rater``: the turns to rate, in this order.
    seed : int, default 0
        Of the order of the models at each turn.
    rubric : Rubric, default MMDU
        Its dimensions are rated.

    Attributes
    ----------
    problems : list of Problem
        Rows of the plan that have no answer, counted, and lines of the log that are not ratings.

    Raises
    ------
    DataError
        If there is no rater, or nothing to rate.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        answers: pd.DataFrame,
        *,
        rater: str,
        path: str | Path,
        plan: pd.DataFrame | None = None,
        seed: int = 0,
        rubric: Rubric = MMDU,
    ) -> None:
        self.rater = str(rater).strip()
        if not self.rater:
            raise DataError("rating needs the name of the rater, such as rater='anna'")
        self.benchmark, self.rubric = benchmark, rubric
        self.rows = TurnRows(benchmark)
        self.answers = align_answers(self.rows, answers)
        self.mask = NameMask(self.answers)
        self.pictures = PagePictures(benchmark)
        self.path = Path(path).expanduser()
        self.synthetic = bool(benchmark.synthetic) or is_synthetic(answers)
        self.plan_seed = _plan_seed(plan)
        self.problems: list[Problem] = []
        self.tasks = self._tasks(plan, seed)
        self.history: list[Rating] = []
        self._given: dict[tuple[str, str, str, int, str], float] = {}
        self.problems += self._read()
        self.at = self._first_open()

    def _tasks(self, plan: pd.DataFrame | None, seed: int) -> list[Task]:
        wanted: dict[tuple[str, int], set[str]] = {}
        if plan is None:
            for model, texts in self.answers.items():
                for row in texts.index.tolist():
                    wanted.setdefault(self._key(row), set()).add(model)
            order = {key: None for row in range(len(self.rows.turns)) if (key := self._key(row)) in wanted}
            wanted = {key: wanted[key] for key in order}
        else:
            wanted = self._planned(plan)
        if not wanted:
            raise DataError(
                "no answer to rate: neither the answers nor the plan contain turns of the benchmark"
            )
        tasks = []
        for (dialog_id, turn), models in wanted.items():
            shuffled = sorted(models)
            random.Random(f"{seed}/{dialog_id}/{turn}").shuffle(shuffled)  # noqa: S311 - an order, not a secret
            tasks.append(Task(dialog_id, turn, tuple(shuffled)))
        return tasks

    def _key(self, row: int) -> tuple[str, int]:
        return str(self.rows.ids[self.rows.dialog[row]]), int(self.rows.turns["turn"].iloc[row])

    def _planned(self, plan: pd.DataFrame) -> dict[tuple[str, int], set[str]]:
        require_columns(plan, ["dialog_id", "turn"], "a plan of turns to rate")
        if "rater" in plan:
            plan = plan.loc[plan["rater"].astype("str") == self.rater]
        wanted: dict[tuple[str, int], set[str]] = {}
        models = plan["model"].astype("str").tolist() if "model" in plan else [None] * len(plan)
        without: list[int] = []
        for position, (row, model) in enumerate(zip(self.rows.of(plan).tolist(), models, strict=True)):
            have = {name for name, texts in self.answers.items() if row in texts.index}
            chosen = have if model is None else have & {model}
            if chosen:
                wanted.setdefault(self._key(row), set()).update(chosen)
            else:
                without.append(position)
        if without:
            self.problems.append(_without_answer(plan, without))
        return wanted

    # --- ratings

    def _read(self) -> list[Problem]:
        """Read the ratings of this rater; return the lines that are not ratings."""
        ratings, problems = read_ratings(self.path, self.rubric)
        self.history = [rating for rating in ratings if rating.rater == self.rater]
        self._given = {rating.key: rating.score for rating in self.history if rating.score is not None}
        return problems

    def _score(self, task: Task, model: str, dimension: str) -> float | None:
        return self._given.get((self.rater, model, task.dialog_id, task.turn, dimension))

    def _is_done(self, task: Task) -> bool:
        names = self.rubric.names
        return all(self._score(task, model, name) is not None for model in task.models for name in names)

    def _first_open(self, start: int = 0) -> int:
        places = [*range(start, len(self.tasks)), *range(start)]
        return next((index for index in places if not self._is_done(self.tasks[index])), len(self.tasks))

    def progress(self) -> dict[str, int]:
        """Return the number of turns that are rated, and of all turns of the plan."""
        return {"done": sum(map(self._is_done, self.tasks)), "of": len(self.tasks)}

    # --- messages

    def kinds(self) -> dict[str, Callable[[dict[str, Any]], Reply]]:
        """Return the method for each kind of message."""
        return super().kinds() | {
            "start": self._start,
            "task": self._task,
            "go": self._go,
            "rate": self._rate,
            "undo": self._undo,
        }

    def _start(self, _: dict[str, Any]) -> Reply:
        low, high = self.rubric.scale
        whole = low == int(low) and high == int(high)
        values = list(range(int(low), int(high) + 1)) if whole and high - low < _MOST_KEYS else []
        content = {
            "kind": "start",
            "rate": True,
            "rater": cut(self.rater, 200, "…"),
            "name": self.mask.hide(cut(self.benchmark.name, 300, "…")),
            "synthetic": SYNTHETIC_LABEL if self.synthetic else "",
            "dimensions": [{"name": d.name, "short": d.short} for d in self.rubric.dimensions],
            "scale": [low, high],
            "values": values,
        }
        return Reply(content | self.progress(), [])

    def _task(self, _: dict[str, Any]) -> Reply:
        if self.at >= len(self.tasks):
            return Reply({"kind": "done"} | self.progress(), [])
        task = self.tasks[self.at]
        start, _stop = self.rows.span(task.dialog_id)
        row = start + task.turn - 1
        images = self.rows.images(task.dialog_id)["image"].tolist()
        so_far = int(self.rows.turns["images_so_far"].iloc[row])
        content = {
            "kind": "task",
            "place": self.at,
            "dialog_id": cut(task.dialog_id),
            "turn": task.turn,
            "images": images[:so_far],
            "before": [self._shown(at, images) for at in range(start, row)],
            "now": self._shown(row, images),
            "answers": [self._answer(task, row, model) for model in task.models],
        }
        return Reply(content | self.progress(), [])

    def _shown(self, row: int, images: list[int]) -> dict[str, Any]:
        turn = self.rows.turns.iloc[row]
        question = self.mask.hide(str(turn["question"]))
        reference = turn["answer"] if isinstance(turn["answer"], str) else None
        first = int(turn["images_so_far"] - turn["new_images"])
        return {
            "turn": int(turn["turn"]),
            "question": question_parts(question, first, images),
            "reference": None if reference is None else self.mask.render(reference),
        }

    def _answer(self, task: Task, row: int, model: str) -> dict[str, Any]:
        scores = [self._score(task, model, dimension.name) for dimension in self.rubric.dimensions]
        return {"html": self.mask.render(str(self.answers[model][row])), "scores": scores}

    def _go(self, message: dict[str, Any]) -> Reply:
        """Go to another turn of the plan: by a step, or to the next one that is not rated."""
        if message.get("to") == "open":
            self.at = self._first_open(min(self.at + 1, len(self.tasks)))
        else:
            self.at = min(max(self.at + int(message["by"]), 0), len(self.tasks) - 1)
        return self._task({})

    def _rate(self, message: dict[str, Any]) -> Reply:
        task = self.tasks[_index(message["place"], len(self.tasks))]
        model = task.models[_index(message["answer"], len(task.models))]
        dimension = self.rubric.dimensions[_index(message["dimension"], len(self.rubric.dimensions))].name
        score = float(message["score"])
        if not self.rubric.contains(score):
            low, high = self.rubric.scale
            raise DataError(f"a score of {score:g}; expected {low:g} to {high:g}")
        rating = Rating(
            self.rater,
            model,
            task.dialog_id,
            task.turn,
            dimension,
            score,
            seed=self.plan_seed,
            synthetic=self.synthetic,
        )
        append_ratings(self.path, [rating])
        self.history.append(rating)
        self._given[rating.key] = score
        return Reply({"kind": "rated", "complete": self._is_done(task)} | self.progress(), [])

    def _undo(self, _: dict[str, Any]) -> Reply:
        """Withdraw the score that was given last, and go back to its turn."""
        if not self.history:
            raise DataError("nothing to undo")
        last = self.history[-1]
        append_ratings(self.path, [last._replace(score=None, time="")])
        self._read()
        for index, task in enumerate(self.tasks):
            if (task.dialog_id, task.turn) == (last.dialog_id, last.turn):
                self.at = index
        return self._task({})


def read_plan(path: Path) -> pd.DataFrame:
    """Load a plan of turns to rate from a CSV or TSV file.

    Parameters
    ----------
    path : pathlib.Path
        With columns ``dialog_id`` and ``turn``, and optionally ``model`` and ``rater``.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    DataError
        If the file can't be read, or lacks a column.
    """
    import pandas as pd

    plan = read_table(path)
    require_columns(plan, ["dialog_id", "turn"], f"{short_path(path)}, a plan of turns to rate")
    turns = pd.to_numeric(plan["turn"], errors="coerce")
    if turns.isna().any() or (turns % 1 != 0).any():
        raise DataError(f"{short_path(path)}: a turn is not a whole number; expected 1, 2, ...")
    return plan.assign(turn=turns.astype("int64"))


def _without_answer(plan: pd.DataFrame, positions: list[int]) -> Problem:
    """Return the problem that counts the rows of a plan which have no answer."""
    first = plan.iloc[positions[0]]
    model = f", model {first['model']}" if "model" in plan else ""
    text = (
        f"{len(positions):,} of {len(plan):,} rows of the plan have no answer and are left out, the first: "
        f"dialogue {first['dialog_id']}, turn {first['turn']}{model}; load the answers that the plan was made for"
    )
    return Problem("plan of turns to rate", "", text)


def _plan_seed(plan: pd.DataFrame | None) -> int | None:
    """Return the seed of a plan; None unless all rows have the same seed."""
    seeds = [] if plan is None or "seed" not in plan else plan["seed"].dropna().unique().tolist()
    if len(seeds) != 1 or not str(seeds[0]).removeprefix("-").isdecimal():
        return None
    return int(seeds[0])


def _index(value: Any, count: int) -> int:
    number = int(value)
    if not 0 <= number < count:
        raise DataError("the page asked for a turn, an answer or a dimension that doesn't exist")
    return number
