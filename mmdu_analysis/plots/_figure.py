"""The figure class of plots that create their own figure."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure


class PlotFigure(Figure):
    """A figure that embeds TrueType fonts in PDF and PostScript, as journals require, without a global setting.

    Attributes
    ----------
    grows : bool
        Whether a drawing may set the height, since the user has not set one.
    """

    grows = False

    def savefig(self, *args: Any, **options: Any) -> None:
        """Save the figure; see `matplotlib.figure.Figure.savefig`."""
        with mpl.rc_context({"pdf.fonttype": 42, "ps.fonttype": 42}):
            super().savefig(*args, **options)

    def get_tightbbox(self, *_: Any, **__: Any) -> Any:
        """Return the size of the canvas in inches: all texts are fitted to it, so notebooks must not crop it."""
        return self.bbox_inches
