"""The numbers of Figure 4: shares as published, as measured, and not observed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mmdu_analysis.facts.tables import load_published, published_tables
from mmdu_analysis.schema import is_synthetic

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.study import Study

PANELS = {
    "turns": ("turns of a dialogue", "dialogues"),
    "images": ("images of a dialogue", "dialogues"),
    "tokens": ("image and text tokens of a dialogue", "dialogues"),
    "questions": ("images that a question is about", "questions"),
}
"""Distribution to its axis label and unit."""

ORIGINS = ("published", "measured")

_OBSERVED_TURNS = 20
"""Turn after which the measured dialogues are truncated."""

_MEASURED = "measured on the real dialogues"
_CUT = "The measured dialogues end at turn 20: whether the hatched ones continue is not observed."
_NO_REFERENCES = "Tokens were not measured: references are known for {known:,} of {total:,} turns."
_COLUMNS = ["panel", "unit", "bin", "origin", "count", "percent", "observed", "n", "data", "note", "source"]


def distribution_numbers(study: Study) -> pd.DataFrame:
    """Return the numbers of all panels of Figure 4, see `_panel`."""
    import pandas as pd

    return pd.concat([_panel(study, name) for name in PANELS], ignore_index=True)


def one_panel(name: str) -> Callable[[Study], pd.DataFrame]:
    """Return the function that computes the numbers of one panel."""

    def numbers(study: Study) -> pd.DataFrame:
        return _panel(study, name)

    return numbers


def _panel(study: Study, name: str) -> pd.DataFrame:
    """Return the published and the measured shares of one panel, one row per bin and origin."""
    import pandas as pd

    measured = _of_facts(name) if study.benchmark is None else _of_study(study, name)
    labels = list(dict.fromkeys(measured["bin"]))
    published = _published(name, labels)
    frame = pd.concat([published, measured], ignore_index=True)
    frame = frame.assign(panel=name, unit=PANELS[name][1])
    order = {label: rank for rank, label in enumerate(labels)}
    frame = frame.sort_values("bin", key=lambda column: column.map(order), kind="stable")
    synthetic = study.benchmark is not None and is_synthetic(study.benchmark.dialogs)
    return frame[_COLUMNS].assign(synthetic=synthetic).reset_index(drop=True)


def _published(name: str, labels: list[str]) -> pd.DataFrame:
    """Return the printed shares of the paper, with the labels of the measured bins."""
    table = load_published("distributions")
    shares = table.loc[table["distribution"] == name]
    known = [label for label in labels if label not in ("no image", "<2", ">20" if name == "images" else "")]
    return (
        shares[["percent"]]
        .assign(bin=known[: len(shares)])
        .assign(
            origin="published",
            count=float("nan"),
            observed=True,
            n=float("nan"),
            data=None,
            note=None,
            source=published_tables().loc["distributions", "source"],
        )
    )


def _of_study(study: Study, name: Any) -> pd.DataFrame:
    """Return the shares of the study's own benchmark."""
    from mmdu_analysis.stats.dataset import BINS, distribution

    benchmark = study.need_benchmark()
    known, total = int(benchmark.turns["answer"].notna().sum()), len(benchmark.turns)
    if name == "tokens" and known < 0.9 * total:
        reason = _NO_REFERENCES.format(known=known, total=total)
        return _nothing([label for label, *_ in BINS["tokens"]], benchmark.name, reason)
    shares = distribution(study.lengths(), name)
    source = benchmark.name if name != "tokens" else f"{benchmark.name}, 471 tokens per image as in the paper"
    return _measured(shares, benchmark.name, source)


def _measured(shares: pd.DataFrame, data: str, source: str) -> pd.DataFrame:
    return shares[["bin", "count", "percent"]].assign(
        origin="measured", observed=True, n=int(shares["count"].sum()), data=data, note=None, source=source
    )


def _nothing(labels: list[str], data: str, reason: str) -> pd.DataFrame:
    """Return bins without observations."""
    import pandas as pd

    frame = pd.DataFrame({"bin": labels, "count": float("nan"), "percent": float("nan")})
    return frame.assign(
        origin="measured", observed=False, n=float("nan"), data=data, note=reason, source=data
    )


