"""Pictures that are not at their listed paths: found by name, in an archive, or reported as missing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mmdu_analysis.io.pictures import find_by_name, picture_roots, picture_size, why_no_picture
from mmdu_analysis.io.zipped import ZippedFiles
from mmdu_analysis.schema import Problem, short_path, shorten

if TYPE_CHECKING:
    import pandas as pd


def size_by_name(images: pd.DataFrame, folder: Path, name: str) -> list[Problem]:
    """Add the sizes of pictures that are found by their file name alone, and report them as one problem."""
    lost = images["width"].isna()
    if not lost.any():
        return []
    found = find_by_name(folder, images["path"], images.loc[lost, "path"])
    sizes = {path: size for path, file in found.items() if (size := picture_size(file))}
    used = lost & images["path"].isin(sizes)
    if not used.any():
        return []
    for column, side in (("width", 0), ("height", 1)):
        images.loc[used, column] = images.loc[used, "path"].map({p: size[side] for p, size in sizes.items()})
    first = images.loc[used].iloc[0]
    text = (
        f"{int(used.sum()):,} pictures were found by their file name alone, the first: "
        f"{shorten(first['path'], 60)} -> {shorten(short_path(found[first['path']]), 100)}"
    )
    return [Problem(name, f"dialogue {first['dialog_id']}, image {first['image']}", text, first["dialog_id"])]


def find_missing(images: pd.DataFrame, folder: Path, name: str) -> list[Problem]:
    """Report each missing picture; if all are missing, report their number."""
    lost = images.loc[images["width"].isna()]
    if folder.is_file():  # an archive, whose pictures are opened only to be shown
        zipped = ZippedFiles([folder])
        lost = lost.loc[[zipped.find(path) is None for path in lost["path"]]]
    if len(lost) > 1 and len(lost) == len(images):
        where = shorten(short_path(folder), 80)
        found = "in" if folder.is_file() else "below"
        why = why_no_picture(picture_roots(folder), lost["path"].iloc[0])
        text = f"none of the {len(lost):,} pictures was found {found} {where}; the first: {why}"
        return [Problem(name, "", text)]
    roots = picture_roots(folder)
    return [
        Problem(
            name,
            f"dialogue {row.dialog_id}, image {row.image}",
            f"picture {shorten(row.path, 80)} is missing or unreadable: {why_no_picture(roots, row.path)}",
            row.dialog_id,
        )
        for row in lost.itertuples()
    ]
