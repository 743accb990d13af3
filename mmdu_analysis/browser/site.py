"""The dialogues as a static site, which any web server or file system can show."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.browser.assets import text_of
from mmdu_analysis.browser.export import dialog_page, html_page
from mmdu_analysis.browser.inputs import read_inputs
from mmdu_analysis.browser.session import Session
from mmdu_analysis.browser.texts import cut, first_words
from mmdu_analysis.io.files import atomic_path
from mmdu_analysis.schema import SYNTHETIC_LABEL, DataError, Rubric, short_path

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.browser.finding import Index
    from mmdu_analysis.io.benchmark import Benchmark
    from mmdu_analysis.study import Study

SIDE = 800
"""Longest side of the site's pictures in pixels."""
_SEARCHED = 20_000_000  # characters of texts that are stored in the index for the search
_MARK = "mmdu-site.txt"
_PICTURES = (".png", ".svg", ".jpg", ".jpeg", ".webp")


def export_site(
    benchmark: Study | Benchmark | str | Path,
    folder: str | Path,
    *,
    answers: pd.DataFrame | str | Path | None = None,
    scores: pd.DataFrame | str | Path | None = None,
    figures: Mapping[str, str | Path] | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
    side: int = SIDE,
    rubric: Rubric | None = None,
) -> Path:
    """Write dialogues, figures and tables as a folder of pages that needs no server.

    Parameters
    ----------
    benchmark : Study, Benchmark, path or name
        The dialogues; a study brings its answers, scores and rubric.
    folder : str or path
        A new or empty folder, or one that this function wrote before.
    answers, scores : pandas.DataFrame or path, optional
        From `load_answers` and `load_scores`, or what these take.
    figures : mapping of str to path, optional
        Title and picture file (PNG, SVG, JPEG, WebP) of figures to show.
    tables : mapping of str to pandas.DataFrame, optional
        Title and content of tables to show; by default those of a study: its statistics and its mean scores.
    side : int, default 800
        Longest side of the pictures of the dialogues, in pixels.
    rubric : Rubric, optional
        Of the scores.

    Returns
    -------
    pathlib.Path
        The page to open, ``index.html``: the list of dialogues with a search, and one page for each dialogue,
        figures and tables. All pages have a content security policy that allows their own script only.

    Raises
    ------
    DataError
        If the folder holds other files, or a figure isn't a picture.
    """
    target = Path(folder).expanduser()
    inputs = read_inputs(benchmark, answers, scores, rubric)
    shown = _study_tables(benchmark) if tables is None else tables
    pictures = _check_figures(figures or {})
    _check_folder(target)
    session = Session(inputs.benchmark, inputs.answers, inputs.scores, rubric=inputs.rubric)
    _write(target / _MARK, "Written by mmdu_analysis.export_site; it is replaced completely.\n")
    names = page_names([str(key) for key in session.index.ids])
    pages = list(names.items())
    for number, (dialog_id, name) in enumerate(pages):
        links = {"all dialogues": "../index.html"}
        if number:
            links["‹ previous"] = pages[number - 1][1]
        if number + 1 < len(pages):
            links["next ›"] = pages[number + 1][1]
        _write(target / "dialogs" / name, dialog_page(session, dialog_id, side=side, links=links))
    for name, path in pictures.items():
        with atomic_path(target / "figures" / name) as temporary:
            temporary.write_bytes(path.read_bytes())
    _write(target / "index.html", _index_page(session, names, list(figures or {}), list(pictures), shown))
    return target / "index.html"


def _study_tables(study: Any) -> dict[str, pd.DataFrame]:
    """Return the tables of a study; none for a benchmark alone."""
    tables: dict[str, pd.DataFrame] = {}
    for title, name in (("Dialogues", "statistics"), ("Mean scores, 0-100", "summary")):
        with suppress(DataError):  # without scores there is no summary
            if hasattr(study, name):
                tables[title] = getattr(study, name)()
    return tables


