"""The paper's claims, each recomputed from its own tables, or on the data."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from mmdu_analysis.facts.tables import load_published, published_tables
from mmdu_analysis.io.benchmark import Benchmark
from mmdu_analysis.schema import DIMENSIONS, DataError
from mmdu_analysis.stats.agreement import judge_agreement
from mmdu_analysis.stats.dataset import distribution
from mmdu_analysis.stats.finetuning import finetuning_gain
from mmdu_analysis.stats.lengths import measure_dataset

if TYPE_CHECKING:
    import pandas as pd

VERDICTS = ("holds", "differs", "needs data")
SIX = [short for short in DIMENSIONS if short != "Avg"]
_ROUNDING = 0.05 + 1e-9  # half a unit of the last printed digit of a score or a percentage
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


class Outcome(NamedTuple):
    """What comes out for a claim.

    Attributes
    ----------
    value : float or str or None
        None where it can't be computed with what is there.
    holds : bool or None
        None: the value is compared with the stated number, to its printed digit.
    note : str
        What a reader should know beside it.
    """

    value: float | str | None
    holds: bool | None = None
    note: str = ""


def audit_paper(bench: Benchmark | None = None) -> pd.DataFrame:
    """Recompute what the paper states.

    Parameters
    ----------
    bench : Benchmark, optional
        Claims about the data are recomputed on it. Without it, what was measured on the real dialogues (their
        first 20 turns, table ``measured_claims``) stands in.

    Returns
    -------
    pandas.DataFrame
        One row a claim (index ``claim_id``): ``claim``, ``where`` (it stands), ``stated`` (as printed),
        ``recomputed``, ``difference`` (recomputed less stated; NA for words), ``verdict`` and ``note``.
        ``holds``: the recomputed number, rounded as the stated one is printed, is the stated one.
        ``differs``: it isn't; the note says where rounding may explain it. ``needs data``: what would
        be needed isn't among the paper's tables or the data at hand.

    Notes
    -----
    arXiv 2406.11833v2: tables 1-6, figures 1 and 4, text and appendices. A difference is no reproach; most
    are of rounding or of one number out of two.

    Examples
    --------
    >>> audit_paper().loc["sum/questions", ["stated", "recomputed", "verdict"]].tolist()
    ['100 %', '90 %', 'differs']
    """
    import pandas as pd

    claims = load_published("claims")
    measured = measured_outcomes() if bench is None else measure_claims(bench)
    rows = []
    for claim in claims.itertuples():
        outcome = _outcome(str(claim.claim_id), claim.beside, measured)
        verdict, difference = _judge(str(claim.stated), outcome)
        text = _printed(outcome.value, str(claim.stated))
        rows.append(
            (claim.claim_id, claim.claim, claim.where, claim.stated, text, difference, verdict, outcome.note)
        )
    columns = ["claim_id", "claim", "where", "stated", "recomputed", "difference", "verdict", "note"]
    frame = pd.DataFrame(rows, columns=columns).set_index("claim_id")
    frame = frame.astype(dict.fromkeys(frame.columns.drop("difference"), "str") | {"difference": "Float64"})
    source = published_tables().loc["claims", "source"]
    frame.attrs = {"source": source, "synthetic": bool(bench is not None and bench.synthetic)}
    return frame


def _outcome(claim_id: str, beside: object, measured: Mapping[str, Outcome]) -> Outcome:
    """Recompute one claim."""
    kind, _, rest = claim_id.partition("/")
    if kind == "open":
        return Outcome(
            None, note="the single scores of people and judges, or the inspected data, aren't published"
        )
    if kind == "data":
        return measured.get(claim_id, Outcome(None, note="not measured"))
    if isinstance(beside, str):
        return Outcome(beside, False, "the paper has it in two ways")
    if kind in _BY_KIND:
        return _BY_KIND[kind](rest)
    if claim_id not in _CHECKS:
        raise DataError(f"claim {claim_id!r} has no recomputation; expected one of {', '.join(_CHECKS)}")
    return _CHECKS[claim_id]()


def stated_number(text: str) -> tuple[float, float] | None:
    """Read a printed number and the unit of its last digit: ``"8.2k"`` is 8,200 and 100.

    Parameters
    ----------
    text : str
        As printed, such as ``"+6.5"``, ``"47.3 %"``, ``">= 5"``.

    Returns
    -------
    tuple of float, or None
        None where there is no number.
    """
    match = _NUMBER.search(text)
    if match is None:
        return None
    thousand = 1_000.0 if text[match.end() : match.end() + 1] in ("k", "K") else 1.0
    decimals = len(match[0].partition(".")[2])
    return float(match[0]) * thousand, thousand * 10.0**-decimals


def _judge(stated: str, outcome: Outcome) -> tuple[str, float | None]:
    """Give the verdict and the difference."""
    number = stated_number(stated)
    if outcome.value is None:
        return "needs data", None
    difference = None
    if number is not None and not isinstance(outcome.value, str):
        difference = float(outcome.value) - number[0]
    holds = outcome.holds
    if holds is None:
        if number is None or difference is None:
            raise DataError(f"a claim states {stated!r} and {outcome.value!r} comes out; it needs a verdict")
        holds = abs(difference) <= number[1] / 2 + 1e-9
    return ("holds" if holds else "differs"), difference


def _printed(value: float | str | None, stated: str) -> str:
    """Write a value as the stated one is printed, with one digit more where that tells more."""
    if value is None or isinstance(value, str):
        return value or ""
    number = stated_number(stated)
    unit = number[1] if number else 1.0
    scale, sign = (1_000.0, "k") if "k" in stated else (1.0, " %" if "%" in stated else "")
    decimals = max(0, round(-math.log10(unit / scale)))
    exact = float(f"{value / scale:.{decimals}f}") == round(value / scale, decimals + 3)
    return f"{value / scale:,.{decimals if exact else decimals + 1}f}{sign}"


# --- from the paper's tables


def _statistic(dataset: str, statistic: str, measure: str) -> float:
    table = load_published("statistics").set_index(["dataset", "statistic"])
    return float(table.loc[(dataset, statistic), measure])


def _models() -> pd.DataFrame:
    return load_published("main_results").set_index("model")


def _delta(rest: str) -> Outcome:
    """Give a fine-tuned model's gain in a column of a table."""
    table, model, metric = rest.split("/")[:3]
    gains = finetuning_gain(load_published(table), reference=None).set_index(["model", "metric"])
    relative = gains.loc[(model, metric), "relative_gain"]
    points = rest.endswith("/text")
    return Outcome(
        float(gains.loc[(model, metric), "gain"]),
        note=f"points; {relative:.1%} of the base" if points else "",
    )


