"""Recomputation of the paper's claims about fine-tuning, context and judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.stats.claims import SEVEN, SIX, Recomputed, Tables, claim

if TYPE_CHECKING:
    import pandas as pd


@claim("delta/*")
def _delta(tables: Tables, rest: str) -> Recomputed:
    """Return a fine-tuned model's gain in a column of a table."""
    table, model, metric = rest.split("/")[:3]
    row = tables.gains(table).loc[(model, metric)]
    note = f"points; {row['relative_gain']:.1%} of the base" if rest.endswith("/text") else ""
    return Recomputed(float(row["gain"]), note=note)


@claim("average/*")
def _average(tables: Tables, rest: str) -> Recomputed:
    table, model = rest.split("/")
    row = tables(table).set_index("model").loc[model]
    return Recomputed(float(row.drop(["base_model", "Avg"]).astype(float).mean()))


@claim("words/especially/LLaVa1.5-7B+MMDU-45k", "words/especially/InternLM-XC2+MMDU-45k")
def _rank_of_gain(tables: Tables, claim_id: str) -> Recomputed:
    gains = tables.gains("main_results")["gain"][claim_id.removeprefix("words/especially/")]
    rank = float(gains[SIX].rank(ascending=False)["IRU"])
    largest = gains[SIX].idxmax()
    return Recomputed(rank, note=f"{gains['IRU']:+.1f}, the largest is {largest} {gains[largest]:+.1f}")


@claim("words/xc2_benefits_more")
def _more(tables: Tables, _: str) -> Recomputed:
    gains = tables.gains("main_results")["gain"]
    ours, other = gains["InternLM-XC2+MMDU-45k", "Avg"], gains["LLaVa1.5-7B+MMDU-45k", "Avg"]
    return Recomputed(f"{ours:+.1f} against {other:+.1f}", bool(ours > other))


@claim("words/addresses_gap")
def _narrows(tables: Tables, _: str) -> Recomputed:
    gains = tables.gains("main_results").xs("Avg", level="metric")
    shares = ", ".join(f"{share:.1%}" for share in gains["share_closed"])
    return Recomputed(f"closes {shares}", bool((gains["gain"] > 0).all()), "of the distance to GPT-4o in Avg")


def _gains_in(tables: Tables, table: str, metrics: list[str] | None = None) -> pd.Series:
    gains = tables.gains(table)["gain"].round(6)
    names = gains.index.get_level_values("metric")
    return gains[names.isin(metrics) if metrics else ~names.isin(["MMDU", "Avg"])]


@claim("words/benefits_existing")
def _benefits(tables: Tables, _: str) -> Recomputed:
    return Recomputed(float((_gains_in(tables, "finetuning", ["MMMU", "MMStar", "MMVet"]) > 0).sum()))


@claim("words/various_benchmarks")
def _various(tables: Tables, _: str) -> Recomputed:
    gains = _gains_in(tables, "finetuning")
    up, same = int((gains > 0).sum()), int((gains == 0).sum())
    note = f"{same} unchanged, {len(gains) - up - same} lower"
    return Recomputed(f"{up} of {len(gains)}", up > len(gains) / 2, note)


def _multi_image(tables: Tables) -> pd.Series:
    columns = tables("multi_image").columns.drop(["model", "base_model"])
    return _gains_in(tables, "multi_image", list(columns))


@claim("words/all_multi_image")
def _all_multi_image(tables: Tables, _: str) -> Recomputed:
    return Recomputed(float((_multi_image(tables) > 0).sum()))


@claim("words/most_notable")
def _most_notable(tables: Tables, _: str) -> Recomputed:
    gains = _multi_image(tables)
    best = str(gains.idxmax()[1])
    return Recomputed(best, best == "Mantis (sequence)", f"{gains.max():+.1f}")


@claim("words/context_helps")
def _context_helps(tables: Tables, _: str) -> Recomputed:
    runs = tables("ablation").query("study == 'max tokens'")
    steps = runs.groupby("model", sort=False)[SEVEN].diff().dropna()
    return Recomputed(float((steps > 0).to_numpy().sum()), note=f"of {steps.size}")


@claim("words/same_outcome")
def _same_outcome(tables: Tables, _: str) -> Recomputed:
    runs = tables("ablation").query("study == 'sft strategy'")[SEVEN]
    apart = (runs.iloc[1] - runs.iloc[0]).abs()
    return Recomputed(float(apart["Avg"]), note=f"most in {apart.idxmax()}: {apart.max():.1f}")


