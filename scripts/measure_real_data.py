"""Measure the real benchmark and write the shipped facts: numbers and words' counts, no texts, no pictures.

Usage: python scripts/measure_real_data.py ../shared/data [mmdu_analysis/facts]

The data (see its README) is MMDU as a third party ran it: the first 20 turns of each dialogue, all
images, 107 references, three models' answers, one person's judgement of each answer.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pandas as pd

from mmdu_analysis.io.answers import load_answers
from mmdu_analysis.io.benchmark import Benchmark, load_benchmark
from mmdu_analysis.stats.answer_metrics import METRICS, answer_metrics
from mmdu_analysis.stats.data_claims import measure_claims
from mmdu_analysis.stats.dataset import answer_tokens, question_tokens
from mmdu_analysis.stats.references import question_images
from mmdu_analysis.stats.topics import topic_groups
from mmdu_analysis.stats.words import word_frequencies

RAREST_WORD = 2


def measure_dialogs(bench: Benchmark) -> pd.DataFrame:
    """One row per dialogue."""
    placed = bench.images.groupby("dialog_id")["first_turn"].count()
    return bench.dialogs[["n_turns", "n_images"]].assign(placed_images=placed).reset_index()


def measure_questions(bench: Benchmark) -> pd.DataFrame:
    """One row per question: its length and the images that it is about."""
    images = (
        question_images(bench).groupby(["dialog_id", "turn"])["image"].agg(lambda n: ";".join(map(str, n)))
    )
    table = question_tokens(bench).join(images.rename("images"), on=["dialog_id", "turn"])
    table["reference_tokens"] = answer_tokens(bench)
    return table[
        ["dialog_id", "turn", "question_tokens", "new_images", "images_so_far", "images", "reference_tokens"]
    ]


def measure_images(bench: Benchmark, sizes: pd.DataFrame) -> pd.DataFrame:
    """One row per image: the original picture's size; the same ``picture`` is the same file."""
    table = bench.images.assign(file=bench.images["path"].str.rsplit("/").str[-1])
    table = table.drop(columns=["width", "height"]).merge(sizes, on="file", how="left")
    table["picture"] = pd.factorize(table["path"])[0] + 1
    table = table.astype({"width": "Int64", "height": "Int64"})
    return table[["dialog_id", "image", "picture", "first_turn", "width", "height"]]


def measure_answers(bench: Benchmark, folder: Path) -> pd.DataFrame:
    """One row per answer of a model: its length, and what else can be measured without a judge."""
    table = answer_metrics(load_answers(folder), bench)
    table = table.round({"rouge_l": 4, "token_f1": 4, "repetition": 4}).astype({"refusal": int})
    return table[["model", "dialog_id", "turn", *METRICS]]


def measure_words(bench: Benchmark) -> pd.DataFrame:
    """Words of questions and references with their counts; words with one occurrence are left out."""
    parts = []
    for field in ("question", "answer"):
        counts = word_frequencies(bench, field)
        parts.append(counts.loc[counts["count"] >= RAREST_WORD])
    return pd.concat(parts)[["field", "word", "count"]]


def measure_topics(bench: Benchmark) -> pd.DataFrame:
    """One row per dialogue: its topic, the topic's three top words, its coordinates on the map, its silhouette."""
    groups = topic_groups(bench)
    names = groups.topics["name"].rename("words")
    table = groups.dialogs[["topic", "x", "y", "silhouette"]].round(4).join(names, on="topic")
    return table.reset_index()


def measured_claims(bench: Benchmark) -> pd.DataFrame:
    """One row per claim of the paper about the data: the recomputed value, or the data that it needs."""
    rows = [(key, outcome.value, outcome.note) for key, outcome in measure_claims(bench).items()]
    return pd.DataFrame(rows, columns=["claim_id", "value", "note"]).round({"value": 6})


def main(data: Path, out: Path) -> None:
    """Write every measured table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # known gaps of the data, described in its README
        bench = load_benchmark(data / "mmdu" / "benchmark.json")
    sizes = pd.read_csv(data / "mmdu" / "images.csv")[["file", "width", "height"]]
    tables = {
        "measured_dialogs": measure_dialogs(bench),
        "measured_questions": measure_questions(bench),
        "measured_images": measure_images(bench, sizes),
        "measured_answers": measure_answers(bench, data / "mmdu" / "answers"),
        "measured_words": measure_words(bench),
        "measured_topics": measure_topics(bench),
        "measured_claims": measured_claims(bench),
        "correctness": pd.read_csv(data / "mmdu" / "correctness.csv", dtype={"dialog_id": "str"}),
    }
    for name, table in tables.items():
        table.to_csv(out / f"{name}.csv", index=False, lineterminator="\n")
        print(f"{name}: {len(table)} rows")


if __name__ == "__main__":
    default = Path(__file__).parent.parent / "mmdu_analysis" / "facts"
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else default)
