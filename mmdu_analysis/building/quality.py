"""The quality of clusters: sizes, similarities, a map, and the accuracy by a person's decisions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.building.embedding import Embedding, embed_items
from mmdu_analysis.io.files import read_table
from mmdu_analysis.schema import DataError, is_synthetic, require_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes

_MOST_COMPARED = 1_000
_YES = frozenset({"1", "yes", "y", "true", "accept", "x"})
_NO = frozenset({"0", "no", "n", "false", "reject"})


@dataclass(frozen=True)
class ClusterReport:
    """Measures of clusters that are computed without human judgements.

    Attributes
    ----------
    table : pandas.DataFrame
        One row: ``n_items``, ``n_clusters`` (of two items and more), ``n_single`` (items alone), ``largest``,
        ``similarity_within``, ``similarity_between`` (mean cosine over all pairs), ``silhouette``,
        ``n_silhouette`` (items that it was computed from), ``synthetic``.
    sizes : pandas.DataFrame
        ``size``, ``n_clusters``, ``synthetic``.
    map : pandas.DataFrame
        ``id``, ``cluster``, ``x``, ``y``, ``synthetic``: at most 1,000 items, with coordinates from t-SNE.
    """

    table: pd.DataFrame
    sizes: pd.DataFrame
    map: pd.DataFrame


def cluster_report(
    items: pd.DataFrame, clusters: pd.DataFrame, *, embedding: Embedding | None = None, seed: int = 0
) -> ClusterReport:
    """Compute sizes, similarities, silhouette and a map of clusters.

    Parameters
    ----------
    items : pandas.DataFrame
        From `load_items`.
    clusters : pandas.DataFrame
        From `cluster_items`.
    embedding : Embedding, optional
        From `embed_items`, as it was used for the clusters; by default tf-idf.
    seed : int, default 0
        Seed of the random draw of 1,000 items for silhouette and map, where there are more.

    Returns
    -------
    ClusterReport
        Three frames.

    See Also
    --------
    draw_pairs : Pairs for a person to judge.

    Examples
    --------
    >>> import mmdu_analysis as mmdu
    >>> items = mmdu.building.sample_items(3, 5)
    >>> found = mmdu.building.cluster_report(items, mmdu.building.cluster_items(items))
    >>> found.table[["n_items", "n_clusters", "largest"]].iloc[0].tolist()
    [15, 3, 5]
    """
    import numpy as np
    import pandas as pd

    embedded = embedding or embed_items(items)
    by_id = clusters.set_index("id")["cluster"]
    labels = by_id.reindex(list(embedded.ids)).to_numpy(dtype=np.int64)
    within, between = _mean_similarities(embedded.vectors, labels)
    sizes = clusters["cluster"].value_counts()
    synthetic = is_synthetic(items, clusters)
    chosen = _choose(labels, seed)
    silhouette, n_silhouette = _silhouette(embedded.vectors, labels, chosen)
    row = {
        "n_items": len(labels),
        "n_clusters": int((sizes > 1).sum()),
        "n_single": int((sizes == 1).sum()),
        "largest": int(sizes.max()),
        "similarity_within": within,
        "similarity_between": between,
        "silhouette": silhouette,
        "n_silhouette": n_silhouette,
        "synthetic": synthetic,
    }
    counts = sizes.value_counts().sort_index()
    table = pd.DataFrame({"size": counts.index, "n_clusters": counts.to_numpy(), "synthetic": synthetic})
    points = _points(embedded.vectors, chosen, seed)
    ids = np.array(embedded.ids, dtype=object)[chosen]
    drawn = pd.DataFrame({"id": ids, "cluster": labels[chosen], "x": points[:, 0], "y": points[:, 1]})
    return ClusterReport(pd.DataFrame([row]), table, drawn.assign(synthetic=synthetic))


def _mean_similarities(vectors: Any, labels: np.ndarray) -> tuple[float, float]:
    """Return the mean cosine over all pairs within and between clusters, from sums of vectors."""
    import numpy as np
    from scipy.sparse import csr_matrix

    n = len(labels)
    _, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    member = csr_matrix((np.ones(n), (inverse, np.arange(n))), shape=(len(sizes), n))
    sums = csr_matrix(member @ vectors)
    squares = np.asarray(sums.multiply(sums).sum(axis=1)).ravel()
    own = float(csr_matrix(vectors).multiply(csr_matrix(vectors)).sum())
    total = np.asarray(sums.sum(axis=0)).ravel()
    pairs_within = float((sizes * (sizes - 1)).sum())
    pairs_between = float(n * n - (sizes * sizes).sum())
    within = (squares.sum() - own) / pairs_within if pairs_within else float("nan")
    between = (float(total @ total) - squares.sum()) / pairs_between if pairs_between else float("nan")
    return float(within), float(between)


def _choose(labels: np.ndarray, seed: int) -> np.ndarray:
    import numpy as np

    if len(labels) <= _MOST_COMPARED:
        return np.arange(len(labels))
    return np.sort(np.random.default_rng(seed).choice(len(labels), _MOST_COMPARED, replace=False))


def _silhouette(vectors: Any, labels: np.ndarray, chosen: np.ndarray) -> tuple[float, int]:
    """Return the mean silhouette of items that are not alone in their cluster, and their number."""
    import numpy as np
    from sklearn.metrics import silhouette_score

    counts = np.bincount(labels[chosen])
    kept = chosen[counts[labels[chosen]] > 1]
    if len(np.unique(labels[kept])) < 2:
        return float("nan"), len(kept)
    return float(silhouette_score(vectors[kept], labels[kept], metric="cosine")), len(kept)


def _points(vectors: Any, chosen: np.ndarray, seed: int) -> np.ndarray:
    """Project items to two dimensions, similar ones close to each other."""
    import numpy as np
    from sklearn.manifold import TSNE

    if len(chosen) < 5:
        return np.column_stack([np.arange(len(chosen), dtype=float), np.zeros(len(chosen))])
    similarity = vectors[chosen] @ vectors[chosen].T
    dense = similarity.toarray() if hasattr(similarity, "toarray") else np.asarray(similarity)
    distances = np.clip(1 - dense, 0, 2)
    np.fill_diagonal(distances, 0)
    perplexity = min(30.0, (len(chosen) - 1) / 3)
    return TSNE(metric="precomputed", init="random", perplexity=perplexity, random_state=seed).fit_transform(
        distances
    )


def draw_map(frame: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the map of a `ClusterReport`; the twelve largest clusters have colours, the others are grey.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``ClusterReport.map``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With one point per item.
    """
    import matplotlib.pyplot as plt
    import seaborn as sns

    require_columns(frame, ("cluster", "x", "y"), "a map of clusters")
    ax = ax or plt.subplots(figsize=(6, 5))[1]
    largest = frame["cluster"].value_counts().head(12).index
    other = ~frame["cluster"].isin(largest)
    ax.scatter(frame.loc[other, "x"], frame.loc[other, "y"], s=8, color="0.75", label="other clusters")
    shown = frame.loc[~other].assign(cluster=frame["cluster"].astype(str))
    sns.scatterplot(shown, x="x", y="y", hue="cluster", palette="colorblind", s=18, ax=ax, legend=False)
    mark = " (synthetic sample)" if is_synthetic(frame) else ""
    ax.set(xticks=[], yticks=[], xlabel="", ylabel="", title=f"{len(frame):,} items by similarity{mark}")
    return ax


