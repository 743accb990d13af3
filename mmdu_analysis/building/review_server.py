"""The review page: served on loopback for one reviewer, under the rules of the browser's server."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from importlib.resources import files as package_files
from pathlib import Path

from mmdu_analysis.browser.server import Site, serve
from mmdu_analysis.building.review import Review, check_reviewer
from mmdu_analysis.building.review_session import ReviewSession

logger = logging.getLogger(__name__)

_KINDS = {"review.js": "text/javascript", "review.css": "text/css"}


def _text(name: str) -> str:
    return package_files("mmdu_analysis.building").joinpath("static", name).read_text(encoding="utf-8")


def review_site() -> Site:
    """Return the review page with its script and style."""
    files = {name: (kind, partial(_text, name)) for name, kind in _KINDS.items()}
    return Site(_text("review.html"), files)


def review_dialogs(
    folder: str | Path,
    reviewer: str,
    *,
    port: int = 0,
    open_browser: bool = True,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the review page until Ctrl-C.

    Parameters
    ----------
    folder : str or path
        From `write_dialogs`. Decisions are appended to ``review.jsonl`` in it; several reviewers may work at
        the same time, each with a server.
    reviewer : str
        Name of the reviewer.
    port : int, default 0
        Port on 127.0.0.1; 0 takes a free one.
    open_browser : bool, default True
        Open the user's web browser on the page.
    ready : callable, optional
        Called with the address once the server listens; by default the address is logged.

    Raises
    ------
    DataError
        If the folder has no complete dialogue, the name can't be used, or the port is not available.
    """
    name, review = check_reviewer(reviewer), Review(folder)
    serve(
        lambda: ReviewSession(review, name),
        site=review_site(),
        port=port,
        open_browser=open_browser,
        ready=ready or partial(logger.warning, "the review page is at %s"),
    )
