"""Write a report as a page of HTML, or its tables as Markdown or LaTeX."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mmdu_analysis import __version__
from mmdu_analysis.io.escape import escape_latex, escape_markdown, one_line
from mmdu_analysis.io.files import atomic_path
from mmdu_analysis.io.tables import Format, render_table
from mmdu_analysis.registry import all_figures
from mmdu_analysis.report.sections import SECTIONS, Section
from mmdu_analysis.report.worst import worst_dialogs, write_pages
from mmdu_analysis.schema import SYNTHETIC_LABEL, DataError, NotAvailable

if TYPE_CHECKING:
    from mmdu_analysis.study import Study

WORST = "worst"
DEFAULT = (*(name for name in SECTIONS if name != "audit"), WORST)
ReportForm = Literal["html", "markdown", "latex"]


@dataclass(frozen=True)
class WrittenReport:
    """A report that was written.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    left_out : tuple of str
        Sections and figures that the study can't support, each with the reason.
    """

    path: Path
    left_out: tuple[str, ...]


@dataclass
class _Part:
    """A section in the form that the template needs."""

    key: str
    title: str
    texts: list[str]
    table: Any = None
    figures: list[dict[str, str]] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)


def write_report(
    study: Study,
    path: str | Path = "report.html",
    *,
    form: ReportForm | None = None,
    sections: Sequence[str] | None = None,
    audit: bool = False,
) -> WrittenReport:
    """Write a report of a study.

    Parameters
    ----------
    study : Study
        The study; without data, the published results.
    path : str or path, default "report.html"
        File to write; an HTML report also has a folder with pages of the dialogues with the lowest scores.
    form : {"html", "markdown", "latex"}, optional
        By default chosen by the suffix of the file (``.html``, ``.md``, ``.tex``).
    sections : sequence of str, optional
        Keys of `mmdu_analysis.report.sections.SECTIONS`, or ``worst``; by default all but ``audit``.
    audit : bool, default False
        Add the audit of the paper's numbers.

    Returns
    -------
    WrittenReport
        The file, and the omitted parts.

    Raises
    ------
    DataError
        If the path is a folder, or a section or form is unknown.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise DataError(f"{path}: got a folder, expected a file for the report")
    chosen = _form_of(path, form)
    names = _section_names(sections, audit)
    left_out: list[str] = []
    parts = {}
    for name in names:
        if name != WORST:
            try:
                parts[name] = SECTIONS[name](study)
            except DataError as error:  # includes NotAvailable: the other sections are written
                left_out.append(f"section {name!r}: {error}")
    text = (
        _html(study, parts, path, left_out, worst=WORST in names)
        if chosen == "html"
        else _tables(study, parts, chosen)
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return WrittenReport(path, tuple(left_out))


def _form_of(path: Path, form: str | None) -> str:
    known = {".html": "html", ".htm": "html", ".md": "markdown", ".tex": "latex"}
    chosen = form or known.get(path.suffix.lower())
    if chosen not in known.values():
        raise DataError(
            f"{path}: the form is {chosen!r}, expected html, markdown or latex (.html, .md, .tex)"
        )
    return str(chosen)


def _section_names(sections: Sequence[str] | None, audit: bool) -> list[str]:
    names = list(DEFAULT if sections is None else sections)
    unknown = [name for name in names if name not in (*SECTIONS, WORST)]
    if unknown:
        raise DataError(f"no section {unknown[0]!r}; expected one of {', '.join((*SECTIONS, WORST))}")
    return [*names, "audit"] if audit and "audit" not in names else names


def _title(study: Study) -> str:
    models = ", ".join(study.own_models[:3]) + (", ..." if len(study.own_models) > 3 else "")
    subject = models or ("published results" if study.benchmark is None else study.benchmark.name)
    return f"MMDU report: {one_line(subject)}"


def _html(study: Study, sections: dict[str, Section], path: Path, left_out: list[str], *, worst: bool) -> str:
    import jinja2

    parts = [_part(study, name, section, left_out) for name, section in sections.items()]
    if worst and study.scores is not None:
        try:
            parts.append(_worst_part(study, path))
        except DataError as error:
            left_out.append(f"section {WORST!r}: {error}")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(
        (resources.files("mmdu_analysis") / "report" / "page.html").read_text(encoding="utf-8")
    )
    if left_out:
        parts.append(_Part("left_out", "Left out", list(left_out)))
    return template.render(title=_title(study), parts=parts, synthetic=study.synthetic, version=__version__)


def _part(study: Study, name: str, section: Section, left_out: list[str]) -> _Part:
    from markupsafe import Markup

    table = None
    if section.table is not None:
        bold = "own" if "own" in section.table else None
        table = Markup(render_table(section.table, "html", bold=bold))  # noqa: S704 - render_table escapes each cell
    drawn = [_figure(study, figure, left_out) for figure in section.figures]
    return _Part(name, section.title, list(section.texts), table, [figure for figure in drawn if figure])


def _figure(study: Study, name: str, left_out: list[str]) -> dict[str, str] | None:
    """Return a figure as PNG; None if the study can't support it."""
    import matplotlib.pyplot as plt

    figures = all_figures()
    if name not in figures:
        return None
    try:
        ax = study.plot(name, context="notebook", width=4.7)
    except NotAvailable as error:
        left_out.append(str(error))
        return None
    buffer = io.BytesIO()
    drawn: Any = ax.figure
    drawn.savefig(buffer, format="png", dpi=200, metadata={"Software": None})
    plt.close(drawn)
    return {"caption": figures[name].caption, "png": base64.b64encode(buffer.getvalue()).decode()}


def _worst_part(study: Study, path: Path) -> _Part:
    worst = worst_dialogs(study)
    links = write_pages(study, worst, path.with_name(f"{path.stem}_dialogues"))
    items = [{"title": w.title, "texts": w.texts, "link": links.get(w.dialog_id)} for w in worst]
    return _Part(WORST, "Dialogues with the lowest scores", [], items=items)


def _tables(study: Study, sections: dict[str, Section], form: str) -> str:
    """Return the report's tables as Markdown or LaTeX, own models in bold."""
    escape = escape_markdown if form == "markdown" else escape_latex
    heading = "# {}\n" if form == "markdown" else "\\section*{{{}}}\n"
    below = "## {}\n" if form == "markdown" else "\\subsection*{{{}}}\n"
    parts = [heading.format(escape(_title(study)))]
    if study.synthetic:
        parts.append(f"**{SYNTHETIC_LABEL}**\n" if form == "markdown" else f"\\textbf{{{SYNTHETIC_LABEL}}}\n")
    for section in sections.values():
        if section.table is not None:
            bold = "own" if "own" in section.table else None
            parts += [below.format(escape(section.title)), *(escape(text) + "\n" for text in section.texts)]
            parts.append(render_table(section.table, Format(form), bold=bold))
    return "\n".join(parts)
