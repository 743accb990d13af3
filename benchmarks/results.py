"""What the benchmarks give: a table, and a figure of the ratios."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

HERE = Path(__file__).parent


class Result(NamedTuple):
    """One comparison in one run.

    Attributes
    ----------
    what, peer : str
        What was done, and what it is measured against.
    seconds, peer_seconds : float
        Wall time of each; None where there is no peer.
    memory, peer_memory : float
        Peak MiB of each.
    """

    what: str
    peer: str
    seconds: float
    peer_seconds: float | None = None
    memory: float | None = None
    peer_memory: float | None = None

    def __str__(self) -> str:
        text = f"{self.what}: {self.seconds:.3g} s" if self.seconds == self.seconds else self.what
        if self.peer_seconds is None:
            return (
                text
                + (f", {self.memory:,.0f} MiB" if self.memory else "")
                + (f" ({self.peer})" if self.peer else "")
            )
        text += (
            f"; {self.peer} {self.peer_seconds:.3g} s, {self.peer_seconds / self.seconds:.1f} times as long"
        )
        if self.memory and self.peer_memory:
            text += f"; {self.memory:,.0f} MiB against {self.peer_memory:,.0f}"
        return text


def write_results(results: Iterable[Result], *, whole: bool = True) -> None:
    """Write ``results.csv``, ``results.md`` and ``results.png``; where not `whole`, replace rows of the same names."""
    import pandas as pd

    table = pd.DataFrame(list(results))
    table["ratio"] = table["peer_seconds"] / table["seconds"]
    table["memory_ratio"] = table["memory"] / table["peer_memory"]
    if not whole and (HERE / "results.csv").is_file():
        before = pd.read_csv(HERE / "results.csv", keep_default_na=True).fillna({"peer": ""})
        rates = table.loc[table["peer_seconds"].isna()].set_index("what")["peer"]  # told as text: it changes
        alone = before["peer_seconds"].isna()
        before["peer"] = before["what"].map(rates).where(alone).fillna(before["peer"])
        keys = ["what", "peer"]
        new = table.set_index(keys)
        kept = before.set_index(keys)
        kept.update(new)
        table = pd.concat([kept, new.loc[~new.index.isin(kept.index)]]).reset_index()
    table.round(4).to_csv(HERE / "results.csv", index=False)
    write_table(table)
    draw_ratios(table.dropna(subset="ratio"))


def write_table(table: pd.DataFrame) -> None:
    """Write the results as Markdown."""
    from mmdu_analysis.io.tables import render_table

    names = {
        "what": "what",
        "peer": "against, or how fast",
        "seconds": "s",
        "peer_seconds": "its s",
        "ratio": "times as long",
        "memory": "MiB",
        "peer_memory": "its MiB",
    }
    shown = table[list(names)].rename(columns=names).astype({"MiB": "Float64", "its MiB": "Float64"})
    shown[["MiB", "its MiB"]] = shown[["MiB", "its MiB"]].round().astype("Int64")
    (HERE / "results.md").write_text(render_table(shown, "markdown"), encoding="utf-8")


def draw_ratios(frame: pd.DataFrame) -> None:
    """Draw how many times as long the peers take."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    from mmdu_analysis.plots._style import style_context

    frame = frame.iloc[::-1]
    with style_context("paper"):
        figure, ax = plt.subplots(figsize=(7, 0.28 * len(frame) + 1), layout="constrained")
        labels = frame["what"] + "\nagainst " + frame["peer"]
        ax.hlines(range(len(frame)), 1, frame["ratio"], color="0.7", lw=1)
        ax.plot(frame["ratio"], range(len(frame)), "o", color="C0", ms=4)
        for place, ratio in enumerate(frame["ratio"]):
            ax.annotate(
                f"{ratio:.{1 if ratio >= 2 else 2}f}",
                (ratio, place),
                (5 if ratio >= 1 else -5, 0),
                textcoords="offset points",
                ha="left" if ratio >= 1 else "right",
                va="center",
                fontsize=6,
            )
        ax.set_yticks(range(len(frame)), labels, fontsize=5)
        ax.set_xscale("log")
        ax.set_xticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"], minor=False)
        ax.set_xticks([], minor=True)
        ax.margins(x=0.1, y=0.01)
        ax.axvline(1, color="0.3", lw=0.8)
        ax.set_xlabel("times as long as ours, in the same run")
        ax.set_title("Speed against plain ways to do the same (two cores)", fontsize=8)
        figure.savefig(HERE / "results.png", dpi=200)
        plt.close(figure)
