"""What figures are drawn from: the shipped facts, the user's data, and the sample where neither has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mmdu_analysis.facts.tables import load_published
from mmdu_analysis.io.benchmark import Benchmark, load_benchmark
from mmdu_analysis.stats import dataset
from mmdu_analysis.stats.lengths import DatasetLengths, measure_dataset
from mmdu_analysis.stats.tokens import compare_image_models, context_growth, tokens_by_image_model
from mmdu_analysis.stats.topics import topic_groups
from mmdu_analysis.stats.words import distinctive_words, word_frequencies

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Inputs:
    """What figures are drawn from: the shipped facts, and the user's data where there are any.

    Attributes
    ----------
    bench : Benchmark or None
        None draws the facts.
    scores : pandas.DataFrame or None
        From `load_scores`.
    answers : pandas.DataFrame or None
        From `load_answers`.
    access : dict of str to str
        Model -> closed, open or finetuned, for the user's models.
    """

    bench: Benchmark | None = None
    scores: pd.DataFrame | None = None
    answers: pd.DataFrame | None = None
    access: dict[str, str] = field(default_factory=dict)

    @cached_property
    def measured(self) -> DatasetLengths:
        """The lengths of `full_bench`, measured once for all figures."""
        return measure_dataset(self.full_bench)

    @property
    def lengths(self) -> pd.DataFrame:
        """The table of `measured`."""
        return self.measured.table

    def shares(self, what: str) -> pd.DataFrame:
        """Shares for one panel of Figure 4: of the user's data, else of the real dialogues as measured."""
        if self.bench is not None or what == "tokens":  # the references are not among the facts
            return dataset.distribution(self.measured, what)
        measured = load_published("measured_dialogs").set_index("dialog_id")
        lengths = measured.assign(**dict.fromkeys(("text_tokens", "image_tokens", "image_text_tokens"), 0))
        about = load_published("measured_questions").set_index("dialog_id")["images"].fillna("")
        kinds = about.str.split(";").map(lambda numbers: min(len([n for n in numbers if n]), 2))
        for place, kind in enumerate(dataset.KINDS):
            lengths[kind] = (kinds == place).groupby(level=0).sum()
        lengths = lengths.assign(question_tokens=0, answer_tokens=0)
        shares = dataset.distribution(lengths, what)
        shares.attrs |= {
            "name": "real" if what == "images" else "real, first 20 turns",
            "source": "MMDU, measured (see published_tables)",
        }
        return shares

    @cached_property
    def full_bench(self) -> Benchmark:
        """The user's benchmark, else the sample, for what needs references or texts."""
        return self.bench or load_benchmark("sample")

    def text_tokens(self) -> pd.DataFrame:
        """Text tokens of each dialogue, of the user's data or the sample."""
        frame = self.lengths[["text_tokens"]].rename(columns={"text_tokens": "tokens"})
        synthetic = self.full_bench.synthetic
        frame.attrs |= {"items": "dialogues", "source": self.full_bench.name, "synthetic": synthetic}
        return frame

    def turn_lengths(self, field: str) -> pd.DataFrame:
        """Tokens of each question or reference, of the user's data or the real dialogues as measured."""
        if self.bench is None:
            table = load_published("measured_questions")
            column = "question_tokens" if field == "question" else "reference_tokens"
            source = "MMDU, measured (see published_tables)"
        else:
            table = dataset.question_tokens(self.bench)
            table["answer_tokens"] = dataset.answer_tokens(self.bench)
            column, source = f"{field}_tokens", self.bench.name
        frame = table[["dialog_id", "turn", column]].rename(columns={column: "tokens"}).dropna()
        synthetic = self.bench is not None and self.bench.synthetic
        frame.attrs = {"items": f"{field}s", "source": source, "synthetic": synthetic}
        return frame

    def image_prices(self) -> pd.DataFrame:
        """Count what the images cost in each model: the user's, or the real ones by their original sizes."""
        images = self.bench.images.copy() if self.bench else load_published("measured_images")
        synthetic = self.bench is not None and self.bench.synthetic
        images.attrs |= {"source": self.bench.name, "synthetic": synthetic} if self.bench else {}
        return compare_image_models(images)

    def token_split(self) -> pd.DataFrame:
        """Split the mean tokens of a dialogue: of the user's data, or the paper's text and the real images."""
        if self.bench is None:
            images, n_dialogs = load_published("measured_images"), len(load_published("measured_dialogs"))
            table = load_published("statistics").set_index(["dataset", "statistic"])
            text, said = table.loc[("MMDU", "text_tokens"), "average"], "the paper's average, Table 1"
        else:
            images, n_dialogs = self.bench.images, len(self.bench.dialogs)
            text, said = self.lengths["text_tokens"].mean(), self.bench.name
        frame = tokens_by_image_model(images, float(text), n_dialogs)
        source = images.attrs.get("source") or self.full_bench.name
        frame.attrs = {"source": source, "text": said, "synthetic": bool(self.bench and self.bench.synthetic)}
        return frame

    def growth(self) -> pd.DataFrame:
        """Growth of the context: with a model's own answers as measured, or the user's references."""
        models = ("paper", "gpt-4o-low", "gpt-4o", "llava-1.6")
        if self.bench is None:
            answers = load_published("measured_answers")
            model = answers["model"].unique()[-1]
            answers = answers.loc[answers["model"] == model]
            images = load_published("measured_images")
            growth = context_growth(load_published("measured_questions"), answers, images, models)
            growth.attrs = {"source": images.attrs["source"], "history": f"History: {model}'s own answers."}
            return growth
        lengths = self.turn_lengths("answer").rename(columns={"tokens": "answer_tokens"})
        growth = context_growth(dataset.question_tokens(self.bench), lengths, self.bench.images, models)
        growth.attrs = {
            "source": self.bench.name,
            "history": "History: the references.",
            "synthetic": self.bench.synthetic,
        }
        return growth

    def images_named(self) -> pd.DataFrame:
        """Count questions by how many images they are about."""
        if self.bench is None:
            about = load_published("measured_questions")["images"].fillna("")
            counts = about.map(lambda numbers: len([n for n in numbers.split(";") if n])).value_counts()
            attrs: dict[str, Any] = {
                "name": "real, first 20 turns",
                "source": "MMDU, measured (see published_tables)",
            }
        else:
            counts = dataset.question_tokens(self.bench)["n_referenced"].value_counts()
            attrs = {"name": self.bench.name, "synthetic": self.bench.synthetic}
        counts = counts.sort_index()
        frame = counts.rename_axis("bin").rename("count").reset_index().astype({"bin": "str"})
        frame["percent"] = frame["count"] * 100 / frame["count"].sum()
        frame.attrs = attrs | {
            "distribution": "named",
            "n": int(frame["count"].sum()),
            "edges": "Each question counts once",
        }
        return frame

    def topic_places(self) -> pd.DataFrame:
        """Group the dialogues of the user's data, else of the sample, by topic."""
        groups = topic_groups(self.full_bench)
        places = groups.dialogs.join(groups.topics["name"], on="topic")
        places.attrs = dict(groups.dialogs.attrs)
        return places

    def word_contrast(self) -> pd.DataFrame:
        """Words of questions against words of references."""
        return distinctive_words(self.word_counts("question"), self.word_counts("answer"))

    def word_counts(self, kind: str) -> pd.Series:
        """Count the words of the user's data, else those of the real dialogues as counted."""
        if self.bench is not None:
            counts = word_frequencies(self.bench, kind)
            counts.attrs["source"] = self.bench.name
            return counts
        table = load_published("measured_words")
        counts = table.loc[table["field"] == kind].set_index("word")["count"]
        counts.attrs = {"source": "MMDU, 1,615 questions and 107 references, words met twice or more"}
        return counts
