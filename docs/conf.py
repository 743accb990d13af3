"""Configuration of the documentation; ``make docs`` builds it without the web."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import pages  # noqa: E402

from mmdu_analysis import __version__  # noqa: E402

project = "mmdu_analysis"
copyright = "2026, the mmdu_analysis contributors"
release = version = __version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "_ext", "**/.ipynb_checkpoints"]
templates_path = ["_templates"]
nb_execution_mode = "off"  # the notebooks are saved with their outputs
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autosummary_generate = False  # pages.py writes a page for each public name
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
autodoc_typehints = "none"
add_module_names = False
# Notebooks and README link to files of the repository, which the site doesn't hold.
suppress_warnings = ["myst.xref_missing", "myst.header", "mystnb.unknown_mime_type"]

html_theme = "pydata_sphinx_theme"
html_title = "mmdu_analysis"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "use_edit_page_button": False,
    "pygments_light_style": "default",
    "pygments_dark_style": "monokai",
}


def setup(app: object) -> None:
    """Write the pages that are made from the code, before Sphinx reads the folder."""
    pages.write_pages(HERE)
