"""What the tests of plots share: artists as comparable values, texts with their boxes, frames through CSV."""

from __future__ import annotations

import io
import itertools

import matplotlib as mpl
import numpy as np
import pandas as pd

from mmdu_analysis.plots._export import write_numbers
from mmdu_analysis.schema import NotAvailable


def artists_of(figure):
    """Everything drawn, as values: kind, numbers, colours, texts."""
    found = []
    for ax in figure.axes:
        for line in ax.lines:
            found.append(("line", np.asarray(line.get_xydata(), float), line.get_color(), line.get_label()))
        for patch in ax.patches:
            vertices = patch.get_patch_transform().transform(patch.get_path().vertices)
            found.append(("patch", vertices, patch.get_facecolor(), patch.get_hatch()))
        for group in ax.collections:
            numbers = [np.asarray(group.get_offsets(), float).ravel()]
            numbers += [path.vertices.ravel() for path in group.get_paths()]
            if group.get_array() is not None:
                numbers.append(np.ma.filled(group.get_array().astype(float), np.nan).ravel())
            found.append(("collection", np.concatenate(numbers), group.get_facecolor(), ""))
        for image in ax.images:
            found.append(("image", np.asarray(image.get_array(), float).ravel(), "", ""))
        found.append(("limits", np.array([*ax.get_xlim(), *ax.get_ylim()]), "", ""))
        found += [("text", np.array([]), text.get_text(), "") for text in ax.findobj(mpl.text.Text)]
    found += [("text", np.array([]), text.get_text(), "") for text in figure.texts]
    return found


def same_artists(one, other, tolerance=1e-6):
    """The first difference between two lists of artists, or None."""
    if len(one) != len(other):
        return f"{len(one)} artists, then {len(other)}"
    for left, right in zip(one, other, strict=True):
        if left[0] != right[0] or left[1].shape != right[1].shape:
            return f"{left} and {right}"
        if not np.allclose(left[1], right[1], rtol=tolerance, atol=1e-6, equal_nan=True):
            return f"{left[0]}: {left[1]} and {right[1]}"
        if not all(_same(a, b) for a, b in zip(left[2:], right[2:], strict=True)):
            return f"{left} and {right}"
    return None


def _same(one, other):
    return (
        one == other
        if isinstance(one, str) or one is None
        else bool(np.all(np.asarray(one) == np.asarray(other)))
    )


def through_csv(frame):
    """The frame as a reader gets it from the CSV file of a figure."""
    stream = io.StringIO()
    write_numbers(frame, stream)
    stream.seek(0)
    return pd.read_csv(stream)


def hidden_ticks(figure):
    """Labels of ticks outside of the view: they have a box but aren't drawn."""
    hidden = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                outside = not low - 1e-9 <= tick.get_loc() <= high + 1e-9
                for label, shown in (
                    (tick.label1, tick.label1.get_visible()),
                    (tick.label2, tick.label2.get_visible()),
                ):
                    if outside or not shown or not ax.axison or not axis.get_visible():
                        hidden.add(id(label))
    return hidden


def layout_faults(figure, slack=1.0):
    """Texts that cover each other by more pixels than the slack, or leave the figure."""
    figure.canvas.draw()
    hidden = hidden_ticks(figure)
    boxes = [
        (text.get_text(), text.get_window_extent())
        for text in figure.findobj(mpl.text.Text)
        if text.get_visible() and text.get_text().strip() and id(text) not in hidden
    ]
    canvas = figure.bbox
    cut = [t for t, b in boxes if b.x0 < -1 or b.y0 < -1 or b.x1 > canvas.x1 + 1 or b.y1 > canvas.y1 + 1]
    pairs = [(a, b) for (a, one), (b, two) in itertools.combinations(boxes, 2) if overlaps(one, two, slack)]
    return [f"cut: {text!r}" for text in cut] + [f"{a!r} on {b!r}" for a, b in pairs]


def overlaps(one, other, slack=1.0):
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > slack and height > slack


def numbers_or_none(study, name):
    """A figure's numbers, or None where the study can't support it."""
    try:
        return study.numbers(name)
    except NotAvailable:
        return None


def marked_points(ax, label=None):
    """The (x, y) of all points that are drawn with a marker, in order; of one legend entry with `label`."""
    points = []
    for line in ax.lines:
        drawn = line.get_marker() not in ("None", None, "") and (label is None or line.get_label() == label)
        points += [tuple(map(float, pair)) for pair in line.get_xydata()] if drawn else []
    return points


def row_labels(ax):
    """The labels of the y axis, from top to bottom, with their positions."""
    pairs = sorted(zip(ax.get_yticks(), ax.get_yticklabels(), strict=True), key=lambda pair: pair[0])
    return {float(position): text.get_text() for position, text in pairs}


def texts_beside(ax):
    """The texts right of the Axes by row."""
    return {float(text.xy[1]): text.get_text() for text in ax.texts if text.xy[0] == 1}