# --- consistency of tables


@claim("same/continue_training")
def _continued(tables: Tables, _: str) -> Recomputed:
    found = tables("ablation").query("setting == 'continue training'")[SEVEN].iloc[0].astype(float)
    in_table_2 = tables.models.loc["LLaVa1.5-7B+MMDU-45k", SEVEN].astype(float)
    return Recomputed(float((found == in_table_2).sum()))


@claim("same/base_4k", "same/tuned_8k")
def _in_ablation(tables: Tables, claim_id: str) -> Recomputed:
    cell = ("LLaVa1.5", "4k") if claim_id.endswith("4k") else ("LLaVa1.5+MMDU-45k", "8k")
    value = tables("ablation").set_index(["model", "setting"])["Avg"].loc[cell]
    return Recomputed(float(value), note="the context with which Table 2 was run isn't stated")


@claim("same/table3", "same/table4")
def _same_column(tables: Tables, claim_id: str) -> Recomputed:
    names = {"LLaVa1.5": "LLaVa1.5-7B", "LLaVa1.5+MMDU-45k": "LLaVa1.5-7B+MMDU-45k"}
    table = tables("finetuning" if claim_id.endswith("3") else "multi_image")
    column = table.set_index("model")["MMDU"].rename(index=names)
    return Recomputed(float((column == tables.models.loc[column.index, "Avg"]).sum()))


@claim("same/table6")
def _same_table6(tables: Tables, _: str) -> Recomputed:
    judged = tables("judges").query("judge == 'GPT-4o'").set_index("model")[SEVEN]
    return Recomputed(float((judged == tables.models.loc[judged.index, SEVEN]).to_numpy().sum()))


# --- judges: Table 6 and people


@claim("count/table6")
def _table6_models(tables: Tables, _: str) -> Recomputed:
    return Recomputed(float(tables("judges")["model"].nunique()), note="Figure 14 names the same five")


@claim("words/gpt_judges_alike", "words/judges_robust")
def _ranked_alike(tables: Tables, claim_id: str) -> Recomputed:
    pairs = tables.judge_pairs
    if claim_id.endswith("gpt_judges_alike"):
        gpt = ["GPT-4o", "GPT-4-turbo"]
        pairs = pairs.loc[pairs["judge_a"].isin(gpt) & pairs["judge_b"].isin(gpt)]
    lowest, apart = float(pairs["spearman"].min()), pairs["mean_difference"].abs().max()
    note = f"Spearman's correlation, at least; mean differences up to {apart:.1f} points"
    return Recomputed(lowest, lowest > 1 - 1e-9, note)


@claim("words/claude_higher")
def _claude_higher(tables: Tables, _: str) -> Recomputed:
    cells = tables("judges").set_index(["model", "judge"])[SEVEN]
    above = cells.xs("Claude3-Opus", level="judge") > cells.xs("GPT-4o", level="judge")
    count = int(above.to_numpy().sum())
    return Recomputed(f"{count} of {above.size}", count > above.size / 2)


@claim("words/claude_slightly")
def _claude_slightly(tables: Tables, _: str) -> Recomputed:
    wide = tables.by_judge("Avg")
    apart = wide["Claude3-Opus"] - wide["GPT-4o"]
    note = f"Avg; from {apart.min():.1f} to {apart.max():.1f} points"
    return Recomputed(float(apart.mean()), bool(apart.mean() < 5), note)


@claim("words/claude_iru_gpt4o", "words/claude_iru_turbo")
def _claude_iru(tables: Tables, claim_id: str) -> Recomputed:
    other = "GPT-4o" if claim_id.endswith("gpt4o") else "GPT-4-turbo"
    wide = tables.by_judge("IRU")
    higher = wide.index[wide["Claude3-Opus"] > wide[other]]
    note = f"higher for {', '.join(higher)}" if len(higher) else ""
    return Recomputed(float(len(wide) - len(higher)), note=note)


@claim("words/human_trails")
def _human_trails(tables: Tables, _: str) -> Recomputed:
    table = tables("human_agreement").set_index("judge")
    others = table.drop("GPT-4o")
    equal = others == table.loc["GPT-4o"]
    ties = "; ".join(f"{judge}, {measure}" for judge, row in equal.iterrows() for measure in row.index[row])
    lower = (others < table.loc["GPT-4o"]).to_numpy().sum()
    return Recomputed(float(lower), note=f"equal: {ties}" if ties else "")