def draw_pairs(items: pd.DataFrame, clusters: pd.DataFrame, n: int = 100, *, seed: int = 0) -> pd.DataFrame:
    """Sample pairs of items of the same cluster for a person to accept or reject.

    Parameters
    ----------
    items : pandas.DataFrame
        From `load_items`.
    clusters : pandas.DataFrame
        From `cluster_items`.
    n : int, default 100
        Pairs. Clusters are drawn with a probability proportional to their size, without repetition as
        long as there are enough, so that pairs are independent of each other.
    seed : int, default 0
        Seed of the random draw.

    Returns
    -------
    pandas.DataFrame
        ``pair``, ``cluster``, ``id_a``, ``title_a``, ``caption_a``, ``image_a`` and the same with ``_b``, an
        empty ``accept`` and ``synthetic``. Write it as CSV, fill ``accept`` with yes or no, and pass it to
        `cluster_accuracy`.

    Raises
    ------
    DataError
        If no cluster has two items.
    """
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(seed)
    members = {
        key: rows["id"].sort_values().tolist() for key, rows in clusters.groupby("cluster") if len(rows) > 1
    }
    if not members:
        raise DataError("no cluster has two items; lower the threshold")
    keys = np.array(list(members))
    shares = np.array([len(members[key]) for key in keys], dtype=float)
    order: list[int] = []
    while len(order) < n:
        take = min(n - len(order), len(keys))
        order += rng.choice(keys, take, replace=False, p=shares / shares.sum()).tolist()
    known = items.assign(id=items["id"].astype(str)).set_index("id")
    rows = []
    for number, key in enumerate(order, 1):
        row: dict[str, Any] = {"pair": number, "cluster": key}
        for side, chosen in zip("ab", rng.choice(members[key], 2, replace=False), strict=True):
            row[f"id_{side}"] = str(chosen)
            row |= {f"{name}_{side}": known.loc[chosen, name] for name in ("title", "caption", "image")}
        rows.append(row)
    return pd.DataFrame(rows).assign(accept="", synthetic=is_synthetic(items, clusters))