def _average(rest: str) -> Outcome:
    table, model = rest.split("/")
    row = load_published(table).set_index("model").loc[model]
    return Outcome(float(row.drop(["base_model", "Avg"]).astype(float).mean()))


def _share(rest: str) -> Outcome:
    """Give the share of 110 dialogues that is nearest to a printed one."""
    name, label = rest.split("/")
    table = load_published("distributions").set_index(["distribution", "bin"])["percent"]
    total = int(_statistic("MMDU", "dialogs", "value"))
    stated = table.loc[(name, label)]
    count = round(stated * total / 100)
    value = 100 * count / total
    cut = int(value * 10) / 10 == stated and abs(value - stated) > _ROUNDING
    return Outcome(value, note=f"{count} of {total}" + ("; cut, not rounded" if cut else ""))


def _sum(rest: str) -> Outcome:
    table = load_published("distributions")
    shares = table.loc[table["distribution"] == rest, "percent"]
    total = round(float(shares.sum()), 1)
    note = "" if total == 100 else "rounding of the shares explains it"
    holds = abs(total - 100) <= _ROUNDING * len(shares)
    return Outcome(total, holds, note if holds else "the rest would be questions about no image")


def _figure1(rest: str) -> Outcome:
    tokens = load_published("benchmarks").set_index("benchmark")["average_text_tokens"]
    lower, upper = rest.split("/")
    return Outcome(float(tokens[upper] - tokens[lower]))


def _times(rest: str) -> Outcome:
    values = load_published("benchmarks").set_index("benchmark")[rest]
    others = values.drop("MMDU")
    ratio = float(values["MMDU"] / others.max())
    return Outcome(ratio, ratio >= 5, f"MMDU {values['MMDU']:g}, {others.idxmax()} {others.max():g}")


def _rank_of_gain(model: str) -> Outcome:
    gains = finetuning_gain(load_published("main_results")).set_index(["model", "metric"])["gain"][model]
    rank = int(gains[SIX].rank(ascending=False)["IRU"])
    return Outcome(
        float(rank), note=f"{gains['IRU']:+.1f}, the largest is {gains[SIX].idxmax()} {gains[SIX].max():+.1f}"
    )


