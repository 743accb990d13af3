"""Write the pages that are made from the code: API, gallery, tutorials, and the project's own documents."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import shutil
from pathlib import Path

GROUPS: dict[str, tuple[str, ...]] = {
    "Study": ("Study", "Benchmark", "Rubric", "DataError", "DataWarning", "NotAvailable"),
    "Loading": ("load_", "published_tables", "parse_judge_reply", "convert", "download", "sample_"),
    "Dataset": (
        "count_tokens",
        "image_tokens",
        "compare_image_models",
        "image_references",
        "question_images",
        "dialog_lengths",
        "dataset_statistics",
        "distribution",
        "compare_statistics",
        "compare_distributions",
        "word_frequencies",
        "distinctive_words",
        "topic_groups",
        "context_growth",
        "find_overlap",
    ),
    "Scores": (
        "summarize_scores",
        "compare_",
        "rank_models",
        "score_",
        "adjust_for_length",
        "answer_metrics",
        "metric_validity",
        "memory_decay",
        "decay_",
        "describe_turns",
        "join_",
        "turns_",
        "equivalence_test",
        "place_among_published",
    ),
    "Findings": (
        "gap_",
        "size_effect",
        "border_pair",
        "add_model",
        "finetuning",
        "ablation",
        "overtaken",
        "audit_paper",
    ),
    "Judges and people": (
        "judge_",
        "self_preference",
        "turn_agreement",
        "krippendorff_alpha",
        "calibrate_scores",
        "plan_",
        "rating_plan",
        "select_dialogs",
        "alternative_annotator_test",
    ),
    "Running and writing": (
        "answer",
        "judge",
        "browse",
        "explore",
        "save_figures",
        "write_report",
        "export_site",
    ),
}
"""Public names by group; a name goes to the first group with it or with its prefix, else to the last."""

DOCUMENTS = {
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
EXTRA = ("plots", "building")


def write_pages(docs: Path) -> None:
    """Write all generated pages into a documentation folder; they are ignored by git.

    Parameters
    ----------
    docs : pathlib.Path
        The folder with ``conf.py``.
    """
    root = docs.parent
    for name in ("api", "gallery", "tutorials", "project"):
        shutil.rmtree(docs / name, ignore_errors=True)
        (docs / name).mkdir()
    _write_api(docs / "api")
    _write_gallery(docs / "gallery", root)
    _write_tutorials(docs / "tutorials", root / "notebooks")
    for source, target in DOCUMENTS.items():
        text = (root / source).read_text(encoding="utf-8")
        (docs / "project" / target).write_text(_without_repository_links(text), encoding="utf-8")


def public_names() -> list[str]:
    """Return the public names of the package."""
    import mmdu_analysis

    return [name for name in mmdu_analysis.__all__ if name not in EXTRA]


def group_of(name: str) -> str:
    """Return the group of a public name."""
    exact = next((group for group, keys in GROUPS.items() if name in keys), None)
    prefix = next(
        (g for g, keys in GROUPS.items() for k in keys if k.endswith("_") and name.startswith(k)), None
    )
    return exact or prefix or next(reversed(GROUPS))


def _write_api(folder: Path) -> None:
    """Write one page per public name, and an index by group."""
    import mmdu_analysis

    names = public_names()
    lines = ["# API reference", "", "Import the package as `import mmdu_analysis as mmdu`.", ""]
    for group in GROUPS:
        mine = sorted((name for name in names if group_of(name) == group), key=str.lower)
        lines += [f"## {group}", "", "| name | what it does |", "|---|---|"]
        for name in mine:
            member = getattr(mmdu_analysis, name)
            lines.append(f"| [`{name}`]({name}.rst) | {_summary(member)} |")
            (folder / f"{name}.rst").write_text(_page(name, member), encoding="utf-8")
        lines.append("")
    building = (
        importlib.import_module("mmdu_analysis.building") if "building" in mmdu_analysis.__all__ else None
    )
    if building is not None:
        lines += ["## Building", "", "| name | what it does |", "|---|---|"]
        for name in sorted(getattr(building, "__all__", [])):
            member = getattr(building, name)
            lines.append(f"| [`building.{name}`](building.{name}.rst) | {_summary(member)} |")
            page = _page(f"building.{name}", member)
            (folder / f"building.{name}.rst").write_text(page, encoding="utf-8")
        lines.append("")
    lines += ["```{toctree}", ":hidden:", ":glob:", "", "*", "```", ""]
    (folder / "index.md").write_text("\n".join(lines), encoding="utf-8")


def _summary(member: object) -> str:
    text = (inspect.getdoc(member) or "").split("\n\n")[0].replace("\n", " ")
    return text.replace("|", "\\|").replace("``", "`")


def _page(name: str, member: object) -> str:
    kind = "autoclass" if inspect.isclass(member) else "autofunction"
    options = (
        "   :members:\n   :inherited-members: ValueError, UserWarning, Exception\n"
        if inspect.isclass(member)
        else ""
    )
    title = f"mmdu.{name}"
    return f"{title}\n{'=' * len(title)}\n\n.. {kind}:: mmdu_analysis.{name}\n{options}"


def _write_gallery(folder: Path, root: Path) -> None:
    """Write one page per figure, and an index of thumbnails."""
    from mmdu_analysis.registry import all_figures

    cards = [
        "# Gallery",
        "",
        "Every figure with its code and its numbers.",
        "",
        "::::{grid} 1 2 3 3",
        ":gutter: 2",
        ":class-container: gallery",
        "",
    ]
    for figure in all_figures().values():
        sample = not (root / "figures" / f"{figure.name}.png").exists()
        source = root / "figures" / ("sample" if sample else "") / f"{figure.name}.png"
        if not source.exists():
            continue
        shutil.copyfile(source, folder / source.name)
        table = source.with_suffix(".csv")
        if table.exists():
            shutil.copyfile(table, folder / table.name)
        call = "mmdu.Study.sample()" if sample else "mmdu.Study()"
        note = (
            "\nIt needs data of your own; the picture is a demonstration on the synthetic sample.\n"
            if sample
            else ""
        )
        paper = f" It corresponds to {figure.paper} of the paper." if figure.paper else ""
        text = (
            f"# {figure.name}\n\n{figure.caption}{paper}\n{note}\n```{{image}} {source.name}\n:alt: {figure.caption}\n```\n\n"
            f'```python\nimport mmdu_analysis as mmdu\n\nstudy = {call}\nstudy.plot("{figure.name}")\n'
            f'study.numbers("{figure.name}")  # the underlying frame\n```\n\n'
            f"{{download}}`Numbers as CSV <{table.name}>`. It is shown in the tutorial "
            f"[{figure.notebook}](../tutorials/{figure.notebook}.ipynb).\n\n"
            f"```{{eval-rst}}\n.. autofunction:: mmdu_analysis.plots.{figure.name}\n```\n"
        )
        (folder / f"{figure.name}.md").write_text(text, encoding="utf-8")
        cards += [
            f":::{{grid-item-card}} {figure.name}",
            f":img-top: {source.name}",
            f":img-alt: {figure.caption}",
            f":link: {figure.name}",
            ":link-type: doc",
            ":::",
            "",
        ]
    cards += ["::::", "", "```{toctree}", ":hidden:", ":glob:", "", "*", "```", ""]
    (folder / "index.md").write_text("\n".join(cards), encoding="utf-8")


def _write_tutorials(folder: Path, notebooks: Path) -> None:
    """Copy the notebooks with their saved outputs, and write an index."""
    names = []
    for path in sorted(notebooks.glob("*.ipynb")):
        content = json.loads(path.read_text(encoding="utf-8"))
        for cell in content["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = _without_repository_links("".join(cell["source"]))
        (folder / path.name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        names.append(path.stem)
    lines = [
        "# Tutorials",
        "",
        "The notebooks of the project, as they are saved.",
        "",
        "```{toctree}",
        ":maxdepth: 1",
        "",
    ]
    (folder / "index.md").write_text("\n".join([*lines, *names, "```", ""]), encoding="utf-8")


_LINK = re.compile(r"(!?)\[([^\]]+)\]\((?!https?:|#|[\w-]+\.ipynb\))[^)\s]+\)")


def _without_repository_links(text: str) -> str:
    """Return Markdown in which links to files of the repository are replaced by their text."""
    return _LINK.sub(lambda match: match[2], text)
