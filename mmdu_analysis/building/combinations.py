"""Draw combinations of related images, each for one dialogue, and keep them in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.building.embedding import WORD
from mmdu_analysis.building.items import ITEM_COLUMNS
from mmdu_analysis.io import files
from mmdu_analysis.io.files import atomic_path
from mmdu_analysis.schema import DataError, require_columns, short_path

if TYPE_CHECKING:
    import numpy as np
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
    """Images that one dialogue is written about.

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
        How many at most; by default as many as the items allow. Needed with `reuse`.
    sizes : mapping of int to float, optional
        Number of images to its weight; by default the paper's (Figure 4).
    reuse : bool, default False
        Whether an item may be part of several combinations. The same set is never drawn twice.
    seed : int, default 0
        Of the draw.

    Returns
    -------
    pandas.DataFrame
        One row an image of a combination: ``combination``, ``cluster``, ``image`` (from 1), ``id``, ``similarity``
        (cosine of its caption to that of image 1), ``synthetic``.

    Raises
    ------
    DataError
        If sizes are not within 2 to 20, or no cluster has enough items.

    Notes
    -----
    A cluster is drawn with a probability proportional to the items that it has left; the first image
    at random; the others are those with the most similar captions ("matched again by captions", section 3.1 of
    the paper).

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
        raise DataError("reuse=True needs n, the number of combinations: there is no end to them")
    rng = np.random.default_rng(seed)
    joined = (
        items.assign(id=items["id"].astype(str)).merge(clusters[["id", "cluster"]], on="id").sort_values("id")
    )
    left = {int(key): rows.reset_index(drop=True) for key, rows in joined.groupby("cluster") if len(rows) > 1}
    likeness = {key: _caption_similarity(rows) for key, rows in left.items()}
    free = {key: np.ones(len(rows), dtype=bool) for key, rows in left.items()}
    found: list[tuple[Any, ...]] = []
    sets: set[tuple[int, frozenset[int]]] = set()
    count = dict.fromkeys(left, 0)
    for _ in range(_TRIES * n if n else len(joined)):
        drawn = None if len(sets) == n else _draw(rng, likeness, free, weights)
        if drawn is None:
            break
        cluster, places = drawn
        if (cluster, frozenset(places)) in sets:
            continue
        sets.add((cluster, frozenset(places)))
        count[cluster] += 1
        name = f"c{cluster:04}-{count[cluster]:02}"
        for image, place in enumerate(places, 1):
            similarity = float(likeness[cluster][places[0], place])
            found.append((name, cluster, image, left[cluster]["id"][place], similarity))
            free[cluster][place] = reuse
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


def _caption_similarity(rows: pd.DataFrame) -> np.ndarray:
    """Compare the captions of one cluster with each other; titles where there is none."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    captions = rows["caption"].where(rows["caption"].str.strip() != "", rows["title"])
    try:
        vectors = TfidfVectorizer(stop_words="english", token_pattern=WORD).fit_transform(captions)
    except ValueError:  # no words at all
        return np.zeros((len(rows), len(rows)), dtype=np.float32)
    return np.asarray((vectors @ vectors.T).toarray(), dtype=np.float32)


def _draw(
    rng: np.random.Generator,
    likeness: Mapping[int, np.ndarray],
    free: Mapping[int, np.ndarray],
    weights: Mapping[int, float],
) -> tuple[int, list[int]] | None:
    """Draw a cluster and items of it that are free; None where no cluster has enough."""
    import numpy as np

    numbers = {key: int(mask.sum()) for key, mask in free.items() if mask.sum() >= min(weights)}
    if not numbers:
        return None
    shares = np.array(list(numbers.values()), dtype=float)
    cluster = list(numbers)[rng.choice(len(shares), p=shares / shares.sum())]
    fitting = [size for size in sorted(weights) if size <= numbers[cluster]]
    chances = np.array([weights[size] for size in fitting])
    size = fitting[rng.choice(len(fitting), p=chances / chances.sum())]
    places = np.flatnonzero(free[cluster])
    first = int(rng.choice(places))
    others = places[places != first]
    ranked = others[np.argsort(-np.round(likeness[cluster][first, others], 6), kind="stable")]
    return cluster, [first, *(int(place) for place in ranked[: size - 1])]


def write_combinations(items: pd.DataFrame, combinations: pd.DataFrame, path: str | Path) -> Path:
    """Write combinations with their items as JSON Lines, the input of `write_dialogs`.

    Parameters
    ----------
    items : pandas.DataFrame
        From `load_items`.
    combinations : pandas.DataFrame
        From `draw_combinations`.
    path : str or path
        Such as ``clusters.jsonl``. Paths of pictures stay as they are in the items: relative to their folder.

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
