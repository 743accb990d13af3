"""Recomputation of the paper's claims about its data, on a benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.facts.tables import load_published
from mmdu_analysis.stats.claims import Recomputed
from mmdu_analysis.stats.dataset import BINS, distribution
from mmdu_analysis.stats.lengths import DatasetLengths, measure_dataset

if TYPE_CHECKING:
    from mmdu_analysis.io.benchmark import Benchmark

_SWAPPED = (51, 52)
"""Dialogues of 2 and of 3 to 10 images in MMDU; the paper's two shares are those of 52 and 51."""


def measured_claims() -> dict[str, Recomputed]:
    """Return the measurements of the real dialogues, as shipped."""
    table = load_published("measured_claims")
    return {
        row.claim_id: Recomputed(None if row.value != row.value else float(row.value), note=row.note or "")
        for row in table.fillna({"note": ""}).itertuples()
    }


def measure_claims(benchmark: Benchmark) -> dict[str, Recomputed]:
    """Recompute the claims about the data on a benchmark.

    Parameters
    ----------
    benchmark : Benchmark
        MMDU, complete or a part of it.

    Returns
    -------
    dict of str to Recomputed
        Claim to its value; without a value but with a note if the data is not sufficient.
    """
    whole = measure_dataset(benchmark)
    return _sizes(whole) | _shares(whole) | _questions(whole) | _tokens(whole)


def _sizes(whole: DatasetLengths) -> dict[str, Recomputed]:
    turns, images = whole.table["n_turns"], whole.table["n_images"]
    cut = _cut(whole)
    return {
        "data/dialogs": Recomputed(float(len(turns))),
        "data/qa_pairs": _unless(cut, turns.sum()),
        "data/turns/average": _unless(cut, turns.mean()),
        "data/turns/maximum": _unless(cut, turns.max()),
        "data/images/average": Recomputed(float(images.mean())),
        "data/images/maximum": Recomputed(float(images.max())),
        "data/images/minimum": Recomputed(float(images.min())),
        "data/images/count": Recomputed(float(images.sum()), note=f"{whole.unique_images} different files"),
    }


def _cut(whole: DatasetLengths) -> str:
    """Return a reason if the data is a copy that ends at turn 20, since its longest dialogues have more turns."""
    return "the data ends at turn 20 of each dialogue" if whole.table["n_turns"].max() == 20 else ""


def _shares(whole: DatasetLengths) -> dict[str, Recomputed]:
    turns, images = whole.table["n_turns"], whole.table["n_images"]
    values = {
        "data/share/turns/<=10": _share(int((turns <= 10).sum()), len(turns)),
        "data/share/turns/11-15": _share(int(turns.between(11, 15).sum()), len(turns)),
        "data/share/turns/>15": _share(int((turns > 15).sum()), len(turns)),
        "data/share/turns/>20": _unless(_cut(whole), 100 * (turns > 20).mean()),
    }
    counts = {
        name: int(images.between(low, high).sum())
        for name, low, high in (("2", 2, 2), ("3-10", 3, 10), ("11-20", 11, 20))
    }
    swapped = (counts["2"], counts["3-10"]) == _SWAPPED
    for name, count in counts.items():
        more = "; the two shares in the paper are swapped" if swapped and name != "11-20" else ""
        values[f"data/share/images/{name}"] = _share(count, len(images), more)
    return values


def _questions(whole: DatasetLengths) -> dict[str, Recomputed]:
    total = int(whole.table["n_turns"].sum())
    single, multi, none = (
        int(whole.table[f"{kind}_questions"].sum()) for kind in ("single_image", "multi_image", "no_image")
    )
    ours = "questions whose text names them; the paper doesn't define it"
    counts = f"{single:,} are about one image, {none:,} about none"
    return {
        "data/questions/single": Recomputed(100 * single / total, note=f"{single:,} of {total:,} {ours}"),
        "data/questions/multi": Recomputed(100 * multi / total, note=f"{multi:,} of {total:,} {ours}"),
        "data/questions/two_at_least": Recomputed(100 * multi / total, note=counts),
    }


def _tokens(whole: DatasetLengths) -> dict[str, Recomputed]:
    lengths = whole.table
    missing, questions = int(lengths["n_missing"].sum()), int(lengths["n_turns"].sum())
    lacking = f"{missing:,} of {questions:,} references are missing from the data" if missing else ""
    values = {
        "data/tokens/average": _unless(lacking, lengths["image_text_tokens"].mean()),
        "data/tokens/maximum": _unless(lacking, lengths["image_text_tokens"].max()),
        "data/tokens/text": _unless(lacking, lengths["text_tokens"].mean()),
    }
    if lacking:
        return values | {
            f"data/share/tokens/{label}": Recomputed(note=lacking) for label, *_ in BINS["tokens"]
        }
    for row in distribution(lengths, "tokens").itertuples():
        note = f"{row.count} of {len(lengths)}"
        values[f"data/share/tokens/{row.bin}"] = Recomputed(float(row.percent), note=note)
    return values


def _share(count: int, total: int, more: str = "") -> Recomputed:
    return Recomputed(100 * count / total, note=f"{count} of {total}{more}")


def _unless(lacking: str, value: float, note: str = "") -> Recomputed:
    """Return a value, or no value with the reason if data is missing."""
    return Recomputed(note=lacking) if lacking else Recomputed(float(value), note=note)