def _of_facts(name: str) -> pd.DataFrame:
    """Return the shares that were measured on the real dialogues."""
    from mmdu_analysis.stats.dataset import BINS

    if name == "questions":
        return _facts_of_questions(["no image", "single image", "multi image"], 2)
    dialogs = load_published("measured_dialogs")
    source = published_tables().loc["measured_dialogs", "source"]
    if name == "tokens":
        table = load_published("measured_questions")
        known, total = int(table["reference_tokens"].notna().sum()), len(table)
        reason = _NO_REFERENCES.format(known=known, total=total)
        return _nothing([label for label, *_ in BINS["tokens"]], _MEASURED, reason).assign(source=source)
    values = dialogs["n_turns" if name == "turns" else "n_images"]
    shares = _binned(values, BINS[name], keep_empty=name == "turns")
    frame = _measured(shares, _MEASURED, source)
    return _cut_at_twenty(frame, values) if name == "turns" else frame


def _binned(values: pd.Series, bins: Any, *, keep_empty: bool) -> pd.DataFrame:
    import pandas as pd

    rows = [(label, int(values.between(low, high).sum())) for label, low, high in bins]
    kept = [row for row in rows if row[1] or keep_empty]
    frame = pd.DataFrame(kept, columns=["bin", "count"])
    return frame.assign(percent=100 * frame["count"] / len(values))


def _cut_at_twenty(frame: pd.DataFrame, turns: pd.Series) -> pd.DataFrame:
    """Separate the dialogues whose end was not observed from those of 16 to 20 turns."""
    import pandas as pd

    open_ended = int((turns >= _OBSERVED_TURNS).sum())
    ended = frame["bin"] == "16-20"
    frame = frame.loc[frame["bin"] != ">20"].copy()
    frame.loc[ended, "count"] -= open_ended
    frame["percent"] = 100 * frame["count"] / len(turns)
    hidden = frame.loc[ended].assign(
        count=open_ended, percent=100 * open_ended / len(turns), observed=False, note=_CUT
    )
    beyond = hidden.assign(bin=">20", count=float("nan"), percent=float("nan"))
    return pd.concat([frame, hidden, beyond], ignore_index=True)


def _facts_of_questions(labels: list[str], most: int) -> pd.DataFrame:
    """Return the shares of the measured questions by the number of images that they are about."""
    import pandas as pd

    named = load_published("measured_questions")["images"].fillna("")
    numbers = named.map(lambda text: len([part for part in str(text).split(";") if part]))
    counts = numbers.clip(upper=most).value_counts().reindex(range(most + 1), fill_value=0)
    shares = pd.DataFrame({"bin": labels, "count": counts.to_numpy()})
    shares["percent"] = 100 * shares["count"] / shares["count"].sum()
    return _measured(shares, _MEASURED, published_tables().loc["measured_dialogs", "source"])


def images_named_numbers(study: Study) -> pd.DataFrame:
    """Return the shares of questions by the number of images that they are about."""
    import pandas as pd

    if study.benchmark is None:
        named = load_published("measured_questions")["images"].fillna("")
        most = int(named.map(lambda text: len([part for part in str(text).split(";") if part])).max())
        frame = _facts_of_questions([str(number) for number in range(most + 1)], most)
        synthetic = False
    else:
        from mmdu_analysis.stats.dataset import question_tokens

        counts = question_tokens(study.benchmark)["n_referenced"].value_counts().sort_index()
        shares = pd.DataFrame({"bin": counts.index.astype("str"), "count": counts.to_numpy()})
        shares["percent"] = 100 * shares["count"] / shares["count"].sum()
        frame = _measured(shares, study.benchmark.name, study.benchmark.name)
        synthetic = is_synthetic(study.benchmark.dialogs)
    frame = frame.loc[frame["count"] > 0].assign(panel="named", unit="questions", synthetic=synthetic)
    return frame[[*_COLUMNS, "synthetic"]].reset_index(drop=True)


def donut_numbers(_: Study) -> pd.DataFrame:
    """Return the labels and the arcs of Figure 4."""
    printed = load_published("distributions").rename(columns={"percent": "printed"})
    frame = printed.merge(load_published("figure4_arcs"), on=["distribution", "bin"], validate="one_to_one")
    return frame.assign(source=published_tables().loc["figure4_arcs", "source"], synthetic=False)