def cluster_accuracy(sheet: pd.DataFrame | str | Path, *, ci: float = 0.95) -> pd.DataFrame:
    """Compute the accuracy of clusters from a sheet that a person filled in.

    Parameters
    ----------
    sheet : pandas.DataFrame, str or path
        From `draw_pairs`, with ``accept`` filled in: yes or no, 1 or 0.
    ci : float, default 0.95
        Width of the interval.

    Returns
    -------
    pandas.DataFrame
        One row: ``mean`` (share of accepted pairs, points on 0-100), ``se`` (NaN at 0 and 100), ``low``,
        ``high`` (Wilson's interval), ``n_pairs``, ``n_missing`` (pairs without a decision), ``ci``,
        ``synthetic``.

    Raises
    ------
    DataError
        If a cell of ``accept`` is neither yes nor no, or all are empty.

    Notes
    -----
    The paper's accuracy of clustering (``load_published("cluster_accuracy")``) has no interval.

    Examples
    --------
    >>> import pandas as pd
    >>> import mmdu_analysis as mmdu
    >>> sheet = pd.DataFrame({"accept": ["yes"] * 9 + ["no"]})
    >>> mmdu.building.cluster_accuracy(sheet)[["mean", "low", "high"]].round(1).iloc[0].tolist()
    [90.0, 59.6, 98.2]
    """
    import pandas as pd
    from statsmodels.stats.proportion import proportion_confint

    if not 0 < ci < 1:
        raise DataError(f"ci: got {ci}, expected a share between 0 and 1, such as 0.95")
    frame = sheet if isinstance(sheet, pd.DataFrame) else read_table(Path(sheet).expanduser())
    require_columns(frame, ("accept",), "a sheet of pairs")
    cells = frame["accept"].fillna("").map(lambda cell: f"{cell:g}" if isinstance(cell, float) else str(cell))
    cells = cells.str.strip().str.casefold()
    wrong = sorted(set(cells) - _YES - _NO - {""})
    if wrong:
        raise DataError(f"accept: got {wrong[:5]}, expected yes or no (1 or 0)")
    yes, total = int(cells.isin(_YES).sum()), int((cells != "").sum())
    if not total:
        raise DataError("accept: no pair has a decision; fill in yes or no")
    low, high = proportion_confint(yes, total, alpha=1 - ci, method="wilson")
    share = yes / total
    marked = frame.get("synthetic", pd.Series(False, frame.index)).astype(str).str.casefold() == "true"
    row = {
        "mean": 100 * share,
        "se": 100 * (share * (1 - share) / total) ** 0.5 if 0 < yes < total else float("nan"),
        "low": 100 * low,
        "high": 100 * high,
        "n_pairs": total,
        "n_missing": len(cells) - total,
        "ci": ci,
        "synthetic": bool(marked.any()),
    }
    return pd.DataFrame([row])