def _maximum(rest: str) -> Outcome:
    statistic = rest.split("/")[0]
    return Outcome(_statistic("MMDU", statistic, "maximum"), note="Table 1")


def _in_45k(rest: str) -> Outcome:
    measure, _, statistic = rest.partition("/")
    if measure == "dialogs":
        return Outcome(_statistic("MMDU-45k", "dialogs", "value"), note="Table 1")
    return Outcome(_statistic("MMDU-45k", statistic.split("/")[0], measure), note="Table 1")


_BY_KIND: dict[str, Callable[[str], Outcome]] = {
    "delta": _delta,
    "average": _average,
    "share": _share,
    "sum": _sum,
    "figure1": _figure1,
    "times": _times,
    "maximum": _maximum,
    "45k": _in_45k,
}


def _count(access: tuple[str, ...]) -> Outcome:
    return Outcome(float(_models()["access"].isin(access).sum()))


def _best(access: str) -> Outcome:
    return Outcome(float(_models().query("access == @access")["Avg"].max()))


def _ratio(dataset: str, top: str, bottom: str) -> Outcome:
    return Outcome(_statistic(dataset, top, "value") / _statistic(dataset, bottom, "value"))


def _questions_45k() -> Outcome:
    single, multi = (
        _statistic("MMDU-45k", f"{kind}_image_questions", "value") for kind in ("single", "multi")
    )
    return Outcome(single + multi, note="rounding of the three numbers allows up to 1.5k")


def _tokens_45k() -> Outcome:
    texts = _statistic("MMDU-45k", "question_length", "average") + _statistic(
        "MMDU-45k", "answer_length", "average"
    )
    turns = _statistic("MMDU-45k", "qa_pairs", "value") / _statistic("MMDU-45k", "dialogs", "value")
    return Outcome(turns * texts + 471 * _statistic("MMDU-45k", "images", "average"))


def _longest() -> Outcome:
    tokens = load_published("benchmarks").set_index("benchmark")["average_text_tokens"]
    return Outcome(
        str(tokens.idxmax()), tokens.idxmax() == "MMDU", "of the four whose tokens the figure gives"
    )


def _cited(column: str, benchmarks: list[str], most: float, unit: str) -> Outcome:
    """Look up in Figure 1 what the benchmarks that a sentence cites have; the figure gives means."""
    values = load_published("benchmarks").set_index("benchmark")[column].drop("MMDU")
    cited = values[benchmarks].max()
    above = values[values > most]
    note = "; ".join(f"{name} {value:g}" for name, value in above.items())
    note = f"not cited there: {note} mean {unit}" if note else f"mean {unit}; Figure 1 has no maxima"
    return Outcome(float(cited), bool(cited <= most), note)


def _open_lag() -> Outcome:
    models = _models()
    closed, open_ = (models.loc[models["access"] == access, "Avg"] for access in ("closed", "open"))
    return Outcome(f"worst closed {closed.min()}, best open {open_.max()}", bool(closed.min() > open_.max()))


def _mean_of_six() -> Outcome:
    models = _models()
    excess = models[SIX].mean(axis=1) - models["Avg"]
    within = int((excess.abs() <= 2 * _ROUNDING).sum())
    note = f"the mean of the six is {excess.min():.1f} to {excess.max():.1f} higher; Avg is the judge's Overall Score"
    return Outcome(float(within), note=note)


def _gain_of(model: str, metric: str = "Avg") -> float:
    gains = finetuning_gain(load_published("main_results")).set_index(["model", "metric"])
    return float(gains.loc[(model, metric), "gain"])


def _more() -> Outcome:
    ours, other = _gain_of("InternLM-XC2+MMDU-45k"), _gain_of("LLaVa1.5-7B+MMDU-45k")
    return Outcome(f"{ours:+.1f} against {other:+.1f}", ours > other)


def _narrows() -> Outcome:
    gains = finetuning_gain(load_published("main_results")).query("metric == 'Avg'")
    shares = ", ".join(f"{share:.1%}" for share in gains["share_closed"])
    return Outcome(f"closes {shares}", bool((gains["gain"] > 0).all()), "of the distance to GPT-4o in Avg")


def _gains_in(table: str, metrics: list[str] | None = None) -> pd.Series:
    gains = finetuning_gain(load_published(table), reference=None)
    metrics = metrics or [name for name in gains["metric"].unique() if name not in ("MMDU", "Avg")]
    return gains.loc[gains["metric"].isin(metrics)].set_index(["model", "metric"])["gain"].round(6)


