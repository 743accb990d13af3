"""Draw combinations of related images, each for one dialogue, and keep them in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.building.drawing import Pools
from mmdu_analysis.building.items import ITEM_COLUMNS
from mmdu_analysis.io import files
from mmdu_analysis.io.files import atomic_path
from mmdu_analysis.schema import DataError, require_columns, short_path

if TYPE_CHECKING:
    import pandas as pd

MIN_IMAGES, MAX_IMAGES = 2, 20
PAPER_SIZES: dict[int, float] = {
    2: 52,
    **dict.fromkeys(range(3, 11), 51 / 8),
    **dict.fromkeys(range(11, 21), 7 / 10),
}
"""Weights of the numbers of images: the bins of the paper's Figure 4, each spread evenly over its numbers."""
_TRIES = 200


@dataclass(frozen=True)
class Combination:
    """The images of one dialogue to be written.

    Attributes
    ----------
    id : str
        Name of the combination, and of its dialogue.
    cluster : int
        The cluster of its items.
    items : tuple of dict
        The items, in the order of the images; ``image`` is the path of the picture inside ``folder``.
    synthetic : bool
        Whether any of the items is marked so.
    """

    id: str
    cluster: int
    items: tuple[dict[str, str], ...]
    synthetic: bool = False


def draw_combinations(
    items: pd.DataFrame,
    clusters: pd.DataFrame,
    *,
    n: int | None = None,
    sizes: Mapping[int, float] | None = None,
    reuse: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Draw combinations of 2 to 20 images from clusters.

    Parameters
    ----------
    items : pandas.DataFrame
        From `load_items`.
    clusters : pandas.DataFrame
        From `cluster_items`.
    n : int, optional
        Maximum number; by default as many as the items allow. Required with `reuse`.
    sizes : mapping of int to float, optional
        Number of images to its weight; by default the paper's (Figure 4).
    reuse : bool, default False
        Whether an item may be part of several combinations. The same set is never drawn twice.
    seed : int, default 0
        Seed of the random draw.

    Returns
    -------
    pandas.DataFrame
        One row per image of a combination: ``combination``, ``cluster``, ``image`` (from 1), ``id``,
        ``similarity`` (cosine of its caption to that of image 1), ``synthetic``.

    Raises
    ------
    DataError
        If sizes are not within 2 to 20, or no cluster has enough items.

    Notes
    -----
    A cluster is drawn with a probability proportional to its number of remaining items; the first image is
    drawn at random; the others are those with the most similar captions ("matched again by captions", section
    3.1 of the paper).

    Examples
    --------
    >>> import mmdu_analysis as mmdu
    >>> items = mmdu.building.sample_items(2, 4)
    >>> found = mmdu.building.draw_combinations(items, mmdu.building.cluster_items(items), sizes={2: 1})
    >>> found.groupby("combination").size().tolist()
    [2, 2, 2, 2]
    """
    import numpy as np
    import pandas as pd

    require_columns(clusters, ("id", "cluster"), "a frame of clusters")
    weights = _check_sizes(sizes or PAPER_SIZES)
    if reuse and n is None:
        raise DataError("reuse=True needs n, the number of combinations")
    joined = (
        items.assign(id=items["id"].astype(str)).merge(clusters[["id", "cluster"]], on="id").sort_values("id")
    )
    pools = Pools(joined, weights, np.random.default_rng(seed), reuse=reuse)
    found: list[tuple[Any, ...]] = []
    sets: set[tuple[int, frozenset[str]]] = set()
    count: dict[int, int] = {}
    for _ in range(_TRIES * n if n else len(joined)):
        drawn = None if len(sets) == n else pools.draw()
        if drawn is None:
            break
        if (drawn.cluster, frozenset(drawn.ids)) in sets:
            continue
        sets.add((drawn.cluster, frozenset(drawn.ids)))
        count[drawn.cluster] = count.get(drawn.cluster, 0) + 1
        name = f"c{drawn.cluster:04}-{count[drawn.cluster]:02}"
        rows = zip(drawn.ids, drawn.similarities, strict=True)
        found += [(name, drawn.cluster, image, key, value) for image, (key, value) in enumerate(rows, 1)]
    if not found:
        raise DataError(
            "no cluster has enough related items for a combination; lower the threshold or add items"
        )
    frame = pd.DataFrame(found, columns=["combination", "cluster", "image", "id", "similarity"])
    marks = dict(zip(joined["id"], joined.get("synthetic", pd.Series(False, joined.index)), strict=True))
    return frame.assign(synthetic=frame["id"].map(marks).astype(bool))


def _check_sizes(sizes: Mapping[int, float]) -> dict[int, float]:
    weights = {int(size): float(weight) for size, weight in sizes.items() if weight > 0}
    if not weights or min(weights) < MIN_IMAGES or max(weights) > MAX_IMAGES:
        raise DataError(f"sizes: got {dict(sizes)}, expected weights of {MIN_IMAGES} to {MAX_IMAGES} images")
    return weights


def write_combinations(items: pd.DataFrame, combinations: pd.DataFrame, path: str | Path) -> Path:
    """Write combinations with their items as JSON Lines, the input of `write_dialogs`.

    Parameters
    ----------
    items : pandas.DataFrame
        From `load_items`.
    combinations : pandas.DataFrame
        From `draw_combinations`.
    path : str or path
        Such as ``clusters.jsonl``. Paths of pictures are written as in the items: relative to their folder.

    Returns
    -------
    pathlib.Path
        The file.
    """
    file = Path(path).expanduser()
    known = {str(item["id"]): item for item in items.to_dict("records")}
    lines = []
    for name, rows in combinations.groupby("combination", sort=False):
        chosen = [_portable(known[key]) for key in rows["id"]]
        record = {"id": name, "cluster": int(rows["cluster"].iloc[0]), "items": chosen}
        record |= {"synthetic": True} if rows["synthetic"].any() else {}
        lines.append(json.dumps(record, ensure_ascii=False))
    with atomic_path(file) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def _portable(item: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(item[name]) for name in ITEM_COLUMNS}


def load_combinations(path: str | Path, *, pictures: str | Path | None = None) -> list[Combination]:
    """Load combinations from a file of `write_combinations`.

    Parameters
    ----------
    path : str or path
        The file.
    pictures : str or path, optional
        Folder of the pictures; by default the folder of the file. Pictures outside of it are not read.

    Returns
    -------
    list of Combination
        In the order of the file.

    Raises
    ------
    DataError
        If a line is not a combination of 2 to 20 items, or an id is repeated.
    """
    file = Path(path).expanduser()
    root = Path(pictures).expanduser().resolve() if pictures is not None else file.resolve().parent
    found: dict[str, Combination] = {}
    for number, line in enumerate(files.read_bytes(file).split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            combination = _combination(files.decode_loosely(line), root)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            text = f"{short_path(file)}: line {number}: not a combination ({type(error).__name__}: {error})"
            raise DataError(text) from None
        if combination.id in found:
            raise DataError(f"{short_path(file)}: line {number}: the id {combination.id!r} is used before")
        found[combination.id] = combination
    if not found:
        raise DataError(f"{short_path(file)}: no combinations; expected one a line")
    return list(found.values())


def _combination(record: Any, folder: Path) -> Combination:
    chosen = []
    for item in record["items"]:
        values = {name: str(item.get(name) or "") for name in ITEM_COLUMNS}
        chosen.append(values | {"folder": str(folder)})
    if not MIN_IMAGES <= len(chosen) <= MAX_IMAGES:
        raise ValueError(f"{len(chosen)} items, expected {MIN_IMAGES} to {MAX_IMAGES}")
    return Combination(
        str(record["id"]), int(record["cluster"]), tuple(chosen), record.get("synthetic") is True
    )
