"""The index page of a folder of figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.files import atomic_path

if TYPE_CHECKING:
    from mmdu_analysis.registry import Figure


def write_index(folder: Path, results: Sequence[tuple[Figure, Any]]) -> Path:
    """Write ``README.md``: every figure with its caption, numbers, code and notebook, and what was left out.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the figures.
    results : sequence of (Figure, Result)
        Result of each figure, in the order of the page.

    Returns
    -------
    pathlib.Path
        The page.
    """
    drawn = [(figure, result) for figure, result in results if result.files]
    left_out = [(figure, result) for figure, result in results if not result.files]
    lines = [
        "# Figures",
        "",
        "This page and the figures were written by `mmdu figures`. The numbers of each figure are in its CSV file, from which it can "
        'be redrawn: `mmdu.plots.NAME(pandas.read_csv("NAME.csv"))`.',
        "",
    ]
    if drawn and all(result.title.startswith("Demonstration") for _, result in drawn):
        lines += [
            "These figures show the synthetic sample. They demonstrate the plots and are not results.",
            "",
        ]
    for figure, result in drawn:
        lines += _entry(folder, figure, result)
    if left_out:
        lines += ["## Left out", "", "| figure | reason |", "|---|---|"]
        lines += [f"| {figure.name} | {result.reason.replace('|', '/')} |" for figure, result in left_out]
        lines.append("")
    path = folder / "README.md"
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")
    return path


def _entry(folder: Path, figure: Figure, result: Any) -> list[str]:
    """Return the lines of one figure."""
    files = [Path(file).name for file in result.files]
    pictures = [name for name in files if name.endswith((".png", ".svg"))]
    alt = f"{figure.caption} {result.title}".replace("[", "(").replace("]", ")")
    in_paper = f" It corresponds to {figure.paper} of the paper." if figure.paper else ""
    links = [f"[{Path(name).suffix[1:].upper()}]({name})" for name in files]
    code = f"mmdu_analysis/plots/{figure.module.rsplit('.', 1)[-1]}.py"
    links += [_link("code", folder, code), _link("notebook", folder, f"notebooks/{figure.notebook}.ipynb")]
    image = [f"![{alt}]({pictures[0]})", ""] if pictures else []
    return [
        f"## {figure.name}",
        "",
        *image,
        f"{figure.caption.rstrip('.')}.{in_paper} {', '.join(links)}.",
        "",
    ]


def _link(label: str, folder: Path, target: str) -> str:
    """Return a link to a file of the project if the folder is part of the project, else its name."""
    for up, base in (("..", folder.parent), ("../..", folder.parent.parent)):
        if (base / target).is_file():
            return f"[{label}]({up}/{target})"
    return f"{label}: `{target}`"