def _benefits() -> Outcome:
    return Outcome(float((_gains_in("finetuning", ["MMMU", "MMStar", "MMVet"]) > 0).sum()))


def _various() -> Outcome:
    gains = _gains_in("finetuning")
    up, same = int((gains > 0).sum()), int((gains == 0).sum())
    return Outcome(
        f"{up} of {len(gains)}", up > len(gains) / 2, f"{same} unchanged, {len(gains) - up - same} lower"
    )


def _multi_image() -> pd.Series:
    return _gains_in("multi_image", list(load_published("multi_image").columns.drop(["model", "base_model"])))


def _all_multi_image() -> Outcome:
    return Outcome(float((_multi_image() > 0).sum()))


def _most_notable() -> Outcome:
    best = _multi_image().idxmax()[1]
    return Outcome(str(best), best == "Mantis (sequence)", f"{_multi_image().max():+.1f}")


def _context_helps() -> Outcome:
    runs = load_published("ablation").query("study == 'max tokens'")
    steps = runs.groupby("model", sort=False)[[*SIX, "Avg"]].diff().dropna()
    return Outcome(float((steps > 0).to_numpy().sum()), note=f"of {steps.size}")


def _same_outcome() -> Outcome:
    runs = load_published("ablation").query("study == 'sft strategy'")[[*SIX, "Avg"]]
    apart = (runs.iloc[1] - runs.iloc[0]).abs()
    note = f"most in {apart.idxmax()}: {apart.max():.1f}"
    return Outcome(float(apart["Avg"]), note=note)


def _same_row(table: str, query: str, row: str, columns: list[str]) -> Outcome:
    """Count the numbers of a row that stand in Table 2 too."""
    found = load_published(table).query(query)[columns].iloc[0].astype(float)
    return Outcome(float((found == _models().loc[row, columns].astype(float)).sum()))


def _ablation_avg(model: str, setting: str, note: str) -> Outcome:
    runs = load_published("ablation").set_index(["model", "setting"])["Avg"]
    return Outcome(float(runs.loc[(model, setting)]), note=note)


_NAMES = {"LLaVa1.5": "LLaVa1.5-7B", "LLaVa1.5+MMDU-45k": "LLaVa1.5-7B+MMDU-45k"}


def _same_column(table: str) -> Outcome:
    column = load_published(table).set_index("model")["MMDU"].rename(index=_NAMES)
    return Outcome(float((column == _models().loc[column.index, "Avg"]).sum()))


def _same_table6() -> Outcome:
    judged = load_published("judges").query("judge == 'GPT-4o'").set_index("model")[[*SIX, "Avg"]]
    return Outcome(float((judged == _models().loc[judged.index, judged.columns]).to_numpy().sum()))


def _by_judge(metric: str) -> pd.DataFrame:
    return load_published("judges").pivot(index="model", columns="judge", values=metric)


def _ranked_alike(judges: list[str]) -> Outcome:
    pairs = judge_agreement(load_published("judges")).query("dimension == 'Overall Score'")
    pairs = pairs.loc[pairs["judge_a"].isin(judges) & pairs["judge_b"].isin(judges)]
    lowest = float(pairs["spearman"].min())
    apart = pairs["mean_difference"].abs().max()
    note = f"Spearman's correlation, at least; mean differences up to {apart:.1f} points"
    return Outcome(lowest, lowest > 1 - 1e-9, note)


def _claude_higher() -> Outcome:
    cells = load_published("judges").set_index(["model", "judge"])[[*SIX, "Avg"]]
    above = cells.xs("Claude3-Opus", level="judge") > cells.xs("GPT-4o", level="judge")
    count = int(above.to_numpy().sum())
    return Outcome(f"{count} of {above.size}", count > above.size / 2)


def _claude_slightly() -> Outcome:
    wide = _by_judge("Avg")
    apart = wide["Claude3-Opus"] - wide["GPT-4o"]
    return Outcome(
        float(apart.mean()),
        bool(apart.mean() < 5),
        f"Avg; from {apart.min():.1f} to {apart.max():.1f} points",
    )


def _claude_iru(other: str) -> Outcome:
    wide = _by_judge("IRU")
    higher = wide.index[wide["Claude3-Opus"] > wide[other]]
    return Outcome(
        float(len(wide) - len(higher)), note=f"higher for {', '.join(higher)}" if len(higher) else ""
    )