def page_names(dialog_ids: list[str]) -> dict[str, str]:
    """Return a file name for each dialogue, valid on every file system and unique when case is ignored.

    Parameters
    ----------
    dialog_ids : list of str
        Ids.

    Returns
    -------
    dict
        Id to name.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for number, dialog_id in enumerate(dialog_ids):
        plain = unicodedata.normalize("NFKD", dialog_id).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-")[:60]
        # The prefix keeps names away from those that Windows reserves.
        name = f"d-{plain}.html" if plain else f"n-{number}.html"
        if name.lower() in taken:
            name = f"n-{number}-{plain}.html"
        taken.add(name.lower())
        names[dialog_id] = name
    return names


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _check_folder(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise DataError(f"{short_path(target)}: got a file, expected a folder to write into")
    if not target.exists() or not any(target.iterdir()):
        return
    if not (target / _MARK).is_file():
        raise DataError(f"{short_path(target)}: holds other files; pass a new or an empty folder")
    for old in [*(target / "dialogs").glob("*.html"), *(target / "figures").glob("*")]:
        old.unlink()


def _check_figures(figures: Mapping[str, str | Path]) -> dict[str, Path]:
    """Return the file name in the site and the source of each figure."""
    files = {}
    for number, (title, source) in enumerate(figures.items()):
        path = Path(source).expanduser()
        if not path.is_file() or path.suffix.lower() not in _PICTURES:
            raise DataError(f"figure {title!r}: {short_path(path)} is not a PNG, SVG, JPEG or WebP file")
        files[f"figure-{number + 1}{path.suffix.lower()}"] = path
    return files


def _index_page(
    session: Session,
    names: Mapping[str, str],
    titles: list[str],
    figures: list[str],
    tables: Mapping[str, pd.DataFrame],
) -> str:
    index = session.index
    name = html.escape(cut(session.benchmark.name, 300, "…"))
    mark = f'<strong class="synthetic">{SYNTHETIC_LABEL}</strong>' if session.synthetic else ""
    body = (
        f'<main class="site"><h1>{name} {mark}</h1>'
        f"<p>{len(index.ids):,} dialogues, {len(index.turns):,} turns.</p>"
        '<p><label>Search <input id="query" type="search"></label> <span id="found" role="status"></span></p>'
        '<div class="scroll" tabindex="0" role="region" aria-label="dialogues"><table id="dialogs"><thead><tr>'
        + "".join(f"<th scope='col'>{head}</th>" for head in _heads(index))
        + f"</tr></thead><tbody>{_rows(index, names)}</tbody></table></div>"
    )
    for title, file in zip(titles, figures, strict=True):
        caption = html.escape(cut(title, 500, "…"))
        body += (
            f'<figure><img src="figures/{file}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
        )
    for title, table in tables.items():
        body += f"<h2>{html.escape(cut(str(title), 500, '…'))}</h2>{html_table(table)}"
    texts, whole = _texts(index)
    data = {"texts": texts, "whole": whole}
    # A page opened from a file has no origin, so 'self' matches nothing.
    return html_page(
        session.benchmark.name, body + "</main>", text_of("site.js"), data, "img-src 'self' file:"
    )


def _heads(index: Index) -> list[str]:
    return ["dialogue", "turns", "images", "first question", *(html.escape(m) for m in index.scores)]


def _rows(index: Index, names: Mapping[str, str]) -> str:
    means = [index.dialog_means(values) for values in index.scores.values()]
    rows = []
    for position, dialog_id in enumerate(index.ids):
        start, stop = index.starts[position : position + 2]
        words = first_words(index.turns["question"].iloc[start], 120) if stop > start else ""
        link = f'<a href="dialogs/{names[dialog_id]}">{html.escape(cut(dialog_id, 200, "…"))}</a>'
        cells = [link, str(index.n_turns[position]), str(index.n_images[position]), html.escape(words)]
        cells += ["–" if mean[position] != mean[position] else f"{mean[position]:.1f}" for mean in means]
        named = zip(_heads(index), cells, strict=True)  # on a narrow screen each cell shows its head
        rows.append("".join(f'<td data-head="{head}">{cell}</td>' for head, cell in named))
    return "".join(f"<tr>{row}</tr>" for row in rows)


def _texts(index: Index) -> tuple[list[str], bool]:
    """Return the text of each dialogue for the search, and whether answers and references are included."""
    parts = [index.turns["question"].astype("str")]
    extra = [index.turns["answer"].fillna("").astype("str")]
    extra += [
        texts.reindex(range(len(index.turns))).fillna("").astype("str") for texts in index.answers.values()
    ]
    whole = sum(int(part.str.len().sum()) for part in [*parts, *extra]) <= _SEARCHED
    columns = [*parts, *extra] if whole else parts
    texts = []
    for position in range(len(index.ids)):
        rows = slice(int(index.starts[position]), int(index.starts[position + 1]))
        lines = [text for column in columns for text in column.iloc[rows] if text]
        texts.append(cut("\n".join(lines)).lower())
    return texts, whole


def html_table(frame: pd.DataFrame) -> str:
    """Return a frame as an HTML table: all texts escaped, numbers with at most three decimals.

    Parameters
    ----------
    frame : pandas.DataFrame
        Any frame; an index with a name becomes columns.

    Returns
    -------
    str
    """
    shown = frame.reset_index() if any(name is not None for name in frame.index.names) else frame
    heads = "".join(f"<th scope='col'>{html.escape(str(name))}</th>" for name in shown.columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>"
        for row in shown.itertuples(index=False, name=None)
    )
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="scroll" tabindex="0" role="region" aria-label="table">{table}</div>'


def _cell(value: Any) -> str:
    if value is None or type(value).__name__ == "NAType" or value != value:
        return "–"
    if isinstance(value, float):
        return html.escape(f"{value:.3f}".rstrip("0").rstrip("."))
    return html.escape(cut(str(value), 2_000, "…"))