def _human_trails() -> Outcome:
    table = load_published("human_agreement").set_index("judge")
    lower = table.drop("GPT-4o") < table.loc["GPT-4o"]
    equal = table.drop("GPT-4o") == table.loc["GPT-4o"]
    ties = [f"{judge}, {measure}" for judge, row in equal.iterrows() for measure in row.index[row]]
    return Outcome(float(lower.to_numpy().sum()), note=f"equal: {'; '.join(ties)}" if ties else "")


def _table6_models() -> Outcome:
    return Outcome(float(load_published("judges")["model"].nunique()), note="Figure 14 names the same five")


_ARC_ERROR = 0.5  # points within which an arc of the picture can be measured


def _arc(distribution: str, bin_: str, note: str) -> Outcome:
    """Compare a printed share of Figure 4 with its arc, as measured on the picture."""
    keys = ["distribution", "bin"]
    arc = float(load_published("figure4_arcs").set_index(keys).loc[(distribution, bin_), "arc"])
    printed = float(load_published("distributions").set_index(keys).loc[(distribution, bin_), "percent"])
    return Outcome(arc, abs(arc - printed) <= _ARC_ERROR, f"measured within {_ARC_ERROR} points; {note}")


_UNSTATED = "the context with which Table 2 was run isn't stated"
_CHECKS: dict[str, Callable[[], Outcome]] = {
    "count/models": partial(_count, ("closed", "open")),
    "count/closed": partial(_count, ("closed",)),
    "count/open": partial(_count, ("open",)),
    "count/table6": _table6_models,
    "best/open": partial(_best, "open"),
    "best/closed": partial(_best, "closed"),
    "derived/turns": partial(_ratio, "MMDU", "qa_pairs", "dialogs"),
    "derived/images": partial(_ratio, "MMDU", "unique_images", "dialogs"),
    "derived/45k_turns": partial(_ratio, "MMDU-45k", "qa_pairs", "dialogs"),
    "derived/45k_questions": _questions_45k,
    "derived/45k_tokens": _tokens_45k,
    "arcs/questions": partial(
        _arc,
        "questions",
        "multi image related",
        "the arcs are 27.0 and 73.0: 62.9 is very likely a misprint of 72.9",
    ),
    "arcs/images": partial(
        _arc,
        "images",
        "2",
        "the arcs of 2 and 3-10 images are 46.4 and 47.4: the two labels are very likely swapped",
    ),
    "words/more_than_1600": lambda: Outcome(
        _statistic("MMDU", "qa_pairs", "value"), _statistic("MMDU", "qa_pairs", "value") > 1600
    ),
    "words/longest": _longest,
    "related/turns": partial(_cited, "average_turns", ["ConvBench"], 3, "turns"),
    "related/images": partial(_cited, "average_images", ["NLVR2", "Co-Instruct"], 4, "images"),
    "words/open_lag": _open_lag,
    "words/averaged": _mean_of_six,
    "words/especially/LLaVa1.5-7B+MMDU-45k": partial(_rank_of_gain, "LLaVa1.5-7B+MMDU-45k"),
    "words/especially/InternLM-XC2+MMDU-45k": partial(_rank_of_gain, "InternLM-XC2+MMDU-45k"),
    "words/xc2_benefits_more": _more,
    "words/addresses_gap": _narrows,
    "words/benefits_existing": _benefits,
    "words/various_benchmarks": _various,
    "words/all_multi_image": _all_multi_image,
    "words/most_notable": _most_notable,
    "words/context_helps": _context_helps,
    "words/same_outcome": _same_outcome,
    "same/continue_training": partial(
        _same_row, "ablation", "setting == 'continue training'", "LLaVa1.5-7B+MMDU-45k", [*SIX, "Avg"]
    ),
    "same/base_4k": partial(_ablation_avg, "LLaVa1.5", "4k", _UNSTATED),
    "same/tuned_8k": partial(_ablation_avg, "LLaVa1.5+MMDU-45k", "8k", _UNSTATED),
    "same/table3": partial(_same_column, "finetuning"),
    "same/table4": partial(_same_column, "multi_image"),
    "same/table6": _same_table6,
    "words/gpt_judges_alike": partial(_ranked_alike, ["GPT-4o", "GPT-4-turbo"]),
    "words/judges_robust": partial(_ranked_alike, ["GPT-4o", "GPT-4-turbo", "Claude3-Opus"]),
    "words/claude_higher": _claude_higher,
    "words/claude_slightly": _claude_slightly,
    "words/claude_iru_gpt4o": partial(_claude_iru, "GPT-4o"),
    "words/claude_iru_turbo": partial(_claude_iru, "GPT-4-turbo"),
    "words/human_trails": _human_trails,
}


# --- on the data


def measured_outcomes() -> dict[str, Outcome]:
    """Give what was measured on the real dialogues, as shipped."""
    table = load_published("measured_claims")
    return {
        row.claim_id: Outcome(None if row.value != row.value else float(row.value), note=row.note or "")
        for row in table.fillna({"note": ""}).itertuples()
    }


def measure_claims(bench: Benchmark) -> dict[str, Outcome]:
    """Recompute the claims about the data on a benchmark.

    Parameters
    ----------
    bench : Benchmark
        MMDU, whole or in part.

    Returns
    -------
    dict of str to Outcome
        Claim -> what comes out; no value where the data lacks what it takes, with a note of what.
    """
    whole = measure_dataset(bench)
    lengths = whole.table
    n_dialogs, n_questions = len(lengths), int(lengths["n_turns"].sum())
    turns, images = lengths["n_turns"], lengths["n_images"]
    # A copy of the benchmark that stops at turn 20 can't tell how far its longest dialogues go on.
    cut = "the data ends at turn 20 of each dialogue" if turns.max() == 20 else ""
    missing = int(lengths["n_missing"].sum())
    lacking = f"{missing:,} of {n_questions:,} references are missing from the data" if missing else ""
    unique = whole.unique_images
    single, multi, none = (
        int(lengths[f"{kind}_questions"].sum()) for kind in ("single_image", "multi_image", "no_image")
    )
    ours = "questions whose text names them; the paper doesn't define it"
    of = f"{{}} of {n_dialogs}"

    def share(count: int) -> Outcome:
        return Outcome(100 * count / n_dialogs, note=of.format(count))

    found = {
        "data/dialogs": Outcome(float(n_dialogs)),
        "data/qa_pairs": _unless(cut, n_questions),
        "data/turns/average": _unless(cut, turns.mean()),
        "data/turns/maximum": _unless(cut, turns.max()),
        "data/images/average": Outcome(float(images.mean())),
        "data/images/maximum": Outcome(float(images.max())),
        "data/images/minimum": Outcome(float(images.min())),
        "data/images/count": Outcome(float(images.sum()), note=f"{unique} different files"),
        "data/share/turns/<=10": share(int((turns <= 10).sum())),
        "data/share/turns/11-15": share(int(turns.between(11, 15).sum())),
        "data/share/turns/>15": share(int((turns > 15).sum())),
        "data/share/turns/>20": _unless(cut, 100 * (turns > 20).mean()),
        "data/questions/single": Outcome(
            100 * single / n_questions, note=f"{single:,} of {n_questions:,} {ours}"
        ),
        "data/questions/multi": Outcome(
            100 * multi / n_questions, note=f"{multi:,} of {n_questions:,} {ours}"
        ),
        "data/questions/two_at_least": Outcome(
            100 * multi / n_questions, note=f"{single:,} are about one image, {none:,} about none"
        ),
        "data/tokens/average": _unless(lacking, lengths["image_text_tokens"].mean()),
        "data/tokens/maximum": _unless(lacking, lengths["image_text_tokens"].max()),
        "data/tokens/text": _unless(lacking, lengths["text_tokens"].mean()),
    }
    for name, low, high in (("2", 2, 2), ("3-10", 3, 10), ("11-20", 11, 20)):
        found[f"data/share/images/{name}"] = share(int(images.between(low, high).sum()))
    for row in distribution(lengths, "tokens").itertuples():
        found[f"data/share/tokens/{row.bin}"] = _unless(lacking, row.percent, of.format(row.count))
    swapped = found["data/share/images/2"].note, found["data/share/images/3-10"].note
    if swapped == ("51 of 110", "52 of 110"):
        for name in ("2", "3-10"):
            key = f"data/share/images/{name}"
            found[key] = found[key]._replace(
                note=f"{found[key].note}; the paper's two shares fit the other way round"
            )
    return found


def _unless(lacking: str, value: float, note: str = "") -> Outcome:
    return Outcome(None, note=lacking) if lacking else Outcome(float(value), note=note)
